//! Files by futures' traits: read ahead, written behind, and in step with every other operation.

mod fs_support;
mod tcp_support;

use std::cell::RefCell;
use std::fs;
use std::future::poll_fn;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use behaviour::{Deadline, tell};
use fs_support::TempDir;
use futures_lite::{
    AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt, StreamExt, future,
};
use runtime::fs::{File, OpenOptions};
use runtime::{Loop, LoopGone, Uncaught, ms, on_unhandled, raw_os_error, set_immediate, spawn};
use tcp_support::{assert_passed, child, child_argument};

fn start() -> (Loop, TempDir, Deadline) {
    (Loop::new().unwrap(), TempDir::new(), Deadline::secs(60))
}

/// Bytes that differ from their neighbours, and from place to place.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

fn read_write() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    options
}

// --- reading ahead ---

#[test]
fn a_file_is_read_in_sequence_to_its_end_and_further_when_it_has_grown() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    let bytes = pattern(3 * 1024 * 1024 + 17);
    fs::write(&path, &bytes).unwrap();
    lp.block_on(async {
        let mut file = File::open(&path).await.unwrap();
        let mut all = Vec::new();
        AsyncReadExt::read_to_end(&mut file, &mut all).await.unwrap();
        assert!(all == bytes, "other bytes, or another number: {}", all.len());
        let mut buffer = [0; 8];
        assert_eq!(file.read(&mut buffer).await.unwrap(), 0, "the end is told again");
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"more").unwrap();
        assert_eq!(file.read(&mut buffer).await.unwrap(), 4);
        assert_eq!(&buffer[..4], b"more");
        assert_eq!(file.read(&mut []).await.unwrap(), 0);
    });
}

#[test]
fn what_was_read_ahead_is_not_seen_by_other_operations() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    fs::write(&path, pattern(100_000)).unwrap();
    let bytes = pattern(100_000);
    lp.block_on(async {
        let mut file = read_write().open(&path).await.unwrap();
        let mut clone = file.clone();
        let mut four = [0; 4];
        file.read_exact(&mut four).await.unwrap();
        clone.read_exact(&mut four).await.unwrap();
        assert_eq!(four, bytes[4..8], "a clone goes on where the file stands");
        assert_eq!(file.read_into(vec![0; 4]).await.unwrap().0, bytes[8..12]);
        file.read_exact(&mut four).await.unwrap();
        assert_eq!(four, bytes[12..16]);
        assert_eq!(file.seek(SeekFrom::Current(4)).await.unwrap(), 20);
        clone.read_exact(&mut four).await.unwrap();
        assert_eq!(four, bytes[20..24]);
        assert_eq!(AsyncSeekExt::seek(&mut file, SeekFrom::Current(-4)).await.unwrap(), 20);
        file.read_exact(&mut four).await.unwrap();
        file.write_all(b"HERE").await.unwrap();
        file.read_exact(&mut four).await.unwrap();
        assert_eq!(four, bytes[28..32], "what was written lies behind what was read");
        file.write_all_at(b"THERE".to_vec(), 40).await.unwrap();
        let mut rest = [0; 16];
        file.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest[8..13], b"THERE", "what was read ahead is older");
        let std = file.into_std().await.unwrap();
        assert_eq!((&std).stream_position().unwrap(), 48);
        assert_eq!(&fs::read(&path).unwrap()[24..28], b"HERE");
    });
}

#[test]
fn requests_that_nobody_awaits_come_before_a_read_that_is_polled_after_them() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    fs::write(&path, pattern(1000)).unwrap();
    let bytes = pattern(1000);
    lp.block_on(async {
        let mut file = read_write().open(&path).await.unwrap();
        let mut four = [0; 4];
        file.read_exact(&mut four).await.unwrap();
        file.seek(SeekFrom::Start(100)).detach();
        file.read_exact(&mut four).await.unwrap();
        assert_eq!(four, bytes[100..104]);
        file.write_all(b"abcd").await.unwrap();
        file.seek(SeekFrom::Start(200)).detach();
        file.write("efgh").detach();
        file.write_all(b"ijkl").await.unwrap();
        file.flush().await.unwrap();
        assert_eq!(&fs::read(&path).unwrap()[104..108], b"abcd");
        assert_eq!(&fs::read(&path).unwrap()[200..208], b"efghijkl");
    });
}

