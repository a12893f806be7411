/* Polls: the readiness of descriptors that are not the loop's own. */
#include "sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* One end of a pair of sockets, which is polled, and the other one. */
struct watched {
  uv_poll_t poll;
  int fd;
  int peer;
};

/* Notes `LABEL=` what is ready, or the error. */
static void note_ready(uv_poll_t *poll, int status, int events) {
  if (status < 0) return note_status(label_of(poll), status);
  note("%s=%s%s%s%s", label_of(poll), events & UV_READABLE ? "r" : "",
       events & UV_WRITABLE ? "w" : "", events & UV_DISCONNECT ? "d" : "",
       events & UV_PRIORITIZED ? "p" : "");
}

static void init(uv_loop_t *loop, struct watched *watched, const char *label) {
  int ends[2];
  must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  must(uv_poll_init(loop, &watched->poll, ends[0]));
  watched->poll.data = (void *) label;
  watched->fd = ends[0];
  watched->peer = ends[1];
}

static void start(struct watched *watched, int events) {
  must(uv_poll_start(&watched->poll, events, note_ready));
}

enum { FOUR = 4 };

static struct watched four[FOUR];

static void start_four(uv_loop_t *loop, uv_poll_cb callback) {
  static const char *const labels[] = {"0", "1", "2", "3"};
  for (int i = 0; i < FOUR; i++) {
    init(loop, &four[i], labels[i]);
    must(uv_poll_start(&four[i].poll, UV_READABLE, callback));
  }
}

static void make_all_ready(void) {
  for (int i = 0; i < FOUR; i++) send_bytes(four[i].peer, 1);
}

/* Neither in that of the descriptors nor in that of their start. */
static void polls_are_called_in_the_order_of_readiness(uv_loop_t *loop) {
  static const int order[] = {3, 1, 2, 0};
  start_four(loop, note_ready);
  iterate(loop, 1);
  for (int i = 0; i < FOUR; i++) send_bytes(four[order[i]].peer, 1);
  iterate(loop, 2);
}

static void close_the_others(uv_poll_t *poll, int status, int events) {
  note_ready(poll, status, events);
  for (int i = 0; i < FOUR; i++)
    if (&four[i].poll != poll && !uv_is_closing((uv_handle_t *) &four[i].poll))
      close_handle(&four[i].poll);
}

static void the_first_of_four_ready_polls_closes_the_others(uv_loop_t *loop) {
  start_four(loop, close_the_others);
  make_all_ready();
  iterate(loop, 2);
}

static void stop_the_others(uv_poll_t *poll, int status, int events) {
  note_ready(poll, status, events);
  for (int i = 0; i < FOUR; i++)
    if (&four[i].poll != poll) must(uv_poll_stop(&four[i].poll));
}

static void the_first_of_four_ready_polls_stops_the_others(uv_loop_t *loop) {
  start_four(loop, stop_the_others);
  make_all_ready();
  iterate(loop, 2);
}

static void restart_the_others(uv_poll_t *poll, int status, int events) {
  note_ready(poll, status, events);
  for (int i = 0; i < FOUR; i++)
    if (&four[i].poll != poll) start(&four[i], UV_READABLE);
}

/* A poll that is started anew does not meet the event that was there before. */
static void the_first_of_four_ready_polls_restarts_the_others(uv_loop_t *loop) {
  start_four(loop, restart_the_others);
  make_all_ready();
  iterate(loop, 1);
  must(uv_poll_stop(&four[0].poll));
  iterate(loop, 1);
}

static void a_poll_is_told_only_what_it_asked_for(uv_loop_t *loop) {
  static struct watched a;
  init(loop, &a, "a");
  send_bytes(a.peer, 1);
  start(&a, UV_WRITABLE);
  iterate(loop, 1);
  start(&a, UV_READABLE);
  iterate(loop, 1);
  start(&a, UV_READABLE | UV_WRITABLE);
  iterate(loop, 1);
}

static void wait_to_write(uv_poll_t *poll, int status, int events) {
  note_ready(poll, status, events);
  note("restart");
  must(uv_poll_start(poll, UV_WRITABLE, note_ready));
}

static void a_poll_restarted_in_its_callback_has_another_mask_and_callback(uv_loop_t *loop) {
  static struct watched a;
  init(loop, &a, "a");
  send_bytes(a.peer, 1);
  must(uv_poll_start(&a.poll, UV_READABLE, wait_to_write));
  iterate(loop, 3);
}

