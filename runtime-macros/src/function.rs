//! The item under the attribute, which should be a free function.

use proc_macro::{Delimiter, Ident, Span, TokenTree};

use crate::entry::Entry;
use crate::error::Error;
use crate::tokens::{as_group, is_sign, is_word};

/// What can stand before `fn`, besides the name of an ABI.
const QUALIFIERS: [&str; 5] = ["const", "async", "safe", "unsafe", "extern"];

/// A function, cut into the parts that go different ways.
pub(crate) struct Function<'a> {
    /// Doc comments are among them.
    pub(crate) attributes: &'a [TokenTree],
    pub(crate) visibility: &'a [TokenTree],
    /// All that follows the visibility; the fields below are parts of it.
    pub(crate) definition: &'a [TokenTree],
    qualifiers: &'a [TokenTree],
    pub(crate) name: &'a Ident,
    /// All that follows the name.
    signature_and_body: &'a [TokenTree],
}

impl<'a> Function<'a> {
    /// Cuts `item` into its parts, unless it is something else than a free function.
    pub(crate) fn parse(entry: Entry, item: &'a [TokenTree]) -> Result<Function<'a>, Error> {
        let attributes = item.chunks(2).take_while(|pair| is_sign(&pair[0], '#')).count();
        let (attributes, item) = item.split_at(attributes * 2);
        let (visibility, definition) = item.split_at(visibility_len(item));
        let qualifiers = definition.iter().take_while(|token| is_qualifier(token)).count();
        let (qualifiers, function) = definition.split_at(qualifiers);
        if let [word, TokenTree::Ident(name), signature_and_body @ ..] = function
            && is_word(word, "fn")
            && !takes_self(signature_and_body)
        {
            return Ok(Function {
                attributes,
                visibility,
                definition,
                qualifiers,
                name,
                signature_and_body,
            });
        }
        Err(Error::at(
            &definition[0],
            format!("`{entry}` takes an `fn` or an `async fn`, outside of `impl` and `trait`"),
        ))
    }

    /// Whether it can be called without knowing anything about it.
    pub(crate) fn check(&self, entry: Entry) -> Result<(), Error> {
        let unwanted = self.qualifiers.iter().find(|word| !is_word(word, "async"));
        let after_name = self.signature_and_body.first();
        let generics = after_name.filter(|token| is_sign(token, '<'));
        let parameters = after_name.filter(|token| !is_empty(token));
        let clause = self.signature_and_body.iter().find(|token| is_word(token, "where"));

        let (token, wish) = if let Some(word) = unwanted {
            (word, format!("an `fn` or an `async fn`: remove `{word}`"))
        } else if let Some(open) = generics {
            (open, "a function without generic parameters: remove them".into())
        } else if let Some(parameters) = parameters {
            let remedy = match entry {
                Entry::Main => "read `std::env::args()` in the body",
                Entry::Test => "make what it needs in the body",
            };
            (parameters, format!("a function without parameters: {remedy}"))
        } else if let Some(word) = clause {
            (word, "a function without a `where` clause: remove it".into())
        } else {
            return Ok(());
        };
        Err(Error::at(token, format!("`{entry}` takes {wish}")))
    }

    /// Whether it is an `async fn`.
    pub(crate) fn is_async(&self) -> bool {
        self.qualifiers.iter().any(|word| is_word(word, "async"))
    }

    /// The arrow and the return type of a function that passed the check; empty without them.
    pub(crate) fn output(&self) -> &[TokenTree] {
        match self.signature_and_body {
            [_parameters, output @ .., _body] => output,
            _ => &[],
        }
    }

    /// Where the return type starts; at the attribute if there is none.
    pub(crate) fn output_span(&self) -> Span {
        match self.output() {
            [_dash, _angle, first, ..] => first.span(),
            _ => Span::call_site(),
        }
    }
}

/// How many tokens the visibility has.
fn visibility_len(item: &[TokenTree]) -> usize {
    match item {
        [word, scope, ..] if is_word(word, "pub") => {
            1 + usize::from(as_group(scope, Delimiter::Parenthesis).is_some())
        }
        // The `$vis` of a `macro_rules`; it is there even if it matched nothing.
        [fragment, _, ..] if as_group(fragment, Delimiter::None).is_some() => 1,
        _ => 0,
    }
}

fn is_qualifier(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Literal(_)) || QUALIFIERS.iter().any(|word| is_word(token, word))
}

fn is_empty(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.stream().is_empty())
}

fn takes_self(signature: &[TokenTree]) -> bool {
    let parameters = signature.iter().find_map(|token| as_group(token, Delimiter::Parenthesis));
    parameters.is_some_and(|group| group.stream().into_iter().any(|token| is_word(&token, "self")))
}
