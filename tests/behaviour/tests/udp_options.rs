//! UDP sockets: peers, options and multicast.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use behaviour::{Deadline, tell};
use runtime::net::{Interface, UdpSocket};
use runtime::{Loop, ms, time};

fn start() -> (Loop, Deadline) {
    (Loop::new().unwrap(), Deadline::secs(20))
}

fn ours() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Whether `result` is the error that Linux gives this number.
fn fails_as<T: std::fmt::Debug>(result: io::Result<T>, errno: i32) -> bool {
    let code = result.unwrap_err().raw_os_error();
    code.is_some() && (code == Some(errno) || cfg!(not(target_os = "linux")))
}

const EDESTADDRREQ: i32 = 89;
const EADDRNOTAVAIL: i32 = 99;
const EISCONN: i32 = 106;
const ENOTCONN: i32 = 107;

// --- peers ---

#[test]
fn a_connected_socket_has_one_peer_until_it_is_disconnected() {
    let (mut lp, _guard) = start();
    lp.block_on(async {
        let ((one, one_at), (two, two_at), (three, three_at)) = (ours(), ours(), ours());
        assert!(fails_as(one.send("x").await, EDESTADDRREQ));
        assert!(fails_as(one.try_send(b"x"), EDESTADDRREQ));
        assert!(fails_as(one.try_send_many(&["x"]), EDESTADDRREQ));
        assert!(fails_as(one.disconnect(), ENOTCONN));
        assert!(fails_as(one.peer_addr(), ENOTCONN));

        one.connect(two_at).unwrap();
        assert_eq!(one.peer_addr().unwrap(), two_at);
        assert!(fails_as(one.connect(three_at), EISCONN));
        assert!(fails_as(one.send_to("x", two_at).await, EISCONN));
        assert!(fails_as(one.try_send_to(b"x", two_at), EISCONN));
        assert!(fails_as(one.try_send_many_to(&[("x", two_at)]), EISCONN));
        let mut buffer = [0; 8];
        three.send_to("dropped", one_at).await.unwrap();
        two.send_to("taken", one_at).await.unwrap();
        assert_eq!(one.recv_from(&mut buffer).await.unwrap(), (5, two_at));
        one.send("a").await.unwrap();
        assert_eq!(one.try_send(b"b").unwrap(), 1);
        assert_eq!(one.try_send_many(&["c", "d"]).unwrap(), 2);
        for _ in 0..4 {
            assert_eq!(two.recv_from(&mut buffer).await.unwrap(), (1, one_at));
        }

        one.disconnect().unwrap();
        assert_eq!(one.local_addr().unwrap(), one_at);
        assert!(fails_as(one.send("x").await, EDESTADDRREQ));
        three.send_to("now", one_at).await.unwrap();
        assert_eq!(one.recv_from(&mut buffer).await.unwrap(), (3, three_at));
        one.send_to("x", three_at).await.unwrap();
        assert_eq!(three.recv(&mut buffer).await.unwrap(), 1);
        one.connect(three_at).unwrap();
        assert_eq!(one.peer_addr().unwrap(), three_at);
    });
}

#[test]
fn a_port_that_the_system_chose_stays_when_the_peer_goes() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let (_peer, peer_at) = ours();
    let address = socket.local_addr().unwrap();
    for _ in 0..2 {
        socket.connect(peer_at).unwrap();
        socket.disconnect().unwrap();
        assert_eq!(socket.local_addr().unwrap(), address);
    }
    let to = (Ipv4Addr::LOCALHOST, address.port());
    lp.block_on(async {
        ours().0.send_to("here", to).await.unwrap();
        assert_eq!(socket.recv(&mut [0; 8]).await.unwrap(), 4);
    });
}

// --- addresses ---

#[test]
fn an_address_is_one_sockets_unless_all_say_otherwise() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let (_one, address) = ours();
    let taken = UdpSocket::bind(address).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    assert!(taken.to_string().starts_with(&format!("cannot bind to {address}: ")), "{taken}");
    let shared = || UdpSocket::options().reuse_address(true);
    let one = shared().bind("127.0.0.1:0").unwrap();
    let address = one.local_addr().unwrap();
    assert_eq!(shared().bind(address).unwrap().local_addr().unwrap(), address);
    lp.run().unwrap();
}

#[test]
fn sockets_of_one_port_share_what_comes() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let shared = || UdpSocket::options().reuse_port(true);
    let first = match shared().bind("127.0.0.1:0") {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            return tell("skipped: this system does not spread datagrams over sockets");
        }
        first => first.unwrap(),
    };
    let address = first.local_addr().unwrap();
    let other = shared().bind(address).unwrap();
    let count = std::rc::Rc::new(std::cell::Cell::new(0));
    for socket in [&first, &other] {
        let count = count.clone();
        socket.recv_start(move |_, _| count.set(count.get() + 1));
    }
    let peers: Vec<_> = (0..20).map(|_| ours().0).collect();
    for peer in &peers {
        lp.block_on(peer.send_to("x", address)).unwrap();
    }
    lp.run_nowait().unwrap();
    lp.run_nowait().unwrap();
    assert_eq!(count.get(), 20, "each came to one of them");
}

