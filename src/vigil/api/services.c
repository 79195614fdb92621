/* GET /api/v1/services */
#include "vigil/query/services.h"

#include "vigil/api/answer.h"
#include "vigil/api/handlers.h"
#include "vigil/api/write.h"
#include "vigil/query/json.h"

static void write_list(struct vg_json *json, const char *key, const struct vg_service *service,
                       enum vg_service_list list)
{
    vg_json_key(json, key);
    vg_json_array(json);
    for (size_t i = 0; i < service->n_values[list]; i++)
        vg_json_string(json, service->values[list][i]);
    vg_json_array_end(json);
}

static void write_service(struct vg_json *json, const struct vg_service *service)
{
    struct vg_slice language = {0};
    if (service->n_values[VG_SERVICE_LANGUAGES])
        language = service->values[VG_SERVICE_LANGUAGES][0];
    vg_json_object(json);
    vg_json_key(json, "name");
    vg_json_string(json, service->name);
    vg_json_key(json, "language");
    vg_json_string(json, language);
    vg_json_key(json, "profiles");
    vg_json_int(json, (int64_t)service->profiles);
    vg_json_key(json, "processes");
    vg_json_int(json, (int64_t)service->processes);
    vg_json_key(json, "first_seen");
    vg_json_time(json, service->first_seen_ns);
    vg_json_key(json, "last_seen");
    vg_json_time(json, service->last_seen_ns);
    write_list(json, "envs", service, VG_SERVICE_ENVS);
    write_list(json, "versions", service, VG_SERVICE_VERSIONS);
    write_list(json, "hosts", service, VG_SERVICE_HOSTS);
    vg_json_key(json, "duration_ns");
    vg_json_int(json, service->duration_ns);
    vg_api_write_totals(json, service->types, service->n_types);
    vg_json_object_end(json);
}

static void write_services(struct vg_buf *body, const struct vg_services *services)
{
    struct vg_json json = vg_json_on(body);
    vg_json_object(&json);
    vg_json_key(&json, "services");
    vg_json_array(&json);
    for (size_t i = 0; i < services->n; i++)
        write_service(&json, &services->items[i]);
    vg_json_array_end(&json);
    vg_json_key(&json, "truncated");
    vg_json_bool(&json, services->is_truncated);
    vg_json_object_end(&json);
}

void vg_api_services(void *ctx, struct vg_http_exchange *x)
{
    const struct vg_api *api = ctx;
    struct vg_api_question question;
    struct vg_services services;
    vg_api_begin(x);
    if (!vg_api_question_init(&question, api, x))
        return;
    enum vg_err err = vg_services_collect(api->store, &question.selection, NULL, &services);
    vg_api_question_release(&question);
    if (err) {
        vg_api_fail(x, err);
        return;
    }
    struct vg_buf body;
    vg_buf_init(&body, VG_API_MAX_ANSWER_BYTES, NULL);
    write_services(&body, &services);
    vg_services_release(&services);
    vg_api_reply(x, "application/json", &body);
}
