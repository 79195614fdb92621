/* The documented upload: POST /profiling/v1/input, multipart/form-data with the part `event` (event.json) and
 * one pprof. Older clients send the event's fields as parts of their own. Whatever else is in the form is
 * read away.
 *
 * Life of an upload: begin → chunks feed the form's parser → end, in a worker: decode, build, put. Then the
 * connection waits, suspended, until the store says that the profile is on disk.
 */
#include <stdio.h>
#include <stdlib.h>

#include "vigil/intake/decompress.h"
#include "vigil/intake/event.h"
#include "vigil/intake/intake_parts.h"
#include "vigil/intake/multipart.h"
#include "vigil/model/builder.h"

#define FIELD_BYTES ((size_t)4096)
#define PPROF_BYTES ((size_t)128 << 20) /* of memory for what was read; real ones take some megabytes */

enum part_kind {
    PART_IGNORED,
    PART_EVENT,
    PART_PPROF,
    PART_FIELD,
};

struct upload {
    struct vg_intake *intake;
    struct vg_multipart form;
    struct vg_event event;
    enum part_kind kind; /* of the part being read */
    struct vg_buf json, pprof, field;
    char field_name[VG_MULTIPART_NAME_BYTES];
    char pprof_name[VG_MULTIPART_NAME_BYTES];
    bool has_event;
    size_t charged;  /* bytes taken from the budget */
    const char *why; /* what the last refusal of ours was, static */
};

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

static enum part_kind kind_of(const struct vg_multipart_part *part)
{
    static const char *const pprofs[] = {"chunk-data", "pprof-data", "pprof", "data[auto.pprof]", NULL};
    static const char *const fields[] = {"start",         "end",           "recording-start",
                                         "recording-end", "tags[]",        "family",
                                         "runtime",       "tags_profiler", NULL};

    if (strcmp(part->name, "event") == 0 || strcmp(part->filename, "event.json") == 0)
        return PART_EVENT;
    if (ends_with(part->filename, ".pprof") || ends_with(part->name, ".pprof") ||
        is_one_of(part->name, pprofs))
        return PART_PPROF;
    return is_one_of(part->name, fields) ? PART_FIELD : PART_IGNORED;
}

static enum vg_err refuse(struct upload *upload, enum vg_err err, const char *why)
{
    upload->why = why;
    return err;
}

static enum vg_err on_part(void *ctx, const struct vg_multipart_part *part)
{
    struct upload *upload = ctx;

    upload->kind = kind_of(part);
    if (upload->kind == PART_EVENT) {
        if (upload->has_event)
            return refuse(upload, VG_ERR_MALFORMED, "the form has two events");
        upload->has_event = true;
    } else if (upload->kind == PART_PPROF) {
        if (upload->pprof_name[0])
            return refuse(upload, VG_ERR_MALFORMED, "the form has two pprof attachments, one is taken");
        snprintf(upload->pprof_name, sizeof upload->pprof_name, "%s",
                 part->filename[0] ? part->filename : part->name);
    } else if (upload->kind == PART_FIELD) {
        snprintf(upload->field_name, sizeof upload->field_name, "%s", part->name);
        vg_buf_reset(&upload->field);
    }
    return VG_OK;
}

static struct vg_buf *buffer_of(struct upload *upload)
{
    switch (upload->kind) {
    case PART_EVENT:
        return &upload->json;
    case PART_PPROF:
        return &upload->pprof;
    case PART_FIELD:
        return &upload->field;
    case PART_IGNORED:
        break;
    }
    return NULL;
}

static enum vg_err on_data(void *ctx, struct vg_slice bytes)
{
    struct upload *upload = ctx;
    struct vg_buf *buffer = buffer_of(upload);

    if (!buffer)
        return VG_OK;
    size_t before = buffer->cap;
    if (vg_buf_reserve(buffer, bytes.len))
        return refuse(upload, buffer->err,
                      upload->kind == PART_EVENT ? "event.json is too large" : "a part is too large");
    size_t more = buffer->cap - before;
    if (!vg_budget_take(&upload->intake->budget, more))
        return refuse(upload, VG_ERR_FULL, "too many uploads at once");
    upload->charged += more;
    return vg_buf_slice(buffer, bytes);
}

static enum vg_err on_part_end(void *ctx)
{
    struct upload *upload = ctx;

    if (upload->kind != PART_FIELD)
        return VG_OK;
    return vg_event_field(&upload->event, upload->field_name, vg_buf_as_slice(&upload->field));
}

