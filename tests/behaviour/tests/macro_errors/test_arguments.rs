//! Each test has one wrong argument.

#[runtime::test(threads = 2)]
//              ^^^^^^^ unknown argument: `#[runtime::test]` takes `clock`, `builder` and `crate`
async fn unknown() {}

#[runtime::test(exit = "main")]
//              ^^^^ `exit` is for `#[runtime::main]`: remove it
async fn argument_of_main() {}

#[runtime::test(clock = "manual", clock = "manual")]
//                                ^^^^^ `clock` is given twice: remove one
fn twice() {}

#[runtime::test(clock = "real")]
//                      ^^^^^^ `clock` has one possible value, a string: write `clock = "manual"`
fn unknown_clock() {}

#[runtime::test(clock = manual)]
//                      ^^^^^^ `clock` has one possible value, a string: write `clock = "manual"`
fn no_quotes() {}

#[runtime::test(clock)]
//              ^^^^^ `clock` needs a value: write `clock = "manual"`
fn no_value() {}

#[runtime::test(builder = |x| x)]
//                        ^^^^^ `builder` takes a path, without quotes or parentheses: write `builder = path::to::function`
fn closure() {}
