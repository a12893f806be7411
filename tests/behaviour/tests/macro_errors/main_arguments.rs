//! Each function has one wrong argument.

use std::io; // is used by the stub of `main`, so no warning

#[runtime::main(port = 80)]
//              ^^^^ unknown argument: `#[runtime::main]` takes `exit`, `builder` and `crate`
async fn main() -> io::Result<()> {
    Ok(())
}

#[runtime::main("main")]
//              ^^^^^^ unknown argument: `#[runtime::main]` takes `exit`, `builder` and `crate`
fn no_name() {}

#[runtime::main(, exit = "main")]
//              ^ unknown argument: `#[runtime::main]` takes `exit`, `builder` and `crate`
fn no_argument() {}

#[runtime::main(clock = "manual")]
//              ^^^^^ `clock` is for `#[runtime::test]`: set a program's clock in its `builder`
fn argument_of_test() {}

#[runtime::main(exit = "main", builder = b, exit = "main")]
//                                          ^^^^ `exit` is given twice: remove one
fn twice() {}

#[runtime::main(exit)]
//              ^^^^ `exit` needs a value: write `exit = "main"`
fn no_value() {}

#[runtime::main(exit =)]
//              ^^^^ `exit` needs a value: write `exit = "main"`
fn no_value_either() {}

#[runtime::main(exit("main"))]
//              ^^^^ `exit` needs a value: write `exit = "main"`
fn parentheses() {}

#[runtime::main(exit = "something")]
//                     ^^^^^^^^^^^ `exit` has one possible value, a string: write `exit = "main"`
fn unknown_exit() {}

#[runtime::main(exit = main)]
//                     ^^^^ `exit` has one possible value, a string: write `exit = "main"`
fn no_quotes() {}

#[runtime::main(exit = "main" builder = b)]
//                            ^^^^^^^ a comma is missing: write `, builder = ..`
fn no_comma() {}

#[runtime::main(builder)]
//              ^^^^^^^ `builder` needs a value: write `builder = path::to::function`
fn no_builder() {}

#[runtime::main(builder = "b")]
//                        ^^^ `builder` takes a path, without quotes or parentheses: write `builder = path::to::function`
fn quoted_builder() {}

#[runtime::main(builder = builders::make())]
//                        ^^^^^^^^^^^^^^^^ `builder` takes a path, without quotes or parentheses: write `builder = path::to::function`
fn called_builder() {}

#[runtime::main(builder = builders::)]
//                        ^^^^^^^^^^ `builder` takes a path, without quotes or parentheses: write `builder = path::to::function`
fn half_a_path() {}

#[runtime::main(crate = "my_runtime")]
//                      ^^^^^^^^^^^^ `crate` takes a path, without quotes or parentheses: write `crate = path::to::runtime`
fn quoted_crate() {}
