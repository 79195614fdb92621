/* Dictionaries in memory: see dict.h. Chunks are in dict_chunk.c. */
#include "vigil/store/dict.h"

#include <assert.h>

/* What an entry of vg_map takes; it is kept between 3/8 and 3/4 full. */
#define MAP_BYTES_PER_ENTRY ((size_t)24)

static enum vg_err widen(const struct vg_alloc *alloc, void *array, size_t item_size, size_t *room,
                         size_t need)
{
    if (need <= *room)
        return VG_OK;
    size_t wanted = *room ? *room : 64;
    while (wanted < need)
        wanted *= 2;
    void *old;
    memcpy(&old, array, sizeof old);
    void *wide = vg_alloc_resize(alloc, old, wanted * item_size);
    if (!wide)
        return VG_ERR_NOMEM;
    memcpy(array, &wide, sizeof wide);
    *room = wanted;
    return VG_OK;
}

/* Two arrays grow together: both or, as far as `room` tells, neither. */
static enum vg_err widen_nodes(struct vg_dict *dict, size_t need)
{
    size_t first = dict->room.nodes;
    enum vg_err err = widen(dict->alloc, &dict->node_parent, sizeof *dict->node_parent, &first, need);
    return err ? err
               : widen(dict->alloc, &dict->node_frame, sizeof *dict->node_frame, &dict->room.nodes, need);
}

enum vg_err vg_dict_reserve(struct vg_dict *dict, const struct vg_dict_size *size)
{
    if (size->strings > VG_DICT_MAX_ITEMS || size->frames > VG_DICT_MAX_ITEMS ||
        size->nodes > VG_DICT_MAX_ITEMS || size->label_sets > VG_DICT_MAX_ITEMS ||
        size->labels > VG_DICT_MAX_ITEMS * 4 || size->text_bytes > VG_DICT_MAX_TEXT_BYTES)
        return VG_ERR_FULL;
    const struct vg_alloc *alloc = dict->alloc;
    struct vg_dict_size *room = &dict->room;
    enum vg_err err = widen(alloc, &dict->text, 1, &room->text_bytes, size->text_bytes);
    if (!err)
        err = widen(alloc, &dict->string_end, sizeof *dict->string_end, &room->strings, size->strings);
    if (!err)
        err = widen(alloc, &dict->frames, sizeof *dict->frames, &room->frames, size->frames);
    if (!err)
        err = widen_nodes(dict, size->nodes);
    if (!err)
        err = widen(alloc, &dict->label_set_end, sizeof *dict->label_set_end, &room->label_sets,
                    size->label_sets);
    if (!err)
        err = widen(alloc, &dict->labels, sizeof *dict->labels, &room->labels, size->labels);
    return err;
}

enum vg_err vg_dict_init(struct vg_dict *dict, const struct vg_alloc *alloc)
{
    *dict = (struct vg_dict){.alloc = alloc};
    vg_map_init(&dict->by_string, VG_DICT_MAX_ITEMS, alloc);
    vg_map_init(&dict->by_frame, VG_DICT_MAX_ITEMS, alloc);
    vg_map_init(&dict->by_node, VG_DICT_MAX_ITEMS, alloc);
    vg_map_init(&dict->by_label_set, VG_DICT_MAX_ITEMS, alloc);
    vg_map_init(&dict->by_stack, VG_DICT_MAX_ITEMS, alloc);
    struct vg_dict_size size = {
        .strings = 1, .text_bytes = 1, .frames = 1, .nodes = 1, .label_sets = 1, .labels = 1};
    enum vg_err err = vg_dict_reserve(dict, &size);
    if (err) {
        vg_dict_release(dict);
        return err;
    }
    dict->string_end[0] = dict->label_set_end[0] = 0;
    dict->node_parent[0] = dict->node_frame[0] = 0;
    dict->size = (struct vg_dict_size){.strings = 1, .nodes = 1, .label_sets = 1};
    return VG_OK;
}

