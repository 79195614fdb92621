/* Deadlines of connections: a thread that looks once a second and cuts off those that are too slow.
 *
 * libmicrohttpd knows idle connections only; a client that sends a byte now and then would stay for ever.
 * Cutting off is shutdown(2), so that the I/O thread sees the end of the stream and cleans up as for any
 * client that left.
 */
#ifndef VG_VIGIL_HTTP_WATCH_H
#define VG_VIGIL_HTTP_WATCH_H

#include <stdatomic.h>

#include "base/err.h"
#include "base/slice.h"

struct vg_watch;

struct vg_watched { /* one connection; owned by whoever adds it */
    struct vg_watched *next, *previous;
    int fd;
    _Atomic int64_t deadline_ns; /* monotonic; VG_WATCH_NEVER */
    atomic_bool is_writing;      /* an answer is on its way: reading is not what it waits for */
    atomic_bool is_late;         /* was cut off */
};
#define VG_WATCH_NEVER INT64_MAX

enum vg_err vg_watch_new(struct vg_watch **watch) VG_MUST_USE;
void vg_watch_free(struct vg_watch *watch); /* NULL is allowed */
void vg_watch_add(struct vg_watch *watch, struct vg_watched *connection);
/* Before the descriptor is closed. */
void vg_watch_remove(struct vg_watch *watch, struct vg_watched *connection);

#endif
