//! The command line of a contender: `WORKLOAD [--name value]...`.

use std::io::{Error, Result};
use std::str::FromStr;

use lexopt::{Arg, Parser, ValueExt};

/// What was asked for. A flag that the workload has no use for is ignored.
#[derive(Clone, Debug)]
pub struct Args {
    workload: String,
    flags: Vec<(String, String)>,
}

/// Which face of an API is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// By callbacks.
    Callback,
    /// By futures.
    Future,
}

impl Args {
    /// Those of the process.
    ///
    /// # Errors
    /// If they are not of the form above.
    pub fn from_env() -> Result<Self> {
        parse(Parser::from_env()).map_err(Error::other)
    }

    /// Those in `line`, separated by spaces.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_line(line: &str) -> Result<Self> {
        parse(Parser::from_args(line.split_whitespace())).map_err(Error::other)
    }

    /// The name of the workload.
    pub fn workload(&self) -> &str {
        &self.workload
    }

    /// The face to be measured: callbacks, if nothing is said.
    ///
    /// # Errors
    /// For a face that is none.
    pub fn api(&self) -> Result<Api> {
        match self.find("api") {
            None | Some("callback") => Ok(Api::Callback),
            Some("future") => Ok(Api::Future),
            Some(other) => Err(Error::other(format!("--api {other}: callback or future"))),
        }
    }

    /// The value of a flag.
    ///
    /// # Errors
    /// If it is missing, or not what is wanted.
    pub fn value<T: FromStr>(&self, name: &str) -> Result<T> {
        let value = self.find(name).ok_or_else(|| Error::other(format!("--{name} is missing")))?;
        value.parse().map_err(|_| Error::other(format!("--{name} {value}: makes no sense")))
    }

    /// The value of a flag, `default` where it is missing.
    ///
    /// # Errors
    /// If it is not what is wanted.
    pub fn value_or<T: FromStr>(&self, name: &str, default: T) -> Result<T> {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    /// The value of a flag that may be missing.
    ///
    /// # Errors
    /// If it is not what is wanted.
    pub fn optional<T: FromStr>(&self, name: &str) -> Result<Option<T>> {
        self.find(name).map(|_| self.value(name)).transpose()
    }

    /// Whether a figure of a workload that has several is asked for: all are, without `--only NAME`.
    #[must_use]
    pub fn wants(&self, figure: &str) -> bool {
        self.find("only").is_none_or(|only| only == figure)
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.flags.iter().rev().find(|flag| flag.0 == name).map(|flag| flag.1.as_str())
    }
}

fn parse(mut arguments: Parser) -> std::result::Result<Args, lexopt::Error> {
    let (mut workload, mut flags) = (None, Vec::new());
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long(name) => {
                let name = name.to_owned();
                flags.push((name, arguments.value()?.string()?));
            }
            Arg::Value(name) if workload.is_none() => workload = Some(name.string()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Args { workload: workload.ok_or("which workload?")?, flags })
}
