//! Files that are read as streams: both faces, ranges, read-ahead, errors, re-entrancy.

mod fs_support;

use std::cell::{Cell, RefCell};
use std::fs;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Write};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use behaviour::{Deadline, EventLog};
use fs_support::{TempDir, run_until};
use futures_lite::{AsyncReadExt, Stream, StreamExt, future};
use runtime::fs::{File, ReadStream, read_stream};
use runtime::handle::Kind;
use runtime::{Closed, Loop, LoopGone, next_tick, queue_microtask, set_immediate};

const MIB: usize = 1024 * 1024;

fn start() -> (Loop, TempDir, Deadline) {
    (Loop::new().unwrap(), TempDir::new(), Deadline::secs(60))
}

/// Bytes that differ from their neighbours, and from place to place.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

/// What a callback is told, until it is told no more.
#[derive(Clone, Default)]
struct Told {
    bytes: Rc<RefCell<Vec<u8>>>,
    chunks: Rc<RefCell<Vec<usize>>>,
    ends: Rc<Cell<usize>>,
    error: Rc<RefCell<Option<io::Error>>>,
}

impl Told {
    fn note(&self, data: io::Result<&[u8]>) {
        match data {
            Ok([]) => self.ends.set(self.ends.get() + 1),
            Ok(data) => {
                self.chunks.borrow_mut().push(data.len());
                self.bytes.borrow_mut().extend_from_slice(data);
            }
            Err(error) => assert!(self.error.borrow_mut().replace(error).is_none(), "one error"),
        }
    }

    fn of(stream: &ReadStream) -> Self {
        let told = Self::default();
        let note = told.clone();
        stream.read_start(move |_, data| note.note(data));
        told
    }

    fn error(&self) -> io::Error {
        self.error.borrow_mut().take().expect("an error was told")
    }
}

// --- by callback ---

#[test]
fn a_callback_gets_all_chunks_then_the_end_and_the_stream_closes() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let path = dir.join("file");
    let bytes = pattern(3 * 64 * 1024 + 17);
    fs::write(&path, &bytes).unwrap();
    let stream = read_stream(&path);
    assert_eq!((stream.kind(), stream.path()), (Kind::ReadStream, &*path));
    let told = Told::of(&stream);
    assert!(stream.is_active());
    lp.run().unwrap();
    assert!(*told.bytes.borrow() == bytes);
    assert_eq!(*told.chunks.borrow(), [65536, 65536, 65536, 17]);
    assert_eq!((told.ends.get(), stream.bytes_read()), (1, bytes.len() as u64));
    assert!(stream.is_closing() && !stream.is_active());
    lp.block_on(stream.closed()).unwrap();
}

#[test]
fn an_empty_file_is_an_end_and_nothing_else() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("file"), "").unwrap();
    let told = Told::of(&read_stream(dir.join("file")));
    lp.run().unwrap();
    assert_eq!((told.ends.get(), told.chunks.borrow().len()), (1, 0));
}

#[test]
fn each_chunk_is_followed_by_its_checkpoint_and_the_end_by_the_close() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let log = EventLog::new();
    fs::write(dir.join("file"), "abc").unwrap();
    let stream = ReadStream::options().high_water_mark(2).open(dir.join("file"));
    let noted = log.clone();
    stream.read_start(move |_, data| {
        let data = String::from_utf8_lossy(data.unwrap()).into_owned();
        queue_microtask(noted.mark(format!("microtask of {data:?}")));
        next_tick(noted.mark(format!("tick of {data:?}")));
        set_immediate(noted.mark(format!("immediate of {data:?}")));
        noted.push(format!("{data:?}"));
    });
    let closed = log.clone();
    stream.closed().callback(move |_| closed.push("closed"));
    lp.run().unwrap();
    let told = log.take();
    // Whether the second chunk comes in the same poll phase as the first is up to the pool.
    let place = |event: &str| told.iter().position(|told| told == event).unwrap();
    let then = |events: &[&str]| assert!(events.is_sorted_by_key(|event| place(event)), "{told:?}");
    then(&["\"ab\"", "tick of \"ab\"", "microtask of \"ab\"", "immediate of \"ab\""]);
    then(&["microtask of \"ab\"", "\"c\"", "tick of \"c\"", "microtask of \"c\""]);
    then(&["microtask of \"c\"", "\"\"", "tick of \"\"", "microtask of \"\""]);
    assert_eq!(place("\"\""), place("microtask of \"c\"") + 1, "{told:?}");
    then(&["microtask of \"\"", "immediate of \"\"", "closed"]);
    assert_eq!(told.len(), 13);
}

