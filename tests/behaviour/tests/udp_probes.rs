//! UDP sockets: situations that once were bugs of event loops.

mod tcp_support;

use std::cell::Cell;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use behaviour::{Deadline, EventLog, tell};
use runtime::handle::{Check, Idle};
use runtime::net::UdpSocket;
use runtime::{Loop, ms, set_immediate, set_interval, set_timeout};

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(20))
}

fn ours() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_datagram_to_no_address_at_all_comes_to_this_machine() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let server = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let client = UdpSocket::bind("0.0.0.0:0").unwrap();
    let sent = lp.block_on(client.send_to("here", (Ipv4Addr::UNSPECIFIED, port)));
    if cfg!(windows) {
        return assert!(sent.is_err());
    }
    assert_eq!(sent.unwrap(), 4);
    assert_eq!(lp.block_on(server.recv(&mut [0; 8])).unwrap(), 4);
}

#[test]
fn a_socket_of_both_families_has_mapped_peers() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let Ok(both) = UdpSocket::bind("[::]:0") else {
        return tell("skipped: there is no IPv6 here");
    };
    let port = both.local_addr().unwrap().port();
    let (v4, v4_at) = ours();
    let mapped: SocketAddr = (Ipv4Addr::LOCALHOST.to_ipv6_mapped(), v4_at.port()).into();
    let mut buffer = [0; 8];
    lp.block_on(async {
        if v4.send_to("there", (Ipv4Addr::LOCALHOST, port)).await.is_err() {
            return tell("skipped: a socket of IPv6 hears nothing of IPv4 here");
        }
        assert_eq!(both.recv_from(&mut buffer).await.unwrap(), (5, mapped));
        both.send_to("back", mapped).await.unwrap();
        let back = (4, (Ipv4Addr::LOCALHOST, port).into());
        assert_eq!(v4.recv_from(&mut buffer).await.unwrap(), back);
        both.connect(mapped).unwrap();
        assert_eq!(both.peer_addr().unwrap(), mapped);
        both.send("mapped").await.unwrap();
        assert_eq!(v4.recv(&mut buffer).await.unwrap(), 6);
    });
}

#[test]
fn an_address_of_the_other_family_is_an_error_of_the_request() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (client, _) = ours();
    lp.block_on(client.send_to("x", (Ipv6Addr::LOCALHOST, 9))).unwrap_err();
    client.try_send_to(b"x", (Ipv6Addr::LOCALHOST, 9)).unwrap_err();
    client.connect((Ipv6Addr::LOCALHOST, 9)).unwrap_err();
    let (_peer, address) = ours();
    assert_eq!(lp.block_on(client.send_to("x", address)).unwrap(), 1, "it goes on");
}

#[test]
fn an_address_of_another_machine_can_not_be_had() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    // One that is for documentation.
    let refused = UdpSocket::bind("192.0.2.77:0").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AddrNotAvailable);
}

#[test]
fn ipv6_has_one_peer_too() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let Ok(one) = UdpSocket::bind("[::1]:0") else {
        return tell("skipped: there is no IPv6 here");
    };
    let other = UdpSocket::bind("[::1]:0").unwrap();
    let (one_at, other_at) = (one.local_addr().unwrap(), other.local_addr().unwrap());
    lp.block_on(async {
        assert!(one.send("x").await.is_err());
        one.connect(other_at).unwrap();
        assert!(one.connect(other_at).is_err() && one.send_to("x", other_at).await.is_err());
        one.send("peer").await.unwrap();
        assert_eq!(other.recv_from(&mut [0; 8]).await.unwrap(), (4, one_at));
        one.disconnect().unwrap();
        assert!(one.disconnect().is_err() && one.send("x").await.is_err());
        assert_eq!(one.local_addr().unwrap(), one_at);
        other.send_to("back", one_at).await.unwrap();
        assert_eq!(one.recv_from(&mut [0; 8]).await.unwrap(), (4, other_at));
    });
}

#[test]
fn all_that_is_there_comes_between_one_prepare_and_check() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let noted = log.clone();
    server.recv_start(move |server, datagram| {
        let text = text(datagram.unwrap().0);
        noted.push(&text);
        if text == "9" {
            server.close();
        }
    });
    let check = Check::new();
    let noted = log.clone();
    check
        .start(move |check| {
            noted.push("check");
            check.close();
        })
        .unwrap();
    let (client, _) = ours();
    for n in 0..10 {
        client.send_to(n.to_string(), address);
    }
    lp.run().unwrap();
    log.expect(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "check"]);
}

