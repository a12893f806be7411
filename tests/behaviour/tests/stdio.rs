//! Standard input, output and error, whatever they are: programs of their own, since a process has one of
//! each.
#![cfg(unix)]

mod tty_support;

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use behaviour::Deadline;
use tty_support::{Pty, is_nonblocking};

const MUCH: usize = 10 * 1024 * 1024;

fn program(way: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stdio_program"));
    command.arg(way).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// A file of this test's own, with `content`.
fn file(name: &str, content: &str) -> (PathBuf, File) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("stdio_{name}"));
    std::fs::write(&path, content).unwrap();
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    (path, file)
}

fn read_all(mut from: impl Read) -> String {
    let mut all = String::new();
    from.read_to_string(&mut all).unwrap();
    all
}

fn pipe() -> (File, File) {
    let (reader, writer) = std::io::pipe().unwrap();
    (OwnedFd::from(reader).into(), OwnedFd::from(writer).into())
}

/// Runs with what standard input is, and gives what came out.
#[track_caller]
fn fed_by(way: &str, input: impl Into<Stdio>) -> String {
    let output = program(way).stdin(input).stdout(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{way}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

const CATS: [&str; 3] = ["cat", "cat_callback", "cat_readable"];

#[test]
fn input_is_read_to_its_end_whatever_it_is() {
    let _guard = Deadline::secs(60);
    let text = "some text\n".repeat(2000);
    for cat in CATS {
        let (_, stored) = file(&format!("input_{cat}"), &text);
        assert_eq!(fed_by(cat, stored.try_clone().unwrap()), text, "{cat}, a file");
        assert!(!is_nonblocking(&stored));

        let (reader, mut writer) = pipe();
        let ours = reader.try_clone().unwrap();
        let (fed, written) = (text.clone(), text.clone());
        let writer = thread::spawn(move || writer.write_all(fed.as_bytes()).unwrap());
        assert_eq!(fed_by(cat, reader), written, "{cat}, a pipe");
        writer.join().unwrap();
        assert!(!is_nonblocking(&ours));

        let (reader, mut writer) = UnixStream::pair().unwrap();
        let ours = reader.try_clone().unwrap();
        writer.write_all(b"by a socket").unwrap();
        drop(writer);
        assert_eq!(fed_by(cat, OwnedFd::from(reader)), "by a socket", "{cat}");
        assert!(!is_nonblocking(&ours));

        let pty = Pty::new();
        pty.type_in("typed\n\x04");
        assert_eq!(fed_by(cat, pty.slave.try_clone().unwrap()), "typed\n", "{cat}");
        assert!(!is_nonblocking(&pty.slave));

        assert_eq!(fed_by(cat, Stdio::null()), "", "{cat}, /dev/null");
        assert_eq!(
            closed(program(cat), 0).stdin(Stdio::inherit()).output_of(),
            "",
            "{cat}, closed"
        );
    }
}

/// Begins with a descriptor closed.
fn closed(mut command: Command, fd: i32) -> Command {
    let close = move || {
        // SAFETY: the child has nothing that owns it.
        unsafe { libc::close(fd) };
        Ok(())
    };
    // SAFETY: one system call.
    unsafe { command.pre_exec(close) };
    command
}

trait OutputOf {
    fn output_of(&mut self) -> String;
}

impl OutputOf for Command {
    #[track_caller]
    fn output_of(&mut self) -> String {
        let output = self.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Runs "both" with one of the two being `output`.
#[track_caller]
fn write_to(fd: usize, output: impl Into<Stdio>) {
    let mut command = program("both");
    let command = match fd {
        1 => command.stdout(output).stderr(Stdio::null()),
        _ => command.stderr(output),
    };
    assert!(command.status().unwrap().success());
}

#[test]
fn output_and_error_are_written_whatever_they_are() {
    let _guard = Deadline::secs(60);
    for (fd, text) in [(1, "out\n"), (2, "err\n")] {
        let (path, stored) = file(&format!("output_{fd}"), "");
        write_to(fd, stored);
        assert_eq!(std::fs::read_to_string(path).unwrap(), text);

        let (reader, writer) = pipe();
        let ours = writer.try_clone().unwrap();
        write_to(fd, writer);
        assert!(!is_nonblocking(&ours));
        drop(ours);
        assert_eq!(read_all(reader), text);

        let (reader, writer) = UnixStream::pair().unwrap();
        let ours = writer.try_clone().unwrap();
        write_to(fd, OwnedFd::from(writer));
        assert!(!is_nonblocking(&ours));
        drop(ours);
        assert_eq!(read_all(reader), text, "a socket is not shut down for others, but is closed");

        let pty = Pty::new();
        write_to(fd, pty.slave.try_clone().unwrap());
        assert_eq!(pty.read_until("\n"), text.replace('\n', "\r\n"));
        assert!(!is_nonblocking(&pty.slave));

        write_to(fd, Stdio::null());
        // The standard library puts /dev/null in the place of what is closed.
        let mut without = closed(program("both"), fd as i32);
        assert!(without.stderr(Stdio::null()).status().unwrap().success());
    }
}

#[test]
fn each_tells_what_it_is() {
    let _guard = Deadline::secs(30);
    let (path, _) = file("kinds", "");
    let pty = Pty::new();
    let (_reader, writer) = pipe();
    let mut command = program("kinds");
    command.arg(&path).stdin(pty.slave.try_clone().unwrap()).stdout(writer);
    assert!(command.stderr(Stdio::null()).status().unwrap().success());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "[Tty, Pipe, File] true\n");
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut command = program("kinds");
    command.arg(&path).stdin(OwnedFd::from(tcp)).stdout(OwnedFd::from(udp));
    assert!(command.stderr(Stdio::null()).status().unwrap().success());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "[Tcp, Udp, File] false\n");
}

// --- the end of the program ---

#[test]
fn a_pending_read_does_not_delay_the_end() {
    let _guard = Deadline::secs(60);
    for (way, code) in [("pending", 0), ("pending_exit", 3), ("pending_main", 0)] {
        let pty = Pty::new();
        let (reader, _writer) = pipe();
        let (socket, _peer) = UnixStream::pair().unwrap();
        let silent: [Stdio; 3] =
            [reader.into(), OwnedFd::from(socket).into(), pty.slave.try_clone().unwrap().into()];
        for input in silent {
            let output = program(way).stdin(input).stdout(Stdio::piped()).output().unwrap();
            assert_eq!(output.stdout, b"done", "{way}");
            assert_eq!(output.status.code(), Some(code), "{way}");
        }
    }
}

#[test]
fn a_read_keeps_the_program_alive_until_it_stops() {
    let _guard = Deadline::secs(30);
    let (reader, mut writer) = pipe();
    let mut child = program("stops").stdin(reader).stdout(Stdio::piped()).spawn().unwrap();
    assert!(child.try_wait().unwrap().is_none());
    writer.write_all(b"what is read").unwrap();
    // The writer stays: no end comes.
    assert_eq!(read_all(child.stdout.take().unwrap()), "what is read");
    assert!(child.wait().unwrap().success());
}

/// Reads in small pieces, and begins only when the writer had to wait.
fn read_slowly(mut from: impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    let mut piece = [0; 5000];
    loop {
        match from.read(&mut piece).unwrap() {
            0 => return all,
            read => all.extend_from_slice(&piece[..read]),
        }
    }
}

fn is_all(data: &[u8]) -> bool {
    let period: Vec<u8> = (0..251).collect();
    data.len() == MUCH && data.chunks(251).all(|chunk| *chunk == period[..chunk.len()])
}

#[test]
fn what_was_written_arrives_by_whichever_way_the_program_ends() {
    let _guard = Deadline::secs(120);
    for (way, end, code) in [
        ("much", "", 0),
        ("much", "exit", 3),
        ("much", "timer_exit", 3),
        ("much", "panic", 101),
        ("much_main", "", 0),
    ] {
        let mut command = program(way);
        command.arg(end).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let read = read_slowly(child.stdout.take().unwrap());
        assert!(is_all(&read), "{way} {end}: {} bytes", read.len());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{way} {end}");

        let (socket, peer) = UnixStream::pair().unwrap();
        let mut command = program(way);
        command.arg(end).stdout(OwnedFd::from(socket)).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        drop(command);
        assert!(is_all(&read_slowly(peer)), "{way} {end}, by a socket");
        child.wait().unwrap();
    }
}

#[test]
fn a_slow_reader_holds_nothing_up_but_the_output() {
    let _guard = Deadline::secs(60);
    let mut command = program("slow");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Nothing is read before the program has said that its timers run.
    let mut word = [0; 8];
    child.stderr.as_mut().unwrap().read_exact(&mut word).unwrap();
    assert_eq!(&word, b"turning\n");
    assert!(is_all(&read_slowly(child.stdout.take().unwrap())));
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_goes_is_an_error_and_no_death() {
    let _guard = Deadline::secs(60);
    let gone = |mut child: Child| {
        let error = read_all(child.stderr.take().unwrap());
        assert_eq!(error, "BrokenPipe\nErr(BrokenPipe)\n");
        assert_eq!(child.wait().unwrap().code(), Some(7));
    };
    let mut command = program("until_gone");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0; 100]).unwrap();
    gone(child);
    // Gone from the start: the pipe can't even be opened anew.
    let (reader, writer) = pipe();
    drop(reader);
    gone(program("until_gone").stdout(writer).stderr(Stdio::piped()).spawn().unwrap());
}

#[test]
fn a_full_device_is_an_error() {
    if !PathBuf::from("/dev/full").exists() {
        return behaviour::tell("skipped: there is no /dev/full");
    }
    let _guard = Deadline::secs(30);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = program("until_gone").stdout(full).stderr(Stdio::piped()).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error, "StorageFull\nErr(StorageFull)\n");
}

