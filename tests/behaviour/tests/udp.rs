//! UDP sockets: receiving and sending, by callback and by tasks.

mod tcp_support;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use runtime::handle::{Check, Kind};
use runtime::net::UdpSocket;
use runtime::{Closed, Loop, LoopGone, on_uncaught, queue_microtask, set_immediate, spawn};
use tcp_support::{Counted, is_already, run_until};

/// The longest that IPv4 has room for.
const LONGEST: usize = 65_507;
const DATAGRAMS_PER_EVENT: usize = 32;

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(20))
}

fn ours() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A socket of the standard library, which blocks.
fn peer() -> (std::net::UdpSocket, SocketAddr) {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// An address at which nobody receives, nor will while the test runs: who has the port takes nothing
/// but what it sends to itself.
fn nobody() -> SocketAddr {
    let (socket, address) = peer();
    socket.connect(address).unwrap();
    behaviour::keep(socket);
    address
}

/// A callback that notes each datagram, or the error's kind.
fn note(log: &EventLog) -> impl FnMut(&UdpSocket, io::Result<(&[u8], SocketAddr)>) + 'static {
    let log = log.clone();
    move |_, datagram| match datagram {
        Ok(([], _)) => log.push("empty"),
        Ok((bytes, _)) => log.push(String::from_utf8_lossy(bytes)),
        Err(error) => log.push(format!("{:?}", error.kind())),
    }
}

/// A request's callback that notes its result.
fn outcome(log: &EventLog, name: &'static str) -> impl FnOnce(io::Result<usize>) + 'static {
    let log = log.clone();
    move |result| match result {
        Ok(sent) => log.push(format!("{name}: {sent}")),
        Err(error) if Closed::is_in(&error) => log.push(format!("{name}: closed")),
        Err(error) => log.push(format!("{name}: {:?}", error.kind())),
    }
}

/// Sends the numbers below `count`, each as a text.
fn send_numbers(peer: &std::net::UdpSocket, to: SocketAddr, count: usize) {
    for n in 0..count {
        peer.send_to(n.to_string().as_bytes(), to).unwrap();
    }
}

/// Whether `last` is the last that was noted, which stays noted.
fn saw(log: &EventLog, last: &str) -> bool {
    let seen = log.take();
    seen.iter().for_each(|event| log.push(event));
    seen.last().is_some_and(|event| event == last)
}

// --- receiving by callback ---

#[test]
fn a_callback_gets_each_datagram_with_its_sender() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let ((one, from_one), (other, from_other)) = (peer(), peer());
    let got = Rc::new(RefCell::new(Vec::new()));
    let kept = got.clone();
    server.recv_start(move |server, datagram| {
        let (bytes, from) = datagram.unwrap();
        kept.borrow_mut().push((bytes.to_vec(), from));
        if kept.borrow().len() == 2 {
            server.recv_stop();
        }
    });
    assert!(server.is_active());
    one.send_to(b"one", address).unwrap();
    other.send_to(b"other", address).unwrap();
    assert!(!lp.run().unwrap(), "a stopped socket keeps nothing alive");
    assert_eq!(*got.borrow(), [(b"one".to_vec(), from_one), (b"other".to_vec(), from_other)]);
}

#[test]
fn an_empty_datagram_is_an_empty_slice_and_no_end() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    server.recv_start(note(&log));
    let (peer, _) = peer();
    peer.send_to(b"", address).unwrap();
    peer.send_to(b"more", address).unwrap();
    lp.run_once().unwrap();
    log.expect(["empty", "more"]);
    assert!(server.is_active());
}

#[test]
fn the_longest_datagram_comes_whole() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let ((server, address), (client, _)) = (ours(), ours());
    let bytes = tcp_support::pattern(LONGEST);
    let expected = bytes.clone();
    server.recv_start(move |server, datagram| {
        assert!(datagram.unwrap().0 == expected);
        server.close();
    });
    assert_eq!(lp.block_on(client.send_to(&bytes, address)).unwrap(), LONGEST);
    assert!(!lp.run().unwrap());
}

