#include "profiler/upload/upload.h"

#include "base/clock.h"
#include "base/lock.h"
#include "base/map.h"
#include "profiler/os/descriptors.h"
#include "profiler/os/os.h"
#include "profiler/upload/gzip.h"
#include "profiler/upload/http.h"
#include "profiler/upload/multipart.h"
#include "profiler/upload/outfile.h"
#include "profiler/upload/policy.h"
#include "profiler/upload/queue.h"

#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#define RESOURCE       "/profiling/v1/input"
#define TIMEOUT_NS     (10 * VG_NS_PER_S)
#define PPROF_LIMIT    (64u << 20) /* one profile, uncompressed; the sampler's own bounds lie far below */
#define INTERNAL_LIMIT (64u << 10)

struct vg_upload {
    /* Set once in new. */
    struct vg_url url;
    char *tags;
    char *output_prefix;
    char *zlib_path;
    int64_t timeout_ns;
    const struct vg_alloc *alloc;

    /* Of the upload thread alone. */
    struct vg_gzip gzip;
    bool gzip_found;

    atomic_bool cancel; /* set by pause and flush under the lock, looked at by the exchange without it */

    struct vg_lock lock; /* guards all that follows */
    pthread_cond_t wake; /* for the thread and next: something to do, or stop */
    pthread_cond_t idle; /* for flush and free: the queue, an attempt, the thread or a waiter has changed */
    struct vg_os_thread thread;
    bool running;
    bool stopping;
    bool sending;    /* the thread is in an exchange */
    bool closing;    /* free has begun */
    unsigned takers; /* calls of next that are inside */
    struct vg_upload_queue queue;
    struct vg_backoff backoff;
    int64_t next_attempt_ns; /* monotonic: nothing is sent before */
    bool flushing;           /* next_attempt_ns does not count */
    bool flush_failed;       /* an attempt has failed since flush began */
    int64_t flush_deadline_ns;
    uint64_t cpu_before_ns; /* of earlier lives of the thread */
    struct vg_upload_counters counters;
};

/* Takes an entry out of the queue and frees it; with the lock. */
static void remove_entry(struct vg_upload *up, struct vg_upload_entry *entry)
{
    vg_upload_queue_remove(&up->queue, entry);
    up->counters.queued = (uint32_t)up->queue.count;
    pthread_cond_broadcast(&up->idle);
    vg_upload_entry_free(entry, up->alloc);
}

/* --- encoding, on the thread --- */

static enum vg_err build_body(struct vg_upload *up, struct vg_upload_entry *entry, struct vg_slice internal,
                              struct vg_slice gz)
{
    struct vg_multipart_event event = {.tags = up->tags,
                                       .internal_json = internal,
                                       .start_ns = entry->job.start_ns,
                                       .end_ns = entry->job.end_ns,
                                       .seq = entry->job.seq};

    return vg_multipart_build(&event, gz, &entry->body, entry->type);
}

/* Without the lock. *output_failed: the file could not be written, which does not stop the upload. */
static enum vg_err encode(struct vg_upload *up, struct vg_upload_entry *entry, bool *output_failed)
{
    struct vg_buf pprof, internal, gz;
    enum vg_err err;

    vg_buf_init(&pprof, PPROF_LIMIT, up->alloc);
    vg_buf_init(&internal, INTERNAL_LIMIT, up->alloc);
    vg_buf_init(&gz, VG_UPLOAD_QUEUE_BYTES, up->alloc);
    if (!up->gzip_found)
        vg_gzip_find(&up->gzip, up->zlib_path);
    up->gzip_found = true;
    err = entry->job.encode(entry->job.ctx, &pprof, &internal);
    vg_upload_entry_free_job(entry);
    if (!err)
        err = pprof.err ? pprof.err : internal.err; /* in case it did not look itself */
    if (!err)
        err = vg_gzip_append(&up->gzip, vg_buf_as_slice(&pprof), &gz);
    vg_buf_release(&pprof);
    if (!err && up->output_prefix[0])
        *output_failed = vg_outfile_write(up->output_prefix, entry->job.seq, vg_buf_as_slice(&gz)) != VG_OK;
    if (!err && up->url.kind != VG_URL_NONE)
        err = build_body(up, entry, vg_buf_as_slice(&internal), vg_buf_as_slice(&gz));
    vg_buf_release(&gz);
    vg_buf_release(&internal);
    return err;
}

