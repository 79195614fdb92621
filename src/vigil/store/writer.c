/* The writer's queue and thread: see writer.h. It takes the whole queue as one group: the queue's own bounds
 * bound it. */
#include "vigil/store/writer.h"

#include <signal.h>

#define DEFAULT_PROFILES ((size_t)1024)
#define DEFAULT_BYTES    ((size_t)32 << 20)
/* How often retention is looked at while nothing arrives. */
#define IDLE_NS (30 * VG_NS_PER_S)

static void answer(struct vg_write *writes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        vg_profile_free(writes[i].profile);
        writes[i].done(writes[i].ctx, writes[i].err, writes[i].result);
    }
}

/* False when there is nothing left to do for ever. */
static bool next_group(struct vg_writer *writer)
{
    vg_lock_take(&writer->lock);
    writer->n_taken = writer->taken_bytes = 0;
    if (writer->n_queued == 0 && !writer->is_closing)
        vg_lock_wait(&writer->lock, &writer->wakes, vg_clock_monotonic_ns(NULL) + writer->idle_ns);
    struct vg_write *queue = writer->queue;
    writer->queue = writer->group;
    writer->group = queue;
    writer->n_taken = writer->n_queued;
    writer->taken_bytes = writer->queued_bytes;
    writer->n_queued = writer->queued_bytes = 0;
    bool goes_on = writer->n_taken > 0 || !writer->is_closing;
    vg_lock_give(&writer->lock);
    return goes_on;
}

static void *run(void *ctx)
{
    struct vg_writer *writer = ctx;
    while (next_group(writer)) {
        if (writer->n_taken) { /* written by this thread only */
            writer->ops->commit(writer->ctx, writer->group, writer->n_taken);
            answer(writer->group, writer->n_taken);
        }
        writer->ops->idle(writer->ctx);
    }
    return NULL;
}

/* Signals are for the thread that waits for them. */
static int start_thread(struct vg_writer *writer)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&writer->thread, NULL, run, writer);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failed;
}

enum vg_err vg_writer_init(struct vg_writer *writer, const struct vg_store_config *config,
                           const struct vg_writer_ops *ops, void *ctx)
{
    *writer = (struct vg_writer){.ops = ops, .ctx = ctx, .alloc = config->alloc, .idle_ns = IDLE_NS};
    writer->limit_profiles = config->queue_profiles ? config->queue_profiles : DEFAULT_PROFILES;
    writer->limit_bytes = config->queue_bytes ? config->queue_bytes : DEFAULT_BYTES;
    writer->queue = vg_alloc_zeroed(writer->alloc, writer->limit_profiles, sizeof *writer->queue);
    writer->group = vg_alloc_zeroed(writer->alloc, writer->limit_profiles, sizeof *writer->group);
    vg_lock_init(&writer->lock, VG_RANK_STORE);
    vg_cond_init(&writer->wakes);
    writer->is_running = writer->queue && writer->group && start_thread(writer) == 0;
    if (writer->is_running)
        return VG_OK;
    vg_writer_release(writer);
    return VG_ERR_NOMEM;
}

void vg_writer_release(struct vg_writer *writer)
{
    vg_lock_take(&writer->lock);
    writer->is_closing = true;
    pthread_cond_signal(&writer->wakes);
    vg_lock_give(&writer->lock);
    if (writer->is_running)
        pthread_join(writer->thread, NULL);
    vg_alloc_release(writer->alloc, writer->queue);
    vg_alloc_release(writer->alloc, writer->group);
    pthread_cond_destroy(&writer->wakes);
    vg_lock_release(&writer->lock);
    writer->queue = writer->group = NULL;
}

enum vg_err vg_writer_put(struct vg_writer *writer, struct vg_profile *profile, vg_store_done *done,
                          void *ctx)
{
    struct vg_write write = {
        .profile = profile, .done = done, .ctx = ctx, .bytes = profile->arena.used_bytes};
    vg_lock_take(&writer->lock);
    size_t n = writer->n_queued + writer->n_taken, bytes = writer->queued_bytes + writer->taken_bytes;
    /* One profile alone may be larger than the bound: what intake accepts must be storable. */
    bool has_room = !writer->is_closing && n < writer->limit_profiles &&
                    (n == 0 || bytes + write.bytes <= writer->limit_bytes);
    if (has_room) {
        writer->queue[writer->n_queued++] = write;
        writer->queued_bytes += write.bytes;
        pthread_cond_signal(&writer->wakes);
    } else {
        writer->refused++;
    }
    vg_lock_give(&writer->lock);
    if (has_room)
        return VG_OK;
    vg_profile_free(profile);
    return VG_ERR_FULL;
}

void vg_writer_get_stats(struct vg_writer *writer, uint64_t *queued, uint64_t *refused)
{
    vg_lock_take(&writer->lock);
    *queued = writer->n_queued + writer->n_taken;
    *refused = writer->refused;
    vg_lock_give(&writer->lock);
}
