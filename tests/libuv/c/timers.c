/* Timers: their order, repeats, and siblings in one pass. */
#include "handles.h"

static uv_prepare_t prepare;
static uv_check_t check;
static uv_async_t async;
static uv_timer_t timer;
static uv_timer_t one, two;

/* Lets every timer of up to 2 ms that was started so far become due. */
static void let_time_pass(void) { uv_sleep(3); }

static void start_repeating(uv_loop_t *loop, uv_timer_t *handle, const char *label, uint64_t after,
                            uint64_t repeat, uv_timer_cb callback) {
  init_timer(loop, handle, label);
  must(uv_timer_start(handle, callback, after, repeat));
}

/* --- order --- */

static void timers_run_by_deadline_and_equal_ones_in_the_order_of_start(uv_loop_t *loop) {
  static uv_timer_t handles[4];
  const char *labels[] = {"2-a", "1-a", "2-b", "1-b"};
  for (int i = 0; i < 4; i++)
    start_timer(loop, &handles[i], labels[i], i % 2 == 0 ? 2 : 1, note_timer);
  let_time_pass();
  run(loop, UV_RUN_DEFAULT);
}

static void equal_deadlines_run_in_the_order_of_start_not_of_making(uv_loop_t *loop) {
  init_timer(loop, &one, "one");
  init_timer(loop, &two, "two");
  must(uv_timer_start(&two, note_timer, 0, 0));
  must(uv_timer_start(&one, note_timer, 0, 0));
  run(loop, UV_RUN_DEFAULT);
}

static void a_timer_started_again_goes_behind_its_equals(uv_loop_t *loop) {
  start_timer(loop, &one, "one", 0, note_timer);
  start_timer(loop, &two, "two", 0, note_timer);
  must(uv_timer_start(&one, note_timer, 0, 0));
  run(loop, UV_RUN_DEFAULT);
}

static void repeats_of_one_period_keep_their_order(uv_loop_t *loop) {
  start_repeating(loop, &one, "one", 0, 1, note_timer);
  start_repeating(loop, &two, "two", 0, 1, note_timer);
  for (int i = 0; i < 3; i++) {
    run(loop, UV_RUN_NOWAIT);
    let_time_pass();
  }
}

/* --- start --- */

static void never(uv_timer_t *handle) { note("%s-never", label_of(handle)); }

static void a_second_start_replaces_the_time_and_the_callback(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", NEVER, never);
  must(uv_timer_start(&timer, note_timer, 0, 0));
  run(loop, UV_RUN_DEFAULT);
}

static void rearm_0(uv_timer_t *handle) {
  static int left = 3;
  note_timer(handle);
  if (left-- > 0) must(uv_timer_start(handle, rearm_0, 0, 0));
}

static void a_timer_rearmed_0_in_its_callback_runs_once_an_iteration(uv_loop_t *loop) {
  start_prepare(loop, &prepare, "prepare", note_prepare);
  start_check(loop, &check, "check", note_check);
  unref(&prepare);
  unref(&check);
  start_timer(loop, &timer, "timer", 0, rearm_0);
  run(loop, UV_RUN_DEFAULT);
}

static void start_other(uv_timer_t *handle) {
  note_timer(handle);
  start_timer(handle->loop, &two, "other", 0, note_timer);
}

static void a_timer_of_0_started_in_a_timer_waits_for_the_next_iteration(uv_loop_t *loop) {
  start_timer(loop, &one, "one", 0, start_other);
  run(loop, UV_RUN_NOWAIT);
  run(loop, UV_RUN_NOWAIT);
}

static uv_idle_t idle;
static uv_timer_t in_phase[4];

static void start_in_idle(uv_idle_t *handle) {
  note("idle");
  start_timer(handle->loop, &in_phase[0], "of-idle", 0, note_timer);
}

static void start_in_prepare(uv_prepare_t *handle) {
  note("prepare");
  start_timer(handle->loop, &in_phase[1], "of-prepare", 0, note_timer);
}

static void start_in_check(uv_check_t *handle) {
  note("check");
  start_timer(handle->loop, &in_phase[2], "of-check", 0, note_timer);
}

