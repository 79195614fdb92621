/* profiler/cpython/mend: the root end of a torn capture, found at a second look, or kept from before. The
 * walk is a fake that shows what the test wrote for each look; frames for still_linked lie in real memory. */
#include "profiler/cpython/walk.h"

#include "test_cmocka.h"

#include <stdlib.h>
#include <string.h>

struct frame {
    uint64_t refcount;
    uintptr_t type, back, code;
};

struct code {
    uintptr_t something, type;
    int32_t flags;
};

#define FRAME_TYPE 0xf00du
#define CODE_TYPE  0xc0deu
#define GENERATOR  0x20

const struct vg_layout vg_layout = {
    .walk = VG_WALK_HEAP,
    .frame_bytes = sizeof(struct frame),
    .frame_code = offsetof(struct frame, code),
    .frame_back = offsetof(struct frame, back),
    .frame_state = VG_ABSENT,
    .frame_owner = VG_ABSENT,
    .code_flags = offsetof(struct code, flags),
};

/* ---- the bed: functions are numbered; code of function n is codes[n], frame n is frames[n] ---- */

#define FUNCTIONS 12
#define LOOKS     8

static struct code codes[FUNCTIONS];
static struct frame frames[FUNCTIONS];
static struct vg_reader reader;
static struct vg_raw_stack stack, looks[LOOKS];
static size_t n_looks, looked;

enum vg_err vg_walk_heap(struct vg_reader *r, const struct vg_thread_ref *thread, uint32_t max_frames,
                         struct vg_raw_stack *found)
{
    (void)r, (void)thread;
    if (looked >= n_looks)
        return VG_ERR_NOT_FOUND;
    *found = looks[looked++];
    if (found->n > max_frames) {
        found->n = max_frames;
        found->end = VG_RAW_TRUNCATED;
    }
    return VG_OK;
}

enum vg_err vg_walk_interp(struct vg_reader *r, const struct vg_thread_ref *thread, uint32_t max_frames,
                           struct vg_raw_stack *found)
{
    (void)r, (void)thread, (void)max_frames, (void)found;
    return VG_ERR_NOT_FOUND;
}

static int set_up(void **state)
{
    (void)state;
    memset(&reader, 0, sizeof reader);
    memset(codes, 0, sizeof codes);
    reader.frame_type = FRAME_TYPE;
    reader.code_type = CODE_TYPE;
    for (size_t i = 0; i < FUNCTIONS; i++)
        codes[i].type = CODE_TYPE;
    for (size_t i = 0; i < FUNCTIONS; i++)
        frames[i] = (struct frame){1, FRAME_TYPE, 0, (uintptr_t)&codes[i]};
    n_looks = looked = 0;
    return 0;
}

/* A capture of functions, leaf first, e.g. "3 2 1". */
static struct vg_raw_stack capture(const char *functions, enum vg_raw_end end)
{
    struct vg_raw_stack made = {.end = end};
    char *rest;
    for (const char *at = functions; *at; at = rest) {
        size_t i = strtoul(at, &rest, 10);
        made.frames[made.n++] = (struct vg_raw_frame){(uintptr_t)&codes[i], 0, (uintptr_t)&frames[i], 0};
    }
    return made;
}

static void before(const char *functions)
{
    reader.before = capture(functions, VG_RAW_COMPLETE);
}

/* In memory too the functions call one another. */
static void link_frames(const char *functions)
{
    struct vg_raw_stack made = capture(functions, VG_RAW_COMPLETE);
    for (uint32_t i = 0; i < made.n; i++)
        ((struct frame *)made.frames[i].address)->back = i + 1 < made.n ? made.frames[i + 1].address : 0;
}

static void next_look(const char *functions, enum vg_raw_end end)
{
    looks[n_looks++] = capture(functions, end);
}

static void mend(const char *functions, enum vg_raw_end end, uint32_t max_frames)
{
    stack = capture(functions, end);
    vg_mend(&reader, &(struct vg_thread_ref){0}, max_frames, &stack);
}

static void assert_stack(const char *functions, enum vg_raw_end end, uint32_t joint, bool cut)
{
    struct vg_raw_stack expected = capture(functions, end);
    assert_int_equal(stack.n, expected.n);
    for (uint32_t i = 0; i < stack.n; i++)
        assert_int_equal(stack.frames[i].address, expected.frames[i].address);
    assert_int_equal(stack.end, end);
    assert_int_equal(stack.joint, joint);
    assert_int_equal(stack.cut, cut);
}

