/* profiler/profile/{window,encode}: samples in, profile.proto out, and back through the reader of the server.
 */
#include "profiler/profile/encode.h"

#include "fake_reader.h"
#include "pprof/read.h"
#include "test_alloc.h"
#include "test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOT = 0x10000, LEAF = 0x20000 };

struct bed {
    struct vg_symbols *symbols;
    struct vg_window *window;
    uint32_t root, leaf, leaf_later; /* locations */
    struct vg_buf pprof, json;
    struct vg_pprof read;
    bool has_read;
    char scratch[VG_CODE_SCRATCH_BYTES];
};

static uint32_t locate(struct bed *bed, uintptr_t address, int64_t offset)
{
    uint32_t code;
    assert_int_equal(vg_symbols_learn(bed->symbols, NULL, address, bed->scratch, &code), VG_OK);
    return vg_symbols_locate(bed->symbols, code, offset);
}

static void open_bed(struct bed *bed, bool has_timeline)
{
    fake_reader_reset();
    fake_add_code(ROOT, "root", 0, 0);
    fake_add_code(LEAF,
                  "l\xc3\xa4"
                  "af",
                  0, 0);
    assert_int_equal(vg_symbols_new(NULL, &bed->symbols), VG_OK);
    bed->root = locate(bed, ROOT, 5);
    bed->leaf = locate(bed, LEAF, 5);
    bed->leaf_later = locate(bed, LEAF, 15);
    assert_int_equal(vg_window_new(bed->symbols, has_timeline, NULL, &bed->window), VG_OK);
    bed->window->start_ns = 1000;
    bed->window->period_ns = 10000000;
    vg_buf_init(&bed->pprof, 256u << 20, NULL);
    vg_buf_init(&bed->json, 1u << 20, NULL);
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct bed));
    open_bed(*state, true);
    return 0;
}

static int set_up_without_timeline(void **state)
{
    *state = calloc(1, sizeof(struct bed));
    open_bed(*state, false);
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    if (bed->has_read)
        vg_pprof_release(&bed->read);
    vg_buf_release(&bed->pprof);
    vg_buf_release(&bed->json);
    vg_window_free(bed->window);
    vg_symbols_unref(bed->symbols);
    free(bed);
    return 0;
}

static uint32_t put_two(struct bed *bed, uint32_t leaf)
{
    return vg_stacks_put(&bed->window->stacks, (uint32_t[]){leaf, bed->root}, 2);
}

static void encode_and_read(struct bed *bed)
{
    const char *why = "";
    size_t at = 0;
    vg_window_seal(bed->window, 61000);
    assert_int_equal(vg_encode(bed->window, &bed->pprof, &bed->json), VG_OK);
    enum vg_err err =
        vg_pprof_read(&bed->read, vg_buf_as_slice(&bed->pprof), &vg_pprof_default_limits, &why, &at);
    if (err != VG_OK)
        fail_msg("%s at %zu", why, at);
    bed->has_read = true;
}

static const struct vg_pprof_read_label *label_of(const struct bed *bed, size_t sample, const char *key)
{
    const struct vg_pprof_read_sample *s = &bed->read.samples[sample];
    for (uint32_t i = 0; i < s->n_labels; i++)
        if (vg_slice_equal_text(bed->read.labels[s->first_label + i].key, key))
            return &bed->read.labels[s->first_label + i];
    return NULL;
}

static int64_t number_of(const struct bed *bed, size_t sample, const char *key)
{
    const struct vg_pprof_read_label *label = label_of(bed, sample, key);
    return label ? label->number : -1;
}

/* "name:line name:line", leaf first. */
static const char *stack_of(const struct bed *bed, size_t sample)
{
    static char text[500];
    const struct vg_pprof_read_sample *s = &bed->read.samples[sample];
    size_t used = 0;
    for (uint32_t i = 0; i < s->n_locations; i++) {
        const struct vg_pprof_read_location *location =
            &bed->read.locations[bed->read.sample_locations[s->first_location + i]];
        const struct vg_pprof_line *line = &bed->read.lines[location->first_line_index];
        struct vg_slice name = bed->read.functions[line->function].name;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s:%d", i ? " " : "", (int)name.len,
                                 name.data, (int)line->line);
    }
    return text;
}

static int64_t total(const struct bed *bed, size_t type)
{
    int64_t sum = 0;
    for (size_t i = 0; i < bed->read.n_samples; i++)
        sum += bed->read.values[bed->read.samples[i].first_value + type];
    return sum;
}