static void start_in_close(uv_handle_t *handle) {
  note("close");
  start_timer(handle->loop, &in_phase[3], "of-close", 0, note_timer);
}

/* Of 0 by the cached time: poll reads the clock between the second and the third. */
static void a_timer_of_0_started_in_a_phase_runs_in_that_iteration(uv_loop_t *loop) {
  start_idle(loop, &idle, "idle", start_in_idle);
  start_prepare(loop, &prepare, "prepare", start_in_prepare);
  start_check(loop, &check, "check", start_in_check);
  init_timer(loop, &timer, "timer");
  uv_close((uv_handle_t *) &timer, start_in_close);
  run(loop, UV_RUN_ONCE);
}

static void start_with_another_callback(uv_timer_t *handle) {
  note_timer(handle);
  must(uv_timer_start(handle, never, NEVER, 0));
  note_due_in(handle);
  must(uv_timer_start(handle, note_timer, 0, 0));
}

static void a_start_in_its_callback_replaces_the_repeat_and_the_callback(uv_loop_t *loop) {
  start_repeating(loop, &timer, "timer", 0, 1, start_with_another_callback);
  run(loop, UV_RUN_DEFAULT);
}

static void a_closing_timer_can_not_be_started(uv_loop_t *loop) {
  start_repeating(loop, &timer, "timer", 0, 1, note_timer);
  close_handle(&timer);
  note_status("start", uv_timer_start(&timer, note_timer, 0, 0));
  must(uv_timer_stop(&timer));
  note_active(&timer);
  run(loop, UV_RUN_DEFAULT);
}

static void again_on_a_closing_timer(uv_loop_t *loop) {
  start_repeating(loop, &timer, "timer", 0, 1, note_timer);
  close_handle(&timer);
  note_status("again", uv_timer_again(&timer));
  note_active(&timer);
  run(loop, UV_RUN_DEFAULT);
}

static void a_huge_timeout_is_never_due(uv_loop_t *loop) {
  start_timer(loop, &one, "huge", UINT64_MAX, note_timer);
  start_timer(loop, &two, "small", 1, note_timer);
  let_time_pass();
  run(loop, UV_RUN_NOWAIT);
  note("far=%d", uv_timer_get_due_in(&one) > NEVER);
  note_wait("wait", loop);
}

static void a_huge_repeat_is_never_due_again(uv_loop_t *loop) {
  start_repeating(loop, &timer, "timer", 0, UINT64_MAX, note_timer);
  run(loop, UV_RUN_NOWAIT);
  let_time_pass();
  run(loop, UV_RUN_NOWAIT);
  note("far=%d", uv_timer_get_due_in(&timer) > NEVER);
}

/* --- stop, due_in, active --- */

static void stopping_twice_is_stopping_once(uv_loop_t *loop) {
  init_timer(loop, &timer, "timer");
  note_status("stop", uv_timer_stop(&timer));
  must(uv_timer_start(&timer, note_timer, 0, 0));
  note_status("stop", uv_timer_stop(&timer));
  note_status("stop", uv_timer_stop(&timer));
  note_active(&timer);
  run(loop, UV_RUN_DEFAULT);
}

static void due_in_is_not_reset_by_stop(uv_loop_t *loop) {
  init_timer(loop, &timer, "timer");
  note_due_in(&timer);
  must(uv_timer_start(&timer, note_timer, 500, 0));
  note_due_in(&timer);
  must(uv_timer_stop(&timer));
  note_due_in(&timer);
}

static void due_in_counts_by_the_cached_time(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", 2, note_timer);
  let_time_pass();
  note_due_in(&timer);
  uv_update_time(loop);
  note_due_in(&timer);
}

static void note_timer_and_active(uv_timer_t *handle) {
  note_timer(handle);
  note_active(handle);
}

static void a_one_shot_is_inactive_in_its_callback_a_repeat_is_active(uv_loop_t *loop) {
  start_timer(loop, &one, "one-shot", 0, note_timer_and_active);
  start_repeating(loop, &two, "repeat", 0, NEVER, note_timer_and_active);
  run(loop, UV_RUN_NOWAIT);
  note_active(&one);
  note_active(&two);
}

