#include "profiler/upload/multipart.h"

#include "base/clock.h"
#include "base/map.h"

#include <inttypes.h>
#include <stdio.h>

#define BOUNDARY_SIZE 32

/* A boundary that does not occur in the data, which is made sure of and not left to chance. */
static void choose_boundary(struct vg_slice data, char boundary[BOUNDARY_SIZE])
{
    uint64_t seed = 0;

    do
        snprintf(boundary, BOUNDARY_SIZE, "vigil-%016" PRIx64, vg_hash_bytes(data.data, data.len, seed++));
    while (data.len && memmem(data.data, data.len, boundary, strlen(boundary)));
}

static void append_event(const struct vg_multipart_event *event, struct vg_buf *tags, struct vg_buf *body)
{
    char start[VG_TIME_TEXT_SIZE];
    char end[VG_TIME_TEXT_SIZE];

    vg_time_format(event->start_ns, start);
    vg_time_format(event->end_ns, end);
    vg_buf_text(body, "{\"attachments\":[\"auto.pprof\"],\"tags_profiler\":");
    vg_buf_json_string(body, vg_buf_as_slice(tags));
    vg_buf_printf(body,
                  ",\"start\":\"%s\",\"end\":\"%s\",\"family\":\"python\",\"version\":\"4\",\"internal\":{",
                  start, end);
    vg_buf_slice(body, event->internal_json);
    vg_buf_text(body, "}}");
}

enum vg_err vg_multipart_build(const struct vg_multipart_event *event, struct vg_slice pprof_gz,
                               struct vg_buf *body, char type[VG_MULTIPART_TYPE_SIZE])
{
    char boundary[BOUNDARY_SIZE];
    struct vg_buf tags;
    enum vg_err err;

    choose_boundary(pprof_gz, boundary);
    vg_buf_init(&tags, body->limit, body->alloc);
    vg_buf_printf(&tags, "%s%sprofile_seq:%" PRIu64, event->tags, event->tags[0] ? "," : "", event->seq);
    vg_buf_printf(body,
                  "--%s\r\nContent-Disposition: form-data; name=\"event\"; filename=\"event.json\"\r\n"
                  "Content-Type: application/json\r\n\r\n",
                  boundary);
    append_event(event, &tags, body);
    vg_buf_printf(
        body,
        "\r\n--%s\r\nContent-Disposition: form-data; name=\"auto.pprof\"; filename=\"auto.pprof\"\r\n"
        "Content-Type: application/octet-stream\r\n\r\n",
        boundary);
    vg_buf_slice(body, pprof_gz);
    vg_buf_printf(body, "\r\n--%s--\r\n", boundary);
    snprintf(type, VG_MULTIPART_TYPE_SIZE, "multipart/form-data; boundary=%s", boundary);
    err = tags.err ? tags.err : body->err;
    vg_buf_release(&tags);
    return err;
}
