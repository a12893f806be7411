/*
 * Connected sockets: one end a stream of the loop that notes what it reads, the other one foreign.
 */
#ifndef SOCKETS_H
#define SOCKETS_H

#include "handles.h"

/* A stream of the loop, and the other end of its connection. */
struct stream {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_pipe_t pipe;
    uv_tcp_t tcp;
  };
  int peer;
};

/*
 * Opens one end of a pair as a stream. They are Unix sockets: what one end does the other sees at once;
 * of TCP that is true only while the system is not busy.
 */
void open_stream(uv_loop_t *loop, struct stream *stream, const char *label);

/* The same over TCP, for what only that has. */
void open_tcp(uv_loop_t *loop, struct stream *stream, const char *label);

/* A TCP connection of this process with itself. */
void connect_pair(int ends[2]);

/* An address of the loopback; port 0 is any. */
struct sockaddr_in loopback(int port);

/* Starts reading, into a buffer that is as large as libuv suggests: 64 KiB. */
void read_with(struct stream *stream, uv_read_cb callback);

/* Starts reading; each read notes `LABEL=` the bytes, or `EOF`, or the error. */
void read_noted(struct stream *stream);
void note_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer);

/* Start a request whose callback notes `LABEL=` the status; one that is refused notes it now. */
void write_noted(struct stream *stream, size_t length, const char *label);
void shut_down_noted(struct stream *stream, const char *label);

/* Starts a write with a callback, for which `data` is kept in the request. */
void write_with(struct stream *stream, size_t length, uv_write_cb callback, void *data);

/* Notes `try=` the bytes that are taken at once, or the error. */
void try_noted(struct stream *stream, size_t length);

/* Notes `queue=` the bytes that are queued. */
void note_queue(const struct stream *stream);

/* Writes as much as the system takes, and queues nothing. */
void fill(struct stream *stream);

/* What the other end does. None of it waits. */
void send_bytes(int peer, size_t length);
size_t drain(int peer);

/* Notes `peer=` the bytes that one read of the other end gives, or `EOF`, or the error. It waits. */
void note_peer(int peer);

/* Runs iterations that do not wait, and notes the end of each. */
void iterate(uv_loop_t *loop, int count);

#endif
