/* JSON out, written as it goes onto a vg_buf.
 *
 * Commas are put by the writer; the caller keeps begin and end, key and value in step. Failures are the
 * buffer's and sticky: look at out->err once, at the end. O(bytes). One owner at a time.
 */
#ifndef VG_VIGIL_QUERY_JSON_H
#define VG_VIGIL_QUERY_JSON_H

#include "base/buf.h"

struct vg_json {
    struct vg_buf *out; /* borrowed */
    bool comma;         /* the next item is not the first of its list */
};

static inline struct vg_json vg_json_on(struct vg_buf *out)
{
    return (struct vg_json){out, false};
}

void vg_json_object(struct vg_json *json);
void vg_json_object_end(struct vg_json *json);
void vg_json_array(struct vg_json *json);
void vg_json_array_end(struct vg_json *json);
/* key is one of ours: plain ASCII that needs no escapes. */
void vg_json_key(struct vg_json *json, const char *key);
/* Any bytes as a key: as vg_json_string. */
void vg_json_key_slice(struct vg_json *json, struct vg_slice key);

/* Any bytes: what is not UTF-8 becomes U+FFFD. */
void vg_json_string(struct vg_json *json, struct vg_slice text);
void vg_json_text(struct vg_json *json, const char *text);
void vg_json_int(struct vg_json *json, int64_t number);
/* Finite; null where it is not. */
void vg_json_real(struct vg_json *json, double number);
void vg_json_bool(struct vg_json *json, bool yes);
void vg_json_null(struct vg_json *json);
/* RFC 3339 with nanoseconds. */
void vg_json_time(struct vg_json *json, int64_t time_ns);
/* A value that is JSON already, checked by whoever made it. */
void vg_json_raw(struct vg_json *json, struct vg_slice value);

#endif
