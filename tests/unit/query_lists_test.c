/* query/services, tags, totals and listing over a small store double, which visits what it is told to:
 * counts, bounds, levels, pages, errors of the store, failing memory. */
#include <stdio.h>

#include "test_alloc.h"
#include "test_cmocka.h"
#include "vigil/query/listing.h"
#include "vigil/query/services.h"
#include "vigil/query/tags.h"
#include "vigil/store/store_ops.h"

/* Newest end first, as the store promises. */
struct store_double {
    struct vg_store store;
    const struct vg_stored_profile *profiles;
    size_t n;
    size_t visited;
    enum vg_err err; /* said after visiting all */
};

static enum vg_err list(struct vg_store *store, const struct vg_selection *selection, vg_store_visit *visit,
                        void *ctx)
{
    struct store_double *self = (struct store_double *)store;
    self->visited = 0;
    for (size_t i = 0; i < self->n; i++) {
        const struct vg_stored_profile *profile = &self->profiles[i];
        if (!vg_selection_covers(selection, profile->start_ns, profile->end_ns))
            continue;
        if (selection->match_tags && !selection->match_tags(selection->ctx, profile->tags, profile->n_tags))
            continue;
        self->visited++;
        if (!visit(ctx, profile))
            return VG_OK;
    }
    return self->err;
}

static const struct vg_store_ops ops = {.list = list};

static const struct vg_selection everything = {.from_ns = INT64_MIN, .to_ns = INT64_MAX};

#define TEXT(s)          {(s), sizeof(s) - 1}
#define TAG(name, value) {TEXT(name), TEXT(value)}

static const struct vg_tag web_a[] = {
    TAG("env", "prod"),    TAG("host", "h1"),   TAG("language", "python"), TAG("runtime-id", "a"),
    TAG("service", "web"), TAG("team", "core"), TAG("team", "intake"),     TAG("version", "1.0")};
static const struct vg_tag web_b[] = {
    TAG("env", "dev"),     TAG("host", "h2"),   TAG("language", "python"), TAG("runtime-id", "b"),
    TAG("service", "web"), TAG("team", "core"), TAG("version", "1.1")};
static const struct vg_tag api_c[] = {TAG("env", "prod"), TAG("host", "h1"), TAG("runtime-id", "c"),
                                      TAG("service", "api")};

#define CPU(total)  {TEXT("cpu-time"), TEXT("nanoseconds"), (total)}
#define HEAP(total) {TEXT("heap-space"), TEXT("bytes"), (total)}

static const struct vg_profile_type types_0[] = {CPU(5), HEAP(100)}, types_1[] = {CPU(7), HEAP(400)},
                                    types_2[] = {HEAP(1000)}, types_3[] = {CPU(INT64_MAX)},
                                    types_4[] = {CPU(9)};

#define PROFILE(id, start, end, tags, types)                                                                 \
    {(id),    (start),                                                                                       \
     (end),   (end),                                                                                         \
     (tags),  sizeof(tags) / sizeof *(tags),                                                                 \
     (types), sizeof(types) / sizeof *(types),                                                               \
     10,      {0}}

static const struct vg_stored_profile five[] = {
    PROFILE(5, 40, 60, api_c, types_4), PROFILE(4, 30, 50, api_c, types_3),
    PROFILE(3, 20, 40, web_b, types_2), PROFILE(2, 10, 40, web_a, types_1),
    PROFILE(1, 0, 10, web_a, types_0),
};

static struct store_double store_of(const struct vg_stored_profile *profiles, size_t n)
{
    return (struct store_double){{&ops}, profiles, n, 0, VG_OK};
}

static void assert_texts(const struct vg_slice *texts, size_t n, const char *expected)
{
    char joined[256] = "";
    int len = 0;
    for (size_t i = 0; i < n; i++)
        len += snprintf(joined + len, sizeof joined - (size_t)len, "%s%.*s", i ? "," : "", (int)texts[i].len,
                        texts[i].data);
    assert_string_equal(joined, expected);
}

