/* Listing metadata, and one whole profile. Any thread, each with a connection of its own; a WAL gives each
 * its own view, so nobody waits for the writer. */
#include "vigil/store/meta.h"
#include "vigil/store/rebuild.h"
#include "vigil/store/sqlite_sets.h"

#define PROFILE_LIMIT_BYTES ((size_t)1 << 30)

/* ---- list ---- */

/* One block being listed. The parts of a day overlap in time, so all of a day's are listed side by side. */
struct cursor {
    struct vg_block *block;
    struct vg_reader *reader;
    struct vg_sets sets;
    sqlite3_stmt *rows;
    bool has_row;
    int64_t end_ns, start_ns, number; /* of the row it stands on */
};

struct listing {
    struct vg_sqlite_store *store;
    const struct vg_selection *selection;
    vg_store_visit *visit;
    void *ctx;
    struct vg_coder coder;
    struct cursor *cursors; /* of one day */
    size_t n_cursors;
    bool is_over;
};

/* A damaged block ends its own part of the answer, not the answer. */
static enum vg_err survive(struct vg_sqlite_store *store, struct vg_block *block, enum vg_err err)
{
    if (err != VG_ERR_MALFORMED)
        return err;
    vg_block_retire(store, block, true);
    return VG_OK;
}

static enum vg_err cursor_step(struct cursor *cursor)
{
    cursor->has_row = false; /* also where the step fails */
    bool has_row;
    enum vg_err err = vg_sqlite_step(cursor->rows, &has_row);
    if (err)
        return err;
    cursor->has_row = has_row;
    if (has_row) {
        cursor->end_ns = sqlite3_column_int64(cursor->rows, 0);
        cursor->start_ns = sqlite3_column_int64(cursor->rows, 1);
        cursor->number = sqlite3_column_int64(cursor->rows, 2);
    }
    return VG_OK;
}

static enum vg_err cursor_open(struct listing *listing, struct vg_block *block, struct cursor *cursor)
{
    const struct vg_alloc *alloc = listing->store->config.alloc;
    *cursor = (struct cursor){.block = block};
    enum vg_err err = vg_reader_take(listing->store, block, &cursor->reader);
    if (err)
        return err;
    err = vg_sqlite_prepare(
        cursor->reader->db,
        "SELECT end_ns, start_ns, id, received_ns, tags, types, bytes, totals, internal FROM profile"
        " WHERE end_ns >= ?1 AND start_ns < ?2 ORDER BY end_ns DESC, start_ns DESC, id DESC",
        &cursor->rows);
    if (err)
        return err;
    sqlite3_bind_int64(cursor->rows, 1, listing->selection->from_ns);
    sqlite3_bind_int64(cursor->rows, 2, listing->selection->to_ns);
    err = vg_sets_init(&cursor->sets, cursor->reader, listing->selection, NULL, alloc);
    return err ? err : cursor_step(cursor);
}

static void cursor_close(struct vg_sqlite_store *store, struct cursor *cursor)
{
    sqlite3_finalize(cursor->rows);
    vg_sets_release(&cursor->sets);
    if (cursor->reader)
        vg_reader_give(store, cursor->reader);
}

static enum vg_err visit_row(struct listing *listing, struct cursor *cursor)
{
    const struct vg_tag_set *tags;
    struct vg_type_set *types;
    struct vg_stored_profile stored = {.id = vg_profile_id(cursor->block, cursor->number),
                                       .start_ns = cursor->start_ns,
                                       .end_ns = cursor->end_ns,
                                       .received_ns = sqlite3_column_int64(cursor->rows, 3),
                                       .size_bytes = sqlite3_column_int64(cursor->rows, 6)};
    enum vg_err err = vg_sets_tags(&cursor->sets, sqlite3_column_int64(cursor->rows, 4), &tags);
    if (err || !tags->matches)
        return err;
    err = vg_sets_types(&cursor->sets, sqlite3_column_int64(cursor->rows, 5), &types);
    if (err)
        return err;
    err = vg_totals_decode(vg_sqlite_blob(cursor->rows, 7), &listing->coder, types->types, types->n_types);
    if (!err)
        err = vg_internal_decode(vg_sqlite_blob(cursor->rows, 8), &listing->coder, &stored.internal);
    if (err)
        return err == VG_ERR_MALFORMED ? VG_ERR_NOT_FOUND : err;
    stored.tags = tags->tags;
    stored.n_tags = tags->n_tags;
    stored.types = types->types;
    stored.n_types = types->n_types;
    listing->is_over = !listing->visit(listing->ctx, &stored);
    return VG_OK;
}

static struct cursor *newest(struct listing *listing)
{
    struct cursor *best = NULL;
    for (size_t i = 0; i < listing->n_cursors; i++) {
        struct cursor *cursor = &listing->cursors[i];
        if (cursor->has_row && (!best || cursor->end_ns > best->end_ns ||
                                (cursor->end_ns == best->end_ns && cursor->start_ns > best->start_ns)))
            best = cursor; /* among equals the later part, which stands first */
    }
    return best;
}