#[test]
fn a_read_that_is_given_up_loses_nothing() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    let bytes = pattern(300_000);
    fs::write(&path, &bytes).unwrap();
    lp.block_on(async {
        let mut file = File::open(&path).await.unwrap();
        let mut all = Vec::new();
        let mut buffer = [0; 1000];
        while all.len() < bytes.len() {
            // Polled once, and dropped: mostly with a job under way.
            if let Some(read) = future::poll_once(file.read(&mut buffer)).await {
                all.extend_from_slice(&buffer[..read.unwrap()]);
            } else {
                runtime::yield_now().await;
            }
        }
        assert!(all == bytes);
    });
}

#[test]
fn lines_end_as_they_end_and_leave_the_position_behind_them() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    let long = "x".repeat(200_000);
    fs::write(&path, format!("one\r\ntwo\n\n{long}\nlast")).unwrap();
    lp.block_on(async {
        let file = File::open(&path).await.unwrap();
        let mut lines = file.lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "one");
        assert_eq!(file.seek(SeekFrom::Current(0)).await.unwrap(), 5);
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "two");
        let rest: Vec<_> = (&mut lines).map(Result::unwrap).collect().await;
        assert_eq!(rest, ["", &long, "last"]);
        assert!(lines.next_line().await.unwrap().is_none());
        fs::write(&path, b"\xff\nfine\n").unwrap();
        file.seek(SeekFrom::Start(0)).await.unwrap();
        let error = lines.next_line().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!(runtime::fs::Error::of(&error).unwrap().path(), path);
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "fine");
    });
}

#[cfg(unix)]
#[test]
fn a_read_that_waits_for_ever_lets_go_of_the_loop_when_its_file_is_dropped() {
    let (mut lp, _dir, _guard) = start();
    let (ours, peer) = std::os::unix::net::UnixStream::pair().unwrap();
    let here = lp.enter();
    let file = File::from_std(fs::File::from(std::os::fd::OwnedFd::from(ours)), "a socket");
    let mut reading = file.clone();
    let mut buffer = [0; 1];
    let mut read = Box::pin(reading.read(&mut buffer));
    assert!(future::block_on(future::poll_once(&mut read)).is_none());
    assert!(lp.is_alive(), "somebody waits");
    drop(read);
    drop(reading);
    assert!(lp.is_alive(), "somebody may ask");
    drop(file);
    assert!(!lp.run().unwrap());
    drop(here);
    // The thread is free again.
    drop(peer);
}

// --- writing behind ---

#[test]
fn a_million_small_writes_are_all_there_though_the_file_is_dropped() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    let its = path.clone();
    lp.block_on(async move {
        let mut file = File::create(its).await.unwrap();
        for number in 0..1_000_000u32 {
            file.write_all(&number.to_le_bytes()).await.unwrap();
        }
    });
    lp.run().unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), 4_000_000);
    let numbers = bytes.chunks(4).map(|four| u32::from_le_bytes(four.try_into().unwrap()));
    assert!(numbers.eq(0..1_000_000));
}

#[test]
fn what_was_accepted_is_written_in_the_iteration_though_nobody_flushes() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    let mut file = lp.block_on(async { File::create(&path).await }).unwrap();
    lp.block_on(async { file.write_all(b"a line\n").await.unwrap() });
    assert!(lp.is_alive(), "there is something to write");
    lp.run().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"a line\n");
    drop(file);
}

