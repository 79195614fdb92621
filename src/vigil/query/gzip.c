/* gzip by libdeflate, in one go: answers are whole in memory anyway. */
#include "vigil/query/gzip.h"

#include <libdeflate.h>

enum vg_err vg_gzip(struct vg_slice plain, int level, struct vg_buf *out)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(level);
    if (!compressor)
        return VG_ERR_NOMEM;
    size_t bound = libdeflate_gzip_compress_bound(compressor, plain.len);
    enum vg_err err = vg_buf_reserve(out, bound);
    if (!err)
        out->len += libdeflate_gzip_compress(compressor, plain.data, plain.len, out->data + out->len, bound);
    libdeflate_free_compressor(compressor);
    return err;
}
