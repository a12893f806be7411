//! Files that are written as streams: order, back-pressure, errors, what becomes of queued bytes.

mod fs_support;

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::ErrorKind;
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use fs_support::{TempDir, run_until};
use futures_lite::AsyncWriteExt;
use runtime::fs::{File, OpenOptions, WriteStream, write_stream};
use runtime::handle::Kind;
use runtime::{ActiveKind, Cancelled, Closed, Loop, LoopGone, QueueFull, exit, queue_microtask};

const MIB: usize = 1024 * 1024;

fn start() -> (Loop, TempDir, Deadline) {
    (Loop::new().unwrap(), TempDir::new(), Deadline::secs(60))
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

#[test]
fn writes_are_done_in_order_and_then_the_end_and_the_close() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let log = EventLog::new();
    let stream = write_stream(dir.join("file"));
    assert_eq!((stream.kind(), stream.path()), (Kind::WriteStream, &*dir.join("file")));
    for word in ["one", "two", "three"] {
        let log = log.clone();
        stream.write(word).callback(move |written| {
            written.unwrap();
            log.push(word);
            queue_microtask(log.mark(format!("after {word}")));
        });
    }
    let (finished, closed) = (log.clone(), log.clone());
    stream.finish().callback(move |result| finished.push(format!("finished {result:?}")));
    stream.closed().callback(move |result| closed.push(format!("closed {result:?}")));
    assert_eq!(stream.write_queue_size(), 11);
    log.expect([]);
    lp.run().unwrap();
    log.expect([
        "one",
        "after one",
        "two",
        "after two",
        "three",
        "after three",
        "finished Ok(())",
        "closed Ok(())",
    ]);
    assert_eq!(fs::read(dir.join("file")).unwrap(), b"onetwothree");
    assert_eq!((stream.bytes_written(), stream.write_queue_size()), (11, 0));
    lp.block_on(stream.finish()).unwrap();
    assert!(Closed::is_in(&lp.block_on(stream.write("x")).unwrap_err()));
}

#[test]
fn what_was_accepted_is_written_though_the_stream_is_dropped() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let bytes = pattern(3 * MIB);
    let stream = write_stream(dir.join("file"));
    for piece in bytes.chunks(1000) {
        drop(stream.write(piece));
    }
    drop(stream);
    lp.run().unwrap();
    assert!(fs::read(dir.join("file")).unwrap() == bytes);
}

#[test]
fn a_stream_that_nobody_writes_to_makes_its_file() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("file"), "former").unwrap();
    drop(write_stream(dir.join("file")));
    assert_eq!(lp.active_resources()[0].kind(), ActiveKind::Fs);
    lp.run().unwrap();
    assert_eq!(fs::read(dir.join("file")).unwrap(), b"");
}

#[test]
fn nothing_to_write_is_written_when_all_before_it_is() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let stream = write_stream(dir.join("file"));
    lp.block_on(async {
        stream.write("").await.unwrap();
        stream.write("abc");
        stream.write("").await.unwrap();
        assert_eq!(stream.bytes_written(), 3);
    });
}

