//! UDP sockets: datagrams that a task is lent together, and pieces that are sent as one.

mod tcp_support;

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use runtime::net::UdpSocket;
use runtime::{Closed, Loop, spawn};
use tcp_support::is_already;

const AT_ONCE: usize =
    if cfg!(all(target_os = "linux", not(polling_test_poll_backend))) { 32 } else { 1 };

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(20))
}

fn ours() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Sends the numbers below `count`, each as a text.
fn send_numbers(to: SocketAddr, count: usize) -> SocketAddr {
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for n in 0..count {
        peer.send_to(n.to_string().as_bytes(), to).unwrap();
    }
    peer.local_addr().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_task_is_lent_what_the_system_hands_over_at_once() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (server, address) = ours();
        let from = send_numbers(address, 70);
        let (mut all, mut calls) = (Vec::new(), 0);
        while all.len() < 70 {
            let before = all.len();
            let note = |bytes: &[u8], sender| {
                assert_eq!(sender, from);
                all.push(text(bytes));
            };
            let count = server.recv_many_with(note).await.unwrap();
            assert_eq!(count, all.len() - before);
            assert!((1..=AT_ONCE).contains(&count));
            calls += 1;
        }
        assert_eq!(all, (0..70).map(|n| n.to_string()).collect::<Vec<_>>());
        assert_eq!(calls, 70_usize.div_ceil(AT_ONCE));
        let none = server.try_recv_from(&mut [0; 8]).unwrap_err();
        assert_eq!(none.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn it_waits_for_the_first_and_takes_turns_with_other_receivers() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (server, address) = ours();
        for round in 0..3 {
            let waits = spawn({
                let server = server.clone();
                async move {
                    let mut seen = Vec::new();
                    server.recv_many_with(|bytes, _| seen.push(text(bytes))).await.unwrap();
                    seen
                }
            });
            runtime::yield_now().await;
            send_numbers(address, 1);
            assert_eq!(waits.await.unwrap(), ["0"], "in round {round}");
            send_numbers(address, 1);
            assert_eq!(server.recv(&mut [0; 8]).await.unwrap(), 1);
        }
    });
}

#[test]
fn what_a_callback_left_is_lent_first() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    server.recv_start(|server, _| server.recv_stop());
    send_numbers(address, 3);
    lp.run().unwrap();
    lp.block_on(async {
        let mut seen = 0;
        while seen < 2 {
            let note = |bytes: &[u8], _| log.push(text(bytes));
            seen += server.recv_many_with(note).await.unwrap();
        }
    });
    log.expect(["1", "2"]);
}

#[test]
fn a_closure_may_receive_close_or_start_a_callback() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let noted = log.clone();
    let again = server.clone();
    send_numbers(address, 6);
    lp.block_on(async {
        let mut buffer = [0; 8];
        let note = |bytes: &[u8], _| {
            noted.push(format!("lent {}", text(bytes)));
            // The bytes that are lent stay as they are.
            let (len, _) = again.try_recv_from(&mut buffer).unwrap();
            noted.push(format!("{} then {}", text(bytes), text(&buffer[..len])));
            let noted = noted.clone();
            again.recv_start(move |server, datagram| {
                let text = text(datagram.unwrap().0);
                noted.push(&text);
                if text == "3" {
                    server.recv_stop();
                }
            });
        };
        assert_eq!(server.recv_many_with(note).await.unwrap(), 1, "the callback goes on");
    });
    lp.run().unwrap();
    log.expect(["lent 0", "0 then 1", "2", "3"]);
    let closes = server.clone();
    let count = lp.block_on(server.recv_many_with(|_, _| closes.close())).unwrap();
    assert_eq!(count, 1);
    let refused = lp.block_on(server.recv_many_with(|_, _| ())).unwrap_err();
    assert!(Closed::is_in(&refused));
}

#[test]
fn a_panic_of_the_closure_loses_no_other_datagram() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    send_numbers(address, 3);
    let task = spawn({
        let server = server.clone();
        async move { server.recv_many_with(|_, _| panic!("of the first")).await.map(drop) }
    });
    lp.block_on(task).unwrap_err();
    let mut buffer = [0; 8];
    for expected in [b'1', b'2'] {
        lp.block_on(server.recv(&mut buffer)).unwrap();
        assert_eq!(buffer[0], expected);
    }
}

#[test]
fn a_callback_and_a_task_do_not_mix() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, _) = ours();
    server.recv_start(|_, _| ());
    assert!(is_already(&lp.block_on(server.recv_many_with(|_, _| ())).unwrap_err()));
}

#[test]
fn a_task_that_is_dropped_while_it_waits_loses_nothing() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let waits = spawn({
        let server = server.clone();
        async move { server.recv_many_with(|_, _| panic!("it is gone")).await.map(drop) }
    });
    lp.run_nowait().unwrap();
    waits.abort();
    assert!(!lp.run().unwrap(), "nobody waits");
    send_numbers(address, 2);
    let count = Rc::new(Cell::new(0));
    lp.block_on(async {
        while count.get() < 2 {
            server.recv_many_with(|_, _| count.set(count.get() + 1)).await.unwrap();
        }
    });
}

#[test]
fn pieces_are_one_datagram() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let ((client, from), (server, address)) = (ours(), ours());
    let seen = Rc::new(RefCell::new(Vec::new()));
    let kept = seen.clone();
    server.recv_start(move |server, datagram| {
        let (bytes, sender) = datagram.unwrap();
        assert_eq!(sender, from);
        kept.borrow_mut().push(bytes.to_vec());
        if kept.borrow().len() == 4 {
            server.close();
        }
    });
    let pieces = [&b"one "[..], b"", b"two"].map(IoSlice::new);
    let many = [IoSlice::new(b"x"); 3000];
    assert_eq!(lp.block_on(client.send_vectored_to(&pieces, address)).unwrap(), 7);
    assert_eq!(lp.block_on(client.send_vectored_to(&[], address)).unwrap(), 0);
    assert_eq!(lp.block_on(client.send_vectored_to(&many, address)).unwrap(), 3000);
    client.connect(address).unwrap();
    assert_eq!(lp.block_on(client.send_vectored(&pieces)).unwrap(), 7);
    lp.run().unwrap();
    assert_eq!(
        *seen.borrow(),
        [b"one two".to_vec(), Vec::new(), vec![b'x'; 3000], b"one two".to_vec()]
    );
    let piece = [7; 40_000];
    let too_long = lp.block_on(client.send_vectored(&[IoSlice::new(&piece); 2])).unwrap_err();
    if cfg!(target_os = "linux") {
        assert_eq!(too_long.raw_os_error(), Some(90), "EMSGSIZE");
    }
    assert!(lp.block_on(client.send_vectored_to(&pieces, address)).is_err(), "it has a peer");
}
