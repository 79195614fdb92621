/* Rows and events as blobs: see rows.h. */
#include "vigil/store/rows.h"

#include <stdlib.h>

/* ---- writing ---- */

struct sort_item {
    uint64_t key; /* node << 32 | label set, or the time with its sign flipped */
    uint32_t index;
};

static int compare_items(const void *a, const void *b)
{
    const struct sort_item *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Memory of one encoding, freed together. */
struct encoder {
    const struct vg_profile *profile;
    struct vg_coder *coder;
    struct vg_arena arena;
    struct sort_item *order; /* of rows, then of events */
    uint32_t *place;         /* of a row: where it stands on disk */
    uint32_t *numbers;
    int64_t *values;
};

static enum vg_err encoder_init(struct encoder *encoder, const struct vg_profile *profile,
                                struct vg_coder *coder)
{
    *encoder = (struct encoder){.profile = profile, .coder = coder};
    vg_arena_init(&encoder->arena, SIZE_MAX, coder->alloc);
    if (profile->n_rows > VG_ROWS_MAX || profile->n_events > VG_EVENTS_MAX || profile->n_types > VG_TYPES_MAX)
        return VG_ERR_LIMIT;
    size_t n = profile->n_rows > profile->n_events ? profile->n_rows : profile->n_events;
    encoder->order = vg_arena_new(&encoder->arena, n, sizeof *encoder->order);
    encoder->place = vg_arena_new(&encoder->arena, profile->n_rows, sizeof *encoder->place);
    encoder->numbers = vg_arena_new(&encoder->arena, n, sizeof *encoder->numbers);
    encoder->values = vg_arena_new(&encoder->arena, n, sizeof *encoder->values);
    return encoder->order && encoder->place && encoder->numbers && encoder->values ? VG_OK : VG_ERR_NOMEM;
}

static void encode_rows(struct encoder *encoder, const struct vg_rows_map *map, struct vg_buf *out)
{
    const struct vg_profile *profile = encoder->profile;
    struct sort_item *order = encoder->order;
    size_t n = profile->n_rows;
    for (size_t i = 0; i < n; i++) {
        uint64_t node = map->node[profile->row_stack[i]];
        order[i] = (struct sort_item){node << 32 | map->label_set[profile->row_labels[i]], (uint32_t)i};
    }
    qsort(order, n, sizeof *order, compare_items);
    vg_varint_write(out, n);
    vg_varint_write(out, profile->n_types);
    for (size_t i = 0; i < n; i++) {
        encoder->place[order[i].index] = (uint32_t)i;
        encoder->numbers[i] = (uint32_t)(order[i].key >> 32);
    }
    vg_column_write_u32(encoder->coder, out, VG_COLUMN_RISING, encoder->numbers, n);
    for (size_t i = 0; i < n; i++)
        encoder->numbers[i] = (uint32_t)order[i].key;
    vg_column_write_u32(encoder->coder, out, VG_COLUMN_PLAIN, encoder->numbers, n);
    for (size_t type = 0; type < profile->n_types; type++) {
        for (size_t i = 0; i < n; i++)
            encoder->values[i] = profile->row_values[order[i].index * profile->n_types + type];
        vg_column_write_i64(encoder->coder, out, VG_COLUMN_SIGNED, encoder->values, n);
    }
    vg_blob_seal(out);
}

/* The volatile labels in order of first use, with their strings, as a chunk of a dictionary of their own;
 * numbers[i] becomes the label set of event i. */
static enum vg_err encode_volatile(struct encoder *encoder, struct vg_buf *out)
{
    const struct vg_profile *profile = encoder->profile;
    uint32_t *set_of = vg_arena_new(&encoder->arena, profile->n_label_sets, sizeof *set_of);
    struct vg_dict dict;
    if (!set_of)
        return VG_ERR_NOMEM;
    enum vg_err err = vg_dict_init(&dict, encoder->coder->alloc);
    if (err)
        return err;
    const struct vg_dict_size from = dict.size;
    err = vg_dict_index(&dict);
    for (size_t i = 0; i < profile->n_events && !err; i++) {
        uint32_t set = profile->event_labels[encoder->order[i].index];
        if (set && !set_of[set])
            err = vg_dict_copy_labels(&dict, profile, set, &set_of[set]);
        encoder->numbers[i] = set ? set_of[set] : 0;
    }
    if (!err) {
        struct vg_buf chunk;
        vg_buf_init(&chunk, out->limit, encoder->coder->alloc);
        vg_dict_encode(&dict, &from, encoder->coder, &chunk);
        err = chunk.err;
        vg_varint_write(out, chunk.len);
        vg_buf_slice(out, vg_buf_as_slice(&chunk));
        vg_buf_release(&chunk);
    }
    vg_dict_release(&dict);
    return err == VG_ERR_FULL ? VG_ERR_LIMIT : err;
}

/* Threads sampled by one tick share its length, so differences are often zeros; other values repeat less.
 * Whichever comes out smaller. */
static void write_event_values(struct encoder *encoder, struct vg_buf *out)
{
    size_t n = encoder->profile->n_events, start = out->len;
    vg_column_write_i64(encoder->coder, out, VG_COLUMN_SIGNED, encoder->values, n);
    size_t middle = out->len;
    if (middle - start < 8)
        return;
    vg_column_write_i64(encoder->coder, out, VG_COLUMN_DELTA, encoder->values, n);
    if (out->err)
        return;
    size_t delta_len = out->len - middle;
    if (delta_len < middle - start)
        memmove(out->data + start, out->data + middle, delta_len);
    out->len = delta_len < middle - start ? start + delta_len : middle;
}

static enum vg_err encode_events(struct encoder *encoder, struct vg_buf *out)
{
    const struct vg_profile *profile = encoder->profile;
    struct sort_item *order = encoder->order;
    size_t n = profile->n_events;
    for (size_t i = 0; i < n; i++) /* flipping the sign sorts negative times first */
        order[i] = (struct sort_item){(uint64_t)profile->event_end_ns[i] ^ (uint64_t)1 << 63, (uint32_t)i};
    qsort(order, n, sizeof *order, compare_items);
    vg_varint_write(out, n);
    enum vg_err err = encode_volatile(encoder, out);
    if (err)
        return err;
    vg_column_write_u32(encoder->coder, out, VG_COLUMN_DELTA, encoder->numbers, n);
    for (size_t i = 0; i < n; i++)
        encoder->numbers[i] = encoder->place[profile->event_row[order[i].index]];
    vg_column_write_u32(encoder->coder, out, VG_COLUMN_PLAIN, encoder->numbers, n);
    for (size_t i = 0; i < n; i++) /* modulo 2^64: undone the same way */
        encoder->values[i] =
            (int64_t)((uint64_t)profile->event_end_ns[order[i].index] - (uint64_t)profile->start_ns);
    vg_column_write_i64(encoder->coder, out, VG_COLUMN_DELTA, encoder->values, n);
    for (size_t type = 0; type < profile->n_types; type++) {
        for (size_t i = 0; i < n; i++)
            encoder->values[i] = profile->event_values[order[i].index * profile->n_types + type];
        write_event_values(encoder, out);
    }
    vg_blob_seal(out);
    return VG_OK;
}

void vg_rows_encode(const struct vg_profile *profile, const struct vg_rows_map *map, struct vg_coder *coder,
                    struct vg_buf *rows, struct vg_buf *events)
{
    struct encoder encoder;
    enum vg_err err = encoder_init(&encoder, profile, coder);
    if (!err)
        encode_rows(&encoder, map, rows);
    if (!err && profile->n_events)
        err = encode_events(&encoder, events);
    vg_arena_release(&encoder.arena);
    if (err && !rows->err)
        rows->err = err;
}

/* ---- reading rows ---- */

void vg_rows_part_init(struct vg_rows_part *part, const struct vg_alloc *alloc)
{
    *part = (struct vg_rows_part){.alloc = alloc};
}

void vg_rows_part_release(struct vg_rows_part *part)
{
    vg_alloc_release(part->alloc, part->nodes);
    vg_alloc_release(part->alloc, part->label_sets);
    vg_alloc_release(part->alloc, part->values);
    vg_rows_part_init(part, part->alloc);
}

/* Contents are not kept. */
static enum vg_err part_reserve(struct vg_rows_part *part, size_t n)
{
    if (n <= part->room)
        return VG_OK;
    const struct vg_alloc *alloc = part->alloc;
    vg_rows_part_release(part);
    part->nodes = vg_alloc_zeroed(alloc, n, sizeof *part->nodes);
    part->label_sets = vg_alloc_zeroed(alloc, n, sizeof *part->label_sets);
    part->values = vg_alloc_zeroed(alloc, n, sizeof *part->values);
    if (!part->nodes || !part->label_sets || !part->values)
        return VG_ERR_NOMEM;
    part->room = n;
    return VG_OK;
}

/* Whether all are below a bound; written so that the compiler can do many at once. */
static bool all_below(const uint32_t *numbers, size_t n, size_t bound)
{
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++)
        most = numbers[i] > most ? numbers[i] : most;
    return n == 0 || most < bound;
}

