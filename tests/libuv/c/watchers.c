/* Idle, prepare and check handles. They have the same rules, so most scenarios come three times. */
#include "sockets.h"

enum kind { IDLE, PREPARE, CHECK };

/* A handle of any of the three kinds; its `data` points back to the whole. */
struct watcher {
  union {
    uv_handle_t handle;
    uv_idle_t idle;
    uv_prepare_t prepare;
    uv_check_t check;
  };
  enum kind kind;
  const char *label;
  void (*turn)(struct watcher *);
};

static struct watcher one, two, three, four;

static void on_idle(uv_idle_t *idle) {
  struct watcher *watcher = idle->data;
  watcher->turn(watcher);
}

static void on_prepare(uv_prepare_t *prepare) {
  struct watcher *watcher = prepare->data;
  watcher->turn(watcher);
}

static void on_check(uv_check_t *check) {
  struct watcher *watcher = check->data;
  watcher->turn(watcher);
}

static void note_turn(struct watcher *watcher) { note("%s", watcher->label); }

static void note_other_turn(struct watcher *watcher) { note("%s-other", watcher->label); }

static void init(uv_loop_t *loop, struct watcher *watcher, enum kind kind, const char *label) {
  watcher->kind = kind;
  watcher->label = label;
  watcher->turn = note_turn;
  switch (kind) {
    case IDLE: must(uv_idle_init(loop, &watcher->idle)); break;
    case PREPARE: must(uv_prepare_init(loop, &watcher->prepare)); break;
    case CHECK: must(uv_check_init(loop, &watcher->check)); break;
  }
  watcher->handle.data = watcher;
}

static int start(struct watcher *watcher) {
  switch (watcher->kind) {
    case IDLE: return uv_idle_start(&watcher->idle, on_idle);
    case PREPARE: return uv_prepare_start(&watcher->prepare, on_prepare);
    default: return uv_check_start(&watcher->check, on_check);
  }
}

static void stop(struct watcher *watcher) {
  switch (watcher->kind) {
    case IDLE: must(uv_idle_stop(&watcher->idle)); break;
    case PREPARE: must(uv_prepare_stop(&watcher->prepare)); break;
    case CHECK: must(uv_check_stop(&watcher->check)); break;
  }
}

static void note_watcher_closed(uv_handle_t *handle) {
  note("%s-closed", ((struct watcher *) handle->data)->label);
}

static void close_watcher(struct watcher *watcher) {
  uv_close(&watcher->handle, note_watcher_closed);
}

static void start_new(uv_loop_t *loop, struct watcher *watcher, enum kind kind, const char *label) {
  init(loop, watcher, kind, label);
  must(start(watcher));
}

static void start_three(uv_loop_t *loop, enum kind kind) {
  start_new(loop, &one, kind, "1");
  start_new(loop, &two, kind, "2");
  start_new(loop, &three, kind, "3");
}

/* --- each of these is about one kind --- */

static void run_newest_first(uv_loop_t *loop, enum kind kind) {
  start_three(loop, kind);
  iterate(loop, 1);
  start_new(loop, &four, kind, "4");
  iterate(loop, 2);
}

static void keep_place_when_started_again(uv_loop_t *loop, enum kind kind) {
  start_three(loop, kind);
  note_status("start", start(&one));
  iterate(loop, 1);
}

static void come_first_when_stopped_and_started(uv_loop_t *loop, enum kind kind) {
  start_three(loop, kind);
  stop(&one);
  must(start(&one));
  iterate(loop, 2);
}

static void can_be_stopped_twice(uv_loop_t *loop, enum kind kind) {
  start_three(loop, kind);
  stop(&two);
  stop(&two);
  note_active(&two.handle);
  iterate(loop, 1);
}

static void start_two_and_four(struct watcher *watcher) {
  note_turn(watcher);
  must(start(&two));
  must(start(&four));
}

static void started_by_their_own_kind_wait(uv_loop_t *loop, enum kind kind) {
  start_three(loop, kind);
  stop(&two);
  init(loop, &four, kind, "4");
  three.turn = start_two_and_four;
  iterate(loop, 2);
}

static void stop_two(struct watcher *watcher) {
  note_turn(watcher);
  stop(&two);
}

static void stopped_by_one_before_do_not_run(uv_loop_t *loop, enum kind kind) {
  start_three(loop, kind);
  three.turn = stop_two;
  iterate(loop, 2);
}

static void close_two(struct watcher *watcher) {
  note_turn(watcher);
  watcher->turn = note_turn;
  close_watcher(&two);
}

static void closed_by_one_before_do_not_run(uv_loop_t *loop, enum kind kind) {
  start_three(loop, kind);
  three.turn = close_two;
  iterate(loop, 2);
}

