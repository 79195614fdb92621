#include "vigil/model/index.h"

#define FIRST_CAP 64

static void insert(struct vg_index *index, uint64_t hash, uint32_t id)
{
    size_t i = hash & (index->cap - 1);

    while (index->slots[i])
        i = (i + 1) & (index->cap - 1);
    index->slots[i] = id + 1;
    index->hashes[i] = hash;
}

/* Never more than half full. */
static enum vg_err grow(struct vg_index *index)
{
    struct vg_index old = *index;
    size_t cap = old.cap ? old.cap * 2 : FIRST_CAP;
    uint32_t *slots = vg_arena_new(old.arena, cap, sizeof *slots);
    uint64_t *hashes = slots ? vg_arena_new(old.arena, cap, sizeof *hashes) : NULL;

    if (!hashes)
        return vg_arena_refusal(old.arena, cap * sizeof *hashes);
    index->slots = slots;
    index->hashes = hashes;
    index->cap = cap;
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i])
            insert(index, old.hashes[i], old.slots[i] - 1);
    return VG_OK;
}

enum vg_err vg_index_put(struct vg_index *index, uint64_t hash, vg_index_same *is_same, const void *ctx,
                         uint32_t *id, bool *is_new)
{
    if (index->cap < (size_t)index->count * 2 + 2) {
        enum vg_err err = grow(index);
        if (err)
            return err;
    }
    for (size_t i = hash & (index->cap - 1); index->slots[i]; i = (i + 1) & (index->cap - 1))
        if (index->hashes[i] == hash && is_same(ctx, index->slots[i] - 1)) {
            *id = index->slots[i] - 1;
            *is_new = false;
            return VG_OK;
        }
    *id = index->count++;
    *is_new = true;
    insert(index, hash, *id);
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
