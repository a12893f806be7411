//! UDP sockets: what the network says of datagrams that came nowhere.

mod tcp_support;

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use runtime::net::{UdpSocket, Undelivered};
use runtime::{Cancelled, Loop, spawn};
use tcp_support::run_until;

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(20))
}

fn ours() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Addresses at which nobody receives, nor will while the test runs: who has the port takes nothing but
/// what it sends to itself.
fn nobody<const N: usize>() -> [SocketAddr; N] {
    [(); N].map(|()| {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        socket.connect(address).unwrap();
        behaviour::keep(socket);
        address
    })
}

// --- on every system ---

#[test]
fn each_of_many_sends_to_a_dead_port_is_told_once() {
    const SENDS: usize = 100;
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (client, _) = ours();
    let [nobody] = nobody();
    client.connect(nobody).unwrap();
    let told = Rc::new(Cell::new(0));
    for _ in 0..SENDS {
        let told = told.clone();
        client.send("lost").callback(move |sent| {
            assert!(sent.is_ok_and(|len| len == 4) || !cfg!(windows));
            told.set(told.get() + 1);
        });
    }
    lp.run().unwrap();
    assert_eq!(told.get(), SENDS);
    assert_eq!((client.send_queue_size(), client.send_queue_count()), (0, 0));
}

#[test]
fn a_socket_without_a_peer_hears_nothing_of_a_dead_port() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let ((client, address), (other, _)) = (ours(), ours());
    let [nobody] = nobody();
    let noted = log.clone();
    client.recv_start(move |client, datagram| {
        noted.push(match datagram {
            Ok(_) => "datagram",
            Err(_) => "error",
        });
        client.recv_stop();
    });
    client.send_to("lost", nobody);
    other.send_to("?", address);
    lp.run().unwrap();
    log.expect([if cfg!(windows) { "error" } else { "datagram" }]);
}

#[test]
fn a_callback_may_stop_and_close_while_an_error_waits_behind_a_datagram() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let ((client, address), (peer, peer_at)) = (ours(), ours());
    client.connect(peer_at).unwrap();
    let noted = log.clone();
    client.recv_start(move |client, datagram| {
        noted.push(if datagram.is_ok() { "datagram" } else { "error" });
        client.recv_stop();
        client.close();
    });
    peer.try_send_to(b"?", address).unwrap();
    peer.close();
    client.send("lost");
    lp.run().unwrap();
    assert_eq!(log.take().len(), 1, "it is closed after the first");
}

// --- where the system keeps errors with their addresses ---

#[cfg(target_os = "linux")]
mod queued {
    use std::net::IpAddr;
    use std::os::fd::AsRawFd;

    use super::*;

    const REFUSED: i32 = 111;

    /// A socket whose receivers are told of every datagram.
    fn told() -> UdpSocket {
        UdpSocket::options().recv_errors(true).bind("127.0.0.1:0").unwrap()
    }

