//! Connecting to names and to several addresses, and the time that may take.
//!
//! `127.1` is no address to Rust, and a name to the crate; the system's resolver knows it as 127.0.0.1,
//! without asking anybody. A name with too long a part is refused by every resolver, without asking
//! either.
#![cfg(target_os = "linux")]

mod tcp_support;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpListener as Server};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use behaviour::{Deadline, EventLog, tell};
use runtime::net::{TcpListener, TcpStream};
use runtime::{
    Cancelled, Clock, Loop, LoopGone, RequestId, ms, secs, set_immediate, set_timeout, spawn,
};
use tcp_support::{
    BlackHole, Counted, assert_passed, child, child_argument, handles, nobody, open_descriptors,
    run_until,
};

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(30))
}

fn manual() -> (Loop, Clock, EventLog, Deadline) {
    let clock = Clock::manual();
    let lp = Loop::builder().clock(clock.clone()).build().unwrap();
    (lp, clock, EventLog::new(), Deadline::secs(30))
}

/// A server, and its port.
fn server() -> (Server, u16) {
    let server = Server::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let port = server.local_addr().unwrap().port();
    (server, port)
}

fn has_none(server: &Server) -> bool {
    server.accept().is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// Waits for the end of the connection that was made.
fn accept_end(server: &Server) {
    let (mut peer, _) = server.accept().unwrap();
    peer.set_nonblocking(false).unwrap();
    let read = peer.read(&mut [0]);
    assert!(read.is_ok_and(|read| read == 0));
}

fn unknown() -> String {
    format!("{}.invalid", "a".repeat(70))
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

// --- names ---

#[test]
fn a_name_is_looked_up_and_connected() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, port) = server();
    TcpStream::connect(("127.1", port)).callback(outcome(&log, "pair"));
    log.expect([]);
    assert!(lp.is_alive(), "while it is looked up");
    assert!(!lp.run().unwrap());
    TcpStream::connect(format!("127.1:{port}")).callback(outcome(&log, "text"));
    TcpStream::connect((String::from("127.1"), port)).callback(outcome(&log, "string"));
    lp.run().unwrap();
    let mut told = log.take();
    told[1..].sort();
    assert_eq!(told, ["pair", "string", "text"]);
    let here = server.local_addr().unwrap();
    let peer = lp.block_on(async { TcpStream::connect(("127.1", port)).await?.peer_addr() });
    assert_eq!(peer.unwrap(), here);
    drop(_here);
}

#[test]
fn a_lookup_and_its_connect_are_told_in_a_poll_phase() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (_server, port) = server();
    let is_done = Rc::new(Cell::new(false));
    let (note, done) = (log.clone(), is_done.clone());
    TcpStream::connect(("127.1", port)).callback(move |connected| {
        connected.unwrap();
        note.push("connected");
        set_immediate(note.mark("check"));
        set_timeout(ms(0), note.mark("timers"));
        done.set(true);
    });
    run_until(&mut lp, || is_done.get());
    lp.run().unwrap();
    log.expect(["connected", "check", "timers"]);
}

#[test]
fn a_name_that_nobody_knows_is_named_in_the_error() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let note = log.clone();
    TcpStream::connect((unknown(), 80)).callback(move |connected| {
        let text = connected.unwrap_err().to_string();
        assert!(text.starts_with(&format!("cannot resolve \"{}:80\": ", unknown())), "{text}");
        note.push("told");
    });
    log.expect([]);
    assert!(!lp.run().unwrap());
    log.expect(["told"]);
    let error = lp.block_on(TcpStream::connect((unknown(), 80))).unwrap_err();
    assert!(error.to_string().contains(&unknown()), "{error}");
    assert_eq!(handles(&lp), 0);
}

#[test]
fn a_name_at_which_nobody_listens_is_named_with_its_address() {
    let (mut lp, _, _guard) = start();
    let nobody = nobody();
    let name = format!("127.1:{}", nobody.port());
    let _here = lp.enter();
    let request = TcpStream::connect(name.as_str());
    let error = lp.block_on(request).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let text = format!("cannot connect to {name:?}: {nobody}: Connection refused (os error 111)");
    assert_eq!(error.to_string(), text);
    let source = error.get_ref().unwrap().source().unwrap();
    let source: &io::Error = source.downcast_ref().unwrap();
    assert_eq!(source.raw_os_error(), Some(111));
}

