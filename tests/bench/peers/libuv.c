/*
 * The workloads on the system's libuv.
 *
 * One loop, the default one. What fails ends the program: there is nothing to measure then.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

enum { BUFFER = 64 * 1024, BACKLOG = 4096, BATCH = 1000, FILES = 1000, FILE_LEN = 1024 };
enum { UNSUPPORTED = 3 };

static uv_loop_t *loop;
static int argument_count;
static char **arguments;

static void check(int status) {
    if (status < 0) {
        fprintf(stderr, "%s\n", uv_strerror(status));
        exit(EXIT_FAILURE);
    }
}

static void check_done(uint64_t done, uint64_t wanted) {
    if (done != wanted) {
        fprintf(stderr, "%" PRIu64 " were done, %" PRIu64 " were asked for\n", done, wanted);
        exit(EXIT_FAILURE);
    }
}

static void *allocate(size_t size) {
    void *memory = malloc(size);
    if (memory == NULL) check(UV_ENOMEM);
    return memory;
}

static const char *argument(const char *name) {
    for (int i = 2; i + 1 < argument_count; i++)
        if (strcmp(arguments[i], name) == 0) return arguments[i + 1];
    fprintf(stderr, "%s is missing\n", name);
    exit(EXIT_FAILURE);
}

static uint64_t number(const char *name) { return strtoull(argument(name), NULL, 10); }

/* One that was asked for more loops than one would pass for a slow one. */
static void refuse_loops(void) {
    for (int i = 2; i + 1 < argument_count; i++)
        if (strcmp(arguments[i], "--loops") == 0 && strcmp(arguments[i + 1], "1") != 0) {
            fprintf(stderr, "--loops %s: not supported\n", arguments[i + 1]);
            exit(UNSUPPORTED);
        }
}

static void each(const char *name, uint64_t start, uint64_t count, const char *unit) {
    printf("%s %.3f ns/%s\n", name, (double)(uv_hrtime() - start) / count, unit);
}

static void rate(const char *name, uint64_t start, uint64_t count, const char *unit) {
    if (count > 0) printf("%s %.3f %s/s\n", name, count * 1e9 / (uv_hrtime() - start), unit);
}

static int compare(const void *one, const void *other) {
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

static void percentiles(const char *name, uint64_t *samples, size_t count) {
    if (count == 0) return;
    qsort(samples, count, sizeof *samples, compare);
    printf("%s_p50 %.3f us\n", name, samples[count / 2] / 1e3);
    printf("%s_p99 %.3f us\n", name, samples[count * 99 / 100] / 1e3);
}

/* The same delays for every contender: xorshift64, as in src/delays.rs. */
static uint64_t delay(uint64_t first_ms, uint64_t last_ms) {
    static uint64_t state = 0x9e3779b97f4a7c15;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return first_ms + (state >> 32) % (last_ms - first_ms + 1);
}

static void run(void) { uv_run(loop, UV_RUN_DEFAULT); }

/* Servers: one buffer for all reads, since nobody keeps it beyond the callback. */

struct connection {
    uv_tcp_t tcp;
    uint64_t total;
};

static char shared_buffer[BUFFER];

static void lend_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    (void)handle, (void)suggested;
    *buffer = uv_buf_init(shared_buffer, sizeof shared_buffer);
}

static void free_handle(uv_handle_t *handle) { free(handle); }

static void end(uv_stream_t *stream) { uv_close((uv_handle_t *)stream, free_handle); }

static void on_echo(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer);

static void on_rest_written(uv_write_t *request, int status) {
    uv_stream_t *stream = request->handle;
    free(request);
    if (status == UV_ECANCELED) return;
    if (status < 0 || uv_read_start(stream, lend_buffer, on_echo) < 0) end(stream);
}

/* Writes what the system did not take; until then nothing more is read. */
static void write_later(uv_stream_t *stream, const char *bytes, size_t len) {
    uv_write_t *request = allocate(sizeof *request + len);
    uv_buf_t copy = uv_buf_init((char *)(request + 1), len);
    memcpy(copy.base, bytes, len);
    uv_read_stop(stream);
    if (uv_write(request, stream, &copy, 1, on_rest_written) < 0) {
        free(request);
        end(stream);
    }
}