static void what_goes_in_comes_out(void **state)
{
    struct bed *bed = *state;
    uint32_t thread =
        vg_window_add_thread(bed->window, UINT64_C(0x7f0000000001), 4711, VG_SLICE_LIT("worker"));
    uint32_t nameless = vg_window_add_thread(bed->window, 7, 8, VG_SLICE_LIT(""));
    uint32_t ours = vg_window_add_thread(bed->window, 0, 0, VG_SLICE_LIT(""));
    uint32_t own = vg_stacks_put(&bed->window->stacks, (uint32_t[]){VG_LOCATION_PROFILER}, 1);
    struct vg_sample samples[] = {
        {put_two(bed, bed->leaf), thread, 3, false, 2000, 30, 20},
        {put_two(bed, bed->leaf_later), nameless, 0, true, 3000, 40, 0},
        {own, ours, 0, false, 4000, 0, 5},
    };
    for (size_t i = 0; i < 3; i++)
        vg_window_add(bed->window, &samples[i]);
    encode_and_read(bed);
    assert_int_equal(bed->read.n_types, 3);
    assert_true(vg_slice_equal_text(bed->read.types[0].name, "cpu-samples"));
    assert_true(vg_slice_equal_text(bed->read.types[1].name, "cpu-time"));
    assert_true(vg_slice_equal_text(bed->read.types[2].name, "wall-time"));
    assert_true(vg_slice_equal_text(bed->read.types[2].unit, "nanoseconds"));
    assert_int_equal(bed->read.time_ns, 1000);
    assert_int_equal(bed->read.duration_ns, 60000);
    assert_int_equal(bed->read.period, 10000000);
    assert_int_equal(bed->read.n_samples, 3);
    const int64_t *values = bed->read.values + bed->read.samples[0].first_value;
    assert_true(values[0] == 3 && values[1] == 20 && values[2] == 30);

    assert_string_equal(stack_of(bed, 0), "l\xc3\xa4"
                                          "af:200 root:100");
    assert_int_equal(number_of(bed, 0, "thread id"), INT64_C(0x7f0000000001));
    assert_int_equal(number_of(bed, 0, "thread native id"), 4711);
    assert_true(vg_slice_equal_text(label_of(bed, 0, "thread name")->text, "worker"));
    assert_int_equal(number_of(bed, 0, "end_timestamp_ns"), 2000);
    assert_null(label_of(bed, 0, "stack"));

    assert_string_equal(stack_of(bed, 1), "l\xc3\xa4"
                                          "af:201 root:100");
    assert_null(label_of(bed, 1, "thread name"));
    assert_true(vg_slice_equal_text(label_of(bed, 1, "stack")->text, "cut"));

    assert_string_equal(stack_of(bed, 2), "[profiler]:0");
    assert_null(label_of(bed, 2, "thread id"));
}

static void only_what_is_used_is_written_once(void **state)
{
    struct bed *bed = *state;
    uint32_t thread = vg_window_add_thread(bed->window, 1, 1, VG_SLICE_LIT("t"));
    for (int i = 0; i < 10; i++)
        vg_window_add(bed->window,
                      &(struct vg_sample){put_two(bed, bed->leaf), thread, 1, false, 2000 + i, 1, 1});
    vg_window_add(bed->window, &(struct vg_sample){put_two(bed, bed->leaf_later), thread, 1, false, 1, 0, 0});
    encode_and_read(bed);
    assert_int_equal(bed->read.n_samples, 10); /* one without a value says nothing */
    assert_int_equal(bed->read.n_functions, 2);
    assert_int_equal(bed->read.n_locations, 2);
}

static void a_full_timeline_loses_times_but_no_value(void **state)
{
    struct bed *bed = *state;
    uint32_t stacks[] = {put_two(bed, bed->leaf), put_two(bed, bed->leaf_later)};
    uint32_t threads[] = {vg_window_add_thread(bed->window, 1, 1, VG_SLICE_LIT("a")),
                          vg_window_add_thread(bed->window, 2, 2, VG_SLICE_LIT("b"))};
    const uint32_t n = VG_WINDOW_MAX_SAMPLES + 40000;
    for (uint32_t i = 0; i < n; i++)
        vg_window_add(bed->window,
                      &(struct vg_sample){stacks[i % 2], threads[i / 2 % 2], 1, i / 4 % 2, 5000 + i, 10, 7});
    assert_int_equal(bed->window->counts.samples_untimed, 40000);
    assert_int_equal(bed->window->counts.samples_dropped, 0);
    encode_and_read(bed);
    assert_int_equal(bed->read.n_samples, VG_WINDOW_MAX_SAMPLES + 8);
    assert_int_equal(total(bed, 0), n);
    assert_int_equal(total(bed, 1), 7 * (int64_t)n);
    assert_int_equal(total(bed, 2), 10 * (int64_t)n);
    size_t untimed = 0;
    for (size_t i = 0; i < bed->read.n_samples; i++)
        untimed += label_of(bed, i, "end_timestamp_ns") == NULL;
    assert_int_equal(untimed, 8);
}

