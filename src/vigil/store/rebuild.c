/* A whole profile again: see rebuild.h. Only what its rows and events name is taken from the dictionary. */
#include "vigil/store/rebuild.h"

#define MAX_STRINGS    ((size_t)1 << 22)
#define MAX_TEXT_BYTES ((size_t)256 << 20)
#define MAX_FRAMES     ((size_t)1 << 27) /* of all stacks together */

struct rebuilder {
    struct vg_profile *profile;
    const struct vg_dict *dict;
    struct vg_coder *coder;
    struct vg_intern strings;
    struct vg_arena scratch;
    uint32_t *frame_of, *stack_of, *set_of; /* by id of the dictionary: ours + 1, 0 not met yet */
    uint32_t *nodes;                        /* by stack of ours */
    uint32_t *sets;                         /* by label set of ours: the dictionary's */
};

static enum vg_err add_string(struct rebuilder *rebuilder, const struct vg_dict *dict, uint32_t id,
                              uint32_t *ours)
{
    return vg_intern_put(&rebuilder->strings, vg_dict_string(dict, id), ours);
}

/* ---- rows ---- */

static enum vg_err read_rows(struct rebuilder *rebuilder, struct vg_slice rows)
{
    struct vg_profile *profile = rebuilder->profile;
    struct vg_rows_part part;
    enum vg_err err = VG_OK;
    vg_rows_part_init(&part, rebuilder->coder->alloc);
    for (size_t type = 0; type < profile->n_types && !err; type++) {
        err = vg_rows_read(rows, rebuilder->dict, type, type == 0, rebuilder->coder, &part);
        if (!err && type == 0) {
            profile->n_rows = part.n;
            profile->row_stack = vg_arena_new(&profile->arena, part.n, sizeof *profile->row_stack);
            profile->row_labels = vg_arena_new(&profile->arena, part.n, sizeof *profile->row_labels);
            profile->row_values =
                vg_arena_new(&profile->arena, part.n * profile->n_types, sizeof *profile->row_values);
            if (!profile->row_stack || !profile->row_labels || !profile->row_values)
                err = VG_ERR_NOMEM;
            for (size_t i = 0; i < part.n && !err; i++) {
                profile->row_stack[i] = part.nodes[i];
                profile->row_labels[i] = part.label_sets[i];
            }
        }
        for (size_t i = 0; i < profile->n_rows && !err; i++)
            profile->row_values[i * profile->n_types + type] = part.values[i];
    }
    vg_rows_part_release(&part);
    return err;
}

/* Gives each node and label set met in the rows an id of ours, in order. */
static void number_rows(struct rebuilder *rebuilder)
{
    struct vg_profile *profile = rebuilder->profile;
    size_t n_stacks = 0, n_sets = 1; /* set 0 is empty, in the dictionary and here */
    rebuilder->set_of[0] = 1;
    for (size_t i = 0; i < profile->n_rows; i++) {
        uint32_t *stack = &rebuilder->stack_of[profile->row_stack[i]];
        uint32_t *set = &rebuilder->set_of[profile->row_labels[i]];
        if (!*stack) {
            rebuilder->nodes[n_stacks] = profile->row_stack[i];
            *stack = (uint32_t)++n_stacks;
        }
        if (!*set) {
            rebuilder->sets[n_sets] = profile->row_labels[i];
            *set = (uint32_t)++n_sets;
        }
        profile->row_stack[i] = *stack - 1;
        profile->row_labels[i] = *set - 1;
    }
    profile->n_stacks = n_stacks;
    profile->n_label_sets = n_sets;
}

/* ---- stacks ---- */

