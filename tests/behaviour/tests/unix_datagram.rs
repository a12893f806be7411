//! Local datagrams: whole, in order, never lost; names; a destination that does not receive.
#![cfg(unix)]

mod tcp_support;
mod unix_support;

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net as std_net;
use std::rc::Rc;

use runtime::handle::Kind;
use runtime::net::{UnixDatagram, UnixListener, UnixOptions};
use runtime::time::timeout;
use runtime::{Cancelled, Closed, QueueFull, ms, set_immediate, spawn};
use tcp_support::{assert_passed, child, child_argument, is_already, open_descriptors, run_until};
use unix_support::{Folder, start};

#[test]
fn datagrams_come_whole_and_in_order_by_callback() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let folder = Folder::new();
    let server = UnixDatagram::bind(folder.file("s")).unwrap();
    assert_eq!(server.kind(), Kind::UnixDatagram);
    let client = UnixDatagram::bind(folder.file("c")).unwrap();
    for text in ["one", "", "three"] {
        client.send_to(text, folder.file("s"));
    }
    let seen = log.clone();
    server.recv_start(move |server, datagram| {
        let (bytes, from) = datagram.unwrap();
        seen.push(format!("server {:?}", String::from_utf8_lossy(bytes)));
        if bytes == b"three" {
            server.send_to("bye", from.as_pathname().unwrap());
            server.close();
        }
    });
    let seen = log.clone();
    client.recv_start(move |client, datagram| {
        seen.push(format!("client {:?}", String::from_utf8_lossy(datagram.unwrap().0)));
        client.recv_stop();
    });
    assert!(!lp.run().unwrap());
    log.expect([r#"server "one""#, r#"server """#, r#"server "three""#, r#"client "bye""#]);
    drop(client);
    assert_eq!(folder.names(), [""; 0]);
}

#[test]
fn datagrams_come_by_await() {
    let (mut lp, _, _guard) = start();
    let folder = Folder::new();
    lp.block_on(async {
        let server = UnixDatagram::bind(folder.file("s")).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        assert!(client.local_addr().unwrap().is_unnamed());
        assert_eq!(client.send_to("hello", folder.file("s")).await.unwrap(), 5);
        let mut buffer = [0; 16];
        let (len, from) = server.recv_from(&mut buffer).await.unwrap();
        assert_eq!((len, from.is_unnamed()), (5, true));
        client.connect(folder.file("s")).unwrap();
        assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*folder.file("s")));
        client.send("connected").await.unwrap();
        assert_eq!(server.recv(&mut buffer).await.unwrap(), 9);
        assert_eq!(client.try_send(b"x").unwrap(), 1);
        assert_eq!(server.try_recv_from(&mut buffer).unwrap().0, 1);
        let nothing = server.try_recv_from(&mut buffer).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        // One that comes while somebody waits.
        let waiting = spawn({
            let server = server.clone();
            async move { server.recv_with(|bytes, _| bytes.to_vec()).await }
        });
        runtime::yield_now().await;
        client.send("late").await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), b"late");
        assert!(timeout(ms(1), server.recv(&mut buffer)).await.is_err());
    });
}

#[test]
fn a_pair_sends_to_one_another() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (one, other) = UnixDatagram::pair().unwrap();
        one.send("there").await.unwrap();
        other.send("and back").await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(other.recv(&mut buffer).await.unwrap(), 5);
        assert_eq!(one.recv(&mut buffer).await.unwrap(), 8);
        drop(other);
        let gone = one.send("x").await.unwrap_err();
        let kinds = [ErrorKind::ConnectionRefused, ErrorKind::ConnectionReset];
        assert!(kinds.contains(&gone.kind()), "{gone}");
    });
}

#[test]
fn what_does_not_fit_is_told() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (one, other) = UnixDatagram::pair().unwrap();
    lp.block_on(async {
        one.send("0123456789").await.unwrap();
        one.send("next").await.unwrap();
        let mut buffer = [0; 4];
        let received = other.recv_with_fds(&mut buffer, 0).await.unwrap();
        assert_eq!((received.len, received.is_truncated), (4, true));
        let received = other.recv_with_fds(&mut buffer, 0).await.unwrap();
        assert_eq!((received.len, received.is_truncated, &buffer), (4, false, b"next"));
        // As long as the system takes by default: all of it is lent.
        let long: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
        one.send(&long).await.unwrap();
        other.recv_with(|bytes, _| assert!(bytes == long)).await.unwrap();
    });
    let (seen, long) = (log.clone(), vec![9; 150_000]);
    one.send(&long);
    other.recv_start(move |other, datagram| {
        seen.push(datagram.unwrap().0 == long);
        other.close();
    });
    lp.run().unwrap();
    log.expect(["true"]);
}

