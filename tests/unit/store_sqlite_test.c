/* What only the store on disk must do: formats, locks, retention, damage, a full disk, memory that runs out,
 * readers beside the writer. What survives kill -9 is in tests/server/test_durability.py. */
#include "store_bed.h"
#include "test_cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct store_program web;

static int init_program(void **state)
{
    (void)state;
    store_program_init(&web, "web", 1, 3000, 40);
    return 0;
}

static int release_program(void **state)
{
    (void)state;
    store_program_release(&web);
    return 0;
}

static struct vg_profile *make_at(uint64_t seed, int64_t end_ns, int64_t received_ns)
{
    struct store_wish wish = {.seed = seed,
                              .start_ns = end_ns - 60 * VG_NS_PER_S,
                              .end_ns = end_ns,
                              .received_ns = received_ns,
                              .n_rows = 80,
                              .n_events = seed % 2 ? 100 : 0,
                              .n_types = 10,
                              .process = (unsigned)(seed % 4)};
    return store_make(&web, &wish);
}

static struct vg_profile *make(uint64_t seed)
{
    int64_t end_ns = BED_NOON_NS + (int64_t)seed * VG_NS_PER_S;
    return make_at(seed, end_ns, end_ns);
}

static void fill(struct store_bed *bed, uint64_t from, uint64_t to)
{
    for (uint64_t seed = from; seed < to; seed++)
        assert_int_equal(bed_store(bed, make(seed)), VG_OK);
}

static struct vg_store_stats stats_of(struct store_bed *bed)
{
    struct vg_store_stats stats;
    vg_store_get_stats(bed->store, &stats);
    return stats;
}

static void merge_once(struct store_bed *bed, enum vg_err wanted)
{
    struct vg_merged merged;
    enum vg_err err = vg_store_merge(bed->store, &bed_everything, VG_SLICE_LIT("cpu-time"), &merged);
    assert_int_equal(err, wanted);
    if (!err)
        vg_merged_release(&merged);
}

/* ---- opening ---- */

static void test_everything_is_there_after_a_new_start(void **state)
{
    (void)state;
    struct store_bed bed;
    struct vg_buf before, after;
    bed_init(&bed);
    vg_buf_init(&before, SIZE_MAX, NULL);
    vg_buf_init(&after, SIZE_MAX, NULL);
    for (int round = 0; round < 5; round++) { /* dictionaries grow on over restarts */
        bed_open(&bed);
        fill(&bed, (uint64_t)round * 10 + 1, (uint64_t)round * 10 + 11);
        vg_buf_reset(&before);
        bed_describe(&bed, &before);
        bed_close(&bed);
    }
    bed_open(&bed);
    bed_describe(&bed, &after);
    assert_int_equal(before.len, after.len);
    assert_memory_equal(before.data, after.data, after.len);
    assert_int_equal(bed_store(&bed, make(7)), VG_OK);
    assert_int_equal(bed.n_duplicates, 1);
    assert_int_equal(stats_of(&bed).profiles, 50);
    vg_buf_release(&before);
    vg_buf_release(&after);
    bed_release(&bed);
}

static void test_a_directory_has_one_owner(void **state)
{
    (void)state;
    struct store_bed bed;
    struct vg_store *second;
    char why[256];
    bed_init(&bed);
    bed_open(&bed);
    assert_int_equal(vg_store_open_sqlite(&bed.config, &second, why), VG_ERR_EXISTS);
    assert_non_null(strstr(why, "another vigil is using"));
    assert_non_null(strstr(why, bed.directory));
    bed_close(&bed);
    bed_open(&bed);
    bed_release(&bed);
}

static void test_directories_are_made(void **state)
{
    (void)state;
    struct store_bed bed;
    char deep[200], why[256];
    bed_init(&bed);
    snprintf(deep, sizeof deep, "%s/a/b/c", bed.directory);
    bed.config.directory = deep;
    bed_open(&bed);
    fill(&bed, 1, 3);
    bed_close(&bed);
    snprintf(deep, sizeof deep, "%s/a/b/c/vigil-store/d", bed.directory); /* below a file */
    assert_int_equal(vg_store_open_sqlite(&bed.config, &bed.store, why), VG_ERR_IO);
    assert_non_null(strstr(why, "cannot make the data directory"));
    bed_release(&bed);
}

static void write_at(const char *path, off_t offset, const void *bytes, size_t n)
{
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, offset), n);
    close(fd);
}

