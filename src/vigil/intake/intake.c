#include "vigil/intake/intake_parts.h"

#include <stdlib.h>

#define MEMORY_BYTES ((size_t)512 << 20)

enum vg_err vg_intake_new(const struct vg_intake_config *config, struct vg_intake **out)
{
    struct vg_intake *intake = calloc(1, sizeof *intake);

    if (!intake)
        return VG_ERR_NOMEM;
    intake->config = *config;
    intake->budget.limit = config->memory_bytes ? config->memory_bytes : MEMORY_BYTES;
    *out = intake;
    return VG_OK;
}

void vg_intake_free(struct vg_intake *intake)
{
    free(intake);
}

void vg_intake_sign(const struct vg_intake *intake, struct vg_http_exchange *x)
{
    vg_http_header(x, "Datadog-Agent-Version", intake->config.version);
}

size_t vg_intake_routes(struct vg_intake *intake, struct vg_http_route *out, size_t cap)
{
    if (cap > 0)
        vg_datadog_route(intake, out);
    return 1 + vg_agent_routes(intake, out + 1, cap > 0 ? cap - 1 : 0);
}

void vg_intake_get_counts(struct vg_intake *intake, struct vg_intake_counts *counts)
{
    *counts = (struct vg_intake_counts){.stored = atomic_load(&intake->stored),
                                        .duplicates = atomic_load(&intake->duplicates),
                                        .refused = atomic_load(&intake->refused),
                                        .discarded = atomic_load(&intake->discarded)};
}