#[test]
fn errors_of_the_open_reach_the_callback_with_the_path_and_close_the_stream() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let stream = read_stream(dir.join("none"));
    let told = Told::of(&stream);
    lp.run().unwrap();
    let error = told.error();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let failed = runtime::fs::Error::of(&error).unwrap();
    assert_eq!((failed.operation(), failed.path()), ("open", &*dir.join("none")));
    assert!(stream.is_closing());
    assert_eq!(lp.block_on(stream.closed()).unwrap_err().kind(), ErrorKind::NotFound);
    let again = lp.block_on(stream.read(&mut [0])).unwrap_err();
    assert_eq!(runtime::fs::Error::of(&again).unwrap().operation(), "open");
}

#[test]
fn a_directory_is_an_error_of_the_read_with_its_path() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let told = Told::of(&read_stream(dir.path()));
    lp.run().unwrap();
    let error = told.error();
    // Windows does not even open it.
    let failed = runtime::fs::Error::of(&error).unwrap();
    assert_eq!(failed.operation(), if cfg!(windows) { "open" } else { "read" });
    assert_eq!(failed.path(), dir.path());
    assert_eq!(told.ends.get(), 0);
}

#[test]
fn nothing_is_read_before_somebody_reads_and_no_job_begins_while_it_is_paused() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("file"), pattern(MIB)).unwrap();
    let stream = read_stream(dir.join("file"));
    assert!(!stream.is_active());
    // The open comes home, and a while passes.
    lp.block_on(async {
        for _ in 0..20 {
            File::open(dir.join("file")).await.unwrap();
        }
    });
    assert_eq!(stream.bytes_read(), 0);
    let told = Told::default();
    let note = told.clone();
    stream.read_start(move |stream, data| {
        note.note(data);
        stream.pause();
    });
    run_until(&mut lp, || told.chunks.borrow().len() == 1);
    assert!(!stream.is_active());
    lp.block_on(async {
        // One chunk was told, one is read ahead.
        while stream.bytes_read() < 2 * 65536 {
            File::open(dir.join("file")).await.unwrap();
        }
        for _ in 0..20 {
            File::open(dir.join("file")).await.unwrap();
        }
    });
    assert_eq!(stream.bytes_read(), 2 * 65536);
    assert_eq!(told.chunks.borrow().len(), 1);
    for chunks in 2..=16 {
        stream.resume();
        assert_eq!(told.chunks.borrow().len(), chunks - 1, "called back from inside the call");
        run_until(&mut lp, || told.chunks.borrow().len() == chunks);
        assert!(stream.bytes_read() <= (chunks as u64 + 1) * 65536);
    }
    stream.resume();
    lp.run().unwrap();
    assert_eq!((told.ends.get(), told.bytes.borrow().len()), (1, MIB));
}

#[test]
fn a_paused_stream_does_not_keep_the_loop_alive_and_is_held_by_it() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("file"), "abc").unwrap();
    let stream = read_stream(dir.join("file"));
    let told = Told::of(&stream);
    stream.pause();
    drop(stream);
    lp.run().unwrap();
    assert_eq!(told.chunks.borrow().len(), 0);
    let handles = Rc::new(RefCell::new(Vec::new()));
    let found = handles.clone();
    lp.walk(move |handle| found.borrow_mut().push(handle.kind()));
    assert_eq!(*handles.borrow(), [Kind::ReadStream]);
}

