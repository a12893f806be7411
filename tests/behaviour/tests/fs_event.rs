//! `FsEvent` on Linux: what happens to files, told by inotify.
//!
//! Everything is done before the loop runs, or in a callback: inotify has queued it when the call
//! returns, so one iteration without waiting tells all.
#![cfg(all(target_os = "linux", not(runtime_notify_backend)))]

mod fs_support;
mod loop_support;
mod tcp_support;

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use fs_support::{TempDir, run_until};
use futures_lite::StreamExt;
use futures_lite::future::zip;
use loop_support::{note_close, real};
use runtime::handle::{FsChange, FsEvent, FsEventOptions, Kind, NotWatched, Prepare};
use runtime::{Closed, Entered, Loop, LoopGone, ms, queue_microtask, set_immediate, spawn};
use tcp_support::{assert_passed, child, child_argument};

const EINVAL: i32 = 22;
const EALREADY: i32 = 114;

fn flat() -> FsEventOptions {
    FsEventOptions::new()
}

fn recursive() -> FsEventOptions {
    FsEventOptions::new().recursive(true)
}

/// A change as a line of the log.
fn line(change: io::Result<FsChange>) -> String {
    match change {
        Ok(FsChange::Created(path)) => format!("+ {}", path.display()),
        Ok(FsChange::Modified(path)) => format!("~ {}", path.display()),
        Ok(FsChange::Metadata(path)) => format!("m {}", path.display()),
        Ok(FsChange::Removed(path)) => format!("- {}", path.display()),
        Ok(FsChange::Renamed { from, to }) => format!("{} > {}", from.display(), to.display()),
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("error: {error}"),
    }
}

fn note(log: &EventLog) -> impl FnMut(&FsEvent, io::Result<FsChange>) + 'static {
    let log = log.clone();
    move |_, change| log.push(line(change))
}

/// Watches `path` and notes what is told.
fn watch(path: impl AsRef<Path>, options: FsEventOptions, log: &EventLog) -> FsEvent {
    let event = FsEvent::new();
    event.start(path, options, note(log)).unwrap();
    event
}

/// A loop for a test that makes thousands of files: that takes its time on a busy disk.
fn patient() -> (Loop, EventLog, (Entered, Deadline)) {
    let lp = Loop::new().unwrap();
    let guards = (lp.enter(), Deadline::secs(120));
    (lp, EventLog::new(), guards)
}

fn touch(path: impl AsRef<Path>) {
    drop(File::create(path).unwrap());
}

fn append(path: impl AsRef<Path>) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(b"x").unwrap();
}

/// What was told, if each change has its own line.
fn told(lp: &mut Loop, log: &EventLog) -> Vec<String> {
    lp.run_nowait().unwrap();
    log.take()
}

// --- directories ---

#[test]
fn each_kind_of_change_in_a_directory_is_told_by_name() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    let _event = watch(dir.path(), flat(), &log);
    touch(dir.join("file"));
    append(dir.join("file"));
    fs::set_permissions(dir.join("file"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(dir.join("file"), dir.join("other")).unwrap();
    fs::remove_file(dir.join("other")).unwrap();
    fs::create_dir(dir.join("below")).unwrap();
    fs::remove_dir(dir.join("below")).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["+ file", "~ file", "m file", "file > other", "- other", "+ below", "- below"]);
    lp.run_nowait().unwrap();
    log.expect([]);
}

#[test]
fn what_comes_from_elsewhere_is_created_and_what_goes_there_removed() {
    let (mut lp, log, _guards) = real();
    let (dir, elsewhere) = (TempDir::new(), TempDir::new());
    let _event = watch(dir.path(), flat(), &log);
    touch(elsewhere.join("a"));
    fs::rename(elsewhere.join("a"), dir.join("b")).unwrap();
    fs::rename(dir.join("b"), elsewhere.join("c")).unwrap();
    touch(dir.join("d"));
    lp.run_nowait().unwrap();
    // The departure is known for sure only when no arrival follows.
    log.expect(["+ b", "+ d", "- b"]);
}

#[test]
fn a_rename_between_two_watched_directories_is_one_to_neither() {
    let (mut lp, log, _guards) = real();
    let (one, other) = (TempDir::new(), TempDir::new());
    touch(one.join("a"));
    let _events = [watch(one.path(), flat(), &log), watch(other.path(), flat(), &log)];
    fs::rename(one.join("a"), other.join("b")).unwrap();
    let mut lines = told(&mut lp, &log);
    lines.sort();
    assert_eq!(lines, ["+ b", "- a"]);
}

#[test]
fn a_directory_that_is_not_recursive_does_not_tell_of_what_is_below() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    fs::create_dir(dir.join("below")).unwrap();
    let _event = watch(dir.path(), flat(), &log);
    touch(dir.join("below/file"));
    lp.run_nowait().unwrap();
    log.expect([]);
}

