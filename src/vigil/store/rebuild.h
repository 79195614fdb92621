/* A whole profile again, from its dictionary and its blobs. One owner at a time. */
#ifndef VG_VIGIL_STORE_REBUILD_H
#define VG_VIGIL_STORE_REBUILD_H

#include "vigil/store/rows.h"

/* Fills in strings, frames, stacks, label sets, rows and events. profile has its arena, times and types
 * already; events may be empty. VG_ERR_MALFORMED: the blobs are damaged. */
enum vg_err vg_rebuild(struct vg_profile *profile, const struct vg_dict *dict, struct vg_slice rows,
                       struct vg_slice events, struct vg_coder *coder) VG_MUST_USE;

#endif