static void stop_itself(uv_poll_t *poll, int status, int events) {
  note_ready(poll, status, events);
  must(uv_poll_stop(poll));
}

static void a_poll_stopped_in_its_callback_can_be_started_again(uv_loop_t *loop) {
  static struct watched a;
  init(loop, &a, "a");
  send_bytes(a.peer, 1);
  must(uv_poll_start(&a.poll, UV_READABLE, stop_itself));
  iterate(loop, 2);
  note_alive(loop);
  start(&a, UV_READABLE);
  iterate(loop, 1);
}

/* To watch for nothing is a stop; to stop what is stopped is nothing. */
static void a_poll_is_active_while_it_is_started(uv_loop_t *loop) {
  static struct watched a;
  init(loop, &a, "a");
  note_active(&a);
  start(&a, UV_READABLE);
  note_active(&a);
  must(uv_poll_stop(&a.poll));
  must(uv_poll_stop(&a.poll));
  note_active(&a);
  start(&a, UV_READABLE);
  start(&a, 0);
  note_active(&a);
  start(&a, UV_READABLE);
  close_handle(&a);
  note_active(&a);
}

static void an_unreferenced_poll_keeps_nothing_alive(uv_loop_t *loop) {
  static struct watched a;
  init(loop, &a, "a");
  send_bytes(a.peer, 1);
  start(&a, UV_READABLE);
  unref(&a);
  note_alive(loop);
  run(loop, UV_RUN_DEFAULT);
}

static void a_half_close_of_the_peer_is_a_disconnect(uv_loop_t *loop) {
  static struct watched a;
  init(loop, &a, "a");
  start(&a, UV_DISCONNECT);
  iterate(loop, 1);
  must(shutdown(a.peer, SHUT_WR));
  iterate(loop, 1);
  start(&a, UV_READABLE | UV_DISCONNECT);
  iterate(loop, 1);
}

static void a_hang_up_is_told_to_a_poll_that_only_reads(uv_loop_t *loop) {
  static struct watched a;
  init(loop, &a, "a");
  start(&a, UV_READABLE);
  close(a.peer);
  iterate(loop, 1);
}

/* A Unix socket has an error when its peer closes without having read all. */
static void a_poll_of_a_descriptor_with_an_error(uv_loop_t *loop) {
  static struct watched a;
  init(loop, &a, "a");
  send_bytes(a.fd, 1);
  close(a.peer);
  start(&a, UV_READABLE);
  iterate(loop, 1);
  note_active(&a);
}

static void two_polls_of_one_descriptor(uv_loop_t *loop) {
  static struct watched a;
  static uv_poll_t b;
  init(loop, &a, "a");
  must(uv_poll_init(loop, &b, a.fd));
  b.data = (void *) "b";
  send_bytes(a.peer, 1);
  start(&a, UV_READABLE);
  /* EEXIST while the other one is started. */
  uv_poll_start(&b, UV_READABLE, note_ready);
  iterate(loop, 1);
  must(uv_poll_stop(&a.poll));
  must(uv_poll_start(&b, UV_READABLE, note_ready));
  iterate(loop, 1);
}

static void files_and_folders_can_not_be_polled(uv_loop_t *loop) {
  static uv_poll_t poll;
  note_status("file", uv_poll_init(loop, &poll, open("/proc/self/exe", O_RDONLY)));
  note_status("folder", uv_poll_init(loop, &poll, open("/", O_RDONLY)));
}

static void a_poll_closed_while_it_is_ready_is_not_called(uv_loop_t *loop) {
  static struct watched a;
  init(loop, &a, "a");
  start(&a, UV_READABLE);
  iterate(loop, 1);
  send_bytes(a.peer, 1);
  close_handle(&a);
  iterate(loop, 2);
}

static void close_itself(uv_poll_t *poll, int status, int events) {
  note_ready(poll, status, events);
  close_handle(poll);
}

static void a_poll_closed_in_its_callback_is_not_called_again(uv_loop_t *loop) {
  static struct watched a;
  init(loop, &a, "a");
  send_bytes(a.peer, 1);
  must(uv_poll_start(&a.poll, UV_READABLE, close_itself));
  run(loop, UV_RUN_DEFAULT);
}

