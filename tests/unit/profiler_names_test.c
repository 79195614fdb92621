/* profiler/profile/names: names of threads whose idents are used again, the bound, the forked child, many
 * threads. */
#include "profiler/profile/names.h"

#include "test_cmocka.h"

#include <pthread.h>
#include <string.h>

static struct vg_names names;

static int set_up(void **state)
{
    (void)state;
    vg_names_init(&names);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    vg_names_release(&names);
    return 0;
}

static void put(uint64_t ident, int32_t thread_id, const char *name)
{
    vg_names_put(&names, ident, thread_id, vg_slice_of(name));
}

static const char *get(uint64_t ident, int32_t thread_id)
{
    static struct vg_name name;
    return vg_names_get(&names, ident, thread_id, &name) ? name.text : NULL;
}

static void the_last_name_counts(void **state)
{
    (void)state;
    assert_null(get(1, 10));
    put(1, 10, "one");
    put(2, 20, "two");
    put(1, 10, "renamed");
    assert_string_equal(get(1, 10), "renamed");
    assert_string_equal(get(2, 20), "two");
    assert_null(get(3, 10));
    put(2, 20, "");
    assert_string_equal(get(2, 20), "");
}

static void every_change_has_a_version(void **state)
{
    struct vg_name before, after;
    (void)state;
    uint32_t version = vg_names_version(&names);
    put(1, 10, "a");
    assert_int_not_equal(vg_names_version(&names), version);
    assert_true(vg_names_get(&names, 1, 10, &before));
    put(1, 10, "a");
    assert_true(vg_names_get(&names, 1, 10, &after));
    assert_int_not_equal(before.version, after.version);
    /* 0 says "no name", also after four thousand million of them. */
    names.version = UINT32_MAX;
    put(2, 20, "b");
    assert_true(vg_names_get(&names, 2, 20, &after));
    assert_int_not_equal(after.version, 0);
}

static void an_ident_that_is_used_again_is_another_thread(void **state)
{
    (void)state;
    put(1, 10, "first");
    assert_null(get(1, 11));
    vg_names_forget(&names, 1, 11); /* not the one that we have */
    assert_string_equal(get(1, 10), "first");
    put(1, 11, "second");
    vg_names_forget(&names, 1, 10); /* the first's death is noticed late */
    assert_string_equal(get(1, 11), "second");
    vg_names_forget(&names, 1, 11);
    assert_null(get(1, 11));
    vg_names_forget(&names, 1, 11);
}

static void a_thread_of_unknown_kernel_id_is_any(void **state)
{
    (void)state;
    put(1, 0, "somebody");
    assert_string_equal(get(1, 10), "somebody");
    vg_names_forget(&names, 1, 10);
    assert_null(get(1, 10));
}

static void long_names_are_cut_at_a_character(void **state)
{
    char text[VG_THREAD_NAME_BYTES + 20];
    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text + VG_THREAD_NAME_BYTES - 2, "\xc3\xbc", 2); /* ü: its second byte is where the NUL must be */
    vg_names_put(&names, 1, 10, (struct vg_slice){text, sizeof text});
    assert_int_equal(strlen(get(1, 10)), VG_THREAD_NAME_BYTES - 2);
    vg_names_put(&names, 1, 10, (struct vg_slice){text, VG_THREAD_NAME_BYTES - 2});
    assert_int_equal(strlen(get(1, 10)), VG_THREAD_NAME_BYTES - 2);
}

static void no_more_than_the_bound_and_places_are_used_again(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= VG_WINDOW_MAX_THREADS; i++)
        put(i, (int32_t)i, "x");
    put(1000000, 1, "too many");
    assert_null(get(1000000, 1));
    assert_non_null(get(VG_WINDOW_MAX_THREADS, VG_WINDOW_MAX_THREADS));
    for (unsigned round = 0; round < 3; round++) {
        for (uint64_t i = 1; i <= 100; i++)
            vg_names_forget(&names, i, (int32_t)i);
        for (uint64_t i = 1; i <= 100; i++)
            put(i, (int32_t)i, "again");
        put(1000000, 1, "too many");
        assert_null(get(1000000, 1));
    }
    assert_string_equal(get(100, 100), "again");
    assert_string_equal(get(101, 101), "x");
}

static void a_forked_child_begins_empty(void **state)
{
    (void)state;
    put(1, 10, "parent");
    pthread_mutex_lock(&names.lock.mutex); /* as if by a thread that is not in the child */
    void *leaked = names.entries, *leaked_map = names.by_ident.entries;
    vg_names_child(&names);
    assert_null(get(1, 10));
    put(1, 11, "child");
    assert_string_equal(get(1, 11), "child");
    vg_alloc_release(NULL, leaked);
    vg_alloc_release(NULL, leaked_map);
}

static void *put_and_get(void *ctx)
{
    uint64_t ident = (uint64_t)(uintptr_t)ctx;
    for (int i = 0; i < 5000; i++) {
        struct vg_name name;
        put(ident, i, "name");
        vg_names_get(&names, 1 + ident % 4, i, &name);
        vg_names_version(&names);
        vg_names_forget(&names, ident, i);
    }
    return NULL;
}

static void from_many_threads(void **state)
{
    pthread_t threads[4];
    (void)state;
    for (uintptr_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_and_get, (void *)(i + 1)), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(names.by_ident.count, 0);
    assert_true(names.n <= 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_last_name_counts),
        TEST(every_change_has_a_version),
        TEST(an_ident_that_is_used_again_is_another_thread),
        TEST(a_thread_of_unknown_kernel_id_is_any),
        TEST(long_names_are_cut_at_a_character),
        TEST(no_more_than_the_bound_and_places_are_used_again),
        TEST(a_forked_child_begins_empty),
        TEST(from_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
