/* Names of threads, as Python tells them: written by the threads themselves (GIL held), read by the sampler.
 * Bounded. */
#ifndef VG_PROFILER_PROFILE_NAMES_H
#define VG_PROFILER_PROFILE_NAMES_H

#include "base/lock.h"
#include "base/map.h"
#include "profiler/profile/window.h"

struct vg_name {
    uint64_t ident;
    int32_t thread_id; /* the kernel's; 0: not known */
    uint32_t version;  /* changes with the name; never 0 */
    char text[VG_THREAD_NAME_BYTES];
};

struct vg_names {
    struct vg_lock lock;
    struct vg_map by_ident; /* → number of the entry + 1 */
    struct vg_name *entries;
    uint32_t n, cap, free; /* free: number + 1 of the first unused entry, chained through version */
    uint32_t version;      /* atomic: of the last change */
};

void vg_names_init(struct vg_names *names);
void vg_names_release(struct vg_names *names);
/* In the forked child: nobody else holds the lock, whatever its state says. Empty afterwards. */
void vg_names_child(struct vg_names *names);

/* Any thread. Without room the name is not kept. */
void vg_names_put(struct vg_names *names, uint64_t ident, int32_t thread_id, struct vg_slice name);
/* Changes whenever a name does. */
uint32_t vg_names_version(const struct vg_names *names);
/* A copy of the entry of that thread; false where it has none. */
bool vg_names_get(struct vg_names *names, uint64_t ident, int32_t thread_id, struct vg_name *name);
/* The thread is gone. */
void vg_names_forget(struct vg_names *names, uint64_t ident, int32_t thread_id);

#endif
