//! Whole programs, in processes of their own: what they say on their way out, and with which code.

use std::process::Command;

use behaviour::Deadline;

/// The exit code of a panic.
const PANICKED: i32 = 101;
/// The exit code of a main that can never be done.
const UNSETTLED: i32 = 13;

/// A program's end.
struct End {
    code: Option<i32>,
    lines: Vec<String>,
    stderr: String,
}

fn run(program: &str, way: &str) -> End {
    let output = Command::new(program).arg(way).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    End {
        code: output.status.code(),
        lines: stdout.lines().map(str::to_owned).collect(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

const PLAIN: &str = env!("CARGO_BIN_EXE_life_plain");
const ASYNC: &str = env!("CARGO_BIN_EXE_life_async");
const EXIT_MAIN: &str = env!("CARGO_BIN_EXE_life_exit_main");

/// Expects the code, what was printed, and a part of what stands on stderr (nothing, if that is empty).
#[track_caller]
fn expect<const N: usize>(program: &str, way: &str, code: i32, lines: [&str; N], stderr: &str) {
    let _guard = Deadline::secs(20);
    let end = run(program, way);
    assert_eq!(end.lines, lines, "{way}: {}", end.stderr);
    assert_eq!(end.code, Some(code), "{way}: {}", end.stderr);
    match stderr {
        "" => assert_eq!(end.stderr, "", "{way}"),
        part => assert!(end.stderr.contains(part), "{way}: {}", end.stderr),
    }
}

/// Of a plain main, which installs two `on_exit` callbacks: `lines`, and then these.
#[track_caller]
fn expect_plain<const N: usize>(way: &str, code: i32, lines: [&str; N], stderr: &str) {
    let _guard = Deadline::secs(20);
    let end = run(PLAIN, way);
    let mut all: Vec<_> = lines.map(str::to_owned).into();
    all.extend([1, 2].map(|n| format!("on_exit {n}: {code}")));
    assert_eq!(end.lines, all, "{way}: {}", end.stderr);
    // What the system keeps of a code.
    assert_eq!(end.code, Some(code & 0xff), "{way}: {}", end.stderr);
    match stderr {
        "" => assert_eq!(end.stderr, "", "{way}"),
        part => assert!(end.stderr.contains(part), "{way}: {}", end.stderr),
    }
}

#[test]
fn a_program_ends_when_nothing_is_alive() {
    expect_plain("ok", 0, ["timer", "before_exit"], "");
    expect_plain("unref", 0, [], "");
    expect_plain("task_left", 0, [], "");
    expect_plain("job_left", 0, ["job"], "");
    expect(ASYNC, "ok", 0, ["timer", "after main", "before_exit", "on_exit: 0"], "");
}

#[test]
fn the_err_of_main_is_reported_and_gives_1_at_once() {
    expect_plain("err", 1, [], "Error: \"the error of main\"");
    expect(ASYNC, "err", 1, ["on_exit: 1"], "Error: \"the error of main\"");
    expect(EXIT_MAIN, "err", 1, ["tick", "on_exit: 1"], "Error: \"the error of main\"");
}

#[test]
fn with_on_uncaught_the_err_and_the_panic_of_main_are_errors_like_any_other() {
    expect_plain("err_handled", 0, ["uncaught: the error of main", "tick", "immediate"], "");
    let panic = "the panic of main";
    expect_plain("panic_handled", 0, ["uncaught: the panic of main", "tick"], panic);
    let lines = ["uncaught: the error of main", "tick", "before_exit", "on_exit: 0"];
    expect(ASYNC, "err_handled", 0, lines, "");
}

#[test]
fn the_exit_code_that_main_returns_is_the_programs() {
    expect(ASYNC, "code", 42, ["before_exit", "on_exit: 42"], "");
}

#[test]
fn a_panic_of_main_or_of_a_callback_gives_rusts_code() {
    expect_plain("panic", PANICKED, [], "the panic of main");
    expect_plain("callback_panic", PANICKED, [], "of a callback");
    expect_plain("unhandled", PANICKED, [], "of a task");
    expect(ASYNC, "panic", PANICKED, ["on_exit: 101"], "the panic of main");
    expect(EXIT_MAIN, "panic", PANICKED, ["tick", "on_exit: 101"], "the panic of main");
}

#[test]
fn a_panic_is_reported_once() {
    let _guard = Deadline::secs(20);
    for (program, way) in [(PLAIN, "panic"), (PLAIN, "callback_panic"), (ASYNC, "panic")] {
        let end = run(program, way);
        assert_eq!(end.stderr.matches("panicked at").count(), 1, "{way}: {}", end.stderr);
    }
}

#[test]
fn a_callbacks_err_gives_1() {
    expect_plain("callback_err", 1, [], "Error: \"of a callback\"");
    expect_plain("handler_fails", 1, [], "Error: \"of the handler\"");
}

#[test]
fn what_is_handled_ends_nothing() {
    expect_plain("callback_handled", 0, ["uncaught: 1", "uncaught: 2", "goes on"], "panicked");
    expect_plain("unhandled_handled", 0, ["unhandled: of a task", "goes on"], "panicked");
}

#[test]
fn exit_ends_the_program_from_everywhere_and_nothing_else_runs() {
    for (way, code) in [
        ("exit_main", 3),
        ("exit_tick", 4),
        ("exit_microtask", 5),
        ("exit_timer", 6),
        ("exit_immediate", 7),
        ("exit_task", 8),
        ("exit_eager", 9),
        ("exit_closed", 10),
        ("exit_pool_callback", 11),
        ("exit_before_exit", 12),
        ("exit_uncaught", 14),
        ("exit_swallowed_main", 19),
        ("exit_swallowed_task", 20),
        ("exit_drop", 21),
        ("exit_256", 256),
        ("exit_minus", -1),
    ] {
        expect_plain(way, code, [], "");
    }
    expect_plain("exit_unhandled", 15, [], "of a task");
    expect(ASYNC, "exit", 3, ["on_exit: 3"], "");
    expect(EXIT_MAIN, "exit", 5, ["tick", "on_exit: 5"], "");
}

#[test]
fn a_catch_unwind_that_swallows_the_exit_does_not_save_the_loop() {
    let _guard = Deadline::secs(20);
    for (way, code, line) in [("exit_swallowed", 18, "swallowed: true"), ("exit_twice", 17, "once")]
    {
        let end = run(PLAIN, way);
        // The callbacks of `on_exit` come at once: before the payload is swallowed.
        let on_exit = [1, 2].map(|n| format!("on_exit {n}: {code}"));
        assert_eq!(end.lines, [on_exit.as_slice(), &[line.to_owned()]].concat(), "{way}");
        assert_eq!((end.code, end.stderr.as_str()), (Some(code), ""), "{way}");
    }
}

#[test]
fn exit_in_a_drop_while_a_panic_unwinds_ends_the_process_with_the_code() {
    expect_plain("exit_drop_panicking", 22, [], "unwinds");
}

#[test]
fn exit_in_a_callback_of_on_exit_changes_the_code() {
    expect(PLAIN, "exit_on_exit", 16, ["on_exit 1: 0", "on_exit 2: 0"], "");
}

#[test]
fn exit_in_the_drops_after_the_loops_end_comes_too_late() {
    expect_plain("exit_teardown", 0, [], "");
}

#[test]
fn before_exit_may_revive_the_loop_and_comes_again_on_exit_may_not() {
    let lines = [
        "before_exit, 2 left",
        "the other before_exit",
        "tick",
        "revived",
        "before_exit, 1 left",
        "the other before_exit",
        "tick",
        "revived",
        "before_exit, 0 left",
        "the other before_exit",
        "tick",
    ];
    expect_plain("revive", 0, lines, "");
    expect_plain("on_exit_starts", 0, [], "");
}

#[test]
fn a_main_that_nothing_can_wake_is_told_so_and_gives_13() {
    for way in
        ["unsettled", "unsettled_later", "unsettled_cleared", "unsettled_unref", "unsettled_closed"]
    {
        let line = format!("on_exit: {UNSETTLED}");
        expect(ASYNC, way, UNSETTLED, [line.as_str()], "`main` waits");
    }
}

#[test]
fn a_main_that_another_thread_will_wake_is_waited_for() {
    let lines = ["woken", "before_exit", "on_exit: 0"];
    expect(ASYNC, "woken_by_a_thread", 0, lines, "");
    expect(ASYNC, "task_woken_by_a_thread", 0, lines, "");
}

#[test]
fn a_program_that_ends_with_main_leaves_what_is_alive() {
    expect(EXIT_MAIN, "ok", 0, ["tick", "on_exit: 0"], "");
}
