/* What the profiler asks of the operating system: threads, CPU clocks and safe reads of our own memory.
 *
 * One header, one file per system (os_linux.c, os_macos.c). Every function may be called from any thread,
 * never needs the GIL and never installs a signal handler.
 */
#ifndef VG_PROFILER_OS_OS_H
#define VG_PROFILER_OS_OS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The kernel's id of the calling thread. */
int32_t vg_os_thread_id(void);

/* CPU time used so far by the thread of this process with that kernel id. VG_ERR_NOT_FOUND where there is
 * none: the id, unlike a pthread_t, may be of a thread that is dead. About 130 ns. */
enum vg_err vg_os_thread_cpu_ns(int32_t thread_id, int64_t *cpu_ns) VG_MUST_USE;
int64_t vg_os_own_cpu_ns(void);     /* of the calling thread */
int64_t vg_os_process_cpu_ns(void); /* of the whole process, dead threads included */

/* The name that the kernel knows a thread by, "" where it cannot be read; NUL-terminated. For threads with
 * descriptors of their own only. */
void vg_os_thread_kernel_name(int32_t thread_id, char name[16]);

/* Copies memory of this process that may not be mapped: fails instead of faulting. About 360 ns. */
enum vg_err vg_os_read(uintptr_t from, void *to, size_t len) VG_MUST_USE;

struct vg_os_span {
    uintptr_t from;
    size_t len; /* bytes */
};
#define VG_OS_MAX_SPANS 512
/* Copies n ≤ VG_OS_MAX_SPANS spans one behind the other into `to` in one system call. Returns how many bytes
 * were copied from the front: a span that is not mapped ends the copy. */
size_t vg_os_read_spans(const struct vg_os_span *spans, size_t n, void *to);

/* After fork, in the child: what we remembered of the process is stale. */
void vg_os_after_fork(void);

/* Where a pthread_t keeps the kernel's thread id, in bytes from its start: found by looking for our own in
 * two threads. VG_ERR_UNSUPPORTED where it cannot be found. */
enum vg_err vg_os_thread_id_offset(size_t *offset) VG_MUST_USE;

/* A thread of ours: blocks all signals, has a small stack where that is possible, and a name for `top`. */
struct vg_os_thread {
    pthread_t handle;
    int32_t id; /* the kernel's; 0 until it has begun */
    void *(*run)(void *ctx);
    void *ctx;
};
/* thread must live until it is joined. VG_ERR_NOMEM where there can be no more threads. */
enum vg_err vg_os_thread_start(struct vg_os_thread *thread, const char *name, void *(*run)(void *),
                               void *ctx) VG_MUST_USE;
/* Waits until it has returned and, for 100 ms at most, until the kernel counts it no more: Python 3.12 and
 * later counts the process's threads at fork and warns about more than one in the program's name. */
void vg_os_thread_join(struct vg_os_thread *thread);

/* Whether a thread of this process wants to run, though it may not be on a CPU. For threads with descriptors
 * of their own only (vg_descriptors_own): it opens a file of /proc. About 5 µs. */
bool vg_os_thread_is_runnable(int32_t thread_id);

#endif