#[test]
fn a_flush_waits_for_the_system_and_a_sync_includes_what_was_accepted() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    lp.block_on(async {
        let mut file = File::create(&path).await.unwrap();
        for round in 1..=3 {
            file.write_all(&[b'x'; 10_000]).await.unwrap();
            file.flush().await.unwrap();
            assert_eq!(fs::metadata(&path).unwrap().len(), round * 10_000);
        }
        file.write_all(b"more").await.unwrap();
        file.sync_all().await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 30_004);
        file.write_all(b"more").await.unwrap();
        file.sync_data().await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 30_008);
        file.write_all(b"more").await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), 30_012, "it sees what was accepted");
        file.write_all(b"more").await.unwrap();
        AsyncWriteExt::close(&mut file).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 30_016);
        file.write_all(b"more").await.unwrap();
        file.close().await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 30_020);
    });
}

#[test]
fn a_write_far_larger_than_the_buffer_is_whole() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    let bytes = pattern(10 * 1024 * 1024 + 3);
    lp.block_on(async {
        let mut file = File::create(&path).await.unwrap();
        file.write_all(&bytes).await.unwrap();
        file.flush().await.unwrap();
    });
    assert!(fs::read(&path).unwrap() == bytes);
}

#[test]
fn appended_bytes_are_at_the_end_whatever_the_position_is() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    fs::write(&path, "0123456789").unwrap();
    lp.block_on(async {
        let mut file = OpenOptions::new().read(true).append(true).open(&path).await.unwrap();
        let mut two = [0; 2];
        file.read_exact(&mut two).await.unwrap();
        file.write_all(b"ab").await.unwrap();
        file.flush().await.unwrap();
        assert_eq!(file.seek(SeekFrom::Current(0)).await.unwrap(), 12, "a write leaves it there");
        file.seek(SeekFrom::Start(4)).await.unwrap();
        file.write("cd").await.unwrap();
        assert_eq!(file.read_exact_at(14, 0).await.unwrap(), b"0123456789abcd");
    });
}

#[test]
fn a_loop_that_goes_leaves_what_was_accepted_to_the_drop_of_the_file() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    let mut file = lp.block_on(async { File::create(&path).await }).unwrap();
    let here = lp.enter();
    lp.block_on(async { file.write_all(b"accepted").await.unwrap() });
    drop(lp);
    let mut more = file.clone();
    future::block_on(async {
        more.write_all(b", and more").await.unwrap();
        let error = more.flush().await.unwrap_err();
        assert!(LoopGone::is_in(&error), "{error}");
        let error = file.read_into(vec![0; 1]).await.unwrap_err();
        assert!(LoopGone::is_in(&error), "{error}");
        let error = file.metadata().await.unwrap_err();
        assert!(LoopGone::is_in(&error), "{error}");
    });
    drop(here);
    drop((file, more));
    assert_eq!(fs::read(&path).unwrap(), b"accepted, and more");
}

#[test]
fn a_task_whose_loop_goes_with_a_read_under_way_is_told() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    fs::write(&path, pattern(1_000_000)).unwrap();
    for _ in 0..20 {
        let mut lp = Loop::new().unwrap();
        let file = lp.block_on(async { File::open(&path).await }).unwrap();
        let here = lp.enter();
        let mut reading = file.clone();
        let mut buffer = vec![0; 10];
        let mut read = Box::pin(reading.read(&mut buffer));
        assert!(future::block_on(future::poll_once(&mut read)).is_none());
        drop(lp);
        // It was carried out: what was read is there. Or the pool had not begun and never will.
        match future::block_on(read) {
            Ok(read) => assert_eq!(read, 10),
            Err(error) => assert!(LoopGone::is_in(&error), "{error}"),
        }
        drop(here);
    }
    lp.run().unwrap();
}