static void on_echo(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer) {
    if (len < 0) {
        end(stream);
        return;
    }
    if (len == 0) return;
    uv_buf_t bytes = uv_buf_init(buffer->base, len);
    int written = uv_try_write(stream, &bytes, 1);
    if (written == UV_EAGAIN) written = 0;
    if (written < 0)
        end(stream);
    else if (written < len)
        write_later(stream, buffer->base + written, len - written);
}

static void on_total_written(uv_write_t *request, int status) {
    if (status != UV_ECANCELED) end(request->handle);
    free(request);
}

static void on_sink(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer) {
    struct connection *connection = (struct connection *)stream;
    (void)buffer;
    if (len > 0) {
        connection->total += len;
    } else if (len == UV_EOF) {
        uv_buf_t total = uv_buf_init((char *)&connection->total, sizeof connection->total);
        check(uv_write(allocate(sizeof(uv_write_t)), stream, &total, 1, on_total_written));
    } else if (len < 0) {
        end(stream);
    }
}

static void on_connection(uv_stream_t *server, int status) {
    check(status);
    struct connection *connection = allocate(sizeof *connection);
    uv_read_cb on_read = (uv_read_cb)server->data;
    connection->total = 0;
    check(uv_tcp_init(loop, &connection->tcp));
    check(uv_accept(server, (uv_stream_t *)connection));
    check(uv_tcp_nodelay(&connection->tcp, 1));
    if (on_read == NULL)
        end((uv_stream_t *)connection);
    else
        check(uv_read_start((uv_stream_t *)connection, lend_buffer, on_read));
}

static void listen_at(uv_tcp_t *server, int port, uv_connection_cb on_connection) {
    struct sockaddr_in address;
    check(uv_ip4_addr("127.0.0.1", port, &address));
    check(uv_tcp_init(loop, server));
    check(uv_tcp_bind(server, (struct sockaddr *)&address, 0));
    check(uv_listen((uv_stream_t *)server, BACKLOG, on_connection));
}

static void ready(void) {
    puts("ready");
    fflush(stdout);
    run();
}

/* Gives what is read on each connection to `on_read`; closes it at once where there is none. */
static void serve(uv_read_cb on_read) {
    uv_tcp_t server;
    server.data = (void *)on_read;
    listen_at(&server, number("--port"), on_connection);
    ready();
}

static void echo(void) { serve(on_echo); }
static void sink(void) { serve(on_sink); }
static void accept_and_close(void) { serve(NULL); }

static void on_sent(uv_udp_send_t *request, int status) {
    (void)status;
    free(request);
}

static void on_datagram(uv_udp_t *socket, ssize_t len, const uv_buf_t *buffer,
                        const struct sockaddr *sender, unsigned flags) {
    (void)flags;
    if (len < 0 || sender == NULL) return;
    uv_buf_t bytes = uv_buf_init(buffer->base, len);
    if (uv_udp_try_send(socket, &bytes, 1, sender) != UV_EAGAIN) return;
    uv_udp_send_t *request = allocate(sizeof *request + len);
    bytes.base = memcpy(request + 1, buffer->base, len);
    if (uv_udp_send(request, socket, &bytes, 1, sender, on_sent) < 0) free(request);
}

static void udp(void) {
    uv_udp_t socket;
    struct sockaddr_in address;
    check(uv_ip4_addr("127.0.0.1", number("--port"), &address));
    check(uv_udp_init(loop, &socket));
    check(uv_udp_bind(&socket, (struct sockaddr *)&address, 0));
    check(uv_udp_recv_start(&socket, lend_buffer, on_datagram));
    ready();
}

/* Timers. */

static uint64_t fired;

static void on_timer(uv_timer_t *timer) {
    (void)timer;
    fired++;
}

static uv_timer_t *new_timers(uint64_t count) {
    uv_timer_t *timers = allocate(count * sizeof *timers);
    for (uint64_t i = 0; i < count; i++) check(uv_timer_init(loop, &timers[i]));
    return timers;
}

