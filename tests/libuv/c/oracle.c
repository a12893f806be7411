/*
 * Runs every scenario on real libuv and prints its trace:
 *
 *     # libuv 1.52.2-dev
 *     close_is_last_in_first_out: 3 2 1
 *
 * Each runs in a process of its own, on a fresh default loop, with one thread in the pool.
 */
#include "oracle.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_SECONDS = 10 };

static const struct scenario *const tables[] = {
    loop_scenarios, timer_scenarios,  watcher_scenarios,  closing_scenarios,  async_scenarios,
    poll_scenarios, stream_scenarios, listener_scenarios, datagram_scenarios, pool_scenarios,
    pipe_scenarios, local_scenarios,  signal_scenarios,   process_scenarios,  file_scenarios,
};

void note(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  putchar(' ');
  vprintf(format, arguments);
  va_end(arguments);
}

void note_status(const char *what, int status) {
  note("%s=%s", what, status == 0 ? "0" : uv_err_name(status));
}

void must(int status) {
  if (status < 0) {
    fprintf(stderr, "%s\n", uv_strerror(status));
    exit(EXIT_FAILURE);
  }
}

/* Whether the scenario ended by itself, in time. */
static int run_alone(const struct scenario *scenario) {
  int status;
  pid_t child;
  printf("%s:", scenario->name);
  fflush(stdout);
  child = fork();
  if (child == 0) {
    alarm(DEADLINE_SECONDS);
    signal(SIGPIPE, SIG_IGN);
    scenario->run(uv_default_loop());
    exit(EXIT_SUCCESS);
  }
  if (child < 0 || waitpid(child, &status, 0) != child) return 0;
  putchar('\n');
  if (status != 0) fprintf(stderr, "%s ended with status %d\n", scenario->name, status);
  return status == 0;
}

int main(int argc, char **argv) {
  int failures = 0;
  setenv("UV_THREADPOOL_SIZE", "1", 1);
  printf("# libuv %s\n", uv_version_string());
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
    for (const struct scenario *scenario = tables[t]; scenario->name != NULL; scenario++)
      if (argc < 2 || strcmp(argv[1], scenario->name) == 0) failures += !run_alone(scenario);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