static enum vg_err list_day(struct listing *listing, struct vg_block **blocks, size_t n)
{
    enum vg_err err = VG_OK;
    struct cursor *cursor;
    for (listing->n_cursors = 0; listing->n_cursors < n && !err;) {
        cursor = &listing->cursors[listing->n_cursors];
        err = survive(listing->store, blocks[listing->n_cursors],
                      cursor_open(listing, blocks[listing->n_cursors], cursor));
        listing->n_cursors++;
    }
    while (!err && !listing->is_over && (cursor = newest(listing))) {
        err = visit_row(listing, cursor);
        if (err == VG_ERR_NOT_FOUND) {
            vg_store_count_unreadable(listing->store);
            err = VG_OK;
        }
        if (!err)
            err = survive(listing->store, cursor->block, cursor_step(cursor));
    }
    for (size_t i = 0; i < listing->n_cursors; i++)
        cursor_close(listing->store, &listing->cursors[i]);
    return err;
}

enum vg_err vg_sqlite_list(struct vg_store *base, const struct vg_selection *selection, vg_store_visit *visit,
                           void *ctx)
{
    struct vg_sqlite_store *store = (struct vg_sqlite_store *)base;
    struct listing listing = {.store = store, .selection = selection, .visit = visit, .ctx = ctx};
    struct vg_pins pins;
    enum vg_err err = vg_blocks_pin(store, selection->from_ns, selection->to_ns, &pins);
    if (err)
        return err;
    vg_coder_init(&listing.coder, store->config.alloc);
    listing.cursors = vg_alloc_zeroed(store->config.alloc, pins.n + 1, sizeof *listing.cursors);
    err = listing.cursors ? VG_OK : VG_ERR_NOMEM;
    for (size_t i = 0, n; i < pins.n && !err && !listing.is_over; i += n) {
        for (n = 1; i + n < pins.n && pins.blocks[i + n]->day == pins.blocks[i]->day;)
            n++;
        err = list_day(&listing, pins.blocks + i, n);
    }
    vg_alloc_release(store->config.alloc, listing.cursors);
    vg_coder_release(&listing.coder);
    vg_blocks_unpin(store, &pins);
    return err;
}

/* ---- get ---- */

static enum vg_err read_blob(struct vg_reader *reader, const char *sql, int64_t number,
                             struct vg_arena *arena, struct vg_slice *blob)
{
    sqlite3_stmt *statement;
    bool has_row;
    *blob = (struct vg_slice){0};
    enum vg_err err = vg_sqlite_prepare(reader->db, sql, &statement);
    if (err)
        return err;
    sqlite3_bind_int64(statement, 1, number);
    err = vg_sqlite_step(statement, &has_row);
    if (!err && has_row)
        err = vg_arena_copy(arena, vg_sqlite_blob(statement, 0), blob);
    sqlite3_finalize(statement);
    return err;
}

struct getting {
    struct vg_sqlite_store *store;
    struct vg_reader *reader;
    struct vg_coder coder;
    struct vg_profile *profile;
    int64_t number, dict_id;
};

static enum vg_err copy_text(struct vg_arena *arena, struct vg_slice *text)
{
    return vg_arena_copy(arena, *text, text);
}

/* Tags, types and what the profiler says, into the profile's own arena. */
static enum vg_err copy_meta(struct getting *getting, const struct vg_tag_set *tags,
                             const struct vg_type_set *types, struct vg_slice internal)
{
    struct vg_profile *profile = getting->profile;
    struct vg_arena *arena = &profile->arena;
    profile->n_tags = tags->n_tags;
    profile->n_types = types->n_types;
    profile->tags = vg_arena_new(arena, tags->n_tags, sizeof *profile->tags);
    profile->types = vg_arena_new(arena, types->n_types, sizeof *profile->types);
    if (!profile->tags || !profile->types)
        return VG_ERR_NOMEM;
    enum vg_err err = vg_arena_copy(arena, internal, &profile->internal);
    for (size_t i = 0; i < tags->n_tags && !err; i++) {
        profile->tags[i] = tags->tags[i];
        err = copy_text(arena, &profile->tags[i].name);
        if (!err)
            err = copy_text(arena, &profile->tags[i].value);
    }
    for (size_t i = 0; i < types->n_types && !err; i++) {
        profile->types[i] = types->types[i];
        err = copy_text(arena, &profile->types[i].name);
        if (!err)
            err = copy_text(arena, &profile->types[i].unit);
    }
    return err;
}

