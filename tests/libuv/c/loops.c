/* The loop: phases, modes, stop, what keeps it alive, how long it waits. */
#include "handles.h"

#include <string.h>
#include <sys/socket.h>

static uv_idle_t idle;
static uv_prepare_t prepare;
static uv_async_t async;
static uv_poll_t udp;
static uv_check_t check;
static uv_timer_t closing;
static uv_timer_t timer;

/* --- the order of the phases --- */

/* The label of the handle whose callback stops the loop. */
static const char *stopper = "";

static void turn(void *handle) {
  note("%s", label_of(handle));
  if (strcmp(label_of(handle), stopper) == 0) uv_stop(((uv_handle_t *) handle)->loop);
}

static void turn_idle(uv_idle_t *handle) { turn(handle); }
static void turn_prepare(uv_prepare_t *handle) { turn(handle); }
static void turn_async(uv_async_t *handle) { turn(handle); }
static void turn_poll(uv_poll_t *handle, int status, int events) {
  must(status);
  (void) events;
  turn(handle);
}
static void turn_check(uv_check_t *handle) { turn(handle); }
static void turn_close(uv_handle_t *handle) { turn(handle); }
static void turn_timer(uv_timer_t *handle) { turn(handle); }

static void make_everything_ready(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", 0, turn_timer);
  init_timer(loop, &closing, "close");
  uv_close((uv_handle_t *) &closing, turn_close);
  start_check(loop, &check, "check", turn_check);
  init_async(loop, &async, "async", turn_async);
  must(uv_async_send(&async));
  start_poll(loop, &udp, "poll", turn_poll);
  start_prepare(loop, &prepare, "prepare", turn_prepare);
  start_idle(loop, &idle, "idle", turn_idle);
}

static void run_with_everything_ready(uv_loop_t *loop, uv_run_mode mode, const char *stopped_by) {
  stopper = stopped_by;
  make_everything_ready(loop);
  run(loop, mode);
}

static void once_runs_every_phase_and_the_timers_last(uv_loop_t *loop) {
  run_with_everything_ready(loop, UV_RUN_ONCE, "");
}

static void nowait_runs_every_phase_and_the_timers_last(uv_loop_t *loop) {
  run_with_everything_ready(loop, UV_RUN_NOWAIT, "");
}

/* A run in the default mode has due timers first. Each of these ends after one iteration. */
static void a_stop_in_idle_completes_the_iteration(uv_loop_t *loop) {
  run_with_everything_ready(loop, UV_RUN_DEFAULT, "idle");
}

static void a_stop_in_prepare_completes_the_iteration(uv_loop_t *loop) {
  run_with_everything_ready(loop, UV_RUN_DEFAULT, "prepare");
}

static void a_stop_in_an_async_completes_the_iteration(uv_loop_t *loop) {
  run_with_everything_ready(loop, UV_RUN_DEFAULT, "async");
}

static void a_stop_in_poll_completes_the_iteration(uv_loop_t *loop) {
  run_with_everything_ready(loop, UV_RUN_DEFAULT, "poll");
}

static void a_stop_in_check_completes_the_iteration(uv_loop_t *loop) {
  run_with_everything_ready(loop, UV_RUN_DEFAULT, "check");
}

static void a_stop_in_a_close_callback_completes_the_iteration(uv_loop_t *loop) {
  run_with_everything_ready(loop, UV_RUN_DEFAULT, "close");
}

static void a_stop_in_the_timers_before_the_first_iteration_skips_it(uv_loop_t *loop) {
  run_with_everything_ready(loop, UV_RUN_DEFAULT, "timer");
}

static uv_timer_t timers[2];

static void start_two_timers(uv_check_t *handle) {
  start_timer(handle->loop, &timers[0], "first", 0, turn_timer);
  start_timer(handle->loop, &timers[1], "second", 0, turn_timer);
  must(uv_check_stop(handle));
}

static void a_stop_in_a_timer_completes_the_timers(uv_loop_t *loop) {
  stopper = "first";
  start_idle(loop, &idle, "idle", note_idle);
  start_check(loop, &check, "check", start_two_timers);
  run(loop, UV_RUN_DEFAULT);
}

