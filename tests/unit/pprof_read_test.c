/* pprof/read: every shape the format allows, every damage, every limit, every failed allocation. Input lies
 * in memory of exactly its size, so that the sanitizer sees a read beyond it. */
#include "pprof/read.h"

#include "base/buf.h"
#include "pprof/ids.h"
#include "pprof/wire.h"
#include "test_alloc.h"
#include "test_cmocka.h"

/* ---- building messages by hand ---- */

static void put_number(struct vg_buf *out, uint32_t field, uint64_t value)
{
    unsigned char bytes[20], *end = vg_wire_put(vg_wire_put_key(bytes, field, VG_WIRE_VARINT), value);
    vg_buf_append(out, bytes, (size_t)(end - bytes));
}

static void put_bytes(struct vg_buf *out, uint32_t field, const void *data, size_t len)
{
    unsigned char bytes[20], *end = vg_wire_put(vg_wire_put_key(bytes, field, VG_WIRE_BYTES), len);
    vg_buf_append(out, bytes, (size_t)(end - bytes));
    vg_buf_append(out, data, len);
}

static void put_text(struct vg_buf *out, const char *text)
{
    put_bytes(out, 6, text, strlen(text));
}

/* Appends what body holds as a message, and empties it. */
static void put_message(struct vg_buf *out, uint32_t field, struct vg_buf *body)
{
    put_bytes(out, field, body->data, body->len);
    vg_buf_reset(body);
}

static void put_two(struct vg_buf *out, uint32_t field, uint64_t first, uint64_t second)
{
    struct vg_buf body;
    vg_buf_init(&body, 100, NULL);
    put_number(&body, 1, first);
    put_number(&body, 2, second);
    put_message(out, field, &body);
    vg_buf_release(&body);
}

static void put_location(struct vg_buf *out, uint64_t id, uint64_t function_id)
{
    struct vg_buf body;
    vg_buf_init(&body, 100, NULL);
    put_number(&body, 1, id);
    put_two(&body, 4, function_id, 5);
    put_message(out, 4, &body);
    vg_buf_release(&body);
}

/* One type, one function, one location, one sample with one label: small, and valid. */
static void put_small(struct vg_buf *out)
{
    struct vg_buf body, label;
    vg_buf_init(&body, 100, NULL);
    vg_buf_init(&label, 100, NULL);
    put_text(out, "");
    put_text(out, "cpu-time");
    put_text(out, "nanoseconds");
    put_text(out, "main");
    put_two(out, 1, 1, 2);
    put_two(out, 5, 1, 3);
    put_location(out, 1, 1);
    put_bytes(&body, 1, "\x01\x01", 2);
    put_bytes(&body, 2, "\x05", 1);
    put_number(&label, 1, 1);
    put_number(&label, 2, 3);
    put_message(&body, 3, &label);
    put_message(out, 2, &body);
    vg_buf_release(&body);
    vg_buf_release(&label);
}

/* ---- reading them ---- */

struct outcome {
    enum vg_err err;
    const char *why;
    size_t at;
};

/* Reads a copy in memory of its exact size; looks at everything that a good result says. */
static struct outcome read_exactly(const void *data, size_t len, const struct vg_pprof_limits *limits)
{
    struct outcome outcome = {.why = "unset", .at = SIZE_MAX};
    struct vg_pprof p;
    char *copy = malloc(len ? len : 1);
    if (len)
        memcpy(copy, data, len);
    outcome.err =
        vg_pprof_read(&p, (struct vg_slice){len ? copy : NULL, len}, limits, &outcome.why, &outcome.at);
    if (!outcome.err) {
        size_t seen = 0;
        for (size_t i = 0; i < p.n_types; i++)
            seen += vg_slice_equal(p.types[i].name, p.types[i].unit);
        for (size_t i = 0; i < p.n_functions; i++)
            seen += vg_slice_equal(p.functions[i].name, p.functions[i].file);
        for (size_t i = 0; i < p.n_samples; i++) {
            const struct vg_pprof_read_sample *s = &p.samples[i];
            for (size_t j = 0; j < s->n_locations; j++) {
                assert_true(p.sample_locations[s->first_location + j] < p.n_locations);
                const struct vg_pprof_read_location *l =
                    &p.locations[p.sample_locations[s->first_location + j]];
                for (size_t k = 0; k < l->n_lines; k++)
                    assert_true(p.lines[l->first_line_index + k].function < p.n_functions);
            }
            for (size_t j = 0; j < p.n_types; j++)
                seen += (size_t)(p.values[s->first_value + j] & 1);
            for (size_t j = 0; j < s->n_labels; j++)
                seen += vg_slice_equal(p.labels[s->first_label + j].key, p.labels[s->first_label + j].text);
        }
        assert_true(seen < SIZE_MAX);
        vg_pprof_release(&p);
        assert_null(p.samples);
    } else {
        assert_true(outcome.at <= len || outcome.err == VG_ERR_NOMEM);
    }
    free(copy);
    return outcome;
}

