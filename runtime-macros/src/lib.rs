//! The attribute macros of `runtime`: an entry point for programs and one for tests.
//!
//! Each puts the function it stands on into a plain function of the same name, which starts a loop
//! and runs it there:
//!
//! ```text
//!  #[runtime::main]                        fn main() -> ExitCode {
//!  async fn main() -> io::Result<()> {         async fn main() -> io::Result<()> {
//!      greet().await             ────────▶         greet().await
//!  }                                           }
//!                                              ::runtime::__private::Main::new().run_async(main)
//!                                          }
//! ```
//!
//! Use them through the `runtime` crate, which exports them. What they expand to is private to it.
//!
//! - The function moves as it is. Its tokens keep their spans: an error of rustc's points at what
//!   the user wrote.
//! - Its attributes, doc comments and visibility go to the outer function.
//! - A mistake gives one error, at the token that is wrong. A stub of the function stays, so that
//!   no second error follows.
//!
//! The tokens are walked by hand, without dependencies: a parser for all of Rust would take longer
//! to build than the runtime.

#![forbid(unsafe_code)]

mod args;
mod entry;
mod error;
mod function;
mod tokens;

use proc_macro::TokenStream;

use crate::entry::Entry;

/// Makes a program of `fn main` or `async fn main`: runs it on a loop, then the loop to its end.
///
/// ```text
/// #[runtime::main]
/// async fn main() -> io::Result<()> {
///     let server = TcpListener::bind("127.0.0.1:7000")?;
///     let (client, _) = server.accept().await?;
///     client.write("hello").await
/// }
/// ```
///
/// The program ends when `main` is done and nothing keeps the loop alive. The function has no
/// parameters; it may return a result, of which an `Err` is reported and gives exit code 1.
///
/// # Arguments
/// - `exit = "main"`: the program ends when `main` is done, even if the loop is alive.
/// - `builder = path`: the loop is made by the `runtime::Builder` that the function `path` returns.
/// - `crate = path`: where the runtime is found if not at `::runtime`.
///
/// ```text
/// #[runtime::main(exit = "main", builder = small_pool)]
/// async fn main() {}
///
/// fn small_pool() -> runtime::Builder {
///     runtime::Loop::builder().pool_threads(1)
/// }
/// ```
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(Entry::Main, arguments, item)
}

/// Makes a test of an `fn` or an `async fn`, on a loop of its own.
///
/// ```text
/// #[runtime::test(clock = "manual")]
/// async fn an_hour_passes_at_once() {
///     sleep(secs(3600)).await;
/// }
/// ```
///
/// It stands instead of `#[test]`; `#[ignore]`, `#[should_panic]` and other attributes can be added
/// as usual. The function has no parameters and may return what a `#[test]` may.
///
/// # Arguments
/// - `clock = "manual"`: the loop's clock stands still, until only timers are waited for; then it
///   jumps to the next.
/// - `builder = path`: the loop is made by the `runtime::Builder` that the function `path` returns.
/// - `crate = path`: where the runtime is found if not at `::runtime`.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(Entry::Test, arguments, item)
}
