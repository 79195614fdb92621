/* Labels of a sample → sets of labels, and the time it ended. */
#include <assert.h>
#include <stdlib.h>

#include "vigil/model/builder_parts.h"

/* A label as the pprof has it: its strings are known by their address, since each string of the table lies
 * once. */
struct raw_label {
    const char *key, *text; /* text NULL: the number */
    int64_t number;
    uint32_t key_len, text_len;
};

/* Compared bytewise. */
static_assert(sizeof(struct raw_label) == 2 * sizeof(char *) + 16, "no padding");
static_assert(sizeof(struct vg_profile_label) == 16, "no padding");

struct raw_set {
    uint32_t first, count; /* into raw_labels */
    uint32_t set;
};

/* The labels of one sample that go into one set. */
struct picked {
    struct raw_label labels[VG_BUILDER_MAX_LABELS];
    size_t n;
};

struct raw_key {
    const struct vg_builder *b;
    const struct picked *picked;
};

static bool is_same_raw(const void *ctx, uint32_t id)
{
    const struct raw_key *key = ctx;
    const struct raw_set *known = (const struct raw_set *)key->b->raw_sets.items + id;
    const struct raw_label *labels = (const struct raw_label *)key->b->raw_labels.items + known->first;

    return known->count == key->picked->n &&
           memcmp(labels, key->picked->labels, known->count * sizeof *labels) == 0;
}

struct set_key {
    const struct vg_builder *b;
    const struct vg_profile_label *labels;
    size_t n;
};

static bool is_same_set(const void *ctx, uint32_t id)
{
    const struct set_key *key = ctx;
    const uint32_t *start = (const uint32_t *)key->b->labels_start.items + id;
    const struct vg_profile_label *labels = (const struct vg_profile_label *)key->b->labels.items + start[0];

    return start[1] - start[0] == key->n && memcmp(labels, key->labels, key->n * sizeof *labels) == 0;
}

static int compare_labels(const void *left, const void *right, void *ctx)
{
    const struct vg_slice *strings = ctx;
    const struct vg_profile_label *a = left, *b = right;

    if (a->key != b->key)
        return vg_slice_compare(strings[a->key], strings[b->key]);
    if (a->text != b->text)
        return vg_slice_compare(strings[a->text], strings[b->text]);
    return (a->number > b->number) - (a->number < b->number);
}

/* Interns, sorts and drops repetitions. */
static enum vg_err resolve(struct vg_builder *b, const struct picked *picked, struct vg_profile_label *labels,
                           size_t *n)
{
    size_t kept = 0;

    for (size_t i = 0; i < picked->n; i++) {
        const struct raw_label *raw = &picked->labels[i];
        struct vg_profile_label label = {.number = raw->text ? 0 : raw->number};
        enum vg_err err = vg_builder_string(b, (struct vg_slice){raw->key, raw->key_len}, &label.key);
        if (!err && raw->text)
            err = vg_builder_string(b, (struct vg_slice){raw->text, raw->text_len}, &label.text);
        if (err)
            return err;
        labels[i] = label;
    }
    qsort_r(labels, picked->n, sizeof *labels, compare_labels, b->strings.items);
    for (size_t i = 0; i < picked->n; i++)
        if (kept == 0 || memcmp(&labels[kept - 1], &labels[i], sizeof *labels) != 0)
            labels[kept++] = labels[i];
    *n = kept;
    return VG_OK;
}

static enum vg_err put_set(struct vg_builder *b, const struct picked *picked, uint32_t *set)
{
    struct vg_profile_label labels[VG_BUILDER_MAX_LABELS];
    struct set_key key = {b, labels, 0};
    bool is_new;
    enum vg_err err = resolve(b, picked, labels, &key.n);

    if (err)
        return err;
    uint64_t hash = vg_hash_bytes(labels, key.n * sizeof *labels, b->seed);
    err = vg_index_put(&b->set_index, hash, is_same_set, &key, set, &is_new);
    if (err || !is_new)
        return err;
    struct vg_profile_label *place = vg_list_add(&b->labels, key.n);
    uint32_t *end = place ? vg_list_add(&b->labels_start, 1) : NULL;
    if (!end)
        return vg_arena_refusal(&b->scratch, b->labels.cap * 2 * sizeof *place);
    if (key.n)
        memcpy(place, labels, key.n * sizeof *labels);
    *end = (uint32_t)b->labels.count;
    return VG_OK;
}

