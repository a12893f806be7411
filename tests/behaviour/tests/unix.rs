//! Local listeners and connections: names, files and who may use them, errors, and what the system does not
//! tell of.
#![cfg(unix)]

mod tcp_support;
mod unix_support;

use std::cell::{Cell, RefCell};
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net as std_net;
use std::rc::Rc;

use runtime::handle::Kind;
use runtime::net::{UnixListener, UnixStream};
use runtime::time::timeout;
use runtime::{Cancelled, Closed, ms, secs, set_timeout, spawn};
use tcp_support::{assert_passed, child, child_argument, open_descriptors, run_until};
use unix_support::{Folder, abstract_name, start};

// --- connecting and accepting ---

#[test]
fn a_connection_goes_both_ways_by_callback() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let folder = Folder::new();
    let server = UnixListener::bind(folder.file("s")).unwrap();
    assert_eq!(server.kind(), Kind::UnixListener);
    let seen = log.clone();
    server.listen(move |server, socket| {
        assert_eq!(socket.kind(), Kind::UnixStream);
        server.close();
        let seen = seen.clone();
        socket.read_start(move |socket, data| {
            let text = String::from_utf8_lossy(data.unwrap()).into_owned();
            if text.is_empty() {
                socket.shutdown();
            } else {
                socket.write(format!("you said {text}"));
            }
            seen.push(format!("server {text:?}"));
        });
    });
    let seen = log.clone();
    UnixStream::connect(folder.file("s")).callback(move |connected| {
        let socket = connected.unwrap();
        socket.write("hello");
        socket.read_start(move |socket, data| {
            let text = String::from_utf8_lossy(data.unwrap()).into_owned();
            seen.push(format!("client {text:?}"));
            if !text.is_empty() {
                socket.shutdown();
            }
        });
    });
    assert!(!lp.run().unwrap());
    log.expect([r#"server "hello""#, r#"client "you said hello""#, r#"server """#, r#"client """#]);
    assert_eq!(folder.names(), [""; 0]);
}

#[test]
fn a_connection_goes_both_ways_by_await() {
    let (mut lp, _, _guard) = start();
    let folder = Folder::new();
    lp.block_on(async {
        let server = UnixListener::bind(folder.file("s")).unwrap();
        let client = UnixStream::connect(folder.file("s")).await.unwrap();
        let (peer, from) = server.accept().await.unwrap();
        assert!(from.is_unnamed());
        client.write("hello").await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(peer.peek(&mut buffer).await.unwrap(), 5);
        assert_eq!(peer.read(&mut buffer).await.unwrap(), 5);
        peer.shutdown().await.unwrap();
        assert_eq!(client.read(&mut buffer).await.unwrap(), 0);
        // Half of it goes on.
        client.write("still").await.unwrap();
        assert_eq!(peer.read(&mut buffer).await.unwrap(), 5);
    });
}

#[test]
fn a_connect_is_told_in_the_poll_phase_and_its_errors_never_inside_the_call() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let folder = Folder::new();
    let server = UnixListener::bind(folder.file("s")).unwrap();
    for (name, file) in [("good", "s"), ("bad", "nothing")] {
        let log = log.clone();
        UnixStream::connect(folder.file(file)).callback(move |connected| {
            log.push(format!("{name} {:?}", connected.map(drop).map_err(|error| error.kind())));
        });
    }
    log.push("called");
    let seen = log.clone();
    runtime::set_immediate(move || seen.push("check"));
    let prepare = runtime::handle::Prepare::new();
    let seen = log.clone();
    let started = prepare.start(move |prepare| {
        seen.push("prepare");
        prepare.close();
    });
    started.unwrap();
    lp.run().unwrap();
    server.close();
    log.expect(["called", "bad Err(NotFound)", "prepare", "good Ok(())", "check"]);
}

#[test]
fn a_connect_can_be_cancelled_and_its_socket_closes() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let folder = Folder::new();
    let server = UnixListener::bind(folder.file("s")).unwrap();
    let seen = log.clone();
    let id = UnixStream::connect(folder.file("s"))
        .callback(move |connected| seen.push(Cancelled::is_in(&connected.unwrap_err())));
    assert!(id.cancel());
    assert!(!id.cancel());
    server.close();
    assert!(!lp.run().unwrap());
    log.expect(["true"]);
}

