/* profiler/stacks/{symbols,resolve}: code objects that are learnt once, captures that contradict themselves,
 * full tables. Against a fake reader. */
#include "profiler/stacks/resolve.h"

#include "fake_reader.h"
#include "test_alloc.h"
#include "test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROOT = 0x10000,
    MIDDLE = 0x20000,
    LEAF = 0x30000,
    GENERATOR = 0x40000,
    OTHER = 0x50000,
    NONE = 0x60000
};
#define STACK UINT64_C(0x7f0000001000) /* address of the lowest frame */

struct bed {
    struct vg_resolver resolver;
    struct vg_symbols *symbols;
    struct vg_raw_stack raw;
    struct vg_resolved resolved;
};

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    fake_reader_reset();
    fake_add_code(ROOT, "root", 100 * 8, 0);      /* lines from 100 */
    fake_add_code(MIDDLE, "middle", 50 * 8, 0);   /* 200 */
    fake_add_code(LEAF, "leaf", 20 * 8, 8);       /* 300, and set up in its first 8 bytes */
    fake_add_code(GENERATOR, "generator", 80, 0); /* 400 */
    fake_add_code(OTHER, "other", 60 * 8, 0);     /* 500 */
    assert_int_equal(vg_symbols_new(NULL, &bed->symbols), VG_OK);
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    vg_symbols_unref(bed->symbols);
    free(bed);
    return 0;
}

/* A frame nearer to the leaf than all so far. */
static void push(struct bed *bed, struct vg_raw_frame frame)
{
    memmove(bed->raw.frames + 1, bed->raw.frames, bed->raw.n++ * sizeof frame);
    bed->raw.frames[0] = frame;
}

static void resolve(struct bed *bed)
{
    vg_resolve(&bed->resolver, bed->symbols, &bed->raw, &bed->resolved);
}

/* "leaf:301 root:100" of what was resolved, leaf first. */
static const char *text_of(const struct bed *bed)
{
    static char text[4096];
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < bed->resolved.n; i++) {
        struct vg_location location = vg_symbols_location(bed->symbols, bed->resolved.locations[i]);
        struct vg_slice name = vg_symbols_code(bed->symbols, location.code)->name;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s:%d", i ? " " : "", (int)name.len,
                                 name.data, location.line);
    }
    return text;
}

static void push_three(struct bed *bed)
{
    push(bed, fake_frame(ROOT, 25, STACK, 1));
    push(bed, fake_frame(MIDDLE, 0, STACK + 100 * 8, 1));
    push(bed, fake_frame(LEAF, 31, STACK + 150 * 8, 1));
}

static void a_sound_stack(void **state)
{
    struct bed *bed = *state;
    push_three(bed);
    resolve(bed);
    assert_string_equal(text_of(bed), "leaf:303 middle:200 root:102");
    assert_false(bed->resolved.is_cut);
    assert_false(bed->resolved.is_truncated);
}

static void the_same_line_is_the_same_location(void **state)
{
    struct bed *bed = *state;
    push_three(bed);
    resolve(bed);
    uint32_t first = bed->resolved.locations[0], n = bed->symbols->n_locations;
    bed->raw.frames[0] = fake_frame(LEAF, 33, STACK + 150 * 8, 1);
    resolve(bed);
    assert_int_equal(bed->resolved.locations[0], first);
    assert_int_equal(bed->symbols->n_locations, n);
    bed->raw.frames[0] = fake_frame(LEAF, 41, STACK + 150 * 8, 1);
    resolve(bed);
    assert_int_not_equal(bed->resolved.locations[0], first);
    assert_int_equal(fake.code_reads, 3);
}

static void a_callee_that_does_not_stand_on_its_caller_is_cut_off(void **state)
{
    struct bed *bed = *state;
    push(bed, fake_frame(ROOT, 0, STACK, 1));
    push(bed, fake_frame(MIDDLE, 0, STACK + 100 * 8, 1));
    push(bed, fake_frame(OTHER, 0, STACK + 151 * 8, 1)); /* middle ends at 150 */
    push(bed, fake_frame(LEAF, 31, STACK + 211 * 8, 1));
    resolve(bed);
    assert_string_equal(text_of(bed), "middle:200 root:100");
    assert_true(bed->resolved.is_cut);
}

