#include "vigil/http/pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/lock.h"

struct vg_pool {
    struct vg_lock lock;
    pthread_cond_t wake; /* an item came, or the end */
    void (*run)(void *item);
    void **ring; /* queue_limit items */
    size_t queue_limit, first, count;
    bool is_ending;
    size_t n_threads; /* started */
    pthread_t threads[];
};

static void *work(void *arg)
{
    struct vg_pool *pool = arg;

    vg_lock_take(&pool->lock);
    for (;;) {
        while (pool->count == 0 && !pool->is_ending)
            vg_lock_wait(&pool->lock, &pool->wake, 0);
        if (pool->count == 0)
            break;
        void *item = pool->ring[pool->first];
        pool->first = (pool->first + 1) % pool->queue_limit;
        pool->count--;
        vg_lock_give(&pool->lock);
        pool->run(item);
        vg_lock_take(&pool->lock);
    }
    vg_lock_give(&pool->lock);
    return NULL;
}

enum vg_err vg_pool_new(size_t n_threads, size_t queue_limit, void (*run)(void *item), struct vg_pool **out)
{
    struct vg_pool *pool = calloc(1, sizeof *pool + n_threads * sizeof pool->threads[0]);

    if (!pool)
        return VG_ERR_NOMEM;
    vg_lock_init(&pool->lock, VG_RANK_SERVER);
    vg_cond_init(&pool->wake);
    pool->run = run;
    pool->queue_limit = queue_limit;
    pool->ring = calloc(queue_limit, sizeof *pool->ring);
    bool ok = pool->ring;
    while (ok && pool->n_threads < n_threads) {
        ok = pthread_create(&pool->threads[pool->n_threads], NULL, work, pool) == 0;
        pool->n_threads += ok;
    }
    if (!ok) {
        vg_pool_free(pool);
        return VG_ERR_NOMEM;
    }
    *out = pool;
    return VG_OK;
}

enum vg_err vg_pool_put(struct vg_pool *pool, void *item)
{
    vg_lock_take(&pool->lock);
    bool has_room = pool->count < pool->queue_limit && !pool->is_ending;
    if (has_room) {
        pool->ring[(pool->first + pool->count++) % pool->queue_limit] = item;
        pthread_cond_signal(&pool->wake);
    }
    vg_lock_give(&pool->lock);
    return has_room ? VG_OK : VG_ERR_FULL;
}

void vg_pool_stop(struct vg_pool *pool)
{
    if (!pool)
        return;
    vg_lock_take(&pool->lock);
    pool->is_ending = true;
    pthread_cond_broadcast(&pool->wake);
    vg_lock_give(&pool->lock);
    while (pool->n_threads)
        pthread_join(pool->threads[--pool->n_threads], NULL);
}

void vg_pool_free(struct vg_pool *pool)
{
    if (!pool)
        return;
    vg_pool_stop(pool);
    pthread_cond_destroy(&pool->wake);
    vg_lock_release(&pool->lock);
    free(pool->ring);
    free(pool);
}
