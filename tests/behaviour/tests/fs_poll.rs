//! `FsPoll`: a file that is looked at again and again. By the manual clock: while nothing is asked of the
//! pool it jumps to the next look.

mod fs_support;
mod loop_support;
#[cfg(unix)]
mod tcp_support;

use std::cell::RefCell;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::{self, Sender};

use behaviour::{Deadline, EventLog};
use fs_support::TempDir;
use futures_lite::future::zip;
use loop_support::{manual, note_close};
use runtime::handle::{FsPoll, Kind, StatChange};
use runtime::{Clock, Closed, Loop, LoopGone, ms, queue_microtask, set_immediate, set_timeout};

/// A change, and when it was told, as a line of the log. Files are told apart by their length.
fn line(change: io::Result<StatChange>) -> String {
    match change {
        Ok(StatChange { previous, current, .. }) => {
            let previous =
                previous.map_or("nothing".to_owned(), |previous| previous.len().to_string());
            format!("{previous} to {}", current.len())
        }
        Err(error) => format!("{:?}", error.kind()),
    }
}

fn note(log: &EventLog) -> impl FnMut(&FsPoll, io::Result<StatChange>) + 'static {
    let (log, start) = (log.clone(), runtime::current().now());
    move |poll, change| {
        let passed = poll.loop_ref().now() - start;
        log.push(format!("{} ms: {}", passed.as_millis(), line(change)));
    }
}

/// Writes `len` bytes after some virtual time.
fn write_at(after: u64, path: impl AsRef<Path>, len: usize) {
    let path = path.as_ref().to_owned();
    set_timeout(ms(after), move || fs::write(path, vec![b'x'; len]).unwrap());
}

fn at(after: u64, f: impl FnOnce() + 'static) {
    set_timeout(ms(after), f);
}

#[test]
fn the_first_look_is_silent_and_each_change_is_told_at_the_next() {
    let (mut lp, _clock, log, _guards) = manual();
    let dir = TempDir::new();
    let file = dir.join("file");
    fs::write(&file, "x").unwrap();
    let poll = FsPoll::new();
    poll.start(&file, ms(100), note(&log)).unwrap();
    write_at(150, &file, 2);
    write_at(310, &file, 3);
    write_at(320, &file, 4);
    at(1_000, move || poll.close());
    assert!(!lp.run().unwrap());
    log.expect(["200 ms: 1 to 2", "400 ms: 2 to 4"]);
}

#[test]
fn an_error_is_told_once_and_so_is_the_return_of_the_file() {
    let (mut lp, _clock, log, _guards) = manual();
    let dir = TempDir::new();
    let (below, file) = (dir.join("below"), dir.join("below/file"));
    let poll = FsPoll::new();
    poll.start(&file, ms(100), note(&log)).unwrap();
    at(250, {
        let below = below.clone();
        move || fs::write(&below, "a file in the place of the directory").unwrap()
    });
    at(450, {
        let (below, file) = (below.clone(), file.clone());
        move || {
            fs::remove_file(&below).unwrap();
            fs::create_dir(&below).unwrap();
            fs::write(&file, "x").unwrap();
        }
    });
    at(650, {
        let file = file.clone();
        move || fs::remove_file(&file).unwrap()
    });
    write_at(850, &file, 1);
    at(1_050, move || poll.close());
    lp.run().unwrap();
    let mut told = log.take();
    if cfg!(unix) {
        assert_eq!(told.remove(1), "300 ms: NotADirectory");
    }
    // Windows has one code for both.
    assert_eq!(
        told,
        ["0 ms: NotFound", "500 ms: nothing to 1", "700 ms: NotFound", "900 ms: 1 to 1"]
    );
}

#[test]
fn a_file_that_comes_back_as_it_was_is_told() {
    let (mut lp, _clock, log, _guards) = manual();
    let dir = TempDir::new();
    let (file, away) = (dir.join("file"), dir.join("away"));
    fs::write(&file, "x").unwrap();
    let poll = FsPoll::new();
    poll.start(&file, ms(100), note(&log)).unwrap();
    for (after, from, to) in [(50, &file, &away), (150, &away, &file)] {
        let (from, to) = (from.clone(), to.clone());
        at(after, move || fs::rename(from, to).unwrap());
    }
    at(500, move || poll.close());
    lp.run().unwrap();
    log.expect(["100 ms: NotFound", "200 ms: 1 to 1"]);
}

