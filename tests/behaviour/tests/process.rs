//! Child processes: their start, streams, signals and end.
#![cfg(unix)]

mod fs_support;
mod tcp_support;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use fs_support::TempDir;
use runtime::handle::Kind;
use runtime::net::{Pipe, TcpListener, TcpStream};
use runtime::process::{Command, Process, Stdio};
use runtime::{Cancelled, Loop, ms, set_immediate, set_timeout, spawn};
use tcp_support::{assert_passed, child, child_argument};

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(60))
}

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

async fn read_all(pipe: Pipe) -> String {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match pipe.read(&mut buffer).await.unwrap() {
            0 => return String::from_utf8(all).unwrap(),
            read => all.extend_from_slice(&buffer[..read]),
        }
    }
}

/// Whether the system knows a process of this number, be it a zombie or not.
fn is_there(pid: u32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}

// --- the end ---

#[test]
fn exit_code_and_signal_are_told_apart() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let status = sh("exit 7").spawn().unwrap().wait().await.unwrap();
        assert_eq!((status.code(), status.signal()), (Some(7), None));
        let child = sh("exec sleep 100").spawn().unwrap();
        child.kill(SIGTERM).unwrap();
        let status = child.wait().await.unwrap();
        assert_eq!((status.code(), status.signal()), (None, Some(SIGTERM)));
        assert_eq!(child.exit_status(), Some(status));
    });
}

#[test]
fn the_end_is_told_by_callback_when_the_handle_is_inactive() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let child = sh("exit 3").spawn().unwrap();
    assert!(child.is_active() && child.kind() == Kind::Process);
    let (told, again) = (log.clone(), child.clone());
    child.wait().callback(move |status| {
        told.push(format!("{:?} {}", status.unwrap().code(), again.is_active()));
        let later = told.clone();
        again
            .wait()
            .callback(move |status| later.push(format!("again {:?}", status.unwrap().code())));
    });
    assert!(!lp.run().unwrap());
    log.expect(["Some(3) false", "again Some(3)"]);
}

#[test]
fn a_dropped_process_keeps_the_loop_until_its_end_and_an_unreferenced_one_does_not() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(sh("echo done").stdout(writer).spawn().unwrap());
    assert!(!lp.run().unwrap());
    let mut text = String::new();
    let mut reader = reader;
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "done\n");

    let child = sh("exec sleep 100").spawn().unwrap();
    child.unref();
    assert!(!lp.run().unwrap());
    child.kill(SIGKILL).unwrap();
    child.ref_();
    assert!(!lp.run().unwrap());
    assert!(!is_there(child.id()));
}

#[test]
fn all_who_wait_are_told_though_the_callback_of_one_fails() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let child = sh("true").spawn().unwrap();
    child.wait().callback(|_| -> runtime::Result { Err("first".into()) });
    child.wait().callback(log.clone().note("second"));
    let third = child.wait();
    let told = log.clone();
    spawn(async move { told.push(format!("third {}", third.await.unwrap().success())) });
    assert_eq!(lp.run().unwrap_err().to_string(), "first");
    assert!(!lp.run().unwrap());
    let mut seen = log.take();
    seen.sort();
    assert_eq!(seen, ["second", "third true"]);
}

#[test]
fn an_exit_comes_after_the_output_of_the_same_batch_and_before_check() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let child = sh("echo out; exit 0").stdout(Stdio::piped()).spawn().unwrap();
    // Both have happened before the loop looks.
    let seen = log.clone();
    child.take_stdout().unwrap().read_start(move |_, data| {
        if !data.unwrap().is_empty() {
            seen.push("data");
        }
    });
    let (told, then) = (log.clone(), log.clone());
    child.wait().callback(move |_| {
        told.push("exit");
        set_immediate(move || then.push("immediate"));
        let tick = told.clone();
        runtime::next_tick(move || tick.push("tick"));
    });
    let pid = child.id();
    while !is_zombie(pid) {
        std::thread::yield_now();
    }
    assert!(!lp.run().unwrap());
    log.expect(["data", "exit", "tick", "immediate"]);
}

