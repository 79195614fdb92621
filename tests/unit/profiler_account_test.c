/* profiler/probes/account: which stack wall and CPU time belong to. Clocks, threads and stacks are made up,
 * so the truth is known to the nanosecond; whatever happens, no time is lost and none is counted twice. */
#include "profiler/probes/account.h"

#include "base/clock.h"
#include "fake_reader.h"
#include "profiler/os/os.h"
#include "test_cmocka.h"

#include <stdlib.h>
#include <string.h>

#define MS          VG_NS_PER_MS
#define PERIOD_NS   (10 * MS)
#define UTC_NS      (1000 * VG_NS_PER_S)
#define MAX_KERNELS 64

/* ---- clocks ---- */

static struct {
    int64_t now_ns, process_cpu_ns, helpers_cpu_ns;
    struct {
        int32_t thread_id;
        int64_t cpu_ns;
        bool is_running;  /* its clock is further at each look */
        bool is_runnable; /* wants to run, whether it does or not */
    } threads[MAX_KERNELS];
    size_t n;
} os;

int64_t vg_clock_monotonic_ns(const struct vg_clock *clock)
{
    (void)clock;
    return os.now_ns;
}

int64_t vg_clock_now_ns(const struct vg_clock *clock)
{
    (void)clock;
    return UTC_NS + os.now_ns;
}

enum vg_err vg_os_thread_cpu_ns(int32_t thread_id, int64_t *cpu_ns)
{
    for (size_t i = 0; i < os.n; i++)
        if (os.threads[i].thread_id == thread_id) {
            os.threads[i].cpu_ns += os.threads[i].is_running;
            os.process_cpu_ns += os.threads[i].is_running;
            *cpu_ns = os.threads[i].cpu_ns;
            return VG_OK;
        }
    return VG_ERR_NOT_FOUND;
}

int64_t vg_os_process_cpu_ns(void)
{
    return os.process_cpu_ns;
}

void vg_os_thread_kernel_name(int32_t thread_id, char name[16])
{
    (void)thread_id;
    memcpy(name, "kernel", 7);
}

bool vg_os_thread_is_runnable(int32_t thread_id)
{
    for (size_t i = 0; i < os.n; i++)
        if (os.threads[i].thread_id == thread_id)
            return os.threads[i].is_runnable;
    return false;
}

static int64_t helpers_cpu_ns(void *ctx)
{
    (void)ctx;
    return os.helpers_cpu_ns;
}

/* ---- the bed ---- */

struct bed {
    struct vg_sampler_config config;
    struct vg_account account;
    struct vg_names names;
    struct vg_window *windows[64]; /* finished */
    size_t n_windows;
};

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    fake_reader_reset();
    memset(&os, 0, sizeof os);
    os.now_ns = 5 * VG_NS_PER_S;
    fake.made_up_below = 1u << 20;
    bed->config =
        (struct vg_sampler_config){.max_frames = 100, .has_timeline = true, .helpers_cpu_ns = helpers_cpu_ns};
    vg_names_init(&bed->names);
    assert_int_equal(vg_account_init(&bed->account, &bed->config, PERIOD_NS, NULL, &bed->names), VG_OK);
    bed->account.may_open_files = true;
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    for (size_t i = 0; i < bed->n_windows; i++)
        vg_window_free(bed->windows[i]);
    vg_account_release(&bed->account);
    vg_names_release(&bed->names);
    free(bed);
    return 0;
}

/* A new thread, listed last; its number. Thread n has the kernel id 100 + n. */
static size_t add_thread(uint64_t id)
{
    size_t i = fake.n_threads++;
    int32_t thread_id = (int32_t)(100 + id);
    fake.threads[i] = (struct vg_thread_ref){0x1000 * id, id, 0x7f0000000000 + id, thread_id};
    memset(&fake.stacks[i], 0, sizeof fake.stacks[i]);
    os.threads[os.n].thread_id = thread_id;
    os.threads[os.n].cpu_ns = 0;
    os.threads[os.n++].is_running = false;
    return i;
}

