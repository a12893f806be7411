/* Streams: reading, writing and ending, on connected sockets. */
#include "sockets.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KIB = 1024, MIB = 1024 * KIB, BUFFER = 64 * KIB };

/* --- reading --- */

static struct stream a, b;
static int reads, fed;

/* The peer has sent as much again when its data was read. */
static void read_and_feed(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
  (void) buffer;
  (void) stream;
  if (length <= 0) return;
  reads++;
  if (fed++ < 70) send_bytes(a.peer, (size_t) length);
}

static void note_reads(uv_loop_t *loop, int iterations) {
  for (; iterations > 0; iterations--) {
    reads = 0;
    uv_run(loop, UV_RUN_NOWAIT);
    note("%d", reads);
  }
}

static void a_fast_peer_is_read_32_times_an_iteration(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  read_with(&a, read_and_feed);
  send_bytes(a.peer, BUFFER);
  note_reads(loop, 4);
}

static void a_read_that_does_not_fill_the_buffer_is_the_last_of_its_iteration(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  read_with(&a, read_and_feed);
  send_bytes(a.peer, 1);
  note_reads(loop, 4);
}

static void data_and_the_end_come_in_two_iterations(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  read_noted(&a);
  send_bytes(a.peer, 3);
  close(a.peer);
  iterate(loop, 3);
}

static void the_end_stops_reading(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  read_noted(&a);
  note_active(&a);
  close(a.peer);
  run(loop, UV_RUN_DEFAULT);
  note_active(&a);
}

static void reading_is_started_again_after_the_end(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  read_noted(&a);
  must(shutdown(a.peer, SHUT_WR));
  iterate(loop, 1);
  read_noted(&a);
  iterate(loop, 1);
}

static void a_second_reader_is_refused_and_the_first_goes_on(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  read_noted(&a);
  send_bytes(a.peer, 3);
  note_status("second", uv_read_start(&a.stream, (uv_alloc_cb) abort, (uv_read_cb) abort));
  iterate(loop, 1);
}

static void what_came_while_reading_was_stopped_is_read_later(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  read_noted(&a);
  must(uv_read_stop(&a.stream));
  must(uv_read_stop(&a.stream));
  note_active(&a);
  send_bytes(a.peer, 3);
  iterate(loop, 2);
  read_noted(&a);
  note_active(&a);
  iterate(loop, 1);
}

static void stop_reading(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
  note_read(stream, length, buffer);
  must(uv_read_stop(stream));
}

static void a_callback_that_stops_reading_leaves_the_rest(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  read_with(&a, stop_reading);
  send_bytes(a.peer, BUFFER + 5);
  iterate(loop, 2);
  read_noted(&a);
  iterate(loop, 1);
}

static void restart_reading(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
  note_read(stream, length, buffer);
  must(uv_read_stop(stream));
  read_noted(&a);
}

static void a_callback_that_restarts_reading_reads_on_at_once(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  read_with(&a, restart_reading);
  send_bytes(a.peer, BUFFER + 5);
  iterate(loop, 1);
}

static void close_after_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
  note_read(stream, length, buffer);
  close_handle(stream);
}

static void a_callback_that_closes_the_stream_reads_no_more(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  read_with(&a, close_after_read);
  send_bytes(a.peer, BUFFER + 5);
  iterate(loop, 2);
}

static int iterations;

static void count(uv_prepare_t *prepare) {
  (void) prepare;
  iterations++;
}

static void data_that_nobody_reads_keeps_no_loop_busy(uv_loop_t *loop) {
  static uv_prepare_t prepare;
  static uv_timer_t timer;
  open_stream(loop, &a, "a");
  read_noted(&a);
  iterate(loop, 1);
  must(uv_read_stop(&a.stream));
  send_bytes(a.peer, 3);
  start_prepare(loop, &prepare, "prepare", count);
  unref(&prepare);
  start_timer(loop, &timer, "timer", 20, note_timer);
  run(loop, UV_RUN_DEFAULT);
  note(iterations < 10 ? "quiet" : "busy");
}

/* --- several streams --- */

enum { FOUR = 4 };

static struct stream four[FOUR];