fn is_zombie(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
}

// --- the start ---

#[test]
fn what_can_not_start_is_an_error_of_the_call_that_names_it() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let error = Command::new("/nowhere/nosuch").spawn().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("/nowhere/nosuch"), "{error}");
    let error = Command::new("nosuch-program-anywhere").spawn().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = Command::new("/etc/passwd").spawn().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let error = sh("true").current_dir("/nowhere").spawn().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = Command::new("a\0b").spawn().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn failed_starts_lose_no_exit_of_another_child_and_leave_nothing() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let child = sh("read x; exit 5").stdin(Stdio::piped()).spawn().unwrap();
        let input = child.take_stdin().unwrap();
        for _ in 0..100 {
            assert!(Command::new("/nowhere/nosuch").detached(true).spawn().is_err());
        }
        input.write("go\n").await.unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(5));
    });
}

#[test]
fn arguments_environment_and_folder_arrive() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let mut command = sh(r#"printf '%s|%s|%s|%s' "$0" "$1" "$ADDED" "${HOME-none}"; pwd"#);
        command.args(["zero", "two words"]).env("ADDED", "yes").env_remove("HOME").current_dir("/");
        let output = command.output().await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "zero|two words|yes|none/\n");
        let output = Command::new("env").env_clear().env("ONLY", "one").output().await.unwrap();
        assert_eq!(output.stdout, b"ONLY=one\n");
        let output = sh("echo $0").arg0("other").output().await.unwrap();
        assert_eq!(output.stdout, b"other\n");
    });
}

#[test]
fn a_program_is_looked_for_in_the_path_that_the_child_gets() {
    let (mut lp, _, _guard) = start();
    let dir = TempDir::new();
    std::fs::copy("/bin/sh", dir.join("a-shell-of-this-test")).unwrap();
    lp.block_on(async {
        let mut command = Command::new("a-shell-of-this-test");
        command.args(["-c", "exit 6"]);
        assert_eq!(command.status().await.unwrap_err().kind(), ErrorKind::NotFound);
        command.env("PATH", dir.path());
        assert_eq!(command.status().await.unwrap().code(), Some(6));
        command.env_clear().env("PATH", dir.path());
        assert_eq!(command.status().await.unwrap().code(), Some(6));
    });
}

#[test]
fn an_id_that_can_not_be_had_is_an_error_of_the_call() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (id, expected) = if rustix::process::geteuid().is_root() {
        (u32::MAX, ErrorKind::InvalidInput)
    } else {
        (0, ErrorKind::PermissionDenied)
    };
    for command in [sh("exit 0").uid(id), sh("exit 0").gid(id)] {
        let error = command.spawn().unwrap_err();
        assert_eq!(error.kind(), expected, "{error}");
        assert!(error.to_string().contains("\"sh\""), "{error}");
    }
    assert!(!lp.run().unwrap());
}

/// What is ignored stays ignored, as for `nohup`; but for `SIGPIPE`, which Rust ignores by itself.
#[test]
#[cfg(target_os = "linux")]
fn a_child_inherits_what_is_ignored_except_the_signal_of_a_broken_pipe() {
    const IGNORED: i32 = libc::SIGURG;
    let (mut lp, _, _guard) = start();
    // SAFETY: a signal that is ignored by default, too.
    unsafe { libc::signal(IGNORED, libc::SIG_IGN) };
    lp.block_on(async {
        for is_detached in [false, true] {
            let mut command = Command::new("grep");
            command.args(["^SigIgn:", "/proc/self/status"]).detached(is_detached);
            let text = String::from_utf8(command.output().await.unwrap().stdout).unwrap();
            let ignored = u64::from_str_radix(text["SigIgn:".len()..].trim(), 16).unwrap();
            let is_ignored = |signum: i32| ignored >> (signum - 1) & 1 == 1;
            assert!(is_ignored(IGNORED) && !is_ignored(libc::SIGPIPE), "{text}");
        }
    });
}

