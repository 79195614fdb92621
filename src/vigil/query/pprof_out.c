/* profile.proto out. A location is a frame, its id the frame's + 1, a function's id its number + 1; strings,
 * locations and functions are written only where a sample uses them, since a merge may know many more. */
#include "vigil/query/pprof_out.h"

#include "pprof/write.h"
#include "vigil/query/functions.h"
#include "vigil/query/gzip.h"

enum {
    LIMIT_BYTES = 512 << 20, /* uncompressed */
    GZIP_LEVEL = 6,
};

/* What both kinds of profile need. */
struct encoder {
    struct vg_pprof_writer writer;
    const struct vg_slice *strings;
    const struct vg_frame *frames;
    size_t n_frames;
    struct vg_functions functions;
    uint32_t *string_ids; /* string → writer's id; 0: none yet, or "" */
    bool *frame_used;     /* by a sample */
    uint64_t *locations;  /* of one sample */
    const struct vg_alloc *alloc;
};

/* Runs of stack_frames. */
struct stacks {
    const uint32_t *start, *frames;
    size_t n;
};

static size_t longest(const uint32_t *start, size_t n)
{
    size_t most = 0;
    for (size_t i = 0; i < n; i++)
        most = start[i + 1] - start[i] > most ? start[i + 1] - start[i] : most;
    return most;
}

static enum vg_err encoder_init(struct encoder *encoder, const struct stacks *stacks, size_t n_strings)
{
    const struct vg_alloc *alloc = encoder->alloc;
    encoder->functions.alloc = alloc;
    vg_pprof_writer_init(&encoder->writer, LIMIT_BYTES, alloc);
    encoder->string_ids = vg_alloc_zeroed(alloc, n_strings + 1, sizeof *encoder->string_ids);
    encoder->frame_used = vg_alloc_zeroed(alloc, encoder->n_frames + 1, sizeof *encoder->frame_used);
    encoder->locations =
        vg_alloc_zeroed(alloc, longest(stacks->start, stacks->n) + 1, sizeof *encoder->locations);
    if (!encoder->string_ids || !encoder->frame_used || !encoder->locations)
        return VG_ERR_NOMEM;
    return vg_functions_init(&encoder->functions, encoder->strings, encoder->frames, encoder->n_frames,
                             alloc);
}

static void encoder_release(struct encoder *encoder)
{
    vg_functions_release(&encoder->functions);
    vg_alloc_release(encoder->alloc, encoder->locations);
    vg_alloc_release(encoder->alloc, encoder->frame_used);
    vg_alloc_release(encoder->alloc, encoder->string_ids);
    vg_pprof_writer_release(&encoder->writer);
}

static uint32_t string_id(struct encoder *encoder, uint32_t string)
{
    uint32_t *id = &encoder->string_ids[string];
    if (!*id)
        *id = vg_pprof_string(&encoder->writer, encoder->strings[string]);
    return *id;
}

/* The writer wants C strings. */
static enum vg_err write_type(struct encoder *encoder, struct vg_slice name, struct vg_slice unit)
{
    struct vg_buf text;
    vg_buf_init(&text, name.len + unit.len + 2, encoder->alloc);
    (void)vg_buf_slice(&text, name);
    (void)vg_buf_byte(&text, 0);
    (void)vg_buf_slice(&text, unit);
    (void)vg_buf_byte(&text, 0);
    enum vg_err err = text.err;
    if (!err)
        vg_pprof_value_type(&encoder->writer, text.data, text.data + name.len + 1);
    vg_buf_release(&text);
    return err;
}

static void write_sample(struct encoder *encoder, const struct stacks *stacks, uint32_t stack,
                         const int64_t *values, size_t n_values, const struct vg_pprof_label *labels,
                         size_t n_labels)
{
    size_t start = stacks->start[stack], n = stacks->start[stack + 1] - start;
    for (size_t i = 0; i < n; i++) {
        uint32_t frame = stacks->frames[start + i];
        encoder->frame_used[frame] = true;
        encoder->locations[i] = (uint64_t)frame + 1;
    }
    vg_pprof_sample(&encoder->writer, encoder->locations, n, values, n_values, labels, n_labels);
}

/* Locations and functions, the end, and the whole gzipped. */
static enum vg_err finish(struct encoder *encoder, struct vg_buf *out)
{
    bool *function_used = vg_alloc_zeroed(encoder->alloc, encoder->functions.n + 1, sizeof *function_used);
    if (!function_used)
        return VG_ERR_NOMEM;
    for (size_t i = 0; i < encoder->n_frames; i++) {
        if (!encoder->frame_used[i])
            continue;
        uint32_t function = encoder->functions.of_frame[i];
        function_used[function] = true;
        vg_pprof_location(&encoder->writer, i + 1, (uint64_t)function + 1, encoder->frames[i].line);
    }
    for (size_t i = 0; i < encoder->functions.n; i++) {
        const struct vg_function *function = &encoder->functions.items[i];
        if (function_used[i])
            vg_pprof_function(&encoder->writer, i + 1, string_id(encoder, function->name),
                              string_id(encoder, function->file), function->first_line);
    }
    vg_alloc_release(encoder->alloc, function_used);
    enum vg_err err = vg_pprof_finish(&encoder->writer);
    return err ? err : vg_gzip(vg_buf_as_slice(&encoder->writer.out), GZIP_LEVEL, out);
}