static void assert_refused(struct vg_buf *out, const char *why)
{
    struct outcome outcome = read_exactly(out->data, out->len, &vg_pprof_default_limits);
    if (!outcome.err)
        fail_msg("accepted, though: %s", why);
    assert_int_equal(outcome.err, VG_ERR_MALFORMED);
    assert_string_equal(outcome.why, why);
    vg_buf_reset(out);
}

static struct vg_pprof read_good(const struct vg_buf *out)
{
    struct vg_pprof p;
    const char *why = NULL;
    size_t at = 0;
    if (vg_pprof_read(&p, vg_buf_as_slice(out), &vg_pprof_default_limits, &why, &at))
        fail_msg("%s at %zu", why, at);
    return p;
}

/* ---- the tests ---- */

static void a_small_profile_is_read(void **state)
{
    (void)state;
    struct vg_buf out;
    vg_buf_init(&out, 10000, NULL);
    put_small(&out);
    struct vg_pprof p = read_good(&out);
    assert_int_equal(p.n_samples, 1);
    assert_int_equal(p.samples[0].n_locations, 2);
    assert_int_equal(p.values[0], 5);
    assert_true(vg_slice_equal_text(p.labels[0].key, "cpu-time"));
    assert_true(vg_slice_equal_text(p.labels[0].text, "main"));
    vg_pprof_release(&p);
    vg_buf_release(&out);
}

static void any_order_and_unknown_fields(void **state)
{
    (void)state;
    struct vg_buf out, body;
    vg_buf_init(&out, 10000, NULL);
    vg_buf_init(&body, 10000, NULL);
    vg_buf_text(&body, "\xA1\x06"
                       "12345678\xA5\x06"
                       "1234\xA0\x06\x01\xA2\x06\x02xy"); /* field 100, each type */
    put_bytes(&body, 1, "\x09", 1);
    put_number(&body, 1, UINT64_C(1) << 63); /* unpacked, after a packed run */
    put_number(&body, 2, UINT64_MAX);
    put_bytes(&body, 2, "\x02\x03", 2);
    put_number(&body, 1, 9);
    put_message(&out, 2, &body); /* the sample is first */
    put_two(&out, 1, 1, 2);
    put_location(&out, UINT64_C(1) << 63, 77);
    put_two(&out, 1, 2, 1);
    put_two(&out, 3, 1, 99); /* a mapping: nothing of it is used */
    put_location(&out, 9, UINT64_C(1) << 40);
    vg_buf_text(&out, "\xA1\x06"
                      "12345678");
    put_text(&out, "");
    put_two(&out, 5, UINT64_C(1) << 40, 3);
    put_text(&out, "a");
    put_two(&out, 1, 1, 1);
    put_text(&out, "b");
    put_two(&out, 5, 77, 1);
    put_number(&out, 9, 123);
    put_number(&out, 9, 124); /* the last one counts */
    put_text(&out, "c");
    put_number(&out, 14, 2); /* default_sample_type */
    struct vg_pprof p = read_good(&out);
    assert_int_equal(p.n_types, 3);
    assert_true(vg_slice_equal_text(p.types[1].name, "b"));
    assert_int_equal(p.time_ns, 124);
    assert_int_equal(p.samples[0].n_locations, 3);
    assert_memory_equal(p.sample_locations, ((uint32_t[]){1, 0, 1}), 12);
    assert_memory_equal(p.values, ((int64_t[]){-1, 2, 3}), 24);
    assert_true(
        vg_slice_equal_text(p.functions[p.lines[p.locations[1].first_line_index].function].name, "c"));
    vg_pprof_release(&p);
    vg_buf_release(&out);
    vg_buf_release(&body);
}

