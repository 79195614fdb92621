/* Drives libmicrohttpd: one daemon for each listening socket, each with a few I/O threads. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "vigil/http/exchange.h"
#include "vigil/http/pool.h"

#define IO_THREADS              2 /* a socket; they only move bytes */
#define MAX_WORKERS             8 /* a pool */
#define POOL_QUEUE              512
#define CONNECTIONS             1024               /* a socket */
#define CONNECTION_MEMORY_BYTES ((size_t)64 << 10) /* bounds the request's headers too */
#define DEFAULT_BODY_BYTES      ((size_t)64 << 10)
#define BACKSTOP_S              300u /* libmicrohttpd's own time-out; ours are shorter */
#define HEADER_NS               (30 * VG_NS_PER_S)
#define STALL_NS                (20 * VG_NS_PER_S)
#define UPLOAD_NS               (120 * VG_NS_PER_S)
#define SEND_NS                 (120 * VG_NS_PER_S)
/* How much, and how long, is read from a client that was refused and goes on sending: closing at once would
 * make its kernel throw our answer away. */
#define DISCARD_BYTES ((uint64_t)256 << 20)
#define DISCARD_NS    (10 * VG_NS_PER_S)

struct listener {
    struct vg_http_server *server;
    struct vg_address address;
    int fd;
    unsigned port;
    struct MHD_Daemon *daemon;
};

struct vg_http_server {
    struct vg_http_config config;
    struct listener *listeners;
    size_t n_listeners;
    struct vg_watch *watch;
    struct vg_pool *uploads, *queries;
    struct vg_lock lock; /* of the list */
    struct vg_http_exchange *exchanges;
    pthread_cond_t none; /* the last exchange ended */
    atomic_bool is_stopping;
    atomic_uint_fast64_t next_id;
};

static void set_deadline(struct vg_http_exchange *x, int64_t deadline_ns)
{
    if (x->watched)
        atomic_store(&x->watched->deadline_ns, deadline_ns);
}

/* Listed is what vg_http_stop waits for: requests whose headers are complete. */
static void list_add(struct vg_http_server *server, struct vg_http_exchange *x)
{
    vg_lock_take(&server->lock);
    x->next = server->exchanges;
    if (x->next)
        x->next->previous = x;
    server->exchanges = x;
    x->is_listed = true;
    vg_lock_give(&server->lock);
}

static void list_remove(struct vg_http_server *server, struct vg_http_exchange *x)
{
    if (!x->is_listed)
        return;
    vg_lock_take(&server->lock);
    if (x->next)
        x->next->previous = x->previous;
    if (x->previous)
        x->previous->next = x->next;
    else
        server->exchanges = x->next;
    if (!server->exchanges)
        pthread_cond_broadcast(&server->none);
    vg_lock_give(&server->lock);
}

static struct vg_watched *watched_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct listener *listener = cls;
    struct vg_watched *watched = *context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        watched = calloc(1, sizeof *watched);
        *context = watched;
        if (!watched)
            return; /* not watched, then: the back-stop closes it */
        watched->fd = info->connect_fd;
        atomic_init(&watched->deadline_ns, vg_clock_monotonic_ns(NULL) + listener->server->config.header_ns);
        vg_watch_add(listener->server->watch, watched);
    } else if (watched) {
        vg_watch_remove(listener->server->watch, watched);
        free(watched);
        *context = NULL;
    }
}

/* The request's first line: the raw target is seen only here. */
static void *on_target(void *cls, const char *raw_target, struct MHD_Connection *mhd)
{
    struct listener *listener = cls;
    struct vg_http_exchange *x = vg_exchange_new(listener->server, raw_target);

    if (!x)
        return NULL;
    x->id = atomic_fetch_add(&listener->server->next_id, 1);
    x->mhd = mhd;
    x->is_unix = listener->address.is_unix;
    x->watched = watched_of(mhd);
    return x;
}

struct header_check {
    bool has_foreign_host, has_foreign_origin, has_body;
    uint64_t content_length;
};

static enum MHD_Result check_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct header_check *check = cls;

    (void)kind;
    if (!value)
        value = "";
    if (strcasecmp(name, "Host") == 0)
        check->has_foreign_host |= !vg_host_is_loopback(value);
    else if (strcasecmp(name, "Origin") == 0)
        check->has_foreign_origin |= !vg_origin_is_loopback(value);
    else if (strcasecmp(name, "Transfer-Encoding") == 0)
        check->has_body = true;
    else if (strcasecmp(name, "Content-Length") == 0)
        check->content_length = strtoull(value, NULL, 10);
    return MHD_YES;
}