/* --- stop, and what a run gives --- */

static void a_stop_lets_poll_not_wait(uv_loop_t *loop) {
  stopper = "prepare";
  start_timer(loop, &timer, "timer", NEVER, note_timer);
  start_prepare(loop, &prepare, "prepare", turn_prepare);
  start_check(loop, &check, "check", note_check);
  run(loop, UV_RUN_DEFAULT);
}

static void a_stop_in_the_last_timer_before_the_first_iteration(uv_loop_t *loop) {
  stopper = "timer";
  start_timer(loop, &timer, "timer", 0, turn_timer);
  run(loop, UV_RUN_DEFAULT);
  note_alive(loop);
}

static void a_stop_before_a_run_skips_all_of_it_and_is_forgotten(uv_loop_t *loop) {
  start_prepare(loop, &prepare, "prepare", note_prepare);
  init_timer(loop, &timer, "timer");
  for (int i = 0; i < 3; i++) {
    must(uv_timer_start(&timer, note_timer, 0, 0));
    uv_stop(loop);
    note("%s", modes[i].name);
    run(loop, modes[i].mode);
    run(loop, UV_RUN_NOWAIT);
  }
}

static void a_stop_before_a_run_of_nothing_is_forgotten_too(uv_loop_t *loop) {
  uv_stop(loop);
  run(loop, UV_RUN_DEFAULT);
  start_prepare(loop, &prepare, "prepare", note_prepare);
  run(loop, UV_RUN_NOWAIT);
}

static void stop_at_the_third_end_at_the_sixth(uv_idle_t *handle) {
  static int turns;
  note("%d", ++turns);
  if (turns == 3) uv_stop(handle->loop);
  if (turns == 6) must(uv_idle_stop(handle));
}

static void a_run_goes_on_where_the_last_was_stopped(uv_loop_t *loop) {
  start_idle(loop, &idle, "idle", stop_at_the_third_end_at_the_sixth);
  run(loop, UV_RUN_DEFAULT);
  run(loop, UV_RUN_NOWAIT);
  run(loop, UV_RUN_DEFAULT);
}

static void an_iteration_follows_the_first_timers_with_nothing_left_alive(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", 0, note_timer);
  start_prepare(loop, &prepare, "prepare", note_prepare);
  unref(&prepare);
  run(loop, UV_RUN_DEFAULT);
}

static void nothing_alive_runs_no_phase(uv_loop_t *loop) {
  start_prepare(loop, &prepare, "prepare", note_prepare);
  unref(&prepare);
  for (int i = 0; i < 3; i++) run(loop, modes[i].mode);
}

static void once_runs_one_iteration_and_says_whether_there_is_more(uv_loop_t *loop) {
  start_idle(loop, &idle, "idle", stop_at_the_third_end_at_the_sixth);
  for (int i = 0; i < 6; i++) run(loop, UV_RUN_ONCE);
}

static void nowait_does_not_wait_for_a_timer(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", NEVER, note_timer);
  start_check(loop, &check, "check", note_check);
  run(loop, UV_RUN_NOWAIT);
  note_active(&timer);
}

/* Lets the trace show where the phases before and after poll are. */
static void show_phases(uv_loop_t *loop) {
  start_prepare(loop, &prepare, "prepare", note_prepare);
  start_check(loop, &check, "check", note_check);
  unref(&prepare);
  unref(&check);
}

static void a_due_timer_alone_in_each_mode(uv_loop_t *loop) {
  show_phases(loop);
  init_timer(loop, &timer, "timer");
  for (int i = 0; i < 3; i++) {
    must(uv_timer_start(&timer, note_timer, 0, 0));
    note("%s", modes[i].name);
    run(loop, modes[i].mode);
  }
}

static void a_closing_handle_alone_in_each_mode(uv_loop_t *loop) {
  static uv_timer_t handles[3];
  show_phases(loop);
  for (int i = 0; i < 3; i++) {
    init_timer(loop, &handles[i], modes[i].name);
    close_handle(&handles[i]);
    run(loop, modes[i].mode);
  }
}

