//! Streams: reading, writing and ending, on connected sockets.

use crate::handles::{
    close, note, note_active, note_alive, run, start_check, start_prepare, start_timer,
};
use crate::labels::flag;
use crate::sockets::{
    BUFFER, drain, fill, iterate, note_peer, note_queue, note_read, note_status, open_stream,
    read_then, send_bytes, shut_down_noted, stream_of, try_noted, write_noted,
};
use crate::table;
use behaviour::EventLog;
use runtime::net::TcpStream;
use runtime::{Cancelled, Loop, ms};
use socket2::{Domain, Socket, Type};
use std::cell::Cell;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;

const MIB: usize = 1024 * 1024;

// --- reading ---

/// Reads, and has the peer send as much again each time, 70 times; notes the reads of each iteration.
fn note_reads(lp: &mut Loop, log: &EventLog, first: usize) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    let (reads, mut fed) = (Rc::new(Cell::new(0)), 0);
    let count = reads.clone();
    send_bytes(&peer, first)?;
    a.read_start(move |_, data| -> runtime::Result {
        count.set(count.get() + 1);
        if fed < 70 {
            send_bytes(&peer, data?.len())?;
        }
        fed += 1;
        Ok(())
    });
    for _ in 0..4 {
        lp.run_nowait()?;
        log.push(reads.replace(0));
    }
    Ok(())
}

fn a_fast_peer_is_read_32_times_an_iteration(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    note_reads(lp, log, BUFFER)
}

fn a_read_that_does_not_fill_the_buffer_is_the_last_of_its_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    note_reads(lp, log, 1)
}

fn data_and_the_end_come_in_two_iterations(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    a.read_start(note_read(log, "a"));
    send_bytes(&peer, 3)?;
    drop(peer);
    iterate(lp, log, 3)
}

fn the_end_stops_reading(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    a.read_start(note_read(log, "a"));
    note_active(log, &a);
    drop(peer);
    run(lp, log, Loop::run)?;
    note_active(log, &a);
    Ok(())
}

fn reading_is_started_again_after_the_end(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    a.read_start(note_read(log, "a"));
    peer.shutdown(Shutdown::Write)?;
    iterate(lp, log, 1)?;
    a.read_start(note_read(log, "a"));
    iterate(lp, log, 1)
}

/// It has no kind of its own.
const EALREADY: i32 = if cfg!(target_os = "linux") { 114 } else { 37 };

fn a_second_reader_is_refused_and_the_first_goes_on(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    a.read_start(note_read(log, "a"));
    send_bytes(&peer, 3)?;
    let refused = log.clone();
    a.read_start(move |_, read| {
        let is_already = read.is_err_and(|error| error.raw_os_error() == Some(EALREADY));
        refused.push(if is_already { "second=EALREADY" } else { "second" });
    });
    iterate(lp, log, 1)
}

fn what_came_while_reading_was_stopped_is_read_later(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    a.read_start(note_read(log, "a"));
    a.read_stop();
    a.read_stop();
    note_active(log, &a);
    send_bytes(&peer, 3)?;
    iterate(lp, log, 2)?;
    a.read_start(note_read(log, "a"));
    note_active(log, &a);
    iterate(lp, log, 1)
}

fn a_callback_that_stops_reading_leaves_the_rest(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    a.read_start(read_then(log, "a", |_, a| a.read_stop()));
    send_bytes(&peer, BUFFER + 5)?;
    iterate(lp, log, 2)?;
    a.read_start(note_read(log, "a"));
    iterate(lp, log, 1)
}

fn a_callback_that_restarts_reading_reads_on_at_once(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    a.read_start(read_then(log, "a", |log, a| {
        a.read_stop();
        a.read_start(note_read(log, "a"));
    }));
    send_bytes(&peer, BUFFER + 5)?;
    iterate(lp, log, 1)
}

fn a_callback_that_closes_the_stream_reads_no_more(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    a.read_start(read_then(log, "a", |log, a| close(a, log, "a")));
    send_bytes(&peer, BUFFER + 5)?;
    iterate(lp, log, 2)
}

fn data_that_nobody_reads_keeps_no_loop_busy(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    a.read_start(note_read(log, "a"));
    iterate(lp, log, 1)?;
    a.read_stop();
    send_bytes(&peer, 3)?;
    let iterations = Rc::new(Cell::new(0));
    let count = iterations.clone();
    start_prepare(move |_| count.set(count.get() + 1)).unref();
    let _timer = start_timer(ms(20), note(log, "timer"));
    run(lp, log, Loop::run)?;
    log.push(if iterations.get() < 10 { "quiet" } else { "busy" });
    Ok(())
}