#[test]
fn a_child_runs_as_another_user() {
    let (mut lp, _, _guard) = start();
    if !rustix::process::geteuid().is_root() {
        behaviour::tell("skipped: only root may change the user");
        return;
    }
    lp.block_on(async {
        let output = sh("id -u; id -g; id -G").uid(65534).gid(65534).output().await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "65534\n65534\n65534\n");
    });
}

#[test]
fn a_child_has_no_signal_blocked_though_its_parent_has() {
    let (mut lp, _, _guard) = start();
    let former = block(SIGTERM);
    lp.block_on(async {
        let mut command = sh("kill -TERM $$; exit 3");
        for _ in 0..2 {
            assert_eq!(command.status().await.unwrap().signal(), Some(SIGTERM));
        }
    });
    set_blocked(&former);
}

/// Blocks a signal for this thread; gives what was blocked before.
fn block(signum: i32) -> libc::sigset_t {
    // SAFETY: a C type of integers; and each call is given sets that live until it returns.
    unsafe {
        let (mut set, mut former) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, signum);
        assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, &set, &mut former), 0);
        former
    }
}

fn set_blocked(set: &libc::sigset_t) {
    // SAFETY: the set lives until the call returns.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, set, std::ptr::null_mut()) };
}

#[test]
fn a_detached_child_leads_its_own_session() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let child = sh("cut -d' ' -f1,5,6 /proc/self/stat; echo $$; cut -d' ' -f5,6 /proc/$$/stat")
            .detached(true)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let text = read_all(child.take_stdout().unwrap()).await;
        let last = text.lines().last().unwrap();
        let id = child.id().to_string();
        assert_eq!(last, format!("{id} {id}"), "{text}");
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn while_sigchld_is_ignored_the_end_is_told_without_a_status() {
    let name = "while_sigchld_is_ignored_the_end_is_told_without_a_status";
    if child_argument().is_none() {
        return assert_passed(&child("exec", name, "yes"));
    }
    // SAFETY: an action of this process, which is this test's.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    let (mut lp, log, _guard) = start();
    lp.block_on(async {
        let child = sh("echo text; exit 3").stdout(Stdio::piped()).spawn().unwrap();
        assert_eq!(read_all(child.take_stdout().unwrap()).await, "text\n");
        assert!(is_echild(child.wait().await));
        assert!(is_echild(sh("exit 3").output().await));
        let told = log.clone();
        sh("exit 3").status().callback(move |status| told.push(is_echild(status)));
    });
    assert!(!lp.run().unwrap());
    log.expect(["true"]);
}

/// Some numbers are left, and one more each time: too few for the streams, for what tells of the end,
/// for what tells of the start, or enough.
#[test]
#[cfg(target_os = "linux")]
fn without_descriptors_a_child_is_started_or_not_and_nothing_is_left() {
    let name = "without_descriptors_a_child_is_started_or_not_and_nothing_is_left";
    if child_argument().is_none() {
        return assert_passed(&child("ulimit -n 60 && exec", name, "yes"));
    }
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (mut failed, mut started) = (0, 0);
    for free in 0..16 {
        let mut files: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        files.truncate(files.len() - free);
        let before = open_descriptors_of_this_process();
        let mut command = sh("cat; exit 5");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        match command.spawn() {
            Ok(child) => {
                assert_eq!(lp.block_on(child.wait()).unwrap().code(), Some(5));
                started += 1;
            }
            Err(error) => {
                assert!(error.to_string().contains("os error 24"), "{error}");
                failed += 1;
            }
        }
        assert!(!lp.run().unwrap());
        while has_children() {
            std::thread::yield_now();
        }
        assert_eq!(open_descriptors_of_this_process(), before, "with {free} free");
        drop(files);
    }
    assert!(failed > 0 && started > 0, "{failed} {started}");
}

