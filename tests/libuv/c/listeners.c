/* Listeners, connecting and resetting: what only TCP has. */
#include "sockets.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 128, BIG = 16 * 1024 * 1024 };

/* --- listening --- */

static uv_tcp_t server, other;

static int listen_at(uv_loop_t *loop, uv_tcp_t *listener, struct sockaddr_in address,
                     uv_connection_cb callback) {
  int refused;
  must(uv_tcp_init(loop, listener));
  listener->data = "server";
  refused = uv_tcp_bind(listener, (struct sockaddr *) &address, 0);
  return refused ? refused : uv_listen((uv_stream_t *) listener, BACKLOG, callback);
}

static struct sockaddr_in address_of(const uv_tcp_t *listener) {
  struct sockaddr_in address;
  int length = sizeof address;
  must(uv_tcp_getsockname(listener, (struct sockaddr *) &address, &length));
  return address;
}

/* Connects from outside of the loop. */
static int connect_to(const uv_tcp_t *listener) {
  struct sockaddr_in address = address_of(listener);
  int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  must(connect(descriptor, (struct sockaddr *) &address, sizeof address));
  return descriptor;
}

static struct stream *accept_next(uv_stream_t *listener, int status) {
  struct stream *accepted = calloc(1, sizeof *accepted);
  must(status);
  must(uv_tcp_init(listener->loop, &accepted->tcp));
  must(uv_accept(listener, &accepted->stream));
  accepted->handle.data = "accepted";
  note("connection");
  return accepted;
}

static void note_connection(uv_stream_t *listener, int status) { accept_next(listener, status); }

static void waiting_connections_are_accepted_one_an_iteration(uv_loop_t *loop) {
  must(listen_at(loop, &server, loopback(0), note_connection));
  for (int i = 0; i < 5; i++) connect_to(&server);
  iterate(loop, 6);
}

static void read_from_it(uv_stream_t *listener, int status) {
  read_noted(accept_next(listener, status));
}

static void connections_are_accepted_in_the_order_they_came(uv_loop_t *loop) {
  must(listen_at(loop, &server, loopback(0), read_from_it));
  for (size_t i = 1; i <= 3; i++) send_bytes(connect_to(&server), i);
  iterate(loop, 4);
}

static void a_listener_at_an_address_in_use(uv_loop_t *loop) {
  must(listen_at(loop, &server, loopback(0), note_connection));
  note_status("listener", listen_at(loop, &other, address_of(&server), note_connection));
}

static void a_listener_at_an_address_of_another_machine(uv_loop_t *loop) {
  struct sockaddr_in documentation;
  must(uv_ip4_addr("192.0.2.1", 0, &documentation));
  note_status("listener", listen_at(loop, &server, documentation, note_connection));
}

static void a_listener_is_active_while_it_listens(uv_loop_t *loop) {
  struct sockaddr_in any = loopback(0);
  must(uv_tcp_init(loop, &server));
  must(uv_tcp_bind(&server, (struct sockaddr *) &any, 0));
  server.data = "server";
  note_active(&server);
  must(uv_listen((uv_stream_t *) &server, BACKLOG, note_connection));
  note_active(&server);
  note_alive(loop);
  close_handle(&server);
  note_active(&server);
  iterate(loop, 1);
}

static void an_unreferenced_listener_keeps_nothing_alive(uv_loop_t *loop) {
  must(listen_at(loop, &server, loopback(0), note_connection));
  connect_to(&server);
  unref(&server);
  note_alive(loop);
  run(loop, UV_RUN_DEFAULT);
}

static void accept_and_close(uv_stream_t *listener, int status) {
  accept_next(listener, status);
  close_handle(listener);
}

static void a_listener_closed_in_its_callback_accepts_no_more(uv_loop_t *loop) {
  must(listen_at(loop, &server, loopback(0), accept_and_close));
  connect_to(&server);
  connect_to(&server);
  iterate(loop, 2);
}

static void accept_and_close_both(uv_stream_t *listener, int status) {
  accept_next(listener, status);
  close_handle(&server);
  close_handle(&other);
}

static void the_first_of_two_listeners_closes_the_other(uv_loop_t *loop) {
  must(listen_at(loop, &server, loopback(0), accept_and_close_both));
  must(listen_at(loop, &other, loopback(0), accept_and_close_both));
  other.data = "other";
  connect_to(&server);
  connect_to(&other);
  iterate(loop, 2);
}

static void a_listener_that_closes_resets_who_waits(uv_loop_t *loop) {
  int waiting;
  must(listen_at(loop, &server, loopback(0), note_connection));
  waiting = connect_to(&server);
  close_handle(&server);
  iterate(loop, 1);
  note_peer(waiting);
}

static struct stream *last_accepted;

static void keep_it(uv_stream_t *listener, int status) {
  last_accepted = accept_next(listener, status);
}

static void what_comes_before_somebody_reads_is_not_lost(uv_loop_t *loop) {
  must(listen_at(loop, &server, loopback(0), keep_it));
  send_bytes(connect_to(&server), 5);
  iterate(loop, 2);
  note_active(last_accepted);
  read_noted(last_accepted);
  iterate(loop, 1);
}

/* --- connecting --- */

static struct stream client;

/* A server outside of the loop. */
static int listen_outside(struct sockaddr_in *address) {
  int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  socklen_t length = sizeof *address;
  *address = loopback(0);
  must(bind(descriptor, (struct sockaddr *) address, length));
  must(listen(descriptor, BACKLOG));
  must(getsockname(descriptor, (struct sockaddr *) address, &length));
  return descriptor;
}

