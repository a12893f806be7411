//! Any reader into any writer: bytes, ends, errors of either side, progress, abort.

mod fs_support;

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{self, ErrorKind};
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use fs_support::{TempDir, run_until};
use runtime::fs::{ReadStream, WriteStream, read_stream, write_stream};
use runtime::io::{Pipeline, pipe};
use runtime::net::{Pipe, TcpStream};
use runtime::sync::{AbortController, Aborted};
use runtime::{Cancelled, Closed, Loop, LoopGone, raw_os_error, set_immediate, spawn};

const MIB: usize = 1024 * 1024;

fn start() -> (Loop, TempDir, Deadline) {
    (Loop::new().unwrap(), TempDir::new(), Deadline::secs(60))
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

/// Lets the loop do what it has to do, and a bit of what the pool has.
async fn a_while() {
    for _ in 0..20 {
        runtime::spawn_blocking(|| ()).await.unwrap();
        runtime::yield_now().await;
    }
}

// --- what goes through ---

#[test]
fn a_file_becomes_another_and_the_result_is_its_length() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let bytes = pattern(5 * MIB + 3);
    fs::write(dir.join("from"), &bytes).unwrap();
    let (from, to) = (read_stream(dir.join("from")), write_stream(dir.join("to")));
    let length = lp.block_on(pipe(from.clone(), to.clone())).unwrap();
    assert_eq!(length, bytes.len() as u64);
    // The result comes when the file is whole.
    assert!(fs::read(dir.join("to")).unwrap() == bytes);
    lp.run().unwrap();
    assert!(from.is_closing() && to.is_closing());
    lp.block_on(async { (from.closed().await.unwrap(), to.closed().await.unwrap()) });
}

#[test]
fn an_empty_file_becomes_an_empty_file() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("from"), "").unwrap();
    let piped = pipe(read_stream(dir.join("from")), write_stream(dir.join("to")));
    assert_eq!(lp.block_on(piped).unwrap(), 0);
    assert_eq!(fs::read(dir.join("to")).unwrap(), b"");
}

#[test]
fn files_and_sockets_and_pipes_in_a_row() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let bytes = pattern(3 * MIB);
    fs::write(dir.join("from"), &bytes).unwrap();
    let (near, far) = TcpStream::pair().unwrap();
    let (reader, writer) = Pipe::pair().unwrap();
    let lengths = lp.block_on(async {
        let first = pipe(read_stream(dir.join("from")), near);
        let second = pipe(far, writer);
        let third = pipe(reader, write_stream(dir.join("to")));
        [first.await.unwrap(), second.await.unwrap(), third.await.unwrap()]
    });
    assert_eq!(lengths, [bytes.len() as u64; 3]);
    assert!(fs::read(dir.join("to")).unwrap() == bytes);
}

#[test]
fn the_faces_of_a_stream_pipe_as_sockets_do() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("from"), pattern(MIB)).unwrap();
    let (near, far) = TcpStream::pair().unwrap();
    let to = write_stream(dir.join("to"));
    lp.block_on(async {
        let sent = read_stream(dir.join("from")).pipe_to(&near);
        let received = far.pipe_to(&to);
        assert_eq!((sent.await.unwrap(), received.await.unwrap()), (MIB as u64, MIB as u64));
    });
    assert!(fs::read(dir.join("to")).unwrap() == pattern(MIB));
}

#[test]
fn a_slow_writer_holds_the_reader_back() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("from"), pattern(16 * MIB)).unwrap();
    // A pipe, of which the system keeps as much as ever: a socket's share grows.
    let (far, near) = Pipe::pair().unwrap();
    let from = read_stream(dir.join("from"));
    let piped = pipe(from.clone(), near.clone());
    lp.block_on(async {
        while !near.is_full() {
            a_while().await;
        }
        for _ in 0..3 {
            a_while().await;
            let read = from.bytes_read();
            assert!(read < MIB as u64, "{read} bytes were read, though nobody takes anything");
        }
        let mut left = 16 * MIB;
        let mut buffer = vec![0; MIB];
        while left > 0 {
            left -= far.read(&mut buffer).await.unwrap();
        }
        assert_eq!(piped.await.unwrap(), 16 * MIB as u64);
    });
}

