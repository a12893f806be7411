//! UDP sockets: what a callback may do to its own socket, and to another.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use runtime::net::UdpSocket;
use runtime::{Closed, Loop, next_tick, queue_microtask, spawn};

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(20))
}

fn ours() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Sends the numbers below `count`, each as a text.
fn send_numbers(to: SocketAddr, count: usize) {
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for n in 0..count {
        peer.send_to(n.to_string().as_bytes(), to).unwrap();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn closing_inside_of_the_own_callback_ends_the_batch() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let noted = log.clone();
    server.recv_start(move |server, datagram| {
        noted.push(text(datagram.unwrap().0));
        server.close();
    });
    server.closed().callback({
        let log = log.clone();
        move |_| log.push("closed")
    });
    send_numbers(address, 5);
    lp.run().unwrap();
    log.expect(["0", "closed"]);
}

#[test]
fn closing_in_a_tick_after_the_callback_ends_the_batch_too() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let noted = log.clone();
    server.recv_start(move |server, datagram| {
        noted.push(text(datagram.unwrap().0));
        let server = server.clone();
        next_tick(move || server.close());
    });
    send_numbers(address, 5);
    lp.run().unwrap();
    log.expect(["0"]);
}

#[test]
fn starting_anew_inside_of_the_callback_gives_the_rest_to_the_new_one() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let noted = log.clone();
    server.recv_start(move |server, datagram| {
        noted.push(format!("old {}", text(datagram.unwrap().0)));
        server.recv_stop();
        let noted = noted.clone();
        server.recv_start(move |server, datagram| {
            let text = text(datagram.unwrap().0);
            noted.push(format!("new {text}"));
            if text == "2" {
                server.recv_stop();
            }
        });
    });
    send_numbers(address, 4);
    lp.run().unwrap();
    log.expect(["old 0", "new 1", "new 2"]);
    assert_eq!(server.try_recv_from(&mut [0; 4]).unwrap().0, 1, "3 is still there");
}

#[test]
fn a_datagram_taken_inside_of_the_callback_does_not_come_again() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let noted = log.clone();
    server.recv_start(move |server, datagram| {
        let (bytes, _) = datagram.unwrap();
        server.recv_stop();
        let mut taken = [0; 4];
        let (len, _) = server.try_recv_from(&mut taken).unwrap();
        noted.push(format!("{} then {}", text(bytes), text(&taken[..len])));
        let noted = noted.clone();
        server.recv_start(move |server, datagram| {
            noted.push(text(datagram.unwrap().0));
            server.recv_stop();
        });
    });
    send_numbers(address, 3);
    lp.run().unwrap();
    log.expect(["0 then 1", "2"]);
}

#[test]
fn all_that_was_left_may_be_taken_inside_of_the_callback() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let noted = log.clone();
    server.recv_start(move |server, datagram| {
        let first = text(datagram.unwrap().0);
        server.recv_stop();
        let mut rest = 0;
        while server.try_recv_from(&mut [0; 4]).is_ok() {
            rest += 1;
        }
        noted.push(format!("{first} and {rest} more"));
    });
    send_numbers(address, 40);
    lp.run().unwrap();
    log.expect(["0 and 39 more"]);
}

#[test]
fn behind_the_last_datagram_there_is_none() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let noted = log.clone();
    server.recv_start(move |server, _| {
        server.recv_stop();
        let error = server.try_recv_from(&mut [0; 4]).unwrap_err();
        noted.push(format!("{:?}", error.kind()));
    });
    send_numbers(address, 1);
    lp.run().unwrap();
    log.expect(["WouldBlock"]);
}

#[test]
fn a_task_goes_on_where_the_callback_stopped() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let noted = log.clone();
    server.recv_start(move |server, datagram| {
        noted.push(format!("callback {}", text(datagram.unwrap().0)));
        server.recv_stop();
        let (server, noted) = (server.clone(), noted.clone());
        drop(spawn(async move {
            for _ in 0..2 {
                let mut buffer = [0; 4];
                let (len, _) = server.recv_from(&mut buffer).await.unwrap();
                noted.push(format!("task {}", text(&buffer[..len])));
            }
            server.close();
        }));
    });
    send_numbers(address, 3);
    lp.run().unwrap();
    log.expect(["callback 0", "task 1", "task 2"]);
}