#[test]
fn stop_close_restart_and_drop_from_its_own_callback() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("file"), pattern(MIB)).unwrap();
    let open = || read_stream(dir.join("file"));

    let calls = Rc::new(Cell::new(0));
    let count = |stream: &ReadStream, then: fn(&ReadStream)| {
        let calls = calls.clone();
        calls.set(0);
        stream.read_start(move |stream, data| {
            assert!(!data.unwrap().is_empty());
            calls.set(calls.get() + 1);
            then(stream);
        });
    };
    let stream = open();
    count(&stream, ReadStream::read_stop);
    lp.run().unwrap();
    assert_eq!(calls.get(), 1);
    let told = Told::of(&stream);
    lp.run().unwrap();
    assert!(*told.bytes.borrow() == pattern(MIB)[65536..], "who reads next goes on there");

    let stream = open();
    count(&stream, ReadStream::close);
    lp.run().unwrap();
    assert_eq!(calls.get(), 1);
    assert!(Closed::is_in(&lp.block_on(stream.read(&mut [0])).unwrap_err()));

    let stream = open();
    let (told, told_after) = (Told::default(), Told::default());
    let (note, note_after) = (told.clone(), told_after.clone());
    stream.read_start(move |stream, data| {
        note.note(data);
        stream.read_stop();
        let note = note_after.clone();
        stream.read_start(move |_, data| note.note(data));
    });
    drop(stream);
    lp.run().unwrap();
    assert_eq!((told.chunks.borrow().len(), told.ends.get()), (1, 0));
    assert_eq!((told_after.bytes.borrow().len(), told_after.ends.get()), (MIB - 65536, 1));

    // From a microtask behind the callback, and at the end.
    let stream = open();
    let told = Told::default();
    let note = told.clone();
    stream.read_start(move |stream, data| {
        note.note(data);
        let stream = stream.clone();
        queue_microtask(move || stream.close());
    });
    lp.run().unwrap();
    assert_eq!((told.chunks.borrow().len(), told.ends.get()), (1, 0));
}

#[test]
fn who_reads_beside_another_is_told_so() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("file"), "abc").unwrap();
    let stream = read_stream(dir.join("file"));
    let first = Told::of(&stream);
    let second = Told::of(&stream);
    let error = lp.block_on(stream.read(&mut [0])).unwrap_err();
    lp.run().unwrap();
    for error in [second.error(), error] {
        assert!(runtime::raw_os_error(&error).is_some(), "{error}");
    }
    assert_eq!((&*first.bytes.borrow(), first.ends.get()), (&b"abc".to_vec(), 1));
}

#[test]
fn an_error_of_the_callback_loses_nothing() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    // With the end in the last chunk's job, and in one of its own.
    for length in [MIB + 1, 16 * 65536] {
        fs::write(dir.join("file"), pattern(length)).unwrap();
        let told = Told::default();
        let note = told.clone();
        read_stream(dir.join("file")).read_start(move |_, data| -> runtime::Result {
            note.note(data);
            Err("thrown".into())
        });
        let mut errors = 0;
        while lp.run().is_err() {
            errors += 1;
        }
        assert_eq!((errors, told.ends.get()), (length.div_ceil(65536) + 1, 1));
        assert!(*told.bytes.borrow() == pattern(length));
    }
}

#[test]
fn a_panic_in_the_last_callback_closes_the_stream_all_the_same() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let stream = read_stream(dir.join("none"));
    stream.read_start(|_, data| {
        data.unwrap();
    });
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lp.run()));
    assert!(panicked.is_err());
    assert!(stream.is_closing());
    lp.run().unwrap();
}

// --- ranges ---

#[test]
fn a_range_is_what_is_read_however_it_is_written() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let path = dir.join("file");
    fs::write(&path, pattern(200_000)).unwrap();
    let all = pattern(200_000);
    lp.block_on(async {
        let read = async |options: &runtime::fs::ReadStreamOptions| {
            let mut bytes = Vec::new();
            options.open(&path).read_to_end(&mut bytes).await.unwrap();
            let mut of_file = Vec::new();
            let file = File::open(&path).await.unwrap();
            options.of_file(&file).read_to_end(&mut of_file).await.unwrap();
            assert!(bytes == of_file, "a given file is read as one that is opened");
            bytes
        };
        let mut options = ReadStream::options();
        assert!(read(options.range(10..70_000)).await == all[10..70_000]);
        assert!(read(options.range(10..=70_000)).await == all[10..=70_000]);
        assert!(read(options.range(100_000..)).await == all[100_000..]);
        assert!(read(options.range(..=1)).await == all[..=1]);
        assert!(read(options.range(..)).await == all);
        assert!(read(options.range(65_536..131_072)).await == all[65_536..131_072]);
        assert!(read(options.range(199_999..u64::MAX)).await == all[199_999..]);
        assert!(read(options.range(5..5)).await.is_empty());
        assert!(read(options.range(300_000..)).await.is_empty());
        let few = read(options.range(..300).high_water_mark(0)).await;
        assert!(few == all[..300], "at least a byte at a time");
    });
}

#[test]
fn a_range_that_makes_no_sense_is_told_to_the_reader() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("file"), "abc").unwrap();
    #[expect(clippy::reversed_empty_ranges)]
    for range in [3..2, u64::MAX..u64::MAX] {
        let told = Told::of(&ReadStream::options().range(range.clone()).open(dir.join("file")));
        assert!(told.error.borrow().is_none());
        lp.run().unwrap();
        let error = told.error();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let text = error.to_string();
        assert!(text.contains("file") && text.contains(&range.start.to_string()), "{text}");
    }
}

