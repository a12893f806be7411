/* Signals: their order among each other and in the poll phase, and what stop, start and close do to them. */
#include "sockets.h"

#include <signal.h>

static uv_signal_t signals[3];

static void init_signal(uv_loop_t *loop, uv_signal_t *watcher, const char *label) {
  must(uv_signal_init(loop, watcher));
  watcher->data = (void *) label;
}

static void watch(uv_loop_t *loop, uv_signal_t *watcher, const char *label, int signum,
                  uv_signal_cb callback) {
  init_signal(loop, watcher, label);
  must(uv_signal_start(watcher, callback, signum));
}

static void watch_once(uv_loop_t *loop, uv_signal_t *watcher, const char *label, int signum,
                       uv_signal_cb callback) {
  init_signal(loop, watcher, label);
  must(uv_signal_start_oneshot(watcher, callback, signum));
}

static void note_signal(uv_signal_t *watcher, int signum) {
  (void) signum;
  note("%s", label_of(watcher));
}

/* --- in the iteration --- */

static void signals_come_after_what_is_readable_and_before_check(uv_loop_t *loop) {
  static struct stream stream;
  static uv_async_t async;
  static uv_check_t check;
  static uv_timer_t timer, closed;
  watch(loop, &signals[0], "signal", SIGUSR1, note_signal);
  open_stream(loop, &stream, "a");
  read_noted(&stream);
  init_async(loop, &async, "async", note_async);
  settle(loop);
  start_check(loop, &check, "check", note_check);
  start_timer(loop, &timer, "timer", 0, note_timer);
  init_timer(loop, &closed, "close");
  close_handle(&closed);
  must(uv_async_send(&async));
  raise(SIGUSR1);
  send_bytes(stream.peer, 1);
  iterate(loop, 1);
}

static void a_signal_ends_the_wait(uv_loop_t *loop) {
  static uv_timer_t never;
  watch(loop, &signals[0], "signal", SIGUSR1, note_signal);
  start_timer(loop, &never, "never", NEVER, note_timer);
  settle(loop);
  raise(SIGUSR1);
  run(loop, UV_RUN_ONCE);
}

static void raise_it(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
  note_read(stream, length, buffer);
  raise(SIGUSR1);
}

static void a_signal_that_comes_while_events_are_told(uv_loop_t *loop) {
  static struct stream stream;
  watch(loop, &signals[0], "first", SIGUSR1, note_signal);
  open_stream(loop, &stream, "a");
  read_with(&stream, raise_it);
  send_bytes(stream.peer, 1);
  iterate(loop, 2);
}

static void a_signal_that_comes_while_events_are_told_behind_another(uv_loop_t *loop) {
  static struct stream stream;
  watch(loop, &signals[0], "first", SIGUSR1, note_signal);
  watch(loop, &signals[1], "second", SIGUSR2, note_signal);
  open_stream(loop, &stream, "a");
  read_with(&stream, raise_it);
  settle(loop);
  raise(SIGUSR2);
  send_bytes(stream.peer, 1);
  iterate(loop, 2);
}

static void raise_once_more(uv_signal_t *watcher, int signum) {
  static int calls;
  note_signal(watcher, signum);
  if (++calls < 3) raise(signum);
}

static void a_signal_that_comes_in_its_callback(uv_loop_t *loop) {
  watch(loop, &signals[0], "signal", SIGUSR1, raise_once_more);
  raise(SIGUSR1);
  iterate(loop, 4);
}

static void stop_the_loop(uv_signal_t *watcher, int signum) {
  note_signal(watcher, signum);
  uv_stop(watcher->loop);
}

static void a_signal_that_stops_the_loop(uv_loop_t *loop) {
  static uv_check_t check;
  static uv_timer_t timer;
  watch(loop, &signals[0], "first", SIGUSR1, stop_the_loop);
  watch(loop, &signals[1], "second", SIGUSR2, note_signal);
  start_check(loop, &check, "check", note_check);
  start_timer(loop, &timer, "never", NEVER, note_timer);
  raise(SIGUSR1);
  raise(SIGUSR2);
  run(loop, UV_RUN_DEFAULT);
}

static struct stream writer;
static uv_async_t async;
static uv_timer_t due;