static bool has_method(const struct vg_http_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

static void find_route(struct vg_http_exchange *x)
{
    const struct vg_http_config *config = &x->server->config;
    char allow[128] = "";
    size_t len = 0;

    for (size_t i = 0; i < config->n_routes; i++) {
        const struct vg_http_route *route = &config->routes[i];
        struct vg_slice param;
        if (!vg_target_match(route->path, x->target.path, &param))
            continue;
        if (has_method(route, x->method)) {
            x->route = route;
            x->path_param = param;
            return;
        }
        if (len + strlen(route->method) + sizeof ", , HEAD" < sizeof allow && !strstr(allow, route->method))
            len += (size_t)snprintf(allow + len, sizeof allow - len, "%s%s%s", len ? ", " : "", route->method,
                                    strcmp(route->method, "GET") ? "" : ", HEAD");
    }
    if (len) {
        vg_http_header(x, "Allow", allow);
        vg_http_fail(x, 405, "method_not_allowed", NULL, "%s is not possible here, only %s", x->method,
                     allow);
    } else {
        vg_http_fail(x, 404, "not_found", NULL, "there is nothing at %.160s", x->target.path);
    }
}

static size_t body_limit(const struct vg_http_exchange *x)
{
    /* Refused requests may have no route, and a body all the same. */
    return x->route && x->route->max_body_bytes ? x->route->max_body_bytes : DEFAULT_BODY_BYTES;
}

static void refuse_size(struct vg_http_exchange *x)
{
    vg_http_fail(x, 413, "too_large", NULL, "the body is larger than %zu bytes", body_limit(x));
}

/* Answers where the request is refused by its headers alone. */
static void admit(struct vg_http_exchange *x, const struct header_check *check)
{
    if (vg_exchange_is_answered(x))
        return;
    if (atomic_load(&x->server->is_stopping))
        vg_http_fail(x, 503, "stopping", "send it again", "the server is stopping");
    else if (check->has_foreign_host && !x->is_unix)
        vg_http_fail(x, 421, "foreign_host", "use localhost, 127.0.0.1 or [::1] as the host",
                     "this server does not answer for that Host");
    else if (check->has_foreign_origin && !x->is_unix && strcmp(x->method, "GET") &&
             strcmp(x->method, "HEAD"))
        vg_http_fail(x, 403, "foreign_origin", NULL, "pages of other sites may not write here");
    else
        find_route(x);
    if (x->route && check->content_length > body_limit(x))
        refuse_size(x);
}

static void start_discarding(struct vg_http_exchange *x)
{
    vg_exchange_send_early(x, x->server->config.server_name);
    x->phase = VG_PHASE_DISCARD;
    set_deadline(x, vg_clock_monotonic_ns(NULL) + DISCARD_NS);
}

static enum MHD_Result on_headers(struct vg_http_exchange *x, const char *method)
{
    struct header_check check = {0};

    snprintf(x->method, sizeof x->method, "%s", method);
    x->phase = VG_PHASE_BODY;
    list_add(x->server, x);
    set_deadline(x, vg_clock_monotonic_ns(NULL) + x->server->config.stall_ns);
    MHD_get_connection_values(x->mhd, MHD_HEADER_KIND, check_header, &check);
    check.has_body |= check.content_length > 0;
    admit(x, &check);
    if (!vg_exchange_is_answered(x) && x->route->begin) {
        x->upload = x->route->begin(x->route->ctx, x);
        assert(x->upload || vg_exchange_is_answered(x));
    }
    /* Without a body the answer waits for the call that follows: given now, it would cost the connection. */
    if (check.has_body && vg_exchange_is_answered(x))
        start_discarding(x);
    return MHD_YES;
}

static enum MHD_Result on_body(struct vg_http_exchange *x, struct vg_slice bytes)
{
    int64_t now_ns = vg_clock_monotonic_ns(NULL);
    int64_t stall_ns = now_ns + x->server->config.stall_ns,
            end_ns = x->start_ns + x->server->config.upload_ns;

    x->request_bytes += bytes.len;
    if (x->phase == VG_PHASE_DISCARD)
        return x->request_bytes > body_limit(x) + DISCARD_BYTES ? MHD_NO : MHD_YES;
    set_deadline(x, stall_ns < end_ns ? stall_ns : end_ns);
    if (x->request_bytes > body_limit(x))
        refuse_size(x);
    else if (x->upload)
        x->route->chunk(x->upload, x, bytes);
    if (vg_exchange_is_answered(x))
        start_discarding(x);
    return MHD_YES;
}

static void call_handler(struct vg_http_exchange *x)
{
    if (x->route->handle)
        x->route->handle(x->route->ctx, x);
    else
        x->route->end(x->upload, x);
}

/* In a pool's thread. */
static void run_handler(void *item)
{
    struct vg_http_exchange *x = item;

    call_handler(x);
    vg_lock_take(&x->lock);
    bool is_forgotten = !x->is_answered && !x->is_deferred;
    vg_lock_give(&x->lock);
    assert(!is_forgotten);
    vg_exchange_unref(x);
}

/* The whole request is here, or its answer. */
static enum MHD_Result on_complete_request(struct vg_http_exchange *x)
{
    struct vg_http_server *server = x->server;

    if (x->phase == VG_PHASE_DISCARD)
        return MHD_NO; /* closes */
    if (x->phase == VG_PHASE_BODY && !vg_exchange_is_answered(x)) {
        x->phase = VG_PHASE_HANDLING;
        set_deadline(x, VG_WATCH_NEVER);
        if (x->route->is_quick) {
            call_handler(x);
        } else {
            atomic_fetch_add(&x->refs, 1); /* the pool's */
            vg_exchange_suspend(x);
            if (vg_pool_put(x->route->handle ? server->queries : server->uploads, x)) {
                vg_http_fail(x, 503, "busy", "try again in some seconds", "too many requests are waiting");
                vg_exchange_unref(x);
            }
            return MHD_YES; /* comes here again with the answer */
        }
        if (!vg_exchange_is_answered(x))
            return MHD_YES;
    }
    if (x->watched)
        atomic_store(&x->watched->is_writing, true);
    set_deadline(x, vg_clock_monotonic_ns(NULL) + SEND_NS);
    return vg_exchange_queue(x, server->config.server_name);
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                 const char *version, const char *data, size_t *size, void **context)
{
    struct vg_http_exchange *x = *context;

    (void)cls, (void)mhd, (void)url, (void)version;
    if (!x)
        return MHD_NO;
    if (x->phase == VG_PHASE_HEAD)
        return on_headers(x, method);
    if (*size) {
        struct vg_slice bytes = {data, *size};
        *size = 0;
        return on_body(x, bytes);
    }
    return on_complete_request(x);
}

static void log_done(const struct vg_http_exchange *x, enum MHD_RequestTerminationCode code)
{
    const struct vg_http_config *config = &x->server->config;
    bool is_sent = x->is_answered && (code == MHD_REQUEST_TERMINATED_COMPLETED_OK ||
                                      x->phase == VG_PHASE_DISCARD || x->status == 408);

    if (config->on_done)
        config->on_done(config->ctx,
                        &(struct vg_http_done){.id = x->id,
                                               .method = x->method,
                                               .path = x->target.path,
                                               .status = is_sent ? x->status : 0,
                                               .code = x->code[0] ? x->code : NULL,
                                               .message = x->message[0] ? x->message : NULL,
                                               .request_bytes = x->request_bytes,
                                               .response_bytes = is_sent ? x->body.len : 0,
                                               .duration_ns = vg_clock_monotonic_ns(NULL) - x->start_ns});
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct listener *listener = cls;
    struct vg_http_exchange *x = *context;

    (void)mhd;
    if (!x)
        return;
    *context = NULL;
    if (x->watched && atomic_load(&x->watched->is_late) && !vg_exchange_is_answered(x)) {
        vg_http_fail(x, 408, "too_slow", NULL, "the request took too long to arrive");
        vg_exchange_send_early(x, listener->server->config.server_name);
    }
    log_done(x, code);
    if (x->watched) {
        atomic_store(&x->watched->is_writing, false);
        set_deadline(x, vg_clock_monotonic_ns(NULL) + listener->server->config.header_ns);
    }
    vg_lock_take(&x->lock);
    x->mhd = NULL;
    vg_lock_give(&x->lock);
    if (x->upload)
        x->route->abandon(x->upload);
    list_remove(listener->server, x);
    vg_exchange_unref(x);
}

static enum vg_err start_listener(struct listener *listener, char why[256])
{
    enum vg_err err = vg_address_listen(&listener->address, &listener->fd, why);

    if (err)
        return err;
    listener->port = vg_address_port(listener->fd);
    listener->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_access, listener,
        MHD_OPTION_LISTEN_SOCKET, listener->fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)IO_THREADS,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, BACKSTOP_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, listener, MHD_OPTION_NOTIFY_COMPLETED, on_completed, listener,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, listener, MHD_OPTION_END);
    if (listener->daemon)
        return VG_OK;
    snprintf(why, 256, "cannot start the HTTP server on %.100s: no more threads or descriptors",
             listener->address.text);
    close(listener->fd);
    vg_address_unlink(&listener->address);
    return VG_ERR_IO;
}

