/* The pool: what is queued for its one thread, and what becomes of that. */
#include "sockets.h"

enum { JOBS = 5 };

static uv_work_t jobs[JOBS + 1];
/* Posted by the job that waits when it runs, and to let it go on. */
static uv_sem_t started, gate;

static void nothing(uv_work_t *job) { (void) job; }

static void wait_for_the_gate(uv_work_t *job) {
  (void) job;
  uv_sem_post(&started);
  uv_sem_wait(&gate);
}

static void note_job(uv_work_t *job, int status) {
  static const char *const labels[] = {"0", "1", "2", "3", "4", "5"};
  note_status(labels[job - jobs], status);
}

static void queue(uv_loop_t *loop, int number, uv_work_cb work, uv_after_work_cb callback) {
  must(uv_queue_work(loop, &jobs[number], work, callback));
}

static void queue_nothing(uv_loop_t *loop, int first, int last) {
  for (int i = first; i <= last; i++) queue(loop, i, nothing, note_job);
}

/* Queues a job and waits until it runs: what was queued before is done by then. */
static void queue_and_wait(uv_loop_t *loop, int number, uv_after_work_cb callback) {
  must(uv_sem_init(&started, 0));
  must(uv_sem_init(&gate, 0));
  queue(loop, number, wait_for_the_gate, callback);
  uv_sem_wait(&started);
}

/* EBUSY if it runs or is done: its callback tells. */
static void cancel(int number) { uv_cancel((uv_req_t *) &jobs[number]); }

static void note_and_open_the_gate(uv_work_t *job, int status) {
  note_job(job, status);
  uv_sem_post(&gate);
}

static int order[JOBS + 1], ran;

static void note_turn(uv_work_t *job) { order[ran++] = (int) (job - jobs); }

static void jobs_run_and_end_in_the_order_they_were_queued(uv_loop_t *loop) {
  for (int i = 1; i <= JOBS; i++) queue(loop, i, note_turn, note_job);
  run(loop, UV_RUN_DEFAULT);
  for (int i = 0; i < ran; i++) note("ran-%d", order[i]);
}

static void a_queued_job_is_cancelled_and_a_running_one_is_not(uv_loop_t *loop) {
  queue_and_wait(loop, 1, note_job);
  queue_nothing(loop, 2, 2);
  queue(loop, 3, nothing, note_and_open_the_gate);
  queue_nothing(loop, 4, 4);
  cancel(3);
  cancel(1);
  note("asked");
  run(loop, UV_RUN_DEFAULT);
}

static void cancelled_jobs_end_in_the_order_of_cancelling(uv_loop_t *loop) {
  queue_and_wait(loop, 1, note_job);
  queue_nothing(loop, 2, 2);
  queue(loop, 3, nothing, note_and_open_the_gate);
  queue_nothing(loop, 4, 5);
  cancel(5);
  cancel(4);
  cancel(3);
  run(loop, UV_RUN_DEFAULT);
}

static void a_job_that_is_done_is_not_cancelled(uv_loop_t *loop) {
  queue_nothing(loop, 1, 1);
  queue_and_wait(loop, 2, note_job);
  cancel(1);
  uv_sem_post(&gate);
  run(loop, UV_RUN_DEFAULT);
}

static void cancel_the_third(uv_work_t *job, int status) {
  note_job(job, status);
  cancel(3);
}

static void a_callback_cancels_a_queued_job(uv_loop_t *loop) {
  queue(loop, 1, nothing, cancel_the_third);
  queue_and_wait(loop, 2, note_job);
  queue(loop, 3, nothing, note_and_open_the_gate);
  run(loop, UV_RUN_DEFAULT);
}

static void jobs_end_in_the_order_in_which_they_are_done_or_cancelled(uv_loop_t *loop) {
  queue_nothing(loop, 1, 1);
  queue_and_wait(loop, 2, note_job);
  queue_nothing(loop, 3, 4);
  cancel(3);
  iterate(loop, 1);
  uv_sem_post(&gate);
  run(loop, UV_RUN_DEFAULT);
}

static uv_fs_t file;

static void note_file(uv_fs_t *request) { note_status("file", (int) request->result); }

static void note_file_and_open_the_gate(uv_fs_t *request) {
  note_file(request);
  uv_sem_post(&gate);
}

static void cancel_file(void) { note_status("cancel", uv_cancel((uv_req_t *) &file)); }

static void a_queued_file_operation_is_cancelled(uv_loop_t *loop) {
  queue_and_wait(loop, 1, note_job);
  must(uv_fs_stat(loop, &file, "/", note_file_and_open_the_gate));
  cancel_file();
  note("asked");
  run(loop, UV_RUN_DEFAULT);
}

static void a_file_operation_that_is_done_is_not_cancelled(uv_loop_t *loop) {
  must(uv_fs_stat(loop, &file, "/", note_file));
  queue_and_wait(loop, 1, note_job);
  cancel_file();
  uv_sem_post(&gate);
  run(loop, UV_RUN_DEFAULT);
}

