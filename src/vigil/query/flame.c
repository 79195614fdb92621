/* The flame tree: a trie of functions, then pruned and laid out depth first.
 *
 * Why a trie over a hash of (parent, function) and not sorted stacks: stacks of one program share most of
 * their frames with the stack before, so that few frames cost a look-up at all.
 */
#include "vigil/query/flame.h"

#include "base/map.h"

#define NONE UINT32_MAX

struct trie_node {
    uint32_t parent, function;
    uint32_t first_child, next; /* siblings in order of function */
    int64_t self, value;
    uint64_t weight; /* sum of |self| below: never grows from parent to child, whatever the signs */
};

struct trie {
    struct trie_node *nodes; /* parents before children */
    size_t n, cap;
    struct vg_map children; /* parent << 32 | function → node */
    uint32_t *path;         /* nodes of the last stack, root first, without the root */
    size_t path_len;
    const struct vg_alloc *alloc;
};

static int64_t add_saturated(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return a < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

static uint64_t magnitude(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

static enum vg_err add_node(struct trie *trie, uint32_t parent, uint32_t function, uint32_t *node)
{
    if (trie->n == trie->cap) {
        size_t cap = trie->cap ? 2 * trie->cap : 1024;
        struct trie_node *nodes = vg_alloc_resize(trie->alloc, trie->nodes, cap * sizeof *nodes);
        if (!nodes)
            return VG_ERR_NOMEM;
        trie->nodes = nodes;
        trie->cap = cap;
    }
    if (trie->n == NONE)
        return VG_ERR_LIMIT;
    trie->nodes[trie->n] =
        (struct trie_node){.parent = parent, .function = function, .first_child = NONE, .next = NONE};
    *node = (uint32_t)trie->n++;
    return VG_OK;
}

static enum vg_err find_child(struct trie *trie, uint32_t parent, uint32_t function, uint32_t *node)
{
    uint64_t *place;
    bool is_new;
    enum vg_err err = vg_map_insert(&trie->children, (uint64_t)parent << 32 | function, &place, &is_new);
    if (err)
        return err;
    if (!is_new) {
        *node = (uint32_t)*place;
        return VG_OK;
    }
    err = add_node(trie, parent, function, node);
    if (!err)
        *place = *node;
    return err;
}

/* functions: from the leaf on, n of them. */
static enum vg_err add_stack(struct trie *trie, const uint32_t *frames, size_t n,
                             const uint32_t *function_of_frame, int64_t value)
{
    size_t level = 0;
    while (level < n && level < trie->path_len &&
           trie->nodes[trie->path[level]].function == function_of_frame[frames[n - 1 - level]])
        level++;
    uint32_t node = level ? trie->path[level - 1] : 0;
    for (; level < n; level++) {
        enum vg_err err = find_child(trie, node, function_of_frame[frames[n - 1 - level]], &node);
        if (err)
            return err;
        trie->path[level] = node;
    }
    trie->path_len = n;
    trie->nodes[node].self = add_saturated(trie->nodes[node].self, value);
    return VG_OK;
}

static enum vg_err build_trie(struct trie *trie, const struct vg_merged *merged,
                              const uint32_t *function_of_frame)
{
    uint32_t root;
    size_t depth = 0;
    for (size_t i = 0; i < merged->n_stacks; i++) {
        size_t n = merged->stack_start[i + 1] - merged->stack_start[i];
        depth = n > depth ? n : depth;
    }
    trie->path = vg_alloc_zeroed(trie->alloc, depth + 1, sizeof *trie->path);
    if (!trie->path)
        return VG_ERR_NOMEM;
    enum vg_err err = add_node(trie, NONE, VG_FLAME_ROOT, &root);
    for (size_t i = 0; i < merged->n_stacks && !err; i++) {
        size_t start = merged->stack_start[i], n = merged->stack_start[i + 1] - start;
        if (merged->values[i])
            err = add_stack(trie, merged->stack_frames + start, n, function_of_frame, merged->values[i]);
    }
    for (size_t i = trie->n; i-- > 0 && !err;) {
        struct trie_node *node = &trie->nodes[i];
        node->value = add_saturated(node->value, node->self);
        if (__builtin_add_overflow(node->weight, magnitude(node->self), &node->weight))
            node->weight = UINT64_MAX;
        if (i == 0)
            break;
        struct trie_node *parent = &trie->nodes[node->parent];
        parent->value = add_saturated(parent->value, node->value);
        if (__builtin_add_overflow(parent->weight, node->weight, &parent->weight))
            parent->weight = UINT64_MAX;
    }
    return err;
}

/* Links each node's children in ascending order of function, by a counting sort of all nodes. */
static enum vg_err sort_children(struct trie *trie, size_t n_functions)
{
    enum vg_err err = VG_ERR_NOMEM;
    uint32_t *start = vg_alloc_zeroed(trie->alloc, n_functions + 1, sizeof *start);
    uint32_t *order = vg_alloc_zeroed(trie->alloc, trie->n, sizeof *order);
    if (!start || !order)
        goto out;
    for (size_t i = 1; i < trie->n; i++)
        start[trie->nodes[i].function + 1]++;
    for (size_t i = 1; i <= n_functions; i++)
        start[i] += start[i - 1];
    for (size_t i = 1; i < trie->n; i++)
        order[start[trie->nodes[i].function]++] = (uint32_t)i;
    for (size_t i = trie->n - 1; i-- > 0;) { /* from the last, each put in front of its siblings */
        struct trie_node *node = &trie->nodes[order[i]];
        struct trie_node *parent = &trie->nodes[node->parent];
        node->next = parent->first_child;
        parent->first_child = order[i];
    }
    err = VG_OK;
out:
    vg_alloc_release(trie->alloc, order);
    vg_alloc_release(trie->alloc, start);
    return err;
}

struct threshold {
    uint64_t weight;  /* nodes above it stay */
    size_t ties_left; /* and so many of those on it */
};

/* The weight of the k-th heaviest node (1 ≤ k ≤ n), found byte by byte: O(n), whatever the weights. */
static struct threshold select_threshold(const struct trie *trie, size_t k)
{
    uint64_t prefix = 0, mask = 0;
    for (int shift = 56; shift >= 0; shift -= 8) {
        size_t count[256] = {0};
        for (size_t i = 0; i < trie->n; i++)
            if ((trie->nodes[i].weight & mask) == prefix)
                count[trie->nodes[i].weight >> shift & 0xFF]++;
        size_t byte = 255;
        for (; count[byte] < k; byte--)
            k -= count[byte];
        prefix |= (uint64_t)byte << shift;
        mask |= (uint64_t)0xFF << shift;
    }
    return (struct threshold){prefix, k};
}

static bool stays(const struct trie_node *node, struct threshold *threshold)
{
    if (node->weight != threshold->weight)
        return node->weight > threshold->weight;
    if (threshold->ties_left == 0)
        return false;
    threshold->ties_left--;
    return true;
}

static void lay_out(const struct trie *trie, struct threshold threshold, struct vg_flame *flame)
{
    uint32_t at = 0, level = 0;
    for (;;) {
        const struct trie_node *node = &trie->nodes[at];
        uint32_t child = NONE;
        if (stays(node, &threshold)) {
            flame->nodes[flame->n_nodes++] =
                (struct vg_flame_node){level, node->function, node->value, node->self};
            flame->depth = level > flame->depth ? level : flame->depth;
            child = node->first_child;
        } else {
            flame->pruned_value = add_saturated(flame->pruned_value, node->value);
        }
        if (child != NONE) {
            at = child;
            level++;
            continue;
        }
        while (at != 0 && trie->nodes[at].next == NONE) {
            at = trie->nodes[at].parent;
            level--;
        }
        if (at == 0)
            break;
        at = trie->nodes[at].next;
    }
    flame->pruned_nodes = trie->n - flame->n_nodes;
}

enum vg_err vg_flame_build(const struct vg_merged *merged, size_t max_nodes, const struct vg_alloc *alloc,
                           struct vg_flame *flame)
{
    struct vg_flame made = {.alloc = alloc, .functions.alloc = alloc};
    struct trie trie = {.alloc = alloc};
    vg_map_init(&trie.children, NONE, alloc);
    enum vg_err err =
        vg_functions_init(&made.functions, merged->strings, merged->frames, merged->n_frames, alloc);
    if (!err)
        err = build_trie(&trie, merged, made.functions.of_frame);
    if (!err)
        err = sort_children(&trie, made.functions.n);
    if (err)
        goto out;
    size_t keep = max_nodes && max_nodes < trie.n ? max_nodes : trie.n;
    made.nodes = vg_alloc_zeroed(alloc, keep, sizeof *made.nodes);
    if (!made.nodes) {
        err = VG_ERR_NOMEM;
        goto out;
    }
    struct threshold all = {0, trie.n};
    lay_out(&trie, keep < trie.n ? select_threshold(&trie, keep) : all, &made);
    *flame = made;
    made = (struct vg_flame){.alloc = alloc, .functions.alloc = alloc};
out:
    vg_flame_release(&made);
    vg_map_release(&trie.children);
    vg_alloc_release(alloc, trie.path);
    vg_alloc_release(alloc, trie.nodes);
    return err;
}

void vg_flame_release(struct vg_flame *flame)
{
    vg_alloc_release(flame->alloc, flame->nodes);
    vg_functions_release(&flame->functions);
    flame->nodes = NULL;
}