static size_t count_workers(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n < 2 ? 2 : n > MAX_WORKERS ? MAX_WORKERS : (size_t)n;
}

static enum vg_err start(struct vg_http_server *server, char why[256])
{
    const struct vg_http_config *config = &server->config;
    uint64_t seed = 0;
    enum vg_err err = VG_ERR_NOMEM;

    /* Request ids need not be secret, only not begin at 0 after each restart. */
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed = (uint64_t)vg_clock_now_ns(NULL);
    atomic_init(&server->next_id, seed);
    snprintf(why, 256, "no memory or no more threads");
    server->listeners = calloc(config->n_listen, sizeof *server->listeners);
    if (!server->listeners)
        return err;
    if ((err = vg_watch_new(&server->watch)) ||
        (err = vg_pool_new(count_workers(), POOL_QUEUE, run_handler, &server->uploads)) ||
        (err = vg_pool_new(count_workers(), POOL_QUEUE, run_handler, &server->queries)))
        return err;
    for (size_t i = 0; i < config->n_listen; i++) {
        struct listener *listener = &server->listeners[i];
        listener->server = server;
        err = vg_address_parse(config->listen[i], &listener->address, why);
        if (!err)
            err = start_listener(listener, why);
        if (err)
            return err;
        server->n_listeners++;
    }
    return VG_OK;
}