static void a_file_operation_is_cancelled_twice(uv_loop_t *loop) {
  queue_and_wait(loop, 1, note_job);
  must(uv_fs_stat(loop, &file, "/", note_file_and_open_the_gate));
  cancel_file();
  cancel_file();
  run(loop, UV_RUN_DEFAULT);
}

static void a_file_operation_that_fails(uv_loop_t *loop) {
  must(uv_fs_stat(loop, &file, "/nothing/here", note_file));
  run(loop, UV_RUN_DEFAULT);
}

static void jobs_and_file_operations_stand_in_one_line(uv_loop_t *loop) {
  queue_and_wait(loop, 1, note_job);
  queue_nothing(loop, 2, 2);
  must(uv_fs_stat(loop, &file, "/", note_file));
  queue_nothing(loop, 3, 3);
  uv_sem_post(&gate);
  run(loop, UV_RUN_DEFAULT);
}

static void queue_another(uv_work_t *job, int status) {
  note_job(job, status);
  queue_nothing(job->loop, 2, 2);
}

static void a_job_queued_by_a_callback_ends_in_a_later_iteration(uv_loop_t *loop) {
  static uv_check_t check;
  start_check(loop, &check, "check", note_check);
  unref(&check);
  queue(loop, 1, nothing, queue_another);
  run(loop, UV_RUN_DEFAULT);
}

static void jobs_that_are_done_come_before_asyncs(uv_loop_t *loop) {
  static uv_async_t async;
  init_async(loop, &async, "async", note_async);
  must(uv_async_send(&async));
  queue_nothing(loop, 1, 2);
  queue_and_wait(loop, 3, note_job);
  iterate(loop, 1);
  unref(&async);
  uv_sem_post(&gate);
  run(loop, UV_RUN_DEFAULT);
}

static void a_descriptor_that_is_ready_before_a_job_is_done(uv_loop_t *loop) {
  static struct stream a;
  open_stream(loop, &a, "a");
  read_noted(&a);
  iterate(loop, 1);
  send_bytes(a.peer, 3);
  queue_nothing(loop, 1, 1);
  queue_and_wait(loop, 2, note_job);
  iterate(loop, 1);
  uv_sem_post(&gate);
}

static void a_queued_job_keeps_the_loop_alive(uv_loop_t *loop) {
  note_alive(loop);
  queue_nothing(loop, 1, 1);
  note_alive(loop);
  run(loop, UV_RUN_DEFAULT);
}

static void a_cancelled_job_keeps_the_loop_alive_until_it_is_told(uv_loop_t *loop) {
  queue_and_wait(loop, 1, note_job);
  queue_nothing(loop, 2, 2);
  cancel(2);
  note_alive(loop);
  iterate(loop, 1);
  uv_sem_post(&gate);
  run(loop, UV_RUN_DEFAULT);
}

static void a_job_that_is_done_is_told_to_the_loop_that_queued_it(uv_loop_t *loop) {
  static uv_loop_t another;
  must(uv_loop_init(&another));
  queue_nothing(loop, 1, 1);
  queue_nothing(&another, 2, 2);
  run(&another, UV_RUN_DEFAULT);
  run(loop, UV_RUN_DEFAULT);
}

static void a_loop_goes_away_with_jobs_queued(uv_loop_t *loop) {
  queue_nothing(loop, 1, 5);
  note_alive(loop);
}

const struct scenario pool_scenarios[] = {
    SCENARIO(jobs_run_and_end_in_the_order_they_were_queued),
    SCENARIO(a_queued_job_is_cancelled_and_a_running_one_is_not),
    SCENARIO(cancelled_jobs_end_in_the_order_of_cancelling),
    SCENARIO(a_job_that_is_done_is_not_cancelled),
    SCENARIO(a_callback_cancels_a_queued_job),
    SCENARIO(jobs_end_in_the_order_in_which_they_are_done_or_cancelled),
    SCENARIO(a_queued_file_operation_is_cancelled),
    SCENARIO(a_file_operation_that_is_done_is_not_cancelled),
    SCENARIO(a_file_operation_is_cancelled_twice),
    SCENARIO(a_file_operation_that_fails),
    SCENARIO(jobs_and_file_operations_stand_in_one_line),
    SCENARIO(a_job_queued_by_a_callback_ends_in_a_later_iteration),
    SCENARIO(jobs_that_are_done_come_before_asyncs),
    SCENARIO(a_descriptor_that_is_ready_before_a_job_is_done),
    SCENARIO(a_queued_job_keeps_the_loop_alive),
    SCENARIO(a_cancelled_job_keeps_the_loop_alive_until_it_is_told),
    SCENARIO(a_job_that_is_done_is_told_to_the_loop_that_queued_it),
    SCENARIO(a_loop_goes_away_with_jobs_queued),
    {NULL, NULL},
};
