//! How many connections of a listener live at a time.

mod tcp_support;

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream as Peer};
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use futures_lite::StreamExt;
use runtime::net::{Dropped, TcpListener, TcpStream};
use runtime::{Loop, ms, on_uncaught, set_immediate, set_timeout, spawn};
use tcp_support::{Counted, handles, run_until};

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(30))
}

fn listener(most: usize) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_max_connections(most);
    let address = listener.local_addr().unwrap();
    (listener, address)
}

type Streams = Rc<RefCell<Vec<TcpStream>>>;

/// Keeps what a listener accepts by callback.
fn keep(server: &TcpListener) -> Streams {
    let streams = Streams::default();
    let kept = streams.clone();
    server.listen(move |_, stream| kept.borrow_mut().push(stream));
    streams
}

/// Keeps what a task accepts.
fn keep_by_task(server: &TcpListener) -> Streams {
    let streams = Streams::default();
    let (kept, server) = (streams.clone(), server.clone());
    spawn(async move {
        while let Ok((stream, _)) = server.accept().await {
            kept.borrow_mut().push(stream);
        }
    });
    streams
}

/// Notes who was dropped.
fn drops(server: &TcpListener) -> Rc<RefCell<Vec<Dropped>>> {
    let drops = Rc::new(RefCell::new(Vec::new()));
    let noted = drops.clone();
    server.on_drop(move |_, dropped| noted.borrow_mut().push(dropped));
    drops
}

fn is_over(peer: &mut Peer) -> bool {
    match peer.read(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// Runs the loop until nothing happens any more.
fn settle(lp: &mut Loop) {
    let over = Rc::new(Cell::new(false));
    let timer = over.clone();
    lp.set_timeout(ms(10), move || timer.set(true));
    run_until(lp, || over.get());
}

/// One story for both faces.
fn closes_what_is_too_much(keep: fn(&TcpListener) -> Streams) {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = listener(2);
    let (streams, drops) = (keep(&server), drops(&server));
    let _peers = [(); 2].map(|()| Peer::connect(address).unwrap());
    let mut late = [(); 3].map(|()| Peer::connect(address).unwrap());
    run_until(&mut lp, || drops.borrow().len() == 3);
    assert_eq!((streams.borrow().len(), server.connections()), (2, 2));
    for (dropped, peer) in drops.borrow().iter().zip(&mut late) {
        assert_eq!(dropped.local_addr, address);
        assert_eq!(dropped.peer_addr, peer.local_addr().unwrap());
        assert!(is_over(peer));
    }
    // A place that is free is taken by the next.
    streams.borrow_mut().pop().unwrap().close();
    settle(&mut lp);
    assert_eq!(server.connections(), 1);
    let _next = Peer::connect(address).unwrap();
    run_until(&mut lp, || streams.borrow().len() == 2);
    let mut late = Peer::connect(address).unwrap();
    run_until(&mut lp, || drops.borrow().len() == 4);
    assert!(is_over(&mut late));
    server.close();
    streams.borrow_mut().clear();
    assert!(!lp.run().unwrap());
    assert_eq!((handles(&lp), server.connections()), (0, 0));
}

#[test]
fn a_callback_listener_closes_what_is_too_much_and_says_so() {
    closes_what_is_too_much(keep);
}

#[test]
fn a_task_that_accepts_never_sees_what_is_too_much() {
    closes_what_is_too_much(keep_by_task);
}

#[test]
fn incoming_never_sees_what_is_too_much() {
    closes_what_is_too_much(|server| {
        let streams = Streams::default();
        let (kept, mut incoming) = (streams.clone(), server.incoming());
        spawn(async move {
            while let Some(stream) = incoming.next().await {
                kept.borrow_mut().push(stream.unwrap());
            }
        });
        streams
    });
}

#[test]
fn drops_are_told_in_the_poll_phase_to_a_listener_and_in_the_pending_phase_to_a_task() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = listener(0);
    let note = log.clone();
    server.on_drop(move |_, _| {
        note.push("drop");
        set_immediate(note.mark("check"));
        set_timeout(ms(0), note.mark("timers"));
    });
    let streams = keep(&server);
    let _peer = Peer::connect(address).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["drop", "check"]);
    server.close();
    lp.run().unwrap();
    log.expect(["timers"]);
    assert!(streams.borrow().is_empty());

    let (server, address) = listener(0);
    let note = log.clone();
    server.on_drop(move |_, _| note.push("drop"));
    let _peer = Peer::connect(address).unwrap();
    let accepting = server.clone();
    spawn(async move { drop(accepting.accept().await) });
    lp.run_nowait().unwrap();
    log.expect(["drop"]);
    server.close();
    lp.run().unwrap();
}