#[test]
fn a_transform_makes_other_bytes_and_may_add_some_at_the_end() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("from"), "abcdef").unwrap();
    let from = ReadStream::options().high_water_mark(2).open(dir.join("from"));
    let progress = EventLog::new();
    let noted = progress.clone();
    let piped = Pipeline::new(from, write_stream(dir.join("to")))
        .transform(|chunk| {
            let text = if chunk.is_empty() { b"!".to_vec() } else { chunk.to_ascii_uppercase() };
            Ok(if text == b"CD" { Vec::new() } else { text })
        })
        .on_progress(move |bytes| noted.push(bytes))
        .run();
    assert_eq!(lp.block_on(piped).unwrap(), 5);
    assert_eq!(fs::read(dir.join("to")).unwrap(), b"ABEF!");
    progress.expect(["2", "4", "5"]);
}

#[test]
fn a_transform_that_fails_ends_both() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("from"), pattern(MIB)).unwrap();
    let (from, to) = (read_stream(dir.join("from")), write_stream(dir.join("to")));
    let piped = Pipeline::new(from.clone(), to.clone())
        .transform(|_| Err(io::Error::other("no such bytes")))
        .run();
    assert_eq!(lp.block_on(piped).unwrap_err().to_string(), "no such bytes");
    assert!(from.is_closing() && to.is_closing());
}

#[test]
fn progress_is_told_for_each_chunk_and_before_the_result() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("from"), pattern(150_000)).unwrap();
    let log = EventLog::new();
    let (progress, result) = (log.clone(), log.clone());
    Pipeline::new(read_stream(dir.join("from")), write_stream(dir.join("to")))
        .on_progress(move |bytes| progress.push(bytes))
        .run()
        .callback(move |piped| result.push(format!("{piped:?}")));
    lp.run().unwrap();
    log.expect(["65536", "131072", "150000", "Ok(150000)"]);
}

#[test]
fn an_error_of_the_progress_callback_is_uncaught_and_loses_nothing() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("from"), pattern(150_000)).unwrap();
    let done = Rc::new(Cell::new(0));
    let seen = done.clone();
    Pipeline::new(read_stream(dir.join("from")), write_stream(dir.join("to")))
        .on_progress(|_| -> runtime::Result { Err("thrown".into()) })
        .run()
        .callback(move |piped| seen.set(piped.unwrap()));
    let mut errors = 0;
    while lp.run().is_err() {
        errors += 1;
    }
    assert_eq!((errors, done.get()), (3, 150_000));
    assert!(fs::read(dir.join("to")).unwrap() == pattern(150_000));
}

// --- errors of either side ---

#[test]
fn a_reader_that_fails_closes_the_writer() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let to = write_stream(dir.join("to"));
    let error = lp.block_on(pipe(read_stream(dir.join("none")), to.clone())).unwrap_err();
    assert_eq!(runtime::fs::Error::of(&error).unwrap().path(), dir.join("none"));
    assert!(to.is_closing());
    lp.run().unwrap();
}

