//! The file that a bind made: it goes with its socket.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::SocketAddr;
use std::path::PathBuf;

use socket2::Socket;

use super::address::shown;
use crate::error::failed;
use crate::sys;

/// The file of a socket. It is removed when this is dropped, which is to be before the socket closes:
/// the system keeps the file's number from being another's so long. What was put in its place by somebody
/// else stays.
#[derive(Debug)]
pub(crate) struct BoundFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// Gives `socket` its name, and the file of that its mode.
pub(super) fn bind(
    socket: &Socket,
    address: &SocketAddr,
    mode: Option<u32>,
) -> io::Result<Option<BoundFile>> {
    let cannot = |error| failed(format!("cannot bind to {}", shown(address)), error);
    sys::bind_local(socket, address, mode).map_err(cannot)?;
    let Some(path) = address.as_pathname() else { return Ok(None) };
    let file = BoundFile::find(path).map_err(cannot)?;
    if let Some(mode) = mode {
        // The umask took something away, or the system takes no mode before.
        sys::set_mode(&file.path, mode).map_err(cannot)?;
    }
    Ok(Some(file))
}

impl BoundFile {
    fn find(path: &std::path::Path) -> io::Result<Self> {
        // The process may go to another directory.
        let path = std::path::absolute(path)?;
        let found = fs::symlink_metadata(&path)?;
        Ok(Self { path, device: found.dev(), inode: found.ino() })
    }

    fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|found| {
            let is_same = found.dev() == self.device && found.ino() == self.inode;
            is_same && found.file_type().is_socket()
        })
    }

    /// Sets what the file may be used for, if it is still this one.
    pub(super) fn set_mode(&self, mode: u32) -> io::Result<()> {
        if !self.is_there() {
            let message = format!("{:?} is not the file of this socket any more", self.path);
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        }
        sys::set_mode(&self.path, mode)
    }

    /// Leaves the file to somebody else.
    pub(super) fn leave(mut self) {
        // No path: nothing is found there when this is dropped.
        self.path = PathBuf::new();
    }
}

impl Drop for BoundFile {
    fn drop(&mut self) {
        if self.is_there() {
            // Who may not remove it leaves it there; nobody is left to be told.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Only the bits of access: the others mean nothing for a socket.
pub(super) fn check_mode(mode: u32) -> io::Result<u32> {
    if mode & !0o777 == 0 {
        return Ok(mode);
    }
    let message = format!("{mode:#o} is no mode of a socket: 0 to 0o777 are");
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}
