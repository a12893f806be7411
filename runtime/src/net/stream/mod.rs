//! Byte streams: the resource behind `TcpStream`.
//!
//! ```text
//!                    ┌─────────────── Stream ────────────────┐
//!   kernel ─ Ready ─▶│ reading   callback, or waiting tasks  │─▶ data, end, error
//!   kernel ◀─ send ──│ writing   queue, requests, drain      │◀─ write
//!                    │ idle      a deadline, pushed by I/O   │
//!                    └───────────────────────────────────────┘
//! ```
//!
//! A stream asks the system for readiness only when somebody waits: for reading from the first read
//! that found nothing, for writing while something is queued. Interest is dropped when an event comes
//! that nobody wants; `resume` after a `pause` mostly finds it still there.
//!
//! It ends by `close`, with its last holder (then what is queued is written first), when both
//! directions have ended (for a stream that is read by callback: a task drops its own), or by an error
//! of reading. An error of writing ends the writing direction
//! only: what the peer sent before can still be read.

mod file;
mod idle;
mod kind;
mod lent;
#[cfg_attr(windows, expect(dead_code, reason = "no channel there takes descriptors"))]
mod passing;
mod queue;
mod rare;
mod reading;
mod resource;
mod writing;

pub use kind::ByteStream;
pub(crate) use kind::{StreamHandle, byte_stream, peekable, sealed};
pub(crate) use lent::Lent;
pub(crate) use resource::{CONNECTING, Directions, Stream};
