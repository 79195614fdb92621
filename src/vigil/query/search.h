/* The search syntax (docs/search.md) → matchers for struct vg_selection.
 *
 *   query   = or
 *   or      = and { "OR" and }
 *   and     = not { [ "AND" ] not }
 *   not     = { "-" | "NOT" } ( term | "(" or ")" )
 *   term    = [ name ":" ] ( value | "(" or of values ")" )
 *
 * Hostile text is expected: its length, terms, nesting and patterns are bounded, parsing is O(length) without
 * recursion. A profile's tags and its samples' labels are matched apart (the store sees one without the
 * other), so labels and tags may stand side by side but not in one OR or under one NOT; that is an error,
 * never a wrong answer. A search is immutable once made: any thread may match with it.
 */
#ifndef VG_VIGIL_QUERY_SEARCH_H
#define VG_VIGIL_QUERY_SEARCH_H

#include "base/alloc.h"
#include "base/err.h"
#include "base/slice.h"
#include "vigil/store/store.h"

#define VG_SEARCH_MAX_BYTES      4096
#define VG_SEARCH_MAX_TERMS      100
#define VG_SEARCH_MAX_DEPTH      16  /* parentheses within parentheses */
#define VG_SEARCH_MAX_GLOB_BYTES 256 /* bounds what matching costs, see glob.h */

struct vg_search;

struct vg_search_error {
    const char *message; /* static text without the place */
    size_t at;           /* the character, counted from 1 */
};

/* VG_ERR_MALFORMED and VG_ERR_LIMIT fill *error. */
enum vg_err vg_search_new(struct vg_slice text, const struct vg_alloc *alloc, struct vg_search **search,
                          struct vg_search_error *error) VG_MUST_USE;
void vg_search_free(struct vg_search *search); /* NULL is allowed */

/* Sets the matchers and ctx of selection, which borrows search. Nothing to say about one side: its matcher is
 * NULL. */
void vg_search_select(struct vg_search *search, struct vg_selection *selection);

#endif
