//! What the resolver says in place of an answer.

use std::error::Error;
use std::fmt;
use std::io;

use crate::sys::resolver::{Failure, LookupErrorKind};

/// Why a lookup failed, in the words of the system's resolver.
///
/// It comes inside of an [`io::Error`], also in that of a connect to a name: [`of`](Self::of) finds it.
///
/// # Examples
/// ```
/// use runtime::dns::{self, LookupError, LookupErrorKind};
///
/// #[runtime::main]
/// async fn main() {
///     // No resolver asks anybody for a name with such a long part.
///     let name = format!("{}.invalid", "a".repeat(64));
///     let error = dns::lookup(&name).await.unwrap_err();
///     let why = LookupError::of(&error).unwrap();
///     assert_eq!(why.asked(), name);
///     println!("{error} ({}, {})", why.kind(), why.code());
/// }
/// ```
pub struct LookupError {
    asked: String,
    failure: Failure,
}

impl LookupError {
    pub(super) fn wrap(asked: String, failure: Failure) -> io::Error {
        io::Error::new(failure.io_kind(), Self { asked, failure })
    }

    /// The one that `error` carries, or one of its sources.
    pub fn of(error: &io::Error) -> Option<&Self> {
        let mut next: Option<&(dyn Error + 'static)> = Some(error.get_ref()?);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            next = match error.downcast_ref::<io::Error>() {
                Some(error) => error.get_ref().map(|inner| inner as _),
                None => error.source(),
            };
        }
        None
    }

    /// What it is, on every system.
    pub fn kind(&self) -> LookupErrorKind {
        self.failure.kind
    }

    /// The system's own number for it: an `EAI_` code, on Windows one of Winsock. The numbers differ
    /// from system to system.
    pub fn code(&self) -> i32 {
        self.failure.code
    }

    /// What was asked for: a host, `host:service`, or an address.
    pub fn asked(&self) -> &str {
        &self.asked
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot resolve {:?}: {}", self.asked, self.failure.words)
    }
}

impl fmt::Debug for LookupError {
    /// As it is displayed: this is what is printed of an error that `main` returns.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for LookupError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failure.system.as_ref().map(|error| error as _)
    }
}