/* The system forgets the descriptor when the handle closes, not when the open file ends. */
static void a_closed_poll_has_no_event_though_a_duplicate_is_open(uv_loop_t *loop) {
  static struct watched a, b;
  init(loop, &a, "a");
  init(loop, &b, "b");
  start(&a, UV_READABLE);
  start(&b, UV_READABLE);
  iterate(loop, 1);
  must(dup(a.fd) < 0 ? UV_EMFILE : 0);
  close_handle(&a);
  close(a.fd);
  iterate(loop, 1);
  close(a.peer);
  send_bytes(b.peer, 1);
  iterate(loop, 2);
}

static void write_all_it_takes(uv_poll_t *poll, int status, int events) {
  static char bytes[64 * 1024];
  note_ready(poll, status, events);
  while (send(((struct watched *) poll)->fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0) continue;
}

static void a_poll_to_write_waits_until_there_is_room(uv_loop_t *loop) {
  static struct watched a;
  init(loop, &a, "a");
  must(uv_poll_start(&a.poll, UV_WRITABLE, write_all_it_takes));
  iterate(loop, 2);
  drain(a.peer);
  iterate(loop, 2);
}

static void an_urgent_byte_has_priority(uv_loop_t *loop) {
  static uv_poll_t a;
  int ends[2];
  connect_pair(ends);
  must(uv_poll_init(loop, &a, ends[0]));
  a.data = (void *) "a";
  must(uv_poll_start(&a, UV_PRIORITIZED, stop_itself));
  must(send(ends[1], "!", 1, MSG_OOB) == 1 ? 0 : UV_EIO);
  run(loop, UV_RUN_DEFAULT);
}

static void stop_and_write(uv_poll_t *poll, int status, int events) {
  stop_itself(poll, status, events);
  send_bytes(((struct watched *) poll)->fd, 1);
}

static void what_a_callback_makes_ready_is_told_in_the_next_iteration(uv_loop_t *loop) {
  static struct watched a;
  static uv_poll_t b;
  init(loop, &a, "a");
  must(uv_poll_init(loop, &b, a.peer));
  b.data = (void *) "b";
  must(uv_poll_start(&b, UV_READABLE, note_ready));
  must(uv_poll_start(&a.poll, UV_WRITABLE, stop_and_write));
  iterate(loop, 2);
}

static void stop_and_start_another(uv_poll_t *poll, int status, int events) {
  stop_itself(poll, status, events);
  start(&four[1], UV_READABLE);
}

static void a_poll_started_in_a_callback_is_called_in_the_next_iteration(uv_loop_t *loop) {
  init(loop, &four[0], "a");
  init(loop, &four[1], "b");
  send_bytes(four[1].peer, 1);
  send_bytes(four[0].peer, 1);
  must(uv_poll_start(&four[0].poll, UV_READABLE, stop_and_start_another));
  iterate(loop, 2);
}

const struct scenario poll_scenarios[] = {
    SCENARIO(polls_are_called_in_the_order_of_readiness),
    SCENARIO(the_first_of_four_ready_polls_closes_the_others),
    SCENARIO(the_first_of_four_ready_polls_stops_the_others),
    SCENARIO(the_first_of_four_ready_polls_restarts_the_others),
    SCENARIO(a_poll_is_told_only_what_it_asked_for),
    SCENARIO(a_poll_restarted_in_its_callback_has_another_mask_and_callback),
    SCENARIO(a_poll_stopped_in_its_callback_can_be_started_again),
    SCENARIO(a_poll_is_active_while_it_is_started),
    SCENARIO(an_unreferenced_poll_keeps_nothing_alive),
    SCENARIO(a_half_close_of_the_peer_is_a_disconnect),
    SCENARIO(a_hang_up_is_told_to_a_poll_that_only_reads),
    SCENARIO(a_poll_of_a_descriptor_with_an_error),
    SCENARIO(two_polls_of_one_descriptor),
    SCENARIO(files_and_folders_can_not_be_polled),
    SCENARIO(a_poll_closed_while_it_is_ready_is_not_called),
    SCENARIO(a_poll_closed_in_its_callback_is_not_called_again),
    SCENARIO(a_closed_poll_has_no_event_though_a_duplicate_is_open),
    SCENARIO(a_poll_to_write_waits_until_there_is_room),
    SCENARIO(an_urgent_byte_has_priority),
    SCENARIO(what_a_callback_makes_ready_is_told_in_the_next_iteration),
    SCENARIO(a_poll_started_in_a_callback_is_called_in_the_next_iteration),
    {NULL, NULL},
};
