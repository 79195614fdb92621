/* HTTP for the rest of vigil: sockets, limits, routing and answers over libmicrohttpd. Knows nothing of
 * profiles.
 *
 * A handler gets an exchange and answers it exactly once, at once or later from any thread (vg_http_suspend
 * first: the connection then waits without holding a thread).
 *
 * Threads: a few I/O threads a listening socket, which never run a handler that may take long; one pool of
 * workers for `handle` and one for `end`, so that slow queries do not hold up uploads. `begin`, `chunk`,
 * `abandon` and routes that say is_quick run in the I/O threads and must not block.
 *
 * Refused before any handler sees it: malformed targets (400), a foreign Host (421) or Origin (403), unknown
 * routes (404), other methods (405 with Allow), bodies over the limit (413), requests that take too long
 * (408).
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
void vg_http_reply(struct vg_http_exchange *x, unsigned status, const char *content_type,
                   struct vg_buf *body);
/* bytes must live as long as the server (embedded files). */
void vg_http_reply_static(struct vg_http_exchange *x, unsigned status, const char *content_type,
                          struct vg_slice bytes);
/* {"error":{"code","message","hint"}} with Retry-After for 429 and 503. hint may be NULL. */
void vg_http_fail(struct vg_http_exchange *x, unsigned status, const char *code, const char *hint,
                  const char *fmt, ...) VG_PRINTF(5, 6);
/* Before handing the exchange to another thread. From then on only vg_http_header and the answer may be
 * called on it. */
void vg_http_suspend(struct vg_http_exchange *x);

const char *vg_http_method(const struct vg_http_exchange *x);
const char *vg_http_path(const struct vg_http_exchange *x); /* decoded, without the query */
/* The part of the path that matched {name} or * in the route, decoded. */
struct vg_slice vg_http_path_param(const struct vg_http_exchange *x);
/* NULL where absent; decoded; alive as long as the exchange. */
const char *vg_http_query(const struct vg_http_exchange *x, const char *name);
const char *vg_http_request_header(const struct vg_http_exchange *x, const char *name);

struct vg_http_route {
    const char *method; /* "GET" serves HEAD too */
    const char *path;   /* "/api/v1/profiles/{id}/pprof"; a trailing "*" matches the rest */
    /* Small requests: called when the body (≤ max_body_bytes, default 64 KiB) has been read and thrown away.
     */
    void (*handle)(void *ctx, struct vg_http_exchange *x);
    /* Uploads: `begin` may refuse at once (it answers and returns NULL); then chunks as they come; then
     * `end`. An answer given before the end stops the upload: no further call but `abandon`. `abandon` is
     * always called last, exactly once, for what begin returned: it frees it. An exchange that was suspended
     * may be answered after it, when the server was stopped in between. */
    void *(*begin)(void *ctx, struct vg_http_exchange *x);
    void (*chunk)(void *upload, struct vg_http_exchange *x, struct vg_slice bytes);
    void (*end)(void *upload, struct vg_http_exchange *x);
    void (*abandon)(void *upload);
    size_t max_body_bytes;
    void *ctx;
    bool is_quick; /* handle takes microseconds and may run in the I/O thread */
};

/* What there is to log of an exchange that ended. Alive during the call only. */
struct vg_http_done {
    uint64_t id; /* also in the answer's X-Request-Id, in hexadecimal */
    const char *method, *path;
    unsigned status;        /* 0: the client went away first */
    const char *code;       /* of vg_http_fail, or NULL */
    const char *message;    /* of vg_http_fail, or NULL */
    uint64_t request_bytes; /* of the body */
    uint64_t response_bytes;
    int64_t duration_ns;
};

struct vg_http_config {
    const char *const *listen; /* "127.0.0.1:8126", "[::1]:80", "localhost:8126", "unix:/path" */
    size_t n_listen;
    const struct vg_http_route *routes; /* first match wins; must outlive the server */
    size_t n_routes;
    const char *server_name; /* for the Server header */
    /* Called in an I/O thread for each exchange that ended; may be NULL. */
    void (*on_done)(void *ctx, const struct vg_http_done *done);
    void *ctx;
    /* 0: the default. */
    int64_t header_ns; /* from the connection, or the last answer, to the end of the headers: 30 s */
    int64_t stall_ns;  /* without a byte of the body: 20 s */
    int64_t upload_ns; /* for the whole body: 120 s */
};

/* Whether this address may be listened on: VG_ERR_MALFORMED; VG_ERR_UNSUPPORTED beyond loopback. */
enum vg_err vg_http_check_listen(const char *address, char why[256]) VG_MUST_USE;
/* VG_ERR_EXISTS: an address is in use. *why says what, for the operator. */
enum vg_err vg_http_start(const struct vg_http_config *config, struct vg_http_server **server,
                          char why[256]) VG_MUST_USE;
/* The port bound for listen[i] (asked for with 0), or 0 for a Unix socket. */
unsigned vg_http_port(const struct vg_http_server *server, size_t i);
/* No new connections; waits for running exchanges up to grace_ns; then answers 503 and closes. NULL is
 * allowed. */
void vg_http_stop(struct vg_http_server *server, long long grace_ns);

#endif
