/* Local sockets: connecting and listening by a path, and datagrams. */
#include "folder.h"
#include "sockets.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128 };

static uv_pipe_t server, other;
static struct stream clients[3];

static int listen_at(uv_loop_t *loop, uv_pipe_t *listener, const char *path,
                     uv_connection_cb callback) {
  int refused;
  must(uv_pipe_init(loop, listener, 0));
  listener->data = "server";
  refused = uv_pipe_bind(listener, path);
  return refused ? refused : uv_listen((uv_stream_t *) listener, BACKLOG, callback);
}

static struct sockaddr_un address_of(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, path);
  return address;
}

/* Connects from outside of the loop. */
static int connect_to(const char *path) {
  struct sockaddr_un address = address_of(path);
  int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
  must(connect(descriptor, (struct sockaddr *) &address, sizeof address));
  return descriptor;
}

/* A socket with this name that does not listen. */
static int bind_to(const char *path, int type) {
  struct sockaddr_un address = address_of(path);
  int descriptor = socket(AF_UNIX, type, 0);
  must(bind(descriptor, (struct sockaddr *) &address, sizeof address));
  return descriptor;
}

static struct stream *accept_next(uv_stream_t *listener, int status) {
  struct stream *accepted = calloc(1, sizeof *accepted);
  must(status);
  must(uv_pipe_init(listener->loop, &accepted->pipe, 0));
  must(uv_accept(listener, &accepted->stream));
  accepted->handle.data = "accepted";
  note("connection");
  return accepted;
}

static void note_connection(uv_stream_t *listener, int status) { accept_next(listener, status); }

static void read_from_it(uv_stream_t *listener, int status) {
  read_noted(accept_next(listener, status));
}

static void note_connect(uv_connect_t *request, int status) {
  note_status(request->data, status);
}

/* Connects by the loop; the callback notes `LABEL=` the status. */
static void connect_noted(uv_loop_t *loop, struct stream *client, const char *path,
                          const char *label) {
  uv_connect_t *request = calloc(1, sizeof *request);
  must(uv_pipe_init(loop, &client->pipe, 0));
  client->handle.data = (void *) label;
  request->data = (void *) label;
  uv_pipe_connect(request, &client->pipe, path, note_connect);
}

/* --- connecting --- */

static void connects_that_fail_are_told_before_prepare(uv_loop_t *loop) {
  static uv_prepare_t prepare;
  enter_folder();
  close(bind_to("nobody-listens", SOCK_STREAM));
  bind_to("datagrams", SOCK_DGRAM);
  start_prepare(loop, &prepare, "prepare", note_prepare);
  connect_noted(loop, &clients[0], "nobody-listens", "1");
  connect_noted(loop, &clients[1], "nothing", "2");
  connect_noted(loop, &clients[2], "datagrams", "3");
  note("called");
  iterate(loop, 2);
}

static void a_connect_and_a_listener_of_one_loop(uv_loop_t *loop) {
  static uv_check_t check;
  enter_folder();
  must(listen_at(loop, &server, "server", note_connection));
  start_check(loop, &check, "check", note_check);
  connect_noted(loop, &clients[0], "server", "1");
  connect_noted(loop, &clients[1], "server", "2");
  iterate(loop, 3);
}

static void write_and_shut_down(uv_connect_t *request, int status) {
  note_connect(request, status);
  write_noted(&clients[0], 5, "write");
  shut_down_noted(&clients[0], "shutdown");
}

static void what_a_client_sends_when_it_is_connected(uv_loop_t *loop) {
  static uv_connect_t request = {.data = "client"};
  enter_folder();
  must(listen_at(loop, &server, "server", read_from_it));
  must(uv_pipe_init(loop, &clients[0].pipe, 0));
  uv_pipe_connect(&request, &clients[0].pipe, "server", write_and_shut_down);
  iterate(loop, 4);
}

static void a_connect_that_is_given_up(uv_loop_t *loop) {
  enter_folder();
  must(listen_at(loop, &server, "server", read_from_it));
  connect_noted(loop, &clients[0], "server", "client");
  uv_close(&clients[0].handle, NULL);
  iterate(loop, 3);
}

static void a_connect_to_a_listener_whose_queue_is_full(uv_loop_t *loop) {
  int full, waits;
  struct sockaddr_un address = address_of("full");
  enter_folder();
  full = bind_to("full", SOCK_STREAM);
  must(listen(full, 0));
  do {
    waits = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  } while (connect(waits, (struct sockaddr *) &address, sizeof address) == 0);
  connect_noted(loop, &clients[0], "full", "client");
  iterate(loop, 1);
  must(accept(full, NULL, NULL));
  run(loop, UV_RUN_DEFAULT);
}

/* --- listening --- */

static void local_connections_are_accepted_one_an_iteration(uv_loop_t *loop) {
  enter_folder();
  must(listen_at(loop, &server, "server", read_from_it));
  for (size_t i = 1; i <= 3; i++) send_bytes(connect_to("server"), i);
  iterate(loop, 5);
}

static void listeners_at_paths_that_can_not_be_had(uv_loop_t *loop) {
  enter_folder();
  write_file("file", 1);
  must(listen_at(loop, &server, "server", note_connection));
  note_status("socket", listen_at(loop, &other, "server", note_connection));
  note_status("file", listen_at(loop, &other, "file", note_connection));
}

static void a_listener_in_a_directory_that_is_not_there(uv_loop_t *loop) {
  enter_folder();
  note_status("server", listen_at(loop, &server, "nowhere/server", note_connection));
}

static void note_file(const char *path) { note("file=%d", access(path, F_OK) == 0); }