void vg_dict_release(struct vg_dict *dict)
{
    vg_alloc_release(dict->alloc, dict->text);
    vg_alloc_release(dict->alloc, dict->string_end);
    vg_alloc_release(dict->alloc, dict->frames);
    vg_alloc_release(dict->alloc, dict->node_parent);
    vg_alloc_release(dict->alloc, dict->node_frame);
    vg_alloc_release(dict->alloc, dict->label_set_end);
    vg_alloc_release(dict->alloc, dict->labels);
    vg_map_release(&dict->by_string);
    vg_map_release(&dict->by_frame);
    vg_map_release(&dict->by_node);
    vg_map_release(&dict->by_label_set);
    vg_map_release(&dict->by_stack);
    *dict = (struct vg_dict){.alloc = dict->alloc};
}

enum vg_err vg_dict_copy(const struct vg_dict *dict, const struct vg_dict_size *size, struct vg_dict *copy)
{
    assert(size->strings <= dict->size.strings && size->nodes <= dict->size.nodes);
    enum vg_err err = vg_dict_init(copy, dict->alloc);
    if (err)
        return err;
    err = vg_dict_reserve(copy, size);
    if (err) {
        vg_dict_release(copy);
        return err;
    }
    memcpy(copy->text, dict->text, size->text_bytes);
    memcpy(copy->string_end, dict->string_end, size->strings * sizeof *copy->string_end);
    memcpy(copy->frames, dict->frames, size->frames * sizeof *copy->frames);
    memcpy(copy->node_parent, dict->node_parent, size->nodes * sizeof *copy->node_parent);
    memcpy(copy->node_frame, dict->node_frame, size->nodes * sizeof *copy->node_frame);
    memcpy(copy->label_set_end, dict->label_set_end, size->label_sets * sizeof *copy->label_set_end);
    memcpy(copy->labels, dict->labels, size->labels * sizeof *copy->labels);
    copy->size = *size;
    return VG_OK;
}

size_t vg_dict_bytes(const struct vg_dict *dict)
{
    const struct vg_dict_size *room = &dict->room;
    size_t slots = dict->by_string.cap + dict->by_frame.cap + dict->by_node.cap + dict->by_label_set.cap +
                   dict->by_stack.cap;
    return room->text_bytes + room->strings * sizeof *dict->string_end + room->frames * sizeof *dict->frames +
           room->nodes * (sizeof *dict->node_parent + sizeof *dict->node_frame) +
           room->label_sets * sizeof *dict->label_set_end + room->labels * sizeof *dict->labels +
           slots * MAP_BYTES_PER_ENTRY;
}

/* ---- looking up ---- */

/* What is looked for: one of the kinds, and whether the thing with a given id is it. */
struct probe {
    struct vg_map *map;
    uint64_t hash;
    bool (*is_same)(const struct vg_dict *dict, uint32_t id, const void *wanted);
    const void *wanted;
    uint32_t next_id; /* of a new one */
};

/* The id found, or next_id put into the index (*is_new). */
static enum vg_err find_or_index(const struct vg_dict *dict, struct probe *probe, uint32_t *id, bool *is_new)
{
    for (;; probe->hash++) {
        uint64_t *value;
        enum vg_err err = vg_map_insert(probe->map, probe->hash, &value, is_new);
        if (err)
            return err;
        if (*is_new)
            *value = probe->next_id;
        *id = (uint32_t)*value;
        if (*is_new || probe->is_same(dict, *id, probe->wanted))
            return VG_OK;
    }
}

static bool is_same_string(const struct vg_dict *dict, uint32_t id, const void *wanted)
{
    return vg_slice_equal(vg_dict_string(dict, id), *(const struct vg_slice *)wanted);
}

static bool is_same_frame(const struct vg_dict *dict, uint32_t id, const void *wanted)
{
    const struct vg_frame *a = &dict->frames[id], *b = wanted;
    return a->name == b->name && a->file == b->file && a->line == b->line && a->first_line == b->first_line;
}

struct label_run {
    const struct vg_profile_label *labels;
    size_t n;
};