/* Makes room for what was just encoded: it is the newest, so older ones go first. */
static void drop_for_bytes(struct vg_upload *up, struct vg_upload_entry *kept)
{
    while (vg_upload_queue_bytes(&up->queue) > VG_UPLOAD_QUEUE_BYTES) {
        struct vg_upload_entry *oldest = vg_upload_queue_oldest(&up->queue);
        if (!oldest || oldest == kept)
            return; /* what is left is being sent, or is the newest: one body is bounded on its own */
        remove_entry(up, oldest);
        up->counters.dropped_oldest++;
    }
}

static void encode_entry(struct vg_upload *up, struct vg_upload_entry *entry)
{
    bool output_failed = false;
    enum vg_err err;

    entry->busy = true;
    vg_lock_give(&up->lock);
    err = encode(up, entry, &output_failed);
    vg_lock_take(&up->lock);
    entry->busy = false;
    entry->encoded = true;
    up->counters.failed_output += output_failed;
    up->counters.failed_encode += err != VG_OK;
    if (err || up->url.kind == VG_URL_NONE) {
        remove_entry(up, entry);
        return;
    }
    drop_for_bytes(up, entry);
    pthread_cond_broadcast(&up->wake); /* next may wait for it */
    pthread_cond_broadcast(&up->idle); /* and so may flush */
}

/* --- sending --- */

/* With the lock; the entry may be gone afterwards. */
static void settle(struct vg_upload *up, struct vg_upload_entry *entry, enum vg_upload_verdict verdict,
                   int64_t retry_after_ns)
{
    entry->busy = false;
    if (verdict == VG_UPLOAD_RETRY) {
        up->next_attempt_ns = vg_clock_monotonic_ns(NULL) + vg_backoff_failed(&up->backoff, retry_after_ns);
        up->flush_failed = true;
        up->counters.retried++;
        pthread_cond_broadcast(&up->idle);
        return;
    }
    vg_backoff_succeeded(&up->backoff);
    up->next_attempt_ns = 0;
    if (verdict == VG_UPLOAD_ACCEPTED) {
        up->counters.sent++;
        up->counters.bytes += entry->body.len;
    } else {
        up->counters.refused++;
    }
    remove_entry(up, entry);
}

static void send_entry(struct vg_upload *up, struct vg_upload_entry *entry)
{
    struct vg_http_reply reply = {0};
    struct vg_http_post post = {.url = &up->url,
                                .resource = RESOURCE,
                                .content_type = entry->type,
                                .body = vg_buf_as_slice(&entry->body),
                                .deadline_ns = vg_clock_monotonic_ns(NULL) + up->timeout_ns,
                                .cancel = &up->cancel};
    enum vg_err err;

    if (up->flushing && up->flush_deadline_ns < post.deadline_ns)
        post.deadline_ns = up->flush_deadline_ns;
    entry->busy = up->sending = true;
    vg_lock_give(&up->lock);
    err = vg_http_post(&post, &reply);
    vg_lock_take(&up->lock);
    up->sending = false;
    if (err == VG_ERR_CANCELLED) {
        entry->busy = false; /* not the server's fault: no back-off */
        if (!up->stopping)
            atomic_store(&up->cancel, false); /* flush has broken it off, to begin anew */
        return;
    }
    up->counters.last_status = err ? -1 : reply.status;
    settle(up, entry, err ? VG_UPLOAD_RETRY : vg_policy_verdict(reply.status),
           reply.retry_after_s * VG_NS_PER_S);
}

/* --- the thread --- */

/* The oldest that may be sent now; *due_ns (monotonic, 0: never) says when to look again where there is none.
 */
static struct vg_upload_entry *first_due(const struct vg_upload *up, int64_t *due_ns)
{
    *due_ns = 0;
    if (up->queue.count == 0 || !up->queue.entries[0]->encoded || up->queue.entries[0]->busy)
        return NULL;
    if (up->flushing ? !up->flush_failed : vg_clock_monotonic_ns(NULL) >= up->next_attempt_ns)
        return up->queue.entries[0];
    if (!up->flushing)
        *due_ns = up->next_attempt_ns;
    return NULL;
}

static void *upload_thread(void *arg)
{
    struct vg_upload *up = arg;
    int64_t due_ns = 0;

    vg_descriptors_own();
    vg_lock_take(&up->lock);
    while (!up->stopping) {
        struct vg_upload_entry *entry = vg_upload_queue_raw(&up->queue);
        if (entry) {
            encode_entry(up, entry);
        } else if (up->url.kind != VG_URL_HTTPS && (entry = first_due(up, &due_ns)) != NULL) {
            send_entry(up, entry);
        } else {
            up->counters.cpu_ns = up->cpu_before_ns + (uint64_t)vg_os_own_cpu_ns();
            vg_lock_wait(&up->lock, &up->wake, due_ns);
        }
    }
    up->cpu_before_ns += (uint64_t)vg_os_own_cpu_ns();
    up->counters.cpu_ns = up->cpu_before_ns;
    vg_lock_give(&up->lock);
    return NULL;
}

