//! Files into sockets: all of the bytes, in order, whatever the system has in memory and however slowly
//! the peer reads.
#![cfg(unix)]

mod tcp_support;

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use behaviour::{Deadline, EventLog};
use futures_lite::AsyncWriteExt;
use runtime::fs::File;
use runtime::net::TcpStream;
use runtime::{Cancelled, Loop, next_tick};
use tcp_support::{narrow_pair, pair, pattern};

/// A file that is removed with this.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let name = format!("runtime-send-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, bytes).unwrap();
        Self(path)
    }

    fn open(&self) -> File {
        open(&self.0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

fn open(path: &Path) -> File {
    File::from_std(fs::File::open(path).unwrap(), path)
}

/// Takes the file out of the system's memory, so that somebody has to read it.
fn forget(path: &Path) {
    let file = fs::File::open(path).unwrap();
    file.sync_all().unwrap();
    #[cfg(target_os = "linux")]
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
}

fn read_all(mut peer: std::net::TcpStream) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut got = Vec::new();
        let mut buffer = [0; 7_001];
        loop {
            match peer.read(&mut buffer) {
                Ok(0) | Err(_) => return got,
                Ok(read) => got.extend_from_slice(&buffer[..read]),
            }
        }
    })
}

#[test]
fn a_small_file_goes_out_with_its_head_at_once() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let scratch = Scratch::new("small", b"0123456789");
    let (ours, mut peer) = pair();
    lp.block_on(async {
        let sent = ours.send_file_with(b"head ", &scratch.open(), 2..7);
        #[cfg(target_os = "linux")]
        assert_eq!(format!("{sent:?}"), "Request(done)");
        sent.await.unwrap();
        ours.send_file(&scratch.open(), 0..0).await.unwrap();
        ours.send_file_with(" tail", &scratch.open(), 10..10).await.unwrap();
    });
    let mut got = [0; 15];
    peer.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"head 23456 tail");
}

#[test]
fn a_large_file_keeps_its_place_among_the_writes_to_a_slow_peer() {
    let _guard = Deadline::secs(60);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let bytes = pattern(3_000_001);
    let scratch = Scratch::new("large", &bytes);
    for is_in_memory in [true, false] {
        if !is_in_memory {
            forget(&scratch.0);
        }
        let (ours, peer) = narrow_pair();
        let got = read_all(peer);
        lp.block_on(async {
            ours.write("before ");
            let file = scratch.open();
            ours.send_file_with("head ", &file, 0..bytes.len() as u64);
            ours.write(" between ");
            ours.send_file(&file, 1_000_000..2_500_000);
            assert!(ours.write_queue_size() < 1000, "files are not in memory");
            ours.write(" after").await.unwrap();
            ours.shutdown().await.unwrap();
        });
        let expected =
            [b"before head ", &bytes[..], b" between ", &bytes[1_000_000..2_500_000], b" after"];
        assert!(got.join().unwrap() == expected.concat(), "in memory: {is_in_memory}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_the_system_cannot_send_by_itself_is_read() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let path = Path::new("/proc/version");
    let bytes = fs::read(path).unwrap();
    let (ours, peer) = pair();
    let got = read_all(peer);
    lp.block_on(async {
        ours.send_file(&open(path), 0..bytes.len() as u64).await.unwrap();
        ours.write("!").await.unwrap();
        ours.shutdown().await.unwrap();
    });
    assert_eq!(got.join().unwrap(), [&bytes[..], b"!"].concat());
}

#[test]
fn what_was_written_to_the_file_before_is_sent() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let scratch = Scratch::new("written", b"");
    for length in [10, 300_000] {
        let bytes = pattern(length);
        let (socket, peer) = pair();
        let got = read_all(peer);
        let options = OpenOptions::new().read(true).write(true).truncate(true).open(&scratch.0);
        let file = File::from_std(options.unwrap(), &scratch.0);
        // One half is accepted only, the other is asked for only.
        let (one, other) = bytes.split_at(length / 2);
        lp.block_on((&file).write_all(one)).unwrap();
        file.write(other).detach();
        lp.block_on(socket.send_file(&file, 0..length as u64)).unwrap();
        drop(socket);
        assert!(got.join().unwrap() == bytes, "{length}");
    }
}

#[test]
fn the_callback_comes_behind_those_of_the_writes_before_it_never_in_the_call() {
    let _guard = Deadline::secs(60);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let scratch = Scratch::new("order", &pattern(1_000_000));
    let (ours, peer) = narrow_pair();
    let got = read_all(peer);
    ours.write(pattern(500_000)).callback({
        let log = log.clone();
        move |_| {
            log.push("bytes");
            next_tick(log.mark("tick"));
        }
    });
    let noting = log.clone();
    ours.send_file(&scratch.open(), 0..1_000_000).callback(move |sent| {
        sent.unwrap();
        noting.push("file");
    });
    ours.write("x").callback({
        let (log, ours) = (log.clone(), ours.clone());
        move |_| {
            log.push("more");
            ours.close();
        }
    });
    log.push("script");
    lp.run().unwrap();
    log.expect(["script", "bytes", "tick", "file", "more"]);
    assert_eq!(got.join().unwrap().len(), 1_500_001);
}

#[test]
fn a_file_that_ends_early_ends_the_writing_and_nothing_follows_it() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let scratch = Scratch::new("short", b"short");
    let (ours, peer) = pair();
    let got = read_all(peer);
    lp.block_on(async {
        let sent = ours.send_file(&scratch.open(), 0..100_000);
        let behind = ours.write("must not arrive");
        let error = sent.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert!(error.to_string().contains("short"), "{error}");
        assert!(behind.await.is_err());
        assert_eq!(ours.write("nor this").await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    });
    ours.close();
    lp.run().unwrap();
    let got = got.join().unwrap();
    assert!(b"short".starts_with(&got), "{got:?}");
}

#[test]
fn a_file_that_is_cut_off_while_it_is_sent_is_an_error_that_names_it() {
    let _guard = Deadline::secs(30);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let scratch = Scratch::new("cut", &pattern(30_000_000));
    let (ours, mut peer) = narrow_pair();
    lp.block_on(async {
        let sent = ours.send_file(&scratch.open(), 0..30_000_000);
        OpenOptions::new().write(true).open(&scratch.0).unwrap().set_len(100).unwrap();
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 100_000];
            while peer.read(&mut buffer).is_ok_and(|read| read > 0) {}
        });
        let error = sent.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
        ours.close();
        ours.closed().await.unwrap_err();
        reader.join().unwrap();
    });
}

