//! What is set before a socket connects or listens, settings of a connection, and pairs.

mod tcp_support;

use std::cell::Cell;
use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpStream as Peer};
use std::rc::Rc;
use std::time::Duration;

use behaviour::{Deadline, tell};
use runtime::net::{TcpListener, TcpOptions, TcpStream};
use runtime::{Closed, Loop, Request, ms, secs};
use socket2::{Domain, SockRef, Socket, Type};
use tcp_support::{handles, pair, run_until};

fn start() -> (Loop, Deadline) {
    (Loop::new().unwrap(), Deadline::secs(20))
}

fn has_v6() -> bool {
    let has_it = std::net::TcpListener::bind("[::1]:0").is_ok();
    if !has_it {
        tell("skipped for IPv6: there is none here");
    }
    has_it
}

/// Whether the error is of this kind, and says `what`.
#[track_caller]
fn assert_error<T: std::fmt::Debug>(result: io::Result<T>, kind: ErrorKind, what: impl ToString) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(&what.to_string()), "{error}");
}

/// The error of the system that is in one of ours.
fn errno(error: &io::Error) -> Option<i32> {
    let source = error.get_ref()?.source()?;
    source.downcast_ref::<io::Error>()?.raw_os_error()
}

/// Both ends of a connection.
fn connected(lp: &mut Loop, server: &TcpListener, options: TcpOptions) -> (TcpStream, TcpStream) {
    let address = server.local_addr().unwrap();
    lp.block_on(async {
        let client = options.connect(address).await.unwrap();
        (client, server.accept().await.unwrap().0)
    })
}

// --- listening ---

#[test]
fn an_address_that_can_not_be_had_is_named() {
    let (lp, _guard) = start();
    let _here = lp.enter();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let error = TcpListener::bind(address).unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot listen at {address}: ")), "{error}");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(errno(&error).is_some());
    // An address for documentation, which nobody has.
    let foreign = "192.0.2.1:0";
    assert_error(TcpListener::bind(foreign), ErrorKind::AddrNotAvailable, foreign);
    let both = [foreign.parse().unwrap(), address];
    assert_error(TcpListener::bind(&both[..]), ErrorKind::AddrInUse, address);
    assert_eq!(handles(&lp), 1);
}

#[test]
fn only_v6_leaves_the_port_of_ipv4_to_others() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let only_v6 = TcpListener::options().only_v6(true);
    assert_error(only_v6.bind("127.0.0.1:0"), ErrorKind::InvalidInput, "127.0.0.1:0");
    if !has_v6() {
        return;
    }
    let leaves_the_other = |_| {
        let server = only_v6.bind("[::]:0").unwrap();
        let port = server.local_addr().unwrap().port();
        TcpListener::bind(("0.0.0.0", port)).is_ok()
    };
    // Another program may have it, but not each time.
    assert!((0..10).any(leaves_the_other));
    lp.run().unwrap();
    let both = TcpListener::bind("[::]:0").unwrap();
    let port = both.local_addr().unwrap().port();
    assert_error(TcpListener::bind(("0.0.0.0", port)), ErrorKind::AddrInUse, port);
    let (client, (_, peer)) = lp.block_on(async {
        let client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        (client, both.accept().await.unwrap())
    });
    let SocketAddr::V6(peer) = peer else { panic!("{peer}") };
    assert_eq!(peer.ip().to_ipv4_mapped().unwrap(), client.local_addr().unwrap().ip());
}

