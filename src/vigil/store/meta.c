/* Metadata as bytes: see meta.h. */
#include "vigil/store/meta.h"

#include "vigil/store/rows.h"

static void write_text(struct vg_buf *out, struct vg_slice text)
{
    vg_varint_write(out, text.len);
    vg_buf_slice(out, text);
}

static struct vg_slice read_text(struct vg_blob *blob)
{
    uint64_t len = vg_varint_read(blob);
    if (len > (size_t)(blob->end - blob->at)) {
        blob->is_bad = true;
        len = 0;
    }
    struct vg_slice text = {(const char *)blob->at, (size_t)len};
    blob->at += len;
    return text;
}

static enum vg_err copy_text(struct vg_blob *blob, struct vg_arena *arena, struct vg_slice *copy)
{
    struct vg_slice text = read_text(blob);
    return blob->is_bad ? VG_ERR_MALFORMED : vg_arena_copy(arena, text, copy);
}

void vg_tags_encode(const struct vg_tag *tags, size_t n, struct vg_buf *out)
{
    vg_varint_write(out, n);
    for (size_t i = 0; i < n; i++) {
        write_text(out, tags[i].name);
        write_text(out, tags[i].value);
    }
    vg_blob_seal(out);
}

enum vg_err vg_tags_decode(struct vg_slice bytes, struct vg_arena *arena, struct vg_tag **tags, size_t *n)
{
    struct vg_blob blob;
    enum vg_err err = vg_blob_open(bytes, &blob);
    if (err)
        return err;
    uint64_t count = vg_varint_read(&blob);
    if (blob.is_bad || count > VG_TAGS_MAX)
        return VG_ERR_MALFORMED;
    struct vg_tag *list = vg_arena_new(arena, (size_t)count, sizeof *list);
    if (!list)
        return VG_ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        err = copy_text(&blob, arena, &list[i].name);
        if (!err)
            err = copy_text(&blob, arena, &list[i].value);
        if (err)
            return err;
    }
    *tags = list;
    *n = (size_t)count;
    return VG_OK;
}

void vg_types_encode(const struct vg_profile_type *types, size_t n, struct vg_buf *out)
{
    vg_varint_write(out, n);
    for (size_t i = 0; i < n; i++) {
        write_text(out, types[i].name);
        write_text(out, types[i].unit);
    }
    vg_blob_seal(out);
}

enum vg_err vg_types_decode(struct vg_slice bytes, struct vg_arena *arena, struct vg_profile_type **types,
                            size_t *n)
{
    struct vg_blob blob;
    enum vg_err err = vg_blob_open(bytes, &blob);
    if (err)
        return err;
    uint64_t count = vg_varint_read(&blob);
    if (blob.is_bad || count > VG_TYPES_MAX)
        return VG_ERR_MALFORMED;
    struct vg_profile_type *list = vg_arena_new(arena, (size_t)count, sizeof *list);
    if (!list)
        return VG_ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        err = copy_text(&blob, arena, &list[i].name);
        if (!err)
            err = copy_text(&blob, arena, &list[i].unit);
        if (err)
            return err;
    }
    *types = list;
    *n = (size_t)count;
    return VG_OK;
}

void vg_totals_encode(const struct vg_profile_type *types, size_t n, struct vg_coder *coder,
                      struct vg_buf *out)
{
    int64_t totals[VG_TYPES_MAX];
    for (size_t i = 0; i < n && i < VG_TYPES_MAX; i++)
        totals[i] = types[i].total;
    if (n > VG_TYPES_MAX) {
        out->err = out->err ? out->err : VG_ERR_LIMIT;
        return;
    }
    vg_column_write_i64(coder, out, VG_COLUMN_SIGNED, totals, n);
    vg_blob_seal(out);
}

enum vg_err vg_totals_decode(struct vg_slice bytes, struct vg_coder *coder, struct vg_profile_type *types,
                             size_t n)
{
    int64_t totals[VG_TYPES_MAX];
    struct vg_blob blob;
    enum vg_err err = n > VG_TYPES_MAX ? VG_ERR_MALFORMED : vg_blob_open(bytes, &blob);
    if (!err)
        err = vg_column_read_i64(coder, &blob, totals, n);
    for (size_t i = 0; i < n && !err; i++)
        types[i].total = totals[i];
    return err;
}

void vg_internal_encode(struct vg_slice internal, struct vg_coder *coder, struct vg_buf *out)
{
    if (internal.len > VG_INTERNAL_MAX_BYTES) {
        out->err = out->err ? out->err : VG_ERR_LIMIT;
        return;
    }
    vg_column_write_bytes(coder, out, internal);
    vg_blob_seal(out);
}

enum vg_err vg_internal_decode(struct vg_slice bytes, struct vg_coder *coder, struct vg_slice *internal)
{
    struct vg_blob blob;
    enum vg_err err = vg_blob_open(bytes, &blob);
    return err ? err : vg_column_read_bytes(coder, &blob, VG_INTERNAL_MAX_BYTES, internal);
}
