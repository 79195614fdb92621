/* Hostile bytes → samples: a bounded, allocation-light reader of uncompressed profile.proto.
 *
 * The result borrows every string from `bytes`, which must outlive it; arrays lie in its own arena. Ids of
 * functions and locations are resolved to dense indexes while reading (the wire's ids may be sparse,
 * unsorted, 64 bits wide; messages may come in any order; unknown fields are skipped). Inline lines (several
 * Line per Location) are kept in order, the innermost first. Everything is validated: string, function and
 * location references, equal numbers of values, UTF-8 is NOT checked. O(bytes). Any thread.
 */
#ifndef VG_PPROF_READ_H
#define VG_PPROF_READ_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

struct vg_pprof_limits {
    size_t samples, locations, functions, strings, types; /* counts */
    size_t frames_per_sample;                             /* after inlining */
    size_t labels_per_sample;
    size_t arena_bytes;           /* of the result; as much again while reading */
    const struct vg_alloc *alloc; /* borrowed; NULL: the C library */
};
extern const struct vg_pprof_limits vg_pprof_default_limits;

struct vg_pprof_type {
    struct vg_slice name, unit;
};
struct vg_pprof_read_function {
    struct vg_slice name, file;
    int64_t first_line;
};
struct vg_pprof_line {
    uint32_t function; /* index into functions */
    int64_t line;
};
struct vg_pprof_read_location {
    uint32_t first_line_index, n_lines; /* into lines */
    uint64_t address;
};
struct vg_pprof_read_label {
    struct vg_slice key, text; /* text.data NULL: the label is the number */
    int64_t number;
    struct vg_slice unit;
};
struct vg_pprof_read_sample {
    uint32_t first_location, n_locations; /* into sample_locations: indexes of locations, leaf first */
    uint32_t first_label, n_labels;       /* into labels */
    uint32_t first_value;                 /* into values; n_types of them */
};

struct vg_pprof {
    struct vg_arena arena;
    struct vg_pprof_type *types;
    size_t n_types;
    struct vg_pprof_read_function *functions;
    size_t n_functions;
    struct vg_pprof_read_location *locations;
    size_t n_locations;
    struct vg_pprof_line *lines;
    size_t n_lines;
    struct vg_pprof_read_sample *samples;
    size_t n_samples;
    uint32_t *sample_locations;
    struct vg_pprof_read_label *labels;
    int64_t *values;
    int64_t time_ns, duration_ns, period;
};

/* On error *why (static text, may be NULL on VG_ERR_NOMEM) and *at (byte offset) say what and where. */
enum vg_err vg_pprof_read(struct vg_pprof *pprof, struct vg_slice bytes, const struct vg_pprof_limits *limits,
                          const char **why, size_t *at) VG_MUST_USE;
void vg_pprof_release(struct vg_pprof *pprof);

#endif
