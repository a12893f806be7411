//! Our own outcomes: tiny types, each of which says what happened. Failures of the system stay
//! `io::Error`.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;

/// What `main` and callbacks return: an `Err` in a callback is what a `throw` is in Node.
///
/// Every error type converts into the default `E`, so `?` works in each closure.
pub type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

/// What a callback may return: `()`, [`runtime::Result`](crate::Result), or nothing at all (`!`).
///
/// An `Err` is the loop's uncaught error: it goes to [`on_uncaught`](crate::on_uncaught), or ends
/// [`Loop::run`](crate::Loop::run).
///
/// The trait is sealed: there is just one `Result` it is implemented for, so that the compiler can
/// infer the error type of a closure that uses `?`.
#[diagnostic::on_unimplemented(
    message = "a callback returns `()` or `runtime::Result`, not `{Self}`",
    label = "this callback returns `{Self}`",
    note = "end the last expression with `;` if its value is not needed",
    note = "a named function used as a callback that can fail says `-> runtime::Result`"
)]
pub trait Outcome: sealed::Sealed {
    #[doc(hidden)]
    fn into_result(self) -> Result;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for () {}
    impl Sealed for super::Result {}
    impl Sealed for super::Never {}
}

/// The type `!`, which has no stable name: it is what `fn() -> !` returns.
pub type Never = <fn() -> ! as Returns>::Output;

#[doc(hidden)]
pub trait Returns {
    type Output;
}

impl<T> Returns for fn() -> T {
    type Output = T;
}

impl Outcome for () {
    #[inline]
    fn into_result(self) -> Result {
        Ok(())
    }
}

impl Outcome for Result {
    #[inline]
    fn into_result(self) -> Result {
        self
    }
}

impl Outcome for Never {
    fn into_result(self) -> Result {
        self
    }
}

/// An error that nobody waited for, as [`on_uncaught`](crate::on_uncaught) and
/// [`on_unhandled`](crate::on_unhandled) get it.
pub enum Uncaught {
    /// A callback or task panicked with this payload.
    Panic(Box<dyn Any + Send>),
    /// A callback returned, or a detached operation ended with, this error.
    Error(Box<dyn Error>),
}

impl Uncaught {
    /// The payload's text, if the panic had one.
    fn panic_message(payload: &(dyn Any + Send)) -> &str {
        if let Some(text) = payload.downcast_ref::<&str>() {
            text
        } else if let Some(text) = payload.downcast_ref::<String>() {
            text
        } else {
            "a panic whose payload is no text"
        }
    }
}

impl fmt::Debug for Uncaught {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panic(payload) => {
                f.debug_tuple("Panic").field(&Self::panic_message(payload.as_ref())).finish()
            }
            Self::Error(error) => f.debug_tuple("Error").field(error).finish(),
        }
    }
}

impl fmt::Display for Uncaught {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panic(payload) => f.write_str(Self::panic_message(payload.as_ref())),
            Self::Error(error) => error.fmt(f),
        }
    }
}

/// Why a task or pool job has no result.
pub enum JoinError {
    /// It was aborted, or its loop went away first.
    Cancelled,
    /// It panicked with this payload.
    Panicked(Box<dyn Any + Send>),
}

impl JoinError {
    /// Whether the task was aborted.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// The panic's payload, to be raised again by [`std::panic::resume_unwind`].
    pub fn into_panic(self) -> Option<Box<dyn Any + Send>> {
        match self {
            Self::Cancelled => None,
            Self::Panicked(payload) => Some(payload),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("Cancelled"),
            Self::Panicked(payload) => {
                f.debug_tuple("Panicked").field(&Uncaught::panic_message(payload.as_ref())).finish()
            }
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the task was cancelled"),
            Self::Panicked(payload) => {
                write!(f, "the task panicked: {}", Uncaught::panic_message(payload.as_ref()))
            }
        }
    }
}

impl Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Cancelled => Cancelled.into(),
            // `io::Error` needs `Sync`, which a payload is not: its text goes on.
            panicked @ JoinError::Panicked(_) => io::Error::other(panicked.to_string()),
        }
    }
}

