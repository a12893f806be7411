//! Cancelling a connect by its name, which is what is left of one that has a callback.

mod tcp_support;

use std::cell::Cell;
use std::io::{self, ErrorKind, Read};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use behaviour::{Deadline, EventLog};
use runtime::handle::Timer;
use runtime::net::TcpStream;
use runtime::{Cancelled, Loop, RequestId, current, fs, on_exit, set_immediate, spawn};
use tcp_support::{Counted, nobody};

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(20))
}

/// Takes connections without anybody's doing. A connect to it is under way until the loop polls.
fn server() -> (std::net::TcpListener, SocketAddr) {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    (server, address)
}

/// Waits for the end of the next connection.
fn accept_end(server: &std::net::TcpListener) {
    let (mut peer, _) = server.accept().unwrap();
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}

/// A request's callback that notes `name` and how it went.
fn outcome<T>(log: &EventLog, name: &'static str) -> impl FnOnce(io::Result<T>) + 'static {
    let log = log.clone();
    move |result| match result {
        Ok(_) => log.push(name),
        Err(error) if Cancelled::is_in(&error) => log.push(format!("{name}: cancelled")),
        Err(error) => log.push(format!("{name}: {:?}", error.kind())),
    }
}

/// A name that is known only after the callback that uses it was made.
fn name() -> Rc<Cell<Option<RequestId>>> {
    Rc::default()
}

fn cancel(name: &Cell<Option<RequestId>>) -> bool {
    name.get().unwrap().cancel()
}

fn handles(lp: &Loop) -> usize {
    let count = Rc::new(Cell::new(0));
    lp.walk(|_| count.set(count.get() + 1));
    count.get()
}

// --- what it does ---

#[test]
fn the_socket_is_closed_at_once_and_the_callback_told_in_the_closing_phase() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = server();
    let id = TcpStream::connect(address).callback(outcome(&log, "connect"));
    assert!(id.cancel());
    accept_end(&server);
    assert!(log.take().is_empty(), "no call of the API calls back");
    set_immediate(log.mark("check"));
    assert!(!lp.run().unwrap());
    log.expect(["check", "connect: cancelled"]);
    assert_eq!(handles(&lp), 0);
}

#[test]
fn a_cancelled_connect_has_its_place_among_the_closing_handles_the_last_first() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (_server, address) = server();
    let [early, late] = ["early", "late"].map(|name| {
        let timer = Timer::new();
        timer.closed().callback(outcome(&log, name));
        timer
    });
    let one = TcpStream::connect(address).callback(outcome(&log, "one"));
    let other = TcpStream::connect(address).callback(outcome(&log, "other"));
    early.close();
    assert!(other.cancel());
    late.close();
    assert!(one.cancel());
    lp.run().unwrap();
    log.expect(["one: cancelled", "late", "other: cancelled", "early"]);
}

#[test]
fn one_of_two_connects_is_cancelled_and_the_other_goes_on() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (_server, address) = server();
    let one = TcpStream::connect(address).callback(outcome(&log, "one"));
    TcpStream::connect(address).callback(outcome(&log, "other"));
    assert!(one.cancel());
    lp.run().unwrap();
    log.expect(["other", "one: cancelled"]);
}

#[test]
fn the_second_of_several_addresses_is_cancelled_while_it_is_tried() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = server();
    let id = TcpStream::connect(&[nobody(), address][..]).callback(outcome(&log, "connect"));
    server.set_nonblocking(true).unwrap();
    let mut peer = loop {
        match server.accept() {
            Ok((peer, _)) => break peer,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        lp.run_once().unwrap();
    };
    peer.set_nonblocking(false).unwrap();
    assert!(id.cancel());
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    lp.run().unwrap();
    log.expect(["connect: cancelled"]);
}