#[test]
fn names_need_not_be_utf_8() {
    let (mut lp, _log, _guards) = real();
    let dir = TempDir::new();
    let name = OsStr::from_bytes(b"\xff\xfe name");
    let told = Rc::new(RefCell::new(Vec::new()));
    let event = FsEvent::new();
    let changes = told.clone();
    event
        .start(dir.path(), recursive(), move |_, change| changes.borrow_mut().push(change.unwrap()))
        .unwrap();
    fs::create_dir(dir.join(name)).unwrap();
    touch(dir.join(name).join(name));
    lp.run_nowait().unwrap();
    let paths = [PathBuf::from(name), Path::new(name).join(name)];
    assert_eq!(*told.borrow(), paths.map(FsChange::Created));
}

#[test]
fn a_watched_directory_that_is_removed_and_made_again_is_watched_again() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    let watched = dir.join("watched");
    for options in [flat(), recursive()] {
        fs::create_dir(&watched).unwrap();
        let event = watch(&watched, options, &log);
        fs::remove_dir(&watched).unwrap();
        lp.run_nowait().unwrap();
        log.expect(["- "]);
        fs::create_dir(&watched).unwrap();
        touch(watched.join("early"));
        lp.run_nowait().unwrap();
        log.expect(["+ ", "+ early"]);
        touch(watched.join("late"));
        lp.run_nowait().unwrap();
        log.expect(["+ late"]);
        assert!(event.is_active());
        event.close();
        fs::remove_dir_all(&watched).unwrap();
        lp.run_nowait().unwrap();
        log.expect([]);
    }
}

#[test]
fn a_watched_directory_that_is_moved_away_is_removed_and_its_contents_are_silent() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    let (watched, away) = (dir.join("watched"), dir.join("away"));
    fs::create_dir(&watched).unwrap();
    let _event = watch(&watched, recursive(), &log);
    fs::rename(&watched, &away).unwrap();
    touch(away.join("file"));
    lp.run_nowait().unwrap();
    log.expect(["- "]);
    fs::rename(&away, &watched).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["+ ", "+ file"]);
}

#[test]
fn the_end_of_the_place_is_told_last_and_stops_the_handle() {
    let (mut lp, log, _guards) = real();
    for is_moved in [false, true] {
        let dir = TempDir::new();
        fs::create_dir_all(dir.join("a/b")).unwrap();
        let event = watch(dir.join("a/b"), flat(), &log);
        if is_moved {
            fs::rename(dir.join("a"), dir.join("c")).unwrap();
            lp.run_nowait().unwrap();
            log.expect(["Gone"]);
        } else {
            fs::remove_dir_all(dir.join("a")).unwrap();
            lp.run_nowait().unwrap();
            log.expect(["- ", "Gone"]);
        }
        assert!(!event.is_active() && event.path().is_none());
        assert!(!lp.run().unwrap());
        // It can be started anew.
        event.start(dir.path(), flat(), note(&log)).unwrap();
        touch(dir.join("file"));
        lp.run_nowait().unwrap();
        log.expect(["+ file"]);
        event.close();
    }
}

#[test]
fn the_root_of_the_file_system_has_no_parent_and_can_be_watched() {
    let (mut lp, log, _guards) = real();
    let event = watch("/", flat(), &log);
    lp.run_nowait().unwrap();
    event.close();
    lp.run().unwrap();
}

// --- files ---

#[test]
fn a_watched_file_has_its_own_name_and_its_neighbours_are_silent() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    touch(dir.join("file"));
    touch(dir.join("neighbour"));
    let _event = watch(dir.join("file"), flat(), &log);
    append(dir.join("neighbour"));
    append(dir.join("file"));
    fs::remove_file(dir.join("neighbour")).unwrap();
    touch(dir.join("neighbour"));
    lp.run_nowait().unwrap();
    log.expect(["~ file"]);
}

#[test]
fn a_file_that_is_replaced_by_rename_100_times_goes_on_being_reported() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    touch(dir.join("file"));
    let _event = watch(dir.join("file"), flat(), &log);
    for _ in 0..100 {
        touch(dir.join(".file.swp"));
        fs::rename(dir.join(".file.swp"), dir.join("file")).unwrap();
        lp.run_nowait().unwrap();
        log.expect([".file.swp > file"]);
        append(dir.join("file"));
        lp.run_nowait().unwrap();
        log.expect(["~ file"]);
    }
    // All at once as well: the last that is there is the one that is watched.
    for _ in 0..100 {
        touch(dir.join("new"));
        fs::rename(dir.join("new"), dir.join("file")).unwrap();
    }
    assert_eq!(told(&mut lp, &log), ["new > file"; 100]);
    append(dir.join("file"));
    lp.run_nowait().unwrap();
    log.expect(["~ file"]);
}

