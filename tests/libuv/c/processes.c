/*
 * Child processes: when their end is told, among each other and beside what they wrote.
 *
 * Where the order is to be seen, the child has ended before the loop runs. The system keeps it until the
 * loop asks for its status. libuv's first spawn tries something by a child of its own, so a loop has an
 * iteration behind it where that one's signal would count.
 */
#include "sockets.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

static uv_process_t children[3];
static struct stream input, output;

static void note_exit(uv_process_t *child, int64_t status, int signum) {
  if (signum != 0) return note("%s=signal-%d", label_of(child), signum);
  note("%s=%d", label_of(child), (int) status);
}

static uv_stdio_container_t pipe_of(uv_loop_t *loop, struct stream *stream, const char *label,
                                    int flags) {
  uv_stdio_container_t container;
  must(uv_pipe_init(loop, &stream->pipe, 0));
  stream->handle.data = (void *) label;
  container.flags = UV_CREATE_PIPE | flags;
  container.data.stream = &stream->stream;
  return container;
}

/* Runs a shell command; the pipes that are named are made. */
static void spawn(uv_loop_t *loop, uv_process_t *child, const char *label, const char *command,
                  struct stream *in, struct stream *out, uv_exit_cb callback) {
  char *arguments[] = {"sh", "-c", (char *) command, NULL};
  uv_stdio_container_t streams[2] = {{.flags = UV_IGNORE}, {.flags = UV_IGNORE}};
  uv_process_options_t options = {0};
  if (in != NULL) streams[0] = pipe_of(loop, in, "in", UV_READABLE_PIPE);
  if (out != NULL) streams[1] = pipe_of(loop, out, "out", UV_WRITABLE_PIPE);
  options.file = "sh";
  options.args = arguments;
  options.stdio = streams;
  options.stdio_count = 2;
  options.exit_cb = callback;
  must(uv_spawn(loop, child, &options));
  child->data = (void *) label;
}

/* One without pipes. */
static void spawn_alone(uv_loop_t *loop, uv_process_t *child, const char *label,
                        const char *command, uv_exit_cb callback) {
  spawn(loop, child, label, command, NULL, NULL, callback);
}

/* Waits until the child has ended, and leaves its status to the loop. */
static void await_end(const uv_process_t *child) {
  siginfo_t info;
  must(waitid(P_PID, (id_t) child->pid, &info, WEXITED | WNOWAIT) == 0 ? 0 : UV_ESRCH);
}

static void kill_and_await(uv_process_t *child) {
  must(uv_process_kill(child, SIGKILL));
  await_end(child);
}

/* --- in the iteration --- */

static void the_end_of_a_child_comes_after_its_output_and_before_check(uv_loop_t *loop) {
  static uv_check_t check;
  static uv_timer_t timer, closed;
  spawn(loop, &children[0], "child", "echo hello; exit 3", NULL, &output, note_exit);
  await_end(&children[0]);
  read_noted(&output);
  start_check(loop, &check, "check", note_check);
  start_timer(loop, &timer, "timer", 0, note_timer);
  init_timer(loop, &closed, "close");
  close_handle(&closed);
  iterate(loop, 2);
}

static void the_output_of_a_child_outlives_it(uv_loop_t *loop) {
  spawn(loop, &children[0], "child", "echo hello", NULL, &output, note_exit);
  await_end(&children[0]);
  iterate(loop, 1);
  read_noted(&output);
  iterate(loop, 2);
}

static void a_child_that_reads_its_input_to_the_end(uv_loop_t *loop) {
  spawn(loop, &children[0], "child", "cat >/dev/null; exit 7", &input, &output, note_exit);
  read_noted(&output);
  write_noted(&input, 5, "write");
  shut_down_noted(&input, "shutdown");
  run(loop, UV_RUN_DEFAULT);
}

static void note_signal(uv_signal_t *watcher, int signum) {
  (void) signum;
  note("%s", label_of(watcher));
}

static void watch(uv_loop_t *loop, int signum) {
  static uv_signal_t watcher;
  must(uv_signal_init(loop, &watcher));
  watcher.data = "signal";
  must(uv_signal_start(&watcher, note_signal, signum));
}

