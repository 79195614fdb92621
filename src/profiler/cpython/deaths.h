/* Being told when code objects die, so that an address that is used again never shows an old name. */
#ifndef VG_PROFILER_CPYTHON_DEATHS_H
#define VG_PROFILER_CPYTHON_DEATHS_H

#include <stdint.h>

/* GIL held. Idempotent; never unhooked. */
void vg_deaths_hook(void);

/* See vg_reader_dead_code. Any one thread, without the GIL. */
void vg_deaths_drain(void (*died)(void *ctx, uintptr_t code), void (*lost_count)(void *ctx), void *ctx);

#endif