static void a_frame_of_no_code_is_cut_off_with_all_above(void **state)
{
    struct bed *bed = *state;
    push(bed, fake_frame(ROOT, 0, STACK, 1));
    push(bed, fake_frame(NONE, 0, STACK + 100 * 8, 1));
    push(bed, fake_frame(LEAF, 31, STACK + 150 * 8, 1));
    resolve(bed);
    assert_string_equal(text_of(bed), "root:100");
    assert_true(bed->resolved.is_cut);
}

static void nothing_sound_is_a_visible_frame(void **state)
{
    struct bed *bed = *state;
    push(bed, fake_frame(NONE, 0, STACK, 1));
    push(bed, fake_frame(LEAF, 31, STACK + 8, 1));
    resolve(bed);
    assert_string_equal(text_of(bed), "[unreadable stack]:0");
    assert_true(bed->resolved.is_cut);
    bed->raw.n = 0;
    push_three(bed);
    bed->raw.end = VG_RAW_BROKEN;
    resolve(bed);
    assert_string_equal(text_of(bed), "[unreadable stack]:0");
}

static void no_frame_at_all_is_another(void **state)
{
    struct bed *bed = *state;
    bed->raw.end = VG_RAW_COMPLETE;
    resolve(bed);
    assert_string_equal(text_of(bed), "[no Python frame]:0");
    assert_false(bed->resolved.is_cut);
}

static void generators_lie_between_frames_of_the_data_stack(void **state)
{
    struct bed *bed = *state;
    push(bed, fake_frame(ROOT, 0, STACK, 1));
    push(bed, fake_frame(GENERATOR, 0, 0x5555000, 0));
    push(bed, fake_frame(LEAF, 31, STACK + 100 * 8, 1)); /* right behind root */
    resolve(bed);
    assert_string_equal(text_of(bed), "leaf:303 generator:400 root:100");
    assert_false(bed->resolved.is_cut);
    bed->raw.frames[0].address += 8;
    resolve(bed);
    assert_string_equal(text_of(bed), "generator:400 root:100");
    assert_true(bed->resolved.is_cut);
}

static void neighbours_in_different_chunks_need_not_touch(void **state)
{
    struct bed *bed = *state;
    push(bed, fake_frame(ROOT, 0, STACK, 2));
    push(bed, fake_frame(MIDDLE, 0, 0x7e0000000000, 1));
    push(bed, fake_frame(LEAF, 31, 0x7e0000000000 + 50 * 8, 1));
    resolve(bed);
    assert_string_equal(text_of(bed), "leaf:303 middle:200 root:100");
    assert_false(bed->resolved.is_cut);
}

static void frames_that_are_being_set_up_are_not_shown(void **state)
{
    struct bed *bed = *state;
    push_three(bed);
    bed->raw.frames[0] = fake_frame(LEAF, 7, STACK + 150 * 8, 1);
    resolve(bed);
    assert_string_equal(text_of(bed), "middle:200 root:102");
    assert_false(bed->resolved.is_cut);
    bed->raw.frames[0] = fake_frame(LEAF, 8, STACK + 150 * 8, 1);
    resolve(bed);
    assert_string_equal(text_of(bed), "leaf:300 middle:200 root:102");
}

static void a_wild_instruction_has_the_functions_first_line(void **state)
{
    struct bed *bed = *state;
    push(bed, fake_frame(ROOT, INT64_C(1) << 40, STACK, 1));
    push(bed, fake_frame(MIDDLE, -1234567, STACK + 100 * 8, 1));
    resolve(bed);
    assert_int_equal(bed->resolved.n, 2);
    assert_string_equal(text_of(bed), "middle:200 root:100");
}

static void a_truncated_stack_says_so_at_its_root(void **state)
{
    struct bed *bed = *state;
    push_three(bed);
    bed->raw.end = VG_RAW_TRUNCATED;
    resolve(bed);
    assert_string_equal(text_of(bed), "leaf:303 middle:200 root:102 [truncated stack]:0");
    assert_true(bed->resolved.is_truncated);
    assert_false(bed->resolved.is_cut);
    bed->raw.n = VG_MAX_FRAMES;
    for (uint32_t i = 0; i < VG_MAX_FRAMES; i++)
        bed->raw.frames[i] = fake_frame(GENERATOR, 0, 0, 0);
    resolve(bed);
    assert_int_equal(bed->resolved.n, VG_MAX_FRAMES + 1);
    assert_int_equal(bed->resolved.locations[VG_MAX_FRAMES], VG_LOCATION_TRUNCATED);
}

