/* See account.h.
 *
 * Wall time since the last look goes to the stack that is found now: looks come at uneven times, so this is
 * unbiased. Two exceptions. A thread that had not moved until the last tick was certainly still where it was
 * until then. And after a long interval (nothing ran, ticks were put off) a thread that woke is given the new
 * stack only for the time that it can have been there; otherwise the interval, which is long because the
 * thread slept, would count for what it does awake.
 *
 * CPU time can only have been used by code that was on a CPU. Where the thread is running while we read it
 * (its clock advances meanwhile) the time belongs to the stack found; where it has just stopped, to the stack
 * that was found running before; else it waits until the thread is next found running.
 */
#include "profiler/probes/account.h"

#include <string.h>

#include "base/clock.h"
#include "profiler/os/os.h"

#define STILL_TICKS_BEFORE_INACTIVE 2u
#define NAMES_CHECK_NS              VG_NS_PER_S
/* A thread whose clock shows no more than this beyond the last tick was born since. */
#define BIRTH_SLACK_NS (20 * VG_NS_PER_MS)
/* CPU time that is not worth a sample of its own. */
#define MIN_UNATTRIBUTED_NS VG_NS_PER_MS

static int64_t min_ns(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

enum vg_err vg_account_init(struct vg_account *account, const struct vg_sampler_config *config,
                            int64_t period_ns, struct vg_reader *reader, struct vg_names *names)
{
    account->config = config;
    account->period_ns = period_ns;
    account->reader = account->resolver.reader = reader;
    account->names = names;
    account->generation = 1;
    vg_threads_init(&account->threads);
    enum vg_err err = vg_symbols_new(NULL, &account->symbols);
    if (err == VG_OK)
        err = vg_window_new(account->symbols, config->has_timeline, NULL, &account->window);
    return err;
}

void vg_account_release(struct vg_account *account)
{
    vg_threads_release(&account->threads);
    vg_window_free(account->window);
    vg_symbols_unref(account->symbols);
}

/* ---- samples ---- */

/* What the kernel calls it, for want of a better name. Read by the sampler's own thread only: whoever stops
 * the sampler shares its descriptors with the host, and takes what was read before. */
static void read_kernel_name(const struct vg_account *account, struct vg_thread *thread)
{
    char name[16] = "";
    if (account->may_open_files)
        vg_os_thread_kernel_name(thread->ref.thread_id, name);
    if (name[0] != '\0') /* of a dead thread the last known name stays */
        memcpy(thread->kernel_name, name, sizeof name);
}

static void name_thread(struct vg_account *account, struct vg_thread *thread)
{
    struct vg_name name;
    struct vg_slice text;
    thread->name_version = 0;
    if (vg_names_get(account->names, thread->ref.ident, thread->ref.thread_id, &name)) {
        thread->name_version = name.version;
        text = vg_slice_of(name.text);
    } else {
        read_kernel_name(account, thread);
        text = vg_slice_of(thread->kernel_name);
    }
    thread->window_thread =
        vg_window_add_thread(account->window, thread->ref.ident, thread->ref.thread_id, text);
}

/* Writes what the thread did in its stack up to end_ns. */
static void flush(struct vg_account *account, struct vg_thread *thread, int64_t end_ns)
{
    if (!thread->has_stack || (thread->run_wall_ns <= 0 && thread->run_cpu_ns <= 0))
        return;
    if (thread->window_thread == UINT32_MAX)
        name_thread(account, thread);
    struct vg_sample sample = {
        .stack = thread->stack,
        .thread = thread->window_thread,
        .count = thread->run_count,
        .is_cut = thread->is_cut,
        .end_ns = end_ns + account->utc_offset_ns,
        .wall_ns = thread->run_wall_ns,
        .cpu_ns = thread->run_cpu_ns,
    };
    vg_window_add(account->window, &sample);
    account->ascribed_cpu_ns += thread->run_cpu_ns;
    thread->run_wall_ns = thread->run_cpu_ns = 0;
    thread->run_count = 0;
}

static void enter(struct vg_account *account, struct vg_thread *thread, uint32_t stack, bool is_cut,
                  int64_t since_ns)
{
    if (thread->has_stack && (thread->stack != stack || thread->is_cut != is_cut))
        flush(account, thread, since_ns);
    thread->has_stack = true;
    thread->stack = stack;
    thread->is_cut = is_cut;
}

/* All time that is not yet in a sample, up to now. */
static void settle(struct vg_account *account, struct vg_thread *thread, int64_t now_ns)
{
    thread->run_wall_ns += now_ns - thread->accounted_ns;
    thread->accounted_ns = now_ns;
    thread->run_cpu_ns += thread->pending_cpu_ns;
    thread->pending_cpu_ns = 0;
    flush(account, thread, now_ns);
}

/* ---- one look ---- */

static void on_dead_code(void *ctx, uintptr_t code)
{
    struct vg_account *account = ctx;
    if (vg_map_find(&account->symbols->by_address, code)) {
        vg_symbols_forget(account->symbols, code);
        account->generation++;
    }
}

static void on_lost_count(void *ctx)
{
    struct vg_account *account = ctx;
    vg_symbols_forget_all(account->symbols);
    account->generation++;
}

/* The stack that was just captured, as an id of the window. */
static uint32_t identify(struct vg_account *account, struct vg_thread *thread, bool *is_cut)
{
    struct vg_window_counts *counts = &account->window->counts;
    /* After the capture and before the look-up: code that died in between is not mistaken for what replaced
     * it. */
    vg_reader_dead_code(account->reader, on_dead_code, on_lost_count, account);
    counts->stacks_captured++;
    if (thread->has_stack && thread->resolved_in == account->generation &&
        vg_thread_has_frames(thread, &account->raw)) {
        *is_cut = thread->is_cut;
        return thread->stack;
    }
    vg_thread_keep_frames(thread, &account->raw);
    vg_resolve(&account->resolver, account->symbols, &account->raw, &account->resolved);
    thread->resolved_in = account->generation;
    counts->stacks_cut += account->resolved.is_cut;
    counts->stacks_joined += account->resolved.is_joined;
    counts->stacks_truncated += account->resolved.is_truncated;
    counts->stacks_unreadable += account->resolved.locations[0] == VG_LOCATION_UNREADABLE;
    *is_cut = account->resolved.is_cut;
    return vg_stacks_put(&account->window->stacks, account->resolved.locations, account->resolved.n);
}

/* How much of the time since the last look belongs to the stack found now. */
static int64_t share_of_new(const struct vg_account *account, const struct vg_thread *thread, int64_t wall_ns,
                            int64_t cpu_ns, bool is_running, int64_t interval_ns)
{
    bool was_still = thread->has_stack && (thread->still_ticks > 0 || !thread->is_active);
    if (!was_still)
        return wall_ns;
    int64_t at_most = min_ns(wall_ns, interval_ns);
    if (interval_ns <= 2 * account->period_ns)
        return at_most;
    int64_t awake = min_ns(cpu_ns, at_most);
    return is_running ? awake : awake + (at_most - awake) / 2;
}

static void ascribe(struct vg_account *account, struct vg_thread *thread, int64_t now_ns, int64_t cpu_ns,
                    bool is_running)
{
    int64_t wall_ns = now_ns - thread->accounted_ns, interval_ns = now_ns - account->last_tick_ns;
    int64_t wall_new_ns = share_of_new(account, thread, wall_ns, cpu_ns, is_running, interval_ns),
            cpu_new_ns = 0;
    bool is_cut;
    thread->run_wall_ns += wall_ns - wall_new_ns;
    /* Where /proc cannot be read, a machine with one CPU never shows a thread running while we look: half of
     * the time is proof enough. */
    if (is_running || (!thread->was_running && 2 * cpu_ns >= min_ns(wall_ns, interval_ns))) {
        cpu_new_ns = thread->pending_cpu_ns + cpu_ns;
        thread->pending_cpu_ns = 0;
    } else if (thread->was_running && thread->has_stack) {
        thread->run_cpu_ns += cpu_ns;
    } else {
        thread->pending_cpu_ns += cpu_ns;
    }
    uint32_t stack = identify(account, thread, &is_cut);
    enter(account, thread, stack, is_cut, now_ns - wall_new_ns);
    thread->run_wall_ns += wall_new_ns;
    thread->run_cpu_ns += cpu_new_ns;
    thread->run_count += cpu_new_ns > 0;
    thread->accounted_ns = now_ns;
    thread->was_running = is_running;
    thread->still_ticks = 0;
}

static void stay(struct vg_account *account, struct vg_thread *thread, int64_t now_ns)
{
    thread->run_wall_ns += now_ns - thread->accounted_ns;
    thread->accounted_ns = now_ns;
    thread->was_running = false;
    account->window->counts.stacks_reused++;
    if (++thread->still_ticks >= STILL_TICKS_BEFORE_INACTIVE)
        thread->is_active = false; /* the caller prunes */
}

/* The thread's clock advanced, or it was never looked at: reads its stack. */
static void move(struct vg_account *account, struct vg_thread *thread, int64_t now_ns, int64_t cpu_ns)
{
    int64_t clock_ns = 0;
    account->raw.n = thread->n_frames;
    account->raw.end = thread->end;
    if (thread->n_frames)
        memcpy(account->raw.frames, thread->frames, thread->n_frames * sizeof *thread->frames);
    if (vg_reader_stack(account->reader, &thread->ref, account->config->max_frames, &account->raw) != VG_OK) {
        account->window->counts.threads_lost++;
        account->threads_are_stale = true;
        thread->pending_cpu_ns += cpu_ns;
        return;
    }
    bool is_running =
        vg_os_thread_cpu_ns(thread->ref.thread_id, &clock_ns) == VG_OK && clock_ns != thread->cpu_ns;
    if (thread->kernel_name[0] == '\0')
        read_kernel_name(account, thread);
    /* Put off the CPU by others, ourselves perhaps, in the middle of its work. */
    if (!is_running && account->may_open_files)
        is_running = vg_os_thread_is_runnable(thread->ref.thread_id);
    ascribe(account, thread, now_ns, cpu_ns, is_running);
}

static void look(struct vg_account *account, struct vg_thread *thread, int64_t now_ns)
{
    int64_t clock_ns;
    if (vg_os_thread_cpu_ns(thread->ref.thread_id, &clock_ns) != VG_OK) {
        account->threads_are_stale = true;
        return;
    }
    int64_t cpu_ns = clock_ns - thread->cpu_ns;
    thread->cpu_ns = clock_ns;
    account->known_cpu_ns += cpu_ns;
    if (cpu_ns == 0 && thread->has_stack) {
        if (thread->is_active)
            stay(account, thread, now_ns);
        return;
    }
    move(account, thread, now_ns, cpu_ns);
    vg_threads_activate(&account->threads, thread);
}

void vg_account_active(struct vg_account *account, int64_t now_ns)
{
    for (uint32_t i = 0; i < account->threads.n_active; i++)
        look(account, &account->threads.slots[account->threads.active[i]], now_ns);
    vg_threads_prune_active(&account->threads);
}

void vg_account_sweep(struct vg_account *account, int64_t now_ns)
{
    for (uint32_t i = 0; i < account->threads.n; i++) {
        struct vg_thread *thread = &account->threads.slots[i];
        int64_t clock_ns;
        if (!thread->is_used)
            continue;
        if (!thread->is_active)
            look(account, thread, now_ns);
        else if (vg_os_thread_cpu_ns(thread->ref.thread_id, &clock_ns) == VG_OK) {
            /* Already seen in this tick: only its clock, so that what it used since is not taken for foreign.
             */
            account->known_cpu_ns += clock_ns - thread->cpu_ns;
            thread->pending_cpu_ns += clock_ns - thread->cpu_ns;
            thread->cpu_ns = clock_ns;
        }
    }
}

/* ---- threads come and go ---- */

static void on_born(void *ctx, struct vg_thread *thread)
{
    struct vg_account *account = ctx;
    int64_t clock_ns = 0, since_ns = vg_clock_monotonic_ns(NULL) - account->last_tick_ns;
    if (vg_os_thread_cpu_ns(thread->ref.thread_id, &clock_ns) != VG_OK)
        account->threads_are_stale = true;
    bool is_newborn = account->has_begun && clock_ns <= since_ns + BIRTH_SLACK_NS;
    thread->cpu_ns = is_newborn ? 0 : clock_ns;
    thread->accounted_ns = account->has_begun
                               ? account->last_tick_ns + (since_ns - min_ns(since_ns, clock_ns))
                               : account->last_tick_ns;
    vg_threads_activate(&account->threads, thread);
}

/* A thread that got a Python name, or another one, since it was last written to the window. One that had none
 * when it was first seen is renamed where it stands: it was the same thread all the time. */
static void update_name(struct vg_account *account, struct vg_thread *thread, int64_t now_ns)
{
    struct vg_name name;
    if (thread->window_thread == UINT32_MAX ||
        !vg_names_get(account->names, thread->ref.ident, thread->ref.thread_id, &name) ||
        name.version == thread->name_version)
        return;
    if (thread->name_version == 0) {
        thread->name_version = name.version;
        memcpy(account->window->threads[thread->window_thread].name, name.text, sizeof name.text);
    } else {
        settle(account, thread, now_ns);
        thread->window_thread = UINT32_MAX;
    }
}

static void on_died(void *ctx, struct vg_thread *thread)
{
    struct vg_account *account = ctx;
    int64_t now_ns = vg_clock_monotonic_ns(NULL);
    settle(account, thread, now_ns);
    update_name(account, thread, now_ns);
    vg_names_forget(account->names, thread->ref.ident, thread->ref.thread_id);
}

static void check_names(struct vg_account *account, int64_t now_ns)
{
    uint32_t version = vg_names_version(account->names);
    if (version == account->names_version || now_ns - account->names_checked_ns < NAMES_CHECK_NS)
        return;
    account->names_version = version;
    account->names_checked_ns = now_ns;
    for (uint32_t i = 0; i < account->threads.n; i++)
        if (account->threads.slots[i].is_used)
            update_name(account, &account->threads.slots[i], now_ns);
}

bool vg_account_refresh(struct vg_account *account, int64_t now_ns)
{
    struct vg_threads_events events = {on_born, on_died, account};
    account->threads_are_stale = false;
    bool is_whole = vg_threads_refresh(&account->threads, account->reader, &events);
    check_names(account, now_ns);
    return is_whole;
}

/* ---- windows ---- */

static void open_window(struct vg_account *account, int64_t now_ns)
{
    account->utc_offset_ns = vg_clock_now_ns(NULL) - vg_clock_monotonic_ns(NULL);
    account->window->start_ns = now_ns + account->utc_offset_ns;
    account->window->period_ns = account->period_ns;
    account->ascribed_cpu_ns = 0;
    account->process_cpu_start_ns = vg_os_process_cpu_ns();
    account->helpers_cpu_start_ns = account->config->helpers_cpu_ns(account->config->ctx);
}

void vg_account_begin(struct vg_account *account, int64_t now_ns)
{
    account->last_tick_ns = now_ns;
    vg_account_refresh(account, now_ns);
    account->has_begun = true;
    open_window(account, now_ns);
}

static void add_own(struct vg_account *account, enum vg_location_id location, int64_t cpu_ns, int64_t end_ns)
{
    uint32_t locations[] = {location};
    struct vg_sample sample = {
        .stack = vg_stacks_put(&account->window->stacks, locations, 1),
        .thread = vg_window_add_thread(account->window, 0, 0, VG_SLICE_LIT("")),
        .end_ns = end_ns + account->utc_offset_ns,
        .cpu_ns = cpu_ns,
    };
    vg_window_add(account->window, &sample);
}

/* The process's CPU time that is in no thread's stack: our own, and that of threads without Python. */
static void add_rest(struct vg_account *account, int64_t now_ns)
{
    struct vg_window_counts *counts = &account->window->counts;
    int64_t helpers_ns =
        account->config->helpers_cpu_ns(account->config->ctx) - account->helpers_cpu_start_ns;
    counts->process_cpu_ns = vg_os_process_cpu_ns() - account->process_cpu_start_ns;
    int64_t own_ns = counts->sampler_cpu_ns + helpers_ns;
    int64_t rest_ns = counts->process_cpu_ns - own_ns - account->ascribed_cpu_ns;
    if (own_ns > 0 && !account->config->leaves_out_itself)
        add_own(account, VG_LOCATION_PROFILER, own_ns, now_ns);
    if (rest_ns > MIN_UNATTRIBUTED_NS)
        add_own(account, VG_LOCATION_UNATTRIBUTED, rest_ns, now_ns);
}

/* Threads that did not move keep their stack: into the new window with it. */
static void carry_over(struct vg_account *account, const struct vg_window *full)
{
    for (uint32_t i = 0; i < account->threads.n; i++) {
        struct vg_thread *thread = &account->threads.slots[i];
        if (!thread->is_used)
            continue;
        thread->window_thread = UINT32_MAX;
        if (thread->has_stack && full->symbols == account->symbols) {
            uint32_t n;
            const uint32_t *locations = vg_stacks_get(&full->stacks, thread->stack, &n);
            thread->stack = vg_stacks_put(&account->window->stacks, locations, n);
        } else {
            thread->has_stack = false; /* names are learnt anew: its stack must be read again */
            vg_threads_activate(&account->threads, thread);
        }
    }
}

struct vg_window *vg_account_swap(struct vg_account *account, int64_t now_ns)
{
    struct vg_symbols *symbols = NULL;
    struct vg_window *next, *full = account->window;
    if (account->symbols->is_full && vg_symbols_new(NULL, &symbols) != VG_OK)
        return NULL;
    if (vg_window_new(symbols ? symbols : account->symbols, account->config->has_timeline, NULL, &next) !=
        VG_OK) {
        vg_symbols_unref(symbols);
        return NULL;
    }
    for (uint32_t i = 0; i < account->threads.n; i++)
        if (account->threads.slots[i].is_used) {
            settle(account, &account->threads.slots[i], now_ns);
            update_name(account, &account->threads.slots[i], now_ns);
        }
    add_rest(account, now_ns);
    vg_window_seal(full, now_ns + account->utc_offset_ns);
    if (symbols) {
        vg_symbols_unref(account->symbols);
        account->symbols = symbols;
        account->generation++;
    }
    account->window = next;
    carry_over(account, full);
    open_window(account, now_ns);
    return full;
}