#[test]
fn a_file_that_is_renamed_removed_and_made_again_is_told_of() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    touch(dir.join("log"));
    let _event = watch(dir.join("log"), flat(), &log);
    fs::rename(dir.join("log"), dir.join("log.1")).unwrap();
    append(dir.join("log.1"));
    touch(dir.join("log"));
    lp.run_nowait().unwrap();
    log.expect(["log > log.1", "+ log"]);
    append(dir.join("log.1"));
    append(dir.join("log"));
    lp.run_nowait().unwrap();
    log.expect(["~ log"]);
    fs::remove_file(dir.join("log")).unwrap();
    lp.run_nowait().unwrap();
    // The number of links is metadata.
    log.expect(["m log", "- log"]);
    touch(dir.join("log"));
    append(dir.join("log"));
    lp.run_nowait().unwrap();
    // It was written to before it was watched: who is told that it is there reads it.
    log.expect(["+ log"]);
}

#[test]
fn truncation_is_a_modification() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    fs::write(dir.join("file"), "content").unwrap();
    let _event = watch(dir.join("file"), flat(), &log);
    File::create(dir.join("file")).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["~ file"]);
}

#[test]
fn behind_a_link_the_file_that_it_leads_to_is_watched() {
    let (mut lp, log, _guards) = real();
    let (dir, elsewhere) = (TempDir::new(), TempDir::new());
    touch(elsewhere.join("target"));
    symlink(elsewhere.join("target"), dir.join("link")).unwrap();
    let _event = watch(dir.join("link"), flat(), &log);
    append(elsewhere.join("target"));
    lp.run_nowait().unwrap();
    log.expect(["~ link"]);
    // What it leads to is replaced where nobody watches the names. As long as somebody has it open the
    // system does not say that it is removed.
    let held = File::open(elsewhere.join("target")).unwrap();
    touch(elsewhere.join("new"));
    fs::rename(elsewhere.join("new"), elsewhere.join("target")).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["m link", "~ link"]);
    append(elsewhere.join("target"));
    lp.run_nowait().unwrap();
    log.expect(["~ link"]);
    drop(held);
    lp.run_nowait().unwrap();
    log.expect([]);
    // And the link itself.
    touch(elsewhere.join("third"));
    symlink(elsewhere.join("third"), dir.join("new link")).unwrap();
    fs::rename(dir.join("new link"), dir.join("link")).unwrap();
    append(elsewhere.join("third"));
    lp.run_nowait().unwrap();
    log.expect(["new link > link"]);
    append(elsewhere.join("third"));
    lp.run_nowait().unwrap();
    log.expect(["~ link"]);
    fs::remove_file(elsewhere.join("third")).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["m link", "- link"]);
}

#[test]
fn a_directory_in_the_place_of_a_watched_file_is_told_and_not_entered() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    touch(dir.join("file"));
    let _event = watch(dir.join("file"), recursive(), &log);
    fs::remove_file(dir.join("file")).unwrap();
    fs::create_dir(dir.join("file")).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["m file", "- file", "+ file"]);
    fs::create_dir(dir.join("file/below")).unwrap();
    lp.run_nowait().unwrap();
    log.expect([]);
}

// --- trees ---

#[test]
fn a_tree_of_a_thousand_directories_is_watched_to_its_last() {
    let (mut lp, log, _guards) = patient();
    let dir = TempDir::new();
    // Ten by ten by ten.
    let digits = || (0..10).map(|digit| digit.to_string());
    let leaves: Vec<PathBuf> = digits()
        .flat_map(|a| digits().map(move |b| PathBuf::from(&a).join(b)))
        .flat_map(|ab| digits().map(move |c| ab.join(c)))
        .collect();
    assert_eq!(leaves.len(), 1_000);
    leaves.iter().for_each(|leaf| fs::create_dir_all(dir.join(leaf)).unwrap());
    let event = FsEvent::new();
    match event.start(dir.path(), recursive(), note(&log)) {
        Err(error) if error.kind() == ErrorKind::StorageFull => {
            return behaviour::tell(format!("skipped: {error}"));
        }
        started => started.unwrap(),
    }
    for leaf in &leaves {
        touch(dir.join(leaf).join("file"));
    }
    let expected: Vec<_> = leaves.iter().map(|leaf| format!("+ {}/file", leaf.display())).collect();
    assert_eq!(told(&mut lp, &log), expected);
    // A third of it goes; the rest is still watched.
    for digit in digits().take(3) {
        fs::remove_dir_all(dir.join(digit)).unwrap();
    }
    while !told(&mut lp, &log).is_empty() {}
    append(dir.join("9/9/9/file"));
    touch(dir.join("0"));
    lp.run_nowait().unwrap();
    log.expect(["~ 9/9/9/file", "+ 0"]);
}

#[test]
fn a_new_directory_tells_what_was_made_in_it_before_it_was_watched_and_once() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    let _event = watch(dir.path(), recursive(), &log);
    fs::create_dir_all(dir.join("a/b/c")).unwrap();
    touch(dir.join("a/b/c/file"));
    assert_eq!(told(&mut lp, &log), ["+ a", "+ a/b", "+ a/b/c", "+ a/b/c/file"]);
    append(dir.join("a/b/c/file"));
    fs::create_dir(dir.join("a/d")).unwrap();
    touch(dir.join("a/d/file"));
    lp.run_nowait().unwrap();
    log.expect(["~ a/b/c/file", "+ a/d", "+ a/d/file"]);
}

