//! What libuv shows of TCP when it is probed, one observation a test.
//!
//! Not to be had here, by type: a write or a `read_start` while a connect is pending (there is no
//! stream before it is connected); a bind that succeeds on a used port and a listen that fails (they
//! are one call, so the error is that of `bind`); reads into a buffer of the user's by callback (the
//! loop lends its own, so the 32 reads of an event are 64 KiB each).

mod tcp_support;

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use runtime::handle::Check;
use runtime::net::{TcpListener, TcpStream};
use runtime::{Cancelled, Loop};
use tcp_support::{narrow_pair, nobody, pair, wide_pair};

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(20))
}

/// A request's callback that notes `name` and how it went.
fn outcome(log: &EventLog, name: &'static str) -> impl FnOnce(std::io::Result<()>) + 'static {
    let log = log.clone();
    move |result| match result {
        Ok(()) => log.push(name),
        Err(error) if Cancelled::is_in(&error) => log.push(format!("{name}: cancelled")),
        Err(error) => log.push(format!("{name}: {:?}", error.kind())),
    }
}

#[test]
fn close_callbacks_run_last_closed_first() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let streams = [pair(), pair(), pair()];
    for ((stream, _), name) in streams.iter().zip(["1", "2", "3"]) {
        stream.closed().callback(outcome(&log, name));
    }
    streams.iter().for_each(|(stream, _)| stream.close());
    lp.run().unwrap();
    log.expect(["3", "2", "1"]);
}

#[test]
fn what_is_closed_in_a_close_callback_waits_for_the_next_iteration() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let ((a, _a_peer), (b, _b_peer)) = (pair(), pair());
    b.closed().callback(outcome(&log, "b"));
    let note = log.clone();
    a.closed().callback(move |_| {
        note.push("a");
        b.close();
    });
    a.close();
    lp.run_nowait().unwrap();
    log.expect(["a"]);
    lp.run_nowait().unwrap();
    log.expect(["b"]);
}

#[test]
fn walk_visits_in_the_order_of_making() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let streams = [pair(), pair(), pair()];
    let seen = Rc::new(RefCell::new(Vec::new()));
    streams[1].0.unref();
    let note = seen.clone();
    lp.walk(move |handle| note.borrow_mut().push(handle.has_ref()));
    assert_eq!(*seen.borrow(), [true, false, true]);
}

// epoll tells the order; others have one of their own.
#[cfg(all(target_os = "linux", not(polling_test_poll_backend)))]
#[test]
fn events_come_in_the_order_the_streams_became_ready() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let mut streams: Vec<_> = (0..4).map(|_| pair()).collect();
    for (at, (stream, _)) in streams.iter().enumerate() {
        let log = log.clone();
        stream.read_start(move |_, _| log.push(at));
    }
    for at in [3, 1, 2, 0] {
        streams[at].1.write_all(b"x").unwrap();
    }
    lp.run_nowait().unwrap();
    log.expect(["3", "1", "2", "0"]);
    streams.iter().for_each(|(stream, _)| stream.close());
}

#[test]
fn the_first_read_callback_closes_the_others_that_are_ready_and_they_are_not_called() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let mut streams: Vec<_> = (0..4).map(|_| pair()).collect();
    let all: Vec<_> = streams.iter().map(|(stream, _)| stream.clone()).collect();
    for (at, (stream, peer)) in streams.iter_mut().enumerate() {
        let (log, all) = (log.clone(), all.clone());
        stream.read_start(move |stream, _| {
            log.push(format!("read {at}"));
            all.iter().filter(|other| *other != stream).for_each(TcpStream::close);
            stream.close();
        });
        peer.write_all(b"x").unwrap();
    }
    drop(all);
    lp.run().unwrap();
    assert_eq!(log.take().len(), 1);
}

#[test]
fn a_descriptor_that_is_reused_in_the_same_batch_gets_no_stale_event() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let ((a, mut a_peer), (b, mut b_peer)) = (pair(), pair());
    let fresh = Rc::new(RefCell::new(None));
    let (note, slot) = (log.clone(), fresh.clone());
    a.read_start(move |a, _| {
        note.push("a");
        a.close();
        b.close();
        // Takes the descriptors that are free now.
        let (c, peer) = pair();
        let note = note.clone();
        c.read_start(move |_, data| note.push(format!("c {}", data.unwrap().len())));
        slot.replace(Some((c, peer)));
    });
    a_peer.write_all(b"x").unwrap();
    b_peer.write_all(b"x").unwrap();
    lp.run_nowait().unwrap();
    lp.run_nowait().unwrap();
    log.expect(["a"]);
    let (c, mut peer) = fresh.take().unwrap();
    peer.write_all(b"four").unwrap();
    lp.run_nowait().unwrap();
    log.expect(["c 4"]);
    c.close();
}

