//! TCP listeners: callbacks, tasks, the end of either, and what happens without descriptors.

mod tcp_support;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream as Peer};
use std::pin::pin;
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use futures_lite::StreamExt;
use futures_lite::future::{or, zip};
use runtime::net::{TcpListener, TcpStream};
use runtime::{Closed, Loop, ms, on_uncaught, set_immediate, set_timeout, spawn};
use socket2::{Domain, Socket, Type};
use tcp_support::{Counted, assert_passed, child, child_argument, is_already, run_until};

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(30))
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn a_listener_calls_back_with_one_connection_an_iteration() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = listener();
    let _peers: Vec<_> = (0..5).map(|_| Peer::connect(address).unwrap()).collect();
    let accepted = Rc::new(RefCell::new(Vec::new()));
    let kept = accepted.clone();
    server.listen(move |_, socket| kept.borrow_mut().push(socket));
    for expected in [1, 2, 3, 4, 5, 5] {
        lp.run_nowait().unwrap();
        assert_eq!(accepted.borrow().len(), expected);
    }
    server.close();
}

#[test]
fn a_connection_waits_in_the_system_until_somebody_accepts() {
    let (mut lp, _, _guard) = start();
    let (server, address) = {
        let _here = lp.enter();
        listener()
    };
    let mut peer = Peer::connect(address).unwrap();
    peer.write_all(b"early").unwrap();
    assert!(!lp.run().unwrap(), "a listener that nobody listens on is not active");
    lp.block_on(async {
        let (socket, from) = server.accept().await.unwrap();
        assert_eq!(from, peer.local_addr().unwrap());
        assert_eq!(socket.peer_addr().unwrap(), from);
        assert_eq!(socket.read_with(<[u8]>::len).await.unwrap(), 5);
    });
}

#[test]
fn a_listening_callback_outlives_the_handle_and_ends_with_close() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let live = Rc::default();
    let address = {
        let (server, address) = listener();
        let (counted, log) = (Counted::new(&live), log.clone());
        server.listen(move |server, _| {
            counted.touch();
            log.push("connection");
            server.close();
            assert!(server.local_addr().is_err_and(|error| Closed::is_in(&error)));
        });
        address
    };
    let _peer = Peer::connect(address).unwrap();
    assert!(!lp.run().unwrap());
    log.expect(["connection"]);
    assert_eq!(live.get(), 0);
    assert_eq!(Peer::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_listener_that_only_waits_for_a_callback_does_not_end_the_loop_unless_unreferenced() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, _) = listener();
    server.listen(|_, _| ());
    assert!(lp.is_alive());
    server.unref();
    assert!(!lp.run().unwrap());
}

#[test]
fn listen_may_be_replaced_from_its_own_callback() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = listener();
    let _peers = [(); 2].map(|()| Peer::connect(address).unwrap());
    let note = log.clone();
    server.listen(move |server, _| {
        note.push("first");
        let note = note.clone();
        server.listen(move |server, _| {
            note.push("second");
            server.close();
        });
    });
    lp.run().unwrap();
    log.expect(["first", "second"]);
}

#[test]
fn a_panic_in_the_callback_does_not_stop_the_listener() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let note = log.clone();
    on_uncaught(move |error| note.push(error));
    let (server, address) = listener();
    let _peers = [(); 3].map(|()| Peer::connect(address).unwrap());
    let count = Cell::new(0);
    server.listen(move |server, _| {
        count.set(count.get() + 1);
        if count.get() == 3 {
            server.close();
        }
        panic!("number {}", count.get());
    });
    lp.run().unwrap();
    log.expect(["number 1", "number 2", "number 3"]);
}

#[test]
fn a_dropped_connection_is_closed() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = listener();
    let mut peer = Peer::connect(address).unwrap();
    server.listen(|server, _| server.close());
    lp.run().unwrap();
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}

// --- tasks ---

#[test]
fn an_accepting_task_takes_all_that_wait_in_one_iteration() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = listener();
    let _peers: Vec<_> = (0..5).map(|_| Peer::connect(address).unwrap()).collect();
    let accepted = Rc::new(Cell::new(0));
    let (accepting, count) = (server.clone(), accepted.clone());
    spawn(async move {
        while accepting.accept().await.is_ok() {
            count.set(count.get() + 1);
        }
    });
    lp.run_nowait().unwrap();
    assert_eq!(accepted.get(), 5);
    server.close();
    assert!(!lp.run().unwrap());
}