/// Declares an outcome that carries nothing but its name.
macro_rules! outcome {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $text:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name;

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($text)
            }
        }

        impl Error for $name {}

        impl From<$name> for io::Error {
            fn from(outcome: $name) -> Self {
                io::Error::new(io::ErrorKind::$kind, outcome)
            }
        }

        impl $name {
            /// Whether `error` carries this outcome.
            pub fn is_in(error: &io::Error) -> bool {
                error.get_ref().is_some_and(|inner| inner.is::<$name>())
            }
        }
    };
}

outcome! {
    /// The operation was cancelled before it began, or the handle it ran on was closed.
    ///
    /// It comes inside an [`io::Error`] of the kind `Other`; [`is_in`](Self::is_in) finds it. Never
    /// `Interrupted`: what retries on that would spin.
    Cancelled, Other, "the operation was cancelled"
}
outcome! {
    /// The loop that should have done it was dropped.
    LoopGone, NotConnected, "the loop is gone"
}
outcome! {
    /// The handle is closed.
    Closed, NotConnected, "the handle is closed"
}
outcome! {
    /// The hard limit of a queue is reached. The peer of a stream reads too slowly, and the stream
    /// closes: see `set_write_limit`. Of a UDP socket just the one datagram is dropped.
    QueueFull, StorageFull, "the queue is over its limit: more is sent than goes out"
}
outcome! {
    /// The time was up before the future was done.
    Elapsed, TimedOut, "the time was up before the operation was done"
}

outcome! {
    /// An [`AbortSignal`](crate::sync::AbortSignal) was aborted first.
    ///
    /// It comes inside an [`io::Error`] of the kind `Other`, never `Interrupted`: what retries on that
    /// would spin.
    Aborted, Other, "the operation was aborted"
}

/// An error of the system, and what was tried when it came.
struct Failed {
    doing: String,
    error: io::Error,
}

impl fmt::Debug for Failed {
    /// As it is displayed: this is what is printed of an error that `main` returns.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.error)
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

/// Says what failed: of the same kind, with `error` as its source.
pub(crate) fn failed(doing: impl Into<String>, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), Failed { doing: doing.into(), error })
}

/// The system's code of an error, as `errno` has it: also of one that says what failed.
///
/// Many errors of this crate name what they are about, a path or an address. Their
/// [`kind`](io::Error::kind) is that of the system's error, which is their
/// [`source`](std::error::Error::source); std's `raw_os_error` does not look there.
///
/// # Examples
/// ```
/// #[runtime::main]
/// async fn main() {
///     let error = runtime::fs::read("no/such/file").await.unwrap_err();
///     assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
///     assert!(runtime::raw_os_error(&error).is_some());
/// }
/// ```
pub fn raw_os_error(error: &io::Error) -> Option<i32> {
    error.raw_os_error().or_else(|| {
        let source = error.get_ref()?.source()?;
        source.downcast_ref().and_then(raw_os_error)
    })
}

/// An error that says what another one says, of its kind and with its code.
pub(crate) fn retold(error: &io::Error) -> io::Error {
    let text = error.to_string();
    match raw_os_error(error) {
        Some(code) => {
            let error = io::Error::from_raw_os_error(code);
            io::Error::new(error.kind(), Retold { text, error })
        }
        None => io::Error::new(error.kind(), text),
    }
}

/// What an error said, and its code.
#[derive(Debug)]
struct Retold {
    text: String,
    error: io::Error,
}

impl fmt::Display for Retold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Retold {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

/// A copy of the outcome of ours that `error` carries.
pub(crate) fn outcome_in(error: &io::Error) -> Option<io::Error> {
    fn copy<T: Error + Copy + Into<io::Error> + 'static>(
        inner: &(dyn Error + Send + Sync + 'static),
    ) -> Option<io::Error> {
        inner.downcast_ref::<T>().map(|outcome| (*outcome).into())
    }
    let inner = error.get_ref()?;
    copy::<Cancelled>(inner)
        .or_else(|| copy::<Closed>(inner))
        .or_else(|| copy::<LoopGone>(inner))
        .or_else(|| copy::<QueueFull>(inner))
        .or_else(|| copy::<Elapsed>(inner))
        .or_else(|| copy::<Aborted>(inner))
}
