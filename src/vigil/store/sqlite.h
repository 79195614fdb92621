/* The SQLite store's inside, shared by its sqlite_*.c files. On disk: docs/internals/store.md.
 *
 *   sqlite_file.c    one block file: making it, opening it, errors of SQLite as ours
 *   sqlite_blocks.c  the directory: which blocks there are, who reads them, setting aside
 *   sqlite_sweep.c   retention and the bound on disk space
 *   sqlite_dicts.c   decoded dictionaries kept for readers
 *   sqlite_block_writer.c, sqlite_write.c  committing a group
 *   sqlite_read.c    list, get
 *   sqlite_merge.c   merge
 *
 * Threads: the writer's thread alone writes. Readers pin blocks, and borrow connections and dictionaries; all
 * of that is guarded by `lock`, which is never held while the disk works.
 */
#ifndef VG_VIGIL_STORE_SQLITE_H
#define VG_VIGIL_STORE_SQLITE_H

#include <sqlite3.h>
#include <sys/queue.h>

#include "base/lock.h"
#include "base/map.h"
#include "vigil/store/dict.h"
#include "vigil/store/store_ops.h"
#include "vigil/store/writer.h"

#define VG_STORE_FORMAT         1
#define VG_STORE_APPLICATION_ID 0x56676c31 /* "Vgl1" */
#define VG_BLOCK_NS             (INT64_C(86400) * VG_NS_PER_S)
#define VG_BLOCK_PARTS_MAX      256u
#define VG_BLOCK_NAME_SIZE      32

/* ---- blocks ---- */

/* Kept in the block's file and, for speed, here. */
struct vg_block_summary {
    uint64_t profiles;
    int64_t min_start_ns, max_end_ns, newest_received_ns;
};

/* One day's profiles by their end, or a part of them: where a day outgrows the size of a file it goes on in
 * the next part. */
struct vg_block {
    uint32_t day, part; /* days since 1970 */
    char name[VG_BLOCK_NAME_SIZE];
    /* Guarded by the store's lock. */
    struct vg_block_summary summary;
    int64_t file_bytes;
    unsigned pins;                        /* who uses it, the writer included */
    bool is_retired, is_corrupt;          /* gone for new readers; files go when the last pin does */
    SLIST_HEAD(, vg_reader) idle_readers; /* open connections nobody uses */
    struct vg_map dicts;                  /* id → struct vg_cached_dict * */
};

/* A connection of one reading thread at a time. */
struct vg_reader {
    struct vg_block *block;
    sqlite3 *db;
    SLIST_ENTRY(vg_reader) next;
};

struct vg_cached_dict {
    struct vg_dict dict;
    struct vg_block *block;
    int64_t id;
    int64_t n_chunks;
    size_t bytes;
    unsigned borrowers;
    bool is_listed; /* else it goes when the last borrower does */
    TAILQ_ENTRY(vg_cached_dict) by_use;
};

struct vg_block_writer;
#define VG_OPEN_WRITERS 2 /* around midnight, and for senders that are late */

struct vg_sqlite_store {
    struct vg_store base;
    struct vg_store_config config; /* directory is owned */
    int directory_fd, lock_fd;
    int64_t part_bytes; /* a block's file goes on in a new part beyond this */

    struct vg_lock lock;
    struct vg_block **blocks; /* by (day, part), ascending */
    size_t n_blocks, room_blocks;
    size_t n_idle_readers;
    TAILQ_HEAD(vg_dict_list, vg_cached_dict) dicts; /* least recently used first */
    size_t dict_bytes;
    struct vg_store_stats stats; /* what is counted since the start */

    struct vg_writer writer;
    /* The writer's thread only. */
    struct vg_block_writer *open_writers[VG_OPEN_WRITERS];
    struct vg_coder coder;
    bool is_over_disk_bound;
};

/* ---- sqlite_file.c ---- */

/* VG_ERR_FULL: no room on the disk. VG_ERR_MALFORMED: the file is damaged. */
enum vg_err vg_sqlite_err(int code) VG_MUST_USE;
enum vg_err vg_sqlite_exec(sqlite3 *db, const char *sql) VG_MUST_USE;
enum vg_err vg_sqlite_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement) VG_MUST_USE;
enum vg_err vg_sqlite_step(sqlite3_stmt *statement, bool *has_row) VG_MUST_USE;
struct vg_slice vg_sqlite_blob(sqlite3_stmt *statement, int column);
void vg_sqlite_bind_blob(sqlite3_stmt *statement, int index, struct vg_slice bytes);

void vg_block_name(uint32_t day, uint32_t part, char name[VG_BLOCK_NAME_SIZE]);
bool vg_block_name_parse(const char *name, uint32_t *day, uint32_t *part);
/* Makes the file, whole and synced, under its final name. */
enum vg_err vg_block_file_make(struct vg_sqlite_store *store, const char *name) VG_MUST_USE;
enum vg_err vg_block_file_open(struct vg_sqlite_store *store, const char *name, bool for_writing,
                               sqlite3 **db) VG_MUST_USE;
/* Looks at the head alone. *format is the file's; VG_ERR_MALFORMED where it is not ours. */
enum vg_err vg_block_file_check(struct vg_sqlite_store *store, const char *name,
                                uint32_t *format) VG_MUST_USE;
