//! TCP streams by callback: reading, writing, connecting and the ends of them.

mod tcp_support;

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use behaviour::{Deadline, EventLog};
use runtime::net::{TcpListener, TcpStream};
use runtime::{Cancelled, Clock, Closed, Loop, ms, on_uncaught, queue_microtask, set_immediate};
use tcp_support::{
    Counted, is_already, narrow_pair, narrow_two, nobody, pair, pattern, reset, run_until, two,
};

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(20))
}

/// A read callback that notes the data, "end", or the error's kind.
fn note(log: &EventLog) -> impl FnMut(&TcpStream, io::Result<&[u8]>) + 'static {
    let log = log.clone();
    move |_, data| match data {
        Ok([]) => log.push("end"),
        Ok(data) => log.push(String::from_utf8_lossy(data)),
        Err(error) => log.push(format!("{:?}", error.kind())),
    }
}

/// A request's callback that notes `name` and how it went.
fn outcome<T>(
    log: &EventLog,
    name: impl Display + 'static,
) -> impl FnOnce(io::Result<T>) + 'static {
    let log = log.clone();
    move |result| match result {
        Ok(_) => log.push(name),
        Err(error) if Cancelled::is_in(&error) => log.push(format!("{name}: cancelled")),
        Err(error) if Closed::is_in(&error) => log.push(format!("{name}: closed")),
        Err(error) => log.push(format!("{name}: {:?}", error.kind())),
    }
}

// --- reading ---

#[test]
fn a_read_callback_gets_the_data_and_then_the_end_once() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    ours.read_start(note(&log));
    peer.write_all(b"one").unwrap();
    lp.run_once().unwrap();
    peer.write_all(b"two").unwrap();
    lp.run_once().unwrap();
    drop(peer);
    assert!(!lp.run().unwrap());
    log.expect(["one", "two", "end"]);
}

#[test]
fn data_and_the_end_that_came_at_once_are_both_told() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    peer.write_all(b"all").unwrap();
    drop(peer);
    ours.read_start(note(&log));
    lp.run().unwrap();
    log.expect(["all", "end"]);
}

#[test]
fn a_reset_is_told_and_closes_the_stream() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, peer) = pair();
    ours.read_start(note(&log));
    ours.closed().callback(outcome(&log, "closed"));
    reset(peer);
    lp.run().unwrap();
    log.expect(["ConnectionReset", "closed: ConnectionReset"]);
    assert!(ours.is_closing());
}

#[test]
fn the_end_drops_the_read_callback_while_writing_goes_on() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    let live = Rc::default();
    let counted = Counted::new(&live);
    ours.read_start(move |_, _| counted.touch());
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(!lp.run().unwrap());
    assert_eq!(live.get(), 0);
    assert!(!ours.is_closing());
    ours.write("still");
    ours.shutdown();
    assert!(!ours.is_closing(), "the pending phase ends it");
    lp.run().unwrap();
    assert!(ours.is_closing(), "both directions have ended");
    let mut got = String::new();
    peer.read_to_string(&mut got).unwrap();
    assert_eq!(got, "still");
}

#[test]
fn stopping_and_starting_inside_of_the_callback_loses_no_data() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    let (got, count) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Cell::new(0)));
    fn again(stream: &TcpStream, got: Rc<RefCell<Vec<u8>>>, count: Rc<Cell<u32>>) {
        stream.read_start(move |stream, data| {
            count.set(count.get() + 1);
            got.borrow_mut().extend_from_slice(data.unwrap());
            if stream.is_active() {
                stream.read_stop();
                again(stream, got.clone(), count.clone());
            }
        });
    }
    again(&ours, got.clone(), count.clone());
    let sent = pattern(300_000);
    let writer = std::thread::spawn({
        let sent = sent.clone();
        move || peer.write_all(&sent).unwrap()
    });
    lp.run().unwrap();
    writer.join().unwrap();
    assert!(*got.borrow() == sent);
    assert!(count.get() > 2);
    log.expect([]);
}

#[test]
fn what_comes_while_nobody_reads_waits_and_does_not_spin() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    ours.read_start(note(&log));
    peer.write_all(b"1").unwrap();
    lp.run_once().unwrap();
    ours.read_stop();
    peer.write_all(b"2").unwrap();
    let before = lp.metrics().iterations;
    lp.set_timeout(ms(30), || ());
    lp.run().unwrap();
    assert!(lp.metrics().iterations - before < 10, "the loop spins");
    ours.read_start(note(&log));
    lp.run_once().unwrap();
    log.expect(["1", "2"]);
}

