/* The queue in front of a store and the one thread that empties it: takes what waits, has it committed as one
 * group, then calls each profile's `done`. While a commit waits for the disk the next group gathers by
 * itself.
 *
 * put: any thread, never waits for the disk. Everything else: the owner.
 */
#ifndef VG_VIGIL_STORE_WRITER_H
#define VG_VIGIL_STORE_WRITER_H

#include "base/lock.h"
#include "vigil/store/store.h"

struct vg_write {
    struct vg_profile *profile; /* owned */
    vg_store_done *done;
    void *ctx;
    size_t bytes; /* of memory */
    /* Filled in by commit. */
    enum vg_err err;
    enum vg_put_result result;
};

struct vg_writer_ops {
    /* Stores the group and fills in err and result of each. A durable answer only. */
    void (*commit)(void *ctx, struct vg_write *writes, size_t n);
    /* Called now and then, at least every idle_ns. */
    void (*idle)(void *ctx);
};

struct vg_writer {
    struct vg_lock lock;
    pthread_cond_t wakes;
    pthread_t thread;
    bool is_running, is_closing;
    struct vg_write *queue; /* n_queued of room limit_profiles; swapped with `group` */
    struct vg_write *group;
    size_t n_queued, queued_bytes;
    size_t n_taken, taken_bytes; /* in commit now; they count against the limits */
    size_t limit_profiles, limit_bytes;
    uint64_t refused; /* because the queue was full */
    int64_t idle_ns;
    const struct vg_writer_ops *ops;
    void *ctx;
    const struct vg_alloc *alloc;
};

enum vg_err vg_writer_init(struct vg_writer *writer, const struct vg_store_config *config,
                           const struct vg_writer_ops *ops, void *ctx) VG_MUST_USE;
/* Commits what is queued, then ends the thread. */
void vg_writer_release(struct vg_writer *writer);
/* As vg_store_put. */
enum vg_err vg_writer_put(struct vg_writer *writer, struct vg_profile *profile, vg_store_done *done,
                          void *ctx) VG_MUST_USE;
void vg_writer_get_stats(struct vg_writer *writer, uint64_t *queued, uint64_t *refused);

#endif
