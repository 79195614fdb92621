/* The threads that the sampler knows: one slot each, found again by thread state, and kept in step with the
 * interpreter's list. Sampler only. */
#ifndef VG_PROFILER_PROBES_THREADS_H
#define VG_PROFILER_PROBES_THREADS_H

#include <stdbool.h>

#include "base/map.h"
#include "profiler/cpython/reader.h"

#define VG_MAX_THREADS 16384u
#define VG_NO_THREAD   UINT32_MAX

struct vg_thread {
    struct vg_thread_ref ref;
    bool is_used;
    uint32_t seen_in_list; /* number of the last complete or partial listing that had it */

    int64_t cpu_ns;         /* its clock when last looked at */
    int64_t accounted_ns;   /* monotonic: its wall time is in samples up to here */
    int64_t pending_cpu_ns; /* used, but not yet ascribed to a stack */
    bool is_active;         /* in the list of those looked at every tick */
    bool was_running;       /* was on a CPU when its stack was last read */
    uint8_t still_ticks;    /* looks since its clock last advanced */

    bool has_stack;
    uint32_t stack; /* id in the current window */
    bool is_cut;
    uint32_t resolved_in;        /* generation of code addresses that it was resolved in */
    struct vg_raw_frame *frames; /* its last capture, owned */
    uint32_t n_frames, frames_cap;
    enum vg_raw_end end;
    bool has_whole_frames; /* that capture was of one piece */

    int64_t run_wall_ns, run_cpu_ns; /* in this stack since the last sample was written */
    uint32_t run_count;

    uint32_t window_thread; /* its number in the current window, or UINT32_MAX */
    char kernel_name[16];   /* "" until it could be read */
    uint32_t name_version;  /* of the name that it has there; 0: none from Python */
};

struct vg_threads {
    struct vg_thread *slots;
    uint32_t n, cap;  /* slots used at some time; allocated */
    uint32_t free;    /* slots that were used and are not */
    uint32_t *active; /* numbers of slots */
    uint32_t n_active;
    struct vg_map by_tstate; /* address of the thread state → slot */
    struct vg_map by_id;     /* kernel thread id → slot */
    struct vg_thread_ref *listing;
    size_t listing_cap;
    uint32_t listings;
};

void vg_threads_init(struct vg_threads *threads);
void vg_threads_release(struct vg_threads *threads);

struct vg_threads_events {
    void (*born)(void *ctx, struct vg_thread *thread); /* in a new slot, otherwise empty */
    void (*died)(void *ctx, struct vg_thread *thread); /* before the slot is emptied */
    void *ctx;
};

/* Takes over the interpreter's list as it is now. False where it could not be read whole: come again at the
 * next tick. */
bool vg_threads_refresh(struct vg_threads *threads, struct vg_reader *reader,
                        const struct vg_threads_events *events);

/* Empties the slot of a thread that is known to be gone. */
void vg_threads_remove(struct vg_threads *threads, struct vg_thread *thread,
                       const struct vg_threads_events *events);

void vg_threads_activate(struct vg_threads *threads, struct vg_thread *thread);
/* Takes those out of the active list that are no longer is_active. */
void vg_threads_prune_active(struct vg_threads *threads);

/* Keeps the capture in the slot, to predict the next one and to be compared with it. */
void vg_thread_keep_frames(struct vg_thread *thread, const struct vg_raw_stack *raw);
bool vg_thread_has_frames(const struct vg_thread *thread, const struct vg_raw_stack *raw);

#endif