#[test]
fn an_event_brings_32_datagrams_and_the_rest_waits_for_the_next_iteration() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    server.recv_start(note(&log));
    send_numbers(&peer().0, address, 100);
    let expected: Vec<_> = (0..100).map(|n| n.to_string()).collect();
    for batch in expected.chunks(DATAGRAMS_PER_EVENT) {
        lp.run_nowait().unwrap();
        assert_eq!(log.take(), batch);
    }
}

#[test]
fn a_checkpoint_follows_each_datagram_and_the_check_phase_all_of_them() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let noted = log.clone();
    server.recv_start(move |_, datagram| {
        noted.push(String::from_utf8_lossy(datagram.unwrap().0));
        queue_microtask(noted.mark("microtask"));
    });
    let check = Check::new();
    let noted = log.clone();
    check.start(move |_| noted.push("check")).unwrap();
    send_numbers(&peer().0, address, 3);
    lp.run_once().unwrap();
    log.expect(["0", "microtask", "1", "microtask", "2", "microtask", "check"]);
}

#[test]
fn fifty_senders_are_answered_by_callback() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    server.recv_start(|server, datagram| {
        let (bytes, from) = datagram.unwrap();
        drop(server.send_to(bytes, from));
    });
    server.unref();
    fifty_senders_are_answered(&mut lp, address);
}

#[test]
fn fifty_senders_are_answered_by_a_task() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    server.unref();
    drop(spawn(async move {
        let mut buffer = [0; 64];
        loop {
            let (len, from) = server.recv_from(&mut buffer).await.unwrap();
            server.send_to(&buffer[..len], from).await.unwrap();
        }
    }));
    fifty_senders_are_answered(&mut lp, address);
}

fn fifty_senders_are_answered(lp: &mut Loop, address: SocketAddr) {
    const EACH: usize = 20;
    let answers = Rc::new(RefCell::new(HashMap::<usize, Vec<String>>::new()));
    let tasks: Vec<_> = (0..50)
        .map(|sender| {
            let answers = answers.clone();
            spawn(async move {
                let (socket, _) = ours();
                socket.connect(address).unwrap();
                for n in 0..EACH {
                    let text = format!("{sender} {n}");
                    socket.send(&text).await.unwrap();
                    let mut buffer = [0; 64];
                    let len = socket.recv(&mut buffer).await.unwrap();
                    let answer = String::from_utf8_lossy(&buffer[..len]).into_owned();
                    assert_eq!(answer, text);
                    answers.borrow_mut().entry(sender).or_default().push(answer);
                }
            })
        })
        .collect();
    lp.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(answers.borrow().len(), 50);
    assert!(answers.borrow().values().all(|answers| answers.len() == EACH));
}

// --- who receives ---

#[test]
fn a_second_receiver_is_told_that_there_is_one() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    server.recv_start(note(&log));
    let told = Rc::new(Cell::new(false));
    let note_told = told.clone();
    server.recv_start(move |_, datagram| {
        assert!(is_already(&datagram.unwrap_err()));
        note_told.set(true);
    });
    assert!(!told.get(), "not inside of the call");
    assert!(is_already(&server.try_recv_from(&mut [0; 8]).unwrap_err()));
    let second = lp.block_on(async { server.recv_from(&mut [0; 8]).await.unwrap_err() });
    assert!(is_already(&second));
    peer().0.send_to(b"goes on", address).unwrap();
    run_until(&mut lp, || told.get() && saw(&log, "goes on"));
}

#[test]
fn a_callback_can_not_start_while_a_task_waits() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let task = spawn({
        let server = server.clone();
        async move { server.recv_from(&mut [0; 8]).await.unwrap().0 }
    });
    lp.run_nowait().unwrap();
    let told = Rc::new(Cell::new(false));
    let note_told = told.clone();
    server.recv_start(move |_, datagram| note_told.set(is_already(&datagram.unwrap_err())));
    run_until(&mut lp, || told.get());
    peer().0.send_to(b"task", address).unwrap();
    assert_eq!(lp.block_on(task).unwrap(), 4);
    server.recv_start(|_, _| ());
    assert!(server.is_active(), "the task is done: a callback may start");
}