static void what_the_walk_cut_stays_cut(void **state)
{
    struct bed *bed = *state;
    push_three(bed);
    bed->raw.cut = true;
    resolve(bed);
    assert_string_equal(text_of(bed), "leaf:303 middle:200 root:102");
    assert_true(bed->resolved.is_cut);
}

/* leaf and generator were read, then the rest at a second look. */
static void push_joint(struct bed *bed, uintptr_t caller)
{
    bed->raw.n = 0;
    push(bed, fake_frame(ROOT, 0, 0x5555000, 0));
    if (caller)
        push(bed, fake_frame(caller, 0, 0x5556000, 0));
    push(bed, fake_frame(GENERATOR, 0, 0x5557000, 0));
    push(bed, fake_frame(LEAF, 31, 0x5558000, 0));
    bed->raw.joint = 2;
}

static void two_looks_are_joined_only_at_a_known_call(void **state)
{
    struct bed *bed = *state;
    push_joint(bed, MIDDLE);
    resolve(bed);
    assert_string_equal(text_of(bed), "middle:200 root:100");
    assert_true(bed->resolved.is_cut);
    assert_false(bed->resolved.is_joined);
    bed->raw.joint = 0; /* read in one piece: so middle does call the generator */
    resolve(bed);
    assert_string_equal(text_of(bed), "leaf:303 generator:400 middle:200 root:100");
    assert_false(bed->resolved.is_joined);
    push_joint(bed, MIDDLE);
    resolve(bed);
    assert_string_equal(text_of(bed), "leaf:303 generator:400 middle:200 root:100");
    assert_true(bed->resolved.is_joined);
    assert_false(bed->resolved.is_cut);
    push_joint(bed, OTHER); /* which never did */
    resolve(bed);
    assert_string_equal(text_of(bed), "other:500 root:100");
    assert_true(bed->resolved.is_cut);
}

/* Before the second look the caller had called something else. */
static void what_was_called_since_is_left_out(void **state)
{
    struct bed *bed = *state;
    push_joint(bed, MIDDLE);
    bed->raw.joint = 0;
    resolve(bed);
    bed->raw.n = 0;
    push(bed, fake_frame(ROOT, 0, 0x5555000, 0));
    push(bed, fake_frame(MIDDLE, 0, 0x5556000, 0));
    push(bed, fake_frame(OTHER, 0, 0x5559000, 0));
    push(bed, fake_frame(GENERATOR, 0, 0x5557000, 0));
    bed->raw.joint = 1;
    resolve(bed);
    assert_string_equal(text_of(bed), "generator:400 middle:200 root:100");
    assert_true(bed->resolved.is_joined);
}

/* On the data stack chunks are numbered anew at each look. */
static void a_joint_is_no_place_to_compare_addresses(void **state)
{
    struct bed *bed = *state;
    push(bed, fake_frame(MIDDLE, 0, STACK, 1));
    push(bed, fake_frame(GENERATOR, 0, 0x5557000, 0));
    push(bed, fake_frame(LEAF, 31, STACK + 50 * 8, 1));
    resolve(bed);
    assert_false(bed->resolved.is_cut);
    bed->raw.frames[0].address += 800;
    bed->raw.joint = 2;
    resolve(bed);
    assert_string_equal(text_of(bed), "leaf:303 generator:400 middle:200");
    assert_true(bed->resolved.is_joined);
}

static void an_address_that_is_used_again_has_the_new_name(void **state)
{
    struct bed *bed = *state;
    push_three(bed);
    resolve(bed);
    uint32_t old = bed->resolved.locations[0];
    fake.codes[2].name = "successor";
    resolve(bed);
    assert_int_equal(bed->resolved.locations[0], old); /* nobody said that it died */
    vg_symbols_forget(bed->symbols, LEAF);
    resolve(bed);
    assert_string_equal(text_of(bed), "successor:303 middle:200 root:102");
    assert_int_equal(fake.code_reads, 4);
    /* The old entry is still what it was: windows under way refer to it. */
    struct vg_location location = vg_symbols_location(bed->symbols, old);
    assert_true(vg_slice_equal_text(vg_symbols_code(bed->symbols, location.code)->name, "leaf"));
    vg_symbols_forget_all(bed->symbols);
    resolve(bed);
    assert_string_equal(text_of(bed), "successor:303 middle:200 root:102");
    assert_int_equal(fake.code_reads, 7);
}

