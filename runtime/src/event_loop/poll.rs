//! The poll phase: wait for the system, then deliver.
//!
//! ```text
//!   wait ─▶ mailbox as it stands: completions, signalled handles, closures and wakes
//!        ─▶ the kernel's events, in its order; again without waiting while all slots were full
//!        ─▶ signals, then children that have ended
//!        ─▶ deferred tasks
//! ```

use std::time::Duration;

use super::progress::Entry;
use super::run::Mode;
use super::{Dispatcher, Event, Flow, State, signals};
use crate::error::Result;
use crate::task::mail::Mail;

/// Waits in one phase if each fills all slots, as libuv.
const WAITS_PER_PHASE: usize = 48;

/// The phase.
///
/// It is inlined, as is what leads to it from `run`: behind a system call a processor mispredicts the returns
/// of functions that were entered before. The first costs 35 ns, each further one 6.
#[inline(always)]
pub(super) fn run(d: &mut Dispatcher<'_>, entry: Entry, mode: Mode) -> Flow {
    let state: &State = d.state();
    let (has_waited, waits_left) = (&state.progress.has_waited, &state.progress.waits_left);
    if entry == Entry::Fresh {
        has_waited.set(false);
        waits_left.set(WAITS_PER_PHASE - 1);
    }
    if !has_waited.get() {
        let timeout = match mode {
            Mode::NoWait => Some(Duration::ZERO),
            Mode::Once if !state.progress.may_block.get() => Some(Duration::ZERO),
            Mode::Once | Mode::Default => state.poll_timeout(),
        };
        wait(state, timeout)?;
        has_waited.set(true);
        if state.poller.wakeup().take_mail() {
            collect_mail(state);
        }
    }
    if has_come(state) { deliver(d) } else { Ok(()) }
}

/// Whether there is anything to deliver, told by one look.
#[inline]
fn has_come(state: &State) -> bool {
    let mailbox = &state.mailbox;
    let queued =
        mailbox.completed.len() | state.signalled.len() | mailbox.mail.len() | state.exited.len();
    queued != 0
        || state.poller.has_events()
        || state.signals.are_due()
        || state.executor.has_deferred()
}

/// Delivers what has come, or what an error left of it.
#[inline(never)]
fn deliver(d: &mut Dispatcher<'_>) -> Flow {
    let state = d.state();
    let waits_left = &state.progress.waits_left;
    deliver_mail(d)?;
    loop {
        deliver_events(d)?;
        if !state.poller.batch_was_full() || waits_left.get() == 0 {
            break;
        }
        waits_left.set(waits_left.get() - 1);
        state.poller.look()?;
    }
    if state.signals.are_due() {
        signals::deliver(d)?;
    }
    while let Some(child) = state.exited.pop() {
        child.dispatch(Event::Turn, d)?;
    }
    if state.executor.has_deferred() {
        state.executor.resume_deferred();
        d.checkpoint()?;
    }
    Ok(())
}

/// Delivers the batch. By itself, so that the compiler has all registers for it.
#[inline(never)]
fn deliver_events(d: &mut Dispatcher<'_>) -> Flow {
    let state = d.state();
    if !state.poller.has_events() {
        return Ok(());
    }
    d.prepare_buffer();
    state.poller.deliver(|slot, ready| {
        state.events.set(state.events.get() + 1);
        match state.registry.get(slot) {
            Some(resource) => return resource.ready(ready, d),
            // Last in the batch: what they bring waits for the end of it.
            None if slot == signals::KEY => state.signals.arrived(),
            // Nobody there: it was closed by a callback of this batch.
            None => {}
        }
        Ok(())
    })
}

/// Asks the system what has come, waits for it `timeout` at most, and notes the time.
#[inline(always)] // see `run`
fn wait(state: &State, timeout: Option<Duration>) -> Result {
    state.iterations.set(state.iterations.get() + 1);
    if timeout == Some(Duration::ZERO) {
        state.poller.look()?
    } else {
        block(state, timeout)?
    }
    state.update_time();
    Ok(())
}

/// Blocks until something comes, `timeout` at most.
#[inline(never)]
fn block(state: &State, timeout: Option<Duration>) -> Result {
    let timeout = if state.clock().is_manual() { jump(state, timeout) } else { timeout };
    let wakeup = state.poller.wakeup();
    let mut left = timeout;
    // Nobody asks how long a wait took that has no end.
    let start = if timeout.is_some() { state.clock().now_ns() } else { 0 };
    loop {
        // The order matters: see `reactor::Wakeup`.
        wakeup.set_asleep();
        let now = if wakeup.has_mail() { Some(Duration::ZERO) } else { left };
        let nap = state.begin_nap(now);
        let waited = state.poller.wait(nap.or(now));
        wakeup.set_awake();
        if nap.is_some() {
            state.end_nap();
        }
        waited?;
        // A wake-up that was answered already, or a system signal, ends no wait.
        if state.poller.has_events() || wakeup.has_mail() {
            return Ok(());
        }
        if let Some(timeout) = timeout {
            let passed = Duration::from_nanos(state.clock().now_ns() - start);
            match timeout.checked_sub(passed) {
                Some(rest) if !rest.is_zero() => left = Some(whole_ms(rest)),
                _ => return Ok(()),
            }
        }
    }
}

fn whole_ms(duration: Duration) -> Duration {
    Duration::from_millis(crate::base::clock::ms_up(duration))
}

/// A manual clock jumps to the next timer if nothing but timers is waited for; otherwise what is
/// waited for comes in real time, and no timer ends that wait.
fn jump(state: &State, timeout: Option<Duration>) -> Option<Duration> {
    let timeout = timeout?;
    if state.live.waits_for_more_than_time() {
        return None;
    }
    let now = state.clock().now_ns();
    state.clock().jump_to(now.saturating_add(crate::base::clock::saturating_ns(timeout)));
    Some(Duration::ZERO)
}

/// Empties the bag: what comes later waits for the next iteration.
#[inline(never)]
fn collect_mail(state: &State) {
    let mailbox = &state.mailbox;
    state.sending.collect(mailbox);
    state.naps.came_home(mailbox.completed.len());
    if mailbox.signalled.is_empty() {
        return;
    }
    let mut signalled = Vec::new();
    while let Some(key) = mailbox.signalled.pop() {
        if let Some(resource) = state.registry.find(key) {
            signalled.push((key.serial, resource));
        }
    }
    signalled.sort_by_key(|(serial, _)| *serial);
    signalled.dedup_by_key(|(serial, _)| *serial);
    for (_, resource) in signalled {
        state.signalled.push(resource);
    }
}

fn deliver_mail(d: &mut Dispatcher<'_>) -> Flow {
    let state = d.state();
    let mailbox = &state.mailbox;
    while let Some(end) = mailbox.completed.pop() {
        state.deliver(end, d)?;
    }
    while let Some(resource) = state.signalled.pop() {
        resource.dispatch(Event::Signalled, d)?;
    }
    while let Some(mail) = mailbox.mail.pop() {
        match mail {
            Mail::Post(callback) => {
                let result = callback();
                d.done(result)?;
            }
            Mail::Wake(task) => {
                task.deliver();
                d.checkpoint()?;
            }
            Mail::WakeMain => {
                state.executor.wake_main();
                d.checkpoint()?;
            }
        }
    }
    Ok(())
}