// --- what fails ---

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_once_to_who_comes_next() {
    let (mut lp, _dir, _guard) = start();
    const ENOSPC: i32 = 28;
    lp.block_on(async {
        let full = || OpenOptions::new().write(true).open("/dev/full");
        let assert_full = |error: std::io::Error| {
            assert_eq!(raw_os_error(&error), Some(ENOSPC), "{error}");
            let failed = runtime::fs::Error::of(&error).unwrap();
            assert_eq!((failed.operation(), failed.path().to_str()), ("write", Some("/dev/full")));
        };
        let mut file = full().await.unwrap();
        file.write_all(b"x").await.unwrap();
        assert_full(file.flush().await.unwrap_err());
        file.flush().await.unwrap();
        file.write_all(b"x").await.unwrap();
        assert_full(file.write("y").await.unwrap_err());
        file.write_all(b"x").await.unwrap();
        assert_full(file.sync_all().await.unwrap_err());
        file.write_all(b"x").await.unwrap();
        assert_full(file.clone().close().await.unwrap_err());
        let error = async {
            loop {
                if let Err(error) = file.write_all(&[b'x'; 10_000]).await {
                    break error;
                }
            }
        };
        assert_full(error.await);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn the_end_of_a_file_tells_what_could_not_be_written_long_before() {
    let (mut lp, _dir, _guard) = start();
    let here = lp.enter();
    on_unhandled(|uncaught| panic!("it is told by the request: {uncaught}"));
    drop(here);
    for ends_by_close in [true, false] {
        let file = lp.block_on(async {
            let mut file = OpenOptions::new().write(true).open("/dev/full").await.unwrap();
            file.write_all(b"x").await.unwrap();
            file
        });
        // Until it is written, and has failed.
        lp.run().unwrap();
        let ended = lp.block_on(async {
            if ends_by_close { file.close().await } else { file.into_std().await.map(drop) }
        });
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::StorageFull, "{ends_by_close}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_can_not_be_written_when_no_file_is_left_goes_to_on_unhandled() {
    let (mut lp, _dir, _guard) = start();
    let _here = lp.enter();
    let told = Rc::<RefCell<Vec<String>>>::default();
    let all = told.clone();
    on_unhandled(move |uncaught| match uncaught {
        Uncaught::Error(error) => all.borrow_mut().push(error.to_string()),
        Uncaught::Panic(_) => panic!("nothing panics"),
    });
    lp.block_on(async {
        let mut file = OpenOptions::new().write(true).open("/dev/full").await.unwrap();
        file.write_all(b"x").await.unwrap();
        drop(file);
        let mut file = OpenOptions::new().write(true).open("/dev/full").await.unwrap();
        file.write_all(b"x").await.unwrap();
        // Written, and failed, before it is dropped.
        set_immediate(move || {
            set_immediate(move || drop(file));
        });
    });
    lp.run().unwrap();
    assert_eq!(told.borrow().len(), 2, "{told:?}");
    assert!(told.borrow().iter().all(|error| error.starts_with("write \"/dev/full\": ")));
}

#[test]
fn a_file_that_was_not_opened_for_it_says_so_by_its_name() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    fs::write(&path, "some").unwrap();
    lp.block_on(async {
        let mut reader = File::open(&path).await.unwrap();
        reader.write_all(b"x").await.unwrap();
        let error = reader.flush().await.unwrap_err();
        assert_eq!(runtime::fs::Error::of(&error).unwrap().path(), path);
        let mut writer = OpenOptions::new().write(true).open(&path).await.unwrap();
        let error = writer.read(&mut [0; 4]).await.unwrap_err();
        assert_eq!(runtime::fs::Error::of(&error).unwrap().operation(), "read");
        let error = writer.read(&mut [0; 4]).await.unwrap_err();
        assert_eq!(runtime::fs::Error::of(&error).unwrap().path(), path, "and says it again");
        assert!(AsyncSeekExt::seek(&mut writer, SeekFrom::Current(-1)).await.is_err());
        writer.write_all(b"fine").await.unwrap();
        writer.flush().await.unwrap();
    });
    assert_eq!(fs::read(&path).unwrap(), b"fine");
}

#[cfg(unix)]
#[test]
fn what_has_no_position_is_read_and_written_and_loses_nothing() {
    let (mut lp, _dir, _guard) = start();
    // Both ends in one: what is written comes back.
    let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
    let other = fs::File::from(std::os::fd::OwnedFd::from(other));
    lp.block_on(async {
        let file = fs::File::from(std::os::fd::OwnedFd::from(one));
        let mut file = File::from_std(file, "a socket");
        (&other).write_all(b"0123456789").unwrap();
        let mut two = [0; 2];
        file.read_exact(&mut two).await.unwrap();
        file.write_all(b"answer").await.unwrap();
        file.flush().await.unwrap();
        file.read_exact(&mut two).await.unwrap();
        assert_eq!(&two, b"23", "what was read ahead can't be had again");
        assert_eq!(file.read_into(vec![0; 2]).await.unwrap(), (b"45".to_vec(), 2));
        let (buffers, read) = file.readv(vec![vec![0; 1], vec![0; 1]]).await.unwrap();
        assert_eq!((buffers.concat(), read), (b"67".to_vec(), 2));
        let error = file.seek(SeekFrom::Start(0)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotSeekable, "{error}");
        drop(other.try_clone().unwrap());
        let mut answer = [0; 6];
        (&other).read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"answer");
        drop(other);
        assert_eq!(file.read_rest_to_string().await.unwrap(), "89");
    });
}

#[cfg(unix)]
#[test]
fn a_read_into_several_buffers_does_not_wait_for_more_than_is_there() {
    let (mut lp, _dir, _guard) = start();
    let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
    let file = File::from_std(fs::File::from(std::os::fd::OwnedFd::from(one)), "a socket");
    lp.block_on(async {
        (&other).write_all(b"01234").unwrap();
        let (buffers, read) = file.readv(vec![vec![0; 3], vec![0; 3]]).await.unwrap();
        assert_eq!((buffers.concat(), read), (b"01234\0".to_vec(), 5));
    });
}

#[cfg(unix)]
#[test]
fn a_main_future_waits_for_what_another_loop_has_begun() {
    let (mut lp, _dir, _guard) = start();
    let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
    let file = File::from_std(fs::File::from(std::os::fd::OwnedFd::from(one)), "a socket");
    let first = lp.block_on(future::poll_once((&file).read(&mut [0; 1])));
    assert!(first.is_none(), "nothing is there to be read: {first:?}");
    let (waits, waiting) = std::sync::mpsc::channel();
    let reads = std::thread::spawn(move || {
        let mut byte = [0; 1];
        let read = Loop::new().unwrap().block_on(poll_fn(|cx| {
            let read = Pin::new(&mut &file).poll_read(cx, &mut byte);
            waits.send(()).unwrap();
            read
        }));
        assert_eq!((read.unwrap(), byte), (1, *b"!"));
    });
    waiting.recv().unwrap();
    (&other).write_all(b"!").unwrap();
    reads.join().unwrap();
}

// --- as std's ---

/// A small generator of numbers that are the same for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn bytes(&mut self, at_most: u64) -> Vec<u8> {
        let length = 1 + self.next(at_most);
        (0..length).map(|_| self.next(256) as u8).collect()
    }
}

