#include "vigil/http/exchange.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"

/* Answers of our own beside the body: small, so that one non-blocking send takes them. */
#define EARLY_LIMIT_BYTES 16384
#define ERROR_LIMIT_BYTES 4096
#define RETRY_AFTER_S     "5"

static const char no_memory[] =
    "{\"error\":{\"code\":\"no_memory\",\"message\":\"out of memory\",\"hint\":null}}\n";

struct answer {
    unsigned status;
    const char *content_type;
    struct vg_slice body;
    char *owned_body;
    const char *code, *message; /* of an error */
};

struct vg_http_exchange *vg_exchange_new(struct vg_http_server *server, const char *raw_target)
{
    struct vg_http_exchange *x = calloc(1, sizeof *x);
    const char *why = NULL;

    if (!x)
        return NULL;
    atomic_init(&x->refs, 1);
    x->server = server;
    x->start_ns = vg_clock_monotonic_ns(NULL);
    vg_lock_init(&x->lock, VG_RANK_HTTP);
    enum vg_err err = vg_target_init(&x->target, raw_target, &why);
    if (err == VG_ERR_NOMEM) {
        vg_exchange_unref(x);
        return NULL;
    }
    if (err)
        vg_http_fail(x, 400, "bad_target", NULL, "%s", why);
    return x;
}

void vg_exchange_unref(struct vg_http_exchange *x)
{
    if (atomic_fetch_sub(&x->refs, 1) > 1)
        return;
    for (size_t i = 0; i < x->n_headers; i++)
        free(x->headers[i]);
    free(x->owned_body);
    vg_target_release(&x->target);
    vg_lock_release(&x->lock);
    free(x);
}

bool vg_exchange_is_answered(struct vg_http_exchange *x)
{
    vg_lock_take(&x->lock);
    bool is_answered = x->is_answered;
    vg_lock_give(&x->lock);
    return is_answered;
}

void vg_exchange_suspend(struct vg_http_exchange *x)
{
    vg_lock_take(&x->lock);
    atomic_fetch_add(&x->refs, 1);
    x->is_suspended = true;
    MHD_suspend_connection(x->mhd);
    vg_lock_give(&x->lock);
}

/* With the lock held. */
static void set_answer(struct vg_http_exchange *x, const struct answer *a)
{
    x->is_answered = true;
    x->status = a->status;
    x->content_type = a->content_type;
    x->body = a->body;
    x->owned_body = a->owned_body;
    snprintf(x->code, sizeof x->code, "%s", a->code ? a->code : "");
    snprintf(x->message, sizeof x->message, "%s", a->message ? a->message : "");
    if (x->is_suspended)
        MHD_resume_connection(x->mhd);
}

static void answer(struct vg_http_exchange *x, const struct answer *a)
{
    vg_lock_take(&x->lock);
    bool is_late = x->is_answered;
    bool was_suspended = x->is_suspended;
    assert(!is_late || x->is_forced); /* a handler answers once */
    if (!is_late)
        set_answer(x, a);
    vg_lock_give(&x->lock);
    if (is_late)
        free(a->owned_body);
    if (was_suspended)
        vg_exchange_unref(x);
}

void vg_exchange_force(struct vg_http_exchange *x)
{
    static const char body[] = "{\"error\":{\"code\":\"stopping\",\"message\":\"the server is "
                               "stopping\",\"hint\":\"send it again\"}}\n";

    vg_lock_take(&x->lock);
    if (x->is_suspended && !x->is_answered) {
        x->is_forced = true;
        set_answer(x, &(struct answer){.status = 503,
                                       .content_type = "application/json",
                                       .body = VG_SLICE_LIT(body),
                                       .code = "stopping",
                                       .message = "the server is stopping"});
    }
    vg_lock_give(&x->lock);
}

void vg_http_header(struct vg_http_exchange *x, const char *name, const char *value)
{
    size_t name_size = strlen(name) + 1, value_size = strlen(value) + 1;
    char *pair = malloc(name_size + value_size);

    if (!pair)
        return; /* the answer itself will fail for the same reason, or do without */
    memcpy(pair, name, name_size);
    memcpy(pair + name_size, value, value_size);
    vg_lock_take(&x->lock);
    assert(x->is_answered || x->n_headers < VG_HTTP_MAX_HEADERS);
    if (x->is_answered)
        free(pair);
    else
        x->headers[x->n_headers++] = pair;
    vg_lock_give(&x->lock);
}

void vg_http_reply(struct vg_http_exchange *x, unsigned status, const char *content_type, struct vg_buf *body)
{
    struct answer a = {.status = status, .content_type = content_type};

    if (body->err) {
        vg_buf_release(body);
        vg_http_fail(x, 500, vg_err_name(VG_ERR_LIMIT), "narrow the time range or the search",
                     "the answer is too large to be built");
        return;
    }
    a.owned_body = vg_buf_detach(body, &a.body.len);
    a.body.data = a.owned_body;
    answer(x, &a);
}

