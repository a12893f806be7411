/* Closing: in which order, in which iteration, and what is left of a closed handle. */
#include "handles.h"

#include <signal.h>
#include <stdlib.h>

static uv_idle_t idle;
static uv_prepare_t prepare;
static uv_async_t async;
static uv_poll_t udp;
static uv_check_t check;
static uv_timer_t timer;
static uv_timer_t one, two, three, four;

/* --- order --- */

static void close_is_last_in_first_out(uv_loop_t *loop) {
  init_timer(loop, &one, "1");
  init_timer(loop, &two, "2");
  init_timer(loop, &three, "3");
  close_handle(&one);
  close_handle(&two);
  close_handle(&three);
  run(loop, UV_RUN_DEFAULT);
}

static void handles_of_other_kinds_are_closed_the_last_first_too(uv_loop_t *loop) {
  static uv_signal_t signal;
  static uv_fs_event_t event;
  static uv_fs_poll_t look;
  static uv_pipe_t pipe;
  must(uv_signal_init(loop, &signal));
  must(uv_signal_start(&signal, (uv_signal_cb) abort, SIGUSR1));
  signal.data = "signal";
  must(uv_fs_event_init(loop, &event));
  must(uv_fs_event_start(&event, (uv_fs_event_cb) abort, ".", 0));
  event.data = "event";
  must(uv_fs_poll_init(loop, &look));
  look.data = "look";
  must(uv_pipe_init(loop, &pipe, 0));
  pipe.data = "pipe";
  init_timer(loop, &timer, "timer");
  close_handle(&signal);
  close_handle(&timer);
  close_handle(&event);
  close_handle(&look);
  close_handle(&pipe);
  run(loop, UV_RUN_DEFAULT);
}

static void start_one_of_each_kind(uv_loop_t *loop) {
  start_idle(loop, &idle, "idle", note_idle);
  start_prepare(loop, &prepare, "prepare", note_prepare);
  init_async(loop, &async, "async", note_async);
  must(uv_async_send(&async));
  start_poll(loop, &udp, "poll", note_poll);
  start_check(loop, &check, "check", note_check);
  start_timer(loop, &timer, "timer", 0, note_timer);
}

static void no_callback_of_a_closed_handle_runs_and_all_are_called_back(uv_loop_t *loop) {
  start_one_of_each_kind(loop);
  close_handle(&idle);
  close_handle(&prepare);
  close_handle(&async);
  close_handle(&udp);
  close_handle(&check);
  close_handle(&timer);
  run(loop, UV_RUN_DEFAULT);
}

static void idle_closes_itself(uv_idle_t *handle) {
  note_idle(handle);
  close_handle(handle);
}

static void prepare_closes_itself(uv_prepare_t *handle) {
  note_prepare(handle);
  close_handle(handle);
}

static void async_closes_itself(uv_async_t *handle) {
  note_async(handle);
  close_handle(handle);
}

static void poll_closes_itself(uv_poll_t *handle, int status, int events) {
  note_poll(handle, status, events);
  close_handle(handle);
}

static void check_closes_itself(uv_check_t *handle) {
  note_check(handle);
  close_handle(handle);
}

static void timer_closes_itself(uv_timer_t *handle) {
  note_timer(handle);
  close_handle(handle);
}

static void what_closes_in_an_iteration_is_called_back_in_it_but_for_timers(uv_loop_t *loop) {
  start_idle(loop, &idle, "idle", idle_closes_itself);
  start_prepare(loop, &prepare, "prepare", prepare_closes_itself);
  init_async(loop, &async, "async", async_closes_itself);
  must(uv_async_send(&async));
  start_poll(loop, &udp, "poll", poll_closes_itself);
  start_check(loop, &check, "check", check_closes_itself);
  start_timer(loop, &timer, "timer", 0, timer_closes_itself);
  run(loop, UV_RUN_NOWAIT);
  run(loop, UV_RUN_NOWAIT);
}

static void a_timer_closed_before_the_first_iteration_is_called_back_in_it(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", 0, timer_closes_itself);
  start_check(loop, &check, "check", check_closes_itself);
  run(loop, UV_RUN_DEFAULT);
}

