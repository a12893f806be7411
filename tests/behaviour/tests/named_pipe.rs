//! Windows' named pipes: clients, listeners, and handles of either that come from elsewhere.
#![cfg(windows)]

use std::cell::{Cell, RefCell};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::os::windows::io::OwnedHandle;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

use behaviour::{Deadline, EventLog, tell};
use futures_lite::StreamExt;
use runtime::handle::Kind;
use runtime::net::{Pipe, PipeListener};
use runtime::{Closed, Loop, spawn};

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(60))
}

/// A name that nobody else has.
fn name() -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    format!(r"\\.\pipe\runtime-test-{}-{}", std::process::id(), LAST.fetch_add(1, SeqCst))
}

/// Both ends of a new connection: the server's, and the client's.
async fn connected() -> (Pipe, Pipe) {
    let name = name();
    let server = PipeListener::bind(&name).unwrap();
    let client = Pipe::connect(&name).await.unwrap();
    let (accepted, _) = server.accept().await.unwrap();
    (accepted, client)
}

#[test]
fn both_ends_talk_at_once() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (server, client) = connected().await;
        assert_eq!((server.kind(), client.kind()), (Kind::Pipe, Kind::Pipe));
        // Each waits for data while it writes.
        let echo = spawn(async move {
            let mut buffer = [0; 1000];
            loop {
                match server.read(&mut buffer).await.unwrap() {
                    0 => return,
                    read => server.write(&buffer[..read]).await.unwrap(),
                }
            }
        });
        for n in 0..100 {
            let (text, mut buffer) = (format!("message {n}"), [0; 100]);
            client.write(&text).await.unwrap();
            let read = client.read(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..read], text.as_bytes());
        }
        client.close();
        echo.await.unwrap();
    });
}

#[test]
fn by_callbacks() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let name = name();
    let server = PipeListener::bind(&name).unwrap();
    assert_eq!(server.name().unwrap(), *name);
    let seen = log.clone();
    server.listen(move |server, client| {
        server.close();
        let seen = seen.clone();
        client.read_start(move |client, data| match data.unwrap() {
            b"" => seen.push("end"),
            data => {
                seen.push(String::from_utf8_lossy(data));
                client.write("welcome");
            }
        });
    });
    let answer = log.clone();
    Pipe::connect(&name).callback(move |client| {
        let client = client.unwrap();
        client.write("hello");
        client.read_start(move |client, data| {
            answer.push(String::from_utf8_lossy(data.unwrap()));
            client.close();
        });
    });
    assert!(!lp.run().unwrap());
    // A server's end writes on after its client's end, so it is not closed by that.
    log.expect(["hello", "welcome", "end"]);
}

#[test]
fn clients_of_the_standard_library_come_one_after_the_other() {
    const CLIENTS: usize = 100;
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let name = name();
        let server = PipeListener::bind(&name).unwrap();
        let clients = thread::spawn(move || {
            for n in 0..CLIENTS {
                let mut client = open(&name);
                client.write_all(n.to_string().as_bytes()).unwrap();
                let mut answer = [0; 2];
                client.read_exact(&mut answer).unwrap();
                assert_eq!(&answer, b"ok");
            }
        });
        let mut incoming = server.incoming();
        for n in 0..CLIENTS {
            let client = incoming.next().await.unwrap().unwrap();
            let mut buffer = [0; 16];
            let read = client.read(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..read], n.to_string().as_bytes());
            client.write("ok").await.unwrap();
        }
        clients.join().unwrap();
    });
}

/// A client of the standard library, which does not wait for a server that is busy.
fn open(name: &str) -> std::fs::File {
    loop {
        match OpenOptions::new().read(true).write(true).open(name) {
            Err(error) if error.raw_os_error() == Some(231) => thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

#[test]
fn many_clients_at_a_time() {
    const CLIENTS: usize = 100;
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let name = name();
        let server = PipeListener::bind(&name).unwrap();
        let answered = Rc::new(Cell::new(0));
        let counted = answered.clone();
        server.listen(move |_, client| {
            counted.set(counted.get() + 1);
            client.write(counted.get().to_string());
        });
        let clients: Vec<_> = (0..CLIENTS).map(|_| Pipe::connect(&name)).collect();
        for client in clients {
            let (client, mut buffer) = (client.await.unwrap(), [0; 16]);
            assert_ne!(client.read(&mut buffer).await.unwrap(), 0);
        }
        assert_eq!(answered.get(), CLIENTS);
        server.close();
    });
}

#[test]
fn the_number_of_the_clients_process_is_known() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let name = name();
        let server = PipeListener::bind(&name).unwrap();
        let _client = Pipe::connect(&name).await.unwrap();
        let (_, process) = server.accept().await.unwrap();
        assert_eq!(process, std::process::id());
    });
}

#[test]
fn errors_name_the_pipe() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let name = name();
        let error = Pipe::connect(&name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("runtime-test"), "{error}");

        for wrong in
            ["name", "", r"C:\file", r"\\.\pipe\", r"\\.\pipe", r"\\\pipe\x", "\\\\.\\pipe\\a\0"]
        {
            let error = Pipe::connect(wrong).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{wrong}");
            let error = PipeListener::bind(wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{wrong}");
        }
    });
}