static bool is_same_label_set(const struct vg_dict *dict, uint32_t id, const void *wanted)
{
    const struct label_run *run = wanted;
    size_t n;
    const struct vg_profile_label *labels = vg_dict_labels(dict, id, &n);
    if (n != run->n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (labels[i].key != run->labels[i].key || labels[i].text != run->labels[i].text ||
            labels[i].number != run->labels[i].number)
            return false;
    return true;
}

static uint64_t hash_of_frame(const struct vg_dict *dict, const struct vg_frame *frame)
{
    static_assert(sizeof *frame == 16, "no padding, so the bytes can be hashed");
    return vg_hash_bytes(frame, sizeof *frame, dict->by_frame.seed);
}

static uint64_t hash_of_labels(const struct vg_dict *dict, const struct vg_profile_label *labels, size_t n)
{
    static_assert(sizeof *labels == 16, "no padding, so the bytes can be hashed");
    return n ? vg_hash_bytes(labels, n * sizeof *labels, dict->by_label_set.seed) : 0;
}

static struct probe probe_string(struct vg_dict *dict, const struct vg_slice *text, uint32_t next_id)
{
    uint64_t hash = vg_hash_bytes(text->data, text->len, dict->by_string.seed);
    return (struct probe){&dict->by_string, hash, is_same_string, text, next_id};
}

static struct probe probe_frame(struct vg_dict *dict, const struct vg_frame *frame, uint32_t next_id)
{
    return (struct probe){&dict->by_frame, hash_of_frame(dict, frame), is_same_frame, frame, next_id};
}

static struct probe probe_labels(struct vg_dict *dict, const struct label_run *run, uint32_t next_id)
{
    uint64_t hash = hash_of_labels(dict, run->labels, run->n);
    return (struct probe){&dict->by_label_set, hash, is_same_label_set, run, next_id};
}

enum vg_err vg_dict_index(struct vg_dict *dict)
{
    enum vg_err err = VG_OK;
    uint32_t id;
    bool is_new;
    for (uint32_t i = 0; i < dict->size.strings && !err; i++) {
        struct vg_slice text = vg_dict_string(dict, i);
        struct probe probe = probe_string(dict, &text, i);
        err = find_or_index(dict, &probe, &id, &is_new);
    }
    for (uint32_t i = 0; i < dict->size.frames && !err; i++) {
        struct probe probe = probe_frame(dict, &dict->frames[i], i);
        err = find_or_index(dict, &probe, &id, &is_new);
    }
    for (uint32_t i = 1; i < dict->size.nodes && !err; i++) {
        uint64_t *value, key = (uint64_t)dict->node_parent[i] << 32 | dict->node_frame[i];
        err = vg_map_insert(&dict->by_node, key, &value, &is_new);
        if (!err)
            *value = i;
    }
    for (uint32_t i = 0; i < dict->size.label_sets && !err; i++) {
        struct label_run run;
        run.labels = vg_dict_labels(dict, i, &run.n);
        struct probe probe = probe_labels(dict, &run, i);
        err = find_or_index(dict, &probe, &id, &is_new);
    }
    dict->is_indexed = !err;
    return err;
}

/* ---- adding: room first, then the index, so that a failure leaves nothing behind ---- */

static enum vg_err room_for(struct vg_dict *dict, struct vg_dict_size more)
{
    struct vg_dict_size need = dict->size;
    need.strings += more.strings;
    need.text_bytes += more.text_bytes;
    need.frames += more.frames;
    need.nodes += more.nodes;
    need.label_sets += more.label_sets;
    need.labels += more.labels;
    return vg_dict_reserve(dict, &need);
}

enum vg_err vg_dict_put_string(struct vg_dict *dict, struct vg_slice text, uint32_t *id)
{
    assert(dict->is_indexed);
    if (text.len > VG_DICT_MAX_TEXT_BYTES)
        return VG_ERR_FULL;
    enum vg_err err = room_for(dict, (struct vg_dict_size){.strings = 1, .text_bytes = text.len});
    if (err)
        return err;
    struct probe probe = probe_string(dict, &text, (uint32_t)dict->size.strings);
    bool is_new;
    err = find_or_index(dict, &probe, id, &is_new);
    if (err || !is_new)
        return err;
    if (text.len)
        memcpy(dict->text + dict->size.text_bytes, text.data, text.len);
    dict->size.text_bytes += text.len;
    dict->string_end[dict->size.strings++] = (uint32_t)dict->size.text_bytes;
    return VG_OK;
}

enum vg_err vg_dict_put_frame(struct vg_dict *dict, const struct vg_frame *frame, uint32_t *id)
{
    assert(dict->is_indexed && frame->name < dict->size.strings && frame->file < dict->size.strings);
    enum vg_err err = room_for(dict, (struct vg_dict_size){.frames = 1});
    if (err)
        return err;
    struct probe probe = probe_frame(dict, frame, (uint32_t)dict->size.frames);
    bool is_new;
    err = find_or_index(dict, &probe, id, &is_new);
    if (!err && is_new)
        dict->frames[dict->size.frames++] = *frame;
    return err;
}

enum vg_err vg_dict_put_node(struct vg_dict *dict, uint32_t parent, uint32_t frame, uint32_t *node)
{
    enum vg_err err = room_for(dict, (struct vg_dict_size){.nodes = 1});
    uint64_t *value;
    bool is_new;
    if (!err)
        err = vg_map_insert(&dict->by_node, (uint64_t)parent << 32 | frame, &value, &is_new);
    if (err)
        return err;
    if (is_new) {
        *value = dict->size.nodes;
        dict->node_parent[dict->size.nodes] = parent;
        dict->node_frame[dict->size.nodes++] = frame;
    }
    *node = (uint32_t)*value;
    return VG_OK;
}

/* A stack seen before costs one hash. Its 64 bits are trusted, with a look at leaf frame: the seed is secret
 * and random, and walking forty nodes to compare them is what the shortcut is there to avoid. */
enum vg_err vg_dict_put_stack(struct vg_dict *dict, const uint32_t *frames, size_t n, uint32_t *node)
{
    assert(dict->is_indexed);
    if (n == 0) {
        *node = 0;
        return VG_OK;
    }
    uint64_t hash = vg_hash_bytes(frames, n * sizeof *frames, dict->by_stack.seed);
    const uint64_t *known = vg_map_find(&dict->by_stack, hash);
    if (known && dict->node_frame[*known] == frames[0]) {
        *node = (uint32_t)*known;
        return VG_OK;
    }
    uint32_t at = 0;
    for (size_t i = n; i-- > 0;) {
        assert(frames[i] < dict->size.frames);
        enum vg_err err = vg_dict_put_node(dict, at, frames[i], &at);
        if (err)
            return err;
    }
    uint64_t *value;
    bool is_new;
    enum vg_err err = vg_map_insert(&dict->by_stack, hash, &value, &is_new);
    if (err)
        return err;
    *value = *node = at;
    return VG_OK;
}

enum vg_err vg_dict_put_labels(struct vg_dict *dict, const struct vg_profile_label *labels, size_t n,
                               uint32_t *id)
{
    assert(dict->is_indexed);
    if (n > VG_DICT_MAX_ITEMS)
        return VG_ERR_FULL;
    enum vg_err err = room_for(dict, (struct vg_dict_size){.label_sets = 1, .labels = n});
    if (err)
        return err;
    struct label_run run = {labels, n};
    struct probe probe = probe_labels(dict, &run, (uint32_t)dict->size.label_sets);
    bool is_new;
    err = find_or_index(dict, &probe, id, &is_new);
    if (err || !is_new)
        return err;
    if (n)
        memcpy(dict->labels + dict->size.labels, labels, n * sizeof *labels);
    dict->size.labels += n;
    dict->label_set_end[dict->size.label_sets++] = (uint32_t)dict->size.labels;
    return VG_OK;
}

#define MAX_LABELS_A_SET ((size_t)256) /* intake takes fewer */

enum vg_err vg_dict_copy_labels(struct vg_dict *dict, const struct vg_profile *profile, uint32_t label_set,
                                uint32_t *id)
{
    struct vg_profile_label copy[MAX_LABELS_A_SET];
    const struct vg_profile_label *labels = profile->labels + profile->labels_start[label_set];
    size_t n = profile->labels_start[label_set + 1] - profile->labels_start[label_set];
    if (n > MAX_LABELS_A_SET)
        return VG_ERR_FULL;
    for (size_t i = 0; i < n; i++) {
        copy[i] = labels[i];
        enum vg_err err = vg_dict_put_string(dict, profile->strings[labels[i].key], &copy[i].key);
        if (!err)
            err = vg_dict_put_string(dict, profile->strings[labels[i].text], &copy[i].text);
        if (err)
            return err;
    }
    return vg_dict_put_labels(dict, copy, n, id);
}
