//! Each item is something else than a function that can be a test.

#[runtime::test]
async fn with_parameter(port: u16) {}
//                     ^^^^^^^^^^^ `#[runtime::test]` takes a function without parameters: make what it needs in the body

#[runtime::test]
pub unsafe fn not_safe() {}
//  ^^^^^^ `#[runtime::test]` takes an `fn` or an `async fn`: remove `unsafe`

#[runtime::test]
async fn generic<T>() {}
//              ^ `#[runtime::test]` takes a function without generic parameters: remove them

#[runtime::test]
pub(crate) mod tests {}
//         ^^^ `#[runtime::test]` takes an `fn` or an `async fn`, outside of `impl` and `trait`