static void test_a_newer_format_is_refused(void **state)
{
    (void)state;
    struct store_bed bed;
    char path[256], why[256];
    bed_init(&bed);
    bed_open(&bed);
    fill(&bed, 1, 3);
    bed_close(&bed);
    assert_true(bed_find_file(&bed, ".sqlite", 0, path));
    write_at(path, 60, "\0\0\0\2", 4); /* where SQLite keeps user_version */
    assert_int_equal(vg_store_open_sqlite(&bed.config, &bed.store, why), VG_ERR_UNSUPPORTED);
    assert_non_null(strstr(why, "written by a newer vigil (format 2, this one knows up to 1)"));
    write_at(path, 60, "\0\0\0\1", 4);
    assert_true(bed_find_file(&bed, "vigil-store", 0, path));
    write_at(path, 0, "vigil store, format 7\n", 22);
    assert_int_equal(vg_store_open_sqlite(&bed.config, &bed.store, why), VG_ERR_UNSUPPORTED);
    assert_non_null(strstr(why, "written by a newer vigil (format 7, this one knows up to 1)"));
    write_at(path, 0, "something else entire\n", 22);
    assert_int_equal(vg_store_open_sqlite(&bed.config, &bed.store, why), VG_ERR_UNSUPPORTED);
    assert_non_null(strstr(why, "not a data directory of vigil"));
    write_at(path, 0, "vigil store, format 1\n", 22);
    bed_open(&bed);
    assert_int_equal(bed_count(&bed), 2);
    bed_release(&bed);
}

static void test_leftovers_of_a_crash_go(void **state)
{
    (void)state;
    struct store_bed bed;
    char path[256];
    static const char *const names[] = {"2026-01-01.000.sqlite.new", "2026-01-01.000.sqlite.new-journal",
                                        "2026-01-01.000.sqlite-wal", "2026-01-01.000.sqlite-shm"};
    bed_init(&bed);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", bed.directory, names[i]);
        close(open(path, O_CREAT | O_WRONLY, 0600));
    }
    snprintf(path, sizeof path, "%s/notes.txt", bed.directory); /* not ours: stays */
    close(open(path, O_CREAT | O_WRONLY, 0600));
    bed_open(&bed);
    for (size_t i = 0; i < 4; i++)
        assert_false(bed_find_file(&bed, names[i], 0, path));
    assert_true(bed_find_file(&bed, "notes.txt", 0, path));
    bed_release(&bed);
}

/* ---- time and space ---- */

static void test_retention_deletes_whole_days(void **state)
{
    (void)state;
    struct store_bed bed;
    char path[256];
    bed_init(&bed);
    bed.config.retention_ns = 3 * BED_DAY_NS;
    bed_open(&bed);
    for (uint64_t day = 0; day < 6; day++) {
        int64_t at_ns = BED_NOON_NS + (int64_t)day * BED_DAY_NS;
        bed.now_ns = at_ns;
        assert_int_equal(bed_store(&bed, make_at(day + 1, at_ns, at_ns)), VG_OK);
    }
    bed.now_ns += VG_NS_PER_S; /* the third day's block is older than three days now */
    assert_int_equal(bed_store(&bed, make_at(99, bed.now_ns, bed.now_ns)), VG_OK);
    bed_close(&bed);
    assert_true(bed_find_file(&bed, ".sqlite", 2, path));
    assert_false(bed_find_file(&bed, ".sqlite", 3, path));
    assert_non_null(strstr(bed.notice, "deleted block 2026-11-27.000.sqlite: 1 profiles"));
    bed.now_ns += 30 * BED_DAY_NS; /* and at the start */
    bed_open(&bed);
    assert_int_equal(stats_of(&bed).blocks, 0);
    assert_int_equal(stats_of(&bed).deleted_blocks, 3);
    bed_release(&bed);
}

static void test_senders_with_a_wrong_clock_do_no_harm(void **state)
{
    (void)state;
    struct store_bed bed;
    bed_init(&bed);
    bed.config.retention_ns = 3 * BED_DAY_NS;
    bed_open(&bed);
    static const int64_t ends_ns[] = {INT64_MIN + BED_DAY_NS,        -1, 0, INT64_MAX, INT64_MAX - 1,
                                      BED_NOON_NS + 400 * BED_DAY_NS};
    for (uint64_t i = 0; i < 6; i++)
        assert_int_equal(bed_store(&bed, make_at(i + 1, ends_ns[i], BED_NOON_NS)), VG_OK);
    assert_int_equal(bed_store(&bed, make(10)), VG_OK);
    bed_close(&bed); /* the last sweep is over by then */
    bed_open(&bed);
    /* Of long ago: gone. Of the future: there, until they are old by our own clock. */
    assert_int_equal(bed_count(&bed), 4);
    merge_once(&bed, VG_OK);
    bed.now_ns += 4 * BED_DAY_NS;
    assert_int_equal(bed_store(&bed, make_at(20, bed.now_ns, bed.now_ns)), VG_OK);
    bed_close(&bed);
    bed_open(&bed);
    assert_int_equal(bed_count(&bed), 1);
    bed_release(&bed);
}

