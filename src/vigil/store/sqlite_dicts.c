/* Decoded dictionaries, kept for readers within a bound, least recently used out first.
 *
 * A cached dictionary never changes: where the block has more by now, a copy is made and the new chunks are
 * added to that. Being newer than a reader's view does no harm, since ids only ever grow.
 */
#include "vigil/store/sqlite.h"

#include <assert.h>

#define DEFAULT_CACHE_BYTES ((size_t)40 << 20)

static void cached_free(const struct vg_sqlite_store *store, struct vg_cached_dict *cached)
{
    vg_dict_release(&cached->dict);
    vg_alloc_release(store->config.alloc, cached);
}

/* With the lock held. */
static void unlist(struct vg_sqlite_store *store, struct vg_cached_dict *cached)
{
    TAILQ_REMOVE(&store->dicts, cached, by_use);
    vg_map_remove(&cached->block->dicts, (uint64_t)cached->id);
    store->dict_bytes -= cached->bytes;
    cached->is_listed = false;
    if (cached->borrowers == 0)
        cached_free(store, cached);
}

void vg_dicts_forget_block(struct vg_sqlite_store *store, struct vg_block *block)
{
    struct vg_cached_dict *cached, *next;
    for (cached = TAILQ_FIRST(&store->dicts); cached; cached = next) {
        next = TAILQ_NEXT(cached, by_use);
        if (cached->block == block)
            unlist(store, cached);
    }
}

void vg_dicts_return(struct vg_sqlite_store *store, struct vg_cached_dict *cached)
{
    vg_lock_take(&store->lock);
    assert(cached->borrowers > 0);
    bool is_last = --cached->borrowers == 0 && !cached->is_listed;
    vg_lock_give(&store->lock);
    if (is_last)
        cached_free(store, cached);
}

static struct vg_cached_dict *find(const struct vg_block *block, int64_t id)
{
    const uint64_t *at = vg_map_find(&block->dicts, (uint64_t)id);
    return at ? (struct vg_cached_dict *)(uintptr_t)*at : NULL;
}

static struct vg_cached_dict *borrow_listed(struct vg_sqlite_store *store, struct vg_block *block, int64_t id)
{
    vg_lock_take(&store->lock);
    struct vg_cached_dict *cached = find(block, id);
    if (cached) {
        cached->borrowers++;
        TAILQ_REMOVE(&store->dicts, cached, by_use);
        TAILQ_INSERT_TAIL(&store->dicts, cached, by_use);
    }
    vg_lock_give(&store->lock);
    return cached;
}

/* Offers a dictionary to others. Where memory is short, or somebody had a newer one ready first, it stays
 * with its borrower alone. */
static void list(struct vg_sqlite_store *store, struct vg_cached_dict *cached)
{
    size_t limit = store->config.cache_bytes ? store->config.cache_bytes : DEFAULT_CACHE_BYTES;
    vg_lock_take(&store->lock);
    struct vg_cached_dict *other = find(cached->block, cached->id);
    bool is_wanted = cached->bytes <= limit / 2 && !cached->block->is_retired &&
                     (!other || other->dict.size.nodes <= cached->dict.size.nodes);
    if (is_wanted && other)
        unlist(store, other);
    uint64_t *at;
    bool is_new;
    if (is_wanted && vg_map_insert(&cached->block->dicts, (uint64_t)cached->id, &at, &is_new) == VG_OK) {
        *at = (uint64_t)(uintptr_t)cached;
        cached->is_listed = true;
        store->dict_bytes += cached->bytes;
        TAILQ_INSERT_TAIL(&store->dicts, cached, by_use);
        while (store->dict_bytes > limit)
            unlist(store, TAILQ_FIRST(&store->dicts));
    }
    vg_lock_give(&store->lock);
}

/* ---- from the file ---- */

bool vg_dicts_row(sqlite3_stmt *statement, int first, struct vg_dict_size *size, int64_t *n_chunks)
{
    size_t counts[6];
    for (int i = 0; i < 6; i++) {
        int64_t count = sqlite3_column_int64(statement, first + i);
        if (count < 0 || count > (int64_t)VG_DICT_MAX_TEXT_BYTES)
            return false;
        counts[i] = (size_t)count;
    }
    *size = (struct vg_dict_size){counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]};
    *n_chunks = sqlite3_column_int64(statement, first + 6);
    return *n_chunks >= 0 && *n_chunks <= UINT32_MAX;
}

