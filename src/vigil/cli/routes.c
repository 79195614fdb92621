#include "vigil/cli/routes.h"

#include <assert.h>

#include "vigil/api/page.h"

/* The order matters: the API ends in a route for whatever else is below /api/, the page may take all that is
 * left. */
size_t vg_routes(struct vg_intake *intake, struct vg_api *api, struct vg_http_route *routes)
{
    size_t n = vg_intake_routes(intake, routes, VG_MAX_ROUTES);

    assert(n < VG_MAX_ROUTES);
    n += vg_api_routes(api, routes + n, VG_MAX_ROUTES - n);
    assert(n < VG_MAX_ROUTES);
    n += vg_page_routes(routes + n, VG_MAX_ROUTES - n);
    assert(n <= VG_MAX_ROUTES);
    return n;
}
