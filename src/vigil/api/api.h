/* The HTTP API's resources (docs/http-api.md), one file each, over the query engine.
 *
 * Handlers are stateless: everything they need is in struct vg_api, which must outlive the server. Any
 * thread.
 */
#ifndef VG_VIGIL_API_API_H
#define VG_VIGIL_API_API_H

#include "base/clock.h"
#include "vigil/http/http.h"
#include "vigil/store/store.h"

struct vg_api {
    struct vg_store *store;
    const struct vg_clock *clock; /* NULL: the system's */
    const char *version;
};

#define VG_API_MAX_ROUTES 16

/* Fills out (room for VG_API_MAX_ROUTES) and returns how many. Put them before any route that takes all
 * paths: the last answers 404 for whatever else is under /api/. */
size_t vg_api_routes(struct vg_api *api, struct vg_http_route *out, size_t cap);

#endif