#[test]
fn bind_takes_no_names() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    for error in [
        TcpListener::bind("127.1:0").unwrap_err(),
        TcpListener::bind(("127.1", 0)).unwrap_err(),
        TcpListener::options().bind(String::from("127.1:0")).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("127.1"), "{error}");
    }
}

#[test]
fn names_do_not_wait_for_each_other() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (_server, port) = server();
    let done = Rc::new(Cell::new(0));
    for _ in 0..100 {
        let done = done.clone();
        TcpStream::connect(("127.1", port)).callback(move |connected| {
            connected.unwrap();
            done.set(done.get() + 1);
        });
    }
    assert!(!lp.run().unwrap());
    assert_eq!(done.get(), 100);
    assert_eq!(handles(&lp), 0);
}

// --- several addresses ---

#[test]
fn the_next_address_is_tried_after_250_ms_beside_the_one_that_does_not_answer() {
    let (mut lp, clock, log, _guard) = manual();
    let _here = lp.enter();
    let (hole, (server, _)) = (BlackHole::new(), server());
    let address = server.local_addr().unwrap();
    let note = log.clone();
    TcpStream::connect(&[hole.address, address][..])
        .callback(move |connected| note.push(connected.unwrap().peer_addr().unwrap()));
    lp.run_nowait().unwrap();
    clock.advance(ms(249));
    lp.run_nowait().unwrap();
    assert!(has_none(&server));
    clock.advance(ms(1));
    lp.run_nowait().unwrap();
    let (mut peer, _) = server.accept().unwrap();
    assert!(!lp.run().unwrap(), "the one that did not answer is given up");
    assert_eq!(log.take(), [address.to_string()]);
    assert_eq!(handles(&lp), 0);
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}

#[test]
fn the_next_address_is_tried_at_once_when_one_fails() {
    let (mut lp, _clock, log, _guard) = manual();
    let _here = lp.enter();
    let (server, port) = server();
    let addresses = [nobody(), nobody(), server.local_addr().unwrap(), nobody()];
    TcpStream::connect(&addresses[..]).callback(outcome(&log, "connected"));
    // The time stands still.
    lp.run().unwrap();
    log.expect(["connected"]);
    TcpStream::connect(format!("localhost:{port}")).callback(outcome(&log, "localhost"));
    lp.run().unwrap();
    log.expect(["localhost"]);
}

#[test]
fn a_failure_puts_the_next_address_but_one_off_by_250_ms_again() {
    let (mut lp, clock, _, _guard) = manual();
    let _here = lp.enter();
    let (hole, (server, _)) = (BlackHole::new(), server());
    let refusing = nobody();
    let request = TcpStream::connect(&[refusing, hole.address, server.local_addr().unwrap()][..]);
    clock.advance(ms(200));
    // Now the first one fails, and the second begins.
    lp.run_nowait().unwrap();
    clock.advance(ms(249));
    lp.run_nowait().unwrap();
    assert!(has_none(&server));
    clock.advance(ms(1));
    lp.run_nowait().unwrap();
    server.accept().unwrap();
    drop(request);
    assert!(!lp.run().unwrap());
}

#[test]
fn the_families_take_turns() {
    let (mut lp, clock, log, _guard) = manual();
    let _here = lp.enter();
    let Ok(v6) = Server::bind("[::1]:0") else { return tell("skipped: there is no IPv6 here") };
    let (hole, (v4, _)) = (BlackHole::new(), server());
    let addresses = [hole.address, v4.local_addr().unwrap(), v6.local_addr().unwrap()];
    let note = log.clone();
    TcpStream::connect(&addresses[..])
        .callback(move |connected| note.push(connected.unwrap().peer_addr().unwrap()));
    lp.run_nowait().unwrap();
    clock.advance(ms(250));
    lp.run().unwrap();
    assert_eq!(log.take(), [v6.local_addr().unwrap().to_string()]);
    assert!(has_none(&v4));
}

#[test]
fn when_some_fail_and_others_do_not_answer_it_waits_for_those() {
    let (mut lp, clock, log, _guard) = manual();
    let _here = lp.enter();
    let hole = BlackHole::new();
    let options = TcpStream::options().connect_timeout(secs(5));
    options.connect(&[hole.address, nobody()][..]).callback(outcome(&log, "connect"));
    lp.run_nowait().unwrap();
    clock.advance(ms(250));
    for _ in 0..5 {
        lp.run_nowait().unwrap();
    }
    log.expect([]);
    clock.advance(secs(5));
    assert!(!lp.run().unwrap());
    log.expect(["connect: TimedOut"]);
}