static void remove_thread(size_t at)
{
    size_t behind = --fake.n_threads - at;
    memmove(fake.threads + at, fake.threads + at + 1, behind * sizeof fake.threads[0]);
    memmove(fake.stacks + at, fake.stacks + at + 1, behind * sizeof fake.stacks[0]);
    memmove(os.threads + at, os.threads + at + 1, behind * sizeof os.threads[0]);
    os.n--;
}

/* From now on the thread is in the function named after this address. */
static void go(size_t at, uintptr_t code)
{
    fake.stacks[at] = (struct fake_stack){.n = 1, .end = VG_RAW_COMPLETE};
    fake.stacks[at].frames[0] = fake_frame(code, 0, 0, 0);
}

static void use(size_t at, int64_t cpu_ns)
{
    os.threads[at].cpu_ns += cpu_ns;
    os.process_cpu_ns += cpu_ns;
}

static void run(size_t at, bool is_running)
{
    os.threads[at].is_running = is_running;
}

static void begin(struct bed *bed)
{
    vg_account_begin(&bed->account, os.now_ns);
}

/* A tick of the sampler, as long after the last one. */
static void tick(struct bed *bed, int64_t after_ns, bool with_sweep)
{
    os.now_ns += after_ns;
    bed->account.window->counts.ticks++;
    vg_account_active(&bed->account, os.now_ns);
    if (with_sweep)
        vg_account_sweep(&bed->account, os.now_ns);
    bed->account.last_tick_ns = os.now_ns;
}

static struct vg_window *swap(struct bed *bed)
{
    struct vg_window *full = vg_account_swap(&bed->account, os.now_ns);
    assert_non_null(full);
    assert_true(bed->n_windows < 64);
    return bed->windows[bed->n_windows++] = full;
}

struct sum {
    int64_t wall_ns, cpu_ns;
    uint32_t count, samples;
};

/* What the window has of a function (NULL: all of Python's), in a thread (0: in any). */
static struct sum sum_of(const struct vg_window *window, const char *name, uint64_t id)
{
    struct sum sum = {0};
    for (uint32_t i = 0; i < window->n_samples; i++) {
        const struct vg_sample *sample = &window->samples[i];
        uint32_t n;
        const uint32_t *locations = vg_stacks_get(&window->stacks, sample->stack, &n);
        struct vg_location leaf = vg_symbols_location(window->symbols, locations[0]);
        uint64_t ident = window->threads[sample->thread].ident;
        if (name && !vg_slice_equal_text(vg_symbols_code(window->symbols, leaf.code)->name, name))
            continue;
        if ((!name && ident == 0) || (id && ident != 0x7f0000000000 + id))
            continue;
        sum.wall_ns += sample->wall_ns;
        sum.cpu_ns += sample->cpu_ns;
        sum.count += sample->count;
        sum.samples++;
    }
    return sum;
}

static void assert_time(const struct vg_window *window, const char *name, int64_t wall_ns, int64_t cpu_ns)
{
    struct sum sum = sum_of(window, name, 0);
    if (sum.wall_ns != wall_ns || sum.cpu_ns != cpu_ns)
        fail_msg("%s: wall %ld, cpu %ld; not %ld, %ld", name, (long)sum.wall_ns, (long)sum.cpu_ns,
                 (long)wall_ns, (long)cpu_ns);
}

/* ---- tests ---- */

