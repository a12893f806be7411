//! Descriptors that are passed over local connections: once, in order, under load, to other processes, and
//! never lost or leaked.
#![cfg(unix)]

mod tcp_support;
mod unix_support;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net as std_net;
use std::process::{Command, Stdio};
use std::rc::Rc;

use runtime::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use runtime::{Closed, QueueFull, set_immediate, spawn};
use tcp_support::{assert_passed, child, child_argument, open_descriptors, run_until};
use unix_support::{Folder, start};

/// An open file whose content is `text`.
fn file(text: &str) -> OwnedFd {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    reader.into()
}

fn content(fd: OwnedFd) -> String {
    let mut text = String::new();
    File::from(fd).read_to_string(&mut text).unwrap();
    text
}

/// Whether it is closed on exec.
fn is_cloexec(fd: &OwnedFd) -> bool {
    let path = format!("/proc/self/fdinfo/{}", fd.as_raw_fd());
    let info = std::fs::read_to_string(path).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    u32::from_str_radix(flags.trim(), 8).unwrap() & 0o2_000_000 != 0
}

// --- passing ---

#[test]
fn a_descriptor_goes_with_its_bytes_by_await() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (one, other) = UnixStream::pair().unwrap();
        one.write_with_fds("two of them", [file("first"), file("second")]).await.unwrap();
        let mut buffer = [0; 64];
        let (len, received) = other.read_with_fds(&mut buffer, 8).await.unwrap();
        assert_eq!(&buffer[..len], b"two of them");
        assert!(!received.is_truncated);
        #[cfg(target_os = "linux")]
        assert!(received.fds.iter().all(is_cloexec));
        let texts: Vec<_> = received.fds.into_iter().map(content).collect();
        assert_eq!(texts, ["first", "second"]);
        // Without any it is a write and a read like others.
        one.write_with_fds("none", []).await.unwrap();
        let (len, received) = other.read_with_fds(&mut buffer, 8).await.unwrap();
        assert_eq!((len, received.fds.len(), received.is_truncated), (4, 0, false));
        one.close();
        let (len, received) = other.read_with_fds(&mut buffer, 8).await.unwrap();
        assert_eq!((len, received.fds.len()), (0, 0));
        let (len, _) = other.read_with_fds(&mut buffer, 8).await.unwrap();
        assert_eq!(len, 0);
    });
}

#[test]
fn a_descriptor_goes_with_its_bytes_by_callback() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (one, other) = UnixStream::pair().unwrap();
    for text in ["a", "b", "c"] {
        one.write_with_fds(text, [file(&format!("file {text}"))]);
        one.write("-");
    }
    one.shutdown();
    let seen = log.clone();
    let iterations = Rc::new(RefCell::new(Vec::new()));
    let noted = iterations.clone();
    other.read_start_with_fds(4, move |other, read| {
        let (data, received) = read.unwrap();
        noted.borrow_mut().push(runtime::current().metrics().iterations);
        if data.is_empty() {
            other.shutdown();
            return seen.push("end");
        }
        // As far as the kernel lets them go together, what came before comes with them.
        seen.push(String::from_utf8_lossy(data));
        received.fds.into_iter().for_each(|fd| seen.push(content(fd)));
    });
    lp.run().unwrap();
    let events = log.take();
    let files: Vec<_> = events.iter().filter(|event| event.starts_with("file")).collect();
    assert_eq!(files, ["file a", "file b", "file c"]);
    let bytes: String = events.iter().filter(|event| event.len() < 3).cloned().collect();
    assert_eq!(bytes, "a-b-c-");
    assert_eq!(events.last().unwrap(), "end");
    // Descriptors end a call of the system, but not the event: all but the end came in the first.
    let iterations = iterations.borrow();
    let first = iterations.iter().filter(|&&iteration| iteration == iterations[0]).count();
    assert!(first >= 4 && first + 1 >= iterations.len(), "{iterations:?}");
}