#[test]
fn reuse_port_spreads_connections_over_the_loops() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let shared = || TcpListener::options().reuse_port(true);
    let first = match shared().bind("127.0.0.1:0") {
        Ok(first) => first,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            return tell("skipped: the port can't be shared here");
        }
    };
    let address = first.local_addr().unwrap();
    assert_error(TcpListener::bind(address), ErrorKind::AddrInUse, address);
    let mut other = Loop::new().unwrap();
    let second = {
        let _there = other.enter();
        shared().bind(address).unwrap()
    };
    let counts = [(); 2].map(|()| Rc::new(Cell::new(0)));
    for (server, count) in [&first, &second].into_iter().zip(counts.clone()) {
        server.listen(move |_, _| count.set(count.get() + 1));
    }
    let _peers: Vec<_> = (0..64).map(|_| Peer::connect(address).unwrap()).collect();
    while counts[0].get() + counts[1].get() < 64 {
        lp.run_nowait().unwrap();
        other.run_nowait().unwrap();
    }
    assert!(counts.iter().all(|count| count.get() > 0), "{counts:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn the_backlog_bounds_what_waits() {
    let (lp, _guard) = start();
    let _here = lp.enter();
    let waiting = |backlog| {
        let server = TcpListener::options().backlog(backlog).bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap().into();
        let connect = |_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            drop(socket.connect(&address));
            socket
        };
        // On loopback a connect is answered before the call returns, or not at all.
        let sockets: Vec<_> = (0..8).map(connect).collect();
        sockets.iter().filter(|socket| socket.peer_addr().is_ok()).count()
    };
    assert_eq!([0, 3, 100].map(waiting), [1, 4, 8], "Linux counts one more");
    assert_eq!(waiting(u32::MAX), 8);
}

#[test]
fn accepted_connections_begin_with_the_listeners_settings() {
    if cfg!(not(target_os = "linux")) {
        return tell("skipped: not known of this system");
    }
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let options = TcpListener::options();
    let options = options.nodelay(true).ttl(9).recv_buffer_size(30_000).send_buffer_size(40_000);
    let v6 = has_v6().then_some("[::]:0");
    for address in ["127.0.0.1:0"].into_iter().chain(v6) {
        let server = options.bind(address).unwrap();
        let port = server.local_addr().unwrap().port();
        let (_client, accepted) = lp.block_on(async {
            let client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            (client, server.accept().await.unwrap().0)
        });
        assert!(accepted.nodelay().unwrap());
        assert_eq!(accepted.ttl().unwrap(), 9);
        assert_eq!(accepted.recv_buffer_size().unwrap(), 60_000);
        assert_eq!(accepted.send_buffer_size().unwrap(), 80_000);
    }
}

// --- connecting ---

#[test]
fn a_connection_begins_with_its_options() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let v6 = has_v6().then_some("[::1]:0");
    for address in ["127.0.0.1:0"].into_iter().chain(v6) {
        let server = TcpListener::bind(address).unwrap();
        let options = TcpStream::options().nodelay(true).ttl(7).recv_buffer_size(30_000);
        let (client, accepted) =
            connected(&mut lp, &server, options.send_buffer_size(40_000).connect_timeout(secs(20)));
        assert!(client.nodelay().unwrap() && !accepted.nodelay().unwrap());
        assert_eq!(client.ttl().unwrap(), 7);
        assert!(client.recv_buffer_size().unwrap() >= 30_000);
        assert!(client.send_buffer_size().unwrap() >= 40_000);
    }
}

#[test]
fn a_connection_comes_from_the_address_that_was_asked_for() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let local: SocketAddr = "127.0.0.2:0".parse().unwrap();
    if std::net::TcpListener::bind(local).is_err() {
        return tell("skipped: loopback has one address here");
    }
    let (client, accepted) = connected(&mut lp, &server, TcpStream::options().local_addr(local));
    assert_eq!(client.local_addr().unwrap().ip(), local.ip());
    assert_eq!(accepted.peer_addr().unwrap(), client.local_addr().unwrap());
}

#[test]
fn an_own_address_that_can_not_be_had_is_named() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let from = |local: &str| {
        let local: SocketAddr = local.parse().unwrap();
        TcpStream::options().local_addr(local)
    };
    let foreign = from("192.0.2.1:0").connect(address);
    assert_error(lp.block_on(foreign), ErrorKind::AddrNotAvailable, "192.0.2.1:0");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().into_std().unwrap();
    let taken = (taken.local_addr().unwrap(), taken);
    let used = TcpStream::options().local_addr(taken.0).connect(address);
    assert_error(lp.block_on(used), ErrorKind::AddrInUse, taken.0);
    let v6 = from("[::1]:0").connect(address);
    assert_error(lp.block_on(v6), ErrorKind::InvalidInput, address);
    // Of several addresses the one of the family is taken.
    let both = ["[::1]:1".parse().unwrap(), address];
    lp.block_on(from("127.0.0.1:0").connect(&both[..])).unwrap();
    drop(server);
    lp.run().unwrap();
    assert_eq!(handles(&lp), 0);
}