/// By trying each number: a directory of them could not be opened.
#[cfg(target_os = "linux")]
fn open_descriptors_of_this_process() -> usize {
    // SAFETY: it is asked only, by numbers that may be anything.
    (0..60).filter(|number| unsafe { libc::fcntl(*number, libc::F_GETFD) } >= 0).count()
}

/// Whether there is a child that nobody has waited for.
#[cfg(target_os = "linux")]
fn has_children() -> bool {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::All, options).err() != Some(rustix::io::Errno::CHILD)
}

// --- streams ---

#[test]
fn a_child_echoes_through_two_pipes() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let mut cat = Command::new("cat");
        let child = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.take_stdin().unwrap(), child.take_stdout().unwrap());
        assert!(child.take_stdin().is_none() && child.take_stderr().is_none());
        let data: String = (0..300_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
        let reading = spawn(read_all(output));
        input.write(&data).await.unwrap();
        input.shutdown().await.unwrap();
        assert!(reading.await.unwrap() == data);
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn a_child_that_does_not_read_holds_the_writer_back() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let child = sh("read x; cat >/dev/null; exit 0").stdin(Stdio::piped()).spawn().unwrap();
    let input = child.take_stdin().unwrap();
    let drained = log.clone();
    input.on_drain(move |input| {
        drained.push("drained");
        input.shutdown();
    });
    input.write(vec![b'x'; 1_000_000]);
    assert!(input.is_full());
    input.write("\n");
    assert!(!lp.run().unwrap());
    log.expect(["drained"]);
    assert!(child.exit_status().unwrap().success());
}

#[test]
fn a_child_that_ends_early_is_a_broken_pipe_for_who_writes() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let child = sh("exec 0<&-; exit 4").stdin(Stdio::piped()).spawn().unwrap();
        let input = child.take_stdin().unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(4));
        assert_eq!(input.write("x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn waiting_closes_an_input_that_nobody_took() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let child =
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn streams_go_to_files_and_to_nowhere() {
    let (mut lp, _, _guard) = start();
    let path = std::env::temp_dir().join(format!("runtime-process-{}", std::process::id()));
    let mut file =
        File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    lp.block_on(async {
        let (out, err) = (file.try_clone().unwrap(), file.try_clone().unwrap());
        let mut command = sh("cat; echo to stdout; echo to stderr >&2");
        let status = command.stdin(Stdio::null()).stdout(out).stderr(err).status().await.unwrap();
        assert!(status.success());
    });
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "to stdout\nto stderr\n");
}

#[test]
fn output_and_error_may_change_places() {
    if child_argument().is_some() {
        let (mut lp, _, _guard) = start();
        lp.block_on(async {
            let mut command = sh("echo to stdout; echo to stderr >&2");
            command.stdout(std::io::stderr()).stderr(std::io::stdout());
            assert!(command.status().await.unwrap().success());
        });
        return;
    }
    let output = child("exec", "output_and_error_may_change_places", "yes");
    assert_passed(&output);
    let has = |stream: &[u8], text| String::from_utf8_lossy(stream).contains(text);
    assert!(has(&output.stdout, "to stderr") && !has(&output.stdout, "to stdout"));
    assert!(has(&output.stderr, "to stdout") && !has(&output.stderr, "to stderr"));
}

#[test]
fn a_child_serves_a_connection_as_its_standard_streams() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
        client.write("what waits already, ").await.unwrap();
        let (accepted, _) = server.accept().await.unwrap();
        let socket = accepted.into_std().unwrap();
        // What the loop does not need a program may not expect.
        socket.set_nonblocking(false).unwrap();
        let mut cat = Command::new("cat");
        cat.stdin(OwnedFd::from(socket.try_clone().unwrap())).stdout(OwnedFd::from(socket));
        let child = cat.spawn().unwrap();
        drop(cat);
        client.write("and what comes").await.unwrap();
        client.shutdown().await.unwrap();
        let (mut all, mut buffer) = (Vec::new(), [0; 64]);
        while let read @ 1.. = client.read(&mut buffer).await.unwrap() {
            all.extend_from_slice(&buffer[..read]);
        }
        assert_eq!(String::from_utf8_lossy(&all), "what waits already, and what comes");
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn descriptors_above_two_arrive_by_their_numbers_also_crosswise() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (one_reader, one_writer) = std::io::pipe().unwrap();
        let (two_reader, two_writer) = std::io::pipe().unwrap();
        let (one, two) = (OwnedFd::from(one_writer), OwnedFd::from(two_writer));
        // Each is to have the number that the other one has here.
        use std::os::fd::AsRawFd;
        let (for_one, for_two) = (two.as_raw_fd(), one.as_raw_fd());
        let mut command = sh(&format!("echo one >/dev/fd/{for_one}; echo two >/dev/fd/{for_two}"));
        command.fd(for_one, one).fd(for_two, two);
        let child = command.spawn().unwrap();
        drop(command);
        let one = read_all(Pipe::from_std(one_reader).unwrap()).await;
        let two = read_all(Pipe::from_std(two_reader).unwrap()).await;
        assert_eq!((&*one, &*two), ("one\n", "two\n"));
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn a_failed_start_is_told_whatever_numbers_the_descriptors_have() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    for number in 3..40 {
        let null = File::open("/dev/null").unwrap();
        let error = Command::new("/nowhere/nosuch").fd(number, null).spawn().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "number {number}");
    }
}