#[test]
fn a_task_that_awaits_a_connect_is_told_when_it_is_cancelled_by_name() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (_server, address) = server();
    let request = TcpStream::connect(address);
    let id = request.id();
    assert_eq!(request.id(), id, "it has one name");
    let told = outcome(&log, "connect");
    drop(spawn(async move { told(request.await) }));
    lp.next_tick(move || assert!(id.cancel()));
    lp.run().unwrap();
    log.expect(["connect: cancelled"]);
}

// --- when it does nothing ---

#[test]
fn a_connect_is_cancelled_once() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (_server, address) = server();
    let id = TcpStream::connect(address).callback(outcome(&log, "connect"));
    assert!(id.cancel());
    assert!(!id.cancel(), "while it is closing");
    lp.run().unwrap();
    assert!(!id.cancel(), "when it is closed");
    log.expect(["connect: cancelled"]);
}

#[test]
fn the_name_of_a_connect_that_was_given_up_otherwise_does_nothing() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (_server, address) = server();
    let request = TcpStream::connect(address);
    let id = request.id();
    assert!(request.cancel());
    assert!(!id.cancel(), "cancelled by the request");
    let request = TcpStream::connect(address);
    let id = request.id();
    drop(request);
    assert!(!id.cancel(), "dropped");
    let request = TcpStream::connect(address);
    let id = request.id();
    lp.walk(|handle| handle.close());
    assert!(!id.cancel() && !request.cancel(), "closed");
    assert!(!lp.run().unwrap());
}

#[test]
fn the_name_of_a_connect_that_is_done_does_nothing_to_its_stream() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = server();
    let (own, stream) = (name(), Rc::new(Cell::new(None)));
    own.set(Some(TcpStream::connect(address).callback({
        let (own, stream) = (own.clone(), stream.clone());
        move |connected| {
            assert!(!cancel(&own), "in its own callback");
            stream.set(Some(connected.unwrap()));
        }
    })));
    lp.run().unwrap();
    assert!(!cancel(&own));
    let stream = stream.take().unwrap();
    assert!(!stream.is_closing());
    stream.write("hello");
    stream.shutdown();
    lp.run().unwrap();
    let mut got = String::new();
    server.accept().unwrap().0.read_to_string(&mut got).unwrap();
    assert_eq!(got, "hello");
}

#[test]
fn the_name_of_a_connect_that_failed_does_nothing() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let own = name();
    own.set(Some(TcpStream::connect(nobody()).callback({
        let (own, told) = (own.clone(), outcome(&log, "connect"));
        move |connected: io::Result<TcpStream>| {
            assert!(!cancel(&own), "in its own callback");
            told(connected);
        }
    })));
    lp.run().unwrap();
    assert!(!cancel(&own));
    log.expect(["connect: ConnectionRefused"]);
    let at_once = TcpStream::connect("no address").callback(outcome(&log, "no address"));
    assert!(!at_once.cancel());
    lp.run().unwrap();
    log.expect(["no address: InvalidInput"]);
}

#[test]
fn a_name_of_the_past_does_not_meet_the_connect_that_took_its_place() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (_server, address) = server();
    let former = TcpStream::connect(address).callback(outcome(&log, "former"));
    assert!(former.cancel());
    lp.run().unwrap();
    let latter = TcpStream::connect(address).callback(outcome(&log, "latter"));
    assert_ne!(former, latter);
    assert!(!former.cancel());
    lp.run().unwrap();
    log.expect(["former: cancelled", "latter"]);
}

#[test]
fn the_names_of_a_connect_and_of_a_job_are_not_mixed_up() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (_server, address) = server();
    let connect = TcpStream::connect(address).callback(outcome(&log, "connect"));
    let job = fs::metadata("Cargo.toml").callback(outcome(&log, "job"));
    assert_ne!(connect, job);
    assert!(connect.cancel());
    lp.run().unwrap();
    let mut told = log.take();
    told.sort();
    assert_eq!(told, ["connect: cancelled", "job"]);
}