static void a_timer_is_active_from_start_to_stop_or_close(uv_loop_t *loop) {
  init_timer(loop, &timer, "timer");
  note_active(&timer);
  for (int i = 0; i < 2; i++) {
    must(uv_timer_start(&timer, note_timer, NEVER, 0));
    note_active(&timer);
    if (i == 0) must(uv_timer_stop(&timer));
    else close_handle(&timer);
    note_active(&timer);
    note("closing=%d", uv_is_closing((uv_handle_t *) &timer) != 0);
  }
  run(loop, UV_RUN_DEFAULT);
}

/* --- repeat and again --- */

static void again_on_a_timer_never_started_is_an_error(uv_loop_t *loop) {
  init_timer(loop, &timer, "timer");
  note_status("again", uv_timer_again(&timer));
  uv_timer_set_repeat(&timer, 1);
  note_status("again", uv_timer_again(&timer));
  note_active(&timer);
}

static void again_without_a_repeat_does_nothing(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", 500, note_timer);
  note_status("again", uv_timer_again(&timer));
  note_active(&timer);
  note_due_in(&timer);
  must(uv_timer_stop(&timer));
  note_status("again", uv_timer_again(&timer));
  note_active(&timer);
}

static void again_counts_the_repeat_from_now(uv_loop_t *loop) {
  start_repeating(loop, &timer, "timer", 500, 70, note_timer);
  must(uv_timer_again(&timer));
  note_due_in(&timer);
  let_time_pass();
  uv_update_time(loop);
  must(uv_timer_again(&timer));
  note_due_in(&timer);
}

static void again_after_stop_starts_it_with_the_repeat(uv_loop_t *loop) {
  start_repeating(loop, &timer, "timer", 500, 1, note_timer);
  must(uv_timer_stop(&timer));
  must(uv_timer_again(&timer));
  note_active(&timer);
  note_due_in(&timer);
  let_time_pass();
  run(loop, UV_RUN_NOWAIT);
}

static void again_puts_off_a_timer_that_is_due(uv_loop_t *loop) {
  start_repeating(loop, &timer, "timer", 0, NEVER, note_timer);
  must(uv_timer_again(&timer));
  run(loop, UV_RUN_NOWAIT);
  note_active(&timer);
}

static void set_far_repeat(uv_timer_t *handle) {
  note_timer(handle);
  note_due_in(handle);
  uv_timer_set_repeat(handle, NEVER);
}

static void a_repeat_set_in_the_callback_applies_to_the_arming_after_the_next(uv_loop_t *loop) {
  start_repeating(loop, &timer, "timer", 0, 1, set_far_repeat);
  for (int i = 0; i < 3; i++) {
    run(loop, UV_RUN_NOWAIT);
    let_time_pass();
  }
}

static void set_no_repeat(uv_timer_t *handle) {
  note_timer(handle);
  uv_timer_set_repeat(handle, 0);
}

static void a_repeat_set_to_0_in_the_callback_ends_it_after_one_more(uv_loop_t *loop) {
  start_repeating(loop, &timer, "timer", 0, 1, set_no_repeat);
  run(loop, UV_RUN_DEFAULT);
  note_active(&timer);
}

static void set_repeat_late(uv_timer_t *handle) {
  note_timer_and_active(handle);
  uv_timer_set_repeat(handle, 1);
  note_active(handle);
}

static void a_repeat_set_in_the_callback_of_a_one_shot_waits_for_again(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", 0, set_repeat_late);
  run(loop, UV_RUN_DEFAULT);
  must(uv_timer_again(&timer));
  note_active(&timer);
  note_due_in(&timer);
}

static void stop_itself(uv_timer_t *handle) {
  note_timer(handle);
  must(uv_timer_stop(handle));
}

static void stop_in_its_callback_ends_the_repeat_and_again_resumes_it(uv_loop_t *loop) {
  start_repeating(loop, &timer, "timer", 0, 1, stop_itself);
  run(loop, UV_RUN_DEFAULT);
  must(uv_timer_again(&timer));
  run(loop, UV_RUN_DEFAULT);
}

static void close_itself(uv_timer_t *handle) {
  note_timer(handle);
  close_handle(handle);
}