/// A listener that does not accept, with its queue full, and the connections that fill it.
fn full_listener(path: &std::path::Path) -> (UnixListener, Vec<std_net::UnixStream>) {
    let server = UnixListener::options().backlog(0).bind(path).unwrap();
    let address = socket2::SockAddr::unix(path).unwrap();
    let mut waiting = Vec::new();
    loop {
        let socket =
            socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        match socket.connect(&address) {
            Ok(()) => waiting.push(std::os::fd::OwnedFd::from(socket).into()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return (server, waiting);
            }
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "a full queue is a refusal")]
fn a_connect_waits_while_the_queue_of_the_listener_is_full() {
    let (mut lp, _, _guard) = start();
    let folder = Folder::new();
    lp.block_on(async {
        let (server, _waiting) = full_listener(&folder.file("s"));
        let (one, other) =
            (UnixStream::connect(folder.file("s")), UnixStream::connect(folder.file("s")));
        let one = spawn(async move { one.await.map(drop) });
        let other = spawn(async move { other.await.map(drop) });
        // Tried more than once in vain.
        runtime::time::sleep(ms(20)).await;
        assert!(!one.is_finished() && !other.is_finished());
        let all = server.clone();
        let accepting = spawn(async move { while all.accept().await.is_ok() {} });
        one.await.unwrap().unwrap();
        other.await.unwrap().unwrap();
        server.close();
        accepting.await.unwrap();
    });
    assert!(!lp.run().unwrap());
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "a full queue is a refusal")]
fn a_connect_that_waits_is_cancelled_refused_and_dropped() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let folder = Folder::new();
    let (server, waiting) = full_listener(&folder.file("s"));
    let seen = log.clone();
    let id = UnixStream::connect(folder.file("s"))
        .callback(move |connected| seen.push(Cancelled::is_in(&connected.unwrap_err())));
    assert!(id.cancel());
    assert!(!id.cancel());
    let seen = log.clone();
    UnixStream::connect(folder.file("s")).callback(move |connected| {
        let error = connected.unwrap_err();
        assert!(error.to_string().contains("cannot connect to"), "{error}");
        seen.push(error.kind());
    });
    // Nobody wants this one, which ends it.
    drop(UnixStream::connect(folder.file("s")));
    set_timeout(ms(5), move || server.close());
    assert!(!lp.run().unwrap());
    log.expect(["true", "entity not found"]);
    drop(waiting);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "a full queue is a refusal")]
fn a_loop_that_is_dropped_gives_up_what_waits() {
    let (lp, log, _guard) = start();
    let folder = Folder::new();
    let here = lp.enter();
    let (_server, _waiting) = full_listener(&folder.file("s"));
    let seen = log.clone();
    UnixStream::connect(folder.file("s")).callback(move |_| seen.push("called"));
    drop((here, lp));
    log.expect([]);
    assert_eq!(folder.names(), [""; 0]);
}

