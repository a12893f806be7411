//! Pipes on Windows, where the poller watches sockets only.
//!
//! ```text
//!   stream ─ Channel ─ socket ══ loopback ══ socket ─┬─ thread: ReadFile ◀──┬─ handle of the pipe
//!   the loop's end: PipeEnd                          └─ thread: WriteFile ──┘
//! ```
//!
//! A pipe that both ends of are ours is just the two sockets.

mod acceptor;
mod drain;
mod end;
mod handle;
mod link;
mod overlapped;
mod pump;

use std::os::windows::io::OwnedHandle;

pub(crate) use acceptor::PipeAcceptor;
pub(crate) use drain::let_pipes_drain;
pub(crate) use end::{PipeEnd, pipe_pair};
pub(crate) use handle::open_pipe;

/// What the system knows an end by.
pub(crate) type PipeHandle = OwnedHandle;
