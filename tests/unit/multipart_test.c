/* intake/multipart: forms in every cut, and what is refused. */
#include "vigil/intake/multipart.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "test_cmocka.h"

/* What the parser said, as text: "[name|filename]data." for each part. */
struct record {
    struct vg_buf text;
    enum vg_err refuse_data;
};

static enum vg_err on_begin(void *ctx, const struct vg_multipart_part *part)
{
    struct record *record = ctx;
    return vg_buf_printf(&record->text, "[%s|%s]", part->name, part->filename);
}

static enum vg_err on_data(void *ctx, struct vg_slice bytes)
{
    struct record *record = ctx;
    assert_true(bytes.len > 0);
    return record->refuse_data ? record->refuse_data : vg_buf_slice(&record->text, bytes);
}

static enum vg_err on_end(void *ctx)
{
    struct record *record = ctx;
    return vg_buf_text(&record->text, ".");
}

static const struct vg_multipart_events events = {on_begin, on_data, on_end};
static const char type[] = "multipart/form-data; boundary=X";

/* The body in pieces of `first`, then `step` bytes each, each in memory of its own size so that a sanitizer
 * sees every byte read too far. */
static enum vg_err parse(struct vg_slice body, size_t first, size_t step, struct record *record,
                         struct vg_multipart *m)
{
    enum vg_err err = vg_multipart_init(m, type, &events, record);
    vg_buf_init(&record->text, 1 << 20, NULL);
    for (size_t at = 0, n = first; at < body.len && !err; at += n, n = step) {
        if (n > body.len - at)
            n = body.len - at;
        char *piece = malloc(n ? n : 1);
        memcpy(piece, body.data + at, n);
        err = vg_multipart_feed(m, (struct vg_slice){piece, n});
        free(piece);
    }
    return err ? err : vg_multipart_finish(m);
}

static void assert_parsed(struct vg_slice body, size_t first, size_t step, struct vg_slice expected)
{
    struct record record = {.refuse_data = VG_OK};
    struct vg_multipart m;
    assert_int_equal(parse(body, first, step, &record, &m), VG_OK);
    assert_int_equal(record.text.len, expected.len);
    assert_memory_equal(record.text.data, expected.data, expected.len);
    vg_buf_release(&record.text);
}

static void forms_are_understood_in_every_cut(void **state)
{
    const struct {
        struct vg_slice body, parts;
    } cases[] = {
        {VG_SLICE_LIT("--X\r\nContent-Disposition: form-data; name=\"event\"; filename=\"event.json\"\r\n"
                      "Content-Type: application/json\r\n\r\n{}\r\n--X\r\n"
                      "content-disposition: form-data; filename=\"a;b.pprof\"; name=\"p\"\r\n\r\n"
                      "\x1f\x8b\0\r\n--\r\n--Y\r--X\n\r\n\r\n--X--\r\nepilogue --X"),
         VG_SLICE_LIT("[event|event.json]{}.[p|a;b.pprof]\x1f\x8b\0\r\n--\r\n--Y\r--X\n\r\n.")},
        /* What only begins like a boundary is data. */
        {VG_SLICE_LIT("--X\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XY\r\n--X-\r\n--X "
                      "\tz\r\n--X\r\r\n--X\rq\r\n--X--"),
         VG_SLICE_LIT("[a|]1\r\n--XY\r\n--X-\r\n--X \tz\r\n--X\r\r\n--X\rq.")},
        /* Text before the first boundary, blanks after one, an empty part, no part at all. */
        {VG_SLICE_LIT(
             "preamble\r\n--X \t\r\nContent-Disposition: form-data; name=\"q\\\"\\\\\"\r\n\r\n\r\n--X--"),
         VG_SLICE_LIT("[q\"\\|].")},
        {VG_SLICE_LIT("--X--"), VG_SLICE_LIT("")},
        {VG_SLICE_LIT("--XX\r\n\r\n--X\r\nContent-Disposition: form-data; name=a ; x\r\n\r\n\r\n\r\n--X--"),
         VG_SLICE_LIT("[a|]\r\n.")},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t first = 1; first <= cases[i].body.len; first++)
            assert_parsed(cases[i].body, first, cases[i].body.len, cases[i].parts);
        for (size_t step = 1; step < 9; step++)
            assert_parsed(cases[i].body, step, step, cases[i].parts);
    }
}

