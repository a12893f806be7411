//! Functions of the right form, with other errors in them.

#[runtime::main]
async fn main() -> Vec<u8> {
    //             ^^^ a main can't return `Vec<u8>`
    Vec::new()
}

#[runtime::main]
fn plain() -> Result<u8, ()> {
    //        ^^^^^^ a main can't return `Result<u8, ()>`
    Ok(5)
}

#[runtime::main]
async fn wrong_value() -> Result<(), ()> {
    return 5;
    //     ^ mismatched types
}

#[runtime::main]
fn no_value() -> Result<(), ()> {
    //           ^^^^^^^^^^^^^^ mismatched types
    let _ = 5;
}

#[runtime::main(builder = number)]
//                        ^^^^^^ mismatched types
fn wrong_builder() {}

fn number() -> u8 {
    5
}