enum vg_err vg_rows_read(struct vg_slice bytes, const struct vg_dict *dict, size_t type, bool wants_labels,
                         struct vg_coder *coder, struct vg_rows_part *part)
{
    struct vg_blob blob;
    enum vg_err err = vg_blob_open(bytes, &blob);
    if (err)
        return err;
    uint64_t n = vg_varint_read(&blob), n_types = vg_varint_read(&blob);
    if (blob.is_bad || n > VG_ROWS_MAX || n_types > VG_TYPES_MAX || type >= n_types)
        return VG_ERR_MALFORMED;
    err = part_reserve(part, (size_t)n + 1);
    if (!err)
        err = vg_column_read_u32(coder, &blob, part->nodes, (size_t)n);
    if (!err && wants_labels)
        err = vg_column_read_u32(coder, &blob, part->label_sets, (size_t)n);
    else if (!err)
        err = vg_column_skip(&blob);
    for (size_t i = 0; i < type && !err; i++)
        err = vg_column_skip(&blob);
    if (!err)
        err = vg_column_read_i64(coder, &blob, part->values, (size_t)n);
    if (!err && (!all_below(part->nodes, (size_t)n, dict->size.nodes) ||
                 (wants_labels && !all_below(part->label_sets, (size_t)n, dict->size.label_sets))))
        err = VG_ERR_MALFORMED;
    if (!err)
        part->n = (size_t)n;
    return err;
}