static void without_a_timeline_equal_samples_are_one(void **state)
{
    struct bed *bed = *state;
    uint32_t thread = vg_window_add_thread(bed->window, 1, 1, VG_SLICE_LIT("t"));
    for (int i = 0; i < 1000; i++)
        vg_window_add(bed->window,
                      &(struct vg_sample){put_two(bed, bed->leaf), thread, 1, i % 10 == 0, 1, 10, 3});
    assert_int_equal(bed->window->counts.samples_untimed, 0);
    encode_and_read(bed);
    assert_int_equal(bed->read.n_samples, 2);
    assert_int_equal(total(bed, 0), 1000);
    assert_int_equal(total(bed, 1), 3000);
    assert_int_equal(total(bed, 2), 10000);
}

static void more_merged_samples_than_the_bound_are_dropped_and_counted(void **state)
{
    struct bed *bed = *state;
    uint32_t stack = put_two(bed, bed->leaf), other = put_two(bed, bed->leaf_later);
    for (uint32_t i = 0; i < VG_WINDOW_MAX_THREADS; i++)
        assert_int_equal(vg_window_add_thread(bed->window, i + 1, 1, VG_SLICE_LIT("t")), i);
    assert_int_equal(vg_window_add_thread(bed->window, 1, 1, VG_SLICE_LIT("t")), UINT32_MAX);
    for (uint32_t stack_of_three = 0; stack_of_three < 3; stack_of_three++)
        for (uint32_t i = 0; i < 2 * VG_WINDOW_MAX_THREADS; i++) {
            uint32_t third = vg_stacks_put(&bed->window->stacks, &bed->root, 1);
            uint32_t which = stack_of_three == 0 ? stack : stack_of_three == 1 ? other : third;
            vg_window_add(bed->window, &(struct vg_sample){which, i / 2, 1, i % 2, 1, 10, 3});
        }
    uint64_t dropped = bed->window->counts.samples_dropped;
    assert_int_equal(dropped, 6 * VG_WINDOW_MAX_THREADS - VG_WINDOW_MAX_SAMPLES);
    vg_window_add(bed->window,
                  &(struct vg_sample){stack, UINT32_MAX, 1, false, 1, 10, 3}); /* no room for its thread */
    assert_int_equal(bed->window->counts.samples_dropped, dropped + 1);
    encode_and_read(bed);
    assert_int_equal(total(bed, 0), VG_WINDOW_MAX_SAMPLES);
}

static void names_are_cut_at_a_character(void **state)
{
    struct bed *bed = *state;
    char name[100];
    memset(name, 'n', sizeof name);
    memcpy(name + VG_THREAD_NAME_BYTES - 3, "\xe2\x82\xac", 3); /* € would end at the NUL */
    uint32_t thread = vg_window_add_thread(bed->window, 1, 1, (struct vg_slice){name, sizeof name});
    vg_window_add(bed->window, &(struct vg_sample){put_two(bed, bed->leaf), thread, 1, false, 2000, 1, 1});
    encode_and_read(bed);
    assert_int_equal(label_of(bed, 0, "thread name")->text.len, VG_THREAD_NAME_BYTES - 3);
}

static void a_sealed_window_is_not_changed_by_later_symbols(void **state)
{
    struct bed *bed = *state;
    uint32_t thread = vg_window_add_thread(bed->window, 1, 1, VG_SLICE_LIT("t"));
    vg_window_add(bed->window, &(struct vg_sample){put_two(bed, bed->leaf), thread, 1, false, 2000, 1, 1});
    vg_window_seal(bed->window, 61000);
    fake.made_up_below = 1u << 30;
    for (uintptr_t i = 0; i < 2000; i++)
        locate(bed, 0x100000 + 16 * i, 0);
    assert_true(bed->window->n_codes < bed->symbols->n_codes);
    uint32_t sealed = bed->window->n_codes;
    assert_int_equal(vg_encode(bed->window, &bed->pprof, &bed->json), VG_OK);
    assert_int_equal(bed->window->n_codes, sealed);
    vg_buf_reset(&bed->pprof);
    encode_and_read(bed);
    assert_int_equal(bed->read.n_functions, 2);
}