    /// A socket of the standard library with the same option.
    fn std_told() -> std::net::UdpSocket {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (on, len) = (1_i32, size_of::<i32>() as libc::socklen_t);
        // SAFETY: the system reads a number, of the length that it is told.
        let done = unsafe {
            let value = (&raw const on).cast();
            libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_IP, libc::IP_RECVERR, value, len)
        };
        assert_eq!(done, 0);
        socket
    }

    /// To whom the datagram went of which `error` tells.
    fn to(error: &io::Error) -> SocketAddr {
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let datagram = Undelivered::of(error).expect("it is of a datagram");
        assert_eq!(datagram.raw_os_error(), Some(REFUSED));
        assert_eq!(datagram.reported_by, Some(IpAddr::from(Ipv4Addr::LOCALHOST)));
        datagram.to
    }

    /// The events of ten iterations in which nothing happens.
    fn events(lp: &mut Loop) -> u64 {
        let before = lp.metrics().events;
        for _ in 0..10 {
            lp.run_nowait().unwrap();
        }
        lp.metrics().events - before
    }

    #[test]
    fn a_callback_is_told_of_each_datagram_and_goes_on() {
        let (mut lp, _, _guard) = start();
        let _here = lp.enter();
        for socket in [told(), UdpSocket::from_std(std_told()).unwrap()] {
            let address = socket.local_addr().unwrap();
            let nobody: [_; 40] = nobody();
            let errors = Rc::new(RefCell::new(Vec::new()));
            let kept = errors.clone();
            socket.recv_start(move |socket, datagram| match datagram {
                Ok((bytes, _)) => {
                    assert_eq!(bytes, b"end");
                    if kept.borrow().len() == 40 {
                        socket.recv_stop();
                    }
                }
                Err(error) => kept.borrow_mut().push(to(&error)),
            });
            for address in nobody {
                assert_eq!(socket.try_send_to(b"lost", address).unwrap(), 4);
            }
            run_until(&mut lp, || errors.borrow().len() == 40);
            assert_eq!(*errors.borrow(), nobody);
            assert_eq!(events(&mut lp), 0, "nothing is left to be told");
            socket.try_send_to(b"end", address).unwrap();
            lp.run().unwrap();
        }
    }

    #[test]
    fn tasks_are_told_of_each_datagram() {
        let (mut lp, _, _guard) = start();
        lp.block_on(async {
            for socket in [told(), UdpSocket::from_std(std_told()).unwrap()] {
                let address = socket.local_addr().unwrap();
                let nobody: [_; 3] = nobody();
                for address in nobody {
                    socket.send_to("lost", address).await.unwrap();
                }
                socket.send_to("here", address).await.unwrap();
                let mut buffer = [0; 8];
                for address in nobody {
                    assert_eq!(to(&socket.recv_from(&mut buffer).await.unwrap_err()), address);
                }
                assert_eq!(socket.recv_from(&mut buffer).await.unwrap(), (4, address));
            }
        });
    }

    #[test]
    fn a_task_that_waits_is_told_and_the_next_one_waits_in_peace() {
        let (mut lp, log, _guard) = start();
        let _here = lp.enter();
        let socket = UdpSocket::from_std(std_told()).unwrap();
        let waits = || {
            let (socket, log) = (socket.clone(), log.clone());
            drop(spawn(async move {
                let received = socket.recv(&mut [0; 8]).await;
                log.push(if received.is_ok() { "datagram" } else { "error" });
            }));
        };
        waits();
        waits();
        lp.run_nowait().unwrap();
        let [one, other] = nobody();
        socket.try_send_to(b"lost", one).unwrap();
        // The one errno of the socket goes to this call, the queue stays as it is.
        socket.try_send_to(b"lost", other).unwrap();
        run_until(&mut lp, || {
            let seen = log.take();
            seen.iter().for_each(|event| log.push(event));
            seen.len() == 2
        });
        log.expect(["error", "error"]);
        waits();
        assert_eq!(events(&mut lp), 0);
        socket.try_send_to(b"?", socket.local_addr().unwrap()).unwrap();
        lp.run().unwrap();
        log.expect(["datagram"]);
    }

    #[test]
    fn an_error_that_nobody_receives_does_not_spin_and_is_kept() {
        let (mut lp, log, _guard) = start();
        let _here = lp.enter();
        let socket = UdpSocket::from_std(std_told()).unwrap();
        // What was asked for once is still asked for.
        socket.recv_start(|_, _| panic!("stopped"));
        socket.recv_stop();
        let [one, other] = nobody();
        socket.try_send_to(b"lost", one).unwrap();
        socket.try_send_to(b"lost", other).unwrap();
        assert!(events(&mut lp) <= 1);
        let noted = log.clone();
        socket.recv_start(move |socket, datagram| {
            let to = to(&datagram.unwrap_err());
            noted.push(if to == one { "one" } else { "other" });
            if to == other {
                socket.recv_stop();
            }
        });
        lp.run().unwrap();
        log.expect(["one", "other"]);
    }

    #[test]
    fn an_error_is_told_though_only_the_queue_knows_of_it() {
        let (mut lp, log, _guard) = start();
        let _here = lp.enter();
        let theirs = std_told();
        let socket = UdpSocket::from_std(theirs.try_clone().unwrap()).unwrap();
        let lose = || {
            let [nobody] = nobody();
            theirs.send_to(b"lost", nobody).unwrap();
            // Whoever else has the socket may take its one errno; the queue stays as it is.
            assert!(theirs.take_error().unwrap().is_some());
            nobody
        };
        let waits = spawn({
            let socket = socket.clone();
            async move { socket.recv(&mut [0; 8]).await.unwrap_err() }
        });
        lp.run_nowait().unwrap();
        let lost = lose();
        assert_eq!(to(&lp.block_on(waits).unwrap()), lost);
        let noted = log.clone();
        socket.recv_start(move |_, datagram| noted.push(to(&datagram.unwrap_err())));
        let lost = lose();
        lp.run_once().unwrap();
        assert_eq!(log.take(), [lost.to_string()]);
        assert_eq!(events(&mut lp), 0);
        // What the own system says is of no datagram, and is in nobody's way.
        theirs.send_to(&[0; 65_520], lost).unwrap_err();
        assert!(events(&mut lp) <= 1);
        log.expect([]);
    }

    #[test]
    fn who_sends_to_others_does_not_meet_the_error() {
        let (mut lp, _, _guard) = start();
        let _here = lp.enter();
        let (socket, (peer, address)) = (told(), ours());
        let [nobody] = nobody();
        lp.block_on(async {
            let mut buffer = [0; 8];
            for _ in 0..3 {
                socket.send_to("lost", nobody).await.unwrap();
                socket.send_to("here", address).await.unwrap();
                assert_eq!(peer.recv(&mut buffer).await.unwrap(), 4);
                socket.send_to("lost", nobody).await.unwrap();
                assert_eq!(socket.try_send_many_to(&[("here", address)]).unwrap(), 1);
                assert_eq!(peer.recv(&mut buffer).await.unwrap(), 4);
            }
            for _ in 0..6 {
                assert_eq!(to(&socket.recv(&mut buffer).await.unwrap_err()), nobody);
            }
            let none = socket.try_recv_from(&mut buffer).unwrap_err();
            assert_eq!(none.kind(), ErrorKind::WouldBlock);
        });
    }

    #[test]
    fn a_datagram_that_is_too_long_is_told_to_its_sender_only() {
        let (mut lp, _, _guard) = start();
        let _here = lp.enter();
        let socket = told();
        socket.recv_start(|_, datagram| panic!("{datagram:?}"));
        // So long that the system finds out late, and notes it in the queue.
        let error = lp.block_on(socket.send_to(vec![0; 65_520], nobody::<1>()[0])).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(90), "EMSGSIZE");
        assert!(events(&mut lp) <= 1);
    }

    #[test]
    fn a_peer_that_is_gone_is_told_with_its_address() {
        let (mut lp, _, _guard) = start();
        let _here = lp.enter();
        let socket = told();
        let [nobody] = nobody();
        socket.connect(nobody).unwrap();
        lp.block_on(async {
            socket.send("lost").await.unwrap();
            let error = socket.recv(&mut [0; 8]).await.unwrap_err();
            assert_eq!(to(&error), nobody);
            let text = error.to_string();
            assert!(text.contains(&nobody.to_string()) && text.contains("refused"), "{text}");
        });
    }

    #[test]
    fn addresses_of_ipv6_and_mapped_ones_are_told() {
        let (mut lp, _, _guard) = start();
        let _here = lp.enter();
        let Ok(socket) = UdpSocket::options().recv_errors(true).bind("[::]:0") else {
            return behaviour::tell("skipped: there is no IPv6 here");
        };
        let [v4] = nobody();
        let mapped = (Ipv4Addr::LOCALHOST.to_ipv6_mapped(), v4.port()).into();
        let v6 = std::net::UdpSocket::bind("[::1]:0").unwrap().local_addr().unwrap();
        lp.block_on(async {
            for address in [v6, mapped] {
                socket.send_to("lost", address).await.unwrap();
                let error = socket.recv(&mut [0; 8]).await.unwrap_err();
                let datagram = Undelivered::of(&error).unwrap();
                assert_eq!((datagram.to, datagram.reported_by), (address, Some(address.ip())));
            }
        });
    }

    #[test]
    fn a_callback_that_stops_leaves_the_other_errors_to_the_next_receiver() {
        let (mut lp, log, _guard) = start();
        let _here = lp.enter();
        let socket = told();
        let [one, two, three] = nobody();
        for address in [one, two, three] {
            socket.try_send_to(b"lost", address).unwrap();
        }
        let noted = log.clone();
        socket.recv_start(move |socket, datagram| {
            assert_eq!(to(&datagram.unwrap_err()), one);
            noted.push("one");
            socket.recv_stop();
        });
        lp.run().unwrap();
        log.expect(["one"]);
        let error = lp.block_on(async { socket.recv(&mut [0; 8]).await.unwrap_err() });
        assert_eq!(to(&error), two);
        assert_eq!(to(&socket.try_recv_from(&mut [0; 8]).unwrap_err()), three);
    }

    #[test]
    fn a_callback_that_fails_or_closes_is_called_in_order() {
        let (mut lp, log, _guard) = start();
        let _here = lp.enter();
        let socket = told();
        let nobody: [_; 3] = nobody();
        for address in nobody {
            socket.try_send_to(b"lost", address).unwrap();
        }
        let noted = log.clone();
        socket.recv_start(move |socket, datagram| -> runtime::Result {
            let to = to(&datagram.unwrap_err());
            let place = nobody.iter().position(|address| *address == to).unwrap();
            noted.push(place);
            match place {
                0 => Err("thrown".into()),
                _ => {
                    socket.close();
                    Ok(())
                }
            }
        });
        assert_eq!(lp.run().unwrap_err().to_string(), "thrown");
        log.expect(["0"]);
        lp.run().unwrap();
        log.expect(["1"]);
        assert!(socket.is_closing());
    }
}

#[cfg(not(target_os = "linux"))]
#[test]
fn errors_with_their_addresses_are_not_for_this_system() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let refused = UdpSocket::options().recv_errors(true).bind("127.0.0.1:0");
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn an_error_of_the_system_is_of_no_datagram() {
    assert!(Undelivered::of(&ErrorKind::ConnectionRefused.into()).is_none());
    assert!(Undelivered::of(&Cancelled.into()).is_none());
}