static enum vg_err add_frame(struct rebuilder *rebuilder, uint32_t id)
{
    struct vg_profile *profile = rebuilder->profile;
    struct vg_frame frame = rebuilder->dict->frames[id];
    enum vg_err err = add_string(rebuilder, rebuilder->dict, frame.name, &frame.name);
    if (!err)
        err = add_string(rebuilder, rebuilder->dict, frame.file, &frame.file);
    if (err)
        return err;
    profile->frames[profile->n_frames] = frame;
    rebuilder->frame_of[id] = (uint32_t)++profile->n_frames;
    return VG_OK;
}

static enum vg_err build_stacks(struct rebuilder *rebuilder)
{
    struct vg_profile *profile = rebuilder->profile;
    const struct vg_dict *dict = rebuilder->dict;
    uint32_t *depths = vg_arena_new(&rebuilder->scratch, dict->size.nodes, sizeof *depths);
    size_t n = 0, at = 0;
    if (!depths)
        return VG_ERR_NOMEM;
    vg_dict_depths(dict, depths);
    for (size_t i = 0; i < profile->n_stacks; i++)
        n += depths[rebuilder->nodes[i]];
    if (n > MAX_FRAMES)
        return VG_ERR_MALFORMED;
    size_t most_frames = n < dict->size.frames ? n : dict->size.frames;
    profile->stack_start = vg_arena_new(&profile->arena, profile->n_stacks + 1, sizeof *profile->stack_start);
    profile->stack_frames = vg_arena_new(&profile->arena, n, sizeof *profile->stack_frames);
    profile->frames = vg_arena_new(&profile->arena, most_frames, sizeof *profile->frames);
    if (!profile->stack_start || !profile->stack_frames || !profile->frames)
        return VG_ERR_NOMEM;
    for (size_t i = 0; i < profile->n_stacks; i++) {
        for (uint32_t node = rebuilder->nodes[i]; node; node = dict->node_parent[node]) {
            uint32_t frame = dict->node_frame[node];
            enum vg_err err = rebuilder->frame_of[frame] ? VG_OK : add_frame(rebuilder, frame);
            if (err)
                return err;
            profile->stack_frames[at++] = rebuilder->frame_of[frame] - 1;
        }
        profile->stack_start[i + 1] = (uint32_t)at;
    }
    return VG_OK;
}

/* ---- labels and events ---- */

static enum vg_err add_labels(struct rebuilder *rebuilder, const struct vg_dict *dict, uint32_t set,
                              size_t *at)
{
    size_t n;
    const struct vg_profile_label *labels = vg_dict_labels(dict, set, &n);
    for (size_t i = 0; i < n; i++) {
        struct vg_profile_label *label = &rebuilder->profile->labels[(*at)++];
        *label = labels[i];
        enum vg_err err = add_string(rebuilder, dict, label->key, &label->key);
        if (!err && label->text)
            err = add_string(rebuilder, dict, label->text, &label->text);
        if (err)
            return err;
    }
    return VG_OK;
}

/* The rows' sets, then those of events: set i of the latter becomes n_row_sets + i − 1. */
static enum vg_err build_labels(struct rebuilder *rebuilder, const struct vg_dict *volatile_labels)
{
    struct vg_profile *profile = rebuilder->profile;
    size_t n_row_sets = profile->n_label_sets, n_labels = volatile_labels->size.labels, n, at = 0;
    for (size_t i = 0; i < n_row_sets; i++) {
        vg_dict_labels(rebuilder->dict, rebuilder->sets[i], &n);
        n_labels += n;
    }
    profile->n_label_sets = n_row_sets + volatile_labels->size.label_sets - 1;
    profile->labels_start =
        vg_arena_new(&profile->arena, profile->n_label_sets + 1, sizeof *profile->labels_start);
    profile->labels = vg_arena_new(&profile->arena, n_labels, sizeof *profile->labels);
    if (!profile->labels_start || !profile->labels)
        return VG_ERR_NOMEM;
    for (size_t i = 0; i < profile->n_label_sets; i++) {
        bool is_row_set = i < n_row_sets;
        enum vg_err err = is_row_set
                              ? add_labels(rebuilder, rebuilder->dict, rebuilder->sets[i], &at)
                              : add_labels(rebuilder, volatile_labels, (uint32_t)(i - n_row_sets + 1), &at);
        if (err)
            return err;
        profile->labels_start[i + 1] = (uint32_t)at;
    }
    for (size_t i = 0; i < profile->n_events; i++)
        if (profile->event_labels[i])
            profile->event_labels[i] += (uint32_t)n_row_sets - 1;
    return VG_OK;
}

