/* http: a real server on an ephemeral port, spoken to over raw sockets. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "test_cmocka.h"
#include "vigil/http/http.h"
#include "vigil/http/listen.h"
#include "vigil/http/target.h"

#define LIMIT 1000 /* of an upload's body */

/* What the handlers saw. */
static struct {
    atomic_int begun, abandoned, ended, done;
    atomic_size_t bytes;
    _Atomic(struct vg_http_exchange *) held; /* suspended, to be answered by the test */
    atomic_uint last_status;
} seen;

static void quick(void *ctx, struct vg_http_exchange *x)
{
    (void)ctx;
    vg_http_reply_static(x, 200, "text/plain", VG_SLICE_LIT("quick"));
}

static void echo(void *ctx, struct vg_http_exchange *x)
{
    (void)ctx;
    struct vg_buf out;
    const char *q = vg_http_query(x, "q");
    struct vg_slice param = vg_http_path_param(x);
    vg_buf_init(&out, 4096, NULL);
    vg_buf_printf(&out, "%s|%.*s|%s", vg_http_path(x), (int)param.len, param.data, q ? q : "-");
    vg_http_reply(x, 200, "text/plain", &out);
}

static void hold(void *ctx, struct vg_http_exchange *x)
{
    (void)ctx;
    vg_http_suspend(x);
    atomic_store(&seen.held, x);
}

static void *begin(void *ctx, struct vg_http_exchange *x)
{
    (void)ctx;
    if (vg_http_query(x, "refuse")) {
        vg_http_fail(x, 400, "refused", "do not ask", "refused by begin");
        return NULL;
    }
    atomic_fetch_add(&seen.begun, 1);
    return malloc(1);
}

static void chunk(void *upload, struct vg_http_exchange *x, struct vg_slice bytes)
{
    (void)upload;
    atomic_fetch_add(&seen.bytes, bytes.len);
    if (memchr(bytes.data, '!', bytes.len))
        vg_http_fail(x, 400, "bad_byte", NULL, "a ! was sent");
}

static void end(void *upload, struct vg_http_exchange *x)
{
    (void)upload;
    atomic_fetch_add(&seen.ended, 1);
    if (vg_http_query(x, "hold"))
        hold(NULL, x);
    else
        vg_http_reply_static(x, 200, "text/plain", VG_SLICE_LIT("uploaded"));
}

static void abandon(void *upload)
{
    free(upload);
    atomic_fetch_add(&seen.abandoned, 1);
}

static void on_done(void *ctx, const struct vg_http_done *done)
{
    (void)ctx;
    atomic_store(&seen.last_status, done->status);
    atomic_fetch_add(&seen.done, 1);
}

static const struct vg_http_route routes[] = {
    {.method = "GET", .path = "/quick", .handle = quick, .is_quick = true},
    {.method = "GET", .path = "/items/{id}/x", .handle = echo},
    {.method = "GET", .path = "/hold", .handle = hold},
    {.method = "POST",
     .path = "/up",
     .begin = begin,
     .chunk = chunk,
     .end = end,
     .abandon = abandon,
     .max_body_bytes = LIMIT},
    {.method = "PUT", .path = "/up", .handle = quick},
    {.method = "POST", .path = "/rest/*", .handle = echo},
};

struct fixture {
    struct vg_http_server *server;
    char unix_path[64], unix_address[80];
};

static struct fixture fixture;