/* ---- reading events ---- */

static enum vg_err read_volatile(struct vg_blob *blob, struct vg_coder *coder, struct vg_dict *dict)
{
    uint64_t len = vg_varint_read(blob);
    if (blob->is_bad || len > (size_t)(blob->end - blob->at))
        return VG_ERR_MALFORMED;
    struct vg_slice chunk = {(const char *)blob->at, (size_t)len};
    blob->at += len;
    return vg_dict_decode(dict, coder, chunk);
}

static enum vg_err read_event_columns(struct vg_blob *blob, struct vg_coder *coder,
                                      struct vg_profile *profile, int64_t *column)
{
    size_t n = profile->n_events, n_types = profile->n_types;
    enum vg_err err = vg_column_read_u32(coder, blob, profile->event_labels, n);
    if (!err)
        err = vg_column_read_u32(coder, blob, profile->event_row, n);
    if (!err)
        err = vg_column_read_i64(coder, blob, profile->event_end_ns, n);
    for (size_t i = 0; i < n && !err; i++)
        profile->event_end_ns[i] =
            (int64_t)((uint64_t)profile->event_end_ns[i] + (uint64_t)profile->start_ns);
    for (size_t type = 0; type < n_types && !err; type++) {
        err = vg_column_read_i64(coder, blob, column, n);
        for (size_t i = 0; i < n && !err; i++)
            profile->event_values[i * n_types + type] = column[i];
    }
    return err;
}

enum vg_err vg_events_read(struct vg_slice bytes, struct vg_coder *coder, struct vg_profile *profile,
                           struct vg_dict *volatile_labels)
{
    struct vg_blob blob;
    enum vg_err err = vg_dict_init(volatile_labels, coder->alloc);
    if (!err)
        err = vg_blob_open(bytes, &blob);
    if (err)
        return err;
    uint64_t n = vg_varint_read(&blob);
    if (blob.is_bad || n > VG_EVENTS_MAX)
        return VG_ERR_MALFORMED;
    err = read_volatile(&blob, coder, volatile_labels);
    if (err)
        return err;
    struct vg_arena *arena = &profile->arena;
    profile->event_row = vg_arena_new(arena, n, sizeof *profile->event_row);
    profile->event_labels = vg_arena_new(arena, n, sizeof *profile->event_labels);
    profile->event_end_ns = vg_arena_new(arena, n, sizeof *profile->event_end_ns);
    profile->event_values = vg_arena_new(arena, n * profile->n_types, sizeof *profile->event_values);
    int64_t *column = vg_arena_new(arena, n, sizeof *column);
    if (!profile->event_row || !profile->event_labels || !profile->event_end_ns || !profile->event_values ||
        !column)
        return VG_ERR_NOMEM;
    profile->n_events = (size_t)n;
    err = read_event_columns(&blob, coder, profile, column);
    if (!err && (!all_below(profile->event_row, (size_t)n, profile->n_rows) ||
                 !all_below(profile->event_labels, (size_t)n, volatile_labels->size.label_sets)))
        err = VG_ERR_MALFORMED;
    return err;
}
