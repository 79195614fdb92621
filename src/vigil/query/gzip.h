/* Bytes → one gzip member. Any thread. */
#ifndef VG_VIGIL_QUERY_GZIP_H
#define VG_VIGIL_QUERY_GZIP_H

#include "base/buf.h"

/* Appends to out; level 1 (fast) – 12. Sticky failures of out apply. */
enum vg_err vg_gzip(struct vg_slice plain, int level, struct vg_buf *out) VG_MUST_USE;

#endif
