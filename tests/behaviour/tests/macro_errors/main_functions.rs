//! Each item is something else than a function that can be a main.

#[runtime::main]
async fn main(arguments: Vec<String>) {}
//           ^^^^^^^^^^^^^^^^^^^^^^^^ `#[runtime::main]` takes a function without parameters: read `std::env::args()` in the body

#[runtime::main]
pub unsafe fn not_safe() {}
//  ^^^^^^ `#[runtime::main]` takes an `fn` or an `async fn`: remove `unsafe`

#[runtime::main]
pub async unsafe fn not_safe_either() {}
//        ^^^^^^ `#[runtime::main]` takes an `fn` or an `async fn`: remove `unsafe`

#[runtime::main]
pub const fn constant() {}
//  ^^^^^ `#[runtime::main]` takes an `fn` or an `async fn`: remove `const`

#[runtime::main]
pub(crate) extern "C" fn foreign() {}
//         ^^^^^^ `#[runtime::main]` takes an `fn` or an `async fn`: remove `extern`

#[runtime::main]
fn generic<T: Fn() -> u8>() {}
//        ^ `#[runtime::main]` takes a function without generic parameters: remove them

#[runtime::main]
fn generic_with_parameter<'a>(_: &'a str) {}
//                       ^ `#[runtime::main]` takes a function without generic parameters: remove them

#[runtime::main]
#[rustfmt::skip]
fn conditional() -> u8 where u8: Copy { 5 }
//                     ^^^^^ `#[runtime::main]` takes a function without a `where` clause: remove it

#[runtime::main]
pub struct Program;
//  ^^^^^^ `#[runtime::main]` takes an `fn` or an `async fn`, outside of `impl` and `trait`

mod implementation {
    #[runtime::main]
    /// The error is below the doc comment.
    #[rustfmt::skip]
    /* here: */ impl super::Program {}
    //          ^^^^ `#[runtime::main]` takes an `fn` or an `async fn`, outside of `impl` and `trait`

    impl super::Program {
        #[runtime::main]
        pub async fn method(&self) {}
        //  ^^^^^ `#[runtime::main]` takes an `fn` or an `async fn`, outside of `impl` and `trait`
    }
}