static void restart_two(struct watcher *watcher) {
  note_turn(watcher);
  watcher->turn = note_turn;
  stop(&two);
  must(start(&two));
}

static void restarted_by_one_before_wait(uv_loop_t *loop, enum kind kind) {
  start_three(loop, kind);
  three.turn = restart_two;
  iterate(loop, 2);
}

static void restarted_by_one_behind_come_first(uv_loop_t *loop, enum kind kind) {
  start_three(loop, kind);
  one.turn = restart_two;
  iterate(loop, 2);
}

static void restart_itself(struct watcher *watcher) {
  note_turn(watcher);
  stop(watcher);
  must(start(watcher));
}

static void restarted_by_themselves_run_once_an_iteration(uv_loop_t *loop, enum kind kind) {
  start_three(loop, kind);
  two.turn = restart_itself;
  iterate(loop, 3);
}

static void stop_itself(struct watcher *watcher) {
  note_turn(watcher);
  stop(watcher);
}

static void stopped_by_themselves_are_inactive(uv_loop_t *loop, enum kind kind) {
  start_three(loop, kind);
  two.turn = stop_itself;
  iterate(loop, 2);
  note_active(&two.handle);
}

static void close_itself(struct watcher *watcher) {
  note_turn(watcher);
  close_watcher(watcher);
}

static void closed_by_themselves_are_called_back_in_the_iteration(uv_loop_t *loop,
                                                                  enum kind kind) {
  start_three(loop, kind);
  two.turn = close_itself;
  iterate(loop, 2);
}

static void that_are_unreferenced_run_while_another_is_alive(uv_loop_t *loop, enum kind kind) {
  start_three(loop, kind);
  unref(&one.handle);
  unref(&two.handle);
  iterate(loop, 1);
  stop(&three);
  note_alive(loop);
  iterate(loop, 1);
}

#define EACH(fact)                                                     \
  static void idles_##fact(uv_loop_t *loop) { fact(loop, IDLE); }       \
  static void prepares_##fact(uv_loop_t *loop) { fact(loop, PREPARE); } \
  static void checks_##fact(uv_loop_t *loop) { fact(loop, CHECK); }

EACH(run_newest_first)
EACH(keep_place_when_started_again)
EACH(come_first_when_stopped_and_started)
EACH(can_be_stopped_twice)
EACH(started_by_their_own_kind_wait)
EACH(stopped_by_one_before_do_not_run)
EACH(closed_by_one_before_do_not_run)
EACH(restarted_by_one_before_wait)
EACH(restarted_by_one_behind_come_first)
EACH(restarted_by_themselves_run_once_an_iteration)
EACH(stopped_by_themselves_are_inactive)
EACH(closed_by_themselves_are_called_back_in_the_iteration)
EACH(that_are_unreferenced_run_while_another_is_alive)

/* --- the callback that they keep --- */

static void other_idle(uv_idle_t *idle) { note_other_turn(idle->data); }
static void other_prepare(uv_prepare_t *prepare) { note_other_turn(prepare->data); }
static void other_check(uv_check_t *check) { note_other_turn(check->data); }

static void start_all_with_another_callback(void) {
  must(uv_idle_start(&one.idle, other_idle));
  must(uv_prepare_start(&two.prepare, other_prepare));
  must(uv_check_start(&three.check, other_check));
}

static void start_on_a_started_handle_keeps_its_callback_until_it_is_stopped(uv_loop_t *loop) {
  start_new(loop, &one, IDLE, "idle");
  start_new(loop, &two, PREPARE, "prepare");
  start_new(loop, &three, CHECK, "check");
  start_all_with_another_callback();
  iterate(loop, 1);
  stop(&one);
  stop(&two);
  stop(&three);
  start_all_with_another_callback();
  iterate(loop, 1);
}

/* --- one kind and another --- */

static void start_the_others(struct watcher *watcher) {
  note_turn(watcher);
  must(start(&one));
  must(start(&two));
  must(start(&three));
}

/* The fourth is of `kind` and starts one of each kind; those of later phases run at once. */
static void start_others_in(uv_loop_t *loop, enum kind kind) {
  init(loop, &one, IDLE, "idle");
  init(loop, &two, PREPARE, "prepare");
  init(loop, &three, CHECK, "check");
  start_new(loop, &four, kind, "starter");
  four.turn = start_the_others;
  iterate(loop, 2);
}

static void what_idle_starts_for_a_later_phase_runs_in_that_iteration(uv_loop_t *loop) {
  start_others_in(loop, IDLE);
}

static void what_prepare_starts_for_a_later_phase_runs_in_that_iteration(uv_loop_t *loop) {
  start_others_in(loop, PREPARE);
}