static void connect_client(uv_loop_t *loop, const struct sockaddr_in *address,
                           uv_connect_cb callback) {
  static uv_connect_t request;
  must(uv_tcp_init(loop, &client.tcp));
  client.handle.data = "client";
  must(uv_tcp_connect(&request, &client.tcp, (const struct sockaddr *) address, callback));
}

static void note_connect(uv_connect_t *request, int status) {
  (void) request;
  note_status("connect", status);
}

static void a_connect_to_where_nobody_listens(uv_loop_t *loop) {
  struct sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  int silent = socket(AF_INET, SOCK_STREAM, 0);
  must(bind(silent, (struct sockaddr *) &address, length));
  must(getsockname(silent, (struct sockaddr *) &address, &length));
  connect_client(loop, &address, note_connect);
  note_alive(loop);
  run(loop, UV_RUN_DEFAULT);
}

static void a_connect_that_is_given_up_is_cancelled(uv_loop_t *loop) {
  struct sockaddr_in address;
  listen_outside(&address);
  connect_client(loop, &address, note_connect);
  uv_close(&client.handle, NULL);
  note_alive(loop);
  run(loop, UV_RUN_DEFAULT);
}

static void write_when_connected(uv_connect_t *request, int status) {
  note_connect(request, status);
  write_noted(&client, 5, "write");
}

static void a_write_of_a_connect_callback_is_called_back_before_check(uv_loop_t *loop) {
  static uv_check_t check;
  struct sockaddr_in address;
  int listener = listen_outside(&address);
  start_check(loop, &check, "check", note_check);
  connect_client(loop, &address, write_when_connected);
  run(loop, UV_RUN_ONCE);
  note_peer(accept(listener, NULL, NULL));
}

static void read_when_connected(uv_connect_t *request, int status) {
  note_connect(request, status);
  read_noted(&client);
}

static void what_the_server_says_first_is_read_in_the_next_iteration(uv_loop_t *loop) {
  struct sockaddr_in address;
  int listener = listen_outside(&address);
  connect_client(loop, &address, read_when_connected);
  send_bytes(accept(listener, NULL, NULL), 5);
  run(loop, UV_RUN_ONCE);
  run(loop, UV_RUN_ONCE);
}

/* --- resetting --- */

static struct stream a;

static void close_after_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
  note_read(stream, length, buffer);
  close_handle(stream);
}

static void a_reset_of_the_peer_is_an_error_of_reading(uv_loop_t *loop) {
  struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  open_tcp(loop, &a, "a");
  read_with(&a, close_after_read);
  must(setsockopt(a.peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
  close(a.peer);
  run(loop, UV_RUN_DEFAULT);
}

static void note_closed(uv_handle_t *handle) { note("%s-closed", label_of(handle)); }

static void reset_noted(void) { note_status("reset", uv_tcp_close_reset(&a.tcp, note_closed)); }

static void the_peer_sees_a_reset(uv_loop_t *loop) {
  open_tcp(loop, &a, "a");
  reset_noted();
  iterate(loop, 1);
  note_peer(a.peer);
}

static void a_reset_cancels_what_waits_to_be_written(uv_loop_t *loop) {
  open_tcp(loop, &a, "a");
  write_noted(&a, BIG, "write");
  reset_noted();
  iterate(loop, 1);
}

static void a_reset_is_refused_while_shutdown_waits(uv_loop_t *loop) {
  open_tcp(loop, &a, "a");
  write_noted(&a, BIG, "write");
  shut_down_noted(&a, "shutdown");
  reset_noted();
  close_handle(&a);
  iterate(loop, 1);
}

static void a_reset_is_refused_right_after_shutdown(uv_loop_t *loop) {
  open_tcp(loop, &a, "a");
  shut_down_noted(&a, "shutdown");
  reset_noted();
  iterate(loop, 1);
  note_peer(a.peer);
}

static void a_reset_when_shutdown_is_done(uv_loop_t *loop) {
  open_tcp(loop, &a, "a");
  shut_down_noted(&a, "shutdown");
  iterate(loop, 1);
  reset_noted();
  iterate(loop, 1);
}

const struct scenario listener_scenarios[] = {
    SCENARIO(waiting_connections_are_accepted_one_an_iteration),
    SCENARIO(connections_are_accepted_in_the_order_they_came),
    SCENARIO(a_listener_at_an_address_in_use),
    SCENARIO(a_listener_at_an_address_of_another_machine),
    SCENARIO(a_listener_is_active_while_it_listens),
    SCENARIO(an_unreferenced_listener_keeps_nothing_alive),
    SCENARIO(a_listener_closed_in_its_callback_accepts_no_more),
    SCENARIO(the_first_of_two_listeners_closes_the_other),
    SCENARIO(a_listener_that_closes_resets_who_waits),
    SCENARIO(what_comes_before_somebody_reads_is_not_lost),
    SCENARIO(a_connect_to_where_nobody_listens),
    SCENARIO(a_connect_that_is_given_up_is_cancelled),
    SCENARIO(a_write_of_a_connect_callback_is_called_back_before_check),
    SCENARIO(what_the_server_says_first_is_read_in_the_next_iteration),
    SCENARIO(a_reset_of_the_peer_is_an_error_of_reading),
    SCENARIO(the_peer_sees_a_reset),
    SCENARIO(a_reset_cancels_what_waits_to_be_written),
    SCENARIO(a_reset_is_refused_while_shutdown_waits),
    SCENARIO(a_reset_is_refused_right_after_shutdown),
    SCENARIO(a_reset_when_shutdown_is_done),
    {NULL, NULL},
};