static void note_and_stop_idle(uv_idle_t *handle) {
  note_idle(handle);
  must(uv_idle_stop(handle));
}

static void an_idle_handle_alone_in_each_mode(uv_loop_t *loop) {
  show_phases(loop);
  must(uv_idle_init(loop, &idle));
  idle.data = "idle";
  for (int i = 0; i < 3; i++) {
    must(uv_idle_start(&idle, note_and_stop_idle));
    note("%s", modes[i].name);
    run(loop, modes[i].mode);
  }
}

static void note_and_stop_poll(uv_poll_t *handle, int status, int events) {
  note_poll(handle, status, events);
  must(uv_poll_stop(handle));
}

static void a_ready_poll_alone_in_each_mode(uv_loop_t *loop) {
  show_phases(loop);
  start_poll(loop, &udp, "poll", note_and_stop_poll);
  for (int i = 0; i < 3; i++) {
    must(uv_poll_start(&udp, UV_WRITABLE, note_and_stop_poll));
    note("%s", modes[i].name);
    run(loop, modes[i].mode);
  }
}

static void unref_async(uv_async_t *handle) {
  note_async(handle);
  unref(handle);
}

static void a_signalled_async_alone_in_each_mode(uv_loop_t *loop) {
  show_phases(loop);
  init_async(loop, &async, "async", unref_async);
  for (int i = 0; i < 3; i++) {
    uv_ref((uv_handle_t *) &async);
    must(uv_async_send(&async));
    note("%s", modes[i].name);
    run(loop, modes[i].mode);
  }
}

/* --- alive --- */

static void a_loop_is_alive_while_a_referenced_handle_is_active(uv_loop_t *loop) {
  note_alive(loop);
  init_timer(loop, &timer, "timer");
  note_alive(loop);
  must(uv_timer_start(&timer, note_timer, NEVER, 0));
  note_alive(loop);
  unref(&timer);
  note_alive(loop);
  uv_ref((uv_handle_t *) &timer);
  note_alive(loop);
  must(uv_timer_stop(&timer));
  note_alive(loop);
  close_handle(&timer);
  note_alive(loop);
  run(loop, UV_RUN_DEFAULT);
  note_alive(loop);
}

static void work(uv_work_t *request) { (void) request; }

static void after_work(uv_work_t *request, int status) {
  note_status("done", status);
  note_alive(request->loop);
}

static void a_loop_is_alive_while_work_is_queued(uv_loop_t *loop) {
  static uv_work_t request;
  must(uv_queue_work(loop, &request, work, after_work));
  note_alive(loop);
  run(loop, UV_RUN_DEFAULT);
}

static void note_alive_in_timer(uv_timer_t *handle) { note_alive(handle->loop); }

static void a_timer_that_fires_keeps_nothing_alive(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", 0, note_alive_in_timer);
  run(loop, UV_RUN_DEFAULT);
}

static void note_alive_in_close(uv_handle_t *handle) {
  note("%s", label_of(handle));
  note_alive(handle->loop);
}

static void a_handle_in_its_close_callback_keeps_nothing_alive(uv_loop_t *loop) {
  init_timer(loop, &timers[0], "first");
  init_timer(loop, &timers[1], "second");
  for (int i = 0; i < 2; i++) uv_close((uv_handle_t *) &timers[i], note_alive_in_close);
  run(loop, UV_RUN_DEFAULT);
}

static void unref_prepare(uv_prepare_t *handle) {
  note("prepare");
  unref(handle);
}

static void unref_in_prepare_ends_the_loop_after_the_iteration(uv_loop_t *loop) {
  start_prepare(loop, &prepare, "prepare", unref_prepare);
  start_check(loop, &check, "check", note_check);
  unref(&check);
  run(loop, UV_RUN_DEFAULT);
}

