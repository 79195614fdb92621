/* A growable run of bytes with a hard upper bound.
 *
 * Append is amortised O(1). An append that fails leaves the buffer as it was and is remembered in `err`
 * (sticky), so that a writer may append many times and look once. One owner at a time.
 */
#ifndef VG_BASE_BUF_H
#define VG_BASE_BUF_H

#include "base/alloc.h"
#include "base/err.h"
#include "base/slice.h"

struct vg_buf {
    char *data;                   /* owned; not NUL-terminated */
    size_t len;                   /* bytes used */
    size_t cap;                   /* bytes allocated */
    size_t limit;                 /* bytes it may ever hold */
    enum vg_err err;              /* the first failure, or VG_OK */
    const struct vg_alloc *alloc; /* borrowed; NULL: the C library */
};

void vg_buf_init(struct vg_buf *buf, size_t limit, const struct vg_alloc *alloc);
void vg_buf_release(struct vg_buf *buf);
/* Empty and free of errors again; memory is kept. */
void vg_buf_reset(struct vg_buf *buf);

/* Room for `more` further bytes; VG_ERR_LIMIT beyond the limit, VG_ERR_NOMEM without memory. */
enum vg_err vg_buf_reserve(struct vg_buf *buf, size_t more);
enum vg_err vg_buf_append(struct vg_buf *buf, const void *bytes, size_t len);
enum vg_err vg_buf_byte(struct vg_buf *buf, unsigned char byte);
enum vg_err vg_buf_text(struct vg_buf *buf, const char *text);
enum vg_err vg_buf_slice(struct vg_buf *buf, struct vg_slice text);
enum vg_err vg_buf_printf(struct vg_buf *buf, const char *fmt, ...) VG_PRINTF(2, 3);
/* The bytes as a JSON string with its quotes: control characters escaped, invalid UTF-8 replaced by U+FFFD.
 */
enum vg_err vg_buf_json_string(struct vg_buf *buf, struct vg_slice text);

/* Ownership of the bytes goes to the caller (free with vg_alloc_release); the buffer is empty afterwards. */
char *vg_buf_detach(struct vg_buf *buf, size_t *len);

static inline struct vg_slice vg_buf_as_slice(const struct vg_buf *buf)
{
    return (struct vg_slice){buf->data, buf->len};
}

#endif
