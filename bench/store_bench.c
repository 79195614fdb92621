/* What the store costs: CPU and time a put (GOALS S1), bytes a profile on disk (S2), merges of 100, 1,000 and
 * 2,000 profiles with cold and warm caches of ours (S3), memory (S5). Synthetic profiles: about 895 rows,
 * depth 20 – 60, ten types, two programs of 12,000 call-tree nodes, 16 processes, one profile a process and
 * minute.
 *
 *     meson compile -C build store_bench && build/tests/unit/store_bench [DIRECTORY]
 *
 * DIRECTORY (default: one in /tmp) is made and left there. Build with --buildtype=release for figures that
 * count.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/lock.h"
#include "store_make.h"

#define N_PROFILES  2000
#define N_PROCESSES 16
#define BATCH       100
#define NOON_NS     (INT64_C(1795608000) * VG_NS_PER_S)

struct answers {
    struct vg_lock lock;
    pthread_cond_t changed;
    size_t n, n_failed;
};

static void on_done(void *ctx, enum vg_err err, enum vg_put_result result)
{
    struct answers *answers = ctx;
    (void)result;
    vg_lock_take(&answers->lock);
    answers->n++;
    answers->n_failed += err != VG_OK;
    pthread_cond_signal(&answers->changed);
    vg_lock_give(&answers->lock);
}

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double wall_s(void)
{
    return (double)vg_clock_monotonic_ns(NULL) / 1e9;
}

static struct store_program programs[2];

static struct vg_profile *make(size_t i)
{
    int64_t start_ns = NOON_NS + (int64_t)(i / N_PROCESSES) * 60 * VG_NS_PER_S;
    struct store_wish wish = {.seed = i + 1,
                              .start_ns = start_ns,
                              .end_ns = start_ns + 60 * VG_NS_PER_S,
                              .received_ns = start_ns + 61 * VG_NS_PER_S,
                              .n_rows = 950, /* some meet twice */
                              .n_types = 10,
                              .process = (unsigned)(i % N_PROCESSES)};
    return store_make(&programs[i % N_PROCESSES % 2], &wish);
}

static void wait_below(struct answers *answers, size_t n_sent, size_t n_open)
{
    vg_lock_take(&answers->lock);
    while (n_sent - answers->n > n_open)
        vg_lock_wait(&answers->lock, &answers->changed, 0);
    vg_lock_give(&answers->lock);
}

/* Profiles are made in batches, outside of what is measured. */
static void put_all(struct vg_store *store)
{
    struct answers answers = {.n = 0};
    struct vg_profile *batch[BATCH];
    double cpu = 0, wall = 0;
    vg_lock_init(&answers.lock, VG_RANK_LOG);
    vg_cond_init(&answers.changed);
    for (size_t i = 0; i < N_PROFILES; i += BATCH) {
        for (size_t j = 0; j < BATCH; j++)
            batch[j] = make(i + j);
        cpu -= cpu_s();
        wall -= wall_s();
        for (size_t j = 0; j < BATCH; j++) {
            wait_below(&answers, i + j, 64);
            if (vg_store_put(store, batch[j], on_done, &answers))
                abort();
        }
        wait_below(&answers, i + BATCH, 0);
        cpu += cpu_s();
        wall += wall_s();
    }
    struct vg_store_stats stats;
    vg_store_get_stats(store, &stats);
    printf("put: %.3f ms CPU, %.3f ms a profile (64 waiting at most); %zu failed; %llu commits\n",
           cpu * 1e3 / N_PROFILES, wall * 1e3 / N_PROFILES, answers.n_failed,
           (unsigned long long)stats.commits);
}

static struct vg_store *open_store(const char *directory)
{
    char why[256];
    /* Synthetic profiles have arrays far larger than they need; real ones fit into the default. */
    struct vg_store_config config = {.directory = directory, .queue_bytes = (size_t)256 << 20};
    struct vg_store *store;
    if (vg_store_open_sqlite(&config, &store, why)) {
        fprintf(stderr, "%s\n", why);
        exit(1);
    }
    return store;
}