#[test]
fn a_reset_that_nobody_reads_does_not_spin() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    ours.read_start(note(&log));
    peer.write_all(b"1").unwrap();
    lp.run_once().unwrap();
    ours.pause();
    reset(peer);
    let before = lp.metrics().iterations;
    lp.set_timeout(ms(30), || ());
    lp.run().unwrap();
    assert!(lp.metrics().iterations - before < 10, "the loop spins");
    ours.resume();
    lp.run().unwrap();
    log.expect(["1", "ConnectionReset"]);
}

#[test]
fn urgent_data_does_not_spin_and_does_not_hide_the_rest() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    ours.read_start(note(&log));
    let over = Rc::new(Cell::new(false));
    for _ in 0..3 {
        socket2::SockRef::from(&peer).send_out_of_band(b"!").unwrap();
        let before = lp.metrics().iterations;
        over.set(false);
        let timer = over.clone();
        lp.set_timeout(ms(20), move || timer.set(true));
        run_until(&mut lp, || over.get());
        assert!(lp.metrics().iterations - before < 10, "the loop spins");
        log.expect([]);
        peer.write_all(b"x").unwrap();
        lp.run_once().unwrap();
        log.expect(["x"]);
    }
    socket2::SockRef::from(&peer).send_out_of_band(b"!").unwrap();
    drop(peer);
    lp.run().unwrap();
    log.expect(["end"]);
}

#[test]
fn a_second_read_start_is_told_ealready_and_the_first_goes_on() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    ours.read_start(note(&log));
    ours.read_start({
        let log = log.clone();
        move |_, data| log.push(format!("second: {}", is_already(&data.unwrap_err())))
    });
    assert!(log.take().is_empty(), "no call of the API calls back");
    peer.write_all(b"data").unwrap();
    drop(peer);
    lp.run().unwrap();
    log.expect(["second: true", "data", "end"]);
}

#[test]
fn read_start_while_a_task_waits_is_ealready() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    runtime::spawn({
        let (ours, log) = (ours.clone(), log.clone());
        async move {
            let mut buffer = [0; 8];
            let read = ours.read(&mut buffer).await.unwrap();
            log.push(format!("task: {read}"));
        }
    });
    lp.run_nowait().unwrap();
    ours.read_start({
        let log = log.clone();
        move |_, data| log.push(format!("callback: {}", is_already(&data.unwrap_err())))
    });
    lp.run_nowait().unwrap();
    peer.write_all(b"data").unwrap();
    lp.run().unwrap();
    log.expect(["callback: true", "task: 4"]);
}

#[test]
fn read_start_after_the_end_tells_the_end_again_and_on_a_closed_stream_closed() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, peer) = pair();
    drop(peer);
    ours.read_start(note(&log));
    lp.run().unwrap();
    ours.read_start(note(&log));
    lp.run().unwrap();
    log.expect(["end", "end"]);
    ours.close();
    ours.read_start({
        let log = log.clone();
        move |_, data| log.push(Closed::is_in(&data.unwrap_err()))
    });
    lp.run().unwrap();
    log.expect(["true"]);
}

#[test]
fn a_paused_stream_is_held_but_keeps_nothing_alive() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    let live = Rc::default();
    let counted = Counted::new(&live);
    let mut noted = note(&log);
    ours.read_start(move |stream, data| {
        counted.touch();
        noted(stream, data);
    });
    ours.pause();
    assert!(!ours.is_active() && !lp.run().unwrap());
    peer.write_all(b"later").unwrap();
    let walked = Rc::new(Cell::new(0));
    drop(ours);
    lp.walk(|_| walked.set(walked.get() + 1));
    assert_eq!((live.get(), walked.get()), (1, 1));
    log.expect([]);
    drop(lp);
    assert_eq!(live.get(), 0, "the loop's end drops what it held");
}

