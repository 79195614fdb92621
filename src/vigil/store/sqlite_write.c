/* Committing a group: by block, one transaction each. The writer's thread.
 *
 * A block is the only truth about its profiles: there is no second file to agree with, so a crash at any
 * moment leaves each transaction whole or absent. Who was answered was in one that is whole; who was not
 * sends again and is known by the key.
 */
#include "vigil/store/sqlite_block_writer.h"

static void close_slot(struct vg_sqlite_store *store, size_t slot)
{
    struct vg_block_writer *writer = store->open_writers[slot];
    if (!writer)
        return;
    struct vg_block *block = writer->block;
    memmove(store->open_writers + slot, store->open_writers + slot + 1,
            (VG_OPEN_WRITERS - slot - 1) * sizeof *store->open_writers);
    store->open_writers[VG_OPEN_WRITERS - 1] = NULL;
    vg_block_writer_close(writer);
    vg_lock_take(&store->lock);
    block->file_bytes = vg_block_file_bytes(store, block->name);
    vg_lock_give(&store->lock);
    vg_block_unpin(store, block);
}

void vg_sqlite_close_writers(struct vg_sqlite_store *store)
{
    while (store->open_writers[0])
        close_slot(store, 0);
}

void vg_sqlite_close_writer_of(struct vg_sqlite_store *store, const struct vg_block *block)
{
    for (size_t i = 0; i < VG_OPEN_WRITERS; i++)
        if (store->open_writers[i] && store->open_writers[i]->block == block)
            close_slot(store, i);
}

/* The open writers stand in order of use, the latest first. */
static void push_front(struct vg_sqlite_store *store, struct vg_block_writer *writer)
{
    if (store->open_writers[VG_OPEN_WRITERS - 1])
        close_slot(store, VG_OPEN_WRITERS - 1);
    memmove(store->open_writers + 1, store->open_writers,
            (VG_OPEN_WRITERS - 1) * sizeof *store->open_writers);
    store->open_writers[0] = writer;
}

static enum vg_err writer_for(struct vg_sqlite_store *store, uint32_t day, struct vg_block_writer **writer)
{
    struct vg_block *block;
    enum vg_err err = vg_blocks_for_day(store, day, &block);
    if (err)
        return err;
    for (size_t i = 0; i < VG_OPEN_WRITERS && store->open_writers[i]; i++) {
        struct vg_block_writer *open = store->open_writers[i];
        if (open->block == block) {
            memmove(store->open_writers + 1, store->open_writers, i * sizeof *store->open_writers);
            store->open_writers[0] = *writer = open;
            vg_block_unpin(store, block); /* the writer has its own pin */
            return VG_OK;
        }
    }
    struct vg_block_writer *made;
    err = vg_block_writer_open(store, block, &made);
    if (err == VG_ERR_MALFORMED)
        vg_block_retire(store, block, true);
    if (err) {
        vg_block_unpin(store, block);
        return err;
    }
    push_front(store, made);
    *writer = made;
    return VG_OK;
}

/* Whether an earlier part of the day has the key. A day has one part unless it is very large. */
static enum vg_err find_in_earlier_parts(struct vg_sqlite_store *store, const struct vg_block *current,
                                         const struct vg_profile *profile, bool *has)
{
    struct vg_pins pins;
    *has = false;
    if (current->part == 0)
        return VG_OK;
    enum vg_err err = vg_blocks_pin_day(store, current->day, &pins);
    for (size_t i = 0; i < pins.n && !err && !*has; i++) {
        struct vg_reader *reader;
        sqlite3_stmt *statement;
        if (pins.blocks[i] == current)
            continue;
        err = vg_reader_take(store, pins.blocks[i], &reader);
        if (err)
            break;
        err = vg_sqlite_prepare(reader->db, "SELECT 1 FROM profile WHERE key = ?1", &statement);
        if (!err) {
            vg_sqlite_bind_blob(statement, 1,
                                (struct vg_slice){(const char *)profile->key, sizeof profile->key});
            err = vg_sqlite_step(statement, has);
            sqlite3_finalize(statement);
        }
        vg_reader_give(store, reader);
        if (err == VG_ERR_MALFORMED) { /* that part is lost; the new profile is not */
            vg_block_retire(store, pins.blocks[i], true);
            err = VG_OK;
        }
    }
    vg_blocks_unpin(store, &pins);
    return err;
}

