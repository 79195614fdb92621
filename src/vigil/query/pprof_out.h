/* Merged stacks, or one whole profile → profile.proto, gzipped: what `go tool pprof` opens. Current lines are
 * kept. O(bytes). Any thread. */
#ifndef VG_VIGIL_QUERY_PPROF_OUT_H
#define VG_VIGIL_QUERY_PPROF_OUT_H

#include "base/buf.h"
#include "vigil/store/store.h"

/* One sample a stack, of the one type that was merged. start_ns is shown as the profile's time. */
enum vg_err vg_pprof_out_merged(const struct vg_merged *merged, struct vg_slice type, int64_t start_ns,
                                const struct vg_alloc *alloc, struct vg_buf *out) VG_MUST_USE;

/* All types and labels. Events become samples with `end_timestamp_ns`; what a row has beyond its events (all
 * of it where the timeline was not kept) becomes one more, so that totals are those of the rows. */
enum vg_err vg_pprof_out_profile(const struct vg_profile *profile, const struct vg_alloc *alloc,
                                 struct vg_buf *out) VG_MUST_USE;

#endif