static void test_the_bound_on_disk_space_is_kept(void **state)
{
    (void)state;
    struct store_bed bed;
    struct store_wish wish = {.n_rows = 900, .n_events = 3000, .n_types = 10};
    bed_init(&bed);
    bed.config.max_disk_bytes = 4 << 20; /* parts of 1 MiB */
    bed_open(&bed);
    for (uint64_t seed = 1; seed <= 300; seed++) {
        wish.seed = seed;
        wish.end_ns = wish.received_ns = BED_NOON_NS + (int64_t)seed * VG_NS_PER_S;
        wish.start_ns = wish.end_ns - 1;
        assert_int_equal(bed_store(&bed, store_make(&web, &wish)), VG_OK);
        assert_true(stats_of(&bed).stored_bytes <= 5 << 20);
    }
    struct vg_store_stats stats = stats_of(&bed);
    assert_true(stats.deleted_blocks >= 2 && stats.blocks >= 2);
    assert_non_null(strstr(bed.notice, "bound on disk space"));
    assert_int_equal(bed_count(&bed), stats.profiles);
    assert_int_equal(bed.n_errors, 0);
    /* What is in an earlier part of the day is known there too. */
    wish.seed = 300 - stats.profiles + 1;
    wish.end_ns = BED_NOON_NS + (int64_t)wish.seed * VG_NS_PER_S;
    assert_int_equal(bed_store(&bed, store_make(&web, &wish)), VG_OK);
    assert_int_equal(bed.n_duplicates, 1);
    bed_release(&bed);
}

static void test_what_cannot_fit_is_refused(void **state)
{
    (void)state;
    struct store_bed bed;
    bed_init(&bed);
    bed.config.max_disk_bytes = 1;
    bed_open(&bed);
    assert_int_equal(bed_store(&bed, make(1)), VG_OK);
    assert_true(bed_wait(&bed, 1));
    bed_close(&bed);
    bed_open(&bed);
    assert_int_equal(bed_store(&bed, make(2)), VG_ERR_FULL);
    assert_int_equal(bed_count(&bed), 1);
    assert_non_null(strstr(bed.notice, "the bound on disk space is reached"));
    bed_release(&bed);
}

/* No file may grow: what a full disk is to SQLite. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_a_full_disk_refuses_and_loses_nothing(void **state)
{
    (void)state;
    struct store_bed bed;
    struct vg_buf before, after;
    signal(SIGXFSZ, SIG_IGN);
    bed_init(&bed);
    bed_open(&bed);
    fill(&bed, 1, 21);
    vg_buf_init(&before, SIZE_MAX, NULL);
    vg_buf_init(&after, SIZE_MAX, NULL);
    bed_describe(&bed, &before);
    for (rlim_t room = 4096; room <= 1 << 20; room = room * 2 + 1000) { /* stops at different places */
        limit_files(room);
        enum vg_err err = VG_OK;
        size_t stored = bed.n_stored;
        for (uint64_t seed = 100; seed < 130 && !err; seed++)
            err = bed_store(&bed, make_at(room * 1000 + seed, BED_NOON_NS + BED_DAY_NS, BED_NOON_NS));
        assert_true(err == VG_ERR_FULL || room > 512 << 10);
        assert_int_equal(bed_count(&bed), bed.n_stored);
        merge_once(&bed, VG_OK);
        limit_files(RLIM_INFINITY);
        assert_int_equal(bed_store(&bed, make_at(room * 1000, BED_NOON_NS + BED_DAY_NS, BED_NOON_NS)), VG_OK);
        assert_true(bed.n_stored > stored);
    }
    bed_close(&bed);
    bed_open(&bed);
    assert_int_equal(bed_count(&bed), bed.n_stored);
    bed_describe(&bed, &after);
    assert_true(after.len > before.len);
    assert_int_equal(stats_of(&bed).corrupt_blocks, 0);
    vg_buf_release(&before);
    vg_buf_release(&after);
    bed_release(&bed);
}