enum vg_err vg_upload_resume(struct vg_upload *up)
{
    vg_lock_take(&up->lock);
    if (!up->running)
        up->running = vg_os_thread_start(&up->thread, "vigil-upload", upload_thread, up) == VG_OK;
    bool running = up->running;
    vg_lock_give(&up->lock);
    return running ? VG_OK : VG_ERR_IO;
}

void vg_upload_pause(struct vg_upload *up)
{
    vg_lock_take(&up->lock);
    if (!up->running) {
        vg_lock_give(&up->lock);
        return;
    }
    up->stopping = true;
    atomic_store(&up->cancel, true);
    pthread_cond_broadcast(&up->wake);
    vg_lock_give(&up->lock);
    vg_os_thread_join(&up->thread);
    vg_lock_take(&up->lock);
    up->running = false;
    up->stopping = false;
    atomic_store(&up->cancel, false);
    pthread_cond_broadcast(&up->idle); /* a flush would wait in vain */
    vg_lock_give(&up->lock);
}

/* --- the border --- */

static char *copy_text(const struct vg_alloc *alloc, const char *text)
{
    size_t size = (text ? strlen(text) : 0) + 1;
    char *copy = vg_alloc_zeroed(alloc, size, 1);

    if (copy && text)
        memcpy(copy, text, size);
    return copy;
}

static void release(struct vg_upload *up)
{
    for (size_t i = 0; i < up->queue.count; i++)
        vg_upload_entry_free(up->queue.entries[i], up->alloc);
    vg_alloc_release(up->alloc, up->tags);
    vg_alloc_release(up->alloc, up->output_prefix);
    vg_alloc_release(up->alloc, up->zlib_path);
    pthread_cond_destroy(&up->wake);
    pthread_cond_destroy(&up->idle);
    vg_lock_release(&up->lock);
    vg_alloc_release(up->alloc, up);
}

enum vg_err vg_upload_new(const struct vg_upload_config *config, struct vg_upload **up)
{
    struct vg_url url;
    enum vg_err err = vg_url_parse(config->url, &url);
    struct vg_upload *new = err ? NULL : vg_alloc_zeroed(config->alloc, 1, sizeof(*new));

    if (!new)
        return err ? err : VG_ERR_NOMEM;
    new->url = url;
    new->alloc = new->queue.alloc = config->alloc;
    new->timeout_ns = config->api_timeout_ns > 0 ? config->api_timeout_ns : TIMEOUT_NS;
    new->backoff.random = vg_hash_u64((uint64_t)vg_clock_now_ns(NULL) ^ ((uint64_t)getpid() << 32));
    vg_lock_init(&new->lock, VG_RANK_UPLOAD);
    vg_cond_init(&new->wake);
    vg_cond_init(&new->idle);
    new->tags = copy_text(new->alloc, config->tags);
    new->output_prefix = copy_text(new->alloc, config->output_prefix);
    new->zlib_path = copy_text(new->alloc, config->zlib_path);
    err = new->tags && new->output_prefix && new->zlib_path ? vg_upload_resume(new) : VG_ERR_NOMEM;
    if (err)
        release(new);
    else
        *up = new;
    return err;
}

void vg_upload_free(struct vg_upload *up)
{
    if (!up)
        return;
    vg_upload_pause(up);
    vg_lock_take(&up->lock);
    up->closing = true;
    pthread_cond_broadcast(&up->wake);
    while (up->takers)
        vg_lock_wait(&up->lock, &up->idle, 0);
    vg_lock_give(&up->lock);
    release(up);
}

void vg_upload_push(struct vg_upload *up, struct vg_upload_job job)
{
    struct vg_upload_entry *entry = vg_upload_entry_new(up->alloc, job);
    struct vg_upload_entry *dropped = NULL;

    vg_lock_take(&up->lock);
    if (!entry) {
        up->counters.dropped_oldest++;
    } else {
        if (up->queue.count == VG_UPLOAD_QUEUE_PROFILES) {
            dropped = vg_upload_queue_oldest(&up->queue); /* there is one: at most two are worked on */
            vg_upload_queue_remove(&up->queue, dropped);
            up->counters.dropped_oldest++;
        }
        vg_upload_queue_add(&up->queue, entry);
        up->counters.queued = (uint32_t)up->queue.count;
        pthread_cond_broadcast(&up->wake);
    }
    vg_lock_give(&up->lock);
    if (!entry)
        job.free(job.ctx);
    if (dropped)
        vg_upload_entry_free(dropped, up->alloc);
}

