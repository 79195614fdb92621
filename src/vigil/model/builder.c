#include "vigil/model/builder.h"

#include "vigil/model/builder_parts.h"
#include "vigil/model/text.h"

/* Which columns of the pprof become types of the profile. */
struct columns {
    uint32_t from[VG_BUILDER_MAX_TYPES];
    size_t n;
};

/* Rows and events, growing. */
struct rows {
    struct vg_index index;
    struct vg_list stack, labels, values;                           /* of rows */
    struct vg_list event_row, event_labels, event_end, event_value; /* of events */
};

/* The process's secret, so that nobody can prepare names that collide. */
static uint64_t secret(void)
{
    struct vg_map map;

    vg_map_init(&map, 1, NULL);
    return map.seed;
}

struct vg_list vg_builder_list(struct vg_builder *b, size_t item_size)
{
    return (struct vg_list){.arena = &b->scratch, .item_size = item_size};
}

struct string_key {
    const struct vg_slice *strings;
    struct vg_slice sought;
};

static bool is_same_string(const void *ctx, uint32_t id)
{
    const struct string_key *key = ctx;

    return vg_slice_equal(key->strings[id], key->sought);
}

enum vg_err vg_builder_string(struct vg_builder *b, struct vg_slice text, uint32_t *id)
{
    struct vg_slice clean;
    bool is_new;
    enum vg_err err = vg_text_clean(text, VG_PROFILE_NAME_BYTES, &b->text, &clean);

    if (err)
        return err;
    struct string_key key = {b->strings.items, clean};
    err = vg_index_put(&b->string_index, vg_hash_bytes(clean.data, clean.len, b->seed), is_same_string, &key,
                       id, &is_new);
    if (err || !is_new)
        return err;
    struct vg_slice *place = vg_list_add(&b->strings, 1);
    if (!place)
        return vg_arena_refusal(&b->scratch, b->strings.cap * 2 * sizeof *place);
    err = vg_arena_copy(&b->profile->arena, clean, place);
    return err == VG_ERR_FULL ? VG_ERR_LIMIT : err;
}

static enum vg_err pick_types(struct vg_builder *b, struct columns *columns, const char **why)
{
    const struct vg_pprof *pprof = b->pprof;
    struct vg_profile *profile = b->profile;
    uint64_t seen[VG_BUILDER_MAX_TYPES] = {0}; /* all bits of all values: 0 where every value is 0 */

    if (pprof->n_types > VG_BUILDER_MAX_TYPES)
        return VG_ERR_LIMIT;
    for (size_t i = 0; i < pprof->n_samples; i++)
        for (size_t t = 0; t < pprof->n_types; t++)
            seen[t] |= (uint64_t)pprof->values[pprof->samples[i].first_value + t];
    profile->types = vg_arena_new(&profile->arena, pprof->n_types, sizeof *profile->types);
    if (!profile->types)
        return vg_arena_refusal(&profile->arena, pprof->n_types * sizeof *profile->types);
    columns->n = 0;
    for (size_t t = 0; t < pprof->n_types; t++) {
        uint32_t name, unit;
        if (!seen[t])
            continue;
        enum vg_err err = vg_builder_string(b, pprof->types[t].name, &name);
        if (!err)
            err = vg_builder_string(b, pprof->types[t].unit, &unit);
        if (err)
            return err;
        struct vg_profile_type type = {.name = ((struct vg_slice *)b->strings.items)[name],
                                       .unit = ((struct vg_slice *)b->strings.items)[unit]};
        for (size_t i = 0; i < columns->n; i++)
            if (vg_slice_equal(profile->types[i].name, type.name)) {
                *why = "two value types have the same name";
                return VG_ERR_MALFORMED;
            }
        profile->types[columns->n] = type;
        columns->from[columns->n++] = (uint32_t)t;
    }
    profile->n_types = columns->n;
    return VG_OK;
}