static void do_several_things(uv_signal_t *watcher, int signum) {
  note_signal(watcher, signum);
  must(uv_async_send(&async));
  must(uv_timer_start(&due, note_timer, 0, 0));
  write_noted(&writer, 1, "write");
  must(uv_signal_stop(watcher));
}

static void what_a_signal_sets_off(uv_loop_t *loop) {
  static uv_check_t check;
  watch(loop, &signals[0], "signal", SIGUSR1, do_several_things);
  init_async(loop, &async, "async", note_async);
  init_timer(loop, &due, "timer");
  open_stream(loop, &writer, "writer");
  settle(loop);
  start_check(loop, &check, "check", note_check);
  raise(SIGUSR1);
  iterate(loop, 2);
}

/* --- several --- */

static void signals_of_two_kinds_come_in_their_order(uv_loop_t *loop) {
  watch(loop, &signals[0], "1", SIGUSR1, note_signal);
  watch(loop, &signals[1], "2", SIGUSR2, note_signal);
  raise(SIGUSR2);
  raise(SIGUSR1);
  raise(SIGUSR1);
  raise(SIGUSR2);
  iterate(loop, 2);
}

static void signals_that_wait_in_the_system_are_one(uv_loop_t *loop) {
  sigset_t both;
  sigemptyset(&both);
  sigaddset(&both, SIGUSR1);
  sigaddset(&both, SIGUSR2);
  watch(loop, &signals[0], "1", SIGUSR1, note_signal);
  watch(loop, &signals[1], "2", SIGUSR2, note_signal);
  pthread_sigmask(SIG_BLOCK, &both, NULL);
  raise(SIGUSR1);
  raise(SIGUSR1);
  raise(SIGUSR1);
  pthread_sigmask(SIG_UNBLOCK, &both, NULL);
  raise(SIGUSR2);
  iterate(loop, 2);
}

static int count;

static void count_signal(uv_signal_t *watcher, int signum) {
  (void) watcher, (void) signum;
  count++;
}

static void a_flood_of_signals(uv_loop_t *loop) {
  watch(loop, &signals[0], "signal", SIGUSR1, count_signal);
  for (int i = 0; i < 1200; i++) raise(SIGUSR1);
  for (int i = 0; i < 4; i++) {
    count = 0;
    uv_run(loop, UV_RUN_NOWAIT);
    note("%d", count);
  }
}

static void watchers_of_one_signal(uv_loop_t *loop) {
  watch(loop, &signals[0], "first", SIGUSR1, note_signal);
  watch(loop, &signals[1], "second", SIGUSR1, note_signal);
  watch(loop, &signals[2], "third", SIGUSR1, note_signal);
  raise(SIGUSR1);
  raise(SIGUSR1);
  iterate(loop, 1);
}

static void each_loop_that_watches_a_signal_is_told(uv_loop_t *loop) {
  static uv_loop_t second;
  must(uv_loop_init(&second));
  watch(loop, &signals[0], "first", SIGUSR1, note_signal);
  watch(&second, &signals[1], "second", SIGUSR1, note_signal);
  raise(SIGUSR1);
  raise(SIGUSR1);
  iterate(&second, 1);
  iterate(loop, 1);
}

static void watchers_of_one_signal_that_lie_in_memory_backwards(uv_loop_t *loop) {
  watch(loop, &signals[2], "first", SIGUSR1, note_signal);
  watch(loop, &signals[1], "second", SIGUSR1, note_signal);
  watch(loop, &signals[0], "third", SIGUSR1, note_signal);
  raise(SIGUSR1);
  iterate(loop, 1);
}

static void a_watcher_for_one_time_comes_after_those_that_stay(uv_loop_t *loop) {
  watch_once(loop, &signals[0], "once", SIGUSR1, note_signal);
  watch(loop, &signals[1], "stays", SIGUSR1, note_signal);
  raise(SIGUSR1);
  iterate(loop, 1);
  raise(SIGUSR1);
  iterate(loop, 1);
}

static void two_signals_in_one_batch_and_a_watcher_for_one_time(uv_loop_t *loop) {
  watch_once(loop, &signals[0], "once", SIGUSR1, note_signal);
  watch(loop, &signals[1], "stays", SIGUSR1, note_signal);
  raise(SIGUSR1);
  raise(SIGUSR1);
  iterate(loop, 2);
}

/* --- stop and start --- */