#[test]
fn a_given_file_keeps_its_position_and_stays_open() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("file"), "abcdef").unwrap();
    lp.block_on(async {
        let mut file = File::open(dir.join("file")).await.unwrap();
        let mut two = [0; 2];
        file.read_exact(&mut two).await.unwrap();
        let mut text = String::new();
        let mut stream = ReadStream::options().range(1..).of_file(&file);
        assert_eq!(stream.path(), dir.join("file"));
        stream.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "bcdef");
        stream.close();
        stream.closed().await.unwrap();
        file.read_exact(&mut two).await.unwrap();
        assert_eq!(&two, b"cd");
    });
}

// --- by tasks ---

#[test]
fn a_task_reads_by_pieces_by_chunks_and_by_loan() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let bytes = pattern(300_000);
    fs::write(dir.join("file"), &bytes).unwrap();
    lp.block_on(async {
        let stream = read_stream(dir.join("file"));
        let (mut all, mut piece) = (Vec::new(), [0; 1000]);
        for _ in 0..100 {
            let read = stream.read(&mut piece).await.unwrap();
            all.extend_from_slice(&piece[..read]);
        }
        // What is left of the chunk, and then the next one.
        stream.read_with(|rest| all.extend_from_slice(rest)).await.unwrap();
        let mut chunks = pin!(&stream);
        while let Some(chunk) = chunks.next().await {
            all.extend(chunk.unwrap());
        }
        assert!(all == bytes);
        assert!(chunks.next().await.is_none());
        assert_eq!(stream.read(&mut piece).await.unwrap(), 0, "the end is told again");
        assert_eq!(stream.read_with(<[u8]>::len).await.unwrap(), 0);
        assert_eq!(stream.read(&mut []).await.unwrap(), 0);
    });
}

#[test]
fn a_task_that_gives_up_loses_no_bytes() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let bytes = pattern(300_000);
    fs::write(dir.join("file"), &bytes).unwrap();
    lp.block_on(async {
        let stream = read_stream(dir.join("file"));
        let (mut all, mut piece) = (Vec::new(), vec![0; 100_000]);
        loop {
            // Polled once, and dropped if that is not enough.
            let once = future::poll_once(stream.read(&mut piece)).await;
            let read = match once {
                Some(read) => read.unwrap(),
                None => stream.read(&mut piece).await.unwrap(),
            };
            if read == 0 {
                break;
            }
            all.extend_from_slice(&piece[..read]);
        }
        assert!(all == bytes);
    });
    assert!(!lp.is_alive());
}

#[test]
fn errors_are_told_to_every_task_and_chunks_end_with_one() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    lp.block_on(async {
        let stream = read_stream(dir.join("none"));
        for _ in 0..2 {
            let error = stream.read(&mut [0; 4]).await.unwrap_err();
            assert!(error.to_string().contains("none"), "{error}");
        }
        let mut chunks = pin!(stream.clone());
        assert!(chunks.next().await.unwrap().is_err());
        assert!(chunks.next().await.is_none());
    });
}

#[test]
fn all_tasks_that_wait_are_woken_and_a_close_tells_them() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("file"), "ab").unwrap();
    let stream = ReadStream::options().high_water_mark(1).open(dir.join("file"));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let stream = stream.clone();
            runtime::spawn(async move {
                let mut byte = [0; 1];
                let read = stream.read(&mut byte).await.unwrap();
                byte[..read].to_vec()
            })
        })
        .collect();
    let got = lp.block_on(async {
        let mut got = Vec::new();
        for reader in readers {
            got.push(reader.await.unwrap());
        }
        got
    });
    assert_eq!(got, [b"a".to_vec(), b"b".to_vec(), Vec::new()]);

    fs::write(dir.join("file"), "ab").unwrap();
    let stream = read_stream(dir.join("file"));
    lp.block_on(async {
        let mut byte = [0; 1];
        let mut read = pin!(stream.read(&mut byte));
        assert!(future::poll_once(&mut read).await.is_none());
        stream.close();
        assert!(Closed::is_in(&read.await.unwrap_err()));
    });
}

