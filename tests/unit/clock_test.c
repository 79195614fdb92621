/* base/clock: RFC 3339 both ways, against the C library where it can say. */
#include "base/clock.h"

#include "base/map.h"
#include "test_cmocka.h"

#include <stdio.h>
#include <time.h>

static int64_t parse(const char *text)
{
    int64_t time_ns = -1;
    enum vg_err err = vg_time_parse(vg_slice_of(text), &time_ns);
    assert_int_equal(err, time_ns == -1 ? VG_ERR_MALFORMED : VG_OK);
    return time_ns;
}

static void formats_as_the_c_library_does(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 20000; i++) {
        int64_t time_ns = (int64_t)(vg_hash_u64(i) >> 1) / 100 * 99; /* all of 1970 – 2259 */
        time_t seconds = (time_t)(time_ns / VG_NS_PER_S);
        struct tm parts;
        char text[VG_TIME_TEXT_SIZE], expected[64];
        gmtime_r(&seconds, &parts);
        size_t len = strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", &parts);
        snprintf(expected + len, sizeof expected - len, ".%09dZ", (int)(time_ns % VG_NS_PER_S));
        vg_time_format(time_ns, text);
        assert_string_equal(text, expected);
        assert_int_equal(parse(text), time_ns);
    }
}

static void formats_the_ends(void **state)
{
    (void)state;
    char text[VG_TIME_TEXT_SIZE];
    vg_time_format(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000000000Z");
    vg_time_format(-5, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000000000Z");
    vg_time_format(INT64_MAX, text);
    assert_string_equal(text, "2262-04-11T23:47:16.854775807Z");
}

static void parses_what_senders_write(void **state)
{
    (void)state;
    assert_int_equal(parse("1970-01-01T00:00:00Z"), 0);
    assert_int_equal(parse("1970-01-01t00:00:01z"), VG_NS_PER_S);
    assert_int_equal(parse("1970-01-01 00:00:00.5Z"), VG_NS_PER_S / 2);
    assert_int_equal(parse("1970-01-01T00:00:00.0000000019Z"), 1);
    assert_int_equal(parse("1970-01-01T02:00:00+02:00"), 0);
    assert_int_equal(parse("1969-12-31T22:00:00-02:00"), -1); /* years begin at 1970 as written */
    assert_int_equal(parse("1970-01-01T00:30:00-01:30"), 7200 * VG_NS_PER_S);
    assert_int_equal(parse("2000-02-29T00:00:00Z"), INT64_C(951782400) * VG_NS_PER_S);
    assert_int_equal(parse("2016-12-31T23:59:60Z"), INT64_C(1483228800) * VG_NS_PER_S);
    assert_int_equal(parse("2261-12-31T23:59:59-23:59"), INT64_C(9214732739) * VG_NS_PER_S);
}

static void refuses_the_rest(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "now",
        "2026-11-25",
        "2026-11-25T03:07:59",
        "2026-11-25T03:07:59.Z",
        "2026-11-25T03:07:59+0200",
        "2026-11-25T03:07:59+24:00",
        "2026-11-25T03:07:59Zz",
        "2026-11-25T24:00:00Z",
        "2026-11-25T00:60:00Z",
        "2026-11-25T00:00:61Z",
        "2026-13-25T00:00:00Z",
        "2026-00-25T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-11-00T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2262-01-01T00:00:00Z",
        "+026-11-25T00:00:00Z",
        " 2026-11-25T00:00:00Z",
        "1970-01-01T00:00:00+00:01",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(parse(bad[i]), -1);
    int64_t time_ns = 5;
    assert_int_equal(vg_time_parse((struct vg_slice){"1970-01-01\0000:00:00Z", 20}, &time_ns),
                     VG_ERR_MALFORMED);
    assert_int_equal(vg_time_parse((struct vg_slice){0}, &time_ns), VG_ERR_MALFORMED);
    assert_int_equal(time_ns, 5);
}

static int64_t fixed(void *ctx)
{
    return *(int64_t *)ctx;
}

static void clocks_can_be_replaced(void **state)
{
    (void)state;
    int64_t now = 42;
    struct vg_clock clock = {fixed, fixed, &now};
    assert_int_equal(vg_clock_now_ns(&clock), 42);
    assert_int_equal(vg_clock_monotonic_ns(&clock), 42);
    assert_true(vg_clock_now_ns(NULL) > INT64_C(1600000000) * VG_NS_PER_S);
    int64_t before = vg_clock_monotonic_ns(NULL);
    assert_true(vg_clock_monotonic_ns(NULL) >= before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_as_the_c_library_does), cmocka_unit_test(formats_the_ends),
        cmocka_unit_test(parses_what_senders_write),     cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(clocks_can_be_replaced),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
