//! Asyncs: sends from the loop's own thread and from others.

use crate::handles::{
    close, must, note, note_active, note_alive, note_wait, noting, run, settle, start_check,
    start_idle, start_prepare, start_timer,
};
use crate::sockets::{iterate, send_bytes};
use crate::table;
use behaviour::EventLog;
use runtime::handle::{Async, AsyncSender, Check, Interest, Poll};
use runtime::{Loop, ms};
use socket2::{Domain, Socket, Type};
use std::cell::OnceCell;
use std::io;
use std::rc::Rc;
use std::thread;

/// An async and its sender; libuv has one thing for both.
struct Both {
    handle: Async,
    sender: AsyncSender,
}

impl Both {
    fn new(f: impl FnMut(&Async) + 'static) -> Self {
        let handle = Async::new(f);
        let sender = handle.sender();
        Self { handle, sender }
    }
}

fn send(sender: &AsyncSender) {
    must(sender.send());
}

// --- order, and how often ---

fn asyncs_are_called_back_once_each_in_the_order_of_making(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let [first, second, third] =
        ["first", "second", "third"].map(|label| Both::new(note(log, label)).sender);
    for sender in [&third, &second, &first, &first] {
        send(sender);
    }
    iterate(lp, log, 2)
}

fn an_async_is_called_back_again_for_a_later_send(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let first = Both::new(note(log, "first")).sender;
    for _ in 0..2 {
        send(&first);
        send(&first);
        iterate(lp, log, 2)?;
    }
    Ok(())
}

fn a_send_from_another_thread_is_heard(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let first = Both::new(note(log, "first")).sender;
    thread::scope(|threads| {
        threads.spawn(|| send(&first));
    });
    iterate(lp, log, 2)
}

fn a_send_from_another_thread_ends_a_wait(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let first = Both::new(close_itself(log, "first")).sender;
    let sending = thread::spawn(move || send(&first));
    run(lp, log, Loop::run)?;
    sending.join().expect("a send does not panic");
    Ok(())
}

fn close_itself(log: &EventLog, label: &'static str) -> impl FnMut(&Async) + 'static {
    noting(log, move |log, handle| {
        log.push(label);
        close(handle, log, label);
    })
}

fn an_async_without_a_callback_ends_a_wait(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let first = Both::new(|_| ()).sender;
    let _check = start_check(note(log, "check"));
    send(&first);
    run(lp, log, Loop::run_once)
}

// --- sends in callbacks ---

fn a_send_to_itself_is_heard_in_the_next_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let mut is_again = false;
    let send_itself = move |log: &EventLog, handle: &Async| {
        log.push("first");
        if !std::mem::replace(&mut is_again, true) {
            send(&handle.sender());
        }
    };
    let first = Both::new(noting(log, send_itself)).sender;
    send(&first);
    iterate(lp, log, 3)
}

fn a_send_to_one_made_earlier_is_heard_in_the_next_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let first = Both::new(note(log, "first")).sender;
    let second = Both::new(noting(log, move |log, _| {
        log.push("second");
        send(&first);
    }));
    send(&second.sender);
    iterate(lp, log, 2)
}

/// Makes two; the callback of the second calls `act` with the third, which is made behind it.
fn second_and_third(log: &EventLog, act: impl Fn(&EventLog, &Both) + 'static) -> [AsyncSender; 2] {
    let third = Rc::new(OnceCell::<Both>::new());
    let second = Both::new({
        let third = third.clone();
        noting(log, move |log, _| {
            log.push("second");
            act(log, third.get().expect("it is made by now"));
        })
    });
    let third = third.get_or_init(|| Both::new(note(log, "third")));
    [second.sender, third.sender.clone()]
}

fn a_send_to_one_made_later_is_heard_at_once(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let [second, _third] = second_and_third(log, |_, third| send(&third.sender));
    send(&second);
    iterate(lp, log, 2)
}

fn a_send_to_one_whose_turn_is_to_come_is_not_a_second_one(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let [second, third] = second_and_third(log, |_, third| send(&third.sender));
    send(&second);
    send(&third);
    iterate(lp, log, 2)
}

fn an_async_made_and_sent_in_a_callback_is_heard_in_the_next_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let make_third = |log: &EventLog, _: &Async| {
        log.push("first");
        send(&Both::new(note(log, "third")).sender);
    };
    let first = Both::new(noting(log, make_third)).sender;
    send(&first);
    iterate(lp, log, 2)
}