static void an_unreferenced_handle_of_any_kind_lets_run_return(uv_loop_t *loop) {
  void *handles[] = {&idle, &prepare, &check, &timer, &async, &udp};
  start_idle(loop, &idle, "idle", note_idle);
  start_prepare(loop, &prepare, "prepare", note_prepare);
  start_check(loop, &check, "check", note_check);
  start_timer(loop, &timer, "timer", NEVER, note_timer);
  init_async(loop, &async, "async", note_async);
  start_poll(loop, &udp, "poll", note_poll);
  for (int i = 0; i < 6; i++) {
    unref(handles[i]);
    note_active(handles[i]);
    note_alive(loop);
  }
  run(loop, UV_RUN_DEFAULT);
}

static void note_has_ref(const char *after) {
  note("%s=%d", after, uv_has_ref((uv_handle_t *) &timer) != 0);
}

static void ref_and_unref_are_a_flag_and_not_a_count(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", NEVER, note_timer);
  note_has_ref("started");
  for (int i = 0; i < 2; i++) unref(&timer);
  note_has_ref("unref");
  note_alive(loop);
  uv_ref((uv_handle_t *) &timer);
  note_has_ref("ref");
  note_alive(loop);
  for (int i = 0; i < 2; i++) uv_ref((uv_handle_t *) &timer);
  unref(&timer);
  note_has_ref("unref");
  note_alive(loop);
}

/* --- time --- */

static void note_moved(const uv_loop_t *loop, uint64_t before) {
  note("moved=%d", uv_now(loop) > before);
}

static void the_time_stands_still_until_the_clock_is_read(uv_loop_t *loop) {
  uint64_t before = uv_now(loop);
  uv_sleep(5);
  note_moved(loop, before);
  uv_update_time(loop);
  note_moved(loop, before);
}

static void nowait_with_nothing_alive_reads_the_clock(uv_loop_t *loop) {
  uint64_t before = uv_now(loop);
  uv_sleep(5);
  run(loop, UV_RUN_NOWAIT);
  note_moved(loop, before);
}

static uint64_t start;

static void note_moved_in_prepare(uv_prepare_t *handle) { note_moved(handle->loop, start); }
static void note_moved_in_check(uv_check_t *handle) {
  note_moved(handle->loop, start);
  uv_stop(handle->loop);
}

static void when_a_mode_reads_the_clock(uv_loop_t *loop, uv_run_mode mode) {
  start_idle(loop, &idle, "idle", note_idle);
  start_prepare(loop, &prepare, "prepare", note_moved_in_prepare);
  start_check(loop, &check, "check", note_moved_in_check);
  start = uv_now(loop);
  uv_sleep(5);
  run(loop, mode);
}

static void default_reads_the_clock_before_it_begins(uv_loop_t *loop) {
  when_a_mode_reads_the_clock(loop, UV_RUN_DEFAULT);
}

static void once_reads_the_clock_in_poll_first(uv_loop_t *loop) {
  when_a_mode_reads_the_clock(loop, UV_RUN_ONCE);
}

static void nowait_reads_the_clock_in_poll_first(uv_loop_t *loop) {
  when_a_mode_reads_the_clock(loop, UV_RUN_NOWAIT);
}

/* --- how long poll waits --- */

static void the_wait_is_0_if_nothing_is_alive(uv_loop_t *loop) {
  settle(loop);
  note_wait("nothing", loop);
  init_timer(loop, &timer, "timer");
  note_wait("inactive", loop);
  must(uv_timer_start(&timer, note_timer, NEVER, 0));
  note_wait("active", loop);
  unref(&timer);
  note_wait("unref", loop);
}

static void the_wait_ends_with_the_next_timer_referenced_or_not(uv_loop_t *loop) {
  settle(loop);
  start_prepare(loop, &prepare, "prepare", note_prepare);
  note_wait("prepare", loop);
  start_timer(loop, &timer, "timer", NEVER, note_timer);
  unref(&timer);
  note_wait("far", loop);
  must(uv_timer_start(&timer, note_timer, 0, 0));
  note_wait("due", loop);
}

