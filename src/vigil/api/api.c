/* The table of resources. */
#include "vigil/api/api.h"

#include <assert.h>

#include "vigil/api/answer.h"
#include "vigil/api/handlers.h"

static void unknown(void *ctx, struct vg_http_exchange *x)
{
    (void)ctx;
    vg_api_begin(x);
    vg_http_fail(x, 404, "not_found", "docs/http-api.md lists what there is", "no such resource");
}

size_t vg_api_routes(struct vg_api *api, struct vg_http_route *out, size_t cap)
{
    const struct vg_http_route routes[] = {
        {.path = "/healthz", .handle = vg_api_healthz, .is_quick = true},
        {.path = "/api/v1/services", .handle = vg_api_services},
        {.path = "/api/v1/tags", .handle = vg_api_tags},
        {.path = "/api/v1/profiles", .handle = vg_api_profiles},
        {.path = "/api/v1/profiles/{id}", .handle = vg_api_profile},
        {.path = "/api/v1/profiles/{id}/pprof", .handle = vg_api_profile_pprof},
        {.path = "/api/v1/flamegraph", .handle = vg_api_flamegraph},
        {.path = "/api/*", .handle = unknown, .is_quick = true},
    };
    size_t n = sizeof routes / sizeof *routes;
    static_assert(sizeof routes / sizeof *routes <= VG_API_MAX_ROUTES, "the bound that callers rely on");
    assert(n <= cap);
    for (size_t i = 0; i < n; i++) {
        out[i] = routes[i];
        out[i].method = "GET";
        out[i].ctx = api;
    }
    return n;
}
