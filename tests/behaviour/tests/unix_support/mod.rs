//! What the tests of local sockets share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use behaviour::{Deadline, EventLog};
use runtime::Loop;

pub fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(60))
}

/// A directory of a test, which goes with it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("unix-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What is in it, in order.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A test that failed has told what is worth telling.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An abstract name that nobody else has.
pub fn abstract_name(of: &str) -> String {
    format!("\0runtime-{}-{of}", std::process::id())
}
