//! Standard input, output and error as byte streams.

#[cfg(unix)]
#[path = "unix.rs"]
mod end;
#[cfg(windows)]
#[path = "windows.rs"]
mod end;

use std::any::Any;
use std::rc::{Rc, Weak};

use crate::event_loop::{Kind, current};
use crate::handle::handle_type;
use crate::net::stream::{Directions, Stream, byte_stream};
use crate::sys::FdKind;
use end::StdEnd;

handle_type! {
    /// Standard input, output or error: whatever it is, a byte stream for callbacks and tasks.
    ///
    /// [`stdin`] gives one to read, [`stdout`] and [`stderr`] one to write. It lives as a
    /// [`TcpStream`](crate::net::TcpStream) does: one that is read keeps the loop alive, unless it was
    /// [`unref`](crate::handle::Handle::unref)'d, one that is not does not. A pending read never delays the end of the program: no
    /// thread sits in it.
    ///
    /// All handles to one of the three on one loop are one stream, so what is written by several of them
    /// stays in order. What `println!` writes does not go through it: it stands before what is queued.
    /// `close` ends the stream and leaves the descriptor open, and so does `shutdown`; the next call of
    /// [`stdout`] gives a new stream.
    ///
    /// # By what it is
    /// | | reading | writing |
    /// |---|---|---|
    /// | terminal, pipe | when it is ready | what the system takes at once; the rest is queued |
    /// | socket | the same | the same |
    /// | file, `/dev/null`, other devices | in the pool, just as much as is asked for | at once, all of it |
    ///
    /// A file is read and written where it stands: its position is that of all who share it, and one that
    /// was opened to append is appended to. Of a terminal or a pipe only what was asked for is taken. What
    /// the pool had read, and nobody fetched before the stream was closed, is lost.
    ///
    /// What others see of it is left as it is. A terminal or a pipe is opened anew; where that is
    /// impossible it is asked whether it is ready before each call, and is written in pieces of 512
    /// bytes. Then another process that reads or writes the same at the same moment may let a call block.
    ///
    /// # The end of the program
    /// What is queued keeps the loop alive until it is written. A loop that ends before that, by
    /// [`exit`](crate::exit), an error, a panic, the end of a main that is not waited for, writes it
    /// before it is gone, and waits for a slow reader that long: nothing that was written is lost, unless
    /// the reader goes or `std::process::exit` is called.
    ///
    /// # Errors
    /// To write to a pipe that nobody reads is `EPIPE`, as in `yes | head`, not the end of the process. A
    /// descriptor that was closed gives `EBADF` to each call. One that was closed before the program began is
    /// `/dev/null`, as in all Rust programs.
    ///
    /// # Platform notes
    /// On Windows a thread of the process reads standard input and hands it over by a socket; it
    /// reads ahead. Output is written at once.
    ///
    /// # Examples
    /// ```no_run
    /// use runtime::io::{stdin, stdout};
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let mut buffer = [0; 4096];
    ///     loop {
    ///         match stdin().read(&mut buffer).await? {
    ///             0 => return Ok(()),
    ///             n => stdout().write(&buffer[..n]).await?,
    ///         }
    ///     }
    /// }
    /// ```
    StdStream, Stream<StdStream>
}

byte_stream!(StdStream, StdEnd);

/// What it is.
impl StdStream {
    /// What the descriptor is open on; [`Unknown`](FdKind::Unknown) if the stream is closed.
    pub fn fd_kind(&self) -> FdKind {
        self.0.with_channel(|end| Ok(end.kind())).unwrap_or(FdKind::Unknown)
    }

    /// Whether it is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.fd_kind() == FdKind::Tty
    }
}

/// Standard input.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn stdin() -> StdStream {
    standard(0)
}

/// Standard output.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// #[runtime::main]
/// fn main() {
///     let out = runtime::io::stdout();
///     out.write("one\n");
///     out.write("two\n");
/// }
/// ```
#[track_caller]
pub fn stdout() -> StdStream {
    standard(1)
}

/// Standard error.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn stderr() -> StdStream {
    standard(2)
}

/// The stream of the current loop: the one that is in use, or a new one.
#[track_caller]
fn standard(number: usize) -> StdStream {
    let lp = current();
    let known =
        lp.state().standard_streams.with(|all| all[number].as_ref().and_then(Weak::upgrade));
    let known = known.and_then(|known| known.downcast::<Stream<StdStream>>().ok());
    if let Some(stream) = known.filter(|stream| !stream.is_over()) {
        return StdStream(stream);
    }
    let directions = if number == 0 { Directions::Read } else { Directions::Write };
    let stream = Stream::make_for(directions, &lp, Kind::StdStream, StdEnd::new(&lp, number));
    let known: Rc<dyn Any> = stream.clone();
    let former = lp.state().standard_streams.with(|all| all[number].replace(Rc::downgrade(&known)));
    drop(former);
    StdStream(stream)
}