#[test]
fn descriptors_that_can_not_be_given_are_refused() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let null = || File::open("/dev/null").unwrap();
    let refused = |command: &mut Command, text: &str| {
        let error = command.spawn().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(text), "{error}");
    };
    refused(sh("true").fd(2, null()), "descriptor 2");
    refused(sh("true").fd(-1, null()), "descriptor -1");
    refused(sh("true").fd(7, null()).fd(7, null()), "descriptor 7 was given twice");
    refused(sh("true").fd(i32::MAX, null()), "limit of open files");
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap();
    refused(sh("true").fd(i32::try_from(limit).unwrap(), null()), "limit of open files");
}

#[test]
fn no_other_descriptor_is_inherited() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        // What this process was started with itself goes on to every child.
        let before = sh("ls /proc/self/fd").output().await.unwrap();
        let (_reader, _writer) = Pipe::pair().unwrap();
        let listener = runtime::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let child = sh("read x").stdin(Stdio::piped()).spawn().unwrap();
        let after = sh("ls /proc/self/fd").output().await.unwrap();
        assert_eq!(after.stdout, before.stdout);
        drop((listener, child));
    });
}

// --- output ---

#[test]
fn output_collects_both_streams_however_full_they_are() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let script = "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero; exit 9";
        let output = sh(script).output().await.unwrap();
        assert_eq!((output.stdout.len(), output.stderr.len()), (300_000, 300_000));
        assert_eq!(output.status.code(), Some(9));
    });
}

#[test]
fn output_over_the_limit_kills_the_child_and_says_so() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let error = sh("exec cat /dev/zero").output_limit(100_000).output().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        assert!(error.to_string().contains("stdout") && error.to_string().contains("100000"));
        let error = sh("exec cat /dev/zero >&2").output_limit(9).output().await.unwrap_err();
        assert!(error.to_string().contains("stderr"), "{error}");
    });
    let _here = lp.enter();
    assert!(!lp.run().unwrap(), "the children are gone");
}

#[test]
fn output_over_the_limit_is_told_though_a_grandchild_keeps_the_other_stream_open() {
    let (mut lp, _, _guard) = start();
    let (input, end_of_grandchild) = std::io::pipe().unwrap();
    lp.block_on(async {
        let mut command = sh("exec 3<&0; read x <&3 & exec cat /dev/zero >&2");
        let error = command.stdin(input).output_limit(9).output().await.unwrap_err();
        assert!(error.to_string().contains("stderr"), "{error}");
    });
    drop(end_of_grandchild);
}