static void a_busy_thread(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    go(0, 0xa0);
    run(0, true);
    begin(bed);
    int64_t cpu_start = bed->account.threads.slots[0].cpu_ns;
    for (int i = 0; i < 10; i++) {
        use(0, 9 * MS);
        tick(bed, 10 * MS, false);
    }
    go(0, 0xb0);
    for (int i = 0; i < 5; i++) {
        use(0, 9 * MS);
        tick(bed, 10 * MS, false);
    }
    struct vg_window *window = swap(bed);
    struct sum a = sum_of(window, "fa0", 1), b = sum_of(window, "fb0", 1);
    assert_int_equal(a.wall_ns, 100 * MS);
    assert_int_equal(b.wall_ns, 50 * MS);
    assert_int_equal(a.count, 10);
    assert_int_equal(b.count, 5);
    assert_int_equal(a.samples, 1); /* equal neighbours are one sample */
    assert_int_equal(b.samples, 1);
    assert_int_equal(a.cpu_ns + b.cpu_ns, bed->account.threads.slots[0].cpu_ns - cpu_start);
    assert_true(a.cpu_ns >= 90 * MS && a.cpu_ns < 90 * MS + 1000);
    assert_int_equal(window->counts.stacks_captured, 15);
    assert_int_equal(window->samples[0].end_ns, UTC_NS + 5 * VG_NS_PER_S + 100 * MS);
}

static void a_sleeping_thread_is_not_read_again(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    go(0, 0xa0);
    begin(bed);
    for (int i = 0; i < 100; i++)
        tick(bed, 10 * MS, i % 10 == 0);
    struct vg_window *window = swap(bed);
    assert_time(window, "fa0", 1000 * MS, 0);
    assert_int_equal(sum_of(window, "fa0", 1).samples, 1);
    assert_int_equal(fake.captures, 1);
    /* It is carried into the next window, still without a look. */
    for (int i = 0; i < 10; i++)
        tick(bed, 10 * MS, true);
    assert_time(swap(bed), "fa0", 100 * MS, 0);
    assert_int_equal(fake.captures, 1);
}

static void a_thread_that_wakes_has_slept_until_the_tick_before(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    go(0, 0xa0);
    begin(bed);
    for (int i = 0; i < 50; i++)
        tick(bed, 10 * MS, true);
    go(0, 0xb0);
    run(0, true);
    use(0, 4 * MS);
    tick(bed, 10 * MS, true);
    struct vg_window *window = swap(bed);
    assert_int_equal(sum_of(window, "fa0", 1).wall_ns, 500 * MS);
    assert_int_equal(sum_of(window, "fa0", 1).cpu_ns, 0);
    assert_int_equal(sum_of(window, "fb0", 1).wall_ns, 10 * MS);
    assert_true(sum_of(window, "fb0", 1).cpu_ns >= 4 * MS);
}

/* When ticks are rare the interval is long because the thread slept: what it does awake gets only what it can
 * have used. */
static void after_a_long_interval_waking_counts_for_its_own_time_only(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    go(0, 0xa0);
    begin(bed);
    for (int i = 0; i < 4; i++)
        tick(bed, 10 * MS, true);
    go(0, 0xb0);
    run(0, true);
    use(0, 2 * MS - 2); /* and 2 looks */
    tick(bed, 50 * MS, true);
    struct vg_window *window = swap(bed);
    struct sum b = sum_of(window, "fb0", 1);
    assert_in_range(b.wall_ns, 2 * MS - 2, 2 * MS + 2);
    assert_int_equal(sum_of(window, "fa0", 1).wall_ns + b.wall_ns, 90 * MS);
}

static void one_that_went_back_to_sleep_shares_the_rest(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    go(0, 0xa0);
    begin(bed);
    for (int i = 0; i < 4; i++)
        tick(bed, 10 * MS, true);
    go(0, 0xb0);
    use(0, 2 * MS);
    tick(bed, 50 * MS, true);
    struct vg_window *window = swap(bed);
    /* 2 ms awake; of the other 48 half before and half after. */
    assert_int_equal(sum_of(window, "fb0", 1).wall_ns, 26 * MS);
    assert_int_equal(sum_of(window, "fa0", 1).wall_ns, 64 * MS);
    assert_int_equal(sum_of(window, NULL, 1).cpu_ns, 2 * MS);
}

