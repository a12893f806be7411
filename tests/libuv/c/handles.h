/*
 * Handles with a label, and callbacks that note it.
 *
 * Each scenario has a process of its own, so its handles may be static and need not be closed.
 */
#ifndef HANDLES_H
#define HANDLES_H

#include "oracle.h"

/* Initialise a handle and give it a label. */
void init_timer(uv_loop_t *loop, uv_timer_t *timer, const char *label);
void init_async(uv_loop_t *loop, uv_async_t *async, const char *label, uv_async_cb callback);

/* The same, and start it; the timer does not repeat. */
void start_idle(uv_loop_t *loop, uv_idle_t *idle, const char *label, uv_idle_cb callback);
void start_prepare(uv_loop_t *loop, uv_prepare_t *prepare, const char *label,
                   uv_prepare_cb callback);
void start_check(uv_loop_t *loop, uv_check_t *check, const char *label, uv_check_cb callback);
void start_timer(uv_loop_t *loop, uv_timer_t *timer, const char *label, uint64_t after,
                 uv_timer_cb callback);

/* Polls a socket that can be written to, now and ever after. */
void start_poll(uv_loop_t *loop, uv_poll_t *poll, const char *label, uv_poll_cb callback);

/* Callbacks that note the label. */
void note_idle(uv_idle_t *idle);
void note_prepare(uv_prepare_t *prepare);
void note_check(uv_check_t *check);
void note_timer(uv_timer_t *timer);
void note_async(uv_async_t *async);
void note_poll(uv_poll_t *poll, int status, int events);

/* For what is waited for and never comes. */
enum { NEVER = 1000 * 1000 };

const char *label_of(const void *handle);

/* Closes the handle; its close callback notes `LABEL-closed`. */
void close_handle(void *handle);

void unref(void *handle);

/* `active=1` or `active=0`. */
void note_active(const void *handle);

/* `alive=1` or `alive=0`. */
void note_alive(const uv_loop_t *loop);

/* `due_in=` the milliseconds. */
void note_due_in(const uv_timer_t *timer);

/* Runs a first iteration: it registers the descriptors of the loop. Before, the wait is 0. */
void settle(uv_loop_t *loop);

/* `WHAT=0`, `WHAT=forever`, or `WHAT=some` for a wait that ends by itself, however long. */
void note_wait(const char *what, const uv_loop_t *loop);

/* Runs the loop and notes `more=` whether it says that it would run on. */
void run(uv_loop_t *loop, uv_run_mode mode);

/* The modes, and their names. */
struct mode {
  uv_run_mode mode;
  const char *name;
};
extern const struct mode modes[3];

#endif
