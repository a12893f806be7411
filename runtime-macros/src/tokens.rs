//! Questions to a token, and tokens of our own.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// Whether `token` is the punctuation `sign`.
pub(crate) fn is_sign(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

/// Whether `token` is the keyword or name `word`.
pub(crate) fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident.to_string() == word)
}

/// The group that `token` is, if it has such delimiters.
pub(crate) fn as_group(token: &TokenTree, delimiter: Delimiter) -> Option<&Group> {
    match token {
        TokenTree::Group(group) if group.delimiter() == delimiter => Some(group),
        _ => None,
    }
}

/// `tokens` without the invisible groups that the fragments of a `macro_rules` arrive in.
pub(crate) fn visible(tokens: TokenStream) -> Vec<TokenTree> {
    let open = |token: TokenTree| match as_group(&token, Delimiter::None) {
        Some(group) => visible(group.stream()),
        None => vec![token],
    };
    tokens.into_iter().flat_map(open).collect()
}

/// A copy of `tokens`, the user's, with their spans.
pub(crate) fn stream(tokens: &[TokenTree]) -> TokenStream {
    tokens.iter().cloned().collect()
}

/// The tokens of `source`, a text of ours; rustc shows the attribute as their place.
pub(crate) fn code(source: &str) -> TokenStream {
    source.parse().expect("the macros write valid tokens")
}

/// `tokens` between two delimiters of ours.
pub(crate) fn group(delimiter: Delimiter, tokens: TokenStream) -> TokenStream {
    TokenTree::from(Group::new(delimiter, tokens)).into()
}
