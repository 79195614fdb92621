/* Adding up dictionaries' sums: see merger.h. */
#include "vigil/store/merger.h"

#include <math.h>

#define UNKNOWN            UINT32_MAX
#define MERGED_LIMIT_BYTES ((size_t)512 << 20)

enum vg_err vg_sums_init(struct vg_sums *sums, bool is_level, size_t n, const struct vg_alloc *alloc)
{
    *sums = (struct vg_sums){.is_level = is_level, .n = n};
    if (is_level)
        sums->level = vg_alloc_zeroed(alloc, n, sizeof *sums->level);
    else
        sums->whole = vg_alloc_zeroed(alloc, n, sizeof *sums->whole);
    return sums->level || sums->whole ? VG_OK : VG_ERR_NOMEM;
}

void vg_sums_release(struct vg_sums *sums, const struct vg_alloc *alloc)
{
    vg_alloc_release(alloc, sums->whole);
    vg_alloc_release(alloc, sums->level);
    sums->whole = NULL;
    sums->level = NULL;
}

static bool has_value(const struct vg_sums *sums, size_t node)
{
    return sums->is_level ? sums->level[node] != 0 : sums->whole[node] != 0;
}

enum vg_err vg_merger_init(struct vg_merger *merger, bool is_level, const struct vg_alloc *alloc)
{
    *merger = (struct vg_merger){.alloc = alloc};
    enum vg_err err = vg_dict_init(&merger->dict, alloc);
    if (err)
        return err;
    err = vg_dict_index(&merger->dict);
    if (!err)
        err = vg_sums_init(&merger->sums, is_level, 1024, alloc);
    if (err)
        vg_merger_release(merger);
    return err;
}

void vg_merger_release(struct vg_merger *merger)
{
    vg_dict_release(&merger->dict);
    vg_sums_release(&merger->sums, merger->alloc);
}

/* ---- adding ---- */

/* From one dictionary's ids to the common ones, as far as they are needed. */
struct mapping {
    struct vg_merger *merger;
    const struct vg_dict *dict;
    uint32_t *strings, *frames, *nodes;
};

static enum vg_err map_string(struct mapping *mapping, uint32_t id, uint32_t *common)
{
    enum vg_err err = VG_OK;
    if (mapping->strings[id] == UNKNOWN)
        err = vg_dict_put_string(&mapping->merger->dict, vg_dict_string(mapping->dict, id),
                                 &mapping->strings[id]);
    *common = mapping->strings[id];
    return err;
}

static enum vg_err map_frame(struct mapping *mapping, uint32_t id)
{
    struct vg_frame frame = mapping->dict->frames[id];
    enum vg_err err = map_string(mapping, frame.name, &frame.name);
    if (!err)
        err = map_string(mapping, frame.file, &frame.file);
    return err ? err : vg_dict_put_frame(&mapping->merger->dict, &frame, &mapping->frames[id]);
}

static enum vg_err map_node(struct mapping *mapping, uint32_t node)
{
    uint32_t frame = mapping->dict->node_frame[node];
    enum vg_err err = mapping->frames[frame] == UNKNOWN ? map_frame(mapping, frame) : VG_OK;
    if (err)
        return err;
    return vg_dict_put_node(&mapping->merger->dict, mapping->nodes[mapping->dict->node_parent[node]],
                            mapping->frames[frame], &mapping->nodes[node]);
}

static enum vg_err widen_sums(struct vg_merger *merger)
{
    struct vg_sums wider;
    size_t need = merger->dict.size.nodes, room = merger->sums.n;
    if (need <= room)
        return VG_OK;
    while (room < need)
        room *= 2;
    enum vg_err err = vg_sums_init(&wider, merger->sums.is_level, room, merger->alloc);
    if (err)
        return err;
    if (wider.is_level)
        memcpy(wider.level, merger->sums.level, merger->sums.n * sizeof *wider.level);
    else
        memcpy(wider.whole, merger->sums.whole, merger->sums.n * sizeof *wider.whole);
    vg_sums_release(&merger->sums, merger->alloc);
    merger->sums = wider;
    return VG_OK;
}

static enum vg_err map_and_add(struct mapping *mapping, const struct vg_sums *sums)
{
    const struct vg_dict *dict = mapping->dict;
    struct vg_merger *merger = mapping->merger;
    enum vg_err err = VG_OK;
    for (size_t i = dict->size.nodes; i-- > 1;) /* parents have smaller ids: one pass marks all ancestors */
        if (mapping->nodes[i] != UNKNOWN || has_value(sums, i))
            mapping->nodes[i] = mapping->nodes[dict->node_parent[i]] = 0;
    mapping->nodes[0] = 0;
    for (uint32_t i = 1; i < dict->size.nodes && !err; i++)
        if (mapping->nodes[i] != UNKNOWN)
            err = map_node(mapping, i);
    if (!err)
        err = widen_sums(merger);
    for (size_t i = 0; i < dict->size.nodes && !err; i++) {
        if (!has_value(sums, i))
            continue;
        if (sums->is_level)
            merger->sums.level[mapping->nodes[i]] += sums->level[i];
        else
            vg_add_clamped(&merger->sums.whole[mapping->nodes[i]], sums->whole[i]);
    }
    return err;
}