// --- several streams ---

/// Streams, with their labels and their peers.
type Labelled = Vec<(&'static str, TcpStream, Socket)>;

fn open_four() -> io::Result<Labelled> {
    let open = |label| open_stream().map(|(stream, peer)| (label, stream, peer));
    ["0", "1", "2", "3"].into_iter().map(open).collect()
}

fn streams_are_read_in_the_order_of_readiness(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let four = open_four()?;
    for (label, stream, _) in &four {
        stream.read_start(note_read(log, label));
    }
    iterate(lp, log, 1)?;
    for number in [3, 1, 2, 0] {
        send_bytes(&four[number].2, 1)?;
    }
    iterate(lp, log, 2)
}

fn the_first_of_four_readers_closes_all(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let four = Rc::new(open_four()?);
    for (label, stream, _) in &*four {
        let all = four.clone();
        let close_all = move |log: &EventLog, _: &TcpStream| {
            all.iter().for_each(|(label, stream, _)| close(stream, log, label));
        };
        stream.read_start(read_then(log, label, close_all));
    }
    iterate(lp, log, 1)?;
    for (_, _, peer) in &*four {
        send_bytes(peer, 1)?;
    }
    iterate(lp, log, 2)
}

/// The new stream has the number of the one that was closed, which has an event in the same batch.
fn a_descriptor_that_is_used_again_has_no_older_event(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let ((a, a_peer), (b, b_peer)) = (open_stream()?, open_stream()?);
    let fresh = Rc::new(Cell::new(None));
    let kept = fresh.clone();
    b.read_start(note_read(log, "b"));
    a.read_start(read_then(log, "a", move |log, _| {
        close(&b, log, "b");
        let (stream, peer) = open_stream().expect("a pair of sockets");
        stream.read_start(note_read(log, "fresh"));
        kept.set(Some(peer));
    }));
    iterate(lp, log, 1)?;
    send_bytes(&a_peer, 1)?;
    send_bytes(&b_peer, 1)?;
    iterate(lp, log, 2)?;
    send_bytes(&fresh.take().expect("opened by the callback"), 4)?;
    iterate(lp, log, 1)
}

fn a_closed_stream_has_no_event_though_a_duplicate_is_open(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (end, peer) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    let _duplicate = end.try_clone()?;
    let a = stream_of(end)?;
    a.read_start(note_read(log, "a"));
    iterate(lp, log, 1)?;
    close(&a, log, "a");
    iterate(lp, log, 1)?;
    send_bytes(&peer, 3)?;
    iterate(lp, log, 2)
}

// --- writing ---

fn a_write_that_is_done_at_once_is_called_back_before_check(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, _peer) = open_stream()?;
    let _check = start_check(note(log, "check"));
    write_noted(&a, log, 5, "write");
    note_queue(&a, log);
    iterate(lp, log, 1)
}

fn a_write_of_a_read_callback_is_called_back_before_check(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    let _check = start_check(note(log, "check"));
    a.read_start(read_then(log, "a", |log, a| write_noted(a, log, 3, "write")));
    send_bytes(&peer, 3)?;
    iterate(lp, log, 1)
}

/// Writes a little; the callback looks at the queue and writes more.
fn write_twice(a: &TcpStream, log: &EventLog) {
    let (stream, noting, written) = (a.clone(), log.clone(), note_status(log, "write"));
    a.write("first").callback(move |result| {
        written(result);
        note_queue(&stream, &noting);
        try_noted(&stream, &noting, 5);
    });
}

fn a_write_callback_finds_the_queue_empty(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    write_twice(&a, log);
    iterate(lp, log, 1)?;
    fill(&a);
    write_twice(&a, log);
    drain(&peer)?;
    iterate(lp, log, 1)
}

fn writes_of_write_callbacks_are_nine_an_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    fn write(stream: &TcpStream, writes: &Rc<Cell<u32>>) {
        let (next, count) = (stream.clone(), writes.clone());
        stream.write("!").callback(move |written| -> runtime::Result {
            written?;
            count.set(count.get() + 1);
            write(&next, &count);
            Ok(())
        });
    }
    let (a, _peer) = open_stream()?;
    let writes = Rc::default();
    write(&a, &writes);
    for _ in 0..3 {
        lp.run_nowait()?;
        log.push(writes.replace(0));
    }
    Ok(())
}

