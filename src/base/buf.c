/* A growable run of bytes: doubling growth up to a hard limit, sticky errors. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

/* The first allocation: most messages of ours are longer than a line and shorter than a page. */
#define FIRST_CAP_BYTES ((size_t)256)

void vg_buf_init(struct vg_buf *buf, size_t limit, const struct vg_alloc *alloc)
{
    *buf = (struct vg_buf){.limit = limit, .alloc = alloc};
}

void vg_buf_release(struct vg_buf *buf)
{
    vg_alloc_release(buf->alloc, buf->data);
    vg_buf_init(buf, buf->limit, buf->alloc);
}

void vg_buf_reset(struct vg_buf *buf)
{
    buf->len = 0;
    buf->err = VG_OK;
}

static enum vg_err fail(struct vg_buf *buf, enum vg_err err)
{
    if (!buf->err)
        buf->err = err;
    return err;
}

enum vg_err vg_buf_reserve(struct vg_buf *buf, size_t more)
{
    if (more <= buf->cap - buf->len)
        return VG_OK;
    if (more > buf->limit - buf->len)
        return fail(buf, VG_ERR_LIMIT);
    size_t need = buf->len + more;
    size_t cap = buf->cap > buf->limit / 2 ? buf->limit : buf->cap * 2;
    if (cap < FIRST_CAP_BYTES)
        cap = FIRST_CAP_BYTES < buf->limit ? FIRST_CAP_BYTES : buf->limit;
    if (cap < need)
        cap = need;
    char *data = vg_alloc_resize(buf->alloc, buf->data, cap);
    if (!data)
        return fail(buf, VG_ERR_NOMEM);
    buf->data = data;
    buf->cap = cap;
    return VG_OK;
}

enum vg_err vg_buf_append(struct vg_buf *buf, const void *bytes, size_t len)
{
    if (len == 0)
        return VG_OK;
    enum vg_err err = vg_buf_reserve(buf, len);
    if (err)
        return err;
    memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    return VG_OK;
}

enum vg_err vg_buf_byte(struct vg_buf *buf, unsigned char byte)
{
    return vg_buf_append(buf, &byte, 1);
}

enum vg_err vg_buf_text(struct vg_buf *buf, const char *text)
{
    return vg_buf_slice(buf, vg_slice_of(text));
}

enum vg_err vg_buf_slice(struct vg_buf *buf, struct vg_slice text)
{
    return vg_buf_append(buf, text.data, text.len);
}

enum vg_err vg_buf_printf(struct vg_buf *buf, const char *fmt, ...)
{
    char line[256]; /* most calls fit: one pass, and no room is needed for printf's NUL */
    va_list args;
    va_start(args, fmt);
    int printed = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (printed < 0)
        return fail(buf, VG_ERR_MALFORMED);
    size_t len = (size_t)printed;
    if (len < sizeof line)
        return vg_buf_append(buf, line, len);

    if (len > buf->limit - buf->len)
        return fail(buf, VG_ERR_LIMIT);
    char *text = vg_alloc_resize(buf->alloc, NULL, len + 1);
    if (!text)
        return fail(buf, VG_ERR_NOMEM);
    va_start(args, fmt);
    vsnprintf(text, len + 1, fmt, args);
    va_end(args);
    enum vg_err err = vg_buf_append(buf, text, len);
    vg_alloc_release(buf->alloc, text);
    return err;
}

/* Length of the valid UTF-8 sequence at text (no overlong forms, no surrogates, ≤ U+10FFFF), 0 where there is
 * none. */
static size_t utf8_length(const unsigned char *text, size_t len)
{
    unsigned char first = text[0];
    if (first < 0x80)
        return 1;
    size_t need = first >= 0xC2 && first <= 0xDF   ? 2
                  : (first & 0xF0) == 0xE0         ? 3
                  : first >= 0xF0 && first <= 0xF4 ? 4
                                                   : 0;
    if (need == 0 || need > len)
        return 0;
    unsigned char low = 0x80, high = 0xBF; /* of the second byte */
    if (first == 0xE0)
        low = 0xA0;
    else if (first == 0xED)
        high = 0x9F;
    else if (first == 0xF0)
        low = 0x90;
    else if (first == 0xF4)
        high = 0x8F;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    }
    return need;
}

static void json_escape(struct vg_buf *buf, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char shorts[][2] = {{'"', '"'},  {'\\', '\\'}, {'\b', 'b'}, {'\f', 'f'},
                                     {'\n', 'n'}, {'\r', 'r'},  {'\t', 't'}};
    for (size_t i = 0; i < sizeof shorts / sizeof shorts[0]; i++) {
        if ((unsigned char)shorts[i][0] == c) {
            vg_buf_append(buf, (char[]){'\\', shorts[i][1]}, 2);
            return;
        }
    }
    vg_buf_append(buf, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

enum vg_err vg_buf_json_string(struct vg_buf *buf, struct vg_slice text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t start_len = buf->len, plain = 0; /* plain: where the run not yet copied begins */
    enum vg_err earlier = buf->err;
    buf->err = VG_OK;
    vg_buf_byte(buf, '"');
    for (size_t i = 0; i < text.len && !buf->err;) {
        size_t n = utf8_length(bytes + i, text.len - i);
        bool escaped = n == 1 && (bytes[i] < 0x20 || bytes[i] == '"' || bytes[i] == '\\' || bytes[i] == 0x7F);
        if (n && !escaped) {
            i += n;
            continue;
        }
        vg_buf_append(buf, bytes + plain, i - plain);
        if (escaped)
            json_escape(buf, bytes[i]);
        else
            vg_buf_append(buf, "\xEF\xBF\xBD", 3);
        plain = ++i;
    }
    if (!buf->err && text.len > plain)
        vg_buf_append(buf, bytes + plain, text.len - plain);
    vg_buf_byte(buf, '"');

    enum vg_err err = buf->err;
    if (err)
        buf->len = start_len;
    if (earlier)
        buf->err = earlier;
    return err;
}

char *vg_buf_detach(struct vg_buf *buf, size_t *len)
{
    char *data = buf->data;
    *len = buf->len;
    vg_buf_init(buf, buf->limit, buf->alloc);
    return data;
}
