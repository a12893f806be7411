//! Where we differ from libuv on purpose.

/// A scenario that gives another trace than libuv's.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// The name of the scenario.
    pub scenario: &'static str,
    /// Our trace.
    pub ours: &'static str,
    /// Why it is better.
    pub reason: &'static str,
}

/// All of them; whatever is not listed agrees.
pub const DIFFERENCES: &[Difference] = &[
    Difference {
        scenario: "a_stop_in_the_last_timer_before_the_first_iteration",
        ours: "timer more=0 alive=0",
        reason: "Whether there is more is asked when the run ends, as libuv did before 1.45: \
                 nothing is left alive.",
    },
    Difference {
        scenario: "once_reads_the_clock_in_poll_first",
        ours: "idle moved=1 moved=1 more=1",
        reason: "A run begins with the clock, as libuv's did before 1.45: whoever runs a loop now \
                 and then would else start timers in idle and prepare that are short by the \
                 pause.",
    },
    Difference {
        scenario: "nowait_reads_the_clock_in_poll_first",
        ours: "idle moved=1 moved=1 more=1",
        reason: "As for `run_once`: a run begins with the clock.",
    },
    Difference {
        scenario: "again_on_a_closing_timer",
        ours: "again=EINVAL active=0 timer-closed more=0",
        reason: "Whoever starts a closed timer is told so, by `again` as by `start`.",
    },
    Difference {
        scenario: "the_wait_after_a_slow_callback_is_counted_from_before_it",
        ours: "timer wait=0 timer more=1",
        reason: "The wait is computed from a fresh clock: a callback that takes long does not \
                 delay the next timer by as much.",
    },
    Difference {
        scenario: "a_send_to_one_made_later_is_heard_at_once",
        ours: "second | third |",
        reason: "What is sent while asyncs are called back waits for the next iteration, \
                 whichever was made first: they can't keep the loop in this phase by sending to \
                 each other.",
    },
    Difference {
        scenario: "a_send_to_an_unreferenced_async_keeps_nothing_alive",
        ours: "alive=1 first more=0",
        reason: "Mail keeps the loop alive until it is delivered: what was sent before the end is \
                 not lost.",
    },
    Difference {
        scenario: "a_send_does_not_show_in_the_wait",
        ours: "before=forever after=0",
        reason: "A send to a loop that is awake makes no system call, so its descriptor need not \
                 show it: the wait does.",
    },
    Difference {
        scenario: "asyncs_and_sockets_are_called_back_in_the_order_of_readiness",
        ours: "| first poll |",
        reason: "The mailbox comes before the system's events: a send to a loop that is awake \
                 makes no system call, so the system does not know its place among them.",
    },
    Difference {
        scenario: "a_hang_up_is_told_to_a_poll_that_only_reads",
        ours: "a=rwd |",
        reason: "What the system reports is not cut down to what was asked for: a hang-up ends both \
                 directions.",
    },
    Difference {
        scenario: "a_poll_of_a_descriptor_with_an_error",
        ours: "a=rwde | active=1",
        reason: "An error of the descriptor is told as such, and whoever does its I/O learns which it \
                 is; EBADF says something else.",
    },
    Difference {
        scenario: "two_polls_of_one_descriptor",
        ours: "a=r b=r | b=r |",
        reason: "Each poll watches a duplicate of its own, so any number of them may watch one \
                 descriptor.",
    },
    Difference {
        scenario: "writes_of_two_streams_that_are_done_at_once",
        ours: "a1=0 b1=0 a2=0 |",
        reason: "Writes that are done at once are told in the order of the calls, not stream by stream.",
    },
    Difference {
        scenario: "queued_writes_of_a_stream_that_reads_a_reset",
        ours: "a=ECONNRESET 1=ECONNRESET 2=ECONNRESET 3=ECONNRESET |",
        reason: "An error of reading closes the stream, and what was queued ends with that error, the \
                 cause.",
    },
    Difference {
        scenario: "a_stream_of_which_both_directions_have_ended",
        ours: "shutdown=0 a=EOF | closing=1",
        reason: "A stream that is read by callback closes by itself when both directions have ended.",
    },
    Difference {
        scenario: "a_done_write_of_a_closed_stream_and_check",
        ours: "write=0 check a-closed |",
        reason: "A write that is done in the call is told in the pending phase, whatever becomes of the \
                 stream.",
    },
    Difference {
        scenario: "an_empty_datagram_is_a_datagram",
        ours: "a=3 a=0 | |",
        reason: "Nobody is called when nothing is left: libuv gives the buffer back that way, and here \
                 it is the loop's.",
    },
    Difference {
        scenario: "a_file_operation_is_cancelled_twice",
        ours: "cancel=0 cancel=EBUSY file=ECANCELED 1=0 more=0",
        reason: "What is cancelled can't be cancelled once more: only one call is told that it did it.",
    },
    Difference {
        scenario: "a_descriptor_that_is_ready_before_a_job_is_done",
        ours: "| 1=0 a=3 |",
        reason: "The mailbox comes before the system's events: what is done while the loop is awake \
                 costs no system call to be told.",
    },
    Difference {
        scenario: "writes_to_a_pipe_that_nobody_reads",
        ours: "try=EPIPE 1=EPIPE reader-closed | |",
        reason: "A write that fails ends the writing direction: nothing is queued that another one \
                 would have to wait for.",
    },
    Difference {
        scenario: "a_shutdown_of_the_end_to_write",
        ours: "write=0 shutdown=0 reader=1 | reader=EOF |",
        reason: "Shutting down the end to write closes it, which is how the reader of a pipe learns \
                 of the end.",
    },
    Difference {
        scenario: "a_connect_to_a_listener_whose_queue_is_full",
        ours: "| client=0 more=0",
        reason: "A connect waits for its turn, as a blocking one does: a busy listener is no error.",
    },
    Difference {
        scenario: "a_listener_in_a_directory_that_is_not_there",
        ours: "server=ENOENT",
        reason: "The system's error is told as it is.",
    },
    Difference {
        scenario: "a_flood_of_signals",
        ours: "512 512 176 0",
        reason: "512 signals at most are taken in an iteration: they can't keep the loop in this \
                 phase.",
    },
    Difference {
        scenario: "watchers_of_one_signal_that_lie_in_memory_backwards",
        ours: "first second third |",
        reason: "Watchers of one signal are told in the order of their start, wherever they lie.",
    },
    Difference {
        scenario: "a_signal_that_came_before_a_stop_and_a_start",
        ours: "| |",
        reason: "What came before the start is not told.",
    },
    Difference {
        scenario: "a_watcher_for_one_time_in_its_callback",
        ours: "once active=0 | active=0",
        reason: "A watcher for one time has stopped when it is called, as a timer that does not \
                 repeat has.",
    },
    Difference {
        scenario: "a_watcher_for_one_time_that_starts_itself_once_more",
        ours: "once | active=1 another-once |",
        reason: "It has stopped when it is called, so a start in its callback holds.",
    },
    Difference {
        scenario: "a_watcher_of_a_fault",
        ours: "fault=EINVAL",
        reason: "A fault would come again as soon as its handler returns, for ever, so it can't be \
                 watched.",
    },
    Difference {
        scenario: "a_watcher_of_signals_keeps_the_loop_alive_if_it_is_referenced",
        ours: "active=1 alive=0 alive=0 alive=1 active=0 alive=0",
        reason: "A watcher of signals starts unreferenced, as in Node: a program does not go on for \
                 the sake of its SIGTERM.",
    },
    Difference {
        scenario: "a_watcher_that_closes_with_a_signal_that_is_not_told",
        ours: "check signal-closed | | |",
        reason: "What was caught names a signal and not a watcher, so a close has nothing to wait \
                 for.",
    },
    Difference {
        scenario: "a_signal_that_came_after_a_child_ended",
        ours: "signal child=0 | |",
        reason: "Signals come before the ends of children. These are learned from descriptors of \
                 their own, not from SIGCHLD, so there is no order between the two.",
    },
    Difference {
        scenario: "children_that_ended_in_another_order",
        ours: "third=signal-9 first=signal-9 second=signal-9 | |",
        reason: "Children are told in the order in which they ended.",
    },
    Difference {
        scenario: "the_first_of_two_children_closes_the_other",
        ours: "first=0 second=ECANCELED second-closed | |",
        reason: "Of a child that is closed no end is told; who waits for it gets a Cancelled.",
    },
    Difference {
        scenario: "a_child_that_is_closed_before_its_end_is_told",
        ours: "child=ECANCELED child-closed | |",
        reason: "To wait for a child is a request, and each request ends: here as Cancelled.",
    },
    Difference {
        scenario: "a_rename_in_a_directory",
        ours: "a=rename:old->new | |",
        reason: "A rename is told once, with both names.",
    },
    Difference {
        scenario: "a_watched_file_that_is_removed",
        ours: "a=change:file a=rename:file | | active=1",
        reason: "That a file is gone is told once. Its path is watched further: whatever comes \
                 there is told.",
    },
    Difference {
        scenario: "a_watched_file_that_is_replaced",
        ours: "a=rename:new->file | a=change:file |",
        reason: "A path is watched, not what happened to be there at the start: editors and logs \
                 replace files.",
    },
    Difference {
        scenario: "a_look_that_is_stopped_and_started_while_it_is_under_way",
        ours: "new look=ENOENT work=0 more=0",
        reason: "What was stopped is not told, started anew or not.",
    },
    Difference {
        scenario: "looks_that_are_started_twice",
        ours: "again=EALREADY",
        reason: "Who starts it twice is told that the second path is not looked at.",
    },
    Difference {
        scenario: "looks_that_are_closed_while_one_is_under_way",
        ours: "look-closed | | work=0 more=0",
        reason: "The answer of the pool is not needed any more, so a close does not wait for it.",
    },
    Difference {
        scenario: "jobs_and_file_operations_stand_in_one_line",
        ours: "1=0 file=0 2=0 3=0 more=0",
        reason: "A file does not wait for the computations that were queued before it.",
    },
];