static void close_in_its_callback_ends_the_repeat(uv_loop_t *loop) {
  start_repeating(loop, &timer, "timer", 0, 1, close_itself);
  run(loop, UV_RUN_DEFAULT);
}

static void note_repeat(const uv_timer_t *handle) {
  note("repeat=%llu", (unsigned long long) uv_timer_get_repeat(handle));
}

static void start_sets_the_repeat_and_stop_keeps_it(uv_loop_t *loop) {
  init_timer(loop, &timer, "timer");
  uv_timer_set_repeat(&timer, 7);
  note_repeat(&timer);
  must(uv_timer_start(&timer, note_timer, 1, 5));
  note_repeat(&timer);
  must(uv_timer_stop(&timer));
  note_repeat(&timer);
  must(uv_timer_start(&timer, note_timer, 1, 0));
  note_repeat(&timer);
}

static void sleep_past_the_next(uv_timer_t *handle) {
  note_timer(handle);
  note_due_in(handle);
  let_time_pass();
  let_time_pass();
}

static void periods_that_were_missed_are_not_made_up(uv_loop_t *loop) {
  start_repeating(loop, &timer, "timer", 0, 2, sleep_past_the_next);
  for (int i = 0; i < 3; i++) run(loop, UV_RUN_NOWAIT);
}

static void an_overdue_repeat_fires_once_in_a_run(uv_loop_t *loop, uv_run_mode mode) {
  start_repeating(loop, &timer, "timer", 1, 1, note_timer);
  for (int i = 0; i < 2; i++) {
    let_time_pass();
    run(loop, mode);
  }
}

static void an_overdue_repeat_fires_once_in_a_run_once(uv_loop_t *loop) {
  an_overdue_repeat_fires_once_in_a_run(loop, UV_RUN_ONCE);
}

static void an_overdue_repeat_fires_once_in_a_run_nowait(uv_loop_t *loop) {
  an_overdue_repeat_fires_once_in_a_run(loop, UV_RUN_NOWAIT);
}

/* --- with the loop --- */

static void once_fires_a_timer_of_0_and_waits_for_one_that_is_not_due(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", 0, note_timer);
  run(loop, UV_RUN_ONCE);
  must(uv_timer_start(&timer, note_timer, 5, 0));
  run(loop, UV_RUN_ONCE);
}

static void once_waits_for_an_unreferenced_timer_if_an_async_is_alive(uv_loop_t *loop) {
  init_async(loop, &async, "async", note_async);
  start_timer(loop, &timer, "timer", 5, note_timer);
  unref(&timer);
  run(loop, UV_RUN_ONCE);
}

static void a_due_timer_that_is_unreferenced_and_alone_does_not_fire(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", 0, note_timer);
  unref(&timer);
  for (int i = 0; i < 3; i++) run(loop, modes[i].mode);
  note_active(&timer);
}

static void a_due_timer_that_is_unreferenced_fires_if_another_handle_is_alive(uv_loop_t *loop) {
  start_timer(loop, &timer, "timer", 0, note_timer);
  unref(&timer);
  start_prepare(loop, &prepare, "prepare", note_prepare);
  run(loop, UV_RUN_NOWAIT);
}

static void restart_in_check(uv_check_t *handle) {
  note_check(handle);
  must(uv_timer_start(&timer, never, NEVER, 0));
}

static void a_due_timer_restarted_in_check_does_not_fire_in_that_iteration(uv_loop_t *loop) {
  start_check(loop, &check, "check", restart_in_check);
  start_timer(loop, &timer, "timer", 1, note_timer);
  let_time_pass();
  run(loop, UV_RUN_NOWAIT);
}

static void a_timer_started_after_long_work_is_short(uv_loop_t *loop) {
  uv_update_time(loop);
  uv_sleep(10);
  start_timer(loop, &one, "stale", 5, note_timer);
  uv_update_time(loop);
  start_timer(loop, &two, "fresh", NEVER, note_timer);
  run(loop, UV_RUN_NOWAIT);
}

static void note_wait_in_prepare(uv_prepare_t *handle) {
  note_wait("wait", handle->loop);
  uv_stop(handle->loop);
}

