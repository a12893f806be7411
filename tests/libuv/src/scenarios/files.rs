//! Files that are watched: by the system's events, and by looking at intervals.

use super::pools::{Gate, note_job, open};
use crate::folder::Folder;
use crate::handles::{NEVER, close, must, note, note_active, note_alive, run, settle, start_check};
use crate::labels::status;
use crate::sockets::{iterate, note_read, open_stream, send_bytes};
use crate::table;
use behaviour::EventLog;
use runtime::handle::{FsChange, FsEvent, FsEventOptions, FsPoll, StatChange};
use runtime::{Loop, ms, spawn_blocking};
use std::fs;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::time::Duration;

/// As libuv's `rename` or `change`; that both names of a rename come together is shown.
fn kind(change: &FsChange) -> String {
    match change {
        FsChange::Created(path) | FsChange::Removed(path) => format!("rename:{}", path.display()),
        FsChange::Modified(path) | FsChange::Metadata(path) => format!("change:{}", path.display()),
        FsChange::Renamed { from, to } => format!("rename:{}->{}", from.display(), to.display()),
        other => format!("{other:?}"),
    }
}

/// A callback that notes `LABEL=` the change, and goes on with `f`.
fn noted<F: FnMut(&EventLog, &FsEvent)>(
    log: &EventLog,
    label: &'static str,
    mut f: F,
) -> impl FnMut(&FsEvent, io::Result<FsChange>) -> runtime::Result + use<F> {
    let log = log.clone();
    move |event, change| {
        log.push(format!("{label}={}", kind(&change?)));
        f(&log, event);
        Ok(())
    }
}

/// Watches `path`; each change is noted, and `f` called.
fn watch_then(
    log: &EventLog,
    label: &'static str,
    path: &Path,
    f: impl FnMut(&EventLog, &FsEvent) + 'static,
) -> io::Result<FsEvent> {
    let event = FsEvent::new();
    event.start(path, FsEventOptions::new(), noted(log, label, f))?;
    Ok(event)
}

/// Watches `path`; each change is noted.
fn watch(log: &EventLog, label: &'static str, path: &Path) -> io::Result<FsEvent> {
    watch_then(log, label, path, |_, _| ())
}

// --- events ---

fn changes_to_a_directory_come_in_their_order(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    let _event = watch(log, "a", folder.path())?;
    folder.write_file("one", 1)?;
    folder.write_file("two", 1)?;
    folder.chmod("one")?;
    fs::remove_file(folder.join("two"))?;
    folder.write_file("one", 1)?;
    iterate(lp, log, 2)
}

fn equal_changes_that_follow_each_other_are_one(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    folder.write_file("file", 1)?;
    let _event = watch(log, "a", folder.path())?;
    (0..5).try_for_each(|_| folder.write_file("file", 1))?;
    iterate(lp, log, 2)
}

fn a_rename_in_a_directory(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    folder.write_file("old", 1)?;
    let _event = watch(log, "a", folder.path())?;
    fs::rename(folder.join("old"), folder.join("new"))?;
    iterate(lp, log, 2)
}

fn a_watched_file_that_changes(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    folder.write_file("file", 1)?;
    folder.write_file("another", 1)?;
    let _event = watch(log, "a", &folder.join("file"))?;
    folder.write_file("another", 1)?;
    folder.write_file("file", 1)?;
    folder.chmod("file")?;
    iterate(lp, log, 2)
}

fn a_watched_file_that_is_removed(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    folder.write_file("file", 1)?;
    let event = watch(log, "a", &folder.join("file"))?;
    fs::remove_file(folder.join("file"))?;
    iterate(lp, log, 2)?;
    note_active(log, &event);
    Ok(())
}

fn a_watched_file_that_is_replaced(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    folder.write_file("file", 1)?;
    folder.write_file("new", 1)?;
    let _event = watch(log, "a", &folder.join("file"))?;
    fs::rename(folder.join("new"), folder.join("file"))?;
    iterate(lp, log, 1)?;
    folder.write_file("file", 1)?;
    iterate(lp, log, 1)
}

