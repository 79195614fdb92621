#include "profiler/upload/queue.h"

struct vg_upload_entry *vg_upload_entry_new(const struct vg_alloc *alloc, struct vg_upload_job job)
{
    struct vg_upload_entry *entry = vg_alloc_zeroed(alloc, 1, sizeof(*entry));

    if (entry) {
        entry->job = job;
        vg_buf_init(&entry->body, VG_UPLOAD_QUEUE_BYTES, alloc);
    }
    return entry;
}

void vg_upload_entry_free_job(struct vg_upload_entry *entry)
{
    if (entry->job.free)
        entry->job.free(entry->job.ctx);
    entry->job.free = NULL;
}

void vg_upload_entry_free(struct vg_upload_entry *entry, const struct vg_alloc *alloc)
{
    vg_upload_entry_free_job(entry);
    vg_buf_release(&entry->body);
    vg_alloc_release(alloc, entry);
}

void vg_upload_queue_add(struct vg_upload_queue *queue, struct vg_upload_entry *entry)
{
    queue->entries[queue->count++] = entry;
}

void vg_upload_queue_remove(struct vg_upload_queue *queue, struct vg_upload_entry *entry)
{
    size_t i = 0;

    while (queue->entries[i] != entry)
        i++;
    queue->count--;
    memmove(&queue->entries[i], &queue->entries[i + 1], (queue->count - i) * sizeof(queue->entries[0]));
}

struct vg_upload_entry *vg_upload_queue_oldest(const struct vg_upload_queue *queue)
{
    for (size_t i = 0; i < queue->count; i++)
        if (!queue->entries[i]->busy)
            return queue->entries[i];
    return NULL;
}

struct vg_upload_entry *vg_upload_queue_raw(const struct vg_upload_queue *queue)
{
    for (size_t i = 0; i < queue->count; i++)
        if (!queue->entries[i]->encoded && !queue->entries[i]->busy)
            return queue->entries[i];
    return NULL;
}

bool vg_upload_queue_all_encoded(const struct vg_upload_queue *queue)
{
    for (size_t i = 0; i < queue->count; i++)
        if (!queue->entries[i]->encoded)
            return false;
    return true;
}

size_t vg_upload_queue_bytes(const struct vg_upload_queue *queue)
{
    size_t bytes = 0;

    for (size_t i = 0; i < queue->count; i++)
        bytes += queue->entries[i]->body.len;
    return bytes;
}
