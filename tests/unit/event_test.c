/* intake/event: event.json and the form fields of older clients. */
#include "vigil/intake/event.h"

#include <stdio.h>

#include "base/buf.h"
#include "test_alloc.h"
#include "test_cmocka.h"

static const char whole[] = "{\"attachments\":[\"profile.pprof\"],\"tags_profiler\":\"service:web,env:prod,"
                            "bad,:x,url:http://a:1,,team:core\","
                            "\"start\":\"2026-11-25T03:00:00.5Z\",\"end\":\"2026-11-25T04:01:00+01:00\","
                            "\"family\":\"python\",\"version\":\"4\","
                            "\"endpoint_counts\":null,\"process_tags\":\"a:b\",\"internal\":{\"samples\": "
                            "12, \"cut\": 0},\"info\":{}}";

static void assert_tag(const struct vg_event *event, size_t i, const char *name, const char *value)
{
    assert_true(i < event->n_tags);
    assert_true(vg_slice_equal_text(event->tags[i].name, name));
    assert_true(vg_slice_equal_text(event->tags[i].value, value));
}

static void the_documented_event_is_understood(void **state)
{
    struct vg_event event;
    (void)state;
    assert_int_equal(vg_event_init(&event, NULL), VG_OK);
    assert_int_equal(vg_event_json(&event, VG_SLICE_LIT(whole)), VG_OK);
    assert_int_equal(vg_event_check(&event), VG_OK);
    assert_int_equal(event.n_tags, 5);
    assert_tag(&event, 0, "service", "web");
    assert_tag(&event, 1, "env", "prod");
    assert_tag(&event, 2, "url", "http://a:1");
    assert_tag(&event, 3, "team", "core");
    assert_tag(&event, 4, "language", "python"); /* from the family */
    assert_int_equal(event.end_ns - event.start_ns, INT64_C(59500000000));
    assert_true(vg_slice_equal_text(event.internal, "{\"cut\":0,\"samples\":12}"));
    vg_event_release(&event);
}

static void tags_may_be_a_list(void **state)
{
    struct vg_event event;
    (void)state;
    assert_int_equal(vg_event_init(&event, NULL), VG_OK);
    assert_int_equal(
        vg_event_json(&event, VG_SLICE_LIT("{\"tags_profiler\":[\"service:a,b\",\"language:x\"]}")), VG_OK);
    assert_int_equal(event.n_tags, 2);
    assert_tag(&event, 0, "service", "a,b");
    vg_event_release(&event);
}

static void older_clients_send_fields(void **state)
{
    struct vg_event event;
    (void)state;
    assert_int_equal(vg_event_init(&event, NULL), VG_OK);
    assert_int_equal(vg_event_field(&event, "recording-start", VG_SLICE_LIT("2020-01-01T00:00:00Z")), VG_OK);
    assert_int_equal(vg_event_field(&event, "end", VG_SLICE_LIT("2020-01-01T00:01:00Z")), VG_OK);
    assert_int_equal(vg_event_field(&event, "tags[]", VG_SLICE_LIT("service:old, one")), VG_OK);
    assert_int_equal(vg_event_field(&event, "tags_profiler", VG_SLICE_LIT("env:a,host:b")), VG_OK);
    assert_int_equal(vg_event_field(&event, "runtime", VG_SLICE_LIT("CPython")), VG_OK);
    assert_int_equal(vg_event_field(&event, "family", VG_SLICE_LIT("python")), VG_OK);
    assert_int_equal(vg_event_field(&event, "unknown", VG_SLICE_LIT("")), VG_OK);
    assert_int_equal(vg_event_check(&event), VG_OK);
    assert_int_equal(event.n_tags, 4);
    assert_tag(&event, 0, "service", "old, one");
    assert_tag(&event, 3, "language", "python");
    assert_int_equal(vg_event_field(&event, "start", VG_SLICE_LIT("yesterday")), VG_ERR_MALFORMED);
    vg_event_release(&event);
}