static int set_up(void **state)
{
    char why[256] = "";
    (void)state;
    memset(&seen, 0, sizeof seen);
    snprintf(fixture.unix_path, sizeof fixture.unix_path, "/tmp/vigil-http-test-%d.sock", (int)getpid());
    snprintf(fixture.unix_address, sizeof fixture.unix_address, "unix:%s", fixture.unix_path);
    const char *listen_on[] = {"127.0.0.1:0", fixture.unix_address};
    struct vg_http_config config = {.listen = listen_on,
                                    .n_listen = 2,
                                    .routes = routes,
                                    .n_routes = sizeof routes / sizeof routes[0],
                                    .server_name = "vigil/test",
                                    .on_done = on_done,
                                    .header_ns = VG_NS_PER_S,
                                    .stall_ns = VG_NS_PER_S,
                                    .upload_ns = 3 * VG_NS_PER_S};
    assert_int_equal(vg_http_start(&config, &fixture.server, why), VG_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    vg_http_stop(fixture.server, VG_NS_PER_S);
    fixture.server = NULL;
    assert_int_equal(seen.begun, seen.abandoned);
    return 0;
}

static int dial(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)vg_http_port(fixture.server, 0)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until `until` was seen (NULL: until the end), at most 10 s. Freed by the caller. */
static char *hear(int fd, const char *until)
{
    size_t len = 0, cap = 1 << 16;
    char *text = calloc(1, cap);
    struct pollfd ready = {fd, POLLIN, 0};
    while (len < cap - 1 && poll(&ready, 1, 10000) == 1) {
        ssize_t n = recv(fd, text + len, cap - 1 - len, 0);
        if (n <= 0)
            break;
        len += (size_t)n;
        text[len] = 0;
        if (until && strstr(text, until))
            break;
    }
    return text;
}

static void assert_answer(int fd, const char *request, const char *until, const char *first,
                          const char *second)
{
    say(fd, request);
    char *text = hear(fd, until);
    if (!strstr(text, first) || !strstr(text, second))
        print_error("answer: %s\n", text);
    assert_non_null(strstr(text, first));
    assert_non_null(strstr(text, second));
    free(text);
}

static bool is_true_soon(bool (*condition)(void))
{
    for (int i = 0; i < 1000 && !condition(); i++)
        poll(NULL, 0, 10);
    return condition();
}

static void answers_and_keeps_the_connection(void **state)
{
    (void)state;
    int fd = dial();
    for (int i = 0; i < 3; i++)
        assert_answer(fd, "GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n", "quick", "HTTP/1.1 200 OK",
                      "Server: vigil/test");
    assert_answer(fd, "GET /items/a%20b/x?q=c%2bd+e HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n", "/x|", "200 OK",
                  "/items/a b/x|a b|c+d e");
    assert_answer(fd, "POST /rest/of/it HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 3\r\n\r\nabc", "|-",
                  "200 OK", "/rest/of/it|of/it|-");
    close(fd);
}

static void head_has_headers_only(void **state)
{
    (void)state;
    int fd = dial();
    say(fd, "HEAD /quick HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    char *text = hear(fd, NULL);
    assert_non_null(strstr(text, "Content-Length: 5\r\n"));
    assert_string_equal(text + strlen(text) - 4, "\r\n\r\n");
    free(text);
    close(fd);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    int fd = dial();
    say(fd, "GET /items/1/x HTTP/1.1\r\nHost: localhost\r\n\r\nGET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n"
            "POST /up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi"
            "GET /items/2/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    char *text = hear(fd, NULL);
    char *at = text;
    const char *const order[] = {"/items/1/x|", "quick", "uploaded", "/items/2/x|"};
    for (size_t i = 0; i < 4; i++) {
        at = strstr(at, order[i]);
        assert_non_null(at);
    }
    free(text);
    close(fd);
}

static void refusals_name_themselves(void **state)
{
    static const char *const cases[][3] = {
        {"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found", "\"code\":\"not_found\""},
        {"DELETE /up HTTP/1.1\r\nHost: localhost\r\n\r\n", "405 Method Not Allowed", "Allow: POST, PUT\r\n"},
        {"POST /quick HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", "405 ",
         "Allow: GET, HEAD\r\n"},
        {"GET /quick HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421 ", "\"code\":\"foreign_host\""},
        {"GET /quick HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", "421 ", "foreign_host"},
        {"GET /quick HTTP/1.1\r\nHost: 10.0.0.1:8126\r\n\r\n", "421 ", "foreign_host"},
        {"PUT /up HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n\r\n", "403 ",
         "foreign_origin"},
        {"GET /quick%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", "400 ", "bad_target"},
        {"GET /items/a%00/x HTTP/1.1\r\nHost: localhost\r\n\r\n", "400 ", "bad_target"},
        {"POST /up?refuse=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nabcd", "400 ",
         "\"hint\":\"do not ask\""},
        {"POST /up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nab!d", "400 ", "bad_byte"},
        {"POST /up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n", "413 ", "too_large"},
        {"PUT /up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000\r\n\r\nx", "413 ", "too_large"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = dial();
        assert_answer(fd, cases[i][0], "}}\n", cases[i][1], cases[i][2]);
        close(fd);
    }
}

static void a_body_that_follows_a_refusal_is_read_away(void **state)
{
    static const char *const heads[] = {
        "POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n",
        "POST /up HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 100000\r\n\r\n",
        "POST /up?refuse=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n",
    };
    char *body = malloc(100001);
    (void)state;
    memset(body, 'b', 100000);
    body[100000] = 0;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        int fd = dial();
        assert_answer(fd, heads[i], "}}\n", "HTTP/1.1 4", "Connection: close");
        say(fd, body);
        char *rest = hear(fd, NULL);
        assert_string_equal(rest, "");
        free(rest);
        close(fd);
    }
    free(body);
}

static void too_much_is_refused_in_the_middle_and_the_answer_arrives(void **state)
{
    (void)state;
    enum { CHUNKS = 4000, CHUNK = 1024 };
    char block[CHUNK + 16];
    int n = snprintf(block, sizeof block, "%x\r\n", CHUNK);
    memset(block + n, 'a', CHUNK);
    memcpy(block + n + CHUNK, "\r\n", 3);
    int fd = dial();
    say(fd, "POST /up HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    /* The client goes on sending, as one that does not listen does; nothing of it may be answered by a reset.
     */
    for (int i = 0; i < CHUNKS; i++)
        say(fd, block);
    assert_answer(fd, "0\r\n\r\n", NULL, "413 ", "Connection: close");
    close(fd);
}

static bool is_abandoned(void)
{
    return atomic_load(&seen.begun) == 1 && atomic_load(&seen.abandoned) == 1;
}

static void a_client_that_leaves_is_abandoned_once(void **state)
{
    (void)state;
    int fd = dial();
    say(fd, "POST /up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nabc");
    close(fd);
    assert_true(is_true_soon(is_abandoned));
    assert_int_equal(seen.ended, 0);
}

static bool is_held(void)
{
    return atomic_load(&seen.held);
}

static void a_client_may_leave_while_it_is_suspended(void **state)
{
    (void)state;
    int fd = dial();
    say(fd, "POST /up?hold=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc");
    assert_true(is_true_soon(is_held));
    struct linger reset = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    vg_http_reply_static(seen.held, 200, "text/plain", VG_SLICE_LIT("late"));
    assert_true(is_true_soon(is_abandoned));
}

static void a_suspended_exchange_is_answered_from_elsewhere(void **state)
{
    (void)state;
    int fd = dial();
    say(fd, "GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_true(is_true_soon(is_held));
    vg_http_header(seen.held, "X-Late", "yes");
    vg_http_fail(seen.held, 429, "overloaded", NULL, "later");
    assert_answer(fd, "", "}}\n", "Retry-After: ", "X-Late: yes");
    assert_answer(fd, "GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n", "quick", "200", "quick");
    close(fd);
}

static void stopping_answers_what_is_suspended(void **state)
{
    (void)state;
    int fd = dial();
    say(fd, "POST /up?hold=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc");
    assert_true(is_true_soon(is_held));
    vg_http_stop(fixture.server, VG_NS_PER_S / 10);
    fixture.server = NULL;
    assert_answer(fd, "", NULL, "503 ", "stopping");
    close(fd);
    assert_true(is_abandoned());
    vg_http_reply_static(seen.held, 200, "text/plain",
                         VG_SLICE_LIT("late")); /* must meet live memory, and free it */
}

static void slow_clients_are_told_and_cut_off(void **state)
{
    (void)state;
    int stalled = dial(), headless = dial(), silent = dial();
    say(stalled, "POST /up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nabc");
    say(headless, "GET /quick HTTP/1.1\r\nHost: local");
    assert_answer(stalled, "", NULL, "408 ", "too_slow");
    assert_answer(headless, "", NULL, "408 ", "too_slow");
    char *text = hear(silent, NULL);
    assert_string_equal(text, "");
    free(text);
    close(stalled);
    close(headless);
    close(silent);
}

static void a_trickle_is_cut_off_too(void **state)
{
    (void)state;
    int fd = dial();
    struct pollfd ready = {fd, POLLIN, 0};
    say(fd, "POST /up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n");
    int sent = 0;
    while (sent < 100 && poll(&ready, 1, 100) == 0)
        sent += send(fd, "a", 1, MSG_NOSIGNAL) == 1;
    assert_in_range(sent, 20, 60); /* 3 s of 10 a second, looked at twice a second */
    assert_answer(fd, "", NULL, "408 ", "too_slow");
    close(fd);
}

static void unix_sockets_take_any_host_and_replace_a_dead_file(void **state)
{
    (void)state;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    memcpy(addr.sun_path, fixture.unix_path, strlen(fixture.unix_path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_answer(fd, "GET /quick HTTP/1.1\r\nHost: whatever\r\n\r\n", "quick", "200 OK", "quick");
    close(fd);

    struct vg_address address;
    char why[256];
    int listening;
    assert_int_equal(vg_address_parse(fixture.unix_address, &address, why), VG_OK);
    assert_int_equal(vg_address_listen(&address, &listening, why), VG_ERR_EXISTS);
    vg_http_stop(fixture.server, 0);
    fixture.server = NULL;
    assert_int_not_equal(access(fixture.unix_path, F_OK), 0);
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&addr, sizeof addr), 0);
    close(dead); /* its file stays */
    assert_int_equal(vg_address_listen(&address, &listening, why), VG_OK);
    close(listening);
    vg_address_unlink(&address);
    FILE *plain = fopen(fixture.unix_path, "w");
    fclose(plain);
    assert_int_equal(vg_address_listen(&address, &listening, why),
                     VG_ERR_EXISTS); /* no socket: not ours to remove */
    remove(fixture.unix_path);
}

static void addresses_beyond_loopback_are_refused(void **state)
{
    static const char *const good[] = {"127.0.0.1:8126", "127.9.9.9:0", "localhost:1",
                                       "[::1]:80",       "unix:/x",     "unix:///x"};
    static const char *const open[] = {"0.0.0.0:8126", "[::]:8126", "10.0.0.1:1", "[::ffff:10.0.0.1]:1",
                                       "[fe80::1]:1"};
    static const char *const bad[] = {
        "",       "8126",  ":8126",          "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
        "::1:80", "[::1]", "example.org:80", "unix:"};
    char why[256];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(vg_http_check_listen(good[i], why), VG_OK);
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        assert_int_equal(vg_http_check_listen(open[i], why), VG_ERR_UNSUPPORTED);
        assert_non_null(strstr(why, "authentication"));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(vg_http_check_listen(bad[i], why), VG_ERR_MALFORMED);
}

static void targets_are_decoded_or_refused(void **state)
{
    static const char *const bad[] = {"/%", "/%1", "/%g0", "/a%2fb", "/%00", "/%0a", "/?a=%00", "/?%"};
    struct vg_target target;
    const char *why;
    char many[1024] = "/?";
    (void)state;
    assert_int_equal(vg_target_init(&target, "/p%C3%A9?a=1&&b&c=x%3Dy=z&a=2", &why), VG_OK);
    assert_string_equal(target.path, "/p\xc3\xa9");
    assert_string_equal(vg_target_param(&target, "a"), "1");
    assert_string_equal(vg_target_param(&target, "b"), "");
    assert_string_equal(vg_target_param(&target, "c"), "x=y=z");
    assert_null(vg_target_param(&target, "d"));
    vg_target_release(&target);
    assert_int_equal(vg_target_init(&target, "http://localhost:1", &why), VG_OK);
    assert_string_equal(target.path, "/");
    vg_target_release(&target);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(vg_target_init(&target, bad[i], &why), VG_ERR_MALFORMED);
        assert_string_equal(target.path, "");
        vg_target_release(&target);
    }
    for (int i = 0; i <= VG_TARGET_MAX_PARAMS; i++)
        strcat(many, "a=b&");
    assert_int_equal(vg_target_init(&target, many, &why), VG_ERR_LIMIT);
    vg_target_release(&target);
}

static void hosts_are_loopback_or_not(void **state)
{
    static const char *const good[] = {"localhost",    "LOCALHOST:1", "localhost.", "127.0.0.1",
                                       "127.1.2.3:99", "[::1]",       "[::1]:8126"};
    static const char *const bad[] = {
        "",      ":80",  "example.org", "localhost:x", "localhost:1:2", "127.0.0.1.evil.org", "1127.0.0.1",
        "[::2]", "[::1", "[::1]x",      "::1"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(vg_host_is_loopback(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(vg_host_is_loopback(bad[i]));
    assert_true(vg_origin_is_loopback("http://localhost:5173"));
    assert_false(vg_origin_is_loopback("null"));
    assert_false(vg_origin_is_loopback("https://localhost.evil.org"));
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_beyond_loopback_are_refused),
        cmocka_unit_test(targets_are_decoded_or_refused),
        cmocka_unit_test(hosts_are_loopback_or_not),
        WITH_SERVER(answers_and_keeps_the_connection),
        WITH_SERVER(head_has_headers_only),
        WITH_SERVER(pipelined_requests_are_answered_in_order),
        WITH_SERVER(refusals_name_themselves),
        WITH_SERVER(a_body_that_follows_a_refusal_is_read_away),
        WITH_SERVER(too_much_is_refused_in_the_middle_and_the_answer_arrives),
        WITH_SERVER(a_client_that_leaves_is_abandoned_once),
        WITH_SERVER(a_client_may_leave_while_it_is_suspended),
        WITH_SERVER(a_suspended_exchange_is_answered_from_elsewhere),
        WITH_SERVER(stopping_answers_what_is_suspended),
        WITH_SERVER(slow_clients_are_told_and_cut_off),
        WITH_SERVER(a_trickle_is_cut_off_too),
        WITH_SERVER(unix_sockets_take_any_host_and_replace_a_dead_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
