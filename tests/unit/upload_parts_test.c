/* profiler/upload: the pieces without a socket: URL, policy, gzip, body, output file, descriptors. */
#include "base/clock.h"
#include "profiler/os/descriptors.h"
#include "profiler/upload/gzip.h"
#include "profiler/upload/multipart.h"
#include "profiler/upload/outfile.h"
#include "profiler/upload/policy.h"
#include "profiler/upload/queue.h"
#include "profiler/upload/url.h"

#include "test_alloc.h"
#include "test_cmocka.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* --- url --- */

static void urls_are_taken_apart(void **state)
{
    (void)state;
    struct vg_url url;
    assert_int_equal(vg_url_parse("http://agent:8126", &url), VG_OK);
    assert_int_equal(url.kind, VG_URL_TCP);
    assert_string_equal(url.host, "agent");
    assert_int_equal(url.port, 8126);
    assert_string_equal(url.path, "");
    assert_int_equal(vg_url_parse("http://[::1]:9/base//", &url), VG_OK);
    assert_string_equal(url.host, "::1");
    assert_int_equal(url.port, 9);
    assert_string_equal(url.path, "/base");
    assert_int_equal(vg_url_parse("http://agent/", &url), VG_OK);
    assert_int_equal(url.port, 80);
    assert_int_equal(vg_url_parse("unix:///run/a b.sock", &url), VG_OK);
    assert_int_equal(url.kind, VG_URL_UNIX);
    assert_string_equal(url.path, "/run/a b.sock");
    assert_int_equal(vg_url_parse("https://agent", &url), VG_OK);
    assert_int_equal(url.kind, VG_URL_HTTPS);
    assert_int_equal(vg_url_parse("", &url), VG_OK);
    assert_int_equal(url.kind, VG_URL_NONE);
    assert_int_equal(vg_url_parse(NULL, &url), VG_OK);
}

static void bad_urls_are_refused_and_change_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "agent:8126",  "ftp://a",        "http://",         "http://:1",    "http://a:",
        "http://a:0",  "http://a:65536", "http://a:1x",     "http://a:-1",  "http://[::1",
        "http://[]:1", "http://[::1]x",  "http://a b",      "http://u:p@a", "http://a\r\nX:1",
        "http://a/?q", "http://a/#f",    "unix://relative", "unix://",      "http://a:123456",
    };
    struct vg_url url = {.kind = VG_URL_UNIX};
    char text[400] = "http://";
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(vg_url_parse(bad[i], &url), VG_ERR_MALFORMED);
    memset(text + 7, 'h', 300);
    assert_int_equal(vg_url_parse(text, &url), VG_ERR_LIMIT);
    memcpy(text, "unix:///", 8);
    assert_int_equal(vg_url_parse(text, &url), VG_ERR_LIMIT);
    assert_int_equal(url.kind, VG_URL_UNIX);
}

/* --- policy --- */

static void verdicts(void **state)
{
    (void)state;
    static const int kept[] = {301, 401, 403, 404, 408, 421, 429, 500, 502, 503, 507, 599};
    static const int refused[] = {400, 411, 413, 415, 422, 451};
    assert_int_equal(vg_policy_verdict(200), VG_UPLOAD_ACCEPTED);
    assert_int_equal(vg_policy_verdict(202), VG_UPLOAD_ACCEPTED);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        assert_int_equal(vg_policy_verdict(kept[i]), VG_UPLOAD_RETRY);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(vg_policy_verdict(refused[i]), VG_UPLOAD_REFUSED);
}

static void back_off_doubles_with_jitter_up_to_a_minute(void **state)
{
    (void)state;
    int64_t limit_ns = VG_POLICY_FIRST_NS;
    int64_t longest_ns = 0;
    struct vg_backoff backoff = {.random = 42};
    for (int i = 0; i < 1000; i++) {
        int64_t wait_ns = vg_backoff_failed(&backoff, 0);
        assert_true(wait_ns >= VG_POLICY_LEAST_NS);
        assert_true(wait_ns < VG_POLICY_LEAST_NS + limit_ns);
        longest_ns = wait_ns > longest_ns ? wait_ns : longest_ns;
        limit_ns = limit_ns * 2 < VG_POLICY_LAST_NS ? limit_ns * 2 : VG_POLICY_LAST_NS;
    }
    assert_true(longest_ns > VG_POLICY_LAST_NS * 9 / 10); /* the jitter is full */
    vg_backoff_succeeded(&backoff);
    assert_true(vg_backoff_failed(&backoff, 0) < VG_POLICY_LEAST_NS + VG_POLICY_FIRST_NS);
    assert_int_equal(vg_backoff_failed(&backoff, 300 * VG_NS_PER_S), 300 * VG_NS_PER_S);
}