static void stop_it(uv_signal_t *watcher, int signum) {
  note_signal(watcher, signum);
  must(uv_signal_stop(watcher));
}

static void a_watcher_that_stops_is_not_told_the_rest(uv_loop_t *loop) {
  watch(loop, &signals[0], "first", SIGUSR1, stop_it);
  watch(loop, &signals[1], "second", SIGUSR1, note_signal);
  raise(SIGUSR1);
  raise(SIGUSR1);
  iterate(loop, 2);
}

static void stop_the_second(uv_signal_t *watcher, int signum) {
  note_signal(watcher, signum);
  must(uv_signal_stop(&signals[1]));
}

static void the_first_of_two_watchers_stops_the_other(uv_loop_t *loop) {
  watch(loop, &signals[0], "first", SIGUSR1, stop_the_second);
  watch(loop, &signals[1], "second", SIGUSR1, note_signal);
  raise(SIGUSR1);
  iterate(loop, 2);
}

static void start_the_second(uv_signal_t *watcher, int signum) {
  note_signal(watcher, signum);
  must(uv_signal_start(&signals[1], note_signal, signum));
}

static void a_watcher_that_starts_while_a_signal_is_told(uv_loop_t *loop) {
  watch(loop, &signals[0], "first", SIGUSR1, start_the_second);
  init_signal(loop, &signals[1], "second");
  raise(SIGUSR1);
  iterate(loop, 1);
  raise(SIGUSR1);
  iterate(loop, 1);
}

static void a_signal_that_came_before_a_stop_and_a_start(uv_loop_t *loop) {
  watch(loop, &signals[0], "signal", SIGUSR1, note_signal);
  raise(SIGUSR1);
  must(uv_signal_stop(&signals[0]));
  must(uv_signal_start(&signals[0], note_signal, SIGUSR1));
  iterate(loop, 2);
}

static void note_another(uv_signal_t *watcher, int signum) {
  (void) signum;
  note("another-%s", label_of(watcher));
}

static void a_start_while_watching_only_changes_the_callback(uv_loop_t *loop) {
  watch(loop, &signals[0], "signal", SIGUSR1, note_signal);
  raise(SIGUSR1);
  must(uv_signal_start(&signals[0], note_another, SIGUSR1));
  iterate(loop, 2);
}

static void a_watcher_that_goes_over_to_another_signal(uv_loop_t *loop) {
  watch(loop, &signals[0], "stays", SIGUSR1, note_signal);
  watch(loop, &signals[1], "goes", SIGUSR1, note_signal);
  raise(SIGUSR1);
  must(uv_signal_start(&signals[1], note_signal, SIGUSR2));
  raise(SIGUSR1);
  raise(SIGUSR2);
  iterate(loop, 2);
}

static void note_and_note_active(uv_signal_t *watcher, int signum) {
  note_signal(watcher, signum);
  note_active(watcher);
}

static void a_watcher_for_one_time_in_its_callback(uv_loop_t *loop) {
  watch_once(loop, &signals[0], "once", SIGUSR1, note_and_note_active);
  raise(SIGUSR1);
  iterate(loop, 1);
  note_active(&signals[0]);
}

static void start_once_more(uv_signal_t *watcher, int signum) {
  note_signal(watcher, signum);
  must(uv_signal_start_oneshot(watcher, note_another, signum));
}

/* Without a watcher nothing is done about this signal. */
static void a_watcher_for_one_time_that_starts_itself_once_more(uv_loop_t *loop) {
  watch_once(loop, &signals[0], "once", SIGURG, start_once_more);
  raise(SIGURG);
  iterate(loop, 1);
  note_active(&signals[0]);
  raise(SIGURG);
  iterate(loop, 1);
}

static void signals_that_nobody_can_watch(uv_loop_t *loop) {
  init_signal(loop, &signals[0], "signal");
  note_status("kill", uv_signal_start(&signals[0], note_signal, SIGKILL));
  note_status("stop", uv_signal_start(&signals[0], note_signal, SIGSTOP));
  note_status("none", uv_signal_start(&signals[0], note_signal, 0));
  note_status("large", uv_signal_start(&signals[0], note_signal, 1000));
  note_active(&signals[0]);
}

static void a_watcher_of_a_fault(uv_loop_t *loop) {
  init_signal(loop, &signals[0], "signal");
  note_status("fault", uv_signal_start(&signals[0], note_signal, SIGSEGV));
}

