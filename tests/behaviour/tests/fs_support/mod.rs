//! Directories to test in.
#![allow(dead_code, reason = "each file of tests uses a part of it")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use runtime::Loop;

/// A directory of the test's own, removed at its end.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("behaviour-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir(&dir).unwrap();
        Self(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A test may have removed it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the loop, an iteration at a time, until `done`.
#[track_caller]
pub(crate) fn run_until(lp: &mut Loop, done: impl Fn() -> bool) {
    lp.run_nowait().unwrap();
    while !done() {
        lp.run_once().unwrap();
    }
}
