/* The ids of functions or of locations in a profile → dense indexes in order of appearance.
 *
 * Usage: init, add each id (as many as given to init, at most), build, find. Ids are 64 bits wide and a
 * stranger's choice: small ones, as all known writers make them, get a direct table, others a hash table with
 * a secret seed. Memory is bounded by the number of ids. One owner at a time.
 */
#ifndef VG_PPROF_IDS_H
#define VG_PPROF_IDS_H

#include "base/map.h"

struct vg_pprof_ids {
    uint64_t *ids; /* by index; owned, as direct is */
    size_t count;
    uint32_t *direct; /* by id: index + 1, 0 none; NULL: the map is used */
    size_t n_direct;
    struct vg_map map;
};

enum vg_err vg_pprof_ids_init(struct vg_pprof_ids *ids, size_t most,
                              const struct vg_alloc *alloc) VG_MUST_USE;
void vg_pprof_ids_release(struct vg_pprof_ids *ids);
void vg_pprof_ids_add(struct vg_pprof_ids *ids, uint64_t id);
/* VG_ERR_EXISTS where an id was added twice. */
enum vg_err vg_pprof_ids_build(struct vg_pprof_ids *ids) VG_MUST_USE;
bool vg_pprof_ids_find_mapped(const struct vg_pprof_ids *ids, uint64_t id, uint32_t *index);

/* Inline, because it is done for each frame of each sample. */
static inline bool vg_pprof_ids_find(const struct vg_pprof_ids *ids, uint64_t id, uint32_t *index)
{
    if (!ids->direct)
        return vg_pprof_ids_find_mapped(ids, id, index);
    if (id >= ids->n_direct || ids->direct[id] == 0)
        return false;
    *index = ids->direct[id] - 1;
    return true;
}

#endif
