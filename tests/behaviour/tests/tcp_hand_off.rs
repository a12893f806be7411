//! Sockets that go to another loop, or to code of the standard library.

mod tcp_support;

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream as Peer};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use behaviour::{Deadline, EventLog};
use runtime::net::{TcpListener, TcpStream};
use runtime::{Closed, Loop, spawn};
use tcp_support::{Counted, handles, narrow_pair, pair, pattern, run_until};

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(30))
}

#[test]
fn a_connection_goes_to_the_loop_of_another_thread_with_all_that_waits_in_it() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    let other = ours.clone();
    peer.write_all(b"one two").unwrap();
    lp.block_on(async {
        let mut buffer = [0; 4];
        assert_eq!(ours.read(&mut buffer).await.unwrap(), 4);
        ours.write("from the first ").await.unwrap();
    });
    let socket = ours.into_std().unwrap();
    assert!(other.is_closing());
    assert!(!lp.run().unwrap());
    assert_eq!(handles(&lp), 0);
    peer.write_all(b" three").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let there = thread::spawn(move || {
        let mut lp = Loop::new().unwrap();
        lp.block_on(async {
            let stream = TcpStream::from_std(socket).unwrap();
            let mut all = Vec::new();
            while stream.read_with(|data| all.extend_from_slice(data)).await.is_ok() {
                if all.ends_with(b"three") {
                    break;
                }
            }
            stream.write("from the second").await.unwrap();
            all
        })
    });
    assert_eq!(there.join().unwrap(), b"two three");
    let mut got = String::new();
    peer.read_to_string(&mut got).unwrap();
    assert_eq!(got, "from the first from the second");
}

#[test]
fn a_reading_stream_gives_its_socket_up_in_its_own_callback() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let live = Rc::new(Cell::new(0));
    let (ours, mut peer) = pair();
    let (note, counted) = (log.clone(), Counted::new(&live));
    let given = Rc::new(Cell::new(None));
    let taken = given.clone();
    ours.read_start(move |stream, data| {
        counted.touch();
        note.push(String::from_utf8_lossy(data.unwrap()));
        taken.set(Some(stream.clone().into_std().unwrap()));
    });
    drop(ours);
    peer.write_all(b"one").unwrap();
    assert!(!lp.run().unwrap());
    log.expect(["one"]);
    assert_eq!(live.get(), 0);
    peer.write_all(b"two").unwrap();
    let again = TcpStream::from_std(given.take().unwrap()).unwrap();
    let mut buffer = [0; 8];
    assert_eq!(lp.block_on(again.read(&mut buffer)).unwrap(), 3);
    assert_eq!(&buffer[..3], b"two");
}

#[test]
fn a_task_that_reads_is_told_that_the_stream_is_closed() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = pair();
    let (reading, note) = (ours.clone(), log.clone());
    spawn(async move {
        let error = reading.read(&mut [0]).await.unwrap_err();
        note.push(Closed::is_in(&error));
    });
    lp.run_nowait().unwrap();
    let _socket = ours.into_std().unwrap();
    lp.run().unwrap();
    log.expect(["true"]);
}

#[test]
fn a_stream_that_writes_still_is_not_given_up() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = narrow_pair();
    let data = pattern(1024 * 1024);
    ours.write(&data);
    let queued = ours.write_queue_size();
    assert!(queued > 0);
    let error = ours.clone().into_std().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceBusy);
    assert!(error.to_string().contains(&queued.to_string()), "{error}");
    assert!(!ours.is_closing());
    let reading = thread::spawn(move || {
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        got
    });
    lp.block_on(ours.drained()).unwrap();
    let mut socket = ours.into_std().unwrap();
    socket.set_nonblocking(false).unwrap();
    socket.write_all(b"!").unwrap();
    drop(socket);
    let got = reading.join().unwrap();
    assert_eq!(got.len(), data.len() + 1);
    assert!(got.starts_with(&data));
}

#[test]
fn a_stream_that_shuts_down_is_not_given_up() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = pair();
    let down = ours.shutdown();
    assert_eq!(ours.clone().into_std().unwrap_err().kind(), ErrorKind::ResourceBusy);
    lp.block_on(down).unwrap();
    ours.into_std().unwrap();
}

#[test]
fn what_is_closed_has_nothing_to_give() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = pair();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_kept, _listens) = (ours.clone().into_std().unwrap(), server.clone().into_std().unwrap());
    assert!(Closed::is_in(&ours.to_std().unwrap_err()));
    assert!(Closed::is_in(&ours.into_std().unwrap_err()));
    assert!(Closed::is_in(&server.to_std().unwrap_err()));
    assert!(Closed::is_in(&server.into_std().unwrap_err()));
    assert!(!lp.run().unwrap());
}

#[test]
fn a_second_descriptor_is_the_same_connection() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    let second = ours.to_std().unwrap();
    assert_eq!(second.peer_addr().unwrap(), ours.peer_addr().unwrap());
    second.set_nodelay(true).unwrap();
    assert!(ours.nodelay().unwrap());
    ours.close();
    lp.run().unwrap();
    // Open until both are closed.
    (&second).write_all(b"x").unwrap();
    drop(second);
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"x");
}

#[test]
fn a_listener_goes_to_another_loop_with_the_connections_that_wait() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    server.listen(|_, _| ());
    let (accepting, note) = (TcpListener::bind("127.0.0.1:0").unwrap(), log.clone());
    let waiting = accepting.clone();
    spawn(async move { note.push(Closed::is_in(&waiting.accept().await.unwrap_err())) });
    lp.run_nowait().unwrap();
    accepting.into_std().unwrap();
    let mut peer = Peer::connect(address).unwrap();
    let socket = server.into_std().unwrap();
    assert!(!lp.run().unwrap());
    log.expect(["true"]);
    thread::spawn(move || {
        let mut lp = Loop::new().unwrap();
        let _here = lp.enter();
        let server = TcpListener::from_std(socket).unwrap();
        server.listen(|server, stream| {
            stream.write("there");
            server.close();
        });
        lp.run().unwrap();
    });
    let mut got = String::new();
    peer.read_to_string(&mut got).unwrap();
    assert_eq!(got, "there");
}

#[test]
fn two_loops_accept_from_one_listener() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let (shared, (tell, told)) = (server.to_std().unwrap(), mpsc::channel());
    let second = thread::spawn(move || {
        let mut lp = Loop::new().unwrap();
        let _here = lp.enter();
        let server = TcpListener::from_std(shared).unwrap();
        server.listen(move |server, _| {
            tell.send(()).unwrap();
            server.close();
        });
        lp.run().unwrap();
    });
    // This loop does not run: the connection is for the other.
    let _first = Peer::connect(address).unwrap();
    told.recv().unwrap();
    second.join().unwrap();
    // The other one is closed, and the address in use still.
    let accepted = Rc::new(Cell::new(false));
    let noted = accepted.clone();
    server.listen(move |_, _| noted.set(true));
    let _second = Peer::connect(address).unwrap();
    run_until(&mut lp, || accepted.get());
    server.close();
    lp.run().unwrap();
    TcpListener::bind(address).unwrap();
}
