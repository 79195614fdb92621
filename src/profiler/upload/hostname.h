/* Host name → socket addresses, without ever being stuck in the C library's resolver.
 *
 * Numbers and "localhost" need no resolver. For other names a short-lived detached thread asks it and is left
 * behind when the deadline passes or we are asked to stop: getaddrinfo cannot be interrupted. Any thread that
 * blocks signals (the helper inherits the mask). */
#ifndef VG_PROFILER_UPLOAD_HOSTNAME_H
#define VG_PROFILER_UPLOAD_HOSTNAME_H

#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define VG_HOSTNAME_MAX 8

struct vg_address {
    struct sockaddr_storage storage;
    socklen_t len;
};

/* At most VG_HOSTNAME_MAX addresses, in the order to try them. cancel: set by another thread to stop waiting;
 * deadline_ns is monotonic. VG_ERR_NOT_FOUND, VG_ERR_TIMEOUT, VG_ERR_CANCELLED, VG_ERR_NOMEM, VG_ERR_IO (no
 * thread). */
enum vg_err vg_hostname_resolve(const char *host, uint16_t port, const atomic_bool *cancel,
                                int64_t deadline_ns, struct vg_address addresses[VG_HOSTNAME_MAX],
                                size_t *n) VG_MUST_USE;

#endif
