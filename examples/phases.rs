//! The order in which things run, in three parts.
//!
//! ```text
//! cargo run -p examples --example phases
//! ```
//!
//! prints
//!
//! ```text
//! -- from main
//! main, to its end
//! tick
//! tick queued by a tick
//! microtask
//! task
//! immediate (before or after the timeout: a race, in Node too)
//! timeout
//!
//! -- from a file's callback
//! the file's callback
//! tick
//! microtask
//! immediate (always before the timeout)
//! timeout
//!
//! -- one iteration of the loop
//! pending: a request that was done at once
//! idle
//! prepare
//! poll: an Async handle that was signalled
//!   tick
//!   microtask
//! check
//! check: immediates come after the Check handles
//! closing
//! timers
//! ```
//!
//! and ends, since nothing is left to wait for.

use runtime::handle::{Async, Check, Idle, Prepare, Timer};
use runtime::net::TcpStream;
use runtime::{fs, ms, next_tick, queue_microtask, set_immediate, set_timeout, spawn};

/// Like a script in Node: what is started here runs when `main` has returned.
#[runtime::main]
fn main() {
    println!("-- from main");
    // 0 becomes 1 ms, as in Node. If starting up took longer than that the timer is due before the
    // first iteration gets to the immediates, else it is not: hence the race.
    set_timeout(ms(0), || println!("timeout"));
    set_immediate(|| println!("immediate (before or after the timeout: a race, in Node too)"));
    // JavaScript: `Promise.resolve().then(..)`. Microtasks and tasks share one queue.
    queue_microtask(|| println!("microtask"));
    spawn(async { println!("task") });
    next_tick(|| {
        println!("tick");
        next_tick(|| println!("tick queued by a tick"));
    });
    println!("main, to its end");

    // Late enough for all of the above to be over.
    set_timeout(ms(20), from_a_file);
}

/// A file's callback runs in the poll phase. The check phase is next, so immediates come first.
fn from_a_file() {
    println!("\n-- from a file's callback");
    fs::metadata(file!()).callback(|_| {
        set_timeout(ms(0), || {
            println!("timeout");
            one_iteration()
        });
        set_immediate(|| println!("immediate (always before the timeout)"));
        queue_microtask(|| println!("microtask"));
        next_tick(|| println!("tick"));
        println!("the file's callback");
    });
}

/// Called in the timers phase, the last of an iteration: what is started here runs in the next.
/// It is started in the reverse order, to show that the phases make the order, not the calls.
fn one_iteration() -> runtime::Result {
    println!("\n-- one iteration of the loop");
    // libuv's timer takes 0 for 0, and is due in the next timers phase.
    Timer::new().start(ms(0), None, |_| println!("timers"))?;

    // The loop holds a handle while it is active, so these need no name out here. Each closes
    // itself, or the loop would go on for ever.
    Check::new().start(|check| {
        println!("check");
        set_immediate(|| println!("check: immediates come after the Check handles"));
        check.closed().callback(|_| println!("closing"));
        check.close();
    })?;

    let woken = Async::new(|woken| {
        println!("poll: an Async handle that was signalled");
        queue_microtask(|| println!("  microtask"));
        next_tick(|| println!("  tick"));
        woken.close();
    });
    woken.sender().send()?; // from here as well as from any other thread

    Prepare::new().start(|prepare| {
        println!("prepare");
        prepare.close();
    })?;
    Idle::new().start(|idle| {
        println!("idle");
        idle.close();
    })?;

    // That this is no address is known at once. Still the callback does not run inside of the call:
    // it waits for the pending phase.
    TcpStream::connect("nowhere")
        .callback(|_| println!("pending: a request that was done at once"));
    Ok(())
}