/* ---- damage ---- */

static void test_a_damaged_block_is_set_aside(void **state)
{
    (void)state;
    struct store_bed bed;
    char path[256];
    bed_init(&bed);
    bed_open(&bed);
    fill(&bed, 1, 6);
    assert_int_equal(bed_store(&bed, make_at(50, BED_NOON_NS + BED_DAY_NS, BED_NOON_NS)), VG_OK);
    bed_close(&bed);
    assert_true(bed_find_file(&bed, ".sqlite", 0, path));
    write_at(path, 0, "garbage garbage garbage", 23);
    bed_open(&bed);
    assert_non_null(strstr(bed.notice, "block 2026-11-25.000.sqlite is damaged: set aside"));
    assert_int_equal(bed_count(&bed), 1);
    assert_true(bed_find_file(&bed, "2026-11-25.000.sqlite.corrupt", 0, path));
    assert_int_equal(stats_of(&bed).corrupt_blocks, 1);
    fill(&bed, 1, 6); /* goes into another part: ids do not come again */
    assert_true(bed_find_file(&bed, "2026-11-25.001.sqlite", 0, path));
    assert_int_equal(bed_count(&bed), 6);
    bed_release(&bed);
}

static void flip_bytes(const char *path, uint64_t *random, size_t n)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    for (size_t i = 0; i < n; i++) {
        unsigned char byte = (unsigned char)store_random(random);
        write_at(path, (off_t)(store_random(random) % (uint64_t)status.st_size), &byte, 1);
    }
}

static void copy_file(const char *from, const char *to)
{
    char buffer[1 << 16];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(in >= 0 && out >= 0);
    for (ssize_t n; (n = read(in, buffer, sizeof buffer)) > 0;)
        assert_int_equal(write(out, buffer, (size_t)n), n);
    close(in);
    close(out);
}

static bool get_each(void *ctx, const struct vg_stored_profile *profile)
{
    uint64_t *ids = ctx;
    ids[++ids[0]] = profile->id;
    return ids[0] < 100;
}

/* Whatever the bytes are: no crash, no hang, and the store goes on taking profiles. */
static void read_all(struct store_bed *bed)
{
    uint64_t ids[101] = {0};
    struct vg_profile *profile;
    static const char *const types[] = {"cpu-time", "heap-space"};
    for (size_t i = 0; i < 2; i++) {
        struct vg_merged merged;
        if (vg_store_merge(bed->store, &bed_everything, vg_slice_of(types[i]), &merged) == VG_OK)
            vg_merged_release(&merged);
    }
    if (vg_store_list(bed->store, &bed_everything, get_each, ids))
        return;
    for (uint64_t i = 1; i <= ids[0]; i++)
        if (vg_store_get(bed->store, ids[i], &profile) == VG_OK)
            vg_profile_free(profile);
}

static void test_any_damage_is_survived(void **state)
{
    (void)state;
    struct store_bed bed;
    char path[256], whole[300];
    uint64_t random = 7;
    size_t n_set_aside = 0, n_unreadable = 0;
    bed_init(&bed);
    bed_open(&bed);
    fill(&bed, 1, 21);
    bed_close(&bed);
    assert_true(bed_find_file(&bed, ".sqlite", 0, path));
    snprintf(whole, sizeof whole, "%s.whole", path);
    copy_file(path, whole);
    for (int round = 0; round < 60; round++) {
        char aside[300];
        flip_bytes(path, &random, (size_t)1 << round % 8);
        bed_open(&bed);
        read_all(&bed);
        assert_int_equal(bed_store(&bed, make((uint64_t)round + 1000)), VG_OK);
        struct vg_store_stats stats = stats_of(&bed);
        n_set_aside += stats.corrupt_blocks;
        n_unreadable += stats.unreadable;
        bed_close(&bed);
        for (size_t i = 0; bed_find_file(&bed, ".corrupt", 0, aside); i++)
            assert_int_equal(unlink(aside), 0);
        while (bed_find_file(&bed, ".corrupt-wal", 0, aside))
            assert_int_equal(unlink(aside), 0);
        while (bed_find_file(&bed, ".sqlite", 0, aside))
            assert_int_equal(unlink(aside), 0);
        copy_file(whole, path);
    }
    assert_true(n_set_aside > 5 && n_unreadable > 5);
    bed_release(&bed);
}

/* ---- memory that runs out ---- */

