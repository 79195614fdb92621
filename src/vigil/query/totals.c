/* Totals: one cell a (group, type), and for levels one a (cell, process), folded into their cells at the end.
 */
#include "vigil/query/totals.h"

#include <stdlib.h>

enum {
    MAX_TYPES = 4096, /* distinct (name, unit); more is not a profile but noise */
    MAX_TYPE_BYTES = 1 << 20,
    MAX_CELLS = 1 << 20,
    MAX_LEVELS = 1 << 22,
    MAX_KEY_BYTES = 1 << 16,
};

struct level {
    double weighted; /* sum of value × weight */
    double weight_ns;
    uint32_t cell;
};

void vg_totals_init(struct vg_totals *totals, const struct vg_alloc *alloc)
{
    *totals = (struct vg_totals){0};
    vg_intern_init(&totals->types, MAX_TYPES, MAX_TYPE_BYTES, alloc);
    vg_levels_init(&totals->processes, alloc);
    vg_map_init(&totals->cell_of, MAX_CELLS, alloc);
    vg_map_init(&totals->level_of, MAX_LEVELS, alloc);
    vg_buf_init(&totals->cells, MAX_CELLS * sizeof(struct vg_total), alloc);
    vg_buf_init(&totals->levels, MAX_LEVELS * sizeof(struct level), alloc);
    vg_buf_init(&totals->key, MAX_KEY_BYTES, alloc);
}

void vg_totals_release(struct vg_totals *totals)
{
    vg_buf_release(&totals->key);
    vg_buf_release(&totals->levels);
    vg_buf_release(&totals->cells);
    vg_map_release(&totals->level_of);
    vg_map_release(&totals->cell_of);
    vg_levels_release(&totals->processes);
    vg_intern_release(&totals->types);
}

static bool is_type(struct vg_slice key, const struct vg_profile_type *type)
{
    return key.len == type->name.len + 1 + type->unit.len &&
           memcmp(key.data, type->name.data, type->name.len) == 0 && key.data[type->name.len] == 0 &&
           (type->unit.len == 0 ||
            memcmp(key.data + type->name.len + 1, type->unit.data, type->unit.len) == 0);
}

static enum vg_err find_type(struct vg_totals *totals, const struct vg_profile_type *type, size_t place,
                             uint32_t *id)
{
    uint32_t *remembered = place < VG_TOTALS_REMEMBERED ? &totals->type_at[place] : NULL;
    if (remembered && *remembered && is_type(vg_intern_get(&totals->types, *remembered - 1), type)) {
        *id = *remembered - 1;
        return VG_OK;
    }
    vg_buf_reset(&totals->key);
    (void)vg_buf_slice(&totals->key, type->name);
    (void)vg_buf_byte(&totals->key, 0);
    (void)vg_buf_slice(&totals->key, type->unit);
    enum vg_err err = totals->key.err;
    if (!err)
        err = vg_intern_put(&totals->types, vg_buf_as_slice(&totals->key), id);
    if (!err && remembered)
        *remembered = *id + 1;
    return err;
}

static enum vg_err find_cell(struct vg_totals *totals, uint32_t group, uint32_t type, uint32_t *cell)
{
    uint64_t *place;
    bool is_new;
    enum vg_err err = vg_map_insert(&totals->cell_of, (uint64_t)group << 32 | type, &place, &is_new);
    if (err)
        return err;
    if (is_new) {
        struct vg_slice key = vg_intern_get(&totals->types, type);
        size_t name_len = strlen(key.data);
        struct vg_total made = {
            group, {key.data, name_len}, {key.data + name_len + 1, key.len - name_len - 1}, 0};
        err = vg_buf_append(&totals->cells, &made, sizeof made);
        if (err)
            return err;
        *place = totals->cells.len / sizeof made - 1;
    }
    *cell = (uint32_t)*place;
    return VG_OK;
}

static enum vg_err add_level(struct vg_totals *totals, uint32_t cell, const struct vg_stored_profile *profile,
                             int64_t value)
{
    uint32_t process;
    uint64_t *place;
    bool is_new;
    enum vg_err err = vg_levels_process(&totals->processes, profile->tags, profile->n_tags, &process);
    if (!err)
        err = vg_map_insert(&totals->level_of, (uint64_t)cell << 32 | process, &place, &is_new);
    if (err)
        return err;
    if (is_new) {
        struct level made = {.cell = cell};
        err = vg_buf_append(&totals->levels, &made, sizeof made);
        if (err)
            return err;
        *place = totals->levels.len / sizeof made - 1;
    }
    struct level *level = (struct level *)(void *)totals->levels.data + *place;
    double weight_ns = (double)vg_level_weight_ns(profile->start_ns, profile->end_ns);
    level->weighted += (double)value * weight_ns;
    level->weight_ns += weight_ns;
    return VG_OK;
}

enum vg_err vg_totals_add(struct vg_totals *totals, uint32_t group, const struct vg_stored_profile *profile)
{
    for (size_t i = 0; i < profile->n_types; i++) {
        const struct vg_profile_type *type = &profile->types[i];
        uint32_t id, cell;
        enum vg_err err = find_type(totals, type, i, &id);
        if (!err)
            err = find_cell(totals, group, id, &cell);
        if (err)
            return err;
        if (vg_level_is(type->name)) {
            err = add_level(totals, cell, profile, type->total);
            if (err)
                return err;
            continue;
        }
        int64_t *total = &((struct vg_total *)(void *)totals->cells.data)[cell].total;
        if (__builtin_add_overflow(*total, type->total, total))
            *total = type->total < 0 ? INT64_MIN : INT64_MAX;
    }
    return VG_OK;
}

static int compare_totals(const void *left, const void *right)
{
    const struct vg_total *a = left, *b = right;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    int order = vg_slice_compare(a->name, b->name);
    return order ? order : vg_slice_compare(a->unit, b->unit);
}

static int64_t round_saturated(double value)
{
    if (value >= 0x1p63)
        return INT64_MAX;
    if (value <= -0x1p63)
        return INT64_MIN;
    return (int64_t)(value < 0 ? value - 0.5 : value + 0.5);
}

void vg_totals_finish(struct vg_totals *totals)
{
    totals->items = (struct vg_total *)(void *)totals->cells.data;
    totals->n = totals->cells.len / sizeof *totals->items;
    const struct level *levels = (const struct level *)(const void *)totals->levels.data;
    size_t n_levels = totals->levels.len / sizeof *levels;
    for (size_t i = 0; i < n_levels; i++) {
        int64_t mean = round_saturated(levels[i].weighted / levels[i].weight_ns);
        int64_t *total = &totals->items[levels[i].cell].total;
        if (__builtin_add_overflow(*total, mean, total))
            *total = mean < 0 ? INT64_MIN : INT64_MAX;
    }
    if (totals->n)
        qsort(totals->items, totals->n, sizeof *totals->items, compare_totals);
}