#[test]
fn options_say_where_bytes_go() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let path = dir.join("file");
    let write = |lp: &mut Loop, stream: WriteStream, text: &str| {
        lp.block_on(async {
            stream.write(text);
            stream.finish().await
        })
    };
    write(&mut lp, write_stream(&path), "0123456789").unwrap();
    write(&mut lp, WriteStream::options().start(3).open(&path), "abc").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"012abc6789");
    write(&mut lp, WriteStream::options().append(true).open(&path), "++").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"012abc6789++");
    let error = write(&mut lp, WriteStream::options().create_new(true).open(&path), "x");
    assert_eq!(error.unwrap_err().kind(), ErrorKind::AlreadyExists);
    write(&mut lp, write_stream(&path), "new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    write(&mut lp, WriteStream::options().start(1).open(dir.join("hole")), "x").unwrap();
    assert_eq!(fs::read(dir.join("hole")).unwrap(), b"\0x");
    write(&mut lp, WriteStream::options().sync_at_end(true).open(&path), "synced").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"synced");
    for options in
        [WriteStream::options().start(u64::MAX), WriteStream::options().start(0).append(true)]
    {
        let error = write(&mut lp, options.open(&path), "x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().starts_with("open "), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"synced");
}

#[test]
fn a_given_file_is_written_at_its_places_and_stays_open() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    lp.block_on(async {
        let file = File::create(dir.join("file")).await.unwrap();
        file.write("head").await.unwrap();
        let stream = WriteStream::options().start(6).of_file(&file);
        stream.write("tail");
        stream.finish().await.unwrap();
        file.write("er").await.unwrap();
        assert_eq!(fs::read(dir.join("file")).unwrap(), b"headertail");
        let log = OpenOptions::new().append(true).open(dir.join("file")).await.unwrap();
        let stream = WriteStream::options().of_file(&log);
        stream.write("!").await.unwrap();
        if cfg!(target_os = "linux") {
            assert_eq!(fs::read(dir.join("file")).unwrap(), b"headertail!");
        }
    });
}

// --- back-pressure ---

#[test]
fn a_full_stream_says_so_and_tells_when_it_is_drained() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let log = EventLog::new();
    let stream = WriteStream::options().high_water_mark(10).open(dir.join("file"));
    let drains = log.clone();
    stream.on_drain(move |stream| {
        drains.push("drain");
        assert!(!stream.is_full() && stream.write_queue_size() == 0);
    });
    stream.write("0123456789");
    assert!(!stream.is_full());
    let written = log.clone();
    stream.write("x").callback(move |_| written.push("written"));
    assert!(stream.is_full());
    let drained = log.clone();
    stream.drained().callback(move |result| drained.push(format!("drained {result:?}")));
    lp.run().unwrap();
    log.expect(["written", "drained Ok(())", "drain"]);
    stream.write("y");
    lp.run().unwrap();
    log.expect([]);
    lp.block_on(stream.drained()).unwrap();
}

#[test]
fn on_drain_may_write_replace_and_close() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let stream = WriteStream::options().high_water_mark(0).open(dir.join("file"));
    let drains = Rc::new(Cell::new(0));
    let count = drains.clone();
    stream.on_drain(move |stream| {
        count.set(count.get() + 1);
        if count.get() < 10 {
            stream.write("x");
            return;
        }
        let count = count.clone();
        stream.on_drain(move |stream| {
            count.set(count.get() + 100);
            stream.close();
        });
        stream.write("y");
    });
    stream.write("x");
    lp.run().unwrap();
    assert_eq!(drains.get(), 110);
    assert_eq!(fs::read(dir.join("file")).unwrap(), b"xxxxxxxxxxy");
    assert!(stream.is_closing());
}

#[test]
fn a_write_over_the_limit_closes_the_stream() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let stream = write_stream(dir.join("file"));
    stream.set_write_limit(4);
    let first = stream.write("01234");
    let second = stream.write("x");
    let third = stream.write("y");
    lp.block_on(async {
        for request in [first, second, third] {
            assert!(QueueFull::is_in(&request.await.unwrap_err()));
        }
        assert!(QueueFull::is_in(&stream.closed().await.unwrap_err()));
        assert!(QueueFull::is_in(&stream.finish().await.unwrap_err()));
    });
}

#[test]
fn a_stream_that_fails_while_a_job_is_under_way_counts_nothing() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("other"), "x").unwrap();
    let failed = Rc::new(Cell::new(0));
    for _ in 0..100 {
        let stream = write_stream(dir.join("file"));
        stream.set_write_limit(0);
        stream.write("abc");
        // Its callback comes in the same poll phase as the end of the job, now and then before it.
        let failed = failed.clone();
        runtime::fs::metadata(dir.join("other")).callback(move |_| {
            for _ in 0..2 {
                let failed = failed.clone();
                let stream = stream.clone();
                stream.clone().write("x").callback(move |written| {
                    failed.set(failed.get() + usize::from(written.is_err()));
                    assert!(written.is_ok() || stream.write_queue_size() == 0);
                });
            }
        });
        lp.run().unwrap();
    }
    assert!(failed.get() >= 100, "{}", failed.get());
}

