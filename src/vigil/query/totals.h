/* Totals of each type over many profiles, group by group (a service, or one group for all).
 *
 * Sums add up and saturate; levels (see store/levels.h) are the time-weighted mean per process, summed over
 * processes, as vg_store_merge has them. Feed profiles with add, then finish once. O(profiles × types). One
 * owner at a time.
 */
#ifndef VG_VIGIL_QUERY_TOTALS_H
#define VG_VIGIL_QUERY_TOTALS_H

#include "base/buf.h"
#include "base/map.h"
#include "vigil/store/levels.h"
#include "vigil/store/store.h"

enum { VG_TOTALS_REMEMBERED = 32 };

struct vg_total {
    uint32_t group;
    struct vg_slice name, unit; /* alive until release */
    int64_t total;
};

struct vg_totals {
    struct vg_total *items; /* after finish: n, sorted by (group, name, unit) */
    size_t n;

    struct vg_intern types;                 /* name, NUL, unit */
    struct vg_levels processes;             /* their identities */
    struct vg_map cell_of;                  /* group << 32 | type → index of cells */
    struct vg_map level_of;                 /* cell << 32 | process → index of levels */
    struct vg_buf cells, levels;            /* struct vg_total, struct level (totals.c) */
    struct vg_buf key;                      /* scratch */
    uint32_t type_at[VG_TOTALS_REMEMBERED]; /* type + 1 last seen at that place of a profile's list: mostly
                                               the next too */
};

void vg_totals_init(struct vg_totals *totals, const struct vg_alloc *alloc);
void vg_totals_release(struct vg_totals *totals);
enum vg_err vg_totals_add(struct vg_totals *totals, uint32_t group,
                          const struct vg_stored_profile *profile) VG_MUST_USE;
void vg_totals_finish(struct vg_totals *totals);

#endif
