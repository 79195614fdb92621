/* Columns: see columns.h. Each column is compressed alone, so that a merge expands the two or three that it
 * needs. */
#include "vigil/store/columns.h"

#include <xxhash.h>
#include <zstd.h>

/* Level 3: 1 and 2 save a tenth of the time and cost 3 % of the disk, 6 costs twice the time for 1 % less
 * disk. */
#define ZSTD_LEVEL 3
/* Below this a frame's own head is more than compression saves. */
#define COMPRESS_FROM_BYTES ((size_t)40)
#define VARINT_MAX_BYTES    ((size_t)10)
#define SEAL_BYTES          ((size_t)4)
/* No column of ours is longer: 2^24 events (rows.h) of the longest varint. */
#define COLUMN_LIMIT_BYTES ((size_t)1 << 28)

void vg_coder_init(struct vg_coder *coder, const struct vg_alloc *alloc)
{
    *coder = (struct vg_coder){.alloc = alloc};
    vg_buf_init(&coder->raw, COLUMN_LIMIT_BYTES, alloc);
    vg_buf_init(&coder->packed, COLUMN_LIMIT_BYTES, alloc);
}

void vg_coder_release(struct vg_coder *coder)
{
    ZSTD_freeCCtx(coder->compressor);
    ZSTD_freeDCtx(coder->expander);
    vg_buf_release(&coder->raw);
    vg_buf_release(&coder->packed);
    coder->compressor = NULL;
    coder->expander = NULL;
}

static size_t put_varint(unsigned char *at, uint64_t value)
{
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        at[n++] = (unsigned char)(value | 0x80);
    at[n++] = (unsigned char)value;
    return n;
}

static uint64_t squeeze(enum vg_column_mode mode, uint64_t value, uint64_t before)
{
    if (mode == VG_COLUMN_PLAIN)
        return value;
    if (mode == VG_COLUMN_RISING)
        return value - before;
    uint64_t x = mode == VG_COLUMN_DELTA ? value - before : value;
    return x << 1 ^ (uint64_t)((int64_t)x >> 63);
}

static uint64_t stretch(enum vg_column_mode mode, uint64_t x, uint64_t before)
{
    if (mode == VG_COLUMN_PLAIN)
        return x;
    if (mode == VG_COLUMN_RISING)
        return x + before;
    x = x >> 1 ^ (0 - (x & 1));
    return mode == VG_COLUMN_DELTA ? x + before : x;
}

/* ---- writing ---- */

void vg_varint_write(struct vg_buf *out, uint64_t value)
{
    unsigned char bytes[VARINT_MAX_BYTES];
    vg_buf_append(out, bytes, put_varint(bytes, value));
}

static void fail(struct vg_buf *out, enum vg_err err)
{
    if (!out->err)
        out->err = err;
}

static enum vg_err compress(struct vg_coder *coder, struct vg_slice raw)
{
    vg_buf_reset(&coder->packed);
    enum vg_err err = vg_buf_reserve(&coder->packed, ZSTD_compressBound(raw.len));
    if (err)
        return err;
    if (!coder->compressor && !(coder->compressor = ZSTD_createCCtx()))
        return VG_ERR_NOMEM;
    size_t n = ZSTD_compressCCtx(coder->compressor, coder->packed.data, coder->packed.cap, raw.data, raw.len,
                                 ZSTD_LEVEL);
    if (ZSTD_isError(n))
        return VG_ERR_NOMEM; /* the one reason left: the room suffices and the level exists */
    coder->packed.len = n;
    return VG_OK;
}

static void write_column(struct vg_coder *coder, struct vg_buf *out, enum vg_column_mode mode,
                         struct vg_slice raw)
{
    uint64_t head = (uint64_t)raw.len << 3 | (uint64_t)mode << 1;
    if (raw.len >= COMPRESS_FROM_BYTES) {
        enum vg_err err = compress(coder, raw);
        if (err) {
            fail(out, err);
            return;
        }
        if (coder->packed.len + 2 < raw.len) {
            vg_varint_write(out, head | 1);
            vg_varint_write(out, coder->packed.len);
            vg_buf_append(out, coder->packed.data, coder->packed.len);
            return;
        }
    }
    vg_varint_write(out, head);
    vg_buf_slice(out, raw);
}

