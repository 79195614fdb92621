#include "profiler/upload/gzip.h"

#include <dlfcn.h>

/* zlib's z_stream: part of its binary interface since 1995, guarded by the size that deflateInit2_ checks. */
struct vg_zlib_stream {
    const unsigned char *next_in;
    unsigned avail_in;
    unsigned long total_in;
    unsigned char *next_out;
    unsigned avail_out;
    unsigned long total_out;
    const char *msg;
    void *state;
    void *(*zalloc)(void *, unsigned, unsigned);
    void (*zfree)(void *, void *);
    void *opaque;
    int data_type;
    unsigned long adler;
    unsigned long reserved;
};

/* Values of zlib's interface. */
enum { Z_OK_ = 0, Z_STREAM_END_ = 1, Z_NO_FLUSH_ = 0, Z_FINISH_ = 4, Z_DEFLATED_ = 8 };
#define GZIP_WINDOW_BITS (15 + 16)
#define LEVEL            6
#define MEM_LEVEL        8

#define CHUNK_BYTES      (64u << 10)
#define STORED_MAX_BYTES 65535u

/* A function from an object pointer, as dlsym gives it. */
#define SET_FUNCTION(target, pointer) (*(void **)&(target) = (pointer))

static bool find_in(struct vg_gzip *gzip, void *handle)
{
    void *init = dlsym(handle, "deflateInit2_");
    void *run = dlsym(handle, "deflate");
    void *end = dlsym(handle, "deflateEnd");

    if (!init || !run || !end)
        return false;
    SET_FUNCTION(gzip->deflate_init, init);
    SET_FUNCTION(gzip->deflate, run);
    SET_FUNCTION(gzip->deflate_end, end);
    return true;
}

static bool find_in_library(struct vg_gzip *gzip, const char *path)
{
    void *handle = path && path[0] ? dlopen(path, RTLD_LAZY | RTLD_LOCAL) : NULL;

    if (!handle)
        return false;
    if (find_in(gzip, handle))
        return true;
    dlclose(handle);
    return false;
}

void vg_gzip_find(struct vg_gzip *gzip, const char *zlib_path)
{
    *gzip = (struct vg_gzip){0};
    if (find_in(gzip, RTLD_DEFAULT) || find_in_library(gzip, zlib_path))
        return;
    find_in_library(gzip, "libz.so.1");
}

static uint32_t crc32_of(struct vg_slice data)
{
    uint32_t table[256];
    uint32_t crc = ~0u;

    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = c & 1 ? (c >> 1) ^ 0xEDB88320u : c >> 1;
        table[i] = c;
    }
    for (size_t i = 0; i < data.len; i++)
        crc = table[(crc ^ (unsigned char)data.data[i]) & 0xff] ^ (crc >> 8);
    return ~crc;
}

static void put_le(struct vg_buf *out, uint32_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        vg_buf_byte(out, (unsigned char)(value >> (8 * i)));
}

static enum vg_err append_stored(struct vg_slice data, struct vg_buf *out)
{
    static const unsigned char header[10] = {0x1f, 0x8b, Z_DEFLATED_, 0, 0, 0, 0, 0, 0, 0xff};
    size_t at = 0;

    vg_buf_append(out, header, sizeof(header));
    do {
        size_t n = data.len - at < STORED_MAX_BYTES ? data.len - at : STORED_MAX_BYTES;
        vg_buf_byte(out, at + n == data.len); /* the last block says so */
        put_le(out, (uint32_t)n, 2);
        put_le(out, ~(uint32_t)n, 2);
        vg_buf_append(out, data.data + at, n);
        at += n;
    } while (at < data.len);
    put_le(out, crc32_of(data), 4);
    put_le(out, (uint32_t)data.len, 4);
    return out->err;
}

/* Feeds one piece; leaves when it is eaten, or with flush Z_FINISH_ when the stream has ended. */
static enum vg_err feed(const struct vg_gzip *gzip, struct vg_zlib_stream *stream, int flush,
                        struct vg_buf *out)
{
    int got;

    do {
        enum vg_err err = vg_buf_reserve(out, CHUNK_BYTES);
        if (err)
            return err;
        stream->next_out = (unsigned char *)out->data + out->len;
        stream->avail_out = CHUNK_BYTES;
        got = gzip->deflate(stream, flush);
        out->len += CHUNK_BYTES - stream->avail_out;
        if (got != Z_OK_ && got != Z_STREAM_END_)
            return VG_ERR_NOMEM; /* Z_BUF_ERROR cannot be: there was room and input, or the end was asked for
                                  */
    } while (flush == Z_FINISH_ ? got != Z_STREAM_END_ : stream->avail_in > 0);
    return VG_OK;
}

enum vg_err vg_gzip_append(const struct vg_gzip *gzip, struct vg_slice data, struct vg_buf *out)
{
    struct vg_zlib_stream stream = {0};
    enum vg_err err = VG_OK;
    size_t at = 0;

    /* The version is compared in its first digit only. */
    if (!gzip->deflate_init || gzip->deflate_init(&stream, LEVEL, Z_DEFLATED_, GZIP_WINDOW_BITS, MEM_LEVEL, 0,
                                                  "1.2.0", (int)sizeof(stream)) != Z_OK_)
        return append_stored(data, out);
    do {
        size_t n = data.len - at < CHUNK_BYTES ? data.len - at : CHUNK_BYTES;
        stream.next_in = (const unsigned char *)data.data + at;
        stream.avail_in = (unsigned)n;
        at += n;
        err = feed(gzip, &stream, at == data.len ? Z_FINISH_ : Z_NO_FLUSH_, out);
    } while (!err && at < data.len);
    gzip->deflate_end(&stream);
    return err;
}