#[test]
fn a_writer_that_fails_closes_the_reader() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("from"), pattern(4 * MIB)).unwrap();
    let from = read_stream(dir.join("from"));
    let to = write_stream(dir.join("none").join("to"));
    let error = lp.block_on(pipe(from.clone(), to)).unwrap_err();
    let failed = runtime::fs::Error::of(&error).unwrap();
    assert_eq!((failed.operation(), failed.path()), ("open", &*dir.join("none").join("to")));
    assert!(from.is_closing());
    assert!(from.bytes_read() < 4 * MIB as u64);
    lp.run().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_pipeline_with_its_error() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("from"), pattern(4 * MIB)).unwrap();
    let (near, far) = TcpStream::pair().unwrap();
    let feeding = pipe(read_stream(dir.join("from")), near);
    let error = lp.block_on(pipe(far.clone(), write_stream("/dev/full"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert!(error.to_string().contains("/dev/full"), "{error}");
    assert!(far.is_closing(), "the socket is closed");
    // The other end of it learns of that.
    assert!(lp.block_on(feeding).is_err());
}

#[test]
fn a_peer_that_goes_ends_the_pipeline_and_closes_the_reader() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("from"), pattern(16 * MIB)).unwrap();
    let (reader, writer) = Pipe::pair().unwrap();
    let from = read_stream(dir.join("from"));
    let piped = pipe(from.clone(), writer);
    lp.block_on(async {
        reader.read(&mut [0; 1000]).await.unwrap();
        reader.close();
        assert_eq!(piped.await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
    assert!(from.is_closing());
}

#[test]
fn a_target_that_is_closed_is_noticed_while_the_source_is_silent() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    lp.block_on(async {
        let (source, _silent) = TcpStream::pair().unwrap();
        let (target, _peer) = TcpStream::pair().unwrap();
        let piped = pipe(source.clone(), target.clone());
        a_while().await;
        target.close();
        assert!(Closed::is_in(&piped.await.unwrap_err()));
        assert!(source.is_closing());

        let (source, _silent) = TcpStream::pair().unwrap();
        let target = write_stream(dir.join("to"));
        let piped = source.pipe_to(&target);
        a_while().await;
        target.close();
        assert!(Closed::is_in(&piped.await.unwrap_err()));
        assert!(!source.is_closing(), "pipe_to leaves the source");
        assert_eq!(source.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);

        // One that is closed already.
        let piped = pipe(source.clone(), target);
        assert!(Closed::is_in(&piped.await.unwrap_err()));
        assert!(source.is_closing());
    });
}

#[test]
fn a_reader_that_is_closed_or_read_by_another_ends_it() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    lp.block_on(async {
        let (source, _silent) = TcpStream::pair().unwrap();
        let to = write_stream(dir.join("to"));
        let piped = pipe(source.clone(), to.clone());
        a_while().await;
        source.close();
        assert!(Cancelled::is_in(&piped.await.unwrap_err()));
        assert!(to.is_closing());

        let (source, _silent) = TcpStream::pair().unwrap();
        let to = write_stream(dir.join("to"));
        let piped = pipe(source.clone(), to.clone());
        source.read_stop();
        assert!(Cancelled::is_in(&piped.await.unwrap_err()));
        assert!(to.is_closing() && source.is_closing());

        let (source, _silent) = TcpStream::pair().unwrap();
        let to = write_stream(dir.join("to"));
        source.read_start(|_, _| ());
        let error = pipe(source.clone(), to.clone()).await.unwrap_err();
        assert!(raw_os_error(&error).is_some(), "{error}");
        assert!(to.is_closing() && source.is_closing());
    });
}

#[test]
fn who_reads_after_a_stopped_pipe_stays_paused_when_its_target_drains() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("from"), pattern(4 * MIB)).unwrap();
    let (far, near) = Pipe::pair().unwrap();
    let from = read_stream(dir.join("from"));
    let piped = from.pipe_to(&near);
    lp.block_on(async {
        while !near.is_full() {
            a_while().await;
        }
        from.read_stop();
        assert!(Cancelled::is_in(&piped.await.unwrap_err()));

        let calls = Rc::new(Cell::new(0));
        let count = calls.clone();
        from.read_start(move |_, _| count.set(count.get() + 1));
        from.pause();
        let drained = spawn(near.drained());
        let mut buffer = vec![0; MIB];
        while near.write_queue_size() > 0 {
            far.read(&mut buffer).await.unwrap();
        }
        drained.await.unwrap().unwrap();
        a_while().await;
        assert_eq!(calls.get(), 0, "it was resumed by a pipe that is over");
        from.resume();
        while calls.get() == 0 {
            a_while().await;
        }
    });
}

#[test]
fn a_writer_that_is_closed_with_bytes_queued_says_closed() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("from"), pattern(4 * MIB)).unwrap();
    // A pipe, of which the system keeps as much as ever: a socket may take all.
    let (_far, near) = Pipe::pair().unwrap();
    lp.block_on(async {
        let piped = pipe(read_stream(dir.join("from")), near.clone());
        while !near.is_full() {
            a_while().await;
        }
        near.close();
        assert!(Closed::is_in(&piped.await.unwrap_err()));
    });
}

// --- cancel and abort ---

#[test]
fn a_cancel_closes_both_sides_and_leaves_half_a_file() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::File::create(dir.join("from")).unwrap().set_len(64 * MIB as u64).unwrap();
    let (from, to) = (read_stream(dir.join("from")), write_stream(dir.join("to")));
    let (half, halfway) = (Rc::new(Cell::new(0)), from.clone());
    let seen = half.clone();
    let piped = Pipeline::new(from.clone(), to.clone())
        .on_progress(move |bytes| {
            seen.set(bytes);
            assert!(!halfway.is_closing(), "told after the cancel");
        })
        .run();
    run_until(&mut lp, || half.get() > MIB as u64);
    assert!(piped.cancel());
    assert!(!piped.cancel(), "it is over");
    assert!(from.is_closing() && to.is_closing());
    assert!(Cancelled::is_in(&lp.block_on(piped).unwrap_err()));
    lp.run().unwrap();
    let written = fs::metadata(dir.join("to")).unwrap().len();
    assert!(written < 64 * MIB as u64);
}