static void the_wait_is_0_with_an_idle_or_closing_handle_or_after_stop(uv_loop_t *loop) {
  settle(loop);
  start_timer(loop, &timer, "timer", NEVER, note_timer);
  note_wait("timer", loop);
  start_idle(loop, &idle, "idle", note_idle);
  unref(&idle);
  note_wait("idle", loop);
  must(uv_idle_stop(&idle));
  note_wait("stopped", loop);
  uv_stop(loop);
  note_wait("stop", loop);
  run(loop, UV_RUN_DEFAULT);
  close_handle(&idle);
  note_wait("closing", loop);
}

static void close_async(uv_async_t *handle) {
  note("async");
  close_handle(handle);
}

static void run_inner_loop(uv_poll_t *handle, int status, int events) {
  uv_loop_t *inner = handle->data;
  must(status);
  (void) events;
  run(inner, UV_RUN_NOWAIT);
  uv_close((uv_handle_t *) handle, NULL);
}

static void an_outer_loop_polls_the_descriptor_of_an_inner_one(uv_loop_t *loop) {
  static uv_loop_t inner;
  must(uv_loop_init(&inner));
  init_async(&inner, &async, "async", close_async);
  run(&inner, UV_RUN_NOWAIT);
  note_wait("inner", &inner);
  must(uv_poll_init(loop, &udp, uv_backend_fd(&inner)));
  udp.data = &inner;
  must(uv_poll_start(&udp, UV_READABLE, run_inner_loop));
  run(loop, UV_RUN_NOWAIT);
  must(uv_async_send(&async));
  run(loop, UV_RUN_DEFAULT);
  note_alive(&inner);
}

static void stop_idle_in_timer(uv_timer_t *handle) {
  note_timer(handle);
  must(uv_idle_stop(&idle));
}

static void silent_idle(uv_idle_t *handle) { (void) handle; }

static void an_idle_handle_does_not_starve_timers(uv_loop_t *loop) {
  start_idle(loop, &idle, "idle", silent_idle);
  start_timer(loop, &timer, "timer", 5, stop_idle_in_timer);
  run(loop, UV_RUN_DEFAULT);
}

static void once_does_not_wait_if_an_idle_handle_stopped_in_it(uv_loop_t *loop) {
  start_idle(loop, &idle, "idle", note_and_stop_idle);
  start_check(loop, &check, "check", note_check);
  run(loop, UV_RUN_ONCE);
}

static void start_silent_idle(uv_prepare_t *handle) {
  note_prepare(handle);
  start_idle(handle->loop, &idle, "idle", silent_idle);
}

static void poll_does_not_wait_if_an_idle_handle_started_in_prepare(uv_loop_t *loop) {
  start_prepare(loop, &prepare, "prepare", start_silent_idle);
  start_check(loop, &check, "check", note_check);
  run(loop, UV_RUN_ONCE);
}

/* --- where callbacks run --- */

static void call_all_in_timer(uv_timer_t *handle) {
  note("timer-in");
  close_handle(&closing);
  start_timer(handle->loop, &timers[0], "timer-0", 0, note_timer);
  must(uv_async_send(&async));
  note("timer-out");
}

static void no_callback_runs_in_a_call(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", 0, call_all_in_timer);
  init_timer(loop, &closing, "closing");
  init_async(loop, &async, "async", note_async);
  start_poll(loop, &udp, "poll", note_poll);
  must(uv_async_send(&async));
  note("returned");
  run(loop, UV_RUN_NOWAIT);
  run(loop, UV_RUN_NOWAIT);
}

/* --- metrics --- */

static void note_iterations(uv_loop_t *loop) {
#if UV_VERSION_HEX >= ((1 << 16) | (45 << 8))
  uv_metrics_t metrics;
  must(uv_metrics_info(loop, &metrics));
  note("iterations=%llu", (unsigned long long) metrics.loop_count);
#else
  (void) loop;
  note("iterations=unknown");
#endif
}

