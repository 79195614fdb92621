/* The profiles that wait: bounded in number and bytes, oldest first. Whoever owns it brings the lock. */
#ifndef VG_PROFILER_UPLOAD_QUEUE_H
#define VG_PROFILER_UPLOAD_QUEUE_H

#include "profiler/upload/multipart.h"
#include "profiler/upload/upload.h"

struct vg_upload_entry {
    struct vg_upload_job job; /* free is NULL once it was called */
    bool encoded;
    bool busy;          /* being encoded or sent: must not be dropped */
    struct vg_buf body; /* once encoded */
    char type[VG_MULTIPART_TYPE_SIZE];
};

struct vg_upload_queue {
    struct vg_upload_entry *entries[VG_UPLOAD_QUEUE_PROFILES]; /* oldest first, owned */
    size_t count;
    const struct vg_alloc *alloc;
};

/* A new raw entry; NULL without memory, and the job stays the caller's. */
struct vg_upload_entry *vg_upload_entry_new(const struct vg_alloc *alloc, struct vg_upload_job job);
/* Frees the job alone: its window is not needed once it is encoded. Idempotent. */
void vg_upload_entry_free_job(struct vg_upload_entry *entry);
void vg_upload_entry_free(struct vg_upload_entry *entry, const struct vg_alloc *alloc);

/* Adds the newest. There must be room: see oldest. */
void vg_upload_queue_add(struct vg_upload_queue *queue, struct vg_upload_entry *entry);
/* Takes an entry out; it is then the caller's. */
void vg_upload_queue_remove(struct vg_upload_queue *queue, struct vg_upload_entry *entry);
/* The oldest that nobody works on: the one to drop. NULL: none. */
struct vg_upload_entry *vg_upload_queue_oldest(const struct vg_upload_queue *queue);
/* The oldest that is not encoded and that nobody works on. */
struct vg_upload_entry *vg_upload_queue_raw(const struct vg_upload_queue *queue);
/* Whether all are encoded, so that their files are written. */
bool vg_upload_queue_all_encoded(const struct vg_upload_queue *queue);
size_t vg_upload_queue_bytes(const struct vg_upload_queue *queue);

#endif
