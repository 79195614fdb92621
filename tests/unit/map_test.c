/* base/map: both tables against naive models, under random operations; quality of the hashes. */
#include "base/map.h"

#include "test_alloc.h"
#include "test_cmocka.h"

#define MODEL_KEYS 300

/* The same numbers in every run, so that a failure can be seen again. */
static uint64_t next_random(uint64_t *state)
{
    *state += 1;
    return vg_hash_u64(*state);
}

static void map_equals_a_naive_model(void **state)
{
    (void)state;
    struct {
        bool is_there;
        uint64_t value;
    } model[MODEL_KEYS] = {{0}};
    size_t count = 0;
    struct vg_map map;
    vg_map_init(&map, MODEL_KEYS / 2, NULL);
    uint64_t random = 1;
    for (int step = 0; step < 200000; step++) {
        size_t k = next_random(&random) % MODEL_KEYS;
        uint64_t key = k % 3 ? k : k << 56, *value; /* small ones and ones with equal low bits */
        unsigned what = (unsigned)(next_random(&random) % 1000);
        if (what < 500) {
            bool is_new;
            enum vg_err err = vg_map_insert(&map, key, &value, &is_new);
            if (!model[k].is_there && count == MODEL_KEYS / 2) {
                assert_int_equal(err, VG_ERR_FULL);
                continue;
            }
            assert_int_equal(err, VG_OK);
            assert_int_equal(is_new, !model[k].is_there);
            assert_int_equal(*value, model[k].is_there ? model[k].value : 0);
            count += is_new;
            model[k].is_there = true;
            model[k].value = *value = next_random(&random);
        } else if (what < 999) {
            assert_int_equal(vg_map_remove(&map, key), model[k].is_there);
            count -= model[k].is_there;
            model[k].is_there = false;
        } else {
            vg_map_reset(&map);
            memset(model, 0, sizeof model);
            count = 0;
        }
        assert_int_equal(map.count, count);
        size_t probe = next_random(&random) % MODEL_KEYS;
        value = vg_map_find(&map, probe % 3 ? probe : probe << 56);
        assert_int_equal(value != NULL, model[probe].is_there);
        if (value)
            assert_int_equal(*value, model[probe].value);
    }
    vg_map_release(&map);
}

static void map_without_entries(void **state)
{
    (void)state;
    struct vg_map map;
    uint64_t *value;
    bool is_new;
    vg_map_init(&map, 0, NULL);
    assert_null(vg_map_find(&map, 0));
    assert_false(vg_map_remove(&map, 0));
    assert_int_equal(vg_map_insert(&map, 0, &value, &is_new), VG_ERR_FULL);
    vg_map_reset(&map);
    vg_map_release(&map);
}

static void intern_gives_dense_ids(void **state)
{
    (void)state;
    struct vg_intern intern;
    char text[400];
    memset(text, 'a', sizeof text);
    vg_intern_init(&intern, 100000, 32 << 20, NULL);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 20000; i++) {
            uint32_t id = 0;
            memcpy(text, &i, sizeof i); /* bytes, zeros among them; lengths 4 – 303 */
            struct vg_slice bytes = {text, 4 + i % 300};
            assert_int_equal(vg_intern_find(&intern, bytes, &id), round == 1);
            assert_int_equal(vg_intern_put(&intern, bytes, &id), VG_OK);
            assert_int_equal(id, i);
            assert_true(vg_slice_equal(vg_intern_get(&intern, id), bytes));
        }
    }
    assert_int_equal(intern.count, 20000);
    vg_intern_release(&intern);
}

static void intern_tells_lengths_apart(void **state)
{
    (void)state;
    static const char zeros[64];
    struct vg_intern intern;
    uint32_t id;
    vg_intern_init(&intern, 100, 10000, NULL);
    for (uint32_t len = 0; len < sizeof zeros; len++) {
        assert_int_equal(vg_intern_put(&intern, (struct vg_slice){zeros, len}, &id), VG_OK);
        assert_int_equal(id, len);
    }
    assert_int_equal(vg_intern_put(&intern, (struct vg_slice){NULL, 0}, &id), VG_OK);
    assert_int_equal(id, 0);
    vg_intern_release(&intern);
}

