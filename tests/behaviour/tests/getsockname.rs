//! The addresses of both ends of sockets, from when on and how long they are known.

mod tcp_support;

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream as Peer};
use std::rc::Rc;

use behaviour::{Deadline, tell};
use runtime::net::{TcpListener, TcpStream, UdpSocket};
use runtime::{Closed, Loop};
use tcp_support::{nobody, pair, reset};

fn start() -> (Loop, Deadline) {
    (Loop::new().unwrap(), Deadline::secs(20))
}

fn is_closed(result: io::Result<SocketAddr>) -> bool {
    Closed::is_in(&result.unwrap_err())
}

// --- TCP ---

#[test]
fn a_listener_at_port_0_has_a_port_from_bind_on() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    assert_eq!(address.ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    assert_ne!(address.port(), 0);
    server.listen(|_, _| ());
    assert_eq!(server.local_addr().unwrap(), address, "listening changes nothing");
    // Asked for by its number, it is that.
    server.close();
    lp.run().unwrap();
    let again = TcpListener::bind(address).unwrap();
    assert_eq!(again.local_addr().unwrap(), address);
}

#[test]
fn a_listener_at_all_addresses_says_so_and_its_connections_say_which() {
    let (mut lp, _guard) = start();
    let server = {
        let _here = lp.enter();
        TcpListener::bind("0.0.0.0:0").unwrap()
    };
    let address = server.local_addr().unwrap();
    assert_eq!(address.ip(), IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    lp.block_on(async {
        let client = TcpStream::connect(("127.0.0.1", address.port())).await.unwrap();
        let (accepted, from) = server.accept().await.unwrap();
        let here: SocketAddr = (Ipv4Addr::LOCALHOST, address.port()).into();
        assert_eq!(accepted.local_addr().unwrap(), here);
        assert_eq!(client.peer_addr().unwrap(), here);
        assert_eq!(client.local_addr().unwrap(), from);
        assert_eq!(accepted.peer_addr().unwrap(), from);
        assert_ne!(from.port(), 0);
    });
}

#[test]
fn connecting_to_all_addresses_is_connecting_to_this_machine() {
    if cfg!(windows) {
        return tell("skipped: not on this system");
    }
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let client = TcpStream::connect(("0.0.0.0", port));
    let client = lp.block_on(client).unwrap();
    assert_eq!(client.peer_addr().unwrap(), server.local_addr().unwrap());
}

#[test]
fn addresses_of_ipv6_are_told_as_they_are() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let Ok(server) = TcpListener::bind("[::1]:0") else {
        return tell("skipped: there is no IPv6 here");
    };
    let address = server.local_addr().unwrap();
    assert_eq!(address.ip(), IpAddr::V6(Ipv6Addr::LOCALHOST));
    lp.block_on(async {
        let client = TcpStream::connect(address).await.unwrap();
        let (accepted, from) = server.accept().await.unwrap();
        assert_eq!(client.peer_addr().unwrap(), address);
        assert_eq!(accepted.peer_addr().unwrap(), from);
        assert_eq!(client.local_addr().unwrap(), from);
    });
}

#[test]
fn a_stream_knows_both_ends_in_the_callback_that_brings_it() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let ends = Rc::new(Cell::new([None; 2]));
    let note = |at: usize| {
        let ends = ends.clone();
        move |one: SocketAddr, other: SocketAddr| {
            let mut all = ends.get();
            all[at] = Some((one, other));
            ends.set(all);
        }
    };
    let (of_server, of_client) = (note(0), note(1));
    server.listen(move |server, stream| {
        assert_eq!(stream.local_addr().unwrap(), server.local_addr().unwrap());
        of_server(stream.peer_addr().unwrap(), stream.local_addr().unwrap());
        server.close();
        assert!(is_closed(server.local_addr()));
    });
    TcpStream::connect(address).callback(move |stream| {
        let stream = stream.unwrap();
        of_client(stream.local_addr().unwrap(), stream.peer_addr().unwrap());
    });
    lp.run().unwrap();
    let [Some(of_server), Some(of_client)] = ends.get() else { panic!("both were called") };
    assert_eq!(of_server, of_client);
    assert_eq!(of_client.1, address);
}

#[test]
fn a_closed_stream_and_a_closed_listener_have_no_addresses() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = pair();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    ours.close();
    server.close();
    for _when in ["at once", "and later"] {
        assert!(is_closed(ours.local_addr()) && is_closed(ours.peer_addr()));
        assert!(is_closed(server.local_addr()));
        lp.run().unwrap();
    }
}

#[test]
fn who_has_gone_is_still_known_until_the_connection_is_reset() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let (ours, peer) = pair();
    let (here, there) = (ours.local_addr().unwrap(), peer.local_addr().unwrap());
    peer.shutdown(std::net::Shutdown::Both).unwrap();
    assert_eq!(lp.block_on(ours.read(&mut [0])).unwrap(), 0);
    assert_eq!(ours.peer_addr().unwrap(), there);
    assert_eq!(ours.local_addr().unwrap(), here);
    let (ours, peer) = pair();
    let here = ours.local_addr().unwrap();
    reset(peer);
    lp.block_on(ours.readable()).unwrap_err();
    let left = ours.peer_addr().unwrap_err();
    assert!(left.kind() == ErrorKind::NotConnected || Closed::is_in(&left), "{left}");
    if !ours.is_closing() {
        assert_eq!(ours.local_addr().unwrap().port(), here.port());
    }
}

#[test]
fn two_connections_of_one_listener_differ_in_the_peers_port_only() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let peers = [(); 2].map(|()| Peer::connect(address).unwrap());
    lp.block_on(async {
        for peer in &peers {
            let (stream, from) = server.accept().await.unwrap();
            assert_eq!(stream.local_addr().unwrap(), address);
            assert_eq!(from, peer.local_addr().unwrap());
        }
    });
    assert_ne!(peers[0].local_addr().unwrap(), peers[1].local_addr().unwrap());
}

// --- UDP ---

#[test]
fn a_udp_socket_has_an_address_from_bind_on_and_a_peer_from_connect_on() {
    let (lp, _guard) = start();
    let _here = lp.enter();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    assert_eq!(address.ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    assert_ne!(address.port(), 0);
    assert_eq!(socket.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
    let peer = nobody();
    socket.connect(peer).unwrap();
    assert_eq!(socket.peer_addr().unwrap(), peer);
    assert_eq!(socket.local_addr().unwrap(), address);
    socket.disconnect().unwrap();
    assert_eq!(socket.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!(socket.local_addr().unwrap().port(), address.port());
    socket.close();
    assert!(is_closed(socket.local_addr()) && is_closed(socket.peer_addr()));
}

#[test]
fn a_udp_socket_at_all_addresses_has_one_when_it_is_connected() {
    let (lp, _guard) = start();
    let _here = lp.enter();
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let address = socket.local_addr().unwrap();
    assert_eq!(address.ip(), IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    assert_ne!(address.port(), 0);
    socket.connect(nobody()).unwrap();
    let connected: SocketAddr = (Ipv4Addr::LOCALHOST, address.port()).into();
    assert_eq!(socket.local_addr().unwrap(), connected);
}

#[test]
fn what_a_udp_socket_sends_comes_from_its_address() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let [one, other] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    lp.block_on(async {
        one.send_to("x", other.local_addr().unwrap()).await.unwrap();
        let (_, from) = other.recv_from(&mut [0; 8]).await.unwrap();
        assert_eq!(from, one.local_addr().unwrap());
    });
}