#[test]
fn no_file_is_lost_or_told_twice_while_a_thread_makes_directories() {
    let (mut lp, log, _guards) = patient();
    let dir = TempDir::new();
    let _event = watch(dir.path(), recursive(), &log);
    let root = dir.path().to_owned();
    let making = std::thread::spawn(move || {
        for number in 0..200 {
            let deep = root.join(format!("{number}/a/b"));
            fs::create_dir_all(&deep).unwrap();
            touch(deep.join("file"));
        }
        touch(root.join("last"));
    });
    let lines = RefCell::new(Vec::new());
    run_until(&mut lp, || {
        lines.borrow_mut().extend(log.take());
        lines.borrow().iter().any(|line| line == "+ last")
    });
    making.join().unwrap();
    lines.borrow_mut().extend(told(&mut lp, &log));
    let mut files: Vec<_> = lines
        .take()
        .into_iter()
        .filter(|line| line.starts_with('+') && line.ends_with("file"))
        .collect();
    let all = files.len();
    files.sort();
    files.dedup();
    assert_eq!((files.len(), all), (200, 200));
}

#[test]
fn a_renamed_directory_is_followed_with_all_below_it() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    fs::create_dir_all(dir.join("a/b")).unwrap();
    fs::create_dir_all(dir.join("other")).unwrap();
    let _event = watch(dir.path(), recursive(), &log);
    fs::rename(dir.join("a"), dir.join("other/z")).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["a > other/z"]);
    touch(dir.join("other/z/b/file"));
    lp.run_nowait().unwrap();
    log.expect(["+ other/z/b/file"]);
    fs::rename(dir.join("other/z/b/file"), dir.join("file")).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["other/z/b/file > file"]);
    // Its former name is free for another.
    fs::create_dir_all(dir.join("a/b")).unwrap();
    touch(dir.join("a/b/new"));
    lp.run_nowait().unwrap();
    log.expect(["+ a", "+ a/b", "+ a/b/new"]);
}

#[test]
fn a_directory_that_is_renamed_before_it_was_seen_is_watched_under_its_new_name() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    let _event = watch(dir.path(), recursive(), &log);
    fs::create_dir(dir.join("a")).unwrap();
    touch(dir.join("a/file"));
    fs::rename(dir.join("a"), dir.join("b")).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["+ a", "a > b", "+ b/file"]);
    append(dir.join("b/file"));
    lp.run_nowait().unwrap();
    log.expect(["~ b/file"]);
}

#[test]
fn a_directory_made_under_the_former_name_of_one_that_was_not_seen_there_is_not_taken_for_it() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    let _event = watch(dir.path(), recursive(), &log);
    fs::create_dir(dir.join("a")).unwrap();
    touch(dir.join("a/one"));
    fs::rename(dir.join("a"), dir.join("b")).unwrap();
    fs::create_dir(dir.join("a")).unwrap();
    touch(dir.join("a/two"));
    let lines = told(&mut lp, &log);
    for line in ["a > b", "+ b/one", "+ a/two"] {
        assert!(lines.iter().any(|told| told == line), "{lines:?}");
    }
    touch(dir.join("b/late"));
    touch(dir.join("a/late"));
    lp.run_nowait().unwrap();
    log.expect(["+ b/late", "+ a/late"]);
}

#[test]
fn two_directories_that_change_places_are_both_followed() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    fs::create_dir_all(dir.join("a/in a")).unwrap();
    fs::create_dir_all(dir.join("b/in b")).unwrap();
    let _event = watch(dir.path(), recursive(), &log);
    for (from, to) in [("a", "c"), ("b", "a"), ("c", "b")] {
        fs::rename(dir.join(from), dir.join(to)).unwrap();
    }
    lp.run_nowait().unwrap();
    log.expect(["a > c", "b > a", "c > b"]);
    touch(dir.join("a/in b/x"));
    touch(dir.join("b/in a/y"));
    lp.run_nowait().unwrap();
    log.expect(["+ a/in b/x", "+ b/in a/y"]);
}

#[test]
fn two_directories_that_are_exchanged_in_one_call_are_both_followed() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    fs::create_dir_all(dir.join("a/in a")).unwrap();
    fs::create_dir_all(dir.join("b/in b")).unwrap();
    let _event = watch(dir.path(), recursive(), &log);
    let here = rustix::fs::CWD;
    let flags = rustix::fs::RenameFlags::EXCHANGE;
    rustix::fs::renameat_with(here, dir.join("a"), here, dir.join("b"), flags).unwrap();
    touch(dir.join("a/in b/x"));
    lp.run_nowait().unwrap();
    log.expect(["a > b", "b > a", "+ a/in b/x"]);
    touch(dir.join("b/in a/y"));
    lp.run_nowait().unwrap();
    log.expect(["+ b/in a/y"]);
}