#[test]
fn a_pause_inside_of_the_callback_holds_from_the_next_read_on() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    peer.write_all(&pattern(200_000)).unwrap();
    ours.read_start({
        let log = log.clone();
        move |stream, data| {
            log.push(data.unwrap().is_empty());
            stream.pause();
            let stream = stream.clone();
            set_immediate(move || stream.resume());
        }
    });
    lp.run_once().unwrap();
    log.expect(["false"]);
    ours.close();
}

#[test]
fn closing_in_the_read_callback_ends_it_and_drops_what_it_captured_in_the_closing_phase() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    peer.write_all(&pattern(300_000)).unwrap();
    let live = Rc::default();
    let (counted, own) = (Counted::new(&live), ours.clone());
    ours.closed().callback(outcome(&log, "closed"));
    ours.read_start({
        let log = log.clone();
        move |_, _| {
            counted.touch();
            log.push("read");
            own.close();
        }
    });
    lp.run().unwrap();
    log.expect(["read", "closed"]);
    assert_eq!(live.get(), 0);
}

#[test]
fn a_stop_by_a_microtask_of_the_read_callback_counts_at_once() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    peer.write_all(&pattern(200_000)).unwrap();
    ours.read_start({
        let log = log.clone();
        move |stream, _| {
            log.push("read");
            let stream = stream.clone();
            queue_microtask(move || stream.read_stop());
        }
    });
    lp.run().unwrap();
    log.expect(["read"]);
}

#[test]
fn a_panic_at_the_end_does_not_leave_the_stream_reading() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    on_uncaught({
        let log = log.clone();
        move |error| log.push(format!("uncaught: {error}"))
    });
    let (ours, peer) = pair();
    ours.read_start(|_, data| assert!(!data.unwrap().is_empty(), "at the end"));
    drop((peer, ours));
    assert!(!lp.run().unwrap(), "the loop ends");
    log.expect(["uncaught: at the end"]);
    let handles = Rc::new(Cell::new(0));
    lp.walk(|_| handles.set(handles.get() + 1));
    assert_eq!(handles.get(), 0, "nobody holds the stream any more");
}

#[test]
fn an_error_returned_at_each_read_loses_no_data() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    let got = Rc::new(Cell::new(0));
    ours.read_start({
        let got = got.clone();
        move |_, data| -> runtime::Result {
            got.set(got.get() + data?.len());
            Err("again".into())
        }
    });
    peer.write_all(&pattern(200_000)).unwrap();
    drop(peer);
    let mut errors = 0;
    while lp.run().is_err() {
        errors += 1;
    }
    assert_eq!(got.get(), 200_000);
    assert!(errors >= 4);
    log.expect([]);
}

// --- writing ---

#[test]
fn a_write_that_is_done_at_once_calls_back_in_the_pending_phase() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = pair();
    ours.write("x").callback(outcome(&log, "written"));
    assert!(log.take().is_empty(), "no call of the API calls back");
    set_immediate(log.mark("check"));
    lp.run().unwrap();
    log.expect(["written", "check"]);
}

#[test]
fn writes_are_done_in_order_whether_queued_or_not() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = narrow_pair();
    let big = pattern(500_000);
    ours.write("<").callback(outcome(&log, "1"));
    ours.write(&big).callback(outcome(&log, "2"));
    ours.write("").callback(outcome(&log, "3"));
    ours.write_vectored(&[IoSlice::new(b">"), IoSlice::new(b""), IoSlice::new(b"!")])
        .callback(outcome(&log, "4"));
    ours.shutdown().callback(outcome(&log, "shut"));
    let reader = std::thread::spawn(move || {
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        got
    });
    lp.run().unwrap();
    let got = reader.join().unwrap();
    assert_eq!((got.len(), got[0], &got[500_001..]), (500_003, b'<', &b">!"[..]));
    assert!(got[1..500_001] == big);
    log.expect(["1", "2", "3", "4", "shut"]);
}

#[test]
fn more_buffers_than_the_system_takes_in_one_call_are_all_written() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    let sent = pattern(5_000 * 3);
    let mut slices: Vec<_> = sent.chunks(3).map(IoSlice::new).collect();
    slices.splice(0..0, (0..2_000).map(|_| IoSlice::new(b"")));
    ours.write_vectored(&slices).callback(outcome(&log, "written"));
    ours.shutdown().callback(outcome(&log, "shut"));
    lp.run().unwrap();
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert!(got == sent);
    log.expect(["written", "shut"]);
}

