/* What a dialect of intake understood → the one internal profile.
 *
 * Merges samples with equal stacks and stable labels into rows, keeps one event for each sample that had an
 * end time, drops value types and samples that are zero throughout, makes all text clean (model/text.h),
 * names the profile by its identity. A stack met before costs one hash over its location ids. Everything is
 * bounded by the limits of the reader and by VG_PROFILE_LIMIT_BYTES. Any thread. O(samples × (locations +
 * labels + types)).
 */
#ifndef VG_VIGIL_MODEL_BUILDER_H
#define VG_VIGIL_MODEL_BUILDER_H

#include "base/alloc.h"
#include "base/err.h"
#include "pprof/read.h"
#include "vigil/model/profile.h"

#define VG_PROFILE_LIMIT_BYTES                                                                               \
    ((size_t)256 << 20)                          /* the profile's memory; as much again while it is built    \
                                                  */
#define VG_PROFILE_NAME_BYTES     ((size_t)4096) /* of a function, file, label or type */
#define VG_PROFILE_TAG_BYTES      ((size_t)1024) /* of a tag's name or value */
#define VG_PROFILE_INTERNAL_BYTES ((size_t)16 << 10)

struct vg_profile_source {
    const struct vg_pprof *pprof;
    const struct vg_tag *tags; /* as sent: not sorted, not clean, perhaps twice */
    size_t n_tags;
    int64_t start_ns, end_ns, received_ns;
    struct vg_slice internal; /* a JSON object, or empty; left out where it is larger than allowed */
    struct vg_slice content;  /* the bytes sent: identity of a profile that does not say whose it is */
    const struct vg_alloc *alloc;
};

/* Borrows the source only during the call. VG_ERR_MALFORMED: *why (static) says what; VG_ERR_LIMIT;
 * VG_ERR_NOMEM. */
enum vg_err vg_profile_build(const struct vg_profile_source *source, struct vg_profile **profile,
                             const char **why) VG_MUST_USE;

#endif