#[test]
fn a_directory_that_leaves_the_tree_is_silent_and_one_that_comes_is_told_whole() {
    let (mut lp, log, _guards) = real();
    let (dir, elsewhere) = (TempDir::new(), TempDir::new());
    fs::create_dir_all(dir.join("a/b")).unwrap();
    let _event = watch(dir.path(), recursive(), &log);
    fs::rename(dir.join("a"), elsewhere.join("a")).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["- a"]);
    touch(elsewhere.join("a/b/file"));
    lp.run_nowait().unwrap();
    log.expect([]);
    fs::rename(elsewhere.join("a"), dir.join("c")).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["+ c", "+ c/b", "+ c/b/file"]);
    append(dir.join("c/b/file"));
    lp.run_nowait().unwrap();
    log.expect(["~ c/b/file"]);
}

#[test]
fn a_link_to_a_directory_is_not_entered() {
    let (mut lp, log, _guards) = real();
    let (dir, elsewhere) = (TempDir::new(), TempDir::new());
    symlink(elsewhere.path(), dir.join("before")).unwrap();
    symlink(dir.path(), dir.join("itself")).unwrap();
    let _event = watch(dir.path(), recursive(), &log);
    symlink(elsewhere.path(), dir.join("after")).unwrap();
    touch(elsewhere.join("file"));
    lp.run_nowait().unwrap();
    log.expect(["+ after"]);
}

// --- limits ---

/// Fills the system's queue. None if it has room for too many for a test.
fn overflow(dir: &Path) -> Option<()> {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    if limit > 200_000 {
        behaviour::tell(format!("skipped: the system queues {limit} events"));
        return None;
    }
    // Equal events that follow each other are one: two files in turn.
    let files = ["x", "y"].map(|name| File::create(dir.join(name)).unwrap());
    for number in 0..limit + 10 {
        (&files[number % 2]).write_all(b"x").unwrap();
    }
    Some(())
}

#[test]
fn an_overflow_of_the_systems_queue_is_told_to_all_and_watching_goes_on() {
    let (mut lp, log, _guards) = patient();
    let (dir, other, third) = (TempDir::new(), TempDir::new(), TempDir::new());
    fs::create_dir_all(dir.join("old/deep")).unwrap();
    touch(third.join("file"));
    let events = [
        watch(dir.path(), recursive(), &log),
        watch(other.path(), flat(), &log),
        watch(third.join("file"), flat(), &log),
    ];
    if overflow(other.path()).is_none() {
        return;
    }
    // These are lost.
    fs::create_dir_all(dir.join("new/deep")).unwrap();
    fs::remove_dir_all(dir.join("old")).unwrap();
    touch(third.join("new"));
    fs::rename(third.join("new"), third.join("file")).unwrap();
    let mut lines = Vec::new();
    while lines.iter().filter(|line| *line == "Overflow").count() < events.len() {
        lines.extend(told(&mut lp, &log));
    }
    lp.run_nowait().unwrap();
    log.take();
    // What came to be meanwhile is watched nevertheless.
    touch(dir.join("new/deep/file"));
    append(third.join("file"));
    append(other.join("x"));
    lp.run_nowait().unwrap();
    log.expect(["+ new/deep/file", "~ file", "~ x"]);
}

#[test]
fn a_flood_does_not_hold_up_the_loop() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    let count = Rc::new(Cell::new(0));
    let event = FsEvent::new();
    let counted = count.clone();
    event.start(dir.path(), flat(), move |_, _| counted.set(counted.get() + 1)).unwrap();
    let files = ["x", "y"].map(|name| File::create(dir.join(name)).unwrap());
    for number in 0..10_000 {
        (&files[number % 2]).write_all(b"x").unwrap();
    }
    set_immediate({
        let (log, count) = (log.clone(), count.clone());
        move || log.push(count.get() < 10_000)
    });
    lp.run_nowait().unwrap();
    log.expect(["true"]);
    while count.get() < 10_002 {
        lp.run_nowait().unwrap();
    }
}

#[test]
fn what_can_not_be_watched_is_named() {
    let (lp, _log, _guards) = real();
    let dir = TempDir::new();
    let event = FsEvent::new();
    let missing = dir.join("missing");
    for path in [missing.as_path(), Path::new(""), Path::new("nul\0byte")] {
        let error = event.start(path, flat(), |_, _| ()).unwrap_err();
        let expected = if path.as_os_str().as_bytes().contains(&0) {
            ErrorKind::InvalidInput
        } else {
            ErrorKind::NotFound
        };
        assert_eq!(error.kind(), expected, "{error}");
        let inside = error.get_ref().unwrap().downcast_ref::<NotWatched>().unwrap();
        assert_eq!(inside.path(), path);
    }
    let error = event.watch(&missing, recursive()).unwrap_err();
    assert!(error.to_string().contains(missing.to_str().unwrap()), "{error}");
    assert_eq!(
        error.get_ref().unwrap().downcast_ref::<NotWatched>().unwrap().error().raw_os_error(),
        Some(2)
    );
    assert!(!event.is_active() && event.path().is_none() && !lp.is_alive());
}

