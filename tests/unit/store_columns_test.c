/* The bytes on disk: columns, dictionaries and rows, there and back, and from hands that wish us ill. */
#include "store_make.h"
#include "test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>

#include "vigil/store/meta.h"
#include "vigil/store/rebuild.h"

#define N 5000

static struct vg_slice blob_of(const struct vg_buf *buf)
{
    assert_int_equal(buf->err, VG_OK);
    return vg_buf_as_slice(buf);
}

/* ---- columns ---- */

static void test_numbers_of_every_mode_come_back(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 2, 39, 300, N};
    struct vg_coder coder;
    struct vg_buf out;
    uint64_t random = 3;
    int64_t values[N], got[N];
    uint32_t ids[N], got_ids[N];
    vg_coder_init(&coder, NULL);
    vg_buf_init(&out, SIZE_MAX, NULL);
    for (int mode = VG_COLUMN_PLAIN; mode <= VG_COLUMN_DELTA; mode++) {
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
            size_t n = lengths[l];
            for (size_t i = 0; i < n; i++) { /* of all lengths of a varint, negative ones too */
                values[i] = (int64_t)(store_random(&random) >> store_random(&random) % 64);
                ids[i] = (uint32_t)(store_random(&random) >> (32 + store_random(&random) % 32));
            }
            vg_buf_reset(&out);
            vg_column_write_i64(&coder, &out, mode, values, n);
            vg_column_write_u32(&coder, &out, mode, ids, n);
            vg_column_write_u32(&coder, &out, mode, ids, n);
            vg_blob_seal(&out);
            struct vg_blob blob;
            assert_int_equal(vg_blob_open(blob_of(&out), &blob), VG_OK);
            assert_int_equal(vg_column_read_i64(&coder, &blob, got, n), VG_OK);
            assert_int_equal(vg_column_skip(&blob), VG_OK);
            assert_int_equal(vg_column_read_u32(&coder, &blob, got_ids, n), VG_OK);
            assert_true(blob.at == blob.end && !blob.is_bad);
            assert_memory_equal(values, got, n * sizeof *values);
            assert_memory_equal(ids, got_ids, n * sizeof *ids);
        }
    }
    vg_buf_release(&out);
    vg_coder_release(&coder);
}

static void test_what_does_not_fit_is_malformed(void **state)
{
    (void)state;
    struct vg_coder coder;
    struct vg_buf out;
    struct vg_blob blob;
    int64_t values[100], got[101];
    uint32_t ids[101];
    struct vg_slice bytes;
    for (size_t i = 0; i < 100; i++)
        values[i] = INT64_C(1) << 40 | (int64_t)i * 77777;
    vg_coder_init(&coder, NULL);
    vg_buf_init(&out, SIZE_MAX, NULL);
    vg_column_write_i64(&coder, &out, VG_COLUMN_PLAIN, values, 100);
    vg_blob_seal(&out);
    struct {
        size_t n;
        bool as_ids;
    } const wrong[] = {{99, false}, {101, false}, {10, false}, {100, true}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(vg_blob_open(blob_of(&out), &blob), VG_OK);
        enum vg_err err = wrong[i].as_ids ? vg_column_read_u32(&coder, &blob, ids, wrong[i].n)
                                          : vg_column_read_i64(&coder, &blob, got, wrong[i].n);
        assert_int_equal(err, VG_ERR_MALFORMED);
    }
    assert_int_equal(vg_blob_open(blob_of(&out), &blob), VG_OK);
    assert_int_equal(vg_column_read_bytes(&coder, &blob, 10, &bytes), VG_ERR_MALFORMED);
    out.data[3] ^= 1;
    assert_int_equal(vg_blob_open(blob_of(&out), &blob), VG_ERR_MALFORMED);
    assert_int_equal(vg_blob_open((struct vg_slice){out.data, 3}, &blob), VG_ERR_MALFORMED);
    vg_buf_release(&out);
    vg_coder_release(&coder);
}

