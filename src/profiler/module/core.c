/* See core.h. */
#include "profiler/module/core.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "profiler/os/os.h"
#include "profiler/profile/encode.h"

static struct {
    pthread_mutex_t lock; /* guards all below; held through fork() by the atfork handlers */
    bool has_handlers;
    unsigned pauses; /* forks under way */
    bool is_running; /* started and not stopped, though its threads may be paused */
    struct vg_reader *reader;
    struct vg_sampler *sampler;
    struct vg_upload *upload;
    unsigned upload_users; /* threads that use `upload` without the lock: it must not be freed */
    uint64_t windows;      /* finished, also the next window's number; the sampler's thread counts */
    struct vg_names names;
} core = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- windows on their way out ---- */

struct job {
    struct vg_window *window;
    struct vg_upload_counters upload; /* as they stood when the window was finished */
};

static enum vg_err job_encode(void *ctx, struct vg_buf *pprof, struct vg_buf *internal_json)
{
    struct job *job = ctx;
    enum vg_err err = vg_encode(job->window, pprof, internal_json);
    if (err != VG_OK)
        return err;
    return vg_buf_printf(internal_json,
                         ",\"uploads_sent\":%" PRIu64 ",\"uploads_retried\":%" PRIu64
                         ",\"uploads_refused\":%" PRIu64 ",\"uploads_dropped\":%" PRIu64,
                         job->upload.sent, job->upload.retried, job->upload.refused,
                         job->upload.dropped_oldest);
}

static void job_free(void *ctx)
{
    struct job *job = ctx;
    vg_window_free(job->window);
    vg_alloc_release(NULL, job);
}

/* core.upload outlives the sampler, so that no lock is needed here. */
static void deliver(void *ctx, struct vg_window *window)
{
    (void)ctx;
    struct job *job = vg_alloc_zeroed(NULL, 1, sizeof *job);
    if (!job) {
        vg_window_free(window);
        return;
    }
    job->window = window;
    job->upload = vg_upload_counters_now(core.upload);
    uint64_t seq = __atomic_fetch_add(&core.windows, 1, __ATOMIC_RELAXED);
    vg_upload_push(core.upload,
                   (struct vg_upload_job){job_encode, job_free, job, window->start_ns, window->end_ns, seq});
}

static int64_t helpers_cpu_ns(void *ctx)
{
    (void)ctx;
    return (int64_t)vg_upload_counters_now(core.upload).cpu_ns;
}

/* ---- life; all under the lock ---- */

static void release_all(void)
{
    vg_sampler_free(core.sampler);
    vg_upload_free(core.upload);
    vg_reader_close(core.reader);
    core.sampler = NULL;
    core.upload = NULL;
    core.reader = NULL;
    core.is_running = false;
}

static void pause_threads(void)
{
    if (core.sampler)
        vg_sampler_pause(core.sampler);
    if (core.upload)
        vg_upload_pause(core.upload);
}

/* Threads that cannot be started again leave the program unprofiled, never disturbed. */
static void resume_threads(void)
{
    enum vg_err err = VG_OK;
    if (core.upload)
        err = vg_upload_resume(core.upload);
    if (err == VG_OK && core.is_running)
        err = vg_sampler_start(core.sampler);
    (void)err;
}

static enum vg_err start_locked(const struct vg_core_config *config, struct vg_reader *reader)
{
    struct vg_core_config own = *config;
    own.sampler.deliver = deliver;
    own.sampler.helpers_cpu_ns = helpers_cpu_ns;
    core.reader = reader;
    core.windows = 0;
    enum vg_err err = vg_upload_new(&own.upload, &core.upload);
    if (err == VG_OK)
        err = vg_sampler_new(&own.sampler, reader, &core.names, &core.sampler);
    if (err == VG_OK && core.pauses > 0)
        vg_upload_pause(core.upload); /* the sampler starts when the fork is over */
    else if (err == VG_OK)
        err = vg_sampler_start(core.sampler);
    core.is_running = err == VG_OK;
    if (err != VG_OK)
        release_all();
    return err;
}

enum vg_err vg_core_start(const struct vg_core_config *config, struct vg_reader *reader)
{
    enum vg_err err = VG_OK;
    pthread_mutex_lock(&core.lock);
    if (core.upload) /* runs, or is being stopped */
        vg_reader_close(reader);
    else
        err = start_locked(config, reader);
    pthread_mutex_unlock(&core.lock);
    return err;
}

