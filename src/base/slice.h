/* A borrowed run of bytes, not NUL-terminated: text is UTF-8 unless said. Whoever hands it out says how long
 * it lives. */
#ifndef VG_BASE_SLICE_H
#define VG_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct vg_slice {
    const char *data; /* may be NULL only when len is 0 */
    size_t len;       /* bytes */
};

#define VG_SLICE_LIT(s) ((struct vg_slice){(s), sizeof(s) - 1})

static inline struct vg_slice vg_slice_of(const char *text)
{
    return (struct vg_slice){text, text ? strlen(text) : 0};
}

static inline bool vg_slice_equal(struct vg_slice a, struct vg_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool vg_slice_equal_text(struct vg_slice a, const char *text)
{
    return vg_slice_equal(a, vg_slice_of(text));
}

/* Bytewise order, shorter first where one is a prefix: <0, 0, >0 as memcmp. */
static inline int vg_slice_compare(struct vg_slice a, struct vg_slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.data, b.data, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

/* The longest prefix of at most limit bytes that does not split a UTF-8 character. */
static inline struct vg_slice vg_slice_cut(struct vg_slice text, size_t limit)
{
    size_t n = text.len;
    if (n > limit)
        for (n = limit; n > 0 && ((unsigned char)text.data[n] & 0xC0) == 0x80;)
            n--;
    return (struct vg_slice){text.data, n};
}

#endif
