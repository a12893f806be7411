#include "handles.h"

#include <sys/socket.h>

const struct mode modes[3] = {
    {UV_RUN_DEFAULT, "default"},
    {UV_RUN_ONCE, "once"},
    {UV_RUN_NOWAIT, "nowait"},
};

const char *label_of(const void *handle) { return ((const uv_handle_t *) handle)->data; }

void init_timer(uv_loop_t *loop, uv_timer_t *timer, const char *label) {
  must(uv_timer_init(loop, timer));
  timer->data = (void *) label;
}

void init_async(uv_loop_t *loop, uv_async_t *async, const char *label, uv_async_cb callback) {
  must(uv_async_init(loop, async, callback));
  async->data = (void *) label;
}

void start_idle(uv_loop_t *loop, uv_idle_t *idle, const char *label, uv_idle_cb callback) {
  must(uv_idle_init(loop, idle));
  idle->data = (void *) label;
  must(uv_idle_start(idle, callback));
}

void start_prepare(uv_loop_t *loop, uv_prepare_t *prepare, const char *label,
                   uv_prepare_cb callback) {
  must(uv_prepare_init(loop, prepare));
  prepare->data = (void *) label;
  must(uv_prepare_start(prepare, callback));
}

void start_check(uv_loop_t *loop, uv_check_t *check, const char *label, uv_check_cb callback) {
  must(uv_check_init(loop, check));
  check->data = (void *) label;
  must(uv_check_start(check, callback));
}

void start_timer(uv_loop_t *loop, uv_timer_t *timer, const char *label, uint64_t after,
                 uv_timer_cb callback) {
  init_timer(loop, timer, label);
  must(uv_timer_start(timer, callback, after, 0));
}

void start_poll(uv_loop_t *loop, uv_poll_t *poll, const char *label, uv_poll_cb callback) {
  int udp = socket(AF_INET, SOCK_DGRAM, 0);
  must(udp);
  must(uv_poll_init(loop, poll, udp));
  poll->data = (void *) label;
  must(uv_poll_start(poll, UV_WRITABLE, callback));
}

void note_idle(uv_idle_t *idle) { note("%s", label_of(idle)); }
void note_prepare(uv_prepare_t *prepare) { note("%s", label_of(prepare)); }
void note_check(uv_check_t *check) { note("%s", label_of(check)); }
void note_timer(uv_timer_t *timer) { note("%s", label_of(timer)); }
void note_async(uv_async_t *async) { note("%s", label_of(async)); }

void note_poll(uv_poll_t *poll, int status, int events) {
  must(status);
  (void) events;
  note("%s", label_of(poll));
}

static void note_closed(uv_handle_t *handle) { note("%s-closed", label_of(handle)); }

void close_handle(void *handle) { uv_close(handle, note_closed); }

void unref(void *handle) { uv_unref(handle); }

void note_active(const void *handle) { note("active=%d", uv_is_active(handle) != 0); }

void note_alive(const uv_loop_t *loop) { note("alive=%d", uv_loop_alive(loop) != 0); }

void note_due_in(const uv_timer_t *timer) {
  note("due_in=%llu", (unsigned long long) uv_timer_get_due_in(timer));
}

void settle(uv_loop_t *loop) {
  static uv_timer_t timer;
  init_timer(loop, &timer, "timer");
  uv_close((uv_handle_t *) &timer, NULL);
  must(uv_run(loop, UV_RUN_NOWAIT));
}

void note_wait(const char *what, const uv_loop_t *loop) {
  int timeout = uv_backend_timeout(loop);
  note("%s=%s", what, timeout == 0 ? "0" : timeout < 0 ? "forever" : "some");
}

void run(uv_loop_t *loop, uv_run_mode mode) { note("more=%d", uv_run(loop, mode) != 0); }