#[test]
fn who_takes_none_leaks_none_and_reads_the_bytes() {
    if child_argument().is_none() {
        let name = "who_takes_none_leaks_none_and_reads_the_bytes";
        return assert_passed(&child("exec", name, ""));
    }
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (one, other) = UnixStream::pair().unwrap();
    let before = open_descriptors();
    lp.block_on(async {
        let mut buffer = [0; 64];
        for _ in 0..50 {
            one.write_with_fds("x", [file(""), file("")]).await.unwrap();
            assert_eq!(other.read(&mut buffer).await.unwrap(), 1);
            one.write_with_fds("x", [file("")]).await.unwrap();
            let (len, received) = other.read_with_fds(&mut buffer, 0).await.unwrap();
            assert_eq!((len, received.fds.len(), received.is_truncated), (1, 0, true));
            one.write_with_fds("x", [file("")]).await.unwrap();
            assert_eq!(other.read_with(|data| data.len()).await.unwrap(), 1);
            one.write_with_fds("x", [file("")]).await.unwrap();
            other.readable().await.unwrap();
            assert_eq!(other.try_read(&mut buffer).unwrap(), 1);
        }
    });
    assert_eq!(open_descriptors(), before);
    let seen = log.clone();
    other.read_start(move |other, data| {
        seen.push(data.unwrap().len());
        other.read_stop();
    });
    one.write_with_fds("four", [file(""), file("")]);
    lp.run().unwrap();
    log.expect(["4"]);
    assert_eq!(open_descriptors(), before);
    // A callback that drops what it is given, one that took none before it, and none after it.
    let seen = log.clone();
    other.read_start_with_fds(2, move |other, read| {
        seen.push(read.unwrap().1.fds.len());
        other.read_stop();
    });
    one.write_with_fds("x", [file(""), file("")]);
    lp.run().unwrap();
    log.expect(["2"]);
    assert_eq!(open_descriptors(), before);
    other.read_start(|other, _| other.read_stop());
    one.write_with_fds("x", [file(""), file("")]);
    lp.run().unwrap();
    assert_eq!(open_descriptors(), before);
}

#[test]
fn more_than_were_asked_for_are_told_and_closed() {
    if child_argument().is_none() {
        let name = "more_than_were_asked_for_are_told_and_closed";
        return assert_passed(&child("exec", name, ""));
    }
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (one, other) = UnixStream::pair().unwrap();
    let before = open_descriptors();
    lp.block_on(async {
        for sent in 1..=9 {
            for taken in 0..=10 {
                let files: Vec<_> = (0..sent).map(|n| file(&n.to_string())).collect();
                one.write_with_fds("x", files).await.unwrap();
                let (_, received) = other.read_with_fds(&mut [0; 4], taken).await.unwrap();
                assert_eq!(received.fds.len(), taken.min(sent), "{taken} of {sent}");
                assert_eq!(received.is_truncated, taken < sent, "{taken} of {sent}");
                let texts: Vec<_> = received.fds.into_iter().map(content).collect();
                let first: Vec<_> = (0..taken.min(sent)).map(|n| n.to_string()).collect();
                assert_eq!(texts, first);
            }
        }
    });
    assert_eq!(open_descriptors(), before);
}

#[test]
fn as_many_as_can_be_are_passed_and_one_more_is_an_error() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (one, other) = UnixStream::pair().unwrap();
        let null = OwnedFd::from(File::open("/dev/null").unwrap());
        let many =
            |count: usize| -> Vec<_> { (0..count).map(|_| null.try_clone().unwrap()).collect() };
        let error = one.write_with_fds("x", many(254)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("254") && error.to_string().contains("253"), "{error}");
        let error = one.write_with_fds("", many(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("byte"), "{error}");
        let error = one.try_write_with_fds(b"", &[null.as_fd()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        // Both leave the stream as it is.
        one.write_with_fds("all", many(253)).await.unwrap();
        let (len, received) = other.read_with_fds(&mut [0; 8], 1000).await.unwrap();
        assert_eq!((len, received.fds.len(), received.is_truncated), (3, 253, false));
    });
}

#[test]
fn trying_takes_no_descriptor_away() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (one, other) = UnixStream::pair().unwrap();
        let passed = file("kept");
        let mut buffer = [0; 8];
        let nothing = other.try_read_with_fds(&mut buffer, 1).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        assert_eq!(one.try_write_with_fds(b"x", &[passed.as_fd()]).unwrap(), 1);
        other.readable().await.unwrap();
        let (len, received) = other.try_read_with_fds(&mut buffer, 1).unwrap();
        assert_eq!((len, received.fds.len()), (1, 1));
        assert_eq!(content(passed), "kept");
        // What is queued comes first.
        one.write(vec![0; 4 << 20]);
        let null = File::open("/dev/null").unwrap();
        let full = one.try_write_with_fds(b"x", &[null.as_fd()]).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn an_empty_buffer_takes_nothing() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (one, other) = UnixStream::pair().unwrap();
        one.write_with_fds("x", [file("still there")]).await.unwrap();
        let (len, received) = other.read_with_fds(&mut [], 1).await.unwrap();
        assert_eq!((len, received.fds.len()), (0, 0));
        let (len, mut received) = other.read_with_fds(&mut [0; 4], 1).await.unwrap();
        assert_eq!(len, 1);
        assert_eq!(content(received.fds.remove(0)), "still there");
    });
}

