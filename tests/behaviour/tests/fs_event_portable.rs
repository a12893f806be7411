//! What `FsEvent` promises on every system that it knows, whichever back end tells it. Details and order
//! within inotify are in `fs_event.rs`.
//!
//! The other back end runs on Linux by
//! `RUSTFLAGS="--cfg runtime_notify_backend" cargo test -p behaviour --features runtime/notify --test fs_event_portable`.

mod fs_support;
mod loop_support;

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use fs_support::TempDir;
use loop_support::real;
use runtime::Loop;
use runtime::handle::{FsChange, FsEvent, FsEventOptions};

/// Watches for tasks; nothing, if the crate was built without that for this system.
fn watch(path: impl AsRef<Path>, options: FsEventOptions) -> Option<FsEvent> {
    let event = FsEvent::new();
    match event.watch(path, options) {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            assert!(error.to_string().contains("`notify`"), "{error}");
            behaviour::tell(format!("skipped: {error}"));
            None
        }
        watched => {
            watched.unwrap();
            Some(event)
        }
    }
}

/// Takes changes until one is `wanted`.
fn wait_for(lp: &mut Loop, event: &FsEvent, wanted: impl Fn(&FsChange) -> bool) -> FsChange {
    lp.block_on(async {
        loop {
            let change = event.changed().await.unwrap();
            if wanted(&change) {
                return change;
            }
        }
    })
}

fn is_at(path: impl Into<PathBuf>) -> impl Fn(&FsChange) -> bool {
    let path = path.into();
    move |change| change.path() == Some(&path)
}

#[test]
fn what_is_made_written_and_removed_in_a_directory_is_told_by_name() {
    let (mut lp, _log, _guards) = real();
    let dir = TempDir::new();
    let Some(event) = watch(dir.path(), FsEventOptions::new()) else { return };
    fs::write(dir.join("file"), "x").unwrap();
    let first = wait_for(&mut lp, &event, is_at("file"));
    assert_eq!(first, FsChange::Created("file".into()));
    fs::write(dir.join("file"), "y").unwrap();
    wait_for(&mut lp, &event, |change| *change == FsChange::Modified("file".into()));
    fs::remove_file(dir.join("file")).unwrap();
    wait_for(&mut lp, &event, |change| *change == FsChange::Removed("file".into()));
}

#[test]
fn a_rename_tells_the_new_name() {
    let (mut lp, _log, _guards) = real();
    let dir = TempDir::new();
    fs::write(dir.join("old"), "x").unwrap();
    let Some(event) = watch(dir.path(), FsEventOptions::new()) else { return };
    fs::rename(dir.join("old"), dir.join("new")).unwrap();
    wait_for(&mut lp, &event, |change| {
        let whole = FsChange::Renamed { from: "old".into(), to: "new".into() };
        [FsChange::Created("new".into()), whole].contains(change)
    });
}

#[test]
fn a_file_is_watched_by_its_name_though_it_is_replaced() {
    let (mut lp, _log, _guards) = real();
    let dir = TempDir::new();
    fs::write(dir.join("file"), "x").unwrap();
    let Some(event) = watch(dir.join("file"), FsEventOptions::new()) else { return };
    for _ in 0..3 {
        fs::write(dir.join("neighbour"), "x").unwrap();
        fs::write(dir.join("new"), "x").unwrap();
        fs::rename(dir.join("new"), dir.join("file")).unwrap();
        let change = wait_for(&mut lp, &event, |_| true);
        assert!(is_at("file")(&change), "{change:?}");
        fs::write(dir.join("file"), "more").unwrap();
        wait_for(&mut lp, &event, |change| *change == FsChange::Modified("file".into()));
    }
}

#[test]
fn a_tree_tells_of_directories_that_are_made_in_it() {
    let (mut lp, _log, _guards) = real();
    let dir = TempDir::new();
    let Some(event) = watch(dir.path(), FsEventOptions::new().recursive(true)) else { return };
    fs::create_dir(dir.join("below")).unwrap();
    wait_for(&mut lp, &event, is_at("below"));
    // Some back ends are late: what is made in time is told by all.
    let path = Path::new("below").join("file");
    let mut number = 0;
    let told = loop {
        fs::write(dir.join(&path).with_extension(number.to_string()), "x").unwrap();
        let waiting = runtime::time::timeout(runtime::ms(200), event.changed());
        if let Ok(change) = lp.block_on(waiting)
            && change.as_ref().is_ok_and(|change| change.path() != Some(Path::new("below")))
        {
            break change.unwrap();
        }
        number += 1;
    };
    assert!(told.path().unwrap().starts_with("below"), "{told:?}");
}

#[test]
fn a_callback_is_told_and_is_silent_after_stop() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    let Some(event) = watch(dir.path(), FsEventOptions::new()) else { return };
    event.stop();
    event
        .start(dir.path(), FsEventOptions::new(), {
            let log = log.clone();
            move |event, change: io::Result<FsChange>| {
                log.push(format!("{:?}", change.unwrap().path().unwrap()));
                event.stop();
            }
        })
        .unwrap();
    for name in ["a", "b", "c"] {
        fs::write(dir.join(name), "x").unwrap();
    }
    assert!(!lp.run().unwrap());
    log.expect(["\"a\""]);
}

#[test]
fn what_is_not_there_can_not_be_watched() {
    let (_lp, _log, _guards) = real();
    let dir = TempDir::new();
    if watch(dir.path(), FsEventOptions::new()).is_none() {
        return;
    }
    let error = FsEvent::new().watch(dir.join("missing"), FsEventOptions::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("missing"), "{error}");
}
