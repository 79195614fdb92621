/* An attachment → its bytes: gzip, zstd, lz4 frames or plain, told apart by how they begin.
 *
 * Sizes that the data says of itself are hints at most: memory grows in steps, up to VG_EXPAND_LIMIT_BYTES
 * and VG_EXPAND_RATIO times the input, and within the budget. A step that was too small is done again with a
 * larger one, which costs at most a third more. Any thread.
 */
#ifndef VG_VIGIL_INTAKE_DECOMPRESS_H
#define VG_VIGIL_INTAKE_DECOMPRESS_H

#include "base/buf.h"
#include "vigil/intake/budget.h"

#define VG_EXPAND_LIMIT_BYTES ((size_t)256 << 20)
#define VG_EXPAND_RATIO       200

struct vg_expanded {
    struct vg_slice bytes; /* into memory, or the input itself where it is plain */
    struct vg_buf memory;
    struct vg_budget *budget;
    size_t charged; /* bytes taken from the budget */
};

/* VG_ERR_MALFORMED; VG_ERR_LIMIT: larger than allowed; VG_ERR_FULL: than the budget allows now; VG_ERR_NOMEM.
 * *why (static) says what, for the first two. Release in every case. */
enum vg_err vg_expand(struct vg_expanded *expanded, struct vg_slice input, struct vg_budget *budget,
                      const struct vg_alloc *alloc, const char **why) VG_MUST_USE;
void vg_expanded_release(struct vg_expanded *expanded);

#endif