/* On a busy machine most looks find the thread put off the CPU in the middle of its work. */
static void cpu_of_one_that_waits_for_a_cpu_belongs_to_where_it_stands(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    os.threads[0].is_runnable = true;
    go(0, 0xa0);
    begin(bed);
    for (int i = 0; i < 10; i++) {
        use(0, 2 * MS);
        tick(bed, 10 * MS, false);
    }
    go(0, 0xb0);
    use(0, 2 * MS);
    tick(bed, 10 * MS, false);
    struct vg_window *window = swap(bed);
    assert_time(window, "fa0", 100 * MS, 20 * MS);
    assert_time(window, "fb0", 10 * MS, 2 * MS);
}

static void cpu_of_one_that_just_stopped_belongs_to_what_ran(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    go(0, 0xa0);
    run(0, true);
    begin(bed);
    use(0, 10 * MS);
    tick(bed, 10 * MS, false);
    run(0, false);
    go(0, 0x510); /* it sleeps by now */
    use(0, 3 * MS);
    tick(bed, 10 * MS, false);
    struct vg_window *window = swap(bed);
    assert_int_equal(sum_of(window, "f510", 1).cpu_ns, 0);
    assert_int_equal(sum_of(window, "f510", 1).wall_ns, 10 * MS);
    assert_in_range(sum_of(window, "fa0", 1).cpu_ns, 13 * MS, 13 * MS + 10);
    assert_int_equal(sum_of(window, "fa0", 1).wall_ns, 10 * MS);
}

static void little_cpu_waits_until_the_thread_is_found_running(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    go(0, 0x510);
    begin(bed);
    tick(bed, 10 * MS, false);
    for (int i = 0; i < 3; i++) {
        use(0, MS);
        tick(bed, 10 * MS, false);
    }
    go(0, 0xa0);
    run(0, true);
    use(0, MS);
    tick(bed, 10 * MS, false);
    struct vg_window *window = swap(bed);
    assert_int_equal(sum_of(window, "f510", 1).cpu_ns, 0);
    assert_in_range(sum_of(window, "fa0", 1).cpu_ns, 4 * MS, 4 * MS + 10);
}

/* On one CPU nothing runs while we look. */
static void half_of_the_interval_is_proof_of_running(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    go(0, 0xa0);
    begin(bed);
    tick(bed, 10 * MS, false);
    for (int i = 0; i < 10; i++) {
        go(0, i < 5 ? 0xa0 : 0xb0);
        use(0, 6 * MS);
        tick(bed, 10 * MS, false);
    }
    struct vg_window *window = swap(bed);
    assert_time(window, "fa0", 60 * MS, 30 * MS);
    assert_time(window, "fb0", 50 * MS, 30 * MS);
}

static void a_newborn_thread_has_its_time_from_birth(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    go(0, 0xa0);
    begin(bed);
    tick(bed, 10 * MS, false);
    add_thread(2);
    go(1, 0xb0);
    run(1, true);
    use(1, 4 * MS);
    os.now_ns += 10 * MS;
    assert_true(vg_account_refresh(&bed->account, os.now_ns));
    tick(bed, 0, false);
    struct vg_window *window = swap(bed);
    assert_in_range(sum_of(window, "fb0", 2).wall_ns, 4 * MS, 4 * MS + 10);
    assert_in_range(sum_of(window, "fb0", 2).cpu_ns, 4 * MS, 4 * MS + 10);
}

static void what_ran_before_the_start_is_not_shown(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    go(0, 0xa0);
    use(0, 5000 * MS);
    run(0, true);
    begin(bed);
    use(0, 10 * MS);
    tick(bed, 10 * MS, false);
    struct vg_window *window = swap(bed);
    assert_in_range(sum_of(window, NULL, 1).cpu_ns, 10 * MS, 10 * MS + 10);
    assert_int_equal(window->counts.process_cpu_ns / MS, 10);
}

