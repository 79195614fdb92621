/* A raw capture → locations: names the code, finds the lines, and cuts the stack where it contradicts itself.
 * Sampler only. */
#ifndef VG_PROFILER_STACKS_RESOLVE_H
#define VG_PROFILER_STACKS_RESOLVE_H

#include "profiler/stacks/symbols.h"

struct vg_resolved {
    uint32_t n;        /* at least 1 */
    bool is_cut;       /* the leaf end is missing: what was there contradicted the rest */
    bool is_truncated; /* the root end is missing: too deep */
    bool is_joined;    /* both ends were read one after the other, and a known call joins them */
    uint32_t locations[VG_MAX_FRAMES + 1]; /* leaf first */
};

struct vg_resolver {
    struct vg_reader *reader;
    char scratch[VG_CODE_SCRATCH_BYTES];
    uint32_t codes[VG_MAX_FRAMES];
    uint32_t skip_from, skip_to; /* frames that were called only after those before the joint had returned */
};

/* Call vg_reader_dead_code between the capture and this. */
void vg_resolve(struct vg_resolver *resolver, struct vg_symbols *symbols, const struct vg_raw_stack *raw,
                struct vg_resolved *resolved);

#endif
