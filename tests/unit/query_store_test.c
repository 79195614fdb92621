/* The query engine on real stores, in memory and SQLite: searches narrow profiles by tags and rows by labels,
 * and totals are those of the profiles that were put. */
#include <stdlib.h>

#include "store_bed.h"
#include "test_cmocka.h"
#include "vigil/query/collapsed.h"
#include "vigil/query/flame.h"
#include "vigil/query/search.h"
#include "vigil/query/services.h"
#include "vigil/query/tags.h"

enum { N_PROFILES = 24 };

static struct store_bed bed;
static struct vg_profile *put[N_PROFILES]; /* the same profiles again, kept by the test */

static struct vg_profile *make(const struct store_program *program, size_t i)
{
    int64_t start_ns = BED_NOON_NS + (int64_t)i * 60 * VG_NS_PER_S;
    struct store_wish wish = {.seed = 100 + i,
                              .start_ns = start_ns,
                              .end_ns = start_ns + 60 * VG_NS_PER_S,
                              .received_ns = start_ns + 61 * VG_NS_PER_S,
                              .n_rows = 80,
                              .n_events = 100,
                              .n_types = 3,
                              .process = (unsigned)(i % 3),
                              .env = i % 4 ? "prod" : "dev"};
    struct vg_profile *profile = store_make(program, &wish);
    assert_non_null(profile);
    return profile;
}

static void fill(void)
{
    static const char *const services[] = {"api", "web"};
    for (size_t i = 0; i < N_PROFILES; i++) {
        struct store_program program;
        store_program_init(&program, services[i % 2], 7 + i % 2, 300, 20);
        put[i] = make(&program, i);
        assert_int_equal(bed_store(&bed, make(&program, i)), VG_OK);
        store_program_release(&program);
    }
}

static int in_memory(void **state)
{
    (void)state;
    bed_init(&bed);
    bed_open_memory(&bed);
    fill();
    return 0;
}

static int on_disk(void **state)
{
    (void)state;
    bed_init(&bed);
    bed_open(&bed);
    fill();
    return 0;
}

static int empty(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PROFILES; i++)
        vg_profile_free(put[i]);
    bed_release(&bed);
    return 0;
}

static bool has_thread(const struct vg_profile *profile, uint32_t set, const char *thread)
{
    for (uint32_t i = profile->labels_start[set]; i < profile->labels_start[set + 1]; i++)
        if (vg_slice_equal_text(profile->strings[profile->labels[i].key], "thread name") &&
            vg_slice_equal_text(profile->strings[profile->labels[i].text], thread))
            return true;
    return false;
}

/* What a search should find: NULL says nothing, `thread_differs` turns the thread round. */
struct wanted {
    const char *text, *service, *env, *version, *thread;
    bool thread_differs;
};

static bool is_wanted(const struct wanted *wanted, const struct vg_profile *profile)
{
    return (!wanted->service || vg_slice_equal_text(vg_profile_tag(profile, "service"), wanted->service)) &&
           (!wanted->env || vg_slice_equal_text(vg_profile_tag(profile, "env"), wanted->env)) &&
           (!wanted->version || vg_slice_equal_text(vg_profile_tag(profile, "version"), wanted->version));
}

static int64_t expected_total(const struct wanted *wanted, size_t type, size_t *n_profiles)
{
    int64_t total = 0;
    *n_profiles = 0;
    for (size_t i = 0; i < N_PROFILES; i++) {
        if (!is_wanted(wanted, put[i]))
            continue;
        ++*n_profiles;
        for (size_t row = 0; row < put[i]->n_rows; row++)
            if (!wanted->thread ||
                has_thread(put[i], put[i]->row_labels[row], wanted->thread) != wanted->thread_differs)
                total += put[i]->row_values[row * put[i]->n_types + type];
    }
    return total;
}