/* --- gzip --- */

static void inflate_equals(const struct vg_buf *gz, const char *data, size_t len)
{
    z_stream z = {.next_in = (Bytef *)gz->data, .avail_in = (uInt)gz->len};
    char *out = malloc(len + 1);
    assert_int_equal(inflateInit2(&z, 31), Z_OK);
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)len + 1;
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END); /* which also checks its crc and length */
    assert_int_equal(z.avail_in, 0);
    assert_int_equal(z.total_out, len);
    assert_memory_equal(out, data, len);
    inflateEnd(&z);
    free(out);
}

static void gzip_of_any_length_inflates(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 65535, 65536, 200001};
    struct vg_gzip found, stored = {0};
    char *data = malloc(200001);
    uint32_t x = 1;
    vg_gzip_find(&found, "");
    assert_non_null(found.deflate); /* this test is linked with zlib */
    for (size_t i = 0; i < 200001; i++)
        data[i] = (char)(i % 3 ? (x = x * 1664525 + 1013904223) >> 24 : 7);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        const struct vg_gzip *both[] = {&found, &stored};
        for (int k = 0; k < 2; k++) {
            struct vg_buf out;
            vg_buf_init(&out, 1u << 20, NULL);
            assert_int_equal(vg_gzip_append(both[k], (struct vg_slice){data, lengths[i]}, &out), VG_OK);
            inflate_equals(&out, data, lengths[i]);
            vg_buf_release(&out);
        }
    }
    free(data);
}

static void gzip_reports_what_stops_it(void **state)
{
    (void)state;
    struct vg_gzip found, stored = {0};
    struct vg_buf out;
    char data[5000] = "x";
    vg_gzip_find(&found, "/no/such/library.so");
    vg_buf_init(&out, 100, NULL);
    assert_int_equal(vg_gzip_append(&found, (struct vg_slice){data, sizeof(data)}, &out), VG_ERR_LIMIT);
    vg_buf_release(&out);
    assert_int_equal(vg_gzip_append(&stored, (struct vg_slice){data, sizeof(data)}, &out), VG_ERR_LIMIT);
    vg_buf_release(&out);
}

/* --- body --- */

static const struct vg_multipart_event event = {.tags = "service:a\"b,env:\xff",
                                                .internal_json = {"\"samples\":3", 11},
                                                .start_ns = 0,
                                                .end_ns = 60 * VG_NS_PER_S,
                                                .seq = 7};

static void the_body_has_both_parts(void **state)
{
    (void)state;
    struct vg_buf body;
    char type[VG_MULTIPART_TYPE_SIZE];
    vg_buf_init(&body, 1u << 20, NULL);
    assert_int_equal(vg_multipart_build(&event, VG_SLICE_LIT("\x1f\x8bPPROF"), &body, type), VG_OK);
    vg_buf_byte(&body, 0);
    assert_non_null(strstr(
        body.data, "{\"attachments\":[\"auto.pprof\"],\"tags_profiler\":"
                   "\"service:a\\\"b,env:\xef\xbf\xbd,profile_seq:7\","
                   "\"start\":\"1970-01-01T00:00:00.000000000Z\",\"end\":\"1970-01-01T00:01:00.000000000Z\","
                   "\"family\":\"python\",\"version\":\"4\",\"internal\":{\"samples\":3}}\r\n--vigil-"));
    assert_non_null(strstr(body.data, "name=\"auto.pprof\"; filename=\"auto.pprof\"\r\n"));
    assert_non_null(strstr(body.data, "\r\n\r\n\x1f\x8bPPROF\r\n--vigil-"));
    const char *boundary = strstr(type, "boundary=") + strlen("boundary=");
    assert_memory_equal(body.data + 2, boundary, strlen(boundary));
    assert_string_equal(strstr(body.data, "PPROF\r\n--") + 9 + strlen(boundary), "--\r\n");
    vg_buf_release(&body);
}