fn a_send_before_poll_is_heard_in_it(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let [first, second] = ["first", "second"].map(|label| Both::new(note(log, label)).sender);
    let _idle = start_idle(noting(log, move |log, _| {
        log.push("idle");
        send(&first);
    }));
    let _prepare = start_prepare(noting(log, move |log, _| {
        log.push("prepare");
        send(&second);
    }));
    iterate(lp, log, 1)
}

fn a_send_behind_poll_is_heard_in_the_next_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let [first, third] = ["first", "third"].map(|label| Both::new(note(log, label)).sender);
    let _check = start_check(noting(log, move |log, check: &Check| {
        log.push("check");
        check.stop();
        send(&first);
    }));
    let _timer = start_timer(
        ms(0),
        noting(log, move |log, _| {
            log.push("timer");
            send(&third);
        }),
    );
    iterate(lp, log, 2)
}

// --- close ---

fn an_async_closed_in_its_callback_is_not_called_again(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let send_and_close_itself = |log: &EventLog, handle: &Async| {
        log.push("first");
        send(&handle.sender());
        close(handle, log, "first");
    };
    let first = Both::new(noting(log, send_and_close_itself)).sender;
    send(&first);
    run(lp, log, Loop::run)
}

fn an_async_closed_after_a_send_is_not_called(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let first = Both::new(note(log, "first"));
    send(&first.sender);
    close(&first.handle, log, "first");
    run(lp, log, Loop::run)
}

fn an_async_closed_by_another_of_the_same_pass_is_not_called(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let [second, third] = second_and_third(log, |log, third| close(&third.handle, log, "third"));
    send(&third);
    send(&second);
    iterate(lp, log, 2)
}

// --- alive, and the wait ---

fn an_async_keeps_the_loop_alive_until_it_is_closed(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let first = Both::new(note(log, "first"));
    note_active(log, &first.handle);
    note_alive(log, lp);
    send(&first.sender);
    iterate(lp, log, 1)?;
    note_active(log, &first.handle);
    note_alive(log, lp);
    close(&first.handle, log, "first");
    note_active(log, &first.handle);
    run(lp, log, Loop::run)
}

fn an_unreferenced_async_is_heard_while_something_is_alive(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let first = Both::new(note(log, "first"));
    first.handle.unref();
    let prepare = start_prepare(note(log, "prepare"));
    send(&first.sender);
    run(lp, log, Loop::run_nowait)?;
    prepare.stop();
    run(lp, log, Loop::run_nowait)
}

fn a_send_to_an_unreferenced_async_keeps_nothing_alive(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let first = Both::new(note(log, "first"));
    first.handle.unref();
    send(&first.sender);
    note_alive(log, lp);
    run(lp, log, Loop::run)
}

fn a_send_does_not_show_in_the_wait(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    settle(lp)?;
    let first = Both::new(note(log, "first"));
    note_wait(log, "before", lp);
    send(&first.sender);
    note_wait(log, "after", lp);
    Ok(())
}

fn asyncs_and_sockets_are_called_back_in_the_order_of_readiness(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (end, peer) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    let poll = Poll::new(&end)?;
    let mut note_poll = note(log, "poll");
    poll.start(Interest::READABLE, move |poll, ready| {
        must(ready);
        note_poll(poll);
    });
    let first = Both::new(note(log, "first"));
    iterate(lp, log, 1)?;
    send_bytes(&peer, 1)?;
    send(&first.sender);
    iterate(lp, log, 1)
}

table!(
    asyncs_are_called_back_once_each_in_the_order_of_making,
    an_async_is_called_back_again_for_a_later_send,
    a_send_from_another_thread_is_heard,
    a_send_from_another_thread_ends_a_wait,
    an_async_without_a_callback_ends_a_wait,
    a_send_to_itself_is_heard_in_the_next_iteration,
    a_send_to_one_made_earlier_is_heard_in_the_next_iteration,
    a_send_to_one_made_later_is_heard_at_once,
    a_send_to_one_whose_turn_is_to_come_is_not_a_second_one,
    an_async_made_and_sent_in_a_callback_is_heard_in_the_next_iteration,
    a_send_before_poll_is_heard_in_it,
    a_send_behind_poll_is_heard_in_the_next_iteration,
    an_async_closed_in_its_callback_is_not_called_again,
    an_async_closed_after_a_send_is_not_called,
    an_async_closed_by_another_of_the_same_pass_is_not_called,
    an_async_keeps_the_loop_alive_until_it_is_closed,
    an_unreferenced_async_is_heard_while_something_is_alive,
    a_send_to_an_unreferenced_async_keeps_nothing_alive,
    a_send_does_not_show_in_the_wait,
    asyncs_and_sockets_are_called_back_in_the_order_of_readiness,
);
