/* The merge of one type over many profiles. Any thread.
 *
 * Per block: metadata of the profiles in range, tags matched once per set; then of each profile that matches
 * its column of stacks and its column of the type, added by dense id into one array per dictionary; then each
 * array once into the common table (merger.h). Levels need the length of each process first: one pass over
 * metadata more.
 */
#include "vigil/store/merger.h"
#include "vigil/store/rows.h"
#include "vigil/store/sqlite_sets.h"

/* Sums held before they go into the common table; more dictionaries than fit cost more passes, not more
 * memory. */
#define SUMS_LIMIT_BYTES ((size_t)24 << 20)

/* One dictionary of the block at hand. */
struct part {
    struct vg_cached_dict *cached;
    struct vg_sums sums;
    unsigned char *label_verdicts; /* by label set: 0 not asked, 1 no, 2 yes */
};

struct merge {
    struct vg_sqlite_store *store;
    const struct vg_selection *selection;
    struct vg_slice type;
    bool is_level;
    struct vg_levels levels;
    struct vg_merger merger;
    struct vg_coder coder;
    struct vg_rows_part rows;
    struct vg_merged *merged; /* n_profiles and duration_ns so far */
    char unit[64];
    size_t unit_len;
    int64_t *seen_numbers; /* per pinned block: the last profile of the pass for levels */

    /* The block at hand. */
    struct vg_reader *reader;
    struct vg_sets sets;
    sqlite3_stmt *find_rows;
    struct vg_map part_of; /* dictionary → index in parts */
    struct part *parts;
    size_t n_parts, room_parts, sums_bytes;
};

/* ---- sums per dictionary ---- */

static void part_release(struct merge *merge, struct part *part)
{
    const struct vg_alloc *alloc = merge->store->config.alloc;
    vg_sums_release(&part->sums, alloc);
    vg_alloc_release(alloc, part->label_verdicts);
    vg_dicts_return(merge->store, part->cached);
}

static void drop_parts(struct merge *merge)
{
    for (size_t i = 0; i < merge->n_parts; i++)
        part_release(merge, &merge->parts[i]);
    merge->n_parts = merge->sums_bytes = 0;
    vg_map_reset(&merge->part_of);
}

static enum vg_err flush_parts(struct merge *merge)
{
    enum vg_err err = VG_OK;
    for (size_t i = 0; i < merge->n_parts && !err; i++)
        err = vg_merger_add(&merge->merger, &merge->parts[i].cached->dict, &merge->parts[i].sums);
    drop_parts(merge);
    return err;
}

static enum vg_err add_part(struct merge *merge, int64_t dict_id)
{
    const struct vg_alloc *alloc = merge->store->config.alloc;
    if (merge->n_parts == merge->room_parts) {
        size_t room = merge->room_parts ? merge->room_parts * 2 : 16;
        struct part *wider = vg_alloc_resize(alloc, merge->parts, room * sizeof *wider);
        if (!wider)
            return VG_ERR_NOMEM;
        merge->parts = wider;
        merge->room_parts = room;
    }
    struct part part = {0};
    enum vg_err err = vg_dicts_borrow(merge->store, merge->reader, dict_id, &merge->coder, &part.cached);
    if (err)
        return err;
    const struct vg_dict_size *size = &part.cached->dict.size;
    err = vg_sums_init(&part.sums, merge->is_level, size->nodes, alloc);
    if (!err && merge->selection->narrows_labels) {
        part.label_verdicts = vg_alloc_zeroed(alloc, size->label_sets, 1);
        err = part.label_verdicts ? VG_OK : VG_ERR_NOMEM;
    }
    uint64_t *at;
    bool is_new;
    if (!err)
        err = vg_map_insert(&merge->part_of, (uint64_t)dict_id, &at, &is_new);
    if (err) {
        part_release(merge, &part);
        return err;
    }
    *at = merge->n_parts;
    merge->parts[merge->n_parts++] = part;
    merge->sums_bytes += size->nodes * sizeof(int64_t);
    return VG_OK;
}

