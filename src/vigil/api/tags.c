/* GET /api/v1/tags */
#include "vigil/query/tags.h"

#include "vigil/api/answer.h"
#include "vigil/api/handlers.h"
#include "vigil/query/json.h"

static void write_facet(struct vg_json *json, const struct vg_facet *facet)
{
    vg_json_object(json);
    vg_json_key(json, "name");
    vg_json_string(json, facet->name);
    vg_json_key(json, "values");
    vg_json_array(json);
    for (size_t i = 0; i < facet->n_values; i++) {
        vg_json_object(json);
        vg_json_key(json, "value");
        vg_json_string(json, facet->values[i].value);
        vg_json_key(json, "count");
        vg_json_int(json, (int64_t)facet->values[i].count);
        vg_json_object_end(json);
    }
    vg_json_array_end(json);
    vg_json_key(json, "truncated");
    vg_json_bool(json, facet->is_truncated);
    vg_json_object_end(json);
}

static void write_facets(struct vg_buf *body, const struct vg_facets *facets)
{
    struct vg_json json = vg_json_on(body);
    vg_json_object(&json);
    vg_json_key(&json, "profiles");
    vg_json_int(&json, (int64_t)facets->profiles);
    vg_json_key(&json, "tags");
    vg_json_array(&json);
    for (size_t i = 0; i < facets->n; i++)
        write_facet(&json, &facets->items[i]);
    vg_json_array_end(&json);
    vg_json_key(&json, "truncated");
    vg_json_bool(&json, facets->is_truncated);
    vg_json_object_end(&json);
}

void vg_api_tags(void *ctx, struct vg_http_exchange *x)
{
    const struct vg_api *api = ctx;
    struct vg_api_question question;
    struct vg_facets facets;
    vg_api_begin(x);
    if (!vg_api_question_init(&question, api, x))
        return;
    enum vg_err err = vg_facets_collect(api->store, &question.selection, NULL, &facets);
    vg_api_question_release(&question);
    if (err) {
        vg_api_fail(x, err);
        return;
    }
    struct vg_buf body;
    vg_buf_init(&body, VG_API_MAX_ANSWER_BYTES, NULL);
    write_facets(&body, &facets);
    vg_facets_release(&facets);
    vg_api_reply(x, "application/json", &body);
}