#[test]
fn a_name_has_one_listener() {
    if Path::new(r"C:\windows\system32\wineboot.exe").exists() {
        return tell("Wine lets anybody have a name too: skipped");
    }
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let name = name();
    let _server = PipeListener::bind(&name).unwrap();
    let error = PipeListener::bind(&name).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains("runtime-test"), "{error}");
}

#[test]
fn a_closed_listener_is_gone_and_who_accepts_is_told() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let name = name();
        for _ in 0..20 {
            // The thread that listened has to be gone by then, which takes a moment.
            let server = loop {
                match PipeListener::bind(&name) {
                    Err(error) if error.kind() == ErrorKind::AddrInUse => thread::yield_now(),
                    bound => break bound.unwrap(),
                }
            };
            let accepting = server.clone();
            let task = spawn(async move { accepting.accept().await.unwrap_err() });
            runtime::yield_now().await;
            server.close();
            assert!(Closed::is_in(&task.await.unwrap()));
            assert!(Closed::is_in(&server.name().unwrap_err()));
        }
    });
}

#[test]
fn clients_who_were_not_accepted_are_told_when_the_listener_closes() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let name = name();
        let server = PipeListener::bind(&name).unwrap();
        let client = Pipe::connect(&name).await.unwrap();
        server.close();
        assert_eq!(client.read(&mut [0; 4]).await.unwrap(), 0);
    });
}

#[test]
fn a_peer_who_does_not_read_holds_the_writer_back_and_gets_all() {
    const BYTES: usize = 2_000_000;
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (server, client) = connected().await;
        let data: Vec<u8> = (0..BYTES).map(|n| (n % 251) as u8).collect();
        server.write(&data);
        assert!(server.is_full());
        drop(server);
        let (mut got, mut buffer) = (Vec::new(), vec![0; 30_000]);
        loop {
            match client.read(&mut buffer).await.unwrap() {
                0 => break,
                read => got.extend_from_slice(&buffer[..read]),
            }
        }
        assert!(got == data);
    });
}

#[test]
fn a_writer_is_told_that_its_peer_is_gone() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (server, client) = connected().await;
        client.close();
        let error = loop {
            match server.write(vec![1; 1000]).await {
                Ok(()) => runtime::yield_now().await,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_waiting_reader_is_told_that_its_peer_is_gone() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (server, client) = connected().await;
        let reading = spawn(async move { server.read(&mut [0; 4]).await });
        runtime::yield_now().await;
        client.close();
        assert_eq!(reading.await.unwrap().unwrap(), 0);
    });
}

#[test]
fn a_message_of_no_bytes_is_not_the_end() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (ours, mut theirs) = std::io::pipe().unwrap();
        let reader = Pipe::from_std(ours).unwrap();
        theirs.write_all(b"one").unwrap();
        let _ = theirs.write(b"").unwrap();
        theirs.write_all(b"two").unwrap();
        drop(theirs);
        let all = Rc::new(RefCell::new(Vec::new()));
        let mut buffer = [0; 16];
        loop {
            match reader.read(&mut buffer).await.unwrap() {
                0 => break,
                read => all.borrow_mut().extend_from_slice(&buffer[..read]),
            }
        }
        assert_eq!(*all.borrow(), b"onetwo");
    });
}

#[test]
fn a_handle_for_both_directions_that_makes_one_call_at_a_time_is_refused() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let name = name();
        let _server = PipeListener::bind(&name).unwrap();
        let client = OwnedHandle::from(open(&name));
        let error = Pipe::from_std(client).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("FILE_FLAG_OVERLAPPED"), "{error}");
    });
}

#[test]
fn a_handle_for_one_direction_that_makes_one_call_at_a_time_is_taken() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let name = name();
        let server = PipeListener::bind(&name).unwrap();
        let client = Pipe::from_std(OpenOptions::new().write(true).open(&name).unwrap()).unwrap();
        let (accepted, _) = server.accept().await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::NotConnected);
        client.write("one way").await.unwrap();
        client.shutdown().await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(accepted.read(&mut buffer).await.unwrap(), 7);
        assert_eq!(accepted.read(&mut buffer).await.unwrap(), 0);
    });
}

#[test]
fn a_reader_in_a_call_that_waits_is_got_out_of_it() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let name = name();
        let server = PipeListener::bind(&name).unwrap();
        let client = Pipe::from_std(OpenOptions::new().read(true).open(&name).unwrap()).unwrap();
        let (accepted, _) = server.accept().await.unwrap();
        client.read_start(|_, _| ());
        runtime::yield_now().await;
        client.close();
        // Nothing comes that would end its read, so the handle is closed by our stop or never.
        assert_eq!(accepted.read(&mut [0]).await.unwrap(), 0);
    });
}

#[test]
fn a_socket_is_no_pipe() {
    use std::os::windows::io::{FromRawHandle, IntoRawSocket, RawHandle};
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    // SAFETY: a socket is a handle too, and this one is given away.
    #[allow(unsafe_code)]
    let handle = unsafe { OwnedHandle::from_raw_handle(socket.into_raw_socket() as RawHandle) };
    assert_eq!(Pipe::from_std(handle).unwrap_err().kind(), ErrorKind::InvalidInput);
}