#[test]
fn options_that_can_not_be_are_errors_of_what_they_are_for() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    for hops in [0, 256] {
        let options = TcpStream::options().ttl(hops);
        let connecting: Request<_> = options.connect(server.local_addr().unwrap());
        assert_error(lp.block_on(connecting), ErrorKind::InvalidInput, hops);
        assert_error(options.bind("127.0.0.1:0"), ErrorKind::InvalidInput, hops);
    }
    assert_error(TcpStream::options().bind("nothing"), ErrorKind::InvalidInput, "nothing");
    let connecting = TcpStream::options().connect("nothing");
    assert_error(lp.block_on(connecting), ErrorKind::InvalidInput, "nothing");
}

#[test]
fn a_loop_that_is_gone_says_so() {
    let (lp, _guard) = start();
    let here = lp.enter();
    drop(lp);
    let options = TcpStream::options().connect_timeout(ms(1));
    let mut done = Vec::new();
    for request in [options.connect("127.0.0.1:1"), TcpStream::connect("127.1:1")] {
        done.push(futures_lite::future::block_on(request).map(drop));
    }
    done.push(options.bind("127.0.0.1:0").map(drop));
    done.push(TcpStream::pair().map(drop));
    for error in done {
        assert!(runtime::LoopGone::is_in(&error.unwrap_err()));
    }
    drop(here);
}

// --- settings of a connection ---

// Windows does not tell what was set.
#[cfg(unix)]
#[test]
fn keepalive_is_set_with_all_its_numbers() {
    let (lp, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = pair();
    assert!(!ours.keepalive().unwrap());
    ours.set_keepalive_ex(secs(70), secs(20), 3).unwrap();
    assert!(ours.keepalive().unwrap());
    let socket = ours.to_std().unwrap();
    let socket = SockRef::from(&socket);
    if cfg!(target_os = "linux") {
        assert_eq!(socket.tcp_keepalive_time().unwrap(), secs(70));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), secs(20));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
    }
    ours.set_keepalive(secs(60)).unwrap();
    assert!(ours.keepalive().unwrap());
    if cfg!(target_os = "linux") {
        assert_eq!(socket.tcp_keepalive_time().unwrap(), secs(60));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), secs(20), "it stays");
    }
    for (idle, interval, count, what) in [
        (ms(999), secs(1), 1, "999ms"),
        (secs(1), Duration::ZERO, 1, "interval of 0ns"),
        (secs(1), secs(1), 0, "count of 0"),
    ] {
        let error = ours.set_keepalive_ex(idle, interval, count);
        assert_error(error, ErrorKind::InvalidInput, what);
    }
    assert_error(ours.set_keepalive(ms(1)), ErrorKind::InvalidInput, "1ms");
    ours.set_keepalive(None).unwrap();
    assert!(!ours.keepalive().unwrap());
}

