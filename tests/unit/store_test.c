/* The promises of store.h, kept by every implementation: the same suite over SQLite and over memory, and both
 * compared with each other on random profiles. */
#include "store_bed.h"
#include "test_cmocka.h"

#include <stdlib.h>

static void (*open_store)(struct store_bed *bed);
static struct store_program web, jobs;

static int init_programs(void **state)
{
    (void)state;
    store_program_init(&web, "web", 1, 3000, 40);
    store_program_init(&jobs, "jobs", 2, 500, 12);
    return 0;
}

static int release_programs(void **state)
{
    (void)state;
    store_program_release(&web);
    store_program_release(&jobs);
    return 0;
}

static struct store_wish wish_of(uint64_t seed)
{
    int64_t start_ns = BED_NOON_NS + (int64_t)seed * 60 * VG_NS_PER_S;
    return (struct store_wish){.seed = seed,
                               .start_ns = start_ns,
                               .end_ns = start_ns + (60 + (int64_t)seed % 3) * VG_NS_PER_S,
                               .received_ns = start_ns + 61 * VG_NS_PER_S,
                               .n_rows = 40 + seed % 60,
                               .n_events = seed % 2 ? 200 : 0,
                               .n_types = seed % 5 ? 10 : 3,
                               .process = (unsigned)(seed % 4),
                               .env = seed % 7 ? "prod" : "dev"};
}

static struct vg_profile *make(uint64_t seed)
{
    struct store_wish wish = wish_of(seed);
    return store_make(seed % 3 ? &web : &jobs, &wish);
}

static void fill(struct store_bed *bed, size_t n)
{
    for (uint64_t seed = 1; seed <= n; seed++)
        assert_int_equal(bed_put(bed, make(seed)), VG_OK);
    assert_true(bed_wait(bed, n));
    assert_int_equal(bed->n_stored, n);
}

/* ---- the suite ---- */

static void test_an_empty_store_answers_with_nothing(void **state)
{
    (void)state;
    struct store_bed bed;
    struct vg_merged merged;
    struct vg_profile *profile;
    bed_init(&bed);
    open_store(&bed);
    assert_int_equal(bed_count(&bed), 0);
    assert_int_equal(vg_store_merge(bed.store, &bed_everything, VG_SLICE_LIT("cpu-time"), &merged), VG_OK);
    assert_int_equal(merged.n_stacks, 0);
    assert_int_equal(merged.n_profiles, 0);
    assert_int_equal(merged.total, 0);
    vg_merged_release(&merged);
    assert_int_equal(vg_store_get(bed.store, 1, &profile), VG_ERR_NOT_FOUND);
    assert_int_equal(vg_store_get(bed.store, UINT64_MAX, &profile), VG_ERR_NOT_FOUND);
    bed_release(&bed);
}

static void test_a_profile_comes_back_whole(void **state)
{
    (void)state;
    struct store_bed bed;
    struct vg_buf wanted, got;
    bed_init(&bed);
    open_store(&bed);
    vg_buf_init(&wanted, SIZE_MAX, NULL);
    vg_buf_init(&got, SIZE_MAX, NULL);
    struct vg_profile *profile = make(1);
    assert_true(profile->n_rows > 20 && profile->n_events == 200);
    store_describe_profile(profile, &wanted);
    assert_int_equal(bed_store(&bed, profile), VG_OK);
    bed_describe(&bed, &got);
    assert_int_equal(wanted.len, got.len);
    assert_memory_equal(wanted.data, got.data, got.len);
    vg_buf_release(&wanted);
    vg_buf_release(&got);
    bed_release(&bed);
}

static void test_sent_twice_counts_once(void **state)
{
    (void)state;
    struct store_bed bed;
    struct vg_store_stats stats;
    bed_init(&bed);
    open_store(&bed);
    for (int i = 0; i < 3; i++) /* in one group, as like as not */
        assert_int_equal(bed_put(&bed, make(1)), VG_OK);
    assert_true(bed_wait(&bed, 3));
    assert_int_equal(bed_store(&bed, make(1)), VG_OK);
    assert_int_equal(bed.n_stored, 1);
    assert_int_equal(bed.n_duplicates, 3);
    assert_int_equal(bed_count(&bed), 1);
    vg_store_get_stats(bed.store, &stats);
    assert_int_equal(stats.profiles, 1);
    assert_int_equal(stats.duplicates, 3);
    bed_release(&bed);
}

