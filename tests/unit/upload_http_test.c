/* profiler/upload/http and hostname: one exchange against a real socket, and everything that can go wrong
 * with it. */
#include "profiler/upload/http.h"

#include "base/clock.h"
#include "profiler/upload/hostname.h"

#include "fake_agent.h"
#include "test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define RESOURCE "/profiling/v1/input"

struct call {
    struct vg_url url;
    struct vg_slice body;
    int64_t timeout_ns;
    atomic_bool cancel;
    struct vg_http_reply reply;
    enum vg_err err;
};

static struct call call_to(const char *url)
{
    struct call call = {.body = VG_SLICE_LIT("the body"), .timeout_ns = 5 * VG_NS_PER_S};

    assert_int_equal(vg_url_parse(url, &call.url), VG_OK);
    return call;
}

static void *perform(void *arg)
{
    struct call *call = arg;
    struct vg_http_post post = {.url = &call->url,
                                .resource = RESOURCE,
                                .content_type = "text/x",
                                .body = call->body,
                                .deadline_ns = vg_clock_monotonic_ns(NULL) + call->timeout_ns,
                                .cancel = &call->cancel};

    call->err = vg_http_post(&post, &call->reply);
    return NULL;
}

static struct call exchange(const struct agent_step *step, const char *unix_path)
{
    struct agent agent;

    agent_start(&agent, step, 1, unix_path);
    struct call call = call_to(agent.url);
    perform(&call);
    agent_stop(&agent);
    return call;
}

static void a_request_is_as_the_protocol_says(void **state)
{
    (void)state;
    static const struct agent_step step = {AGENT_ANSWER, AGENT_OK};
    struct agent agent;
    char url[200], expected[600];
    agent_start(&agent, &step, 1, NULL);
    snprintf(url, sizeof(url), "%s/base/", agent.url);
    struct call call = call_to(url);
    perform(&call);
    assert_int_equal(call.err, VG_OK);
    assert_int_equal(call.reply.status, 200);
    snprintf(expected, sizeof(expected),
             "POST /base/profiling/v1/input HTTP/1.1\r\nHost: %s\r\nUser-Agent: vigil-profiler/" VG_VERSION
             "\r\n"
             "DD-EVP-ORIGIN: vigil-profiler\r\nDD-EVP-ORIGIN-VERSION: " VG_VERSION "\r\nConnection: close\r\n"
             "Content-Type: text/x\r\nContent-Length: 8\r\n\r\nthe body",
             agent.url + strlen("http://"));
    assert_int_equal(agent.request.len, strlen(expected));
    assert_memory_equal(agent.request.data, expected, agent.request.len);
    agent_stop(&agent);
}

static void a_unix_socket_works_as_well(void **state)
{
    (void)state;
    static const struct agent_step step = {AGENT_ANSWER, AGENT_OK};
    char dir[] = "/tmp/vigil-test-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/agent.sock", dir);
    struct call call = exchange(&step, path);
    assert_int_equal(call.err, VG_OK);
    assert_int_equal(call.reply.status, 200);
    call = call_to("unix:///tmp/no/such.sock");
    perform(&call);
    assert_int_equal(call.err, VG_ERR_IO);
    unlink(path);
    rmdir(dir);
}