static void what_check_starts_runs_in_the_next_iteration(uv_loop_t *loop) {
  start_others_in(loop, CHECK);
}

/* --- all together --- */

enum { IDLES = 7, ITERATIONS = 21 };

static struct watcher idles[IDLES], sometimes, inner_idle;
static int iteration, prepares, sometimes_prepared, checks, idle_turns, inner_started;
static int inner_is_open;

static void close_inner(uv_handle_t *handle) {
  (void) handle;
  inner_is_open = 0;
}

static void close_inner_idle(struct watcher *watcher) { uv_close(&watcher->handle, close_inner); }

/* Each fifth turn of any of them stops that one; one more is opened now and then. */
static void turn_of_idles(struct watcher *watcher) {
  if (!inner_is_open) {
    start_new(watcher->handle.loop, &inner_idle, IDLE, "inner");
    inner_idle.turn = close_inner_idle;
    inner_is_open = 1;
    inner_started++;
  }
  if (++idle_turns % 5 == 0) stop(watcher);
}

static void turn_of_sometimes(struct watcher *watcher) {
  sometimes_prepared++;
  stop(watcher);
}

static void turn_of_prepare(struct watcher *watcher) {
  (void) watcher;
  if (iteration % 2 == 0) must(start(&sometimes));
  prepares++;
  iteration++;
}

static void turn_of_check(struct watcher *watcher) {
  checks++;
  if (iteration < ITERATIONS) {
    for (int i = 0; i < 1 + iteration % IDLES; i++) must(start(&idles[i]));
    return;
  }
  close_watcher(&one);
  close_watcher(watcher);
  close_watcher(&sometimes);
  for (int i = 0; i < IDLES; i++) close_watcher(&idles[i]);
  if (inner_is_open && !uv_is_closing(&inner_idle.handle)) close_inner_idle(&inner_idle);
}

static uv_timer_t timer;

/* Nothing else ends the wait of an iteration that has no idle handle. */
static void end_wait(uv_timer_t *handle) { (void) handle; }

static void handles_start_stop_and_close_each_other(uv_loop_t *loop) {
  static const char *labels[IDLES] = {"0", "1", "2", "3", "4", "5", "6"};
  start_new(loop, &one, PREPARE, "prepare");
  one.turn = turn_of_prepare;
  start_new(loop, &two, CHECK, "check");
  two.turn = turn_of_check;
  init(loop, &sometimes, PREPARE, "sometimes");
  sometimes.turn = turn_of_sometimes;
  for (int i = 0; i < IDLES; i++) {
    init(loop, &idles[i], IDLE, labels[i]);
    idles[i].turn = turn_of_idles;
  }
  must(uv_timer_init(loop, &timer));
  must(uv_timer_start(&timer, end_wait, 1, 1));
  unref(&timer);
  run(loop, UV_RUN_DEFAULT);
  note("prepares=%d", prepares);
  note("sometimes=%d", sometimes_prepared);
  note("checks=%d", checks);
  note("idles=%d", idle_turns);
  note("inner=%d", inner_started);
}

#define OF_EACH_KIND(fact) \
  SCENARIO(idles_##fact), SCENARIO(prepares_##fact), SCENARIO(checks_##fact)

const struct scenario watcher_scenarios[] = {
    OF_EACH_KIND(run_newest_first),
    OF_EACH_KIND(keep_place_when_started_again),
    OF_EACH_KIND(come_first_when_stopped_and_started),
    OF_EACH_KIND(can_be_stopped_twice),
    OF_EACH_KIND(started_by_their_own_kind_wait),
    OF_EACH_KIND(stopped_by_one_before_do_not_run),
    OF_EACH_KIND(closed_by_one_before_do_not_run),
    OF_EACH_KIND(restarted_by_one_before_wait),
    OF_EACH_KIND(restarted_by_one_behind_come_first),
    OF_EACH_KIND(restarted_by_themselves_run_once_an_iteration),
    OF_EACH_KIND(stopped_by_themselves_are_inactive),
    OF_EACH_KIND(closed_by_themselves_are_called_back_in_the_iteration),
    OF_EACH_KIND(that_are_unreferenced_run_while_another_is_alive),
    SCENARIO(start_on_a_started_handle_keeps_its_callback_until_it_is_stopped),
    SCENARIO(what_idle_starts_for_a_later_phase_runs_in_that_iteration),
    SCENARIO(what_prepare_starts_for_a_later_phase_runs_in_that_iteration),
    SCENARIO(what_check_starts_runs_in_the_next_iteration),
    SCENARIO(handles_start_stop_and_close_each_other),
    {NULL, NULL},
};