// --- what is shared ---

#[test]
fn the_position_of_a_file_is_shared_with_children_and_earlier_reads() {
    let _guard = Deadline::secs(30);
    let (_, mut input) = file("position", "one\ntwo\nthree\nfour\n");
    input.read_exact(&mut [0; 4]).unwrap();
    let (path, mut output) = file("position_out", "");
    output.write_all(b"before\n").unwrap();
    let mut command = program("line_then_child");
    command.stdin(input.try_clone().unwrap()).stdout(output.try_clone().unwrap());
    assert!(command.status().unwrap().success());
    output.write_all(b"after\n").unwrap();
    let written = std::fs::read_to_string(path).unwrap();
    assert_eq!(written, "before\ntwo\nthree\nfour\nend\nafter\n");
    assert_eq!(input.stream_position().unwrap(), 19);
}

#[test]
fn of_a_pipe_only_what_was_asked_for_is_taken() {
    let _guard = Deadline::secs(30);
    let (reader, mut writer) = pipe();
    writer.write_all(b"one\ntwo\n").unwrap();
    drop(writer);
    assert_eq!(fed_by("line_then_child", reader), "one\ntwo\nend\n");
}

#[test]
fn a_file_that_was_opened_to_append_is_appended_to() {
    let _guard = Deadline::secs(30);
    let (path, _) = file("append", "first\n");
    let appending = OpenOptions::new().append(true).open(&path).unwrap();
    write_to(1, appending);
    assert_eq!(std::fs::read_to_string(path).unwrap(), "first\nout\n");
}

#[test]
fn what_several_handles_write_stays_in_order() {
    let _guard = Deadline::secs(30);
    let mut child = program("in_order").stdout(Stdio::piped()).spawn().unwrap();
    let read = String::from_utf8(read_slowly(child.stdout.take().unwrap())).unwrap();
    let expected: String = (0..20_000).map(|n| format!("{n}\n")).collect();
    assert!(read == expected, "{} bytes of {}", read.len(), expected.len());
    assert!(child.wait().unwrap().success());
}

#[test]
fn closing_ends_the_stream_and_not_the_descriptor() {
    let _guard = Deadline::secs(30);
    assert_eq!(program("close_and_again").output_of(), "one\ntwo\nthree\nfour\n");
}

#[test]
fn a_descriptor_that_is_closed_gives_its_error_to_each_call() {
    let _guard = Deadline::secs(30);
    let output = program("closed_now").stderr(Stdio::piped()).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    let bad = format!("Some({})", libc::EBADF);
    assert_eq!(error, format!("[{bad}, {bad}, {bad}, {bad}] Unknown\n"));
    assert!(output.status.success());
}