static void a_thread_that_dies_leaves_its_time(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    add_thread(2);
    go(0, 0xa0);
    go(1, 0xb0);
    run(1, true);
    vg_names_put(&bed->names, 0x7f0000000002, 102, VG_SLICE_LIT("short-lived"));
    begin(bed);
    use(1, 10 * MS);
    tick(bed, 10 * MS, false);
    remove_thread(1);
    os.now_ns += 3 * MS;
    vg_account_refresh(&bed->account, os.now_ns);
    tick(bed, 0, false);
    struct vg_window *window = swap(bed);
    assert_int_equal(sum_of(window, "fb0", 2).wall_ns, 13 * MS);
    assert_in_range(sum_of(window, "fb0", 2).cpu_ns, 10 * MS, 10 * MS + 10);
    struct vg_name name;
    assert_false(vg_names_get(&bed->names, 0x7f0000000002, 102, &name));
    assert_string_equal(window->threads[window->samples[0].thread].name, "short-lived");
}

static void a_thread_whose_state_is_gone_is_counted_and_looked_for(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    go(0, 0xa0);
    begin(bed);
    tick(bed, 10 * MS, false);
    fake.stacks[0].is_gone = true;
    use(0, 6 * MS);
    tick(bed, 10 * MS, false);
    assert_int_equal(bed->account.window->counts.threads_lost, 1);
    assert_true(bed->account.threads_are_stale);
    vg_account_refresh(&bed->account, os.now_ns);
    assert_false(bed->account.threads_are_stale);
    fake.stacks[0].is_gone = false;
    use(0, 6 * MS);
    tick(bed, 10 * MS, false);
    assert_time(swap(bed), "fa0", 30 * MS, 12 * MS); /* nothing is lost by that */
}

static void foreign_and_own_cpu_have_frames_of_their_own(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    go(0, 0xa0);
    begin(bed);
    tick(bed, 10 * MS, false);
    use(0, 6 * MS);
    tick(bed, 10 * MS, false);
    os.process_cpu_ns += 50 * MS + 8 * MS + 4 * MS; /* threads of C, the sampler, its helpers */
    os.helpers_cpu_ns += 4 * MS;
    bed->account.window->counts.sampler_cpu_ns = 8 * MS;
    struct vg_window *window = swap(bed);
    assert_time(window, "[profiler]", 0, 12 * MS);
    assert_time(window, "[unattributed]", 0, 50 * MS);
    assert_time(window, "fa0", 20 * MS, 6 * MS);
    assert_int_equal(window->counts.process_cpu_ns, 68 * MS);
}

static void own_cpu_is_left_out_where_wished(void **state)
{
    struct bed *bed = *state;
    bed->config.leaves_out_itself = true;
    begin(bed);
    os.process_cpu_ns += 8 * MS;
    bed->account.window->counts.sampler_cpu_ns = 8 * MS;
    struct vg_window *window = swap(bed);
    assert_int_equal(window->n_samples, 0);
}

static void a_new_name_begins_a_new_entry(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    go(0, 0xa0);
    begin(bed);
    for (int i = 0; i < 10; i++)
        tick(bed, 10 * MS, true);
    vg_names_put(&bed->names, 0x7f0000000001, 101, VG_SLICE_LIT("renamed"));
    os.now_ns += VG_NS_PER_S;
    vg_account_refresh(&bed->account, os.now_ns);
    tick(bed, 0, true);
    for (int i = 0; i < 10; i++)
        tick(bed, 10 * MS, true);
    struct vg_window *window = swap(bed);
    int64_t named = 0;
    for (uint32_t i = 0; i < window->n_samples; i++)
        if (strcmp(window->threads[window->samples[i].thread].name, "renamed") == 0)
            named += window->samples[i].wall_ns;
    assert_true(named >= 100 * MS);
    assert_int_equal(sum_of(window, "fa0", 1).wall_ns, 1200 * MS);
}