static void answers_are_understood(void **state)
{
    (void)state;
    static const struct {
        struct agent_step step;
        enum vg_err err;
        int status;
        int64_t retry_after_s;
    } cases[] = {
        {{AGENT_DRIP, AGENT_OK}, VG_OK, 200, 0},
        {{AGENT_ANSWER, "HTTP/1.0 202 Accepted\r\n\r\n"}, VG_OK, 202, 0},
        {{AGENT_ANSWER, "HTTP/1.1 100 Continue\r\n\r\n" AGENT_OK}, VG_OK, 200, 0},
        {{AGENT_DRIP, "HTTP/1.1 102 Processing\r\nX: y\r\n\r\n" AGENT_OK}, VG_OK, 200, 0},
        {{AGENT_ANSWER, "HTTP/1.1 429 Slow\r\nRetry-After: 7\r\n\r\n"}, VG_OK, 429, 7},
        {{AGENT_ANSWER, "HTTP/1.1 503 Busy\r\nX: y\r\nretry-after:12\r\nZ: 1\r\n\r\n"}, VG_OK, 503, 12},
        {{AGENT_ANSWER, "HTTP/1.1 429 Slow\r\nRetry-After: 99999999999999999999\r\n\r\n"}, VG_OK, 429, 3600},
        {{AGENT_ANSWER, "HTTP/1.1 429 Slow\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n"},
         VG_OK,
         429,
         0},
        {{AGENT_EARLY, "HTTP/1.1 413 Too Large\r\n\r\n"}, VG_OK, 413, 0},
        {{AGENT_ANSWER, "SSH-2.0-OpenSSH\r\n\r\n"}, VG_ERR_MALFORMED, 0, 0},
        {{AGENT_ANSWER, "HTTP/1.1 999 No\r\n\r\n"}, VG_ERR_MALFORMED, 0, 0},
        {{AGENT_ANSWER, "HTTP/1.1 20x OK\r\n\r\n"}, VG_ERR_MALFORMED, 0, 0},
        {{AGENT_ANSWER, "\r\n\r\n"}, VG_ERR_MALFORMED, 0, 0},
        {{AGENT_ANSWER, "HTTP/1.1 200 OK\r\nContent-"}, VG_ERR_IO, 0, 0},
        {{AGENT_CLOSE, ""}, VG_ERR_IO, 0, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct call call = exchange(&cases[i].step, NULL);
        assert_int_equal(call.err, cases[i].err);
        assert_int_equal(call.reply.status, cases[i].status);
        assert_int_equal(call.reply.retry_after_s, cases[i].retry_after_s);
    }
}

static void an_endless_head_is_not_read_to_its_end(void **state)
{
    (void)state;
    char *text = calloc(1, 70000);
    memset(text, 'a', 69999);
    struct agent_step step = {AGENT_ANSWER, text};
    struct call call = exchange(&step, NULL);
    assert_int_equal(call.err, VG_ERR_MALFORMED);
    free(text);
}

static void an_answer_before_the_body_is_out_counts(void **state)
{
    (void)state;
    static const struct agent_step step = {AGENT_EARLY, "HTTP/1.1 429 Slow\r\nRetry-After: 3\r\n\r\n"};
    struct agent agent;
    char *body = calloc(1, 8u << 20);
    agent_start(&agent, &step, 1, NULL);
    struct call call = call_to(agent.url);
    call.body = (struct vg_slice){body, 8u << 20};
    perform(&call);
    /* Closing with our data unread resets the connection, which may overtake the answer: then there is none.
     */
    assert_true((call.err == VG_OK && call.reply.status == 429 && call.reply.retry_after_s == 3) ||
                call.err == VG_ERR_IO);
    agent_stop(&agent);
    free(body);
}

static void a_large_body_arrives_whole(void **state)
{
    (void)state;
    static const struct agent_step step = {AGENT_ANSWER, AGENT_OK};
    struct agent agent;
    size_t size = 2u << 20;
    char *body = malloc(size);
    for (size_t i = 0; i < size; i++)
        body[i] = (char)(i * 2654435761u >> 13);
    agent_start(&agent, &step, 1, NULL);
    struct call call = call_to(agent.url);
    call.body = (struct vg_slice){body, size};
    perform(&call);
    assert_int_equal(call.err, VG_OK);
    assert_memory_equal(agent.request.data + agent.request.len - size, body, size);
    agent_stop(&agent);
    free(body);
}

static void nobody_there(void **state)
{
    (void)state;
    struct call call = call_to("http://127.0.0.1:1");
    perform(&call);
    assert_int_equal(call.err, VG_ERR_IO);
    call = call_to("http://localhost:1"); /* both its addresses */
    perform(&call);
    assert_int_equal(call.err, VG_ERR_IO);
    call = call_to("http://does-not-exist.invalid:1");
    perform(&call);
    assert_true(call.err == VG_ERR_NOT_FOUND || call.err == VG_ERR_TIMEOUT);
}

static void a_hanging_agent_meets_the_deadline(void **state)
{
    (void)state;
    static const struct agent_step step = {AGENT_HANG, ""};
    struct agent agent;
    agent_start(&agent, &step, 1, NULL);
    struct call call = call_to(agent.url);
    call.timeout_ns = 100 * VG_NS_PER_MS;
    int64_t before_ns = vg_clock_monotonic_ns(NULL);
    perform(&call);
    int64_t took_ns = vg_clock_monotonic_ns(NULL) - before_ns;
    assert_int_equal(call.err, VG_ERR_TIMEOUT);
    assert_true(took_ns >= 100 * VG_NS_PER_MS && took_ns < 2 * VG_NS_PER_S);
    agent_stop(&agent);
}

static void it_can_be_broken_off(void **state)
{
    (void)state;
    static const struct agent_step step = {AGENT_HANG, ""};
    struct agent agent;
    pthread_t thread;
    agent_start(&agent, &step, 1, NULL);
    struct call call = call_to(agent.url);
    call.timeout_ns = 60 * VG_NS_PER_S;
    assert_int_equal(pthread_create(&thread, NULL, perform, &call), 0);
    assert_true(reaches(&agent.completed, 1));
    int64_t before_ns = vg_clock_monotonic_ns(NULL);
    atomic_store(&call.cancel, true);
    pthread_join(thread, NULL);
    assert_true(vg_clock_monotonic_ns(NULL) - before_ns < VG_NS_PER_S);
    assert_int_equal(call.err, VG_ERR_CANCELLED);
    agent_stop(&agent);
}

static void a_host_that_takes_our_number_is_not_written_to(void **state)
{
    (void)state;
    static const struct agent_step step = {AGENT_HANG, ""};
    struct agent agent;
    int pair[2];
    char byte;
    pthread_t thread;
    agent_start(&agent, &step, 1, NULL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct call call = call_to(agent.url);
    call.timeout_ns = 60 * VG_NS_PER_S;
    assert_int_equal(pthread_create(&thread, NULL, perform, &call), 0);
    assert_true(reaches(&agent.completed, 1));
    int number = agent_connected_number(&agent);
    assert_true(number > 2);
    assert_int_equal(dup2(pair[0], number), number); /* this thread shares its table with the host */
    pthread_join(thread, NULL);
    assert_int_equal(call.err, VG_ERR_IO);
    assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), -1); /* nothing came */
    assert_int_equal(send(number, "x", 1, 0), 1);                /* and it is still open */
    assert_int_equal(recv(pair[1], &byte, 1, 0), 1);
    close(number);
    close(pair[0]);
    close(pair[1]);
    agent_stop(&agent);
}