struct seen {
    size_t n, stop_after;
    int64_t last_end_ns;
    int64_t cpu_total;
    size_t n_dev;
};

static bool look(void *ctx, const struct vg_stored_profile *profile)
{
    struct seen *seen = ctx;
    assert_true(seen->n == 0 || profile->end_ns <= seen->last_end_ns);
    seen->last_end_ns = profile->end_ns;
    assert_true(vg_slice_equal_text(profile->types[1].name, "cpu-time"));
    seen->cpu_total += profile->types[1].total;
    assert_true(profile->internal.len > 10 && profile->internal.data[0] == '{');
    assert_true(profile->size_bytes > 0);
    assert_int_equal(profile->n_tags, 5);
    seen->n_dev += vg_slice_equal_text(profile->tags[0].value, "dev");
    return ++seen->n != seen->stop_after;
}

static bool match_dev(void *ctx, const struct vg_tag *tags, size_t n_tags)
{
    ++*(size_t *)ctx;
    assert_int_equal(n_tags, 5);
    return vg_slice_equal_text(tags[0].name, "env") && vg_slice_equal_text(tags[0].value, "dev");
}

static void test_a_list_is_newest_first_and_narrowed(void **state)
{
    (void)state;
    struct store_bed bed;
    bed_init(&bed);
    open_store(&bed);
    fill(&bed, 50);
    struct seen all = {0}, some = {.stop_after = 7}, dev = {0}, range = {0};
    assert_int_equal(vg_store_list(bed.store, &bed_everything, look, &all), VG_OK);
    assert_int_equal(all.n, 50);
    assert_true(all.cpu_total > 0);
    assert_int_equal(vg_store_list(bed.store, &bed_everything, look, &some), VG_OK);
    assert_int_equal(some.n, 7);
    size_t n_asked = 0;
    struct vg_selection selection = bed_everything;
    selection.match_tags = match_dev;
    selection.ctx = &n_asked;
    assert_int_equal(vg_store_list(bed.store, &selection, look, &dev), VG_OK);
    assert_int_equal(dev.n, 7);
    assert_int_equal(dev.n_dev, 7);
    assert_true(n_asked <= 50);
    /* Seeds 10 – 12 overlap [start of 11, its second second); 9 ends where 10 begins or a little later. */
    int64_t start_ns = BED_NOON_NS + 11 * 60 * VG_NS_PER_S;
    struct vg_selection part = {.from_ns = start_ns + 2 * VG_NS_PER_S, .to_ns = start_ns + 3 * VG_NS_PER_S};
    assert_int_equal(vg_store_list(bed.store, &part, look, &range), VG_OK);
    assert_int_equal(range.n, 1);
    bed_release(&bed);
}

static void test_a_full_queue_is_refused_at_once(void **state)
{
    (void)state;
    struct store_bed bed;
    struct vg_store_stats stats;
    bed_init(&bed);
    bed.config.queue_profiles = 1;
    open_store(&bed);
    size_t n_refused = 0, n_accepted = 0;
    for (uint64_t seed = 1; seed <= 200 && !n_refused; seed++) {
        enum vg_err err = bed_put(&bed, make(seed));
        assert_true(err == VG_OK || err == VG_ERR_FULL);
        n_refused += err == VG_ERR_FULL;
        n_accepted += err == VG_OK;
    }
    assert_true(bed_wait(&bed, n_accepted));
    assert_int_equal(bed.n_errors, 0);
    assert_int_equal(bed_count(&bed), n_accepted);
    vg_store_get_stats(bed.store, &stats);
    assert_int_equal(stats.refused, n_refused);
    bed_release(&bed);
}

static void test_closing_commits_what_is_queued(void **state)
{
    (void)state;
    struct store_bed bed;
    bed_init(&bed);
    open_store(&bed);
    for (uint64_t seed = 1; seed <= 100; seed++)
        assert_int_equal(bed_put(&bed, make(seed)), VG_OK);
    bed_close(&bed);
    assert_int_equal(bed.n_answers, 100);
    assert_int_equal(bed.n_stored, 100);
    bed_release(&bed);
}

/* ---- two stores, the same profiles ---- */

