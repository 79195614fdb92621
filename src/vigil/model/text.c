#include "vigil/model/text.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS    "\xe2\x80\xa6"

static bool is_continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* Bytes of the well-formed character at p (n > 0 left), or 0. */
static size_t character_length(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        return n > 1 && is_continuation(p[1]) ? 2 : 0;
    if (p[0] >= 0xe0 && p[0] <= 0xef) {
        unsigned char low = p[0] == 0xe0 ? 0xa0 : 0x80, high = p[0] == 0xed ? 0x9f : 0xbf;
        return n > 2 && p[1] >= low && p[1] <= high && is_continuation(p[2]) ? 3 : 0;
    }
    if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        unsigned char low = p[0] == 0xf0 ? 0x90 : 0x80, high = p[0] == 0xf4 ? 0x8f : 0xbf;
        return n > 3 && p[1] >= low && p[1] <= high && is_continuation(p[2]) && is_continuation(p[3]) ? 4 : 0;
    }
    return 0;
}

static bool is_control(const unsigned char *p, size_t len)
{
    return (len == 1 && (p[0] < 0x20 || p[0] == 0x7f)) || (len == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}

/* How many bytes from the start need no change. */
static size_t clean_prefix(const unsigned char *p, size_t n)
{
    size_t i = 0;

    while (i < n) {
        if (p[i] >= 0x20 && p[i] < 0x7f) {
            i++;
            continue;
        }
        size_t len = character_length(p + i, n - i);
        if (len == 0 || is_control(p + i, len))
            break;
        i += len;
    }
    return i;
}

enum vg_err vg_text_clean(struct vg_slice text, size_t limit_bytes, struct vg_buf *scratch,
                          struct vg_slice *clean)
{
    const unsigned char *p = (const unsigned char *)text.data;
    size_t room = limit_bytes - (sizeof ELLIPSIS - 1), cut = 0; /* where the ellipsis would go */

    if (text.len <= limit_bytes && clean_prefix(p, text.len) == text.len) {
        *clean = text;
        return VG_OK;
    }
    vg_buf_reset(scratch);
    for (size_t i = 0; i < text.len;) {
        size_t len = character_length(p + i, text.len - i);
        struct vg_slice out = {text.data + i, len};
        if (len == 0)
            out = VG_SLICE_LIT(REPLACEMENT);
        else if (is_control(p + i, len))
            out = VG_SLICE_LIT(" ");
        if (scratch->len + out.len > limit_bytes) {
            scratch->len = cut;
            vg_buf_text(scratch, ELLIPSIS);
            break;
        }
        vg_buf_slice(scratch, out);
        if (scratch->len <= room)
            cut = scratch->len;
        i += len ? len : 1;
    }
    if (scratch->err)
        return scratch->err;
    *clean = vg_buf_as_slice(scratch);
    return VG_OK;
}
