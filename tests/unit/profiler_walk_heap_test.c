/* profiler/cpython/walk_heap: chains of frame objects, predicted and not, and torn ones. Real memory under a
 * made-up layout. */
#include "profiler/cpython/walk.h"

#include "test_cmocka.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct frame {
    uint64_t refcount;
    uintptr_t back, code;
    int32_t instr;
};

struct tstate {
    uintptr_t interp, frame;
    uint64_t id, ident;
};

const struct vg_layout vg_layout = {
    .walk = VG_WALK_HEAP,
    .tstate_bytes = sizeof(struct tstate),
    .tstate_frame = offsetof(struct tstate, frame),
    .frame_bytes = sizeof(struct frame),
    .frame_code = offsetof(struct frame, code),
    .frame_back = offsetof(struct frame, back),
    .frame_instr = offsetof(struct frame, instr),
};

/* ---- what walk_heap.c asks of its neighbours ---- */

bool vg_tstate_is(const struct vg_reader *reader, const char *tstate, const struct vg_thread_ref *thread)
{
    struct tstate copy;
    memcpy(&copy, tstate, sizeof copy);
    return copy.interp == reader->interp && copy.id == thread->id && copy.ident == thread->ident;
}

bool vg_frame_is_live(const struct vg_reader *reader, const char *copy)
{
    (void)reader;
    return vg_field_u64(copy, offsetof(struct frame, refcount)) != 0;
}

/* ---- the bed ---- */

static struct vg_reader reader;
static struct vg_raw_stack stack;
static struct tstate tstate;
static struct vg_thread_ref thread;
static struct frame frames[VG_MAX_FRAMES + 10];

static int set_up(void **state)
{
    (void)state;
    memset(&stack, 0x5a, sizeof stack);
    memset(frames, 0, sizeof frames);
    reader.interp = 0x1234;
    reader.before.n = 0;
    tstate = (struct tstate){.interp = 0x1234, .id = 7, .ident = 77};
    thread = (struct vg_thread_ref){(uintptr_t)&tstate, 7, 77, 777};
    return 0;
}

/* frames[at] becomes the leaf; its code is at + 1. */
static void push(size_t at)
{
    frames[at] = (struct frame){1, tstate.frame, at + 1, (int32_t)at * 10 - 1};
    tstate.frame = (uintptr_t)&frames[at];
}

static enum vg_err walk(uint32_t max_frames)
{
    return vg_walk_heap(&reader, &thread, max_frames, &stack);
}

/* What was captured predicts the next capture. */
static void predict(void)
{
    reader.before = stack;
}

static void assert_codes(size_t n, ...)
{
    va_list codes;
    va_start(codes, n);
    assert_int_equal(stack.n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(stack.frames[i].code, va_arg(codes, int));
    va_end(codes);
}

static void assert_end(enum vg_raw_end end)
{
    assert_int_equal(stack.end, end);
    assert_false(stack.cut);
    assert_int_equal(stack.joint, 0);
}

/* ---- tests ---- */

static void a_chain_with_and_without_prediction(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++)
        push(i);
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(walk(100), VG_OK);
        assert_codes(4, 4, 3, 2, 1);
        assert_end(VG_RAW_COMPLETE);
        predict();
    }
    assert_int_equal(stack.frames[0].address, (uintptr_t)&frames[3]);
    assert_int_equal((int32_t)stack.frames[0].instr, 29);
    assert_int_equal((intptr_t)stack.frames[3].instr, -1); /* not begun: stays negative */
    assert_int_equal(stack.frames[0].chunk, 0);
}

static void calls_and_returns_since_the_last_capture(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++)
        push(i);
    assert_int_equal(walk(100), VG_OK);
    predict();
    push(4);
    push(5);
    assert_int_equal(walk(100), VG_OK);
    assert_codes(6, 6, 5, 4, 3, 2, 1);
    predict();
    tstate.frame = (uintptr_t)&frames[1];
    push(7);
    assert_int_equal(walk(100), VG_OK);
    assert_codes(3, 8, 2, 1);
    predict();
    tstate.frame = 0;
    assert_int_equal(walk(100), VG_OK);
    assert_codes(0);
    assert_end(VG_RAW_COMPLETE);
}

