/* multipart/form-data as it streams in: bytes in any cuts → parts. Pure: no sockets, no allocation, no copy
 * of the data but for a boundary cut in two. O(bytes). One owner at a time.
 *
 * Bounded: a header line, the headers of a part, names, the number of parts. Refused: what RFC 7578 does not
 * allow, but lines that end in CRLF only are taken (all clients send them) and text before the first boundary
 * is skipped.
 */
#ifndef VG_VIGIL_INTAKE_MULTIPART_H
#define VG_VIGIL_INTAKE_MULTIPART_H

#include "base/err.h"
#include "base/slice.h"

#define VG_MULTIPART_BOUNDARY_BYTES 70 /* RFC 2046 */
#define VG_MULTIPART_LINE_BYTES     1024
#define VG_MULTIPART_HEADER_LINES   16
#define VG_MULTIPART_NAME_BYTES     128
#define VG_MULTIPART_PARTS          1200 /* old clients send each of up to 1,000 tags as a part */

struct vg_multipart_part {
    char name[VG_MULTIPART_NAME_BYTES];     /* of the form's field */
    char filename[VG_MULTIPART_NAME_BYTES]; /* "" where there is none */
};

/* Any of them may refuse: the error goes back to who feeds. */
struct vg_multipart_events {
    enum vg_err (*begin)(void *ctx, const struct vg_multipart_part *part);
    enum vg_err (*data)(void *ctx, struct vg_slice bytes);
    enum vg_err (*end)(void *ctx);
};

enum vg_multipart_state {
    VG_MULTIPART_PREAMBLE,
    VG_MULTIPART_BOUNDARY_END, /* after a boundary: "--", or the end of the line */
    VG_MULTIPART_HEADER,
    VG_MULTIPART_DATA,
    VG_MULTIPART_EPILOGUE, /* after the last boundary: ignored */
};

struct vg_multipart {
    const struct vg_multipart_events *events;
    void *ctx;
    enum vg_multipart_state state;
    char delimiter[4 + VG_MULTIPART_BOUNDARY_BYTES]; /* CR LF - - boundary */
    size_t delimiter_len;
    size_t matched; /* bytes of the delimiter seen so far */
    char line[VG_MULTIPART_LINE_BYTES];
    size_t line_len, n_lines;
    bool has_name, is_in_part;
    struct vg_multipart_part part;
    size_t n_parts;
    uint64_t offset; /* bytes of the body understood so far */
    const char *why; /* static: what the first error of the parser's own was */
};

/* content_type: the request's header, may be NULL. VG_ERR_MALFORMED and m->why where it names no form or no
 * boundary. */
enum vg_err vg_multipart_init(struct vg_multipart *m, const char *content_type,
                              const struct vg_multipart_events *events, void *ctx) VG_MUST_USE;
/* After an error nothing more may be fed. */
enum vg_err vg_multipart_feed(struct vg_multipart *m, struct vg_slice bytes) VG_MUST_USE;
/* The body ended: VG_ERR_MALFORMED unless its last boundary was seen. */
enum vg_err vg_multipart_finish(struct vg_multipart *m) VG_MUST_USE;

#endif
