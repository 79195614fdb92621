/* Frames → functions: frames of equal (name, file, first line) are one function, numbered in the order of
 * their text. O(frames + functions × log functions). */
#ifndef VG_VIGIL_QUERY_FUNCTIONS_H
#define VG_VIGIL_QUERY_FUNCTIONS_H

#include "base/alloc.h"
#include "base/err.h"
#include "vigil/model/profile.h"

struct vg_function {
    uint32_t name, file, first_line; /* string ids; 0: unknown line */
};

struct vg_functions {
    struct vg_function *items; /* n, sorted and unique by text */
    size_t n;
    uint32_t *of_frame; /* by frame id */
    const struct vg_alloc *alloc;
};

enum vg_err vg_functions_init(struct vg_functions *functions, const struct vg_slice *strings,
                              const struct vg_frame *frames, size_t n_frames,
                              const struct vg_alloc *alloc) VG_MUST_USE;
void vg_functions_release(struct vg_functions *functions);

#endif
