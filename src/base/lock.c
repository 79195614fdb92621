/* Ranked mutexes. In debug builds each thread keeps a bit per rank it holds; taking a lock whose rank is not
 * above all of them would be a deadlock waiting for its moment, and aborts. Release builds keep nothing. */
#include "base/lock.h"

#include <assert.h>
#include <stdint.h>
#include <time.h>

#ifndef NDEBUG
static _Thread_local uint32_t held_ranks; /* thread-local by nature: who holds what is a fact of the thread */

static void note_taken(enum vg_lock_rank rank)
{
    assert(held_ranks >> rank == 0 && "locks are taken in ascending order of rank");
    held_ranks |= UINT32_C(1) << rank;
}

static void note_given(enum vg_lock_rank rank)
{
    assert(held_ranks >> rank & 1 && "only a lock that is held is given back");
    held_ranks &= ~(UINT32_C(1) << rank);
}

static void note_waiting(enum vg_lock_rank rank)
{
    assert(held_ranks >> rank == 1 && "who waits holds this lock, and none taken after it");
    (void)rank;
}
#else
static void note_taken(enum vg_lock_rank rank)
{
    (void)rank;
}

static void note_given(enum vg_lock_rank rank)
{
    (void)rank;
}

static void note_waiting(enum vg_lock_rank rank)
{
    (void)rank;
}
#endif

/* A pthread call on a valid mutex or condition fails only by our own mistake. */
static void must_be_zero(int result)
{
    assert(result == 0);
    (void)result;
}

void vg_lock_init(struct vg_lock *lock, enum vg_lock_rank rank)
{
    must_be_zero(pthread_mutex_init(&lock->mutex, NULL));
    lock->rank = rank;
}

void vg_lock_release(struct vg_lock *lock)
{
    must_be_zero(pthread_mutex_destroy(&lock->mutex));
}

void vg_lock_take(struct vg_lock *lock)
{
    note_taken(
        lock->rank); /* before blocking: an order that could deadlock is reported even when it just did not */
    must_be_zero(pthread_mutex_lock(&lock->mutex));
}

void vg_lock_give(struct vg_lock *lock)
{
    note_given(lock->rank);
    must_be_zero(pthread_mutex_unlock(&lock->mutex));
}

void vg_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    must_be_zero(pthread_condattr_init(&attr));
    must_be_zero(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
    must_be_zero(pthread_cond_init(cond, &attr));
    must_be_zero(pthread_condattr_destroy(&attr));
}

void vg_lock_wait(struct vg_lock *lock, pthread_cond_t *cond, long long deadline_ns)
{
    note_waiting(lock->rank);
    if (deadline_ns <= 0) {
        must_be_zero(pthread_cond_wait(cond, &lock->mutex));
        return;
    }
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000),
                             .tv_nsec = (long)(deadline_ns % 1000000000)};
    (void)pthread_cond_timedwait(cond, &lock->mutex, &until); /* ETIMEDOUT: the caller looks at its clock */
}
