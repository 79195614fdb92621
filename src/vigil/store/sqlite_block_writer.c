/* Writing into one block: a connection, its statements, and the dictionaries that grow in it. The writer's
 * thread.
 *
 * Everything of a group goes into one transaction. After an error other than that of a single profile the
 * writer is closed: what it holds in memory may be ahead of what was rolled back on disk.
 */
#include "vigil/store/sqlite_block_writer.h"

#include "vigil/store/meta.h"
#include "vigil/store/rows.h"

/* Per group, what a blob may take; a profile's events are the largest. */
#define BLOB_LIMIT_BYTES ((size_t)256 << 20)

static const char *const statements[N_STATEMENTS] = {
    [FIND_KEY] = "SELECT 1 FROM profile WHERE key = ?1",
    [FIND_TAGS] = "SELECT id FROM tag_set WHERE hash = ?1",
    [ADD_TAGS] = "INSERT INTO tag_set(hash, body) VALUES(?1, ?2)",
    [FIND_TYPES] = "SELECT id FROM type_set WHERE hash = ?1",
    [ADD_TYPES] = "INSERT INTO type_set(hash, body) VALUES(?1, ?2)",
    [ADD_PROFILE] = "INSERT INTO profile VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [ADD_ROWS] = "INSERT INTO aggregate VALUES(?1, ?2)",
    [ADD_EVENTS] = "INSERT INTO timeline VALUES(?1, ?2)",
    [FIND_DICT] = "SELECT id, strings, text_bytes, frames, nodes, label_sets, labels, chunks FROM dictionary"
                  " WHERE service = ?1 ORDER BY id DESC LIMIT 1",
    [ADD_DICT] = "INSERT INTO dictionary VALUES(NULL, ?1, 1, 0, 0, 1, 1, 0, 0)",
    [SET_DICT] =
        "UPDATE dictionary SET strings = ?2, text_bytes = ?3, frames = ?4, nodes = ?5, label_sets = ?6,"
        " labels = ?7, chunks = ?8 WHERE id = ?1",
    [SET_CHUNK] = "INSERT OR REPLACE INTO chunk VALUES(?1, ?2)",
    [SET_SUMMARY] =
        "UPDATE summary SET profiles = ?1, min_start_ns = ?2, max_end_ns = ?3, newest_received_ns = ?4"
        " WHERE one = 1",
};

sqlite3_stmt *vg_block_writer_statement(struct vg_block_writer *writer, enum vg_statement which)
{
    sqlite3_stmt *statement = writer->statements[which];
    sqlite3_reset(statement); /* its error was seen at its step */
    sqlite3_clear_bindings(statement);
    return statement;
}

/* A statement that gives no row. */
enum vg_err vg_block_writer_run(sqlite3_stmt *statement)
{
    bool has_row;
    enum vg_err err = vg_sqlite_step(statement, &has_row);
    sqlite3_reset(statement);
    return err;
}

enum vg_err vg_block_writer_open(struct vg_sqlite_store *store, struct vg_block *block,
                                 struct vg_block_writer **writer)
{
    struct vg_block_writer *made = vg_alloc_zeroed(store->config.alloc, 1, sizeof *made);
    if (!made)
        return VG_ERR_NOMEM;
    made->store = store;
    made->block = block;
    made->needs_directory_sync = true; /* opening makes a WAL */
    TAILQ_INIT(&made->dicts);
    vg_buf_init(&made->rows, BLOB_LIMIT_BYTES, store->config.alloc);
    vg_buf_init(&made->events, BLOB_LIMIT_BYTES, store->config.alloc);
    vg_buf_init(&made->meta, BLOB_LIMIT_BYTES, store->config.alloc);
    enum vg_err err = vg_block_file_open(store, block->name, true, &made->db);
    for (int i = 0; i < N_STATEMENTS && !err; i++)
        err = vg_sqlite_prepare(made->db, statements[i], &made->statements[i]);
    if (!err)
        err = vg_block_file_summary(made->db, &made->summary);
    if (err)
        vg_block_writer_close(made);
    else
        *writer = made;
    return err;
}

