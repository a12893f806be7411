//! `Poll`: readiness of a foreign file descriptor.
#![cfg(unix)]

mod loop_support;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use behaviour::EventLog;
use futures_lite::future::{block_on, poll_once, zip};
use loop_support::{note_close, real};
use runtime::handle::{Check, Interest, Poll, Prepare, Ready};
use runtime::{Closed, Loop, LoopGone, ms, queue_microtask, set_immediate, spawn};

/// No descriptor is left.
const EMFILE: i32 = 24;

/// A socket that is polled, and its peer.
fn pair() -> (Poll, UnixStream, UnixStream) {
    let (one, other) = UnixStream::pair().unwrap();
    one.set_nonblocking(true).unwrap();
    (Poll::new(&one).unwrap(), one, other)
}

/// Notes `name` and what is ready.
fn note_ready(
    log: &EventLog,
    name: &'static str,
) -> impl FnMut(&Poll, io::Result<Ready>) + 'static {
    let log = log.clone();
    move |_, ready| {
        let ready = ready.unwrap();
        let mut event = name.to_owned();
        for (is_set, letter) in [
            (ready.is_readable(), " r"),
            (ready.is_writable(), " w"),
            (ready.is_disconnect(), " d"),
            (ready.is_error(), " e"),
        ] {
            event += if is_set { letter } else { "" };
        }
        log.push(event);
    }
}

#[test]
fn it_is_level_triggered_each_iteration_reports_what_is_not_read() {
    let (mut lp, log, _guards) = real();
    let (poll, mut one, mut other) = pair();
    poll.start(Interest::READABLE, note_ready(&log, "poll"));
    lp.run_nowait().unwrap();
    log.expect([]);
    other.write_all(b"ab").unwrap();
    lp.run_nowait().unwrap();
    lp.run_nowait().unwrap();
    log.expect(["poll r", "poll r"]);
    one.read_exact(&mut [0]).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["poll r"]);
    one.read_exact(&mut [0]).unwrap();
    lp.run_nowait().unwrap();
    log.expect([]);
}

