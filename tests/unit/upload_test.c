/* profiler/upload: the queue and its thread against a real Agent: kept and sent later, bounded, flushed,
 * forked. */
#include "profiler/upload/upload.h"

#include "base/clock.h"
#include "profiler/os/descriptors.h"

#include "fake_agent.h"
#include "test_alloc.h"
#include "test_cmocka.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY "http://127.0.0.1:1"

static atomic_int live_jobs;
static atomic_int encoded_jobs;
static const char *encode_text = "PPROF"; /* what each job encodes to */
static size_t encode_random_bytes;        /* and so many bytes that do not compress */
static char noise[64u << 10];             /* longer than the window in which zlib looks for repetitions */

static enum vg_err encode_job(void *ctx, struct vg_buf *pprof, struct vg_buf *internal_json)
{
    atomic_fetch_add(&encoded_jobs, 1);
    if (*(int *)ctx)
        return VG_ERR_NOMEM;
    vg_buf_text(pprof, encode_text);
    for (size_t n = 0; n < encode_random_bytes; n += sizeof(noise))
        vg_buf_append(pprof, noise, sizeof(noise));
    vg_buf_text(internal_json, "\"samples\":1");
    return VG_OK;
}

static void free_job(void *ctx)
{
    atomic_fetch_sub(&live_jobs, 1);
    free(ctx);
}

static void push(struct vg_upload *up, uint64_t seq)
{
    struct vg_upload_job job = {
        .encode = encode_job, .free = free_job, .ctx = calloc(1, sizeof(int)), .seq = seq};

    atomic_fetch_add(&live_jobs, 1);
    vg_upload_push(up, job);
}

static struct vg_upload *upload_to(const char *url)
{
    struct vg_upload_config config = {.url = url, .tags = "service:test", .api_timeout_ns = 5 * VG_NS_PER_S};
    struct vg_upload *up = NULL;

    assert_int_equal(vg_upload_new(&config, &up), VG_OK);
    return up;
}

static int64_t in_ms(int64_t ms)
{
    return vg_clock_monotonic_ns(NULL) + ms * VG_NS_PER_MS;
}

/* Waits until a counter, found by its place, has the value. */
static bool counts(struct vg_upload *up, size_t offset, uint64_t value)
{
    int64_t deadline_ns = in_ms(5000);

    for (;;) {
        struct vg_upload_counters now = vg_upload_counters_now(up);
        if (*(const uint64_t *)(const void *)((const char *)&now + offset) == value)
            return true;
        if (vg_clock_monotonic_ns(NULL) > deadline_ns)
            return false;
        poll(NULL, 0, 2);
    }
}

#define COUNTS(up, member, value) counts(up, offsetof(struct vg_upload_counters, member), value)

static int nothing_lives(void **state)
{
    (void)state;
    encode_random_bytes = 0;
    atomic_store(&encoded_jobs, 0);
    return atomic_load(&live_jobs);
}

static bool request_has(struct agent *agent, const char *text)
{
    pthread_mutex_lock(&agent->lock);
    bool has = memmem(agent->request.data, agent->request.len, text, strlen(text)) != NULL;
    pthread_mutex_unlock(&agent->lock);
    return has;
}

static void a_profile_is_sent(void **state)
{
    (void)state;
    static const struct agent_step script[] = {{AGENT_ANSWER, AGENT_OK}};
    struct agent agent;
    agent_start(&agent, script, 1, NULL);
    struct vg_upload *up = upload_to(agent.url);
    push(up, 3);
    assert_true(COUNTS(up, sent, 1));
    struct vg_upload_counters now = vg_upload_counters_now(up);
    assert_int_equal(now.queued, 0);
    assert_int_equal(now.last_status, 200);
    assert_true(now.bytes > 100);
    assert_true(request_has(&agent, "\"tags_profiler\":\"service:test,profile_seq:3\""));
    assert_true(request_has(&agent, "\"internal\":{\"samples\":1}"));
    assert_int_equal(vg_upload_flush(up, in_ms(1000)), VG_OK);
    vg_upload_free(up);
    agent_stop(&agent);
}

