//! Files, through the pool: std's names, each call a [`Request`](crate::Request).
//!
//! ```text
//!   loop                        a thread of the pool
//!   fs::copy(from, to) ───────▶ open, copy, close: the whole operation
//!   callback, or task ◀──────── one result, in the poll phase
//! ```
//!
//! A whole operation is one job: reading a file opens, reads and closes it without coming back to the
//! loop in between. Operations begin in the order they were asked for; up to as many as the pool has threads
//! run at a time, so two of them may end in any order.
//!
//! What waits for ever, a FIFO that nobody writes to say, holds a thread of the pool for ever. Dropping its request
//! lets go of the loop, and a program that ends does not wait for it; the thread is not to be had back.
//!
//! # Errors
//! Those of the system, of its kind. An [`Error`] in them says which operation failed at which path;
//! [`raw_os_error`](crate::raw_os_error) gives the system's code. A path with a zero byte in it is
//! `InvalidInput`; names that are no UTF-8 are as good as others.
//!
//! # Cancel safety
//! A question (read, metadata) that has not begun is skipped if its request was dropped. What has an
//! effect (write, rename) is carried out in any case, and keeps the loop alive until then; only
//! [`cancel`](crate::Request::cancel) stops it, while it has not begun. What is done in many steps, such as to read
//! a long file, can be stopped between two of them: it says so.
//!
//! # Names
//!
//! | here | libuv: `uv_fs_` | Node: `fs.` |
//! |---|---|---|
//! | [`access`] | `access` | `access` |
//! | [`append`] | | `appendFile` |
//! | [`canonicalize`] | `realpath` | `realpath` |
//! | `chmod` (Unix), [`set_permissions`] | `chmod` | `chmod` |
//! | `chown`, `lchown` (Unix) | `chown`, `lchown` | `chown`, `lchown` |
//! | [`copy`], [`copy_with`] | `copyfile` | `copyFile` |
//! | [`copy_dir_all`], [`copy_dir_all_with`] | | `cp` |
//! | [`create_dir`], [`create_dir_all`], [`DirBuilder`] | `mkdir` | `mkdir` |
//! | [`exists`] | | `exists` |
//! | [`File::sync_all`], [`File::sync_data`] | `fsync`, `fdatasync` | `fsync`, `fdatasync` |
//! | [`File::open`], [`OpenOptions`], [`File::close`] | `open`, `close` | `open`, `close` |
//! | [`File::read_at`], [`File::readv`], [`File::write_all_at`], [`File::writev`] | `read`, `write` | `read`, `readv`, `write`, `writev` |
//! | [`File::metadata`], [`File::set_len`] | `fstat`, `ftruncate` | `fstat`, `ftruncate` |
//! | [`File::set_permissions`], `File::chown` (Unix), [`File::set_times`] | `fchmod`, `fchown`, `futime` | `fchmod`, `fchown`, `futimes` |
//! | [`hard_link`] | `link` | `link` |
//! | [`metadata`], [`symlink_metadata`] | `stat`, `lstat` | `stat`, `lstat` |
//! | [`mkdtemp`], [`mkstemp`] | `mkdtemp`, `mkstemp` | `mkdtemp` |
//! | [`read`], [`read_limited`], [`read_to_string`], [`read_lines`] | | `readFile` |
//! | [`read_dir`](read_dir()) | `opendir`, `readdir`, `closedir` | `opendir` |
//! | [`read_link`] | `readlink` | `readlink` |
//! | [`remove_dir`], [`remove_dir_all`] | `rmdir` | `rmdir`, `rm` |
//! | [`remove_file`] | `unlink` | `unlink` |
//! | [`read_stream`], [`write_stream`] | | `createReadStream`, `createWriteStream` |
//! | [`rename`], [`rename_no_replace`] | `rename` | `rename` |
//! | [`scandir`] | `scandir` | `readdir` |
//! | [`set_times`], [`set_symlink_times`] | `utime`, `lutime` | `utimes`, `lutimes` |
//! | [`statfs`] | `statfs` | `statfs` |
//! | `symlink` (Unix), `symlink_file`, `symlink_dir` (Windows) | `symlink` | `symlink` |
//! | [`truncate`] | | `truncate` |
//! | [`walk`](walk()), [`walk_with`] | | `readdir`, recursive |
//! | [`write`](write()), [`write_atomic`] | | `writeFile` |

mod access;
mod atomic;
mod attributes;
mod copy;
mod dir_entry;
mod dirs;
mod error;
mod file;
mod metadata;
mod names;
mod operation;
mod read_dir;
mod remove_dir_all;
mod scandir;
mod stream;
mod temp;
mod text;
mod walk;
mod whole;

pub use crate::sys::{FileTime, FileType, StatFs};
pub use access::Access;
pub use atomic::write_atomic;
#[cfg(unix)]
pub use attributes::{chmod, chown, lchown};
pub use attributes::{set_permissions, set_symlink_times, set_times};
pub use copy::{Copied, CopyOptions, Reflink, copy, copy_dir_all, copy_dir_all_with, copy_with};
pub use dir_entry::DirEntry;
pub use dirs::{DirBuilder, create_dir, create_dir_all, remove_dir};
pub use error::Error;
pub(crate) use file::Descriptor;
pub use file::{File, Lines, OpenOptions};
pub use metadata::{access, exists, metadata, statfs, symlink_metadata};
#[cfg(unix)]
pub use names::symlink;
pub use names::{canonicalize, hard_link, read_link, remove_file, rename, rename_no_replace};
#[cfg(windows)]
pub use names::{symlink_dir, symlink_file};
pub use read_dir::{ReadDir, read_dir};
pub use remove_dir_all::remove_dir_all;
pub use scandir::scandir;
pub use stream::{
    ReadStream, ReadStreamOptions, WriteStream, WriteStreamOptions, read_stream, write_stream,
};
pub use temp::{TempDir, TempFile, mkdtemp, mkstemp};
pub use walk::{Walk, WalkEntry, WalkLoop, WalkOptions, walk, walk_with};
pub use whole::{append, read, read_limited, read_lines, read_to_string, truncate, write};
