/* base/buf: growth, limits, sticky errors, printf, JSON strings. */
#include "base/buf.h"

#include "test_alloc.h"
#include "test_cmocka.h"

static void assert_holds(const struct vg_buf *buf, const char *text)
{
    assert_int_equal(buf->len, strlen(text));
    assert_memory_equal(buf->data, text, buf->len);
}

static void append_grows_up_to_the_limit(void **state)
{
    (void)state;
    struct vg_buf buf;
    vg_buf_init(&buf, 1000, NULL);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(vg_buf_byte(&buf, (unsigned char)i), VG_OK);
    for (int i = 0; i < 1000; i++)
        assert_int_equal((unsigned char)buf.data[i], i & 255);
    assert_true(buf.cap <= 1000);
    assert_int_equal(vg_buf_byte(&buf, 0), VG_ERR_LIMIT);
    assert_int_equal(buf.len, 1000);
    assert_int_equal(buf.err, VG_ERR_LIMIT);
    vg_buf_release(&buf);
}

static void the_first_error_stays_until_reset(void **state)
{
    (void)state;
    struct vg_buf buf;
    vg_buf_init(&buf, 4, NULL);
    assert_int_equal(vg_buf_text(&buf, "abc"), VG_OK);
    assert_int_equal(vg_buf_text(&buf, "too long"), VG_ERR_LIMIT);
    assert_int_equal(vg_buf_text(&buf, "d"), VG_OK); /* each call answers for itself */
    assert_int_equal(buf.err, VG_ERR_LIMIT);
    assert_holds(&buf, "abcd");
    vg_buf_reset(&buf);
    assert_int_equal(buf.err, VG_OK);
    assert_int_equal(buf.len, 0);
    vg_buf_release(&buf);
}

static void huge_requests_do_not_wrap(void **state)
{
    (void)state;
    struct vg_buf buf;
    vg_buf_init(&buf, SIZE_MAX, NULL);
    assert_int_equal(vg_buf_text(&buf, "x"), VG_OK);
    assert_int_equal(vg_buf_reserve(&buf, SIZE_MAX), VG_ERR_LIMIT);
    assert_holds(&buf, "x");
    vg_buf_release(&buf);
    vg_buf_init(&buf, 0, NULL);
    assert_int_equal(vg_buf_append(&buf, NULL, 0), VG_OK);
    assert_int_equal(vg_buf_slice(&buf, (struct vg_slice){0}), VG_OK);
    assert_int_equal(vg_buf_byte(&buf, 1), VG_ERR_LIMIT);
    vg_buf_release(&buf);
}

static void printf_of_any_length(void **state)
{
    (void)state;
    char longer[2000];
    memset(longer, 'y', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    struct vg_buf buf;
    vg_buf_init(&buf, 2010, NULL);
    assert_int_equal(vg_buf_printf(&buf, "%d-%s", 42, "x"), VG_OK);
    assert_int_equal(vg_buf_printf(&buf, "%s", longer), VG_OK);
    assert_int_equal(buf.len, 4 + 1999);
    assert_memory_equal(buf.data + 4, longer, 1999);
    assert_int_equal(vg_buf_printf(&buf, "%s", longer), VG_ERR_LIMIT);
    assert_int_equal(vg_buf_printf(&buf, "%s", "1234567"),
                     VG_OK); /* exactly full: no room for a NUL is needed */
    assert_int_equal(buf.len, 2010);
    vg_buf_release(&buf);
}

static void json_of(struct vg_buf *buf, struct vg_slice text, const char *expected)
{
    vg_buf_reset(buf);
    assert_int_equal(vg_buf_json_string(buf, text), VG_OK);
    assert_holds(buf, expected);
}

static void json_strings_are_always_valid(void **state)
{
    (void)state;
    struct vg_buf buf;
    vg_buf_init(&buf, 4096, NULL);
    json_of(&buf, (struct vg_slice){0}, "\"\"");
    json_of(&buf, VG_SLICE_LIT("plain"), "\"plain\"");
    json_of(&buf, VG_SLICE_LIT("a\"b\\c/\n\r\t\b\f"), "\"a\\\"b\\\\c/\\n\\r\\t\\b\\f\"");
    json_of(&buf, VG_SLICE_LIT("\x01\x1f\x7f"), "\"\\u0001\\u001f\\u007f\"");
    json_of(&buf, (struct vg_slice){"\0", 1}, "\"\\u0000\"");
    json_of(&buf, VG_SLICE_LIT("h\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\x8D"),
            "\"h\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\x8D\"");
#define BAD "\xEF\xBF\xBD"
    json_of(&buf, VG_SLICE_LIT("\xFF"), "\"" BAD "\"");
    json_of(&buf, VG_SLICE_LIT("\xC0\x80"), "\"" BAD BAD "\"");         /* overlong */
    json_of(&buf, VG_SLICE_LIT("\xE0\x9F\xBF"), "\"" BAD BAD BAD "\""); /* overlong */
    json_of(&buf, VG_SLICE_LIT("\xED\xA0\x80"), "\"" BAD BAD BAD "\""); /* surrogate */
    json_of(&buf, VG_SLICE_LIT("\xF0\x8F\xBF\xBF"), "\"" BAD BAD BAD BAD "\"");
    json_of(&buf, VG_SLICE_LIT("\xF4\x90\x80\x80"), "\"" BAD BAD BAD BAD "\""); /* above U+10FFFF */
    json_of(&buf, VG_SLICE_LIT("a\xE2\x82"), "\"a" BAD BAD "\"");               /* cut off */
    json_of(&buf, VG_SLICE_LIT("\xE2\x28\xA1z"), "\"" BAD "(" BAD "z\"");
    json_of(&buf, VG_SLICE_LIT("\xE2\x82("), "\"" BAD BAD "(\"");
    vg_buf_release(&buf);

    vg_buf_init(&buf, 8, NULL);
    vg_buf_text(&buf, "keep");
    assert_int_equal(vg_buf_json_string(&buf, VG_SLICE_LIT("longer")), VG_ERR_LIMIT);
    assert_holds(&buf, "keep");
    vg_buf_release(&buf);
}

static void detach_gives_the_bytes_away(void **state)
{
    (void)state;
    struct vg_buf buf;
    size_t len;
    vg_buf_init(&buf, 100, NULL);
    vg_buf_text(&buf, "mine");
    char *data = vg_buf_detach(&buf, &len);
    assert_int_equal(len, 4);
    assert_memory_equal(data, "mine", 4);
    assert_null(buf.data);
    vg_alloc_release(NULL, data);
    vg_buf_release(&buf);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t turn = 0;; turn++) {
        struct test_alloc alloc = test_alloc_failing(turn);
        struct vg_buf buf;
        vg_buf_init(&buf, 1 << 20, test_alloc_seam(&alloc));
        vg_buf_printf(&buf, "%0700d", 7);
        vg_buf_json_string(&buf, VG_SLICE_LIT("\n\xFF text"));
        vg_buf_reserve(&buf, 100000);
        assert_int_equal(buf.err, alloc.has_failed ? VG_ERR_NOMEM : VG_OK);
        assert_true(buf.len <= buf.cap);
        vg_buf_release(&buf);
        assert_int_equal(alloc.live, 0);
        if (!alloc.has_failed)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append_grows_up_to_the_limit),  cmocka_unit_test(the_first_error_stays_until_reset),
        cmocka_unit_test(huge_requests_do_not_wrap),     cmocka_unit_test(printf_of_any_length),
        cmocka_unit_test(json_strings_are_always_valid), cmocka_unit_test(detach_gives_the_bytes_away),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