#[test]
fn one_address_in_a_list_is_one_address() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let nobody = nobody();
    let request = TcpStream::connect(&[nobody][..]);
    assert_eq!(lp.block_on(request).unwrap_err().raw_os_error(), Some(111));
}

// --- the time it may take ---

#[test]
fn a_connect_that_takes_too_long_fails_and_says_where() {
    let (mut lp, clock, log, _guard) = manual();
    let _here = lp.enter();
    let hole = BlackHole::new();
    let options = TcpStream::options().connect_timeout(ms(50));
    let note = log.clone();
    options.connect(hole.address).callback(move |connected| {
        let error = connected.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        note.push(error);
        set_immediate(note.mark("check"));
    });
    lp.run_nowait().unwrap();
    clock.advance(ms(49));
    lp.run_nowait().unwrap();
    log.expect([]);
    clock.advance(ms(1));
    assert!(!lp.run().unwrap());
    let text = format!("connecting to {} took longer than 50ms", hole.address);
    assert_eq!(log.take(), [text, "check".into()]);
    assert_eq!(handles(&lp), 0);
}

#[test]
fn a_task_is_told_that_the_time_is_up() {
    let (mut lp, clock, log, _guard) = manual();
    let _here = lp.enter();
    let hole = BlackHole::new();
    let request =
        TcpStream::options().connect_timeout(ms(300)).connect(&[hole.address, hole.address][..]);
    let told = outcome(&log, "connect");
    spawn(async move { told(request.await) });
    lp.run_nowait().unwrap();
    clock.advance(ms(250));
    lp.run_nowait().unwrap();
    assert_eq!(handles(&lp), 3, "the race and two attempts");
    clock.advance(ms(50));
    assert!(!lp.run().unwrap());
    log.expect(["connect: TimedOut"]);
}

#[test]
fn the_time_may_be_up_before_the_next_address_is_tried() {
    let (mut lp, clock, log, _guard) = manual();
    let _here = lp.enter();
    let (hole, (server, _)) = (BlackHole::new(), server());
    let addresses = [hole.address, server.local_addr().unwrap()];
    let options = TcpStream::options().connect_timeout(ms(100));
    options.connect(&addresses[..]).callback(outcome(&log, "connect"));
    lp.run_nowait().unwrap();
    clock.advance(ms(100));
    lp.run_nowait().unwrap();
    log.expect(["connect: TimedOut"]);
    assert!(!lp.run().unwrap());
    assert!(has_none(&server));
}

#[test]
fn the_time_counts_from_the_call_and_so_for_the_lookup_too() {
    let (mut lp, clock, log, _guard) = manual();
    let _here = lp.enter();
    let hole = BlackHole::new();
    let name = format!("127.1:{}", hole.address.port());
    let note = log.clone();
    TcpStream::options().connect_timeout(secs(1)).connect(name.as_str()).callback(
        move |connected| {
            note.push(connected.unwrap_err());
        },
    );
    clock.advance(secs(1));
    assert!(!lp.run().unwrap());
    assert_eq!(log.take(), [format!("connecting to {name:?} took longer than 1s")]);
}

#[test]
fn a_connect_in_time_has_nothing_to_do_with_the_limit_any_more() {
    let (mut lp, clock, log, _guard) = manual();
    let _here = lp.enter();
    let (server, port) = server();
    let streams = Rc::new(RefCell::new(Vec::new()));
    let options = TcpStream::options().connect_timeout(ms(50));
    for name in ["127.0.0.1", "127.1"] {
        let streams = streams.clone();
        options.connect((name, port)).callback(move |connected| {
            streams.borrow_mut().push(connected.unwrap());
        });
    }
    assert!(!lp.run().unwrap(), "no timer is left");
    clock.advance(secs(1));
    lp.run().unwrap();
    assert!(streams.borrow().iter().all(|stream| !stream.is_closing()));
    assert_eq!(streams.borrow().len(), 2);
    server.accept().unwrap();
    // What fails in time fails as it does without a limit.
    options.connect(nobody()).callback(outcome(&log, "refused"));
    lp.run().unwrap();
    log.expect(["refused: ConnectionRefused"]);
}