/* Room for n varints in coder->raw, or NULL with the error in out. */
static unsigned char *raw_room(struct vg_coder *coder, struct vg_buf *out, size_t n)
{
    vg_buf_reset(&coder->raw);
    enum vg_err err = n > COLUMN_LIMIT_BYTES / VARINT_MAX_BYTES
                          ? VG_ERR_LIMIT
                          : vg_buf_reserve(&coder->raw, n * VARINT_MAX_BYTES + 1);
    if (err)
        fail(out, err);
    return err ? NULL : (unsigned char *)coder->raw.data;
}

void vg_column_write_u32(struct vg_coder *coder, struct vg_buf *out, enum vg_column_mode mode,
                         const uint32_t *values, size_t n)
{
    unsigned char *raw = raw_room(coder, out, n);
    if (!raw)
        return;
    size_t len = 0;
    uint64_t any = 0, before = 0;
    for (size_t i = 0; i < n; i++) {
        len += put_varint(raw + len, squeeze(mode, values[i], before));
        any |= before = values[i];
    }
    write_column(coder, out, mode, (struct vg_slice){(char *)raw, any ? len : 0});
}

void vg_column_write_i64(struct vg_coder *coder, struct vg_buf *out, enum vg_column_mode mode,
                         const int64_t *values, size_t n)
{
    unsigned char *raw = raw_room(coder, out, n);
    if (!raw)
        return;
    size_t len = 0;
    uint64_t any = 0, before = 0;
    for (size_t i = 0; i < n; i++) {
        len += put_varint(raw + len, squeeze(mode, (uint64_t)values[i], before));
        any |= before = (uint64_t)values[i];
    }
    write_column(coder, out, mode, (struct vg_slice){(char *)raw, any ? len : 0});
}

void vg_column_write_bytes(struct vg_coder *coder, struct vg_buf *out, struct vg_slice bytes)
{
    if (bytes.len > COLUMN_LIMIT_BYTES / 2)
        fail(out, VG_ERR_LIMIT);
    else
        write_column(coder, out, VG_COLUMN_PLAIN, bytes);
}

static void seal_of(const void *bytes, size_t len, unsigned char seal[SEAL_BYTES])
{
    uint64_t hash = XXH3_64bits(bytes, len);
    for (size_t i = 0; i < SEAL_BYTES; i++)
        seal[i] = (unsigned char)(hash >> 8 * i);
}

void vg_blob_seal(struct vg_buf *out)
{
    unsigned char seal[SEAL_BYTES];
    seal_of(out->data, out->len, seal);
    vg_buf_append(out, seal, SEAL_BYTES);
}

/* ---- reading ---- */

enum vg_err vg_blob_open(struct vg_slice bytes, struct vg_blob *blob)
{
    unsigned char seal[SEAL_BYTES];
    if (bytes.len < SEAL_BYTES)
        return VG_ERR_MALFORMED;
    size_t len = bytes.len - SEAL_BYTES;
    seal_of(bytes.data, len, seal);
    if (memcmp(seal, bytes.data + len, SEAL_BYTES) != 0)
        return VG_ERR_MALFORMED;
    const unsigned char *at = (const unsigned char *)bytes.data;
    *blob = (struct vg_blob){.at = at, .end = at + len};
    return VG_OK;
}

uint64_t vg_varint_read(struct vg_blob *blob)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && blob->at < blob->end; shift += 7) {
        uint64_t byte = *blob->at++;
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    blob->is_bad = true;
    blob->at = blob->end;
    return 0;
}

struct column {
    enum vg_column_mode mode;
    bool is_compressed;
    size_t raw_len;
    struct vg_slice stored;
};

static enum vg_err read_head(struct vg_blob *blob, size_t limit_bytes, struct column *column)
{
    uint64_t head = vg_varint_read(blob);
    column->is_compressed = head & 1;
    column->mode = (enum vg_column_mode)(head >> 1 & 3);
    uint64_t stored_len = column->is_compressed ? vg_varint_read(blob) : head >> 3;
    if (blob->is_bad || head >> 3 > limit_bytes || stored_len > (size_t)(blob->end - blob->at))
        return VG_ERR_MALFORMED;
    column->raw_len = (size_t)(head >> 3);
    column->stored = (struct vg_slice){(const char *)blob->at, (size_t)stored_len};
    blob->at += stored_len;
    return VG_OK;
}