static void a_name_from_the_kernel_where_python_has_none(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    go(0, 0xa0);
    begin(bed);
    tick(bed, 10 * MS, true);
    struct vg_window *window = swap(bed);
    assert_string_equal(window->threads[window->samples[0].thread].name, "kernel");
}

static void dead_code_is_forgotten_before_the_next_look(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    fake_add_code(0xa00000, "old", 0, 0);
    go(0, 0xa00000);
    run(0, true);
    begin(bed);
    use(0, 10 * MS);
    tick(bed, 10 * MS, false);
    /* Freed, and another one in its place with the same frame, instruction and all. */
    fake.dead[fake.n_dead++] = 0xa00000;
    fake.codes[0].name = "new";
    use(0, 10 * MS);
    tick(bed, 10 * MS, false);
    fake.has_lost_count = true;
    fake.codes[0].name = "newest";
    use(0, 10 * MS);
    tick(bed, 10 * MS, false);
    struct vg_window *window = swap(bed);
    assert_int_equal(sum_of(window, "old", 1).wall_ns, 10 * MS);
    assert_int_equal(sum_of(window, "new", 1).wall_ns, 10 * MS);
    assert_int_equal(sum_of(window, "newest", 1).wall_ns, 10 * MS);
}

static void full_tables_are_succeeded_by_empty_ones(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    go(0, 0xa0);
    begin(bed);
    for (int i = 0; i < 5; i++)
        tick(bed, 10 * MS, true);
    bed->account.symbols->is_full = true;
    struct vg_window *window = swap(bed);
    assert_ptr_not_equal(bed->account.symbols, window->symbols);
    for (int i = 0; i < 5; i++)
        tick(bed, 10 * MS, true);
    struct vg_window *next = swap(bed);
    assert_time(window, "fa0", 50 * MS, 0);
    assert_time(next, "fa0", 50 * MS, 0);
    assert_ptr_equal(next->symbols, bed->account.symbols);
}

static void a_cut_stack_is_not_the_whole_one(void **state)
{
    struct bed *bed = *state;
    add_thread(1);
    go(0, 0xa0);
    run(0, true);
    begin(bed);
    use(0, 10 * MS);
    tick(bed, 10 * MS, false);
    fake.stacks[0].cut = true; /* the same frames, but something above them was gone */
    use(0, 10 * MS);
    tick(bed, 10 * MS, false);
    struct vg_window *window = swap(bed);
    assert_int_equal(window->counts.stacks_cut, 1);
    int64_t cut = 0;
    for (uint32_t i = 0; i < window->n_samples; i++)
        cut += window->samples[i].is_cut ? window->samples[i].wall_ns : 0;
    assert_int_equal(cut, 10 * MS);
}

/* ---- whatever happens ---- */

static uint32_t random_below(uint64_t *seed, uint32_t limit)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)((*seed >> 33) % limit);
}

static void one_random_thread(uint64_t *seed, size_t at, int64_t interval_ns)
{
    switch (random_below(seed, 4)) {
    case 0:
        run(at, false);
        break;
    case 1:
        run(at, true);
        use(at, interval_ns);
        break;
    case 2:
        run(at, random_below(seed, 2));
        use(at, random_below(seed, (uint32_t)interval_ns));
        break;
    default:
        break; /* as it was */
    }
    if (random_below(seed, 2))
        go(at, 0x100 + 16 * random_below(seed, 8));
    fake.stacks[at].is_gone = random_below(seed, 50) == 0;
    fake.stacks[at].cut = random_below(seed, 20) == 0;
}