// Elsewhere the wake-up of the async handle may end the wait before the stream is seen.
#[cfg(all(target_os = "linux", not(polling_test_poll_backend)))]
#[test]
fn an_iteration_with_everything_ready_runs_prepare_async_poll_check_close_timer() {
    use runtime::handle::{Async, Prepare, Timer};
    for nowait in [true, false] {
        let (mut lp, log, _guard) = start();
        let _here = lp.enter();
        let note = |name: &'static str| {
            let log = log.clone();
            move || log.push(name)
        };
        let (prepare, check) = (Prepare::new(), Check::new());
        let f = note("prepare");
        prepare.start(move |_| f()).unwrap();
        let f = note("check");
        check.start(move |_| f()).unwrap();
        let f = note("async");
        let signalled = Async::new(move |_| f());
        let sender = signalled.sender();
        let (stream, mut peer) = pair();
        let f = note("poll");
        stream.read_start(move |_, _| f());
        let (closing, _its_peer) = pair();
        let f = note("close");
        closing.closed().callback(move |_| f());
        let timer = Timer::new();
        let f = note("timer");
        timer.start(runtime::ms(0), None, move |_| f()).unwrap();
        peer.write_all(b"x").unwrap();
        sender.send().unwrap();
        closing.close();
        if nowait {
            lp.run_nowait().unwrap();
        } else {
            lp.run_once().unwrap();
        }
        log.expect(["prepare", "async", "poll", "check", "close", "timer"]);
    }
}

#[test]
fn a_read_is_followed_by_at_most_31_more_of_its_event() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = wide_pair();
    peer.set_nonblocking(true).unwrap();
    let reads = Rc::new(Cell::new(0));
    let chunk = vec![7; 256 * 1024];
    let mut refill = move || while peer.write(&chunk).is_ok_and(|written| written > 0) {};
    refill();
    let count = reads.clone();
    ours.read_start(move |_, _| {
        count.set(count.get() + 1);
        refill();
    });
    let mut most = 0;
    for _ in 0..20 {
        lp.run_nowait().unwrap();
        most = most.max(reads.replace(0));
    }
    assert_eq!(most, 32);
    ours.close();
}

#[test]
fn a_write_that_completes_inline_calls_back_before_check() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = pair();
    let check = Check::new();
    let note = log.clone();
    check.start(move |_| note.push("check")).unwrap();
    ours.write("x").callback(outcome(&log, "written"));
    assert_eq!(ours.write_queue_size(), 0);
    lp.run_nowait().unwrap();
    log.expect(["written", "check"]);
}

#[test]
fn writes_issued_from_write_callbacks_advance_nine_steps_an_iteration() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = pair();
    let written = Rc::new(Cell::new(0));
    fn next(stream: &TcpStream, written: &Rc<Cell<u32>>) {
        let (stream, written) = (stream.clone(), written.clone());
        stream.clone().write("x").callback(move |result| {
            if result.is_ok() {
                written.set(written.get() + 1);
                next(&stream, &written);
            }
        });
    }
    next(&ours, &written);
    for iteration in 1..=5 {
        lp.run_nowait().unwrap();
        assert_eq!(written.get(), 9 * iteration);
    }
    ours.close();
    lp.run().unwrap();
}

#[test]
fn two_big_writes_a_shutdown_and_a_close_end_in_that_order_as_cancelled() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = narrow_pair();
    let big = vec![1; 1 << 20];
    ours.write(&big).callback(outcome(&log, "1"));
    ours.write(&big).callback(outcome(&log, "2"));
    ours.shutdown().callback(outcome(&log, "shutdown"));
    ours.closed().callback(outcome(&log, "close"));
    ours.close();
    log.expect([]);
    lp.run().unwrap();
    log.expect(["1: cancelled", "2: cancelled", "shutdown: cancelled", "close"]);
}

#[test]
fn a_write_after_shutdown_is_epipe() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = pair();
    ours.shutdown();
    ours.write("x").callback(outcome(&log, "write"));
    lp.run().unwrap();
    log.expect(["write: BrokenPipe"]);
}

#[test]
fn try_write_while_something_is_queued_is_eagain() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = narrow_pair();
    ours.write(vec![1; 1 << 20]);
    assert_eq!(ours.try_write(b"x").unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_refused_connect_is_told_in_a_later_phase() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let note = log.clone();
    TcpStream::connect(nobody()).callback(move |connected| {
        note.push(format!("{:?}", connected.unwrap_err().kind()));
    });
    log.expect([]);
    lp.run().unwrap();
    log.expect(["ConnectionRefused"]);
}

#[test]
fn a_listener_on_a_used_port_is_eaddrinuse() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let first = TcpListener::bind("127.0.0.1:0").unwrap();
    let second = TcpListener::bind(first.local_addr().unwrap());
    assert_eq!(second.unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[test]
fn five_connections_in_the_backlog_are_accepted_one_an_iteration() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let _peers: Vec<_> = (0..5).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    let accepted = Rc::new(Cell::new(0));
    let count = accepted.clone();
    server.listen(move |_, _| count.set(count.get() + 1));
    let each: Vec<_> = (0..6)
        .map(|_| {
            lp.run_nowait().unwrap();
            accepted.replace(0)
        })
        .collect();
    assert_eq!(each, [1, 1, 1, 1, 1, 0]);
    server.close();
}

#[test]
fn a_half_closed_stream_still_reads_and_a_second_shutdown_is_enotconn() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    ours.shutdown().callback(outcome(&log, "first"));
    ours.shutdown().callback(outcome(&log, "second"));
    let note = log.clone();
    ours.read_start(move |_, data| note.push(format!("read {}", data.unwrap().len())));
    lp.run_nowait().unwrap();
    log.expect(["first", "second: NotConnected"]);
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    peer.write_all(b"abc").unwrap();
    drop(peer);
    lp.run().unwrap();
    log.expect(["read 3", "read 0"]);
}