#[test]
fn many_small_writes_are_few_jobs() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let stream = write_stream(dir.join("file"));
    let done = Rc::new(Cell::new(0));
    for n in 0..10_000 {
        let done = done.clone();
        stream.write(format!("{n}\n")).callback(move |written| {
            written.unwrap();
            assert_eq!(done.replace(n + 1), n);
        });
    }
    let before = lp.metrics().iterations;
    lp.run().unwrap();
    assert_eq!(done.get(), 10_000);
    let iterations = lp.metrics().iterations - before;
    assert!(iterations < 50, "{iterations} iterations");
    let text: String = (0..10_000).map(|n| format!("{n}\n")).collect();
    assert_eq!(fs::read_to_string(dir.join("file")).unwrap(), text);
}

// --- tasks ---

#[test]
fn a_task_writes_by_the_traits() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let bytes = pattern(2 * MIB);
    lp.block_on(async {
        let mut stream = write_stream(dir.join("file"));
        AsyncWriteExt::write_all(&mut stream, &bytes[..MIB]).await.unwrap();
        AsyncWriteExt::flush(&mut stream).await.unwrap();
        assert!(fs::read(dir.join("file")).unwrap() == bytes[..MIB]);
        let mut by_ref = &stream;
        for piece in bytes[MIB..].chunks(777) {
            assert!(stream.write_queue_size() <= 64 * 1024 + 777);
            AsyncWriteExt::write_all(&mut by_ref, piece).await.unwrap();
        }
        AsyncWriteExt::close(&mut by_ref).await.unwrap();
        assert!(fs::read(dir.join("file")).unwrap() == bytes);
        AsyncWriteExt::close(&mut by_ref).await.unwrap();
        AsyncWriteExt::flush(&mut by_ref).await.unwrap();
        stream.closed().await.unwrap();
    });
}

#[test]
fn errors_reach_tasks_that_wait_and_come_again() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    lp.block_on(async {
        let mut stream = write_stream(dir.join("none").join("file"));
        let error = AsyncWriteExt::close(&mut stream).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        for error in [
            AsyncWriteExt::write_all(&mut stream, b"x").await.unwrap_err(),
            AsyncWriteExt::flush(&mut stream).await.unwrap_err(),
            stream.drained().await.unwrap_err(),
            stream.finish().await.unwrap_err(),
        ] {
            let failed = runtime::fs::Error::of(&error).expect("it names what failed");
            assert_eq!(failed.operation(), "open");
            assert_eq!(failed.path(), dir.join("none").join("file"));
        }
    });
}

// --- ends ---

#[test]
fn a_write_after_the_end_is_a_broken_pipe_and_the_end_may_be_asked_for_again() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let stream = write_stream(dir.join("file"));
    stream.write("abc");
    let (first, late, second) = (stream.finish(), stream.write("x"), stream.shutdown());
    lp.block_on(async {
        assert_eq!(late.await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        first.await.unwrap();
        second.await.unwrap();
    });
    assert_eq!(fs::read(dir.join("file")).unwrap(), b"abc");
}

