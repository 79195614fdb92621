/* Location ids of a sample → a stack of unique frames. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "vigil/model/builder_parts.h"

/* A run of location ids met, by its first sample, and the stack it stands for. */
struct location_stack {
    uint32_t first_location, n_locations, stack;
};

/* In place of a location's frame id. */
#define UNRESOLVED UINT32_MAX
#define SEVERAL    (UINT32_MAX - 1) /* see line_frames */

static_assert(sizeof(struct vg_frame) == 16, "compared bytewise: no padding");

enum vg_err vg_builder_start_stacks(struct vg_builder *b)
{
    const struct vg_pprof *pprof = b->pprof;
    uint32_t *start;

    b->frame_index.arena = b->location_stack_index.arena = b->stack_index.arena = &b->scratch;
    b->frames = vg_builder_list(b, sizeof(struct vg_frame));
    b->location_stacks = vg_builder_list(b, sizeof(struct location_stack));
    b->stack_start = vg_builder_list(b, sizeof(uint32_t));
    b->stack_frames = vg_builder_list(b, sizeof(uint32_t));
    b->expanded = vg_builder_list(b, sizeof(uint32_t));
    b->line_frames = vg_arena_new(&b->scratch, pprof->n_lines, sizeof *b->line_frames);
    b->location_frame = vg_arena_new(&b->scratch, pprof->n_locations, sizeof *b->location_frame);
    start = vg_list_add(&b->stack_start, 1);
    if (!b->line_frames || !b->location_frame || !start)
        return vg_arena_refusal(&b->scratch, pprof->n_lines * sizeof *b->line_frames);
    memset(b->location_frame, 0xff, pprof->n_locations * sizeof *b->location_frame);
    *start = 0;
    return VG_OK;
}

struct frame_key {
    const struct vg_frame *frames, *sought;
};

static bool is_same_frame(const void *ctx, uint32_t id)
{
    const struct frame_key *key = ctx;

    return memcmp(&key->frames[id], key->sought, sizeof *key->sought) == 0;
}

static enum vg_err put_frame(struct vg_builder *b, const struct vg_frame *frame, uint32_t *id)
{
    struct frame_key key = {b->frames.items, frame};
    uint64_t hash = vg_hash_bytes(frame, sizeof *frame, b->seed);
    bool is_new;
    enum vg_err err = vg_index_put(&b->frame_index, hash, is_same_frame, &key, id, &is_new);

    if (err || !is_new)
        return err;
    struct vg_frame *place = vg_list_add(&b->frames, 1);
    if (!place)
        return vg_arena_refusal(&b->scratch, sizeof *place);
    *place = *frame;
    return VG_OK;
}

static uint32_t line_number(int64_t line)
{
    return line > 0 && line <= UINT32_MAX ? (uint32_t)line : 0;
}

static enum vg_err put_line(struct vg_builder *b, const struct vg_pprof_line *line, uint32_t *id)
{
    const struct vg_pprof_read_function *function = &b->pprof->functions[line->function];
    struct vg_frame frame = {.first_line = line_number(function->first_line),
                             .line = line_number(line->line)};
    enum vg_err err = vg_builder_string(b, function->name, &frame.name);

    if (!err)
        err = vg_builder_string(b, function->file, &frame.file);
    return err ? err : put_frame(b, &frame, id);
}

static enum vg_err put_text_frame(struct vg_builder *b, const char *name, uint32_t *id)
{
    struct vg_frame frame = {0};
    enum vg_err err = vg_builder_string(b, vg_slice_of(name), &frame.name);

    return err ? err : put_frame(b, &frame, id);
}

/* The frames of one location, once. */
static enum vg_err resolve(struct vg_builder *b, uint32_t id)
{
    const struct vg_pprof_read_location *location = &b->pprof->locations[id];
    enum vg_err err = VG_OK;

    for (uint32_t i = 0; i < location->n_lines && !err; i++) {
        uint32_t line = location->first_line_index + i;
        err = put_line(b, &b->pprof->lines[line], &b->line_frames[line]);
        b->location_frame[id] = b->line_frames[line];
    }
    if (!err && location->n_lines == 0) {
        char name[24];
        snprintf(name, sizeof name, "0x%" PRIx64, location->address);
        err = put_text_frame(b, name, &b->location_frame[id]);
    }
    if (location->n_lines > 1)
        b->location_frame[id] = SEVERAL;
    return err;
}

/* The frames of a location of several lines, or of one not met before. */
static enum vg_err expand_slowly(struct vg_builder *b, uint32_t id)
{
    const struct vg_pprof_read_location *location = &b->pprof->locations[id];
    enum vg_err err = b->location_frame[id] == UNRESOLVED ? resolve(b, id) : VG_OK;