static void a_signal_that_came_before_a_child_ended(uv_loop_t *loop) {
  watch(loop, SIGUSR1);
  spawn_alone(loop, &children[0], "child", "exec sleep 1000", note_exit);
  settle(loop);
  raise(SIGUSR1);
  kill_and_await(&children[0]);
  iterate(loop, 2);
}

static void a_signal_that_came_after_a_child_ended(uv_loop_t *loop) {
  watch(loop, SIGUSR1);
  spawn_alone(loop, &children[0], "child", "exit 0", note_exit);
  await_end(&children[0]);
  raise(SIGUSR1);
  iterate(loop, 2);
}

static uv_async_t async;
static uv_timer_t due;

static void do_several_things(uv_process_t *child, int64_t status, int signum) {
  note_exit(child, status, signum);
  must(uv_async_send(&async));
  must(uv_timer_start(&due, note_timer, 0, 0));
  write_noted(&output, 1, "write");
  close_handle(child);
}

static void what_the_end_of_a_child_sets_off(uv_loop_t *loop) {
  static uv_check_t check;
  spawn_alone(loop, &children[0], "child", "exit 0", do_several_things);
  await_end(&children[0]);
  init_async(loop, &async, "async", note_async);
  init_timer(loop, &due, "timer");
  open_stream(loop, &output, "stream");
  start_check(loop, &check, "check", note_check);
  iterate(loop, 2);
}

/* --- several --- */

static void spawn_three(uv_loop_t *loop, uv_exit_cb callback) {
  spawn_alone(loop, &children[0], "first", "exec sleep 1000", callback);
  spawn_alone(loop, &children[1], "second", "exec sleep 1000", callback);
  spawn_alone(loop, &children[2], "third", "exec sleep 1000", callback);
  settle(loop);
}

static void children_that_ended_in_the_order_they_were_started(uv_loop_t *loop) {
  spawn_three(loop, note_exit);
  for (int i = 0; i < 3; i++) kill_and_await(&children[i]);
  iterate(loop, 2);
}

static void children_that_ended_in_another_order(uv_loop_t *loop) {
  spawn_three(loop, note_exit);
  kill_and_await(&children[2]);
  kill_and_await(&children[0]);
  kill_and_await(&children[1]);
  iterate(loop, 2);
}

static void kill_the_second(uv_process_t *child, int64_t status, int signum) {
  note_exit(child, status, signum);
  if (child == &children[0]) kill_and_await(&children[1]);
}

static void a_child_that_ends_while_the_end_of_another_is_told(uv_loop_t *loop) {
  spawn_three(loop, kill_the_second);
  kill_and_await(&children[0]);
  iterate(loop, 2);
  kill_and_await(&children[2]);
  iterate(loop, 1);
}

static void close_the_second(uv_process_t *child, int64_t status, int signum) {
  note_exit(child, status, signum);
  if (child == &children[0]) close_handle(&children[1]);
}

static void the_first_of_two_children_closes_the_other(uv_loop_t *loop) {
  spawn_alone(loop, &children[0], "first", "exit 0", close_the_second);
  await_end(&children[0]);
  spawn_alone(loop, &children[1], "second", "exit 0", close_the_second);
  await_end(&children[1]);
  iterate(loop, 2);
}

/* --- kill --- */

static void note_kill(uv_process_t *child, int64_t status, int signum) {
  note_exit(child, status, signum);
  note_status("kill", uv_process_kill(child, SIGTERM));
}

static void a_child_is_killed_before_and_after_its_end_is_told(uv_loop_t *loop) {
  spawn_alone(loop, &children[0], "child", "exit 0", note_kill);
  await_end(&children[0]);
  note_status("kill", uv_process_kill(&children[0], SIGTERM));
  iterate(loop, 1);
}

static void a_child_that_a_signal_ended(uv_loop_t *loop) {
  spawn_alone(loop, &children[0], "child", "exec sleep 1000", note_exit);
  must(uv_process_kill(&children[0], 0));
  must(uv_process_kill(&children[0], SIGTERM));
  run(loop, UV_RUN_DEFAULT);
}