struct failing {
    struct vg_alloc seam;
    atomic_size_t calls;
    atomic_long live;
    size_t fail_at;
};

static void *failing_resize(void *ctx, void *old, size_t size)
{
    struct failing *failing = ctx;
    if (atomic_fetch_add(&failing->calls, 1) == failing->fail_at)
        return NULL;
    void *memory = realloc(old, size);
    if (memory && !old)
        atomic_fetch_add(&failing->live, 1);
    return memory;
}

static void failing_release(void *ctx, void *old)
{
    if (old)
        atomic_fetch_sub(&((struct failing *)ctx)->live, 1);
    free(old);
}

static bool visit_nothing(void *ctx, const struct vg_stored_profile *profile)
{
    *(uint64_t *)ctx = profile->id;
    return true;
}

/* One profile in, and all kinds of reading. Each error must be the one that says so. */
static void use_store(struct store_bed *bed)
{
    struct vg_merged merged;
    struct vg_profile *profile;
    uint64_t id = 0;
    enum vg_err err = bed_store(bed, make_at(77, BED_NOON_NS, BED_NOON_NS));
    assert_true(err == VG_OK || err == VG_ERR_NOMEM);
    err = vg_store_list(bed->store, &bed_everything, visit_nothing, &id);
    assert_true(err == VG_OK || err == VG_ERR_NOMEM);
    err = vg_store_get(bed->store, id, &profile);
    assert_true(err == VG_OK || err == VG_ERR_NOMEM || (!id && err == VG_ERR_NOT_FOUND));
    if (!err)
        vg_profile_free(profile);
    static const char *const types[] = {"cpu-time", "heap-space"};
    for (size_t i = 0; i < 2; i++) {
        err = vg_store_merge(bed->store, &bed_everything, vg_slice_of(types[i]), &merged);
        assert_true(err == VG_OK || err == VG_ERR_NOMEM || err == VG_ERR_LIMIT);
        if (!err)
            vg_merged_release(&merged);
    }
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    struct store_bed bed;
    bed_init(&bed);
    bed_open(&bed);
    fill(&bed, 1, 4);
    bed_close(&bed);
    struct failing failing = {.seam = {failing_resize, failing_release, &failing}};
    bed.config.alloc = &failing.seam;
    bool is_over = false;
    size_t n_failed = 0;
    for (size_t turn = 0; !is_over; turn += 1 + turn / 40) { /* each of the first, fewer of the many alike */
        char why[256];
        failing.calls = 0;
        failing.fail_at = turn;
        enum vg_err err = vg_store_open_sqlite(&bed.config, &bed.store, why);
        if (err) {
            assert_int_equal(err, VG_ERR_NOMEM);
        } else {
            use_store(&bed);
            assert_int_equal(stats_of(&bed).corrupt_blocks, 0);
            bed_close(&bed);
        }
        assert_int_equal(atomic_load(&failing.live), 0);
        is_over = failing.calls <= turn;
        n_failed++;
    }
    assert_true(n_failed > 60);
    bed.config.alloc = NULL;
    bed_open(&bed);
    assert_int_equal(bed_count(&bed), 4);
    bed_release(&bed);
}

/* ---- readers beside the writer ---- */

struct reading {
    struct store_bed *bed;
    atomic_bool is_over;
    atomic_size_t n_merges;
};

static void *read_on(void *ctx)
{
    struct reading *reading = ctx;
    uint64_t id;
    size_t least = 0;
    while (!reading->is_over) {
        struct vg_merged merged;
        if (vg_store_merge(reading->bed->store, &bed_everything, VG_SLICE_LIT("wall-time"), &merged))
            abort();
        if (merged.n_profiles < least) /* never fewer than before */
            abort();
        least = merged.n_profiles;
        vg_merged_release(&merged);
        if (vg_store_list(reading->bed->store, &bed_everything, visit_nothing, &id))
            abort();
        reading->n_merges++;
    }
    return NULL;
}

static void test_readers_and_the_writer_go_side_by_side(void **state)
{
    (void)state;
    struct store_bed bed;
    pthread_t threads[3];
    bed_init(&bed);
    bed.config.cache_bytes = 200 << 10; /* dictionaries come and go */
    bed_open(&bed);
    struct reading reading = {.bed = &bed};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &reading), 0);
    for (uint64_t seed = 1; seed <= 60 || reading.n_merges < 20; seed++)
        assert_int_equal(bed_store(&bed, make(seed)), VG_OK);
    reading.is_over = true;
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(bed_count(&bed), bed.n_stored);
    bed_release(&bed);
}