enum vg_err vg_block_file_summary(sqlite3 *db, struct vg_block_summary *summary) VG_MUST_USE;
int64_t vg_block_file_bytes(struct vg_sqlite_store *store, const char *name);
void vg_block_file_delete(struct vg_sqlite_store *store, const char *name);
void vg_block_file_set_aside(struct vg_sqlite_store *store, const char *name);
enum vg_err vg_directory_sync(struct vg_sqlite_store *store) VG_MUST_USE;
/* Whether there is no room for a MiB more. */
bool vg_disk_is_full(struct vg_sqlite_store *store);

/* ---- sqlite_blocks.c ---- */

/* Finds the blocks of the directory; sets aside the damaged. */
enum vg_err vg_blocks_scan(struct vg_sqlite_store *store, char why[256]) VG_MUST_USE;
void vg_blocks_release(struct vg_sqlite_store *store);
uint32_t vg_block_day(int64_t end_ns);
/* Finds or makes the block that takes new profiles of that day, pinned. */
enum vg_err vg_blocks_for_day(struct vg_sqlite_store *store, uint32_t day,
                              struct vg_block **block) VG_MUST_USE;

struct vg_pins {
    struct vg_block **blocks; /* latest first */
    size_t n;
};
/* The blocks that may have something of [from, to). */
enum vg_err vg_blocks_pin(struct vg_sqlite_store *store, int64_t from_ns, int64_t to_ns,
                          struct vg_pins *pins) VG_MUST_USE;
/* All parts of a day. */
enum vg_err vg_blocks_pin_day(struct vg_sqlite_store *store, uint32_t day, struct vg_pins *pins) VG_MUST_USE;
void vg_blocks_unpin(struct vg_sqlite_store *store, struct vg_pins *pins);
void vg_block_unpin(struct vg_sqlite_store *store, struct vg_block *block);
/* No new reader gets it; its files are deleted, or set aside where they are corrupt, when the last pin goes.
 */
void vg_block_retire(struct vg_sqlite_store *store, struct vg_block *block, bool is_corrupt);

enum vg_err vg_reader_take(struct vg_sqlite_store *store, struct vg_block *block,
                           struct vg_reader **reader) VG_MUST_USE;
void vg_reader_give(struct vg_sqlite_store *store, struct vg_reader *reader);
void vg_store_notice(struct vg_sqlite_store *store, const char *format, ...) VG_PRINTF(2, 3);
void vg_store_count_unreadable(struct vg_sqlite_store *store);

static inline uint64_t vg_profile_id(const struct vg_block *block, int64_t number)
{
    return (uint64_t)block->day << 37 | (uint64_t)block->part << 29 | (uint64_t)number;
}
#define VG_PROFILE_NUMBER_MAX ((INT64_C(1) << 29) - 1)

/* ---- sqlite_sweep.c: the writer's thread ---- */

void vg_sweep(struct vg_sqlite_store *store);

/* ---- sqlite_dicts.c ---- */

/* At least as new as the reader's view. VG_ERR_MALFORMED: the block is damaged. */
enum vg_err vg_dicts_borrow(struct vg_sqlite_store *store, struct vg_reader *reader, int64_t id,
                            struct vg_coder *coder, struct vg_cached_dict **dict) VG_MUST_USE;
void vg_dicts_return(struct vg_sqlite_store *store, struct vg_cached_dict *dict);
/* Forgets a block's; nobody borrows them any more. With the lock held. */
void vg_dicts_forget_block(struct vg_sqlite_store *store, struct vg_block *block);
/* Reads the row of a dictionary (columns from `first` on: the six sizes and the number of chunks) and its
 * chunks. */
enum vg_err vg_dicts_load(sqlite3 *db, int64_t id, int64_t first_chunk, int64_t n_chunks,
                          struct vg_coder *coder, struct vg_dict *dict) VG_MUST_USE;
/* The six sizes and the number of chunks, from column `first` on; false: out of bounds. */
bool vg_dicts_row(sqlite3_stmt *statement, int first, struct vg_dict_size *size, int64_t *n_chunks);

/* ---- sqlite_block_writer.c: the writer's thread ---- */

enum vg_err vg_block_writer_open(struct vg_sqlite_store *store, struct vg_block *block,
                                 struct vg_block_writer **writer) VG_MUST_USE;
void vg_block_writer_close(struct vg_block_writer *writer);
struct vg_block *vg_block_writer_block(const struct vg_block_writer *writer);
enum vg_err vg_block_writer_begin(struct vg_block_writer *writer) VG_MUST_USE;
/* *is_own: the error is this profile's alone, and the group may go on. */
enum vg_err vg_block_writer_put(struct vg_block_writer *writer, const struct vg_profile *profile,
                                enum vg_put_result *result, bool *is_own) VG_MUST_USE;
/* Durable on return. After any error but that of one profile: close it. */
enum vg_err vg_block_writer_commit(struct vg_block_writer *writer) VG_MUST_USE;

/* ---- sqlite_write.c ---- */

void vg_sqlite_commit(void *ctx, struct vg_write *writes, size_t n);
void vg_sqlite_close_writers(struct vg_sqlite_store *store);
void vg_sqlite_close_writer_of(struct vg_sqlite_store *store, const struct vg_block *block);

/* ---- sqlite_read.c, sqlite_merge.c ---- */

enum vg_err vg_sqlite_list(struct vg_store *base, const struct vg_selection *selection, vg_store_visit *visit,
                           void *ctx) VG_MUST_USE;
enum vg_err vg_sqlite_get(struct vg_store *base, uint64_t id, struct vg_profile **profile) VG_MUST_USE;
enum vg_err vg_sqlite_merge(struct vg_store *base, const struct vg_selection *selection, struct vg_slice type,
                            struct vg_merged *merged) VG_MUST_USE;

#endif