#[test]
fn who_waits_when_the_listener_closes_is_told() {
    let (mut lp, _, _guard) = start();
    let folder = Folder::new();
    lp.block_on(async {
        let server = UnixListener::bind(folder.file("s")).unwrap();
        let reader = UnixStream::connect(folder.file("s")).await.unwrap();
        let writer = UnixStream::connect(folder.file("s")).await.unwrap();
        writer.write("lost").await.unwrap();
        let reading = spawn(async move { reader.read(&mut [0]).await });
        runtime::yield_now().await;
        server.close();
        let read = reading.await.unwrap();
        assert!(
            matches!(&read, Ok(0)) || read.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset)
        );
        assert_eq!(writer.write("x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn incoming_is_a_stream_of_connections() {
    use futures_lite::StreamExt;
    let (mut lp, _, _guard) = start();
    let folder = Folder::new();
    lp.block_on(async {
        let server = UnixListener::bind(folder.file("s")).unwrap();
        let clients = [(); 3].map(|()| UnixStream::connect(folder.file("s")));
        let mut incoming = server.incoming();
        for _ in 0..3 {
            incoming.next().await.unwrap().unwrap();
        }
        server.close();
        assert!(incoming.next().await.is_none());
        drop(clients);
    });
}

// --- names ---

#[test]
fn both_ends_know_their_names() {
    let (mut lp, _, _guard) = start();
    let folder = Folder::new();
    lp.block_on(async {
        let path = folder.file("s");
        let server = UnixListener::bind(&path).unwrap();
        assert_eq!(server.local_addr().unwrap().as_pathname(), Some(&*path));
        let client = UnixStream::connect(&path).await.unwrap();
        let (peer, _) = server.accept().await.unwrap();
        assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*path));
        assert_eq!(peer.local_addr().unwrap().as_pathname(), Some(&*path));
        assert!(client.local_addr().unwrap().is_unnamed());
        assert!(peer.peer_addr().unwrap().is_unnamed());
        client.close();
        assert!(Closed::is_in(&client.peer_addr().unwrap_err()));
        server.close();
        assert!(Closed::is_in(&server.local_addr().unwrap_err()));
    });
}

#[test]
#[cfg(target_os = "linux")]
fn an_abstract_name_has_no_file_and_ends_with_its_socket() {
    use std::os::linux::net::SocketAddrExt;
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let name = abstract_name("stream");
        let server = UnixListener::bind(&name).unwrap();
        let address = server.local_addr().unwrap();
        assert_eq!(address.as_abstract_name(), Some(&name.as_bytes()[1..]));
        let taken = UnixListener::bind(&name).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        assert!(taken.to_string().contains("stream"), "{taken}");
        let client = UnixStream::connect(&address).await.unwrap();
        assert_eq!(client.peer_addr().unwrap().as_abstract_name(), address.as_abstract_name());
        let (_, from) = server.accept().await.unwrap();
        assert!(from.is_unnamed());
        server.close();
        let gone = UnixStream::connect(&name).await.unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::ConnectionRefused);
        // A NUL further on is a byte as any other.
        let odd = format!("{name}\0and more");
        let odd_server = UnixListener::bind(&odd).unwrap();
        UnixStream::connect(&odd).await.unwrap();
        assert_eq!(odd_server.local_addr().unwrap().as_abstract_name(), Some(&odd.as_bytes()[1..]));
    });
}

#[test]
fn a_name_that_can_not_be_is_an_error_that_says_why() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let long = format!("/tmp/{}", "x".repeat(200));
        let limit = if cfg!(target_os = "linux") { "107" } else { "103" };
        for (name, why) in [
            (long.as_str(), ["205", limit]),
            ("", ["empty", "empty"]),
            ("/tmp/a\0b", [r"a\0b", "NUL"]),
        ] {
            let bound = UnixListener::bind(name).unwrap_err();
            let connected = UnixStream::connect(name).await.unwrap_err();
            for error in [bound, connected] {
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                for part in why {
                    assert!(error.to_string().contains(part), "{error}");
                }
            }
        }
        // Nothing was cut off.
        assert!(!std::path::Path::new(&long[..107]).exists());
        let (one, _other) = std_net::UnixStream::pair().unwrap();
        let unnamed = one.local_addr().unwrap();
        let error = UnixStream::connect(unnamed).await.unwrap_err();
        assert!(error.to_string().contains("unnamed"), "{error}");
    });
}

#[test]
fn a_path_as_long_as_can_be_is_taken() {
    let (mut lp, _, _guard) = start();
    let folder = Folder::new();
    lp.block_on(async {
        let room = 107 - if cfg!(target_os = "linux") { 0 } else { 4 };
        let free = room - folder.path().as_os_str().len() - 1;
        let path = folder.file(&"x".repeat(free));
        let server = UnixListener::bind(&path).unwrap();
        let client = UnixStream::connect(&path).await.unwrap();
        assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*path));
        assert!(UnixListener::bind(folder.file(&"x".repeat(free + 1))).is_err());
        server.close();
    });
    assert_eq!(folder.names(), [""; 0]);
}