#[test]
fn a_write_from_a_write_callback_goes_behind_what_is_queued() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = narrow_pair();
    let big = pattern(300_000);
    ours.write(&big).callback({
        let (ours, log) = (ours.clone(), log.clone());
        move |_| {
            log.push("first");
            ours.write("z").callback(outcome(&log, "third"));
            ours.shutdown();
        }
    });
    ours.write("y").callback(outcome(&log, "second"));
    let reader = std::thread::spawn(move || {
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        got
    });
    lp.run().unwrap();
    assert_eq!(reader.join().unwrap()[300_000..], *b"yz");
    log.expect(["first", "second", "third"]);
}

#[test]
fn a_write_after_shutdown_is_epipe_and_a_second_shutdown_enotconn() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = pair();
    ours.shutdown().callback(outcome(&log, "shut"));
    ours.write("x").callback(outcome(&log, "write"));
    ours.shutdown().callback(outcome(&log, "again"));
    assert_eq!(ours.try_write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    lp.run().unwrap();
    log.expect(["shut", "write: BrokenPipe", "again: NotConnected"]);
}

#[test]
fn a_half_closed_stream_reads_on_and_closes_with_the_other_half() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    ours.read_start(note(&log));
    ours.closed().callback(outcome(&log, "closed"));
    ours.shutdown();
    lp.run_nowait().unwrap();
    assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
    peer.write_all(b"answer").unwrap();
    lp.run_once().unwrap();
    drop(peer);
    lp.run().unwrap();
    log.expect(["answer", "end", "closed"]);
}

#[test]
fn both_ends_may_shut_down_at_once_and_each_closes_behind_the_others_end() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (one, other) = two();
    for (stream, name) in [(&one, "one"), (&other, "other")] {
        let note = log.clone();
        stream.read_start(move |_, data| {
            note.push(format!("{name}: {}", String::from_utf8_lossy(data.unwrap())));
        });
        stream.write("last words");
        stream.shutdown().callback(outcome(&log, format!("{name} shutdown")));
        stream.closed().callback(outcome(&log, format!("{name} closed")));
    }
    assert!(!lp.run().unwrap());
    let told = log.take();
    for name in ["one", "other"] {
        let of_this: Vec<_> = told.iter().filter_map(|line| line.strip_prefix(name)).collect();
        assert_eq!(of_this, [" shutdown", ": last words", ": ", " closed"], "{told:?}");
    }
}

#[test]
fn what_the_peer_sent_before_a_write_failed_can_still_be_read() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    peer.write_all(b"last words").unwrap();
    drop(peer);
    // The first one is answered with RST, which the second meets.
    ours.write("x");
    run_until(&mut lp, || {
        ours.try_write(b"y").is_err_and(|error| error.kind() != ErrorKind::WouldBlock)
    });
    assert!(!ours.is_closing());
    ours.write("z").callback(outcome(&log, "write"));
    ours.shutdown().callback(outcome(&log, "shutdown"));
    ours.drained().callback(outcome(&log, "drained"));
    lp.run().unwrap();
    let told = log.take();
    assert!(
        told.iter().all(|told| told.ends_with("BrokenPipe") || told.ends_with("Reset")),
        "{told:?}"
    );
    assert_eq!(told.len(), 3);
}

#[test]
fn a_write_to_a_reset_connection_fails_all_that_is_queued_with_its_errno() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, peer) = narrow_pair();
    ours.write(vec![1; 500_000]).callback(outcome(&log, "1"));
    ours.write("x").callback(outcome(&log, "2"));
    ours.shutdown().callback(outcome(&log, "shut"));
    ours.drained().callback(outcome(&log, "drained"));
    lp.run_nowait().unwrap();
    reset(peer);
    lp.run().unwrap();
    let told = log.take();
    assert!(told.iter().all(|told| told.ends_with("ConnectionReset")), "{told:?}");
    assert_eq!(told.len(), 4, "{told:?}");
}

#[test]
fn closing_ends_what_is_queued_as_cancelled_before_closed() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = narrow_pair();
    ours.write(vec![1; 500_000]).callback(outcome(&log, "1"));
    ours.write("x").callback(outcome(&log, "2"));
    ours.drained().callback(outcome(&log, "drained"));
    ours.closed().callback(outcome(&log, "closed"));
    ours.close();
    ours.close();
    ours.write("late").callback(outcome(&log, "late"));
    lp.run().unwrap();
    log.expect(["late: closed", "1: cancelled", "2: cancelled", "drained: cancelled", "closed"]);
}