static void sleep_long(uv_timer_t *handle) {
  note_timer(handle);
  uv_sleep(10);
}

static void the_wait_after_a_slow_callback_is_counted_from_before_it(uv_loop_t *loop) {
  settle(loop);
  start_prepare(loop, &prepare, "prepare", note_wait_in_prepare);
  start_repeating(loop, &timer, "timer", 0, 5, sleep_long);
  run(loop, UV_RUN_DEFAULT);
}

static uint64_t deadline;

static void note_early(uv_timer_t *handle) {
  uv_update_time(handle->loop);
  note("early=%d", uv_now(handle->loop) < deadline);
}

static void a_timer_is_not_early_by_the_clock_of_the_loop(uv_loop_t *loop) {
  init_timer(loop, &timer, "timer");
  for (uint64_t after = 1; after <= 5; after += 2) {
    uv_update_time(loop);
    deadline = uv_now(loop) + after;
    must(uv_timer_start(&timer, note_early, after, 0));
    run(loop, UV_RUN_ONCE);
  }
}

static int fired, repeated;

static void count_fired(uv_timer_t *handle) {
  (void) handle;
  fired++;
}

static void count_repeats(uv_timer_t *handle) {
  if (++repeated == 5) close_handle(handle);
}

static void ten_timers_and_a_repeat_fire_and_a_stopped_one_does_not(uv_loop_t *loop) {
  static uv_timer_t handles[10];
  for (int i = 0; i < 10; i++) start_timer(loop, &handles[i], "timer", i, count_fired);
  start_repeating(loop, &one, "repeat", 10, 1, count_repeats);
  start_timer(loop, &two, "stopped", 0, never);
  must(uv_timer_stop(&two));
  run(loop, UV_RUN_DEFAULT);
  note("fired=%d", fired);
  note("repeated=%d", repeated);
}

/* --- siblings that are due in one pass --- */

static void (*act)(void);

static void act_on_sibling(uv_timer_t *handle) {
  note_timer(handle);
  act();
}

/* One runs first and acts on two; the next iteration has check before its timers. */
static void run_siblings(uv_loop_t *loop, void (*action)(void)) {
  act = action;
  start_check(loop, &check, "check", note_check);
  start_timer(loop, &one, "one", 0, act_on_sibling);
  start_repeating(loop, &two, "two", 0, NEVER, note_timer);
  run(loop, UV_RUN_NOWAIT);
  run(loop, UV_RUN_NOWAIT);
  note_active(&two);
}

static void note_two_active(void) { note_active(&two); }
static void stop_two(void) { must(uv_timer_stop(&two)); }
static void close_two(void) { close_handle(&two); }
static void start_two_at_0(void) { must(uv_timer_start(&two, note_timer, 0, 0)); }
static void start_two_far(void) { must(uv_timer_start(&two, note_timer, NEVER, 0)); }
static void again_two(void) { note_status("again", uv_timer_again(&two)); }
static void set_no_repeat_of_two(void) { uv_timer_set_repeat(&two, 0); }
static void unref_two(void) { unref(&two); }

static void a_sibling_that_is_due_is_not_active(uv_loop_t *loop) {
  run_siblings(loop, note_two_active);
}

static void stop_of_a_sibling_takes_it_out_of_the_pass(uv_loop_t *loop) {
  run_siblings(loop, stop_two);
}

static void close_of_a_sibling_takes_it_out_of_the_pass(uv_loop_t *loop) {
  run_siblings(loop, close_two);
}

static void a_sibling_restarted_at_0_waits_for_the_next_iteration(uv_loop_t *loop) {
  run_siblings(loop, start_two_at_0);
}

static void a_sibling_restarted_with_a_longer_time_waits_for_that(uv_loop_t *loop) {
  run_siblings(loop, start_two_far);
}

static void again_of_a_sibling_takes_it_out_of_the_pass(uv_loop_t *loop) {
  run_siblings(loop, again_two);
}

static void a_repeat_set_to_0_counts_for_a_sibling_that_is_due(uv_loop_t *loop) {
  run_siblings(loop, set_no_repeat_of_two);
}