#[test]
fn after_connections_that_came_one_by_one_a_task_waits_for_each_of_many_at_first() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = listener();
    let accepted = Rc::new(Cell::new(0));
    let (accepting, count) = (server.clone(), accepted.clone());
    spawn(async move {
        while accepting.accept().await.is_ok() {
            count.set(count.get() + 1);
        }
    });
    lp.run_nowait().unwrap();
    let _one = Peer::connect(address).unwrap();
    run_until(&mut lp, || accepted.get() == 1);
    let _peers: Vec<_> = (0..40).map(|_| Peer::connect(address).unwrap()).collect();
    lp.run_nowait().unwrap();
    assert_eq!(accepted.get(), 2, "to ask for another was in vain before");
    run_until(&mut lp, || accepted.get() == 33);
    lp.run_nowait().unwrap();
    assert_eq!(accepted.get(), 41, "and is worth it now");
    server.close();
    assert!(!lp.run().unwrap());
}

#[test]
fn several_accepting_tasks_share_the_connections() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = listener();
    let (accepted, ended) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    for _ in 0..3 {
        let (server, accepted, ended) = (server.clone(), accepted.clone(), ended.clone());
        spawn(async move {
            while server.accept().await.is_ok() {
                accepted.set(accepted.get() + 1);
            }
            ended.set(ended.get() + 1);
        });
    }
    lp.run_nowait().unwrap();
    for round in 1..=4 {
        let _peers = [(); 2].map(|()| Peer::connect(address).unwrap());
        run_until(&mut lp, || accepted.get() == 2 * round);
    }
    server.close();
    lp.run().unwrap();
    assert_eq!(ended.get(), 3);
}

#[test]
fn closing_ends_accept_and_incoming() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = listener();
    let _peer = Peer::connect(address).unwrap();
    let (incoming, note) = (server.incoming(), log.clone());
    spawn(async move {
        let mut incoming = incoming;
        while let Some(socket) = incoming.next().await {
            socket.unwrap();
            note.push("connection");
        }
        note.push("end of incoming");
    });
    let (accepting, note) = (server.clone(), log.clone());
    lp.run_nowait().unwrap();
    spawn(async move {
        let error = accepting.accept().await.unwrap_err();
        note.push(format!("accept: closed {}", Closed::is_in(&error)));
    });
    lp.run_nowait().unwrap();
    server.close();
    lp.run().unwrap();
    log.expect(["connection", "end of incoming", "accept: closed true"]);
    lp.block_on(async {
        assert!(server.incoming().next().await.is_none());
        assert!(Closed::is_in(&server.accept().await.unwrap_err()));
    });
}

#[test]
fn accept_while_a_callback_listens_is_ealready_and_listening_ends_a_waiting_accept() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = listener();
    let (accepting, note) = (server.clone(), log.clone());
    spawn(async move {
        note.push(is_already(&accepting.accept().await.unwrap_err()));
    });
    lp.run_nowait().unwrap();
    log.expect([]);
    let note = log.clone();
    server.listen(move |server, _| {
        note.push("callback");
        server.close();
    });
    lp.run_nowait().unwrap();
    log.expect(["true"]);
    lp.block_on(async { assert!(is_already(&server.accept().await.unwrap_err())) });
    let _peer = Peer::connect(address).unwrap();
    lp.run().unwrap();
    log.expect(["callback"]);
}

#[test]
fn a_dropped_accept_or_incoming_keeps_nothing_alive_and_loses_no_connection() {
    let (mut lp, _, _guard) = start();
    let (server, address) = {
        let _here = lp.enter();
        listener()
    };
    lp.block_on(async {
        or(async { drop(server.accept().await) }, runtime::yield_now()).await;
        let mut incoming = server.incoming();
        or(async { drop(incoming.next().await) }, runtime::yield_now()).await;
    });
    assert!(!lp.is_alive());
    let _peer = Peer::connect(address).unwrap();
    lp.block_on(async { server.accept().await.unwrap() });
}

#[test]
fn dropping_a_clone_of_incoming_leaves_the_other_waiting() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (server, address) = listener();
        let mut incoming = server.incoming();
        {
            let mut next = pin!(incoming.next());
            assert!(futures_lite::future::poll_once(next.as_mut()).await.is_none());
        }
        drop(incoming.clone());
        let (socket, _peer) = zip(incoming.next(), async {
            runtime::yield_now().await;
            Peer::connect(address).unwrap()
        })
        .await;
        socket.unwrap().unwrap();
    });
}

