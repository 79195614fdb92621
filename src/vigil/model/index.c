#include "vigil/model/index.h"

#define FIRST_CAP 64

/* Enough of the hash to tell most others apart without looking at the thing itself. */
static uint64_t slot_of(uint64_t hash, uint32_t id)
{
    return (hash & ~(uint64_t)UINT32_MAX) | (id + 1);
}

/* The slot number comes from the upper half too, so that a table can grow from what its slots hold. */
static size_t place_of(const struct vg_index *index, uint64_t slot_or_hash)
{
    return (size_t)(slot_or_hash >> 32) & (index->cap - 1);
}

static void insert(struct vg_index *index, uint64_t slot)
{
    size_t i = place_of(index, slot);

    while (index->slots[i])
        i = (i + 1) & (index->cap - 1);
    index->slots[i] = slot;
}

/* Never more than half full. */
static enum vg_err grow(struct vg_index *index)
{
    struct vg_index old = *index;
    size_t cap = old.cap ? old.cap * 2 : FIRST_CAP;
    uint64_t *slots = vg_arena_new(old.arena, cap, sizeof *slots);

    if (!slots)
        return vg_arena_refusal(old.arena, cap * sizeof *slots);
    index->slots = slots;
    index->cap = cap;
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i])
            insert(index, old.slots[i]);
    return VG_OK;
}

enum vg_err vg_index_put(struct vg_index *index, uint64_t hash, vg_index_same *is_same, const void *ctx,
                         uint32_t *id, bool *is_new)
{
    if (index->cap < (size_t)index->count * 2 + 2) {
        enum vg_err err = index->count < UINT32_MAX / 2 ? grow(index) : VG_ERR_LIMIT;
        if (err)
            return err;
    }
    for (size_t i = place_of(index, hash); index->slots[i]; i = (i + 1) & (index->cap - 1)) {
        uint32_t found = (uint32_t)index->slots[i] - 1;
        if (index->slots[i] == slot_of(hash, found) && is_same(ctx, found)) {
            *id = found;
            *is_new = false;
            return VG_OK;
        }
    }
    *id = index->count++;
    *is_new = true;
    insert(index, slot_of(hash, *id));
    return VG_OK;
}

enum vg_err vg_arena_refusal(const struct vg_arena *arena, size_t bytes)
{
    return bytes > arena->limit_bytes - arena->used_bytes ? VG_ERR_LIMIT : VG_ERR_NOMEM;
}

void *vg_list_add(struct vg_list *list, size_t n)
{
    if (!list->items || n > list->cap - list->count) {
        size_t cap = list->cap ? list->cap * 2 : 64;
        if (cap < list->count + n)
            cap = list->count + n;
        void *items = vg_arena_new(list->arena, cap, list->item_size);
        if (!items)
            return NULL;
        if (list->count)
            memcpy(items, list->items, list->count * list->item_size);
        list->items = items;
        list->cap = cap;
    }
    void *first = (char *)list->items + list->count * list->item_size;
    list->count += n;
    return first;
}
