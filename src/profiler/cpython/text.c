/* See text.h. The object's header is copied first and believed only as far as its type and bounds go. */
#include <Python.h>

#include <stdbool.h>
#include <string.h>

#include "profiler/cpython/text.h"
#include "profiler/os/os.h"

#if PY_MAJOR_VERSION >= 3
#define BYTES_TYPE  PyBytes_Type
#define BYTES_START offsetof(PyBytesObject, ob_sval)
#else
#define BYTES_TYPE  PyString_Type
#define BYTES_START offsetof(PyStringObject, ob_sval)
#endif

enum vg_err vg_bytes_copy(uintptr_t object, char *out, size_t out_bytes, struct vg_slice *bytes)
{
    PyVarObject head;
    if (object == 0 || vg_os_read(object, &head, sizeof head) != VG_OK || Py_TYPE(&head) != &BYTES_TYPE)
        return VG_ERR_MALFORMED;
    Py_ssize_t len = head.ob_size;
    if (len < 0)
        return VG_ERR_MALFORMED;
    if ((size_t)len > out_bytes)
        return VG_ERR_LIMIT;
    if (len > 0 && vg_os_read(object + BYTES_START, out, (size_t)len) != VG_OK)
        return VG_ERR_MALFORMED;
    *bytes = (struct vg_slice){out, (size_t)len};
    return VG_OK;
}

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        c = 0xFFFD; /* surrogates come from undecodable file names */
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

#define PIECE_BYTES 1024u

#if PY_MAJOR_VERSION >= 3

/* n units of 1, 2 or 4 bytes from `from`, read piece by piece. */
static enum vg_err copy_units(uintptr_t from, size_t n, unsigned kind, char *out, size_t out_bytes,
                              size_t *len)
{
    unsigned char piece[PIECE_BYTES];
    size_t used = 0;
    while (n > 0) {
        size_t units = PIECE_BYTES / kind < n ? PIECE_BYTES / kind : n;
        if (vg_os_read(from, piece, units * kind) != VG_OK)
            return VG_ERR_MALFORMED;
        for (size_t i = 0; i < units; i++) {
            uint32_t c = piece[i];
            uint16_t c2;
            if (kind == 2) {
                memcpy(&c2, piece + 2 * i, 2);
                c = c2;
            } else if (kind == 4) {
                memcpy(&c, piece + 4 * i, 4);
            }
            if (used + 4 > out_bytes) {
                *len = used;
                return VG_OK;
            }
            used += put_utf8(out + used, c);
        }
        from += units * kind;
        n -= units;
    }
    *len = used;
    return VG_OK;
}

enum vg_err vg_text_copy(uintptr_t object, char *out, size_t out_bytes, struct vg_slice *text)
{
    PyASCIIObject head;
    size_t len = 0;
    if (object == 0 || vg_os_read(object, &head, sizeof head) != VG_OK || Py_TYPE(&head) != &PyUnicode_Type)
        return VG_ERR_MALFORMED;
    unsigned kind = head.state.kind;
    if (head.length < 0 || !head.state.compact || (kind != 1 && kind != 2 && kind != 4))
        return VG_ERR_MALFORMED;
    uintptr_t from = object + (head.state.ascii ? sizeof(PyASCIIObject) : sizeof(PyCompactUnicodeObject));
    enum vg_err err = copy_units(from, (size_t)head.length, kind, out, out_bytes, &len);
    if (err == VG_OK)
        *text = (struct vg_slice){out, len};
    return err;
}

#else

/* The length of the valid UTF-8 sequence at p, 0 where there is none. */
static size_t sequence(const unsigned char *p, size_t n)
{
    size_t len = p[0] < 0x80                   ? 1
                 : p[0] >= 0xC2 && p[0] < 0xE0 ? 2
                 : (p[0] & 0xF0) == 0xE0       ? 3
                 : p[0] >= 0xF0 && p[0] < 0xF5 ? 4
                                               : 0;
    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
        (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return len;
}

/* 2.7's names and paths are bytes in any encoding: what is not UTF-8 becomes U+FFFD. */
enum vg_err vg_text_copy(uintptr_t object, char *out, size_t out_bytes, struct vg_slice *text)
{
    unsigned char raw[PIECE_BYTES];
    PyVarObject head;
    if (object == 0 || vg_os_read(object, &head, sizeof head) != VG_OK || Py_TYPE(&head) != &BYTES_TYPE ||
        head.ob_size < 0)
        return VG_ERR_MALFORMED;
    size_t n = (size_t)head.ob_size < sizeof raw ? (size_t)head.ob_size : sizeof raw, used = 0;
    if (n > 0 && vg_os_read(object + BYTES_START, raw, n) != VG_OK)
        return VG_ERR_MALFORMED;
    for (size_t i = 0; i < n && used + 4 <= out_bytes;) {
        size_t len = sequence(raw + i, n - i);
        if (len) {
            memcpy(out + used, raw + i, len);
            used += len;
        } else {
            used += put_utf8(out + used, 0xFFFD);
        }
        i += len ? len : 1;
    }
    *text = (struct vg_slice){out, used};
    return VG_OK;
}

#endif