static enum vg_err get_row(struct getting *getting, struct vg_sets *sets, sqlite3_stmt *row)
{
    struct vg_profile *profile = getting->profile;
    const struct vg_tag_set *tags;
    struct vg_type_set *types;
    struct vg_slice key = vg_sqlite_blob(row, 0), internal = {0};
    if (key.len != sizeof profile->key)
        return VG_ERR_NOT_FOUND;
    memcpy(profile->key, key.data, key.len);
    profile->start_ns = sqlite3_column_int64(row, 1);
    profile->end_ns = sqlite3_column_int64(row, 2);
    profile->received_ns = sqlite3_column_int64(row, 3);
    getting->dict_id = sqlite3_column_int64(row, 4);
    enum vg_err err = vg_sets_tags(sets, sqlite3_column_int64(row, 5), &tags);
    if (!err)
        err = vg_sets_types(sets, sqlite3_column_int64(row, 6), &types);
    if (err)
        return err;
    err = vg_totals_decode(vg_sqlite_blob(row, 7), &getting->coder, types->types, types->n_types);
    if (!err)
        err = vg_internal_decode(vg_sqlite_blob(row, 8), &getting->coder, &internal);
    if (err)
        return err == VG_ERR_MALFORMED ? VG_ERR_NOT_FOUND : err;
    return copy_meta(getting, tags, types, internal);
}

static enum vg_err get_meta(struct getting *getting)
{
    sqlite3_stmt *row;
    struct vg_sets sets;
    bool has_row;
    enum vg_err err =
        vg_sqlite_prepare(getting->reader->db,
                          "SELECT key, start_ns, end_ns, received_ns, dictionary, tags, types, totals,"
                          " internal FROM profile WHERE id = ?1",
                          &row);
    if (err)
        return err;
    sqlite3_bind_int64(row, 1, getting->number);
    err = vg_sqlite_step(row, &has_row);
    if (!err && !has_row)
        err = VG_ERR_NOT_FOUND;
    if (!err)
        err = vg_sets_init(&sets, getting->reader, NULL, NULL, getting->store->config.alloc);
    if (!err) {
        err = get_row(getting, &sets, row);
        vg_sets_release(&sets);
    }
    sqlite3_finalize(row);
    return err;
}

/* Within one transaction, so that the dictionary is as new as the profile. */
static enum vg_err get_profile(struct getting *getting)
{
    struct vg_reader *reader = getting->reader;
    struct vg_arena blobs;
    struct vg_slice rows, events = {0};
    struct vg_cached_dict *dict;
    enum vg_err err = get_meta(getting);
    if (err)
        return err;
    vg_arena_init(&blobs, SIZE_MAX, getting->store->config.alloc);
    err = read_blob(reader, "SELECT body FROM aggregate WHERE id = ?1", getting->number, &blobs, &rows);
    if (!err)
        err = read_blob(reader, "SELECT body FROM timeline WHERE id = ?1", getting->number, &blobs, &events);
    if (!err)
        err = vg_dicts_borrow(getting->store, reader, getting->dict_id, &getting->coder, &dict);
    if (!err) {
        err = vg_rebuild(getting->profile, &dict->dict, rows, events, &getting->coder);
        vg_dicts_return(getting->store, dict);
        if (err == VG_ERR_MALFORMED) {
            vg_store_count_unreadable(getting->store);
            err = VG_ERR_NOT_FOUND;
        }
    }
    vg_arena_release(&blobs);
    return err;
}

static enum vg_err get_from_block(struct vg_sqlite_store *store, struct vg_block *block,
                                  struct getting *getting)
{
    enum vg_err err = vg_reader_take(store, block, &getting->reader);
    if (err)
        return err;
    err = vg_sqlite_exec(getting->reader->db, "BEGIN");
    if (!err) {
        err = get_profile(getting);
        sqlite3_exec(getting->reader->db, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
    }
    vg_reader_give(store, getting->reader);
    if (err == VG_ERR_MALFORMED) {
        vg_block_retire(store, block, true);
        err = VG_ERR_NOT_FOUND;
    }
    return err;
}

enum vg_err vg_sqlite_get(struct vg_store *base, uint64_t id, struct vg_profile **profile)
{
    struct vg_sqlite_store *store = (struct vg_sqlite_store *)base;
    const struct vg_alloc *alloc = store->config.alloc;
    struct vg_pins pins;
    if (id >> 53)
        return VG_ERR_NOT_FOUND;
    struct getting getting = {.store = store, .number = (int64_t)(id & (uint64_t)VG_PROFILE_NUMBER_MAX)};
    enum vg_err err = vg_blocks_pin_day(store, (uint32_t)(id >> 37), &pins);
    if (err)
        return err;
    err = VG_ERR_NOT_FOUND;
    getting.profile = vg_alloc_zeroed(alloc, 1, sizeof *getting.profile); /* as vg_profile_free expects */
    if (getting.profile)
        vg_arena_init(&getting.profile->arena, PROFILE_LIMIT_BYTES, alloc);
    vg_coder_init(&getting.coder, alloc);
    for (size_t i = 0; i < pins.n; i++)
        if (pins.blocks[i]->part == (id >> 29 & 0xff))
            err = getting.profile ? get_from_block(store, pins.blocks[i], &getting) : VG_ERR_NOMEM;
    vg_coder_release(&getting.coder);
    vg_blocks_unpin(store, &pins);
    if (err)
        vg_profile_free(getting.profile);
    else
        *profile = getting.profile;
    return err;
}