#[test]
fn only_v6_is_for_v6() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let only_v6 = || UdpSocket::options().only_v6(true);
    let error = only_v6().bind("127.0.0.1:0").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("127.0.0.1:0"), "{error}");
    let Ok(both) = UdpSocket::bind("[::]:0") else {
        return tell("skipped: there is no IPv6 here");
    };
    let port = both.local_addr().unwrap().port();
    assert_eq!(UdpSocket::bind(("0.0.0.0", port)).unwrap_err().kind(), ErrorKind::AddrInUse);
    drop(both);
    lp.run().unwrap();
    let leaves_the_other = |_| {
        let v6 = only_v6().bind("[::]:0").unwrap();
        let port = v6.local_addr().unwrap().port();
        UdpSocket::bind(("0.0.0.0", port)).is_ok()
    };
    // Another program may have it, but not each time.
    assert!((0..10).any(leaves_the_other));
}

// --- settings ---

#[test]
fn settings_are_kept() {
    let (lp, _guard) = start();
    let _here = lp.enter();
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(socket) = UdpSocket::bind(address) else {
            tell("skipped for IPv6: there is none here");
            continue;
        };
        socket.set_ttl(7).unwrap();
        socket.set_multicast_ttl(3).unwrap();
        socket.set_multicast_loop(false).unwrap();
        let hops = (socket.ttl().unwrap(), socket.multicast_ttl().unwrap());
        assert_eq!((hops, socket.multicast_loop().unwrap()), ((7, 3), false));
        socket.set_multicast_ttl(0).unwrap();
        for wrong in [0, 256, u32::MAX] {
            assert_eq!(socket.set_ttl(wrong).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        assert_eq!(socket.set_multicast_ttl(256).unwrap_err().kind(), ErrorKind::InvalidInput);
        socket.set_recv_buffer_size(20_000).unwrap();
        socket.set_send_buffer_size(30_000).unwrap();
        assert!(socket.recv_buffer_size().unwrap() >= 20_000);
        assert!(socket.send_buffer_size().unwrap() >= 30_000);
        if cfg!(target_os = "linux") {
            // More than a C int: as large as the system gives, and not what its low bits say.
            socket.set_recv_buffer_size(u32::MAX as usize + 1).unwrap();
            socket.set_send_buffer_size(u32::MAX as usize + 1).unwrap();
            assert!(socket.recv_buffer_size().unwrap() >= 20_000);
            assert!(socket.send_buffer_size().unwrap() >= 30_000);
        }
    }
}

#[test]
fn a_broadcast_has_to_be_allowed() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    assert!(!socket.broadcast().unwrap());
    let to: SocketAddr = (Ipv4Addr::BROADCAST, 9).into();
    let error = lp.block_on(socket.send_to("all", to)).unwrap_err();
    // Without a route it says that instead.
    assert_ne!(error.kind(), ErrorKind::InvalidInput);
    socket.set_broadcast(true).unwrap();
    assert!(socket.broadcast().unwrap());
    // Loopback is a network of its own, with a broadcast address.
    let receiver = UdpSocket::bind("127.255.255.255:0");
    let Ok(receiver) = receiver else {
        return tell("skipped: loopback has no broadcast address here");
    };
    let to = receiver.local_addr().unwrap();
    if let Err(error) = lp.block_on(socket.send_to("all", to)) {
        return tell(format!("skipped: no broadcast on loopback: {error}"));
    }
    lp.block_on(async {
        let heard = time::timeout(ms(2_000), receiver.recv(&mut [0; 8])).await;
        match heard {
            Ok(len) => assert_eq!(len.unwrap(), 3),
            Err(_) => tell("not told: the system sends no broadcast over loopback"),
        }
    });
}

// --- multicast ---

/// A group for each test that needs one: Linux gives a socket at 0.0.0.0 what comes for any group that
/// somebody on the machine has joined.
fn group(number: u8) -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(239, high, low, number)
}

const LO: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A socket that can listen to a group, and the address to send to.
fn listener(group: Ipv4Addr) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::options().reuse_address(true).bind("0.0.0.0:0").unwrap();
    let to = (group, socket.local_addr().unwrap().port()).into();
    (socket, to)
}

