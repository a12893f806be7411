//! UDP sockets: datagrams that a task or a callback is lent together, that are sent together, and pieces that
//! are sent as one.

mod tcp_support;

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use runtime::net::{UdpSocket, Unsent};
use runtime::{Closed, Loop, next_tick, spawn};
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

fn texts(datagrams: &[(&[u8], SocketAddr)]) -> Vec<String> {
    datagrams.iter().map(|(bytes, _)| text(bytes)).collect()
}

#[test]
fn a_task_is_lent_what_the_system_hands_over_at_once() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (server, address) = ours();
        let from = send_numbers(address, 70);
        let (mut all, mut calls) = (Vec::new(), 0);
        while all.len() < 70 {
            let note = |datagrams: &[(&[u8], SocketAddr)]| {
                assert!(datagrams.iter().all(|(_, sender)| *sender == from));
                all.extend(texts(datagrams));
                datagrams.len()
            };
            let count = server.recv_many_with(note).await.unwrap();
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
                async move { server.recv_many_with(texts).await.unwrap() }
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
            let more = server.recv_many_with(texts).await.unwrap();
            more.iter().for_each(|text| log.push(text));
            seen += more.len();
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
    send_numbers(address, 2);
    lp.block_on(async {
        let mut buffer = [0; 8];
        let lent = server.recv_many_with(|datagrams: &[(&[u8], SocketAddr)]| {
            let (first, count) = (text(datagrams[0].0), datagrams.len());
            send_numbers(address, 2);
            let (len, _) = again.try_recv_from(&mut buffer).unwrap();
            // The bytes that are lent stay as they are, and what is lent does not come again.
            assert_eq!(text(datagrams[0].0), first);
            noted.push(format!("lent {first}, then {}", text(&buffer[..len])));
            let noted = noted.clone();
            again.recv_start(move |server, datagram| {
                noted.push(text(datagram.unwrap().0));
                server.recv_stop();
            });
            count
        });
        assert_eq!(lent.await.unwrap(), 2.min(AT_ONCE));
    });
    lp.run().unwrap();
    log.expect(if AT_ONCE > 1 { ["lent 0, then 0", "1"] } else { ["lent 0, then 1", "0"] });
    send_numbers(address, 1);
    let closes = server.clone();
    lp.block_on(server.recv_many_with(|_| closes.close())).unwrap();
    let refused = lp.block_on(server.recv_many_with(|_| ())).unwrap_err();
    assert!(Closed::is_in(&refused));
}

#[test]
fn after_a_panic_of_the_closure_the_next_datagrams_come() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    send_numbers(address, 1);
    let task = spawn({
        let server = server.clone();
        async move { server.recv_many_with(|_| -> () { panic!("while they were lent") }).await }
    });
    lp.block_on(task).unwrap_err();
    send_numbers(address, 1);
    assert_eq!(lp.block_on(server.recv_many_with(texts)).unwrap(), ["0"]);
}

#[test]
fn a_callback_and_a_task_do_not_mix() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let ((server, _), (other, _)) = (ours(), ours());
    server.recv_start(|_, _| ());
    other.recv_many_start(|_, _| ());
    for socket in [&server, &other] {
        assert!(is_already(&lp.block_on(socket.recv_many_with(|_| ())).unwrap_err()));
        let refused = Rc::new(Cell::new(false));
        let noted = refused.clone();
        socket.recv_many_start(move |_, datagrams| {
            noted.set(is_already(&datagrams.unwrap_err()));
        });
        lp.run_nowait().unwrap();
        assert!(refused.get());
    }
}

#[test]
fn a_task_that_is_dropped_while_it_waits_loses_nothing() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let waits = spawn({
        let server = server.clone();
        async move { server.recv_many_with(|_| -> () { panic!("it is gone") }).await }
    });
    lp.run_nowait().unwrap();
    waits.abort();
    assert!(!lp.run().unwrap(), "nobody waits");
    send_numbers(address, 2);
    lp.block_on(async {
        let mut count = 0;
        while count < 2 {
            count += server.recv_many_with(|datagrams| datagrams.len()).await.unwrap();
        }
    });
}

