#include "vigil/http/watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/lock.h"

#define PERIOD_NS (VG_NS_PER_S / 2)
/* After reading was shut down an answer may still be written; after this long nothing more is. */
#define SECOND_CUT_NS (5 * VG_NS_PER_S)

struct vg_watch {
    struct vg_lock lock;
    pthread_cond_t wake; /* the first connection came, or the end */
    struct vg_watched *first;
    bool is_ending;
    pthread_t thread;
};

static void cut(struct vg_watched *c, int64_t now_ns)
{
    bool is_second = atomic_exchange(&c->is_late, true);

    shutdown(c->fd, is_second || atomic_load(&c->is_writing) ? SHUT_RDWR : SHUT_RD);
    atomic_store(&c->deadline_ns, now_ns + SECOND_CUT_NS);
}

static void *look(void *arg)
{
    struct vg_watch *watch = arg;

    vg_lock_take(&watch->lock);
    while (!watch->is_ending) {
        int64_t now_ns = vg_clock_monotonic_ns(NULL);
        for (struct vg_watched *c = watch->first; c; c = c->next)
            if (now_ns > atomic_load(&c->deadline_ns))
                cut(c, now_ns);
        vg_lock_wait(&watch->lock, &watch->wake, watch->first ? now_ns + PERIOD_NS : 0);
    }
    vg_lock_give(&watch->lock);
    return NULL;
}

enum vg_err vg_watch_new(struct vg_watch **out)
{
    struct vg_watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return VG_ERR_NOMEM;
    vg_lock_init(&watch->lock, VG_RANK_SERVER);
    vg_cond_init(&watch->wake);
    if (pthread_create(&watch->thread, NULL, look, watch)) {
        free(watch);
        return VG_ERR_NOMEM;
    }
    *out = watch;
    return VG_OK;
}

void vg_watch_free(struct vg_watch *watch)
{
    if (!watch)
        return;
    vg_lock_take(&watch->lock);
    watch->is_ending = true;
    pthread_cond_signal(&watch->wake);
    vg_lock_give(&watch->lock);
    pthread_join(watch->thread, NULL);
    pthread_cond_destroy(&watch->wake);
    vg_lock_release(&watch->lock);
    free(watch);
}

void vg_watch_add(struct vg_watch *watch, struct vg_watched *c)
{
    vg_lock_take(&watch->lock);
    c->previous = NULL;
    c->next = watch->first;
    if (c->next)
        c->next->previous = c;
    else
        pthread_cond_signal(&watch->wake);
    watch->first = c;
    vg_lock_give(&watch->lock);
}

void vg_watch_remove(struct vg_watch *watch, struct vg_watched *c)
{
    vg_lock_take(&watch->lock);
    if (c->next)
        c->next->previous = c->previous;
    if (c->previous)
        c->previous->next = c->next;
    else
        watch->first = c->next;
    vg_lock_give(&watch->lock);
}
