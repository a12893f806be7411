//! Polls: the readiness of descriptors that are not the loop's own.

use crate::handles::{close, note_active, note_alive, run};
use crate::labels::status;
use crate::sockets::{connect_pair, drain, iterate, send_bytes};
use crate::table;
use behaviour::EventLog;
use runtime::Loop;
use runtime::handle::{Interest, Poll, Ready};
use socket2::{Domain, Socket, Type};
use std::fs::File;
use std::io::{self, Write};
use std::net::Shutdown;

/// One end of a pair of sockets, which is polled, and the other one.
struct Watched {
    poll: Poll,
    fd: Socket,
    peer: Socket,
}

fn init() -> io::Result<Watched> {
    let (fd, peer) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    fd.set_nonblocking(true)?;
    Ok(Watched { poll: Poll::new(&fd)?, fd, peer })
}

/// A callback that notes `LABEL=` what is ready, or the error.
fn note_ready(log: &EventLog, label: &'static str) -> impl FnMut(&Poll, io::Result<Ready>) + use<> {
    ready_then(log, label, |_, _| ())
}

/// A callback that goes on with `f` after it was noted.
fn ready_then<F: FnMut(&EventLog, &Poll)>(
    log: &EventLog,
    label: &'static str,
    mut f: F,
) -> impl FnMut(&Poll, io::Result<Ready>) + use<F> {
    let log = log.clone();
    move |poll, ready| {
        log.push(match &ready {
            Ok(ready) => format!("{label}={}", letters(*ready)),
            Err(_) => status(label, &ready),
        });
        f(&log, poll);
    }
}

fn letters(ready: Ready) -> String {
    let all = [
        (ready.is_readable(), 'r'),
        (ready.is_writable(), 'w'),
        (ready.is_disconnect(), 'd'),
        (ready.is_priority(), 'p'),
        (ready.is_error(), 'e'),
    ];
    all.iter().filter(|(is_so, _)| *is_so).map(|(_, letter)| letter).collect()
}

/// Polls, with their labels.
type Labelled = Vec<(&'static str, Poll)>;

/// Four that are polled for reading, and what each does to the others when it is called.
fn start_four(log: &EventLog, act: fn(&EventLog, &Labelled)) -> io::Result<Vec<Watched>> {
    let four = [init()?, init()?, init()?, init()?];
    let labelled = || ["0", "1", "2", "3"].into_iter().zip(four.iter().map(|one| one.poll.clone()));
    for (label, poll) in labelled() {
        let others = labelled().filter(|(_, other)| *other != poll).collect();
        poll.start(Interest::READABLE, ready_then(log, label, move |log, _| act(log, &others)));
    }
    Ok(four.into())
}

fn make_ready<'a>(all: impl IntoIterator<Item = &'a Watched>) -> io::Result<()> {
    all.into_iter().try_for_each(|watched| send_bytes(&watched.peer, 1))
}

/// Neither in that of the descriptors nor in that of their start.
fn polls_are_called_in_the_order_of_readiness(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let four = start_four(log, |_, _| ())?;
    iterate(lp, log, 1)?;
    make_ready([3, 1, 2, 0].map(|number| &four[number]))?;
    iterate(lp, log, 2)
}

fn the_first_of_four_ready_polls_closes_the_others(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let four = start_four(log, |log, others| {
        for (label, other) in others.iter().filter(|(_, other)| !other.is_closing()) {
            close(other, log, label);
        }
    })?;
    make_ready(&four)?;
    iterate(lp, log, 2)
}

fn the_first_of_four_ready_polls_stops_the_others(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let four = start_four(log, |_, others| others.iter().for_each(|(_, other)| other.stop()))?;
    make_ready(&four)?;
    iterate(lp, log, 2)
}

/// A poll that is started anew does not meet the event that was there before.
fn the_first_of_four_ready_polls_restarts_the_others(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let four = start_four(log, |log, others| {
        for (label, other) in others {
            other.start(Interest::READABLE, note_ready(log, label));
        }
    })?;
    make_ready(&four)?;
    iterate(lp, log, 1)?;
    four[0].poll.stop();
    iterate(lp, log, 1)
}

