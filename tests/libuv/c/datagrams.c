/* Datagrams: receiving and sending by UDP. */
#include "sockets.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

enum { LARGEST = 65507 };

static char buffer[64 * 1024];
static uv_udp_t a, b;
static int received;

static void lend(uv_handle_t *handle, size_t suggested, uv_buf_t *lent) {
  (void) handle, (void) suggested;
  *lent = uv_buf_init(buffer, sizeof buffer);
}

static void open_at_loopback(uv_loop_t *loop, uv_udp_t *socket, const char *label) {
  struct sockaddr_in address = loopback(0);
  must(uv_udp_init(loop, socket));
  must(uv_udp_bind(socket, (struct sockaddr *) &address, 0));
  socket->data = (void *) label;
}

static struct sockaddr_in address_of(const uv_udp_t *socket) {
  struct sockaddr_in address;
  int length = sizeof address;
  must(uv_udp_getsockname(socket, (struct sockaddr *) &address, &length));
  return address;
}

/* Sends from outside of the loop. */
static void send_to(const uv_udp_t *receiver, size_t length) {
  struct sockaddr_in address = address_of(receiver);
  static int foreign = -1;
  if (foreign < 0) foreign = socket(AF_INET, SOCK_DGRAM, 0);
  must((int) sendto(foreign, buffer, length, 0, (struct sockaddr *) &address, sizeof address));
}

/* A call without a sender says that nothing is left. */
static void note_datagram(uv_udp_t *socket, ssize_t length, const uv_buf_t *lent,
                          const struct sockaddr *from, unsigned flags) {
  (void) lent, (void) flags;
  must((int) length);
  if (from == NULL)
    note("nothing");
  else
    note("%s=%d", label_of(socket), (int) length);
}

static void count_datagram(uv_udp_t *socket, ssize_t length, const uv_buf_t *lent,
                           const struct sockaddr *from, unsigned flags) {
  (void) socket, (void) lent, (void) flags;
  must((int) length);
  if (from != NULL) received++;
}

static void an_empty_datagram_is_a_datagram(uv_loop_t *loop) {
  open_at_loopback(loop, &a, "a");
  must(uv_udp_recv_start(&a, lend, note_datagram));
  send_to(&a, 3);
  send_to(&a, 0);
  iterate(loop, 2);
}

static void a_flood_is_received_32_an_iteration(uv_loop_t *loop) {
  open_at_loopback(loop, &a, "a");
  must(uv_udp_recv_start(&a, lend, count_datagram));
  for (int i = 0; i < 70; i++) send_to(&a, 1);
  for (int i = 0; i < 4; i++) {
    received = 0;
    uv_run(loop, UV_RUN_NOWAIT);
    note("%d", received);
  }
}

static void note_count(uv_check_t *check) {
  (void) check;
  note("check received=%d", received);
}

static void all_that_came_is_received_before_check(uv_loop_t *loop) {
  uv_check_t check;
  start_check(loop, &check, "check", note_count);
  open_at_loopback(loop, &a, "a");
  must(uv_udp_recv_start(&a, lend, count_datagram));
  for (int i = 0; i < 5; i++) send_to(&a, 1);
  iterate(loop, 1);
}

static void close_it(uv_udp_t *socket, ssize_t length, const uv_buf_t *lent,
                     const struct sockaddr *from, unsigned flags) {
  note_datagram(socket, length, lent, from, flags);
  close_handle(socket);
}

static void a_socket_closed_in_its_callback_receives_no_more(uv_loop_t *loop) {
  open_at_loopback(loop, &a, "a");
  must(uv_udp_recv_start(&a, lend, close_it));
  for (int i = 1; i <= 3; i++) send_to(&a, (size_t) i);
  iterate(loop, 2);
}

static void stop_it(uv_udp_t *socket, ssize_t length, const uv_buf_t *lent,
                    const struct sockaddr *from, unsigned flags) {
  note_datagram(socket, length, lent, from, flags);
  must(uv_udp_recv_stop(socket));
}

static void what_comes_while_receiving_is_stopped_is_received_later(uv_loop_t *loop) {
  open_at_loopback(loop, &a, "a");
  must(uv_udp_recv_start(&a, lend, stop_it));
  for (int i = 1; i <= 3; i++) send_to(&a, (size_t) i);
  iterate(loop, 2);
  must(uv_udp_recv_start(&a, lend, stop_it));
  iterate(loop, 2);
}