/// The same operations on a file of ours and on one of std's, one after the other.
async fn compare(seed: u64, dir: &TempDir) {
    let mut random = Random(seed);
    let (ours_path, model_path) =
        (dir.join(format!("ours-{seed}")), dir.join(format!("std-{seed}")));
    let start = random.bytes(200_000);
    fs::write(&ours_path, &start).unwrap();
    fs::write(&model_path, &start).unwrap();
    let appends = random.next(4) == 0;
    let mut ours = OpenOptions::new();
    let mut model = fs::OpenOptions::new();
    if appends {
        ours.read(true).append(true);
        model.read(true).append(true);
    } else {
        ours.read(true).write(true);
        model.read(true).write(true);
    }
    let ours = ours.open(&ours_path).await.unwrap();
    let mut model = model.open(&model_path).unwrap();
    let mut clones = [ours.clone(), ours];
    for step in 0..150 {
        let file = &mut clones[random.next(2) as usize];
        let context = format!("seed {seed}, step {step}");
        match random.next(14) {
            0..=3 => {
                let most = [10, 5000, 100_000][random.next(3) as usize];
                let mut wanted = vec![0; 1 + random.next(most) as usize];
                let read = read_full(file, &mut wanted).await;
                let mut expected = vec![0; wanted.len()];
                let known = read_full_std(&mut model, &mut expected);
                assert_eq!(read, known, "{context}");
                assert!(wanted[..read] == expected[..known], "{context}: other bytes");
            }
            4..=6 => {
                let most = [10, 5000, 100_000][random.next(3) as usize];
                let bytes = random.bytes(most);
                file.write_all(&bytes).await.unwrap();
                model.write_all(&bytes).unwrap();
            }
            7 => file.flush().await.unwrap(),
            8 | 9 => {
                let to = match random.next(4) {
                    0 => SeekFrom::Start(random.next(250_000)),
                    1 => SeekFrom::End(random.next(100) as i64 - 50),
                    2 => SeekFrom::Current(random.next(2000) as i64 - 1000),
                    _ => SeekFrom::Current(0),
                };
                let (sought, known) = match random.next(2) {
                    0 => (File::seek(file, to).await, model.seek(to)),
                    _ => (AsyncSeekExt::seek(file, to).await, model.seek(to)),
                };
                assert_eq!(sought.ok(), known.ok(), "{context}: {to:?}");
            }
            10 => {
                let bytes = random.bytes(1000);
                // Not awaited: what comes next comes after it.
                File::write(file, bytes.clone()).detach();
                model.write_all(&bytes).unwrap();
            }
            11 => {
                let length = 1 + random.next(1000) as usize;
                let (bytes, read) = file.read_into(vec![0; length]).await.unwrap();
                let mut expected = vec![0; length];
                let known = read_full_std(&mut model, &mut expected);
                assert_eq!(&bytes[..read], &expected[..known], "{context}");
            }
            12 if !appends => {
                let (bytes, at) = (random.bytes(1000), random.next(250_000));
                file.write_all_at(bytes.clone(), at).await.unwrap();
                let place = model.stream_position().unwrap();
                model.seek(SeekFrom::Start(at)).unwrap();
                model.write_all(&bytes).unwrap();
                model.seek(SeekFrom::Start(place)).unwrap();
            }
            _ => {
                let length = file.metadata().await.unwrap().len();
                assert_eq!(length, model.metadata().unwrap().len(), "{context}");
                if random.next(3) == 0 {
                    let length = random.next(250_000);
                    file.set_len(length).await.unwrap();
                    model.set_len(length).unwrap();
                }
            }
        }
    }
    drop(clones);
    File::open(&ours_path).await.unwrap().sync_all().await.unwrap();
}

