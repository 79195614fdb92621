/* Intake: what Agents of this kind are sent → profiles in the store. Answers only when the profile is
 * durable.
 *
 * The dialects share one state, the intake: where to store, what is in flight, what was counted. Any thread.
 */
#ifndef VG_VIGIL_INTAKE_INTAKE_H
#define VG_VIGIL_INTAKE_INTAKE_H

#include "base/clock.h"
#include "vigil/http/http.h"
#include "vigil/store/store.h"

#define VG_INTAKE_BODY_BYTES ((size_t)50 << 20)

struct vg_intake;

struct vg_intake_config {
    struct vg_store *store;
    const char *version, *git_commit; /* of vigil, for GET /info */
    const struct vg_clock *clock;
    size_t memory_bytes; /* of all uploads in flight together; 0: 512 MiB */
};

enum vg_err vg_intake_new(const struct vg_intake_config *config, struct vg_intake **intake) VG_MUST_USE;
/* After the HTTP server stopped and the store was freed: answers of the store come here. NULL is allowed. */
void vg_intake_free(struct vg_intake *intake);

/* Fills up to cap routes; gives back how many there are. */
size_t vg_intake_routes(struct vg_intake *intake, struct vg_http_route *out, size_t cap);

struct vg_intake_counts {
    uint64_t stored, duplicates; /* profiles answered 200 */
    uint64_t refused;            /* uploads answered 4xx or 5xx */
    uint64_t discarded;          /* calls of other kinds, answered 200 and thrown away */
};
void vg_intake_get_counts(struct vg_intake *intake, struct vg_intake_counts *counts);

#endif
