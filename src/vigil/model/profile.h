/* The one internal profile: what every dialect of intake produces and every store keeps.
 *
 * Everything in it lies in its own arena and is reached by dense ids. Built by intake (vg_profile_builder in
 * model/builder.h), immutable afterwards, so any thread may read it.
 *
 * Two views of the same samples (see ARCHITECTURE, "the store is content-addressed"):
 *   rows    the aggregate: samples with equal (stack, labels without timestamp and span ids) merged, values
 * added events  the timeline: one per original sample that had end_timestamp_ns, pointing at its row
 */
#ifndef VG_VIGIL_MODEL_PROFILE_H
#define VG_VIGIL_MODEL_PROFILE_H

#include "base/arena.h"
#include "base/slice.h"

struct vg_tag {
    struct vg_slice name, value; /* UTF-8, valid, no control characters; name lower-case */
};

struct vg_profile_type {
    struct vg_slice name, unit; /* "cpu-time", "nanoseconds" */
    int64_t total;              /* of all rows */
};

struct vg_frame {
    uint32_t name, file;       /* string ids */
    uint32_t first_line, line; /* of the function; of the instruction. 0: unknown */
};

struct vg_profile_label {
    uint32_t key;   /* string id: "thread name" */
    uint32_t text;  /* string id; 0 where it is a number */
    int64_t number; /* where text is 0 */
};

/* Runs: item i of a list of lists is flat[start[i]] … flat[start[i + 1] - 1]. */
struct vg_profile {
    struct vg_arena arena;

    uint8_t key[16]; /* identity: the same profile sent twice has the same key */
    int64_t start_ns, end_ns;
    int64_t received_ns; /* by our clock */
    struct vg_tag
        *tags; /* sorted by (name, value), unique; service, env, version, host, runtime-id, language … */
    size_t n_tags;
    struct vg_slice internal; /* what the profiler says of itself: a JSON object, ≤ 16 KiB, or empty */

    struct vg_slice *strings; /* id 0 is "" */
    size_t n_strings;
    struct vg_profile_type *types;
    size_t n_types;
    struct vg_frame *frames; /* unique */
    size_t n_frames;
    uint32_t *stack_start;  /* n_stacks + 1 */
    uint32_t *stack_frames; /* frame ids, leaf first; stacks are unique */
    size_t n_stacks;
    uint32_t *labels_start;          /* n_label_sets + 1 */
    struct vg_profile_label *labels; /* sorted by key text within a set; sets are unique; set 0 is empty */
    size_t n_label_sets;

    uint32_t *row_stack, *row_labels; /* n_rows: stack id, label set id; (stack, labels) is unique */
    int64_t *row_values;              /* n_rows × n_types */
    size_t n_rows;

    uint32_t *event_row;    /* n_events */
    uint32_t *event_labels; /* label set id of the volatile labels (span id, local root span id), 0: none */
    int64_t *event_end_ns;
    int64_t *event_values; /* n_events × n_types */
    size_t n_events;
};

/* The value of the first tag with that name, or an empty slice. */
struct vg_slice vg_profile_tag(const struct vg_profile *profile, const char *name);
void vg_profile_free(struct vg_profile *profile); /* NULL is allowed */

#endif