static void intern_is_bounded_both_ways(void **state)
{
    (void)state;
    struct vg_intern intern;
    uint32_t id = 77;
    vg_intern_init(&intern, 2, 1000, NULL);
    assert_int_equal(vg_intern_put(&intern, VG_SLICE_LIT("a"), &id), VG_OK);
    assert_int_equal(vg_intern_put(&intern, VG_SLICE_LIT("b"), &id), VG_OK);
    assert_int_equal(vg_intern_put(&intern, VG_SLICE_LIT("c"), &id), VG_ERR_FULL);
    assert_int_equal(id, 1);
    assert_int_equal(vg_intern_put(&intern, VG_SLICE_LIT("a"), &id), VG_OK); /* the known ones stay known */
    assert_int_equal(id, 0);
    vg_intern_release(&intern);

    vg_intern_init(&intern, 100, 10, NULL);
    assert_int_equal(vg_intern_put(&intern, VG_SLICE_LIT("0123456789"), &id), VG_ERR_FULL);
    assert_int_equal(vg_intern_put(&intern, VG_SLICE_LIT("01234"), &id), VG_OK);
    assert_int_equal(vg_intern_put(&intern, VG_SLICE_LIT("56789"), &id), VG_ERR_FULL);
    assert_int_equal(vg_intern_put(&intern, VG_SLICE_LIT("567"), &id), VG_OK);
    assert_int_equal(id, 1);
    vg_intern_release(&intern);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t turn = 0;; turn++) {
        struct test_alloc alloc = test_alloc_failing(turn);
        struct vg_map map;
        struct vg_intern intern;
        vg_map_init(&map, 1000, test_alloc_seam(&alloc));
        vg_intern_init(&intern, 1000, 1 << 20, test_alloc_seam(&alloc));
        for (uint32_t i = 0; i < 500; i++) {
            uint64_t *value;
            bool is_new;
            uint32_t id = 0;
            char text[200] = "";
            memcpy(text, &i, sizeof i);
            struct vg_slice bytes = {text, sizeof text};
            enum vg_err err = vg_map_insert(&map, i, &value, &is_new);
            assert_int_equal(vg_map_find(&map, i) != NULL, !err);
            err = vg_intern_put(&intern, bytes, &id);
            assert_int_equal(vg_intern_find(&intern, bytes, &id), !err);
            if (!err)
                assert_true(vg_slice_equal(vg_intern_get(&intern, id), bytes));
        }
        vg_map_release(&map);
        vg_intern_release(&intern);
        assert_int_equal(alloc.live, 0);
        if (!alloc.has_failed)
            break;
    }
}

/* Flipping any bit of the input flips each bit of the hash about every second time. */
static void hashes_avalanche(void **state)
{
    (void)state;
    uint64_t random = 9;
    for (size_t len = 1; len <= 40; len += 3) {
        size_t flips = 0, tries = 0;
        for (int round = 0; round < 64; round++) {
            unsigned char bytes[40];
            for (size_t i = 0; i < len; i++)
                bytes[i] = (unsigned char)next_random(&random);
            uint64_t before = vg_hash_bytes(bytes, len, 5);
            for (size_t bit = 0; bit < len * 8; bit++, tries++) {
                bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
                flips += (size_t)__builtin_popcountll(before ^ vg_hash_bytes(bytes, len, 5));
                bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            }
        }
        double mean = (double)flips / (double)tries;
        assert_true(mean > 31 && mean < 33);
    }
    assert_true(vg_hash_bytes("abc", 3, 1) != vg_hash_bytes("abc", 3, 2));
    assert_true(vg_hash_bytes(NULL, 0, 1) != vg_hash_bytes(NULL, 0, 2));
}

/* Low and high bits of hashes of small numbers and short texts fill 2^16 boxes as chance would. */
static void hashes_spread(void **state)
{
    (void)state;
    static unsigned char boxes[4][1 << 16];
    memset(boxes, 0, sizeof boxes);
    for (uint64_t i = 0; i < 1 << 16; i++) {
        uint64_t number = vg_hash_u64(i << 20), text = vg_hash_bytes(&i, sizeof i, 3);
        boxes[0][number & 0xFFFF] = boxes[1][number >> 48] = 1;
        boxes[2][text & 0xFFFF] = boxes[3][text >> 48] = 1;
    }
    for (size_t which = 0; which < 4; which++) {
        size_t used = 0;
        for (size_t i = 0; i < 1 << 16; i++)
            used += boxes[which][i];
        assert_in_range(used, 41000, 41850); /* 65,536 × (1 − 1/e) = 41,427; sigma is about 80 */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_equals_a_naive_model),
        cmocka_unit_test(map_without_entries),
        cmocka_unit_test(intern_gives_dense_ids),
        cmocka_unit_test(intern_tells_lengths_apart),
        cmocka_unit_test(intern_is_bounded_both_ways),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(hashes_avalanche),
        cmocka_unit_test(hashes_spread),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