static void what_was_answered_500_is_sent_again(void **state)
{
    (void)state;
    static const struct agent_step script[] = {
        {AGENT_ANSWER, "HTTP/1.1 500 Oh\r\n\r\n"}, {AGENT_CLOSE, ""}, {AGENT_ANSWER, AGENT_OK}};
    struct agent agent;
    agent_start(&agent, script, 3, NULL);
    struct vg_upload *up = upload_to(agent.url);
    push(up, 0);
    assert_true(COUNTS(up, retried, 1));
    push(up, 1);
    assert_int_equal(vg_upload_flush(up, in_ms(5000)),
                     VG_ERR_IO); /* flush tries once, and keeps what fails */
    assert_int_equal(vg_upload_counters_now(up).queued, 2);
    assert_int_equal(vg_upload_flush(up, in_ms(5000)), VG_OK);
    assert_int_equal(vg_upload_counters_now(up).sent, 2);
    assert_int_equal(vg_upload_counters_now(up).retried, 2);
    assert_true(request_has(&agent, "profile_seq:1")); /* the newest came last */
    vg_upload_free(up);
    agent_stop(&agent);
}

static void back_off_ends_by_itself(void **state)
{
    (void)state;
    static const struct agent_step script[] = {{AGENT_ANSWER, "HTTP/1.1 503 Oh\r\n\r\n"},
                                               {AGENT_ANSWER, AGENT_OK}};
    struct agent agent;
    agent_start(&agent, script, 2, NULL);
    struct vg_upload *up = upload_to(agent.url);
    push(up, 0);
    assert_true(COUNTS(up, sent, 1)); /* after a second at most */
    vg_upload_free(up);
    agent_stop(&agent);
}

static void retry_after_is_kept(void **state)
{
    (void)state;
    static const struct agent_step script[] = {{AGENT_ANSWER, "HTTP/1.1 429 Slow\r\nRetry-After: 2\r\n\r\n"},
                                               {AGENT_ANSWER, AGENT_OK}};
    struct agent agent;
    agent_start(&agent, script, 2, NULL);
    struct vg_upload *up = upload_to(agent.url);
    push(up, 0);
    assert_true(COUNTS(up, retried, 1));
    int64_t since_ns = vg_clock_monotonic_ns(NULL);
    assert_true(COUNTS(up, sent, 1));
    assert_true(vg_clock_monotonic_ns(NULL) - since_ns > 1900 * VG_NS_PER_MS);
    vg_upload_free(up);
    agent_stop(&agent);
}

static void what_is_refused_is_given_up(void **state)
{
    (void)state;
    static const struct agent_step script[] = {{AGENT_ANSWER, "HTTP/1.1 400 Bad\r\n\r\n"},
                                               {AGENT_ANSWER, AGENT_OK}};
    struct agent agent;
    agent_start(&agent, script, 2, NULL);
    struct vg_upload *up = upload_to(agent.url);
    push(up, 0);
    assert_true(COUNTS(up, refused, 1));
    assert_int_equal(vg_upload_counters_now(up).last_status, 400);
    push(up, 1);
    assert_true(COUNTS(up, sent, 1));
    vg_upload_free(up);
    agent_stop(&agent);
}

static void the_queue_drops_the_oldest_and_counts_it(void **state)
{
    (void)state;
    struct vg_upload *up = upload_to(NOBODY);
    for (uint64_t i = 0; i < VG_UPLOAD_QUEUE_PROFILES + 5; i++)
        push(up, i);
    assert_true(COUNTS(up, dropped_oldest, 5));
    assert_int_equal(vg_upload_counters_now(up).queued, VG_UPLOAD_QUEUE_PROFILES);
    vg_upload_free(up);
}

static void bytes_are_bounded_too(void **state)
{
    (void)state;
    encode_random_bytes = 5u << 20;
    struct vg_upload *up = upload_to(NOBODY);
    for (uint64_t i = 0; i < 5; i++)
        push(up, i);
    assert_true(COUNTS(up, dropped_oldest, 2)); /* three of five MiB fit into sixteen */
    assert_int_equal(vg_upload_counters_now(up).queued, 3);
    vg_upload_free(up);
}

