/* The store, for its implementers: every implementation starts its own struct with a struct vg_store and
 * fills a const struct of these functions. What each must do is said in store.h. */
#ifndef VG_VIGIL_STORE_STORE_OPS_H
#define VG_VIGIL_STORE_STORE_OPS_H

#include "vigil/store/store.h"

struct vg_store_ops {
    void (*free)(struct vg_store *store);
    enum vg_err (*put)(struct vg_store *store, struct vg_profile *profile, vg_store_done *done, void *ctx);
    enum vg_err (*list)(struct vg_store *store, const struct vg_selection *selection, vg_store_visit *visit,
                        void *ctx);
    enum vg_err (*merge)(struct vg_store *store, const struct vg_selection *selection, struct vg_slice type,
                         struct vg_merged *merged);
    enum vg_err (*get)(struct vg_store *store, uint64_t id, struct vg_profile **profile);
    void (*get_stats)(struct vg_store *store, struct vg_store_stats *stats);
};

struct vg_store {
    const struct vg_store_ops *ops;
};

/* Whether [start, end] overlaps what was asked for. */
bool vg_selection_covers(const struct vg_selection *selection, int64_t start_ns, int64_t end_ns);

#endif