static const struct vg_multipart_events form_events = {on_part, on_data, on_part_end};

/* Turns an error into an answer. `where` is "form" or what else the sender knows; why may be NULL. */
static void answer_error(struct upload *upload, struct vg_http_exchange *x, enum vg_err err,
                         const char *where, const char *why)
{
    static const char hint[] = "see docs/internals/wire.md for what is accepted";

    atomic_fetch_add(&upload->intake->refused, 1);
    vg_intake_sign(upload->intake, x);
    switch (err) {
    case VG_ERR_MALFORMED:
        vg_http_fail(x, 400, "malformed", hint, "%s: %s", where, why ? why : "malformed");
        break;
    case VG_ERR_LIMIT:
        vg_http_fail(x, 413, "too_large", NULL, "%s: %s", where, why ? why : "too large");
        break;
    case VG_ERR_FULL:
        vg_http_fail(x, 429, "overloaded", "send it again later", "%s",
                     why ? why : "too many uploads wait to be stored");
        break;
    default:
        vg_http_fail(x, 503, "no_memory", "send it again later", "%s: %s", where, vg_err_name(err));
        break;
    }
}

static void release_buffers(struct upload *upload)
{
    vg_buf_release(&upload->json);
    vg_buf_release(&upload->pprof);
    vg_buf_release(&upload->field);
    vg_event_release(&upload->event);
    vg_budget_give(&upload->intake->budget, upload->charged);
    upload->charged = 0;
}

static void abandon(void *ctx)
{
    struct upload *upload = ctx;

    release_buffers(upload);
    free(upload);
}

static void *begin(void *ctx, struct vg_http_exchange *x)
{
    struct vg_intake *intake = ctx;
    struct upload *upload = calloc(1, sizeof *upload);

    if (!upload || vg_event_init(&upload->event, NULL)) {
        free(upload);
        vg_http_fail(x, 503, "no_memory", "send it again later", "out of memory");
        return NULL;
    }
    upload->intake = intake;
    vg_buf_init(&upload->json, VG_EVENT_JSON_BYTES, NULL);
    vg_buf_init(&upload->pprof, VG_INTAKE_BODY_BYTES, NULL);
    vg_buf_init(&upload->field, FIELD_BYTES, NULL);
    if (vg_multipart_init(&upload->form, vg_http_request_header(x, "Content-Type"), &form_events, upload)) {
        answer_error(upload, x, VG_ERR_MALFORMED, "form", upload->form.why);
        abandon(upload);
        return NULL;
    }
    return upload;
}

/* What the form's parser stopped at: its own complaint, ours, or the event's. */
static void answer_form_error(struct upload *upload, struct vg_http_exchange *x, enum vg_err err)
{
    const char *why = upload->form.why ? upload->form.why : upload->why ? upload->why : upload->event.why;
    char where[48];

    snprintf(where, sizeof where, "form, at byte %llu", (unsigned long long)upload->form.offset);
    answer_error(upload, x, err, where, err == VG_ERR_FULL || why[0] ? why : NULL);
}

static void chunk(void *ctx, struct vg_http_exchange *x, struct vg_slice bytes)
{
    struct upload *upload = ctx;
    enum vg_err err = vg_multipart_feed(&upload->form, bytes);

    if (err)
        answer_form_error(upload, x, err);
}

/* What the store's answer needs: the upload itself may be gone by then. */
struct pending {
    struct vg_intake *intake;
    struct vg_http_exchange *x;
};

static void on_stored(void *ctx, enum vg_err err, enum vg_put_result result)
{
    static const char stored[] = "{\"status\":\"stored\"}\n", duplicate[] = "{\"status\":\"duplicate\"}\n";
    struct pending pending = *(struct pending *)ctx;
    struct vg_intake *intake = pending.intake;

    free(ctx);
    vg_intake_sign(intake, pending.x);
    if (!err && result == VG_PUT_DUPLICATE) {
        atomic_fetch_add(&intake->duplicates, 1);
        vg_http_reply_static(pending.x, 200, "application/json", VG_SLICE_LIT(duplicate));
        return;
    }
    if (!err) {
        atomic_fetch_add(&intake->stored, 1);
        vg_http_reply_static(pending.x, 200, "application/json", VG_SLICE_LIT(stored));
        return;
    }
    atomic_fetch_add(&intake->refused, 1);
    if (err == VG_ERR_FULL)
        vg_http_fail(pending.x, 507, "disk_full",
                     "make room, or start vigil with another --max-disk or --retention",
                     "the disk is full: the profile was not stored");
    else if (err == VG_ERR_LIMIT)
        vg_http_fail(pending.x, 413, "too_large", NULL, "the profile is larger than the store takes");
    else
        vg_http_fail(pending.x, 500, "store_failed", "see the log of vigil",
                     "the profile could not be stored: %s", vg_err_name(err));
}