/* Threads 1 – 3 live throughout: their wall time is the time that passed. Others come and go. */
static void no_time_is_lost_or_made(void **state)
{
    struct bed *bed = *state;
    uint64_t seed = 11, next_id = 4;
    for (uint64_t i = 1; i <= 3; i++)
        go(add_thread(i), 0x100);
    int64_t begun_ns = os.now_ns;
    begin(bed);
    for (unsigned round = 0; round < 3000; round++) {
        int64_t interval_ns = 1 + random_below(&seed, round % 10 ? 15 * MS : 80 * MS);
        for (size_t i = 0; i < fake.n_threads; i++)
            one_random_thread(&seed, i, interval_ns);
        if (random_below(&seed, 20) == 0 && fake.n_threads < 20)
            go(add_thread(next_id++), 0x100);
        if (random_below(&seed, 20) == 0 && fake.n_threads > 3)
            remove_thread(3 + random_below(&seed, (uint32_t)fake.n_threads - 3));
        if (random_below(&seed, 5) == 0)
            vg_account_refresh(&bed->account, os.now_ns);
        tick(bed, interval_ns, random_below(&seed, 3) == 0);
        if (round % 100 == 99)
            swap(bed);
    }
    for (size_t i = 0; i < fake.n_threads; i++)
        fake.stacks[i].is_gone = false;
    for (size_t i = 0; i < os.n; i++)
        use(i, MS);
    tick(bed, MS, true);
    swap(bed);
    int64_t cpu_ns = 0;
    for (uint64_t id = 1; id <= 3; id++) {
        int64_t wall_ns = 0;
        for (size_t i = 0; i < bed->n_windows; i++)
            wall_ns += sum_of(bed->windows[i], NULL, id).wall_ns;
        assert_int_equal(wall_ns, os.now_ns - begun_ns);
    }
    for (size_t i = 0; i < bed->n_windows; i++) {
        cpu_ns += sum_of(bed->windows[i], NULL, 0).cpu_ns;
        for (uint32_t at = 0; at < bed->windows[i]->n_samples; at++)
            assert_true(bed->windows[i]->samples[at].wall_ns >= 0 &&
                        bed->windows[i]->samples[at].cpu_ns >= 0);
    }
    /* A thread that was never found with a stack takes what it used with it: into [unattributed]. */
    assert_true(cpu_ns <= bed->account.known_cpu_ns);
    assert_true(cpu_ns >= bed->account.known_cpu_ns - bed->account.known_cpu_ns / 100);
    int64_t process_ns = 0, shown_ns = 0;
    for (size_t i = 0; i < bed->n_windows; i++) {
        process_ns += bed->windows[i]->counts.process_cpu_ns;
        shown_ns +=
            sum_of(bed->windows[i], NULL, 0).cpu_ns + sum_of(bed->windows[i], "[unattributed]", 0).cpu_ns;
    }
    assert_true(llabs(process_ns - shown_ns) <= process_ns / 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_busy_thread),
        TEST(a_sleeping_thread_is_not_read_again),
        TEST(a_thread_that_wakes_has_slept_until_the_tick_before),
        TEST(after_a_long_interval_waking_counts_for_its_own_time_only),
        TEST(one_that_went_back_to_sleep_shares_the_rest),
        TEST(cpu_of_one_that_waits_for_a_cpu_belongs_to_where_it_stands),
        TEST(cpu_of_one_that_just_stopped_belongs_to_what_ran),
        TEST(little_cpu_waits_until_the_thread_is_found_running),
        TEST(half_of_the_interval_is_proof_of_running),
        TEST(a_newborn_thread_has_its_time_from_birth),
        TEST(what_ran_before_the_start_is_not_shown),
        TEST(a_thread_that_dies_leaves_its_time),
        TEST(a_thread_whose_state_is_gone_is_counted_and_looked_for),
        TEST(foreign_and_own_cpu_have_frames_of_their_own),
        TEST(own_cpu_is_left_out_where_wished),
        TEST(a_new_name_begins_a_new_entry),
        TEST(a_name_from_the_kernel_where_python_has_none),
        TEST(dead_code_is_forgotten_before_the_next_look),
        TEST(full_tables_are_succeeded_by_empty_ones),
        TEST(a_cut_stack_is_not_the_whole_one),
        TEST(no_time_is_lost_or_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