static void more_functions_than_the_table_holds_are_one_visible_frame(void **state)
{
    struct bed *bed = *state;
    fake.made_up_below = (uintptr_t)1 << 40;
    bed->raw.end = VG_RAW_COMPLETE;
    bed->raw.n = 1;
    for (uint32_t i = bed->symbols->n_codes; i < VG_SYMBOLS_MAX_CODES; i++) {
        bed->raw.frames[0] = fake_frame(0x1000000 + 128 * (uintptr_t)i, 0, 0, 0);
        resolve(bed);
        assert_int_not_equal(bed->resolved.locations[0], VG_LOCATION_OVERFLOW);
    }
    assert_false(bed->symbols->is_full);
    bed->raw.n = 0;
    push(bed, fake_frame(0x1000000 + 128 * (uintptr_t)(VG_SYMBOLS_MAX_CODES - 1), 0, STACK, 1));
    push(bed, fake_frame(MIDDLE, 0, STACK + 8, 1));
    push(bed, fake_frame(0x1000000 + 128 * (uintptr_t)(VG_SYMBOLS_MAX_CODES - 2), 0, STACK + 80, 1));
    resolve(bed);
    assert_int_equal(bed->resolved.n, 3);
    assert_int_equal(bed->resolved.locations[1], VG_LOCATION_OVERFLOW);
    assert_false(bed->resolved.is_cut);
    assert_true(bed->symbols->is_full);
}

static void more_locations_than_the_table_holds_too(void **state)
{
    struct bed *bed = *state;
    uint32_t code;
    assert_int_equal(vg_symbols_learn(bed->symbols, NULL, ROOT, bed->resolver.scratch, &code), VG_OK);
    bed->symbols->n_locations = VG_SYMBOLS_MAX_LOCATIONS; /* as if they were there */
    assert_int_equal(vg_symbols_locate(bed->symbols, code, 0), VG_LOCATION_OVERFLOW);
    assert_true(bed->symbols->is_full);
    bed->symbols->n_locations = VG_LOCATION_FIRST_REAL;
}

static void a_table_lives_as_long_as_somebody_refers_to_it(void **state)
{
    struct bed *bed = *state;
    struct vg_symbols *again = vg_symbols_ref(bed->symbols);
    assert_ptr_equal(again, bed->symbols);
    vg_symbols_unref(again);
    vg_symbols_unref(NULL);
    push_three(bed);
    resolve(bed);
    assert_int_equal(bed->resolved.n, 3);
}

static void each_allocation_may_fail(void **state)
{
    struct bed *bed = *state;
    vg_symbols_unref(bed->symbols);
    push_three(bed);
    for (size_t turn = 0;; turn++) {
        struct test_alloc alloc = test_alloc_failing(turn);
        bed->symbols = NULL;
        enum vg_err err = vg_symbols_new(test_alloc_seam(&alloc), &bed->symbols);
        assert_true(err == VG_OK || (err == VG_ERR_NOMEM && alloc.has_failed && !bed->symbols));
        for (unsigned i = 0; err == VG_OK && i < 2; i++) {
            resolve(bed);
            assert_true(bed->resolved.n == 3 && !bed->resolved.is_cut);
            bool is_whole = strcmp(text_of(bed), "leaf:303 middle:200 root:102") == 0;
            assert_true(is_whole || bed->symbols->is_full);
        }
        vg_symbols_unref(bed->symbols);
        assert_int_equal(alloc.live, 0);
        if (!alloc.has_failed)
            break;
    }
    bed->symbols = NULL;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_sound_stack),
        TEST(the_same_line_is_the_same_location),
        TEST(a_callee_that_does_not_stand_on_its_caller_is_cut_off),
        TEST(a_frame_of_no_code_is_cut_off_with_all_above),
        TEST(nothing_sound_is_a_visible_frame),
        TEST(no_frame_at_all_is_another),
        TEST(generators_lie_between_frames_of_the_data_stack),
        TEST(neighbours_in_different_chunks_need_not_touch),
        TEST(frames_that_are_being_set_up_are_not_shown),
        TEST(a_wild_instruction_has_the_functions_first_line),
        TEST(a_truncated_stack_says_so_at_its_root),
        TEST(what_the_walk_cut_stays_cut),
        TEST(two_looks_are_joined_only_at_a_known_call),
        TEST(what_was_called_since_is_left_out),
        TEST(a_joint_is_no_place_to_compare_addresses),
        TEST(an_address_that_is_used_again_has_the_new_name),
        TEST(more_functions_than_the_table_holds_are_one_visible_frame),
        TEST(more_locations_than_the_table_holds_too),
        TEST(a_table_lives_as_long_as_somebody_refers_to_it),
        TEST(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