#[test]
fn a_read_callback_that_closes_cancels_what_is_queued_though_there_is_room_to_write() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = narrow_pair();
    ours.write(vec![1; 500_000]).callback(outcome(&log, "write"));
    lp.run_nowait().unwrap();
    ours.read_start({
        let log = log.clone();
        move |stream, _| {
            log.push("read");
            stream.close();
        }
    });
    // Both directions are ready in one event.
    peer.write_all(b"x").unwrap();
    let mut left = vec![0; 64 * 1024];
    peer.set_nonblocking(true).unwrap();
    while peer.read(&mut left).is_ok_and(|read| read > 0) {}
    lp.run().unwrap();
    log.expect(["read", "write: cancelled"]);
}

#[test]
fn the_last_handle_may_go_while_something_is_queued() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = narrow_pair();
    ours.closed().callback(outcome(&log, "closed"));
    ours.write(pattern(500_000));
    drop(ours);
    let reader = std::thread::spawn(move || {
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        got
    });
    lp.run().unwrap();
    assert!(reader.join().unwrap() == pattern(500_000));
    log.expect(["closed"]);
}

#[test]
fn a_panic_in_the_last_write_callback_does_not_leave_the_stream_open() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    on_uncaught({
        let log = log.clone();
        move |error| log.push(format!("uncaught: {error}"))
    });
    let (ours, mut peer) = narrow_pair();
    ours.on_drain({
        let log = log.clone();
        move |_| log.push("drain")
    });
    ours.write(pattern(500_000)).callback(|_| panic!("in the callback"));
    drop(ours);
    let reader = std::thread::spawn(move || peer.read_to_end(&mut Vec::new()).unwrap());
    lp.run().unwrap();
    log.expect(["uncaught: in the callback", "drain"]);
    let handles = Rc::new(Cell::new(0));
    lp.walk(|_| handles.set(handles.get() + 1));
    assert_eq!(handles.get(), 0, "nobody holds the stream any more");
    assert_eq!(reader.join().unwrap(), 500_000);
}

#[test]
fn a_panic_in_a_write_callback_does_not_lose_those_behind_it() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    on_uncaught({
        let log = log.clone();
        move |error| log.push(format!("uncaught: {error}"))
    });
    let (ours, mut peer) = narrow_pair();
    ours.write(pattern(100_000)).callback(|_| panic!("one"));
    ours.write("2").callback(|_| -> runtime::Result { Err("two".into()) });
    ours.write("3").callback(outcome(&log, "three"));
    let reader = std::thread::spawn(move || peer.read_to_end(&mut Vec::new()).unwrap());
    lp.run().unwrap();
    log.expect(["uncaught: one", "uncaught: two", "three"]);
    drop(ours);
    lp.run().unwrap();
    assert_eq!(reader.join().unwrap(), 100_002);
}

// --- reset, idle timeout, options ---

#[test]
fn reset_sends_rst_and_cancels_what_is_queued() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = narrow_pair();
    ours.write(vec![1; 500_000]).callback(outcome(&log, "write"));
    ours.reset().unwrap();
    assert!(Closed::is_in(&ours.reset().unwrap_err()));
    lp.run().unwrap();
    log.expect(["write: cancelled"]);
    let read = peer.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(read.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn reset_is_einval_while_a_shutdown_waits_for_the_queue_and_not_after_it() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = narrow_pair();
    while ours.write_queue_size() == 0 {
        ours.write([0; 4096]);
    }
    ours.shutdown();
    assert_eq!(ours.reset().unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(!ours.is_closing());

    ours.close();

    let (ours, _peer) = pair();
    ours.shutdown();
    assert_eq!(ours.reset().unwrap_err().kind(), ErrorKind::InvalidInput);
    lp.run().unwrap();
    ours.reset().unwrap();
    assert!(ours.is_closing());
}

#[test]
fn an_idle_timeout_is_told_to_the_read_callback_and_closes_the_stream() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    ours.read_start(note(&log));
    ours.closed().callback(outcome(&log, "closed"));
    ours.set_idle_timeout(ms(5));
    lp.run().unwrap();
    log.expect(["TimedOut", "closed: TimedOut"]);
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}

