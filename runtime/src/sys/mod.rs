//! Calls into the system that differ from one to the next: one file a platform, one list of functions.

mod channel;
mod copy;
mod datagram;
mod descriptor;
mod directory;
mod file;
mod file_send;
mod file_watch;
mod interface;
mod local;
mod loopback;
mod path;
mod pipe;
mod process;
pub(crate) mod resolver;
pub(crate) mod signal;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub(crate) use channel::Channel;
pub(crate) use copy::*;
pub(crate) use datagram::*;
pub use datagram::{Interface, Received, Undelivered};
pub use descriptor::FdKind;
pub(crate) use descriptor::*;
pub use directory::FileType;
pub(crate) use directory::*;
pub(crate) use file::*;
pub(crate) use file_send::{is_cached, read_cached};
pub(crate) use file_watch::*;
pub use file_watch::{FsChange, NotWatched};
pub(crate) use interface::interface_index;
pub(crate) use local::*;
#[cfg(unix)]
pub use local::{ReceivedFds, UCred, UnixReceived};
pub(crate) use loopback::loopback_pair;
pub(crate) use path::*;
pub use path::{FileTime, StatFs};
pub(crate) use pipe::*;
pub(crate) use process::*;
#[cfg(unix)]
pub(crate) use terminal::*;
#[cfg(unix)]
pub use terminal::{TtyMode, WindowSize, reset_terminal};
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;