#[test]
fn ranges_that_no_file_has_are_refused_and_nothing_is_written() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let scratch = Scratch::new("ranges", b"bytes");
    let (ours, peer) = pair();
    let got = read_all(peer);
    lp.block_on(async {
        let file = scratch.open();
        #[expect(clippy::reversed_empty_ranges, reason = "that is the point")]
        for range in [3..2, 0..u64::MAX, u64::MAX..u64::MAX] {
            let error = ours.send_file_with("head", &file, range).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        }
        ours.write("fine").await.unwrap();
        ours.shutdown().await.unwrap();
    });
    assert_eq!(got.join().unwrap(), b"fine");
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let scratch = Scratch::new("unreadable", b"bytes");
    let file = OpenOptions::new().write(true).open(&scratch.0).unwrap();
    let (ours, _peer) = pair();
    lp.block_on(async {
        let error = ours.send_file(&File::from_std(file, &scratch.0), 0..5).await.unwrap_err();
        assert!(runtime::raw_os_error(&error).is_some(), "{error}");
        let dir = File::from_std(fs::File::open("/").unwrap(), "/");
        let (ours, _peer) = TcpStream::pair().unwrap();
        let error = ours.send_file(&dir, 0..5).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IsADirectory, "{error}");
    });
}

#[test]
fn closing_cancels_it_and_dropping_the_stream_does_not() {
    let _guard = Deadline::secs(60);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let bytes = pattern(2_000_000);
    let scratch = Scratch::new("closing", &bytes);
    for is_in_memory in [true, false] {
        let (ours, _peer) = narrow_pair();
        if !is_in_memory {
            forget(&scratch.0);
        }
        let sent = ours.send_file(&scratch.open(), 0..2_000_000);
        ours.close();
        let error = lp.block_on(sent).unwrap_err();
        assert!(Cancelled::is_in(&error), "{error}");

        let (ours, peer) = narrow_pair();
        let got = read_all(peer);
        drop(ours.send_file(&scratch.open(), 0..2_000_000));
        drop(ours);
        lp.run().unwrap();
        assert!(got.join().unwrap() == bytes);
    }
}

#[test]
fn a_peer_that_goes_away_is_an_error_and_nothing_more_is_read() {
    let _guard = Deadline::secs(30);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let scratch = Scratch::new("reset", &pattern(20_000_000));
    let (ours, peer) = narrow_pair();
    lp.block_on(async {
        let sent = ours.send_file(&scratch.open(), 0..20_000_000);
        drop(peer);
        let error = sent.await.unwrap_err();
        let gone = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert!(gone.contains(&error.kind()), "{error}");
    });
    drop(ours);
    lp.run().unwrap();
}

#[test]
fn a_loop_that_goes_ends_it() {
    let _guard = Deadline::secs(30);
    let scratch = Scratch::new("gone", &pattern(5_000_000));
    for is_in_memory in [true, false] {
        let lp = Loop::new().unwrap();
        let here = lp.enter();
        if !is_in_memory {
            forget(&scratch.0);
        }
        let (ours, _peer) = narrow_pair();
        let sent = ours.send_file(&scratch.open(), 0..5_000_000);
        drop((here, lp));
        let error = futures_lite::future::block_on(sent).unwrap_err();
        assert!(runtime::LoopGone::is_in(&error), "{error}");
    }
}

#[test]
fn many_slow_peers_take_no_threads_from_one_another() {
    const PEERS: usize = 64; // more than the pool has threads
    let _guard = Deadline::secs(60);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let bytes = pattern(600_000);
    let scratch = Scratch::new("many", &bytes);
    let file = scratch.open();
    let peers: Vec<_> = (0..PEERS).map(|_| narrow_pair()).collect();
    forget(&scratch.0);
    for (ours, _) in &peers {
        ours.send_file(&file, 0..600_000).callback({
            let ours = ours.clone();
            move |sent| {
                sent.unwrap();
                ours.shutdown();
            }
        });
    }
    // None of them reads until all were begun with; the last is the first to be served.
    let (ours, readers): (Vec<_>, Vec<_>) =
        peers.into_iter().rev().map(|(ours, peer)| (ours, read_all(peer))).unzip();
    lp.run().unwrap();
    drop(ours);
    for reader in readers {
        assert!(reader.join().unwrap() == bytes);
    }
}
