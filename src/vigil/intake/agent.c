/* The other calls that clients of the hosted product make to an Agent: answered so that they stay quiet,
 * counted, thrown away. Only profiles are our trade. */
#include "vigil/intake/intake_parts.h"

#define INFO_BYTES 4096

static const char json[] = "application/json";

static void discard(struct vg_intake *intake, struct vg_http_exchange *x, struct vg_slice answer)
{
    atomic_fetch_add(&intake->discarded, 1);
    vg_intake_sign(intake, x);
    vg_http_reply_static(x, 200, json, answer);
}

static void discard_traces(void *ctx, struct vg_http_exchange *x)
{
    discard(ctx, x, VG_SLICE_LIT("{\"rate_by_service\":{}}\n"));
}

static void discard_other(void *ctx, struct vg_http_exchange *x)
{
    discard(ctx, x, VG_SLICE_LIT("{}\n"));
}

static void number(struct vg_buf *out, const char *name, uint64_t value)
{
    vg_buf_printf(out, "\"%s\":%llu", name, (unsigned long long)value);
}

/* Clients send what an Agent lists, so of what is thrown away only one is listed: without it the hosted
 * product's client prints a warning into its program's stderr. */
static void info(void *ctx, struct vg_http_exchange *x)
{
    struct vg_intake *intake = ctx;
    struct vg_intake_counts counts;
    struct vg_buf out;

    vg_intake_get_counts(intake, &counts);
    vg_buf_init(&out, INFO_BYTES, NULL);
    vg_buf_text(&out, "{\"version\":");
    vg_buf_json_string(&out, vg_slice_of(intake->config.version));
    vg_buf_text(&out, ",\"git_commit\":");
    vg_buf_json_string(&out, vg_slice_of(intake->config.git_commit));
    vg_buf_text(&out, ",\"endpoints\":[\"/profiling/v1/input\",\"/info\",\"/debugger/v1/"
                      "diagnostics\"],\"feature_flags\":[],\"client_drop_p0s\":false,"
                      "\"config\":{");
    number(&out, "max_request_bytes", VG_INTAKE_BODY_BYTES);
    vg_buf_text(&out, "},\"vigil\":{");
    number(&out, "profiles_stored", counts.stored);
    vg_buf_text(&out, ",");
    number(&out, "profiles_duplicate", counts.duplicates);
    vg_buf_text(&out, ",");
    number(&out, "uploads_refused", counts.refused);
    vg_buf_text(&out, ",");
    number(&out, "calls_discarded", counts.discarded);
    vg_buf_text(&out, "}}\n");
    vg_intake_sign(intake, x);
    vg_http_reply(x, 200, json, &out);
}

static const struct {
    const char *path;
    void (*handle)(void *ctx, struct vg_http_exchange *x);
} discarded[] = {
    {"/v0.3/traces", discard_traces},        {"/v0.4/traces", discard_traces},
    {"/v0.5/traces", discard_traces},        {"/v0.6/traces", discard_traces},
    {"/v0.7/traces", discard_traces},        {"/v1.0/traces", discard_traces},
    {"/v0.6/stats", discard_other},          {"/v0.7/config", discard_other},
    {"/v0.1/pipeline_stats", discard_other}, {"/telemetry/proxy/*", discard_other},
    {"/evp_proxy/*", discard_other},         {"/debugger/*", discard_other},
    {"/dogstatsd/v2/proxy", discard_other},  {"/tracer_flare/v1", discard_other},
};

size_t vg_agent_routes(struct vg_intake *intake, struct vg_http_route *out, size_t cap)
{
    static const char *const methods[] = {"POST", "PUT"};
    size_t n = 0;

    if (n < cap)
        out[n] = (struct vg_http_route){
            .method = "GET", .path = "/info", .handle = info, .ctx = intake, .is_quick = true};
    n++;
    for (size_t i = 0; i < sizeof discarded / sizeof discarded[0]; i++)
        for (size_t m = 0; m < 2; m++, n++)
            if (n < cap)
                out[n] = (struct vg_http_route){.method = methods[m],
                                                .path = discarded[i].path,
                                                .handle = discarded[i].handle,
                                                .max_body_bytes = VG_INTAKE_BODY_BYTES,
                                                .ctx = intake,
                                                .is_quick = true};
    return n;
}