#[test]
fn a_relative_path_is_that_of_the_time_of_the_start() {
    if child_argument().is_none() {
        // It changes the directory of the process.
        let name = "a_relative_path_is_that_of_the_time_of_the_start";
        return assert_passed(&child("exec", name, "yes"));
    }
    let (mut lp, log, _guards) = real();
    let (dir, other) = (TempDir::new(), TempDir::new());
    touch(dir.join("file"));
    touch(other.join("file"));
    std::env::set_current_dir(dir.path()).unwrap();
    let event = watch("file", flat(), &log);
    let folder = watch(".", flat(), &log);
    std::env::set_current_dir(other.path()).unwrap();
    assert_eq!(event.path().unwrap(), Path::new("file"));
    assert_eq!(folder.path().unwrap(), Path::new("."));
    append(other.join("file"));
    assert_eq!(told(&mut lp, &log), [""; 0]);
    append(dir.join("file"));
    assert_eq!(told(&mut lp, &log), ["~ file", "~ file"]);
    // Of what is made anew in its place, too.
    fs::remove_file(dir.join("file")).unwrap();
    // The number of its links is metadata.
    assert_eq!(told(&mut lp, &log), ["m file", "- file", "- file"]);
    touch(dir.join("file"));
    assert_eq!(told(&mut lp, &log), ["+ file", "+ file"]);
    append(dir.join("file"));
    assert_eq!(told(&mut lp, &log), ["~ file", "~ file"]);
    std::env::set_current_dir("/").unwrap();
}

// --- several watchers ---

#[test]
fn two_watchers_on_one_path_are_both_told_and_one_may_end() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    touch(dir.join("file"));
    let events = [dir.path(), dir.path(), &dir.join("file"), &dir.join("file")]
        .map(|path| watch(path, flat(), &log));
    append(dir.join("file"));
    assert_eq!(told(&mut lp, &log), ["~ file"; 4]);
    for (at, event) in events.iter().enumerate() {
        event.close();
        append(dir.join("file"));
        assert_eq!(told(&mut lp, &log).len(), 3 - at);
    }
    assert!(!lp.run().unwrap());
}

#[test]
fn the_order_is_that_of_the_changes_and_then_that_of_the_starts() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    let events = ["first", "second"].map(|name| {
        let (event, log) = (FsEvent::new(), log.clone());
        event
            .start(dir.path(), flat(), move |_, change| {
                log.push(format!("{name} {}", line(change)));
                queue_microtask(log.mark("microtask"));
            })
            .unwrap();
        event
    });
    touch(dir.join("a"));
    touch(dir.join("b"));
    let prepare = Prepare::new();
    prepare.start(loop_support::note(&log, "prepare")).unwrap();
    set_immediate(log.mark("immediate"));
    lp.run_nowait().unwrap();
    log.expect([
        "prepare",
        "first + a",
        "microtask",
        "second + a",
        "microtask",
        "first + b",
        "microtask",
        "second + b",
        "microtask",
        "immediate",
    ]);
    drop(events);
}

#[test]
fn a_watcher_takes_over_when_the_one_before_it_ends_in_any_way() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    let ends: [fn(FsEvent); 3] = [|event| event.close(), |event| event.stop(), drop];
    for end in ends {
        let first = FsEvent::new();
        first.watch(dir.path(), flat()).unwrap();
        let second = watch(dir.path(), flat(), &log);
        end(first);
        touch(dir.join("file"));
        lp.run_nowait().unwrap();
        log.expect(["+ file"]);
        fs::remove_file(dir.join("file")).unwrap();
        second.close();
        lp.run().unwrap();
    }
}

#[test]
fn two_loops_watch_one_directory() {
    let (mut one, log, _guards) = real();
    let dir = TempDir::new();
    let _first = watch(dir.path(), flat(), &log);
    let mut two = Loop::new().unwrap();
    let second = {
        let _here = two.enter();
        watch(dir.path(), flat(), &log)
    };
    touch(dir.join("file"));
    two.run_nowait().unwrap();
    log.expect(["+ file"]);
    one.run_nowait().unwrap();
    log.expect(["+ file"]);
    drop(two);
    assert!(second.is_closing());
}

// --- stop, close and drop, from everywhere ---

#[test]
fn stop_and_close_in_its_own_callback_end_it_there() {
    for act in [FsEvent::stop, FsEvent::close] {
        let (mut lp, log, _guards) = real();
        let dir = TempDir::new();
        let event = FsEvent::new();
        event.closed().callback(note_close(&log, "closed"));
        event
            .start(dir.path(), flat(), {
                let log = log.clone();
                move |event, change| {
                    log.push(line(change));
                    act(event);
                    assert!(!event.is_active() && event.path().is_none());
                }
            })
            .unwrap();
        drop(event);
        touch(dir.join("a"));
        touch(dir.join("b"));
        assert!(!lp.run().unwrap());
        log.expect(["+ a", "closed"]);
    }
}