static void malformed_events_say_what_and_where(void **state)
{
    static const struct {
        const char *json, *why;
        enum vg_err err;
    } cases[] = {
        {"", "empty", VG_ERR_MALFORMED},
        {"{\"start\":", "no JSON", VG_ERR_MALFORMED},
        {"[]", "must be an object", VG_ERR_MALFORMED},
        {"{\"start\":12}", "event.json: start must be text", VG_ERR_MALFORMED},
        {"{\"end\":\"soon\"}", "event.json: end is no RFC 3339 time", VG_ERR_MALFORMED},
        {"{\"tags_profiler\":7}", "must be text or a list", VG_ERR_MALFORMED},
        {"{\"tags_profiler\":[\"a:b\",7]}", "tags_profiler[1] must be text", VG_ERR_MALFORMED},
        {"{\"family\":[]}", "family must be text", VG_ERR_MALFORMED},
        {"{\"a\":\"\\u0000\"}", "no JSON", VG_ERR_MALFORMED},
        {"{\"a\":\"\xff\"}", "no JSON", VG_ERR_MALFORMED},
        {"{\"start\":\"2026-01-01T00:00:00Z\"}", "has no end", VG_ERR_MALFORMED},
        {"{\"start\":\"1999-12-31T00:00:00Z\",\"end\":\"2026-01-01T00:00:00Z\"}", "before the year 2000",
         VG_ERR_MALFORMED},
        {"{\"start\":\"2026-01-01T00:00:01Z\",\"end\":\"2026-01-01T00:00:00Z\"}", "before start",
         VG_ERR_MALFORMED},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "nested deeper than 32 at byte 32", VG_ERR_LIMIT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vg_event event;
        assert_int_equal(vg_event_init(&event, NULL), VG_OK);
        enum vg_err err = vg_event_json(&event, vg_slice_of(cases[i].json));
        if (!err)
            err = vg_event_check(&event);
        if (err != cases[i].err || !strstr(event.why, cases[i].why))
            print_error("%s: %s\n", cases[i].json, event.why);
        assert_int_equal(err, cases[i].err);
        assert_non_null(strstr(event.why, cases[i].why));
        vg_event_release(&event);
    }
}

static void limits_hold(void **state)
{
    struct vg_event event;
    struct vg_buf json;
    (void)state;
    vg_buf_init(&json, 4 << 20, NULL);
    vg_buf_text(&json, "{\"tags_profiler\":\"");
    for (int i = 0; i <= VG_EVENT_TAGS; i++)
        vg_buf_printf(&json, "t%d:v,", i);
    vg_buf_text(&json, "\"}");
    assert_int_equal(vg_event_init(&event, NULL), VG_OK);
    assert_int_equal(vg_event_json(&event, vg_buf_as_slice(&json)), VG_ERR_LIMIT);
    assert_non_null(strstr(event.why, "1000 tags"));

    vg_buf_reset(&json);
    vg_buf_text(&json, "[0");
    for (int i = 0; i <= VG_EVENT_VALUES; i++)
        vg_buf_text(&json, ",0");
    vg_buf_text(&json, "]");
    assert_int_equal(vg_event_json(&event, vg_buf_as_slice(&json)), VG_ERR_LIMIT);

    vg_buf_reset(&json);
    vg_buf_text(&json, "{\"internal\":{\"a\":\"");
    for (int i = 0; i < 20000; i++)
        vg_buf_text(&json, "x");
    vg_buf_text(&json, "\"}}");
    assert_int_equal(vg_event_json(&event, vg_buf_as_slice(&json)), VG_OK);
    assert_int_equal(event.internal.len, 0); /* too long to keep, no reason to refuse */

    vg_buf_reset(&json);
    for (size_t i = 0; i <= VG_EVENT_JSON_BYTES; i++)
        vg_buf_text(&json, " ");
    assert_int_equal(vg_event_json(&event, vg_buf_as_slice(&json)), VG_ERR_LIMIT);
    vg_event_release(&event);
    vg_buf_release(&json);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t turn = 0;; turn++) {
        struct test_alloc alloc = test_alloc_failing(turn);
        struct vg_event event;
        enum vg_err err = vg_event_init(&event, test_alloc_seam(&alloc));
        if (!err)
            err = vg_event_json(&event, VG_SLICE_LIT(whole));
        assert_int_equal(err, alloc.has_failed ? VG_ERR_NOMEM : VG_OK);
        vg_event_release(&event);
        assert_int_equal(alloc.live, 0);
        if (!alloc.has_failed)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_event_is_understood),
        cmocka_unit_test(tags_may_be_a_list),
        cmocka_unit_test(older_clients_send_fields),
        cmocka_unit_test(malformed_events_say_what_and_where),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