static enum vg_err expand(struct vg_coder *coder, const struct column *column, struct vg_slice *raw)
{
    if (!column->is_compressed) {
        *raw = column->stored;
        return VG_OK;
    }
    vg_buf_reset(&coder->raw);
    enum vg_err err = vg_buf_reserve(&coder->raw, column->raw_len);
    if (err)
        return err;
    if (!coder->expander && !(coder->expander = ZSTD_createDCtx()))
        return VG_ERR_NOMEM;
    size_t n = ZSTD_decompressDCtx(coder->expander, coder->raw.data, column->raw_len, column->stored.data,
                                   column->stored.len);
    if (ZSTD_isError(n) || n != column->raw_len)
        return VG_ERR_MALFORMED;
    *raw = (struct vg_slice){coder->raw.data, n};
    return VG_OK;
}

/* The column as a run of varints, still squeezed. */
static enum vg_err read_numbers(struct vg_coder *coder, struct vg_blob *blob, size_t n, struct column *column,
                                struct vg_blob *numbers)
{
    if (n > COLUMN_LIMIT_BYTES / VARINT_MAX_BYTES)
        return VG_ERR_MALFORMED;
    enum vg_err err = read_head(blob, n * VARINT_MAX_BYTES, column);
    struct vg_slice raw = {0};
    if (!err)
        err = expand(coder, column, &raw);
    if (!err) {
        const unsigned char *at = (const unsigned char *)raw.data;
        *numbers = (struct vg_blob){.at = at, .end = raw.len ? at + raw.len : at};
    }
    return err;
}

static uint64_t next_number(struct vg_blob *numbers)
{
    if (numbers->at < numbers->end && *numbers->at < 0x80)
        return *numbers->at++; /* most of them */
    return vg_varint_read(numbers);
}

enum vg_err vg_column_read_u32(struct vg_coder *coder, struct vg_blob *blob, uint32_t *values, size_t n)
{
    struct column column;
    struct vg_blob numbers = {0};
    enum vg_err err = read_numbers(coder, blob, n, &column, &numbers);
    if (err)
        return err;
    if (column.raw_len == 0) {
        if (n)
            memset(values, 0, n * sizeof *values);
        return VG_OK;
    }
    uint64_t before = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        before = stretch(column.mode, next_number(&numbers), before);
        all |= before;
        values[i] = (uint32_t)before;
    }
    return numbers.is_bad || numbers.at != numbers.end || all > UINT32_MAX ? VG_ERR_MALFORMED : VG_OK;
}

enum vg_err vg_column_read_i64(struct vg_coder *coder, struct vg_blob *blob, int64_t *values, size_t n)
{
    struct column column;
    struct vg_blob numbers = {0};
    enum vg_err err = read_numbers(coder, blob, n, &column, &numbers);
    if (err)
        return err;
    if (column.raw_len == 0) {
        if (n)
            memset(values, 0, n * sizeof *values);
        return VG_OK;
    }
    uint64_t before = 0;
    for (size_t i = 0; i < n; i++) {
        before = stretch(column.mode, next_number(&numbers), before);
        values[i] = (int64_t)before;
    }
    return numbers.is_bad || numbers.at != numbers.end ? VG_ERR_MALFORMED : VG_OK;
}

enum vg_err vg_column_read_bytes(struct vg_coder *coder, struct vg_blob *blob, size_t limit_bytes,
                                 struct vg_slice *bytes)
{
    struct column column;
    enum vg_err err =
        read_head(blob, limit_bytes < COLUMN_LIMIT_BYTES ? limit_bytes : COLUMN_LIMIT_BYTES, &column);
    return err ? err : expand(coder, &column, bytes);
}

enum vg_err vg_column_skip(struct vg_blob *blob)
{
    struct column column;
    return read_head(blob, COLUMN_LIMIT_BYTES, &column);
}
