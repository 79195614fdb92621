/* See stacks.h. */
#include "profiler/stacks/stacks.h"

#include <string.h>

#include "profiler/stacks/symbols.h"

/* Two different stacks under one 64-bit hash are expected once in 10^9 windows; the next keys are tried then.
 */
#define MAX_COLLISIONS 4u

enum vg_err vg_stacks_init(struct vg_stacks *stacks, const struct vg_alloc *alloc)
{
    static const uint32_t overflow[] = {VG_LOCATION_OVERFLOW};
    memset(stacks, 0, sizeof *stacks);
    stacks->alloc = alloc;
    vg_map_init(&stacks->by_hash, VG_STACKS_MAX, alloc);
    stacks->start_cap = 256;
    stacks->locations_cap = 4096;
    stacks->start = vg_alloc_zeroed(alloc, stacks->start_cap, sizeof *stacks->start);
    stacks->locations = vg_alloc_zeroed(alloc, stacks->locations_cap, sizeof *stacks->locations);
    /* The first stack made has id 0, which is what put answers when it cannot: so it is the overflow. */
    if (!stacks->start || !stacks->locations || (vg_stacks_put(stacks, overflow, 1), stacks->n != 1)) {
        vg_stacks_release(stacks);
        return VG_ERR_NOMEM;
    }
    return VG_OK;
}

void vg_stacks_release(struct vg_stacks *stacks)
{
    vg_map_release(&stacks->by_hash);
    vg_alloc_release(stacks->alloc, stacks->start);
    vg_alloc_release(stacks->alloc, stacks->locations);
    memset(stacks, 0, sizeof *stacks);
}

static bool grow(const struct vg_alloc *alloc, uint32_t **items, uint32_t *cap, uint64_t need, uint64_t limit)
{
    uint64_t wanted = *cap;
    if (need <= wanted)
        return true;
    if (need > limit)
        return false;
    while (wanted < need)
        wanted *= 2;
    uint32_t *bigger = vg_alloc_resize(alloc, *items, wanted * sizeof **items);
    if (!bigger)
        return false;
    *items = bigger;
    *cap = (uint32_t)wanted;
    return true;
}

const uint32_t *vg_stacks_get(const struct vg_stacks *stacks, uint32_t id, uint32_t *n)
{
    *n = stacks->start[id + 1] - stacks->start[id];
    return stacks->locations + stacks->start[id];
}

uint32_t vg_stacks_put(struct vg_stacks *stacks, const uint32_t *locations, uint32_t n)
{
    uint64_t key = vg_hash_bytes(locations, n * sizeof *locations, 0), *value;
    bool is_new = false;
    for (unsigned tries = 0;; tries++, key++) {
        if (tries == MAX_COLLISIONS || vg_map_insert(&stacks->by_hash, key, &value, &is_new) != VG_OK)
            return VG_STACK_OVERFLOW;
        if (is_new)
            break;
        uint32_t known_n;
        const uint32_t *known = vg_stacks_get(stacks, (uint32_t)*value, &known_n);
        if (known_n == n && memcmp(known, locations, n * sizeof *locations) == 0)
            return (uint32_t)*value;
    }
    uint32_t at = stacks->start[stacks->n];
    if (!grow(stacks->alloc, &stacks->start, &stacks->start_cap, (uint64_t)stacks->n + 2,
              VG_STACKS_MAX + 1) ||
        !grow(stacks->alloc, &stacks->locations, &stacks->locations_cap, (uint64_t)at + n,
              VG_STACKS_MAX_BYTES / sizeof *locations)) {
        vg_map_remove(&stacks->by_hash, key);
        return VG_STACK_OVERFLOW;
    }
    memcpy(stacks->locations + at, locations, n * sizeof *locations);
    stacks->start[stacks->n + 1] = at + n;
    *value = stacks->n;
    return stacks->n++;
}
