/* The profiler as a whole: starts, stops, forks. The one place with global state, because a process has one
 * profiler, and pthread_atfork's handlers take no argument.
 *
 * Rule that keeps forks from dead-locking: whoever holds the core's lock never waits for the GIL, and nothing
 * of ours holds it from one Python call to the next.
 */
#ifndef VG_PROFILER_MODULE_CORE_H
#define VG_PROFILER_MODULE_CORE_H

#include "profiler/cpython/reader.h"
#include "profiler/probes/sampler.h"
#include "profiler/upload/upload.h"

struct vg_core_config {
    struct vg_sampler_config sampler; /* deliver, helpers_cpu_ns and ctx are the core's own */
    struct vg_upload_config upload;
};

/* Once a process, GIL held: makes it known to pthread_atfork. */
enum vg_err vg_core_init(void) VG_MUST_USE;

/* Takes reader in every case. VG_OK and no change where it runs already. Any thread. */
enum vg_err vg_core_start(const struct vg_core_config *config, struct vg_reader *reader) VG_MUST_USE;
/* Delivers the last window and tries to send what is left until timeout_ns have passed. Without the GIL.
 * Idempotent. */
void vg_core_stop(int64_t timeout_ns);
bool vg_core_is_running(void);

/* Around fork, nested as deep as you like: our threads are stopped from the first to the last. Any thread. */
void vg_core_before_fork(void);
void vg_core_after_fork_parent(void);
/* In the child: nothing of the parent's profile lives on, and nothing runs until the next start. */
void vg_core_after_fork_child(void);

void vg_core_name_thread(uint64_t ident, int32_t thread_id, struct vg_slice name);

struct vg_core_info {
    bool is_running;
    uint64_t windows; /* finished since start */
    struct vg_upload_counters upload;
};
struct vg_core_info vg_core_get_info(void);

/* https only; see upload.h. Without the GIL. next copies the body. */
enum vg_err vg_core_next_upload(int64_t timeout_ns, struct vg_buf *body, struct vg_buf *content_type,
                                uint64_t *seq) VG_MUST_USE;
void vg_core_upload_done(uint64_t seq, enum vg_upload_verdict verdict);

#endif