static enum vg_err put_all(struct vg_sqlite_store *store, struct vg_block_writer *writer,
                           struct vg_write **writes, size_t n)
{
    enum vg_err err = vg_block_writer_begin(writer);
    for (size_t i = 0; i < n && !err; i++) {
        struct vg_write *write = writes[i];
        bool is_known = false, is_own = false;
        write->err = VG_OK;
        err = find_in_earlier_parts(store, writer->block, write->profile, &is_known);
        if (!err && is_known)
            write->result = VG_PUT_DUPLICATE;
        else if (!err)
            err = vg_block_writer_put(writer, write->profile, &write->result, &is_own);
        if (is_own) {
            write->err = err;
            err = VG_OK;
        }
    }
    return err ? err : vg_block_writer_commit(writer);
}

static void publish(struct vg_sqlite_store *store, const struct vg_block_writer *writer)
{
    struct vg_block *block = writer->block;
    int64_t file_bytes = vg_block_file_bytes(store, block->name);
    vg_lock_take(&store->lock);
    block->summary = writer->summary;
    block->file_bytes = file_bytes;
    store->stats.commits++;
    vg_lock_give(&store->lock);
}

/* One transaction. VG_ERR_MALFORMED: the block turned out to be damaged and is set aside. */
static enum vg_err commit_once(struct vg_sqlite_store *store, uint32_t day, struct vg_write **writes,
                               size_t n)
{
    struct vg_block_writer *writer;
    enum vg_err err = writer_for(store, day, &writer);
    if (err)
        return err;
    err = put_all(store, writer, writes, n);
    if (!err) {
        publish(store, writer);
        return VG_OK;
    }
    if (err == VG_ERR_MALFORMED)
        vg_block_retire(store, writer->block, true);
    vg_sqlite_close_writer_of(store, writer->block);
    return err;
}

static void commit_day(struct vg_sqlite_store *store, uint32_t day, struct vg_write **writes, size_t n)
{
    enum vg_err err = store->is_over_disk_bound ? VG_ERR_FULL : commit_once(store, day, writes, n);
    if (err == VG_ERR_MALFORMED) /* into a new part: what is damaged must not stop what is new */
        err = commit_once(store, day, writes, n);
    if (err == VG_ERR_MALFORMED || err == VG_ERR_LIMIT)
        err = VG_ERR_IO;
    if (err == VG_ERR_IO && vg_disk_is_full(store))
        err = VG_ERR_FULL;
    if (err)
        vg_store_notice(store, "%zu profiles could not be stored: %s", n,
                        store->is_over_disk_bound ? "the bound on disk space is reached"
                        : err == VG_ERR_FULL      ? "the disk is full"
                                                  : vg_err_name(err));
    uint64_t duplicates = 0, refused = 0;
    for (size_t i = 0; i < n; i++) {
        if (err)
            writes[i]->err = err;
        refused += writes[i]->err != VG_OK;
        duplicates += writes[i]->err == VG_OK && writes[i]->result == VG_PUT_DUPLICATE;
    }
    vg_lock_take(&store->lock);
    store->stats.duplicates += duplicates;
    store->stats.refused += refused;
    vg_lock_give(&store->lock);
}

/* Of one transaction. */
#define GROUP_MAX 256

void vg_sqlite_commit(void *ctx, struct vg_write *writes, size_t n)
{
    struct vg_sqlite_store *store = ctx;
    struct vg_write *same_day[GROUP_MAX];
    size_t done = 0;
    for (size_t i = 0; i < n; i++)
        writes[i].err = VG_ERR_CANCELLED; /* not looked at yet */
    while (done < n) {
        size_t n_same = 0;
        uint32_t day = 0;
        for (size_t i = 0; i < n && n_same < GROUP_MAX; i++) {
            uint32_t its_day = vg_block_day(writes[i].profile->end_ns);
            if (writes[i].err != VG_ERR_CANCELLED || (n_same && its_day != day))
                continue;
            day = its_day;
            same_day[n_same++] = &writes[i];
        }
        commit_day(store, day, same_day, n_same);
        vg_sweep(store);
        done += n_same;
    }
}
