/* GET /healthz: the server answers. */
#include "vigil/api/answer.h"
#include "vigil/api/handlers.h"
#include "vigil/query/json.h"

void vg_api_healthz(void *ctx, struct vg_http_exchange *x)
{
    const struct vg_api *api = ctx;
    struct vg_buf body;
    struct vg_json json = vg_json_on(&body);
    vg_api_begin(x);
    vg_buf_init(&body, 4096, NULL);
    vg_json_object(&json);
    vg_json_key(&json, "status");
    vg_json_text(&json, "ok");
    vg_json_key(&json, "version");
    vg_json_text(&json, api->version);
    vg_json_object_end(&json);
    vg_api_reply(x, "application/json", &body);
}