/* The WAL is moved into the file where it can be; where it cannot, it stays, and nothing is lost. */
void vg_block_writer_close(struct vg_block_writer *writer)
{
    const struct vg_alloc *alloc = writer->store->config.alloc;
    for (int i = 0; i < N_STATEMENTS; i++)
        sqlite3_finalize(writer->statements[i]);
    if (writer->db) {
        if (!sqlite3_get_autocommit(writer->db))
            sqlite3_exec(writer->db, "ROLLBACK", NULL, NULL, NULL); /* else closing does it */
        sqlite3_busy_timeout(writer->db, 0);                        /* no waiting for readers */
        sqlite3_wal_checkpoint_v2(writer->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        sqlite3_close(writer->db);
    }
    vg_write_dicts_release(writer);
    vg_buf_release(&writer->rows);
    vg_buf_release(&writer->events);
    vg_buf_release(&writer->meta);
    vg_alloc_release(alloc, writer);
}

enum vg_err vg_block_writer_begin(struct vg_block_writer *writer)
{
    writer->pending = writer->summary;
    return vg_sqlite_exec(writer->db, "BEGIN IMMEDIATE");
}

enum vg_err vg_block_writer_commit(struct vg_block_writer *writer)
{
    const struct vg_block_summary *pending = &writer->pending;
    enum vg_err err = sqlite3_get_autocommit(writer->db) ? VG_ERR_IO : vg_write_dicts_save(writer);
    if (err)
        return err;
    sqlite3_stmt *statement = vg_block_writer_statement(writer, SET_SUMMARY);
    sqlite3_bind_int64(statement, 1, (int64_t)pending->profiles);
    sqlite3_bind_int64(statement, 2, pending->min_start_ns);
    sqlite3_bind_int64(statement, 3, pending->max_end_ns);
    sqlite3_bind_int64(statement, 4, pending->newest_received_ns);
    err = vg_block_writer_run(statement);
    if (!err)
        err = vg_sqlite_exec(writer->db, "COMMIT");
    if (!err && writer->needs_directory_sync)
        err = vg_directory_sync(writer->store);
    if (err)
        return err;
    writer->needs_directory_sync = false;
    writer->summary = *pending;
    vg_write_dicts_trim(writer);
    return VG_OK;
}

/* ---- one profile ---- */

static enum vg_err has_key(struct vg_block_writer *writer, const struct vg_profile *profile, bool *has)
{
    sqlite3_stmt *statement = vg_block_writer_statement(writer, FIND_KEY);
    vg_sqlite_bind_blob(statement, 1, (struct vg_slice){(const char *)profile->key, sizeof profile->key});
    enum vg_err err = vg_sqlite_step(statement, has);
    sqlite3_reset(statement);
    return err;
}

/* The id of what writer->meta holds, found by its hash or added. */
static enum vg_err share(struct vg_block_writer *writer, enum vg_statement find, enum vg_statement add,
                         int64_t *id)
{
    unsigned char hash[VG_HASH_BYTES];
    struct vg_slice body = vg_buf_as_slice(&writer->meta), hash_slice = {(char *)hash, sizeof hash};
    vg_write_hash(body, hash);
    sqlite3_stmt *statement = vg_block_writer_statement(writer, find);
    vg_sqlite_bind_blob(statement, 1, hash_slice);
    bool has = false;
    enum vg_err err = vg_sqlite_step(statement, &has);
    if (has)
        *id = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    if (err || has)
        return err;
    statement = vg_block_writer_statement(writer, add);
    vg_sqlite_bind_blob(statement, 1, hash_slice);
    vg_sqlite_bind_blob(statement, 2, body);
    err = vg_block_writer_run(statement);
    if (!err)
        *id = sqlite3_last_insert_rowid(writer->db);
    return err;
}

static enum vg_err add_blob(struct vg_block_writer *writer, enum vg_statement which, int64_t id,
                            struct vg_slice body)
{
    sqlite3_stmt *statement = vg_block_writer_statement(writer, which);
    sqlite3_bind_int64(statement, 1, id);
    vg_sqlite_bind_blob(statement, 2, body);
    return vg_block_writer_run(statement);
}

static enum vg_err add_profile(struct vg_block_writer *writer, const struct vg_profile *profile, int64_t id,
                               const int64_t ids[3])
{
    vg_buf_reset(&writer->meta);
    vg_totals_encode(profile->types, profile->n_types, &writer->store->coder, &writer->meta);
    size_t totals_len = writer->meta.len;
    struct vg_buf internal;
    vg_buf_init(&internal, BLOB_LIMIT_BYTES, writer->store->config.alloc);
    vg_internal_encode(profile->internal, &writer->store->coder, &internal);
    enum vg_err err = writer->meta.err ? writer->meta.err : internal.err;
    if (!err) {
        sqlite3_stmt *statement = vg_block_writer_statement(writer, ADD_PROFILE);
        sqlite3_bind_int64(statement, 1, id);
        vg_sqlite_bind_blob(statement, 2, (struct vg_slice){(const char *)profile->key, sizeof profile->key});
        sqlite3_bind_int64(statement, 3, profile->start_ns);
        sqlite3_bind_int64(statement, 4, profile->end_ns);
        sqlite3_bind_int64(statement, 5, profile->received_ns);
        for (int i = 0; i < 3; i++)
            sqlite3_bind_int64(statement, 6 + i, ids[i]);
        sqlite3_bind_int64(statement, 9,
                           (int64_t)(writer->rows.len + writer->events.len + totals_len + internal.len));
        vg_sqlite_bind_blob(statement, 10, vg_buf_as_slice(&writer->meta));
        vg_sqlite_bind_blob(statement, 11, vg_buf_as_slice(&internal));
        err = vg_block_writer_run(statement);
    }
    vg_buf_release(&internal);
    return err;
}

static void widen_summary(struct vg_block_summary *summary, const struct vg_profile *profile)
{
    if (profile->start_ns < summary->min_start_ns)
        summary->min_start_ns = profile->start_ns;
    if (profile->end_ns > summary->max_end_ns)
        summary->max_end_ns = profile->end_ns;
    if (profile->received_ns > summary->newest_received_ns)
        summary->newest_received_ns = profile->received_ns;
}

/* All that can fail because of the profile itself, before anything of it is in the transaction. */
static enum vg_err encode(struct vg_block_writer *writer, const struct vg_profile *profile, int64_t *dict_id)
{
    vg_buf_reset(&writer->rows);
    vg_buf_reset(&writer->events);
    if (profile->n_types > VG_TYPES_MAX || profile->n_tags > VG_TAGS_MAX ||
        profile->internal.len > VG_INTERNAL_MAX_BYTES)
        return VG_ERR_LIMIT;
    struct vg_rows_map map;
    enum vg_err err = vg_write_dict_map(writer, profile, dict_id, &map);
    if (err)
        return err;
    vg_rows_encode(profile, &map, &writer->store->coder, &writer->rows, &writer->events);
    return writer->rows.err ? writer->rows.err : writer->events.err;
}

enum vg_err vg_block_writer_put(struct vg_block_writer *writer, const struct vg_profile *profile,
                                enum vg_put_result *result, bool *is_own)
{
    bool is_known = false;
    *is_own = false;
    enum vg_err err = has_key(writer, profile, &is_known);
    if (err || is_known) {
        *result = VG_PUT_DUPLICATE;
        return err;
    }
    int64_t ids[3], id = (int64_t)writer->pending.profiles + 1;
    err = encode(writer, profile, &ids[0]);
    if (err) {
        /* Some errors of SQLite end the transaction behind our back; those are everybody's. */
        *is_own = (err == VG_ERR_LIMIT || err == VG_ERR_NOMEM) && !sqlite3_get_autocommit(writer->db);
        return err;
    }
    vg_buf_reset(&writer->meta);
    vg_tags_encode(profile->tags, profile->n_tags, &writer->meta);
    err = writer->meta.err ? writer->meta.err : share(writer, FIND_TAGS, ADD_TAGS, &ids[1]);
    if (err)
        return err;
    vg_buf_reset(&writer->meta);
    vg_types_encode(profile->types, profile->n_types, &writer->meta);
    err = writer->meta.err ? writer->meta.err : share(writer, FIND_TYPES, ADD_TYPES, &ids[2]);
    if (!err)
        err = add_profile(writer, profile, id, ids);
    if (!err)
        err = add_blob(writer, ADD_ROWS, id, vg_buf_as_slice(&writer->rows));
    if (!err && writer->events.len)
        err = add_blob(writer, ADD_EVENTS, id, vg_buf_as_slice(&writer->events));
    if (err)
        return err;
    writer->pending.profiles++;
    widen_summary(&writer->pending, profile);
    *result = VG_PUT_STORED;
    return VG_OK;
}
