/* Columns of integers and text as bytes on disk, and back: varints, differences, zstd.
 *
 * A column is a head (varint: length before compression × 8 + mode × 2 + compressed?), where compressed the
 * length of what follows, and the bytes. A column of zeros only has length 0. A blob is columns one after the
 * other, sealed by four bytes of checksum. Same values → same bytes (for one version of zstd). Reading trusts
 * nothing: each length is bounded by what the caller expects, each number by what its type holds.
 *
 * One owner at a time. O(length).
 */
#ifndef VG_VIGIL_STORE_COLUMNS_H
#define VG_VIGIL_STORE_COLUMNS_H

#include "base/buf.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

/* Scratch of whoever writes or reads blobs; contexts are made when first needed. */
struct vg_coder {
    struct ZSTD_CCtx_s *compressor;
    struct ZSTD_DCtx_s *expander;
    struct vg_buf raw;    /* a column before compression, after expansion */
    struct vg_buf packed; /* a column compressed */
    const struct vg_alloc *alloc;
};

void vg_coder_init(struct vg_coder *coder, const struct vg_alloc *alloc);
void vg_coder_release(struct vg_coder *coder);

/* How numbers become small. */
enum vg_column_mode {
    VG_COLUMN_PLAIN,  /* as they are; not below 0 */
    VG_COLUMN_RISING, /* difference to the one before; never falls */
    VG_COLUMN_SIGNED, /* sign in the lowest bit */
    VG_COLUMN_DELTA,  /* difference to the one before, sign in the lowest bit */
};

/* Append a column to out; errors stay in out->err. */
void vg_column_write_u32(struct vg_coder *coder, struct vg_buf *out, enum vg_column_mode mode,
                         const uint32_t *values, size_t n);
void vg_column_write_i64(struct vg_coder *coder, struct vg_buf *out, enum vg_column_mode mode,
                         const int64_t *values, size_t n);
void vg_column_write_bytes(struct vg_coder *coder, struct vg_buf *out, struct vg_slice bytes);
void vg_varint_write(struct vg_buf *out, uint64_t value);
/* Ends a blob that began at out->data. */
void vg_blob_seal(struct vg_buf *out);

/* A blob being read. Over the end or malformed: is_bad, and zeros from there on. */
struct vg_blob {
    const unsigned char *at, *end;
    bool is_bad;
};

/* Checks and takes off the seal. */
enum vg_err vg_blob_open(struct vg_slice bytes, struct vg_blob *blob) VG_MUST_USE;
uint64_t vg_varint_read(struct vg_blob *blob);
/* n values; VG_ERR_MALFORMED where the column does not hold exactly n of the type. */
enum vg_err vg_column_read_u32(struct vg_coder *coder, struct vg_blob *blob, uint32_t *values,
                               size_t n) VG_MUST_USE;
enum vg_err vg_column_read_i64(struct vg_coder *coder, struct vg_blob *blob, int64_t *values,
                               size_t n) VG_MUST_USE;
/* Alive until the coder's next use, or as long as the blob. */
enum vg_err vg_column_read_bytes(struct vg_coder *coder, struct vg_blob *blob, size_t limit_bytes,
                                 struct vg_slice *bytes) VG_MUST_USE;
enum vg_err vg_column_skip(struct vg_blob *blob) VG_MUST_USE;

#endif
