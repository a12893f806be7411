//! Pipes of one direction: the end to read and the end to write.

use crate::handles::{close, note, note_active, note_alive, noting, start_check};
use crate::sockets::{fill, iterate, note_read, shut_down_noted, try_noted, write_noted};
use crate::table;
use behaviour::EventLog;
use runtime::Loop;
use runtime::net::Pipe;
use std::io;

fn what_is_written_to_a_pipe_is_read_in_the_same_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (reader, writer) = Pipe::pair()?;
    reader.read_start(note_read(log, "reader"));
    let _check = start_check(note(log, "check"));
    write_noted(&writer, log, 1, "1");
    write_noted(&writer, log, 2, "2");
    iterate(lp, log, 1)
}

fn the_end_of_a_pipe_is_read_after_its_writer_is_closed(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (reader, writer) = Pipe::pair()?;
    reader.read_start(note_read(log, "reader"));
    let _check = start_check(noting(log, move |log, check: &runtime::handle::Check| {
        log.push("check");
        check.stop();
        close(&writer, log, "writer");
    }));
    iterate(lp, log, 2)
}

fn bytes_and_the_end_of_a_pipe_are_read_together(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (reader, writer) = Pipe::pair()?;
    reader.read_start(note_read(log, "reader"));
    try_noted(&writer, log, 5);
    close(&writer, log, "writer");
    iterate(lp, log, 2)
}

fn writes_to_a_pipe_that_nobody_reads(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (reader, writer) = Pipe::pair()?;
    close(&reader, log, "reader");
    write_noted(&writer, log, 1, "1");
    try_noted(&writer, log, 1);
    iterate(lp, log, 2)
}

fn queued_writes_of_a_pipe_whose_reader_closes(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (reader, writer) = Pipe::pair()?;
    fill(&writer);
    write_noted(&writer, log, 1, "1");
    write_noted(&writer, log, 1, "2");
    iterate(lp, log, 1)?;
    close(&reader, log, "reader");
    iterate(lp, log, 2)
}

fn queued_writes_of_a_pipe_that_closes(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (_reader, writer) = Pipe::pair()?;
    fill(&writer);
    write_noted(&writer, log, 1, "1");
    write_noted(&writer, log, 1, "2");
    shut_down_noted(&writer, log, "shutdown");
    close(&writer, log, "writer");
    iterate(lp, log, 2)
}

fn the_wrong_directions_of_a_pipe(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (reader, _writer) = Pipe::pair()?;
    try_noted(&reader, log, 1);
    write_noted(&reader, log, 1, "1");
    iterate(lp, log, 1)
}

fn a_shutdown_of_the_end_to_write(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (reader, writer) = Pipe::pair()?;
    reader.read_start(note_read(log, "reader"));
    write_noted(&writer, log, 1, "write");
    shut_down_noted(&writer, log, "shutdown");
    iterate(lp, log, 2)
}

fn a_pipe_is_active_while_it_reads(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (reader, _writer) = Pipe::pair()?;
    note_active(log, &reader);
    note_alive(log, lp);
    reader.read_start(note_read(log, "reader"));
    note_active(log, &reader);
    note_alive(log, lp);
    reader.unref();
    note_alive(log, lp);
    reader.read_stop();
    note_active(log, &reader);
    Ok(())
}

fn both_ends_of_a_pipe_are_closed(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (reader, writer) = Pipe::pair()?;
    reader.read_start(note_read(log, "reader"));
    close(&writer, log, "writer");
    close(&reader, log, "reader");
    iterate(lp, log, 2)
}

table! {
    what_is_written_to_a_pipe_is_read_in_the_same_iteration,
    the_end_of_a_pipe_is_read_after_its_writer_is_closed,
    bytes_and_the_end_of_a_pipe_are_read_together,
    writes_to_a_pipe_that_nobody_reads,
    queued_writes_of_a_pipe_whose_reader_closes,
    queued_writes_of_a_pipe_that_closes,
    the_wrong_directions_of_a_pipe,
    a_shutdown_of_the_end_to_write,
    a_pipe_is_active_while_it_reads,
    both_ends_of_a_pipe_are_closed,
}