#[test]
fn only_what_was_asked_for_is_reported() {
    let (mut lp, log, _guards) = real();
    let (poll, _one, mut other) = pair();
    other.write_all(b"x").unwrap();
    poll.start(Interest::WRITABLE, note_ready(&log, "poll"));
    lp.run_nowait().unwrap();
    log.expect(["poll w"]);
    poll.start(Interest::READABLE | Interest::WRITABLE, note_ready(&log, "both"));
    lp.run_nowait().unwrap();
    log.expect(["both r w"]);
    poll.start(Interest::READABLE, note_ready(&log, "read"));
    lp.run_nowait().unwrap();
    log.expect(["read r"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_half_close_of_the_peer_is_a_disconnect() {
    let (mut lp, log, _guards) = real();
    let (poll, _one, other) = pair();
    poll.start(Interest::DISCONNECT, note_ready(&log, "poll"));
    lp.run_nowait().unwrap();
    log.expect([]);
    other.shutdown(std::net::Shutdown::Write).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["poll d"]);
}

#[test]
fn the_peers_end_is_readable_and_writable_whatever_was_asked_for() {
    let (mut lp, log, _guards) = real();
    let (poll, _one, other) = pair();
    drop(other);
    poll.start(Interest::READABLE, {
        let log = log.clone();
        move |poll, ready| {
            let ready = ready.unwrap();
            log.push(ready.is_readable() && ready.is_writable() && ready.is_disconnect());
            poll.stop();
        }
    });
    assert!(!lp.run().unwrap());
    log.expect(["true"]);
}

#[test]
fn several_descriptors_are_reported_in_the_order_they_became_ready() {
    let (mut lp, log, _guards) = real();
    let mut ends = Vec::new();
    for name in ["0", "1", "2", "3"] {
        let (poll, one, other) = pair();
        poll.start(Interest::READABLE, note_ready(&log, name));
        ends.push((one, other));
    }
    lp.run_nowait().unwrap();
    for number in [3, 1, 2, 0] {
        ends[number].1.write_all(b"x").unwrap();
    }
    lp.run_nowait().unwrap();
    log.expect(["3 r", "1 r", "2 r", "0 r"]);
    lp.run_nowait().unwrap();
    log.expect(["3 r", "1 r", "2 r", "0 r"]);
}

/// Three that are ready; the first to be called back does `act` to the other two.
fn first_of_three(act: impl Fn(&Poll) + 'static) -> (Loop, EventLog, impl Sized, Vec<UnixStream>) {
    let (mut lp, log, guards) = real();
    let polls = Rc::new(RefCell::new(Vec::new()));
    let act = Rc::new(act);
    let mut streams = Vec::new();
    for _ in 0..3 {
        let (poll, one, mut other) = pair();
        other.write_all(b"x").unwrap();
        polls.borrow_mut().push(poll.clone());
        let (polls, log, act) = (polls.clone(), log.clone(), act.clone());
        poll.start(Interest::READABLE, move |me, _| {
            log.push("called");
            let others = polls.borrow().clone();
            for other in others.iter().filter(|other| *other != me) {
                act(other);
            }
        });
        streams.extend([one, other]);
    }
    lp.run_nowait().unwrap();
    (lp, log, guards, streams)
}

#[test]
fn closing_the_others_in_a_callback_suppresses_them() {
    let (_lp, log, _guards, _streams) = first_of_three(Poll::close);
    log.expect(["called"]);
}

#[test]
fn stopping_the_others_in_a_callback_suppresses_them() {
    let (mut lp, log, _guards, _streams) = first_of_three(Poll::stop);
    log.expect(["called"]);
    lp.run_nowait().unwrap();
    log.expect(["called"]);
}

#[test]
fn closing_the_others_in_a_microtask_suppresses_them() {
    let (_lp, log, _guards, _streams) = first_of_three(|other| {
        let other = other.clone();
        queue_microtask(move || other.close());
    });
    log.expect(["called"]);
}

#[test]
fn a_change_of_interest_masks_what_was_reported_already() {
    let (mut lp, log, _guards, _streams) = first_of_three(|other| {
        // A buffer that is full would be needed to make it unwritable; urgent data never comes.
        other.start(Interest::PRIORITY, |_, _| panic!("nothing urgent"));
    });
    log.expect(["called"]);
    lp.run_nowait().unwrap();
    log.expect(["called"]);
}

#[test]
fn a_new_handle_does_not_get_the_event_of_one_closed_in_the_same_batch() {
    let (mut lp, log, _guards) = real();
    let (first, _a, mut to_first) = pair();
    let (victim, _b, mut to_victim) = pair();
    let made = Rc::new(RefCell::new(Vec::new()));
    for poll in [&first, &victim] {
        let (log, made) = (log.clone(), made.clone());
        let (first, victim) = (first.clone(), victim.clone());
        poll.start(Interest::READABLE, move |_, _| {
            log.push("one of the two");
            first.close();
            victim.close();
            // Gets the descriptor numbers that were just closed; nothing is there to be read.
            for _ in 0..4 {
                let (poll, one, other) = pair();
                poll.start(Interest::READABLE, |_, _| panic!("a stale event"));
                made.borrow_mut().push((poll, one, other));
            }
        });
    }
    to_first.write_all(b"x").unwrap();
    to_victim.write_all(b"x").unwrap();
    lp.run_nowait().unwrap();
    lp.run_nowait().unwrap();
    log.expect(["one of the two"]);
    assert_eq!(made.borrow().len(), 4);
}

#[test]
fn stop_and_start_in_its_own_callback_reports_once_an_iteration() {
    let (mut lp, log, _guards) = real();
    let (poll, _one, mut other) = pair();
    other.write_all(b"x").unwrap();
    poll.start(Interest::READABLE, {
        let log = log.clone();
        move |poll, _| {
            log.push("old");
            poll.stop();
            poll.start(Interest::READABLE, note_ready(&log, "new"));
        }
    });
    lp.run_nowait().unwrap();
    log.expect(["old"]);
    lp.run_nowait().unwrap();
    log.expect(["new r"]);
}

#[test]
fn an_interest_in_nothing_is_a_stop() {
    let (mut lp, log, _guards) = real();
    let (poll, _one, mut other) = pair();
    other.write_all(b"x").unwrap();
    poll.start(Interest::READABLE, note_ready(&log, "poll"));
    assert!(poll.is_active());
    poll.start(Interest::default(), note_ready(&log, "poll"));
    assert!(!poll.is_active() && !lp.is_alive());
    assert!(!lp.run().unwrap());
    log.expect([]);
}

#[test]
fn regular_files_and_directories_are_rejected() {
    let (lp, _log, _guards) = real();
    for path in [env!("CARGO_MANIFEST_DIR"), concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")] {
        let error = Poll::new(File::open(path).unwrap()).unwrap_err();
        #[cfg(target_os = "linux")]
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "EPERM: {error}");
        drop(error);
    }
    lp.walk(|handle| assert!(handle.is_closing(), "{handle:?}"));
}

#[test]
fn the_original_descriptor_may_be_closed_before_the_handle() {
    let (mut lp, log, _guards) = real();
    let (poll, one, mut other) = pair();
    poll.start(Interest::READABLE, {
        let log = log.clone();
        move |poll, ready| {
            log.push(ready.unwrap().is_readable());
            poll.close();
        }
    });
    drop(one);
    // The handle's duplicate keeps the socket: the peer sees no end yet.
    other.write_all(b"x").unwrap();
    assert!(!lp.run().unwrap());
    log.expect(["true"]);
    // Now it is closed: unread data makes that a reset on Linux.
    let end = other.read(&mut [0]);
    assert!(matches!(&end, Ok(0)) || end.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
}

#[test]
fn another_file_under_the_originals_number_is_not_polled() {
    let (mut lp, log, _guards) = real();
    let (poll, one, mut other) = pair();
    poll.start(Interest::READABLE, note_ready(&log, "poll"));
    drop(one);
    // Very likely with the number that was just closed, and readable.
    let (_reused, mut writer) = UnixStream::pair().unwrap();
    writer.write_all(b"x").unwrap();
    lp.run_nowait().unwrap();
    log.expect([]);
    other.write_all(b"x").unwrap();
    lp.run_nowait().unwrap();
    log.expect(["poll r"]);
}

#[test]
fn one_descriptor_may_be_polled_by_two_handles() {
    // libuv: EEXIST. Each handle has a duplicate of its own here.
    let (mut lp, log, _guards) = real();
    let (poll, one, mut other) = pair();
    let second = Poll::new(&one).unwrap();
    poll.start(Interest::READABLE, note_ready(&log, "first"));
    second.start(Interest::WRITABLE, note_ready(&log, "second"));
    lp.run_nowait().unwrap();
    log.expect(["second w"]);
    other.write_all(b"x").unwrap();
    lp.run_nowait().unwrap();
    let mut events = log.take();
    events.sort();
    assert_eq!(events, ["first r", "second w"]);
    second.close();
    lp.run_nowait().unwrap();
    log.expect(["first r"]);
}

#[test]
fn the_descriptors_mode_is_left_as_it_is() {
    let (_lp, _log, _guards) = real();
    let (one, _other) = UnixStream::pair().unwrap();
    let poll = Poll::new(&one).unwrap();
    poll.start(Interest::READABLE, |_, _| ());
    poll.close();
    one.set_read_timeout(Some(ms(1))).unwrap();
    // A blocking read with a time limit: it did wait, or it would be the same error in no time; what
    // tells the two apart is that the flag can be read back.
    let socket = socket2::SockRef::from(&one);
    assert!(!socket.nonblocking().unwrap());
}

#[test]
fn it_is_active_and_held_while_it_is_started() {
    let (mut lp, log, _guards) = real();
    let (poll, _one, mut other) = pair();
    assert!(!poll.is_active());
    poll.closed().callback(note_close(&log, "closed"));
    poll.start(Interest::READABLE, {
        let log = log.clone();
        move |poll, _| {
            log.push("ready");
            poll.stop();
            assert!(!poll.is_active());
        }
    });
    drop(poll);
    lp.run_nowait().unwrap();
    log.expect([]);
    other.write_all(b"x").unwrap();
    assert!(!lp.run().unwrap());
    // Stopped, it had no owner any more.
    log.expect(["ready", "closed"]);
}

#[test]
fn unreferenced_it_lets_the_loop_end() {
    let (mut lp, log, _guards) = real();
    let (poll, _one, _other) = pair();
    poll.start(Interest::READABLE, note_ready(&log, "poll"));
    poll.unref();
    assert!(!lp.run().unwrap());
    assert!(poll.is_active());
}

#[test]
fn on_a_closed_handle_the_callback_gets_the_error_in_the_pending_phase() {
    let (mut lp, log, _guards) = real();
    let (poll, _one, _other) = pair();
    poll.close();
    poll.start(Interest::READABLE, {
        let log = log.clone();
        move |_, ready| log.push(Closed::is_in(&ready.unwrap_err()))
    });
    log.expect([]);
    poll.stop();
    Prepare::new()
        .start({
            let log = log.clone();
            move |prepare| {
                log.push("prepare");
                prepare.close();
            }
        })
        .unwrap();
    lp.run_nowait().unwrap();
    log.expect(["true", "prepare"]);
}

#[test]
fn a_panic_does_not_lose_the_events_behind_it() {
    let (mut lp, log, _guards) = real();
    let is_first = Rc::new(Cell::new(true));
    let mut kept = Vec::new();
    for _ in 0..3 {
        let (poll, one, mut other) = pair();
        other.write_all(b"x").unwrap();
        let (log, is_first) = (log.clone(), is_first.clone());
        poll.start(Interest::READABLE, move |poll, _| {
            poll.stop();
            log.push("called");
            assert!(!is_first.replace(false), "the first");
        });
        kept.push((poll, one, other));
    }
    Check::new().start(|check| check.close()).unwrap();
    let run = std::panic::AssertUnwindSafe(|| lp.run_nowait());
    assert!(std::panic::catch_unwind(run).is_err());
    log.expect(["called"]);
    lp.run_nowait().unwrap();
    log.expect(["called", "called"]);
}

#[test]
fn more_than_a_batch_of_ready_descriptors_is_reported_in_one_iteration() {
    let (mut lp, _log, _guards) = real();
    let (one, _other) = UnixStream::pair().unwrap();
    let called = Rc::new(Cell::new(0));
    let polls: Result<Vec<_>, _> = (0..1_100).map(|_| Poll::new(&one)).collect();
    let polls = match polls {
        Ok(polls) => polls,
        Err(error) if error.raw_os_error() == Some(EMFILE) => {
            behaviour::tell("skipped: the system does not allow 1,100 descriptors");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    for poll in &polls {
        let called = called.clone();
        poll.start(Interest::WRITABLE, move |poll, _| {
            poll.stop();
            called.set(called.get() + 1);
        });
    }
    lp.run_nowait().unwrap();
    assert_eq!(called.get(), 1_100);
}

#[test]
fn a_full_batch_that_stays_ready_does_not_hold_the_loop_for_ever() {
    let (mut lp, log, _guards) = real();
    let (one, _other) = UnixStream::pair().unwrap();
    let called = Rc::new(Cell::new(0));
    for _ in 0..1_024 {
        let poll = match Poll::new(&one) {
            Ok(poll) => poll,
            Err(error) if error.raw_os_error() == Some(EMFILE) => {
                behaviour::tell("skipped: the system does not allow 1,024 descriptors");
                return;
            }
            Err(error) => panic!("{error}"),
        };
        let called = called.clone();
        poll.start(Interest::WRITABLE, move |_, _| called.set(called.get() + 1));
    }
    set_immediate(log.mark("immediate"));
    lp.run_nowait().unwrap();
    log.expect(["immediate"]);
    assert_eq!(called.get(), 48 * 1_024);
}

// --- the future ---

#[test]
fn ready_waits_until_something_is_ready() {
    let (mut lp, log, _guards) = real();
    let (poll, mut one, mut other) = pair();
    lp.block_on(async {
        set_immediate({
            let log = log.clone();
            move || {
                log.push("write");
                other.write_all(b"x").unwrap();
                std::mem::forget(other);
            }
        });
        let ready = poll.ready(Interest::READABLE).await.unwrap();
        log.push("ready");
        assert!(ready.is_readable() && !ready.is_writable());
        assert!(poll.ready(Interest::WRITABLE).await.unwrap().is_writable());
        one.read_exact(&mut [0]).unwrap();
    });
    log.expect(["write", "ready"]);
    assert!(!poll.is_active());
}

#[test]
fn several_tasks_may_wait_beside_a_callback() {
    let (mut lp, log, _guards) = real();
    let (poll, _one, mut other) = pair();
    for name in ["task 1", "task 2"] {
        let (poll, log) = (poll.clone(), log.clone());
        drop(spawn(async move {
            poll.ready(Interest::READABLE).await.unwrap();
            log.push(name);
        }));
    }
    poll.start(Interest::READABLE, note_ready(&log, "callback"));
    lp.run_nowait().unwrap();
    other.write_all(b"x").unwrap();
    lp.run_nowait().unwrap();
    log.expect(["task 1", "task 2", "callback r"]);
    lp.run_nowait().unwrap();
    log.expect(["callback r"]);
}

#[test]
fn tasks_that_wait_for_different_things_are_woken_for_their_own() {
    let (mut lp, log, _guards) = real();
    let (poll, _one, mut other) = pair();
    for (name, interest) in [("read", Interest::READABLE), ("write", Interest::WRITABLE)] {
        let (poll, log) = (poll.clone(), log.clone());
        drop(spawn(async move {
            poll.ready(interest).await.unwrap();
            log.push(name);
        }));
    }
    lp.run_nowait().unwrap();
    log.expect(["write"]);
    lp.run_nowait().unwrap();
    log.expect([]);
    other.write_all(b"x").unwrap();
    lp.run_nowait().unwrap();
    log.expect(["read"]);
}

#[test]
fn a_dropped_wait_is_forgotten() {
    let (mut lp, _log, _guards) = real();
    let (poll, _one, _other) = pair();
    lp.block_on(async {
        let waiting = poll.ready(Interest::READABLE);
        let waited = runtime::time::timeout(ms(1), waiting).await;
        assert!(waited.is_err());
    });
    assert!(!poll.is_active() && !lp.is_alive());
}

#[test]
fn a_wait_for_nothing_is_refused() {
    let (mut lp, _log, _guards) = real();
    let (poll, _one, _other) = pair();
    let error = lp.block_on(poll.ready(Interest::default())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn closing_the_handle_ends_a_wait_with_an_error() {
    let (mut lp, log, _guards) = real();
    let (poll, _one, _other) = pair();
    lp.block_on(async {
        let closing = async {
            runtime::yield_now().await;
            poll.close();
            log.push("closed");
        };
        let (waited, ()) = zip(poll.ready(Interest::READABLE), closing).await;
        assert!(Closed::is_in(&waited.unwrap_err()));
        assert!(Closed::is_in(&poll.ready(Interest::READABLE).await.unwrap_err()));
    });
    log.expect(["closed"]);
    assert!(!lp.run().unwrap());
}

#[test]
fn a_wait_keeps_the_loop_alive_and_is_not_a_deadlock() {
    let (mut lp, _log, _guards) = real();
    let (poll, _one, mut other) = pair();
    let writing = std::thread::spawn(move || {
        other.write_all(b"x").unwrap();
        other
    });
    drop(spawn(async move {
        poll.ready(Interest::READABLE).await.unwrap();
    }));
    assert!(!lp.run().unwrap());
    writing.join().unwrap();
}

#[test]
fn on_a_loop_that_is_gone_every_call_says_so() {
    let (lp, _log, guards) = real();
    let (poll, one, _other) = pair();
    poll.start(Interest::READABLE, |_, _| ());
    let mut waiting = std::pin::pin!(poll.ready(Interest::READABLE));
    assert!(block_on(poll_once(waiting.as_mut())).is_none());
    drop(lp);
    assert!(LoopGone::is_in(&block_on(waiting).unwrap_err()));
    assert!(poll.is_closing());
    poll.start(Interest::READABLE, |_, _| panic!("dropped, not called"));
    poll.stop();
    poll.close();
    assert!(LoopGone::is_in(&Poll::new(&one).unwrap_err()));
    let mut other = Loop::new().unwrap();
    let error = other.block_on(poll.ready(Interest::READABLE)).unwrap_err();
    assert!(LoopGone::is_in(&error));
    drop(guards);
}

#[test]
fn one_that_another_callback_restarts_is_not_called_for_the_event_before() {
    let (mut lp, log, _guards) = real();
    let ((first, ..), (second, ..)) = (pair(), pair());
    let polls = [first, second];
    for (mine, other) in [(0, 1), (1, 0)] {
        let (log, other) = (log.clone(), polls[other].clone());
        polls[mine].start(Interest::WRITABLE, move |poll, _| {
            log.push("first start");
            poll.stop();
            let log = log.clone();
            other.stop();
            other.start(Interest::WRITABLE, move |poll, _| {
                log.push("second start");
                poll.close();
            });
        });
    }
    lp.run_nowait().unwrap();
    log.expect(["first start"]); // of one; the other's event was older than its new start
    lp.run_nowait().unwrap();
    log.expect(["second start"]);
}