static void a_listener_that_closes_removes_its_file(uv_loop_t *loop) {
  enter_folder();
  must(listen_at(loop, &server, "server", note_connection));
  note_file("server");
  close_handle(&server);
  note_file("server");
  iterate(loop, 1);
}

static void a_local_connection_that_nobody_accepted(uv_loop_t *loop) {
  int waiting;
  enter_folder();
  must(listen_at(loop, &server, "server", note_connection));
  waiting = connect_to("server");
  close_handle(&server);
  iterate(loop, 1);
  note_peer(waiting);
}

static void a_local_listener_keeps_the_loop_alive(uv_loop_t *loop) {
  enter_folder();
  must(listen_at(loop, &server, "server", note_connection));
  note_active(&server);
  note_alive(loop);
  unref(&server);
  note_alive(loop);
  connect_to("server");
  run(loop, UV_RUN_DEFAULT);
}

/* --- datagrams --- */

static uv_udp_t receiver, sender;

static void lend(uv_handle_t *handle, size_t suggested, uv_buf_t *lent) {
  static char buffer[64 * 1024];
  (void) handle, (void) suggested;
  *lent = uv_buf_init(buffer, sizeof buffer);
}

/* A call without a sender says that nothing is left. */
static void note_datagram(uv_udp_t *socket, ssize_t length, const uv_buf_t *lent,
                          const struct sockaddr *from, unsigned flags) {
  (void) lent, (void) flags;
  must((int) length);
  if (from != NULL) note("%s=%zd", label_of(socket), length);
}

static void open_datagrams(uv_loop_t *loop, uv_udp_t *socket, const char *label, int descriptor) {
  must(uv_udp_init(loop, socket));
  must(uv_udp_open(socket, descriptor));
  socket->data = (void *) label;
}

static void local_datagrams_come_whole_and_in_their_order(uv_loop_t *loop) {
  static uv_check_t check;
  int ends[2];
  must(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
  open_datagrams(loop, &receiver, "a", ends[0]);
  must(uv_udp_recv_start(&receiver, lend, note_datagram));
  start_check(loop, &check, "check", note_check);
  for (size_t i = 3; i > 0; i--) send_bytes(ends[1], i);
  iterate(loop, 1);
}

static void note_sent(uv_udp_send_t *request, int status) { note_status(request->data, status); }

static void send_noted(uv_udp_t *socket, size_t length, const char *label) {
  uv_udp_send_t *request = calloc(1, sizeof *request);
  uv_buf_t bytes = uv_buf_init(calloc(1, length), (unsigned) length);
  int refused = uv_udp_send(request, socket, &bytes, 1, NULL, note_sent);
  request->data = (void *) label;
  if (refused) note_status(label, refused);
}

static void local_datagrams_that_are_sent_at_once_are_told_in_pending(uv_loop_t *loop) {
  static uv_prepare_t prepare;
  int ends[2];
  must(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
  open_datagrams(loop, &receiver, "a", ends[0]);
  open_datagrams(loop, &sender, "b", ends[1]);
  must(uv_udp_recv_start(&receiver, lend, note_datagram));
  start_prepare(loop, &prepare, "prepare", note_prepare);
  send_noted(&sender, 1, "1");
  send_noted(&sender, 2, "2");
  iterate(loop, 1);
}

static void what_is_done_at_once_is_told_in_the_order_of_the_calls(uv_loop_t *loop) {
  static struct stream stream;
  static uv_prepare_t prepare;
  int ends[2];
  must(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
  open_datagrams(loop, &sender, "b", ends[1]);
  open_stream(loop, &stream, "stream");
  start_prepare(loop, &prepare, "prepare", note_prepare);
  enter_folder();
  write_noted(&stream, 1, "write");
  connect_noted(loop, &clients[0], "nothing", "connect");
  send_noted(&sender, 1, "send");
  connect_noted(loop, &clients[1], "nothing", "connect");
  iterate(loop, 1);
}

static void local_datagrams_that_have_to_wait_go_in_their_order(uv_loop_t *loop) {
  char byte;
  uv_buf_t bytes = uv_buf_init(&byte, 1);
  int ends[2];
  must(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
  open_datagrams(loop, &sender, "b", ends[1]);
  while (uv_udp_try_send(&sender, &bytes, 1, NULL) > 0) continue;
  send_noted(&sender, 2, "1");
  send_noted(&sender, 3, "2");
  iterate(loop, 1);
  while (recv(ends[0], &byte, 1, MSG_DONTWAIT) > 0) continue;
  iterate(loop, 2);
  note_peer(ends[0]);
  note_peer(ends[0]);
}

const struct scenario local_scenarios[] = {
    SCENARIO(connects_that_fail_are_told_before_prepare),
    SCENARIO(a_connect_and_a_listener_of_one_loop),
    SCENARIO(what_a_client_sends_when_it_is_connected),
    SCENARIO(a_connect_that_is_given_up),
    SCENARIO(a_connect_to_a_listener_whose_queue_is_full),
    SCENARIO(local_connections_are_accepted_one_an_iteration),
    SCENARIO(listeners_at_paths_that_can_not_be_had),
    SCENARIO(a_listener_in_a_directory_that_is_not_there),
    SCENARIO(a_listener_that_closes_removes_its_file),
    SCENARIO(a_local_connection_that_nobody_accepted),
    SCENARIO(a_local_listener_keeps_the_loop_alive),
    SCENARIO(local_datagrams_come_whole_and_in_their_order),
    SCENARIO(local_datagrams_that_are_sent_at_once_are_told_in_pending),
    SCENARIO(what_is_done_at_once_is_told_in_the_order_of_the_calls),
    SCENARIO(local_datagrams_that_have_to_wait_go_in_their_order),
    {NULL, NULL},
};