#[test]
fn an_idle_timeout_closes_a_stream_that_nobody_reads_when_its_peer_does_not() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = narrow_pair();
    ours.write(vec![1; 500_000]).callback(outcome(&log, "write"));
    ours.set_idle_timeout(ms(5));
    lp.run().unwrap();
    log.expect(["write: TimedOut"]);
}

#[test]
fn an_idle_timeout_keeps_nothing_alive_and_can_be_taken_back() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = pair();
    ours.set_idle_timeout(Duration::from_secs(3600));
    assert!(!lp.run().unwrap());
    ours.read_start(note(&log));
    ours.set_idle_timeout(ms(1));
    ours.set_idle_timeout(None);
    let stream = ours.clone();
    lp.set_timeout(ms(20), move || stream.close());
    lp.run().unwrap();
    log.expect([]);
}

#[test]
fn what_is_read_or_written_puts_an_idle_timeout_off() {
    let (log, _guard) = (EventLog::new(), Deadline::secs(20));
    let clock = Clock::manual();
    let mut lp = Loop::builder().clock(clock.clone()).build().unwrap();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    let has_read = Rc::new(Cell::new(false));
    ours.read_start({
        let (has_read, mut note) = (has_read.clone(), note(&log));
        move |stream, data| {
            has_read.set(true);
            note(stream, data);
        }
    });
    ours.set_idle_timeout(ms(10));

    clock.advance(ms(6)); // at 6
    peer.write_all(b"read").unwrap();
    run_until(&mut lp, || has_read.get());
    clock.advance(ms(6)); // at 12: 10 is past, 16 is not
    lp.run_nowait().unwrap();
    ours.write("written"); // now it is 22
    clock.advance(ms(6)); // at 18
    lp.run_nowait().unwrap();
    log.expect(["read"]);

    clock.advance(ms(6)); // at 24
    lp.run().unwrap();
    log.expect(["TimedOut"]);
}

#[test]
fn the_idle_timer_of_a_dropped_stream_meets_nobody() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = pair();
    ours.set_idle_timeout(ms(1));
    drop(ours);
    lp.run_nowait().unwrap();
    // Takes the slot that is free now.
    let (other, _its_peer) = pair();
    other.read_start(note(&log));
    let stream = other.clone();
    lp.set_timeout(ms(20), move || stream.close());
    lp.run().unwrap();
    log.expect([]);
}

#[test]
fn options_and_addresses_are_the_systems() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, peer) = pair();
    assert_eq!(ours.local_addr().unwrap(), peer.peer_addr().unwrap());
    assert_eq!(ours.peer_addr().unwrap(), peer.local_addr().unwrap());
    for on in [true, false] {
        ours.set_nodelay(on).unwrap();
        assert_eq!(ours.nodelay().unwrap(), on);
        ours.set_keepalive(on.then_some(Duration::from_secs(60))).unwrap();
        assert_eq!(ours.keepalive().unwrap(), on);
    }
    let error = ours.set_keepalive(ms(999)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    ours.close();
    for error in [
        ours.set_nodelay(true).unwrap_err(),
        ours.nodelay().unwrap_err(),
        ours.set_keepalive(None).unwrap_err(),
        ours.keepalive().unwrap_err(),
        ours.local_addr().unwrap_err(),
        ours.peer_addr().unwrap_err(),
    ] {
        assert!(Closed::is_in(&error), "{error}");
    }
}

// --- connecting ---

#[test]
fn a_connect_calls_back_with_a_stream_in_poll() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    TcpStream::connect(server.local_addr().unwrap()).callback({
        let log = log.clone();
        move |stream| {
            stream.unwrap().write("hello");
            log.push("connected");
        }
    });
    set_immediate(log.mark("check"));
    assert!(log.take().is_empty());
    lp.run().unwrap();
    let mut got = String::new();
    server.accept().unwrap().0.read_to_string(&mut got).unwrap();
    assert_eq!(got, "hello");
    let mut told = log.take();
    told.sort();
    assert_eq!(told, ["check", "connected"]);
}

#[test]
fn a_refused_connect_is_told_by_callback_only() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    TcpStream::connect(nobody()).callback(outcome(&log, "connect"));
    assert!(log.take().is_empty());
    lp.run().unwrap();
    log.expect(["connect: ConnectionRefused"]);
}