#[test]
fn a_callback_is_lent_what_came_at_once_with_one_checkpoint_after_it() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let (noted, count) = (log.clone(), Cell::new(0));
    server.recv_many_start(move |server, datagrams| {
        let datagrams = datagrams.unwrap();
        assert!((1..=AT_ONCE).contains(&datagrams.len()));
        texts(datagrams).iter().for_each(|text| noted.push(text));
        next_tick(noted.mark("tick"));
        count.set(count.get() + datagrams.len());
        if count.get() == 3 {
            server.recv_stop();
        }
    });
    assert!(server.is_active());
    send_numbers(address, 3);
    lp.run().unwrap();
    if AT_ONCE > 1 {
        log.expect(["0", "1", "2", "tick"]);
    } else {
        log.expect(["0", "tick", "1", "tick", "2", "tick"]);
    }
}

#[test]
fn more_than_a_batch_waits_for_the_next_iteration() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let kept = seen.clone();
    server.recv_many_start(move |_, datagrams| kept.borrow_mut().extend(texts(datagrams.unwrap())));
    send_numbers(address, 40);
    lp.run_nowait().unwrap();
    assert_eq!(seen.borrow().len(), 32);
    lp.run_nowait().unwrap();
    assert_eq!(*seen.borrow(), (0..40).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn what_a_callback_left_is_lent_to_the_one_for_many_and_the_other_way_round() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let noted = log.clone();
    server.recv_start(move |server, datagram| {
        noted.push(text(datagram.unwrap().0));
        server.recv_stop();
        let noted = noted.clone();
        server.recv_many_start(move |server, datagrams| {
            texts(datagrams.unwrap()).iter().for_each(|text| noted.push(format!("many {text}")));
            server.recv_stop();
            let noted = noted.clone();
            server.recv_start(move |server, datagram| {
                noted.push(text(datagram.unwrap().0));
                server.close();
            });
        });
    });
    send_numbers(address, if AT_ONCE > 1 { 2 } else { 3 });
    if AT_ONCE > 1 {
        lp.run_nowait().unwrap();
        send_numbers(address, 1);
    }
    lp.run().unwrap();
    log.expect(if AT_ONCE > 1 { ["0", "many 1", "0"] } else { ["0", "many 1", "2"] });
}

#[test]
fn an_error_or_a_close_in_the_callback_for_many_loses_no_later_datagram() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (server, address) = ours();
    let noted = log.clone();
    server.recv_many_start(move |server, datagrams| -> runtime::Result {
        let texts = texts(datagrams.unwrap());
        noted.push(texts.concat());
        if texts[0] == "1" {
            server.close();
        }
        Err("thrown".into())
    });
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for text in ["0", "1"] {
        peer.send_to(text.as_bytes(), address).unwrap();
        assert!(lp.run().is_err());
    }
    assert!(!lp.run().unwrap());
    log.expect(["0", "1"]);
}

/// Sends `count` numbers from an own socket by `send`, and gives what came.
fn sent_by(
    lp: &mut Loop,
    count: usize,
    send: impl AsyncFnOnce(&UdpSocket, &[(String, SocketAddr)]) -> std::io::Result<usize>,
) -> Vec<String> {
    let (client, _) = ours();
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = peer.local_addr().unwrap();
    let datagrams: Vec<_> = (0..count).map(|n| (n.to_string(), to)).collect();
    assert_eq!(lp.block_on(send(&client, &datagrams)).unwrap(), count);
    peer.set_nonblocking(true).unwrap();
    let mut buffer = [0; 8];
    std::iter::from_fn(|| peer.recv(&mut buffer).ok().map(|len| text(&buffer[..len]))).collect()
}

#[test]
fn any_number_of_datagrams_is_sent_by_one_request() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    for count in [0, 1, 2, 32, 33, 100] {
        let numbers: Vec<_> = (0..count).map(|n| n.to_string()).collect();
        let to_all = async |client: &UdpSocket, all: &[_]| client.send_many_to(all).await;
        assert_eq!(sent_by(&mut lp, count, to_all), numbers);
        let to_peer = async |client: &UdpSocket, all: &[(String, SocketAddr)]| {
            let Some((_, to)) = all.first() else { return Ok(0) };
            client.connect(*to)?;
            client.send_many(&all.iter().map(|(text, _)| text).collect::<Vec<_>>()).await
        };
        assert_eq!(sent_by(&mut lp, count, to_peer), numbers);
    }
}

