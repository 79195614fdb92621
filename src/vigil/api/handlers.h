/* The handlers behind vg_api_routes; ctx is a struct vg_api. Each answers once. Any thread. */
#ifndef VG_VIGIL_API_HANDLERS_H
#define VG_VIGIL_API_HANDLERS_H

#include "vigil/api/api.h"

void vg_api_services(void *ctx, struct vg_http_exchange *x);
void vg_api_tags(void *ctx, struct vg_http_exchange *x);
void vg_api_profiles(void *ctx, struct vg_http_exchange *x);
void vg_api_profile(void *ctx, struct vg_http_exchange *x);
void vg_api_profile_pprof(void *ctx, struct vg_http_exchange *x);
void vg_api_flamegraph(void *ctx, struct vg_http_exchange *x);
void vg_api_healthz(void *ctx, struct vg_http_exchange *x);

#endif