/* The copy is of now, not of when it was predicted. */
static void what_is_predicted_is_read_again(void **state)
{
    (void)state;
    push(0);
    push(1);
    assert_int_equal(walk(100), VG_OK);
    predict();
    frames[1].code = 50;
    frames[1].instr = 777;
    assert_int_equal(walk(100), VG_OK);
    assert_codes(2, 50, 1);
    assert_int_equal(stack.frames[0].instr, 777);
}

static void predicted_frames_that_are_unmapped_end_the_copy_only(void **state)
{
    struct frame *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)state;
    push(0);
    push(1);
    page[0] = (struct frame){1, (uintptr_t)&frames[1], 99, 0};
    tstate.frame = (uintptr_t)page;
    assert_int_equal(walk(100), VG_OK);
    assert_codes(3, 99, 2, 1);
    predict();
    munmap(page, 4096);
    tstate.frame = (uintptr_t)&frames[1];
    assert_int_equal(walk(100), VG_OK);
    assert_codes(2, 2, 1);
    assert_end(VG_RAW_COMPLETE);
}

/* A frame that has just returned was the leaf; what it was linked to is not its caller any more. */
static void a_dead_frame_ends_the_chain_and_counts(void **state)
{
    (void)state;
    push(0);
    push(1);
    push(2);
    frames[1].refcount = 0;
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(walk(100), VG_OK);
        assert_codes(2, 3, 2);
        assert_end(VG_RAW_BROKEN);
        predict();
    }
}

static void torn_pointers_never_fault(void **state)
{
    const uintptr_t torn[] = {
        1, 7, 4095, UINTPTR_MAX, UINTPTR_MAX - 7, (uintptr_t)1 << 63, UINT64_C(0x800000000000)};
    (void)state;
    push(0);
    push(1);
    for (size_t i = 0; i < sizeof torn / sizeof torn[0]; i++) {
        frames[0].back = torn[i];
        assert_int_equal(walk(100), VG_OK);
        assert_codes(2, 2, 1);
        assert_end(VG_RAW_BROKEN);
        tstate.frame = torn[i];
        assert_int_equal(walk(100), VG_OK);
        assert_codes(0);
        assert_end(VG_RAW_BROKEN);
        tstate.frame = (uintptr_t)&frames[1];
    }
}

static void no_deeper_than_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < 10; i++)
        push(i);
    assert_int_equal(walk(10), VG_OK);
    assert_end(VG_RAW_COMPLETE);
    assert_int_equal(walk(3), VG_OK);
    assert_codes(3, 10, 9, 8);
    assert_end(VG_RAW_TRUNCATED);
}

static void circles_end(void **state)
{
    (void)state;
    push(0);
    push(1);
    frames[0].back = (uintptr_t)&frames[1];
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(walk(VG_MAX_FRAMES), VG_OK);
        assert_int_equal(stack.n, VG_MAX_FRAMES);
        assert_end(VG_RAW_TRUNCATED);
        predict();
    }
}

static void deeper_than_one_system_call_predicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < VG_MAX_FRAMES; i++)
        push(i);
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(walk(VG_MAX_FRAMES), VG_OK);
        assert_int_equal(stack.n, VG_MAX_FRAMES);
        assert_end(VG_RAW_COMPLETE);
        for (size_t i = 0; i < VG_MAX_FRAMES; i++)
            assert_int_equal(stack.frames[i].code, VG_MAX_FRAMES - i);
        predict();
    }
}

static void another_thread_in_the_same_memory_is_not_found(void **state)
{
    (void)state;
    push(0);
    assert_int_equal(walk(10), VG_OK);
    tstate.ident = 78;
    assert_int_equal(walk(10), VG_ERR_NOT_FOUND);
    thread.tstate = 8;
    assert_int_equal(walk(10), VG_ERR_NOT_FOUND);
    assert_codes(1, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(a_chain_with_and_without_prediction),
        TEST(calls_and_returns_since_the_last_capture),
        TEST(what_is_predicted_is_read_again),
        TEST(predicted_frames_that_are_unmapped_end_the_copy_only),
        TEST(a_dead_frame_ends_the_chain_and_counts),
        TEST(torn_pointers_never_fault),
        TEST(no_deeper_than_asked_for),
        TEST(circles_end),
        TEST(deeper_than_one_system_call_predicts),
        TEST(another_thread_in_the_same_memory_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
