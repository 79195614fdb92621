/* Adding up dictionaries' sums into one table of distinct stacks. One owner at a time.
 *
 * Values are first added by dense id, per dictionary; here each node of a dictionary that carries a value is
 * found or made once in a common trie, whatever the number of profiles. O(nodes + strings of the nodes that
 * count).
 */
#ifndef VG_VIGIL_STORE_MERGER_H
#define VG_VIGIL_STORE_MERGER_H

#include "vigil/store/dict.h"
#include "vigil/store/store.h"

/* Values by node: whole numbers, or shares of levels. */
struct vg_sums {
    bool is_level;
    size_t n;
    int64_t *whole; /* where !is_level */
    double *level;  /* where is_level */
};

enum vg_err vg_sums_init(struct vg_sums *sums, bool is_level, size_t n,
                         const struct vg_alloc *alloc) VG_MUST_USE;
void vg_sums_release(struct vg_sums *sums, const struct vg_alloc *alloc);

/* Numbers from outside: the sum stops at the ends of what fits. */
static inline void vg_add_clamped(int64_t *sum, int64_t value)
{
    if (__builtin_add_overflow(*sum, value, sum))
        *sum = value < 0 ? INT64_MIN : INT64_MAX;
}

struct vg_merger {
    struct vg_dict dict; /* of all */
    struct vg_sums sums; /* by its nodes; n is the room */
    const struct vg_alloc *alloc;
};

enum vg_err vg_merger_init(struct vg_merger *merger, bool is_level, const struct vg_alloc *alloc) VG_MUST_USE;
void vg_merger_release(struct vg_merger *merger);
/* VG_ERR_LIMIT: more stacks than an answer may have. */
enum vg_err vg_merger_add(struct vg_merger *merger, const struct vg_dict *dict,
                          const struct vg_sums *sums) VG_MUST_USE;
/* Fills strings, frames, stacks, values and total, in merged's arena, which is made here. */
enum vg_err vg_merger_finish(const struct vg_merger *merger, struct vg_merged *merged) VG_MUST_USE;

#endif