/* How flush stands; VG_ERR_EXISTS: there is more to wait for. */
static enum vg_err flush_state(const struct vg_upload *up)
{
    if (up->queue.count == 0)
        return VG_OK;
    if (!up->running)
        return VG_ERR_IO;
    if (up->flush_failed && vg_upload_queue_all_encoded(&up->queue)) /* their files are written */
        return VG_ERR_IO;
    return vg_clock_monotonic_ns(NULL) >= up->flush_deadline_ns ? VG_ERR_TIMEOUT : VG_ERR_EXISTS;
}

enum vg_err vg_upload_flush(struct vg_upload *up, int64_t deadline_ns)
{
    int64_t now_ns = vg_clock_monotonic_ns(NULL);
    int64_t patience_ns = now_ns + (deadline_ns - now_ns) / 2;
    enum vg_err err;

    vg_lock_take(&up->lock);
    bool sending = up->sending;
    up->flushing = true;
    up->flush_failed = false;
    up->flush_deadline_ns = deadline_ns;
    pthread_cond_broadcast(&up->wake);
    while ((err = flush_state(up)) == VG_ERR_EXISTS) {
        sending = sending && up->sending;
        if (sending && vg_clock_monotonic_ns(NULL) >= patience_ns) {
            atomic_store(&up->cancel,
                         true); /* an exchange from before hangs: what is newer shall have its turn */
            sending = false;
        }
        vg_lock_wait(&up->lock, &up->idle, sending ? patience_ns : deadline_ns);
    }
    up->flushing = false;
    pthread_cond_broadcast(&up->wake); /* back to the back-off */
    vg_lock_give(&up->lock);
    return err;
}

void vg_upload_child(struct vg_upload *up)
{
    vg_lock_init(&up->lock, VG_RANK_UPLOAD);
    vg_cond_init(&up->wake);
    vg_cond_init(&up->idle);
    for (size_t i = 0; i < up->queue.count; i++)
        if (!up->queue.entries[i]
                 ->busy) /* one that was being worked on is in an unknown state, and left alone */
            vg_upload_entry_free(up->queue.entries[i], up->alloc);
    up->queue.count = 0;
    up->takers = 0;
    up->running = up->stopping = up->flushing = up->sending = false;
    vg_backoff_succeeded(&up->backoff);
    up->next_attempt_ns = 0;
    up->cpu_before_ns = 0;
    up->counters = (struct vg_upload_counters){0};
    atomic_store(&up->cancel, false);
}

struct vg_upload_counters vg_upload_counters_now(struct vg_upload *up)
{
    struct vg_upload_counters counters;

    vg_lock_take(&up->lock);
    counters = up->counters;
    vg_lock_give(&up->lock);
    return counters;
}

enum vg_err vg_upload_next(struct vg_upload *up, int64_t deadline_ns, struct vg_slice *body,
                           struct vg_slice *content_type, uint64_t *seq)
{
    struct vg_upload_entry *entry = NULL;
    enum vg_err err = VG_OK;

    vg_lock_take(&up->lock);
    up->takers++;
    while (!err) {
        int64_t due_ns = 0;
        if (!up->closing && (entry = first_due(up, &due_ns)) != NULL)
            break;
        if (up->closing)
            err = VG_ERR_CANCELLED;
        else if (vg_clock_monotonic_ns(NULL) >= deadline_ns)
            err = VG_ERR_TIMEOUT;
        else
            vg_lock_wait(&up->lock, &up->wake, due_ns && due_ns < deadline_ns ? due_ns : deadline_ns);
    }
    if (entry) {
        entry->busy = true;
        *body = vg_buf_as_slice(&entry->body);
        *content_type = vg_slice_of(entry->type);
        *seq = entry->job.seq;
    }
    up->takers--;
    pthread_cond_broadcast(&up->idle);
    vg_lock_give(&up->lock);
    return err;
}

void vg_upload_done(struct vg_upload *up, uint64_t seq, enum vg_upload_verdict verdict)
{
    vg_lock_take(&up->lock);
    if (up->queue.count && up->queue.entries[0]->busy && up->queue.entries[0]->encoded &&
        up->queue.entries[0]->job.seq == seq)
        settle(up, up->queue.entries[0], verdict, 0);
    pthread_cond_broadcast(&up->wake);
    vg_lock_give(&up->lock);
}
