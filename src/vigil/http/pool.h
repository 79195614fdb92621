/* A few threads that run handlers, and the bounded queue before them. Any thread may put. */
#ifndef VG_VIGIL_HTTP_POOL_H
#define VG_VIGIL_HTTP_POOL_H

#include "base/err.h"
#include "base/slice.h"

struct vg_pool;

/* `run` is called once for each item, in one of the threads. */
enum vg_err vg_pool_new(size_t n_threads, size_t queue_limit, void (*run)(void *item),
                        struct vg_pool **pool) VG_MUST_USE;
/* VG_ERR_FULL when too many wait already, or after stop. */
enum vg_err vg_pool_put(struct vg_pool *pool, void *item) VG_MUST_USE;
/* Runs what waits, then ends the threads. NULL is allowed. */
void vg_pool_stop(struct vg_pool *pool);
/* Stops too. NULL is allowed. */
void vg_pool_free(struct vg_pool *pool);

#endif