static void open_four(uv_loop_t *loop, uv_read_cb callback) {
  static const char *const labels[] = {"0", "1", "2", "3"};
  for (int i = 0; i < FOUR; i++) {
    open_stream(loop, &four[i], labels[i]);
    read_with(&four[i], callback);
  }
  iterate(loop, 1);
}

static void streams_are_read_in_the_order_of_readiness(uv_loop_t *loop) {
  static const int order[] = {3, 1, 2, 0};
  open_four(loop, note_read);
  for (int i = 0; i < FOUR; i++) send_bytes(four[order[i]].peer, 1);
  iterate(loop, 2);
}

static void close_all(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
  note_read(stream, length, buffer);
  for (int i = 0; i < FOUR; i++) close_handle(&four[i]);
}

static void the_first_of_four_readers_closes_all(uv_loop_t *loop) {
  open_four(loop, close_all);
  for (int i = 0; i < FOUR; i++) send_bytes(four[i].peer, 1);
  iterate(loop, 2);
}

static struct stream fresh;

static void close_b_and_open_another(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
  note_read(stream, length, buffer);
  close_handle(&b);
  open_stream(stream->loop, &fresh, "fresh");
  read_noted(&fresh);
}

/* The new stream has the number of the one that was closed, which has an event in the same batch. */
static void a_descriptor_that_is_used_again_has_no_older_event(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  open_stream(loop, &b, "b");
  read_with(&a, close_b_and_open_another);
  read_noted(&b);
  iterate(loop, 1);
  send_bytes(a.peer, 1);
  send_bytes(b.peer, 1);
  iterate(loop, 2);
  send_bytes(fresh.peer, 4);
  iterate(loop, 1);
}

static void a_closed_stream_has_no_event_though_a_duplicate_is_open(uv_loop_t *loop) {
  uv_os_fd_t descriptor;
  open_stream(loop, &a, "a");
  read_noted(&a);
  iterate(loop, 1);
  must(uv_fileno(&a.handle, &descriptor));
  must(dup(descriptor) < 0 ? UV_EMFILE : 0);
  close_handle(&a);
  iterate(loop, 1);
  send_bytes(a.peer, 3);
  iterate(loop, 2);
}

/* --- writing --- */

static void a_write_that_is_done_at_once_is_called_back_before_check(uv_loop_t *loop) {
  static uv_check_t check;
  open_stream(loop, &a, "a");
  start_check(loop, &check, "check", note_check);
  write_noted(&a, 5, "write");
  note_queue(&a);
  iterate(loop, 1);
}

static void write_back(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
  note_read(stream, length, buffer);
  if (length > 0) write_noted(&a, (size_t) length, "write");
}

static void a_write_of_a_read_callback_is_called_back_before_check(uv_loop_t *loop) {
  static uv_check_t check;
  open_stream(loop, &a, "a");
  start_check(loop, &check, "check", note_check);
  read_with(&a, write_back);
  send_bytes(a.peer, 3);
  iterate(loop, 1);
}

static void note_and_write_more(uv_write_t *request, int status) {
  note_status(request->data, status);
  note_queue(&a);
  try_noted(&a, 5);
}

static void a_write_callback_finds_the_queue_empty(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  write_with(&a, 5, note_and_write_more, "write");
  iterate(loop, 1);
  fill(&a);
  write_with(&a, 5, note_and_write_more, "write");
  drain(a.peer);
  iterate(loop, 1);
}

static int writes;

static void write_again(uv_write_t *request, int status) {
  must(status);
  writes++;
  write_with(request->data, 1, write_again, request->data);
}

static void writes_of_write_callbacks_are_nine_an_iteration(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  write_with(&a, 1, write_again, &a);
  for (int i = 0; i < 3; i++) {
    writes = 0;
    uv_run(loop, UV_RUN_NOWAIT);
    note("%d", writes);
  }
}

static void no_callback_runs_inside_of_the_call_that_asks_for_it(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  send_bytes(a.peer, 3);
  write_noted(&a, 5, "write");
  read_noted(&a);
  shut_down_noted(&a, "shutdown");
  note("asked");
  iterate(loop, 1);
  close_handle(&a);
  note("asked");
  iterate(loop, 1);
}