static void timers_fire(void) {
    uint64_t count = number("--n");
    uint64_t start = uv_hrtime();
    uv_timer_t *timers = new_timers(count);
    for (uint64_t i = 0; i < count; i++)
        check(uv_timer_start(&timers[i], on_timer, delay(1, 1000), 0));
    each("timers_insert", start, count, "timer");

    uv_sleep(1100);
    start = uv_hrtime();
    run();
    each("timers_fire", start, count, "timer");
    check_done(fired, count);
}

static void timers_churn(void) {
    uint64_t count = number("--n"), live = number("--live");
    uv_timer_t *timers = new_timers(live);
    for (uint64_t i = 0; i < live; i++)
        check(uv_timer_start(&timers[i], on_timer, delay(1000, 61000), 0));
    uint64_t start = uv_hrtime();
    for (uint64_t i = 0; i < count; i++) {
        uv_timer_t *oldest = &timers[i % live];
        uv_timer_stop(oldest);
        check(uv_timer_start(oldest, on_timer, delay(1000, 61000), 0));
    }
    each("timers_churn", start, count, "insert+cancel");
}

static void timers_rearm(void) {
    uint64_t count = number("--n"), live = number("--live");
    uv_timer_t *timers = new_timers(live);
    for (uint64_t i = 0; i < live; i++) check(uv_timer_start(&timers[i], on_timer, 30000, 30000));
    uint64_t start = uv_hrtime();
    for (uint64_t i = 0; i < count; i++) check(uv_timer_again(&timers[i % live]));
    each("timers_rearm", start, count, "rearm");
}

/* The loop itself. An immediate is a check handle, with an idle handle that keeps the poll from waiting. */

static uint64_t checks_left;
static uv_idle_t idle;

static void on_idle(uv_idle_t *handle) { (void)handle; }

static void on_check(uv_check_t *handle) {
    if (--checks_left > 0) return;
    uv_check_stop(handle);
    uv_idle_stop(&idle);
}

static void ticks(void) {
    uint64_t count = number("--n");
    uv_check_t immediate;
    checks_left = count;
    check(uv_check_init(loop, &immediate));
    check(uv_check_start(&immediate, on_check));
    check(uv_idle_init(loop, &idle));
    check(uv_idle_start(&idle, on_idle));
    uint64_t start = uv_hrtime();
    run();
    each("immediate_chain", start, count, "iteration");
    check_done(checks_left, 0);
}

static void empty_iterations(void) {
    uint64_t count = number("--n"), done = 0;
    uv_tcp_t listener;
    listen_at(&listener, 0, on_connection);
    uint64_t start = uv_hrtime();
    for (uint64_t i = 0; i < count; i++) done += uv_run(loop, UV_RUN_NOWAIT) != 0;
    each("loop_nowait", start, count, "iteration");
    check_done(done, count);
}

static uint64_t started_at, first_at;

static void on_first(uv_idle_t *handle) {
    first_at = uv_hrtime();
    uv_close((uv_handle_t *)handle, NULL);
}

static void start_up(void) {
    uint64_t count = number("--n"), *samples = allocate(count * sizeof *samples);
    for (uint64_t i = 0; i < count; i++) {
        uv_loop_t fresh;
        uv_idle_t first;
        started_at = uv_hrtime();
        check(uv_loop_init(&fresh));
        check(uv_idle_init(&fresh, &first));
        check(uv_idle_start(&first, on_first));
        uv_run(&fresh, UV_RUN_DEFAULT);
        samples[i] = first_at - started_at;
        check(uv_loop_close(&fresh));
    }
    printf("start_first %.3f us\n", samples[0] / 1e3);
    percentiles("start", samples, count);
}

/* Handles that have nothing to do: each is made, started, and where that does something stopped. */

union idle_handle {
    uv_handle_t handle;
    uv_timer_t timer;
    uv_idle_t idle;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_udp_t udp;
    uv_tcp_t tcp;
};

static void nothing_timed(uv_timer_t *handle) { (void)handle; }
static void nothing_idle(uv_idle_t *handle) { (void)handle; }
static void nothing_prepared(uv_prepare_t *handle) { (void)handle; }
static void nothing_checked(uv_check_t *handle) { (void)handle; }