fn no_callback_runs_inside_of_the_call_that_asks_for_it(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    send_bytes(&peer, 3)?;
    write_noted(&a, log, 5, "write");
    a.read_start(note_read(log, "a"));
    shut_down_noted(&a, log, "shutdown");
    log.push("asked");
    iterate(lp, log, 1)?;
    close(&a, log, "a");
    log.push("asked");
    iterate(lp, log, 1)
}

fn the_queue_counts_bytes_until_they_are_written(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    fill(&a);
    write_noted(&a, log, 5, "1");
    note_queue(&a, log);
    write_noted(&a, log, 7, "2");
    note_queue(&a, log);
    iterate(lp, log, 1)?;
    drain(&peer)?;
    iterate(lp, log, 1)?;
    note_queue(&a, log);
    Ok(())
}

fn a_write_that_goes_out_in_parts_is_called_back_once(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    let mut received = 0;
    write_noted(&a, log, MIB, "write");
    while received < MIB {
        received += drain(&peer)?;
        lp.run_nowait()?;
    }
    log.push(format!("peer={received}"));
    Ok(())
}

fn small_writes_behind_a_big_one_are_done_with_it(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    fill(&a);
    write_noted(&a, log, BUFFER, "big");
    write_noted(&a, log, 1, "1");
    write_noted(&a, log, 1, "2");
    iterate(lp, log, 1)?;
    drain(&peer)?;
    iterate(lp, log, 1)
}

fn forty_queued_writes_are_done_in_one_iteration(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    let writes = Rc::new(Cell::new(0));
    fill(&a);
    for _ in 0..40 {
        let count = writes.clone();
        a.write("!").callback(move |written| -> runtime::Result {
            written?;
            count.set(count.get() + 1);
            Ok(())
        });
    }
    drain(&peer)?;
    iterate(lp, log, 1)?;
    log.push(writes.get());
    Ok(())
}

fn an_empty_write_is_done_in_its_turn(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    write_noted(&a, log, 0, "alone");
    iterate(lp, log, 1)?;
    fill(&a);
    write_noted(&a, log, 5, "1");
    write_noted(&a, log, 0, "empty");
    write_noted(&a, log, 5, "3");
    iterate(lp, log, 1)?;
    drain(&peer)?;
    iterate(lp, log, 1)
}

fn writes_of_two_streams_that_are_done_at_once(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let ((a, _a_peer), (b, _b_peer)) = (open_stream()?, open_stream()?);
    write_noted(&a, log, 1, "a1");
    write_noted(&b, log, 1, "b1");
    write_noted(&a, log, 1, "a2");
    iterate(lp, log, 1)
}

fn reading_comes_before_writing(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    a.read_start(note_read(log, "a"));
    fill(&a);
    write_noted(&a, log, 5, "write");
    iterate(lp, log, 1)?;
    drain(&peer)?;
    send_bytes(&peer, 3)?;
    iterate(lp, log, 1)
}

fn try_write_never_waits_and_never_overtakes(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    try_noted(&a, log, 5);
    fill(&a);
    try_noted(&a, log, 5);
    drain(&peer)?;
    try_noted(&a, log, 5);
    fill(&a);
    write_noted(&a, log, 5, "write");
    drain(&peer)?;
    try_noted(&a, log, 5);
    iterate(lp, log, 1)?;
    try_noted(&a, log, 5);
    Ok(())
}

fn a_stream_that_only_writes_is_alive_and_not_active(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    fill(&a);
    note_alive(log, lp);
    write_noted(&a, log, 5, "write");
    note_active(log, &a);
    note_alive(log, lp);
    drain(&peer)?;
    run(lp, log, Loop::run)
}

fn an_unreferenced_stream_is_alive_while_it_writes(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    a.unref();
    fill(&a);
    a.read_start(note_read(log, "a"));
    note_alive(log, lp);
    write_noted(&a, log, 5, "write");
    note_alive(log, lp);
    drain(&peer)?;
    run(lp, log, Loop::run)
}

// --- failing ---

fn a_write_to_a_peer_that_is_gone(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    drop(peer);
    write_noted(&a, log, 5, "write");
    iterate(lp, log, 1)?;
    try_noted(&a, log, 5);
    write_noted(&a, log, 5, "write");
    iterate(lp, log, 1)
}

fn queued_writes_to_a_peer_that_goes_away(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    fill(&a);
    ["1", "2", "3"].into_iter().for_each(|label| write_noted(&a, log, 5, label));
    drain(&peer)?;
    drop(peer);
    iterate(lp, log, 1)
}

