//! Child processes as every system has them. What only Unix has is in `process.rs`.

use std::cell::Cell;
use std::io::ErrorKind;
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use runtime::handle::Kind;
use runtime::net::Pipe;
use runtime::process::{Command, Process, Stdio};
use runtime::{Cancelled, Loop, spawn};

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(60))
}

fn child(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_child"));
    command.args(arguments);
    command
}

/// A child that stays until its input ends.
fn staying() -> Process {
    child(&["stay"]).stdin(Stdio::piped()).spawn().unwrap()
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

#[test]
fn the_end_is_told_by_callback_when_the_handle_is_inactive() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let process = child(&["exit", "3"]).spawn().unwrap();
    assert!(process.is_active() && process.kind() == Kind::Process);
    let (told, again) = (log.clone(), process.clone());
    process.wait().callback(move |status| {
        told.push(format!("{:?} {}", status.unwrap().code(), again.is_active()));
    });
    assert!(!lp.run().unwrap());
    log.expect(["Some(3) false"]);
    assert_eq!(process.exit_status().unwrap().code(), Some(3));
}

#[test]
fn who_waits_by_await_is_told_and_the_next_one_too() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let process = child(&["exit", "7"]).spawn().unwrap();
        assert_eq!(process.wait().await.unwrap().code(), Some(7));
        assert_eq!(process.wait().await.unwrap().code(), Some(7));
    });
}

#[test]
fn what_does_not_exist_is_an_error_that_names_it() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let error = Command::new("there-is-no-such-program").spawn().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("there-is-no-such-program"), "{error}");
}

#[test]
fn arguments_variables_and_folder_arrive() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let hard = "two words, \"quotes\" and \\backslashes\\";
        let output = child(&["say", hard]).output().await.unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), hard);
        let output = child(&["variable", "CHILD_NAME"]).env("CHILD_NAME", "Bob").output();
        assert_eq!(output.await.unwrap().stdout, b"Bob");
        let folder = std::env::temp_dir().canonicalize().unwrap();
        let output = child(&["folder"]).current_dir(&folder).output().await.unwrap();
        let there = String::from_utf8(output.stdout).unwrap();
        assert_eq!(std::path::Path::new(&there).canonicalize().unwrap(), folder);
    });
}

#[test]
fn a_child_echoes_much_through_two_pipes() {
    let (mut lp, _, _guard) = start();
    let text = lp.block_on(async {
        let process =
            child(&["echo"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (process.take_stdin().unwrap(), process.take_stdout().unwrap());
        let reading = spawn(read_all(output));
        for _ in 0..100 {
            input.write("0123456789".repeat(1000)).await.unwrap();
        }
        input.shutdown().await.unwrap();
        let text = reading.await.unwrap();
        assert!(process.wait().await.unwrap().success());
        text
    });
    assert!(text == "0123456789".repeat(100_000));
}

#[test]
fn inherited_streams_are_pipes_too_and_the_end_of_the_program_loses_nothing() {
    for _ in 0..10 {
        let (mut lp, _, _guard) = start();
        let text = "0123456789".repeat(20_000);
        let echoed = lp.block_on(async {
            let mut command = child(&["echo by pipe"]);
            let process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let (input, output) = (process.take_stdin().unwrap(), process.take_stdout().unwrap());
            let reading = spawn(read_all(output));
            input.write(&text).await.unwrap();
            drop(input);
            let echoed = reading.await.unwrap();
            assert!(process.wait().await.unwrap().success());
            echoed
        });
        assert!(echoed == text);
    }
}

#[test]
fn a_child_that_does_not_read_holds_the_writer_back() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (theirs, ours) = std::io::pipe().unwrap();
        let process = child(&["stay"]).stdin(Stdio::piped()).spawn().unwrap();
        let stuck = Pipe::from_std(ours).unwrap();
        // Nobody reads: the pipe, and what carries its bytes, take so much and no more.
        let pending = stuck.write(vec![0; 4_000_000]);
        assert!(stuck.is_full());
        assert!(stuck.write_queue_size() > 1_000_000);
        drop(theirs);
        assert_eq!(pending.await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert!(process.wait().await.unwrap().success());
    });
}