static void make_timer(union idle_handle *it, uint64_t i) {
    (void)i;
    check(uv_timer_init(loop, &it->timer));
    check(uv_timer_start(&it->timer, nothing_timed, 3600 * 1000, 0));
    uv_timer_stop(&it->timer);
}

static void make_watcher(union idle_handle *it, uint64_t i) {
    switch (i % 3) {
    case 0:
        check(uv_idle_init(loop, &it->idle));
        check(uv_idle_start(&it->idle, nothing_idle));
        uv_idle_stop(&it->idle);
        break;
    case 1:
        check(uv_prepare_init(loop, &it->prepare));
        check(uv_prepare_start(&it->prepare, nothing_prepared));
        uv_prepare_stop(&it->prepare);
        break;
    default:
        check(uv_check_init(loop, &it->check));
        check(uv_check_start(&it->check, nothing_checked));
        uv_check_stop(&it->check);
    }
}

static void make_udp(union idle_handle *it, uint64_t i) {
    struct sockaddr_in address;
    (void)i;
    check(uv_ip4_addr("127.0.0.1", 0, &address));
    check(uv_udp_init(loop, &it->udp));
    check(uv_udp_bind(&it->udp, (struct sockaddr *)&address, 0));
    check(uv_udp_recv_start(&it->udp, lend_buffer, on_datagram));
}

static void make_tcp(union idle_handle *it, uint64_t i) {
    (void)i;
    listen_at(&it->tcp, 0, on_connection);
}