/// A Unix socket is reset when its peer closes without having read all.
fn queued_writes_of_a_stream_that_reads_a_reset(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    a.read_start(note_read(log, "a"));
    fill(&a);
    ["1", "2", "3"].into_iter().for_each(|label| write_noted(&a, log, 5, label));
    drop(peer);
    iterate(lp, log, 1)
}

// --- ending ---

fn after_the_end_of_the_peer_writing_goes_on(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    a.read_start(note_read(log, "a"));
    peer.shutdown(Shutdown::Write)?;
    iterate(lp, log, 1)?;
    write_noted(&a, log, 5, "write");
    iterate(lp, log, 1)?;
    note_peer(log, &peer);
    Ok(())
}

fn after_shutdown_reading_goes_on(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    a.read_start(note_read(log, "a"));
    shut_down_noted(&a, log, "shutdown");
    iterate(lp, log, 1)?;
    note_peer(log, &peer);
    send_bytes(&peer, 3)?;
    iterate(lp, log, 1)?;
    drop(peer);
    iterate(lp, log, 1)
}

fn after_shutdown_nothing_is_written(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, _peer) = open_stream()?;
    shut_down_noted(&a, log, "shutdown");
    iterate(lp, log, 1)?;
    try_noted(&a, log, 5);
    write_noted(&a, log, 5, "write");
    iterate(lp, log, 1)
}

fn while_shutdown_waits_nothing_is_written(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    fill(&a);
    write_noted(&a, log, 5, "1");
    shut_down_noted(&a, log, "shutdown");
    write_noted(&a, log, 5, "2");
    iterate(lp, log, 1)?;
    drain(&peer)?;
    iterate(lp, log, 1)
}

fn a_second_shutdown_is_refused(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, _peer) = open_stream()?;
    shut_down_noted(&a, log, "first");
    iterate(lp, log, 1)?;
    shut_down_noted(&a, log, "second");
    iterate(lp, log, 1)
}

fn shutdown_waits_for_the_queue(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    fill(&a);
    write_noted(&a, log, 5, "1");
    write_noted(&a, log, 5, "2");
    shut_down_noted(&a, log, "shutdown");
    iterate(lp, log, 1)?;
    drain(&peer)?;
    iterate(lp, log, 1)?;
    note_peer(log, &peer);
    note_peer(log, &peer);
    Ok(())
}

fn a_stream_of_which_both_directions_have_ended(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    a.read_start(note_read(log, "a"));
    shut_down_noted(&a, log, "shutdown");
    peer.shutdown(Shutdown::Write)?;
    iterate(lp, log, 1)?;
    log.push(flag("closing", a.is_closing()));
    Ok(())
}

fn what_waits_to_be_written_is_cancelled_by_the_close(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, _peer) = open_stream()?;
    write_noted(&a, log, MIB, "1");
    write_noted(&a, log, MIB, "2");
    shut_down_noted(&a, log, "shutdown");
    close(&a, log, "a");
    iterate(lp, log, 1)
}

/// How many writes ended how.
#[derive(Default)]
struct Outcomes {
    done: Cell<u32>,
    cancelled: Cell<u32>,
    disorder: Cell<bool>,
}

impl Outcomes {
    fn count(&self, written: io::Result<()>) {
        let counter = match &written {
            Ok(()) => &self.done,
            Err(error) if Cancelled::is_in(error) => &self.cancelled,
            Err(_) => return,
        };
        self.disorder.set(self.disorder.get() || written.is_ok() && self.cancelled.get() > 0);
        counter.set(counter.get() + 1);
    }
}

fn of_many_writes_the_first_are_done_and_the_rest_cancelled(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, _peer) = open_stream()?;
    let outcomes = Rc::<Outcomes>::default();
    for _ in 0..100 {
        let outcomes = outcomes.clone();
        a.write([0; BUFFER]).callback(move |written| outcomes.count(written));
    }
    close(&a, log, "a");
    iterate(lp, log, 1)?;
    let (done, cancelled) = (outcomes.done.get(), outcomes.cancelled.get());
    let some = |count| if count > 0 { "some" } else { "none" };
    log.push(format!("all={}", done + cancelled));
    log.push(format!("done={} cancelled={}", some(done), some(cancelled)));
    log.push(flag("disorder", outcomes.disorder.get()));
    Ok(())
}

fn a_write_that_is_done_is_told_so_though_the_stream_closes(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, _peer) = open_stream()?;
    write_noted(&a, log, 5, "write");
    close(&a, log, "a");
    iterate(lp, log, 1)
}