#[test]
fn errors_of_the_system_name_the_path() {
    let (mut lp, _, _guard) = start();
    let folder = Folder::new();
    lp.block_on(async {
        let path = folder.file("s");
        let shown = format!("{path:?}");
        let _server = UnixListener::bind(&path).unwrap();
        let taken = UnixListener::bind(&path).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        assert!(taken.to_string().contains(&shown), "{taken}");

        let nowhere = folder.file("no/such/s");
        let missing = UnixListener::bind(&nowhere).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert!(missing.to_string().contains("no/such/s"), "{missing}");

        let nobody = UnixStream::connect(folder.file("nobody")).await.unwrap_err();
        assert_eq!(nobody.kind(), ErrorKind::NotFound);
        assert!(nobody.to_string().contains("nobody"), "{nobody}");

        fs::write(folder.file("plain"), "").unwrap();
        let plain = UnixStream::connect(folder.file("plain")).await.unwrap_err();
        assert_eq!(plain.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(
            UnixListener::bind(folder.file("plain")).unwrap_err().kind(),
            ErrorKind::AddrInUse
        );
    });
    // What was in the way is still there.
    assert_eq!(folder.names(), ["plain"]);
}

// --- the file ---

#[test]
fn the_file_goes_when_the_listener_closes_is_dropped_or_its_loop_is() {
    let folder = Folder::new();
    {
        let (mut lp, _, _guard) = start();
        let _here = lp.enter();
        let path = folder.file("s");
        let server = UnixListener::bind(&path).unwrap();
        assert!(fs::metadata(&path).unwrap().file_type().is_socket());
        server.close();
        assert_eq!(folder.names(), [""; 0], "at once");
        let again = UnixListener::bind(&path).unwrap();
        drop(again);
        assert_eq!(folder.names(), [""; 0]);
        lp.run().unwrap();
        UnixListener::bind(&path).unwrap().listen(|_, _| {});
        assert_eq!(folder.names(), ["s"], "the loop holds it");
    }
    assert_eq!(folder.names(), [""; 0]);
}

#[test]
fn a_file_that_is_another_s_stays() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let folder = Folder::new();
    let path = folder.file("s");
    for replace in [
        |path: &std::path::Path| drop(std_net::UnixListener::bind(path).unwrap()),
        |path: &std::path::Path| fs::write(path, "not yours").unwrap(),
    ] {
        let server = UnixListener::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        replace(&path);
        let error = server.set_permissions(Permissions::from_mode(0o600)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        server.close();
        assert_eq!(folder.names(), ["s"]);
        fs::remove_file(&path).unwrap();
    }
    // One that was renamed is not looked for.
    let server = UnixListener::bind(&path).unwrap();
    fs::rename(&path, folder.file("elsewhere")).unwrap();
    server.close();
    assert_eq!(folder.names(), ["elsewhere"]);
    lp.run().unwrap();
}

#[test]
fn a_socket_that_was_taken_over_or_given_away_keeps_its_file() {
    let (mut lp, _, _guard) = start();
    let folder = Folder::new();
    let path = folder.file("s");
    lp.block_on(async {
        let ours = UnixListener::bind(&path).unwrap();
        let early = UnixStream::connect(&path).await.unwrap();
        let clone = ours.clone();
        let std = ours.into_std().unwrap();
        assert!(clone.is_closing());
        assert_eq!(folder.names(), ["s"]);
        let back = UnixListener::from_std(std).unwrap();
        // Who waited is not lost.
        let (peer, _) = back.accept().await.unwrap();
        peer.write("x").await.unwrap();
        assert_eq!(early.read(&mut [0]).await.unwrap(), 1);
        let late = UnixStream::connect(&path).await;
        late.unwrap();
        let error = back.set_permissions(Permissions::from_mode(0o600)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        back.close();
    });
    assert_eq!(folder.names(), ["s"]);
}

#[test]
fn a_relative_path_is_that_of_the_time_of_the_bind() {
    if child_argument().is_none() {
        // It changes the directory of the process.
        let name = "a_relative_path_is_that_of_the_time_of_the_bind";
        return assert_passed(&child("exec", name, ""));
    }
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let (folder, other) = (Folder::new(), Folder::new());
    let before = std::env::current_dir().unwrap();
    std::env::set_current_dir(folder.path()).unwrap();
    let server = UnixListener::bind("relative").unwrap();
    std::env::set_current_dir(other.path()).unwrap();
    fs::write("relative", "").unwrap();
    server.close();
    std::env::set_current_dir(before).unwrap();
    assert_eq!((folder.names(), other.names()), (vec![], vec!["relative".into()]));
}

fn mode_of(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_mode_of_the_file_is_what_was_asked_for() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let folder = Folder::new();
    for mode in [0o600, 0o666, 0o777, 0o000, 0o620] {
        let path = folder.file(&format!("{mode:o}"));
        let server = UnixListener::options().mode(mode).bind(&path).unwrap();
        assert_eq!(mode_of(&path), mode);
        server.set_permissions(Permissions::from_mode(0o640)).unwrap();
        assert_eq!(mode_of(&path), 0o640);
        // As it was read from the file, with its kind.
        server.set_permissions(fs::metadata(&path).unwrap().permissions()).unwrap();
        assert_eq!(mode_of(&path), 0o640);
        server.close();
    }
    let error = UnixListener::options().mode(0o4755).bind(folder.file("s")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("0o4755"), "{error}");
    assert_eq!(folder.names(), [""; 0]);
    lp.run().unwrap();
}

// --- the other end ---

#[test]
#[cfg(target_os = "linux")]
fn the_peer_is_known() {
    let (mut lp, _, _guard) = start();
    let folder = Folder::new();
    lp.block_on(async {
        let server = UnixListener::bind(folder.file("s")).unwrap();
        let client = UnixStream::connect(folder.file("s")).await.unwrap();
        let (peer, _) = server.accept().await.unwrap();
        let me = fs::metadata("/proc/self").unwrap();
        let (uid, gid) = {
            use std::os::unix::fs::MetadataExt;
            (me.uid(), me.gid())
        };
        for socket in [&client, &peer] {
            let found = socket.peer_cred().unwrap();
            assert_eq!(found.pid, Some(std::process::id() as i32));
            assert_eq!((found.uid, found.gid), (uid, gid));
        }
        client.close();
        assert!(Closed::is_in(&client.peer_cred().unwrap_err()));
        let lonely = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let lonely = UnixStream::from_std(std::os::fd::OwnedFd::from(lonely.unwrap()).into());
        let error = lonely.unwrap().peer_cred().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_peer_with_the_longest_name_of_all_is_accepted() {
    // A path that fills its field without a NUL: nothing that the standard library could make.
    let Ok(python) = std::process::Command::new("python3").arg("--version").output() else {
        return behaviour::tell("skipped: no python3");
    };
    assert!(python.status.success());
    let (mut lp, _, _guard) = start();
    let folder = Folder::new();
    let script = r#"
import ctypes, os, socket, sys
os.chdir(sys.argv[1])
libc = ctypes.CDLL(None)
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
name = b'./' + b'x' * 106
address = (1).to_bytes(2, 'little') + name
assert libc.bind(s.fileno(), ctypes.create_string_buffer(address, 110), 110) == 0
s.connect('s')
s.sendall(b'hello')
s.recv(1)
"#;
    lp.block_on(async {
        let server = UnixListener::bind(folder.file("s")).unwrap();
        let mut child = std::process::Command::new("python3")
            .args(["-c", script])
            .arg(folder.path())
            .spawn()
            .unwrap();
        let (peer, from) = server.accept().await.unwrap();
        assert!(from.is_unnamed());
        assert!(peer.peer_addr().unwrap().is_unnamed());
        assert_eq!(peer.read(&mut [0; 16]).await.unwrap(), 5);
        peer.close();
        assert!(child.wait().unwrap().success());
    });
}

// --- streams ---

#[test]
fn a_pair_is_connected_and_has_no_names() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (one, other) = UnixStream::pair().unwrap();
        assert!(one.local_addr().unwrap().is_unnamed() && one.peer_addr().unwrap().is_unnamed());
        one.write("to the other").await.unwrap();
        other.write("to the one").await.unwrap();
        let mut buffer = [0; 32];
        assert_eq!(other.read(&mut buffer).await.unwrap(), 12);
        assert_eq!(one.read(&mut buffer).await.unwrap(), 10);
        drop(one);
        assert_eq!(other.read(&mut buffer).await.unwrap(), 0);
        assert_eq!(other.write("x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn connections_of_the_standard_library_come_and_go() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (ours, mut theirs) = std_net::UnixStream::pair().unwrap();
        let stream = UnixStream::from_std(ours).unwrap();
        theirs.write_all(b"first").unwrap();
        stream.readable().await.unwrap();
        let clone = stream.clone();
        let mut back = stream.into_std().unwrap();
        assert!(clone.is_closing());
        assert!(Closed::is_in(&clone.write("x").await.unwrap_err()));
        back.set_nonblocking(false).unwrap();
        let mut text = [0; 5];
        back.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"first", "nothing was lost");

        let (one, other) = UnixStream::pair().unwrap();
        one.write(vec![0; 4 << 20]);
        let error = one.clone().into_std().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
        assert!(!one.is_closing());
        other.close();
    });
}

#[test]
fn a_stream_that_was_given_away_tells_who_waits() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (one, _other) = UnixStream::pair().unwrap();
        let reader = one.clone();
        let reading = spawn(async move { reader.read(&mut [0; 4]).await });
        runtime::yield_now().await;
        let std = one.into_std().unwrap();
        assert!(Closed::is_in(&reading.await.unwrap().unwrap_err()));
        drop(std);
    });
}