#[test]
fn errors_name_the_path_and_end_nothing() {
    let (mut lp, _, _guard) = start();
    let folder = Folder::new();
    lp.block_on(async {
        let socket = UnixDatagram::bind(folder.file("s")).unwrap();
        let taken = UnixDatagram::bind(folder.file("s")).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        let nobody = socket.send_to("x", folder.file("nobody")).await.unwrap_err();
        assert_eq!(nobody.kind(), ErrorKind::NotFound);
        assert!(nobody.to_string().contains("nobody"), "{nobody}");
        let nobody = socket.connect(folder.file("nobody")).unwrap_err();
        assert!(nobody.to_string().contains("nobody"), "{nobody}");
        drop(std_net::UnixDatagram::bind(folder.file("dead")).unwrap());
        let dead = socket.try_send_to(b"x", folder.file("dead")).unwrap_err();
        assert_eq!(dead.kind(), ErrorKind::ConnectionRefused);
        let _stream = UnixListener::bind(folder.file("stream")).unwrap();
        assert!(socket.connect(folder.file("stream")).is_err());
        assert_eq!(socket.send("x").await.unwrap_err().kind(), ErrorKind::NotConnected);
        let long = socket.send_to(vec![0; 64 << 20], folder.file("s")).await.unwrap_err();
        assert_eq!(long.raw_os_error(), None);
        assert!(long.to_string().contains("cannot send to"), "{long}");
        let bad = socket.send_to("x", "").await.unwrap_err();
        assert_eq!(bad.kind(), ErrorKind::InvalidInput);
        // It still works.
        socket.send_to("x", folder.file("s")).await.unwrap();
        assert_eq!(socket.recv(&mut [0; 4]).await.unwrap(), 1);
        socket.close();
        assert!(Closed::is_in(&socket.send_to("x", folder.file("s")).await.unwrap_err()));
        assert!(Closed::is_in(&socket.recv(&mut [0; 4]).await.unwrap_err()));
    });
    assert_eq!(folder.names(), ["dead"]);
}

#[test]
#[cfg(target_os = "linux")]
fn an_abstract_name_serves_datagrams_too() {
    use std::os::linux::net::SocketAddrExt;
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (server, client) =
            (unix_support::abstract_name("dgram"), unix_support::abstract_name("client"));
        let socket = UnixDatagram::bind(&server).unwrap();
        let other = UnixDatagram::bind(&client).unwrap();
        other.send_to("x", &server).await.unwrap();
        let (_, from) = socket.recv_from(&mut [0; 4]).await.unwrap();
        assert_eq!(from.as_abstract_name(), Some(&client.as_bytes()[1..]));
        // The address of a datagram is one to send to.
        socket.send_to("y", from).await.unwrap();
        assert_eq!(other.recv(&mut [0; 4]).await.unwrap(), 1);
    });
}

#[test]
fn the_file_has_its_mode_and_goes_with_the_socket() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let folder = Folder::new();
    let path = folder.file("s");
    for mode in [0o600, 0o666] {
        let socket = UnixOptions::default().mode(mode).bind_datagram(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        socket.close();
        assert_eq!(folder.names(), [""; 0]);
    }
    let std = UnixDatagram::bind(&path).unwrap().into_std().unwrap();
    UnixDatagram::from_std(std).unwrap().close();
    assert_eq!(folder.names(), ["s"], "given away, and taken over");
    lp.run().unwrap();
}

// --- a destination without room ---

/// Sends until there is no room at `to`.
fn fill(from: &UnixDatagram, to: &std::path::Path) -> usize {
    for count in 0.. {
        match from.try_send_to(b"filler", to) {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return count;
            }
        }
    }
    unreachable!()
}

