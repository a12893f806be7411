//! Open files.
//!
//! ```text
//!   File ─▶ Owner ─▶ OpenFile { descriptor, path, Line, Buffers } ◀─ each job
//!                       │
//!   read_at, metadata ──┼──────────────────────▶ jobs, side by side
//!   read, write, seek ──┴─ Line: one by one ───▶ jobs, in the order of the calls
//!   poll_read, poll_write ─ Buffers ───────────▶ a job for a whole buffer, in the same line
//! ```
//!
//! All clones of a `File` are one: they share the position, and what was read ahead or is yet to be written.

mod at_position;
mod attributes;
mod buffers;
mod close;
#[expect(clippy::module_inception, reason = "the type has the module's name")]
mod file;
mod jobs;
mod line;
mod lines;
mod lock;
mod open_file;
mod options;
mod pieces;
mod poll;
mod positional;

pub(crate) use file::Descriptor;
pub use file::File;
pub use lines::Lines;
pub use options::OpenOptions;