#[test]
fn a_peer_that_closes_with_bytes_unread_resets() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (one, other) = UnixStream::pair().unwrap();
        one.write("nobody reads this").await.unwrap();
        other.close();
        let error = one.read(&mut [0; 4]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_slow_reader_holds_the_writer_back_and_gets_all() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (one, other) = UnixStream::pair().unwrap();
    let data: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    one.write(&data);
    assert!(one.is_full());
    let drained = Rc::new(Cell::new(0));
    let count = drained.clone();
    one.on_drain(move |one| {
        count.set(count.get() + 1);
        one.shutdown();
    });
    let got = Rc::new(RefCell::new(Vec::new()));
    let taken = got.clone();
    other.read_start(move |other, data| {
        taken.borrow_mut().extend_from_slice(data.unwrap());
        other.pause();
        let other = other.clone();
        runtime::set_immediate(move || other.resume());
    });
    lp.run().unwrap();
    assert_eq!(drained.get(), 1);
    assert!(*got.borrow() == data);
}

#[test]
fn an_idle_timeout_closes_a_local_connection() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (one, _other) = UnixStream::pair().unwrap();
    one.set_idle_timeout(ms(5));
    let seen = log.clone();
    one.read_start(move |_, data| seen.push(data.unwrap_err().kind()));
    lp.run().unwrap();
    log.expect(["timed out"]);
}