#[test]
fn one_socket_may_close_another_whose_event_is_in_the_same_batch() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let ((one, one_at), (other, other_at)) = (ours(), ours());
    let count = Rc::new(Cell::new(0));
    for (mine, theirs) in [(&one, &other), (&other, &one)] {
        let (theirs, count) = (theirs.clone(), count.clone());
        mine.recv_start(move |mine, _| {
            count.set(count.get() + 1);
            theirs.close();
            mine.close();
        });
    }
    send_numbers(one_at, 1);
    send_numbers(other_at, 1);
    lp.run().unwrap();
    assert_eq!(count.get(), 1, "the second event met a closed socket");
}

#[test]
fn hundreds_of_sockets_closed_with_their_events_pending_end_once_each() {
    const SOCKETS: usize = 200;
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let sockets: Rc<Vec<_>> = Rc::new((0..SOCKETS).map(|_| ours()).collect());
    let [received, sent, closed] = [(); 3].map(|()| Rc::new(Cell::new(0)));
    let count = |counter: &Rc<Cell<usize>>| {
        let counter = counter.clone();
        move || counter.set(counter.get() + 1)
    };
    for (socket, address) in sockets.iter() {
        let (received, sent, closed) = (count(&received), count(&sent), count(&closed));
        let all = sockets.clone();
        socket.recv_start(move |_, _| {
            received();
            all.iter().for_each(|(socket, _)| socket.close());
        });
        socket.send_to("to itself", *address).callback(move |_| sent());
        socket.closed().callback(move |_| closed());
    }
    lp.run().unwrap();
    assert_eq!((received.get(), sent.get(), closed.get()), (1, SOCKETS, SOCKETS));
}

#[test]
fn answers_inside_of_the_callback_need_no_borrow() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let ((server, address), (client, _)) = (ours(), ours());
    // Held over every call: none of them may call back.
    let shared = Rc::new(RefCell::new(0));
    let held = shared.clone();
    server.recv_start(move |server, datagram| {
        let mut count = held.borrow_mut();
        let (bytes, from) = datagram.unwrap();
        let again = held.clone();
        server.send_to(bytes, from).callback(move |sent| {
            sent.unwrap();
            *again.borrow_mut() += 10;
        });
        let again = held.clone();
        server.recv_start(move |_, refused| {
            assert!(refused.is_err());
            *again.borrow_mut() += 100;
        });
        server.recv_stop();
        *count += 1;
    });
    lp.block_on(client.send_to("x", address)).unwrap();
    lp.run().unwrap();
    assert_eq!(*shared.borrow(), 111);
}

#[test]
fn the_last_owner_may_go_inside_of_the_callback() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let slot = Rc::new(RefCell::new(Some(server)));
    let (owner, noted) = (slot.clone(), log.clone());
    let socket = slot.borrow().clone().unwrap();
    socket.recv_start(move |server, datagram| {
        noted.push(text(datagram.unwrap().0));
        drop(owner.borrow_mut().take());
        server.recv_stop();
    });
    drop(socket);
    send_numbers(address, 2);
    lp.run().unwrap();
    log.expect(["0"]);
    std::net::UdpSocket::bind(address).expect("the socket is closed");
}

#[test]
fn a_microtask_between_two_datagrams_may_stop() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let noted = log.clone();
    server.recv_start(move |server, datagram| {
        noted.push(text(datagram.unwrap().0));
        let server = server.clone();
        queue_microtask(move || server.recv_stop());
    });
    send_numbers(address, 3);
    lp.run().unwrap();
    log.expect(["0"]);
    assert!(server.try_recv_from(&mut [0; 4]).is_ok());
}

#[test]
fn a_task_that_waits_is_told_of_a_close_by_a_callback() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let ((waits, _), (server, address)) = (ours(), ours());
    let closes = waits.clone();
    server.recv_start(move |server, _| {
        closes.close();
        server.close();
    });
    send_numbers(address, 1);
    let error = lp.block_on(async { waits.recv(&mut [0; 4]).await.unwrap_err() });
    assert!(Closed::is_in(&error));
}

#[test]
fn bytes_that_close_the_socket_when_they_are_asked_for_are_not_sent() {
    struct Closes(UdpSocket);
    impl AsRef<[u8]> for Closes {
        fn as_ref(&self) -> &[u8] {
            self.0.close();
            b"late"
        }
    }
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let ((socket, _), (peer, to)) = (ours(), ours());
    let refused = socket.try_send_many_to(&[(Closes(socket.clone()), to)]);
    assert!(Closed::is_in(&refused.unwrap_err()));
    lp.run().unwrap();
    assert_eq!(peer.try_recv_from(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
}