enum vg_err vg_http_check_listen(const char *text, char why[256])
{
    struct vg_address address;

    return vg_address_parse(text, &address, why);
}

enum vg_err vg_http_start(const struct vg_http_config *config, struct vg_http_server **out, char why[256])
{
    struct vg_http_server *server = calloc(1, sizeof *server);

    if (!server) {
        snprintf(why, 256, "no memory");
        return VG_ERR_NOMEM;
    }
    server->config = *config;
    if (!config->header_ns)
        server->config.header_ns = HEADER_NS;
    if (!config->stall_ns)
        server->config.stall_ns = STALL_NS;
    if (!config->upload_ns)
        server->config.upload_ns = UPLOAD_NS;
    vg_lock_init(&server->lock, VG_RANK_SERVER);
    vg_cond_init(&server->none);
    enum vg_err err = start(server, why);
    if (err) {
        vg_http_stop(server, 0);
        return err;
    }
    *out = server;
    return VG_OK;
}

unsigned vg_http_port(const struct vg_http_server *server, size_t i)
{
    return server->listeners[i].port;
}

static void wait_for_exchanges(struct vg_http_server *server, long long grace_ns)
{
    int64_t deadline_ns = vg_clock_monotonic_ns(NULL) + grace_ns;

    vg_lock_take(&server->lock);
    while (server->exchanges && vg_clock_monotonic_ns(NULL) < deadline_ns)
        vg_lock_wait(&server->lock, &server->none, deadline_ns);
    vg_lock_give(&server->lock);
}

void vg_http_stop(struct vg_http_server *server, long long grace_ns)
{
    if (!server)
        return;
    atomic_store(&server->is_stopping, true);
    /* New connections are answered 503 from here on. Not MHD_quiesce_daemon: in 0.9.75 it races with its own
     * workers for the listening socket and aborts the process. MHD_stop_daemon closes the socket. */
    for (size_t i = 0; i < server->n_listeners; i++)
        vg_address_unlink(&server->listeners[i].address);
    wait_for_exchanges(server, grace_ns);
    vg_pool_stop(server->uploads);
    vg_pool_stop(server->queries);
    vg_lock_take(&server->lock);
    for (struct vg_http_exchange *x = server->exchanges; x; x = x->next)
        vg_exchange_force(x);
    vg_lock_give(&server->lock);
    wait_for_exchanges(server, grace_ns ? VG_NS_PER_S : 0); /* for the 503s to leave */
    for (size_t i = 0; i < server->n_listeners; i++)
        MHD_stop_daemon(server->listeners[i].daemon);
    vg_watch_free(server->watch);
    vg_pool_free(server->uploads);
    vg_pool_free(server->queries);
    pthread_cond_destroy(&server->none);
    vg_lock_release(&server->lock);
    free(server->listeners);
    free(server);
}
