/* Where memory comes from: a seam, so that tests can make each allocation fail in turn and count what leaks.
 *
 * Containers of base/ take a `const struct vg_alloc *`; NULL means the C library. Any thread, as far as the
 * functions behind it allow (the C library's do).
 */
#ifndef VG_BASE_ALLOC_H
#define VG_BASE_ALLOC_H

#include <stddef.h>

struct vg_alloc {
    /* As realloc: NULL asks for new memory; NULL back means no memory and old stays valid. size is never 0.
     */
    void *(*resize)(void *ctx, void *old, size_t size);
    void (*release)(void *ctx, void *old); /* NULL is allowed */
    void *ctx;
};

void *vg_alloc_resize(const struct vg_alloc *alloc, void *old, size_t size);

/* Zeroed memory for count × size bytes, NULL when it overflows or there is none. */
void *vg_alloc_zeroed(const struct vg_alloc *alloc, size_t count, size_t size);

void vg_alloc_release(const struct vg_alloc *alloc, void *old);

#endif
