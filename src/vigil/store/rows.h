/* One profile's samples as two blobs, and back: the aggregate (rows) and the timeline (events).
 *
 * Rows are sorted by (stack, labels) and stand in columns: stacks, labels, then one column a type, so that a
 * merge reads the two or three columns that it needs. Events are sorted by time. Ids are those of the
 * profile's dictionary; the labels that only events have (span ids) are of no use to others and lie in the
 * timeline itself.
 *
 * One owner at a time. O(rows log rows).
 */
#ifndef VG_VIGIL_STORE_ROWS_H
#define VG_VIGIL_STORE_ROWS_H

#include "vigil/store/dict.h"

#define VG_ROWS_MAX   ((size_t)1 << 22)
#define VG_EVENTS_MAX ((size_t)1 << 24)
#define VG_TYPES_MAX  ((size_t)256)

/* From a profile's ids to its dictionary's. */
struct vg_rows_map {
    const uint32_t *node;      /* by stack */
    const uint32_t *label_set; /* by label set, for those that rows name */
};

/* Appends the sealed blob of the rows, and of the events where there are any; errors stay in rows->err,
 * events->err. VG_ERR_LIMIT beyond the bounds above. */
void vg_rows_encode(const struct vg_profile *profile, const struct vg_rows_map *map, struct vg_coder *coder,
                    struct vg_buf *rows, struct vg_buf *events);

/* Some columns of a profile's rows; memory is kept from one profile to the next. */
struct vg_rows_part {
    size_t n, room;
    uint32_t *nodes, *label_sets; /* label_sets only where asked for */
    int64_t *values;              /* of one type */
    const struct vg_alloc *alloc;
};

void vg_rows_part_init(struct vg_rows_part *part, const struct vg_alloc *alloc);
void vg_rows_part_release(struct vg_rows_part *part);
/* Stacks, labels if wanted and the values of one type. Nodes and label sets are < those of dict. */
enum vg_err vg_rows_read(struct vg_slice blob, const struct vg_dict *dict, size_t type, bool wants_labels,
                         struct vg_coder *coder, struct vg_rows_part *part) VG_MUST_USE;

/* The timeline, into the event_* arrays and the arena of profile, whose rows and types are there already.
 * event_labels are label sets of `volatile_labels`, which is made here and released by the caller. */
enum vg_err vg_events_read(struct vg_slice blob, struct vg_coder *coder, struct vg_profile *profile,
                           struct vg_dict *volatile_labels) VG_MUST_USE;

#endif