static enum vg_err part_for(struct merge *merge, int64_t dict_id, struct part **part)
{
    const uint64_t *at = vg_map_find(&merge->part_of, (uint64_t)dict_id);
    if (!at) {
        enum vg_err err = merge->sums_bytes > SUMS_LIMIT_BYTES ? flush_parts(merge) : VG_OK;
        if (!err)
            err = add_part(merge, dict_id);
        if (err)
            return err;
        *part = &merge->parts[merge->n_parts - 1];
        return VG_OK;
    }
    *part = &merge->parts[*at];
    return VG_OK;
}

/* ---- one profile ---- */

struct hit {
    int64_t number, dict_id, start_ns, end_ns;
    size_t type;
    uint32_t process;
};

/* match_labels takes strings by id: those of the dictionary, as slices. Made for the one set that is asked
 * about. */
static enum vg_err ask_labels(struct merge *merge, struct part *part, uint32_t set, bool *matches)
{
    const struct vg_dict *dict = &part->cached->dict;
    size_t n;
    const struct vg_profile_label *labels = vg_dict_labels(dict, set, &n);
    struct vg_arena arena;
    vg_arena_init(&arena, SIZE_MAX, merge->store->config.alloc);
    struct vg_slice *strings = vg_arena_new(&arena, 2 * n + 1, sizeof *strings);
    struct vg_profile_label *renumbered = vg_arena_new(&arena, n, sizeof *renumbered);
    if (strings && renumbered) {
        strings[0] = (struct vg_slice){"", 0};
        for (uint32_t i = 0; i < n; i++) {
            strings[2 * i + 1] = vg_dict_string(dict, labels[i].key);
            strings[2 * i + 2] = vg_dict_string(dict, labels[i].text);
            renumbered[i] =
                (struct vg_profile_label){2 * i + 1, labels[i].text ? 2 * i + 2 : 0, labels[i].number};
        }
        *matches = merge->selection->match_labels(merge->selection->ctx, strings, renumbered, n);
    }
    vg_arena_release(&arena);
    return strings && renumbered ? VG_OK : VG_ERR_NOMEM;
}

/* Zeroes the values of rows whose labels do not match. */
static enum vg_err narrow(struct merge *merge, struct part *part)
{
    struct vg_rows_part *rows = &merge->rows;
    for (size_t i = 0; i < rows->n; i++) {
        unsigned char *verdict = &part->label_verdicts[rows->label_sets[i]];
        if (*verdict == 0) {
            bool matches = false;
            enum vg_err err = ask_labels(merge, part, rows->label_sets[i], &matches);
            if (err)
                return err;
            *verdict = matches ? 2 : 1;
        }
        if (*verdict == 1)
            rows->values[i] = 0;
    }
    return VG_OK;
}

static void add_rows(const struct vg_rows_part *rows, struct vg_sums *sums, double share)
{
    if (sums->is_level) {
        for (size_t i = 0; i < rows->n; i++)
            sums->level[rows->nodes[i]] += (double)rows->values[i] * share;
    } else {
        for (size_t i = 0; i < rows->n; i++)
            vg_add_clamped(&sums->whole[rows->nodes[i]], rows->values[i]);
    }
}

/* VG_ERR_NOT_FOUND: this profile is damaged. */
static enum vg_err add_profile(struct merge *merge, const struct hit *hit)
{
    struct part *part;
    bool has_row;
    enum vg_err err = part_for(merge, hit->dict_id, &part);
    if (err)
        return err;
    sqlite3_bind_int64(merge->find_rows, 1, hit->number);
    err = vg_sqlite_step(merge->find_rows, &has_row);
    if (!err) {
        err = has_row ? vg_rows_read(vg_sqlite_blob(merge->find_rows, 0), &part->cached->dict, hit->type,
                                     merge->selection->narrows_labels, &merge->coder, &merge->rows)
                      : VG_ERR_NOT_FOUND;
        err = err == VG_ERR_MALFORMED ? VG_ERR_NOT_FOUND : err;
    }
    sqlite3_reset(merge->find_rows);
    if (!err && merge->selection->narrows_labels)
        err = narrow(merge, part);
    if (err)
        return err;
    int64_t weight_ns = vg_level_weight_ns(hit->start_ns, hit->end_ns);
    add_rows(&merge->rows, &part->sums,
             merge->is_level ? vg_levels_share(&merge->levels, hit->process, weight_ns) : 1);
    merge->merged->n_profiles++;
    if (hit->end_ns > hit->start_ns)
        vg_add_clamped(&merge->merged->duration_ns, weight_ns);
    return VG_OK;
}