#[test]
fn an_accept_loop_lets_others_run_while_connections_flood_in() {
    let (mut lp, _, _guard) = start();
    let turns = Rc::new(Cell::new(0));
    lp.block_on(async {
        let (server, address) = listener();
        let _peers: Vec<_> = (0..300).map(|_| Peer::connect(address).unwrap()).collect();
        let counted = turns.clone();
        spawn(async move {
            loop {
                runtime::yield_now().await;
                counted.set(counted.get() + 1);
            }
        });
        for _ in 0..300 {
            server.accept().await.unwrap();
        }
    });
    assert!(turns.get() >= 2, "128 operations a poll");
}

#[test]
fn an_address_in_use_is_an_error_of_bind() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = listener();
    assert_eq!(TcpListener::bind(address).unwrap_err().kind(), ErrorKind::AddrInUse);
    // Of several addresses the first that can be had is taken.
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let second = TcpListener::bind(&[address, any][..]).unwrap();
    assert_ne!(second.local_addr().unwrap(), address);
    server.close();
    TcpListener::bind(address).unwrap();
}

#[test]
fn from_std_takes_a_listener_over() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = TcpListener::from_std(listener).unwrap();
        let _peer = Peer::connect(server.local_addr().unwrap()).unwrap();
        server.accept().await.unwrap();
    });
}

/// As one that another owner of its socket has shut down.
#[test]
#[cfg(unix)]
fn a_socket_that_does_not_listen_is_told_once_and_does_not_spin_until_it_does() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let server = TcpListener::from_std(socket.try_clone().unwrap().into()).unwrap();
    let notes = [log.clone(), log.clone()];
    let [note_connection, note_error] = notes;
    server.listen(move |server, _| {
        note_connection.push("connection");
        server.close();
    });
    server.on_error(move |_, error| note_error.push(format!("{:?}", error.kind())));
    let is_over = Rc::new(Cell::new(false));
    let over = is_over.clone();
    set_timeout(ms(350), move || over.set(true));
    let mut iterations = 0;
    while !is_over.get() {
        lp.run_once().unwrap();
        iterations += 1;
    }
    assert!(iterations < 30, "{iterations} iterations");
    log.expect(["InvalidInput"]);
    socket.listen(8).unwrap();
    let _peer = Peer::connect(server.local_addr().unwrap()).unwrap();
    assert!(!lp.run().unwrap());
    log.expect(["connection"]);
}

#[test]
fn a_listener_of_a_loop_that_is_gone_says_so() {
    let (lp, log, _guard) = start();
    let here = lp.enter();
    let live = Rc::default();
    let (server, address) = listener();
    let (counted, own, note) = (Counted::new(&live), server.clone(), log.clone());
    server.listen(move |_, _| {
        counted.touch();
        note.push(own.is_active());
    });
    let _peer = Peer::connect(address).unwrap();
    drop(here);
    drop(lp);
    assert_eq!(live.get(), 0);
    assert_eq!(server.local_addr().unwrap_err().kind(), ErrorKind::NotConnected);
    server.listen(|_, _| ());
    log.expect([]);
    assert!(Peer::connect(address).is_err());
}

// --- no descriptors left ---

/// Opens files until there is no descriptor left, and keeps them.
fn exhaust() -> Vec<File> {
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    assert!(!files.is_empty());
    files
}

fn assert_shed(peer: &mut Peer) {
    let read = peer.read(&mut [0]);
    let is_over = match &read {
        Ok(read) => *read == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    };
    assert!(is_over, "accepted and closed: {read:?}");
}

/// Runs the loop for a while: until a timer is due.
fn run_for(lp: &mut Loop, millis: u64) -> u64 {
    let before = lp.metrics().iterations;
    let over = Rc::new(Cell::new(false));
    let timer = over.clone();
    lp.set_timeout(ms(millis), move || timer.set(true));
    run_until(lp, || over.get());
    lp.metrics().iterations - before
}

