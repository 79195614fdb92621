/* Ids of a profile's messages → dense indexes. */
#include "pprof/ids.h"

#include <assert.h>

enum vg_err vg_pprof_ids_init(struct vg_pprof_ids *ids, size_t most, const struct vg_alloc *alloc)
{
    uint64_t *array = vg_alloc_zeroed(alloc, most, sizeof *array);
    if (!array)
        return VG_ERR_NOMEM;
    *ids = (struct vg_pprof_ids){.ids = array};
    vg_map_init(&ids->map, most, alloc);
    return VG_OK;
}

void vg_pprof_ids_release(struct vg_pprof_ids *ids)
{
    vg_alloc_release(ids->map.alloc, ids->ids);
    vg_alloc_release(ids->map.alloc, ids->direct);
    vg_map_release(&ids->map);
}

void vg_pprof_ids_add(struct vg_pprof_ids *ids, uint64_t id)
{
    ids->ids[ids->count++] = id;
}

static enum vg_err insert(struct vg_pprof_ids *ids, size_t index, bool *is_new)
{
    uint64_t id = ids->ids[index], *place;
    if (ids->direct) {
        *is_new = ids->direct[id] == 0;
        ids->direct[id] = (uint32_t)index + 1;
        return VG_OK;
    }
    enum vg_err err = vg_map_insert(&ids->map, id, &place, is_new);
    if (!err)
        *place = index;
    return err;
}

enum vg_err vg_pprof_ids_build(struct vg_pprof_ids *ids)
{
    assert(ids->count < UINT32_MAX);
    uint64_t largest = 0;
    for (size_t i = 0; i < ids->count; i++)
        largest = ids->ids[i] > largest ? ids->ids[i] : largest;
    if (largest < 4 * (uint64_t)ids->count + 64) { /* about 16 bytes an id: less than a hash table takes */
        ids->direct = vg_alloc_zeroed(ids->map.alloc, (size_t)largest + 1, sizeof *ids->direct);
        if (!ids->direct)
            return VG_ERR_NOMEM;
        ids->n_direct = (size_t)largest + 1;
    }
    for (size_t i = 0; i < ids->count; i++) {
        bool is_new;
        enum vg_err err = insert(ids, i, &is_new);
        if (err || !is_new)
            return err ? err : VG_ERR_EXISTS;
    }
    return VG_OK;
}

bool vg_pprof_ids_find_mapped(const struct vg_pprof_ids *ids, uint64_t id, uint32_t *index)
{
    const uint64_t *place = vg_map_find(&ids->map, id);
    if (!place)
        return false;
    *index = (uint32_t)*place;
    return true;
}
