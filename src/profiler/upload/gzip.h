/* gzip with whatever zlib the process has at run time; without one, a valid gzip stream of stored blocks.
 *
 * The extension links no zlib: the interpreter nearly always brings one. One owner at a time. */
#ifndef VG_PROFILER_UPLOAD_GZIP_H
#define VG_PROFILER_UPLOAD_GZIP_H

#include "base/buf.h"

struct vg_zlib_stream;

/* All zero: no zlib, blocks are stored. */
struct vg_gzip {
    int (*deflate_init)(struct vg_zlib_stream *, int level, int method, int window_bits, int mem_level,
                        int strategy, const char *version, int stream_size);
    int (*deflate)(struct vg_zlib_stream *, int flush);
    int (*deflate_end)(struct vg_zlib_stream *);
};

/* Looks among the process's symbols, then in the library or extension module zlib_path ("" or NULL: none),
 * then for the system's libz. What it opens stays open. */
void vg_gzip_find(struct vg_gzip *gzip, const char *zlib_path);

/* Appends one gzip member holding data. VG_ERR_NOMEM, VG_ERR_LIMIT. */
enum vg_err vg_gzip_append(const struct vg_gzip *gzip, struct vg_slice data, struct vg_buf *out) VG_MUST_USE;

#endif
