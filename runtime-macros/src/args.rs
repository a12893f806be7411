//! What stands in the parentheses of an attribute: `name = value`, separated by commas.

use proc_macro::{TokenStream, TokenTree};

use crate::entry::Entry;
use crate::error::Error;
use crate::tokens::{code, is_sign, stream, visible};

/// What the user asked for.
pub(crate) struct Arguments {
    /// `exit = "main"` is given.
    pub(crate) exits_with_main: bool,
    /// `clock = "manual"` is given.
    pub(crate) has_manual_clock: bool,
    /// The path of a function that returns a builder.
    pub(crate) builder: Option<Vec<TokenTree>>,
    /// The path of the runtime crate.
    pub(crate) runtime: TokenStream,
}

impl Arguments {
    /// Reads the arguments of the attribute `entry`.
    pub(crate) fn parse(entry: Entry, tokens: TokenStream) -> Result<Arguments, Error> {
        let mut arguments = Arguments {
            exits_with_main: false,
            has_manual_clock: false,
            builder: None,
            runtime: code("::runtime"),
        };
        let mut given = Vec::new();
        let mut tokens = visible(tokens).into_iter();
        while let Some(token) = tokens.next() {
            let rest = tokens.by_ref().take_while(|token| !is_sign(token, ',')).collect();
            let argument = Argument { name: token.to_string(), token, rest };
            let name = argument.name.as_str();
            if given.iter().any(|other| other == name) {
                return Err(argument.refused(format!("`{name}` is given twice: remove one")));
            }
            match (entry, name) {
                (Entry::Main, "exit") => {
                    argument.word("main")?;
                    arguments.exits_with_main = true;
                }
                (Entry::Test, "clock") => {
                    argument.word("manual")?;
                    arguments.has_manual_clock = true;
                }
                (_, "builder") => {
                    arguments.builder = Some(argument.path("path::to::function")?.to_vec());
                }
                (_, "crate") => arguments.runtime = stream(argument.path("path::to::runtime")?),
                (Entry::Main, "clock") => {
                    return Err(argument.refused(
                        "`clock` is for `#[runtime::test]`: set a program's clock in its `builder`",
                    ));
                }
                (Entry::Test, "exit") => {
                    return Err(argument.refused("`exit` is for `#[runtime::main]`: remove it"));
                }
                (Entry::Main, _) => {
                    return Err(argument.refused(
                        "unknown argument: `#[runtime::main]` takes `exit`, `builder` and `crate`",
                    ));
                }
                (Entry::Test, _) => {
                    return Err(argument.refused(
                        "unknown argument: `#[runtime::test]` takes `clock`, `builder` and `crate`",
                    ));
                }
            }
            given.push(argument.name);
        }
        Ok(arguments)
    }
}

/// One argument, up to the comma.
struct Argument {
    /// What `token` says.
    name: String,
    token: TokenTree,
    /// Should be `=` and a value.
    rest: Vec<TokenTree>,
}

impl Argument {
    /// Checks that the value is the string `word`, the only one that this argument takes.
    fn word(&self, word: &str) -> Result<(), Error> {
        let name = &self.name;
        let example = format!("{name} = \"{word}\"");
        match self.value(&example)? {
            [TokenTree::Literal(literal)] if literal.to_string() == format!("\"{word}\"") => Ok(()),
            other => Err(Error::across(
                other,
                format!("`{name}` has one possible value, a string: write `{example}`"),
            )),
        }
    }

    /// The value, which is a path such as `example`.
    fn path(&self, example: &str) -> Result<&[TokenTree], Error> {
        let name = &self.name;
        let example = format!("{name} = {example}");
        match self.value(&example)? {
            path if is_path(after_colons(path).unwrap_or(path)) => Ok(path),
            other => Err(Error::across(
                other,
                format!("`{name}` takes a path, without quotes or parentheses: write `{example}`"),
            )),
        }
    }

    /// What follows the `=`, at least one token.
    fn value(&self, example: &str) -> Result<&[TokenTree], Error> {
        let value = match self.rest.as_slice() {
            [sign, value @ ..] if is_sign(sign, '=') && !value.is_empty() => value,
            _ => {
                let name = &self.name;
                return Err(self.refused(format!("`{name}` needs a value: write `{example}`")));
            }
        };
        // A second `=` belongs to the next argument.
        match value.iter().position(|token| is_sign(token, '=')) {
            Some(sign @ 1..) => {
                let next = &value[sign - 1];
                Err(Error::at(next, format!("a comma is missing: write `, {next} = ..`")))
            }
            _ => Ok(value),
        }
    }

    /// An error about the argument as such; it underlines the name.
    fn refused(&self, message: impl Into<String>) -> Error {
        Error::at(&self.token, message)
    }
}

/// Whether `tokens` are names with `::` between them.
fn is_path(tokens: &[TokenTree]) -> bool {
    match tokens {
        [TokenTree::Ident(_)] => true,
        [TokenTree::Ident(_), rest @ ..] => after_colons(rest).is_some_and(is_path),
        _ => false,
    }
}

/// What follows `::`, if `tokens` start with it.
fn after_colons(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    match tokens {
        [first, second, rest @ ..] if is_sign(first, ':') && is_sign(second, ':') => Some(rest),
        _ => None,
    }
}