#[test]
fn one_stream_is_piped_into_another() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (from, source) = UnixStream::pair().unwrap();
        let (target, to) = UnixStream::pair().unwrap();
        from.write(vec![7; 500_000]);
        from.shutdown();
        let piped = source.pipe_to(&target);
        let mut total = 0;
        let mut buffer = vec![0; 10_000];
        loop {
            match to.read(&mut buffer).await.unwrap() {
                0 => break,
                n => total += n,
            }
        }
        assert_eq!(piped.await.unwrap(), 500_000);
        assert_eq!(total, 500_000);
    });
}

#[test]
fn many_slices_go_to_and_fro_whole() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (one, other) = UnixStream::pair().unwrap();
        let echo = spawn(async move {
            let mut buffer = vec![0; 5_000];
            while let Ok(n @ 1..) = other.read(&mut buffer).await {
                other.write(&buffer[..n]).await.unwrap();
            }
        });
        let slices: Vec<Vec<u8>> = (0..2_000).map(|n| vec![n as u8; n % 70]).collect();
        let expected = slices.concat();
        for _ in 0..5 {
            let slices: Vec<_> = slices.iter().map(|slice| io::IoSlice::new(slice)).collect();
            let written = one.write_vectored(&slices);
            let (mut got, mut buffer) = (Vec::new(), vec![0; 3_000]);
            while got.len() < expected.len() {
                let n = one.read(&mut buffer).await.unwrap();
                got.extend_from_slice(&buffer[..n]);
            }
            assert!(got == expected);
            written.await.unwrap();
        }
        one.shutdown().await.unwrap();
        assert_eq!(one.read(&mut [0; 4]).await.unwrap(), 0);
        echo.await.unwrap();
    });
}

#[test]
fn a_shutdown_is_told_before_the_close() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (one, other) = UnixStream::pair().unwrap();
    let seen = log.clone();
    let closing = one.clone();
    one.shutdown().callback(move |result| {
        seen.push(format!("shut down {:?}", result.is_ok()));
        closing.close();
    });
    let seen = log.clone();
    one.closed().callback(move |_| seen.push("closed"));
    // One that is closed first ends as cancelled, and before it all the same.
    let seen = log.clone();
    other.write(vec![0; 4 << 20]);
    other.shutdown().callback(move |result| {
        seen.push(format!("cancelled {}", Cancelled::is_in(&result.unwrap_err())));
    });
    let seen = log.clone();
    other.closed().callback(move |_| seen.push("other closed"));
    other.close();
    lp.run().unwrap();
    log.expect(["shut down true", "closed", "cancelled true", "other closed"]);
}

// --- from inside callbacks ---