static void inlined_and_unknown_lines(void **state)
{
    (void)state;
    struct vg_buf out, body;
    vg_buf_init(&out, 10000, NULL);
    vg_buf_init(&body, 10000, NULL);
    put_text(&out, "");
    put_text(&out, "f");
    put_two(&out, 1, 1, 1);
    put_two(&out, 5, 1, 1);
    put_bytes(&body, 4, NULL, 0); /* line without a function */
    put_number(&body, 1, 1);
    put_number(&body, 3, 0xFFF);
    put_two(&body, 4, 2, 20);
    put_two(&body, 4, 1, 10);
    put_message(&out, 4, &body);
    put_number(&body, 1, 2); /* only an address is known */
    put_number(&body, 3, 0x1000);
    put_message(&out, 4, &body);
    put_number(&body, 1, 2);
    put_number(&body, 3, 0); /* the name is missing, the system's name is there */
    put_number(&body, 3, 1);
    put_message(&out, 5, &body);
    struct vg_pprof p = read_good(&out);
    assert_int_equal(p.n_lines, 2);
    assert_int_equal(p.locations[0].n_lines, 2);
    assert_int_equal(p.locations[0].address, 0xFFF);
    assert_int_equal(p.lines[0].function, 1);
    assert_int_equal(p.lines[0].line, 20);
    assert_int_equal(p.lines[1].line, 10);
    assert_int_equal(p.locations[1].n_lines, 0);
    assert_true(vg_slice_equal_text(p.functions[1].name, "f"));
    assert_int_equal(p.n_samples, 0);
    vg_pprof_release(&p);
    vg_buf_release(&out);
    vg_buf_release(&body);
}

static void damaged_references_are_refused(void **state)
{
    (void)state;
    struct vg_buf out, body;
    vg_buf_init(&out, 10000, NULL);
    vg_buf_init(&body, 10000, NULL);
    assert_refused(&out, "no string table: not a profile");
    put_text(&out, "not empty");
    assert_refused(&out, "the first string is not empty");
    put_text(&out, "");
    put_two(&out, 1, 1, 0);
    assert_refused(&out, "no such string");
    put_text(&out, "");
    put_two(&out, 1, 0, UINT64_MAX); /* −1 */
    assert_refused(&out, "no such string");
    put_small(&out);
    put_two(&out, 5, 2, 99);
    assert_refused(&out, "no such string");
    put_small(&out);
    put_two(&out, 5, 1, 1);
    assert_refused(&out, "two functions or two locations have the same id");
    put_small(&out);
    put_location(&out, 1, 1);
    assert_refused(&out, "two functions or two locations have the same id");
    put_small(&out);
    put_location(&out, UINT64_MAX, 1);
    put_location(&out, UINT64_MAX, 1); /* among sparse ids */
    assert_refused(&out, "two functions or two locations have the same id");
    put_small(&out);
    put_two(&out, 5, 0, 1);
    assert_refused(&out, "function or location without an id");
    put_small(&out);
    put_location(&out, 0, 1);
    assert_refused(&out, "function or location without an id");
    put_small(&out);
    put_location(&out, 2, 2);
    assert_refused(&out, "no such function");
    put_small(&out);
    put_location(&out, 2, UINT64_MAX);
    assert_refused(&out, "no such function");
    static const uint64_t unknown[] = {0, 2, 67, 1000, UINT64_MAX};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        put_small(&out);
        put_number(&body, 1, unknown[i]);
        put_number(&body, 2, 1);
        put_message(&out, 2, &body);
        assert_refused(&out, "no such location");
    }
    vg_buf_release(&out);
    vg_buf_release(&body);
}

