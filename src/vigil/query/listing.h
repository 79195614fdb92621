/* A page of profiles: which ones come next, in order of (start, id).
 *
 * O(profiles of the selection), newest first O(page) as a rule: the store visits the newest end first. Memory
 * O(limit). A cursor is the last profile of the page before: profiles that arrive or go in between neither
 * repeat nor shift others.
 */
#ifndef VG_VIGIL_QUERY_LISTING_H
#define VG_VIGIL_QUERY_LISTING_H

#include "base/alloc.h"
#include "vigil/store/store.h"

#define VG_LISTING_MAX 1000

struct vg_listing_key {
    int64_t start_ns;
    uint64_t id;
};

struct vg_listing {
    bool is_ascending;
    const struct vg_listing_key *after; /* NULL: from the first on */
    size_t limit;                       /* 1 – VG_LISTING_MAX */

    struct vg_listing_key
        keys[VG_LISTING_MAX + 1]; /* found, in order; one more than limit tells that there are more */
    size_t n;                     /* ≤ limit */
    bool has_more;
};

/* Fills keys, n and has_more from what precedes them. */
enum vg_err vg_listing_find(struct vg_store *store, const struct vg_selection *selection,
                            struct vg_listing *listing) VG_MUST_USE;

/* Where key stands among the n keys, or n. */
size_t vg_listing_index(const struct vg_listing *listing, struct vg_listing_key key);

/* Text of a cursor, and back. */
#define VG_CURSOR_SIZE 48
void vg_cursor_format(struct vg_listing_key key, char out[VG_CURSOR_SIZE]);
enum vg_err vg_cursor_parse(struct vg_slice text, struct vg_listing_key *key) VG_MUST_USE;

#endif
