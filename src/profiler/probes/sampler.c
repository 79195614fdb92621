/* See sampler.h. When to look (this file), at which threads (threads.c), and what is made of it (account.c).
 */
#include "profiler/probes/sampler.h"

#include <string.h>

#include "base/clock.h"
#include "profiler/os/descriptors.h"
#include "profiler/os/os.h"
#include "profiler/probes/account.h"

/* When nothing has run for so many ticks, the next one is put off further and further: a wake-up costs 11 –
 * 24 µs of CPU whatever it then does. 50 ms: an idle program costs less than 0.05 % of a core. */
#define IDLE_TICKS_BEFORE_BACKOFF 20u
#define MAX_IDLE_INTERVAL_NS      (50 * VG_NS_PER_MS)
/* CPU time that nobody we know has used, before all clocks are read to find out who did. */
#define TRIP_WIRE_NS (50 * VG_NS_PER_US)
/* The interpreter's list is read again after this time even if nothing hints at a change. */
#define REFRESH_NS VG_NS_PER_S
/* How often a list with threads that have not started yet is read again, tick after tick. */
#define MAX_HASTY_REFRESHES 20u
/* Weight of the newest tick in the running mean of what a tick costs. */
#define COST_WEIGHT 0.05

struct vg_sampler {
    struct vg_sampler_config config;
    struct vg_account account;
    struct vg_lock lock; /* guards `wanted` only */
    pthread_cond_t wake;
    bool wanted; /* the thread shall go on */
    bool has_thread;
    struct vg_os_thread thread;

    int64_t period_ns;
    int64_t window_end_ns; /* monotonic */
    int64_t refreshed_ns;
    unsigned hasty_refreshes;
    unsigned idle_ticks;
    double tick_cost_ns;       /* running mean of our CPU time per tick */
    int64_t own_cpu_ns;        /* our clock at the end of the last tick */
    int64_t own_cpu_before_ns; /* of threads of ours that were joined */
    int64_t absorbed_ns;       /* CPU of the process that is known to be of no Python thread */
    uint64_t random;
};

enum vg_err vg_sampler_new(const struct vg_sampler_config *config, struct vg_reader *reader,
                           struct vg_names *names, struct vg_sampler **out)
{
    struct vg_sampler *sampler = vg_alloc_zeroed(NULL, 1, sizeof *sampler);
    if (!sampler)
        return VG_ERR_NOMEM;
    sampler->config = *config;
    sampler->period_ns = VG_NS_PER_S / config->sample_hz;
    sampler->random = (uint64_t)vg_clock_now_ns(NULL) | 1;
    vg_lock_init(&sampler->lock, VG_RANK_SAMPLER);
    vg_cond_init(&sampler->wake);
    enum vg_err err = vg_account_init(&sampler->account, &sampler->config, sampler->period_ns, reader, names);
    if (err != VG_OK) {
        vg_sampler_free(sampler);
        return err;
    }
    *out = sampler;
    return VG_OK;
}

void vg_sampler_free(struct vg_sampler *sampler)
{
    if (!sampler)
        return;
    vg_account_release(&sampler->account);
    pthread_cond_destroy(&sampler->wake);
    vg_lock_release(&sampler->lock);
    vg_alloc_release(NULL, sampler);
}

/* ---- one tick ---- */

static int64_t own_cpu(const struct vg_sampler *sampler)
{
    return sampler->own_cpu_before_ns + vg_os_own_cpu_ns();
}

/* CPU of the process that neither we nor a known Python thread have used, nor is known to be foreign. */
static int64_t unexplained(const struct vg_sampler *sampler)
{
    return vg_os_process_cpu_ns() - own_cpu(sampler) - sampler->account.known_cpu_ns - sampler->absorbed_ns;
}

static void refresh(struct vg_sampler *sampler, int64_t now_ns)
{
    bool whole = vg_account_refresh(&sampler->account, now_ns);
    sampler->refreshed_ns = now_ns;
    sampler->hasty_refreshes = whole ? 0 : sampler->hasty_refreshes + 1;
}

static bool wants_refresh(struct vg_sampler *sampler, int64_t now_ns)
{
    return now_ns - sampler->refreshed_ns >= REFRESH_NS ||
           vg_reader_threads_changed(sampler->account.reader) ||
           (sampler->hasty_refreshes > 0 && sampler->hasty_refreshes < MAX_HASTY_REFRESHES);
}

static void tick(struct vg_sampler *sampler, int64_t now_ns)
{
    struct vg_account *account = &sampler->account;
    account->window->counts.ticks++;
    if (wants_refresh(sampler, now_ns))
        refresh(sampler, now_ns);
    vg_account_active(account, now_ns);
    if (account->threads_are_stale)
        refresh(sampler, now_ns);
    if (unexplained(sampler) > TRIP_WIRE_NS) {
        account->window->counts.sweeps++;
        vg_account_sweep(account, now_ns);
        if (account->threads_are_stale)
            refresh(sampler, now_ns);
        /* What is left is of threads without Python. Whoever woke during the sweep trips the wire again. */
        int64_t left = unexplained(sampler);
        sampler->absorbed_ns += left > 0 ? left : 0;
    }
    sampler->idle_ticks = account->threads.n_active ? 0 : sampler->idle_ticks + 1;
    account->last_tick_ns = now_ns;
}

