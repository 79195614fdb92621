/* Many small allocations, freed together. Bounded. One owner at a time. */
#ifndef VG_BASE_ARENA_H
#define VG_BASE_ARENA_H

#include "base/alloc.h"
#include "base/err.h"
#include "base/slice.h"

struct vg_arena_block;

struct vg_arena {
    struct vg_arena_block *blocks; /* the one being filled first, owned */
    size_t used_bytes;             /* handed out, padding included */
    size_t limit_bytes;            /* of used_bytes */
    const struct vg_alloc *alloc;  /* borrowed; NULL: the C library */
};

void vg_arena_init(struct vg_arena *arena, size_t limit_bytes, const struct vg_alloc *alloc);
void vg_arena_release(struct vg_arena *arena);

/* Zeroed memory for count × size bytes, aligned for any type, alive until release; NULL at the limit, on
 * overflow, or without memory. count × size = 0 gives a valid unique pointer. */
void *vg_arena_new(struct vg_arena *arena, size_t count, size_t size);

/* A NUL-terminated copy of text in *copy (its len without the NUL). */
enum vg_err vg_arena_copy(struct vg_arena *arena, struct vg_slice text, struct vg_slice *copy) VG_MUST_USE;

#endif