fn changes_and_what_is_readable(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    let (stream, peer) = open_stream()?;
    stream.read_start(note_read(log, "stream"));
    let _event = watch(log, "a", folder.path())?;
    let _check = start_check(note(log, "check"));
    settle(lp)?;
    folder.write_file("first", 0)?;
    send_bytes(&peer, 1)?;
    iterate(lp, log, 1)?;
    send_bytes(&peer, 1)?;
    folder.write_file("second", 0)?;
    iterate(lp, log, 1)
}

fn two_watchers_of_one_directory(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    let _events = [watch(log, "a", folder.path())?, watch(log, "b", folder.path())?];
    folder.write_file("one", 0)?;
    folder.write_file("two", 0)?;
    iterate(lp, log, 2)
}

fn a_watcher_of_files_that_stops_is_not_told_the_rest(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let folder = Folder::new()?;
    let _stops = watch_then(log, "a", folder.path(), |_, event| event.stop())?;
    let _stays = watch(log, "b", folder.path())?;
    folder.write_file("one", 0)?;
    folder.write_file("two", 0)?;
    iterate(lp, log, 2)
}

fn the_first_of_two_watchers_of_files_closes_both(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (folder, other) = (Folder::new()?, FsEvent::new());
    let closed = other.clone();
    let _first = watch_then(log, "a", folder.path(), move |log, event| {
        close(event, log, "a");
        close(&closed, log, "b");
    })?;
    other.start(folder.path(), FsEventOptions::new(), noted(log, "b", |_, _| ()))?;
    folder.write_file("one", 0)?;
    iterate(lp, log, 2)
}

fn changes_before_a_start_and_after_a_stop(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    folder.write_file("before", 0)?;
    let event = watch(log, "a", folder.path())?;
    folder.write_file("one", 0)?;
    event.stop();
    folder.write_file("between", 0)?;
    event.start(folder.path(), FsEventOptions::new(), noted(log, "a", |_, _| ()))?;
    folder.write_file("two", 0)?;
    iterate(lp, log, 2)
}

fn watchers_of_files_that_can_not_start(_: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (folder, other) = (Folder::new()?, FsEvent::new());
    let start = |event: &FsEvent, path: &Path| event.start(path, FsEventOptions::new(), |_, _| ());
    let event = watch(log, "a", folder.path())?;
    log.push(status("again", &start(&event, folder.path())));
    log.push(status("nothing", &start(&other, &folder.join("nothing"))));
    note_active(log, &other);
    Ok(())
}

fn a_watcher_of_files_keeps_the_loop_alive(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (folder, event) = (Folder::new()?, FsEvent::new());
    note_alive(log, lp);
    event.start(folder.path(), FsEventOptions::new(), |_, _| ())?;
    note_active(log, &event);
    note_alive(log, lp);
    event.unref();
    note_alive(log, lp);
    event.stop();
    note_active(log, &event);
    Ok(())
}

// --- looks ---

/// Looks at `path`; notes the error, or the sizes before and now, and calls `f`.
fn look_then(
    log: &EventLog,
    path: &Path,
    interval: Duration,
    mut f: impl FnMut(&EventLog, &FsPoll, bool) + 'static,
) -> io::Result<FsPoll> {
    let (poll, log) = (FsPoll::new(), log.clone());
    poll.start(path, interval, move |poll, change| {
        let size = |StatChange { previous, current, .. }: &StatChange| {
            let before = previous.as_ref().map_or(0, fs::Metadata::len);
            format!("look={before}->{}", current.len())
        };
        log.push(change.as_ref().map_or_else(|_| status("look", &change), size));
        f(&log, poll, change.is_ok());
    })?;
    Ok(poll)
}

