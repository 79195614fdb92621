/* Stacks of one window: a run of location ids → a dense stack id. Bounded; what does not fit is the visible
 * stack VG_STACK_OVERFLOW. One owner at a time. O(frames) a look-up. */
#ifndef VG_PROFILER_STACKS_STACKS_H
#define VG_PROFILER_STACKS_STACKS_H

#include "base/err.h"
#include "base/map.h"

#define VG_STACKS_MAX       65536u
#define VG_STACKS_MAX_BYTES (16u << 20) /* of location ids */

enum { VG_STACK_OVERFLOW = 0 };

struct vg_stacks {
    struct vg_map by_hash; /* hash → stack id */
    uint32_t *start;       /* n + 1 positions in locations */
    uint32_t *locations;   /* leaf first */
    uint32_t n, start_cap, locations_cap;
    const struct vg_alloc *alloc;
};

enum vg_err vg_stacks_init(struct vg_stacks *stacks, const struct vg_alloc *alloc) VG_MUST_USE;
void vg_stacks_release(struct vg_stacks *stacks);

/* Its id, VG_STACK_OVERFLOW where there is no room. */
uint32_t vg_stacks_put(struct vg_stacks *stacks, const uint32_t *locations, uint32_t n);
/* The locations of a stack, valid until the next put. */
const uint32_t *vg_stacks_get(const struct vg_stacks *stacks, uint32_t id, uint32_t *n);

#endif