#[test]
fn a_race_that_is_over_leaves_no_deadline() {
    let (mut lp, _clock, log, _guard) = manual();
    let _here = lp.enter();
    let (server, port) = server();
    let waiting = TcpListener::bind("127.0.0.1:0").unwrap();
    waiting.listen(|_, _| ());
    let here = server.local_addr().unwrap();
    let options = TcpStream::options().connect_timeout(secs(5));
    for request in [
        TcpStream::connect(&[here, here][..]),
        options.connect(here),
        options.connect(("127.1", port)),
        options.connect(&[nobody(), nobody()][..]),
    ] {
        let note = log.clone();
        request.callback(move |_| note.push("told"));
    }
    drop(options.connect(here));
    let mut told = 0;
    while told < 4 {
        lp.run_once().unwrap();
        told += log.take().len();
    }
    lp.run_nowait().unwrap();
    assert_eq!(lp.backend_timeout(), None, "nothing but an event ends the wait");
    waiting.close();
    lp.run().unwrap();
}

// --- giving it up ---

fn name() -> Rc<Cell<Option<RequestId>>> {
    Rc::default()
}

#[test]
fn a_lookup_is_cancelled_by_its_name() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, port) = server();
    let id = TcpStream::connect(("127.1", port)).callback(outcome(&log, "connect"));
    assert!(id.cancel());
    assert!(!id.cancel(), "once");
    log.expect([]);
    set_immediate(log.mark("check"));
    assert!(!lp.run().unwrap());
    log.expect(["check", "connect: cancelled"]);
    assert!(has_none(&server));
    assert!(!id.cancel());
    assert_eq!(handles(&lp), 0);
}

#[test]
fn a_race_is_cancelled_with_all_its_sockets() {
    let (mut lp, clock, log, _guard) = manual();
    let _here = lp.enter();
    let (hole, (server, _)) = (BlackHole::new(), server());
    let addresses = [hole.address, server.local_addr().unwrap(), nobody()];
    let id = TcpStream::connect(&addresses[..]).callback(outcome(&log, "connect"));
    lp.run_nowait().unwrap();
    clock.advance(ms(250));
    // The second address is tried at the end of this iteration, and connected unknown to the loop.
    lp.run_nowait().unwrap();
    log.expect([]);
    assert!(id.cancel());
    accept_end(&server);
    assert!(!lp.run().unwrap());
    log.expect(["connect: cancelled"]);
    assert_eq!(handles(&lp), 0);
}

#[test]
fn a_request_that_is_dropped_gives_lookup_and_race_up() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, port) = server();
    let address = server.local_addr().unwrap();
    drop(TcpStream::connect(("127.1", port)));
    drop(TcpStream::connect(&[address, address][..]));
    accept_end(&server);
    assert!(!lp.run().unwrap());
    assert!(has_none(&server));
    assert_eq!(handles(&lp), 0);
}

#[test]
fn a_future_that_is_dropped_after_a_poll_gives_it_up() {
    let (mut lp, _, _guard) = start();
    let (server, port) = server();
    lp.block_on(async {
        for name in ["127.1", "127.0.0.1", "localhost"] {
            let mut connect = pin!(TcpStream::connect((name, port)));
            std::future::poll_fn(|cx| {
                assert!(connect.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
        }
    });
    assert!(!lp.run().unwrap());
    assert_eq!(handles(&lp), 0);
    accept_end(&server);
    accept_end(&server);
    assert!(has_none(&server), "what was looked up was not connected to");
}

#[test]
fn closing_what_walk_shows_ends_a_race_as_cancelled() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (_server, port) = server();
    let request = TcpStream::connect(("127.1", port));
    let id = request.id();
    request.callback(outcome(&log, "name"));
    let hole = BlackHole::new();
    TcpStream::connect(&[hole.address, hole.address][..]).callback(outcome(&log, "race"));
    lp.walk(|handle| handle.close());
    assert!(!id.cancel());
    assert!(!lp.run().unwrap());
    let mut told = log.take();
    told.sort();
    assert_eq!(told, ["name: cancelled", "race: cancelled"]);
}

#[test]
fn an_attempt_that_is_closed_from_outside_has_failed() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (hole, (server, _)) = (BlackHole::new(), server());
    let addresses = [hole.address, server.local_addr().unwrap()];
    TcpStream::connect(&addresses[..]).callback(outcome(&log, "connect"));
    let mut seen = 0;
    lp.walk(|handle| {
        seen += 1;
        if seen == 2 {
            handle.close();
        }
    });
    lp.run().unwrap();
    log.expect(["connect"]);
}

#[test]
fn connects_are_started_and_cancelled_in_their_own_callbacks() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (_server, port) = server();
    let (own, other) = (name(), name());
    let hole = BlackHole::new();
    other.set(Some(
        TcpStream::connect(&[hole.address, hole.address][..]).callback(outcome(&log, "other")),
    ));
    own.set(Some(TcpStream::connect(("127.1", port)).callback({
        let (own, log) = (own.clone(), log.clone());
        move |connected: io::Result<TcpStream>| {
            log.push(connected.is_ok());
            assert!(!own.get().unwrap().cancel());
            assert!(other.get().unwrap().cancel());
            TcpStream::connect(("127.1", port)).callback(outcome(&log, "next"));
        }
    })));
    assert!(!lp.run().unwrap());
    log.expect(["true", "other: cancelled", "next"]);
}