/* A set whose labels were met before, in the same order, costs one hash. */
static enum vg_err put_picked(struct vg_builder *b, const struct picked *picked, uint32_t *set)
{
    struct raw_key key = {b, picked};
    uint64_t hash = vg_hash_bytes(picked->labels, picked->n * sizeof picked->labels[0], b->seed);
    uint32_t id;
    bool is_new;
    enum vg_err err = vg_index_put(&b->raw_index, hash, is_same_raw, &key, &id, &is_new);

    if (err)
        return err;
    if (!is_new) {
        *set = ((struct raw_set *)b->raw_sets.items)[id].set;
        return VG_OK;
    }
    struct raw_set *place = vg_list_add(&b->raw_sets, 1);
    struct raw_label *labels = place ? vg_list_add(&b->raw_labels, picked->n) : NULL;
    if (!labels)
        return vg_arena_refusal(&b->scratch, b->raw_labels.cap * 2 * sizeof *labels);
    if (picked->n)
        memcpy(labels, picked->labels, picked->n * sizeof *labels);
    *place = (struct raw_set){(uint32_t)(b->raw_labels.count - picked->n), (uint32_t)picked->n, 0};
    err = put_set(b, picked, &place->set);
    if (!err)
        *set = place->set;
    return err;
}

static void pick(struct picked *picked, const struct vg_pprof_read_label *label)
{
    picked->labels[picked->n++] = (struct raw_label){.key = label->key.data,
                                                     .text = label->text.data,
                                                     .number = label->text.data ? 0 : label->number,
                                                     .key_len = (uint32_t)label->key.len,
                                                     .text_len = (uint32_t)label->text.len};
}

enum vg_err vg_builder_labels(struct vg_builder *b, const struct vg_pprof_read_sample *sample,
                              struct vg_sample_labels *out)
{
    struct picked stable, fleeting;
    int64_t end_ns = 0;

    stable.n = fleeting.n = 0;
    if (sample->n_labels > VG_BUILDER_MAX_LABELS)
        return VG_ERR_LIMIT;
    for (uint32_t i = 0; i < sample->n_labels; i++) {
        const struct vg_pprof_read_label *label = &b->pprof->labels[sample->first_label + i];
        if (label->key.len == 0 || (label->text.data && label->text.len == 0))
            continue; /* says nothing */
        if (vg_slice_equal(label->key, VG_SLICE_LIT("end_timestamp_ns")))
            end_ns = label->text.data || label->number < 0 ? 0 : label->number;
        else if (vg_slice_equal(label->key, VG_SLICE_LIT("span id")) ||
                 vg_slice_equal(label->key, VG_SLICE_LIT("local root span id")))
            pick(&fleeting, label);
        else
            pick(&stable, label);
    }
    out->end_ns = end_ns;
    enum vg_err err = put_picked(b, &stable, &out->stable);
    return err ? err : put_picked(b, &fleeting, &out->fleeting);
}

/* Set 0 is the empty one, whether a sample has it or not. */
enum vg_err vg_builder_start_labels(struct vg_builder *b)
{
    struct picked none;
    uint32_t set;

    b->raw_index.arena = b->set_index.arena = &b->scratch;
    b->raw_sets = vg_builder_list(b, sizeof(struct raw_set));
    b->raw_labels = vg_builder_list(b, sizeof(struct raw_label));
    b->labels_start = vg_builder_list(b, sizeof(uint32_t));
    b->labels = vg_builder_list(b, sizeof(struct vg_profile_label));
    uint32_t *start = vg_list_add(&b->labels_start, 1);
    none.n = 0;
    if (!start)
        return vg_arena_refusal(&b->scratch, sizeof *start);
    *start = 0;
    return put_picked(b, &none, &set);
}