#[test]
fn a_waiting_task_alone_does_not_hold_the_stream() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("file"), pattern(MIB)).unwrap();
    let stream = read_stream(dir.join("file"));
    let closed = Rc::new(Cell::new(false));
    let seen = closed.clone();
    stream.closed().callback(move |_| seen.set(true));
    lp.block_on(async {
        let mut stream = pin!(stream);
        let mut polled = false;
        poll_fn(|cx| {
            let next = stream.as_mut().poll_next(cx);
            assert!(polled || next.is_pending());
            polled = true;
            Poll::Ready(())
        })
        .await;
    });
    lp.run().unwrap();
    assert!(closed.get());
}

// --- files that change, many of them, the end of the loop ---

#[test]
fn a_file_that_grows_is_read_on_and_one_that_is_cut_ends_early() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let path = dir.join("file");
    fs::write(&path, pattern(2 * 65536)).unwrap();
    let told = Told::default();
    let (note, log) = (told.clone(), path.clone());
    ReadStream::options().high_water_mark(65536).open(&path).read_start(move |_, data| {
        if note.chunks.borrow().is_empty() {
            fs::OpenOptions::new().append(true).open(&log).unwrap().write_all(b"more").unwrap();
        }
        note.note(data);
    });
    lp.run().unwrap();
    assert_eq!(told.bytes.borrow()[2 * 65536..], *b"more");
    assert_eq!(told.ends.get(), 1);

    fs::write(&path, pattern(8 * 65536)).unwrap();
    let told = Told::default();
    let (note, cut) = (told.clone(), path.clone());
    read_stream(&path).read_start(move |_, data| {
        note.note(data);
        fs::OpenOptions::new().write(true).open(&cut).unwrap().set_len(10).unwrap();
    });
    lp.run().unwrap();
    // One more may have been read before the cut.
    assert!(told.bytes.borrow().len() <= 2 * 65536 && told.ends.get() == 1);
}

#[test]
fn a_thousand_streams_at_once_on_the_threads_there_are() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    for n in 0..10 {
        fs::write(dir.join(n.to_string()), pattern(10_000 + n)).unwrap();
    }
    // Each has its descriptor.
    let told: Vec<_> = (0..1000)
        .map(|n| {
            let options = ReadStream::options().high_water_mark(4096).clone();
            (n, options, dir.join((n % 10).to_string()))
        })
        .collect();
    let ends = Rc::new(Cell::new(0));
    for group in told.chunks(200) {
        for (n, options, path) in group {
            let (ends, bytes, n) = (ends.clone(), Cell::new(0), *n);
            options.open(path).read_start(move |_, data| match data.unwrap() {
                [] => {
                    assert_eq!(bytes.get(), 10_000 + n % 10);
                    ends.set(ends.get() + 1);
                }
                data => bytes.set(bytes.get() + data.len()),
            });
        }
        lp.run().unwrap();
    }
    assert_eq!(ends.get(), 1000);
}

#[test]
fn a_loop_that_goes_tells_tasks_and_drops_callbacks() {
    let (lp, dir, _guard) = start();
    fs::write(dir.join("file"), "abc").unwrap();
    let (stream, alive) = {
        let _here = lp.enter();
        let (stream, alive) = (read_stream(dir.join("file")), Rc::new(()));
        let held = alive.clone();
        read_stream(dir.join("file")).read_start(move |_, _| drop(held.clone()));
        (stream, alive)
    };
    drop(lp);
    assert_eq!(Rc::strong_count(&alive), 1);
    let mut other = Loop::new().unwrap();
    let error = other.block_on(stream.read(&mut [0])).unwrap_err();
    assert!(LoopGone::is_in(&error));
    stream.read_start(|_, _| unreachable!());
    stream.resume();
    stream.read_stop();
    stream.close();
}

#[cfg(unix)]
mod on_unix {
    use super::*;
    use std::process::Command;