#[test]
fn everything_may_be_closed_from_inside_of_every_callback() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let folder = Folder::new();
    let server = UnixListener::bind(folder.file("s")).unwrap();
    let seen = log.clone();
    server.listen(move |server, socket| {
        seen.push("connection");
        socket.close();
        server.close();
    });
    let seen = log.clone();
    server.closed().callback(move |_| seen.push("server closed"));
    let seen = log.clone();
    let path = folder.file("s");
    UnixStream::connect(&path).callback(move |connected| {
        let socket = connected.unwrap();
        seen.push("connected");
        // The listener is gone by now, or is not.
        drop(UnixStream::connect(&path));
        let seen = seen.clone();
        socket.read_start(move |socket, data| {
            seen.push(format!("read {}", data.unwrap().len()));
            socket.close();
            socket.read_start(|_, again| assert!(Closed::is_in(&again.unwrap_err())));
        });
    });
    lp.run().unwrap();
    let mut events = log.take();
    events.sort();
    assert_eq!(events, ["connected", "connection", "read 0", "server closed"]);
}

#[test]
fn many_come_and_go_and_leave_no_descriptor() {
    if child_argument().is_none() {
        return assert_passed(&child("exec", "many_come_and_go_and_leave_no_descriptor", ""));
    }
    let (mut lp, _, _guard) = start();
    let folder = Folder::new();
    let path = folder.file("s");
    let mut round = |clients: usize| {
        lp.block_on(async {
            let server = UnixListener::bind(&path).unwrap();
            let served = server.clone();
            let serving = spawn(async move {
                while let Ok((socket, _)) = served.accept().await {
                    spawn(async move {
                        let mut buffer = [0; 64];
                        while let Ok(n @ 1..) = socket.read(&mut buffer).await {
                            socket.write(&buffer[..n]).await.unwrap();
                        }
                    });
                }
            });
            let asking: Vec<_> = (0..clients)
                .map(|n| {
                    let path = path.clone();
                    spawn(async move {
                        let socket = UnixStream::connect(&path).await?;
                        let text = n.to_string();
                        socket.write(&text).await?;
                        let mut buffer = [0; 64];
                        let len = socket.read(&mut buffer).await?;
                        assert_eq!(&buffer[..len], text.as_bytes());
                        io::Result::Ok(())
                    })
                })
                .collect();
            for one in asking {
                one.await.unwrap().unwrap();
            }
            server.close();
            serving.await.unwrap();
        });
        assert!(!lp.run().unwrap());
    };
    round(10);
    let before = open_descriptors();
    round(300);
    assert_eq!(open_descriptors(), before);
}

#[test]
fn events_of_a_description_that_a_child_holds_end_with_the_handle() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (one, other) = std_net::UnixStream::pair().unwrap();
    // As a child would: the open file lives on when the handle is closed.
    let held = one.try_clone().unwrap();
    let stream = UnixStream::from_std(one).unwrap();
    let seen = log.clone();
    stream.read_start(move |stream, data| {
        seen.push(String::from_utf8_lossy(data.unwrap()));
        stream.close();
    });
    (&other).write_all(b"one").unwrap();
    lp.run().unwrap();
    (&other).write_all(b"two").unwrap();
    let ticks = Rc::new(Cell::new(0));
    let count = ticks.clone();
    let check = runtime::handle::Check::new();
    check.start(move |_| count.set(count.get() + 1)).unwrap();
    check.unref();
    let fired = Rc::new(Cell::new(false));
    let is_fired = fired.clone();
    set_timeout(ms(30), move || is_fired.set(true));
    run_until(&mut lp, || fired.get());
    log.expect(["one"]);
    assert!(ticks.get() <= 4, "{} iterations for one timer", ticks.get());
    drop(held);
}

#[test]
fn a_task_that_accepts_gives_up_without_losing_a_connection() {
    let (mut lp, _, _guard) = start();
    let folder = Folder::new();
    lp.block_on(async {
        let server = UnixListener::bind(folder.file("s")).unwrap();
        assert!(timeout(ms(1), server.accept()).await.is_err());
        let client = UnixStream::connect(folder.file("s")).await.unwrap();
        let (peer, _) = timeout(secs(30), server.accept()).await.unwrap().unwrap();
        peer.write("x").await.unwrap();
        assert_eq!(client.read(&mut [0; 4]).await.unwrap(), 1);
    });
}
