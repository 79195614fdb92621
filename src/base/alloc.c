/* The seam for memory: calls the given functions, or the C library. */
#include "base/alloc.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *vg_alloc_resize(const struct vg_alloc *alloc, void *old, size_t size)
{
    assert(size > 0);
    return alloc ? alloc->resize(alloc->ctx, old, size) : realloc(old, size);
}

void *vg_alloc_zeroed(const struct vg_alloc *alloc, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return NULL;
    size_t bytes = count > 0 && size > 0 ? count * size : 1;
    if (!alloc)
        return calloc(1, bytes); /* large runs come from the kernel zeroed already */
    void *memory = alloc->resize(alloc->ctx, NULL, bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

void vg_alloc_release(const struct vg_alloc *alloc, void *old)
{
    if (alloc)
        alloc->release(alloc->ctx, old);
    else
        free(old);
}