#[test]
fn another_thread_cancels_nothing() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (_server, address) = server();
    let id = TcpStream::connect(address).callback(outcome(&log, "connect"));
    assert!(!std::thread::spawn(move || id.cancel()).join().unwrap());
    lp.run().unwrap();
    log.expect(["connect"]);
}

// --- from inside of callbacks ---

#[test]
fn a_connects_callback_cancels_another_though_that_may_be_done_already() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (_server, address) = server();
    let names = [name(), name()];
    // Both are done in the same poll phase: the first that is told cancels the other.
    for (own, other) in [(0, 1), (1, 0)] {
        let (log, all) = (log.clone(), names.clone());
        let told = outcome(&log, "connect");
        names[own].set(Some(TcpStream::connect(address).callback(
            move |connected: io::Result<TcpStream>| {
                told(connected);
                log.push(cancel(&all[other]));
                assert!(!cancel(&all[own]), "in its own callback");
            },
        )));
    }
    set_immediate(log.mark("check"));
    lp.run().unwrap();
    log.expect(["connect", "true", "check", "connect: cancelled", "false"]);
}

#[test]
fn what_is_cancelled_in_the_closing_phase_is_told_in_the_next_one() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (_server, address) = server();
    let timer = Timer::new();
    timer.closed().callback({
        let log = log.clone();
        move |_| {
            let id = TcpStream::connect(address).callback(outcome(&log, "connect"));
            assert!(id.cancel());
            set_immediate(log.mark("check"));
        }
    });
    timer.close();
    lp.run().unwrap();
    log.expect(["check", "connect: cancelled"]);
}

// --- the loop's end ---

#[test]
fn a_loop_that_goes_drops_the_callback_uncalled_and_its_name_does_nothing() {
    for is_cancelled in [false, true] {
        let (lp, log, _guard) = start();
        let here = lp.enter();
        let (live, reference) = (Rc::default(), current());
        let (server, address) = server();
        let (counted, told) = (Counted::new(&live), outcome(&log, "connect"));
        let id = TcpStream::connect(address).callback(move |connected| {
            counted.touch();
            told(connected);
        });
        assert_eq!(is_cancelled && id.cancel(), is_cancelled);
        drop(here);
        drop(lp);
        accept_end(&server);
        assert!(!id.cancel(), "the loop is gone, though somebody refers to it");
        drop(reference);
        assert!(!id.cancel());
        assert_eq!(live.get(), 0);
        log.expect([]);
    }
}

#[test]
fn a_loop_that_waits_for_its_jobs_for_ever_does_not_wait_for_a_connect() {
    let _guard = Deadline::secs(20);
    let lp = Loop::builder().shutdown_timeout(Duration::MAX).build().unwrap();
    let here = lp.enter();
    let (_server, address) = server();
    let [_, cancelled] = [(); 2].map(|()| TcpStream::connect(address).callback(drop));
    assert!(cancelled.cancel());
    drop(here);
    drop(lp);
}

#[test]
fn a_connect_is_cancelled_while_its_loop_goes() {
    let (lp, log, _guard) = start();
    let here = lp.enter();
    let (server, address) = server();
    let live = Rc::default();
    let counted = Counted::new(&live);
    let id = TcpStream::connect(address).callback(move |_| counted.touch());
    let noting = log.clone();
    on_exit(move |_| {
        noting.push(id.cancel());
        accept_end(&server);
    });
    drop(here);
    drop(lp);
    assert_eq!(live.get(), 0);
    log.expect(["true"]);
}

#[test]
fn connects_that_were_named_leave_no_handle_and_no_callback() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = server();
    let live = Rc::default();
    for round in 0..200 {
        let counted = Counted::new(&live);
        let id = TcpStream::connect(address).callback(move |_| counted.touch());
        assert!(round % 2 == 0 || id.cancel());
        assert!(!lp.run().unwrap());
        accept_end(&server);
        assert!(!id.cancel());
        assert_eq!((live.get(), handles(&lp)), (0, 0));
    }
}