fn a_shutdown_of_an_empty_queue_and_a_close(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, _peer) = open_stream()?;
    shut_down_noted(&a, log, "shutdown");
    close(&a, log, "a");
    iterate(lp, log, 1)
}

fn a_done_write_of_a_closed_stream_and_check(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, _peer) = open_stream()?;
    let _check = start_check(note(log, "check"));
    write_noted(&a, log, 5, "write");
    close(&a, log, "a");
    iterate(lp, log, 1)
}

/// Writes a little; the callback closes the stream.
fn write_and_close(a: &TcpStream, log: &EventLog, label: &'static str) {
    let (stream, noting, written) = (a.clone(), log.clone(), note_status(log, label));
    a.write("first").callback(move |result| {
        written(result);
        close(&stream, &noting, "a");
    });
}

fn a_write_callback_closes_the_stream_and_the_rest_is_cancelled(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    fill(&a);
    write_and_close(&a, log, "1");
    write_noted(&a, log, MIB, "2");
    write_noted(&a, log, 5, "3");
    iterate(lp, log, 1)?;
    drain(&peer)?;
    iterate(lp, log, 2)
}

fn the_first_of_two_done_writes_closes_the_stream(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, _peer) = open_stream()?;
    write_and_close(&a, log, "1");
    write_noted(&a, log, 5, "2");
    iterate(lp, log, 1)
}

/// What is behind it is written too, in the same event.
fn a_write_callback_closes_the_stream_when_all_is_written(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    fill(&a);
    write_and_close(&a, log, "1");
    write_noted(&a, log, 5, "2");
    iterate(lp, log, 1)?;
    drain(&peer)?;
    iterate(lp, log, 1)
}

table!(
    a_fast_peer_is_read_32_times_an_iteration,
    a_read_that_does_not_fill_the_buffer_is_the_last_of_its_iteration,
    data_and_the_end_come_in_two_iterations,
    the_end_stops_reading,
    reading_is_started_again_after_the_end,
    a_second_reader_is_refused_and_the_first_goes_on,
    what_came_while_reading_was_stopped_is_read_later,
    a_callback_that_stops_reading_leaves_the_rest,
    a_callback_that_restarts_reading_reads_on_at_once,
    a_callback_that_closes_the_stream_reads_no_more,
    data_that_nobody_reads_keeps_no_loop_busy,
    streams_are_read_in_the_order_of_readiness,
    the_first_of_four_readers_closes_all,
    a_descriptor_that_is_used_again_has_no_older_event,
    a_closed_stream_has_no_event_though_a_duplicate_is_open,
    a_write_that_is_done_at_once_is_called_back_before_check,
    a_write_of_a_read_callback_is_called_back_before_check,
    a_write_callback_finds_the_queue_empty,
    writes_of_write_callbacks_are_nine_an_iteration,
    no_callback_runs_inside_of_the_call_that_asks_for_it,
    the_queue_counts_bytes_until_they_are_written,
    a_write_that_goes_out_in_parts_is_called_back_once,
    small_writes_behind_a_big_one_are_done_with_it,
    forty_queued_writes_are_done_in_one_iteration,
    an_empty_write_is_done_in_its_turn,
    writes_of_two_streams_that_are_done_at_once,
    reading_comes_before_writing,
    try_write_never_waits_and_never_overtakes,
    a_stream_that_only_writes_is_alive_and_not_active,
    an_unreferenced_stream_is_alive_while_it_writes,
    a_write_to_a_peer_that_is_gone,
    queued_writes_to_a_peer_that_goes_away,
    queued_writes_of_a_stream_that_reads_a_reset,
    after_the_end_of_the_peer_writing_goes_on,
    after_shutdown_reading_goes_on,
    after_shutdown_nothing_is_written,
    while_shutdown_waits_nothing_is_written,
    a_second_shutdown_is_refused,
    shutdown_waits_for_the_queue,
    a_stream_of_which_both_directions_have_ended,
    what_waits_to_be_written_is_cancelled_by_the_close,
    of_many_writes_the_first_are_done_and_the_rest_cancelled,
    a_write_that_is_done_is_told_so_though_the_stream_closes,
    a_shutdown_of_an_empty_queue_and_a_close,
    a_done_write_of_a_closed_stream_and_check,
    a_write_callback_closes_the_stream_and_the_rest_is_cancelled,
    the_first_of_two_done_writes_closes_the_stream,
    a_write_callback_closes_the_stream_when_all_is_written,
);
