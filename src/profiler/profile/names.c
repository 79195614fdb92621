/* See names.h. */
#include "profiler/profile/names.h"

#include <string.h>

#define MAX_NAMES VG_WINDOW_MAX_THREADS

void vg_names_init(struct vg_names *names)
{
    memset(names, 0, sizeof *names);
    vg_lock_init(&names->lock, VG_RANK_THREADS);
    vg_map_init(&names->by_ident, MAX_NAMES, NULL);
}

void vg_names_release(struct vg_names *names)
{
    vg_map_release(&names->by_ident);
    vg_alloc_release(NULL, names->entries);
    vg_lock_release(&names->lock);
    memset(names, 0, sizeof *names);
}

void vg_names_child(struct vg_names *names)
{
    /* The table may be half changed by a thread that is not here: leaked rather than looked at. */
    vg_names_init(names);
}

static struct vg_name *find(struct vg_names *names, uint64_t ident)
{
    uint64_t *at = vg_map_find(&names->by_ident, ident);
    return at ? &names->entries[*at - 1] : NULL;
}

/* An unused entry under that key, NULL without room. */
static struct vg_name *add(struct vg_names *names, uint64_t ident)
{
    uint64_t *at;
    bool is_new;
    if (!names->free && names->n == names->cap) {
        uint32_t cap = names->cap ? names->cap * 2 : 32;
        struct vg_name *bigger =
            cap > MAX_NAMES ? NULL : vg_alloc_resize(NULL, names->entries, cap * sizeof *bigger);
        if (!bigger)
            return NULL;
        names->entries = bigger;
        names->cap = cap;
    }
    if (vg_map_insert(&names->by_ident, ident, &at, &is_new) != VG_OK)
        return NULL;
    uint32_t number = names->free ? names->free - 1 : names->n++;
    if (names->free)
        names->free = names->entries[number].version;
    *at = (uint64_t)number + 1;
    return &names->entries[number];
}

void vg_names_put(struct vg_names *names, uint64_t ident, int32_t thread_id, struct vg_slice name)
{
    name = vg_slice_cut(name, VG_THREAD_NAME_BYTES - 1);
    vg_lock_take(&names->lock);
    struct vg_name *entry = find(names, ident);
    if (!entry)
        entry = add(names, ident);
    if (entry) {
        uint32_t version = names->version + 1 ? names->version + 1 : 1;
        *entry = (struct vg_name){.ident = ident, .thread_id = thread_id, .version = version};
        if (name.len)
            memcpy(entry->text, name.data, name.len);
        __atomic_store_n(&names->version, version, __ATOMIC_RELEASE);
    }
    vg_lock_give(&names->lock);
}

uint32_t vg_names_version(const struct vg_names *names)
{
    return __atomic_load_n(&names->version, __ATOMIC_ACQUIRE);
}

/* pthread_t values are used again: an entry that names another kernel thread is of an earlier thread. */
static bool is_of(const struct vg_name *entry, int32_t thread_id)
{
    return entry && (entry->thread_id == 0 || entry->thread_id == thread_id);
}

bool vg_names_get(struct vg_names *names, uint64_t ident, int32_t thread_id, struct vg_name *name)
{
    vg_lock_take(&names->lock);
    const struct vg_name *entry = find(names, ident);
    bool found = is_of(entry, thread_id);
    if (found)
        *name = *entry;
    vg_lock_give(&names->lock);
    return found;
}

void vg_names_forget(struct vg_names *names, uint64_t ident, int32_t thread_id)
{
    vg_lock_take(&names->lock);
    struct vg_name *entry = find(names, ident);
    if (is_of(entry, thread_id)) {
        vg_map_remove(&names->by_ident, ident);
        entry->version = names->free;
        names->free = (uint32_t)(entry - names->entries) + 1;
    }
    vg_lock_give(&names->lock);
}
