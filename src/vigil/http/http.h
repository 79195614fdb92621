/* HTTP for the rest of vigil: sockets, limits, routing and answers over libmicrohttpd. Knows nothing of profiles.
 *
 * A handler gets an exchange and answers it exactly once, at once or later from any thread (vg_http_suspend first: the
 * connection then waits without holding a thread). Handlers may block for CPU work of a query.
 */
#ifndef VG_VIGIL_HTTP_HTTP_H
#define VG_VIGIL_HTTP_HTTP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct vg_http_server;
struct vg_http_exchange;

/* The answer, headers first. Bodies are copied or taken as said. */
void vg_http_header(struct vg_http_exchange *x, const char *name, const char *value);
/* Takes the bytes of body (it is empty afterwards). */
void vg_http_reply(struct vg_http_exchange *x, unsigned status, const char *content_type, struct vg_buf *body);
/* bytes must live as long as the server (embedded files). */
void vg_http_reply_static(struct vg_http_exchange *x, unsigned status, const char *content_type, struct vg_slice bytes);
/* {"error":{"code","message","hint"}} with Retry-After for 429 and 503. hint may be NULL. */
void vg_http_fail(struct vg_http_exchange *x, unsigned status, const char *code, const char *hint, const char *fmt, ...) VG_PRINTF(5, 6);
/* Before handing the exchange to another thread. */
void vg_http_suspend(struct vg_http_exchange *x);

const char *vg_http_method(const struct vg_http_exchange *x);
const char *vg_http_path(const struct vg_http_exchange *x);
/* The part of the path that matched {name} in the route, decoded. */
struct vg_slice vg_http_path_param(const struct vg_http_exchange *x);
/* NULL where absent; decoded; alive as long as the exchange. */
const char *vg_http_query(const struct vg_http_exchange *x, const char *name);
const char *vg_http_request_header(const struct vg_http_exchange *x, const char *name);

struct vg_http_route {
    const char *method; /* "GET" serves HEAD too */
    const char *path;   /* "/api/v1/profiles/{id}/pprof"; a trailing "*" matches the rest */
    /* Small requests: called when the body (≤ max_body_bytes, default 64 KiB) has been read and thrown away or kept. */
    void (*handle)(void *ctx, struct vg_http_exchange *x);
    /* Uploads: `begin` may refuse at once (it answers and returns NULL); then chunks as they come; then `end`.
     * `abandon` when the client goes away, always called last, exactly once, for what begin returned. */
    void *(*begin)(void *ctx, struct vg_http_exchange *x);
    void (*chunk)(void *upload, struct vg_http_exchange *x, struct vg_slice bytes);
    void (*end)(void *upload, struct vg_http_exchange *x);
    void (*abandon)(void *upload);
    size_t max_body_bytes;
    void *ctx;
};

struct vg_http_config {
    const char *const *listen; /* "127.0.0.1:8126", "[::1]:80", "unix:/path" */
    size_t n_listen;
    const struct vg_http_route *routes; /* first match wins; must outlive the server */
    size_t n_routes;
    const char *server_name; /* for the Server header */
};

enum vg_err vg_http_start(const struct vg_http_config *config, struct vg_http_server **server, char why[256]) VG_MUST_USE;
/* The port bound for listen[i] (asked for with 0), or 0 for a Unix socket. */
unsigned vg_http_port(const struct vg_http_server *server, size_t i);
/* No new connections; waits for running exchanges up to grace_ns; then closes. */
void vg_http_stop(struct vg_http_server *server, long long grace_ns);

#endif