/// Looks at `path`, and notes what there is to tell.
fn look_at(log: &EventLog, path: &Path) -> io::Result<FsPoll> {
    look_then(log, path, NEVER, |_, _, _| ())
}

/// A job for the one thread of the pool: what was asked before is done when this is.
fn queue(log: &EventLog) {
    spawn_blocking(|| ()).callback(note_job(log, "work"));
}

fn the_first_look_at_a_file_is_silent(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    folder.write_file("file", 3)?;
    let look = look_at(log, &folder.join("file"))?;
    queue(log);
    look.unref();
    run(lp, log, Loop::run)
}

fn the_first_look_finds_nothing(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    let look = look_at(log, &folder.join("file"))?;
    queue(log);
    look.unref();
    run(lp, log, Loop::run)
}

fn a_file_that_changes_after_the_first_look(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    folder.write_file("file", 3)?;
    let look = look_then(log, &folder.join("file"), ms(1), |_, look, _| look.stop())?;
    queue(log);
    look.unref();
    run(lp, log, Loop::run)?;
    look.ref_();
    folder.write_file("file", 4)?;
    run(lp, log, Loop::run)
}

fn a_file_that_is_made_after_the_first_look(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Rc::new(Folder::new()?);
    let path = folder.join("file");
    let _look = look_then(log, &path, ms(1), move |log, look, is_there| {
        if is_there {
            close(look, log, "look");
        } else {
            must(folder.write_file("file", 0));
        }
    })?;
    run(lp, log, Loop::run)
}

fn a_look_that_is_stopped_and_started_while_it_is_under_way(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (folder, noted) = (Folder::new()?, log.clone());
    let look = look_at(log, &folder.join("file"))?;
    look.stop();
    look.start(folder.join("another"), NEVER, move |_, change| {
        noted.push("new");
        noted.push(status("look", &change));
    })?;
    queue(log);
    look.unref();
    run(lp, log, Loop::run)
}

fn looks_that_are_started_twice(_: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    let look = look_at(log, &folder.join("file"))?;
    log.push(status("again", &look.start(folder.join("another"), NEVER, |_, _| ())));
    Ok(())
}

fn a_look_at_files_keeps_the_loop_alive(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    let look = look_at(log, &folder.join("file"))?;
    note_active(log, &look);
    look.unref();
    queue(log);
    run(lp, log, Loop::run)?;
    look.ref_();
    note_active(log, &look);
    note_alive(log, lp);
    look.stop();
    note_active(log, &look);
    Ok(())
}

fn looks_that_are_closed_while_one_is_under_way(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    let (gate, opened): (Gate, _) = channel();
    // An error is as good: the scenario is over.
    let wait_for_permission = move || opened.recv().is_ok();
    spawn_blocking(wait_for_permission).callback(note_job(log, "work"));
    let look = look_at(log, &folder.join("file"))?;
    close(&look, log, "look");
    iterate(lp, log, 2)?;
    open(&gate);
    run(lp, log, Loop::run)
}

table! {
    changes_to_a_directory_come_in_their_order,
    equal_changes_that_follow_each_other_are_one,
    a_rename_in_a_directory,
    a_watched_file_that_changes,
    a_watched_file_that_is_removed,
    a_watched_file_that_is_replaced,
    changes_and_what_is_readable,
    two_watchers_of_one_directory,
    a_watcher_of_files_that_stops_is_not_told_the_rest,
    the_first_of_two_watchers_of_files_closes_both,
    changes_before_a_start_and_after_a_stop,
    watchers_of_files_that_can_not_start,
    a_watcher_of_files_keeps_the_loop_alive,
    the_first_look_at_a_file_is_silent,
    the_first_look_finds_nothing,
    a_file_that_changes_after_the_first_look,
    a_file_that_is_made_after_the_first_look,
    a_look_that_is_stopped_and_started_while_it_is_under_way,
    looks_that_are_started_twice,
    a_look_at_files_keeps_the_loop_alive,
    looks_that_are_closed_while_one_is_under_way,
}