enum vg_err vg_merger_add(struct vg_merger *merger, const struct vg_dict *dict, const struct vg_sums *sums)
{
    const struct vg_dict_size *size = &dict->size;
    size_t n = size->strings + size->frames + size->nodes;
    struct mapping mapping = {.merger = merger, .dict = dict};
    mapping.strings = vg_alloc_resize(merger->alloc, NULL, n * sizeof *mapping.strings);
    if (!mapping.strings)
        return VG_ERR_NOMEM;
    memset(mapping.strings, 0xff, n * sizeof *mapping.strings);
    mapping.frames = mapping.strings + size->strings;
    mapping.nodes = mapping.frames + size->frames;
    enum vg_err err = map_and_add(&mapping, sums);
    vg_alloc_release(merger->alloc, mapping.strings);
    return err == VG_ERR_FULL ? VG_ERR_LIMIT : err;
}

/* ---- the answer ---- */

static int64_t value_of(const struct vg_sums *sums, size_t node)
{
    if (!sums->is_level)
        return sums->whole[node];
    double level = sums->level[node];
    if (level >= 0x1p62 || level <= -0x1p62) /* of hostile numbers */
        return level > 0 ? INT64_MAX : INT64_MIN;
    return llround(level);
}

static enum vg_err write_texts(const struct vg_dict *dict, struct vg_merged *merged)
{
    struct vg_slice text = {0};
    merged->n_strings = dict->size.strings;
    merged->strings = vg_arena_new(&merged->arena, merged->n_strings, sizeof *merged->strings);
    enum vg_err err =
        merged->strings
            ? vg_arena_copy(&merged->arena, (struct vg_slice){dict->text, dict->size.text_bytes}, &text)
            : VG_ERR_NOMEM;
    for (uint32_t i = 0; i < merged->n_strings && !err; i++) {
        struct vg_slice old = vg_dict_string(dict, i);
        merged->strings[i] = (struct vg_slice){text.data + (old.data - dict->text), old.len};
    }
    merged->n_frames = dict->size.frames;
    merged->frames = vg_arena_new(&merged->arena, merged->n_frames, sizeof *merged->frames);
    if (!err && !merged->frames)
        err = VG_ERR_NOMEM;
    if (!err && merged->n_frames)
        memcpy(merged->frames, dict->frames, merged->n_frames * sizeof *merged->frames);
    return err;
}

/* Counts what there is, before anything is walked. */
static enum vg_err count_stacks(const struct vg_merger *merger, size_t *n_stacks, size_t *n_frames)
{
    const struct vg_dict *dict = &merger->dict;
    uint32_t *depths = vg_alloc_resize(merger->alloc, NULL, dict->size.nodes * sizeof *depths);
    if (!depths)
        return VG_ERR_NOMEM;
    vg_dict_depths(dict, depths);
    *n_stacks = *n_frames = 0;
    for (size_t i = 0; i < dict->size.nodes; i++) {
        bool counts = i < merger->sums.n && value_of(&merger->sums, i) != 0;
        *n_stacks += counts;
        *n_frames += counts ? depths[i] : 0;
    }
    vg_alloc_release(merger->alloc, depths);
    return *n_frames > MERGED_LIMIT_BYTES / sizeof(uint32_t) ? VG_ERR_LIMIT : VG_OK;
}

static enum vg_err write_stacks(const struct vg_merger *merger, struct vg_merged *merged)
{
    const struct vg_dict *dict = &merger->dict;
    size_t n_stacks, n_frames;
    enum vg_err err = count_stacks(merger, &n_stacks, &n_frames);
    if (err)
        return err;
    merged->n_stacks = n_stacks;
    merged->stack_start = vg_arena_new(&merged->arena, n_stacks + 1, sizeof *merged->stack_start);
    merged->stack_frames = vg_arena_new(&merged->arena, n_frames, sizeof *merged->stack_frames);
    merged->values = vg_arena_new(&merged->arena, n_stacks, sizeof *merged->values);
    if (!merged->stack_start || !merged->stack_frames || !merged->values)
        return VG_ERR_LIMIT;
    size_t stack = 0, at = 0;
    for (uint32_t i = 0; i < dict->size.nodes && stack < n_stacks; i++) {
        int64_t value = value_of(&merger->sums, i);
        if (!value)
            continue;
        for (uint32_t node = i; node; node = dict->node_parent[node])
            merged->stack_frames[at++] = dict->node_frame[node];
        merged->values[stack++] = value;
        merged->stack_start[stack] = (uint32_t)at;
        vg_add_clamped(&merged->total, value);
    }
    return VG_OK;
}

enum vg_err vg_merger_finish(const struct vg_merger *merger, struct vg_merged *merged)
{
    *merged = (struct vg_merged){0};
    vg_arena_init(&merged->arena, MERGED_LIMIT_BYTES, merger->alloc);
    enum vg_err err = write_texts(&merger->dict, merged);
    if (!err)
        err = write_stacks(merger, merged);
    if (err)
        vg_merged_release(merged);
    return err;
}
