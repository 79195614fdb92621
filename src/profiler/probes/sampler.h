/* The sampler: a thread that looks at all Python threads about DD_PROFILING_SAMPLE_HZ times a second and
 * never takes the GIL. Produces windows.
 *
 * Legal order: new, start, then (pause, resume)*, stop, free. start and resume make the thread, pause and
 * stop join it. In a forked child free is enough (nothing of it lives on: pause comes before fork).
 */
#ifndef VG_PROFILER_PROBES_SAMPLER_H
#define VG_PROFILER_PROBES_SAMPLER_H

#include "profiler/cpython/reader.h"
#include "profiler/profile/names.h"
#include "profiler/profile/window.h"

struct vg_sampler_config {
    int sample_hz;           /* 1 – 10,000 */
    double cpu_budget;       /* of one core, 0.01 is 1 %; 0: none */
    uint32_t max_frames;     /* ≤ VG_MAX_FRAMES */
    bool has_timeline;       /* samples keep their time */
    bool leaves_out_itself;  /* our own CPU time is not shown */
    int64_t first_window_ns; /* so that a newcomer soon sees something */
    int64_t window_ns;
    /* Takes a finished window, on the sampler's thread or on the one that called stop. */
    void (*deliver)(void *ctx, struct vg_window *window);
    /* CPU time used so far by our other threads. */
    int64_t (*helpers_cpu_ns)(void *ctx);
    void *ctx;
};

struct vg_sampler;

/* Borrows reader and names. */
enum vg_err vg_sampler_new(const struct vg_sampler_config *config, struct vg_reader *reader,
                           struct vg_names *names, struct vg_sampler **sampler) VG_MUST_USE;
enum vg_err vg_sampler_start(struct vg_sampler *sampler) VG_MUST_USE;
/* Joins the thread, within some 100 µs; all state is kept. */
void vg_sampler_pause(struct vg_sampler *sampler);
/* Delivers what there is, up to now. */
void vg_sampler_stop(struct vg_sampler *sampler);
void vg_sampler_free(struct vg_sampler *sampler); /* paused or stopped; NULL is allowed */

#endif