static void damaged_samples_are_refused(void **state)
{
    (void)state;
    struct vg_buf out, body;
    vg_buf_init(&out, 10000, NULL);
    vg_buf_init(&body, 10000, NULL);
    put_text(&out, "");
    put_bytes(&out, 2, NULL, 0);
    assert_refused(&out, "samples, but no value types");
    put_small(&out);
    put_bytes(&out, 2, NULL, 0);
    assert_refused(&out, "a sample has another number of values than there are value types");
    put_small(&out);
    put_bytes(&body, 2, "\x01\x02", 2);
    put_message(&out, 2, &body);
    assert_refused(&out, "a sample has another number of values than there are value types");
    put_small(&out);
    put_bytes(&body, 2, "\x01\x80", 2); /* ends within a number */
    put_message(&out, 2, &body);
    assert_refused(&out, "value cut off or too wide");
    put_small(&out);
    put_bytes(&body, 1, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 10);
    put_message(&out, 2, &body);
    assert_refused(&out, "no such location");
    vg_buf_release(&out);
    vg_buf_release(&body);
}

static void wrong_types_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t message; /* 0: the profile itself */
        const char *bytes;
        size_t len;
        const char *why;
    } bad[] = {
        {0, "\x30\x01", 2, "field is not the message or text that it should be"},
        {0, "\x4A\x00", 2, "field is not the number that it should be"},
        {0, "\x1B\x1C", 2, "field cut off or not well formed"},
        {0, "\x12\x7F", 2, "field cut off or not well formed"},
        {1, "\x0A\x00", 2, "field is not the number that it should be"},
        {2,
         "\x0D"
         "1234",
         5, "repeated number has a wrong type"},
        {2,
         "\x11"
         "12345678",
         9, "repeated number has a wrong type"},
        {2, "\x18\x01", 2, "label is no message"},
        {2, "\x1A\x02\x0A\x00", 4, "field is not the number that it should be"},
        {2, "\x1A\x01\x08", 3, "field cut off or not well formed"},
        {4, "\x20\x01", 2, "field of a location has a wrong type"},
        {4, "\x22\x02\x12\x00", 4, "field is not the number that it should be"},
        {4, "\x0A\x00", 2, "field of a location has a wrong type"},
        {5, "\x2A\x00", 2, "field is not the number that it should be"},
        {5, "\x2F", 1, "field cut off or not well formed"},
    };
    struct vg_buf out;
    vg_buf_init(&out, 10000, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put_small(&out);
        if (bad[i].message)
            put_bytes(&out, bad[i].message, bad[i].bytes, bad[i].len);
        else
            vg_buf_append(&out, bad[i].bytes, bad[i].len);
        assert_refused(&out, bad[i].why);
    }
    vg_buf_release(&out);
}

static void the_place_of_an_error_is_told(void **state)
{
    (void)state;
    struct vg_buf out;
    vg_buf_init(&out, 10000, NULL);
    put_small(&out);
    size_t good = out.len;
    vg_buf_append(&out, "\x12\x7F", 2);
    assert_int_equal(read_exactly(out.data, out.len, &vg_pprof_default_limits).at, good);
    vg_buf_release(&out);
}

static void limits_are_kept(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        const char *why;
        size_t enough;
    } limits[] = {
        {offsetof(struct vg_pprof_limits, samples), "too many samples", 1},
        {offsetof(struct vg_pprof_limits, locations), "too many locations", 1},
        {offsetof(struct vg_pprof_limits, functions), "too many functions", 1},
        {offsetof(struct vg_pprof_limits, strings), "too many strings", 4},
        {offsetof(struct vg_pprof_limits, types), "too many value types", 1},
        {offsetof(struct vg_pprof_limits, frames_per_sample), "a stack is too deep", 2},
        {offsetof(struct vg_pprof_limits, labels_per_sample), "too many labels in one sample", 1},
        {offsetof(struct vg_pprof_limits, arena_bytes), "needs more memory than one profile may take", 1000},
    };
    struct vg_buf out;
    vg_buf_init(&out, 10000, NULL);
    put_small(&out);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct vg_pprof_limits own = vg_pprof_default_limits;
        size_t *limit = (size_t *)((char *)&own + limits[i].offset);
        *limit = limits[i].enough;
        assert_int_equal(read_exactly(out.data, out.len, &own).err, VG_OK);
        *limit = i == 7 ? 10 : limits[i].enough - 1;
        struct outcome outcome = read_exactly(out.data, out.len, &own);
        assert_int_equal(outcome.err, VG_ERR_LIMIT);
        assert_string_equal(outcome.why, limits[i].why);
    }
    for (int i = 0; i < 64; i++)
        put_two(&out, 1, 1, 1);
    assert_string_equal(read_exactly(out.data, out.len, &vg_pprof_default_limits).why,
                        "too many value types");
    vg_buf_release(&out);
}

