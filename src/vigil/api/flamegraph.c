/* GET /api/v1/flamegraph: one type merged over a slice, as a tree (json), as text (collapsed) or as pprof. */
#include "vigil/query/flame.h"

#include "vigil/api/answer.h"
#include "vigil/api/handlers.h"
#include "vigil/api/write.h"
#include "vigil/query/collapsed.h"
#include "vigil/query/internal.h"
#include "vigil/query/pprof_out.h"

enum { DEFAULT_NODES = 50000, MAX_NODES = 1000000 };

struct request {
    struct vg_api_question question;
    struct vg_slice type;
    size_t max_nodes;
    void (*answer)(const struct vg_api *api, struct vg_http_exchange *x, const struct request *request,
                   const struct vg_merged *merged);
};

/* What the slice has, whatever type is asked for. */
struct overview {
    struct vg_totals totals;
    struct vg_internal internal;
    enum vg_err err;
};

static void overview_init(struct overview *overview)
{
    vg_totals_init(&overview->totals, NULL);
    vg_internal_init(&overview->internal, NULL);
    overview->err = VG_OK;
}

static void overview_release(struct overview *overview)
{
    vg_internal_release(&overview->internal);
    vg_totals_release(&overview->totals);
}

static bool note_profile(void *ctx, const struct vg_stored_profile *profile)
{
    struct overview *overview = ctx;
    overview->err = vg_totals_add(&overview->totals, 0, profile);
    if (!overview->err)
        overview->err = vg_internal_add(&overview->internal, profile->internal);
    return !overview->err;
}

/* Dense numbers for the strings that the answer uses, in order of first use; 0 is the root's. */
struct strings {
    uint32_t *number; /* by string id; 0: not used yet */
    uint32_t *used;   /* string ids by number */
    uint32_t n;
};

static enum vg_err strings_init(struct strings *strings, size_t n_strings)
{
    *strings = (struct strings){
        .number = vg_alloc_zeroed(NULL, n_strings + 1, sizeof *strings->number),
        .used = vg_alloc_zeroed(NULL, n_strings + 1, sizeof *strings->used),
        .n = 1,
    };
    return strings->number && strings->used ? VG_OK : VG_ERR_NOMEM;
}

static void strings_release(struct strings *strings)
{
    vg_alloc_release(NULL, strings->number);
    vg_alloc_release(NULL, strings->used);
}

static uint32_t number_of(struct strings *strings, uint32_t id)
{
    if (!strings->number[id]) {
        strings->used[strings->n] = id;
        strings->number[id] = strings->n++;
    }
    return strings->number[id];
}

static void write_strings(struct vg_json *json, const char *key, const char *root,
                          const struct strings *strings, const struct vg_merged *merged)
{
    vg_json_key(json, key);
    vg_json_array(json);
    vg_json_text(json, root);
    for (uint32_t i = 1; i < strings->n; i++)
        vg_json_string(json, merged->strings[strings->used[i]]);
    vg_json_array_end(json);
}

enum column { COLUMN_LEVEL, COLUMN_NAME, COLUMN_FILE, COLUMN_LINE, COLUMN_VALUE, COLUMN_SELF, COLUMNS };

struct columns {
    const struct vg_flame *flame;
    struct strings names, files;
};

static int64_t cell(struct columns *columns, enum column column, const struct vg_flame_node *node)
{
    const struct vg_function *function =
        node->function == VG_FLAME_ROOT ? NULL : &columns->flame->functions.items[node->function];
    switch (column) {
    case COLUMN_LEVEL:
        return node->level;
    case COLUMN_NAME:
        return function ? number_of(&columns->names, function->name) : 0;
    case COLUMN_FILE:
        return function ? number_of(&columns->files, function->file) : 0;
    case COLUMN_LINE:
        return function ? function->first_line : 0;
    case COLUMN_VALUE:
        return node->value;
    default:
        return node->self;
    }
}

static void write_columns(struct vg_json *json, struct columns *columns)
{
    static const char *const keys[COLUMNS] = {"level", "name", "file", "line", "value", "self"};
    for (enum column column = 0; column < COLUMNS; column++) {
        vg_json_key(json, keys[column]);
        vg_json_array(json);
        for (size_t i = 0; i < columns->flame->n_nodes; i++)
            vg_json_int(json, cell(columns, column, &columns->flame->nodes[i]));
        vg_json_array_end(json);
    }
}

static void write_internal(struct vg_json *json, const struct vg_internal *internal)
{
    vg_json_key(json, "internal");
    vg_json_object(json);
    for (size_t i = 0; i < internal->names.count; i++) {
        const struct vg_internal_sum *sum = &internal->sums[i];
        vg_json_key_slice(json, vg_intern_get(&internal->names, (uint32_t)i));
        if (sum->has_real)
            vg_json_real(json, sum->real + (double)sum->whole);
        else
            vg_json_int(json, sum->whole);
    }
    vg_json_object_end(json);
}