#[test]
fn output_by_callback_and_of_what_does_not_start() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let told = log.clone();
    sh("echo hi").output().callback(move |output| {
        told.push(String::from_utf8(output.unwrap().stdout).unwrap().trim());
    });
    let told = log.clone();
    Command::new("/nowhere/x")
        .output()
        .callback(move |output| told.push(output.unwrap_err().kind()));
    assert!(!lp.run().unwrap());
    log.expect(["entity not found", "hi"]);
}

#[test]
fn a_dropped_request_for_output_lets_the_child_go_on_or_kills_it() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let path = std::env::temp_dir().join(format!("runtime-output-{}", std::process::id()));
    let script = format!("echo done > {}", path.display());
    drop(sh(&script).output());
    assert!(!lp.run().unwrap());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "done\n");
    std::fs::remove_file(&path).unwrap();

    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = sh("exec sleep 100");
    drop(command.stdout(writer).kill_on_drop(true).output());
    drop(command);
    assert!(!lp.run().unwrap());
    // The end comes when the child is gone.
    let mut reader = reader;
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
}

// --- signals and handles that go ---

#[test]
fn a_signal_after_the_end_hits_nobody() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let child = sh("exec sleep 100").spawn().unwrap();
        child.kill(0).unwrap();
        assert_eq!(child.kill(1000).unwrap_err().kind(), ErrorKind::InvalidInput);
        child.kill(SIGKILL).unwrap();
        child.wait().await.unwrap();
        let esrch = rustix::io::Errno::SRCH.raw_os_error();
        assert_eq!(child.kill(0).unwrap_err().raw_os_error(), Some(esrch));
        assert_eq!(child.kill(SIGTERM).unwrap_err().raw_os_error(), Some(esrch));
    });
}

#[test]
fn a_status_that_another_part_of_the_program_took_is_an_error_and_no_hang() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let child = sh("exit 3").spawn().unwrap();
    let told = log.clone();
    child.wait().callback(move |status| told.push(is_echild(status)));
    let pid = i32::try_from(child.id()).unwrap();
    let mut status = 0;
    // SAFETY: the number of a child, and room for its status.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert!(!lp.run().unwrap());
    log.expect(["true"]);
    // Who asks later is told the same, and nobody is hit.
    assert!(is_echild(lp.block_on(child.wait())));
    assert!(child.exit_status().is_none());
    let esrch = rustix::io::Errno::SRCH.raw_os_error();
    assert_eq!(child.kill(SIGKILL).unwrap_err().raw_os_error(), Some(esrch));
}

fn is_echild<T>(result: std::io::Result<T>) -> bool {
    result.err().and_then(|error| error.raw_os_error()) == Some(libc::ECHILD)
}

#[test]
fn a_closed_process_goes_on_and_who_waited_is_told() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = sh("read x; echo went on");
    let child = command.stdin(Stdio::piped()).stdout(writer).spawn().unwrap();
    drop(command);
    let input = child.take_stdin().unwrap();
    let told = log.clone();
    child.wait().callback(move |status| told.push(Cancelled::is_in(&status.unwrap_err())));
    child.closed().callback(log.clone().note("closed"));
    child.close();
    assert!(child.kill(0).is_err() && !child.is_active());
    input.write("\n");
    input.shutdown();
    assert!(!lp.run().unwrap());
    log.expect(["true", "closed"]);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "went on\n");
    while is_there(child.id()) {
        std::thread::yield_now();
    }
}

#[test]
#[cfg(all(target_os = "linux", not(runtime_no_pidfd)))]
fn one_thread_waits_for_all_children_that_outlive_their_handles() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let children: Vec<_> = (0..20)
        .map(|_| Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
        .collect();
    let inputs: Vec<_> = children.iter().map(|child| child.take_stdin().unwrap()).collect();
    // A thread has the name of its maker until it gives itself its own.
    let own_name = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
    let unnamed = threads_named(&own_name);
    for child in &children {
        child.close();
    }
    while threads_named(&own_name) > unnamed {
        std::thread::yield_now();
    }
    assert_eq!(threads_named("runtime-reaper\n") + threads_named("runtime-child\n"), 1);
    drop(inputs);
    for child in children {
        while is_there(child.id()) {
            std::thread::yield_now();
        }
    }
}

