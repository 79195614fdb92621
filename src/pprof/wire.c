/* Varints and field headers of protocol buffers. */
#include "pprof/wire.h"

size_t vg_wire_size(uint64_t value)
{
    size_t bits = 64 - (size_t)__builtin_clzll(value | 1);
    return (bits + 6) / 7;
}

unsigned char *vg_wire_put(unsigned char *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *out++ = (unsigned char)(value | 0x80);
    *out++ = (unsigned char)value;
    return out;
}

unsigned char *vg_wire_put_key(unsigned char *out, uint32_t field, enum vg_wire_type type)
{
    return vg_wire_put(out, (uint64_t)field << 3 | type);
}

bool vg_wire_get_long(struct vg_wire_cursor *cursor, uint64_t *value)
{
    const unsigned char *p = cursor->at;
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && p < cursor->end; shift += 7) {
        unsigned char byte = *p++;
        if (shift == 63 && byte > 1)
            return false;
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            cursor->at = p;
            *value = v;
            return true;
        }
    }
    return false;
}

static bool get_fixed(struct vg_wire_cursor *cursor, unsigned width, uint64_t *value)
{
    if ((size_t)(cursor->end - cursor->at) < width)
        return false;
    uint64_t v = 0;
    for (unsigned i = 0; i < width; i++)
        v |= (uint64_t)cursor->at[i] << (8 * i);
    cursor->at += width;
    *value = v;
    return true;
}

bool vg_wire_get_odd_field(struct vg_wire_cursor *cursor, struct vg_wire_field *field)
{
    struct vg_wire_cursor next = *cursor;
    uint64_t key;
    if (!vg_wire_get(&next, &key) || key > UINT32_MAX || key >> 3 == 0)
        return false;
    field->at = cursor->at;
    field->number = (uint32_t)(key >> 3);
    field->type = (enum vg_wire_type)(key & 7);
    switch (field->type) {
    case VG_WIRE_VARINT:
        if (!vg_wire_get(&next, &field->value))
            return false;
        break;
    case VG_WIRE_FIXED64:
        if (!get_fixed(&next, 8, &field->value))
            return false;
        break;
    case VG_WIRE_FIXED32:
        if (!get_fixed(&next, 4, &field->value))
            return false;
        break;
    case VG_WIRE_BYTES:
        if (!vg_wire_get(&next, &field->value) || field->value > (size_t)(next.end - next.at))
            return false;
        field->bytes = (struct vg_wire_cursor){next.at, next.at + field->value};
        next.at += field->value;
        break;
    default:
        return false;
    }
    *cursor = next;
    return true;
}

size_t vg_wire_count(struct vg_wire_cursor run)
{
    size_t count = 0;
    for (uint64_t word; run.end - run.at >= 8; run.at += 8) {
        memcpy(&word, run.at, 8);
        uint64_t ends =
            ~word >> 7 & UINT64_C(0x0101010101010101); /* a bit for each byte that ends a number … */
        count += (size_t)(ends * UINT64_C(0x0101010101010101) >> 56); /* … summed up in the highest byte */
    }
    for (; run.at < run.end; run.at++)
        count += *run.at < 0x80;
    return count;
}