static enum vg_err write_flame(struct vg_buf *body, const struct request *request,
                               const struct vg_merged *merged, const struct vg_flame *flame,
                               const struct overview *overview)
{
    struct vg_json json = vg_json_on(body);
    struct columns columns = {.flame = flame};
    enum vg_err err = strings_init(&columns.names, merged->n_strings);
    if (!err)
        err = strings_init(&columns.files, merged->n_strings);
    if (!err) {
        vg_json_object(&json);
        vg_api_write_field(&json, "type", request->type);
        vg_api_write_field(&json, "unit", merged->unit);
        vg_json_key(&json, "from");
        vg_json_time(&json, request->question.range.from_ns);
        vg_json_key(&json, "to");
        vg_json_time(&json, request->question.range.to_ns);
        vg_json_key(&json, "profiles");
        vg_json_int(&json, (int64_t)merged->n_profiles);
        vg_json_key(&json, "duration_ns");
        vg_json_int(&json, merged->duration_ns);
        vg_json_key(&json, "total");
        vg_json_int(&json, flame->nodes[0].value);
        vg_api_write_totals(&json, overview->totals.items, overview->totals.n);
        write_columns(&json, &columns);
        write_strings(&json, "names", "all", &columns.names, merged);
        write_strings(&json, "files", "", &columns.files, merged);
        vg_json_key(&json, "pruned");
        vg_json_object(&json);
        vg_json_key(&json, "nodes");
        vg_json_int(&json, (int64_t)flame->pruned_nodes);
        vg_json_key(&json, "value");
        vg_json_int(&json, flame->pruned_value);
        vg_json_object_end(&json);
        write_internal(&json, &overview->internal);
        vg_json_object_end(&json);
    }
    strings_release(&columns.names);
    strings_release(&columns.files);
    return err;
}

static void answer_json(const struct vg_api *api, struct vg_http_exchange *x, const struct request *request,
                        const struct vg_merged *merged)
{
    struct overview overview;
    struct vg_flame flame;
    struct vg_buf body;
    overview_init(&overview);
    vg_buf_init(&body, VG_API_MAX_ANSWER_BYTES, NULL);
    enum vg_err err = vg_store_list(api->store, &request->question.selection, note_profile, &overview);
    if (!err)
        err = overview.err;
    if (!err) {
        vg_totals_finish(&overview.totals);
        err = vg_flame_build(merged, request->max_nodes, NULL, &flame);
    }
    if (!err) {
        err = write_flame(&body, request, merged, &flame, &overview);
        vg_flame_release(&flame);
    }
    overview_release(&overview);
    if (err) {
        vg_buf_release(&body);
        vg_api_fail(x, err);
        return;
    }
    vg_api_reply(x, "application/json", &body);
}

static void answer_collapsed(const struct vg_api *api, struct vg_http_exchange *x,
                             const struct request *request, const struct vg_merged *merged)
{
    struct vg_flame flame;
    struct vg_buf body;
    (void)api;
    (void)request;
    vg_buf_init(&body, VG_API_MAX_ANSWER_BYTES, NULL);
    enum vg_err err = vg_flame_build(merged, 0, NULL, &flame);
    if (!err) {
        err = vg_collapsed_write(&flame, merged, &body);
        vg_flame_release(&flame);
    }
    if (err) {
        vg_buf_release(&body);
        vg_api_fail(x, err);
        return;
    }
    vg_api_reply(x, "text/plain; charset=utf-8", &body);
}

static void answer_pprof(const struct vg_api *api, struct vg_http_exchange *x, const struct request *request,
                         const struct vg_merged *merged)
{
    struct vg_buf body;
    (void)api;
    vg_buf_init(&body, VG_API_MAX_ANSWER_BYTES, NULL);
    enum vg_err err =
        vg_pprof_out_merged(merged, request->type, request->question.range.from_ns, NULL, &body);
    if (err) {
        vg_buf_release(&body);
        vg_api_fail(x, err);
        return;
    }
    vg_api_reply_file(x, request->type, ".pb.gz", &body);
}

/* False: answered. */
static bool read_parameters(struct vg_http_exchange *x, struct request *request)
{
    const char *type = vg_http_query(x, "type"), *format = vg_http_query(x, "format");
    const char *max_nodes = vg_http_query(x, "max_nodes");
    request->type = type && *type ? vg_slice_of(type) : VG_SLICE_LIT("cpu-time");
    request->max_nodes = DEFAULT_NODES;
    if (max_nodes && *max_nodes && !vg_api_read_count(max_nodes, MAX_NODES, &request->max_nodes)) {
        vg_api_bad_parameter(x, "max_nodes", "leave it out for 50000",
                             "not a whole number from 1 to 1000000");
        return false;
    }
    if (!format || !*format || strcmp(format, "json") == 0) {
        request->answer = answer_json;
    } else if (strcmp(format, "collapsed") == 0) {
        request->answer = answer_collapsed;
    } else if (strcmp(format, "pprof") == 0) {
        request->answer = answer_pprof;
    } else {
        vg_api_bad_parameter(x, "format", "json, collapsed or pprof", "unknown format");
        return false;
    }
    return true;
}

void vg_api_flamegraph(void *ctx, struct vg_http_exchange *x)
{
    const struct vg_api *api = ctx;
    struct request request;
    struct vg_merged merged;
    vg_api_begin(x);
    if (!read_parameters(x, &request) || !vg_api_question_init(&request.question, api, x))
        return;
    enum vg_err err = vg_store_merge(api->store, &request.question.selection, request.type, &merged);
    if (err) {
        vg_api_fail(x, err);
    } else {
        request.answer(api, x, &request, &merged);
        vg_merged_release(&merged);
    }
    vg_api_question_release(&request.question);
}
