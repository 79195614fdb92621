/* Mutexes with a rank: a thread takes them in ascending order only. Debug builds (without NDEBUG) check the
 * order and abort in tests; release builds cost what pthread costs. Any thread; never inside an allocator
 * hook. */
#ifndef VG_BASE_LOCK_H
#define VG_BASE_LOCK_H

#include <pthread.h>

/* Every lock of both programs, outermost first. */
enum vg_lock_rank {
    VG_RANK_CORE = 1, /* profiler: start, stop, fork */
    VG_RANK_UPLOAD,   /* profiler: queue of unsent profiles */
    VG_RANK_SAMPLER,  /* profiler: hand-over of a window */
    VG_RANK_THREADS,  /* profiler: names of threads */
    VG_RANK_SERVER,   /* vigil: server state */
    VG_RANK_STORE,    /* vigil: queue of the store's writer */
    VG_RANK_BLOCK,    /* vigil: open blocks */
    VG_RANK_HTTP,     /* vigil: one exchange */
    VG_RANK_LOG,      /* vigil: the log's stream */
};

struct vg_lock {
    pthread_mutex_t mutex;
    enum vg_lock_rank rank;
};

#define VG_LOCK_INIT(rank_) {PTHREAD_MUTEX_INITIALIZER, (rank_)}

void vg_lock_init(struct vg_lock *lock, enum vg_lock_rank rank);
void vg_lock_release(struct vg_lock *lock);
void vg_lock_take(struct vg_lock *lock);
void vg_lock_give(struct vg_lock *lock);
/* Waits on cond until woken or until the monotonic deadline (0: none); the lock is held again on return. The
 * condition must have been made by vg_cond_init, which sets the monotonic clock. */
void vg_cond_init(pthread_cond_t *cond);
void vg_lock_wait(struct vg_lock *lock, pthread_cond_t *cond, long long deadline_ns);

#endif