#[test]
fn tasks_that_wait_on_one_socket_get_a_datagram_each() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    for name in ["a", "b", "c"] {
        let (server, log) = (server.clone(), log.clone());
        drop(spawn(async move {
            let mut buffer = [0; 8];
            let (len, _) = server.recv_from(&mut buffer).await.unwrap();
            log.push(format!("{name}{}", String::from_utf8_lossy(&buffer[..len])));
        }));
    }
    lp.run_nowait().unwrap();
    let (peer, _) = peer();
    send_numbers(&peer, address, 3);
    lp.run().unwrap();
    log.expect(["a0", "b1", "c2"]);
}

#[test]
fn a_task_whose_receive_is_dropped_keeps_nothing_alive_and_loses_nothing() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let waiting = spawn({
        let server = server.clone();
        async move { server.recv_from(&mut [0; 8]).await.map(drop) }
    });
    lp.run_nowait().unwrap();
    assert!(server.is_active());
    waiting.abort();
    assert!(!lp.run().unwrap());
    assert!(!server.is_active());
    peer().0.send_to(b"here", address).unwrap();
    let mut buffer = [0; 8];
    assert_eq!(lp.block_on(server.recv_from(&mut buffer)).unwrap().0, 4);
}

#[test]
fn try_recv_from_does_not_wait() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let mut buffer = [0; 8];
    assert_eq!(server.try_recv_from(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    let (peer, from) = peer();
    peer.send_to(b"now", address).unwrap();
    assert_eq!(server.try_recv_from(&mut buffer).unwrap(), (3, from));
}

#[test]
fn a_peek_leaves_the_datagram_there() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let (peer, from) = peer();
    peer.send_to(b"look", address).unwrap();
    lp.block_on(async {
        let mut buffer = [0; 8];
        assert_eq!(server.peek_from(&mut buffer).await.unwrap(), (4, from));
        assert_eq!(server.recv_from(&mut buffer).await.unwrap(), (4, from));
        assert_eq!(&buffer[..4], b"look");
    });
}

#[test]
fn a_buffer_that_is_too_short_is_told_and_the_rest_is_gone() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let (peer, from) = peer();
    for text in ["too long", "fits", "", "too long"] {
        peer.send_to(text.as_bytes(), address).unwrap();
    }
    lp.block_on(async {
        let mut buffer = [0; 4];
        let mut next = async || {
            let received = server.recv_datagram(&mut buffer).await.unwrap();
            assert_eq!(received.from, from);
            (received.len, received.is_truncated)
        };
        assert_eq!(next().await, (4, true));
        assert_eq!(next().await, (4, false));
        assert_eq!(next().await, (0, false));
        assert_eq!(server.recv_from(&mut buffer).await.unwrap(), (4, from));
        assert_eq!(&buffer, b"too ");
    });
}

#[test]
fn a_lent_buffer_takes_the_longest_datagram() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let ((server, address), (client, from)) = (ours(), ours());
    let bytes = tcp_support::pattern(LONGEST);
    lp.block_on(async {
        client.send_to(&bytes, address).await.unwrap();
        let is_whole = server.recv_with(|got, sender| got == bytes && sender == from).await;
        assert!(is_whole.unwrap());
    });
}

// --- stopping between datagrams that came together ---

#[test]
fn what_a_stopped_callback_left_goes_to_the_next_reader_in_order() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let noted = log.clone();
    server.recv_start(move |server, datagram| {
        noted.push(String::from_utf8_lossy(datagram.unwrap().0));
        server.recv_stop();
    });
    let (peer, from) = peer();
    send_numbers(&peer, address, 5);
    lp.run().unwrap();
    log.expect(["0"]);
    let mut buffer = [0; 8];
    assert_eq!(server.try_recv_from(&mut buffer).unwrap(), (1, from));
    assert_eq!(buffer[0], b'1');
    lp.block_on(async {
        assert_eq!(server.peek_from(&mut buffer).await.unwrap(), (1, from));
        assert_eq!(server.recv_from(&mut buffer).await.unwrap(), (1, from));
        assert_eq!(buffer[0], b'2');
        let none = server.recv_datagram(&mut []).await.unwrap();
        assert!(none.is_truncated && none.len == 0, "3 did not fit into nothing");
    });
    peer.send_to(b"5", address).unwrap();
    server.recv_start(note(&log));
    run_until(&mut lp, || saw(&log, "5"));
    log.expect(["4", "5"]);
}