void vg_http_reply_static(struct vg_http_exchange *x, unsigned status, const char *content_type,
                          struct vg_slice bytes)
{
    answer(x, &(struct answer){.status = status, .content_type = content_type, .body = bytes});
}

void vg_http_fail(struct vg_http_exchange *x, unsigned status, const char *code, const char *hint,
                  const char *fmt, ...)
{
    struct answer a = {
        .status = status, .content_type = "application/json", .body = VG_SLICE_LIT(no_memory), .code = code};
    char message[sizeof x->message];
    struct vg_buf body;
    va_list args;

    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    a.message = message;
    vg_buf_init(&body, ERROR_LIMIT_BYTES, NULL);
    vg_buf_text(&body, "{\"error\":{\"code\":");
    vg_buf_json_string(&body, vg_slice_of(code));
    vg_buf_text(&body, ",\"message\":");
    vg_buf_json_string(&body, vg_slice_of(message));
    vg_buf_text(&body, ",\"hint\":");
    if (hint)
        vg_buf_json_string(&body, vg_slice_of(hint));
    else
        vg_buf_text(&body, "null");
    vg_buf_text(&body, "}}\n");
    if (!body.err) {
        a.owned_body = vg_buf_detach(&body, &a.body.len);
        a.body.data = a.owned_body;
    }
    vg_buf_release(&body);
    if (status == 429 || status == 503)
        vg_http_header(x, "Retry-After", RETRY_AFTER_S);
    answer(x, &a);
}

void vg_http_suspend(struct vg_http_exchange *x)
{
    assert(x->phase == VG_PHASE_HANDLING);
    vg_lock_take(&x->lock);
    x->is_deferred = true;
    bool is_suspended = x->is_suspended;
    vg_lock_give(&x->lock);
    if (!is_suspended) /* a quick handler, in the I/O thread; in a pool it is suspended already */
        vg_exchange_suspend(x);
}

const char *vg_http_method(const struct vg_http_exchange *x)
{
    return x->method;
}

const char *vg_http_path(const struct vg_http_exchange *x)
{
    return x->target.path;
}

struct vg_slice vg_http_path_param(const struct vg_http_exchange *x)
{
    return x->path_param;
}

const char *vg_http_query(const struct vg_http_exchange *x, const char *name)
{
    return vg_target_param(&x->target, name);
}

const char *vg_http_request_header(const struct vg_http_exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->mhd, MHD_HEADER_KIND, name);
}

enum MHD_Result vg_exchange_queue(struct vg_http_exchange *x, const char *server_name)
{
    char id[17];
    /* Persistent: the exchange owns the bytes and outlives the response. */
    struct MHD_Response *response =
        MHD_create_response_from_buffer(x->body.len, (void *)(uintptr_t)x->body.data, MHD_RESPMEM_PERSISTENT);

    if (!response)
        return MHD_NO;
    snprintf(id, sizeof id, "%016" PRIx64, x->id);
    MHD_add_response_header(response, "Server", server_name);
    MHD_add_response_header(response, "X-Request-Id", id);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (x->content_type)
        MHD_add_response_header(response, "Content-Type", x->content_type);
    for (size_t i = 0; i < x->n_headers; i++)
        MHD_add_response_header(response, x->headers[i], x->headers[i] + strlen(x->headers[i]) + 1);
    x->phase = VG_PHASE_SENDING;
    enum MHD_Result result = MHD_queue_response(x->mhd, x->status, response);
    MHD_destroy_response(response);
    return result;
}

void vg_exchange_send_early(struct vg_http_exchange *x, const char *server_name)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct vg_buf out;

    vg_buf_init(&out, EARLY_LIMIT_BYTES, NULL);
    vg_buf_printf(&out,
                  "HTTP/1.1 %u %s\r\nServer: %s\r\nX-Request-Id: %016" PRIx64
                  "\r\nX-Content-Type-Options: nosniff\r\n"
                  "Content-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n",
                  x->status, MHD_get_reason_phrase_for(x->status), server_name, x->id,
                  x->content_type ? x->content_type : "application/octet-stream", x->body.len);
    for (size_t i = 0; i < x->n_headers; i++)
        vg_buf_printf(&out, "%s: %s\r\n", x->headers[i], x->headers[i] + strlen(x->headers[i]) + 1);
    vg_buf_text(&out, "\r\n");
    if (strcmp(x->method, "HEAD"))
        vg_buf_slice(&out, x->body);
    if (!out.err && info) {
        /* Whatever does not go out now was not going to: nothing else was sent for this request. */
        ssize_t sent = send(info->connect_fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)sent;
        shutdown(info->connect_fd, SHUT_WR);
    }
    vg_buf_release(&out);
}
