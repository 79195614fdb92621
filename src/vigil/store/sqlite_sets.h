/* Sets of tags and of types of one block, as one query meets them: each is read, decoded and matched once.
 * One query. */
#ifndef VG_VIGIL_STORE_SQLITE_SETS_H
#define VG_VIGIL_STORE_SQLITE_SETS_H

#include "vigil/store/levels.h"
#include "vigil/store/sqlite.h"

struct vg_tag_set {
    struct vg_tag *tags;
    size_t n_tags;
    bool matches;
    uint32_t process; /* where the query has levels */
};

struct vg_type_set {
    struct vg_profile_type *types; /* their totals are scratch of the caller */
    size_t n_types;
};

struct vg_sets {
    struct vg_reader *reader;
    const struct vg_selection *selection;
    struct vg_levels *levels; /* or NULL */
    struct vg_arena arena;
    struct vg_map tags, types; /* id → pointer into arena */
    sqlite3_stmt *find_tags, *find_types;
};

enum vg_err vg_sets_init(struct vg_sets *sets, struct vg_reader *reader, const struct vg_selection *selection,
                         struct vg_levels *levels, const struct vg_alloc *alloc) VG_MUST_USE;
void vg_sets_release(struct vg_sets *sets);
/* Ask for a profile's tags first: older answers of both kinds may end with that call. VG_ERR_NOT_FOUND: the
 * profile names what is not there or is damaged. */
enum vg_err vg_sets_tags(struct vg_sets *sets, int64_t id, const struct vg_tag_set **set) VG_MUST_USE;
enum vg_err vg_sets_types(struct vg_sets *sets, int64_t id, struct vg_type_set **set) VG_MUST_USE;

#endif
