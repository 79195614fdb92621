/* One HTTP/1.1 exchange over TCP or a Unix socket: POST, read the status, close.
 *
 * Everything has a deadline. Another thread may break it off by setting a flag, which is seen within 10 ms:
 * there is no wake-up descriptor, as a host that closes descriptors would leave us writing into a file of its
 * own. No SIGPIPE. An answer that comes before the body is out (413, 429) counts. The answer's body is not
 * waited for. No redirects, no proxies, no TLS. One thread. */
#ifndef VG_PROFILER_UPLOAD_HTTP_H
#define VG_PROFILER_UPLOAD_HTTP_H

#include "base/slice.h"
#include "profiler/upload/url.h"

#include <stdatomic.h>

struct vg_http_post {
    const struct vg_url *url; /* VG_URL_TCP or VG_URL_UNIX */
    const char *resource;     /* "/profiling/v1/input", after the URL's own path */
    const char *content_type;
    struct vg_slice body;
    int64_t deadline_ns;       /* monotonic */
    const atomic_bool *cancel; /* set by any thread */
};

struct vg_http_reply {
    int status;            /* 200 – 599 */
    int64_t retry_after_s; /* 0: not said in seconds */
};

/* VG_OK: there was an answer, whatever it says. VG_ERR_IO: none, or the connection failed; VG_ERR_NOT_FOUND:
 * no such host; VG_ERR_MALFORMED: not HTTP; VG_ERR_TIMEOUT; VG_ERR_CANCELLED; VG_ERR_NOMEM. */
enum vg_err vg_http_post(const struct vg_http_post *post, struct vg_http_reply *reply) VG_MUST_USE;

#endif
