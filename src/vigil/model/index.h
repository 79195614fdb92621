/* Things by their hash → dense ids 0, 1, 2 …: the table only; the things lie elsewhere, and the caller
 * compares them. In an arena, so never freed alone. Put is O(1) expected. One owner at a time. */
#ifndef VG_VIGIL_MODEL_INDEX_H
#define VG_VIGIL_MODEL_INDEX_H

#include "base/arena.h"

struct vg_index {
    struct vg_arena *arena;
    uint64_t *slots; /* upper half of the hash, id + 1; 0: empty */
    size_t cap;      /* slots: a power of two, or 0 */
    uint32_t count;
};

/* Whether the thing sought, in ctx, is the one with this id. */
typedef bool vg_index_same(const void *ctx, uint32_t id);

/* The id of the thing; a new one (*is_new) gets the next id, and the caller keeps the thing itself. */
enum vg_err vg_index_put(struct vg_index *index, uint64_t hash, vg_index_same *is_same, const void *ctx,
                         uint32_t *id, bool *is_new) VG_MUST_USE;

/* Why the arena gave no memory for so many bytes: VG_ERR_LIMIT or VG_ERR_NOMEM. */
enum vg_err vg_arena_refusal(const struct vg_arena *arena, size_t bytes);

/* A growing array in an arena (what it outgrew stays there unused). Items are kept. */
struct vg_list {
    struct vg_arena *arena;
    void *items;
    size_t count, cap, item_size;
};
/* Room for n more items and the address of the first of them, zeroed; counts them. NULL: see
 * vg_arena_refusal. */
void *vg_list_add(struct vg_list *list, size_t n);

#endif