#[test]
fn who_writes_to_a_child_that_has_ended_is_told() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let process = child(&["exit", "0"]).stdin(Stdio::piped()).spawn().unwrap();
        let input = process.take_stdin().unwrap();
        process.wait().await.unwrap();
        let error = loop {
            match input.write("x").await {
                Ok(()) => runtime::yield_now().await,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn waiting_closes_an_input_that_nobody_took() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async { assert!(staying().wait().await.unwrap().success()) });
}

#[test]
fn output_collects_both_streams_however_full_they_are() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let output = child(&["both", "300000"]).output().await.unwrap();
        assert_eq!((output.stdout.len(), output.stderr.len()), (300_000, 300_000));
        assert!(output.status.success());
    });
}

#[test]
fn output_over_the_limit_kills_the_child_and_says_so() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let error = child(&["both", "2000000"]).output_limit(1000).output().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        assert!(error.to_string().contains("1000"), "{error}");
    });
}

#[test]
fn a_signal_ends_the_child_and_later_ones_hit_nobody() {
    for signum in [SIGTERM, SIGKILL] {
        let (mut lp, _, _guard) = start();
        lp.block_on(async {
            let process = staying();
            let input = process.take_stdin();
            process.kill(0).unwrap();
            process.kill(signum).unwrap();
            let status = process.wait().await.unwrap();
            assert!(!status.success());
            #[cfg(windows)]
            assert_eq!(status.code(), Some(1));
            assert!(process.kill(0).is_err());
            assert!(process.kill(signum).is_err());
            drop(input);
        });
    }
}

#[test]
#[cfg(windows)]
fn a_signal_that_windows_does_not_have_is_refused() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let process = staying();
        let error = process.kill(1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("signal 1"), "{error}");
        assert_eq!(process.kill(-1).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(process.kill(99).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert!(process.wait().await.unwrap().success());
    });
}

#[test]
fn a_detached_child_runs_and_its_end_is_told() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let output = child(&["say", "alone"]).detached(true).output().await.unwrap();
        assert_eq!(output.stdout, b"alone");
    });
}

#[test]
fn an_unreferenced_child_does_not_keep_the_loop() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let process = staying();
    process.unref();
    assert!(!lp.run().unwrap());
    process.kill(SIGKILL).unwrap();
    process.ref_();
    assert!(!lp.run().unwrap());
    assert!(process.exit_status().is_some());
}

#[test]
fn a_closed_process_goes_on_and_who_waited_is_told() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let process =
            child(&["echo"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (process.take_stdin().unwrap(), process.take_stdout().unwrap());
        let waiting = process.wait();
        process.close();
        assert!(Cancelled::is_in(&waiting.await.unwrap_err()));
        input.write("still here").await.unwrap();
        drop(input);
        assert_eq!(read_all(output).await, "still here");
    });
}

#[test]
fn kill_on_drop_kills_with_the_last_handle() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let mut command = child(&["echo"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let process = command.spawn().unwrap();
        // The input stays open: nothing but the kill ends it.
        let (_input, output) = (process.take_stdin().unwrap(), process.take_stdout().unwrap());
        drop(process);
        assert_eq!(read_all(output).await, "");
    });
}

#[test]
fn everything_may_be_done_from_the_callback_of_the_end() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let process = child(&["exit", "0"]).spawn().unwrap();
    let (told, again) = (log.clone(), process.clone());
    process.wait().callback(move |_| {
        again.close();
        assert!(again.kill(SIGKILL).is_err());
        let next = child(&["exit", "5"]).spawn().unwrap();
        let next_told = told.clone();
        next.wait().callback(move |status| next_told.push(status.unwrap().code().unwrap()));
        told.push("first");
    });
    assert!(!lp.run().unwrap());
    log.expect(["first", "5"]);
}

#[test]
fn a_hundred_children_at_a_time_all_end() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let ended = Rc::new(Cell::new(0));
    for n in 0..100 {
        let process = child(&["exit", &n.to_string()]).spawn().unwrap();
        let counted = ended.clone();
        process.wait().callback(move |status| {
            assert_eq!(status.unwrap().code(), Some(n));
            counted.set(counted.get() + 1);
        });
    }
    assert!(!lp.run().unwrap());
    assert_eq!(ended.get(), 100);
}