/* ---- tests ---- */

static void a_sound_capture_is_left_alone(void **state)
{
    (void)state;
    mend("3 2 1", VG_RAW_COMPLETE, 100); /* nothing before: nothing to doubt */
    assert_stack("3 2 1", VG_RAW_COMPLETE, 0, false);
    before("4 1");
    mend("3 2 1", VG_RAW_COMPLETE, 100);
    assert_stack("3 2 1", VG_RAW_COMPLETE, 0, false);
    mend("3 2", VG_RAW_TRUNCATED, 2);
    assert_stack("3 2", VG_RAW_TRUNCATED, 0, false);
    mend("", VG_RAW_COMPLETE, 100);
    assert_stack("", VG_RAW_COMPLETE, 0, false);
    assert_int_equal(looked, 0);
}

static void a_broken_one_gets_its_root_end_from_a_second_look(void **state)
{
    (void)state;
    before("2 1");
    next_look("5 2 1", VG_RAW_COMPLETE);
    mend("4", VG_RAW_BROKEN, 100);
    assert_stack("4 5 2 1", VG_RAW_COMPLETE, 1, false);
    assert_int_equal(looked, 1);
}

/* A generator that has yielded is linked to nobody, and looks like a root. */
static void a_strange_root_is_looked_at_again(void **state)
{
    (void)state;
    codes[7].flags = GENERATOR;
    before("3 2 1");
    next_look("2 1", VG_RAW_COMPLETE);
    mend("8 7", VG_RAW_COMPLETE, 100);
    assert_stack("8 7 2 1", VG_RAW_COMPLETE, 2, false);
}

static void a_generator_that_runs_again_is_where_both_meet(void **state)
{
    (void)state;
    codes[7].flags = GENERATOR;
    before("3 2 1");
    next_look("9 7 2 1", VG_RAW_COMPLETE);
    mend("8 7", VG_RAW_COMPLETE, 100);
    assert_stack("8 7 2 1", VG_RAW_COMPLETE, 0, false); /* nothing is in doubt */
}

static void a_new_root_is_believed_when_it_stays(void **state)
{
    (void)state;
    before("3 2 1");
    next_look("6", VG_RAW_COMPLETE);
    mend("7 6", VG_RAW_COMPLETE, 100);
    assert_stack("7 6", VG_RAW_COMPLETE, 0, false);
}

static void looks_are_counted(void **state)
{
    (void)state;
    before("2 1");
    for (int i = 0; i < LOOKS; i++)
        next_look("5", VG_RAW_BROKEN);
    link_frames("2 1");
    mend("4", VG_RAW_BROKEN, 100);
    assert_int_equal(looked, 3);
    assert_stack("4 2 1", VG_RAW_COMPLETE, 1, false); /* what was there before is still linked */
}

static void of_what_was_there_only_what_is_still_linked(void **state)
{
    (void)state;
    before("4 3 2 1");
    link_frames("4 3 2 1");
    for (int i = 0; i < 3; i++)
        next_look("5", VG_RAW_BROKEN);
    frames[2].code += sizeof codes[0]; /* another function by now */
    mend("6", VG_RAW_BROKEN, 100);
    assert_stack("6 1", VG_RAW_COMPLETE, 1, false);
    frames[2].code -= sizeof codes[0];
    frames[3].back = (uintptr_t)&frames[9]; /* called by another one */
    looked = 0;
    mend("6", VG_RAW_BROKEN, 100);
    assert_stack("6 2 1", VG_RAW_COMPLETE, 1, false);
    frames[1].refcount = 0; /* the root has returned */
    looked = 0;
    mend("6", VG_RAW_BROKEN, 100);
    assert_stack("6", VG_RAW_BROKEN, 0, false);
}

static void nothing_of_the_leaf_end_means_cut(void **state)
{
    (void)state;
    before("3 2 1");
    next_look("2 1", VG_RAW_COMPLETE);
    mend("", VG_RAW_BROKEN, 100);
    assert_stack("2 1", VG_RAW_COMPLETE, 0, true);
}

