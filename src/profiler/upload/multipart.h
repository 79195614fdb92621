/* The body of POST /profiling/v1/input: event.json and auto.pprof as multipart/form-data. Any thread. */
#ifndef VG_PROFILER_UPLOAD_MULTIPART_H
#define VG_PROFILER_UPLOAD_MULTIPART_H

#include "base/buf.h"

#include <stdint.h>

struct vg_multipart_event {
    const char *tags;              /* tags_profiler but for profile_seq */
    struct vg_slice internal_json; /* members of an object, without braces; may be empty */
    int64_t start_ns;              /* UTC */
    int64_t end_ns;
    uint64_t seq;
};

#define VG_MULTIPART_TYPE_SIZE 80

/* Appends to body; its Content-Type is written to type. VG_ERR_NOMEM, VG_ERR_LIMIT. */
enum vg_err vg_multipart_build(const struct vg_multipart_event *event, struct vg_slice pprof_gz,
                               struct vg_buf *body, char type[VG_MULTIPART_TYPE_SIZE]) VG_MUST_USE;

#endif
