//! Tests of the right form, with other errors in them.

#[runtime::test]
async fn no_debug() -> Result<(), NoDebug> {
    //                 ^^^^^^^^^^^^^^^^^^^ `NoDebug` doesn't implement `Debug`
    Err(NoDebug)
}

struct NoDebug;

#[runtime::test]
async fn wrong_value() -> Result<(), ()> {
    return 5;
    //     ^ mismatched types
}

#[runtime::test]
fn unknown_type() -> Result<(), ()> {
    let _: u8 = "text";
    //          ^^^^^^ mismatched types
    Ok(())
}