/* ---- when ---- */

static uint64_t next_random(struct vg_sampler *sampler)
{
    /* xorshift64* (Vigna 2014): only has to be uneven. */
    sampler->random ^= sampler->random >> 12;
    sampler->random ^= sampler->random << 25;
    sampler->random ^= sampler->random >> 27;
    return sampler->random * UINT64_C(2685821657736338717);
}

/* The time to the next tick: jittered ± 50 % around the period, against lockstep with the program; longer
 * while nothing runs; longer where ticks cost more than the budget allows. */
static int64_t interval_ns(struct vg_sampler *sampler)
{
    double mean = (double)sampler->period_ns;
    if (sampler->idle_ticks > IDLE_TICKS_BEFORE_BACKOFF && mean < (double)MAX_IDLE_INTERVAL_NS) {
        mean *= 1.0 + (double)(sampler->idle_ticks - IDLE_TICKS_BEFORE_BACKOFF) / 8.0;
        if (mean > (double)MAX_IDLE_INTERVAL_NS)
            mean = (double)MAX_IDLE_INTERVAL_NS;
    }
    if (sampler->config.cpu_budget > 0 && sampler->tick_cost_ns > mean * sampler->config.cpu_budget) {
        mean = sampler->tick_cost_ns / sampler->config.cpu_budget;
        sampler->account.window->counts.over_budget++;
    }
    return (int64_t)(mean * (0.5 + (double)(next_random(sampler) >> 11) / 9007199254740992.0));
}

/* Our CPU time since the last call goes into the running mean and into the window. */
static void charge(struct vg_sampler *sampler)
{
    int64_t cpu = own_cpu(sampler), cost = cpu - sampler->own_cpu_ns;
    sampler->own_cpu_ns = cpu;
    sampler->account.window->counts.sampler_cpu_ns += cost;
    sampler->tick_cost_ns += COST_WEIGHT * ((double)cost - sampler->tick_cost_ns);
}

static void finish_window(struct vg_sampler *sampler, int64_t now_ns)
{
    charge(sampler);
    struct vg_window *full = vg_account_swap(&sampler->account, now_ns);
    if (full)
        sampler->config.deliver(sampler->config.ctx, full);
    sampler->window_end_ns = now_ns + sampler->config.window_ns;
}

static bool sleep_until(struct vg_sampler *sampler, int64_t deadline_ns)
{
    vg_lock_take(&sampler->lock);
    while (sampler->wanted && vg_clock_monotonic_ns(NULL) < deadline_ns)
        vg_lock_wait(&sampler->lock, &sampler->wake, deadline_ns);
    bool wanted = sampler->wanted;
    vg_lock_give(&sampler->lock);
    return wanted;
}

static void *run(void *ctx)
{
    struct vg_sampler *sampler = ctx;
    sampler->account.may_open_files = vg_descriptors_own();
    sampler->own_cpu_ns = own_cpu(sampler);
    int64_t next = vg_clock_monotonic_ns(NULL);
    while (sleep_until(sampler, next)) {
        int64_t now = vg_clock_monotonic_ns(NULL);
        tick(sampler, now);
        if (now >= sampler->window_end_ns)
            finish_window(sampler, now);
        charge(sampler);
        next = now + interval_ns(sampler);
        if (next > sampler->window_end_ns)
            next = sampler->window_end_ns > now ? sampler->window_end_ns : now;
    }
    sampler->own_cpu_before_ns = own_cpu(sampler);
    sampler->account.may_open_files = false;
    return NULL;
}

/* ---- life ---- */

enum vg_err vg_sampler_start(struct vg_sampler *sampler)
{
    if (sampler->has_thread)
        return VG_OK;
    if (sampler->window_end_ns == 0) {
        int64_t now = vg_clock_monotonic_ns(NULL);
        sampler->window_end_ns = now + sampler->config.first_window_ns;
        vg_account_begin(&sampler->account, now);
        /* Everything used so far was before our time. */
        sampler->absorbed_ns = vg_os_process_cpu_ns() - sampler->account.known_cpu_ns;
    }
    sampler->wanted = true;
    enum vg_err err = vg_os_thread_start(&sampler->thread, "vigil-sampler", run, sampler);
    sampler->has_thread = err == VG_OK;
    return err;
}

void vg_sampler_pause(struct vg_sampler *sampler)
{
    if (!sampler->has_thread)
        return;
    vg_lock_take(&sampler->lock);
    sampler->wanted = false;
    pthread_cond_signal(&sampler->wake);
    vg_lock_give(&sampler->lock);
    vg_os_thread_join(&sampler->thread);
    sampler->has_thread = false;
}

void vg_sampler_stop(struct vg_sampler *sampler)
{
    vg_sampler_pause(sampler);
    if (sampler->window_end_ns == 0)
        return;
    /* On the caller's thread, so what this costs is the caller's: a last look, then the hand-over. */
    int64_t now = vg_clock_monotonic_ns(NULL), before = vg_os_own_cpu_ns();
    sampler->own_cpu_before_ns -=
        before; /* own_cpu() adds this thread's clock: only what we use from here counts */
    tick(sampler, now);
    finish_window(sampler, now);
    sampler->own_cpu_before_ns += before;
}
