/* The wire format of protocol buffers: varints and field headers. No messages, no memory. Any thread.
 *
 * Writing goes through a bare pointer: the caller has measured (vg_wire_size) and reserved. Reading goes
 * through a cursor that never passes its end; a function that fails leaves the cursor where the trouble is.
 */
#ifndef VG_PPROF_WIRE_H
#define VG_PPROF_WIRE_H

#include "base/slice.h"

enum vg_wire_type {
    VG_WIRE_VARINT = 0,
    VG_WIRE_FIXED64 = 1,
    VG_WIRE_BYTES = 2,
    VG_WIRE_FIXED32 = 5,
};

/* Bytes of a value as a varint: 1 – 10. */
size_t vg_wire_size(uint64_t value);
/* Writes them, returns the place after them. */
unsigned char *vg_wire_put(unsigned char *out, uint64_t value);
/* The header of a field; fields below 16 (all of profile.proto) take one byte. */
unsigned char *vg_wire_put_key(unsigned char *out, uint32_t field, enum vg_wire_type type);

struct vg_wire_cursor {
    const unsigned char *at, *end;
};

/* A field: its number, type, and what it holds. */
struct vg_wire_field {
    const unsigned char *at; /* where its header begins */
    uint32_t number;
    enum vg_wire_type type;
    uint64_t value;              /* VARINT, FIXED32 and FIXED64: itself; BYTES: their number */
    struct vg_wire_cursor bytes; /* BYTES: lies within the cursor it was read from */
};

/* The rare shapes, out of line: varints of three bytes and more, keys of more than one byte, fixed widths,
 * damage. */
bool vg_wire_get_long(struct vg_wire_cursor *cursor, uint64_t *value);
bool vg_wire_get_odd_field(struct vg_wire_cursor *cursor, struct vg_wire_field *field);

/* False where the varint is cut off, longer than ten bytes or wider than 64 bits. Inline, as
 * vg_wire_get_field is: a profile is some 100,000 of these, and calls made reading three times slower. */
static inline bool vg_wire_get(struct vg_wire_cursor *cursor, uint64_t *value)
{
    const unsigned char *p = cursor->at;
    if (p < cursor->end && p[0] < 0x80) {
        *value = p[0];
        cursor->at = p + 1;
        return true;
    }
    if (cursor->end - p >= 2 && p[1] < 0x80) {
        *value = (uint64_t)(p[0] & 0x7F) | (uint64_t)p[1] << 7;
        cursor->at = p + 2;
        return true;
    }
    return vg_wire_get_long(cursor, value);
}

/* The next field; call while at < end. False where it is malformed (groups, which nobody writes, included).
 */
static inline bool vg_wire_get_field(struct vg_wire_cursor *cursor, struct vg_wire_field *field)
{
    struct vg_wire_cursor next = {cursor->at + 1, cursor->end};
    unsigned key = *cursor->at;
    uint64_t value;
    if (key < 8 || key >= 0x80 || !((key & 7) == VG_WIRE_VARINT || (key & 7) == VG_WIRE_BYTES))
        return vg_wire_get_odd_field(cursor, field);
    if (!vg_wire_get(&next, &value))
        return false;
    field->at = cursor->at;
    field->number = key >> 3;
    field->type = (enum vg_wire_type)(key & 7);
    field->value = value;
    if (field->type == VG_WIRE_BYTES) {
        if (value > (size_t)(next.end - next.at))
            return false;
        field->bytes = (struct vg_wire_cursor){next.at, next.at + value};
        next.at += value;
    }
    cursor->at = next.at;
    return true;
}

/* How many varints a run of whole ones holds: one for each byte that does not announce another. */
size_t vg_wire_count(struct vg_wire_cursor run);

#endif