static bool match_thread(void *ctx, const struct vg_slice *strings, const struct vg_profile_label *labels,
                         size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        if (vg_slice_equal_text(strings[labels[i].key], "thread name") &&
            vg_slice_equal_text(strings[labels[i].text], "Worker-3\xc3\xa9"))
            return true;
    return false;
}

static void compare_merges(struct store_bed *a, struct store_bed *b, const struct vg_selection *selection,
                           const char *type)
{
    struct vg_merged x, y;
    assert_int_equal(vg_store_merge(a->store, selection, vg_slice_of(type), &x), VG_OK);
    assert_int_equal(vg_store_merge(b->store, selection, vg_slice_of(type), &y), VG_OK);
    if (!store_is_close(&x, &y))
        fail_msg("%s differs: %zu and %zu stacks", type, x.n_stacks, y.n_stacks);
    bool is_level = type[0] == 'h', is_there = type[0] != 'n';
    assert_int_equal(x.n_stacks > 0, is_there);
    if (!is_level)
        assert_int_equal(x.total, y.total);
    vg_merged_release(&x);
    vg_merged_release(&y);
}

static void compare_stores(struct store_bed *a, struct store_bed *b)
{
    static const char *const types[] = {"cpu-time",          "wall-time",   "heap-space",
                                        "heap-live-samples", "alloc-space", "lock-acquire-wait",
                                        "no-such-type"};
    size_t n_asked = 0;
    struct vg_selection narrow = bed_everything, dev = bed_everything,
                        range = {.from_ns = BED_NOON_NS + 10 * 60 * VG_NS_PER_S,
                                 .to_ns = BED_NOON_NS + 20 * 60 * VG_NS_PER_S};
    narrow.narrows_labels = true;
    narrow.match_labels = match_thread;
    dev.match_tags = match_dev;
    dev.ctx = &n_asked;
    const struct vg_selection *selections[] = {&bed_everything, &narrow, &dev, &range};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (size_t j = 0; j < sizeof selections / sizeof *selections; j++)
            compare_merges(a, b, selections[j], types[i]);
}

static void test_both_stores_say_the_same(void **state)
{
    (void)state;
    struct store_bed disk, memory;
    struct vg_buf x, y;
    bed_init(&disk);
    bed_init(&memory);
    vg_buf_init(&x, SIZE_MAX, NULL);
    vg_buf_init(&y, SIZE_MAX, NULL);
    bed_open(&disk);
    bed_open_memory(&memory);
    fill(&disk, 120); /* two hours: over two days, since the first day has twelve */
    fill(&memory, 120);
    for (uint64_t seed = 1000; seed < 1900; seed += 90) { /* further days */
        assert_int_equal(bed_store(&disk, make(seed)), VG_OK);
        assert_int_equal(bed_store(&memory, make(seed)), VG_OK);
    }
    compare_stores(&disk, &memory);
    compare_stores(&disk, &memory); /* now from the cache */
    bed_describe(&disk, &x);
    bed_describe(&memory, &y);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
    bed_close(&disk); /* and after a new start */
    bed_open(&disk);
    assert_int_equal(bed_store(&disk, make(5000)), VG_OK);
    assert_int_equal(bed_store(&memory, make(5000)), VG_OK);
    compare_stores(&disk, &memory);
    vg_buf_release(&x);
    vg_buf_release(&y);
    bed_release(&disk);
    bed_release(&memory);
}

int main(void)
{
    const struct CMUnitTest suite[] = {
        cmocka_unit_test(test_an_empty_store_answers_with_nothing),
        cmocka_unit_test(test_a_profile_comes_back_whole),
        cmocka_unit_test(test_sent_twice_counts_once),
        cmocka_unit_test(test_a_list_is_newest_first_and_narrowed),
        cmocka_unit_test(test_a_full_queue_is_refused_at_once),
        cmocka_unit_test(test_closing_commits_what_is_queued),
    };
    const struct CMUnitTest comparison[] = {cmocka_unit_test(test_both_stores_say_the_same)};
    open_store = bed_open_memory;
    int failed = cmocka_run_group_tests_name("memory", suite, init_programs, release_programs);
    open_store = bed_open;
    failed += cmocka_run_group_tests_name("sqlite", suite, init_programs, release_programs);
    return failed + cmocka_run_group_tests_name("compared", comparison, init_programs, release_programs);
}