static void every_cut_and_every_flipped_bit(void **state)
{
    (void)state;
    struct vg_buf out;
    vg_buf_init(&out, 10000, NULL);
    put_small(&out);
    for (size_t len = 0; len < out.len; len++)
        (void)read_exactly(out.data, len, &vg_pprof_default_limits);
    size_t accepted = 0;
    for (size_t bit = 0; bit < out.len * 8; bit++) {
        out.data[bit / 8] ^= (char)(1 << bit % 8);
        accepted += read_exactly(out.data, out.len, &vg_pprof_default_limits).err == VG_OK;
        out.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_true(accepted > 0 && accepted < out.len * 8); /* bits of text may flip, structure may not */
    for (uint64_t round = 0; round < 20000; round++) {   /* several at once */
        char bytes[200];
        assert_true(out.len <= sizeof bytes);
        memcpy(bytes, out.data, out.len);
        for (uint64_t i = 0; i < 1 + round % 4; i++)
            bytes[vg_hash_u64(round * 9 + i) % out.len] = (char)vg_hash_u64(round * 11 + i);
        (void)read_exactly(bytes, out.len, &vg_pprof_default_limits);
    }
    vg_buf_release(&out);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct vg_buf out;
    vg_buf_init(&out, 10000, NULL);
    put_small(&out);
    put_location(&out, UINT64_MAX, 1); /* needs the map of ids */
    for (size_t turn = 0;; turn++) {
        struct test_alloc alloc = test_alloc_failing(turn);
        struct vg_pprof_limits limits = vg_pprof_default_limits;
        limits.alloc = test_alloc_seam(&alloc);
        enum vg_err err = read_exactly(out.data, out.len, &limits).err;
        assert_int_equal(err, alloc.has_failed ? VG_ERR_NOMEM : VG_OK);
        assert_int_equal(alloc.live, 0);
        if (!alloc.has_failed)
            break;
    }
    vg_buf_release(&out);
}

static void ids_direct_and_mapped(void **state)
{
    (void)state;
    for (int sparse = 0; sparse < 2; sparse++) {
        struct vg_pprof_ids ids;
        uint32_t index = 0;
        assert_int_equal(vg_pprof_ids_init(&ids, 1000, NULL), VG_OK);
        for (uint64_t i = 0; i < 1000; i++)
            vg_pprof_ids_add(&ids, sparse ? (i + 1) << 40 : 2000 - i);
        assert_int_equal(vg_pprof_ids_build(&ids), VG_OK);
        assert_int_equal(ids.direct == NULL, sparse);
        for (uint64_t i = 0; i < 1000; i++) {
            assert_true(vg_pprof_ids_find(&ids, sparse ? (i + 1) << 40 : 2000 - i, &index));
            assert_int_equal(index, i);
        }
        assert_false(vg_pprof_ids_find(&ids, 0, &index));
        assert_false(vg_pprof_ids_find(&ids, 1000, &index));
        assert_false(vg_pprof_ids_find(&ids, UINT64_MAX, &index));
        vg_pprof_ids_release(&ids);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_profile_is_read),         cmocka_unit_test(any_order_and_unknown_fields),
        cmocka_unit_test(inlined_and_unknown_lines),       cmocka_unit_test(damaged_references_are_refused),
        cmocka_unit_test(damaged_samples_are_refused),     cmocka_unit_test(wrong_types_are_refused),
        cmocka_unit_test(the_place_of_an_error_is_told),   cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(every_cut_and_every_flipped_bit), cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(ids_direct_and_mapped),
    };
    return cmocka_run_group_tests_name("pprof_read", tests, NULL, NULL);
}
