/* Samples → profile.proto (github.com/google/pprof, proto/profile.proto), uncompressed.
 *
 * Usage: init, add value types, then strings, functions, locations and samples in any order, finish once. Ids
 * of strings come from vg_pprof_string (interned); function and location ids are the caller's own (> 0,
 * unique; the writer does not check that they are defined). Encoding is streaming: memory is the output plus
 * the string table, and a sample allocates nothing of its own. Costs O(bytes). Errors are sticky: look at
 * finish. One owner at a time. No Python, no sockets.
 */
#ifndef VG_PPROF_WRITE_H
#define VG_PPROF_WRITE_H

#include "base/buf.h"
#include "base/map.h"

struct vg_pprof_label {
    uint32_t key;  /* string id */
    uint32_t text; /* string id; 0: the label is the number */
    int64_t number;
    uint32_t unit; /* string id of the number's unit, 0: none */
};

struct vg_pprof_writer {
    struct vg_buf out;
    struct vg_intern strings;
    enum vg_err err;
};

/* limit_bytes bounds the whole output. */
void vg_pprof_writer_init(struct vg_pprof_writer *w, size_t limit_bytes, const struct vg_alloc *alloc);
void vg_pprof_writer_release(struct vg_pprof_writer *w);

uint32_t vg_pprof_string(struct vg_pprof_writer *w, struct vg_slice text);
void vg_pprof_value_type(struct vg_pprof_writer *w, const char *name, const char *unit);
void vg_pprof_function(struct vg_pprof_writer *w, uint64_t id, uint32_t name, uint32_t file,
                       int64_t first_line);
void vg_pprof_location(struct vg_pprof_writer *w, uint64_t id, uint64_t function_id, int64_t line);
/* location_ids: leaf first; values: one for each value type, in their order. */
void vg_pprof_sample(struct vg_pprof_writer *w, const uint64_t *location_ids, size_t n_locations,
                     const int64_t *values, size_t n_values, const struct vg_pprof_label *labels,
                     size_t n_labels);
void vg_pprof_period(struct vg_pprof_writer *w, const char *name, const char *unit, int64_t period);
void vg_pprof_time(struct vg_pprof_writer *w, int64_t start_ns, int64_t duration_ns);

/* Appends the string table; the message is w->out until release. */
enum vg_err vg_pprof_finish(struct vg_pprof_writer *w) VG_MUST_USE;

#endif