/// One story for both faces; `accept` installs what accepts, and puts the connections in a list.
fn without_descriptors(accept: fn(&TcpListener, Rc<RefCell<Vec<TcpStream>>>)) {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = listener();
    let accepted = Rc::new(RefCell::new(Vec::new()));
    accept(&server, accepted.clone());
    let note = log.clone();
    server.on_error(move |_, error| note.push(format!("{:?}", error.raw_os_error())));
    const EMFILE: i32 = 24;
    let report = Some(EMFILE);
    // A connection from before.
    let mut old = Peer::connect(address).unwrap();
    run_until(&mut lp, || accepted.borrow().len() == 1);
    accepted.borrow()[0].read_start(|stream, data| {
        stream.write(data.unwrap());
    });
    for _episode in 0..2 {
        let connections = accepted.borrow().len();
        let mut waiting = [(); 5].map(|()| Peer::connect(address).unwrap());
        let mut files = exhaust();
        assert!(run_for(&mut lp, 30) < 30, "the loop spins");
        assert_eq!(log.take(), [format!("{report:?}")]);
        waiting.iter_mut().for_each(assert_shed);
        // Who came before is served.
        old.write_all(b"x").unwrap();
        run_for(&mut lp, 10);
        old.read_exact(&mut [0]).unwrap();
        // More come while it lasts, over some pauses of the listener.
        files.pop();
        let mut late = Peer::connect(address).unwrap();
        assert!(run_for(&mut lp, 250) < 30, "the loop spins");
        assert_shed(&mut late);
        log.expect([]);
        assert_eq!(accepted.borrow().len(), connections);
        // And then there are descriptors again.
        drop((files, waiting, late));
        let _new = Peer::connect(address).unwrap();
        run_until(&mut lp, || accepted.borrow().len() == connections + 1);
        log.expect([]);
    }
    server.close();
    old.write_all(b"y").unwrap();
    run_for(&mut lp, 1);
    old.read_exact(&mut [0]).unwrap();
}

#[test]
fn without_descriptors_a_callback_listener_sheds_pauses_reports_once_and_recovers() {
    if child_argument().is_some() {
        return without_descriptors(|server, accepted| {
            server.listen(move |_, socket| accepted.borrow_mut().push(socket));
        });
    }
    let name = "without_descriptors_a_callback_listener_sheds_pauses_reports_once_and_recovers";
    assert_passed(&child("ulimit -n 40 && exec", name, "yes"));
}

#[test]
fn without_descriptors_accepting_tasks_wait_and_go_on() {
    if child_argument().is_some() {
        return without_descriptors(|server, accepted| {
            for _ in 0..2 {
                let (server, accepted) = (server.clone(), accepted.clone());
                spawn(async move {
                    while let Ok((socket, _)) = server.accept().await {
                        accepted.borrow_mut().push(socket);
                    }
                });
            }
        });
    }
    let name = "without_descriptors_accepting_tasks_wait_and_go_on";
    assert_passed(&child("ulimit -n 40 && exec", name, "yes"));
}

#[test]
fn closing_in_on_error_is_the_end_of_the_pause() {
    if child_argument().is_some() {
        let (mut lp, log, _guard) = start();
        let _here = lp.enter();
        let (server, address) = listener();
        server.listen(|_, _| ());
        let note = log.clone();
        server.on_error(move |server, _| {
            note.push("error");
            server.close();
            set_immediate(|| ());
        });
        let _peer = Peer::connect(address).unwrap();
        let _files = exhaust();
        assert!(!lp.run().unwrap());
        log.expect(["error"]);
        return;
    }
    let name = "closing_in_on_error_is_the_end_of_the_pause";
    assert_passed(&child("ulimit -n 40 && exec", name, "yes"));
}

#[test]
fn a_connect_and_a_bind_without_descriptors_are_plain_errors() {
    if child_argument().is_some() {
        let (mut lp, log, _guard) = start();
        let _here = lp.enter();
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let files = exhaust();
        let note = log.clone();
        TcpStream::connect(address).callback(move |connected| {
            note.push(format!("{:?}", connected.unwrap_err().raw_os_error()));
        });
        assert_eq!(TcpListener::bind("127.0.0.1:0").unwrap_err().raw_os_error(), Some(24));
        lp.run().unwrap();
        drop(files);
        log.expect(["Some(24)"]);
        return;
    }
    let name = "a_connect_and_a_bind_without_descriptors_are_plain_errors";
    assert_passed(&child("ulimit -n 40 && exec", name, "yes"));
}
