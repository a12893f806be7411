/* Pipes of one direction: the end to read and the end to write. */
#include "sockets.h"

#include <unistd.h>

static struct stream reader, writer;

static void open_end(uv_loop_t *loop, struct stream *end, const char *label, int descriptor) {
  must(uv_pipe_init(loop, &end->pipe, 0));
  must(uv_pipe_open(&end->pipe, descriptor));
  end->handle.data = (void *) label;
}

static void open_pipe(uv_loop_t *loop) {
  int ends[2];
  must(pipe(ends));
  open_end(loop, &reader, "reader", ends[0]);
  open_end(loop, &writer, "writer", ends[1]);
}

static void what_is_written_to_a_pipe_is_read_in_the_same_iteration(uv_loop_t *loop) {
  static uv_check_t check;
  open_pipe(loop);
  read_noted(&reader);
  start_check(loop, &check, "check", note_check);
  write_noted(&writer, 1, "1");
  write_noted(&writer, 2, "2");
  iterate(loop, 1);
}

static void close_the_writer(uv_check_t *check) {
  note_check(check);
  must(uv_check_stop(check));
  close_handle(&writer);
}

static void the_end_of_a_pipe_is_read_after_its_writer_is_closed(uv_loop_t *loop) {
  static uv_check_t check;
  open_pipe(loop);
  read_noted(&reader);
  start_check(loop, &check, "check", close_the_writer);
  iterate(loop, 2);
}

static void bytes_and_the_end_of_a_pipe_are_read_together(uv_loop_t *loop) {
  open_pipe(loop);
  read_noted(&reader);
  try_noted(&writer, 5);
  close_handle(&writer);
  iterate(loop, 2);
}

static void writes_to_a_pipe_that_nobody_reads(uv_loop_t *loop) {
  open_pipe(loop);
  close_handle(&reader);
  write_noted(&writer, 1, "1");
  try_noted(&writer, 1);
  iterate(loop, 2);
}

static void queued_writes_of_a_pipe_whose_reader_closes(uv_loop_t *loop) {
  open_pipe(loop);
  fill(&writer);
  write_noted(&writer, 1, "1");
  write_noted(&writer, 1, "2");
  iterate(loop, 1);
  close_handle(&reader);
  iterate(loop, 2);
}

static void queued_writes_of_a_pipe_that_closes(uv_loop_t *loop) {
  open_pipe(loop);
  fill(&writer);
  write_noted(&writer, 1, "1");
  write_noted(&writer, 1, "2");
  shut_down_noted(&writer, "shutdown");
  close_handle(&writer);
  iterate(loop, 2);
}

static void the_wrong_directions_of_a_pipe(uv_loop_t *loop) {
  open_pipe(loop);
  try_noted(&reader, 1);
  write_noted(&reader, 1, "1");
  iterate(loop, 1);
}

static void a_shutdown_of_the_end_to_write(uv_loop_t *loop) {
  open_pipe(loop);
  read_noted(&reader);
  write_noted(&writer, 1, "write");
  shut_down_noted(&writer, "shutdown");
  iterate(loop, 2);
}

static void a_pipe_is_active_while_it_reads(uv_loop_t *loop) {
  open_pipe(loop);
  note_active(&reader);
  note_alive(loop);
  read_noted(&reader);
  note_active(&reader);
  note_alive(loop);
  unref(&reader);
  note_alive(loop);
  must(uv_read_stop(&reader.stream));
  note_active(&reader);
}

static void both_ends_of_a_pipe_are_closed(uv_loop_t *loop) {
  open_pipe(loop);
  read_noted(&reader);
  close_handle(&writer);
  close_handle(&reader);
  iterate(loop, 2);
}

const struct scenario pipe_scenarios[] = {
    SCENARIO(what_is_written_to_a_pipe_is_read_in_the_same_iteration),
    SCENARIO(the_end_of_a_pipe_is_read_after_its_writer_is_closed),
    SCENARIO(bytes_and_the_end_of_a_pipe_are_read_together),
    SCENARIO(writes_to_a_pipe_that_nobody_reads),
    SCENARIO(queued_writes_of_a_pipe_whose_reader_closes),
    SCENARIO(queued_writes_of_a_pipe_that_closes),
    SCENARIO(the_wrong_directions_of_a_pipe),
    SCENARIO(a_shutdown_of_the_end_to_write),
    SCENARIO(a_pipe_is_active_while_it_reads),
    SCENARIO(both_ends_of_a_pipe_are_closed),
    {NULL, NULL},
};