#[cfg(unix)]
#[test]
fn each_thing_that_the_system_notes_is_a_change_but_not_an_access() {
    use std::os::unix::fs::PermissionsExt;
    let (mut lp, _clock, log, _guards) = manual();
    let dir = TempDir::new();
    let file = dir.join("file");
    fs::write(&file, "x").unwrap();
    let changes: [fn(&Path); 3] = [
        |file| drop(fs::read(file).unwrap()),
        |file| fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap(),
        |file| {
            // As long as the other, and as old: it is another file.
            let (other, times) = (file.with_extension("other"), fs::metadata(file).unwrap());
            fs::write(&other, "y").unwrap();
            fs::set_permissions(&other, times.permissions()).unwrap();
            fs::File::open(&other).unwrap().set_modified(times.modified().unwrap()).unwrap();
            fs::rename(other, file).unwrap();
        },
    ];
    let poll = FsPoll::new();
    poll.start(&file, ms(100), note(&log)).unwrap();
    for (number, change) in changes.into_iter().enumerate() {
        let file = file.clone();
        at(150 + 100 * number as u64, move || change(&file));
    }
    at(1_000, move || poll.close());
    lp.run().unwrap();
    log.expect(["300 ms: 1 to 1", "400 ms: 1 to 1"]);
}

#[test]
fn an_interval_of_nothing_is_a_millisecond() {
    let (mut lp, _clock, log, _guards) = manual();
    let dir = TempDir::new();
    let file = dir.join("file");
    let poll = FsPoll::new();
    poll.start(&file, ms(0), note(&log)).unwrap();
    // Between the looks at 4 and 5 ms there is nothing: it is seen by the one at 5 ms or 6 ms.
    write_at(5, &file, 1);
    at(20, move || poll.close());
    lp.run().unwrap();
    let told = log.take();
    assert_eq!(told[0], "0 ms: NotFound");
    assert!(["5 ms: nothing to 1", "6 ms: nothing to 1"].contains(&&*told[1]), "{told:?}");
    assert_eq!(told.len(), 2);
}

/// A loop with a pool of one thread, which is at work until the sender is used.
fn busy() -> (Loop, Clock, EventLog, Sender<()>, impl Sized) {
    let clock = Clock::manual();
    let lp = Loop::builder().clock(clock.clone()).pool_threads(1).build().unwrap();
    let guards = (lp.enter(), Deadline::secs(20));
    let (go, may_go) = mpsc::channel::<()>();
    drop(runtime::spawn_blocking(move || may_go.recv().ok()));
    (lp, clock, EventLog::new(), go, guards)
}

#[test]
fn a_look_that_takes_long_leaves_out_the_beats_it_missed() {
    let (mut lp, clock, log, go, _guards) = busy();
    let dir = TempDir::new();
    let file = dir.join("file");
    let poll = FsPoll::new();
    poll.start(&file, ms(100), note(&log)).unwrap();
    lp.run_nowait().unwrap();
    // The first look is under way for 250 ms.
    clock.advance(ms(250));
    go.send(()).unwrap();
    write_at(270, &file, 1);
    at(400, move || poll.close());
    lp.run().unwrap();
    let told = log.take();
    assert_eq!(told[0], "250 ms: NotFound");
    // At 300, not at 350; the file was there at 520.
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].starts_with("600 ms"), "{told:?}");
}

#[test]
fn stopped_closed_or_dropped_with_a_look_under_way_it_is_told_nothing() {
    let acts: [fn(FsPoll); 3] = [
        |poll| poll.stop(),
        |poll| poll.close(),
        |poll| {
            // Only what nobody calls back for ends with its last owner.
            poll.stop();
            poll.watch("missing", ms(1)).unwrap();
        },
    ];
    for act in acts {
        let (mut lp, _clock, log, go, _guards) = busy();
        let poll = FsPoll::new();
        poll.closed().callback(note_close(&log, "closed"));
        poll.start("missing", ms(1), note(&log)).unwrap();
        lp.run_nowait().unwrap();
        act(poll);
        go.send(()).unwrap();
        assert!(!lp.run().unwrap());
        log.expect(["closed"]);
    }
}