static void the_queue_counts_bytes_until_they_are_written(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  fill(&a);
  write_noted(&a, 5, "1");
  note_queue(&a);
  write_noted(&a, 7, "2");
  note_queue(&a);
  iterate(loop, 1);
  drain(a.peer);
  iterate(loop, 1);
  note_queue(&a);
}

static void a_write_that_goes_out_in_parts_is_called_back_once(uv_loop_t *loop) {
  size_t received = 0;
  open_stream(loop, &a, "a");
  write_noted(&a, MIB, "write");
  while (received < MIB) {
    received += drain(a.peer);
    uv_run(loop, UV_RUN_NOWAIT);
  }
  note("peer=%zu", received);
}

static void small_writes_behind_a_big_one_are_done_with_it(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  fill(&a);
  write_noted(&a, BUFFER, "big");
  write_noted(&a, 1, "1");
  write_noted(&a, 1, "2");
  iterate(loop, 1);
  drain(a.peer);
  iterate(loop, 1);
}

static void count_write(uv_write_t *request, int status) {
  (void) request;
  must(status);
  writes++;
}

static void forty_queued_writes_are_done_in_one_iteration(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  fill(&a);
  for (int i = 0; i < 40; i++) write_with(&a, 1, count_write, NULL);
  drain(a.peer);
  iterate(loop, 1);
  note("%d", writes);
}

static void an_empty_write_is_done_in_its_turn(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  write_noted(&a, 0, "alone");
  iterate(loop, 1);
  fill(&a);
  write_noted(&a, 5, "1");
  write_noted(&a, 0, "empty");
  write_noted(&a, 5, "3");
  iterate(loop, 1);
  drain(a.peer);
  iterate(loop, 1);
}

static void writes_of_two_streams_that_are_done_at_once(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  open_stream(loop, &b, "b");
  write_noted(&a, 1, "a1");
  write_noted(&b, 1, "b1");
  write_noted(&a, 1, "a2");
  iterate(loop, 1);
}

static void reading_comes_before_writing(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  read_noted(&a);
  fill(&a);
  write_noted(&a, 5, "write");
  iterate(loop, 1);
  drain(a.peer);
  send_bytes(a.peer, 3);
  iterate(loop, 1);
}

static void try_write_never_waits_and_never_overtakes(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  try_noted(&a, 5);
  fill(&a);
  try_noted(&a, 5);
  drain(a.peer);
  try_noted(&a, 5);
  fill(&a);
  write_noted(&a, 5, "write");
  drain(a.peer);
  try_noted(&a, 5);
  iterate(loop, 1);
  try_noted(&a, 5);
}

static void a_stream_that_only_writes_is_alive_and_not_active(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  fill(&a);
  note_alive(loop);
  write_noted(&a, 5, "write");
  note_active(&a);
  note_alive(loop);
  drain(a.peer);
  run(loop, UV_RUN_DEFAULT);
}

static void an_unreferenced_stream_is_alive_while_it_writes(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  unref(&a);
  fill(&a);
  read_noted(&a);
  note_alive(loop);
  write_noted(&a, 5, "write");
  note_alive(loop);
  drain(a.peer);
  run(loop, UV_RUN_DEFAULT);
}

/* --- failing --- */

static void a_write_to_a_peer_that_is_gone(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  close(a.peer);
  write_noted(&a, 5, "write");
  iterate(loop, 1);
  try_noted(&a, 5);
  write_noted(&a, 5, "write");
  iterate(loop, 1);
}

static void queued_writes_to_a_peer_that_goes_away(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  fill(&a);
  write_noted(&a, 5, "1");
  write_noted(&a, 5, "2");
  write_noted(&a, 5, "3");
  drain(a.peer);
  close(a.peer);
  iterate(loop, 1);
}

/* A Unix socket is reset when its peer closes without having read all. */
static void queued_writes_of_a_stream_that_reads_a_reset(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  read_noted(&a);
  fill(&a);
  write_noted(&a, 5, "1");
  write_noted(&a, 5, "2");
  write_noted(&a, 5, "3");
  close(a.peer);
  iterate(loop, 1);
}