static void malformed_forms_are_refused(void **state)
{
    const struct {
        struct vg_slice body;
        const char *why;
    } cases[] = {
        {VG_SLICE_LIT(""), "does not contain the boundary"},
        {VG_SLICE_LIT("no boundary here"), "does not contain the boundary"},
        {VG_SLICE_LIT("--X"), "cut off"},
        {VG_SLICE_LIT("--X\r\nContent-Disposition: form-data; name=a\r\n\r\ndata"), "cut off"},
        {VG_SLICE_LIT("--X\r\nContent-Disposition: form-data; name=a\r\n\r\ndata\r\n--X"), "cut off"},
        {VG_SLICE_LIT("--X\r\nContent-Disposition: form-data; name=a\r\n\r\ndata\r\n--X-"), "cut off"},
        {VG_SLICE_LIT("--X\r\n\r\ndata\r\n--X--"), "no Content-Disposition"},
        {VG_SLICE_LIT("--X\r\nContent-Disposition: form-data\r\n\r\ndata\r\n--X--"),
         "no Content-Disposition"},
        {VG_SLICE_LIT("--X\r\nContent-Disposition: form-data; name=\"\"\r\n\r\ndata\r\n--X--"),
         "no Content-Disposition"},
        {VG_SLICE_LIT("--X\r\nContent-Disposition: form-data; name=\"a\r\n\r\ndata\r\n--X--"),
         "no Content-Disposition"},
        {VG_SLICE_LIT("--X\r\nContent-Disposition: form-data; name=\"a\0b\"\r\n\r\ndata\r\n--X--"),
         "no Content-Disposition"},
    };
    struct vg_multipart m;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t step = 1; step < 100; step += 49) {
            struct record record = {.refuse_data = VG_OK};
            assert_int_equal(parse(cases[i].body, step, step, &record, &m), VG_ERR_MALFORMED);
            assert_non_null(strstr(m.why, cases[i].why));
            vg_buf_release(&record.text);
        }
}

static void limits_hold(void **state)
{
    struct record record = {.refuse_data = VG_OK};
    struct vg_multipart m;
    struct vg_buf body;
    (void)state;
    vg_buf_init(&body, 1 << 20, NULL);
    for (int i = 0; i <= VG_MULTIPART_PARTS; i++)
        vg_buf_text(&body, "--X\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n");
    vg_buf_text(&body, "--X--");
    assert_int_equal(parse(vg_buf_as_slice(&body), 7, 1000, &record, &m), VG_ERR_LIMIT);
    vg_buf_release(&record.text);

    vg_buf_reset(&body);
    vg_buf_text(&body, "--X\r\n");
    for (int i = 0; i <= VG_MULTIPART_LINE_BYTES; i++)
        vg_buf_text(&body, "h");
    assert_int_equal(parse(vg_buf_as_slice(&body), 7, 1000, &record, &m), VG_ERR_MALFORMED);
    vg_buf_release(&record.text);

    vg_buf_reset(&body);
    vg_buf_text(&body, "--X\r\n");
    for (int i = 0; i <= VG_MULTIPART_HEADER_LINES; i++)
        vg_buf_text(&body, "a: b\r\n");
    assert_int_equal(parse(vg_buf_as_slice(&body), 7, 1000, &record, &m), VG_ERR_MALFORMED);
    vg_buf_release(&record.text);

    vg_buf_reset(&body);
    vg_buf_text(&body, "--X\r\nContent-Disposition: form-data; name=");
    for (int i = 0; i < VG_MULTIPART_NAME_BYTES; i++)
        vg_buf_text(&body, "n");
    vg_buf_text(&body, "\r\n\r\n\r\n--X--");
    assert_int_equal(parse(vg_buf_as_slice(&body), 7, 1000, &record, &m), VG_ERR_MALFORMED);
    vg_buf_release(&record.text);
    vg_buf_release(&body);
}

static void refusals_of_the_reader_come_back(void **state)
{
    struct record record = {.refuse_data = VG_ERR_FULL};
    struct vg_multipart m;
    (void)state;
    assert_int_equal(parse(VG_SLICE_LIT("--X\r\nContent-Disposition: form-data; name=a\r\n\r\ndata\r\n--X--"),
                           9, 9, &record, &m),
                     VG_ERR_FULL);
    assert_null(m.why);
    vg_buf_release(&record.text);
}

static void boundaries_come_from_the_content_type(void **state)
{
    static const char *const good[] = {"multipart/form-data; boundary=X",
                                       "Multipart/Form-Data;charset=utf-8; Boundary=\"X\"",
                                       "multipart/form-data; a=\"; boundary=no\"; boundary=X ; z"};
    static const char *const bad[] = {
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"X",
        "multipart/mixed; boundary=X",
        "application/json",
        "multipart/form-data; xboundary=X",
        "multipart/form-data; boundary=\x01",
        "multipart/form-data; boundary=\xc3\xa9",
        ("multipart/form-data; boundary="
         "12345678901234567890123456789012345678901234567890123456789012345678901")};
    struct vg_multipart m;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(vg_multipart_init(&m, good[i], &events, NULL), VG_OK);
        assert_int_equal(m.delimiter_len, 5);
        assert_memory_equal(m.delimiter, "\r\n--X", 5);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(vg_multipart_init(&m, bad[i], &events, NULL), VG_ERR_MALFORMED);
    assert_int_equal(vg_multipart_init(&m, NULL, &events, NULL), VG_ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_understood_in_every_cut),
        cmocka_unit_test(malformed_forms_are_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(refusals_of_the_reader_come_back),
        cmocka_unit_test(boundaries_come_from_the_content_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