static void merge(struct vg_store *store, size_t n, const char *type, const char *what)
{
    struct vg_merged merged;
    struct vg_selection selection = {.from_ns = NOON_NS + 1,
                                     .to_ns = NOON_NS + (int64_t)((n + N_PROCESSES - 1) / N_PROCESSES) * 60 *
                                                            VG_NS_PER_S};
    double cpu = cpu_s(), wall = wall_s();
    if (vg_store_merge(store, &selection, vg_slice_of(type), &merged))
        exit(1);
    printf("merge %s of %zu profiles, %s: %.1f ms, %.1f ms CPU; %zu stacks, total %lld\n", type,
           merged.n_profiles, what, (wall_s() - wall) * 1e3, (cpu_s() - cpu) * 1e3, merged.n_stacks,
           (long long)merged.total);
    vg_merged_release(&merged);
}

static bool count(void *ctx, const struct vg_stored_profile *profile)
{
    (void)profile;
    ++*(size_t *)ctx;
    return true;
}

static void list(struct vg_store *store)
{
    struct vg_selection everything = {.from_ns = INT64_MIN, .to_ns = INT64_MAX};
    size_t n = 0;
    double wall = wall_s();
    if (vg_store_list(store, &everything, count, &n))
        exit(1);
    printf("list of %zu: %.2f ms\n", n, (wall_s() - wall) * 1e3);
}

static void print_memory(const char *when)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("most memory so far, %s: %.1f MiB\n", when, (double)usage.ru_maxrss / 1024);
}

static void measure_reading(const char *directory)
{
    static const size_t sizes[] = {100, 1000, N_PROFILES};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct vg_store *store = open_store(directory); /* nothing of ours is cached */
        merge(store, sizes[i], "cpu-time", "cold");
        merge(store, sizes[i], "cpu-time", "warm");
        vg_store_free(store);
    }
    struct vg_store *store = open_store(directory);
    merge(store, N_PROFILES, "heap-space", "cold");
    merge(store, N_PROFILES, "heap-space", "warm");
    list(store);
    list(store);
    vg_store_free(store);
    print_memory("after reading");
}

static void measure_writing(const char *directory)
{
    struct vg_store *store = open_store(directory);
    struct vg_store_stats stats;
    put_all(store);
    vg_store_free(store);
    store = open_store(directory);
    vg_store_get_stats(store, &stats);
    printf("disk: %.2f KB a profile, %llu profiles in %llu blocks\n",
           (double)stats.stored_bytes / 1e3 / (double)stats.profiles, (unsigned long long)stats.profiles,
           (unsigned long long)stats.blocks);
    vg_store_free(store);
    print_memory("after writing");
}

int main(int argc, char **argv)
{
    char made[64];
    snprintf(made, sizeof made, "/tmp/store-bench-%ld", (long)getpid());
    const char *directory = argc > 1 ? argv[1] : made;
    store_program_init(&programs[0], "web", 1, 12000, 60);
    store_program_init(&programs[1], "worker", 2, 12000, 60);
    struct vg_profile *example = make(0);
    printf("%s: %d profiles, such as one of %zu rows, %u frames in all\n", directory, N_PROFILES,
           example->n_rows, example->stack_start[example->n_stacks]);
    vg_profile_free(example);
    fflush(stdout);
    pid_t child = fork(); /* writes; the parent's memory afterwards is that of reading alone */
    if (child == 0) {
        measure_writing(directory);
        fflush(stdout);
        _exit(0);
    }
    int status = 1;
    waitpid(child, &status, 0);
    if (status == 0)
        measure_reading(directory);
    store_program_release(&programs[0]);
    store_program_release(&programs[1]);
    return status;
}