enum vg_err vg_pprof_out_merged(const struct vg_merged *merged, struct vg_slice type, int64_t start_ns,
                                const struct vg_alloc *alloc, struct vg_buf *out)
{
    struct stacks stacks = {merged->stack_start, merged->stack_frames, merged->n_stacks};
    struct encoder encoder = {
        .strings = merged->strings, .frames = merged->frames, .n_frames = merged->n_frames, .alloc = alloc};
    enum vg_err err = encoder_init(&encoder, &stacks, merged->n_strings);
    if (!err)
        err = write_type(&encoder, type, merged->unit);
    for (size_t i = 0; i < merged->n_stacks && !err; i++)
        if (merged->values[i])
            write_sample(&encoder, &stacks, (uint32_t)i, &merged->values[i], 1, NULL, 0);
    if (!err) {
        vg_pprof_time(&encoder.writer, start_ns, merged->duration_ns);
        err = finish(&encoder, out);
    }
    encoder_release(&encoder);
    return err;
}

/* Labels of one sample, as the writer takes them. */
struct label_list {
    struct vg_pprof_label *items;
    size_t n;
};

static void add_labels(struct encoder *encoder, const struct vg_profile *profile, uint32_t set,
                       struct label_list *list)
{
    for (uint32_t i = profile->labels_start[set]; i < profile->labels_start[set + 1]; i++) {
        const struct vg_profile_label *label = &profile->labels[i];
        list->items[list->n++] = (struct vg_pprof_label){
            .key = string_id(encoder, label->key),
            .text = label->text ? string_id(encoder, label->text) : 0,
            .number = label->number,
        };
    }
}

static bool any_value(const int64_t *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (values[i])
            return true;
    return false;
}

/* rest: the rows' values, from which those of the events are taken. labels: room for two sets and a
 * timestamp. */
static void write_samples(struct encoder *encoder, const struct vg_profile *profile, int64_t *rest,
                          struct vg_pprof_label *labels)
{
    struct stacks stacks = {profile->stack_start, profile->stack_frames, profile->n_stacks};
    size_t n_types = profile->n_types;
    uint32_t time_key = vg_pprof_string(&encoder->writer, VG_SLICE_LIT("end_timestamp_ns"));
    uint32_t time_unit = vg_pprof_string(&encoder->writer, VG_SLICE_LIT("nanoseconds"));
    for (size_t i = 0; i < profile->n_events; i++) {
        uint32_t row = profile->event_row[i];
        const int64_t *values = profile->event_values + i * n_types;
        struct label_list list = {labels, 0};
        add_labels(encoder, profile, profile->row_labels[row], &list);
        add_labels(encoder, profile, profile->event_labels[i], &list);
        labels[list.n++] = (struct vg_pprof_label){time_key, 0, profile->event_end_ns[i], time_unit};
        write_sample(encoder, &stacks, profile->row_stack[row], values, n_types, labels, list.n);
        for (size_t k = 0; k < n_types; k++)
            rest[row * n_types + k] = (int64_t)((uint64_t)rest[row * n_types + k] - (uint64_t)values[k]);
    }
    for (size_t i = 0; i < profile->n_rows; i++) {
        struct label_list list = {labels, 0};
        if (!any_value(rest + i * n_types, n_types))
            continue;
        add_labels(encoder, profile, profile->row_labels[i], &list);
        write_sample(encoder, &stacks, profile->row_stack[i], rest + i * n_types, n_types, labels, list.n);
    }
}

enum vg_err vg_pprof_out_profile(const struct vg_profile *profile, const struct vg_alloc *alloc,
                                 struct vg_buf *out)
{
    struct stacks stacks = {profile->stack_start, profile->stack_frames, profile->n_stacks};
    struct encoder encoder = {.strings = profile->strings,
                              .frames = profile->frames,
                              .n_frames = profile->n_frames,
                              .alloc = alloc};
    size_t n_values = profile->n_rows * profile->n_types;
    size_t most_labels = 2 * longest(profile->labels_start, profile->n_label_sets) + 1;
    struct vg_pprof_label *labels = vg_alloc_zeroed(alloc, most_labels, sizeof *labels);
    int64_t *rest = vg_alloc_zeroed(alloc, n_values + 1, sizeof *rest);
    enum vg_err err = encoder_init(&encoder, &stacks, profile->n_strings);
    if (!err && (!labels || !rest))
        err = VG_ERR_NOMEM;
    for (size_t i = 0; i < profile->n_types && !err; i++)
        err = write_type(&encoder, profile->types[i].name, profile->types[i].unit);
    if (!err) {
        if (n_values)
            memcpy(rest, profile->row_values, n_values * sizeof *rest);
        write_samples(&encoder, profile, rest, labels);
        vg_pprof_time(&encoder.writer, profile->start_ns, profile->end_ns - profile->start_ns);
        err = finish(&encoder, out);
    }
    encoder_release(&encoder);
    vg_alloc_release(alloc, rest);
    vg_alloc_release(alloc, labels);
    return err;
}