#[test]
fn started_and_stopped_many_times_with_looks_under_way_the_last_start_counts() {
    let (mut lp, _clock, log, go, _guards) = busy();
    let dir = TempDir::new();
    let poll = FsPoll::new();
    for number in 0..10 {
        poll.start(dir.join(number.to_string()), ms(10), |_, _| panic!("stopped")).unwrap();
        if number % 2 == 0 {
            lp.run_nowait().unwrap();
        }
        poll.stop();
    }
    poll.start(dir.join("last"), ms(10), note(&log)).unwrap();
    go.send(()).unwrap();
    write_at(15, dir.join("last"), 1);
    at(100, {
        let poll = poll.clone();
        move || poll.close()
    });
    lp.run().unwrap();
    let told = log.take();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].ends_with("NotFound") && told[1].ends_with("nothing to 1"), "{told:?}");
}

#[test]
#[cfg(unix)]
fn a_relative_path_is_that_of_the_time_of_the_start() {
    use tcp_support::{assert_passed, child, child_argument};
    if child_argument().is_none() {
        // It changes the directory of the process.
        let name = "a_relative_path_is_that_of_the_time_of_the_start";
        return assert_passed(&child("exec", name, "yes"));
    }
    let (mut lp, _clock, log, _guards) = manual();
    let (dir, other) = (TempDir::new(), TempDir::new());
    for dir in [&dir, &other] {
        fs::write(dir.join("file"), "x").unwrap();
    }
    std::env::set_current_dir(dir.path()).unwrap();
    let poll = FsPoll::new();
    poll.start("file", ms(100), note(&log)).unwrap();
    std::env::set_current_dir(other.path()).unwrap();
    assert_eq!(poll.path().unwrap(), Path::new("file"));
    write_at(150, other.join("file"), 9);
    write_at(250, dir.join("file"), 2);
    at(450, move || poll.close());
    assert!(!lp.run().unwrap());
    log.expect(["300 ms: 1 to 2"]);
    std::env::set_current_dir("/").unwrap();
}

#[test]
fn stop_close_and_restart_in_its_own_callback() {
    let acts: [fn(&FsPoll); 2] = [FsPoll::stop, FsPoll::close];
    for act in acts {
        let (mut lp, _clock, log, _guards) = manual();
        let poll = FsPoll::new();
        let mut noting = note(&log);
        poll.start("missing", ms(10), move |poll, change| {
            noting(poll, change);
            act(poll);
            assert!(!poll.is_active() && poll.path().is_none());
        })
        .unwrap();
        assert!(!lp.run().unwrap());
        log.expect(["0 ms: NotFound"]);
    }
    let (mut lp, _clock, log, _guards) = manual();
    let noting = RefCell::new(Some(note(&log)));
    let dir = TempDir::new();
    let other = dir.join("other");
    write_at(25, &other, 1);
    FsPoll::new()
        .start("missing", ms(10), move |poll, _| {
            poll.stop();
            let mut noting = noting.take().unwrap();
            poll.start(&other, ms(10), move |poll, change| {
                let is_there = change.is_ok();
                noting(poll, change);
                if is_there {
                    poll.close();
                }
            })
            .unwrap();
        })
        .unwrap();
    lp.run().unwrap();
    log.expect(["0 ms: NotFound", "30 ms: nothing to 1"]);
}

#[test]
fn a_callback_comes_in_the_poll_phase_and_is_followed_by_a_checkpoint() {
    let (mut lp, _clock, log, _guards) = manual();
    let poll = FsPoll::new();
    poll.start("missing", ms(10), {
        let log = log.clone();
        move |poll, _| {
            log.push("told");
            queue_microtask(log.mark("microtask"));
            set_immediate(log.mark("immediate"));
            set_timeout(ms(0), log.mark("timeout"));
            poll.close();
        }
    })
    .unwrap();
    lp.run().unwrap();
    log.expect(["told", "microtask", "immediate", "timeout"]);
}

#[test]
fn an_error_or_a_panic_of_the_callback_ends_no_looking() {
    let (mut lp, _clock, log, _guards) = manual();
    let dir = TempDir::new();
    let file = dir.join("file");
    let poll = FsPoll::new();
    let mut noting = note(&log);
    let mut calls = 0;
    poll.start(&file, ms(10), move |poll, change| -> runtime::Result {
        noting(poll, change);
        calls += 1;
        match calls {
            1 => Err("thrown".into()),
            2 => panic!("panicked"),
            _ => {
                poll.close();
                Ok(())
            }
        }
    })
    .unwrap();
    write_at(15, &file, 1);
    write_at(25, &file, 2);
    assert_eq!(lp.run().unwrap_err().to_string(), "thrown");
    let run = std::panic::AssertUnwindSafe(|| lp.run());
    assert!(std::panic::catch_unwind(run).is_err());
    assert!(!lp.run().unwrap());
    log.expect(["0 ms: NotFound", "20 ms: nothing to 1", "30 ms: 1 to 2"]);
}