/* The values at the ends of the lines, added up. */
static int64_t collapsed_total(const struct vg_flame *flame, const struct vg_merged *merged)
{
    struct vg_buf out;
    int64_t total = 0;
    vg_buf_init(&out, 16 << 20, NULL);
    assert_int_equal(vg_collapsed_write(flame, merged, &out), VG_OK);
    for (size_t i = 0, space = 0; i < out.len; i++) {
        if (out.data[i] == ' ')
            space = i;
        if (out.data[i] == '\n')
            total += strtoll(out.data + space + 1, NULL, 10);
    }
    vg_buf_release(&out);
    return total;
}

static struct vg_search *search_for(const char *text, struct vg_selection *selection)
{
    struct vg_search *search;
    struct vg_search_error error;
    assert_int_equal(vg_search_new(vg_slice_of(text), NULL, &search, &error), VG_OK);
    *selection = bed_everything;
    vg_search_select(search, selection);
    return search;
}

static void searches_narrow_what_is_merged(void **state)
{
    static const struct wanted table[] = {
        {"", NULL, NULL, NULL, NULL, false},
        {"service:web", "web", NULL, NULL, NULL, false},
        {"SERVICE:a* -env:prod", "api", "dev", NULL, NULL, false},
        {"env:(prod OR staging) version:1.1", NULL, "prod", "1.1", NULL, false},
        {"thread:Worker-1\xC3\xA9", NULL, NULL, NULL, "Worker-1\xC3\xA9", false},
        {"service:web thread:\"W*-2?\"", "web", NULL, NULL, "Worker-2\xC3\xA9", false},
        {"env:dev -thread:*-0?", NULL, "dev", NULL, "Worker-0\xC3\xA9", true},
        {"service:nobody", "nobody", NULL, NULL, NULL, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        for (size_t type = 0; type < 3; type++) {
            struct vg_selection selection;
            struct vg_search *search = search_for(table[i].text, &selection);
            struct vg_merged merged;
            struct vg_flame flame;
            size_t n_profiles;
            int64_t expected = expected_total(&table[i], type, &n_profiles);
            assert_int_equal(vg_store_merge(bed.store, &selection, put[0]->types[type].name, &merged), VG_OK);
            assert_int_equal(vg_flame_build(&merged, 0, NULL, &flame), VG_OK);
            if (flame.nodes[0].value != expected || merged.total != expected)
                fail_msg("'%s': %ld, not %ld", table[i].text, (long)flame.nodes[0].value, (long)expected);
            if (!table[i].thread)
                assert_int_equal(merged.n_profiles, n_profiles);
            assert_int_equal(collapsed_total(&flame, &merged), expected);
            vg_flame_release(&flame);
            vg_merged_release(&merged);
            vg_search_free(search);
        }
    }
}

static void lists_count_what_was_put(void **state)
{
    (void)state;
    struct vg_selection selection;
    struct vg_search *search = search_for("env:dev", &selection);
    struct wanted wanted = {.service = "api", .env = "dev"};
    struct vg_services services;
    struct vg_facets facets;
    size_t n_profiles;
    assert_int_equal(vg_services_collect(bed.store, &selection, NULL, &services), VG_OK);
    assert_int_equal(services.n, 1); /* every fourth profile is dev, every second api */
    assert_true(vg_slice_equal_text(services.items[0].name, "api"));
    int64_t expected = expected_total(&wanted, 0, &n_profiles);
    assert_int_equal(services.items[0].profiles, n_profiles);
    assert_int_equal(services.items[0].processes, 3);
    for (size_t i = 0; i < services.items[0].n_types; i++)
        if (vg_slice_equal(services.items[0].types[i].name, put[0]->types[0].name))
            assert_int_equal(services.items[0].types[i].total, expected);
    assert_int_equal(vg_facets_collect(bed.store, &selection, NULL, &facets), VG_OK);
    assert_int_equal(facets.profiles, n_profiles);
    assert_int_equal(facets.items[1].values[0].count, n_profiles);
    vg_facets_release(&facets);
    vg_services_release(&services);
    vg_search_free(search);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_narrow_what_is_merged),
        cmocka_unit_test(lists_count_what_was_put),
    };
    int n_failed = cmocka_run_group_tests_name("in memory", tests, in_memory, empty);
    return n_failed + cmocka_run_group_tests_name("SQLite", tests, on_disk, empty);
}