#[test]
fn what_is_no_address_is_named_in_the_error() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    for text in ["example.org", "127.0.0.1", "127.0.0.1:99999", "", "a\0b:1"] {
        TcpStream::connect(text).callback({
            let log = log.clone();
            move |connected| {
                let error = connected.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                log.push(error.to_string().contains(&format!("{text:?}")));
            }
        });
        assert!(log.take().is_empty());
        lp.run().unwrap();
        log.expect(["true"]);
        assert_eq!(TcpListener::bind(text).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    let none: &[SocketAddr] = &[];
    TcpStream::connect(none).callback(outcome(&log, "none"));
    lp.run().unwrap();
    log.expect(["none: InvalidInput"]);
}

#[test]
fn the_first_address_that_takes_it_is_connected() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let peer = Rc::new(Cell::new(None));
    TcpStream::connect(&[nobody(), nobody(), address, nobody()][..]).callback({
        let peer = peer.clone();
        move |stream| peer.set(Some(stream.unwrap().peer_addr().unwrap()))
    });
    lp.run().unwrap();
    assert_eq!(peer.get(), Some(address));
}

#[test]
fn when_no_address_takes_it_the_error_is_that_of_the_last() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    // The broadcast address is refused by the call itself, and differently.
    let broadcast: SocketAddr = "255.255.255.255:9".parse().unwrap();
    let direct = std::net::TcpStream::connect(broadcast).unwrap_err();
    assert_ne!(direct.kind(), ErrorKind::ConnectionRefused);
    let refusing = nobody();
    TcpStream::connect(&[refusing, broadcast][..]).callback({
        let (log, kind) = (log.clone(), direct.kind());
        move |connected| {
            let error = connected.unwrap_err();
            assert_eq!(error.kind(), kind);
            log.push(error);
        }
    });
    lp.run().unwrap();
    let refused = std::net::TcpStream::connect(refusing).unwrap_err();
    let text = format!("cannot connect: {refusing}: {refused}; {broadcast}: {direct}");
    assert_eq!(log.take(), [text]);
    TcpStream::connect(&[broadcast, nobody()][..]).callback(outcome(&log, "refused"));
    lp.run().unwrap();
    log.expect(["refused: ConnectionRefused"]);
}

#[test]
fn a_dropped_connect_is_given_up() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    drop(TcpStream::connect(server.local_addr().unwrap()));
    assert!(!lp.run().unwrap());
    // The handshake was the system's affair: what it made is at its end.
    assert_eq!(server.accept().unwrap().0.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_cancelled_connect_ends_as_cancelled() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let request = TcpStream::connect(server.local_addr().unwrap());
    assert!(request.cancel());
    assert!(!request.cancel(), "once");
    request.callback(outcome(&log, "connect"));
    assert!(log.take().is_empty());
    assert!(!lp.run().unwrap());
    log.expect(["connect: cancelled"]);
}

#[test]
fn a_handle_that_walk_closes_while_it_connects_ends_as_cancelled() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    TcpStream::connect(server.local_addr().unwrap()).callback(outcome(&log, "connect"));
    lp.walk(|handle| handle.close());
    lp.run().unwrap();
    log.expect(["connect: cancelled"]);
}

#[test]
fn a_loop_that_goes_while_it_connects_and_writes_drops_the_callbacks_uncalled() {
    let (mut lp, log, _guard) = start();
    let here = lp.enter();
    let live = Rc::default();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let counted = Counted::new(&live);
    let called = log.clone();
    TcpStream::connect(server.local_addr().unwrap()).callback(move |_| {
        counted.touch();
        called.push("connect");
    });
    let (ours, mut peer) = narrow_pair();
    for _ in 0..2 {
        let (counted, called) = (Counted::new(&live), log.clone());
        ours.write(vec![1; 500_000]).callback(move |_| {
            counted.touch();
            called.push("write");
        });
    }
    let (counted, own) = (Counted::new(&live), ours.clone());
    ours.read_start(move |_, _| {
        counted.touch();
        own.close();
    });
    let (counted, own) = (Counted::new(&live), ours.clone());
    ours.on_drain(move |_| {
        counted.touch();
        own.close();
    });
    lp.run_nowait().unwrap();
    log.take();
    drop(here);
    drop(lp);
    assert_eq!(live.get(), 0);
    log.expect([]);
    assert_eq!(ours.try_write(b"x").unwrap_err().kind(), ErrorKind::NotConnected);
    assert!(peer.read_to_end(&mut Vec::new()).is_ok());
}

