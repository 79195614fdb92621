/* profiler/stacks/stacks: runs of ids against a naive table, its bounds, memory that fails. */
#include "profiler/stacks/stacks.h"

#include "profiler/stacks/symbols.h"
#include "test_alloc.h"
#include "test_cmocka.h"

#include <string.h>

#define NAIVE_MAX 3000
#define DEPTH_MAX 9

struct naive {
    uint32_t locations[NAIVE_MAX][DEPTH_MAX];
    uint32_t depth[NAIVE_MAX];
    uint32_t id[NAIVE_MAX];
    size_t n;
};

static uint32_t random_below(uint64_t *state, uint32_t limit)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)((*state >> 33) % limit);
}

static size_t naive_find(const struct naive *naive, const uint32_t *locations, uint32_t depth)
{
    for (size_t i = 0; i < naive->n; i++)
        if (naive->depth[i] == depth &&
            memcmp(naive->locations[i], locations, depth * sizeof *locations) == 0)
            return i;
    return naive->n;
}

static void as_a_naive_table(void **state)
{
    static struct naive naive;
    struct vg_stacks stacks;
    uint64_t seed = 42;
    (void)state;
    assert_int_equal(vg_stacks_init(&stacks, NULL), VG_OK);
    for (unsigned round = 0; round < 6000 && naive.n < NAIVE_MAX; round++) {
        uint32_t locations[DEPTH_MAX], depth = 1 + random_below(&seed, DEPTH_MAX);
        /* Few different ids, so that stacks repeat, and are prefixes of one another. */
        for (uint32_t i = 0; i < depth; i++)
            locations[i] = VG_LOCATION_FIRST_REAL + random_below(&seed, 3);
        uint32_t id = vg_stacks_put(&stacks, locations, depth);
        size_t known = naive_find(&naive, locations, depth);
        assert_int_not_equal(id, VG_STACK_OVERFLOW);
        if (known < naive.n) {
            assert_int_equal(id, naive.id[known]);
            continue;
        }
        assert_int_equal(id, naive.n + 1);
        memcpy(naive.locations[naive.n], locations, sizeof locations);
        naive.depth[naive.n] = depth;
        naive.id[naive.n++] = id;
    }
    for (size_t i = 0; i < naive.n; i++) {
        uint32_t n;
        const uint32_t *kept = vg_stacks_get(&stacks, naive.id[i], &n);
        assert_int_equal(n, naive.depth[i]);
        assert_memory_equal(kept, naive.locations[i], n * sizeof *kept);
    }
    vg_stacks_release(&stacks);
}

static void the_first_is_the_overflow(void **state)
{
    struct vg_stacks stacks;
    uint32_t n;
    (void)state;
    assert_int_equal(vg_stacks_init(&stacks, NULL), VG_OK);
    const uint32_t *kept = vg_stacks_get(&stacks, VG_STACK_OVERFLOW, &n);
    assert_int_equal(n, 1);
    assert_int_equal(kept[0], VG_LOCATION_OVERFLOW);
    assert_int_equal(vg_stacks_put(&stacks, kept, 1), VG_STACK_OVERFLOW);
    vg_stacks_release(&stacks);
}

static void no_more_stacks_than_the_bound(void **state)
{
    struct vg_stacks stacks;
    (void)state;
    assert_int_equal(vg_stacks_init(&stacks, NULL), VG_OK);
    for (uint32_t i = 1; i < VG_STACKS_MAX; i++)
        assert_int_equal(vg_stacks_put(&stacks, (uint32_t[]){i, i}, 2), i);
    assert_int_equal(vg_stacks_put(&stacks, (uint32_t[]){1, 2, 3}, 3), VG_STACK_OVERFLOW);
    assert_int_equal(vg_stacks_put(&stacks, (uint32_t[]){77, 77}, 2), 77);
    vg_stacks_release(&stacks);
}

static void no_more_memory_than_the_bound(void **state)
{
    static uint32_t locations[VG_MAX_FRAMES];
    struct vg_stacks stacks;
    uint32_t deep = 0, id;
    (void)state;
    assert_int_equal(vg_stacks_init(&stacks, NULL), VG_OK);
    do {
        locations[0] = ++deep;
        id = vg_stacks_put(&stacks, locations, VG_MAX_FRAMES);
    } while (id != VG_STACK_OVERFLOW);
    assert_int_equal(deep, VG_STACKS_MAX_BYTES / sizeof locations);
    /* What still fits is taken, and what is there is still found. */
    assert_int_not_equal(vg_stacks_put(&stacks, locations, 3), VG_STACK_OVERFLOW);
    locations[0] = 1;
    assert_int_equal(vg_stacks_put(&stacks, locations, VG_MAX_FRAMES), 1);
    vg_stacks_release(&stacks);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t turn = 0;; turn++) {
        struct test_alloc alloc = test_alloc_failing(turn);
        struct vg_stacks stacks;
        enum vg_err err = vg_stacks_init(&stacks, test_alloc_seam(&alloc));
        assert_true(err == VG_OK || (err == VG_ERR_NOMEM && alloc.has_failed));
        for (uint32_t i = 1; err == VG_OK && i < 2000; i++) {
            uint32_t locations[] = {i, i + 1, i + 2, i + 3}, n;
            uint32_t id = vg_stacks_put(&stacks, locations, 4);
            const uint32_t *kept = vg_stacks_get(&stacks, id, &n);
            if (id == VG_STACK_OVERFLOW)
                assert_true(alloc.has_failed);
            else
                assert_memory_equal(kept, locations, sizeof locations);
        }
        if (err == VG_OK)
            vg_stacks_release(&stacks);
        assert_int_equal(alloc.live, 0);
        if (!alloc.has_failed)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_a_naive_table),
        cmocka_unit_test(the_first_is_the_overflow),
        cmocka_unit_test(no_more_stacks_than_the_bound),
        cmocka_unit_test(no_more_memory_than_the_bound),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