// --- through the queue ---

/// Reads `bytes` bytes and what comes with them, at most `piece` bytes at a time.
async fn read_all(from: &UnixStream, bytes: usize, piece: usize) -> (Vec<u8>, Vec<String>) {
    let (mut all, mut files, mut buffer) = (Vec::new(), Vec::new(), vec![0; piece]);
    while all.len() < bytes {
        let (len, received) = from.read_with_fds(&mut buffer, 253).await.unwrap();
        assert!(len > 0 && !received.is_truncated);
        all.extend_from_slice(&buffer[..len]);
        files.extend(received.fds.into_iter().map(content));
    }
    (all, files)
}

#[test]
fn queued_descriptors_go_once_and_in_order_though_their_bytes_go_in_pieces() {
    if child_argument().is_none() {
        let name = "queued_descriptors_go_once_and_in_order_though_their_bytes_go_in_pieces";
        return assert_passed(&child("exec", name, ""));
    }
    let (mut lp, _, _guard) = start();
    let before = open_descriptors();
    lp.block_on(async {
        let (one, other) = UnixStream::pair().unwrap();
        let mut expected = Vec::new();
        for n in 0..40u8 {
            // More than the system takes at once: each is cut somewhere.
            let bytes = vec![n; 60_000];
            expected.extend_from_slice(&bytes);
            one.write_with_fds(&bytes, [file(&format!("{n}a")), file(&format!("{n}b"))]);
            one.write([n; 3]);
            expected.extend_from_slice(&[n; 3]);
        }
        assert!(one.write_queue_size() > 1_000_000);
        let (bytes, files) = read_all(&other, expected.len(), 7_001).await;
        assert!(bytes == expected);
        let order: Vec<_> = (0..40).flat_map(|n| [format!("{n}a"), format!("{n}b")]).collect();
        assert_eq!(files, order);
    });
    lp.run().unwrap();
    assert_eq!(open_descriptors(), before);
}

#[test]
fn queued_descriptors_are_closed_with_the_stream() {
    if child_argument().is_none() {
        let name = "queued_descriptors_are_closed_with_the_stream";
        return assert_passed(&child("exec", name, ""));
    }
    let (mut lp, log, _guard) = start();
    let here = lp.enter();
    let before = open_descriptors();
    for how in ["close", "peer", "limit"] {
        let (one, other) = UnixStream::pair().unwrap();
        one.write(vec![0; 1 << 20]);
        let seen = log.clone();
        one.write_with_fds("x", [file(""), file("")])
            .callback(move |result| seen.push(result.unwrap_err()));
        match how {
            "close" => one.close(),
            "peer" => other.close(),
            _ => {
                one.set_write_limit(10);
                let seen = log.clone();
                one.write_with_fds("y", [file("")]).callback(move |result| {
                    seen.push(QueueFull::is_in(&result.unwrap_err()));
                });
            }
        }
        drop((one, other));
        lp.run().unwrap();
        assert_eq!(open_descriptors(), before, "{how}");
    }
    assert_eq!(log.take().len(), 4);
    // And with the loop.
    let (one, other) = UnixStream::pair().unwrap();
    one.write(vec![0; 1 << 20]);
    one.write_with_fds("x", [file("")]);
    drop((one, other, here, lp));
    assert!(open_descriptors() < before, "the loop had some too");
}

#[test]
fn a_write_after_the_end_closes_what_it_was_given() {
    if child_argument().is_none() {
        let name = "a_write_after_the_end_closes_what_it_was_given";
        return assert_passed(&child("exec", name, ""));
    }
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let before = open_descriptors();
        let (one, other) = UnixStream::pair().unwrap();
        one.shutdown().await.unwrap();
        let error = one.write_with_fds("x", [file("")]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        one.close();
        let error = one.write_with_fds("x", [file("")]).await.unwrap_err();
        assert!(Closed::is_in(&error));
        other.close();
        assert_eq!(open_descriptors(), before);
    });
}

// --- re-entrancy ---