/* The uploader, kept from being freed until put_upload; NULL where there is none. */
static struct vg_upload *get_upload(void)
{
    pthread_mutex_lock(&core.lock);
    struct vg_upload *upload = core.upload;
    core.upload_users += upload != NULL;
    pthread_mutex_unlock(&core.lock);
    return upload;
}

static void put_upload(void)
{
    pthread_mutex_lock(&core.lock);
    if (--core.upload_users == 0 && core.upload && !core.is_running)
        release_all();
    pthread_mutex_unlock(&core.lock);
}

void vg_core_stop(int64_t timeout_ns)
{
    int64_t deadline_ns = vg_clock_monotonic_ns(NULL) + timeout_ns;
    pthread_mutex_lock(&core.lock);
    bool was_running = core.is_running;
    if (was_running) {
        vg_sampler_stop(core.sampler);
        core.is_running = false;
        core.upload_users++;
    }
    pthread_mutex_unlock(&core.lock);
    if (!was_running)
        return;
    /* Without the lock: a fork in another thread need not wait for the network. What was not sent by then is
     * lost. */
    enum vg_err err = vg_upload_flush(core.upload, deadline_ns);
    (void)err;
    put_upload();
}

bool vg_core_is_running(void)
{
    pthread_mutex_lock(&core.lock);
    bool is_running = core.is_running;
    pthread_mutex_unlock(&core.lock);
    return is_running;
}

/* ---- fork ---- */

void vg_core_before_fork(void)
{
    pthread_mutex_lock(&core.lock);
    if (core.pauses++ == 0)
        pause_threads();
    pthread_mutex_unlock(&core.lock);
}

void vg_core_after_fork_parent(void)
{
    pthread_mutex_lock(&core.lock);
    if (core.pauses > 0 && --core.pauses == 0)
        resume_threads();
    pthread_mutex_unlock(&core.lock);
}

static void forget_parent(void)
{
    vg_os_after_fork();
    if (core.upload)
        vg_upload_child(core.upload);
    vg_names_child(&core.names);
    release_all();
    core.pauses = core.upload_users = 0;
    core.windows = 0;
}

void vg_core_after_fork_child(void)
{
    pthread_mutex_lock(&core.lock);
    if (core.pauses > 0)
        forget_parent(); /* no atfork handler ran: a fork by system call */
    pthread_mutex_unlock(&core.lock);
}

/* pthread_atfork: these three run inside fork(), whoever calls it, so the lock is held across it by one
 * thread. */
static void on_prepare(void)
{
    pthread_mutex_lock(&core.lock);
    if (core.pauses++ == 0)
        pause_threads();
}

static void on_parent(void)
{
    if (core.pauses > 0 && --core.pauses == 0)
        resume_threads();
    pthread_mutex_unlock(&core.lock);
}

static void on_child(void)
{
    forget_parent();
    pthread_mutex_unlock(&core.lock);
}

enum vg_err vg_core_init(void)
{
    if (core.has_handlers)
        return VG_OK;
    vg_names_init(&core.names);
    if (pthread_atfork(on_prepare, on_parent, on_child) != 0)
        return VG_ERR_NOMEM;
    core.has_handlers = true;
    return VG_OK;
}

/* ---- the rest ---- */

void vg_core_name_thread(uint64_t ident, int32_t thread_id, struct vg_slice name)
{
    vg_names_put(&core.names, ident, thread_id, name);
}

struct vg_core_info vg_core_get_info(void)
{
    struct vg_core_info info = {0};
    struct vg_upload *upload = get_upload();
    info.windows = __atomic_load_n(&core.windows, __ATOMIC_RELAXED);
    if (upload) {
        info.upload = vg_upload_counters_now(upload);
        put_upload();
    }
    info.is_running = vg_core_is_running();
    return info;
}

enum vg_err vg_core_next_upload(int64_t timeout_ns, struct vg_buf *body, struct vg_buf *content_type,
                                uint64_t *seq)
{
    struct vg_upload *upload = get_upload();
    struct vg_slice body_bytes, type_bytes;
    if (!upload)
        return VG_ERR_NOT_FOUND;
    enum vg_err err =
        vg_upload_next(upload, vg_clock_monotonic_ns(NULL) + timeout_ns, &body_bytes, &type_bytes, seq);
    if (err == VG_OK)
        err = vg_buf_slice(body, body_bytes);
    if (err == VG_OK)
        err = vg_buf_slice(content_type, type_bytes);
    put_upload();
    return err;
}

void vg_core_upload_done(uint64_t seq, enum vg_upload_verdict verdict)
{
    struct vg_upload *upload = get_upload();
    if (!upload)
        return;
    vg_upload_done(upload, seq, verdict);
    put_upload();
}