#[test]
fn who_does_not_receive_lets_wait_and_holds_up_nobody_else() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let folder = Folder::new();
    let (slow, quick) = (folder.file("slow"), folder.file("quick"));
    let stuck = UnixDatagram::bind(&slow).unwrap();
    let other = UnixDatagram::bind(&quick).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    let filled = fill(&sender, &slow);
    for n in 0..50 {
        let seen = log.clone();
        sender.send_to(format!("late {n}"), &slow).callback(move |sent| {
            seen.push(format!("sent {n} {}", sent.unwrap()));
        });
    }
    assert_eq!((sender.send_queue_count(), sender.send_queue_size()), (50, 10 * 6 + 40 * 7));
    let busy = sender.try_send_to(b"x", &slow).unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::WouldBlock);
    lp.block_on(async {
        for _ in 0..20 {
            sender.send_to("through", &quick).await.unwrap();
            assert_eq!(other.recv(&mut [0; 16]).await.unwrap(), 7);
        }
        // No iteration spins for the one that is stuck.
        let before = runtime::current().metrics().iterations;
        runtime::time::sleep(ms(60)).await;
        let spent = runtime::current().metrics().iterations - before;
        assert!(spent < 40, "{spent} iterations");
    });
    assert_eq!(log.take(), [""; 0]);
    let got = Rc::new(RefCell::new(Vec::new()));
    let taken = got.clone();
    stuck.recv_start(move |_, datagram| {
        taken.borrow_mut().push(String::from_utf8_lossy(datagram.unwrap().0).into_owned());
    });
    run_until(&mut lp, || got.borrow().len() == filled + 50);
    let expected: Vec<_> = (0..50).map(|n| format!("late {n}")).collect();
    assert_eq!(got.borrow()[filled..], expected);
    let told: Vec<_> = expected.iter().map(|text| text.replace("late", "sent")).collect();
    let told: Vec<_> =
        told.iter().zip(&expected).map(|(t, e)| format!("{t} {}", e.len())).collect();
    assert_eq!(log.take(), told);
}

#[test]
fn a_peer_without_room_lets_wait() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let folder = Folder::new();
    let server = UnixDatagram::bind(folder.file("s")).unwrap();
    let client = UnixDatagram::unbound().unwrap();
    client.connect(folder.file("s")).unwrap();
    let mut sent = 0u32;
    while client.send_queue_count() < 30 {
        client.send(sent.to_string());
        sent += 1;
    }
    let next = Rc::new(Cell::new(0));
    let expected = next.clone();
    server.recv_start(move |_, datagram| {
        assert_eq!(datagram.unwrap().0, expected.get().to_string().as_bytes());
        expected.set(expected.get() + 1);
    });
    run_until(&mut lp, || next.get() == sent && client.send_queue_count() == 0);
}

#[test]
fn what_is_queued_is_cancelled_with_the_socket_and_limited() {
    if child_argument().is_none() {
        let name = "what_is_queued_is_cancelled_with_the_socket_and_limited";
        return assert_passed(&child("exec", name, ""));
    }
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let folder = Folder::new();
    let path = folder.file("s");
    let before = open_descriptors();
    let stuck = UnixDatagram::bind(&path).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    fill(&sender, &path);
    sender.set_send_limit(10);
    let null = || OwnedFd::from(File::open("/dev/null").unwrap());
    for _ in 0..4 {
        let seen = log.clone();
        sender.send_to_with_fds("12345", [null()], &path).callback(move |sent| {
            let error = sent.unwrap_err();
            seen.push(format!("{} {}", QueueFull::is_in(&error), Cancelled::is_in(&error)));
        });
    }
    let error = sender.clone().into_std().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceBusy);
    sender.close();
    stuck.close();
    lp.run().unwrap();
    log.expect(["true false", "false true", "false true", "false true"]);
    assert_eq!(open_descriptors(), before);
    // The destination goes while something waits for it.
    let stuck = UnixDatagram::bind(&path).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    fill(&sender, &path);
    let seen = log.clone();
    sender.send_to("x", &path).callback(move |sent| seen.push(sent.unwrap_err().kind()));
    stuck.close();
    drop((stuck, sender));
    lp.run().unwrap();
    log.expect(["entity not found"]);
    assert_eq!(open_descriptors(), before);
}

// --- descriptors ---