#[test]
fn what_is_left_comes_first_when_a_callback_starts_anew() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    server.recv_start(|server, _| server.recv_stop());
    let (peer, _) = peer();
    send_numbers(&peer, address, 4);
    lp.run().unwrap();
    peer.send_to(b"later", address).unwrap();
    server.recv_start(note(&log));
    run_until(&mut lp, || saw(&log, "later"));
    log.expect(["1", "2", "3", "later"]);
}

#[test]
fn an_error_of_a_callback_loses_no_datagram() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let noted = log.clone();
    server.recv_start(move |server, datagram| -> runtime::Result {
        let text = String::from_utf8_lossy(datagram?.0).into_owned();
        noted.push(&text);
        match &*text {
            "1" => return Err("thrown".into()),
            "3" => server.close(),
            _ => {}
        }
        Ok(())
    });
    send_numbers(&peer().0, address, 4);
    assert_eq!(lp.run().unwrap_err().to_string(), "thrown");
    log.expect(["0", "1"]);
    lp.run().unwrap();
    log.expect(["2", "3"]);
}

#[test]
fn a_panic_of_a_callback_loses_no_datagram() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let noted = log.clone();
    on_uncaught(move |_| noted.push("uncaught"));
    let (server, address) = ours();
    let noted = log.clone();
    server.recv_start(move |server, datagram| {
        let text = String::from_utf8_lossy(datagram.unwrap().0).into_owned();
        noted.push(&text);
        assert_ne!(text, "0", "a panic of the first");
        if text == "2" {
            server.recv_stop();
        }
    });
    send_numbers(&peer().0, address, 3);
    lp.run().unwrap();
    log.expect(["0", "uncaught", "1", "2"]);
}

// --- sending ---

#[test]
fn a_send_that_is_done_at_once_calls_back_in_the_pending_phase() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (client, _) = ours();
    let (peer, address) = peer();
    client.send_to("one", address).callback(outcome(&log, "one"));
    client.send_to("", address).callback(outcome(&log, "empty"));
    log.push("not inside of the call");
    set_immediate(log.mark("check"));
    lp.run().unwrap();
    log.expect(["not inside of the call", "one: 3", "empty: 0", "check"]);
    let mut buffer = [0; 8];
    assert_eq!(peer.recv(&mut buffer).unwrap(), 3);
    assert_eq!(peer.recv(&mut buffer).unwrap(), 0);
}

#[test]
fn a_datagram_that_is_too_long_fails_alone() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (client, _) = ours();
    let (peer, address) = peer();
    let too_long = vec![0; LONGEST + 1];
    let error = lp.block_on(client.send_to(&too_long, address)).unwrap_err();
    if cfg!(target_os = "linux") {
        assert_eq!(error.raw_os_error(), Some(90), "EMSGSIZE");
    }
    assert_eq!(client.try_send_to(&too_long, address).unwrap_err().kind(), error.kind());
    client.send_to("fits", address).callback(outcome(&log, "fits"));
    lp.run().unwrap();
    log.expect(["fits: 4"]);
    assert_eq!(peer.recv(&mut [0; 8]).unwrap(), 4);
}

#[test]
fn many_datagrams_are_sent_at_once() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let (client, from) = ours();
    let (peer, address) = peer();
    let texts: Vec<_> = (0..70).map(|n| (n.to_string(), address)).collect();
    assert_eq!(client.try_send_many_to(&texts).unwrap(), 70);
    assert_eq!(client.try_send_many_to(&texts[..0]).unwrap(), 0);
    for (text, _) in &texts {
        let mut buffer = [0; 8];
        let (len, sender) = peer.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..len], sender), (text.as_bytes(), from));
    }
    let too_long = vec![0; LONGEST + 1];
    let mixed = [(&b"one"[..], address), (&too_long, address), (b"never", address)];
    assert_eq!(client.try_send_many_to(&mixed).unwrap(), 1, "up to the one that is refused");
    assert!(client.try_send_many_to(&mixed[1..]).is_err());
}

