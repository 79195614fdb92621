/* The one table of routes: intake's, the API's, the page's. */
#ifndef VG_VIGIL_CLI_ROUTES_H
#define VG_VIGIL_CLI_ROUTES_H

#include "vigil/api/api.h"
#include "vigil/http/http.h"
#include "vigil/intake/intake.h"

#define VG_MAX_ROUTES 96

/* Fills routes (room for VG_MAX_ROUTES) and gives back how many. */
size_t vg_routes(struct vg_intake *intake, struct vg_api *api, struct vg_http_route *routes);

#endif
