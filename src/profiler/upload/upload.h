/* From finished windows to the Agent: a bounded queue, one thread, back-off.
 *
 * A job comes in raw; the thread encodes it, compresses it, writes DD_PROFILING_OUTPUT_PPROF's file, builds
 * the body of POST /profiling/v1/input and sends it over http (TCP or Unix socket). For https the bodies wait
 * for Python, which takes them with next and done. What could not be sent is kept and sent later; the oldest
 * goes first when there is no room. Same profile sent twice is harmless: the server knows it by runtime-id
 * and profile_seq.
 *
 * The thread takes no GIL, blocks all signals, installs no handler, raises no SIGPIPE, and where the kernel
 * can has a table of descriptors of its own: the host may close everything, and our sockets are not among its
 * numbers.
 *
 * Legal order: new, then push | flush | counters | next | done in any order from any thread; pause and resume
 * in turn; in a forked child, child; free once. None of them may be called by a job's functions, and none
 * needs the GIL: those that wait (flush, pause, next, free) should be called without it.
 */
#ifndef VG_PROFILER_UPLOAD_UPLOAD_H
#define VG_PROFILER_UPLOAD_UPLOAD_H

#include "base/buf.h"

/* What may wait for the Agent. */
#define VG_UPLOAD_QUEUE_PROFILES 16
#define VG_UPLOAD_QUEUE_BYTES    (16u << 20)

/* All text is copied; NULL is as "". */
struct vg_upload_config {
    const char
        *url; /* "http://host[:port][/base]", "unix:///path", "https://…" (sent by Python), "" (nowhere) */
    const char *tags;          /* tags_profiler, finished but for profile_seq, UTF-8 */
    const char *output_prefix; /* files PREFIX.PID.SEQ.pprof, "": none */
    const char
        *zlib_path; /* a library or extension module that has or brings zlib, "": look in the process alone */
    int64_t api_timeout_ns;       /* of one exchange; 0: 10 s */
    const struct vg_alloc *alloc; /* borrowed, thread-safe; NULL: the C library */
};

/* A finished window. The queue owns it from push on, and calls free exactly once, on any thread, perhaps with
 * its own lock held (so free takes none of ours). */
struct vg_upload_job {
    /* Called at most once, on the upload thread, without a lock of ours and without the GIL. pprof: plain
     * profile.proto. internal_json: members of a JSON object without the braces ("\"samples\":12,\"cut\":0"),
     * or nothing. Must not use descriptors opened elsewhere: the thread has its own table. */
    enum vg_err (*encode)(void *ctx, struct vg_buf *pprof, struct vg_buf *internal_json);
    void (*free)(void *ctx);
    void *ctx;
    int64_t start_ns; /* UTC */
    int64_t end_ns;
    uint64_t seq; /* 0, 1, 2 … of this runtime-id */
};

struct vg_upload_counters {
    uint64_t sent;    /* profiles answered 2xx */
    uint64_t retried; /* attempts that failed and will be repeated */
    uint64_t
        refused; /* profiles given up: the server says that they are wrong (see verdict_of in upload.c) */
    uint64_t dropped_oldest; /* profiles that made room for newer ones */
    uint64_t failed_encode;  /* profiles that could not be encoded or compressed */
    uint64_t failed_output;  /* files that could not be written */
    uint64_t bytes;          /* of bodies answered 2xx */
    uint64_t cpu_ns;         /* of our thread, all its lives together */
    uint32_t queued;         /* profiles waiting now */
    int last_status; /* of the last answer; 0: none yet; -1: no answer (refused, timed out, not HTTP) */
};

enum vg_upload_verdict { VG_UPLOAD_ACCEPTED = 0, VG_UPLOAD_RETRY = 1, VG_UPLOAD_REFUSED = 2 };

struct vg_upload;

/* Starts the thread. VG_ERR_MALFORMED: the URL; VG_ERR_NOMEM; VG_ERR_IO: no thread could be started. */
enum vg_err vg_upload_new(const struct vg_upload_config *config, struct vg_upload **up) VG_MUST_USE;
/* Stops the thread, at once, and drops what is left: flush first. NULL is allowed. */
void vg_upload_free(struct vg_upload *up);

/* Takes the job, always. Never waits for I/O. */
void vg_upload_push(struct vg_upload *up, struct vg_upload_job job);

/* Sends what is queued without waiting for its back-off, until done, until an attempt fails or until the
 * monotonic deadline. VG_OK: nothing is left. VG_ERR_TIMEOUT; VG_ERR_IO: an attempt failed. Nothing is
 * dropped. */
enum vg_err vg_upload_flush(struct vg_upload *up, int64_t deadline_ns) VG_MUST_USE;

/* Stops the thread within some 10 ms (longer only inside encode), an exchange under way is broken off and
 * repeated later; the queue is kept. Idempotent. */
void vg_upload_pause(struct vg_upload *up);
/* Starts it again. VG_ERR_IO: no thread could be started; the queue is kept. */
enum vg_err vg_upload_resume(struct vg_upload *up) VG_MUST_USE;

/* In the forked child, instead of resume: everything of the parent is forgotten, its locks are made anew and
 * its thread and sockets are not touched. Afterwards as after pause, with an empty queue: free it. */
void vg_upload_child(struct vg_upload *up);

struct vg_upload_counters vg_upload_counters_now(struct vg_upload *up);

/* https only, one caller at a time: waits for a body that is due, through pauses too. The slices stay valid
 * until done, child or free. VG_ERR_TIMEOUT at the monotonic deadline, VG_ERR_CANCELLED when the queue is
 * being freed. */
enum vg_err vg_upload_next(struct vg_upload *up, int64_t deadline_ns, struct vg_slice *body,
                           struct vg_slice *content_type, uint64_t *seq) VG_MUST_USE;
void vg_upload_done(struct vg_upload *up, uint64_t seq, enum vg_upload_verdict verdict);

#endif