static void a_profile_that_cannot_be_encoded_is_counted(void **state)
{
    (void)state;
    struct vg_upload *up = upload_to(NOBODY);
    struct vg_upload_job job = {.encode = encode_job, .free = free_job, .ctx = calloc(1, sizeof(int))};
    *(int *)job.ctx = 1;
    atomic_fetch_add(&live_jobs, 1);
    vg_upload_push(up, job);
    assert_true(COUNTS(up, failed_encode, 1));
    assert_int_equal(vg_upload_counters_now(up).queued, 0);
    encode_random_bytes = 20u << 20; /* larger than all of the queue */
    push(up, 1);
    assert_true(COUNTS(up, failed_encode, 2));
    vg_upload_free(up);
}

static void a_hanging_agent_does_not_keep_us(void **state)
{
    (void)state;
    static const struct agent_step script[] = {{AGENT_HANG, ""}};
    struct agent agent;
    agent_start(&agent, script, 1, NULL);
    struct vg_upload *up = upload_to(agent.url);
    push(up, 0);
    assert_true(reaches(&agent.completed, 1));
    push(up, 1);
    int64_t before_ns = vg_clock_monotonic_ns(NULL);
    assert_int_equal(vg_upload_flush(up, in_ms(400)), VG_ERR_TIMEOUT);
    assert_int_equal(atomic_load(&encoded_jobs),
                     2); /* the exchange from before was broken off for the newer one */
    vg_upload_free(up);
    assert_true(vg_clock_monotonic_ns(NULL) - before_ns < 3 * VG_NS_PER_S);
    agent_stop(&agent);
}

static void pause_keeps_the_queue_and_leaves_no_thread(void **state)
{
    (void)state;
    static const struct agent_step script[] = {{AGENT_HANG, ""}, {AGENT_ANSWER, AGENT_OK}};
    struct agent agent;
    agent_start(&agent, script, 2, NULL);
    struct vg_upload *up = upload_to(agent.url);
    push(up, 0);
    assert_true(reaches(&agent.completed, 1));
    int64_t before_ns = vg_clock_monotonic_ns(NULL);
    vg_upload_pause(up);
    vg_upload_pause(up);
    assert_true(vg_clock_monotonic_ns(NULL) - before_ns < 2 * VG_NS_PER_S);
    push(up, 1);
    assert_int_equal(vg_upload_flush(up, in_ms(5000)), VG_ERR_IO); /* nobody to do it */
    assert_int_equal(vg_upload_resume(up), VG_OK);
    assert_int_equal(vg_upload_resume(up), VG_OK);
    assert_true(COUNTS(up, sent, 2));
    assert_int_equal(vg_upload_counters_now(up).retried, 0); /* being broken off is no failure */
    vg_upload_free(up);
    agent_stop(&agent);
}

static int child_of_fork(struct vg_upload *up)
{
    vg_upload_child(up);
    if (vg_upload_counters_now(up).queued || atomic_load(&live_jobs))
        return 1;
    push(up, 0);
    if (vg_upload_resume(up) || !COUNTS(up, sent, 1))
        return 2;
    vg_upload_free(up);
    return 0;
}

static void a_forked_child_begins_empty(void **state)
{
    (void)state;
    static const struct agent_step script[] = {{AGENT_HANG, ""}, {AGENT_ANSWER, AGENT_OK}};
    struct agent agent;
    int status = 0;
    agent_start(&agent, script, 2, NULL);
    struct vg_upload *up = upload_to(agent.url);
    push(up, 0);
    push(up, 1);
    assert_true(reaches(&agent.completed, 1));
    vg_upload_pause(up);
    pid_t pid = fork();
    if (pid == 0)
        _exit(child_of_fork(up));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(vg_upload_counters_now(up).queued, 2); /* the parent's are still there */
    assert_int_equal(vg_upload_resume(up), VG_OK);
    assert_true(COUNTS(up, sent, 2));
    vg_upload_free(up);
    agent_stop(&agent);
}