static void a_program_that_is_not_there(uv_loop_t *loop) {
  char *arguments[] = {"no-such-program", NULL};
  uv_process_options_t options = {0};
  options.file = arguments[0];
  options.args = arguments;
  options.exit_cb = note_exit;
  note_status("spawn", uv_spawn(loop, &children[0], &options));
  note_alive(loop);
  iterate(loop, 1);
}

/* --- liveness and close --- */

static void note_end_and_liveness(uv_process_t *child, int64_t status, int signum) {
  note_exit(child, status, signum);
  note_active(child);
  note_alive(child->loop);
}

static void a_child_keeps_the_loop_alive_until_its_end_is_told(uv_loop_t *loop) {
  spawn_alone(loop, &children[0], "child", "exit 0", note_end_and_liveness);
  await_end(&children[0]);
  note_active(&children[0]);
  note_alive(loop);
  run(loop, UV_RUN_DEFAULT);
}

static void a_child_that_ended_does_not_show_in_the_wait(uv_loop_t *loop) {
  spawn_alone(loop, &children[0], "child", "exec sleep 1000", note_exit);
  settle(loop);
  note_wait("before", loop);
  kill_and_await(&children[0]);
  note_wait("after", loop);
  run(loop, UV_RUN_ONCE);
}

static void an_unreferenced_child_keeps_nothing_alive(uv_loop_t *loop) {
  spawn_alone(loop, &children[0], "child", "exec sleep 1000", note_exit);
  unref(&children[0]);
  note_active(&children[0]);
  note_alive(loop);
  run(loop, UV_RUN_DEFAULT);
  kill_and_await(&children[0]);
  iterate(loop, 1);
}

static void close_child(uv_process_t *child, int64_t status, int signum) {
  note_exit(child, status, signum);
  close_handle(child);
}

static void a_child_that_is_closed_in_its_callback(uv_loop_t *loop) {
  spawn_alone(loop, &children[0], "child", "exit 0", close_child);
  await_end(&children[0]);
  iterate(loop, 2);
}

static void a_child_that_is_closed_before_its_end_is_told(uv_loop_t *loop) {
  spawn_alone(loop, &children[0], "child", "exit 0", note_exit);
  await_end(&children[0]);
  close_handle(&children[0]);
  iterate(loop, 2);
}

static void a_child_and_its_pipes_are_closed_together(uv_loop_t *loop) {
  spawn(loop, &children[0], "child", "exit 0", &input, &output, close_child);
  await_end(&children[0]);
  iterate(loop, 1);
  close_handle(&input);
  close_handle(&output);
  iterate(loop, 1);
}

const struct scenario process_scenarios[] = {
    SCENARIO(the_end_of_a_child_comes_after_its_output_and_before_check),
    SCENARIO(the_output_of_a_child_outlives_it),
    SCENARIO(a_child_that_reads_its_input_to_the_end),
    SCENARIO(a_signal_that_came_before_a_child_ended),
    SCENARIO(a_signal_that_came_after_a_child_ended),
    SCENARIO(what_the_end_of_a_child_sets_off),
    SCENARIO(children_that_ended_in_the_order_they_were_started),
    SCENARIO(children_that_ended_in_another_order),
    SCENARIO(a_child_that_ends_while_the_end_of_another_is_told),
    SCENARIO(the_first_of_two_children_closes_the_other),
    SCENARIO(a_child_is_killed_before_and_after_its_end_is_told),
    SCENARIO(a_child_that_a_signal_ended),
    SCENARIO(a_program_that_is_not_there),
    SCENARIO(a_child_keeps_the_loop_alive_until_its_end_is_told),
    SCENARIO(a_child_that_ended_does_not_show_in_the_wait),
    SCENARIO(an_unreferenced_child_keeps_nothing_alive),
    SCENARIO(a_child_that_is_closed_in_its_callback),
    SCENARIO(a_child_that_is_closed_before_its_end_is_told),
    SCENARIO(a_child_and_its_pipes_are_closed_together),
    {NULL, NULL},
};