#[test]
fn no_callback_after_stop_or_close_though_changes_wait() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    for act in [FsEvent::stop, FsEvent::close] {
        let event = watch(dir.path(), flat(), &log);
        touch(dir.join("file"));
        act(&event);
        lp.run().unwrap();
        fs::remove_file(dir.join("file")).unwrap();
    }
    log.expect([]);
}

#[test]
fn one_that_another_callback_ends_is_not_told_what_is_read_already() {
    for act in [FsEvent::stop, FsEvent::close] {
        for is_later in [false, true] {
            let (mut lp, log, _guards) = real();
            let dir = TempDir::new();
            let events = Rc::new(RefCell::new(Vec::<FsEvent>::new()));
            for _ in 0..3 {
                let (event, log, all) = (FsEvent::new(), log.clone(), events.clone());
                event
                    .start(dir.path(), flat(), move |me, _| {
                        log.push("told");
                        let others = all.borrow().clone();
                        for other in others.into_iter().filter(|other| other != me) {
                            if is_later {
                                queue_microtask(move || act(&other));
                            } else {
                                act(&other);
                            }
                        }
                    })
                    .unwrap();
                events.borrow_mut().push(event);
            }
            touch(dir.join("file"));
            lp.run_nowait().unwrap();
            log.expect(["told"]);
            events.take().iter().for_each(FsEvent::close);
        }
    }
}

#[test]
fn one_that_is_restarted_in_its_own_callback_gets_what_comes_after() {
    let (mut lp, log, _guards) = real();
    let (dir, other) = (TempDir::new(), TempDir::new());
    let event = FsEvent::new();
    event
        .start(dir.path(), flat(), {
            let (log, other) = (log.clone(), other.path().to_owned());
            move |event, change| {
                log.push(line(change));
                event.stop();
                event.start(&other, flat(), note(&log)).unwrap();
            }
        })
        .unwrap();
    touch(dir.join("a"));
    touch(dir.join("b"));
    lp.run_nowait().unwrap();
    log.expect(["+ a"]);
    touch(other.join("c"));
    touch(dir.join("d"));
    lp.run_nowait().unwrap();
    log.expect(["+ c"]);
    assert_eq!(event.path().unwrap(), other.path());
}

#[test]
fn started_twice_is_einval_and_the_first_goes_on() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    let event = watch(dir.path(), flat(), &log);
    let error = event.start(dir.path(), flat(), |_, _| panic!("the second")).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(EINVAL));
    assert_eq!(event.watch(dir.path(), flat()).unwrap_err().raw_os_error(), Some(EINVAL));
    touch(dir.join("file"));
    lp.run_nowait().unwrap();
    log.expect(["+ file"]);
    assert_eq!(event.path().unwrap(), dir.path());
    event.stop();
    event.stop();
    event.start(dir.path(), flat(), note(&log)).unwrap();
}

#[test]
fn the_loop_holds_it_while_it_calls_back_and_not_otherwise() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    let event = watch(dir.path(), flat(), &log);
    assert!(event.is_active() && event.kind() == Kind::FsEvent && lp.is_alive());
    event.unref();
    assert!(!lp.is_alive());
    event.ref_();
    event.closed().callback(note_close(&log, "closed"));
    drop(event);
    touch(dir.join("file"));
    lp.run_nowait().unwrap();
    log.expect(["+ file"]);
    lp.walk(|handle| handle.close());
    assert!(!lp.run().unwrap());
    log.expect(["closed"]);

    let event = FsEvent::new();
    event.watch(dir.path(), flat()).unwrap();
    assert!(!event.is_active() && !lp.is_alive());
    event.closed().callback(note_close(&log, "closed"));
    drop(event);
    lp.run().unwrap();
    log.expect(["closed"]);
}

#[test]
fn what_is_left_behind_a_callback_that_throws_comes_next() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    let event = FsEvent::new();
    event
        .start(dir.path(), flat(), {
            let log = log.clone();
            move |_, change| -> runtime::Result {
                let line = line(change);
                log.push(&line);
                match &*line {
                    "+ a" => Err("thrown".into()),
                    "+ b" => panic!("panicked"),
                    _ => Ok(()),
                }
            }
        })
        .unwrap();
    let second = watch(dir.path(), flat(), &log);
    for name in ["a", "b", "c"] {
        touch(dir.join(name));
    }
    assert_eq!(lp.run_nowait().unwrap_err().to_string(), "thrown");
    log.expect(["+ a"]);
    let run = std::panic::AssertUnwindSafe(|| lp.run_nowait());
    assert!(std::panic::catch_unwind(run).is_err());
    log.expect(["+ a", "+ b"]);
    // The one that leads ends; what is left is not lost with it.
    event.close();
    lp.run_nowait().unwrap();
    log.expect(["+ b", "+ c"]);
    drop(second);
}