static void beside(const char *name, uint64_t idle, void (*make)(union idle_handle *, uint64_t)) {
    uint64_t count = number("--n");
    union idle_handle *handles = allocate((idle + 1) * sizeof *handles);
    for (uint64_t i = 0; i < idle; i++) make(&handles[i], i);
    uv_run(loop, UV_RUN_NOWAIT); /* sockets are registered */
    uint64_t start = uv_hrtime();
    for (uint64_t i = 0; i < count; i++) uv_run(loop, UV_RUN_NOWAIT);
    each(name, start, count, "iteration");
    for (uint64_t i = 0; i < idle; i++) uv_close(&handles[i].handle, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    free(handles);
}

static void many(void) {
    uint64_t idle = number("--idle"), sockets = number("--sockets");
    uv_tcp_t listener; /* so that there is something to wait for */
    listen_at(&listener, 0, on_connection);
    beside("many_none", 0, make_timer);
    beside("many_timers", idle, make_timer);
    beside("many_watchers", idle, make_watcher);
    beside("many_udp", sockets, make_udp);
    beside("many_tcp", sockets, make_tcp);
}

/* Flights: `count` operations, some at a time; who lands starts the next. */

struct flight {
    uint64_t count, started, landed;
    void (*start)(struct flight *flight, uint64_t number);
};

static void start_next(struct flight *flight) {
    if (flight->started < flight->count) flight->start(flight, flight->started++);
}

static void land(struct flight *flight) {
    flight->landed++;
    start_next(flight);
}

static void fly(void (*start)(struct flight *, uint64_t), uint64_t count, uint64_t width) {
    struct flight flight = {.count = count, .start = start};
    for (uint64_t i = 0; i < width; i++) start_next(&flight);
    run();
    check_done(flight.landed, count);
}

static void no_job(uv_work_t *request) { (void)request; }

static void on_job_done(uv_work_t *request, int status) {
    struct flight *flight = request->data;
    check(status);
    free(request);
    land(flight);
}

static void start_job(struct flight *flight, uint64_t number) {
    (void)number;
    uv_work_t *request = allocate(sizeof *request);
    request->data = flight;
    check(uv_queue_work(loop, request, no_job, on_job_done));
}

static uint64_t turns;

/* As in src/spin.rs. */
static void spin(uv_work_t *request) {
    volatile uint64_t seed = 0x9e3779b97f4a7c15;
    uint64_t state = seed;
    (void)request;
    for (uint64_t i = 0; i < turns; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    seed = state;
}

static void start_spinning(struct flight *flight, uint64_t number) {
    (void)number;
    uv_work_t *request = allocate(sizeof *request);
    request->data = flight;
    check(uv_queue_work(loop, request, spin, on_job_done));
}

static void pool_spin(void) {
    uint64_t count = number("--n"), width = number("--inflight");
    turns = number("--turns");
    fly(start_job, count < 1000 ? count : 1000, width); /* the threads start */
    uint64_t start = uv_hrtime();
    fly(start_spinning, count, width);
    rate("pool_spin", start, count, "ops");
}

static void pool(void) {
    uint64_t count = number("--n"), width = number("--inflight"), samples = number("--lat");
    fly(start_job, count < 1000 ? count : 1000, width); /* the threads start */
    uint64_t start = uv_hrtime();
    fly(start_job, count, width);
    rate("pool_throughput", start, count, "ops");

    uint64_t *latencies = allocate(samples * sizeof *latencies);
    for (uint64_t i = 0; i < samples; i++) {
        start = uv_hrtime();
        fly(start_job, 1, 1);
        latencies[i] = uv_hrtime() - start;
    }
    percentiles("pool_rtt", latencies, samples);
}

static const char *path(uint64_t number) {
    static char paths[FILES][4096];
    char *path = paths[number % FILES];
    if (path[0] == 0)
        snprintf(path, sizeof paths[0], "%s/f%" PRIu64, argument("--dir"), number % FILES);
    return path;
}

/* A file that is read: three requests, one after the other, with the buffer beside. */
struct reading {
    uv_fs_t request;
    struct flight *flight;
    uv_file file;
    char bytes[FILE_LEN];
};

static ssize_t result_of(uv_fs_t *request) {
    ssize_t result = request->result;
    check(result);
    uv_fs_req_cleanup(request);
    return result;
}

static void on_closed(uv_fs_t *request) {
    struct reading *reading = (struct reading *)request;
    struct flight *flight = reading->flight;
    result_of(request);
    free(reading);
    land(flight);
}

static void on_read(uv_fs_t *request) {
    struct reading *reading = (struct reading *)request;
    check_done(result_of(request), FILE_LEN);
    check(uv_fs_close(loop, request, reading->file, on_closed));
}

static void on_opened(uv_fs_t *request) {
    struct reading *reading = (struct reading *)request;
    uv_buf_t buffer = uv_buf_init(reading->bytes, sizeof reading->bytes);
    reading->file = result_of(request);
    check(uv_fs_read(loop, request, reading->file, &buffer, 1, 0, on_read));
}

static void start_reading(struct flight *flight, uint64_t number) {
    struct reading *reading = allocate(sizeof *reading);
    reading->flight = flight;
    check(uv_fs_open(loop, &reading->request, path(number), UV_FS_O_RDONLY, 0, on_opened));
}

static void on_stat(uv_fs_t *request) {
    struct flight *flight = request->data;
    check_done(request->statbuf.st_size, FILE_LEN);
    result_of(request);
    free(request);
    land(flight);
}

static void start_stat(struct flight *flight, uint64_t number) {
    uv_fs_t *request = allocate(sizeof *request);
    request->data = flight;
    check(uv_fs_stat(loop, request, path(number), on_stat));
}

static void measure(const char *name, void (*start_one)(struct flight *, uint64_t), uint64_t width,
                    const char *unit) {
    uint64_t count = number("--n"), start = uv_hrtime();
    fly(start_one, count, width);
    rate(name, start, count, unit);
}

static void files(void) {
    measure("fs_open_read_close_c1", start_reading, 1, "files");
    measure("fs_open_read_close_c64", start_reading, 64, "files");
    measure("fs_stat_c1", start_stat, 1, "ops");
    measure("fs_stat_c64", start_stat, 64, "ops");
}

/* `file`: one kind of work on files. A large file's length is known, its buffer is there. */
enum { LARGE_FILES = 64, LARGE_LEN = 1024 * 1024, BLOCK = 4096 };

struct work {
    uv_fs_t request;
    struct flight *flight;
    uv_file file;
    char *bytes;
};

static const char *large_path(uint64_t number) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/l%" PRIu64, argument("--dir"), number % LARGE_FILES);
    return path;
}

static void on_work_closed(uv_fs_t *request) {
    struct work *work = (struct work *)request;
    struct flight *flight = work->flight;
    result_of(request);
    free(work->bytes);
    free(work);
    land(flight);
}

static void on_large_read(uv_fs_t *request) {
    check_done(result_of(request), LARGE_LEN);
    check(uv_fs_close(loop, request, ((struct work *)request)->file, on_work_closed));
}

static void on_large_opened(uv_fs_t *request) {
    struct work *work = (struct work *)request;
    uv_buf_t buffer = uv_buf_init(work->bytes, LARGE_LEN);
    work->file = result_of(request);
    check(uv_fs_read(loop, request, work->file, &buffer, 1, 0, on_large_read));
}

static void start_large(struct flight *flight, uint64_t number) {
    struct work *work = allocate(sizeof *work);
    work->flight = flight;
    work->bytes = allocate(LARGE_LEN);
    check(uv_fs_open(loop, &work->request, large_path(number), UV_FS_O_RDONLY, 0, on_large_opened));
}

static void on_written(uv_fs_t *request) {
    check_done(result_of(request), FILE_LEN);
    check(uv_fs_close(loop, request, ((struct work *)request)->file, on_work_closed));
}

static void on_cut(uv_fs_t *request) {
    struct work *work = (struct work *)request;
    uv_buf_t buffer = uv_buf_init(work->bytes, FILE_LEN);
    work->file = result_of(request);
    check(uv_fs_write(loop, request, work->file, &buffer, 1, 0, on_written));
}

static void start_writing(struct flight *flight, uint64_t number) {
    struct work *work = allocate(sizeof *work);
    int flags = UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_TRUNC;
    work->flight = flight;
    work->bytes = memset(allocate(FILE_LEN), 'y', FILE_LEN);
    check(uv_fs_open(loop, &work->request, path(number), flags, 0666, on_cut));
}

/* In files that are open, into buffers that are used again. */
static struct work *free_works[LARGE_FILES];
static size_t free_count;

static void on_block(uv_fs_t *request) {
    struct work *work = (struct work *)request;
    check_done(result_of(request), BLOCK);
    free_works[free_count++] = work;
    land(work->flight);
}

static void start_block(struct flight *flight, uint64_t number) {
    struct work *work = free_works[--free_count];
    uv_buf_t buffer = uv_buf_init(work->bytes, BLOCK);
    work->flight = flight;
    check(uv_fs_read(loop, &work->request, work->file, &buffer, 1, number * BLOCK % LARGE_LEN, on_block));
}

static void open_blocks(uint64_t width) {
    uv_fs_t request;
    while (free_count < width) {
        struct work *work = allocate(sizeof *work);
        work->file = uv_fs_open(loop, &request, large_path(free_count), UV_FS_O_RDONLY, 0, NULL);
        check(work->file);
        work->bytes = memset(allocate(BLOCK), 1, BLOCK);
        free_works[free_count++] = work;
    }
}

static double time_on_core(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

static void file_work(void) {
    static const struct {
        const char *name;
        void (*start)(struct flight *, uint64_t);
    } operations[] = {
        {"read", start_reading}, {"stat", start_stat}, {"write", start_writing},
        {"large", start_large}, {"block", start_block},
    };
    uint64_t width = number("--width");
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (strcmp(operations[i].name, argument("--op")) != 0) continue;
        if (operations[i].start == start_block) open_blocks(width);
        double on_core = time_on_core();
        measure("rate", operations[i].start, width, "ops");
        printf("loop_thread %.3f ns/operation\n", (time_on_core() - on_core) / number("--n"));
    }
}

static void on_exit_of_child(uv_process_t *process, int64_t status, int signal) {
    struct flight *flight = process->data;
    check_done(status + signal, 0);
    uv_close((uv_handle_t *)process, free_handle);
    land(flight);
}

static void start_process(struct flight *flight, uint64_t number) {
    (void)number;
    uv_process_t *process = allocate(sizeof *process);
    char *arguments[] = {"/bin/true", NULL}, *environment[] = {NULL};
    uv_process_options_t options = {
        .file = arguments[0], .args = arguments, .env = environment, .exit_cb = on_exit_of_child};
    process->data = flight;
    check(uv_spawn(loop, process, &options));
}

static void processes(void) {
    measure("proc_spawn_c1", start_process, 1, "procs");
    measure("proc_spawn_c8", start_process, 8, "procs");
}

/* Wake-ups from another thread. */

struct wake {
    uv_async_t async;
    uv_sem_t told;
    uint64_t count, taken;
    uint64_t sent_at, *samples;
    uv_mutex_t lock;
    /* Under the lock; swapped with `spare` to take all. */
    uint64_t *queue, queued, *spare;
};

static void on_wake(uv_async_t *async) {
    struct wake *wake = (struct wake *)async;
    wake->samples[wake->taken++] = uv_hrtime() - wake->sent_at;
    if (wake->taken == wake->count) uv_close((uv_handle_t *)async, NULL);
    uv_sem_post(&wake->told);
}

static void wake_often(void *argument) {
    struct wake *wake = argument;
    struct timespec pause = {.tv_nsec = 100 * 1000}; /* long enough for the loop to be asleep again */
    for (uint64_t i = 0; i < wake->count; i++) {
        nanosleep(&pause, NULL);
        wake->sent_at = uv_hrtime();
        uv_async_send(&wake->async);
        uv_sem_wait(&wake->told);
    }
}

static void on_messages(uv_async_t *async) {
    struct wake *wake = (struct wake *)async;
    uv_mutex_lock(&wake->lock);
    uint64_t *messages = wake->queue, count = wake->queued;
    wake->queue = wake->spare;
    wake->queued = 0;
    wake->spare = messages;
    uv_mutex_unlock(&wake->lock);
    for (uint64_t i = 0; i < count; i++) check_done(messages[i], wake->taken++);
    if (wake->taken == wake->count) uv_close((uv_handle_t *)async, NULL);
}

static void send_messages(void *argument) {
    struct wake *wake = argument;
    for (uint64_t i = 0; i < wake->count; i++) {
        uv_mutex_lock(&wake->lock);
        wake->queue[wake->queued++] = i;
        uv_mutex_unlock(&wake->lock);
        uv_async_send(&wake->async);
    }
}

static void run_beside(struct wake *wake, uv_async_cb on_async, uv_thread_cb other) {
    uv_thread_t thread;
    check(uv_async_init(loop, &wake->async, on_async));
    check(uv_thread_create(&thread, other, wake));
    run();
    check(uv_thread_join(&thread));
    check_done(wake->taken, wake->count);
}

static void wake(void) {
    struct wake latency = {.count = number("--n")}, messages = {.count = number("--msgs")};
    latency.samples = allocate(latency.count * sizeof *latency.samples);
    check(uv_sem_init(&latency.told, 0));
    run_beside(&latency, on_wake, wake_often);
    percentiles("wake_latency", latency.samples, latency.count);

    messages.queue = allocate(messages.count * sizeof *messages.queue);
    messages.spare = allocate(messages.count * sizeof *messages.spare);
    check(uv_mutex_init(&messages.lock));
    uint64_t start = uv_hrtime();
    run_beside(&messages, on_messages, send_messages);
    rate("wake_msgs", start, messages.count, "msgs");
}

static const struct {
    const char *name;
    void (*run)(void);
} workloads[] = {
    {"echo", echo},
    {"mem", echo},
    {"sink", sink},
    {"accept", accept_and_close},
    {"udp", udp},
    {"timers-fire", timers_fire},
    {"timers-churn", timers_churn},
    {"timers-rearm", timers_rearm},
    {"ticks", ticks},
    {"loop", empty_iterations},
    {"many", many},
    {"start", start_up},
    {"pool", pool},
    {"pool-spin", pool_spin},
    {"wake", wake},
    {"fs", files},
    {"file", file_work},
    {"proc", processes},
};

int main(int argc, char **argv) {
    argument_count = argc;
    arguments = argv;
    refuse_loops();
    loop = uv_default_loop();
    for (size_t i = 0; argc > 1 && i < sizeof workloads / sizeof *workloads; i++)
        if (strcmp(argv[1], workloads[i].name) == 0) {
            workloads[i].run();
            return EXIT_SUCCESS;
        }
    fprintf(stderr, "%s: not supported\n", argc > 1 ? argv[1] : "nothing");
    return UNSUPPORTED;
}
