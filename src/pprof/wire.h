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
    uint64_t value;              /* VARINT, FIXED32 and FIXED64 */
    struct vg_wire_cursor bytes; /* BYTES: lies within the cursor it was read from */
};

/* False where the varint is cut off, longer than ten bytes or wider than 64 bits. */
bool vg_wire_get(struct vg_wire_cursor *cursor, uint64_t *value);
/* The next field; call while at < end. False where it is malformed (groups, which nobody writes, included).
 */
bool vg_wire_get_field(struct vg_wire_cursor *cursor, struct vg_wire_field *field);
/* How many varints a run of whole ones holds: one for each byte that does not announce another. */
size_t vg_wire_count(struct vg_wire_cursor run);

#endif
