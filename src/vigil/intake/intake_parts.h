/* The intake's state, for its dialects only. */
#ifndef VG_VIGIL_INTAKE_INTAKE_PARTS_H
#define VG_VIGIL_INTAKE_INTAKE_PARTS_H

#include "vigil/intake/budget.h"
#include "vigil/intake/intake.h"

struct vg_intake {
    struct vg_intake_config config;
    struct vg_budget budget;
    atomic_uint_fast64_t stored, duplicates, refused, discarded;
};

/* Says which Agent answers, as clients of the hosted product expect. */
void vg_intake_sign(const struct vg_intake *intake, struct vg_http_exchange *x);

/* datadog.c: the upload of profiles. */
void vg_datadog_route(struct vg_intake *intake, struct vg_http_route *out);
/* agent.c: the other calls of the hosted product's clients. */
size_t vg_agent_routes(struct vg_intake *intake, struct vg_http_route *out, size_t cap);

#endif