#[test]
fn every_way_to_end_frees_the_place() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = listener(100);
    let streams = keep(&server);
    let mut peers: Vec<_> = (0..6).map(|_| Peer::connect(address).unwrap()).collect();
    run_until(&mut lp, || streams.borrow().len() == 6);
    assert_eq!(server.connections(), 6);
    let all: Vec<_> = streams.take();
    let [closed, dropped, reset, ended, handed, failed] = all.try_into().unwrap();
    let mut expected = 6;
    let mut expect_one_less = |lp: &mut Loop| {
        settle(lp);
        expected -= 1;
        assert_eq!(server.connections(), expected);
    };
    closed.close();
    closed.close();
    expect_one_less(&mut lp);
    drop(dropped);
    expect_one_less(&mut lp);
    reset.reset().unwrap();
    expect_one_less(&mut lp);
    // Both directions have ended.
    ended.read_start(|stream, data| {
        if data.is_ok_and(<[u8]>::is_empty) {
            stream.shutdown();
        }
    });
    peers.remove(3).shutdown(std::net::Shutdown::Write).unwrap();
    expect_one_less(&mut lp);
    assert!(ended.is_closing());
    let _elsewhere = handed.into_std().unwrap();
    expect_one_less(&mut lp);
    failed.read_start(|_, _| ());
    tcp_support::reset(peers.pop().unwrap());
    expect_one_less(&mut lp);
    assert!(failed.is_closing());
    assert_eq!(server.connections(), 0);
    server.close();
}

#[test]
fn the_limit_is_changed_and_taken_away_while_connections_live() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    assert_eq!((server.max_connections(), server.connections()), (None, 0));
    server.set_max_connections(None);
    let (streams, drops) = (keep(&server), drops(&server));
    let mut peers = vec![Peer::connect(address).unwrap()];
    run_until(&mut lp, || streams.borrow().len() == 1);
    assert_eq!(server.connections(), 0, "who came before there was a limit does not count");
    server.set_max_connections(3);
    assert_eq!(server.max_connections(), Some(3));
    peers.extend((0..3).map(|_| Peer::connect(address).unwrap()));
    run_until(&mut lp, || streams.borrow().len() == 4);
    server.set_max_connections(1);
    peers.push(Peer::connect(address).unwrap());
    run_until(&mut lp, || drops.borrow().len() == 1);
    assert_eq!(server.connections(), 3, "who is there stays");
    server.set_max_connections(None);
    peers.push(Peer::connect(address).unwrap());
    run_until(&mut lp, || streams.borrow().len() == 5);
    assert_eq!(server.connections(), 3);
    streams.borrow_mut().clear();
    settle(&mut lp);
    assert_eq!(server.connections(), 0);
    server.close();
}

#[test]
fn the_drop_callback_replaces_itself_lifts_the_limit_and_closes() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let live = Rc::new(Cell::new(0));
    let (server, address) = listener(0);
    let streams = keep(&server);
    let (note, counted) = (log.clone(), Counted::new(&live));
    server.on_drop(move |server, _| {
        counted.touch();
        note.push("first");
        let (note, counted) = (note.clone(), Counted::new(&Rc::new(Cell::new(0))));
        server.on_drop(move |server, _| {
            counted.touch();
            note.push("second");
            server.set_max_connections(1);
        });
    });
    let _peers = [(); 3].map(|()| Peer::connect(address).unwrap());
    run_until(&mut lp, || streams.borrow().len() == 1);
    log.expect(["first", "second"]);
    assert_eq!(live.get(), 0, "the first is gone");
    let note = log.clone();
    server.on_drop(move |server, _| {
        note.push("close");
        server.close();
        server.on_drop(|_, _| ());
    });
    let _peers = [(); 2].map(|()| Peer::connect(address).unwrap());
    streams.borrow()[0].unref();
    lp.run().unwrap();
    log.expect(["close"]);
}

#[test]
fn an_error_and_a_panic_of_the_drop_callback_lose_no_other_drop() {
    for keep in [keep, keep_by_task] {
        let (mut lp, log, _guard) = start();
        let _here = lp.enter();
        let note = log.clone();
        on_uncaught(move |error| note.push(error));
        let (server, address) = listener(0);
        let _streams = keep(&server);
        let count = Cell::new(0);
        server.on_drop(move |server, _| -> runtime::Result {
            count.set(count.get() + 1);
            match count.get() {
                1 => Err("one".into()),
                2 => panic!("two"),
                _ => {
                    server.close();
                    Ok(())
                }
            }
        });
        let _peers = [(); 3].map(|()| Peer::connect(address).unwrap());
        lp.run().unwrap();
        log.expect(["one", "two"]);
    }
}

#[test]
fn a_flood_over_the_limit_lets_others_run() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = listener(1);
    let (streams, turns) = (keep_by_task(&server), Rc::new(Cell::new(0)));
    let drops = drops(&server);
    let _peers: Vec<_> = (0..300).map(|_| Peer::connect(address).unwrap()).collect();
    let counted = turns.clone();
    spawn(async move {
        loop {
            runtime::yield_now().await;
            counted.set(counted.get() + 1);
        }
    });
    run_until(&mut lp, || drops.borrow().len() == 299);
    assert_eq!(streams.borrow().len(), 1);
    assert!(turns.get() >= 2, "128 operations a poll");
}

#[test]
fn a_loop_that_goes_drops_the_callback() {
    let (lp, _, _guard) = start();
    let here = lp.enter();
    let live = Rc::default();
    let (server, address) = listener(0);
    let (counted, own) = (Counted::new(&live), server.clone());
    server.on_drop(move |_, _| {
        counted.touch();
        own.close();
    });
    let _streams = keep_by_task(&server);
    let _peer = Peer::connect(address).unwrap();
    drop(here);
    drop(lp);
    assert_eq!(live.get(), 0);
    server.set_max_connections(5);
    server.on_drop(|_, _| ());
}