enum vg_err vg_dicts_load(sqlite3 *db, int64_t id, int64_t first_chunk, int64_t n_chunks,
                          struct vg_coder *coder, struct vg_dict *dict)
{
    sqlite3_stmt *statement;
    enum vg_err err =
        vg_sqlite_prepare(db, "SELECT body FROM chunk WHERE id >= ?1 AND id < ?2 ORDER BY id", &statement);
    if (err)
        return err;
    sqlite3_bind_int64(statement, 1, id << 32 | first_chunk);
    sqlite3_bind_int64(statement, 2, id << 32 | n_chunks);
    bool has_row = false;
    while (!(err = vg_sqlite_step(statement, &has_row)) && has_row) {
        err = vg_dict_decode(dict, coder, vg_sqlite_blob(statement, 0));
        if (err)
            break;
    }
    sqlite3_finalize(statement);
    return err;
}

struct dict_row {
    struct vg_dict_size size;
    int64_t n_chunks;
};

static enum vg_err read_row(struct vg_reader *reader, int64_t id, struct dict_row *row)
{
    sqlite3_stmt *statement;
    bool has_row = false;
    enum vg_err err =
        vg_sqlite_prepare(reader->db,
                          "SELECT strings, text_bytes, frames, nodes, label_sets, labels, chunks"
                          " FROM dictionary WHERE id = ?1",
                          &statement);
    if (err)
        return err;
    sqlite3_bind_int64(statement, 1, id);
    err = vg_sqlite_step(statement, &has_row);
    if (!err &&
        (!has_row || id < 1 || id > INT32_MAX || !vg_dicts_row(statement, 0, &row->size, &row->n_chunks)))
        err = VG_ERR_MALFORMED;
    sqlite3_finalize(statement);
    return err;
}

static bool is_as_new(const struct vg_dict_size *have, const struct vg_dict_size *want)
{
    return have->strings >= want->strings && have->frames >= want->frames && have->nodes >= want->nodes &&
           have->label_sets >= want->label_sets;
}

/* From what is cached, if anything, and the chunks from its last one on, which may have grown. */
static enum vg_err make(struct vg_sqlite_store *store, struct vg_reader *reader, int64_t id,
                        const struct dict_row *row, struct vg_coder *coder,
                        const struct vg_cached_dict *older, struct vg_cached_dict **dict)
{
    struct vg_cached_dict *made = vg_alloc_zeroed(store->config.alloc, 1, sizeof *made);
    if (!made)
        return VG_ERR_NOMEM;
    int64_t first_chunk = older && older->n_chunks > 0 ? older->n_chunks - 1 : 0;
    enum vg_err err = older ? vg_dict_copy(&older->dict, &older->dict.size, &made->dict)
                            : vg_dict_init(&made->dict, store->config.alloc);
    if (!err)
        err = vg_dicts_load(reader->db, id, first_chunk, row->n_chunks, coder, &made->dict);
    if (!err && !is_as_new(&made->dict.size, &row->size))
        err = VG_ERR_MALFORMED; /* a chunk is missing */
    if (err) {
        cached_free(store, made);
        return err;
    }
    made->block = reader->block;
    made->id = id;
    made->n_chunks = row->n_chunks;
    made->bytes = vg_dict_bytes(&made->dict) + sizeof *made;
    made->borrowers = 1;
    *dict = made;
    return VG_OK;
}

enum vg_err vg_dicts_borrow(struct vg_sqlite_store *store, struct vg_reader *reader, int64_t id,
                            struct vg_coder *coder, struct vg_cached_dict **dict)
{
    struct dict_row row;
    enum vg_err err = read_row(reader, id, &row);
    if (err)
        return err;
    struct vg_cached_dict *cached = borrow_listed(store, reader->block, id);
    if (cached && is_as_new(&cached->dict.size, &row.size)) {
        *dict = cached;
        return VG_OK;
    }
    struct vg_cached_dict *made = NULL;
    err = make(store, reader, id, &row, coder, cached, &made);
    if (cached)
        vg_dicts_return(store, cached);
    if (err)
        return err;
    list(store, made);
    *dict = made;
    return VG_OK;
}