#[test]
fn started_twice_is_an_error_and_the_first_goes_on() {
    let (mut lp, _clock, log, _guards) = manual();
    let poll = FsPoll::new();
    assert_eq!(poll.path(), None);
    poll.start("missing", ms(10), note(&log)).unwrap();
    assert!(poll.start("other", ms(10), |_, _| panic!("the second")).is_err());
    assert!(poll.watch("other", ms(10)).is_err());
    assert_eq!(poll.path().unwrap(), Path::new("missing"));
    assert!(poll.is_active() && poll.kind() == Kind::FsPoll);
    at(50, move || poll.close());
    lp.run().unwrap();
    log.expect(["0 ms: NotFound"]);
}

#[test]
fn the_loop_holds_it_while_it_calls_back_and_unref_lets_it_end() {
    let (mut lp, _clock, log, _guards) = manual();
    let poll = FsPoll::new();
    poll.start("missing", ms(10), note(&log)).unwrap();
    drop(poll);
    at(15, {
        let lp = lp.clone();
        move || lp.walk(|handle| handle.unref())
    });
    lp.run().unwrap();
    log.expect(["0 ms: NotFound"]);
}

#[test]
fn several_at_one_file_go_their_own_ways() {
    let (mut lp, _clock, log, _guards) = manual();
    let dir = TempDir::new();
    let file = dir.join("file");
    for interval in [30, 20] {
        FsPoll::new().start(&file, ms(interval), note(&log)).unwrap();
    }
    write_at(5, &file, 1);
    at(50, {
        let lp = lp.clone();
        move || lp.walk(|handle| handle.close())
    });
    lp.run().unwrap();
    log.expect(["0 ms: NotFound", "0 ms: NotFound", "20 ms: nothing to 1", "30 ms: nothing to 1"]);
}

#[test]
fn on_a_loop_that_is_gone_every_call_says_so() {
    let (lp, _clock, log, guards) = manual();
    let poll = FsPoll::new();
    poll.start("missing", ms(10), note(&log)).unwrap();
    drop(lp);
    poll.stop();
    poll.close();
    assert!(LoopGone::is_in(&poll.start("missing", ms(10), |_, _| ()).unwrap_err()));
    let mut other = Loop::new().unwrap();
    assert!(LoopGone::is_in(&other.block_on(poll.changed()).unwrap_err()));
    log.expect([]);
    drop(guards);
}

// --- the future ---

#[test]
fn a_task_takes_change_after_change_and_what_it_misses_is_merged() {
    let (mut lp, _clock, _log, _guards) = manual();
    let dir = TempDir::new();
    let file = dir.join("file");
    fs::write(&file, "x").unwrap();
    let start = lp.now();
    lp.block_on(async {
        let poll = FsPoll::new();
        poll.watch(&file, ms(100)).unwrap();
        write_at(150, &file, 2);
        assert_eq!(line(poll.changed().await), "1 to 2");
        assert_eq!(runtime::current().now() - start, ms(200));
        for (after, len) in [(50, 3), (150, 4), (250, 5)] {
            write_at(after, &file, len);
        }
        runtime::time::sleep(ms(350)).await;
        assert_eq!(line(poll.changed().await), "2 to 5");
        assert!(!poll.is_active());
    });
    assert!(!lp.run().unwrap());
}

#[test]
fn a_wait_ends_with_the_handle_and_is_refused_where_a_callback_is_told() {
    let (mut lp, _clock, log, _guards) = manual();
    let poll = Rc::new(FsPoll::new());
    let error = lp.block_on(poll.changed()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    poll.start("missing", ms(10), note(&log)).unwrap();
    assert!(lp.block_on(poll.changed()).is_err());
    poll.stop();
    let dir = TempDir::new();
    lp.block_on(async {
        poll.watch(dir.path(), ms(10)).unwrap();
        let stopping = async {
            runtime::yield_now().await;
            poll.stop();
        };
        let stopped = zip(poll.changed(), stopping).await.0.unwrap_err();
        assert_eq!(stopped.kind(), ErrorKind::InvalidInput);
        poll.watch(dir.path(), ms(10)).unwrap();
        let closing = async {
            runtime::yield_now().await;
            poll.close();
        };
        assert!(Closed::is_in(&zip(poll.changed(), closing).await.0.unwrap_err()));
    });
}