fn a_poll_is_told_only_what_it_asked_for(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let a = init()?;
    send_bytes(&a.peer, 1)?;
    a.poll.start(Interest::WRITABLE, note_ready(log, "a"));
    iterate(lp, log, 1)?;
    a.poll.start(Interest::READABLE, note_ready(log, "a"));
    iterate(lp, log, 1)?;
    a.poll.start(Interest::READABLE | Interest::WRITABLE, note_ready(log, "a"));
    iterate(lp, log, 1)
}

fn a_poll_restarted_in_its_callback_has_another_mask_and_callback(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let a = init()?;
    send_bytes(&a.peer, 1)?;
    let wait_to_write = |log: &EventLog, poll: &Poll| {
        log.push("restart");
        poll.start(Interest::WRITABLE, note_ready(log, "a"));
    };
    a.poll.start(Interest::READABLE, ready_then(log, "a", wait_to_write));
    iterate(lp, log, 3)
}

fn stop_itself(_: &EventLog, poll: &Poll) {
    poll.stop();
}

fn a_poll_stopped_in_its_callback_can_be_started_again(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let a = init()?;
    send_bytes(&a.peer, 1)?;
    a.poll.start(Interest::READABLE, ready_then(log, "a", stop_itself));
    iterate(lp, log, 2)?;
    note_alive(log, lp);
    a.poll.start(Interest::READABLE, note_ready(log, "a"));
    iterate(lp, log, 1)
}

/// To watch for nothing is a stop; to stop what is stopped is nothing.
fn a_poll_is_active_while_it_is_started(_: &mut Loop, log: &EventLog) -> io::Result<()> {
    let a = init()?;
    let start = |interest| a.poll.start(interest, note_ready(log, "a"));
    note_active(log, &a.poll);
    start(Interest::READABLE);
    note_active(log, &a.poll);
    a.poll.stop();
    a.poll.stop();
    note_active(log, &a.poll);
    start(Interest::READABLE);
    start(Interest::default());
    note_active(log, &a.poll);
    start(Interest::READABLE);
    close(&a.poll, log, "a");
    note_active(log, &a.poll);
    Ok(())
}

fn an_unreferenced_poll_keeps_nothing_alive(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let a = init()?;
    send_bytes(&a.peer, 1)?;
    a.poll.start(Interest::READABLE, note_ready(log, "a"));
    a.poll.unref();
    note_alive(log, lp);
    run(lp, log, Loop::run)
}

fn a_half_close_of_the_peer_is_a_disconnect(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let a = init()?;
    a.poll.start(Interest::DISCONNECT, note_ready(log, "a"));
    iterate(lp, log, 1)?;
    a.peer.shutdown(Shutdown::Write)?;
    iterate(lp, log, 1)?;
    a.poll.start(Interest::READABLE | Interest::DISCONNECT, note_ready(log, "a"));
    iterate(lp, log, 1)
}

fn a_hang_up_is_told_to_a_poll_that_only_reads(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let a = init()?;
    a.poll.start(Interest::READABLE, note_ready(log, "a"));
    drop(a.peer);
    iterate(lp, log, 1)
}

/// A Unix socket has an error when its peer closes without having read all.
fn a_poll_of_a_descriptor_with_an_error(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let a = init()?;
    send_bytes(&a.fd, 1)?;
    drop(a.peer);
    a.poll.start(Interest::READABLE, note_ready(log, "a"));
    iterate(lp, log, 1)?;
    note_active(log, &a.poll);
    Ok(())
}

fn two_polls_of_one_descriptor(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let a = init()?;
    let b = Poll::new(&a.fd)?;
    send_bytes(&a.peer, 1)?;
    a.poll.start(Interest::READABLE, note_ready(log, "a"));
    b.start(Interest::READABLE, note_ready(log, "b"));
    iterate(lp, log, 1)?;
    a.poll.stop();
    b.start(Interest::READABLE, note_ready(log, "b"));
    iterate(lp, log, 1)
}

fn files_and_folders_can_not_be_polled(_: &mut Loop, log: &EventLog) -> io::Result<()> {
    log.push(status("file", &Poll::new(&File::open("/proc/self/exe")?)));
    log.push(status("folder", &Poll::new(&File::open("/")?)));
    Ok(())
}

