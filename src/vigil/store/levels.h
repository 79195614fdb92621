/* Levels: types that say how much there is (heap-space), not how much happened. Merged over time they are the
 * time-weighted mean per process, summed over processes: each profile's values count with its length ÷ the
 * summed length of its process's profiles.
 *
 * A process is a runtime-id; where there is none, a set of tags. One owner at a time.
 */
#ifndef VG_VIGIL_STORE_LEVELS_H
#define VG_VIGIL_STORE_LEVELS_H

#include "base/map.h"
#include "vigil/model/profile.h"

bool vg_level_is(struct vg_slice type);
/* What a profile of that length counts; also for one without length. */
int64_t vg_level_weight_ns(int64_t start_ns, int64_t end_ns);

struct vg_levels {
    struct vg_intern processes;
    int64_t *length_ns; /* by process */
    size_t room;
    const struct vg_alloc *alloc;
};

void vg_levels_init(struct vg_levels *levels, const struct vg_alloc *alloc);
void vg_levels_release(struct vg_levels *levels);
enum vg_err vg_levels_process(struct vg_levels *levels, const struct vg_tag *tags, size_t n_tags,
                              uint32_t *process) VG_MUST_USE;
void vg_levels_add(struct vg_levels *levels, uint32_t process, int64_t weight_ns);
/* The share of that weight in its process's, 0 – 1. */
double vg_levels_share(const struct vg_levels *levels, uint32_t process, int64_t weight_ns);

#endif
