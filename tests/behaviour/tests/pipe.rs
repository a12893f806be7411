//! Anonymous pipes: one direction each, ends, errors, back-pressure.

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use runtime::Loop;
use runtime::handle::Kind;
use runtime::net::Pipe;

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(30))
}

#[test]
fn bytes_and_the_end_go_through_by_callback() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (reader, writer) = Pipe::pair().unwrap();
    assert_eq!((reader.kind(), writer.kind()), (Kind::Pipe, Kind::Pipe));
    let seen = log.clone();
    reader.read_start(move |_, data| seen.push(String::from_utf8_lossy(data.unwrap())));
    writer.write("hello");
    let shut = log.clone();
    writer.shutdown().callback(move |result| shut.push(format!("shut down {result:?}")));
    let closed = [log.clone(), log.clone()];
    let [one, two] = closed;
    writer.closed().callback(move |result| one.push(format!("writer {result:?}")));
    reader.closed().callback(move |result| two.push(format!("reader {result:?}")));
    assert!(!lp.run().unwrap());
    log.expect(["shut down Ok(())", "hello", "writer Ok(())", "", "reader Ok(())"]);
}

#[test]
fn each_end_refuses_what_it_has_no_direction_for() {
    let (mut lp, log, _guard) = start();
    lp.block_on(async {
        let (reader, writer) = Pipe::pair().unwrap();
        let epipe = reader.write("x").await.unwrap_err();
        assert_eq!(epipe.kind(), ErrorKind::BrokenPipe);
        assert_eq!(reader.shutdown().await.unwrap_err().kind(), ErrorKind::NotConnected);
        assert_eq!(writer.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::NotConnected);
        assert_eq!(writer.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::NotConnected);
        let seen = log.clone();
        writer.read_start(move |_, data| seen.push(data.unwrap_err().kind()));
        // Neither is ended by that.
        writer.write("y").await.unwrap();
        let mut buffer = [0; 4];
        assert_eq!(reader.read(&mut buffer).await.unwrap(), 1);
        runtime::yield_now().await;
    });
    log.expect(["not connected"]);
}

#[test]
fn a_writer_learns_that_nobody_reads() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (reader, writer) = Pipe::pair().unwrap();
        reader.close();
        let error = writer.write("x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(writer.closed().await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_writer_that_waits_for_room_learns_that_nobody_reads() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (reader, writer) = Pipe::pair().unwrap();
        let written = writer.write(vec![0; 1_000_000]);
        let task = runtime::spawn(written.into_future());
        runtime::yield_now().await;
        reader.close();
        assert_eq!(task.await.unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_full_pipe_holds_the_writer_back_and_loses_nothing() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (reader, writer) = Pipe::pair().unwrap();
    let data: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
    writer.write(&data);
    assert!(writer.is_full());
    let drained = Rc::new(Cell::new(false));
    let noted = drained.clone();
    writer.on_drain(move |writer| {
        noted.set(true);
        writer.shutdown();
    });
    let got = Rc::new(std::cell::RefCell::new(Vec::new()));
    let taken = got.clone();
    reader.read_start(move |_, data| taken.borrow_mut().extend_from_slice(data.unwrap()));
    assert!(!lp.run().unwrap());
    assert!(drained.get());
    assert!(*got.borrow() == data);
}

#[test]
fn the_last_holder_of_a_writer_writes_its_queue_first() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (reader, writer) = Pipe::pair().unwrap();
    writer.write(vec![7; 300_000]);
    drop(writer);
    let read = lp.block_on(async move {
        let (mut total, mut buffer) = (0, vec![0; 10_000]);
        loop {
            match reader.read(&mut buffer).await.unwrap() {
                0 => return total,
                n => total += n,
            }
        }
    });
    assert_eq!(read, 300_000);
}

#[test]
fn an_end_of_the_standard_library_is_taken_over() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (theirs, ours) = std::io::pipe().unwrap();
        let writer = Pipe::from_std(ours).unwrap();
        let thread = std::thread::spawn(move || {
            let mut text = String::new();
            let mut theirs = theirs;
            theirs.read_to_string(&mut text).unwrap();
            text
        });
        writer.write("over there").await.unwrap();
        writer.shutdown().await.unwrap();
        assert_eq!(thread.join().unwrap(), "over there");

        let (ours, mut theirs) = std::io::pipe().unwrap();
        let reader = Pipe::from_std(ours).unwrap();
        theirs.write_all(b"over here").unwrap();
        reader.readable().await.unwrap();
        let mut buffer = [0; 64];
        assert_eq!(reader.read(&mut buffer).await.unwrap(), 9);
    });
}

#[test]
fn what_can_not_be_waited_for_is_no_pipe() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let program = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    let error = Pipe::from_std(program).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("nothing to wait for"), "{error}");
}