#[test]
fn an_error_of_the_callback_ends_the_run_and_nothing_else() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (_server, port) = server();
    TcpStream::connect(("127.1", port))
        .callback(|connected| -> runtime::Result { Err(format!("{}", connected.is_ok()).into()) });
    assert_eq!(lp.run().unwrap_err().to_string(), "true");
    TcpStream::connect(("127.1", port)).callback(outcome(&log, "next"));
    assert!(!lp.run().unwrap());
    log.expect(["next"]);
    assert_eq!(handles(&lp), 0);
}

#[test]
fn a_loop_that_goes_closes_the_sockets_and_drops_the_callbacks_uncalled() {
    let (lp, log, _guard) = start();
    let here = lp.enter();
    let live = Rc::default();
    let (server, port) = server();
    let address = server.local_addr().unwrap();
    for request in [
        TcpStream::connect(("127.1", port)),
        TcpStream::connect(&[address, address][..]),
        TcpStream::options().connect_timeout(secs(1)).connect(address),
    ] {
        let (counted, told) = (Counted::new(&live), outcome(&log, "connect"));
        request.callback(move |connected| {
            counted.touch();
            told(connected);
        });
    }
    let kept = TcpStream::connect(&[address, address][..]);
    drop(here);
    drop(lp);
    assert_eq!(live.get(), 0);
    log.expect([]);
    (0..3).for_each(|_| accept_end(&server));
    let error = futures_lite::future::block_on(kept).unwrap_err();
    assert!(LoopGone::is_in(&error), "{error}");
}

#[test]
fn a_loop_that_waits_for_its_jobs_for_ever_ends_when_the_lookup_does() {
    let _guard = Deadline::secs(30);
    let lp = Loop::builder().shutdown_timeout(Duration::MAX).build().unwrap();
    let here = lp.enter();
    TcpStream::connect(("127.1", 9)).callback(drop);
    drop(here);
    drop(lp);
}

#[test]
fn a_thousand_races_leave_no_descriptor() {
    let name = "a_thousand_races_leave_no_descriptor";
    if child_argument().is_none() {
        return assert_passed(&child("exec", name, "yes"));
    }
    let _guard = Deadline::secs(60);
    let nobody = [(); 2].map(|()| nobody());
    let outside = open_descriptors();
    {
        let mut lp = Loop::new().unwrap();
        let (server, port) = server();
        let address: SocketAddr = server.local_addr().unwrap();
        // The pool's threads and the resolver come first: what they keep is not counted.
        lp.block_on(async { TcpStream::connect(("127.1", port)).await }).unwrap();
        drop(server.accept());
        lp.run().unwrap();
        let inside = open_descriptors();
        lp.block_on(async {
            let hole = BlackHole::new();
            for round in 0..1000 {
                match round % 5 {
                    0 => drop(TcpStream::connect(("127.1", port)).await.unwrap()),
                    1 => drop(TcpStream::connect(&[nobody[0], address][..]).await.unwrap()),
                    2 => drop(TcpStream::connect(&[hole.address, hole.address][..])),
                    3 => drop(TcpStream::connect(("127.1", port))),
                    _ => drop(TcpStream::connect(&nobody[..]).await.unwrap_err()),
                }
                while server.accept().is_ok() {}
            }
        });
        assert!(!lp.run().unwrap());
        while server.accept().is_ok() {}
        assert_eq!(open_descriptors(), inside);
        assert_eq!(handles(&lp), 0);
    }
    assert_eq!(open_descriptors(), outside);
}
