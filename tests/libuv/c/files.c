/* Files that are watched: by the system's events, and by looking at intervals. */
#include "folder.h"
#include "sockets.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static uv_fs_event_t events[2];

/* Notes `LABEL=rename:NAME` or `LABEL=change:NAME`. */
static void note_event(uv_fs_event_t *event, const char *name, int kinds, int status) {
  must(status);
  note("%s=%s:%s", label_of(event), kinds & UV_RENAME ? "rename" : "change", name);
}

static void init_event(uv_loop_t *loop, uv_fs_event_t *event, const char *label) {
  must(uv_fs_event_init(loop, event));
  event->data = (void *) label;
}

static void watch(uv_loop_t *loop, uv_fs_event_t *event, const char *label, const char *path,
                  uv_fs_event_cb callback) {
  init_event(loop, event, label);
  must(uv_fs_event_start(event, callback, path, 0));
}

/* --- events --- */

static void changes_to_a_directory_come_in_their_order(uv_loop_t *loop) {
  enter_folder();
  watch(loop, &events[0], "a", ".", note_event);
  write_file("one", 1);
  write_file("two", 1);
  chmod("one", 0600);
  unlink("two");
  write_file("one", 1);
  iterate(loop, 2);
}

static void equal_changes_that_follow_each_other_are_one(uv_loop_t *loop) {
  enter_folder();
  write_file("file", 1);
  watch(loop, &events[0], "a", ".", note_event);
  for (int i = 0; i < 5; i++) write_file("file", 1);
  iterate(loop, 2);
}

static void a_rename_in_a_directory(uv_loop_t *loop) {
  enter_folder();
  write_file("old", 1);
  watch(loop, &events[0], "a", ".", note_event);
  must(rename("old", "new"));
  iterate(loop, 2);
}

static void a_watched_file_that_changes(uv_loop_t *loop) {
  enter_folder();
  write_file("file", 1);
  write_file("another", 1);
  watch(loop, &events[0], "a", "file", note_event);
  write_file("another", 1);
  write_file("file", 1);
  chmod("file", 0600);
  iterate(loop, 2);
}

static void a_watched_file_that_is_removed(uv_loop_t *loop) {
  enter_folder();
  write_file("file", 1);
  watch(loop, &events[0], "a", "file", note_event);
  unlink("file");
  iterate(loop, 2);
  note_active(&events[0]);
}

static void a_watched_file_that_is_replaced(uv_loop_t *loop) {
  enter_folder();
  write_file("file", 1);
  write_file("new", 1);
  watch(loop, &events[0], "a", "file", note_event);
  must(rename("new", "file"));
  iterate(loop, 1);
  write_file("file", 1);
  iterate(loop, 1);
}

static void changes_and_what_is_readable(uv_loop_t *loop) {
  static struct stream stream;
  static uv_check_t check;
  enter_folder();
  open_stream(loop, &stream, "stream");
  read_noted(&stream);
  watch(loop, &events[0], "a", ".", note_event);
  start_check(loop, &check, "check", note_check);
  settle(loop);
  write_file("first", 0);
  send_bytes(stream.peer, 1);
  iterate(loop, 1);
  send_bytes(stream.peer, 1);
  write_file("second", 0);
  iterate(loop, 1);
}

static void two_watchers_of_one_directory(uv_loop_t *loop) {
  enter_folder();
  watch(loop, &events[1], "a", ".", note_event);
  watch(loop, &events[0], "b", ".", note_event);
  write_file("one", 0);
  write_file("two", 0);
  iterate(loop, 2);
}

static void stop_it(uv_fs_event_t *event, const char *name, int kinds, int status) {
  note_event(event, name, kinds, status);
  must(uv_fs_event_stop(event));
}

static void a_watcher_of_files_that_stops_is_not_told_the_rest(uv_loop_t *loop) {
  enter_folder();
  watch(loop, &events[0], "a", ".", stop_it);
  watch(loop, &events[1], "b", ".", note_event);
  write_file("one", 0);
  write_file("two", 0);
  iterate(loop, 2);
}