#[test]
fn an_abort_from_inside_of_the_progress_callback_closes_both_sides() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::File::create(dir.join("from")).unwrap().set_len(64 * MIB as u64).unwrap();
    let (from, to) = (read_stream(dir.join("from")), write_stream(dir.join("to")));
    let (controller, calls) = (AbortController::new(), Rc::new(Cell::new(0)));
    let signal = controller.signal();
    let count = calls.clone();
    let result = Rc::new(RefCell::new(None));
    let told = result.clone();
    Pipeline::new(from.clone(), to.clone())
        .on_progress(move |_| {
            count.set(count.get() + 1);
            if count.get() == 3 {
                controller.abort();
            }
        })
        .run()
        .abort_on(&signal)
        .callback(move |piped| *told.borrow_mut() = Some(piped));
    lp.run().unwrap();
    assert!(Aborted::is_in(&result.take().unwrap().unwrap_err()));
    assert_eq!(calls.get(), 3);
    assert!(from.is_closing() && to.is_closing());
}

#[test]
fn a_dropped_request_ends_nothing() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("from"), pattern(MIB)).unwrap();
    drop(pipe(read_stream(dir.join("from")), write_stream(dir.join("to"))));
    lp.run().unwrap();
    assert!(fs::read(dir.join("to")).unwrap() == pattern(MIB));
}

#[test]
fn a_loop_that_goes_tells_who_waits() {
    let (lp, _dir, _guard) = start();
    let (silent, cut) = {
        let _here = lp.enter();
        let (source, peer) = TcpStream::pair().unwrap();
        let (target, _) = TcpStream::pair().unwrap();
        (pipe(source, target), peer)
    };
    drop(lp);
    let mut other = Loop::new().unwrap();
    assert!(LoopGone::is_in(&other.block_on(silent).unwrap_err()));
    drop(cut);
}

#[test]
fn nothing_is_left_with_a_target_that_lives_on() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("from"), "x").unwrap();
    lp.block_on(async {
        let target = write_stream(dir.join("to"));
        for _ in 0..100 {
            // The reader fails; pipe_to leaves the target open.
            read_stream(dir.join("none")).pipe_to(&target).await.unwrap_err();
        }
        let from = read_stream(dir.join("from"));
        assert_eq!(from.pipe_to(&target).await.unwrap(), 1);
    });
    lp.run().unwrap();
    let count = Rc::new(Cell::new(0));
    let seen = count.clone();
    lp.walk(move |_| seen.set(seen.get() + 1));
    assert_eq!(count.get(), 0, "handles are left");
}

#[test]
fn a_hundred_pipelines_at_once() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    fs::write(dir.join("from"), pattern(200_000)).unwrap();
    lp.block_on(async {
        let all: Vec<_> = (0..100)
            .map(|n| {
                let to =
                    WriteStream::options().high_water_mark(n * 1000).open(dir.join(n.to_string()));
                let from = read_stream(dir.join("from"));
                spawn(async move { pipe(from, to).await.unwrap() })
            })
            .collect();
        for piped in all {
            assert_eq!(piped.await.unwrap(), 200_000);
        }
    });
    for n in 0..100 {
        assert!(fs::read(dir.join(n.to_string())).unwrap() == pattern(200_000));
    }
}

#[test]
fn a_socket_piped_into_itself_is_an_echo_that_ends() {
    let (mut lp, _dir, _guard) = start();
    let _here = lp.enter();
    lp.block_on(async {
        let (client, server) = TcpStream::pair().unwrap();
        let echo = pipe(server.clone(), server);
        client.write("hello").await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(client.read(&mut buffer).await.unwrap(), 5);
        client.shutdown().await.unwrap();
        assert_eq!(client.read(&mut buffer).await.unwrap(), 0);
        assert_eq!(echo.await.unwrap(), 5);
    });
    set_immediate(|| ());
    lp.run().unwrap();
}