/* --- ending --- */

static void after_the_end_of_the_peer_writing_goes_on(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  read_noted(&a);
  must(shutdown(a.peer, SHUT_WR));
  iterate(loop, 1);
  write_noted(&a, 5, "write");
  iterate(loop, 1);
  note_peer(a.peer);
}

static void after_shutdown_reading_goes_on(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  read_noted(&a);
  shut_down_noted(&a, "shutdown");
  iterate(loop, 1);
  note_peer(a.peer);
  send_bytes(a.peer, 3);
  iterate(loop, 1);
  close(a.peer);
  iterate(loop, 1);
}

static void after_shutdown_nothing_is_written(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  shut_down_noted(&a, "shutdown");
  iterate(loop, 1);
  try_noted(&a, 5);
  write_noted(&a, 5, "write");
  iterate(loop, 1);
}

static void while_shutdown_waits_nothing_is_written(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  fill(&a);
  write_noted(&a, 5, "1");
  shut_down_noted(&a, "shutdown");
  write_noted(&a, 5, "2");
  iterate(loop, 1);
  drain(a.peer);
  iterate(loop, 1);
}

static void a_second_shutdown_is_refused(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  shut_down_noted(&a, "first");
  iterate(loop, 1);
  shut_down_noted(&a, "second");
  iterate(loop, 1);
}

static void shutdown_waits_for_the_queue(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  fill(&a);
  write_noted(&a, 5, "1");
  write_noted(&a, 5, "2");
  shut_down_noted(&a, "shutdown");
  iterate(loop, 1);
  drain(a.peer);
  iterate(loop, 1);
  note_peer(a.peer);
  note_peer(a.peer);
}

static void a_stream_of_which_both_directions_have_ended(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  read_noted(&a);
  shut_down_noted(&a, "shutdown");
  must(shutdown(a.peer, SHUT_WR));
  iterate(loop, 1);
  note("closing=%d", uv_is_closing(&a.handle) != 0);
}

static void what_waits_to_be_written_is_cancelled_by_the_close(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  write_noted(&a, MIB, "1");
  write_noted(&a, MIB, "2");
  shut_down_noted(&a, "shutdown");
  close_handle(&a);
  iterate(loop, 1);
}

static int done, cancelled, disorder;

static void count_outcome(uv_write_t *request, int status) {
  (void) request;
  disorder |= status == 0 && cancelled > 0;
  if (status == 0) done++;
  if (status == UV_ECANCELED) cancelled++;
}

static void of_many_writes_the_first_are_done_and_the_rest_cancelled(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  for (int i = 0; i < 100; i++) write_with(&a, BUFFER, count_outcome, NULL);
  close_handle(&a);
  iterate(loop, 1);
  note("all=%d", done + cancelled);
  note("done=%s cancelled=%s disorder=%d", done ? "some" : "none", cancelled ? "some" : "none",
       disorder);
}

static void a_write_that_is_done_is_told_so_though_the_stream_closes(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  write_noted(&a, 5, "write");
  close_handle(&a);
  iterate(loop, 1);
}

static void a_shutdown_of_an_empty_queue_and_a_close(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  shut_down_noted(&a, "shutdown");
  close_handle(&a);
  iterate(loop, 1);
}

static void a_done_write_of_a_closed_stream_and_check(uv_loop_t *loop) {
  static uv_check_t check;
  open_stream(loop, &a, "a");
  start_check(loop, &check, "check", note_check);
  write_noted(&a, 5, "write");
  close_handle(&a);
  iterate(loop, 1);
}

static void note_and_close(uv_write_t *request, int status) {
  note_status(request->data, status);
  close_handle(&a);
}

static void a_write_callback_closes_the_stream_and_the_rest_is_cancelled(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  fill(&a);
  write_with(&a, 5, note_and_close, "1");
  write_noted(&a, MIB, "2");
  write_noted(&a, 5, "3");
  iterate(loop, 1);
  drain(a.peer);
  iterate(loop, 2);
}

static void the_first_of_two_done_writes_closes_the_stream(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  write_with(&a, 5, note_and_close, "1");
  write_noted(&a, 5, "2");
  iterate(loop, 1);
}