static void put(struct upload *upload, struct vg_http_exchange *x, struct vg_profile *profile)
{
    struct pending *pending = malloc(sizeof *pending);

    if (!pending) {
        vg_profile_free(profile);
        answer_error(upload, x, VG_ERR_NOMEM, "store", NULL);
        return;
    }
    *pending = (struct pending){upload->intake, x};
    release_buffers(upload); /* not needed while it waits */
    /* From here on the exchange belongs to the store's answer; `upload` stays valid only until the first one.
     */
    struct vg_intake *intake = upload->intake;
    vg_http_suspend(x);
    enum vg_err err = vg_store_put(intake->config.store, profile, on_stored, pending);
    if (err) {
        free(pending);
        atomic_fetch_add(&intake->refused, 1);
        vg_intake_sign(intake, x);
        if (err == VG_ERR_FULL)
            vg_http_fail(x, 429, "overloaded", "send it again later", "too many profiles wait to be stored");
        else
            vg_http_fail(x, 503, "no_memory", "send it again later", "store: %s", vg_err_name(err));
    }
}

/* The attachment → a profile; on error the exchange is answered and *profile stays NULL. */
static void decode(struct upload *upload, struct vg_http_exchange *x, struct vg_profile **profile)
{
    struct vg_slice content = vg_buf_as_slice(&upload->pprof);
    struct vg_expanded expanded;
    struct vg_pprof_limits limits = vg_pprof_default_limits;
    struct vg_pprof pprof;
    const char *why = NULL;
    size_t at = 0;
    char message[160];

    enum vg_err err = vg_expand(&expanded, content, &upload->intake->budget, NULL, &why);
    if (err) {
        answer_error(upload, x, err, upload->pprof_name, why);
        vg_expanded_release(&expanded);
        return;
    }
    limits.arena_bytes = PPROF_BYTES;
    err = vg_pprof_read(&pprof, expanded.bytes, &limits, &why, &at);
    if (err) {
        snprintf(message, sizeof message, "%s, at byte %zu of the pprof", why ? why : "malformed", at);
        answer_error(upload, x, err, upload->pprof_name, message);
        vg_expanded_release(&expanded);
        return;
    }
    struct vg_profile_source source = {.pprof = &pprof,
                                       .tags = upload->event.tags,
                                       .n_tags = upload->event.n_tags,
                                       .start_ns = upload->event.start_ns,
                                       .end_ns = upload->event.end_ns,
                                       .received_ns = vg_clock_now_ns(upload->intake->config.clock),
                                       .internal = upload->event.internal,
                                       .content = content};
    err = vg_profile_build(&source, profile, &why);
    if (err)
        answer_error(upload, x, err, upload->pprof_name, why);
    vg_pprof_release(&pprof);
    vg_expanded_release(&expanded);
}

static void end(void *ctx, struct vg_http_exchange *x)
{
    struct upload *upload = ctx;
    struct vg_profile *profile = NULL;
    enum vg_err err = vg_multipart_finish(&upload->form);

    if (err) {
        answer_form_error(upload, x, err);
        return;
    }
    if (upload->has_event)
        err = vg_event_json(&upload->event, vg_buf_as_slice(&upload->json));
    if (!err)
        err = vg_event_check(&upload->event);
    if (err) {
        answer_error(upload, x, err, "event", upload->event.why);
        return;
    }
    if (upload->pprof.len == 0) {
        answer_error(upload, x, VG_ERR_MALFORMED, "form",
                     upload->pprof_name[0] ? "the pprof attachment is empty"
                                           : "there is no pprof attachment");
        return;
    }
    decode(upload, x, &profile);
    if (profile)
        put(upload, x, profile);
}

void vg_datadog_route(struct vg_intake *intake, struct vg_http_route *out)
{
    *out = (struct vg_http_route){.method = "POST",
                                  .path = "/profiling/v1/input",
                                  .begin = begin,
                                  .chunk = chunk,
                                  .end = end,
                                  .abandon = abandon,
                                  .max_body_bytes = VG_INTAKE_BODY_BYTES,
                                  .ctx = intake};
}