#[test]
fn a_close_gives_up_what_is_queued_and_tells_so() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let log = EventLog::new();
    let stream = write_stream(dir.join("file"));
    stream.write("abc").callback({
        let (log, stream) = (log.clone(), stream.clone());
        move |written| {
            log.push(format!("abc {}", written.is_ok()));
            for name in ["x", "y"] {
                let log = log.clone();
                stream.write(name).callback(move |written| {
                    let is_cancelled = Cancelled::is_in(&written.unwrap_err());
                    log.push(format!("{name} cancelled {is_cancelled}"));
                });
            }
            let (drained, finished) = (log.clone(), log.clone());
            stream.drained().callback(move |result| drained.push(result.is_err()));
            stream.finish().callback(move |result| finished.push(result.is_err()));
            let closed = log.clone();
            stream.closed().callback(move |result| closed.push(format!("closed {result:?}")));
            stream.close();
        }
    });
    lp.run().unwrap();
    let cancelled = ["abc true", "x cancelled true", "y cancelled true", "true", "true"];
    let [a, b, c, d, e] = cancelled;
    log.expect([a, b, c, d, e, "closed Ok(())"]);
}

#[test]
fn an_error_of_a_callback_loses_no_other() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let stream = write_stream(dir.join("file"));
    let told = Rc::new(Cell::new(0));
    for _ in 0..3 {
        let told = told.clone();
        stream.write("x").callback(move |_| -> runtime::Result {
            told.set(told.get() + 1);
            Err("thrown".into())
        });
    }
    stream.finish();
    let mut errors = 0;
    while lp.run().is_err() {
        errors += 1;
    }
    assert_eq!((errors, told.get()), (3, 3));
    assert!(stream.is_closing());
}

#[test]
fn a_loop_that_exits_writes_what_was_accepted() {
    let (mut lp, dir, _guard) = start();
    let (bytes, path) = (pattern(MIB), dir.join("file"));
    let requests = Rc::new(RefCell::new(Vec::new()));
    {
        let _here = lp.enter();
        let stream = write_stream(&path);
        let (bytes, requests) = (bytes.clone(), requests.clone());
        // A job may be under way, and there is more behind it.
        stream.write("").callback(|_| ());
        let first = stream.write(&bytes[..10]);
        requests.borrow_mut().push(first);
        runtime::set_immediate(move || {
            for piece in bytes[10..].chunks(1000) {
                requests.borrow_mut().push(stream.write(piece));
            }
            exit(3);
        });
    }
    lp.run().unwrap();
    drop(lp);
    assert!(fs::read(&path).unwrap() == bytes);
    let mut other = Loop::new().unwrap();
    let last = requests.borrow_mut().pop().unwrap();
    assert!(LoopGone::is_in(&other.block_on(last).unwrap_err()));
}

#[test]
fn a_stream_that_was_never_opened_is_written_by_the_end_of_the_loop() {
    let (lp, dir, _guard) = start();
    let stream = {
        let _here = lp.enter();
        let stream = write_stream(dir.join("file"));
        stream.write("abc");
        stream
    };
    drop(lp);
    assert_eq!(fs::read(dir.join("file")).unwrap(), b"abc");
    let mut other = Loop::new().unwrap();
    assert!(LoopGone::is_in(&other.block_on(stream.write("x")).unwrap_err()));
    assert!(LoopGone::is_in(&other.block_on(stream.finish()).unwrap_err()));
    stream.on_drain(|_| ());
    stream.close();
}

#[test]
fn many_streams_at_once() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    for group in 0..5 {
        for n in 0..200 {
            let stream = write_stream(dir.join(format!("{group}-{n}")));
            for _ in 0..10 {
                stream.write(format!("{n} "));
            }
            stream.finish().callback(|finished| finished.unwrap());
        }
        lp.run().unwrap();
    }
    for group in 0..5 {
        for n in 0..200 {
            let text = fs::read_to_string(dir.join(format!("{group}-{n}"))).unwrap();
            assert_eq!(text, format!("{n} ").repeat(10));
        }
    }
}