static void each_poll_phase_is_counted_as_an_iteration(uv_loop_t *loop) {
  run(loop, UV_RUN_DEFAULT);
  note_iterations(loop);
  start_idle(loop, &idle, "idle", silent_idle);
  run(loop, UV_RUN_NOWAIT);
  run(loop, UV_RUN_ONCE);
  note_iterations(loop);
  uv_stop(loop);
  run(loop, UV_RUN_DEFAULT);
  note_iterations(loop);
  start_timer(loop, &timer, "timer", 0, stop_idle_in_timer);
  run(loop, UV_RUN_DEFAULT);
  note_iterations(loop);
}

const struct scenario loop_scenarios[] = {
    SCENARIO(once_runs_every_phase_and_the_timers_last),
    SCENARIO(nowait_runs_every_phase_and_the_timers_last),
    SCENARIO(a_stop_in_idle_completes_the_iteration),
    SCENARIO(a_stop_in_prepare_completes_the_iteration),
    SCENARIO(a_stop_in_an_async_completes_the_iteration),
    SCENARIO(a_stop_in_poll_completes_the_iteration),
    SCENARIO(a_stop_in_check_completes_the_iteration),
    SCENARIO(a_stop_in_a_close_callback_completes_the_iteration),
    SCENARIO(a_stop_in_the_timers_before_the_first_iteration_skips_it),
    SCENARIO(a_stop_in_a_timer_completes_the_timers),
    SCENARIO(a_stop_lets_poll_not_wait),
    SCENARIO(a_stop_in_the_last_timer_before_the_first_iteration),
    SCENARIO(a_stop_before_a_run_skips_all_of_it_and_is_forgotten),
    SCENARIO(a_stop_before_a_run_of_nothing_is_forgotten_too),
    SCENARIO(a_run_goes_on_where_the_last_was_stopped),
    SCENARIO(an_iteration_follows_the_first_timers_with_nothing_left_alive),
    SCENARIO(nothing_alive_runs_no_phase),
    SCENARIO(once_runs_one_iteration_and_says_whether_there_is_more),
    SCENARIO(nowait_does_not_wait_for_a_timer),
    SCENARIO(a_due_timer_alone_in_each_mode),
    SCENARIO(a_closing_handle_alone_in_each_mode),
    SCENARIO(an_idle_handle_alone_in_each_mode),
    SCENARIO(a_ready_poll_alone_in_each_mode),
    SCENARIO(a_signalled_async_alone_in_each_mode),
    SCENARIO(a_loop_is_alive_while_a_referenced_handle_is_active),
    SCENARIO(a_loop_is_alive_while_work_is_queued),
    SCENARIO(a_timer_that_fires_keeps_nothing_alive),
    SCENARIO(a_handle_in_its_close_callback_keeps_nothing_alive),
    SCENARIO(unref_in_prepare_ends_the_loop_after_the_iteration),
    SCENARIO(an_unreferenced_handle_of_any_kind_lets_run_return),
    SCENARIO(ref_and_unref_are_a_flag_and_not_a_count),
    SCENARIO(the_time_stands_still_until_the_clock_is_read),
    SCENARIO(nowait_with_nothing_alive_reads_the_clock),
    SCENARIO(default_reads_the_clock_before_it_begins),
    SCENARIO(once_reads_the_clock_in_poll_first),
    SCENARIO(nowait_reads_the_clock_in_poll_first),
    SCENARIO(the_wait_is_0_if_nothing_is_alive),
    SCENARIO(the_wait_ends_with_the_next_timer_referenced_or_not),
    SCENARIO(the_wait_is_0_with_an_idle_or_closing_handle_or_after_stop),
    SCENARIO(an_outer_loop_polls_the_descriptor_of_an_inner_one),
    SCENARIO(an_idle_handle_does_not_starve_timers),
    SCENARIO(once_does_not_wait_if_an_idle_handle_stopped_in_it),
    SCENARIO(poll_does_not_wait_if_an_idle_handle_started_in_prepare),
    SCENARIO(no_callback_runs_in_a_call),
    SCENARIO(each_poll_phase_is_counted_as_an_iteration),
    {NULL, NULL},
};
