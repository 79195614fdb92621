/* The time range of a question: text of `from` and `to` → [from, to) in nanoseconds.
 *
 * Accepted: RFC 3339; Unix nanoseconds; `now`, `now-15m`, `now+1h30m`; `-1h` (short for now-1h). Units: ns us
 * ms s m h d w. Left out: to = now, from = to - 1 h. Pure functions; any thread.
 */
#ifndef VG_VIGIL_QUERY_SELECT_H
#define VG_VIGIL_QUERY_SELECT_H

#include "base/err.h"
#include "base/slice.h"

struct vg_time_range {
    int64_t from_ns, to_ns; /* from < to */
};

/* VG_ERR_MALFORMED where text is none of the above, or a time outside int64 nanoseconds. */
enum vg_err vg_time_expression(struct vg_slice text, int64_t now_ns, int64_t *time_ns) VG_MUST_USE;

/* from and to may be NULL or empty. On VG_ERR_MALFORMED *parameter ("from" or "to") and *why (static) say
 * what. */
enum vg_err vg_time_range_parse(const char *from, const char *to, int64_t now_ns, struct vg_time_range *range,
                                const char **parameter, const char **why) VG_MUST_USE;

#endif
