/* The Agent's address: "http://host[:port][/base]", "unix:///path", "https://…". Strict: what a settings file
 * may hold by mistake (spaces, control characters, user:password@) is refused. Any thread. */
#ifndef VG_PROFILER_UPLOAD_URL_H
#define VG_PROFILER_UPLOAD_URL_H

#include "base/err.h"

#include <stdint.h>

enum vg_url_kind { VG_URL_NONE, VG_URL_TCP, VG_URL_UNIX, VG_URL_HTTPS };

#define VG_URL_TEXT_SIZE 512

struct vg_url {
    enum vg_url_kind kind;
    char host[256];              /* TCP: name or address, without the brackets of IPv6 */
    uint16_t port;               /* TCP; default 80 */
    char path[VG_URL_TEXT_SIZE]; /* TCP: what comes before our resource, without a slash at its end; Unix: the
                                    socket */
};

/* "" or NULL is VG_URL_NONE. VG_ERR_MALFORMED, VG_ERR_LIMIT. */
enum vg_err vg_url_parse(const char *text, struct vg_url *url) VG_MUST_USE;

#endif