fn a_poll_closed_while_it_is_ready_is_not_called(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let a = init()?;
    a.poll.start(Interest::READABLE, note_ready(log, "a"));
    iterate(lp, log, 1)?;
    send_bytes(&a.peer, 1)?;
    close(&a.poll, log, "a");
    iterate(lp, log, 2)
}

fn a_poll_closed_in_its_callback_is_not_called_again(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let a = init()?;
    send_bytes(&a.peer, 1)?;
    let close_itself = |log: &EventLog, poll: &Poll| close(poll, log, "a");
    a.poll.start(Interest::READABLE, ready_then(log, "a", close_itself));
    run(lp, log, Loop::run)
}

/// The system forgets the descriptor when the handle closes, not when the open file ends.
fn a_closed_poll_has_no_event_though_a_duplicate_is_open(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, b) = (init()?, init()?);
    a.poll.start(Interest::READABLE, note_ready(log, "a"));
    b.poll.start(Interest::READABLE, note_ready(log, "b"));
    iterate(lp, log, 1)?;
    let _duplicate = a.fd.try_clone()?;
    close(&a.poll, log, "a");
    drop(a.fd);
    iterate(lp, log, 1)?;
    drop(a.peer);
    send_bytes(&b.peer, 1)?;
    iterate(lp, log, 2)
}

fn a_poll_to_write_waits_until_there_is_room(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let Watched { poll, fd, peer } = init()?;
    let write_all_it_takes = move |_: &EventLog, _: &Poll| {
        while (&fd).write(&[0; 64 * 1024]).is_ok() {}
    };
    poll.start(Interest::WRITABLE, ready_then(log, "a", write_all_it_takes));
    iterate(lp, log, 2)?;
    drain(&peer)?;
    iterate(lp, log, 2)
}

fn an_urgent_byte_has_priority(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (fd, peer) = connect_pair()?;
    let a = Poll::new(&fd)?;
    a.start(Interest::PRIORITY, ready_then(log, "a", stop_itself));
    peer.send_out_of_band(b"!")?;
    run(lp, log, Loop::run)
}

fn what_a_callback_makes_ready_is_told_in_the_next_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let Watched { poll: a, mut fd, peer } = init()?;
    let b = Poll::new(&peer)?;
    b.start(Interest::READABLE, note_ready(log, "b"));
    let stop_and_write = move |_: &EventLog, poll: &Poll| {
        poll.stop();
        fd.write_all(b"!").expect("there is room");
    };
    a.start(Interest::WRITABLE, ready_then(log, "a", stop_and_write));
    iterate(lp, log, 2)
}

fn a_poll_started_in_a_callback_is_called_in_the_next_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, b) = (init()?, init()?);
    make_ready([&b, &a])?;
    let stop_and_start_another = move |log: &EventLog, poll: &Poll| {
        poll.stop();
        b.poll.start(Interest::READABLE, note_ready(log, "b"));
    };
    a.poll.start(Interest::READABLE, ready_then(log, "a", stop_and_start_another));
    iterate(lp, log, 2)
}

table!(
    polls_are_called_in_the_order_of_readiness,
    the_first_of_four_ready_polls_closes_the_others,
    the_first_of_four_ready_polls_stops_the_others,
    the_first_of_four_ready_polls_restarts_the_others,
    a_poll_is_told_only_what_it_asked_for,
    a_poll_restarted_in_its_callback_has_another_mask_and_callback,
    a_poll_stopped_in_its_callback_can_be_started_again,
    a_poll_is_active_while_it_is_started,
    an_unreferenced_poll_keeps_nothing_alive,
    a_half_close_of_the_peer_is_a_disconnect,
    a_hang_up_is_told_to_a_poll_that_only_reads,
    a_poll_of_a_descriptor_with_an_error,
    two_polls_of_one_descriptor,
    files_and_folders_can_not_be_polled,
    a_poll_closed_while_it_is_ready_is_not_called,
    a_poll_closed_in_its_callback_is_not_called_again,
    a_closed_poll_has_no_event_though_a_duplicate_is_open,
    a_poll_to_write_waits_until_there_is_room,
    an_urgent_byte_has_priority,
    what_a_callback_makes_ready_is_told_in_the_next_iteration,
    a_poll_started_in_a_callback_is_called_in_the_next_iteration,
);
