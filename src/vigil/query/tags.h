/* Facets: which tags the profiles of a selection carry, with counts.
 *
 * Each distinct set of tags is looked into once, so the cost is one hash of its tags a profile. Bounded: what
 * does not fit is left out and said (is_truncated). The result is its own; one owner at a time.
 */
#ifndef VG_VIGIL_QUERY_TAGS_H
#define VG_VIGIL_QUERY_TAGS_H

#include "base/arena.h"
#include "vigil/store/store.h"

#define VG_FACET_MAX_VALUES 100 /* of one name */
#define VG_FACET_MAX_NAMES  1000

struct vg_facet_value {
    struct vg_slice value;
    uint64_t count; /* of profiles */
};

struct vg_facet {
    struct vg_slice name;
    struct vg_facet_value *values; /* by count, the most first, then by value */
    size_t n_values;
    bool is_truncated; /* there are more values */
};

struct vg_facets {
    struct vg_arena arena;
    struct vg_facet *items; /* service, env, version, host first, the rest by name */
    size_t n;
    uint64_t profiles;
    bool is_truncated; /* there are more names, or tags were left uncounted */
};

/* A hash of a whole set of tags; the same seed must be kept for sets that are compared. */
uint64_t vg_tags_hash(const struct vg_tag *tags, size_t n_tags, uint64_t seed);

enum vg_err vg_facets_collect(struct vg_store *store, const struct vg_selection *selection,
                              const struct vg_alloc *alloc, struct vg_facets *facets) VG_MUST_USE;
void vg_facets_release(struct vg_facets *facets);

#endif
