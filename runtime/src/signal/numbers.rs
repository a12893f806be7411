//! The numbers of signals, as this system has them.

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        $($(#[$doc])* #[cfg(unix)] pub const $name: i32 = libc::$name;)*
    };
}

numbers! {
    /// Ctrl-c.
    SIGINT,
    /// The request to terminate.
    SIGTERM,
    /// The terminal is gone; to services: read the settings again.
    SIGHUP,
    /// Ctrl-\.
    SIGQUIT,
    /// The program's own, the first.
    SIGUSR1,
    /// The program's own, the second.
    SIGUSR2,
    /// A child ended or stopped.
    SIGCHLD,
    /// The terminal has another size.
    SIGWINCH,
    /// A write to what nobody reads.
    SIGPIPE,
    /// The timer of `alarm`.
    SIGALRM,
    /// Goes on after a stop.
    SIGCONT,
    /// Ctrl-z.
    SIGTSTP,
}

/// Ctrl-c.
#[cfg(windows)]
pub const SIGINT: i32 = 2;
/// The console is closed.
#[cfg(windows)]
pub const SIGHUP: i32 = 1;
/// Ctrl-break.
#[cfg(windows)]
pub const SIGBREAK: i32 = 21;
/// Never comes on Windows; it can be watched, so that portable programs need no exception.
#[cfg(windows)]
pub const SIGTERM: i32 = 15;