/* Whether the profile of the statement's row has the type and matches. */
static enum vg_err judge(struct merge *merge, sqlite3_stmt *row, struct hit *hit, bool *is_hit)
{
    const struct vg_tag_set *tags;
    struct vg_type_set *types;
    *is_hit = false;
    enum vg_err err = vg_sets_tags(&merge->sets, sqlite3_column_int64(row, 4), &tags);
    if (err || !tags->matches)
        return err;
    err = vg_sets_types(&merge->sets, sqlite3_column_int64(row, 5), &types);
    if (err)
        return err;
    *hit = (struct hit){.number = sqlite3_column_int64(row, 0),
                        .start_ns = sqlite3_column_int64(row, 1),
                        .end_ns = sqlite3_column_int64(row, 2),
                        .dict_id = sqlite3_column_int64(row, 3),
                        .process = tags->process};
    for (; hit->type < types->n_types; hit->type++)
        if (vg_slice_equal(types->types[hit->type].name, merge->type))
            break;
    *is_hit = hit->type < types->n_types;
    if (*is_hit && merge->unit_len == 0) {
        struct vg_slice unit = types->types[hit->type].unit;
        merge->unit_len = unit.len < sizeof merge->unit ? unit.len : sizeof merge->unit;
        memcpy(merge->unit, unit.data, merge->unit_len);
    }
    return VG_OK;
}

/* ---- one block ---- */

enum pass { MEASURE_PROCESSES, ADD_VALUES };

static enum vg_err each_profile(struct merge *merge, sqlite3_stmt *rows, enum pass pass, int64_t *last_number)
{
    enum vg_err err;
    bool has_row, is_hit;
    struct hit hit;
    while (!(err = vg_sqlite_step(rows, &has_row)) && has_row) {
        err = judge(merge, rows, &hit, &is_hit);
        if (!err && is_hit && pass == MEASURE_PROCESSES) {
            vg_levels_add(&merge->levels, hit.process, vg_level_weight_ns(hit.start_ns, hit.end_ns));
            *last_number = hit.number > *last_number ? hit.number : *last_number;
        } else if (!err && is_hit) {
            err = add_profile(merge, &hit);
        }
        if (err == VG_ERR_NOT_FOUND)
            vg_store_count_unreadable(merge->store);
        else if (err)
            return err;
    }
    return err;
}

