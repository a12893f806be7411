//! From the user's function to the entry point around it.
//!
//! ```text
//!  attributes        visibility   definition
//!  /// Says hello.   pub          async fn main() -> io::Result<()> { .. }
//!        │            │                               │
//!        ▼            ▼                               │
//!  /// Says hello.   pub fn main() -> ExitCode {      ▼
//!                        async fn main() -> io::Result<()> { .. }
//!                        ::runtime::__private::Main::new().run_async(main)
//!                    }
//! ```
//!
//! Inside of the outer function the inner one hides it. Both have the name that the user gave: it
//! is the one in backtraces, and a call of it in the body means what it says.

use std::fmt;

use proc_macro::{Delimiter, Group, Ident, TokenStream, TokenTree};

use crate::args::Arguments;
use crate::function::Function;
use crate::tokens::{code, group, stream};

/// Which attribute is expanded.
#[derive(Clone, Copy)]
pub(crate) enum Entry {
    /// `#[runtime::main]`
    Main,
    /// `#[runtime::test]`
    Test,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Entry::Main => "#[runtime::main]",
            Entry::Test => "#[runtime::test]",
        })
    }
}

/// Writes the entry point; after a mistake, an error and what spares the user a second one.
pub(crate) fn expand(entry: Entry, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let tokens: Vec<_> = item.clone().into_iter().collect();
    let function = match Function::parse(entry, &tokens) {
        Ok(function) => function,
        Err(error) => return TokenStream::from_iter([error.into_item(), item]),
    };
    match function.check(entry).and_then(|()| Arguments::parse(entry, arguments)) {
        Ok(arguments) => entry_point(entry, &function, arguments),
        Err(error) => TokenStream::from_iter([error.into_item(), stub(entry, &function)]),
    }
}

/// The function that starts a loop and runs the user's function on it.
fn entry_point(entry: Entry, function: &Function<'_>, arguments: Arguments) -> TokenStream {
    let start = match arguments.builder {
        None => code("::new()"),
        Some(path) => TokenStream::from_iter([
            code("::with_builder"),
            group(Delimiter::Parenthesis, call(&path)),
        ]),
    };
    // rustc underlines the method when the runtime has no use for what the function returns, so the
    // method stands where the return type does.
    let run = if function.is_async() { "run_async" } else { "run" };
    let run = Ident::new(run, function.output_span());
    let body = [
        stream(function.definition),
        arguments.runtime,
        code(match entry {
            Entry::Main => "::__private::Main",
            Entry::Test => "::__private::Test",
        }),
        start,
        code(if arguments.exits_with_main { ".exit_with_main()" } else { "" }),
        code(if arguments.has_manual_clock { ".manual_clock()" } else { "" }),
        code("."),
        TokenTree::from(run).into(),
        group(Delimiter::Parenthesis, TokenTree::from(function.name.clone()).into()),
    ];
    let output = match entry {
        Entry::Main => code("-> ::std::process::ExitCode"),
        Entry::Test => stream(function.output()),
    };
    outer(entry, function, output, TokenStream::from_iter(body))
}

/// What stands in after an error: rustc still finds a `main`, and the names used in its body.
fn stub(entry: Entry, function: &Function<'_>) -> TokenStream {
    let body = [code("#[allow(unused)]"), stream(function.definition)];
    outer(entry, function, TokenStream::new(), TokenStream::from_iter(body))
}

/// A plain function that looks from outside as the user's, but for `output`.
fn outer(
    entry: Entry,
    function: &Function<'_>,
    output: TokenStream,
    body: TokenStream,
) -> TokenStream {
    TokenStream::from_iter([
        code(match entry {
            Entry::Main => "",
            Entry::Test => "#[::core::prelude::v1::test]",
        }),
        stream(function.attributes),
        stream(function.visibility),
        code("fn"),
        TokenTree::from(function.name.clone()).into(),
        code("()"),
        output,
        group(Delimiter::Brace, body),
    ])
}

/// A call of the function at `path`, all of it where the user wrote the path.
fn call(path: &[TokenTree]) -> TokenStream {
    let mut parentheses = Group::new(Delimiter::Parenthesis, TokenStream::new());
    if let Some(last) = path.last() {
        parentheses.set_span(last.span());
    }
    TokenStream::from_iter([stream(path), TokenTree::from(parentheses).into()])
}