/// Who is heard when `sender` sends to `to`. A datagram to the listener itself follows, so that nobody
/// waits for what does not come: a machine keeps the order of what it sends to itself.
fn heard(
    lp: &mut Loop,
    sender: &UdpSocket,
    listener: &UdpSocket,
    to: SocketAddr,
) -> io::Result<Option<IpAddr>> {
    lp.block_on(async {
        sender.send_to("group", to).await?;
        let itself: IpAddr = match to {
            SocketAddr::V4(_) => LO.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        UdpSocket::bind((itself, 0))?.send_to("end", (itself, to.port())).await?;
        let (mut heard, mut buffer) = (None, [0; 8]);
        loop {
            let (len, from) = listener.recv_from(&mut buffer).await?;
            match &buffer[..len] {
                b"group" => heard = Some(from.ip()),
                _ => return Ok(heard),
            }
        }
    })
}

/// A sender at 127.0.0.1.
fn sender() -> UdpSocket {
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.set_multicast_interface(LO).unwrap();
    sender
}

#[test]
fn a_group_is_heard_from_joining_to_leaving() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let group = group(1);
    let (socket, to) = listener(group);
    if let Err(error) = socket.join_multicast(group, LO) {
        return tell(format!("skipped: no multicast on loopback: {error}"));
    }
    assert_eq!(socket.join_multicast(group, LO).unwrap_err().kind(), ErrorKind::AddrInUse);
    let sender = sender();
    assert_eq!(heard(&mut lp, &sender, &socket, to).unwrap(), Some(LO.into()));
    socket.leave_multicast(group, LO).unwrap();
    assert!(fails_as(socket.leave_multicast(group, LO), EADDRNOTAVAIL));
    assert_eq!(heard(&mut lp, &sender, &socket, to).unwrap(), None);
}

#[test]
fn a_group_is_heard_from_one_source_only() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let group = group(2);
    let (socket, to) = listener(group);
    if let Err(error) = socket.join_multicast_source(LO, group, LO) {
        return tell(format!("skipped: no multicast of one source on loopback: {error}"));
    }
    let sender = sender();
    assert_eq!(heard(&mut lp, &sender, &socket, to).unwrap(), Some(LO.into()));
    socket.leave_multicast_source(LO, group, LO).unwrap();
    let stranger = Ipv4Addr::new(127, 0, 0, 9);
    socket.join_multicast_source(stranger, group, LO).unwrap();
    assert_eq!(heard(&mut lp, &sender, &socket, to).unwrap(), None);
    let mixed = socket.join_multicast_source(LO, Ipv6Addr::LOCALHOST, Interface::Any);
    assert_eq!(mixed.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn interfaces_are_known_by_index_too() {
    let (lp, _guard) = start();
    let _here = lp.enter();
    let group = group(3);
    let (socket, _) = listener(group);
    let Ok(index) = loopback_index() else {
        return tell("skipped: the index of loopback is not known here");
    };
    socket.join_multicast(group, index).unwrap();
    socket.leave_multicast(group, Interface::Index(index)).unwrap();
    socket.set_multicast_interface(index).unwrap();
    socket.set_multicast_interface(Interface::Any).unwrap();
    assert!(socket.join_multicast(group, 1_000_000).is_err());
    assert!(socket.join_multicast(LO, Interface::Any).is_err(), "no group");
}

fn loopback_index() -> io::Result<u32> {
    index_of("lo")
}

fn index_of(interface: &str) -> io::Result<u32> {
    let text = std::fs::read_to_string(format!("/sys/class/net/{interface}/ifindex"))?;
    text.trim().parse().map_err(io::Error::other)
}

#[test]
fn a_group_of_ipv6_is_heard_by_index_if_it_is_looped_back() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let (Ok(socket), Ok(interfaces)) =
        (UdpSocket::bind("[::]:0"), std::fs::read_dir("/sys/class/net"))
    else {
        return tell("skipped: there is no IPv6 here, or interfaces are not known");
    };
    let group = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0x7707, std::process::id() as u16);
    assert_eq!(
        socket.join_multicast(group, LO).unwrap_err().kind(),
        ErrorKind::InvalidInput,
        "the address of an interface is for IPv4"
    );
    let to: SocketAddr = (group, socket.local_addr().unwrap().port()).into();
    let sender = UdpSocket::bind("[::]:0").unwrap();
    sender.set_multicast_ttl(0).unwrap();
    // One that has a route for it; not each has.
    let mut hear = |index: u32| -> io::Result<Option<IpAddr>> {
        sender.set_multicast_interface(index)?;
        heard(&mut lp, &sender, &socket, to)
    };
    for interface in interfaces {
        let name = interface.unwrap().file_name();
        let index = index_of(&name.to_string_lossy()).unwrap();
        // Loopback brings a datagram here whether it is looped back or not.
        if name == "lo" || socket.join_multicast(group, index).is_err() {
            continue;
        }
        if let Ok(from) = hear(index) {
            let from = from.expect("it has joined");
            sender.set_multicast_loop(false).unwrap();
            assert_eq!(hear(index).unwrap(), None);
            sender.set_multicast_loop(true).unwrap();
            socket.leave_multicast(group, index).unwrap();
            assert_eq!(hear(index).unwrap(), None);
            socket.join_multicast_source(from, group, index).unwrap();
            assert_eq!(hear(index).unwrap(), Some(from));
            socket.leave_multicast_source(from, group, index).unwrap();
            return assert_eq!(hear(index).unwrap(), None);
        }
        socket.leave_multicast(group, index).unwrap();
    }
    tell("skipped: no interface has multicast of IPv6 here");
}
