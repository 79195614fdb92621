/* Merged stacks → flame tree.
 *
 * A node is a path of functions, and a function is (name, file, first line): stacks that differ in their
 * current lines only meet in the same nodes. Nodes lie in depth-first order, children sorted by (name, file,
 * first line), node 0 is the root. Stacks whose value is 0 leave no trace. Sums saturate.
 *
 * Beyond max_nodes the smallest subtrees are left out: nodes above a threshold stay, those on it stay as far
 * as there is room, in depth-first order. O(frames + strings × log strings), memory O(nodes), iterative. One
 * owner; immutable once built.
 */
#ifndef VG_VIGIL_QUERY_FLAME_H
#define VG_VIGIL_QUERY_FLAME_H

#include "base/alloc.h"
#include "base/err.h"
#include "vigil/query/functions.h"
#include "vigil/store/store.h"

#define VG_FLAME_ROOT UINT32_MAX /* the function of node 0, which stands for all */

struct vg_flame_node {
    uint32_t level, function; /* the root is level 0; index into functions.items */
    int64_t value, self;      /* with and without what its children spend */
};

struct vg_flame {
    struct vg_flame_node *nodes; /* n_nodes, at least the root */
    size_t n_nodes;
    struct vg_functions functions;
    size_t depth; /* of the deepest node */
    size_t pruned_nodes;
    int64_t pruned_value; /* of the subtrees left out; part of their parents' value, not of their self */
    const struct vg_alloc *alloc;
};

/* max_nodes counts the root; 0: no bound. */
enum vg_err vg_flame_build(const struct vg_merged *merged, size_t max_nodes, const struct vg_alloc *alloc,
                           struct vg_flame *flame) VG_MUST_USE;
void vg_flame_release(struct vg_flame *flame);

#endif
