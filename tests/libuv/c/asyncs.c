/* Asyncs: sends from the loop's own thread and from others. */
#include "sockets.h"

#include <sys/socket.h>

static uv_async_t first, second, third;
static uv_idle_t idle;
static uv_prepare_t prepare;
static uv_check_t check;
static uv_timer_t timer;

static void send_to(uv_async_t *async) { must(uv_async_send(async)); }

static void init_three(uv_loop_t *loop, uv_async_cb of_first, uv_async_cb of_second) {
  init_async(loop, &first, "first", of_first);
  init_async(loop, &second, "second", of_second);
  init_async(loop, &third, "third", note_async);
}

/* --- order, and how often --- */

static void asyncs_are_called_back_once_each_in_the_order_of_making(uv_loop_t *loop) {
  init_three(loop, note_async, note_async);
  send_to(&third);
  send_to(&second);
  send_to(&first);
  send_to(&first);
  iterate(loop, 2);
}

static void an_async_is_called_back_again_for_a_later_send(uv_loop_t *loop) {
  init_async(loop, &first, "first", note_async);
  for (int i = 0; i < 2; i++) {
    send_to(&first);
    send_to(&first);
    iterate(loop, 2);
  }
}

static void send_from_thread(void *async) { send_to(async); }

static void a_send_from_another_thread_is_heard(uv_loop_t *loop) {
  uv_thread_t thread;
  init_async(loop, &first, "first", note_async);
  must(uv_thread_create(&thread, send_from_thread, &first));
  must(uv_thread_join(&thread));
  iterate(loop, 2);
}

static void close_itself(uv_async_t *async) {
  note_async(async);
  close_handle(async);
}

static void a_send_from_another_thread_ends_a_wait(uv_loop_t *loop) {
  uv_thread_t thread;
  init_async(loop, &first, "first", close_itself);
  must(uv_thread_create(&thread, send_from_thread, &first));
  run(loop, UV_RUN_DEFAULT);
  must(uv_thread_join(&thread));
}

static void an_async_without_a_callback_ends_a_wait(uv_loop_t *loop) {
  init_async(loop, &first, "first", NULL);
  start_check(loop, &check, "check", note_check);
  send_to(&first);
  run(loop, UV_RUN_ONCE);
}

/* --- sends in callbacks --- */

static void send_itself(uv_async_t *async) {
  static int is_again;
  note_async(async);
  if (!is_again++) send_to(async);
}

static void a_send_to_itself_is_heard_in_the_next_iteration(uv_loop_t *loop) {
  init_async(loop, &first, "first", send_itself);
  send_to(&first);
  iterate(loop, 3);
}

static void send_first(uv_async_t *async) {
  note_async(async);
  send_to(&first);
}

static void a_send_to_one_made_earlier_is_heard_in_the_next_iteration(uv_loop_t *loop) {
  init_three(loop, note_async, send_first);
  send_to(&second);
  iterate(loop, 2);
}

static void send_third(uv_async_t *async) {
  note_async(async);
  send_to(&third);
}

static void a_send_to_one_made_later_is_heard_at_once(uv_loop_t *loop) {
  init_three(loop, note_async, send_third);
  send_to(&second);
  iterate(loop, 2);
}

static void a_send_to_one_whose_turn_is_to_come_is_not_a_second_one(uv_loop_t *loop) {
  init_three(loop, note_async, send_third);
  send_to(&second);
  send_to(&third);
  iterate(loop, 2);
}

static void make_third(uv_async_t *async) {
  note_async(async);
  init_async(async->loop, &third, "third", note_async);
  send_to(&third);
}

static void an_async_made_and_sent_in_a_callback_is_heard_in_the_next_iteration(uv_loop_t *loop) {
  init_async(loop, &first, "first", make_third);
  send_to(&first);
  iterate(loop, 2);
}

static void send_in_idle(uv_idle_t *handle) {
  note_idle(handle);
  send_to(&first);
}

static void send_in_prepare(uv_prepare_t *handle) {
  note_prepare(handle);
  send_to(&second);
}

static void send_in_check(uv_check_t *handle) {
  note_check(handle);
  must(uv_check_stop(handle));
  send_to(&first);
}

static void send_in_timer(uv_timer_t *handle) {
  note_timer(handle);
  send_to(&third);
}

static void a_send_before_poll_is_heard_in_it(uv_loop_t *loop) {
  init_three(loop, note_async, note_async);
  start_idle(loop, &idle, "idle", send_in_idle);
  start_prepare(loop, &prepare, "prepare", send_in_prepare);
  iterate(loop, 1);
}

