/* What a look at a thread means for the profile: which stack its wall and CPU time since the last look belong
 * to. Sampler only. */
#ifndef VG_PROFILER_PROBES_ACCOUNT_H
#define VG_PROFILER_PROBES_ACCOUNT_H

#include "profiler/probes/sampler.h"
#include "profiler/probes/threads.h"
#include "profiler/stacks/resolve.h"

struct vg_account {
    const struct vg_sampler_config *config;
    struct vg_reader *reader;
    struct vg_names *names;
    struct vg_threads threads;
    struct vg_symbols *symbols;
    struct vg_window *window;
    int64_t period_ns;

    bool has_begun;
    bool may_open_files;    /* the calling thread has descriptors of its own */
    bool threads_are_stale; /* a thread turned out to be gone: read the list again */
    int64_t last_tick_ns;   /* monotonic */
    int64_t known_cpu_ns;   /* used by Python threads since we know them, dead ones included */
    uint32_t generation;    /* of code addresses: changes when one that we knew died */
    uint32_t names_version;
    int64_t names_checked_ns;
    int64_t utc_offset_ns; /* UTC minus monotonic */

    /* since the window began */
    int64_t ascribed_cpu_ns;
    int64_t process_cpu_start_ns, helpers_cpu_start_ns;

    struct vg_raw_stack raw;
    struct vg_resolved resolved;
    struct vg_resolver resolver;
};

enum vg_err vg_account_init(struct vg_account *account, const struct vg_sampler_config *config,
                            int64_t period_ns, struct vg_reader *reader, struct vg_names *names) VG_MUST_USE;
void vg_account_release(struct vg_account *account);

/* From now on time counts. */
void vg_account_begin(struct vg_account *account, int64_t now_ns);
/* Reads the interpreter's list of threads; false where it should be read again soon. */
bool vg_account_refresh(struct vg_account *account, int64_t now_ns);
/* Looks at those threads that ran lately. */
void vg_account_active(struct vg_account *account, int64_t now_ns);
/* Looks at all others, and at those that ran lately once more. */
void vg_account_sweep(struct vg_account *account, int64_t now_ns);
/* The finished window, sealed; NULL (and the window goes on) where there is no memory for a new one. */
struct vg_window *vg_account_swap(struct vg_account *account, int64_t now_ns);

#endif