#[test]
fn what_is_no_address_is_an_error_of_the_request() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (client, _) = ours();
    let error = lp.block_on(client.send_to("?", "example.org:80")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(UdpSocket::bind("nowhere").unwrap_err().kind(), ErrorKind::InvalidInput);
    let (_, port) = peer();
    lp.block_on(client.send_to("text", format!("localhost:{}", port.port()))).unwrap();
}

// --- errors of the network ---

#[test]
fn a_dead_port_is_told_to_the_callback_which_goes_on() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (client, from) = ours();
    // Nobody is there yet.
    let (_, address) = peer();
    client.connect(address).unwrap();
    client.recv_start(note(&log));
    client.send("lost").callback(outcome(&log, "lost"));
    run_until(&mut lp, || saw(&log, "ConnectionRefused"));
    log.expect(["lost: 4", "ConnectionRefused"]);
    assert!(client.is_active() && !client.is_closing());
    let now_there = std::net::UdpSocket::bind(address).unwrap();
    now_there.send_to(b"hello", from).unwrap();
    run_until(&mut lp, || saw(&log, "hello"));
}

#[test]
fn a_dead_port_is_told_to_a_task() {
    let (mut lp, _, _guard) = start();
    let (client, error) = lp.block_on(async {
        let (client, _) = ours();
        client.connect(nobody()).unwrap();
        client.send("lost").await.unwrap();
        let error = client.recv(&mut [0; 8]).await.unwrap_err();
        (client, error)
    });
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(!client.is_closing());
}

#[test]
fn an_error_that_nobody_receives_does_not_spin() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (client, _) = ours();
    client.connect(nobody()).unwrap();
    client.recv_start(|_, _| panic!("stopped"));
    client.recv_stop();
    lp.block_on(client.send("lost")).unwrap();
    let before = lp.metrics().events;
    for _ in 0..10 {
        lp.run_nowait().unwrap();
    }
    assert!(lp.metrics().events - before <= 1);
}

// --- life ---

#[test]
fn a_socket_that_receives_keeps_the_loop_alive_unless_it_is_unrefd() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, _) = ours();
    assert!(!lp.is_alive());
    server.recv_start(|_, _| ());
    assert!(lp.is_alive());
    server.unref();
    assert!(!lp.run().unwrap());
    assert!(server.is_active());
    server.ref_();
    assert!(lp.is_alive());
    server.recv_stop();
    assert!(!lp.run().unwrap());
}

#[test]
fn a_socket_with_a_callback_outlives_its_scope() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let live = Rc::default();
    let address = {
        let (server, address) = ours();
        let (noted, counted) = (log.clone(), Counted::new(&live));
        server.recv_start(move |server, _| {
            counted.touch();
            noted.push("here");
            server.recv_stop();
        });
        address
    };
    peer().0.send_to(b"?", address).unwrap();
    lp.run().unwrap();
    log.expect(["here"]);
    assert_eq!(live.get(), 0, "the callback is dropped");
    std::net::UdpSocket::bind(address).expect("the last owner's drop closed the socket");
}

#[test]
fn a_closed_socket_says_so() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    server.recv_start(|_, _| panic!("closed"));
    let waiting = spawn({
        let (idle, _) = ours();
        let closed = idle.clone();
        set_immediate(move || closed.close());
        async move { idle.recv_from(&mut [0; 8]).await.unwrap_err() }
    });
    peer().0.send_to(b"?", address).unwrap();
    server.close();
    server.close();
    assert!(server.is_closing() && !server.is_active());
    std::net::UdpSocket::bind(address).expect("the port is free at once");
    server.send_to("x", address).callback(outcome(&log, "send"));
    let noted = log.clone();
    server.recv_start(move |_, datagram| {
        assert!(Closed::is_in(&datagram.unwrap_err()));
        noted.push("recv: closed");
    });
    server.closed().callback({
        let log = log.clone();
        move |_| log.push("closed")
    });
    for error in [
        server.local_addr().map(drop),
        server.try_send_to(b"x", address).map(drop),
        server.try_send_many_to(&[("x", address)]).map(drop),
        server.try_recv_from(&mut [0]).map(drop),
        server.connect(address),
        server.disconnect(),
        server.set_broadcast(true),
    ] {
        assert!(Closed::is_in(&error.unwrap_err()));
    }
    server.recv_stop();
    assert!(Closed::is_in(&lp.block_on(waiting).unwrap()));
    lp.run().unwrap();
    log.expect(["send: closed", "recv: closed", "closed"]);
}

