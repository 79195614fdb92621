/* Inside of writing into one block, shared by sqlite_block_writer.c and sqlite_write_dicts.c. The writer's
 * thread. */
#ifndef VG_VIGIL_STORE_SQLITE_BLOCK_WRITER_H
#define VG_VIGIL_STORE_SQLITE_BLOCK_WRITER_H

#include "vigil/store/rows.h"
#include "vigil/store/sqlite.h"

enum vg_statement {
    FIND_KEY,
    FIND_TAGS,
    ADD_TAGS,
    FIND_TYPES,
    ADD_TYPES,
    ADD_PROFILE,
    ADD_ROWS,
    ADD_EVENTS,
    FIND_DICT,
    ADD_DICT,
    SET_DICT,
    SET_CHUNK,
    SET_SUMMARY,
    N_STATEMENTS
};

/* The dictionary that a service's profiles grow now. */
struct vg_write_dict {
    struct vg_slice service; /* owned */
    int64_t id;
    struct vg_dict dict;
    struct vg_dict_size saved;      /* what is on disk */
    struct vg_dict_size chunk_from; /* where the last chunk, still small, begins */
    int64_t chunk;                  /* its number */
    uint64_t last_used;
    TAILQ_ENTRY(vg_write_dict) next;
};

struct vg_block_writer {
    struct vg_sqlite_store *store;
    struct vg_block *block; /* pinned by whoever opened the writer */
    sqlite3 *db;
    sqlite3_stmt *statements[N_STATEMENTS];
    struct vg_block_summary summary, pending; /* committed; with this transaction */
    bool needs_directory_sync;
    TAILQ_HEAD(, vg_write_dict) dicts; /* most recently used first */
    struct vg_buf rows, events, meta;
    uint32_t *map; /* scratch of vg_write_dict_map */
    size_t map_room;
};

sqlite3_stmt *vg_block_writer_statement(struct vg_block_writer *writer, enum vg_statement which);
enum vg_err vg_block_writer_run(sqlite3_stmt *statement) VG_MUST_USE;

/* ---- sqlite_write_dicts.c ---- */

/* Puts what a profile names into its service's dictionary. The map lives until the next call. VG_ERR_LIMIT:
 * the profile alone is more than a dictionary takes. */
enum vg_err vg_write_dict_map(struct vg_block_writer *writer, const struct vg_profile *profile,
                              int64_t *dict_id, struct vg_rows_map *map) VG_MUST_USE;
/* Writes what grew. */
enum vg_err vg_write_dicts_save(struct vg_block_writer *writer) VG_MUST_USE;
/* Forgets the least recently used beyond a bound; only between transactions. */
void vg_write_dicts_trim(struct vg_block_writer *writer);
void vg_write_dicts_release(struct vg_block_writer *writer);

#define VG_HASH_BYTES 16
/* For the disk: it never changes. */
void vg_write_hash(struct vg_slice bytes, unsigned char hash[VG_HASH_BYTES]);

#endif