#[test]
fn descriptors_go_with_a_datagram() {
    if child_argument().is_none() {
        let name = "descriptors_go_with_a_datagram";
        return assert_passed(&child("exec", name, ""));
    }
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let folder = Folder::new();
    let file = |text: &str| {
        use std::io::Write;
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(text.as_bytes()).unwrap();
        OwnedFd::from(reader)
    };
    let content = |fd: OwnedFd| {
        let mut text = String::new();
        File::from(fd).read_to_string(&mut text).unwrap();
        text
    };
    let (one, other) = UnixDatagram::pair().unwrap();
    let server = UnixDatagram::bind(folder.file("s")).unwrap();
    let before = open_descriptors();
    lp.block_on(async {
        // Also with an empty one: it is a message all the same.
        for text in ["x", ""] {
            one.send_with_fds(text, [file("a"), file("b")]).await.unwrap();
            let received = other.recv_with_fds(&mut [0; 4], 4).await.unwrap();
            assert_eq!((received.len, received.received.is_truncated), (text.len(), false));
            let texts: Vec<_> = received.received.fds.into_iter().map(content).collect();
            assert_eq!(texts, ["a", "b"]);
        }
        one.send_with_fds("x", [file("a"), file("b"), file("c")]).await.unwrap();
        let received = other.recv_with_fds(&mut [0; 4], 1).await.unwrap().received;
        assert_eq!((received.fds.len(), received.is_truncated), (1, true));
        drop(received);
        one.send_with_fds("x", [file("a")]).await.unwrap();
        assert_eq!(other.recv(&mut [0; 4]).await.unwrap(), 1);
        one.send_to_with_fds("x", [file("a")], folder.file("s")).await.unwrap();
        assert_eq!(server.recv_with(|bytes, _| bytes.len()).await.unwrap(), 1);
        let many: Vec<_> = (0..254).map(|_| file("")).collect();
        let error = one.send_with_fds("x", many).await.unwrap_err();
        assert!(error.to_string().contains("254"), "{error}");
    });
    assert_eq!(open_descriptors(), before);
    let seen = log.clone();
    other.recv_start_with_fds(2, move |other, datagram| {
        let (bytes, _, received) = datagram.unwrap();
        seen.push(format!("{} {}", bytes.len(), received.fds.len()));
        other.recv_stop();
    });
    one.send_with_fds("12", [file("a"), file("b")]);
    lp.run().unwrap();
    log.expect(["2 2"]);
    assert_eq!(open_descriptors(), before);
}

// --- re-entrancy ---

#[test]
fn a_callback_may_stop_restart_and_close() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (one, other) = UnixDatagram::pair().unwrap();
    for text in ["a", "b", "c", "d"] {
        one.send(text);
    }
    let seen = log.clone();
    other.recv_start(move |other, datagram| {
        seen.push(format!("first {}", String::from_utf8_lossy(datagram.unwrap().0)));
        other.recv_start(|_, again| assert!(is_already(&again.map(drop).unwrap_err())));
        other.recv_stop();
        let (seen, later) = (seen.clone(), other.clone());
        set_immediate(move || {
            later.recv_start(move |other, datagram| {
                let text = String::from_utf8_lossy(datagram.unwrap().0).into_owned();
                seen.push(format!("second {text}"));
                if text == "c" {
                    other.close();
                }
            });
        });
    });
    let seen = log.clone();
    other.closed().callback(move |_| seen.push("closed"));
    lp.run().unwrap();
    log.expect(["first a", "second b", "second c", "closed"]);
}

#[test]
fn a_flood_leaves_others_their_turn() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (one, other) = UnixDatagram::pair().unwrap();
    let mut queued = 0;
    while one.send_queue_count() == 0 {
        one.send("x");
        queued += 1;
    }
    let (got, worst, now) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (count, most, run) = (got.clone(), worst.clone(), now.clone());
    other.recv_start(move |other, _| {
        count.set(count.get() + 1);
        run.set(run.get() + 1);
        most.set(most.get().max(run.get()));
        if count.get() == queued {
            other.close();
        }
    });
    let check = runtime::handle::Check::new();
    check.start(move |_| now.set(0)).unwrap();
    check.unref();
    lp.run().unwrap();
    assert_eq!(got.get(), queued);
    assert!(worst.get() <= 32, "{} in one iteration", worst.get());
}

#[test]
fn buffers_have_sizes_of_local_sockets_too() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let (stream, _peer) = runtime::net::UnixStream::pair().unwrap();
    let (datagrams, _peer) = UnixDatagram::pair().unwrap();
    for (set, get) in [
        (stream.set_send_buffer_size(20_000), stream.send_buffer_size()),
        (stream.set_recv_buffer_size(20_000), stream.recv_buffer_size()),
        (datagrams.set_send_buffer_size(20_000), datagrams.send_buffer_size()),
        (datagrams.set_recv_buffer_size(20_000), datagrams.recv_buffer_size()),
    ] {
        set.unwrap();
        // Linux takes twice the number.
        assert!([20_000, 40_000].contains(&get.unwrap()));
    }
    stream.close();
    assert!(runtime::Closed::is_in(&stream.send_buffer_size().unwrap_err()));
}