#[test]
fn close_on_drop_closes() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    server.recv_start(|_, _| ());
    drop(server.close_on_drop());
    std::net::UdpSocket::bind(address).unwrap();
}

#[test]
fn a_walk_meets_the_socket_by_its_kind() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, _) = ours();
    let mut kinds = Vec::new();
    lp.walk(|handle| kinds.push(handle.kind()));
    assert_eq!(kinds, [Kind::UdpSocket]);
    assert_eq!(server.kind(), Kind::UdpSocket);
}

#[test]
fn on_a_loop_that_is_gone_everything_says_so() {
    let (lp, log, _guard) = start();
    let live = Rc::default();
    let (server, address) = {
        let _here = lp.enter();
        let (server, address) = ours();
        let counted = Counted::new(&live);
        server.recv_start(move |_, _| counted.touch());
        (server, address)
    };
    drop(lp);
    assert_eq!(live.get(), 0);
    server.recv_start(note(&log));
    assert!(LoopGone::is_in(&server.try_send_to(b"x", address).unwrap_err()));
    assert!(LoopGone::is_in(&server.try_recv_from(&mut [0]).unwrap_err()));
    log.expect([]);
}

#[test]
fn ipv6_has_both_faces_too() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let Ok(server) = UdpSocket::bind("[::1]:0") else {
        return behaviour::tell("skipped: there is no IPv6 here");
    };
    let client = UdpSocket::bind("[::1]:0").unwrap();
    let (address, from) = (server.local_addr().unwrap(), client.local_addr().unwrap());
    let noted = log.clone();
    server.recv_start(move |server, datagram| {
        let (bytes, sender) = datagram.unwrap();
        assert_eq!(sender, from);
        noted.push(String::from_utf8_lossy(bytes));
        server.send_to("back", sender);
        server.recv_stop();
    });
    lp.block_on(async {
        client.send_to("there", address).await.unwrap();
        let mut buffer = [0; 8];
        assert_eq!(client.recv_from(&mut buffer).await.unwrap(), (4, address));
        // Of the two addresses of this name it takes the one of its own family.
        client.send_to("x", ("localhost", address.port())).await.unwrap();
        assert_eq!(server.recv_from(&mut buffer).await.unwrap(), (1, from));
    });
    log.expect(["there"]);
}

#[test]
#[cfg(unix)]
fn a_socket_that_has_no_address_yet_gets_one_by_its_first_send() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    let client = UdpSocket::from_std(socket.into()).unwrap();
    assert_eq!(client.local_addr().unwrap().port(), 0);
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = server.local_addr().unwrap();
    lp.block_on(async {
        // One that receives already is told of what comes later.
        let receiving = spawn({
            let client = client.clone();
            async move { client.recv_from(&mut [0; 8]).await }
        });
        runtime::yield_now().await;
        client.send_to("hello", to).await.unwrap();
        let (len, from) = server.recv_from(&mut [0; 8]).await.unwrap();
        assert_eq!((len, from.port()), (5, client.local_addr().unwrap().port()));
        server.send_to("hi", from).await.unwrap();
        assert_eq!(receiving.await.unwrap().unwrap(), (2, to));
    });
}

#[test]
fn a_socket_of_the_standard_library_is_taken_over() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let ((std_one, one), (std_other, other)) = (peer(), peer());
    std_one.connect(other).unwrap();
    let one_socket = UdpSocket::from_std(std_one).unwrap();
    let other_socket = UdpSocket::from_std(std_other).unwrap();
    lp.block_on(async {
        assert_eq!(one_socket.send("connected").await.unwrap(), 9);
        assert_eq!(other_socket.recv_from(&mut [0; 16]).await.unwrap(), (9, one));
    });
    assert_eq!(one_socket.peer_addr().unwrap(), other);
    assert_eq!(one_socket.local_addr().unwrap().ip(), Ipv4Addr::LOCALHOST);
}