static void a_send_behind_poll_is_heard_in_the_next_iteration(uv_loop_t *loop) {
  init_three(loop, note_async, note_async);
  start_check(loop, &check, "check", send_in_check);
  start_timer(loop, &timer, "timer", 0, send_in_timer);
  iterate(loop, 2);
}

/* --- close --- */

static void send_and_close_itself(uv_async_t *async) {
  note_async(async);
  send_to(async);
  close_handle(async);
}

static void an_async_closed_in_its_callback_is_not_called_again(uv_loop_t *loop) {
  init_async(loop, &first, "first", send_and_close_itself);
  send_to(&first);
  run(loop, UV_RUN_DEFAULT);
}

static void an_async_closed_after_a_send_is_not_called(uv_loop_t *loop) {
  init_async(loop, &first, "first", note_async);
  send_to(&first);
  close_handle(&first);
  run(loop, UV_RUN_DEFAULT);
}

static void close_third(uv_async_t *async) {
  note_async(async);
  close_handle(&third);
}

static void an_async_closed_by_another_of_the_same_pass_is_not_called(uv_loop_t *loop) {
  init_three(loop, note_async, close_third);
  send_to(&third);
  send_to(&second);
  iterate(loop, 2);
}

/* --- alive, and the wait --- */

static void an_async_keeps_the_loop_alive_until_it_is_closed(uv_loop_t *loop) {
  init_async(loop, &first, "first", note_async);
  note_active(&first);
  note_alive(loop);
  send_to(&first);
  iterate(loop, 1);
  note_active(&first);
  note_alive(loop);
  close_handle(&first);
  note_active(&first);
  run(loop, UV_RUN_DEFAULT);
}

static void an_unreferenced_async_is_heard_while_something_is_alive(uv_loop_t *loop) {
  init_async(loop, &first, "first", note_async);
  unref(&first);
  start_prepare(loop, &prepare, "prepare", note_prepare);
  send_to(&first);
  run(loop, UV_RUN_NOWAIT);
  must(uv_prepare_stop(&prepare));
  run(loop, UV_RUN_NOWAIT);
}

static void a_send_to_an_unreferenced_async_keeps_nothing_alive(uv_loop_t *loop) {
  init_async(loop, &first, "first", note_async);
  unref(&first);
  send_to(&first);
  note_alive(loop);
  run(loop, UV_RUN_DEFAULT);
}

static void a_send_does_not_show_in_the_wait(uv_loop_t *loop) {
  settle(loop);
  init_async(loop, &first, "first", note_async);
  note_wait("before", loop);
  send_to(&first);
  note_wait("after", loop);
}

static void asyncs_and_sockets_are_called_back_in_the_order_of_readiness(uv_loop_t *loop) {
  static uv_poll_t poll;
  int pair[2];
  must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  must(uv_poll_init(loop, &poll, pair[0]));
  poll.data = "poll";
  must(uv_poll_start(&poll, UV_READABLE, note_poll));
  init_async(loop, &first, "first", note_async);
  iterate(loop, 1);
  send_bytes(pair[1], 1);
  send_to(&first);
  iterate(loop, 1);
}

const struct scenario async_scenarios[] = {
    SCENARIO(asyncs_are_called_back_once_each_in_the_order_of_making),
    SCENARIO(an_async_is_called_back_again_for_a_later_send),
    SCENARIO(a_send_from_another_thread_is_heard),
    SCENARIO(a_send_from_another_thread_ends_a_wait),
    SCENARIO(an_async_without_a_callback_ends_a_wait),
    SCENARIO(a_send_to_itself_is_heard_in_the_next_iteration),
    SCENARIO(a_send_to_one_made_earlier_is_heard_in_the_next_iteration),
    SCENARIO(a_send_to_one_made_later_is_heard_at_once),
    SCENARIO(a_send_to_one_whose_turn_is_to_come_is_not_a_second_one),
    SCENARIO(an_async_made_and_sent_in_a_callback_is_heard_in_the_next_iteration),
    SCENARIO(a_send_before_poll_is_heard_in_it),
    SCENARIO(a_send_behind_poll_is_heard_in_the_next_iteration),
    SCENARIO(an_async_closed_in_its_callback_is_not_called_again),
    SCENARIO(an_async_closed_after_a_send_is_not_called),
    SCENARIO(an_async_closed_by_another_of_the_same_pass_is_not_called),
    SCENARIO(an_async_keeps_the_loop_alive_until_it_is_closed),
    SCENARIO(an_unreferenced_async_is_heard_while_something_is_alive),
    SCENARIO(a_send_to_an_unreferenced_async_keeps_nothing_alive),
    SCENARIO(a_send_does_not_show_in_the_wait),
    SCENARIO(asyncs_and_sockets_are_called_back_in_the_order_of_readiness),
    {NULL, NULL},
};