static void output_files_are_written_whatever_the_agent_does(void **state)
{
    (void)state;
    char dir[] = "/tmp/vigil-test-XXXXXX";
    char prefix[64], name[128];
    assert_non_null(mkdtemp(dir));
    snprintf(prefix, sizeof(prefix), "%s/p", dir);
    for (int i = 0; i < 2; i++) {
        struct vg_upload_config config = {.url = i ? NOBODY : "", .output_prefix = prefix};
        struct vg_upload *up = NULL;
        assert_int_equal(vg_upload_new(&config, &up), VG_OK);
        push(up, 5);
        assert_int_equal(vg_upload_flush(up, in_ms(5000)), i ? VG_ERR_IO : VG_OK);
        snprintf(name, sizeof(name), "%s.%ld.5.pprof", prefix, (long)getpid());
        assert_int_equal(unlink(name), 0);
        assert_int_equal(vg_upload_counters_now(up).failed_output, 0);
        assert_int_equal(rmdir(dir), 0);
        push(up, 6); /* no such directory any more */
        assert_true(COUNTS(up, failed_output, 1));
        vg_upload_free(up);
        assert_non_null(mkdtemp(strcpy(dir, "/tmp/vigil-test-XXXXXX")));
        snprintf(prefix, sizeof(prefix), "%s/p", dir);
    }
    rmdir(dir);
}

static void https_bodies_wait_for_python(void **state)
{
    (void)state;
    struct vg_upload *up = upload_to("https://agent");
    struct vg_slice body, type;
    uint64_t seq = 99;
    assert_int_equal(vg_upload_next(up, in_ms(10), &body, &type, &seq), VG_ERR_TIMEOUT);
    push(up, 0);
    push(up, 1);
    assert_int_equal(vg_upload_next(up, in_ms(5000), &body, &type, &seq), VG_OK);
    assert_int_equal(seq, 0);
    assert_memory_equal(type.data, "multipart/form-data; boundary=", 30);
    assert_int_equal(vg_upload_next(up, in_ms(10), &body, &type, &seq), VG_ERR_TIMEOUT); /* one at a time */
    vg_upload_done(up, 7, VG_UPLOAD_ACCEPTED); /* not the one that is out */
    vg_upload_done(up, 0, VG_UPLOAD_RETRY);
    assert_int_equal(vg_upload_next(up, in_ms(5000), &body, &type, &seq), VG_OK); /* after its back-off */
    assert_int_equal(seq, 0);
    vg_upload_done(up, 0, VG_UPLOAD_ACCEPTED);
    assert_int_equal(vg_upload_next(up, in_ms(5000), &body, &type, &seq), VG_OK);
    vg_upload_done(up, 1, VG_UPLOAD_REFUSED);
    struct vg_upload_counters now = vg_upload_counters_now(up);
    assert_int_equal(now.sent, 1);
    assert_int_equal(now.retried, 1);
    assert_int_equal(now.refused, 1);
    assert_int_equal(now.queued, 0);
    vg_upload_free(up);
}

struct taker {
    struct vg_upload *up;
    atomic_int tid;
    enum vg_err err;
};

static void *take_for_long(void *arg)
{
    struct taker *taker = arg;
    struct vg_slice body, type;
    uint64_t seq;

    atomic_store(&taker->tid, gettid());
    taker->err = vg_upload_next(taker->up, in_ms(60000), &body, &type, &seq);
    return NULL;
}

static bool sleeps(pid_t tid)
{
    char name[64], state = '?';

    snprintf(name, sizeof(name), "/proc/self/task/%d/stat", tid);
    FILE *f = fopen(name, "r");
    if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
        state = '?';
    if (f)
        fclose(f);
    return state == 'S';
}

static void free_does_not_wait_for_a_taker(void **state)
{
    (void)state;
    struct taker taker = {.up = upload_to("https://agent")};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, take_for_long, &taker), 0);
    assert_true(reaches(&taker.tid, 1));
    while (!sleeps(atomic_load(&taker.tid)))
        poll(NULL, 0, 1);
    vg_upload_free(taker.up);
    pthread_join(thread, NULL);
    assert_int_equal(taker.err, VG_ERR_CANCELLED);
}

