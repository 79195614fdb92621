/* The builder's state and its parts, inside model/ only. */
#ifndef VG_VIGIL_MODEL_BUILDER_PARTS_H
#define VG_VIGIL_MODEL_BUILDER_PARTS_H

#include "base/buf.h"
#include "base/map.h"
#include "vigil/model/builder.h"
#include "vigil/model/index.h"

#define VG_BUILDER_MAX_TYPES  64
#define VG_BUILDER_MAX_LABELS 64 /* of a sample */

struct vg_builder {
    const struct vg_profile_source *source;
    const struct vg_pprof *pprof;
    struct vg_profile *profile;
    struct vg_arena scratch;
    struct vg_buf text; /* being cleaned */
    uint64_t seed;      /* of hashes */

    struct vg_index string_index;
    struct vg_list strings; /* struct vg_slice */

    /* builder_stacks.c */
    struct vg_index frame_index, location_stack_index, stack_index;
    struct vg_list frames;          /* struct vg_frame */
    uint32_t *line_frames;          /* of each line of the pprof: frame id */
    uint32_t *location_frame;       /* of each location: frame id, or what builder_stacks.c says */
    struct vg_list location_stacks; /* struct location_stack */
    struct vg_list stack_start;     /* uint32_t */
    struct vg_list stack_frames;    /* uint32_t */
    struct vg_list expanded;        /* uint32_t: frames of the stack in hand */

    /* builder_labels.c */
    struct vg_index raw_index, set_index;
    struct vg_list raw_sets;     /* struct raw_set */
    struct vg_list raw_labels;   /* struct raw_label */
    struct vg_list labels_start; /* uint32_t */
    struct vg_list labels;       /* struct vg_profile_label */
};

struct vg_sample_labels {
    uint32_t stable, fleeting; /* label set ids; fleeting: span ids, which would keep rows from merging */
    int64_t end_ns;            /* 0: none */
};

/* An empty list in the scratch arena. */
struct vg_list vg_builder_list(struct vg_builder *b, size_t item_size);
enum vg_err vg_builder_string(struct vg_builder *b, struct vg_slice text, uint32_t *id) VG_MUST_USE;

enum vg_err vg_builder_start_stacks(struct vg_builder *b) VG_MUST_USE;
enum vg_err vg_builder_stack(struct vg_builder *b, const struct vg_pprof_read_sample *sample,
                             uint32_t *stack) VG_MUST_USE;
enum vg_err vg_builder_start_labels(struct vg_builder *b) VG_MUST_USE;
enum vg_err vg_builder_labels(struct vg_builder *b, const struct vg_pprof_read_sample *sample,
                              struct vg_sample_labels *labels) VG_MUST_USE;
/* builder_tags.c: tags sorted, clean and unique; and the identity. */
enum vg_err vg_builder_tags(struct vg_builder *b) VG_MUST_USE;

#endif
