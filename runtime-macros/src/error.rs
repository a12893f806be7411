//! A mistake, and the place in the user's code that shows it.

use std::slice;

use proc_macro::{Delimiter, Group, Literal, Span, TokenStream, TokenTree};

use crate::tokens::code;

/// Becomes one `compile_error!` that underlines the tokens from `first` to `last`.
pub(crate) struct Error {
    first: Span,
    last: Span,
    message: String,
}

impl Error {
    /// Says `message` about one token.
    pub(crate) fn at(token: &TokenTree, message: impl Into<String>) -> Error {
        Error::across(slice::from_ref(token), message)
    }

    /// Says `message` about neighbours, at least one.
    pub(crate) fn across(tokens: &[TokenTree], message: impl Into<String>) -> Error {
        let [first, last] = [0, tokens.len() - 1].map(|at| tokens[at].span());
        Error { first, last, message: message.into() }
    }

    /// The error, for a place where items stand.
    pub(crate) fn into_item(self) -> TokenStream {
        // rustc underlines a macro call from its first token to its last. Stable Rust has no other
        // way to join two spans.
        let name = code("::core::compile_error!").into_iter().map(|mut token| {
            token.set_span(self.first);
            token
        });
        let message = TokenTree::from(Literal::string(&self.message));
        let mut message = Group::new(Delimiter::Brace, message.into());
        message.set_span(self.last);
        name.chain([TokenTree::from(message)]).collect()
    }
}