static enum vg_err run_pass(struct merge *merge, enum pass pass, int64_t *last_number)
{
    const struct vg_selection *selection = merge->selection;
    sqlite3_stmt *rows = NULL;
    enum vg_err err = vg_sqlite_exec(merge->reader->db, "BEGIN");
    if (err)
        return err;
    err = vg_sqlite_prepare(merge->reader->db,
                            "SELECT id, start_ns, end_ns, dictionary, tags, types FROM profile"
                            " WHERE end_ns >= ?1 AND start_ns < ?2 AND id <= ?3",
                            &rows);
    if (!err)
        err = vg_sqlite_prepare(merge->reader->db, "SELECT body FROM aggregate WHERE id = ?1",
                                &merge->find_rows);
    if (!err)
        err = vg_sets_init(&merge->sets, merge->reader, selection, merge->is_level ? &merge->levels : NULL,
                           merge->store->config.alloc);
    if (!err) {
        sqlite3_bind_int64(rows, 1, selection->from_ns);
        sqlite3_bind_int64(rows, 2, selection->to_ns);
        sqlite3_bind_int64(rows, 3, pass == ADD_VALUES ? *last_number : VG_PROFILE_NUMBER_MAX);
        err = each_profile(merge, rows, pass, last_number);
        vg_sets_release(&merge->sets);
    }
    if (!err)
        err = flush_parts(merge);
    drop_parts(merge);
    sqlite3_finalize(rows);
    sqlite3_finalize(merge->find_rows);
    merge->find_rows = NULL;
    sqlite3_exec(merge->reader->db, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
    return err;
}

/* A damaged block leaves the rest of the answer as it is. What it added before the damage showed may stay. */
static enum vg_err merge_block(struct merge *merge, struct vg_block *block, enum pass pass,
                               int64_t *last_number)
{
    enum vg_err err = vg_reader_take(merge->store, block, &merge->reader);
    if (!err) {
        err = run_pass(merge, pass, last_number);
        vg_reader_give(merge->store, merge->reader);
    }
    if (err != VG_ERR_MALFORMED)
        return err;
    vg_block_retire(merge->store, block, true);
    *last_number = 0;
    return VG_OK;
}

static enum vg_err merge_blocks(struct merge *merge, const struct vg_pins *pins)
{
    enum vg_err err = VG_OK;
    for (size_t i = 0; i < pins->n; i++)
        merge->seen_numbers[i] = merge->is_level ? 0 : VG_PROFILE_NUMBER_MAX;
    for (size_t i = 0; i < pins->n && merge->is_level && !err; i++)
        err = merge_block(merge, pins->blocks[i], MEASURE_PROCESSES, &merge->seen_numbers[i]);
    for (size_t i = 0; i < pins->n && !err; i++)
        if (merge->seen_numbers[i])
            err = merge_block(merge, pins->blocks[i], ADD_VALUES, &merge->seen_numbers[i]);
    return err;
}

static enum vg_err finish(struct merge *merge)
{
    struct vg_merged made;
    enum vg_err err = vg_merger_finish(&merge->merger, &made);
    if (err)
        return err;
    err = vg_arena_copy(&made.arena, (struct vg_slice){merge->unit, merge->unit_len}, &made.unit);
    if (err) {
        vg_merged_release(&made);
        return err;
    }
    made.n_profiles = merge->merged->n_profiles;
    made.duration_ns = merge->merged->duration_ns;
    *merge->merged = made;
    return VG_OK;
}

enum vg_err vg_sqlite_merge(struct vg_store *base, const struct vg_selection *selection, struct vg_slice type,
                            struct vg_merged *merged)
{
    struct vg_sqlite_store *store = (struct vg_sqlite_store *)base;
    const struct vg_alloc *alloc = store->config.alloc;
    struct vg_merged answer = {0};
    struct merge merge = {.store = store, .selection = selection, .type = type, .merged = &answer};
    struct vg_pins pins;
    enum vg_err err = vg_blocks_pin(store, selection->from_ns, selection->to_ns, &pins);
    if (err)
        return err;
    merge.is_level = vg_level_is(type);
    vg_levels_init(&merge.levels, alloc);
    vg_coder_init(&merge.coder, alloc);
    vg_rows_part_init(&merge.rows, alloc);
    vg_map_init(&merge.part_of, SIZE_MAX / 64, alloc);
    merge.seen_numbers = vg_alloc_zeroed(alloc, pins.n + 1, sizeof *merge.seen_numbers);
    err = merge.seen_numbers ? vg_merger_init(&merge.merger, merge.is_level, alloc) : VG_ERR_NOMEM;
    if (!err) {
        err = merge_blocks(&merge, &pins);
        if (!err)
            err = finish(&merge);
        vg_merger_release(&merge.merger);
    }
    vg_alloc_release(alloc, merge.seen_numbers);
    vg_alloc_release(alloc, merge.parts);
    vg_map_release(&merge.part_of);
    vg_rows_part_release(&merge.rows);
    vg_coder_release(&merge.coder);
    vg_levels_release(&merge.levels);
    vg_blocks_unpin(store, &pins);
    if (!err)
        *merged = answer;
    return err;
}
