/* CPython's line tables: instruction → line. Pure functions on bytes, of all versions, whichever Python is
 * built for: they know no Python, allocate nothing, take time in proportion to the table, and never look
 * outside of it. A table that is torn or not one at all gives a wrong line or none, nothing worse. Any
 * thread.
 *
 * Offsets are in bytes from the start of the bytecode, also where the interpreter counts in code units of two
 * bytes.
 */
#ifndef VG_PROFILER_CPYTHON_LINETAB_H
#define VG_PROFILER_CPYTHON_LINETAB_H

#include <stddef.h>
#include <stdint.h>

enum vg_linetab_kind {
    VG_LINETAB_NONE,            /* this version has none that we know: there are no lines */
    VG_LINETAB_LNOTAB_UNSIGNED, /* 2.7 – 3.5: co_lnotab, lines only go forward */
    VG_LINETAB_LNOTAB_SIGNED,   /* 3.6 – 3.9: co_lnotab */
    VG_LINETAB_RANGES,          /* 3.10: co_linetable, pairs of bytes */
    VG_LINETAB_LOCATIONS,       /* 3.11 –: co_linetable, with columns, which are skipped */
};

/* The line of the instruction at offset_bytes; 0 where it has none. first_line is co_firstlineno. */
int32_t vg_linetab_line(enum vg_linetab_kind kind, const uint8_t *table, size_t len, int32_t first_line,
                        int32_t offset_bytes);

#endif