/* A head that promises 200 MB for a column of 100 numbers, and a varint without end. */
static void test_promises_are_not_believed(void **state)
{
    (void)state;
    static const unsigned char large[] = {0x81, 0x80, 0x80, 0x80, 0x08, 0x01, 0x00};
    static const unsigned char endless[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                            0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct vg_coder coder;
    int64_t values[100];
    vg_coder_init(&coder, NULL);
    struct vg_blob blob = {large, large + sizeof large, false};
    assert_int_equal(vg_column_read_i64(&coder, &blob, values, 100), VG_ERR_MALFORMED);
    blob = (struct vg_blob){endless, endless + sizeof endless, false};
    assert_int_equal(vg_column_read_i64(&coder, &blob, values, 100), VG_ERR_MALFORMED);
    assert_true(blob.is_bad);
    blob = (struct vg_blob){endless, endless, false};
    assert_int_equal(vg_varint_read(&blob), 0);
    assert_true(blob.is_bad);
    assert_int_equal(coder.raw.cap, 0); /* nothing was allocated for them */
    vg_coder_release(&coder);
}

/* ---- dictionaries ---- */

/* Random additions; the same state adds the same. */
static void grow(struct vg_dict *dict, uint64_t *random, size_t n)
{
    uint32_t id, frames[40];
    char text[32];
    for (size_t i = 0; i < n; i++) {
        int len = snprintf(text, sizeof text, "name_%llu", (unsigned long long)(store_random(random) % 500));
        assert_int_equal(vg_dict_put_string(dict, (struct vg_slice){text, (size_t)len}, &id), VG_OK);
        struct vg_frame frame = {id, (uint32_t)(store_random(random) % dict->size.strings),
                                 (uint32_t)(store_random(random) % 5), (uint32_t)store_random(random)};
        frame.line %= 1000;
        assert_int_equal(vg_dict_put_frame(dict, &frame, &id), VG_OK);
        size_t depth = store_random(random) % 40;
        for (size_t j = 0; j < depth; j++)
            frames[j] = (uint32_t)(store_random(random) % dict->size.frames);
        assert_int_equal(vg_dict_put_stack(dict, frames, depth, &id), VG_OK);
        for (size_t j = 0; j < depth; j++) {
            assert_int_equal(dict->node_frame[id], frames[j]);
            id = dict->node_parent[id];
        }
        assert_int_equal(id, 0);
        struct vg_profile_label labels[2] = {{frame.name, frame.file, 0}, {frame.name, 0, (int64_t)*random}};
        assert_int_equal(vg_dict_put_labels(dict, labels, store_random(random) % 3, &id), VG_OK);
    }
}

static void assert_same_dict(const struct vg_dict *a, const struct vg_dict *b)
{
    const struct vg_dict_size *size = &a->size;
    assert_memory_equal(size, &b->size, sizeof *size);
    assert_memory_equal(a->text, b->text, size->text_bytes);
    assert_memory_equal(a->string_end, b->string_end, size->strings * sizeof *a->string_end);
    assert_memory_equal(a->frames, b->frames, size->frames * sizeof *a->frames);
    assert_memory_equal(a->node_parent, b->node_parent, size->nodes * sizeof *a->node_parent);
    assert_memory_equal(a->node_frame, b->node_frame, size->nodes * sizeof *a->node_frame);
    assert_memory_equal(a->label_set_end, b->label_set_end, size->label_sets * sizeof *a->label_set_end);
    assert_memory_equal(a->labels, b->labels, size->labels * sizeof *a->labels);
}

static void test_a_dictionary_comes_back_chunk_by_chunk(void **state)
{
    (void)state;
    struct vg_coder coder;
    struct vg_dict dict, read;
    struct vg_buf chunk;
    uint64_t random = 9;
    vg_coder_init(&coder, NULL);
    vg_buf_init(&chunk, SIZE_MAX, NULL);
    assert_int_equal(vg_dict_init(&dict, NULL), VG_OK);
    assert_int_equal(vg_dict_index(&dict), VG_OK);
    assert_int_equal(vg_dict_init(&read, NULL), VG_OK);
    struct vg_dict_size from = dict.size;
    for (size_t round = 0; round < 12; round++) {
        grow(&dict, &random, round * 20);
        vg_buf_reset(&chunk);
        vg_dict_encode(&dict, &from, &coder, &chunk);
        assert_int_equal(vg_dict_decode(&read, &coder, blob_of(&chunk)),
                         VG_OK); /* repeats what is there, or not */
        assert_same_dict(&dict, &read);
        if (round % 3 == 2)
            from = dict.size;
    }
    struct vg_dict copy; /* read, it can be written to again, and agrees */
    assert_int_equal(vg_dict_copy(&read, &read.size, &copy), VG_OK);
    assert_int_equal(vg_dict_index(&copy), VG_OK);
    uint64_t same = random;
    grow(&dict, &random, 50);
    grow(&copy, &same, 50);
    assert_same_dict(&dict, &copy);
    vg_dict_release(&copy);
    vg_dict_release(&read);
    vg_dict_release(&dict);
    vg_buf_release(&chunk);
    vg_coder_release(&coder);
}

static void test_a_gap_between_chunks_is_seen(void **state)
{
    (void)state;
    struct vg_coder coder;
    struct vg_dict dict, read;
    struct vg_buf chunk;
    uint64_t random = 9;
    vg_coder_init(&coder, NULL);
    vg_buf_init(&chunk, SIZE_MAX, NULL);
    assert_int_equal(vg_dict_init(&dict, NULL), VG_OK);
    assert_int_equal(vg_dict_index(&dict), VG_OK);
    assert_int_equal(vg_dict_init(&read, NULL), VG_OK);
    grow(&dict, &random, 10);
    struct vg_dict_size from = dict.size;
    grow(&dict, &random, 10);
    vg_dict_encode(&dict, &from, &coder, &chunk);
    assert_int_equal(vg_dict_decode(&read, &coder, blob_of(&chunk)), VG_ERR_MALFORMED);
    vg_dict_release(&read);
    vg_dict_release(&dict);
    vg_buf_release(&chunk);
    vg_coder_release(&coder);
}

/* ---- any bytes, with a seal that is right ---- */

static void reseal(struct vg_buf *buf)
{
    buf->len -= 4;
    vg_blob_seal(buf);
}

static void damage(const struct vg_buf *whole, struct vg_buf *out, uint64_t *random)
{
    vg_buf_reset(out);
    vg_buf_append(out, whole->data, whole->len);
    for (size_t i = store_random(random) % 4 + 1; i-- > 0;)
        out->data[store_random(random) % (out->len - 4)] = (char)store_random(random);
    if (store_random(random) % 4 == 0)
        out->len -= store_random(random) % (out->len - 8);
    reseal(out);
}

static void read_damaged(const struct vg_dict *dict, struct vg_slice chunk, struct vg_slice rows,
                         struct vg_slice events, struct vg_coder *coder)
{
    struct vg_dict read;
    struct vg_rows_part part;
    struct vg_profile_type types[10] = {0};
    struct vg_profile profile = {.types = types, .n_types = 10};
    assert_int_equal(vg_dict_init(&read, NULL), VG_OK);
    enum vg_err err = vg_dict_decode(&read, coder, chunk);
    assert_true(err == VG_OK || err == VG_ERR_MALFORMED);
    vg_dict_release(&read);
    vg_rows_part_init(&part, NULL);
    err = vg_rows_read(rows, dict, 4, true, coder, &part);
    assert_true(err == VG_OK || err == VG_ERR_MALFORMED);
    for (size_t i = 0; i < part.n; i++)
        assert_true(part.nodes[i] < dict->size.nodes && part.label_sets[i] < dict->size.label_sets);
    vg_rows_part_release(&part);
    vg_arena_init(&profile.arena, SIZE_MAX, NULL);
    err = vg_rebuild(&profile, dict, rows, events, coder);
    assert_true(err == VG_OK || err == VG_ERR_MALFORMED);
    if (!err) { /* then it is one that can be walked */
        struct vg_buf text;
        vg_buf_init(&text, SIZE_MAX, NULL);
        store_describe_profile(&profile, &text);
        vg_buf_release(&text);
    }
    vg_arena_release(&profile.arena);
}

/* What a profile's rows name, in a dictionary, as the writer does it. */
static void fill_dict(struct vg_dict *dict, const struct vg_profile *profile, uint32_t *nodes, uint32_t *sets)
{
    uint32_t *frames = calloc(profile->n_frames, sizeof *frames), *stack = calloc(4096, sizeof *stack);
    for (size_t i = 0; i < profile->n_frames; i++) {
        struct vg_frame frame = profile->frames[i];
        assert_int_equal(vg_dict_put_string(dict, profile->strings[frame.name], &frame.name), VG_OK);
        assert_int_equal(vg_dict_put_string(dict, profile->strings[frame.file], &frame.file), VG_OK);
        assert_int_equal(vg_dict_put_frame(dict, &frame, &frames[i]), VG_OK);
    }
    for (size_t i = 0; i < profile->n_stacks; i++) {
        size_t n = profile->stack_start[i + 1] - profile->stack_start[i];
        assert_true(n <= 4096);
        for (size_t j = 0; j < n; j++)
            stack[j] = frames[profile->stack_frames[profile->stack_start[i] + j]];
        assert_int_equal(vg_dict_put_stack(dict, stack, n, &nodes[i]), VG_OK);
    }
    for (uint32_t i = 0; i < profile->n_label_sets; i++)
        assert_int_equal(vg_dict_copy_labels(dict, profile, i, &sets[i]), VG_OK);
    free(frames);
    free(stack);
}

static void test_sealed_nonsense_is_refused_or_read(void **state)
{
    (void)state;
    struct store_program program;
    struct vg_coder coder;
    struct vg_dict dict;
    struct vg_buf chunk, rows, events, bad_chunk, bad_rows, bad_events;
    struct vg_buf *all[] = {&chunk, &rows, &events, &bad_chunk, &bad_rows, &bad_events};
    uint64_t random = 5;
    store_program_init(&program, "web", 1, 500, 20);
    struct store_wish wish = {.seed = 3, .end_ns = 1000, .n_rows = 60, .n_events = 80, .n_types = 10};
    struct vg_profile *profile = store_make(&program, &wish);
    uint32_t *nodes = calloc(profile->n_stacks, sizeof *nodes),
             *sets = calloc(profile->n_label_sets, sizeof *sets);
    for (size_t i = 0; i < 6; i++)
        vg_buf_init(all[i], SIZE_MAX, NULL);
    vg_coder_init(&coder, NULL);
    assert_int_equal(vg_dict_init(&dict, NULL), VG_OK);
    assert_int_equal(vg_dict_index(&dict), VG_OK);
    struct vg_dict_size from = dict.size;
    fill_dict(&dict, profile, nodes, sets);
    vg_dict_encode(&dict, &from, &coder, &chunk);
    struct vg_rows_map map = {nodes, sets};
    vg_rows_encode(profile, &map, &coder, &rows, &events);
    read_damaged(&dict, blob_of(&chunk), blob_of(&rows), blob_of(&events), &coder);
    for (int i = 0; i < 20000; i++) {
        damage(&chunk, &bad_chunk, &random);
        damage(&rows, &bad_rows, &random);
        damage(&events, &bad_events, &random);
        bool is_rows = i % 2;
        read_damaged(&dict, vg_buf_as_slice(&bad_chunk), vg_buf_as_slice(is_rows ? &bad_rows : &rows),
                     vg_buf_as_slice(is_rows ? &events : &bad_events), &coder);
    }
    for (size_t i = 0; i < 6; i++)
        vg_buf_release(all[i]);
    free(nodes);
    free(sets);
    vg_dict_release(&dict);
    vg_coder_release(&coder);
    vg_profile_free(profile);
    store_program_release(&program);
}

/* ---- metadata ---- */

static void test_metadata_comes_back_and_nonsense_does_not(void **state)
{
    (void)state;
    struct vg_tag tags[] = {{VG_SLICE_LIT("env"), VG_SLICE_LIT("")},
                            {VG_SLICE_LIT("service"), VG_SLICE_LIT("w\xc3\xa9"
                                                                   "b")}};
    struct vg_profile_type types[] = {{VG_SLICE_LIT("cpu-time"), VG_SLICE_LIT("nanoseconds"), -5},
                                      {VG_SLICE_LIT("heap-space"), VG_SLICE_LIT("bytes"), INT64_MAX}};
    struct vg_tag *got_tags;
    struct vg_profile_type *got_types;
    size_t n_tags, n_types;
    struct vg_coder coder;
    struct vg_buf out, bad;
    struct vg_arena arena;
    uint64_t random = 1;
    vg_coder_init(&coder, NULL);
    vg_buf_init(&out, SIZE_MAX, NULL);
    vg_buf_init(&bad, SIZE_MAX, NULL);
    vg_arena_init(&arena, SIZE_MAX, NULL);
    vg_types_encode(types, 2, &out);
    assert_int_equal(vg_types_decode(blob_of(&out), &arena, &got_types, &n_types), VG_OK);
    assert_int_equal(n_types, 2);
    vg_buf_reset(&out);
    vg_totals_encode(types, 2, &coder, &out);
    assert_int_equal(vg_totals_decode(blob_of(&out), &coder, got_types, 2), VG_OK);
    assert_true(got_types[0].total == -5 && got_types[1].total == INT64_MAX);
    assert_true(vg_slice_equal_text(got_types[1].unit, "bytes"));
    vg_buf_reset(&out);
    vg_tags_encode(tags, 2, &out);
    assert_int_equal(vg_tags_decode(blob_of(&out), &arena, &got_tags, &n_tags), VG_OK);
    assert_int_equal(n_tags, 2);
    assert_true(vg_slice_equal(got_tags[1].value, tags[1].value) && got_tags[0].value.len == 0);
    for (int i = 0; i < 5000; i++) {
        damage(&out, &bad, &random);
        enum vg_err err = vg_tags_decode(vg_buf_as_slice(&bad), &arena, &got_tags, &n_tags);
        assert_true(err == VG_OK || err == VG_ERR_MALFORMED);
        err = vg_types_decode(vg_buf_as_slice(&bad), &arena, &got_types, &n_types);
        assert_true(err == VG_OK || err == VG_ERR_MALFORMED);
    }
    vg_arena_release(&arena);
    vg_buf_release(&out);
    vg_buf_release(&bad);
    vg_coder_release(&coder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_of_every_mode_come_back),
        cmocka_unit_test(test_what_does_not_fit_is_malformed),
        cmocka_unit_test(test_promises_are_not_believed),
        cmocka_unit_test(test_a_dictionary_comes_back_chunk_by_chunk),
        cmocka_unit_test(test_a_gap_between_chunks_is_seen),
        cmocka_unit_test(test_sealed_nonsense_is_refused_or_read),
        cmocka_unit_test(test_metadata_comes_back_and_nonsense_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
