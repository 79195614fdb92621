/* query/select, json, internal and gzip: text in and text out. */
#include <libdeflate.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "test_alloc.h"
#include "test_cmocka.h"
#include "vigil/query/gzip.h"
#include "vigil/query/internal.h"
#include "vigil/query/json.h"
#include "vigil/query/select.h"

#define NOW_NS  (INT64_C(1764039600) * VG_NS_PER_S)
#define HOUR_NS (3600 * VG_NS_PER_S)

static void times_are_read_as_people_write_them(void **state)
{
    static const struct {
        const char *text;
        int64_t time_ns;
    } table[] = {
        {"now", NOW_NS},
        {"now-15m", NOW_NS - 900 * VG_NS_PER_S},
        {"now+1h30m", NOW_NS + 5400 * VG_NS_PER_S},
        {"-1h", NOW_NS - HOUR_NS},
        {"-2w1d", NOW_NS - 15 * 24 * HOUR_NS},
        {"-5s250ms3us7ns", NOW_NS - 5250003007},
        {"-0s", NOW_NS},
        {"0", 0},
        {"1764039600000000000", NOW_NS},
        {"9223372036854775807", INT64_MAX},
        {"2025-11-25T03:00:00Z", NOW_NS},
        {"2025-11-25T04:00:00.5+01:00", NOW_NS + VG_NS_PER_S / 2},
    };
    static const char *const bad[] = {"",
                                      "-",
                                      "now-",
                                      "nowx",
                                      "now 1h",
                                      "-1",
                                      "-1y",
                                      "-h",
                                      "+1h",
                                      "1h",
                                      "-1h-1m",
                                      "now--1h",
                                      "9223372036854775808",
                                      "-9223372036854775807w",
                                      "-99999999999999999999s",
                                      "2025-11-25",
                                      "yesterday",
                                      "1764039600.5",
                                      " now",
                                      "-1H",
                                      "-106752d-106752d"};
    int64_t time_ns;
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        time_ns = -1;
        if (vg_time_expression(vg_slice_of(table[i].text), NOW_NS, &time_ns) || time_ns != table[i].time_ns)
            fail_msg("%s", table[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (vg_time_expression(vg_slice_of(bad[i]), NOW_NS, &time_ns) != VG_ERR_MALFORMED)
            fail_msg("'%s' was taken", bad[i]);
    assert_int_equal(vg_time_expression(VG_SLICE_LIT("-1ns"), INT64_MIN, &time_ns), VG_ERR_MALFORMED);
    assert_int_equal(vg_time_expression(VG_SLICE_LIT("now+1ns"), INT64_MAX, &time_ns), VG_ERR_MALFORMED);
}

static void ranges_default_to_the_last_hour(void **state)
{
    struct vg_time_range range;
    const char *parameter = NULL, *why = NULL;
    (void)state;
    assert_int_equal(vg_time_range_parse(NULL, "", NOW_NS, &range, &parameter, &why), VG_OK);
    assert_true(range.from_ns == NOW_NS - HOUR_NS && range.to_ns == NOW_NS);
    assert_int_equal(vg_time_range_parse("-1d", NULL, NOW_NS, &range, &parameter, &why), VG_OK);
    assert_true(range.from_ns == NOW_NS - 24 * HOUR_NS && range.to_ns == NOW_NS);
    assert_int_equal(vg_time_range_parse(NULL, "now-1h", NOW_NS, &range, &parameter, &why), VG_OK);
    assert_true(range.from_ns == NOW_NS - 2 * HOUR_NS && range.to_ns == NOW_NS - HOUR_NS);

    assert_int_equal(vg_time_range_parse("soon", NULL, NOW_NS, &range, &parameter, &why), VG_ERR_MALFORMED);
    assert_string_equal(parameter, "from");
    assert_int_equal(vg_time_range_parse(NULL, "soon", NOW_NS, &range, &parameter, &why), VG_ERR_MALFORMED);
    assert_string_equal(parameter, "to");
    assert_int_equal(vg_time_range_parse("5", "5", NOW_NS, &range, &parameter, &why), VG_ERR_MALFORMED);
    assert_string_equal(parameter, "from");
    assert_string_equal(why, "not before to");
}

static void json_puts_its_own_commas(void **state)
{
    struct vg_buf out;
    struct vg_json json = vg_json_on(&out);
    (void)state;
    vg_buf_init(&out, 4096, NULL);
    vg_json_object(&json);
    vg_json_key(&json, "a");
    vg_json_array(&json);
    vg_json_int(&json, 0);
    vg_json_int(&json, INT64_MIN);
    vg_json_int(&json, INT64_MAX);
    vg_json_array(&json);
    vg_json_array_end(&json);
    vg_json_object(&json);
    vg_json_object_end(&json);
    vg_json_null(&json);
    vg_json_bool(&json, true);
    vg_json_bool(&json, false);
    vg_json_array_end(&json);
    vg_json_key_slice(&json, VG_SLICE_LIT("q\"\n"));
    vg_json_text(&json, "</script>\x01");
    vg_json_key(&json, "r");
    vg_json_real(&json, 0.5);
    vg_json_key(&json, "n");
    vg_json_real(&json, (double)NAN);
    vg_json_key(&json, "t");
    vg_json_time(&json, NOW_NS);
    vg_json_key(&json, "raw");
    vg_json_raw(&json, VG_SLICE_LIT("[1]"));
    vg_json_object_end(&json);
    assert_int_equal(out.err, VG_OK);
    assert_int_equal(vg_buf_byte(&out, 0), VG_OK);
    assert_string_equal(out.data, "{\"a\":[0,-9223372036854775808,9223372036854775807,[],{},null,true,false],"
                                  "\"q\\\"\\n\":\"</script>\\u0001\",\"r\":0.5,\"n\":null,"
                                  "\"t\":\"2025-11-25T03:00:00.000000000Z\",\"raw\":[1]}");
    vg_buf_release(&out);
}

static const struct vg_internal_sum *sum_of(const struct vg_internal *internal, const char *name)
{
    uint32_t id = 0;
    return vg_intern_find(&internal->names, vg_slice_of(name), &id) ? &internal->sums[id] : NULL;
}

static void profilers_numbers_are_added_up(void **state)
{
    struct vg_internal internal;
    (void)state;
    vg_internal_init(&internal, NULL);
    assert_int_equal(
        vg_internal_add(&internal, VG_SLICE_LIT("{\"samples\":3,\"x\":{\"y\":1},\"on\":true,\"r\":1}")),
        VG_OK);
    assert_int_equal(
        vg_internal_add(&internal, VG_SLICE_LIT("{\"samples\":4,\"r\":0.5,\"big\":9223372036854775807}")),
        VG_OK);
    assert_int_equal(vg_internal_add(&internal, VG_SLICE_LIT("{\"big\":1,\"samples\":")),
                     VG_OK); /* not JSON */
    assert_int_equal(vg_internal_add(&internal, VG_SLICE_LIT("{\"big\":1}")), VG_OK);
    assert_int_equal(vg_internal_add(&internal, VG_SLICE_LIT("[5]")), VG_OK);
    assert_int_equal(vg_internal_add(&internal, (struct vg_slice){0}), VG_OK);
    assert_int_equal(internal.names.count, 3);
    assert_int_equal(sum_of(&internal, "samples")->whole, 7);
    assert_false(sum_of(&internal, "samples")->has_real);
    assert_int_equal(sum_of(&internal, "big")->whole, INT64_MAX);
    assert_true(sum_of(&internal, "r")->has_real);
    assert_true(sum_of(&internal, "r")->real + (double)sum_of(&internal, "r")->whole == 1.5);
    assert_null(sum_of(&internal, "on"));
    vg_internal_release(&internal);
}

static void names_beyond_the_bound_are_left_out(void **state)
{
    struct vg_internal internal;
    (void)state;
    vg_internal_init(&internal, NULL);
    for (int i = 0; i < VG_INTERNAL_MAX + 10; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "{\"n%d\":1}", i);
        assert_int_equal(vg_internal_add(&internal, (struct vg_slice){text, (size_t)len}), VG_OK);
    }
    assert_int_equal(internal.names.count, VG_INTERNAL_MAX);
    vg_internal_release(&internal);
}

static void gzip_can_be_undone(void **state)
{
    static const char text[] = "one two three one two three one two three";
    char back[sizeof text];
    size_t len;
    struct vg_buf out;
    (void)state;
    vg_buf_init(&out, 4096, NULL);
    assert_int_equal(vg_gzip((struct vg_slice){text, sizeof text}, 6, &out), VG_OK);
    struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
    assert_int_equal(libdeflate_gzip_decompress(decompressor, out.data, out.len, back, sizeof back, &len), 0);
    assert_int_equal(len, sizeof text);
    assert_memory_equal(back, text, sizeof text);
    libdeflate_free_decompressor(decompressor);
    vg_buf_release(&out);
    vg_buf_init(&out, 8, NULL);
    assert_int_equal(vg_gzip((struct vg_slice){text, sizeof text}, 6, &out), VG_ERR_LIMIT);
    vg_buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read_as_people_write_them),
        cmocka_unit_test(ranges_default_to_the_last_hour),
        cmocka_unit_test(json_puts_its_own_commas),
        cmocka_unit_test(profilers_numbers_are_added_up),
        cmocka_unit_test(names_beyond_the_bound_are_left_out),
        cmocka_unit_test(gzip_can_be_undone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