#[test]
fn it_goes_over_version_6_too() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let Ok(server) = UdpSocket::bind("[::1]:0") else {
        return behaviour::tell("skipped: no IPv6 here");
    };
    let client = UdpSocket::bind("[::1]:0").unwrap();
    server.recv_many_start(|server, datagrams| {
        server.send_many_to(datagrams.unwrap());
    });
    server.unref();
    lp.block_on(async {
        let to = server.local_addr().unwrap();
        client.send_many_to(&[("a", to), ("b", to)]).await.unwrap();
        let mut answers = Vec::new();
        while answers.len() < 2 {
            answers.extend(client.recv_many_with(texts).await.unwrap());
        }
        assert_eq!(answers, ["a", "b"]);
    });
}

#[test]
fn datagrams_that_fail_are_named_and_all_others_are_sent() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let ((client, _), (server, to)) = (ours(), ours());
    let too_long = "x".repeat(70_000);
    let datagrams = [("a", to), (&too_long, to), ("b", to), ("c", to), (&too_long, to)];
    let told = Rc::new(RefCell::new(None));
    let kept = told.clone();
    client.send_many_to(&datagrams).callback(move |sent| *kept.borrow_mut() = Some(sent));
    assert!(told.borrow().is_none(), "no callback runs in a call of the API");
    lp.run_nowait().unwrap();
    let error = told.take().expect("it was told in the pending phase").unwrap_err();
    let unsent = Unsent::of(&error).unwrap();
    let places: Vec<_> = unsent.errors().iter().map(|(place, _)| *place).collect();
    assert_eq!(places, [1, 4]);
    assert_eq!(error.kind(), unsent.errors()[0].1.kind());
    if cfg!(target_os = "linux") {
        assert_eq!(unsent.errors()[1].1.raw_os_error(), Some(90), "EMSGSIZE");
    }
    assert!(
        error.to_string().starts_with("2 of the datagrams were not sent, at 1, 4: "),
        "{error}"
    );
    lp.block_on(async {
        let mut seen = Vec::new();
        while seen.len() < 3 {
            seen.extend(server.recv_many_with(texts).await.unwrap());
        }
        assert_eq!(seen, ["a", "b", "c"]);
    });
}

#[test]
fn a_socket_that_is_closed_or_has_the_wrong_peer_sends_none() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let ((client, to), (connected, _)) = (ours(), ours());
    connected.connect(to).unwrap();
    let refused = lp.block_on(client.send_many(&["x"])).unwrap_err();
    assert_eq!(refused.kind(), client.try_send(b"x").unwrap_err().kind());
    let refused = lp.block_on(connected.send_many_to(&[("x", to)])).unwrap_err();
    assert_eq!(refused.kind(), connected.try_send_to(b"x", to).unwrap_err().kind());
    client.close();
    let refused = lp.block_on(client.send_many_to(&[("x", to), ("y", to)])).unwrap_err();
    assert!(Closed::is_in(&refused));
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

#[test]
fn a_socket_that_its_own_datagrams_close_says_that_it_is_closed() {
    struct Closes<'a>(&'a UdpSocket);
    impl AsRef<[u8]> for Closes<'_> {
        fn as_ref(&self) -> &[u8] {
            self.0.close();
            b"x"
        }
    }
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let ((client, _), (_server, to)) = (ours(), ours());
    let datagrams: Vec<_> = (0..40).map(|_| (Closes(&client), to)).collect();
    let refused = lp.block_on(client.send_many_to(&datagrams)).unwrap_err();
    assert!(Closed::is_in(&refused), "{refused}");
}

#[test]
fn the_text_of_many_failures_is_short() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (client, _) = ours();
    let nowhere = "127.0.0.1:0".parse::<SocketAddr>().unwrap();
    let error = lp.block_on(client.send_many_to(&[("x", nowhere); 1_000])).unwrap_err();
    assert_eq!(Unsent::of(&error).unwrap().errors().len(), 1_000);
    let text = error.to_string();
    assert!(
        text.starts_with("1000 of the datagrams were not sent, at 0, 1, 2, 3, 4, 5, 6, 7, ..: "),
        "{text}"
    );
    assert!(text.len() < 200, "{text}");
}
