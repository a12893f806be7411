//! What failed, and where.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;

use super::operation::Operation;
use crate::event_loop::copy_of;

/// What an operation on a file failed at: inside of each `io::Error` of this module that the system, or a
/// bad path, is the reason of.
///
/// The `io::Error` has the kind of the system's error; that one is the
/// [`source`](std::error::Error::source).
///
/// # Examples
/// ```
/// use runtime::fs;
///
/// #[runtime::main]
/// async fn main() {
///     let error = fs::rename("no/such", "other").await.unwrap_err();
///     let failed = fs::Error::of(&error).unwrap();
///     assert_eq!(failed.operation(), "rename");
///     assert_eq!(failed.path().to_str(), Some("no/such"));
///     assert_eq!(failed.to().unwrap().to_str(), Some("other"));
/// }
/// ```
pub struct Error {
    operation: Operation,
    error: io::Error,
}

impl Error {
    /// What `error` carries of this, if it comes from here.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// Says what failed.
    pub(super) fn wrap(operation: Operation, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), Self { operation, error })
    }

    /// The same once more, if `error` comes from here.
    pub(super) fn again(error: &io::Error) -> Option<io::Error> {
        let Self { operation, error } = Self::of(error)?;
        Some(Self::wrap(operation.clone(), copy_of(error)))
    }

    /// The name of the function that was called. Whatever opens a [`File`](super::File) is `open`, and whatever
    /// reads on in one is `read`.
    pub fn operation(&self) -> &'static str {
        self.operation.name
    }

    /// The path that the operation was asked for, or the one below it that it failed at.
    pub fn path(&self) -> &Path {
        &self.operation.path
    }

    /// The other path of an operation that has two: where something was to be copied or renamed to.
    pub fn to(&self) -> Option<&Path> {
        self.operation.to.as_deref()
    }

    /// The system's code, as `errno` has it.
    pub fn raw_os_error(&self) -> Option<i32> {
        crate::error::raw_os_error(&self.error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Operation { name, path, to } = &self.operation;
        write!(f, "{name} {path:?}")?;
        if let Some(to) = to {
            write!(f, " to {to:?}")?;
        }
        write!(f, ": {}", self.error)
    }
}

impl fmt::Debug for Error {
    /// As it is displayed: this is what is printed of an error that `main` returns.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.error)
    }
}
