/* What profilers say of themselves (the `internal` object of a profile), added up over many profiles.
 *
 * Only numbers at the top level count; all else is passed over. Whole numbers saturate. O(bytes). One owner
 * at a time.
 */
#ifndef VG_VIGIL_QUERY_INTERNAL_H
#define VG_VIGIL_QUERY_INTERNAL_H

#include "base/map.h"

#define VG_INTERNAL_MAX 256 /* distinct names; further ones are not counted */

struct vg_internal_sum {
    int64_t whole;
    double real; /* of those that were not whole */
    bool has_real;
};

struct vg_internal {
    struct vg_intern names; /* by id: the name of sums[id] */
    struct vg_internal_sum sums[VG_INTERNAL_MAX];
};

void vg_internal_init(struct vg_internal *internal, const struct vg_alloc *alloc);
void vg_internal_release(struct vg_internal *internal);
/* json: an object, or empty. What is not JSON counts nothing. */
enum vg_err vg_internal_add(struct vg_internal *internal, struct vg_slice json) VG_MUST_USE;

#endif
