/* Addresses to listen on, their sockets, and who may be meant by a Host header.
 *
 * Only loopback and Unix sockets: without authentication nothing else is listened on. Any thread.
 */
#ifndef VG_VIGIL_HTTP_LISTEN_H
#define VG_VIGIL_HTTP_LISTEN_H

#include <sys/socket.h>

#include "base/err.h"
#include "base/slice.h"

struct vg_address {
    const char *text; /* borrowed: as the operator wrote it */
    bool is_unix;
    struct sockaddr_storage addr;
    socklen_t addr_len;
};

/* VG_ERR_MALFORMED, or VG_ERR_UNSUPPORTED beyond loopback. */
enum vg_err vg_address_parse(const char *text, struct vg_address *address, char why[256]) VG_MUST_USE;
/* A listening, non-blocking socket. A Unix socket's file left behind by a dead server is replaced.
 * VG_ERR_EXISTS: in use. */
enum vg_err vg_address_listen(const struct vg_address *address, int *fd, char why[256]) VG_MUST_USE;
/* The port really bound; 0 for a Unix socket. */
unsigned vg_address_port(int fd);
/* Removes a Unix socket's file. */
void vg_address_unlink(const struct vg_address *address);

/* "localhost", "127.0.0.0/8", "[::1]", each with any port or none: against pages that point their own name at
 * us. */
bool vg_host_is_loopback(const char *host);
/* The value of an Origin header: "http://localhost:5173". "null" is foreign. */
bool vg_origin_is_loopback(const char *origin);

#endif
