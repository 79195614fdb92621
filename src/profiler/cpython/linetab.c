/* CPython's line tables. */
#include "profiler/cpython/linetab.h"

#include <stdbool.h>

/* Sums of deltas are 64 bits wide: a table of nonsense must not overflow. What no source file has is no line.
 */
static int32_t checked(int64_t line)
{
    return line > 0 && line <= INT32_MAX ? (int32_t)line : 0;
}

/* Pairs of (bytes to advance, lines to advance). A pair counts from the instruction it advances to. */
static int32_t in_lnotab(const uint8_t *table, size_t len, int64_t line, int64_t offset, bool is_signed)
{
    int64_t at = 0;
    for (size_t i = 0; i + 1 < len; i += 2) {
        at += table[i];
        if (at > offset)
            break;
        line += is_signed ? (int8_t)table[i + 1] : table[i + 1];
    }
    return checked(line);
}

/* Pairs of (length in bytes, lines to advance first), where −128 says that these instructions have no line.
 */
static int32_t in_ranges(const uint8_t *table, size_t len, int64_t line, int64_t offset)
{
    int64_t end = 0;
    for (size_t i = 0; i + 1 < len; i += 2) {
        int8_t delta = (int8_t)table[i + 1];
        if (delta != INT8_MIN)
            line += delta;
        end += table[i];
        if (end > offset)
            return delta == INT8_MIN ? 0 : checked(line);
    }
    return 0;
}

/* Six bits a byte, the lowest first; bit 6: another follows. The sign is the lowest bit of the whole. Beyond
 * 32 bits, which no table has, bits are dropped. */
static int64_t signed_varint(const uint8_t *table, size_t len, size_t at)
{
    uint64_t value = 0;
    for (unsigned shift = 0; at < len && shift <= 30; shift += 6, at++) {
        value |= (uint64_t)(table[at] & 63) << shift;
        if (!(table[at] & 64))
            break;
    }
    int64_t magnitude = (int64_t)(value >> 1);
    return value & 1 ? -magnitude : magnitude;
}

/* Entries that begin with a byte with bit 7 set, and only they have one: form (4 bits), length − 1 in code
 * units (3 bits). The form says how the line and columns follow. */
static int32_t in_locations(const uint8_t *table, size_t len, int64_t line, int64_t offset)
{
    enum { FORM_LINE_0 = 10, FORM_LINE_2 = 12, FORM_NO_COLUMNS = 13, FORM_LONG = 14, FORM_NONE = 15 };
    int64_t end = 0;
    for (size_t i = 0; i < len;) {
        unsigned form = table[i] >> 3 & 15;
        end += 2 * ((table[i] & 7) + 1);
        if (form == FORM_NO_COLUMNS || form == FORM_LONG)
            line += signed_varint(table, len, i + 1);
        else if (form >= FORM_LINE_0 && form <= FORM_LINE_2)
            line += form - FORM_LINE_0;
        if (end > offset)
            return form == FORM_NONE ? 0 : checked(line);
        do {
            i++;
        } while (i < len && !(table[i] & 0x80));
    }
    return 0;
}

int32_t vg_linetab_line(enum vg_linetab_kind kind, const uint8_t *table, size_t len, int32_t first_line,
                        int32_t offset_bytes)
{
    if (offset_bytes < 0)
        return 0;
    switch (kind) {
    case VG_LINETAB_NONE:
        return 0;
    case VG_LINETAB_LNOTAB_UNSIGNED:
        return in_lnotab(table, len, first_line, offset_bytes, false);
    case VG_LINETAB_LNOTAB_SIGNED:
        return in_lnotab(table, len, first_line, offset_bytes, true);
    case VG_LINETAB_RANGES:
        return in_ranges(table, len, first_line, offset_bytes);
    case VG_LINETAB_LOCATIONS:
        return in_locations(table, len, first_line, offset_bytes);
    }
    return 0;
}