static enum vg_err build_labels_and_events(struct rebuilder *rebuilder, struct vg_slice events)
{
    struct vg_dict volatile_labels;
    enum vg_err err = events.len
                          ? vg_events_read(events, rebuilder->coder, rebuilder->profile, &volatile_labels)
                          : vg_dict_init(&volatile_labels, rebuilder->coder->alloc);
    if (!err)
        err = build_labels(rebuilder, &volatile_labels);
    vg_dict_release(&volatile_labels);
    return err;
}

static enum vg_err build_strings(struct rebuilder *rebuilder)
{
    struct vg_profile *profile = rebuilder->profile;
    profile->n_strings = rebuilder->strings.count;
    profile->strings = vg_arena_new(&profile->arena, profile->n_strings, sizeof *profile->strings);
    enum vg_err err = profile->strings ? VG_OK : VG_ERR_NOMEM;
    for (uint32_t i = 0; i < profile->n_strings && !err; i++)
        err = vg_arena_copy(&profile->arena, vg_intern_get(&rebuilder->strings, i), &profile->strings[i]);
    return err;
}

static enum vg_err build(struct rebuilder *rebuilder, struct vg_slice rows, struct vg_slice events)
{
    const struct vg_dict_size *size = &rebuilder->dict->size;
    struct vg_arena *scratch = &rebuilder->scratch;
    uint32_t id;
    enum vg_err err = vg_intern_put(&rebuilder->strings, (struct vg_slice){"", 0}, &id);
    if (!err)
        err = read_rows(rebuilder, rows);
    if (err)
        return err;
    size_t n_rows = rebuilder->profile->n_rows;
    rebuilder->frame_of = vg_arena_new(scratch, size->frames, sizeof *rebuilder->frame_of);
    rebuilder->stack_of = vg_arena_new(scratch, size->nodes, sizeof *rebuilder->stack_of);
    rebuilder->set_of = vg_arena_new(scratch, size->label_sets, sizeof *rebuilder->set_of);
    rebuilder->nodes = vg_arena_new(scratch, n_rows, sizeof *rebuilder->nodes);
    rebuilder->sets = vg_arena_new(scratch, n_rows + 1, sizeof *rebuilder->sets);
    if (!rebuilder->frame_of || !rebuilder->stack_of || !rebuilder->set_of || !rebuilder->nodes ||
        !rebuilder->sets)
        return VG_ERR_NOMEM;
    number_rows(rebuilder);
    err = build_stacks(rebuilder);
    if (!err)
        err = build_labels_and_events(rebuilder, events);
    return err ? err : build_strings(rebuilder);
}

enum vg_err vg_rebuild(struct vg_profile *profile, const struct vg_dict *dict, struct vg_slice rows,
                       struct vg_slice events, struct vg_coder *coder)
{
    struct rebuilder rebuilder = {.profile = profile, .dict = dict, .coder = coder};
    vg_intern_init(&rebuilder.strings, MAX_STRINGS, MAX_TEXT_BYTES, coder->alloc);
    vg_arena_init(&rebuilder.scratch, SIZE_MAX, coder->alloc);
    enum vg_err err = build(&rebuilder, rows, events);
    vg_intern_release(&rebuilder.strings);
    vg_arena_release(&rebuilder.scratch);
    return err == VG_ERR_FULL || err == VG_ERR_LIMIT ? VG_ERR_MALFORMED : err;
}
