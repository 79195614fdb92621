/* intake: what a store's answers become on the wire. The store is a double of a few lines: it says what the
 * test wants, when the test wants it; all else (HTTP, form, event, pprof, builder) is the real thing over a
 * real socket. */
#include "vigil/intake/intake.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pprof/write.h"
#include "test_cmocka.h"

struct vg_store {
    enum vg_err put_err;  /* what put answers at once */
    enum vg_err done_err; /* what done is told later */
    enum vg_put_result result;
    atomic_bool holds_back; /* done waits for the test */
    atomic_int puts;
    vg_store_done *done;
    void *ctx;
    pthread_t writer;
    char service[64];
};

static void *write_it(void *arg)
{
    struct vg_store *store = arg;
    while (atomic_load(&store->holds_back))
        poll(NULL, 0, 5);
    store->done(store->ctx, store->done_err, store->result);
    return NULL;
}

enum vg_err vg_store_put(struct vg_store *store, struct vg_profile *profile, vg_store_done *done, void *ctx)
{
    struct vg_slice service = vg_profile_tag(profile, "service");
    snprintf(store->service, sizeof store->service, "%.*s", (int)service.len, service.data);
    vg_profile_free(profile);
    if (!store->put_err) {
        store->done = done;
        store->ctx = ctx;
        assert_int_equal(pthread_create(&store->writer, NULL, write_it, store), 0);
    }
    atomic_fetch_add(&store->puts, 1);
    return store->put_err;
}

static struct {
    struct vg_store store;
    struct vg_intake *intake;
    struct vg_http_server *http;
    struct vg_http_route routes[64];
} fixture;

static int set_up_with(size_t memory_bytes)
{
    const char *listen_on = "127.0.0.1:0";
    char why[256];
    memset(&fixture, 0, sizeof fixture);
    struct vg_intake_config intake = {
        .store = &fixture.store, .version = "1.2.3", .git_commit = "abc", .memory_bytes = memory_bytes};
    assert_int_equal(vg_intake_new(&intake, &fixture.intake), VG_OK);
    struct vg_http_config http = {.listen = &listen_on,
                                  .n_listen = 1,
                                  .routes = fixture.routes,
                                  .n_routes = vg_intake_routes(fixture.intake, fixture.routes, 64),
                                  .server_name = "vigil/test"};
    assert_true(http.n_routes <= 64);
    assert_int_equal(vg_http_start(&http, &fixture.http, why), VG_OK);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with(0);
}

static int tear_down(void **state)
{
    (void)state;
    vg_http_stop(fixture.http, 1000000000);
    if (fixture.store.writer)
        pthread_join(fixture.store.writer, NULL);
    vg_intake_free(fixture.intake);
    return 0;
}

static void add_part(struct vg_buf *body, const char *name, struct vg_slice data)
{
    vg_buf_printf(body, "--X\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n\r\n", name,
                  name);
    vg_buf_slice(body, data);
    vg_buf_text(body, "\r\n");
}

/* A good upload: a whole request. */
static void make_request(struct vg_buf *request, size_t padding)
{
    static const char event[] = "{\"tags_profiler\":\"service:web\",\"start\":\"2026-11-25T03:00:00Z\","
                                "\"end\":\"2026-11-25T03:01:00Z\",\"family\":\"python\"}";
    struct vg_pprof_writer w;
    struct vg_buf body;
    uint64_t one = 1;
    vg_pprof_writer_init(&w, (size_t)64 << 20, NULL);
    vg_pprof_value_type(&w, "cpu-time", "nanoseconds");
    vg_pprof_function(&w, 1, vg_pprof_string(&w, VG_SLICE_LIT("f")), 0, 1);
    vg_pprof_location(&w, 1, 1, 1);
    vg_pprof_sample(&w, &one, 1, (int64_t[]){5}, 1, NULL, 0);
    char *filler = calloc(1, padding + 1);
    memset(filler, 'x', padding);
    vg_pprof_string(&w, (struct vg_slice){filler, padding});
    free(filler);
    assert_int_equal(vg_pprof_finish(&w), VG_OK);
    vg_buf_init(&body, (size_t)64 << 20, NULL);
    add_part(&body, "event.json", VG_SLICE_LIT(event));
    add_part(&body, "auto.pprof", vg_buf_as_slice(&w.out));
    vg_buf_text(&body, "--X--\r\n");
    vg_buf_init(request, (size_t)64 << 20, NULL);
    vg_buf_printf(request,
                  "POST /profiling/v1/input HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                  "Content-Type: multipart/form-data; boundary=X\r\nContent-Length: %zu\r\n\r\n",
                  body.len);
    vg_buf_slice(request, vg_buf_as_slice(&body));
    vg_buf_release(&body);
    vg_pprof_writer_release(&w);
}

static int dial(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)vg_http_port(fixture.http, 0)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    return fd;
}

static void send_all(int fd, struct vg_slice bytes)
{
    while (bytes.len) {
        ssize_t n = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        assert_true(n > 0);
        bytes = (struct vg_slice){bytes.data + n, bytes.len - (size_t)n};
    }
}