static void close_both(uv_fs_event_t *event, const char *name, int kinds, int status) {
  note_event(event, name, kinds, status);
  close_handle(&events[0]);
  close_handle(&events[1]);
}

static void the_first_of_two_watchers_of_files_closes_both(uv_loop_t *loop) {
  enter_folder();
  watch(loop, &events[0], "a", ".", close_both);
  watch(loop, &events[1], "b", ".", close_both);
  write_file("one", 0);
  iterate(loop, 2);
}

static void changes_before_a_start_and_after_a_stop(uv_loop_t *loop) {
  enter_folder();
  write_file("before", 0);
  watch(loop, &events[0], "a", ".", note_event);
  write_file("one", 0);
  must(uv_fs_event_stop(&events[0]));
  write_file("between", 0);
  must(uv_fs_event_start(&events[0], note_event, ".", 0));
  write_file("two", 0);
  iterate(loop, 2);
}

static void watchers_of_files_that_can_not_start(uv_loop_t *loop) {
  enter_folder();
  watch(loop, &events[0], "a", ".", note_event);
  note_status("again", uv_fs_event_start(&events[0], note_event, ".", 0));
  init_event(loop, &events[1], "b");
  note_status("nothing", uv_fs_event_start(&events[1], note_event, "nothing", 0));
  note_active(&events[1]);
}

static void a_watcher_of_files_keeps_the_loop_alive(uv_loop_t *loop) {
  enter_folder();
  init_event(loop, &events[0], "a");
  note_alive(loop);
  must(uv_fs_event_start(&events[0], note_event, ".", 0));
  note_active(&events[0]);
  note_alive(loop);
  unref(&events[0]);
  note_alive(loop);
  must(uv_fs_event_stop(&events[0]));
  note_active(&events[0]);
}

/* --- looks --- */

static uv_fs_poll_t looks;
static uv_sem_t may_go_on;

static void work(uv_work_t *request) { (void) request; }

static void wait_for_permission(uv_work_t *request) {
  (void) request;
  uv_sem_wait(&may_go_on);
}

static void note_work(uv_work_t *request, int status) { note_status(request->data, status); }

/* The pool has one thread: what was asked before is done when this is. */
static void queue(uv_loop_t *loop, const char *label, uv_work_cb job) {
  uv_work_t *request = calloc(1, sizeof *request);
  request->data = (void *) label;
  must(uv_queue_work(loop, request, job, note_work));
}

/* Notes the error, or the sizes before and now. */
static void note_look(uv_fs_poll_t *poll, int status, const uv_stat_t *before,
                      const uv_stat_t *now) {
  if (status != 0) return note_status(label_of(poll), status);
  note("%s=%d->%d", label_of(poll), (int) before->st_size, (int) now->st_size);
}

static void look_at(uv_loop_t *loop, const char *path, unsigned interval, uv_fs_poll_cb callback) {
  must(uv_fs_poll_init(loop, &looks));
  looks.data = "look";
  must(uv_fs_poll_start(&looks, callback, path, interval));
}

static void the_first_look_at_a_file_is_silent(uv_loop_t *loop) {
  enter_folder();
  write_file("file", 3);
  look_at(loop, "file", NEVER, note_look);
  queue(loop, "work", work);
  unref(&looks);
  run(loop, UV_RUN_DEFAULT);
}

static void the_first_look_finds_nothing(uv_loop_t *loop) {
  enter_folder();
  look_at(loop, "file", NEVER, note_look);
  queue(loop, "work", work);
  unref(&looks);
  run(loop, UV_RUN_DEFAULT);
}

static void stop_when_changed(uv_fs_poll_t *poll, int status, const uv_stat_t *before,
                              const uv_stat_t *now) {
  note_look(poll, status, before, now);
  must(uv_fs_poll_stop(poll));
}