/* What is behind it is written too, in the same event. */
static void a_write_callback_closes_the_stream_when_all_is_written(uv_loop_t *loop) {
  open_stream(loop, &a, "a");
  fill(&a);
  write_with(&a, 5, note_and_close, "1");
  write_noted(&a, 5, "2");
  iterate(loop, 1);
  drain(a.peer);
  iterate(loop, 1);
}

const struct scenario stream_scenarios[] = {
    SCENARIO(a_fast_peer_is_read_32_times_an_iteration),
    SCENARIO(a_read_that_does_not_fill_the_buffer_is_the_last_of_its_iteration),
    SCENARIO(data_and_the_end_come_in_two_iterations),
    SCENARIO(the_end_stops_reading),
    SCENARIO(reading_is_started_again_after_the_end),
    SCENARIO(a_second_reader_is_refused_and_the_first_goes_on),
    SCENARIO(what_came_while_reading_was_stopped_is_read_later),
    SCENARIO(a_callback_that_stops_reading_leaves_the_rest),
    SCENARIO(a_callback_that_restarts_reading_reads_on_at_once),
    SCENARIO(a_callback_that_closes_the_stream_reads_no_more),
    SCENARIO(data_that_nobody_reads_keeps_no_loop_busy),
    SCENARIO(streams_are_read_in_the_order_of_readiness),
    SCENARIO(the_first_of_four_readers_closes_all),
    SCENARIO(a_descriptor_that_is_used_again_has_no_older_event),
    SCENARIO(a_closed_stream_has_no_event_though_a_duplicate_is_open),
    SCENARIO(a_write_that_is_done_at_once_is_called_back_before_check),
    SCENARIO(a_write_of_a_read_callback_is_called_back_before_check),
    SCENARIO(a_write_callback_finds_the_queue_empty),
    SCENARIO(writes_of_write_callbacks_are_nine_an_iteration),
    SCENARIO(no_callback_runs_inside_of_the_call_that_asks_for_it),
    SCENARIO(the_queue_counts_bytes_until_they_are_written),
    SCENARIO(a_write_that_goes_out_in_parts_is_called_back_once),
    SCENARIO(small_writes_behind_a_big_one_are_done_with_it),
    SCENARIO(forty_queued_writes_are_done_in_one_iteration),
    SCENARIO(an_empty_write_is_done_in_its_turn),
    SCENARIO(writes_of_two_streams_that_are_done_at_once),
    SCENARIO(reading_comes_before_writing),
    SCENARIO(try_write_never_waits_and_never_overtakes),
    SCENARIO(a_stream_that_only_writes_is_alive_and_not_active),
    SCENARIO(an_unreferenced_stream_is_alive_while_it_writes),
    SCENARIO(a_write_to_a_peer_that_is_gone),
    SCENARIO(queued_writes_to_a_peer_that_goes_away),
    SCENARIO(queued_writes_of_a_stream_that_reads_a_reset),
    SCENARIO(after_the_end_of_the_peer_writing_goes_on),
    SCENARIO(after_shutdown_reading_goes_on),
    SCENARIO(after_shutdown_nothing_is_written),
    SCENARIO(while_shutdown_waits_nothing_is_written),
    SCENARIO(a_second_shutdown_is_refused),
    SCENARIO(shutdown_waits_for_the_queue),
    SCENARIO(a_stream_of_which_both_directions_have_ended),
    SCENARIO(what_waits_to_be_written_is_cancelled_by_the_close),
    SCENARIO(of_many_writes_the_first_are_done_and_the_rest_cancelled),
    SCENARIO(a_write_that_is_done_is_told_so_though_the_stream_closes),
    SCENARIO(a_shutdown_of_an_empty_queue_and_a_close),
    SCENARIO(a_done_write_of_a_closed_stream_and_check),
    SCENARIO(a_write_callback_closes_the_stream_and_the_rest_is_cancelled),
    SCENARIO(the_first_of_two_done_writes_closes_the_stream),
    SCENARIO(a_write_callback_closes_the_stream_when_all_is_written),
    {NULL, NULL},
};
