//! A program with a plain `main`, whose way out is named by its argument.
#![expect(clippy::print_stdout, reason = "its output is what the test reads")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use runtime::handle::Idle;
use runtime::{
    Result, before_exit, exit, ms, next_tick, on_exit, on_uncaught, on_unhandled, queue_microtask,
    set_immediate, set_timeout, spawn, spawn_blocking, spawn_eager,
};

/// Calls `exit` when it is dropped.
struct ExitOnDrop(i32);

impl Drop for ExitOnDrop {
    fn drop(&mut self) {
        exit(self.0);
    }
}

/// What must not happen after an exit.
fn never() {
    println!("NEVER");
}

/// Queues all there is, none of which may run.
fn queue_what_never_runs() {
    next_tick(never);
    queue_microtask(never);
    set_immediate(never);
    set_timeout(ms(1), never);
    drop(spawn(async { never() }));
    before_exit(never);
}

#[runtime::main]
fn main() -> Result {
    let way = std::env::args().nth(1).expect("a way out");
    on_exit(|code| println!("on_exit 1: {code}"));
    on_exit(|code| println!("on_exit 2: {code}"));
    match way.as_str() {
        "ok" => {
            set_timeout(ms(1), || println!("timer"));
            before_exit(|| println!("before_exit"));
        }
        "err" => {
            queue_what_never_runs();
            return Err("the error of main".into());
        }
        "err_handled" => {
            on_uncaught(|error| println!("uncaught: {error}"));
            next_tick(|| println!("tick"));
            set_immediate(|| println!("immediate"));
            return Err("the error of main".into());
        }
        "panic" => {
            queue_what_never_runs();
            panic!("the panic of main");
        }
        "panic_handled" => {
            on_uncaught(|error| println!("uncaught: {error}"));
            next_tick(|| println!("tick"));
            panic!("the panic of main");
        }
        "callback_err" => {
            set_immediate(|| -> Result { Err("of a callback".into()) });
            set_immediate(never);
            before_exit(never);
        }
        "callback_panic" => _ = set_immediate(|| panic!("of a callback")),
        "callback_handled" => {
            on_uncaught(|error| println!("uncaught: {error}"));
            set_immediate(|| -> Result { Err("1".into()) });
            set_immediate(|| panic!("2"));
            set_immediate(|| println!("goes on"));
        }
        "handler_fails" => {
            on_uncaught(|_| -> Result { Err("of the handler".into()) });
            set_immediate(|| -> Result { Err("1".into()) });
            set_immediate(never);
        }
        "unhandled" => {
            drop(spawn(async { panic!("of a task") }));
            set_immediate(never);
        }
        "unhandled_handled" => {
            on_unhandled(|error| println!("unhandled: {error}"));
            drop(spawn(async { panic!("of a task") }));
            set_immediate(|| println!("goes on"));
        }
        "exit_main" => {
            queue_what_never_runs();
            exit(3);
        }
        "exit_tick" => next_tick(|| {
            queue_what_never_runs();
            exit(4)
        }),
        "exit_microtask" => queue_microtask(|| {
            queue_what_never_runs();
            exit(5)
        }),
        "exit_timer" => {
            set_timeout(ms(1), || {
                queue_what_never_runs();
                exit(6)
            });
        }
        "exit_immediate" => {
            set_immediate(|| {
                queue_what_never_runs();
                exit(7)
            });
            set_immediate(never);
        }
        "exit_task" => drop(spawn(async {
            runtime::yield_microtask().await;
            queue_what_never_runs();
            exit(8)
        })),
        "exit_eager" => drop(spawn_eager(async {
            queue_what_never_runs();
            exit(9)
        })),
        "exit_closed" => {
            let idle = Idle::new();
            idle.closed().callback(|_| exit(10));
            idle.close();
        }
        "exit_pool_callback" => spawn_blocking(|| ()).callback(|_| exit(11)),
        "exit_before_exit" => before_exit(|| {
            next_tick(never);
            exit(12)
        }),
        "exit_uncaught" => {
            on_uncaught(|_| exit(14));
            set_immediate(|| -> Result { Err("1".into()) });
            set_immediate(never);
        }
        "exit_unhandled" => {
            on_unhandled(|_| exit(15));
            drop(spawn(async { panic!("of a task") }));
        }
        "exit_on_exit" => {
            on_exit(|_| exit(16));
            on_exit(|_| never());
        }
        "exit_twice" => {
            set_immediate(|| {
                let _ = catch_unwind(|| exit(17));
                println!("once");
                let _ = catch_unwind(|| exit(17));
            });
        }
        "exit_swallowed" => {
            set_immediate(|| {
                let swallowed = catch_unwind(AssertUnwindSafe(|| exit(18)));
                println!("swallowed: {}", swallowed.is_err());
                queue_what_never_runs();
            });
            set_immediate(never);
        }
        "exit_swallowed_main" => {
            let _ = catch_unwind(|| exit(19));
            queue_what_never_runs();
        }
        "exit_swallowed_task" => drop(spawn(async {
            let _ = catch_unwind(|| exit(20));
            queue_what_never_runs();
            runtime::yield_microtask().await;
            never();
        })),
        "exit_drop" => {
            let held = ExitOnDrop(21);
            set_immediate(move || drop(held));
            set_immediate(never);
        }
        "exit_drop_panicking" => {
            set_immediate(|| {
                let _held = ExitOnDrop(22);
                panic!("unwinds");
            });
        }
        "exit_teardown" => {
            let held = ExitOnDrop(23);
            drop(spawn(async move {
                let _held = held;
                std::future::pending::<()>().await;
            }));
            let held = ExitOnDrop(24);
            set_timeout(ms(1_000_000), move || drop(held)).unref();
        }
        "exit_256" => exit(256),
        "exit_minus" => exit(-1),
        "revive" => {
            let mut left = 2;
            before_exit(move || {
                println!("before_exit, {left} left");
                next_tick(|| println!("tick"));
                if left > 0 {
                    left -= 1;
                    set_immediate(|| println!("revived"));
                }
            });
            before_exit(|| println!("the other before_exit"));
        }
        "on_exit_starts" => on_exit(|_| queue_what_never_runs()),
        "unref" => {
            set_timeout(ms(1_000_000), never).unref();
            set_immediate(never).unref();
        }
        "task_left" => drop(spawn(std::future::pending::<()>())),
        "job_left" => drop(spawn_blocking(|| println!("job"))),
        other => panic!("no such way out: {other}"),
    }
    Ok(())
}