static void assert_heard(int fd, const char *first, const char *second)
{
    char text[4096];
    size_t len = 0;
    ssize_t n;
    while ((n = recv(fd, text + len, sizeof text - 1 - len, 0)) > 0)
        len += (size_t)n;
    text[len] = 0;
    if (!strstr(text, first) || !strstr(text, second))
        print_error("answer: %s\n", text);
    assert_non_null(strstr(text, first));
    assert_non_null(strstr(text, second));
    close(fd);
}

static void assert_upload(size_t padding, const char *first, const char *second)
{
    struct vg_buf request;
    int fd = dial();
    make_request(&request, padding);
    send_all(fd, vg_buf_as_slice(&request));
    vg_buf_release(&request);
    assert_heard(fd, first, second);
}

static void assert_counts(uint64_t stored, uint64_t duplicates, uint64_t refused)
{
    struct vg_intake_counts counts;
    vg_intake_get_counts(fixture.intake, &counts);
    assert_int_equal(counts.stored, stored);
    assert_int_equal(counts.duplicates, duplicates);
    assert_int_equal(counts.refused, refused);
}

static void stored_is_200(void **state)
{
    (void)state;
    assert_upload(0, "HTTP/1.1 200 ", "{\"status\":\"stored\"}");
    assert_string_equal(fixture.store.service, "web");
    assert_counts(1, 0, 0);
}

static void a_duplicate_is_200_too(void **state)
{
    (void)state;
    fixture.store.result = VG_PUT_DUPLICATE;
    assert_upload(0, "HTTP/1.1 200 ", "{\"status\":\"duplicate\"}");
    assert_counts(0, 1, 0);
}

static void a_full_queue_is_429(void **state)
{
    (void)state;
    fixture.store.put_err = VG_ERR_FULL;
    assert_upload(0, "HTTP/1.1 429 ", "Retry-After: ");
    assert_upload(0, "HTTP/1.1 429 ", "Datadog-Agent-Version: 1.2.3");
    assert_counts(0, 0, 2);
}

static void what_the_writer_says_later_decides(void **state)
{
    static const struct {
        enum vg_err err;
        const char *status, *code;
    } cases[] = {{VG_ERR_FULL, "HTTP/1.1 507 ", "disk_full"},
                 {VG_ERR_LIMIT, "HTTP/1.1 413 ", "too_large"},
                 {VG_ERR_IO, "HTTP/1.1 500 ", "store_failed"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture.store.done_err = cases[i].err;
        assert_upload(0, cases[i].status, cases[i].code);
        pthread_join(fixture.store.writer, NULL);
        fixture.store.writer = 0;
    }
}

static void nothing_is_said_before_the_store_is_done(void **state)
{
    struct vg_buf request;
    (void)state;
    atomic_store(&fixture.store.holds_back, true);
    int fd = dial();
    struct pollfd ready = {fd, POLLIN, 0};
    make_request(&request, 0);
    send_all(fd, vg_buf_as_slice(&request));
    vg_buf_release(&request);
    while (atomic_load(&fixture.store.puts) == 0)
        poll(NULL, 0, 5);
    assert_int_equal(poll(&ready, 1, 300), 0);
    /* Its connection holds up no other. */
    int other = dial();
    send_all(other, VG_SLICE_LIT("GET /info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    assert_heard(other, "HTTP/1.1 200 ", "/profiling/v1/input");
    atomic_store(&fixture.store.holds_back, false);
    assert_heard(fd, "HTTP/1.1 200 ", "stored");
}

static void a_client_that_left_does_no_harm(void **state)
{
    struct vg_buf request;
    struct linger reset = {1, 0};
    (void)state;
    atomic_store(&fixture.store.holds_back, true);
    int fd = dial();
    make_request(&request, 0);
    send_all(fd, vg_buf_as_slice(&request));
    vg_buf_release(&request);
    while (atomic_load(&fixture.store.puts) == 0)
        poll(NULL, 0, 5);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    atomic_store(&fixture.store.holds_back, false);
    pthread_join(fixture.store.writer, NULL);
    fixture.store.writer = 0;
    assert_counts(1, 0, 0);
}

static void memory_is_bounded_over_all_uploads(void **state)
{
    (void)state;
    tear_down(NULL);
    set_up_with(100000);
    assert_upload(1000, "HTTP/1.1 200 ", "stored");
    pthread_join(fixture.store.writer, NULL);
    fixture.store.writer = 0;
    assert_upload(200000, "HTTP/1.1 429 ", "too many uploads at once");
    assert_upload(1000, "HTTP/1.1 200 ", "stored"); /* what the refused one had is free again */
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(stored_is_200),
        WITH_SERVER(a_duplicate_is_200_too),
        WITH_SERVER(a_full_queue_is_429),
        WITH_SERVER(what_the_writer_says_later_decides),
        WITH_SERVER(nothing_is_said_before_the_store_is_done),
        WITH_SERVER(a_client_that_left_does_no_harm),
        WITH_SERVER(memory_is_bounded_over_all_uploads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