/* What a freed frame points to may look like a chain for a long time. */
static void what_lies_behind_a_frame_without_code_is_no_frame(void **state)
{
    (void)state;
    codes[8].type = codes[9].type = 0xbad;
    before("3 2 1");
    next_look("2 1", VG_RAW_COMPLETE);
    mend("5 4 9 7 8", VG_RAW_BROKEN, 100);
    assert_stack("5 4 2 1", VG_RAW_COMPLETE, 2, false);
    looked = 0;
    mend("5 4 8 9 8", VG_RAW_TRUNCATED, 5);
    assert_stack("5 4 2 1", VG_RAW_COMPLETE, 2, false);
    looked = 0;
    mend("5 4 8", VG_RAW_COMPLETE, 100);
    assert_stack("5 4 2 1", VG_RAW_COMPLETE, 2, false);
    looked = 0;
    stack = capture("5 4 3", VG_RAW_BROKEN);
    stack.frames[1].code = 8; /* not mapped */
    vg_mend(&reader, &(struct vg_thread_ref){0}, 100, &stack);
    assert_stack("5 2 1", VG_RAW_COMPLETE, 1, false);
    looked = 0;
    mend("8", VG_RAW_TRUNCATED, 1); /* nothing of it is a frame */
    assert_stack("2", VG_RAW_TRUNCATED, 0, true);
}

static void memory_of_before_that_is_unmapped_does_not_fault(void **state)
{
    (void)state;
    before("2 1");
    reader.before.frames[0].address = 8;
    reader.before.frames[1].address = UINTPTR_MAX - 7;
    for (int i = 0; i < 3; i++)
        next_look("5", VG_RAW_BROKEN);
    mend("4", VG_RAW_BROKEN, 100);
    assert_stack("4", VG_RAW_BROKEN, 0, false);
}

static void a_thread_that_ends_meanwhile_keeps_what_was_captured(void **state)
{
    (void)state;
    before("2 1");
    mend("4", VG_RAW_BROKEN, 100);
    assert_stack("4", VG_RAW_BROKEN, 0, false);
}

static void both_ends_together_are_no_deeper_than_asked_for(void **state)
{
    (void)state;
    before("3 2 1");
    next_look("3 2 1", VG_RAW_COMPLETE);
    mend("6 5", VG_RAW_BROKEN, 4);
    assert_stack("6 5 3 2", VG_RAW_TRUNCATED, 2, false);
    looked = 0;
    mend("9 8 6 5", VG_RAW_BROKEN, 4);
    assert_int_equal(stack.n, 4);
    assert_int_equal(stack.end, VG_RAW_TRUNCATED);
}

static void the_deepest_two_fit(void **state)
{
    (void)state;
    before("1");
    stack = capture("1", VG_RAW_BROKEN);
    for (stack.n = 0; stack.n < VG_MAX_FRAMES; stack.n++)
        stack.frames[stack.n] = (struct vg_raw_frame){(uintptr_t)&codes[2], 0, 16 * (stack.n + 1), 0};
    looks[n_looks] = stack;
    for (uint32_t i = 0; i < VG_MAX_FRAMES; i++)
        looks[n_looks].frames[i].address += 8;
    looks[n_looks].frames[VG_MAX_FRAMES - 1].address = (uintptr_t)&frames[1];
    looks[n_looks++].end = VG_RAW_COMPLETE;
    vg_mend(&reader, &(struct vg_thread_ref){0}, VG_MAX_FRAMES, &stack);
    assert_int_equal(stack.n, VG_MAX_FRAMES);
    assert_int_equal(stack.end, VG_RAW_TRUNCATED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(a_sound_capture_is_left_alone),
        TEST(a_broken_one_gets_its_root_end_from_a_second_look),
        TEST(a_strange_root_is_looked_at_again),
        TEST(a_generator_that_runs_again_is_where_both_meet),
        TEST(a_new_root_is_believed_when_it_stays),
        TEST(looks_are_counted),
        TEST(of_what_was_there_only_what_is_still_linked),
        TEST(nothing_of_the_leaf_end_means_cut),
        TEST(what_lies_behind_a_frame_without_code_is_no_frame),
        TEST(memory_of_before_that_is_unmapped_does_not_fault),
        TEST(a_thread_that_ends_meanwhile_keeps_what_was_captured),
        TEST(both_ends_together_are_no_deeper_than_asked_for),
        TEST(the_deepest_two_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
