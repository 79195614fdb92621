/* Many small allocations, freed together: blocks that double in size, the one being filled at the head. */
#include "base/arena.h"

#include <stdalign.h>

#define FIRST_BLOCK_BYTES   ((size_t)4 * 1024)
#define LARGEST_BLOCK_BYTES ((size_t)256 * 1024) /* larger ones waste more at their end */

struct vg_arena_block {
    struct vg_arena_block *next;
    size_t cap, used; /* bytes of data */
    alignas(max_align_t) unsigned char data[];
};

void vg_arena_init(struct vg_arena *arena, size_t limit_bytes, const struct vg_alloc *alloc)
{
    *arena = (struct vg_arena){.limit_bytes = limit_bytes, .alloc = alloc};
}

void vg_arena_release(struct vg_arena *arena)
{
    for (struct vg_arena_block *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        vg_alloc_release(arena->alloc, block);
    }
    vg_arena_init(arena, arena->limit_bytes, arena->alloc);
}

static size_t padding(const struct vg_arena_block *block, size_t align)
{
    return block ? -block->used & (align - 1) : 0;
}

/* A block with room for size bytes. One too large for the usual block goes behind the head, whose rest stays
 * in use. */
static struct vg_arena_block *add_block(struct vg_arena *arena, size_t size)
{
    struct vg_arena_block *head = arena->blocks;
    size_t cap = head ? head->cap * 2 : FIRST_BLOCK_BYTES;
    if (cap > LARGEST_BLOCK_BYTES)
        cap = LARGEST_BLOCK_BYTES;
    if (cap > arena->limit_bytes - arena->used_bytes)
        cap = arena->limit_bytes - arena->used_bytes;
    if (cap < size)
        cap = size;
    if (cap > SIZE_MAX - sizeof(struct vg_arena_block))
        return NULL;
    struct vg_arena_block *block = vg_alloc_zeroed(arena->alloc, 1, sizeof *block + cap);
    if (!block)
        return NULL;
    block->cap = cap;
    if (head && cap == size) {
        block->next = head->next;
        head->next = block;
    } else {
        block->next = head;
        arena->blocks = block;
    }
    return block;
}

static void *carve(struct vg_arena *arena, size_t size, size_t align)
{
    struct vg_arena_block *block = arena->blocks;
    size_t pad = padding(block, align);
    if (!block || pad > block->cap - block->used || size > block->cap - block->used - pad) {
        if (size > arena->limit_bytes - arena->used_bytes)
            return NULL;
        block = add_block(arena, size);
        if (!block)
            return NULL;
        pad = 0;
    }
    if (size > arena->limit_bytes - arena->used_bytes || pad > arena->limit_bytes - arena->used_bytes - size)
        return NULL;
    void *memory = block->data + block->used + pad;
    block->used += pad + size;
    arena->used_bytes += pad + size;
    return memory;
}

void *vg_arena_new(struct vg_arena *arena, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return NULL;
    return carve(arena, count > 0 && size > 0 ? count * size : 1, alignof(max_align_t));
}

enum vg_err vg_arena_copy(struct vg_arena *arena, struct vg_slice text, struct vg_slice *copy)
{
    if (text.len == SIZE_MAX)
        return VG_ERR_FULL;
    bool fits = text.len < arena->limit_bytes - arena->used_bytes;
    char *data = carve(arena, text.len + 1, 1); /* the memory is zero already: so is the NUL */
    if (!data)
        return fits ? VG_ERR_NOMEM : VG_ERR_FULL;
    if (text.len)
        memcpy(data, text.data, text.len);
    *copy = (struct vg_slice){data, text.len};
    return VG_OK;
}