static void a_file_that_changes_after_the_first_look(uv_loop_t *loop) {
  enter_folder();
  write_file("file", 3);
  look_at(loop, "file", 1, stop_when_changed);
  queue(loop, "work", work);
  unref(&looks);
  run(loop, UV_RUN_DEFAULT);
  uv_ref((uv_handle_t *) &looks);
  write_file("file", 4);
  run(loop, UV_RUN_DEFAULT);
}

static void make_it_then_stop(uv_fs_poll_t *poll, int status, const uv_stat_t *before,
                              const uv_stat_t *now) {
  note_look(poll, status, before, now);
  if (status != 0)
    write_file("file", 0);
  else
    close_handle(poll);
}

static void a_file_that_is_made_after_the_first_look(uv_loop_t *loop) {
  enter_folder();
  look_at(loop, "file", 1, make_it_then_stop);
  run(loop, UV_RUN_DEFAULT);
}

static void note_new_look(uv_fs_poll_t *poll, int status, const uv_stat_t *before,
                          const uv_stat_t *now) {
  note("new");
  note_look(poll, status, before, now);
}

static void a_look_that_is_stopped_and_started_while_it_is_under_way(uv_loop_t *loop) {
  enter_folder();
  look_at(loop, "file", NEVER, note_look);
  must(uv_fs_poll_stop(&looks));
  must(uv_fs_poll_start(&looks, note_new_look, "another", NEVER));
  queue(loop, "work", work);
  unref(&looks);
  run(loop, UV_RUN_DEFAULT);
}

static void looks_that_are_started_twice(uv_loop_t *loop) {
  enter_folder();
  look_at(loop, "file", NEVER, note_look);
  note_status("again", uv_fs_poll_start(&looks, note_look, "another", NEVER));
}

static void a_look_at_files_keeps_the_loop_alive(uv_loop_t *loop) {
  enter_folder();
  look_at(loop, "file", NEVER, note_look);
  note_active(&looks);
  unref(&looks);
  queue(loop, "work", work);
  run(loop, UV_RUN_DEFAULT);
  uv_ref((uv_handle_t *) &looks);
  note_active(&looks);
  note_alive(loop);
  must(uv_fs_poll_stop(&looks));
  note_active(&looks);
}

static void looks_that_are_closed_while_one_is_under_way(uv_loop_t *loop) {
  enter_folder();
  must(uv_sem_init(&may_go_on, 0));
  queue(loop, "work", wait_for_permission);
  look_at(loop, "file", 1, note_look);
  close_handle(&looks);
  iterate(loop, 2);
  uv_sem_post(&may_go_on);
  run(loop, UV_RUN_DEFAULT);
}

const struct scenario file_scenarios[] = {
    SCENARIO(changes_to_a_directory_come_in_their_order),
    SCENARIO(equal_changes_that_follow_each_other_are_one),
    SCENARIO(a_rename_in_a_directory),
    SCENARIO(a_watched_file_that_changes),
    SCENARIO(a_watched_file_that_is_removed),
    SCENARIO(a_watched_file_that_is_replaced),
    SCENARIO(changes_and_what_is_readable),
    SCENARIO(two_watchers_of_one_directory),
    SCENARIO(a_watcher_of_files_that_stops_is_not_told_the_rest),
    SCENARIO(the_first_of_two_watchers_of_files_closes_both),
    SCENARIO(changes_before_a_start_and_after_a_stop),
    SCENARIO(watchers_of_files_that_can_not_start),
    SCENARIO(a_watcher_of_files_keeps_the_loop_alive),
    SCENARIO(the_first_look_at_a_file_is_silent),
    SCENARIO(the_first_look_finds_nothing),
    SCENARIO(a_file_that_changes_after_the_first_look),
    SCENARIO(a_file_that_is_made_after_the_first_look),
    SCENARIO(a_look_that_is_stopped_and_started_while_it_is_under_way),
    SCENARIO(looks_that_are_started_twice),
    SCENARIO(a_look_at_files_keeps_the_loop_alive),
    SCENARIO(looks_that_are_closed_while_one_is_under_way),
    {NULL, NULL},
};