#[test]
fn what_keeps_the_loop_alive_is_told() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let stream = write_stream(dir.join("file"));
    stream.write("a");
    stream.write("b");
    let _finished = stream.finish();
    let mut active: Vec<_> =
        lp.active_resources().iter().map(|one| (one.kind(), one.count())).collect();
    // The job may be done already, and on its way home.
    active.retain(|(kind, _)| *kind != ActiveKind::Queued);
    assert_eq!(active, [(ActiveKind::Write, 2), (ActiveKind::Shutdown, 1), (ActiveKind::Fs, 1)]);
    lp.run().unwrap();
    assert!(lp.active_resources().is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_fails_what_is_queued_and_what_comes_later_with_the_path() {
    let (mut lp, _dir, _guard) = start();
    let _here = lp.enter();
    let stream = write_stream("/dev/full");
    let (first, second) = (stream.write("abc"), stream.write("def"));
    let finished = stream.finish();
    lp.block_on(async {
        for request in [first, second, finished] {
            let error = request.await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StorageFull);
            let failed = runtime::fs::Error::of(&error).unwrap();
            assert_eq!((failed.operation(), failed.path().to_str()), ("write", Some("/dev/full")));
        }
        assert_eq!(stream.write("x").await.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(stream.closed().await.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(stream.finish().await.unwrap_err().kind(), ErrorKind::StorageFull);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn on_drain_is_called_when_a_full_stream_fails() {
    let (mut lp, _dir, _guard) = start();
    let _here = lp.enter();
    let stream = WriteStream::options().high_water_mark(1).open("/dev/full");
    let drained = Rc::new(Cell::new(false));
    let seen = drained.clone();
    stream.on_drain(move |_| seen.set(true));
    stream.write("abc");
    lp.run().unwrap();
    assert!(drained.get() && stream.is_closing());
}

#[cfg(unix)]
mod on_unix {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    #[test]
    fn the_mode_is_that_of_a_new_file() {
        let (mut lp, dir, _guard) = start();
        let _here = lp.enter();
        WriteStream::options().mode(0o600).open(dir.join("file"));
        lp.run().unwrap();
        let mode = fs::metadata(dir.join("file")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    fn fifo(dir: &TempDir) -> std::path::PathBuf {
        let path = dir.join("fifo");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    #[test]
    fn a_fifo_is_written_when_somebody_reads() {
        let (mut lp, dir, _guard) = start();
        let _here = lp.enter();
        let path = fifo(&dir);
        let stream = write_stream(&path);
        stream.write(pattern(MIB));
        stream.finish();
        let reader = std::thread::spawn(move || fs::read(path).unwrap());
        lp.run().unwrap();
        assert!(reader.join().unwrap() == pattern(MIB));
    }

    #[test]
    fn a_fifo_that_nobody_reads_holds_up_no_close_and_no_end() {
        let (mut lp, dir, _guard) = start();
        let path = fifo(&dir);
        {
            let _here = lp.enter();
            let stream = write_stream(&path);
            let request = stream.write("abc");
            lp.run_nowait().unwrap();
            stream.close();
            assert!(Cancelled::is_in(&lp.block_on(request).unwrap_err()));
            lp.run().unwrap();
            write_stream(&path).write("def");
            lp.run_nowait().unwrap();
        }
        drop(lp);
        // Lets the threads of the pool go.
        let mut options = fs::OpenOptions::new();
        let _reader =
            std::os::unix::fs::OpenOptionsExt::custom_flags(options.read(true), libc::O_NONBLOCK)
                .open(&path);
    }

    #[test]
    fn half_a_write_is_told_by_who_it_belongs_to() {
        let (mut lp, dir, _guard) = start();
        let _here = lp.enter();
        // The reader takes some and goes.
        let path = fifo(&dir);
        let stream = write_stream(&path);
        let small = stream.write("abc");
        let big = stream.write(pattern(4 * MIB));
        let reader = std::thread::spawn(move || {
            use std::io::Read;
            let mut fifo = fs::File::open(path).unwrap();
            fifo.read_exact(&mut [0; 1000]).unwrap();
        });
        lp.block_on(async {
            small.await.unwrap();
            assert_eq!(big.await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        });
        reader.join().unwrap();
        run_until(&mut lp, || stream.is_closing());
    }
}