static int64_t add_saturating(int64_t a, int64_t b)
{
    int64_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return a < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

struct row_key {
    const struct rows *rows;
    uint32_t stack, labels;
};

static bool is_same_row(const void *ctx, uint32_t id)
{
    const struct row_key *key = ctx;

    return ((const uint32_t *)key->rows->stack.items)[id] == key->stack &&
           ((const uint32_t *)key->rows->labels.items)[id] == key->labels;
}

static enum vg_err put_row(struct vg_builder *b, struct rows *rows, uint32_t stack, uint32_t labels,
                           uint32_t *row)
{
    struct row_key key = {rows, stack, labels};
    bool is_new;
    uint64_t hash = vg_hash_u64(((uint64_t)stack << 32 | labels) ^ b->seed);
    enum vg_err err = vg_index_put(&rows->index, hash, is_same_row, &key, row, &is_new);

    if (err || !is_new)
        return err;
    uint32_t *stack_place = vg_list_add(&rows->stack, 1);
    uint32_t *labels_place = vg_list_add(&rows->labels, 1);
    if (!stack_place || !labels_place || !vg_list_add(&rows->values, b->profile->n_types))
        return vg_arena_refusal(&b->scratch, rows->values.cap * 2 * sizeof(int64_t));
    *stack_place = stack;
    *labels_place = labels;
    return VG_OK;
}

static enum vg_err put_event(struct vg_builder *b, struct rows *rows, uint32_t row,
                             const struct vg_sample_labels *labels, const int64_t *values)
{
    uint32_t *row_place = vg_list_add(&rows->event_row, 1);
    uint32_t *labels_place = vg_list_add(&rows->event_labels, 1);
    int64_t *end_place = vg_list_add(&rows->event_end, 1);
    int64_t *values_place = vg_list_add(&rows->event_value, b->profile->n_types);

    if (!row_place || !labels_place || !end_place || !values_place)
        return vg_arena_refusal(&b->scratch, rows->event_value.cap * 2 * sizeof(int64_t));
    *row_place = row;
    *labels_place = labels->fleeting;
    *end_place = labels->end_ns;
    memcpy(values_place, values, b->profile->n_types * sizeof *values);
    return VG_OK;
}

static enum vg_err put_sample(struct vg_builder *b, const struct columns *columns, struct rows *rows,
                              const struct vg_pprof_read_sample *sample)
{
    const int64_t *all = b->pprof->values + sample->first_value;
    int64_t values[VG_BUILDER_MAX_TYPES];
    struct vg_sample_labels labels;
    uint32_t stack, row;
    bool is_zero = true;

    for (size_t t = 0; t < columns->n; t++) {
        values[t] = all[columns->from[t]];
        is_zero &= values[t] == 0;
    }
    if (is_zero)
        return VG_OK;
    enum vg_err err = vg_builder_stack(b, sample, &stack);
    if (!err)
        err = vg_builder_labels(b, sample, &labels);
    if (!err)
        err = put_row(b, rows, stack, labels.stable, &row);
    if (err)
        return err;
    int64_t *sums = (int64_t *)rows->values.items + row * columns->n;
    for (size_t t = 0; t < columns->n; t++) {
        sums[t] = add_saturating(sums[t], values[t]);
        b->profile->types[t].total = add_saturating(b->profile->types[t].total, values[t]);
    }
    return labels.end_ns ? put_event(b, rows, row, &labels, values) : VG_OK;
}

/* The finished list, in the profile's own arena and not a byte longer. */
static void *settle(struct vg_builder *b, const struct vg_list *list)
{
    void *items = vg_arena_new(&b->profile->arena, list->count, list->item_size);

    if (items && list->count)
        memcpy(items, list->items, list->count * list->item_size);
    return items;
}

static enum vg_err settle_all(struct vg_builder *b, struct rows *rows)
{
    struct vg_profile *p = b->profile;

    p->n_strings = b->strings.count;
    p->n_frames = b->frames.count;
    p->n_stacks = b->stack_index.count;
    p->n_label_sets = b->set_index.count;
    p->n_rows = rows->stack.count;
    p->n_events = rows->event_row.count;
    bool ok =
        (p->strings = settle(b, &b->strings)) && (p->frames = settle(b, &b->frames)) &&
        (p->stack_start = settle(b, &b->stack_start)) && (p->stack_frames = settle(b, &b->stack_frames)) &&
        (p->labels_start = settle(b, &b->labels_start)) && (p->labels = settle(b, &b->labels)) &&
        (p->row_stack = settle(b, &rows->stack)) && (p->row_labels = settle(b, &rows->labels)) &&
        (p->row_values = settle(b, &rows->values)) && (p->event_row = settle(b, &rows->event_row)) &&
        (p->event_labels = settle(b, &rows->event_labels)) &&
        (p->event_end_ns = settle(b, &rows->event_end)) && (p->event_values = settle(b, &rows->event_value));
    /* The largest column decides: with room for it there was room, only no memory. */
    return ok ? VG_OK : vg_arena_refusal(&p->arena, rows->event_value.count * sizeof(int64_t));
}

static enum vg_err build(struct vg_builder *b, const char **why)
{
    const struct vg_profile_source *source = b->source;
    struct rows rows = {.index.arena = &b->scratch,
                        .stack = vg_builder_list(b, sizeof(uint32_t)),
                        .labels = vg_builder_list(b, sizeof(uint32_t)),
                        .values = vg_builder_list(b, sizeof(int64_t)),
                        .event_row = vg_builder_list(b, sizeof(uint32_t)),
                        .event_labels = vg_builder_list(b, sizeof(uint32_t)),
                        .event_end = vg_builder_list(b, sizeof(int64_t)),
                        .event_value = vg_builder_list(b, sizeof(int64_t))};
    struct columns columns = {.n = 0};
    uint32_t empty;
    enum vg_err err = vg_builder_tags(b);

    if (!err)
        err = vg_builder_string(b, VG_SLICE_LIT(""), &empty); /* id 0 */
    if (!err)
        err = vg_builder_start_stacks(b);
    if (!err)
        err = vg_builder_start_labels(b);
    if (!err)
        err = pick_types(b, &columns, why);
    for (size_t i = 0; i < b->pprof->n_samples && !err; i++)
        err = put_sample(b, &columns, &rows, &b->pprof->samples[i]);
    if (!err && source->internal.len <= VG_PROFILE_INTERNAL_BYTES)
        err = vg_arena_copy(&b->profile->arena, source->internal, &b->profile->internal);
    return err ? err : settle_all(b, &rows);
}

enum vg_err vg_profile_build(const struct vg_profile_source *source, struct vg_profile **out,
                             const char **why)
{
    struct vg_profile *profile = vg_alloc_zeroed(source->alloc, 1, sizeof *profile);
    struct vg_builder b = {.source = source, .pprof = source->pprof, .profile = profile};

    if (!profile)
        return VG_ERR_NOMEM;
    vg_arena_init(&profile->arena, VG_PROFILE_LIMIT_BYTES, source->alloc);
    vg_arena_init(&b.scratch, VG_PROFILE_LIMIT_BYTES, source->alloc);
    vg_buf_init(&b.text, VG_PROFILE_NAME_BYTES * 4, source->alloc);
    profile->start_ns = source->start_ns;
    profile->end_ns = source->end_ns;
    profile->received_ns = source->received_ns;
    b.seed = secret();
    b.string_index.arena = &b.scratch;
    b.strings = vg_builder_list(&b, sizeof(struct vg_slice));
    enum vg_err err = build(&b, why);
    vg_buf_release(&b.text);
    vg_arena_release(&b.scratch);
    if (err) {
        vg_profile_free(profile);
        return err;
    }
    *out = profile;
    return VG_OK;
}