static void numbers_need_no_resolver(void **state)
{
    (void)state;
    atomic_bool cancel = true; /* so that a question would fail */
    struct vg_address addresses[VG_HOSTNAME_MAX];
    size_t n = 0;
    assert_int_equal(vg_hostname_resolve("127.0.0.1", 1, &cancel, 0, addresses, &n), VG_OK);
    assert_int_equal(n, 1);
    assert_int_equal(addresses[0].storage.ss_family, AF_INET);
    assert_int_equal(vg_hostname_resolve("::1", 1, &cancel, 0, addresses, &n), VG_OK);
    assert_int_equal(addresses[0].storage.ss_family, AF_INET6);
    assert_int_equal(vg_hostname_resolve("localhost", 1, &cancel, 0, addresses, &n), VG_OK);
    assert_int_equal(n, 2);
    assert_int_equal(vg_hostname_resolve("example.invalid", 1, &cancel, 0, addresses, &n), VG_ERR_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_as_the_protocol_says),
        cmocka_unit_test(a_unix_socket_works_as_well),
        cmocka_unit_test(answers_are_understood),
        cmocka_unit_test(an_endless_head_is_not_read_to_its_end),
        cmocka_unit_test(an_answer_before_the_body_is_out_counts),
        cmocka_unit_test(a_large_body_arrives_whole),
        cmocka_unit_test(nobody_there),
        cmocka_unit_test(a_hanging_agent_meets_the_deadline),
        cmocka_unit_test(it_can_be_broken_off),
        cmocka_unit_test(a_host_that_takes_our_number_is_not_written_to),
        cmocka_unit_test(numbers_need_no_resolver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL); /* with SIGPIPE as it is: it would end us */
}
