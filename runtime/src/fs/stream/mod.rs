//! Files as streams of bytes.
//!
//! ```text
//!   ReadStream    pool: open ─▶ read a chunk ─▶ ahead ─▶ callback, or task
//!                        └────── the next one ◀──┘  while the user works on this one
//!   WriteStream   write ─▶ blocks ─▶ pool: open, all that is queued, at last the close ─▶ requests
//! ```
//!
//! One job at a time for each stream, so what it does is in order. Both are handles of the loop, and have
//! the faces of the byte streams of [`net`](crate::net).

mod read_options;
mod read_stream;
mod reader;
mod reading;
mod source;
mod work;
mod write_options;
mod write_queue;
mod write_stream;
mod writer;
mod writing;

pub use read_options::ReadStreamOptions;
pub use read_stream::{ReadStream, read_stream};
pub use write_options::WriteStreamOptions;
pub use write_stream::{WriteStream, write_stream};