static void each_allocation_of_the_body_may_fail(void **state)
{
    (void)state;
    for (size_t turn = 0;; turn++) {
        struct test_alloc alloc = test_alloc_failing(turn);
        struct vg_buf body;
        char type[VG_MULTIPART_TYPE_SIZE];
        vg_buf_init(&body, 1u << 20, test_alloc_seam(&alloc));
        enum vg_err err = vg_multipart_build(&event, VG_SLICE_LIT("x"), &body, type);
        vg_buf_release(&body);
        assert_int_equal(alloc.live, 0);
        if (!alloc.has_failed)
            break;
        assert_int_equal(err, VG_ERR_NOMEM);
    }
}

/* --- output file --- */

static void the_file_is_whole_and_alone(void **state)
{
    (void)state;
    char dir[] = "/tmp/vigil-test-XXXXXX";
    char prefix[64], name[128], got[16];
    assert_non_null(mkdtemp(dir));
    snprintf(prefix, sizeof(prefix), "%s/p", dir);
    snprintf(name, sizeof(name), "%s.%ld.12.pprof", prefix, (long)getpid());
    assert_int_equal(vg_outfile_write(prefix, 12, VG_SLICE_LIT("content")), VG_OK);
    assert_int_equal(vg_outfile_write(prefix, 12, VG_SLICE_LIT("again")), VG_OK);
    FILE *f = fopen(name, "r");
    assert_non_null(f);
    assert_int_equal(fread(got, 1, sizeof(got), f), 5);
    fclose(f);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(rmdir(dir), 0); /* nothing else was left */
    assert_int_equal(vg_outfile_write(prefix, 13, VG_SLICE_LIT("content")), VG_ERR_IO);
}

/* --- descriptors --- */

static void a_number_that_was_reused_is_left_alone(void **state)
{
    (void)state;
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    struct vg_descriptor held = vg_descriptor_take(open("/dev/null", O_RDWR | O_CLOEXEC));
    assert_true(vg_descriptor_valid(&held));
    int number = held.fd;
    assert_int_equal(dup2(pipe_fds[1], number), number); /* the host closes ours and opens its own */
    assert_false(vg_descriptor_valid(&held));
    vg_descriptor_close(&held);
    assert_int_equal(held.fd, -1);
    assert_int_equal(write(number, "x", 1), 1); /* still open */
    close(number);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    held = vg_descriptor_take(-1);
    assert_false(vg_descriptor_valid(&held));
}

static void *with_own_table(void *arg)
{
    int *result = arg;
    struct stat st;
    if (!vg_descriptors_own())
        return NULL;
    result[0] = fstat(result[2], &st); /* the others' descriptors are not ours */
    struct vg_descriptor own = vg_descriptor_take(open("/dev/null", O_RDWR | O_CLOEXEC));
    result[1] = own.fd;
    vg_descriptor_close(&own);
    return arg;
}

static void a_thread_has_its_own_table(void **state)
{
    (void)state;
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    int result[3] = {0, 0, pipe_fds[0]};
    void *done = NULL;
    pthread_t thread;
    char byte;
    assert_int_equal(pthread_create(&thread, NULL, with_own_table, result), 0);
    pthread_join(thread, &done);
    if (done) { /* else the kernel is older than 5.9 */
        assert_int_equal(result[0], -1);
        assert_true(result[1] > 2);
    }
    close(pipe_fds[1]);
    assert_int_equal(read(pipe_fds[0], &byte, 1), 0); /* nobody keeps the other end open */
    close(pipe_fds[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(bad_urls_are_refused_and_change_nothing),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(back_off_doubles_with_jitter_up_to_a_minute),
        cmocka_unit_test(gzip_of_any_length_inflates),
        cmocka_unit_test(gzip_reports_what_stops_it),
        cmocka_unit_test(the_body_has_both_parts),
        cmocka_unit_test(each_allocation_of_the_body_may_fail),
        cmocka_unit_test(the_file_is_whole_and_alone),
        cmocka_unit_test(a_number_that_was_reused_is_left_alone),
        cmocka_unit_test(a_thread_has_its_own_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
