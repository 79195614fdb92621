/* Services: the profiles of a selection by their `service` tag.
 *
 * One pass over the profiles' metadata; a tag set seen before costs one hash. Bounded: services beyond the
 * limit are left out and said (is_truncated). The result is its own; one owner at a time.
 */
#ifndef VG_VIGIL_QUERY_SERVICES_H
#define VG_VIGIL_QUERY_SERVICES_H

#include "base/arena.h"
#include "vigil/query/totals.h"
#include "vigil/store/store.h"

#define VG_SERVICES_MAX       100000
#define VG_SERVICE_MAX_VALUES 1000 /* of each list below */

enum vg_service_list {
    VG_SERVICE_ENVS,
    VG_SERVICE_VERSIONS,
    VG_SERVICE_HOSTS,
    VG_SERVICE_LANGUAGES,
    VG_SERVICE_LISTS
};

struct vg_service {
    struct vg_slice name;
    struct vg_slice *values[VG_SERVICE_LISTS]; /* sorted, unique */
    size_t n_values[VG_SERVICE_LISTS];
    uint64_t profiles;
    uint64_t processes;                  /* distinct runtime-id */
    int64_t first_seen_ns, last_seen_ns; /* the first start, the last end */
    int64_t duration_ns;                 /* sum of the profiles' lengths */
    const struct vg_total *types;
    size_t n_types;
};

struct vg_services {
    struct vg_arena arena;
    struct vg_totals totals;  /* what types point into; a group is a service in order of first sight */
    struct vg_service *items; /* sorted by name */
    size_t n;
    bool is_truncated;
};

enum vg_err vg_services_collect(struct vg_store *store, const struct vg_selection *selection,
                                const struct vg_alloc *alloc, struct vg_services *services) VG_MUST_USE;
void vg_services_release(struct vg_services *services);

#endif
