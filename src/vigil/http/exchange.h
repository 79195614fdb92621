/* One request and its answer, inside http/ only: server.c drives it, exchange.c is what handlers see of it.
 *
 * Life: born with the request's first line; owned by the connection (one reference) until libmicrohttpd
 * reports its completion, and by whoever has it suspended (one more) until the answer. So a late answer from
 * another thread never meets freed memory, even when the server was stopped meanwhile. Two sides share it
 * only while it is suspended: `lock` guards the fields under "answer".
 */
#ifndef VG_VIGIL_HTTP_EXCHANGE_H
#define VG_VIGIL_HTTP_EXCHANGE_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "base/lock.h"
#include "vigil/http/http.h"
#include "vigil/http/listen.h"
#include "vigil/http/target.h"
#include "vigil/http/watch.h"

#define VG_HTTP_MAX_HEADERS 12

enum vg_phase {
    VG_PHASE_HEAD,     /* the first line was seen */
    VG_PHASE_BODY,     /* the headers were seen; the body comes, if there is one */
    VG_PHASE_DISCARD,  /* answered in the middle of the body; the rest is read and thrown away */
    VG_PHASE_HANDLING, /* the handler was called, or waits in a pool */
    VG_PHASE_SENDING,  /* the answer is with libmicrohttpd */
};

struct vg_http_exchange {
    struct vg_http_exchange *next, *previous; /* of the server's list */
    struct vg_http_server *server;
    struct vg_watched *watched; /* the connection's; NULL: without memory for it */
    const struct vg_http_route *route;
    void *upload; /* what begin returned */
    atomic_uint refs;
    uint64_t id;
    int64_t start_ns; /* monotonic */
    char method[16];
    struct vg_target target;
    struct vg_slice path_param;
    enum vg_phase phase;
    bool is_unix, is_listed;
    uint64_t request_bytes;

    struct vg_lock lock;                /* of what follows: */
    struct MHD_Connection *mhd;         /* NULL once completed */
    bool is_suspended;                  /* libmicrohttpd leaves the connection alone until the answer */
    bool is_deferred;                   /* the handler said that it answers later */
    bool is_answered, is_forced;        /* forced: by vg_http_stop, not by the handler */
    char *headers[VG_HTTP_MAX_HEADERS]; /* each "name\0value\0", owned */
    size_t n_headers;
    unsigned status;
    const char *content_type; /* static */
    struct vg_slice body;
    char *owned_body; /* body.data where it is ours */
    char code[32], message[256];
};

/* NULL: no memory. Its target may be refused: then it is answered already. */
struct vg_http_exchange *vg_exchange_new(struct vg_http_server *server, const char *raw_target);
void vg_exchange_unref(struct vg_http_exchange *x);
bool vg_exchange_is_answered(struct vg_http_exchange *x);
/* Takes the connection out of libmicrohttpd's hands until the answer; I/O thread only. */
void vg_exchange_suspend(struct vg_http_exchange *x);
/* The server goes away: 503, if it was suspended and not answered. */
void vg_exchange_force(struct vg_http_exchange *x);
/* Hands the answer to libmicrohttpd; I/O thread only. */
enum MHD_Result vg_exchange_queue(struct vg_http_exchange *x, const char *server_name);
/* Writes the answer to the socket beside libmicrohttpd, which takes none in the middle of a body, and says
 * that no more will come. I/O thread only. */
void vg_exchange_send_early(struct vg_http_exchange *x, const char *server_name);

#endif