/* A reader in the middle of a block keeps it; the others do not see it any more. */
struct slow {
    struct store_bed *bed;
    size_t n;
};

static bool delete_while_reading(void *ctx, const struct vg_stored_profile *profile)
{
    struct slow *slow = ctx;
    (void)profile;
    if (slow->n++ == 0) {
        slow->bed->now_ns += 30 * BED_DAY_NS;
        assert_int_equal(bed_store(slow->bed, make_at(500, slow->bed->now_ns, slow->bed->now_ns)), VG_OK);
        int64_t deadline_ns = vg_clock_monotonic_ns(NULL) + 10 * VG_NS_PER_S;
        while (stats_of(slow->bed).deleted_blocks == 0 && vg_clock_monotonic_ns(NULL) < deadline_ns)
            sched_yield();
    }
    return true;
}

static void test_a_block_is_deleted_after_its_last_reader(void **state)
{
    (void)state;
    struct store_bed bed;
    char path[256];
    bed_init(&bed);
    bed.config.retention_ns = BED_DAY_NS;
    bed_open(&bed);
    fill(&bed, 1, 31);
    struct slow slow = {.bed = &bed};
    assert_int_equal(vg_store_list(bed.store, &bed_everything, delete_while_reading, &slow), VG_OK);
    assert_int_equal(slow.n, 30);
    assert_false(bed_find_file(&bed, "2026-11-25.000.sqlite", 0, path));
    assert_int_equal(bed_count(&bed), 1);
    bed_release(&bed);
}

/* ---- many services, large dictionaries ---- */

static void test_dictionaries_that_do_not_fit_into_memory_together(void **state)
{
    (void)state;
    struct store_bed bed, memory;
    struct store_program programs[8];
    char names[8][16];
    bed_init(&bed);
    bed_init(&memory);
    bed.config.cache_bytes = 1;
    bed_open(&bed);
    bed_open_memory(&memory);
    for (size_t i = 0; i < 8; i++) {
        snprintf(names[i], sizeof names[i], "service-%zu", i);
        store_program_init(&programs[i], names[i], i, 2000, 30);
    }
    for (uint64_t seed = 1; seed <= 64; seed++) {
        struct store_wish wish = {.seed = seed, .n_rows = 200, .n_types = 10};
        wish.end_ns = BED_NOON_NS + (int64_t)seed * VG_NS_PER_S;
        wish.start_ns = wish.end_ns - 60 * VG_NS_PER_S;
        assert_int_equal(bed_store(&bed, store_make(&programs[seed % 8], &wish)), VG_OK);
        assert_int_equal(bed_store(&memory, store_make(&programs[seed % 8], &wish)), VG_OK);
    }
    struct vg_merged x, y;
    assert_int_equal(vg_store_merge(bed.store, &bed_everything, VG_SLICE_LIT("cpu-time"), &x), VG_OK);
    assert_int_equal(vg_store_merge(memory.store, &bed_everything, VG_SLICE_LIT("cpu-time"), &y), VG_OK);
    assert_true(store_is_close(&x, &y) && x.n_stacks > 100);
    vg_merged_release(&x);
    vg_merged_release(&y);
    for (size_t i = 0; i < 8; i++)
        store_program_release(&programs[i]);
    bed_release(&bed);
    bed_release(&memory);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_is_there_after_a_new_start),
        cmocka_unit_test(test_a_directory_has_one_owner),
        cmocka_unit_test(test_directories_are_made),
        cmocka_unit_test(test_a_newer_format_is_refused),
        cmocka_unit_test(test_leftovers_of_a_crash_go),
        cmocka_unit_test(test_retention_deletes_whole_days),
        cmocka_unit_test(test_senders_with_a_wrong_clock_do_no_harm),
        cmocka_unit_test(test_the_bound_on_disk_space_is_kept),
        cmocka_unit_test(test_what_cannot_fit_is_refused),
        cmocka_unit_test(test_a_full_disk_refuses_and_loses_nothing),
        cmocka_unit_test(test_a_damaged_block_is_set_aside),
        cmocka_unit_test(test_any_damage_is_survived),
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_readers_and_the_writer_go_side_by_side),
        cmocka_unit_test(test_a_block_is_deleted_after_its_last_reader),
        cmocka_unit_test(test_dictionaries_that_do_not_fit_into_memory_together),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, init_program, release_program);
}