static void close_other(uv_handle_t *handle) {
  note("%s-closed", label_of(handle));
  close_handle(&four);
}

static void a_handle_closed_in_a_close_callback_waits_for_the_next_iteration(uv_loop_t *loop) {
  init_timer(loop, &one, "1");
  init_timer(loop, &two, "2");
  init_timer(loop, &four, "4");
  close_handle(&one);
  uv_close((uv_handle_t *) &two, close_other);
  run(loop, UV_RUN_NOWAIT);
  run(loop, UV_RUN_NOWAIT);
}

static void make_it_anew(uv_handle_t *handle) {
  note("%s-closed", label_of(handle));
  start_check(handle->loop, &check, "check", note_check);
  start_timer(handle->loop, &timer, "timer", 0, note_timer);
}

static void what_starts_in_a_close_callback_runs_from_there_on(uv_loop_t *loop) {
  init_timer(loop, &timer, "old");
  uv_close((uv_handle_t *) &timer, make_it_anew);
  run(loop, UV_RUN_NOWAIT);
  run(loop, UV_RUN_NOWAIT);
}

/* --- what is left --- */

static void note_closing(const void *handle) {
  note_active(handle);
  note("closing=%d", uv_is_closing(handle) != 0);
}

static void note_state(uv_handle_t *handle) {
  note("%s-closed", label_of(handle));
  note_closing(handle);
}

static void a_closed_handle_is_inactive_and_closing_for_ever(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", NEVER, note_timer);
  note_closing(&timer);
  uv_close((uv_handle_t *) &timer, note_state);
  note_closing(&timer);
  run(loop, UV_RUN_DEFAULT);
  note_closing(&timer);
}

static void note_has_ref(const uv_handle_t *handle) {
  note("has_ref=%d", uv_has_ref(handle) != 0);
}

static void note_ref_in_close(uv_handle_t *handle) { note_has_ref(handle); }

static void a_handle_is_not_referenced_any_more_in_its_close_callback(uv_loop_t *loop) {
  init_timer(loop, &timer, "timer");
  uv_close((uv_handle_t *) &timer, note_ref_in_close);
  note_has_ref((uv_handle_t *) &timer);
  run(loop, UV_RUN_DEFAULT);
}

static void an_unreferenced_handle_keeps_the_loop_alive_until_it_is_closed(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", NEVER, note_timer);
  unref(&timer);
  note_alive(loop);
  close_handle(&timer);
  note_alive(loop);
  run(loop, UV_RUN_DEFAULT);
}

static void ref_and_unref_of_a_closing_handle_change_nothing(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", NEVER, note_timer);
  close_handle(&timer);
  unref(&timer);
  note_alive(loop);
  uv_ref((uv_handle_t *) &timer);
  run(loop, UV_RUN_DEFAULT);
  note_alive(loop);
}

static void close_needs_no_callback(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", NEVER, note_timer);
  uv_close((uv_handle_t *) &timer, NULL);
  note_alive(loop);
  run(loop, UV_RUN_DEFAULT);
  note_alive(loop);
}

static void close_in_check(uv_check_t *handle) {
  note_check(handle);
  close_handle(handle);
  close_handle(&two);
}

static void close_in_timer(uv_timer_t *handle) {
  note_timer(handle);
  close_handle(handle);
  close_handle(&one);
}

/* One is to fire, a long time from now; two has fired. */
static void no_close_callback_runs_before_check_is_through(uv_loop_t *loop) {
  start_check(loop, &check, "check", close_in_check);
  start_prepare(loop, &prepare, "prepare", prepare_closes_itself);
  start_timer(loop, &one, "1", NEVER, note_timer);
  start_timer(loop, &two, "2", 0, note_timer);
  start_timer(loop, &three, "3", 0, close_in_timer);
  run(loop, UV_RUN_DEFAULT);
}

static void close_check_in_prepare(uv_prepare_t *handle) {
  note_prepare(handle);
  close_handle(&check);
  must(uv_prepare_stop(handle));
}