#[test]
#[cfg(unix)]
fn the_error_says_what_it_is_that_is_no_pipe() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let folder = std::fs::File::open(std::env::temp_dir()).unwrap();
    let error = Pipe::from_std(folder).unwrap_err();
    assert!(error.to_string().contains("Directory"), "{error}");
}

#[test]
#[cfg(unix)]
fn a_fifo_of_the_file_system_has_the_directions_it_was_opened_for() {
    let (mut lp, _, _guard) = start();
    let path = std::env::temp_dir().join(format!("fifo-{}", std::process::id()));
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    if !made.is_ok_and(|made| made.success()) {
        return behaviour::tell("skipped: no mkfifo");
    }
    lp.block_on(async {
        // Both at once, so that neither open waits for the other.
        let both = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        let write = std::fs::File::options().write(true).open(&path).unwrap();
        let read = std::fs::File::open(&path).unwrap();
        drop(both);
        std::fs::remove_file(&path).unwrap();
        let reader = Pipe::from_std(std::os::fd::OwnedFd::from(read)).unwrap();
        let writer = Pipe::from_std(std::os::fd::OwnedFd::from(write)).unwrap();
        assert_eq!(reader.write("x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        writer.write("through").await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(reader.read(&mut buffer).await.unwrap(), 7);
        writer.close();
        assert_eq!(reader.read(&mut buffer).await.unwrap(), 0);
    });
}

#[test]
#[cfg(unix)]
fn a_socket_is_a_pipe_with_both_directions() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        let [one, other] =
            [one, other].map(|end| Pipe::from_std(std::os::fd::OwnedFd::from(end)).unwrap());
        one.write("there").await.unwrap();
        one.shutdown().await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(other.read(&mut buffer).await.unwrap(), 5);
        assert_eq!(other.read(&mut buffer).await.unwrap(), 0);
        other.write("back").await.unwrap();
        assert_eq!(one.read(&mut buffer).await.unwrap(), 4);
    });
}

#[test]
fn an_end_is_closed_from_inside_its_own_callback_with_data_left() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (reader, writer) = Pipe::pair().unwrap();
    writer.write(vec![1; 1_000_000]);
    let seen = log.clone();
    reader.read_start(move |reader, data| {
        seen.push(if data.unwrap().is_empty() { "end" } else { "data" });
        reader.close();
    });
    let seen = log.clone();
    writer.closed().callback(move |result| seen.push(result.unwrap_err().kind()));
    assert!(!lp.run().unwrap());
    log.expect(["data", "broken pipe"]);
}

#[test]
fn a_reader_that_is_closed_while_it_waits_lets_the_writer_know() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (ours, mut theirs) = std::io::pipe().unwrap();
        let reader = Pipe::from_std(ours).unwrap();
        reader.read_start(|_, _| ());
        runtime::yield_now().await;
        reader.close();
        reader.closed().await.unwrap();
        // Where a thread reads for it, that takes a moment.
        let told = loop {
            match theirs.write_all(&[0]) {
                Ok(()) => std::thread::yield_now(),
                Err(error) => break error,
            }
        };
        assert_eq!(told.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn much_goes_through_an_end_of_the_standard_library_both_ways_at_once() {
    const BYTES: usize = 3_000_000;
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (mut theirs, ours) = std::io::pipe().unwrap();
        let (back, mut answers) = std::io::pipe().unwrap();
        let echo = std::thread::spawn(move || std::io::copy(&mut theirs, &mut answers).unwrap());
        let (writer, reader) = (Pipe::from_std(ours).unwrap(), Pipe::from_std(back).unwrap());
        let data: Vec<u8> = (0..BYTES).map(|n| (n % 253) as u8).collect();
        let write = writer.write(&data);
        let mut got = Vec::new();
        let mut buffer = vec![0; 50_000];
        while got.len() < BYTES {
            let read = reader.read(&mut buffer).await.unwrap();
            assert_ne!(read, 0);
            got.extend_from_slice(&buffer[..read]);
        }
        assert!(got == data);
        write.await.unwrap();
        drop(writer);
        assert_eq!(reader.read(&mut buffer).await.unwrap(), 0);
        assert_eq!(echo.join().unwrap(), BYTES as u64);
    });
}

#[test]
fn what_was_written_last_arrives_though_the_loop_ends() {
    let (mut lp, _, _guard) = start();
    let (mut theirs, ours) = std::io::pipe().unwrap();
    lp.block_on(async { drop(Pipe::from_std(ours).unwrap().write("last words")) });
    drop(lp);
    let mut text = String::new();
    theirs.read_to_string(&mut text).unwrap();
    assert_eq!(text, "last words");
}