#[test]
fn who_sends_in_each_iteration_starves_nobody() {
    const SENDS: usize = 500;
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let ((client, _), (server, address)) = (ours(), ours());
    let [sent, told, immediates] = [(); 3].map(|()| Rc::new(Cell::new(0)));
    let idle = Idle::new();
    let (count, answers) = (sent.clone(), told.clone());
    idle.start(move |idle| {
        if count.get() == SENDS {
            return idle.close();
        }
        count.set(count.get() + 1);
        let answers = answers.clone();
        client.send_to("x", address).callback(move |result| {
            result.unwrap();
            answers.set(answers.get() + 1);
        });
    })
    .unwrap();
    // From its own callback, each time anew.
    fn again(count: Rc<Cell<usize>>, sent: Rc<Cell<usize>>) {
        if sent.get() < SENDS {
            count.set(count.get() + 1);
            set_immediate(move || again(count, sent));
        }
    }
    again(immediates.clone(), sent.clone());
    let timer = Rc::new(Cell::new(false));
    set_timeout(ms(1), {
        let timer = timer.clone();
        move || timer.set(true)
    });
    let received = Rc::new(Cell::new(0));
    let count = received.clone();
    server.recv_start(move |server, datagram| {
        datagram.unwrap();
        count.set(count.get() + 1);
        if count.get() == SENDS {
            server.close();
        }
    });
    lp.run().unwrap();
    assert_eq!((sent.get(), told.get(), received.get()), (SENDS, SENDS, SENDS));
    assert!(timer.get() && immediates.get() >= SENDS);
}

#[test]
fn a_request_that_sends_again_in_its_callback_lets_the_loop_go_on() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let ((client, _), (_server, address)) = (ours(), ours());
    let (is_over, count) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
    fn send(client: UdpSocket, to: SocketAddr, over: Rc<Cell<bool>>, count: Rc<Cell<usize>>) {
        let next = client.clone();
        client.send_to("x", to).callback(move |sent| {
            sent.unwrap();
            count.set(count.get() + 1);
            if !over.get() {
                send(next, to, over, count);
            }
        });
    }
    send(client, address, is_over.clone(), count.clone());
    // It has its turn beside them, whenever that is.
    set_interval(ms(1), move |id| {
        if count.get() > 1 {
            is_over.set(true);
            id.clear();
        }
    });
    lp.run().unwrap();
}

#[test]
fn several_loops_share_a_port() {
    const LOOPS: usize = 3;
    const SENDERS: usize = 60;
    let _guard = Deadline::secs(20);
    let shared = |address| UdpSocket::options().reuse_port(true).bind(address);
    let lp = Loop::new().unwrap();
    let first = {
        let _here = lp.enter();
        match shared(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))) {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                return tell("skipped: this system does not spread datagrams over sockets");
            }
            first => first.unwrap(),
        }
    };
    let address = first.local_addr().unwrap();
    let (bound, is_bound) = mpsc::channel();
    let loops: Vec<_> = (0..LOOPS)
        .map(|_| {
            let bound = bound.clone();
            thread::spawn(move || {
                let mut lp = Loop::new().unwrap();
                let _here = lp.enter();
                let socket = shared(address).unwrap();
                bound.send(()).unwrap();
                let count = Rc::new(Cell::new(0));
                let received = count.clone();
                socket.recv_start(move |socket, datagram| {
                    let (bytes, from) = datagram.unwrap();
                    match bytes {
                        b"end" => socket.close(),
                        _ => {
                            received.set(received.get() + 1);
                            socket.send_to("heard", from);
                        }
                    }
                });
                lp.run().unwrap();
                count.get()
            })
        })
        .collect();
    is_bound.iter().take(LOOPS).for_each(drop);
    // The group has just the loops' sockets now.
    first.close();
    let peers: Vec<_> =
        (0..SENDERS).map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    for peer in &peers {
        peer.send_to(b"x", address).unwrap();
        assert_eq!(peer.recv(&mut [0; 8]).unwrap(), 5);
    }
    // Each sender is one loop's as long as the group stays: so ask until all of them are gone.
    while loops.iter().any(|one| !one.is_finished()) {
        let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        // Nobody there any more is fine.
        let _ = peer.send_to(b"end", address);
        thread::yield_now();
    }
    let counts: Vec<usize> = loops.into_iter().map(|one| one.join().unwrap()).collect();
    assert_eq!(counts.iter().sum::<usize>(), SENDERS);
    assert!(counts.iter().filter(|count| **count > 0).count() > 1, "one had all: {counts:?}");
}

#[test]
fn members_of_a_group_hear_each_other_and_themselves() {
    const LO: Ipv4Addr = Ipv4Addr::LOCALHOST;
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let [.., high, low] = std::process::id().to_be_bytes();
    let group = Ipv4Addr::new(239, high, low, 77);
    let shared = |port: u16| UdpSocket::options().reuse_address(true).bind(("0.0.0.0", port));
    let one = shared(0).unwrap();
    let port = one.local_addr().unwrap().port();
    let other = shared(port).unwrap();
    for (socket, name) in [(&one, "one"), (&other, "other")] {
        if let Err(error) = socket.join_multicast(group, LO) {
            return tell(format!("skipped: no multicast on loopback: {error}"));
        }
        socket.set_multicast_interface(LO).unwrap();
        socket.set_multicast_ttl(0).unwrap();
        let log = log.clone();
        socket.recv_start(move |socket, datagram| {
            let text = text(datagram.unwrap().0);
            log.push(format!("{name} {text}"));
            if text == "last" {
                socket.close();
            }
        });
    }
    one.send_to("first", (group, port));
    one.send_to("last", (group, port));
    lp.run().unwrap();
    let mut heard = log.take();
    heard.sort_unstable();
    assert_eq!(heard, ["one first", "one last", "other first", "other last"]);
}
