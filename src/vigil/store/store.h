/* The store, for its users. Implementations: store_sqlite.c, store_memory.c (tests), later
 * store_clickhouse.c; each ends in one const struct of functions (store_ops.h, for implementers only).
 *
 * Writing is asynchronous: profiles queue for the writer, which commits them in groups; `done` is called once
 * the profile is durable (file and directory synced), or was refused. Reading never waits for writing. Any
 * thread.
 */
#ifndef VG_VIGIL_STORE_STORE_H
#define VG_VIGIL_STORE_STORE_H

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "vigil/model/profile.h"

struct vg_store;

struct vg_store_config {
    const char *directory;  /* of the SQLite store */
    int64_t retention_ns;   /* 0: for ever */
    int64_t max_disk_bytes; /* 0: no bound */
    const struct vg_clock *clock;
    /* The rest may be left out: 0 and NULL mean the defaults. */
    size_t queue_profiles, queue_bytes; /* what may wait for the writer (1,024; 32 MiB) */
    size_t cache_bytes;                 /* decoded stack tables kept for readers (40 MiB) */
    const struct vg_alloc *alloc;
    /* A sentence for the operator's log: a block was deleted, set aside, could not be written. Any thread. */
    void (*notice)(void *ctx, const char *sentence);
    void *notice_ctx;
};

/* Opens or makes the store. On error *why is a sentence for the operator (static or owned by the caller's
 * buffer). */
enum vg_err vg_store_open_sqlite(const struct vg_store_config *config, struct vg_store **store,
                                 char why[256]) VG_MUST_USE;
enum vg_err vg_store_open_memory(const struct vg_store_config *config, struct vg_store **store) VG_MUST_USE;
/* Commits what is queued, then closes. */
void vg_store_free(struct vg_store *store);

enum vg_put_result {
    VG_PUT_STORED,
    VG_PUT_DUPLICATE, /* known by its key: counted once, answered as stored */
};
/* Called exactly once, from the writer's thread, never from inside vg_store_put. err: VG_OK (durable);
 * VG_ERR_FULL (the disk is full, or max_disk_bytes reached with nothing left to delete); VG_ERR_LIMIT (this
 * profile is larger than the store takes); VG_ERR_NOMEM, VG_ERR_IO. result is meaningful with VG_OK only. It
 * must not call the store. */
typedef void vg_store_done(void *ctx, enum vg_err err, enum vg_put_result result);
/* Takes profile in every case. VG_ERR_FULL at once, without calling done, when too much is queued (answer
 * 429). */
enum vg_err vg_store_put(struct vg_store *store, struct vg_profile *profile, vg_store_done *done,
                         void *ctx) VG_MUST_USE;

/* What is asked for. Matchers come from query/; NULL matches all. Each is called once per distinct tag set or
 * label set, not once per profile, as far as the store can. */
struct vg_selection {
    int64_t from_ns, to_ns; /* profiles whose [start, end] overlaps [from, to) */
    bool (*match_tags)(void *ctx, const struct vg_tag *tags, size_t n_tags);
    bool (*match_labels)(void *ctx, const struct vg_slice *strings, const struct vg_profile_label *labels,
                         size_t n_labels);
    bool narrows_labels; /* match_labels has something to say: rows must be looked at */
    void *ctx;
};

/* One profile's metadata, alive during the call only. */
struct vg_stored_profile {
    uint64_t id; /* never 0, below 2^53 */
    int64_t start_ns, end_ns, received_ns;
    const struct vg_tag *tags;
    size_t n_tags;
    const struct vg_profile_type *types; /* with totals */
    size_t n_types;
    int64_t size_bytes; /* on disk */
    struct vg_slice internal;
};
/* Newest end first. false stops. Metadata only: the blobs are not read. Do not call the store from inside. */
typedef bool vg_store_visit(void *ctx, const struct vg_stored_profile *profile);
enum vg_err vg_store_list(struct vg_store *store, const struct vg_selection *selection, vg_store_visit *visit,
                          void *ctx) VG_MUST_USE;

/* Label sets of samples, not of profiles: match_labels plays no part in vg_store_list. */

/* The merge of one type over a selection: each distinct stack once, values added (levels — heap-space,
 * heap-live-samples — as the time-weighted mean per process, summed over processes). Owned by the caller. */
struct vg_merged {
    struct vg_arena arena;
    struct vg_slice unit;
    struct vg_slice *strings;
    size_t n_strings;
    struct vg_frame *frames;
    size_t n_frames;
    uint32_t *stack_start, *stack_frames; /* n_stacks + 1; frame ids, leaf first */
    size_t n_stacks;
    int64_t *values; /* n_stacks */
    int64_t total;
    size_t n_profiles;   /* that had this type and matched */
    int64_t duration_ns; /* sum of their lengths */
};
enum vg_err vg_store_merge(struct vg_store *store, const struct vg_selection *selection, struct vg_slice type,
                           struct vg_merged *merged) VG_MUST_USE;
void vg_merged_release(struct vg_merged *merged);

/* One whole profile again, its rows and events. VG_ERR_NOT_FOUND. */
enum vg_err vg_store_get(struct vg_store *store, uint64_t id, struct vg_profile **profile) VG_MUST_USE;

struct vg_store_stats {
    uint64_t profiles;       /* stored now */
    uint64_t stored_bytes;   /* of all files */
    uint64_t blocks;         /* files */
    uint64_t commits;        /* since the start, as are those below */
    uint64_t duplicates;     /* profiles known already */
    uint64_t refused;        /* profiles not stored: queue full, disk full, too large, … */
    uint64_t deleted_blocks; /* by retention or max_disk_bytes */
    uint64_t queued;         /* profiles waiting for the writer now */
    uint64_t corrupt_blocks; /* set aside */
    uint64_t unreadable;     /* times that a damaged profile was left out of an answer */
};
void vg_store_get_stats(struct vg_store *store, struct vg_store_stats *stats);

#endif
