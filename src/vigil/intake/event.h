/* What an upload says of its profile beside the pprof: event.json, or the form fields of older clients →
 * times and tags.
 *
 * Everything is copied into the event's own arena. Bounded: bytes, nesting and number of JSON values, tags.
 * One owner at a time. O(bytes).
 */
#ifndef VG_VIGIL_INTAKE_EVENT_H
#define VG_VIGIL_INTAKE_EVENT_H

#include "base/arena.h"
#include "base/slice.h"
#include "vigil/model/profile.h"

#define VG_EVENT_JSON_BYTES ((size_t)1 << 20)
#define VG_EVENT_DEPTH      32
#define VG_EVENT_VALUES     20000 /* JSON values in all: jansson takes some 100 bytes for the smallest */
#define VG_EVENT_TAGS       1000

struct vg_event {
    struct vg_arena arena;
    struct vg_tag *tags; /* VG_EVENT_TAGS of room */
    size_t n_tags;
    bool has_start, has_end;
    int64_t start_ns, end_ns;
    struct vg_slice family;   /* "python"; may be empty */
    struct vg_slice internal; /* a JSON object, or empty */
    char why[160];            /* what was wrong and where, after an error other than VG_ERR_NOMEM */
};

enum vg_err vg_event_init(struct vg_event *event, const struct vg_alloc *alloc) VG_MUST_USE;
void vg_event_release(struct vg_event *event);

/* VG_ERR_MALFORMED, VG_ERR_LIMIT (size, depth, tags). */
enum vg_err vg_event_json(struct vg_event *event, struct vg_slice json) VG_MUST_USE;
/* A form field of an older client: start, end, recording-start, recording-end, family, tags[] ("name:value").
 * Others are ignored. */
enum vg_err vg_event_field(struct vg_event *event, const char *name, struct vg_slice value) VG_MUST_USE;
/* Both times there, in order and after the year 2000. */
enum vg_err vg_event_check(struct vg_event *event) VG_MUST_USE;

#endif