#[cfg(all(target_os = "linux", not(runtime_no_pidfd)))]
fn threads_named(name: &str) -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names = threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")));
    // One that ends meanwhile has no name.
    names.filter(|found| found.as_deref().is_ok_and(|found| found == name)).count()
}

#[test]
fn kill_on_drop_kills_with_the_last_handle_and_tells_who_waits() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let child = sh("exec sleep 100").kill_on_drop(true).spawn().unwrap();
    let (pid, clone) = (child.id(), child.clone());
    let told = log.clone();
    child.wait().callback(move |status| told.push(Cancelled::is_in(&status.unwrap_err())));
    drop(child);
    assert!(is_there(pid));
    drop(clone);
    assert!(!lp.run().unwrap());
    log.expect(["true"]);
    while is_there(pid) {
        std::thread::yield_now();
    }
}

#[test]
fn a_loop_that_is_dropped_leaves_no_zombie() {
    let _guard = Deadline::secs(30);
    let (pid, input) = {
        let lp = Loop::new().unwrap();
        let _here = lp.enter();
        let (reader, input) = std::io::pipe().unwrap();
        let child = sh("read x").stdin(reader).spawn().unwrap();
        (child.id(), input)
    };
    let mut input = input;
    input.write_all(b"\n").unwrap();
    while is_there(pid) {
        std::thread::yield_now();
    }
}

#[test]
fn everything_may_be_done_from_the_callback_of_the_end() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let rounds = Rc::new(Cell::new(0));
    fn again(rounds: Rc<Cell<u32>>) {
        let child = sh("exit 1").spawn().unwrap();
        let inner = child.clone();
        child.wait().callback(move |status| {
            assert_eq!(status.unwrap().code(), Some(1));
            assert!(inner.kill(0).is_err());
            inner.close();
            rounds.set(rounds.get() + 1);
            if rounds.get() < 10 {
                again(rounds.clone());
            }
        });
    }
    again(rounds.clone());
    assert!(!lp.run().unwrap());
    assert_eq!(rounds.get(), 10);
}

// --- many ---

#[test]
fn two_thousand_short_children_all_end_and_leave_no_zombie() {
    let (mut lp, _, _guard) = start();
    let ids = Rc::new(RefCell::new(Vec::new()));
    let seen = ids.clone();
    lp.block_on(async move {
        let mut under_way = Vec::new();
        for n in 0..2_000 {
            let child = Command::new("true").spawn().unwrap();
            seen.borrow_mut().push(child.id());
            under_way.push(spawn(async move { child.wait().await.unwrap() }));
            if n % 50 == 49 {
                for status in under_way.drain(..) {
                    assert!(status.await.unwrap().success());
                }
            }
        }
    });
    assert_eq!(ids.borrow().len(), 2_000);
    let us = std::process::id();
    let is_ours = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.split(' ').nth(1) == Some(&us.to_string()))
    };
    assert_eq!(ids.borrow().iter().filter(|pid| is_ours(pid)).count(), 0);
}

#[test]
fn a_timer_and_a_child_do_not_hold_each_other_up() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let child: Process = sh("exec sleep 100").spawn().unwrap();
    set_timeout(ms(1), log.mark("timer"));
    let told = log.clone();
    let ended = child.clone();
    set_timeout(ms(2), move || ended.kill(SIGKILL).unwrap());
    child.wait().callback(move |status| told.push(format!("{:?}", status.unwrap().signal())));
    assert!(!lp.run().unwrap());
    log.expect(["timer", "Some(9)"]);
}

trait Note {
    /// A callback for a request whose result does not matter.
    fn note<T>(self, event: &'static str) -> impl FnOnce(T) + 'static;
}

impl Note for EventLog {
    fn note<T>(self, event: &'static str) -> impl FnOnce(T) + 'static {
        move |_| self.push(event)
    }
}
