#include "sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 64 * 1024 };

void open_stream(uv_loop_t *loop, struct stream *stream, const char *label) {
  int ends[2];
  must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  must(uv_pipe_init(loop, &stream->pipe, 0));
  must(uv_pipe_open(&stream->pipe, ends[0]));
  stream->handle.data = (void *) label;
  stream->peer = ends[1];
}

void open_tcp(uv_loop_t *loop, struct stream *stream, const char *label) {
  int ends[2];
  connect_pair(ends);
  must(uv_tcp_init(loop, &stream->tcp));
  must(uv_tcp_open(&stream->tcp, ends[0]));
  stream->handle.data = (void *) label;
  stream->peer = ends[1];
}

struct sockaddr_in loopback(int port) {
  struct sockaddr_in address;
  must(uv_ip4_addr("127.0.0.1", port, &address));
  return address;
}

void connect_pair(int ends[2]) {
  struct sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  must(bind(listener, (struct sockaddr *) &address, length));
  must(listen(listener, 1));
  must(getsockname(listener, (struct sockaddr *) &address, &length));
  ends[1] = socket(AF_INET, SOCK_STREAM, 0);
  must(connect(ends[1], (struct sockaddr *) &address, length));
  ends[0] = accept(listener, NULL, NULL);
  must(ends[0]);
  close(listener);
}

static void lend_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
  static char bytes[BUFFER];
  (void) handle;
  must(suggested == BUFFER ? 0 : UV_EINVAL);
  *buffer = uv_buf_init(bytes, BUFFER);
}

void read_with(struct stream *stream, uv_read_cb callback) {
  must(uv_read_start(&stream->stream, lend_buffer, callback));
}

void read_noted(struct stream *stream) { read_with(stream, note_read); }

void note_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
  (void) buffer;
  if (length < 0) return note_status(label_of(stream), (int) length);
  /* 0 only gives the buffer back. */
  if (length > 0) note("%s=%zd", label_of(stream), length);
}

static void note_request(void *request, int status) {
  note_status(((uv_req_t *) request)->data, status);
}

static void note_write(uv_write_t *request, int status) { note_request(request, status); }

static void note_shutdown(uv_shutdown_t *request, int status) { note_request(request, status); }

/* Bytes, and requests for them, live as long as the process. */
static int start_write(struct stream *stream, size_t length, uv_write_cb callback, void *data) {
  uv_write_t *request = calloc(1, sizeof *request);
  uv_buf_t bytes = uv_buf_init(calloc(1, length + 1), (unsigned) length);
  request->data = data;
  return uv_write(request, &stream->stream, &bytes, 1, callback);
}

void write_with(struct stream *stream, size_t length, uv_write_cb callback, void *data) {
  must(start_write(stream, length, callback, data));
}

void write_noted(struct stream *stream, size_t length, const char *label) {
  int refused = start_write(stream, length, note_write, (void *) label);
  if (refused) note_status(label, refused);
}

void shut_down_noted(struct stream *stream, const char *label) {
  uv_shutdown_t *request = calloc(1, sizeof *request);
  int refused = uv_shutdown(request, &stream->stream, note_shutdown);
  request->data = (void *) label;
  if (refused) note_status(label, refused);
}

static int try_write(struct stream *stream, size_t length) {
  static char bytes[BUFFER];
  uv_buf_t buffer = uv_buf_init(bytes, (unsigned) length);
  return uv_try_write(&stream->stream, &buffer, 1);
}

void try_noted(struct stream *stream, size_t length) {
  int written = try_write(stream, length);
  if (written < 0) return note_status("try", written);
  note("try=%d", written);
}

void note_queue(const struct stream *stream) {
  note("queue=%zu", uv_stream_get_write_queue_size(&stream->stream));
}

void fill(struct stream *stream) {
  while (try_write(stream, BUFFER) > 0) continue;
}

void send_bytes(int peer, size_t length) {
  static char bytes[2 * BUFFER];
  must(send(peer, bytes, length, MSG_DONTWAIT) == (ssize_t) length ? 0 : UV_EIO);
}

size_t drain(int peer) {
  static char bytes[BUFFER];
  size_t total = 0;
  ssize_t length;
  while ((length = recv(peer, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) total += (size_t) length;
  return total;
}

void note_peer(int peer) {
  char bytes[64];
  ssize_t length = recv(peer, bytes, sizeof bytes, 0);
  if (length > 0) return note("peer=%zd", length);
  note_status("peer", length == 0 ? UV_EOF : uv_translate_sys_error(errno));
}

void iterate(uv_loop_t *loop, int count) {
  while (count-- > 0) {
    uv_run(loop, UV_RUN_NOWAIT);
    note("|");
  }
}
