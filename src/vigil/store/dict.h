/* A dictionary: what the profiles of one service in one block have in common — strings, frames, stacks, label
 * sets — each stored once, under dense ids.
 *
 * Stacks are a trie grown from the root: node 0 is the empty stack, every other node adds a frame to a parent
 * with a smaller id, and a stack's id is the node of its leaf. On disk a dictionary is a run of chunks,
 * appended as it grows.
 *
 * It is either being written (with indexes to look things up, one owner: the writer) or being read (without;
 * immutable once loaded, any thread). Bounds: VG_DICT_MAX_*; whoever writes begins a new dictionary long
 * before them.
 */
#ifndef VG_VIGIL_STORE_DICT_H
#define VG_VIGIL_STORE_DICT_H

#include "base/map.h"
#include "vigil/model/profile.h"
#include "vigil/store/columns.h"

#define VG_DICT_MAX_ITEMS      ((size_t)1 << 22) /* of each kind */
#define VG_DICT_MAX_TEXT_BYTES ((size_t)64 << 20)

/* How much of each kind there is. */
struct vg_dict_size {
    size_t strings, text_bytes, frames, nodes, label_sets, labels;
};

struct vg_dict {
    struct vg_dict_size size, room; /* room: allocated */
    char *text;
    uint32_t *string_end; /* in text; string 0 is "" */
    struct vg_frame *frames;
    uint32_t *node_parent, *node_frame; /* node 0: the empty stack */
    uint32_t *label_set_end;            /* in labels; set 0 is empty */
    struct vg_profile_label *labels;    /* their strings are ids of this dictionary */

    /* For the writer: hash → id. Where two things share a hash the later one lies at hash + 1. */
    bool is_indexed;
    struct vg_map by_string, by_frame, by_node, by_label_set;
    struct vg_map by_stack; /* whole stacks seen: hash of the frames → node, a shortcut */
    const struct vg_alloc *alloc;
};

/* A dictionary with string 0, node 0 and label set 0. */
enum vg_err vg_dict_init(struct vg_dict *dict, const struct vg_alloc *alloc) VG_MUST_USE;
void vg_dict_release(struct vg_dict *dict);
/* A copy to be read, cut to a smaller size. */
enum vg_err vg_dict_copy(const struct vg_dict *dict, const struct vg_dict_size *size,
                         struct vg_dict *copy) VG_MUST_USE;
size_t vg_dict_bytes(const struct vg_dict *dict);
/* Memory for a dictionary of that size; VG_ERR_FULL where it is beyond the bounds. */
enum vg_err vg_dict_reserve(struct vg_dict *dict, const struct vg_dict_size *size) VG_MUST_USE;

/* ---- writing ---- */

/* Makes the indexes of a dictionary that was loaded, so that it can be written to. */
enum vg_err vg_dict_index(struct vg_dict *dict) VG_MUST_USE;
/* Each finds or adds; VG_ERR_FULL at a bound. Strings and frames named inside must be of this dictionary. */
enum vg_err vg_dict_put_string(struct vg_dict *dict, struct vg_slice text, uint32_t *id) VG_MUST_USE;
enum vg_err vg_dict_put_frame(struct vg_dict *dict, const struct vg_frame *frame, uint32_t *id) VG_MUST_USE;
enum vg_err vg_dict_put_node(struct vg_dict *dict, uint32_t parent, uint32_t frame,
                             uint32_t *node) VG_MUST_USE;
/* frames: leaf first. */
enum vg_err vg_dict_put_stack(struct vg_dict *dict, const uint32_t *frames, size_t n,
                              uint32_t *node) VG_MUST_USE;
enum vg_err vg_dict_put_labels(struct vg_dict *dict, const struct vg_profile_label *labels, size_t n,
                               uint32_t *id) VG_MUST_USE;
/* A label set of a profile, with its strings. */
enum vg_err vg_dict_copy_labels(struct vg_dict *dict, const struct vg_profile *profile, uint32_t label_set,
                                uint32_t *id) VG_MUST_USE;

/* ---- reading ---- */

static inline struct vg_slice vg_dict_string(const struct vg_dict *dict, uint32_t id)
{
    uint32_t start = id ? dict->string_end[id - 1] : 0;
    return (struct vg_slice){dict->text + start, dict->string_end[id] - start};
}

static inline const struct vg_profile_label *vg_dict_labels(const struct vg_dict *dict, uint32_t id,
                                                            size_t *n)
{
    uint32_t start = id ? dict->label_set_end[id - 1] : 0;
    *n = dict->label_set_end[id] - start;
    return dict->labels + start;
}

/* How many frames each node's stack has; O(nodes), where walking every stack of a hostile trie could be
 * O(nodes²). */
static inline void vg_dict_depths(const struct vg_dict *dict, uint32_t *depths)
{
    depths[0] = 0;
    for (size_t i = 1; i < dict->size.nodes; i++)
        depths[i] = depths[dict->node_parent[i]] + 1;
}

/* ---- chunks ---- */

/* Appends what came after `from` to out, sealed. */
void vg_dict_encode(const struct vg_dict *dict, const struct vg_dict_size *from, struct vg_coder *coder,
                    struct vg_buf *out);
/* Adds a chunk. It may repeat the end of what is there already: the dictionary is cut to the chunk's start
 * first. VG_ERR_MALFORMED leaves the dictionary fit for release only. */
enum vg_err vg_dict_decode(struct vg_dict *dict, struct vg_coder *coder, struct vg_slice chunk) VG_MUST_USE;

#endif