async fn read_full(file: &mut File, buffer: &mut [u8]) -> usize {
    let mut sum = 0;
    while sum < buffer.len() {
        match file.read(&mut buffer[sum..]).await.unwrap() {
            0 => break,
            read => sum += read,
        }
    }
    sum
}

fn read_full_std(file: &mut fs::File, buffer: &mut [u8]) -> usize {
    let mut sum = 0;
    while sum < buffer.len() {
        match file.read(&mut buffer[sum..]).unwrap() {
            0 => break,
            read => sum += read,
        }
    }
    sum
}

#[test]
fn random_operations_do_what_they_do_to_a_file_of_std() {
    let (mut lp, dir, _guard) = start();
    let first = std::env::var("FILE_SEED").ok().map(|seed| seed.parse().unwrap());
    let first = first.unwrap_or_else(|| u64::from(std::process::id()) << 8 | 1);
    tell(format!("FILE_SEED={first}"));
    for seed in first..first + 20 {
        lp.block_on(compare(seed, &dir));
        lp.run().unwrap();
        let [ours, model] = ["ours", "std"].map(|one| fs::read(dir.join(format!("{one}-{seed}"))));
        assert!(ours.unwrap() == model.unwrap(), "seed {seed}: the files differ");
    }
}

// --- how much of it ---