static void a_second_receiver_is_refused(uv_loop_t *loop) {
  open_at_loopback(loop, &a, "a");
  must(uv_udp_recv_start(&a, lend, note_datagram));
  note_status("second", uv_udp_recv_start(&a, lend, note_datagram));
}

static void note_sent(uv_udp_send_t *request, int status) {
  (void) request;
  note_status("send", status);
}

/* Starts a send, or notes why it is refused. */
static void send_noted(uv_udp_send_t *request, uv_udp_t *from, const uv_udp_t *to, size_t length) {
  uv_buf_t bytes = uv_buf_init(buffer, (unsigned) length);
  struct sockaddr_in address;
  int status;
  if (to != NULL) address = address_of(to);
  status = uv_udp_send(request, from, &bytes, 1, to ? (struct sockaddr *) &address : NULL, note_sent);
  if (status != 0) note_status("send", status);
}

static void a_send_is_called_back_before_check(uv_loop_t *loop) {
  uv_udp_send_t request;
  uv_check_t check;
  start_check(loop, &check, "check", note_check);
  open_at_loopback(loop, &a, "a");
  open_at_loopback(loop, &b, "b");
  send_noted(&request, &a, &b, 5);
  note("asked");
  iterate(loop, 1);
}

static void a_send_keeps_the_loop_alive_until_it_is_told(uv_loop_t *loop) {
  uv_udp_send_t request;
  open_at_loopback(loop, &a, "a");
  open_at_loopback(loop, &b, "b");
  note_alive(loop);
  send_noted(&request, &a, &b, 5);
  note_alive(loop);
  run(loop, UV_RUN_DEFAULT);
}

static void a_datagram_that_is_too_long_is_an_error_of_its_request(uv_loop_t *loop) {
  uv_udp_send_t request;
  open_at_loopback(loop, &a, "a");
  open_at_loopback(loop, &b, "b");
  send_noted(&request, &a, &b, LARGEST + 1);
  run(loop, UV_RUN_DEFAULT);
}

static int connect_to(uv_udp_t *socket, const uv_udp_t *peer) {
  struct sockaddr_in address;
  if (peer == NULL) return uv_udp_connect(socket, NULL);
  address = address_of(peer);
  return uv_udp_connect(socket, (struct sockaddr *) &address);
}

static void a_connected_socket_sends_to_its_peer_only(uv_loop_t *loop) {
  uv_udp_send_t refused, request;
  open_at_loopback(loop, &a, "a");
  open_at_loopback(loop, &b, "b");
  note_status("connect", connect_to(&a, &b));
  note_status("again", connect_to(&a, &b));
  must(uv_udp_recv_start(&b, lend, count_datagram));
  send_noted(&refused, &a, &b, 3);
  send_noted(&request, &a, NULL, 4);
  iterate(loop, 1);
  note("received=%d", received);
}

static void a_socket_without_a_peer_needs_an_address(uv_loop_t *loop) {
  uv_udp_send_t request;
  open_at_loopback(loop, &a, "a");
  note_status("disconnect", connect_to(&a, NULL));
  send_noted(&request, &a, NULL, 4);
  iterate(loop, 1);
}

static void a_receiving_socket_keeps_the_loop_alive(uv_loop_t *loop) {
  open_at_loopback(loop, &a, "a");
  note_active(&a);
  note_alive(loop);
  must(uv_udp_recv_start(&a, lend, note_datagram));
  note_active(&a);
  note_alive(loop);
  must(uv_udp_recv_stop(&a));
  note_active(&a);
  note_alive(loop);
}

const struct scenario datagram_scenarios[] = {
    SCENARIO(an_empty_datagram_is_a_datagram),
    SCENARIO(a_flood_is_received_32_an_iteration),
    SCENARIO(all_that_came_is_received_before_check),
    SCENARIO(a_socket_closed_in_its_callback_receives_no_more),
    SCENARIO(what_comes_while_receiving_is_stopped_is_received_later),
    SCENARIO(a_second_receiver_is_refused),
    SCENARIO(a_send_is_called_back_before_check),
    SCENARIO(a_send_keeps_the_loop_alive_until_it_is_told),
    SCENARIO(a_datagram_that_is_too_long_is_an_error_of_its_request),
    SCENARIO(a_connected_socket_sends_to_its_peer_only),
    SCENARIO(a_socket_without_a_peer_needs_an_address),
    SCENARIO(a_receiving_socket_keeps_the_loop_alive),
    {NULL, NULL},
};