static void services_count_what_their_profiles_say(void **state)
{
    (void)state;
    struct store_double store = store_of(five, 5);
    struct vg_services services;
    assert_int_equal(vg_services_collect(&store.store, &everything, NULL, &services), VG_OK);
    assert_int_equal(services.n, 2);
    assert_false(services.is_truncated);

    const struct vg_service *api = &services.items[0], *web = &services.items[1];
    assert_texts(&api->name, 1, "api");
    assert_int_equal(api->profiles, 2);
    assert_int_equal(api->processes, 1);
    assert_int_equal(api->n_types, 1);
    assert_int_equal(api->types[0].total, INT64_MAX); /* saturated */
    assert_int_equal(api->n_values[VG_SERVICE_VERSIONS], 0);

    assert_texts(&web->name, 1, "web");
    assert_int_equal(web->profiles, 3);
    assert_int_equal(web->processes, 2);
    assert_int_equal(web->first_seen_ns, 0);
    assert_int_equal(web->last_seen_ns, 40);
    assert_int_equal(web->duration_ns, 60);
    assert_texts(web->values[VG_SERVICE_ENVS], web->n_values[VG_SERVICE_ENVS], "dev,prod");
    assert_texts(web->values[VG_SERVICE_VERSIONS], web->n_values[VG_SERVICE_VERSIONS], "1.0,1.1");
    assert_texts(web->values[VG_SERVICE_HOSTS], web->n_values[VG_SERVICE_HOSTS], "h1,h2");
    assert_texts(web->values[VG_SERVICE_LANGUAGES], web->n_values[VG_SERVICE_LANGUAGES], "python");
    assert_int_equal(web->n_types, 2);
    assert_texts(&web->types[0].name, 1, "cpu-time");
    assert_int_equal(web->types[0].total, 12);
    assert_texts(&web->types[1].unit, 1, "bytes");
    /* process a: (100 × 10 + 400 × 30) / 40 = 325, process b: 1000 */
    assert_int_equal(web->types[1].total, 1325);
    vg_services_release(&services);
}

static void facets_count_profiles(void **state)
{
    static const char *const names[] = {"service",  "env",        "version", "host",
                                        "language", "runtime-id", "team"};
    (void)state;
    struct store_double store = store_of(five, 5);
    struct vg_facets facets;
    assert_int_equal(vg_facets_collect(&store.store, &everything, NULL, &facets), VG_OK);
    assert_int_equal(facets.profiles, 5);
    assert_int_equal(facets.n, 7);
    assert_false(facets.is_truncated);
    for (size_t i = 0; i < 7; i++)
        assert_texts(&facets.items[i].name, 1, names[i]);
    const struct vg_facet *env = &facets.items[1], *team = &facets.items[6];
    assert_int_equal(env->n_values, 2);
    assert_texts(&env->values[0].value, 1, "prod");
    assert_int_equal(env->values[0].count, 4);
    assert_int_equal(env->values[1].count, 1);
    assert_texts(&team->values[0].value, 1, "core");
    assert_int_equal(team->values[0].count, 3);
    assert_int_equal(team->values[1].count, 2);
    assert_false(team->is_truncated);
    vg_facets_release(&facets);
}

/* n profiles, the newest first, each a service and a host of its own; alive until the next call. */
static const struct vg_stored_profile *many(size_t n)
{
    enum { MOST = VG_SERVICES_MAX + 5 };
    static struct vg_stored_profile profiles[MOST];
    static struct vg_tag tags[MOST][2];
    static char text[MOST][24];
    assert_true(n <= MOST);
    for (size_t i = 0; i < n; i++) {
        int64_t start_ns = (int64_t)(n - i) * 10;
        int len = snprintf(text[i], sizeof text[i], "s%06zu", i);
        tags[i][0] = (struct vg_tag){VG_SLICE_LIT("host"), {text[i], (size_t)len}};
        tags[i][1] = (struct vg_tag){VG_SLICE_LIT("service"), {text[i], (size_t)len}};
        profiles[i] = (struct vg_stored_profile){.id = n - i,
                                                 .start_ns = start_ns,
                                                 .end_ns = start_ns + 10,
                                                 .tags = tags[i],
                                                 .n_tags = 2,
                                                 .types = types_4,
                                                 .n_types = 1};
    }
    return profiles;
}

static void more_than_fits_is_cut_and_said(void **state)
{
    (void)state;
    struct store_double store = store_of(many(VG_SERVICES_MAX + 5), VG_SERVICES_MAX + 5);
    struct vg_services services;
    assert_int_equal(vg_services_collect(&store.store, &everything, NULL, &services), VG_OK);
    assert_int_equal(services.n, VG_SERVICES_MAX);
    assert_true(services.is_truncated);
    vg_services_release(&services);

    struct vg_facets facets;
    assert_int_equal(vg_facets_collect(&store.store, &everything, NULL, &facets), VG_OK);
    assert_int_equal(facets.n, 2);
    assert_int_equal(facets.items[0].n_values, VG_FACET_MAX_VALUES);
    assert_true(facets.items[0].is_truncated);
    assert_texts(&facets.items[0].values[0].value, 1, "s000000");
    vg_facets_release(&facets);
}

/* All ids over pages of that limit, as text. */
static void read_pages(struct store_double *store, bool ascending, size_t limit, char *ids, size_t size)
{
    struct vg_listing listing = {.is_ascending = ascending, .limit = limit};
    struct vg_listing_key after;
    int len = 0;
    ids[0] = 0;
    do {
        char cursor[VG_CURSOR_SIZE];
        assert_int_equal(vg_listing_find(&store->store, &everything, &listing), VG_OK);
        for (size_t i = 0; i < listing.n; i++) {
            len += snprintf(ids + len, size - (size_t)len, "%d ", (int)listing.keys[i].id);
            assert_int_equal(vg_listing_index(&listing, listing.keys[i]), i);
        }
        len += snprintf(ids + len, size - (size_t)len, "| ");
        if (!listing.has_more)
            break;
        vg_cursor_format(listing.keys[listing.n - 1], cursor);
        assert_int_equal(vg_cursor_parse(vg_slice_of(cursor), &after), VG_OK);
        listing.after = &after;
    } while (true);
}

