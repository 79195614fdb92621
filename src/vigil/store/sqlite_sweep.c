/* Retention and the bound on disk space: whole blocks, oldest first. The writer's thread.
 *
 * A block's age is that of its newest profile, by the sender's clock or by ours, whichever is older: a sender
 * whose clock runs ahead cannot keep a block for ever, and one whose clock lags loses its own data only.
 */
#include "vigil/store/sqlite.h"

static int64_t age_mark_ns(const struct vg_block *block)
{
    const struct vg_block_summary *summary = &block->summary;
    return summary->max_end_ns < summary->newest_received_ns ? summary->max_end_ns
                                                             : summary->newest_received_ns;
}

/* The block to go next, pinned, or NULL. *total_bytes: of all that stay. */
static struct vg_block *pin_oldest(struct vg_sqlite_store *store, size_t *n, int64_t *total_bytes)
{
    struct vg_block *oldest = NULL;
    *n = 0;
    *total_bytes = 0;
    vg_lock_take(&store->lock);
    for (size_t i = 0; i < store->n_blocks; i++) {
        struct vg_block *block = store->blocks[i];
        if (block->is_retired)
            continue;
        ++*n;
        *total_bytes += block->file_bytes;
        bool counts = block->summary.profiles > 0; /* an empty one was made just now */
        if (counts && (!oldest || age_mark_ns(block) < age_mark_ns(oldest)))
            oldest = block;
    }
    if (oldest)
        oldest->pins++;
    vg_lock_give(&store->lock);
    return oldest;
}

static void delete_block(struct vg_sqlite_store *store, struct vg_block *block, const char *reason)
{
    vg_sqlite_close_writer_of(store, block);
    vg_store_notice(store, "deleted block %s: %llu profiles, %lld bytes, %s", block->name,
                    (unsigned long long)block->summary.profiles, (long long)block->file_bytes, reason);
    vg_block_retire(store, block, false);
}

void vg_sweep(struct vg_sqlite_store *store)
{
    const struct vg_store_config *config = &store->config;
    for (;;) {
        size_t n;
        int64_t total_bytes;
        struct vg_block *oldest = pin_oldest(store, &n, &total_bytes);
        store->is_over_disk_bound = config->max_disk_bytes && total_bytes > config->max_disk_bytes;
        if (!oldest)
            return;
        int64_t age_ns = 0, now_ns = vg_clock_now_ns(config->clock);
        if (__builtin_sub_overflow(now_ns, age_mark_ns(oldest), &age_ns))
            age_ns = now_ns > age_mark_ns(oldest) ? INT64_MAX : INT64_MIN;
        bool is_expired = config->retention_ns && age_ns > config->retention_ns;
        /* The last one stays: better to refuse what is new, which its sender keeps, than to delete all there
         * is. */
        bool is_squeezed_out = !is_expired && store->is_over_disk_bound && n > 1;
        if (is_expired)
            delete_block(store, oldest, "older than the retention");
        else if (is_squeezed_out)
            delete_block(store, oldest, "to stay below the bound on disk space");
        vg_block_unpin(store, oldest);
        if (!is_expired && !is_squeezed_out)
            return;
    }
}
