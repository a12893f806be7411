//! `Tty`: a terminal.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use super::window::Window;
use crate::event_loop::{Kind, current};
use crate::handle::handle_type;
use crate::net::stream::{Directions, Stream, byte_stream};
use crate::sys::{self, Channel, FdKind, SharedFd, Terminal, TtyMode, WindowSize};

handle_type! {
    /// A terminal: a byte stream that has a mode and a window.
    ///
    /// It lives as a [`TcpStream`](crate::net::TcpStream) does. It is an open file of its own, as in libuv, so that others
    /// who have the terminal open see nothing of what it is asked for; only the mode and the size are the
    /// terminal's, and so everybody's. Where it can't be opened anew (no `/proc`, the master
    /// of a pseudo-terminal) the terminal is asked before each call whether it is ready, and a write may
    /// block for a moment.
    ///
    /// # The mode comes back
    /// The first handle that changes the mode saves the one that it found; when the last that changed it is
    /// closed, dropped or set back to [`Normal`](TtyMode::Normal), the terminal gets that mode again. So it does when the loop
    /// ends, and when the process exits, after a panic too. For the end by a signal or an
    /// abort there is [`reset_terminal`](crate::io::reset_terminal).
    ///
    /// # Platform notes
    /// Unix only: on Windows it is missing, though [`stdin`](crate::io::stdin) and
    /// [`stdout`](crate::io::stdout) work on a console.
    ///
    /// # Examples
    /// ```no_run
    /// use runtime::io::{Tty, TtyMode};
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let tty = Tty::open(std::io::stdin())?;
    ///     tty.set_mode(TtyMode::Raw)?;
    ///     let mut key = [0; 16];
    ///     let length = tty.read(&mut key).await?;
    ///     tty.write(format!("{:?}\n", &key[..length])).await
    /// }
    /// ```
    Tty, Stream<Tty>
}

byte_stream!(Tty, TtyEnd);

/// What only terminals have.
impl Tty {
    /// The terminal that `fd` is open on. The descriptor stays its owner's, and may be closed.
    ///
    /// # Errors
    /// `InvalidInput` for what is no terminal, with what it is; the system's; [`LoopGone`](crate::LoopGone).
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn open(fd: impl AsFd) -> io::Result<Self> {
        let lp = current();
        lp.check_open()?;
        let fd = fd.as_fd();
        match sys::guess(fd) {
            FdKind::Tty => {}
            other => {
                let message = format!("the descriptor is {other}, not a terminal");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
        }
        let end = TtyEnd {
            terminal: Terminal::of(fd)?,
            window: Window::new(lp.state().clone(), sys::window_size(fd).ok()),
            end: SharedFd::new(fd)?,
        };
        let directions = match end.end.access()? {
            (true, true) => Directions::Both,
            (true, false) => Directions::Read,
            (false, _) => Directions::Write,
        };
        Ok(Self(Stream::make_for(directions, &lp, Kind::Tty, end)))
    }

    /// Changes what the terminal does with what is typed, at once. What was typed before, and not read, is
    /// kept.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's: the terminal is gone. A process of the background is
    /// stopped by the system (`SIGTTOU`) until it is in the foreground.
    pub fn set_mode(&self, mode: TtyMode) -> io::Result<()> {
        self.0.with_channel(|end| end.terminal.set(end, mode))
    }

    /// How large the terminal is now.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn window_size(&self) -> io::Result<WindowSize> {
        self.0.with_channel(|end| sys::window_size(end))
    }
}

/// What a descriptor is: libuv's `uv_guess_handle`.
///
/// # Examples
/// ```
/// use runtime::io::{FdKind, guess};
///
/// # fn main() -> std::io::Result<()> {
/// let (reader, _writer) = std::io::pipe()?;
/// assert_eq!(guess(&reader), FdKind::Pipe);
/// # Ok(())
/// # }
/// ```
pub fn guess(fd: impl AsFd) -> FdKind {
    sys::guess(fd)
}

/// The terminal as a channel. Its drop gives the mode back.
pub(crate) struct TtyEnd {
    /// The first to go: the mode is back before the descriptor is closed.
    terminal: Terminal,
    pub(super) window: Window,
    end: SharedFd,
}

impl AsFd for TtyEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

impl AsRawFd for TtyEnd {
    fn as_raw_fd(&self) -> RawFd {
        self.end.as_raw_fd()
    }
}

impl Channel for TtyEnd {
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.end.recv(buffer)
    }

    fn check_readable(&self) -> io::Result<()> {
        self.end.check_readable()
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.end.send(bytes)
    }

    fn send_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.end.send_vectored(slices)
    }

    /// Nothing: a terminal has no end that its writer could tell.
    fn end(&self) -> io::Result<()> {
        self.end.end()
    }

    fn send_last(&self, bytes: &[u8]) -> io::Result<()> {
        self.end.send_last(bytes)
    }
}
