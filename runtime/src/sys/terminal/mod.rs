//! Modes of terminals, and how they come back.
//!
//! ```text
//!   set(Raw)  first change of a terminal: its mode is saved        the last who changed it goes:
//!             later ones, by whichever handle: counted             the saved mode comes back
//!   exit, or reset_terminal(): all saved modes come back
//! ```

mod at_exit;
mod modes;

pub(crate) use modes::{Terminal, window_size};
pub use modes::{TtyMode, WindowSize, reset_terminal};
