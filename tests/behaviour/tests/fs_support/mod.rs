//! Directories to test in.
#![allow(dead_code, reason = "each file of tests uses a part of it")]

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use runtime::{Loop, Request};

/// A directory of the test's own, removed at its end.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let name = format!("behaviour-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
            let dir = std::env::temp_dir().join(name);
            match std::fs::create_dir(&dir) {
                Ok(()) => return Self(dir),
                // Of a process that was killed, and had this number.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => panic!("{}: {error}", dir.display()),
            }
        }
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

/// What `request` gives to a callback, which it never calls from inside the call.
#[track_caller]
pub(crate) fn by_callback<T: 'static>(lp: &mut Loop, request: Request<T>) -> io::Result<T> {
    let given = Rc::new(Cell::new(None));
    let taken = given.clone();
    request.callback(move |result| given.set(Some(result)));
    assert!(taken.take().is_none(), "called back from inside the call");
    loop {
        if let Some(result) = taken.take() {
            return result;
        }
        lp.run_once().unwrap();
    }
}

/// What two requests give: one to a callback, one to a future.
#[track_caller]
pub(crate) fn both<T: 'static>(
    lp: &mut Loop,
    mut request: impl FnMut() -> Request<T>,
) -> [io::Result<T>; 2] {
    [by_callback(lp, request()), lp.block_on(request())]
}

/// As `both`, of what succeeds.
#[track_caller]
pub(crate) fn both_done<T: 'static>(lp: &mut Loop, request: impl FnMut() -> Request<T>) -> [T; 2] {
    both(lp, request).map(Result::unwrap)
}

/// Asserts that `error` says what failed where.
#[track_caller]
pub(crate) fn assert_names(error: &io::Error, operation: &str, path: &Path) {
    let failed = runtime::fs::Error::of(error).expect("an error of a file");
    assert_eq!((failed.operation(), failed.path()), (operation, path), "{error}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("{operation} {path:?}")), "{text}");
}

/// The names in a directory, sorted.
pub(crate) fn names_in(dir: impl AsRef<Path>) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
