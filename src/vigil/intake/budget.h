/* How much memory all uploads in flight may hold together: bodies and what they expand to. Any thread. */
#ifndef VG_VIGIL_INTAKE_BUDGET_H
#define VG_VIGIL_INTAKE_BUDGET_H

#include <stdatomic.h>

#include "base/slice.h"

struct vg_budget {
    atomic_size_t used;
    size_t limit; /* bytes */
};

/* False, and nothing taken, where it would go over the limit. */
static inline bool vg_budget_take(struct vg_budget *budget, size_t bytes)
{
    size_t before = atomic_fetch_add(&budget->used, bytes);

    if (bytes <= budget->limit && before <= budget->limit - bytes)
        return true;
    atomic_fetch_sub(&budget->used, bytes);
    return false;
}

static inline void vg_budget_give(struct vg_budget *budget, size_t bytes)
{
    atomic_fetch_sub(&budget->used, bytes);
}

#endif