/* --- liveness and close --- */

static void a_watcher_of_signals_keeps_the_loop_alive_if_it_is_referenced(uv_loop_t *loop) {
  watch(loop, &signals[0], "signal", SIGUSR1, note_signal);
  note_active(&signals[0]);
  note_alive(loop);
  unref(&signals[0]);
  note_alive(loop);
  uv_ref((uv_handle_t *) &signals[0]);
  note_alive(loop);
  must(uv_signal_stop(&signals[0]));
  note_active(&signals[0]);
  note_alive(loop);
}

static void a_signal_for_an_unreferenced_watcher_keeps_nothing_alive(uv_loop_t *loop) {
  watch(loop, &signals[0], "signal", SIGUSR1, note_signal);
  unref(&signals[0]);
  raise(SIGUSR1);
  note_alive(loop);
  run(loop, UV_RUN_DEFAULT);
}

static void a_signal_does_not_show_in_the_wait(uv_loop_t *loop) {
  watch(loop, &signals[0], "signal", SIGUSR1, note_signal);
  settle(loop);
  note_wait("before", loop);
  raise(SIGUSR1);
  note_wait("after", loop);
}

static void close_it(uv_signal_t *watcher, int signum) {
  note_signal(watcher, signum);
  close_handle(watcher);
}

static void a_watcher_that_closes_in_its_callback(uv_loop_t *loop) {
  watch(loop, &signals[0], "first", SIGUSR1, close_it);
  watch(loop, &signals[1], "second", SIGUSR1, close_it);
  raise(SIGUSR1);
  iterate(loop, 2);
}

static void raise_and_close(uv_check_t *check) {
  note_check(check);
  must(uv_check_stop(check));
  raise(SIGUSR1);
  close_handle(&signals[0]);
}

static void a_watcher_that_closes_with_a_signal_that_is_not_told(uv_loop_t *loop) {
  static uv_check_t check;
  watch(loop, &signals[0], "signal", SIGUSR1, note_signal);
  start_check(loop, &check, "check", raise_and_close);
  iterate(loop, 3);
}

const struct scenario signal_scenarios[] = {
    SCENARIO(signals_come_after_what_is_readable_and_before_check),
    SCENARIO(a_signal_ends_the_wait),
    SCENARIO(a_signal_that_comes_while_events_are_told),
    SCENARIO(a_signal_that_comes_while_events_are_told_behind_another),
    SCENARIO(a_signal_that_comes_in_its_callback),
    SCENARIO(a_signal_that_stops_the_loop),
    SCENARIO(what_a_signal_sets_off),
    SCENARIO(signals_of_two_kinds_come_in_their_order),
    SCENARIO(signals_that_wait_in_the_system_are_one),
    SCENARIO(a_flood_of_signals),
    SCENARIO(watchers_of_one_signal),
    SCENARIO(each_loop_that_watches_a_signal_is_told),
    SCENARIO(watchers_of_one_signal_that_lie_in_memory_backwards),
    SCENARIO(a_watcher_for_one_time_comes_after_those_that_stay),
    SCENARIO(two_signals_in_one_batch_and_a_watcher_for_one_time),
    SCENARIO(a_watcher_that_stops_is_not_told_the_rest),
    SCENARIO(the_first_of_two_watchers_stops_the_other),
    SCENARIO(a_watcher_that_starts_while_a_signal_is_told),
    SCENARIO(a_signal_that_came_before_a_stop_and_a_start),
    SCENARIO(a_start_while_watching_only_changes_the_callback),
    SCENARIO(a_watcher_that_goes_over_to_another_signal),
    SCENARIO(a_watcher_for_one_time_in_its_callback),
    SCENARIO(a_watcher_for_one_time_that_starts_itself_once_more),
    SCENARIO(signals_that_nobody_can_watch),
    SCENARIO(a_watcher_of_a_fault),
    SCENARIO(a_watcher_of_signals_keeps_the_loop_alive_if_it_is_referenced),
    SCENARIO(a_signal_for_an_unreferenced_watcher_keeps_nothing_alive),
    SCENARIO(a_signal_does_not_show_in_the_wait),
    SCENARIO(a_watcher_that_closes_in_its_callback),
    SCENARIO(a_watcher_that_closes_with_a_signal_that_is_not_told),
    {NULL, NULL},
};
