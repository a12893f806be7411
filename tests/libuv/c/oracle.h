/* What the scenarios share: a trace of labels, and the table that each file ends with. */
#ifndef ORACLE_H
#define ORACLE_H

#include <stddef.h>
#include <uv.h>

struct scenario {
  const char *name;
  void (*run)(uv_loop_t *loop);
};

/* The entry of a function in such a table. */
#define SCENARIO(name) {#name, name}

/* Each ends with an entry without a name. */
extern const struct scenario loop_scenarios[];
extern const struct scenario timer_scenarios[];
extern const struct scenario watcher_scenarios[];
extern const struct scenario closing_scenarios[];
extern const struct scenario async_scenarios[];
extern const struct scenario poll_scenarios[];
extern const struct scenario stream_scenarios[];
extern const struct scenario listener_scenarios[];
extern const struct scenario datagram_scenarios[];
extern const struct scenario pool_scenarios[];
extern const struct scenario pipe_scenarios[];
extern const struct scenario local_scenarios[];
extern const struct scenario signal_scenarios[];
extern const struct scenario process_scenarios[];
extern const struct scenario file_scenarios[];

/* Appends one label, which has no blanks, to the trace. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Notes `what=0`, or `what=NAME` with the name of the error, such as EBUSY. */
void note_status(const char *what, int status);

/* Ends the scenario if a call that has to succeed did not. */
void must(int status);

#endif