#[test]
fn on_a_loop_that_is_gone_every_call_says_so() {
    let (lp, log, guards) = real();
    let dir = TempDir::new();
    let event = watch(dir.path(), recursive(), &log);
    let waits = FsEvent::new();
    waits.watch(dir.path(), flat()).unwrap();
    drop(lp);
    assert!(event.is_closing());
    let error = event.start(dir.path(), flat(), |_, _| ()).unwrap_err();
    assert!(LoopGone::is_in(&error));
    event.stop();
    event.close();
    let mut other = Loop::new().unwrap();
    assert!(LoopGone::is_in(&other.block_on(waits.changed()).unwrap_err()));
    drop(guards);
}

// --- the future ---

#[test]
fn a_task_takes_change_after_change() {
    let (mut lp, _log, _guards) = real();
    let dir = TempDir::new();
    lp.block_on(async {
        let event = FsEvent::new();
        event.watch(dir.path(), flat()).unwrap();
        touch(dir.join("a"));
        touch(dir.join("b"));
        let making = async {
            runtime::yield_now().await;
            touch(dir.join("c"));
        };
        let taking = async {
            let mut lines = Vec::new();
            for _ in 0..3 {
                lines.push(line(event.changed().await));
            }
            lines
        };
        assert_eq!(zip(taking, making).await.0, ["+ a", "+ b", "+ c"]);
        assert!(!event.is_active());
    });
}

#[test]
fn each_change_goes_to_one_of_the_tasks_that_wait() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    let event = FsEvent::new();
    event.watch(dir.path(), flat()).unwrap();
    for name in ["one", "two"] {
        let (event, log) = (event.clone(), log.clone());
        drop(spawn(async move {
            log.push(format!("{name} {}", line(event.changed().await)));
        }));
    }
    lp.run_nowait().unwrap();
    assert!(event.is_active(), "tasks wait");
    touch(dir.join("a"));
    lp.run_nowait().unwrap();
    log.expect(["one + a"]);
    touch(dir.join("b"));
    lp.run_nowait().unwrap();
    log.expect(["two + b"]);
    assert!(!event.is_active());
}

#[test]
fn the_stream_ends_with_the_handle() {
    let (mut lp, _log, _guards) = real();
    let dir = TempDir::new();
    for act in [FsEvent::stop, FsEvent::close] {
        lp.block_on(async {
            let event = FsEvent::new();
            event.watch(dir.path(), flat()).unwrap();
            touch(dir.join("file"));
            let mut changes = event.changes();
            assert_eq!(line(changes.next().await.unwrap()), "+ file");
            let ending = async {
                runtime::yield_now().await;
                act(&event);
            };
            assert!(zip(changes.next(), ending).await.0.is_none());
            fs::remove_file(dir.join("file")).unwrap();
        });
    }
}

#[test]
fn a_full_queue_tells_an_overflow_at_its_place() {
    let (mut lp, _log, _guards) = real();
    let dir = TempDir::new();
    let event = FsEvent::new();
    event.watch(dir.path(), flat().queue_size(2)).unwrap();
    for name in ["a", "b", "c", "d"] {
        touch(dir.join(name));
    }
    // Nobody waits, so something else has to keep the loop alive.
    set_immediate(|| ());
    lp.run_nowait().unwrap();
    let mut next = || line(lp.block_on(event.changed()));
    assert_eq!([next(), next(), next()], ["+ a", "+ b", "Overflow"]);
    touch(dir.join("e"));
    assert_eq!(next(), "+ e");
}

#[test]
fn the_end_of_the_place_ends_a_wait_too() {
    let (mut lp, _log, _guards) = real();
    let dir = TempDir::new();
    fs::create_dir_all(dir.join("a/b")).unwrap();
    let event = FsEvent::new();
    event.watch(dir.join("a/b"), flat()).unwrap();
    fs::rename(dir.join("a"), dir.join("c")).unwrap();
    assert_eq!(line(lp.block_on(event.changed())), "Gone");
    let error = lp.block_on(event.changed()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("watch"), "{error}");
}

#[test]
fn a_wait_is_refused_where_a_callback_is_told_and_ends_with_the_handle() {
    let (mut lp, log, _guards) = real();
    let dir = TempDir::new();
    let event = watch(dir.path(), flat(), &log);
    let error = lp.block_on(event.changed()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(EALREADY));
    event.stop();
    event.watch(dir.path(), flat()).unwrap();
    lp.block_on(async {
        let closing = async {
            runtime::yield_now().await;
            event.close();
        };
        let (waited, ()) = zip(event.changed(), closing).await;
        assert!(Closed::is_in(&waited.unwrap_err()));
    });
}

#[test]
fn a_dropped_wait_loses_no_change_and_keeps_nothing_alive() {
    let (mut lp, _log, _guards) = real();
    let dir = TempDir::new();
    let event = FsEvent::new();
    event.watch(dir.path(), flat()).unwrap();
    lp.block_on(async {
        assert!(runtime::time::timeout(ms(1), event.changed()).await.is_err());
    });
    assert!(!event.is_active() && !lp.is_alive());
    touch(dir.join("file"));
    assert_eq!(line(lp.block_on(event.changed())), "+ file");
}