#[test]
fn a_callback_that_takes_descriptors_may_stop_restart_and_close() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (one, other) = UnixStream::pair().unwrap();
    for text in ["a", "b", "c", "d"] {
        one.write_with_fds(text, [file(text)]);
    }
    let seen = log.clone();
    other.read_start_with_fds(1, move |other, read| {
        let (_, received) = read.unwrap();
        seen.push(format!("first {}", content(received.fds.into_iter().next().unwrap())));
        other.read_stop();
        let seen = seen.clone();
        other.read_start_with_fds(1, move |other, read| {
            let (data, received) = read.unwrap();
            seen.push(format!("second {}", content(received.fds.into_iter().next().unwrap())));
            other.pause();
            let later = other.clone();
            set_immediate(move || later.resume());
            if data == b"d" {
                other.close();
            }
        });
        // One at a time.
        other.read_start_with_fds(1, |_, again| {
            assert!(tcp_support::is_already(&again.map(drop).unwrap_err()));
        });
    });
    let seen = log.clone();
    other.closed().callback(move |_| seen.push("closed"));
    set_immediate(move || one.close());
    lp.run().unwrap();
    log.expect(["first a", "second b", "second c", "second d", "closed"]);
}

#[test]
fn a_callback_that_panics_leaks_no_descriptor() {
    if child_argument().is_none() {
        let name = "a_callback_that_panics_leaks_no_descriptor";
        return assert_passed(&child("exec", name, ""));
    }
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (one, other) = UnixStream::pair().unwrap();
    let before = open_descriptors();
    let seen = Rc::new(Cell::new(0));
    let count = seen.clone();
    other.read_start_with_fds(2, move |_, read| {
        count.set(count.get() + read.unwrap().1.fds.len());
        assert!(count.get() > 2, "on purpose");
    });
    one.write_with_fds("x", [file(""), file("")]);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lp.run()));
    assert!(caught.is_err());
    assert_eq!(open_descriptors(), before);
    one.write_with_fds("x", [file("")]);
    run_until(&mut lp, || seen.get() == 3);
    assert_eq!(open_descriptors(), before);
}

// --- under load ---

#[test]
fn heavy_traffic_both_ways_does_not_stand_still() {
    if child_argument().is_none() {
        let name = "heavy_traffic_both_ways_does_not_stand_still";
        return assert_passed(&child("exec", name, ""));
    }
    const MESSAGES: usize = 400;
    const LENGTH: usize = 2_000;
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let before = open_descriptors();
    let (one, other) = UnixStream::pair().unwrap();
    let null = Rc::new(OwnedFd::from(File::open("/dev/null").unwrap()));
    let device = File::open("/dev/null").unwrap().metadata().unwrap().rdev();
    let done = Rc::new(RefCell::new(Vec::new()));
    for end in [&one, &other] {
        let (mut bytes, mut files, done) = (0, 0, done.clone());
        end.read_start_with_fds(253, move |end, read| {
            let (data, received) = read.unwrap();
            bytes += data.len();
            files += received.fds.len();
            for fd in received.fds {
                assert_eq!(File::from(fd).metadata().unwrap().rdev(), device);
            }
            if data.is_empty() {
                done.borrow_mut().push((bytes, files));
                end.close();
            }
        });
    }
    // Each writes all it has before it reads anything, more than the system takes, in slices of a turn.
    fn send(end: UnixStream, null: Rc<OwnedFd>, left: usize) {
        let now = left.min(50);
        for _ in 0..now {
            end.write_with_fds([7; LENGTH], [null.try_clone().unwrap()]);
        }
        if left > now {
            set_immediate(move || send(end, null, left - now));
        } else {
            end.shutdown();
        }
    }
    send(one.clone(), null.clone(), MESSAGES);
    send(other.clone(), null.clone(), MESSAGES);
    drop((one, other));
    lp.run().unwrap();
    assert_eq!(*done.borrow(), [(MESSAGES * LENGTH, MESSAGES); 2]);
    drop(null);
    assert_eq!(open_descriptors(), before);
}

#[test]
fn no_descriptor_left_is_told_and_the_bytes_are_there() {
    if child_argument().is_none() {
        let name = "no_descriptor_left_is_told_and_the_bytes_are_there";
        return assert_passed(&child("ulimit -n 40 && exec", name, ""));
    }
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (one, other) = UnixStream::pair().unwrap();
        one.write_with_fds("hello", [file("a"), file("b")]).await.unwrap();
        let mut hoard = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            hoard.push(file);
        }
        hoard.pop();
        let mut buffer = [0; 8];
        let (len, received) = other.read_with_fds(&mut buffer, 8).await.unwrap();
        assert_eq!(&buffer[..len], b"hello");
        assert_eq!((received.fds.len(), received.is_truncated), (1, true));
        // The stream goes on.
        hoard.clear();
        one.write_with_fds("more", [file("c")]).await.unwrap();
        let (len, received) = other.read_with_fds(&mut buffer, 8).await.unwrap();
        assert_eq!((len, received.fds.len(), received.is_truncated), (4, 1, false));
    });
}