// --- pipes ---

#[test]
fn a_pipe_moves_all_and_passes_the_end_on() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (source, mut producer) = narrow_pair();
    let (target, mut consumer) = narrow_pair();
    let sent = pattern(2_000_000);
    source.pipe_to(&target).callback({
        let log = log.clone();
        move |bytes| log.push(bytes.unwrap())
    });
    let writer = std::thread::spawn({
        let sent = sent.clone();
        move || producer.write_all(&sent).unwrap()
    });
    let reader = std::thread::spawn(move || {
        let mut got = Vec::new();
        consumer.read_to_end(&mut got).unwrap();
        got
    });
    lp.run().unwrap();
    writer.join().unwrap();
    assert!(reader.join().unwrap() == sent);
    log.expect(["2000000"]);
}

#[test]
fn a_pipe_to_a_peer_that_does_not_read_queues_little() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (source, mut producer) = pair();
    let (target, _consumer) = narrow_pair();
    target.set_high_water(1000);
    source.pipe_to(&target);
    let writer = std::thread::spawn(move || {
        // As much as the system takes: the rest is refused by the reset at the end.
        let _refused = producer.write_all(&pattern(20_000_000));
    });
    run_until(&mut lp, || !source.is_active());
    for _ in 0..100 {
        lp.run_nowait().unwrap();
        assert!(target.write_queue_size() <= 1000 + 64 * 1024);
    }
    source.reset().unwrap();
    target.reset().unwrap();
    lp.run().unwrap();
    writer.join().unwrap();
}

#[test]
fn a_pipe_whose_target_fails_ends_with_the_error_and_leaves_the_source_open() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (source, mut producer) = pair();
    let (target, consumer) = pair();
    source.pipe_to(&target).callback(outcome(&log, "pipe"));
    target.close();
    drop(consumer);
    producer.write_all(b"x").unwrap();
    run_until(&mut lp, || !source.is_active());
    lp.run().unwrap();
    log.expect(["pipe: closed"]);
    assert!(!source.is_closing());
}

#[test]
fn a_pipe_whose_source_fails_ends_with_the_error_and_leaves_the_target_open() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (source, producer) = pair();
    let (target, _consumer) = pair();
    source.pipe_to(&target).callback(outcome(&log, "pipe"));
    reset(producer);
    lp.run().unwrap();
    log.expect(["pipe: ConnectionReset"]);
    assert!(!target.is_closing());
}

#[test]
fn closing_or_stopping_the_source_of_a_pipe_ends_the_pipe() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    for end in [TcpStream::close, TcpStream::read_stop] {
        let (source, _producer) = pair();
        let (target, _consumer) = pair();
        source.pipe_to(&target).callback(outcome(&log, "pipe"));
        lp.run_nowait().unwrap();
        end(&source);
        assert!(log.take().is_empty(), "no call of the API calls back");
        assert!(!lp.run().unwrap());
        log.expect(["pipe: cancelled"]);
    }
}

#[test]
fn two_pipes_make_an_echo_of_one_stream() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, other) = narrow_two();
    other.pipe_to(&other).callback(outcome(&log, "echo"));
    let got = Rc::new(RefCell::new(Vec::new()));
    ours.read_start({
        let got = got.clone();
        move |_, data| got.borrow_mut().extend_from_slice(data.unwrap())
    });
    ours.write(pattern(1_000_000));
    ours.shutdown();
    lp.run().unwrap();
    assert!(*got.borrow() == pattern(1_000_000));
    log.expect(["echo"]);
}

#[test]
fn from_std_takes_a_connection_over_and_two_streams_talk() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (one, other) = two();
    other.read_start(note(&log));
    one.read_start(note(&log));
    one.write("ping");
    one.shutdown();
    lp.run_once().unwrap();
    other.write("pong");
    other.shutdown();
    lp.run().unwrap();
    let mut told = log.take();
    told.sort();
    assert_eq!(told, ["end", "end", "ping", "pong"]);
    assert!(one.is_closing() && other.is_closing());
}