static void an_empty_window_is_a_valid_profile(void **state)
{
    struct bed *bed = *state;
    encode_and_read(bed);
    assert_int_equal(bed->read.n_samples, 0);
    assert_int_equal(bed->read.n_types, 3);
}

static void the_counts_travel_as_members_of_json(void **state)
{
    struct bed *bed = *state;
    struct vg_window_counts *counts = &bed->window->counts;
    *counts = (struct vg_window_counts){
        .ticks = 1,
        .stacks_captured = 2,
        .stacks_reused = 3,
        .stacks_joined = 14,
        .stacks_cut = 4,
        .stacks_truncated = 5,
        .stacks_unreadable = 6,
        .threads_lost = 7,
        .samples_untimed = 8,
        .samples_dropped = 9,
        .sweeps = 10,
        .over_budget = UINT64_MAX,
        .sampler_cpu_ns = 12,
        .process_cpu_ns = 13,
    };
    encode_and_read(bed);
    char text[1000];
    assert_true(bed->json.len < sizeof text);
    memcpy(text, bed->json.data, bed->json.len);
    text[bed->json.len] = '\0';
    assert_string_equal(
        text,
        "\"samples\":2,\"samples_reused\":3,\"samples_joined\":14,\"samples_cut\":4,\"samples_truncated\":5,"
        "\"samples_unreadable\":6,\"samples_lost\":7,\"samples_untimed\":8,"
        "\"samples_dropped\":9,\"ticks\":1,\"sweeps\":10,"
        "\"over_budget\":18446744073709551615,\"profiler_cpu_ns\":12,\"process_cpu_ns\":13");
}

static void fill(struct vg_window *window, const struct bed *bed)
{
    uint32_t thread = vg_window_add_thread(window, 1, 1, VG_SLICE_LIT("t"));
    for (uint32_t i = 0; i < 300; i++) {
        uint32_t locations[] = {bed->leaf, bed->leaf_later, bed->root, bed->root}, depth = 1 + i % 4;
        vg_window_add(window, &(struct vg_sample){vg_stacks_put(&window->stacks, locations, depth), thread, 1,
                                                  false, 1000 + i, 5, 5});
    }
}

static void each_allocation_may_fail(void **state)
{
    struct bed *bed = *state;
    for (unsigned has_timeline = 0; has_timeline < 2; has_timeline++)
        for (size_t turn = 0;; turn++) {
            struct test_alloc alloc = test_alloc_failing(turn);
            struct vg_window *window = NULL;
            vg_buf_reset(&bed->pprof);
            vg_buf_reset(&bed->json);
            enum vg_err err = vg_window_new(bed->symbols, has_timeline, test_alloc_seam(&alloc), &window);
            if (err == VG_OK) {
                fill(window, bed);
                vg_window_seal(window, 61000);
                err = vg_encode(window, &bed->pprof, &bed->json);
                if (!alloc.has_failed)
                    assert_int_equal(err, VG_OK);
                else if (err == VG_OK)
                    assert_true(window->counts.samples_dropped + window->counts.samples_untimed > 0 ||
                                window->stacks.n < 5);
            }
            vg_window_free(window);
            assert_true(err == VG_OK || (err == VG_ERR_NOMEM && alloc.has_failed));
            assert_int_equal(alloc.live, 0);
            if (!alloc.has_failed)
                break;
        }
    vg_window_free(NULL);
}

int main(void)
{
#define TEST(name)        cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_MERGED(name) cmocka_unit_test_setup_teardown(name, set_up_without_timeline, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_goes_in_comes_out),
        TEST(only_what_is_used_is_written_once),
        TEST(a_full_timeline_loses_times_but_no_value),
        TEST_MERGED(without_a_timeline_equal_samples_are_one),
        TEST_MERGED(more_merged_samples_than_the_bound_are_dropped_and_counted),
        TEST(names_are_cut_at_a_character),
        TEST(a_sealed_window_is_not_changed_by_later_symbols),
        TEST(an_empty_window_is_a_valid_profile),
        TEST(the_counts_travel_as_members_of_json),
        TEST(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
