#include "vigil/intake/decompress.h"

#include <libdeflate.h>
#include <lz4frame.h>
#include <zstd.h>
#include <zstd_errors.h>

#define FIRST_RATIO 8 /* pprofs shrink to a tenth or a fourth */
#define FIRST_BYTES ((size_t)64 << 10)
#define STEP        4

/* One try with a given size of output. VG_ERR_LIMIT: it was too small. */
typedef enum vg_err attempt(struct vg_slice input, struct vg_buf *out);

static enum vg_err try_gzip(struct vg_slice input, struct vg_buf *out)
{
    struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
    enum libdeflate_result result = LIBDEFLATE_SUCCESS;

    if (!decompressor)
        return VG_ERR_NOMEM;
    /* A gzip file may be several members one after the other. */
    while (input.len && result == LIBDEFLATE_SUCCESS) {
        size_t used, made;
        result = libdeflate_gzip_decompress_ex(decompressor, input.data, input.len, out->data + out->len,
                                               out->cap - out->len, &used, &made);
        if (result != LIBDEFLATE_SUCCESS)
            break;
        out->len += made;
        input = (struct vg_slice){input.data + used, input.len - used};
    }
    libdeflate_free_decompressor(decompressor);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE)
        return VG_ERR_LIMIT;
    return result == LIBDEFLATE_SUCCESS ? VG_OK : VG_ERR_MALFORMED;
}

/* Not as a stream: that would allocate the window which the frame asks for. */
static enum vg_err try_zstd(struct vg_slice input, struct vg_buf *out)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();

    if (!context)
        return VG_ERR_NOMEM;
    size_t made = ZSTD_decompressDCtx(context, out->data, out->cap, input.data, input.len);
    ZSTD_freeDCtx(context);
    if (!ZSTD_isError(made)) {
        out->len = made;
        return VG_OK;
    }
    switch (ZSTD_getErrorCode(made)) {
    case ZSTD_error_dstSize_tooSmall:
        return VG_ERR_LIMIT;
    case ZSTD_error_memory_allocation:
        return VG_ERR_NOMEM;
    default:
        return VG_ERR_MALFORMED;
    }
}

static enum vg_err try_lz4(struct vg_slice input, struct vg_buf *out)
{
    LZ4F_dctx *context;
    size_t hint = 1; /* 0: a frame is complete */
    enum vg_err err = VG_OK;

    if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)))
        return VG_ERR_NOMEM;
    while (input.len && !err) {
        size_t used = input.len, made = out->cap - out->len;
        hint = LZ4F_decompress(context, out->data + out->len, &made, input.data, &used, NULL);
        if (LZ4F_isError(hint))
            err = VG_ERR_MALFORMED;
        else if (used == 0 && made == 0)
            err = VG_ERR_LIMIT; /* no progress: no room */
        if (!err) {
            out->len += made;
            input = (struct vg_slice){input.data + used, input.len - used};
        }
    }
    /* All input is taken, but what it stands for may still wait inside for room. */
    while (!err && hint != 0) {
        size_t used = 0, made = out->cap - out->len;
        size_t room = made;
        hint = LZ4F_decompress(context, out->data + out->len, &made, "", &used, NULL);
        if (LZ4F_isError(hint) || (made == 0 && room > 0))
            err = VG_ERR_MALFORMED; /* cut off */
        else if (made == 0)
            err = VG_ERR_LIMIT;
        else
            out->len += made;
    }
    LZ4F_freeDecompressionContext(context);
    return err;
}

static attempt *attempt_for(struct vg_slice input)
{
    static const unsigned char gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd},
                               lz4[] = {0x04, 0x22, 0x4d, 0x18};

    if (input.len >= sizeof gzip && memcmp(input.data, gzip, sizeof gzip) == 0)
        return try_gzip;
    if (input.len >= sizeof zstd && memcmp(input.data, zstd, sizeof zstd) == 0)
        return try_zstd;
    if (input.len >= sizeof lz4 && memcmp(input.data, lz4, sizeof lz4) == 0)
        return try_lz4;
    return NULL;
}

static size_t most_bytes(struct vg_slice input)
{
    return input.len > VG_EXPAND_LIMIT_BYTES / VG_EXPAND_RATIO ? VG_EXPAND_LIMIT_BYTES
                                                               : input.len * VG_EXPAND_RATIO;
}

/* Room for size bytes and nothing in it: what an earlier try left is of no use. */
static enum vg_err make_room(struct vg_expanded *e, size_t size, const struct vg_alloc *alloc)
{
    vg_expanded_release(e);
    if (!vg_budget_take(e->budget, size))
        return VG_ERR_FULL;
    e->charged = size;
    vg_buf_init(&e->memory, size, alloc);
    return vg_buf_reserve(&e->memory, size);
}

enum vg_err vg_expand(struct vg_expanded *e, struct vg_slice input, struct vg_budget *budget,
                      const struct vg_alloc *alloc, const char **why)
{
    attempt *try = attempt_for(input);
    size_t most = most_bytes(input), size = input.len > most / FIRST_RATIO ? most : input.len * FIRST_RATIO;
    enum vg_err err = VG_ERR_LIMIT;

    *e = (struct vg_expanded){.bytes = input, .budget = budget};
    vg_buf_init(&e->memory, 0, alloc);
    if (!try)
        return VG_OK;
    for (size = size < FIRST_BYTES ? FIRST_BYTES : size; err == VG_ERR_LIMIT; size *= STEP) {
        bool is_last = size >= most;
        err = make_room(e, is_last ? most : size, alloc);
        if (!err)
            err = try(input, &e->memory);
        if (err == VG_ERR_LIMIT && is_last)
            break;
    }
    if (err == VG_ERR_LIMIT)
        *why = "it expands to more than 256 MiB, or to more than 200 times its size";
    else if (err == VG_ERR_MALFORMED)
        *why = "its compressed data is damaged or cut off";
    e->bytes = vg_buf_as_slice(&e->memory);
    return err;
}

void vg_expanded_release(struct vg_expanded *e)
{
    vg_buf_release(&e->memory);
    vg_budget_give(e->budget, e->charged);
    e->charged = 0;
}
