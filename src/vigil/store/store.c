/* The store's front: passes each call to the implementation. Holds no state. */
#include "vigil/store/store_ops.h"

#include <assert.h>

void vg_store_free(struct vg_store *store)
{
    if (store)
        store->ops->free(store);
}

enum vg_err vg_store_put(struct vg_store *store, struct vg_profile *profile, vg_store_done *done, void *ctx)
{
    assert(profile && done);
    return store->ops->put(store, profile, done, ctx);
}

enum vg_err vg_store_list(struct vg_store *store, const struct vg_selection *selection, vg_store_visit *visit,
                          void *ctx)
{
    return store->ops->list(store, selection, visit, ctx);
}

enum vg_err vg_store_merge(struct vg_store *store, const struct vg_selection *selection, struct vg_slice type,
                           struct vg_merged *merged)
{
    return store->ops->merge(store, selection, type, merged);
}

enum vg_err vg_store_get(struct vg_store *store, uint64_t id, struct vg_profile **profile)
{
    return store->ops->get(store, id, profile);
}

void vg_store_get_stats(struct vg_store *store, struct vg_store_stats *stats)
{
    store->ops->get_stats(store, stats);
}

void vg_merged_release(struct vg_merged *merged)
{
    vg_arena_release(&merged->arena);
    *merged = (struct vg_merged){0};
}

bool vg_selection_covers(const struct vg_selection *selection, int64_t start_ns, int64_t end_ns)
{
    return end_ns >= selection->from_ns && start_ns < selection->to_ns;
}
