/* base/arena and base/alloc: alignment, zeroing, limits, failures. */
#include "base/arena.h"

#include "test_alloc.h"
#include "test_cmocka.h"

#include <stdalign.h>

static void memory_is_zero_aligned_and_apart(void **state)
{
    (void)state;
    struct vg_arena arena;
    unsigned char *seen[2000];
    vg_arena_init(&arena, 64 << 20, NULL);
    for (size_t i = 0; i < 2000; i++) {
        size_t size = 1 + i * 7 % 300 + (i % 97 == 0 ? 300000 : 0);
        seen[i] = vg_arena_new(&arena, size, 1);
        assert_non_null(seen[i]);
        assert_int_equal((uintptr_t)seen[i] % alignof(max_align_t), 0);
        for (size_t j = 0; j < size; j++)
            assert_int_equal(seen[i][j], 0);
        memset(seen[i], (int)(i & 255), size);
        struct vg_slice copy;
        assert_int_equal(vg_arena_copy(&arena, VG_SLICE_LIT("odd"), &copy), VG_OK); /* breaks the alignment */
    }
    for (size_t i = 0; i < 2000; i++)
        assert_int_equal(seen[i][0], i & 255);
    vg_arena_release(&arena);
    assert_int_equal(arena.used_bytes, 0);
}

static void empty_requests_get_pointers_of_their_own(void **state)
{
    (void)state;
    struct vg_arena arena;
    vg_arena_init(&arena, 1000, NULL);
    void *a = vg_arena_new(&arena, 0, 8), *b = vg_arena_new(&arena, 8, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    vg_arena_release(&arena);
}

static void copies_end_in_nul(void **state)
{
    (void)state;
    struct vg_arena arena;
    struct vg_slice a, b;
    vg_arena_init(&arena, 1000, NULL);
    assert_int_equal(vg_arena_copy(&arena, VG_SLICE_LIT("abc"), &a), VG_OK);
    assert_int_equal(vg_arena_copy(&arena, (struct vg_slice){0}, &b), VG_OK);
    assert_string_equal(a.data, "abc");
    assert_int_equal(a.len, 3);
    assert_string_equal(b.data, "");
    assert_int_equal(b.len, 0);
    assert_int_equal(arena.used_bytes, 5);
    vg_arena_release(&arena);
}

static void the_limit_holds(void **state)
{
    (void)state;
    struct vg_arena arena;
    struct vg_slice copy = VG_SLICE_LIT("untouched");
    vg_arena_init(&arena, 100, NULL);
    assert_non_null(vg_arena_new(&arena, 10, 9));
    assert_null(vg_arena_new(&arena, 1, 11)); /* with its padding more than 100 */
    assert_int_equal(vg_arena_copy(&arena, VG_SLICE_LIT("0123456789"), &copy), VG_ERR_FULL);
    assert_string_equal(copy.data, "untouched");
    assert_int_equal(vg_arena_copy(&arena, VG_SLICE_LIT("012345678"), &copy), VG_OK);
    assert_int_equal(arena.used_bytes, 100);
    assert_null(vg_arena_new(&arena, 1, 1));
    assert_null(vg_arena_new(&arena, SIZE_MAX / 2, 3));
    assert_null(vg_arena_new(&arena, SIZE_MAX, 1));
    assert_int_equal(vg_arena_copy(&arena, (struct vg_slice){"", SIZE_MAX}, &copy), VG_ERR_FULL);
    vg_arena_release(&arena);

    vg_arena_init(&arena, SIZE_MAX, NULL);
    assert_null(vg_arena_new(&arena, SIZE_MAX, 1)); /* the block's own header would wrap */
    vg_arena_release(&arena);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t turn = 0;; turn++) {
        struct test_alloc alloc = test_alloc_failing(turn);
        struct vg_arena arena;
        struct vg_slice copy;
        vg_arena_init(&arena, 1 << 20, test_alloc_seam(&alloc));
        size_t got = 0;
        for (size_t i = 0; i < 40; i++) {
            got += vg_arena_new(&arena, 1, 1000 + i * 100) != NULL;
            got += vg_arena_copy(&arena, VG_SLICE_LIT("text"), &copy) == VG_OK;
        }
        assert_true(alloc.has_failed ? got < 80 : got == 80);
        vg_arena_release(&arena);
        assert_int_equal(alloc.live, 0);
        if (!alloc.has_failed)
            break;
    }
}

static void alloc_zeroes_and_refuses_overflow(void **state)
{
    (void)state;
    struct test_alloc alloc = test_alloc_failing(SIZE_MAX);
    const struct vg_alloc *seams[] = {NULL, test_alloc_seam(&alloc)};
    for (size_t i = 0; i < 2; i++) {
        unsigned char *memory = vg_alloc_zeroed(seams[i], 10, 10);
        for (size_t j = 0; j < 100; j++)
            assert_int_equal(memory[j], 0);
        memory = vg_alloc_resize(seams[i], memory, 200);
        assert_non_null(memory);
        vg_alloc_release(seams[i], memory);
        assert_null(vg_alloc_zeroed(seams[i], SIZE_MAX / 2, 3));
        void *empty = vg_alloc_zeroed(seams[i], 0, 3);
        assert_non_null(empty);
        vg_alloc_release(seams[i], empty);
        vg_alloc_release(seams[i], NULL);
    }
    assert_int_equal(alloc.live, 0);
}

static void errors_have_names(void **state)
{
    (void)state;
    for (int err = VG_OK; err <= VG_ERR_CANCELLED; err++)
        assert_string_not_equal(vg_err_name((enum vg_err)err), "unknown error");
    assert_string_equal(vg_err_name((enum vg_err)99), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zero_aligned_and_apart),
        cmocka_unit_test(empty_requests_get_pointers_of_their_own),
        cmocka_unit_test(copies_end_in_nul),
        cmocka_unit_test(the_limit_holds),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(alloc_zeroes_and_refuses_overflow),
        cmocka_unit_test(errors_have_names),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
