/* Memory that may be read in place: ranges that the interpreter's arena allocator has handed out and cannot
 * take back while we read (3.11 –: data-stack chunks come from it).
 *
 * The allocator is hooked once and never unhooked. A range given back while a read is under way is held until
 * the next call of the hook. Lock-free: the hooks run under the GIL, or in several interpreters at once.
 */
#ifndef VG_PROFILER_CPYTHON_RANGES_H
#define VG_PROFILER_CPYTHON_RANGES_H

#include <stddef.h>
#include <stdint.h>

/* GIL held. Idempotent. */
void vg_ranges_hook(void);
/* Makes a range known that was handed out before the hook was there. GIL held. */
void vg_ranges_add(uintptr_t base, size_t bytes);

/* Between begin and end no known range goes away. Any thread; one reader at a time; keep it short. */
void vg_ranges_begin_read(void);
void vg_ranges_end_read(void);

/* The size of the live range that starts at base, 0 where there is none. Between begin and end. */
size_t vg_ranges_find(uintptr_t base);

#endif
