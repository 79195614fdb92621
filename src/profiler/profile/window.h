/* One upload's worth of samples: filled by the sampler, then handed over whole, so that a swap stops nobody.
 *
 * Two kinds of sample lie in it: those with the time they ended, one behind the other, and, once
 * VG_WINDOW_MAX_SAMPLES of these are there or where no timeline is wanted, merged ones without a time. One
 * owner at a time.
 */
#ifndef VG_PROFILER_PROFILE_WINDOW_H
#define VG_PROFILER_PROFILE_WINDOW_H

#include <stdbool.h>

#include "base/err.h"
#include "base/map.h"
#include "profiler/stacks/stacks.h"
#include "profiler/stacks/symbols.h"

#define VG_WINDOW_MAX_SAMPLES 65536u
#define VG_WINDOW_MAX_THREADS 16384u
#define VG_THREAD_NAME_BYTES  64u /* longer names are cut at a character */

/* A thread that stayed in one stack for a while. */
struct vg_sample {
    uint32_t stack;  /* id in the window's stacks */
    uint32_t thread; /* number in the window's threads */
    uint32_t count;  /* ticks that found it using CPU */
    bool is_cut;     /* see vg_resolved */
    int64_t end_ns;  /* UTC; 0: merged, no time */
    int64_t wall_ns, cpu_ns;
};

struct vg_window_thread {
    uint64_t ident;    /* threading.get_ident(); 0: not a thread ("[unattributed]") */
    int32_t thread_id; /* the kernel's */
    char name[VG_THREAD_NAME_BYTES];
};

/* What the profiler did and could not do during the window; travels with it. */
struct vg_window_counts {
    uint64_t ticks;             /* wake-ups of the sampler */
    uint64_t stacks_captured;   /* stacks read */
    uint64_t stacks_reused;     /* thread-samples whose thread had not moved */
    uint64_t stacks_cut;        /* inconsistent, cut at the first bad edge */
    uint64_t stacks_joined;     /* read in two looks, joined at a known call */
    uint64_t stacks_truncated;  /* deeper than the limit */
    uint64_t stacks_unreadable; /* nothing left after cutting */
    uint64_t threads_lost;      /* thread-samples without a stack: the thread was gone */
    uint64_t samples_untimed;   /* samples that lost their time because there were too many */
    uint64_t samples_dropped;   /* no memory for them */
    uint64_t sweeps;            /* times all threads' clocks were read */
    uint64_t over_budget;       /* ticks that were put off to stay under the CPU budget */
    int64_t sampler_cpu_ns;     /* CPU time of the sampler's thread */
    int64_t process_cpu_ns;     /* CPU time of the whole process */
};

struct vg_window {
    struct vg_symbols *symbols; /* one reference */
    struct vg_stacks stacks;
    struct vg_sample *samples;
    uint32_t n_samples, samples_cap;
    struct vg_map merged; /* (stack, thread, cut) → number of the merged sample */
    struct vg_window_thread *threads;
    uint32_t n_threads, threads_cap;
    bool has_timeline;
    int64_t start_ns, end_ns;      /* UTC */
    int64_t period_ns;             /* aimed at */
    uint32_t n_codes, n_locations; /* of symbols, when the window was sealed */
    struct vg_window_counts counts;
    const struct vg_alloc *alloc;
};

/* Takes a reference to symbols. */
enum vg_err vg_window_new(struct vg_symbols *symbols, bool has_timeline, const struct vg_alloc *alloc,
                          struct vg_window **window) VG_MUST_USE;
void vg_window_free(struct vg_window *window); /* NULL is allowed */

/* The number of a new thread entry, to be used in samples; UINT32_MAX where there is no room. */
uint32_t vg_window_add_thread(struct vg_window *window, uint64_t ident, int32_t thread_id,
                              struct vg_slice name);

/* No more samples: from here on another thread may own the window while the sampler goes on filling symbols.
 */
void vg_window_seal(struct vg_window *window, int64_t end_ns);

/* Never fails visibly: without room the sample's time goes, without memory the sample, and either is counted.
 */
void vg_window_add(struct vg_window *window, const struct vg_sample *sample);

#endif