static void *has_own_table(void *arg)
{
    (void)arg;
    return vg_descriptors_own() ? &live_jobs : NULL;
}

static void our_sockets_are_not_among_the_hosts(void **state)
{
    (void)state;
    static const struct agent_step script[] = {{AGENT_HANG, ""}};
    struct agent agent;
    pthread_t thread;
    void *possible = NULL;
    assert_int_equal(pthread_create(&thread, NULL, has_own_table, NULL), 0);
    pthread_join(thread, &possible);
    agent_start(&agent, script, 1, NULL);
    struct vg_upload *up = upload_to(agent.url);
    push(up, 0);
    assert_true(reaches(&agent.completed, 1)); /* the exchange is on */
    if (possible)                              /* else the kernel is older than 5.9 */
        assert_int_equal(agent_connected_number(&agent), -1);
    vg_upload_free(up);
    agent_stop(&agent);
}

static void each_allocation_of_new_may_fail(void **state)
{
    (void)state;
    for (size_t turn = 0;; turn++) {
        struct test_alloc alloc = test_alloc_failing(turn);
        struct vg_upload_config config = {.url = NOBODY, .tags = "a:b", .alloc = test_alloc_seam(&alloc)};
        struct vg_upload *up = NULL;
        enum vg_err err = vg_upload_new(&config, &up);
        if (!err)
            vg_upload_free(up);
        assert_int_equal(alloc.live, 0);
        if (!alloc.has_failed)
            break;
        assert_int_equal(err, VG_ERR_NOMEM);
    }
}

static void each_allocation_of_a_profile_may_fail(void **state)
{
    (void)state;
    for (size_t turn = 0;; turn++) {
        struct test_alloc alloc = test_alloc_failing(SIZE_MAX);
        struct vg_upload_config config = {.url = NOBODY, .tags = "a:b", .alloc = test_alloc_seam(&alloc)};
        struct vg_upload *up = NULL;
        assert_int_equal(vg_upload_new(&config, &up), VG_OK);
        vg_upload_pause(up); /* so that one thread at a time allocates */
        alloc.fail_at = alloc.calls + turn;
        push(up, 0);
        assert_int_equal(vg_upload_resume(up), VG_OK);
        assert_int_not_equal(vg_upload_flush(up, in_ms(5000)), VG_ERR_TIMEOUT);
        struct vg_upload_counters now = vg_upload_counters_now(up);
        assert_int_equal(now.failed_encode + now.dropped_oldest, alloc.has_failed);
        vg_upload_free(up);
        assert_int_equal(alloc.live, 0);
        if (!alloc.has_failed)
            break;
    }
}

static void a_bad_url_is_reported(void **state)
{
    (void)state;
    struct vg_upload_config config = {.url = "nonsense"};
    struct vg_upload *up = NULL;
    assert_int_equal(vg_upload_new(&config, &up), VG_ERR_MALFORMED);
    assert_null(up);
    vg_upload_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, nothing_lives, nothing_lives)

int main(void)
{
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
    const struct CMUnitTest tests[] = {
        TEST(a_profile_is_sent),
        TEST(what_was_answered_500_is_sent_again),
        TEST(back_off_ends_by_itself),
        TEST(retry_after_is_kept),
        TEST(what_is_refused_is_given_up),
        TEST(the_queue_drops_the_oldest_and_counts_it),
        TEST(bytes_are_bounded_too),
        TEST(a_profile_that_cannot_be_encoded_is_counted),
        TEST(a_hanging_agent_does_not_keep_us),
        TEST(pause_keeps_the_queue_and_leaves_no_thread),
        TEST(a_forked_child_begins_empty),
        TEST(output_files_are_written_whatever_the_agent_does),
        TEST(https_bodies_wait_for_python),
        TEST(free_does_not_wait_for_a_taker),
        TEST(our_sockets_are_not_among_the_hosts),
        TEST(each_allocation_of_new_may_fail),
        TEST(each_allocation_of_a_profile_may_fail),
        TEST(a_bad_url_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