    if (err)
        return err;
    uint32_t n = b->location_frame[id] == SEVERAL ? location->n_lines : 1;
    uint32_t *to = vg_list_add(&b->expanded, n);
    if (!to)
        return vg_arena_refusal(&b->scratch, b->expanded.cap * 2 * sizeof *to);
    memcpy(to, n > 1 ? &b->line_frames[location->first_line_index] : &b->location_frame[id], n * sizeof *to);
    return VG_OK;
}

/* The sample's frames into b->expanded, innermost first. */
static enum vg_err expand(struct vg_builder *b, const struct vg_pprof_read_sample *sample)
{
    const uint32_t *ids = b->pprof->sample_locations + sample->first_location;
    uint32_t n = sample->n_locations, i = 0;

    b->expanded.count = 0;
    uint32_t *to = vg_list_add(&b->expanded, n ? n : 1);
    if (!to)
        return vg_arena_refusal(&b->scratch, b->expanded.cap * 2 * sizeof *to);
    if (n == 0)
        return put_text_frame(b, "(no stack)", to);
    for (; i < n && b->location_frame[ids[i]] < SEVERAL; i++)
        to[i] = b->location_frame[ids[i]];
    b->expanded.count = i;
    for (; i < n; i++) {
        enum vg_err err = expand_slowly(b, ids[i]);
        if (err)
            return err;
    }
    return VG_OK;
}

static bool is_same_stack(const void *ctx, uint32_t id)
{
    const struct vg_builder *b = ctx;
    const uint32_t *start = (const uint32_t *)b->stack_start.items + id;
    size_t n = start[1] - start[0];

    return n == b->expanded.count && memcmp((const uint32_t *)b->stack_frames.items + start[0],
                                            b->expanded.items, n * sizeof *start) == 0;
}

/* Different locations may be the same frames: a native address for each call, say. */
static enum vg_err put_expanded(struct vg_builder *b, uint32_t *stack)
{
    size_t n = b->expanded.count;
    uint64_t hash = vg_hash_bytes(b->expanded.items, n * sizeof(uint32_t), b->seed);
    bool is_new;
    enum vg_err err = vg_index_put(&b->stack_index, hash, is_same_stack, b, stack, &is_new);

    if (err || !is_new)
        return err;
    if (b->stack_frames.count + n > UINT32_MAX)
        return VG_ERR_LIMIT;
    uint32_t *frames = vg_list_add(&b->stack_frames, n);
    uint32_t *end = frames ? vg_list_add(&b->stack_start, 1) : NULL;
    if (!end)
        return vg_arena_refusal(&b->scratch, b->stack_frames.cap * 2 * sizeof *frames);
    memcpy(frames, b->expanded.items, n * sizeof *frames);
    *end = (uint32_t)b->stack_frames.count;
    return VG_OK;
}

struct locations_key {
    const struct vg_builder *b;
    const struct vg_pprof_read_sample *sample;
};

static bool is_same_locations(const void *ctx, uint32_t id)
{
    const struct locations_key *key = ctx;
    const struct location_stack *known = (const struct location_stack *)key->b->location_stacks.items + id;
    const uint32_t *locations = key->b->pprof->sample_locations;

    return known->n_locations == key->sample->n_locations &&
           memcmp(locations + known->first_location, locations + key->sample->first_location,
                  known->n_locations * sizeof *locations) == 0;
}

enum vg_err vg_builder_stack(struct vg_builder *b, const struct vg_pprof_read_sample *sample, uint32_t *stack)
{
    struct locations_key key = {b, sample};
    uint64_t hash = vg_hash_bytes(b->pprof->sample_locations + sample->first_location,
                                  sample->n_locations * sizeof(uint32_t), b->seed);
    uint32_t id;
    bool is_new;
    enum vg_err err = vg_index_put(&b->location_stack_index, hash, is_same_locations, &key, &id, &is_new);

    if (err)
        return err;
    if (!is_new) {
        *stack = ((struct location_stack *)b->location_stacks.items)[id].stack;
        return VG_OK;
    }
    struct location_stack *place = vg_list_add(&b->location_stacks, 1);
    if (!place)
        return vg_arena_refusal(&b->scratch, sizeof *place);
    *place = (struct location_stack){sample->first_location, sample->n_locations, 0};
    err = expand(b, sample);
    if (!err)
        err = put_expanded(b, &place->stack);
    if (!err)
        *stack = place->stack;
    return err;
}