/// System calls of a child that runs `name`, by their names; none if they can't be counted.
#[cfg(target_os = "linux")]
fn system_calls(name: &str) -> Option<std::collections::HashMap<String, usize>> {
    let traced = std::process::Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    if !traced.is_ok_and(|output| output.status.success()) {
        tell("skipped: there is no strace here, or it may not trace");
        return None;
    }
    let dir = TempDir::new();
    let file = dir.join("trace");
    let prefix = format!("exec strace -f -c -o '{}'", file.display());
    assert_passed(&child(&prefix, name, "child"));
    // % time, seconds, usecs/call, calls, perhaps errors, syscall
    let table = fs::read_to_string(&file).unwrap();
    let rows = table.lines().filter_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        Some(((*words.last()?).to_owned(), words.get(3)?.parse().ok()?))
    });
    Some(rows.collect())
}

#[cfg(target_os = "linux")]
#[test]
fn ten_megabytes_in_small_steps_are_few_system_calls() {
    const LENGTH: usize = 10 * 1024 * 1024;
    if child_argument().is_some() {
        let (mut lp, dir, _guard) = start();
        let path = dir.join("file");
        return lp.block_on(async {
            let mut file = read_write().open(&path).await.unwrap();
            for _ in 0..LENGTH / 1024 {
                file.write_all(&[7; 1024]).await.unwrap();
            }
            file.flush().await.unwrap();
            File::seek(&file, SeekFrom::Start(0)).await.unwrap();
            let mut buffer = [0; 1024];
            for _ in 0..LENGTH / 1024 {
                file.read_exact(&mut buffer).await.unwrap();
            }
        });
    }
    let name = "ten_megabytes_in_small_steps_are_few_system_calls";
    let Some(calls) = system_calls(name) else { return };
    let count = |name: &str| calls.get(name).copied().unwrap_or_default();
    // Windows of 64, 128, 256, 512 and then 1024 KiB make 14; the rest is what each program reads.
    assert!(count("read") < 14 + 40, "{} reads", count("read"));
    // Of 256 KiB at least, but at an end of an iteration less; wake-ups are writes, too.
    assert!(count("write") < 400, "{} writes", count("write"));
    assert!(count("futex") < 2000, "{} futexes", count("futex"));
}

#[test]
fn two_tasks_that_read_one_file_get_each_byte_once() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    let bytes: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&path, &bytes).unwrap();
    lp.block_on(async {
        let file = File::open(&path).await.unwrap();
        let readers = [(); 2].map(|()| {
            let mut file = file.clone();
            spawn(async move {
                let (mut numbers, mut four) = (Vec::new(), [0; 4]);
                // Four bytes are always given at once: the windows are multiples of four.
                while file.read(&mut four).await.unwrap() == 4 {
                    numbers.push(u32::from_le_bytes(four));
                    if numbers.len() % 100 == 0 {
                        runtime::yield_now().await;
                    }
                }
                numbers
            })
        });
        let mut all = Vec::new();
        for reader in readers {
            all.extend(reader.await.unwrap());
        }
        all.sort_unstable();
        assert!(all.into_iter().eq(0..200_000));
    });
}

#[test]
fn a_writer_that_is_faster_than_the_disk_is_held_back() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    lp.block_on(async {
        let mut file = File::create(&path).await.unwrap();
        let bytes = vec![7; 64 * 1024];
        // In one poll: no job ends for this task meanwhile, but for what the pool does by itself.
        let accepted = poll_fn(|cx| {
            let mut accepted = 0;
            loop {
                match Pin::new(&mut file).poll_write(cx, &bytes) {
                    Poll::Ready(written) => accepted += written.unwrap(),
                    Poll::Pending => return Poll::Ready(accepted),
                }
            }
        });
        let accepted: usize = accepted.await;
        assert!(accepted >= 1024 * 1024, "{accepted} bytes are less than a buffer");
        file.flush().await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), accepted as u64);
    });
}

#[test]
fn a_file_with_something_to_write_keeps_the_loop_alive_and_no_longer() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let path = dir.join("file");
    let mut file = lp.block_on(async { File::create(&path).await }).unwrap();
    drop(spawn(async move {
        runtime::time::sleep(ms(1)).await;
        file.write_all(&[1; 100_000]).await.unwrap();
    }));
    assert!(!lp.run().unwrap());
    assert_eq!(fs::metadata(&path).unwrap().len(), 100_000);
}