#[test]
fn hops_and_buffers_are_set_and_told() {
    let (lp, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = pair();
    ours.set_ttl(12).unwrap();
    assert_eq!(ours.ttl().unwrap(), 12);
    for wrong in [0, 256, u32::MAX] {
        assert_error(ours.set_ttl(wrong), ErrorKind::InvalidInput, wrong);
    }
    ours.set_recv_buffer_size(20_000).unwrap();
    ours.set_send_buffer_size(30_000).unwrap();
    let sizes = (ours.recv_buffer_size().unwrap(), ours.send_buffer_size().unwrap());
    match cfg!(target_os = "linux") {
        true => assert_eq!(sizes, (40_000, 60_000), "twice as much"),
        false => assert!(sizes.0 >= 20_000 && sizes.1 >= 30_000),
    }
}

// Others refuse what is above their limit.
#[cfg(target_os = "linux")]
#[test]
fn a_buffer_size_beyond_what_the_system_can_count_is_as_large_as_it_gives() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let sizes = |stream: &TcpStream| {
        (stream.recv_buffer_size().unwrap(), stream.send_buffer_size().unwrap())
    };
    let (most, beyond) = (i32::MAX as usize, u32::MAX as usize + 1);
    let set = |bytes| {
        let (ours, _peer) = pair();
        ours.set_recv_buffer_size(bytes).unwrap();
        ours.set_send_buffer_size(bytes).unwrap();
        sizes(&ours)
    };
    assert_eq!(set(beyond), set(most));
    let options = TcpStream::options().recv_buffer_size(beyond).send_buffer_size(beyond);
    let connected = lp.block_on(options.connect(server.local_addr().unwrap())).unwrap();
    assert_eq!(sizes(&connected), set(most));
}

#[test]
fn zero_linger_ends_a_connection_with_rst_however_it_is_closed() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let ends: [fn(TcpStream); 2] = [|stream| stream.close(), drop];
    for end in ends {
        let (ours, mut peer) = pair();
        assert!(!ours.zero_linger().unwrap());
        ours.set_zero_linger(true).unwrap();
        assert!(ours.zero_linger().unwrap());
        end(ours);
        lp.run().unwrap();
        assert_eq!(peer.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
    let (ours, mut peer) = pair();
    ours.set_zero_linger(true).unwrap();
    ours.set_zero_linger(false).unwrap();
    ours.close();
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_closed_stream_has_no_settings() {
    let (lp, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = pair();
    ours.close();
    for error in [
        ours.set_nodelay(true).unwrap_err(),
        ours.nodelay().unwrap_err(),
        ours.set_keepalive(secs(1)).unwrap_err(),
        ours.set_keepalive(None).unwrap_err(),
        ours.set_keepalive_ex(secs(1), secs(1), 1).unwrap_err(),
        ours.keepalive().unwrap_err(),
        ours.set_zero_linger(true).unwrap_err(),
        ours.zero_linger().unwrap_err(),
        ours.set_ttl(1).unwrap_err(),
        ours.ttl().unwrap_err(),
        ours.set_recv_buffer_size(1).unwrap_err(),
        ours.recv_buffer_size().unwrap_err(),
        ours.set_send_buffer_size(1).unwrap_err(),
        ours.send_buffer_size().unwrap_err(),
    ] {
        assert!(Closed::is_in(&error), "{error}");
    }
}

// --- pairs ---

#[test]
fn the_ends_of_a_pair_are_connected_with_each_other() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let (one, other) = TcpStream::pair().unwrap();
    assert_eq!(one.peer_addr().unwrap(), other.local_addr().unwrap());
    assert_eq!(other.peer_addr().unwrap(), one.local_addr().unwrap());
    assert!(one.local_addr().unwrap().ip().is_loopback());
    let got = Rc::new(Cell::new(0));
    let count = got.clone();
    // By callback here, by await there; neither end blocks.
    one.read_start(move |stream, data| match data.unwrap() {
        [] => {
            stream.shutdown();
        }
        data => {
            count.set(count.get() + data.len());
            stream.write(data);
        }
    });
    lp.block_on(async {
        other.write("hello").await.unwrap();
        let mut buffer = [0; 8];
        assert_eq!(other.read(&mut buffer).await.unwrap(), 5);
        other.shutdown().await.unwrap();
        assert_eq!(other.read(&mut buffer).await.unwrap(), 0);
    });
    assert_eq!(got.get(), 5);
    run_until(&mut lp, || one.is_closing());
}

#[test]
fn many_pairs_are_made_at_once() {
    let (mut lp, _guard) = start();
    let _here = lp.enter();
    let pairs: Vec<_> = (0..100).map(|_| TcpStream::pair().unwrap()).collect();
    assert_eq!(handles(&lp), 200);
    drop(pairs);
    lp.run().unwrap();
    assert_eq!(handles(&lp), 0);
}