static void a_handle_closed_in_an_earlier_phase_does_not_run(uv_loop_t *loop) {
  start_prepare(loop, &prepare, "prepare", close_check_in_prepare);
  start_check(loop, &check, "check", note_check);
  run(loop, UV_RUN_DEFAULT);
}

/* --- walk --- */

static void note_walked(uv_handle_t *handle, void *argument) {
  (void) argument;
  note("%s", label_of(handle));
}

static void walk(uv_loop_t *loop) {
  uv_walk(loop, note_walked, NULL);
  note("|");
}

static void walk_shows_active_inactive_and_closing_handles_in_the_order_of_making(
    uv_loop_t *loop) {
  init_timer(loop, &one, "inactive");
  init_async(loop, &async, "async", note_async);
  start_idle(loop, &idle, "idle", note_idle);
  init_timer(loop, &two, "closing");
  close_handle(&two);
  start_timer(loop, &three, "unref", NEVER, note_timer);
  unref(&three);
  walk(loop);
  must(uv_idle_stop(&idle));
  walk(loop);
}

static void walk_shows_a_new_handle_behind_the_older_ones(uv_loop_t *loop) {
  init_timer(loop, &one, "1");
  init_timer(loop, &two, "2");
  init_timer(loop, &three, "3");
  close_handle(&two);
  run(loop, UV_RUN_DEFAULT);
  walk(loop);
  init_timer(loop, &four, "4");
  walk(loop);
}

static void walk_in_close(uv_handle_t *handle) {
  note("%s-closed", label_of(handle));
  walk(handle->loop);
}

static void walk_does_not_show_the_handle_that_is_called_back(uv_loop_t *loop) {
  init_timer(loop, &one, "1");
  init_timer(loop, &two, "2");
  init_timer(loop, &three, "3");
  uv_close((uv_handle_t *) &one, walk_in_close);
  uv_close((uv_handle_t *) &two, walk_in_close);
  run(loop, UV_RUN_DEFAULT);
}

static void close_walked(uv_handle_t *handle, void *argument) {
  note_walked(handle, argument);
  close_handle(handle);
}

static void walk_may_close_all_that_it_shows(uv_loop_t *loop) {
  start_one_of_each_kind(loop);
  uv_walk(loop, close_walked, NULL);
  run(loop, UV_RUN_DEFAULT);
  walk(loop);
}

static void walk_in_timer(uv_timer_t *handle) {
  walk(handle->loop);
  close_handle(handle);
}

static void walk_shows_the_handle_whose_callback_runs(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", 0, walk_in_timer);
  run(loop, UV_RUN_DEFAULT);
  walk(loop);
}

const struct scenario closing_scenarios[] = {
    SCENARIO(close_is_last_in_first_out),
    SCENARIO(handles_of_other_kinds_are_closed_the_last_first_too),
    SCENARIO(no_callback_of_a_closed_handle_runs_and_all_are_called_back),
    SCENARIO(what_closes_in_an_iteration_is_called_back_in_it_but_for_timers),
    SCENARIO(a_timer_closed_before_the_first_iteration_is_called_back_in_it),
    SCENARIO(a_handle_closed_in_a_close_callback_waits_for_the_next_iteration),
    SCENARIO(what_starts_in_a_close_callback_runs_from_there_on),
    SCENARIO(a_closed_handle_is_inactive_and_closing_for_ever),
    SCENARIO(a_handle_is_not_referenced_any_more_in_its_close_callback),
    SCENARIO(an_unreferenced_handle_keeps_the_loop_alive_until_it_is_closed),
    SCENARIO(ref_and_unref_of_a_closing_handle_change_nothing),
    SCENARIO(close_needs_no_callback),
    SCENARIO(no_close_callback_runs_before_check_is_through),
    SCENARIO(a_handle_closed_in_an_earlier_phase_does_not_run),
    SCENARIO(walk_shows_active_inactive_and_closing_handles_in_the_order_of_making),
    SCENARIO(walk_shows_a_new_handle_behind_the_older_ones),
    SCENARIO(walk_does_not_show_the_handle_that_is_called_back),
    SCENARIO(walk_may_close_all_that_it_shows),
    SCENARIO(walk_shows_the_handle_whose_callback_runs),
    {NULL, NULL},
};