// --- sockets, and other processes ---

#[test]
fn a_live_connection_and_a_listener_move_to_another_loop() {
    let (mut lp, _, _guard) = start();
    let (ours, theirs) = std_net::UnixStream::pair().unwrap();
    let thread = std::thread::spawn(move || {
        let mut lp = runtime::Loop::new().unwrap();
        lp.block_on(async {
            let channel = UnixStream::from_std(theirs).unwrap();
            let mut buffer = [0; 16];
            let (_, received) = channel.read_with_fds(&mut buffer, 2).await.unwrap();
            let [socket, listener] = <[OwnedFd; 2]>::try_from(received.fds).unwrap();
            let socket = TcpStream::from_std(socket.into()).unwrap();
            socket.write("from the other loop").await.unwrap();
            let listener = TcpListener::from_std(listener.into()).unwrap();
            let (socket, _) = listener.accept().await.unwrap();
            socket.write("accepted there").await.unwrap();
        });
    });
    lp.block_on(async {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        let (socket, _) = server.accept().unwrap();
        let channel = UnixStream::from_std(ours).unwrap();
        let fds = [OwnedFd::from(socket), OwnedFd::from(server)];
        channel.write_with_fds("both", fds).await.unwrap();
        let mut buffer = [0; 32];
        let len = client.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..len], b"from the other loop");
        let late = TcpStream::connect(address).await.unwrap();
        let len = late.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..len], b"accepted there");
    });
    thread.join().unwrap();
}

/// The other process of the test below: takes files and connections from the parent, and answers.
async fn worker(path: &str) {
    let parent = UnixStream::connect(path).await.unwrap();
    let mut buffer = [0; 64];
    loop {
        let (len, received) = parent.read_with_fds(&mut buffer, 8).await.unwrap();
        if len == 0 {
            return;
        }
        for fd in received.fds {
            let socket = UnixStream::from_std(fd.into()).unwrap();
            spawn(async move {
                let mut text = [0; 16];
                let len = socket.read(&mut text).await.unwrap();
                let answer = String::from_utf8_lossy(&text[..len]).to_uppercase();
                socket.write(answer).await.unwrap();
            });
        }
        let mut report = File::options().write(true).open("/dev/null").unwrap();
        report.write_all(&buffer[..len]).unwrap();
        // A file goes back: written here, read there.
        let path = std::env::temp_dir().join(format!("worker-{}", std::process::id()));
        let mut file =
            File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        write!(file, "seen {len}").unwrap();
        file.rewind().unwrap();
        parent.write_with_fds("f", [file.into()]).await.unwrap();
    }
}

#[test]
fn descriptors_go_to_another_process_and_back() {
    const NAME: &str = "descriptors_go_to_another_process_and_back";
    let (mut lp, _, _guard) = start();
    if let Some(path) = child_argument() {
        return lp.block_on(worker(&path));
    }
    let folder = Folder::new();
    let path = folder.file("s");
    lp.block_on(async {
        let server = UnixListener::bind(&path).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture", "--test-threads=1"])
            .env("BEHAVIOUR_CHILD", &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let (worker, _) = server.accept().await.unwrap();
        #[cfg(target_os = "linux")]
        assert_eq!(worker.peer_cred().unwrap().pid, Some(child.id() as i32));
        let mut buffer = [0; 16];
        for text in ["one", "two", "three"] {
            let (client, theirs) = UnixStream::pair().unwrap();
            client.write(text).await.unwrap();
            let theirs = theirs.into_std().unwrap();
            worker.write_with_fds("conn", [theirs.into()]).await.unwrap();
            let len = client.read(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..len], text.to_uppercase().as_bytes());
            // The worker has the last copy of that end.
            assert_eq!(client.read(&mut buffer).await.unwrap(), 0);
            let (len, received) = worker.read_with_fds(&mut buffer, 1).await.unwrap();
            assert_eq!((len, received.fds.len()), (1, 1));
            assert_eq!(received.fds.into_iter().map(content).collect::<String>(), "seen 4");
        }
        worker.shutdown().await.unwrap();
        assert!(child.wait().unwrap().success());
    });
}