static void pages_follow_each_other_without_gaps(void **state)
{
    /* two with one start, one long ago that ended last, one of no length */
    static const struct vg_stored_profile profiles[] = {
        PROFILE(1, -50, 100, api_c, types_4), PROFILE(4, 30, 50, api_c, types_4),
        PROFILE(3, 30, 45, api_c, types_4),   PROFILE(5, 40, 40, api_c, types_4),
        PROFILE(2, 10, 20, api_c, types_4),
    };
    char ids[64];
    (void)state;
    struct store_double store = store_of(profiles, 5);
    read_pages(&store, false, 2, ids, sizeof ids);
    assert_string_equal(ids, "5 4 | 3 2 | 1 | ");
    read_pages(&store, true, 2, ids, sizeof ids);
    assert_string_equal(ids, "1 2 | 3 4 | 5 | ");
    read_pages(&store, false, 1, ids, sizeof ids);
    assert_string_equal(ids, "5 | 4 | 3 | 2 | 1 | ");
    read_pages(&store, true, 5, ids, sizeof ids);
    assert_string_equal(ids, "1 2 3 4 5 | ");
    store.n = 0;
    read_pages(&store, true, 5, ids, sizeof ids);
    assert_string_equal(ids, "| ");
}

static void the_newest_page_needs_no_look_at_the_rest(void **state)
{
    (void)state;
    struct store_double store = store_of(many(5000), 5000);
    struct vg_listing listing = {.limit = 10};
    assert_int_equal(vg_listing_find(&store.store, &everything, &listing), VG_OK);
    assert_int_equal(listing.n, 10);
    assert_int_equal(listing.keys[0].id, 5000);
    assert_true(store.visited < 20);
}

static void only_our_cursors_are_cursors(void **state)
{
    static const char *const bad[] = {"",
                                      "_",
                                      "1_",
                                      "_1",
                                      "1_2 ",
                                      "1-2",
                                      "x_1",
                                      "1_x",
                                      "--1_2",
                                      "1__2",
                                      "99999999999999999999_1",
                                      "1_99999999999999999999",
                                      "9223372036854775808_1"};
    struct vg_listing_key key;
    char text[VG_CURSOR_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(vg_cursor_parse(vg_slice_of(bad[i]), &key), VG_ERR_MALFORMED);
    vg_cursor_format((struct vg_listing_key){-INT64_MAX, UINT64_MAX}, text);
    assert_int_equal(vg_cursor_parse(vg_slice_of(text), &key), VG_OK);
    assert_true(key.start_ns == -INT64_MAX && key.id == UINT64_MAX);
}

static void errors_of_the_store_come_through(void **state)
{
    (void)state;
    struct store_double store = store_of(five, 5);
    struct vg_services services;
    struct vg_facets facets;
    struct vg_listing listing = {.limit = 10};
    store.err = VG_ERR_IO;
    assert_int_equal(vg_services_collect(&store.store, &everything, NULL, &services), VG_ERR_IO);
    assert_int_equal(vg_facets_collect(&store.store, &everything, NULL, &facets), VG_ERR_IO);
    assert_int_equal(vg_listing_find(&store.store, &everything, &listing), VG_ERR_IO);
}

static void failing_memory_is_said_and_leaves_nothing(void **state)
{
    (void)state;
    struct store_double store = store_of(five, 5);
    for (size_t turn = 0;; turn++) {
        struct test_alloc alloc = test_alloc_failing(turn);
        struct vg_services services;
        struct vg_facets facets;
        enum vg_err err = vg_services_collect(&store.store, &everything, test_alloc_seam(&alloc), &services);
        if (!err)
            vg_services_release(&services);
        if (!err)
            err = vg_facets_collect(&store.store, &everything, test_alloc_seam(&alloc), &facets);
        if (!err)
            vg_facets_release(&facets);
        assert_int_equal(err, alloc.has_failed ? VG_ERR_NOMEM : VG_OK);
        assert_int_equal(alloc.live, 0);
        if (!alloc.has_failed)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_count_what_their_profiles_say),
        cmocka_unit_test(facets_count_profiles),
        cmocka_unit_test(more_than_fits_is_cut_and_said),
        cmocka_unit_test(pages_follow_each_other_without_gaps),
        cmocka_unit_test(the_newest_page_needs_no_look_at_the_rest),
        cmocka_unit_test(only_our_cursors_are_cursors),
        cmocka_unit_test(errors_of_the_store_come_through),
        cmocka_unit_test(failing_memory_is_said_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
