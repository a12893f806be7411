//! A directory for the files of a scenario: the twin of `c/folder.c`.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// An empty directory, which is removed with this value.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes one.
    ///
    /// # Errors
    /// The system's.
    pub fn new() -> io::Result<Self> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let name = format!("libuv-oracle-{}-{}", std::process::id(), MADE.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// The path of the directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of what has this name in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes so many bytes to a file, which is made if it is not there.
    ///
    /// # Errors
    /// The system's.
    pub fn write_file(&self, name: &str, length: usize) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).open(self.join(name))?;
        file.write_all(&vec![0; length])
    }

    /// Lets nobody but the owner read and write a file.
    ///
    /// # Errors
    /// The system's.
    pub fn chmod(&self, name: &str) -> io::Result<()> {
        fs::set_permissions(self.join(name), Permissions::from_mode(0o600))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left over is in a directory for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