    fn fifo(dir: &TempDir) -> std::path::PathBuf {
        let path = dir.join("fifo");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    #[test]
    fn a_fifo_is_read_as_it_comes() {
        let (mut lp, dir, _guard) = start();
        let _here = lp.enter();
        let path = fifo(&dir);
        let told = Told::of(&read_stream(&path));
        let (step, steps) = std::sync::mpsc::channel();
        let writer = std::thread::spawn(move || {
            let mut fifo = fs::OpenOptions::new().write(true).open(path).unwrap();
            for word in ["one", "two"] {
                fifo.write_all(word.as_bytes()).unwrap();
                steps.recv().unwrap();
            }
        });
        run_until(&mut lp, || told.bytes.borrow().len() == 3);
        step.send(()).unwrap();
        run_until(&mut lp, || told.bytes.borrow().len() == 6);
        step.send(()).unwrap();
        lp.run().unwrap();
        writer.join().unwrap();
        assert_eq!((&*told.bytes.borrow(), told.ends.get()), (&b"onetwo".to_vec(), 1));
    }

    #[test]
    fn a_fifo_that_nobody_writes_to_holds_up_no_close_and_no_end() {
        let (mut lp, dir, _guard) = start();
        let path = fifo(&dir);
        {
            let _here = lp.enter();
            let stream = read_stream(&path);
            let _told = Told::of(&stream);
            lp.run_nowait().unwrap();
            stream.close();
            lp.run().unwrap();
            let _other = Told::of(&read_stream(&path));
            lp.run_nowait().unwrap();
        }
        drop(lp);
        // Lets the threads of the pool go.
        let mut options = fs::OpenOptions::new();
        let _writer =
            std::os::unix::fs::OpenOptionsExt::custom_flags(options.write(true), libc::O_NONBLOCK)
                .open(&path);
    }

    #[test]
    fn an_unreferenced_stream_does_not_keep_the_loop_alive() {
        let (mut lp, dir, _guard) = start();
        let _here = lp.enter();
        let path = fifo(&dir);
        let stream = read_stream(&path);
        let told = Told::of(&stream);
        stream.unref();
        lp.run().unwrap();
        assert!(!lp.is_alive());
        stream.ref_();
        assert!(lp.active_resources()[0].to_string().starts_with("ReadStream created at "));
        let writer = std::thread::spawn(move || fs::write(path, "abc").unwrap());
        lp.run().unwrap();
        writer.join().unwrap();
        assert_eq!((told.bytes.borrow().len(), told.ends.get()), (3, 1));
    }

    /// In a process of its own, which has few descriptors.
    #[test]
    fn without_a_descriptor_a_stream_says_so_and_another_works_later() {
        const NAME: &str = "on_unix::without_a_descriptor_a_stream_says_so_and_another_works_later";
        if std::env::var_os("FEW_DESCRIPTORS").is_none() {
            let this = std::env::current_exe().unwrap();
            let script = "ulimit -n 40 && exec \"$0\" --exact \"$1\" --nocapture";
            let mut child = Command::new("sh");
            child.args(["-c", script]).arg(this).arg(NAME).env("FEW_DESCRIPTORS", "1");
            let output = child.output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{said}");
            return;
        }
        let (mut lp, dir, _guard) = start();
        let _here = lp.enter();
        let path = dir.join("file");
        fs::write(&path, "abc").unwrap();
        // The threads of the pool have theirs.
        lp.block_on(runtime::fs::read(&path)).unwrap();
        let mut files = Vec::new();
        while let Ok(file) = fs::File::open("/dev/null") {
            files.push(file);
        }
        lp.block_on(async {
            let (reader, writer) = (read_stream(&path), runtime::fs::write_stream(&path));
            let errors =
                [reader.read(&mut [0; 4]).await.unwrap_err(), writer.finish().await.unwrap_err()];
            for error in errors {
                assert_eq!(runtime::raw_os_error(&error), Some(libc::EMFILE), "{error}");
                assert_eq!(runtime::fs::Error::of(&error).unwrap().operation(), "open");
            }
            drop(files);
            assert_eq!(read_stream(&path).read(&mut [0; 4]).await.unwrap(), 3);
        });
    }

    #[test]
    fn a_start_in_a_fifo_is_an_error_with_its_path() {
        let (mut lp, dir, _guard) = start();
        let _here = lp.enter();
        let path = fifo(&dir);
        let writer = std::thread::spawn({
            let path = path.clone();
            move || fs::OpenOptions::new().write(true).open(path).unwrap()
        });
        let told = Told::of(&ReadStream::options().range(3..).open(&path));
        lp.run().unwrap();
        assert!(told.error().to_string().starts_with("read "));
        drop(writer.join().unwrap());
    }

    #[test]
    fn a_given_fifo_is_read_where_it_stands() {
        let (mut lp, dir, _guard) = start();
        let _here = lp.enter();
        let path = fifo(&dir);
        let writer = std::thread::spawn({
            let path = path.clone();
            move || fs::write(path, "abc").unwrap()
        });
        let text = lp.block_on(async {
            let file = File::open(&path).await.unwrap();
            let (mut text, mut stream) = (String::new(), ReadStream::options().of_file(&file));
            stream.read_to_string(&mut text).await.unwrap();
            text
        });
        writer.join().unwrap();
        assert_eq!(text, "abc");
    }
}