static void a_sibling_that_is_unreferenced_still_fires(uv_loop_t *loop) {
  run_siblings(loop, unref_two);
}

const struct scenario timer_scenarios[] = {
    SCENARIO(timers_run_by_deadline_and_equal_ones_in_the_order_of_start),
    SCENARIO(equal_deadlines_run_in_the_order_of_start_not_of_making),
    SCENARIO(a_timer_started_again_goes_behind_its_equals),
    SCENARIO(repeats_of_one_period_keep_their_order),
    SCENARIO(a_second_start_replaces_the_time_and_the_callback),
    SCENARIO(a_timer_rearmed_0_in_its_callback_runs_once_an_iteration),
    SCENARIO(a_timer_of_0_started_in_a_timer_waits_for_the_next_iteration),
    SCENARIO(a_timer_of_0_started_in_a_phase_runs_in_that_iteration),
    SCENARIO(a_start_in_its_callback_replaces_the_repeat_and_the_callback),
    SCENARIO(a_closing_timer_can_not_be_started),
    SCENARIO(again_on_a_closing_timer),
    SCENARIO(a_huge_timeout_is_never_due),
    SCENARIO(a_huge_repeat_is_never_due_again),
    SCENARIO(stopping_twice_is_stopping_once),
    SCENARIO(due_in_is_not_reset_by_stop),
    SCENARIO(due_in_counts_by_the_cached_time),
    SCENARIO(a_one_shot_is_inactive_in_its_callback_a_repeat_is_active),
    SCENARIO(a_timer_is_active_from_start_to_stop_or_close),
    SCENARIO(again_on_a_timer_never_started_is_an_error),
    SCENARIO(again_without_a_repeat_does_nothing),
    SCENARIO(again_counts_the_repeat_from_now),
    SCENARIO(again_after_stop_starts_it_with_the_repeat),
    SCENARIO(again_puts_off_a_timer_that_is_due),
    SCENARIO(a_repeat_set_in_the_callback_applies_to_the_arming_after_the_next),
    SCENARIO(a_repeat_set_to_0_in_the_callback_ends_it_after_one_more),
    SCENARIO(a_repeat_set_in_the_callback_of_a_one_shot_waits_for_again),
    SCENARIO(stop_in_its_callback_ends_the_repeat_and_again_resumes_it),
    SCENARIO(close_in_its_callback_ends_the_repeat),
    SCENARIO(start_sets_the_repeat_and_stop_keeps_it),
    SCENARIO(periods_that_were_missed_are_not_made_up),
    SCENARIO(an_overdue_repeat_fires_once_in_a_run_once),
    SCENARIO(an_overdue_repeat_fires_once_in_a_run_nowait),
    SCENARIO(once_fires_a_timer_of_0_and_waits_for_one_that_is_not_due),
    SCENARIO(once_waits_for_an_unreferenced_timer_if_an_async_is_alive),
    SCENARIO(a_due_timer_that_is_unreferenced_and_alone_does_not_fire),
    SCENARIO(a_due_timer_that_is_unreferenced_fires_if_another_handle_is_alive),
    SCENARIO(a_due_timer_restarted_in_check_does_not_fire_in_that_iteration),
    SCENARIO(a_timer_started_after_long_work_is_short),
    SCENARIO(the_wait_after_a_slow_callback_is_counted_from_before_it),
    SCENARIO(a_timer_is_not_early_by_the_clock_of_the_loop),
    SCENARIO(ten_timers_and_a_repeat_fire_and_a_stopped_one_does_not),
    SCENARIO(a_sibling_that_is_due_is_not_active),
    SCENARIO(stop_of_a_sibling_takes_it_out_of_the_pass),
    SCENARIO(close_of_a_sibling_takes_it_out_of_the_pass),
    SCENARIO(a_sibling_restarted_at_0_waits_for_the_next_iteration),
    SCENARIO(a_sibling_restarted_with_a_longer_time_waits_for_that),
    SCENARIO(again_of_a_sibling_takes_it_out_of_the_pass),
    SCENARIO(a_repeat_set_to_0_counts_for_a_sibling_that_is_due),
    SCENARIO(a_sibling_that_is_unreferenced_still_fires),
    {NULL, NULL},
};
