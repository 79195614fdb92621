/* query/flame, collapsed and pprof_out against naive merges of random stacks; pruning; hostile names; failing
 * memory. */
#include "vigil/query/flame.h"

#include <inttypes.h>
#include <libdeflate.h>
#include <stdio.h>

#include "pprof/read.h"
#include "test_alloc.h"
#include "test_cmocka.h"
#include "vigil/query/collapsed.h"
#include "vigil/query/pprof_out.h"

#define TEXT(s) {(s), sizeof(s) - 1}

static uint64_t seed;

static unsigned pick(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

/* A merged profile in static memory. */
enum { MAX_STACKS = 60, MAX_DEPTH = 12, MAX_FRAMES = 40 };

struct sample {
    struct vg_merged merged;
    struct vg_slice strings[10];
    struct vg_frame frames[MAX_FRAMES];
    uint32_t start[MAX_STACKS + 1], stack[MAX_STACKS * MAX_DEPTH];
    int64_t values[MAX_STACKS];
};

/* Strings 3 and 4 are one text under two ids: a store may do that. */
static void make_random(struct sample *sample)
{
    static const char *const texts[] = {"",     "main", "run",      "handle", "handle", "\xC3\xA9t\xC3\xA9",
                                        "a.py", "b.py", "c;d\n.py", "handler"};
    struct vg_merged *merged = &sample->merged;
    *merged = (struct vg_merged){.unit = VG_SLICE_LIT("nanoseconds"),
                                 .strings = sample->strings,
                                 .n_strings = 10,
                                 .frames = sample->frames,
                                 .stack_start = sample->start,
                                 .stack_frames = sample->stack,
                                 .values = sample->values,
                                 .n_profiles = 1,
                                 .duration_ns = 60};
    for (size_t i = 0; i < 10; i++)
        sample->strings[i] = vg_slice_of(texts[i]);
    static const uint32_t names[] = {1, 2, 3, 4, 5, 9}, files[] = {0, 6, 7, 8};
    merged->n_frames = 1 + pick(MAX_FRAMES);
    for (size_t i = 0; i < merged->n_frames; i++)
        sample->frames[i] = (struct vg_frame){names[pick(6)], files[pick(4)], pick(3), pick(1000)};
    merged->n_stacks = pick(MAX_STACKS);
    for (size_t i = 0; i < merged->n_stacks; i++) {
        uint32_t depth = pick(MAX_DEPTH), at = sample->start[i];
        for (uint32_t k = 0; k < depth; k++)
            sample->stack[at + k] = pick((unsigned)merged->n_frames);
        sample->start[i + 1] = at + depth;
        sample->values[i] = pick(4) ? pick(1000) : 0;
        merged->total += sample->values[i];
    }
}

static struct vg_slice function_text(const struct vg_merged *merged, const struct vg_function *function,
                                     char out[64])
{
    struct vg_slice name = merged->strings[function->name], file = merged->strings[function->file];
    int len = snprintf(out, 64, "%.*s|%.*s|%u", (int)name.len, name.data, (int)file.len, file.data,
                       function->first_line);
    return (struct vg_slice){out, (size_t)len};
}

static bool same_function(const struct vg_merged *merged, const struct vg_frame *frame,
                          const struct vg_function *function)
{
    return vg_slice_equal(merged->strings[frame->name], merged->strings[function->name]) &&
           vg_slice_equal(merged->strings[frame->file], merged->strings[function->file]) &&
           frame->first_line == function->first_line;
}

/* What a path (functions from the root on) has in all: with everything below, or itself alone. */
static int64_t naive_value(const struct vg_merged *merged, const struct vg_flame *flame, const uint32_t *path,
                           size_t n, bool itself)
{
    int64_t sum = 0;
    for (size_t i = 0; i < merged->n_stacks; i++) {
        uint32_t start = merged->stack_start[i];
        size_t depth = merged->stack_start[i + 1] - start, k = 0;
        if (depth < n || (itself && depth != n))
            continue;
        while (k < n && same_function(merged, &merged->frames[merged->stack_frames[start + depth - 1 - k]],
                                      &flame->functions.items[path[k]]))
            k++;
        sum += k == n ? merged->values[i] : 0;
    }
    return sum;
}

/* How many distinct paths there are, the root's included: prefixes no earlier stack has. */
static size_t naive_count(const struct vg_merged *merged, const struct vg_functions *functions)
{
    size_t count = 1;
    for (size_t i = 0; i < merged->n_stacks; i++) {
        size_t depth = merged->stack_start[i + 1] - merged->stack_start[i], shared = 0;
        for (size_t j = 0; j < i; j++) {
            size_t other = merged->stack_start[j + 1] - merged->stack_start[j], k = 0;
            while (merged->values[j] && k < depth && k < other &&
                   functions->of_frame[merged->stack_frames[merged->stack_start[i + 1] - 1 - k]] ==
                       functions->of_frame[merged->stack_frames[merged->stack_start[j + 1] - 1 - k]])
                k++;
            shared = k > shared ? k : shared;
        }
        count += merged->values[i] ? depth - shared : 0;
    }
    return count;
}

/* Depth-first order, children sorted and unique, values those of the naive merge. */
static void check_tree(const struct vg_merged *merged, const struct vg_flame *flame)
{
    uint32_t path[MAX_DEPTH + 1] = {0};
    int64_t selfs = 0;
    uint32_t last_level = 0;
    assert_int_equal(flame->nodes[0].level, 0);
    assert_int_equal(flame->nodes[0].function, VG_FLAME_ROOT);
    for (size_t i = 0; i < flame->n_nodes; i++) {
        const struct vg_flame_node *node = &flame->nodes[i];
        assert_true(i == 0 ? node->level == 0 : node->level >= 1 && node->level <= last_level + 1);
        if (i > 0 &&
            node->level <= last_level) { /* not a first child: behind the sibling that the path still holds */
            char a[64], b[64];
            uint32_t sibling = path[node->level - 1];
            assert_true(sibling < node->function);
            assert_false(vg_slice_equal(function_text(merged, &flame->functions.items[sibling], a),
                                        function_text(merged, &flame->functions.items[node->function], b)));
        }
        if (i > 0)
            path[node->level - 1] = node->function;
        assert_int_equal(node->value, naive_value(merged, flame, path, node->level, false));
        assert_int_equal(node->self, naive_value(merged, flame, path, node->level, true));
        selfs += node->self;
        last_level = node->level;
    }
    if (flame->pruned_nodes == 0)
        assert_int_equal(selfs, merged->total);
    assert_int_equal(flame->nodes[0].value, merged->total);
}

static void functions_are_sorted_by_text(const struct vg_merged *merged, const struct vg_functions *functions)
{
    for (size_t i = 1; i < functions->n; i++) {
        const struct vg_function *a = &functions->items[i - 1], *b = &functions->items[i];
        int order = vg_slice_compare(merged->strings[a->name], merged->strings[b->name]);
        if (order == 0)
            order = vg_slice_compare(merged->strings[a->file], merged->strings[b->file]);
        assert_true(order < 0 || (order == 0 && a->first_line < b->first_line));
    }
    for (size_t i = 0; i < merged->n_frames; i++)
        assert_true(same_function(merged, &merged->frames[i], &functions->items[functions->of_frame[i]]));
}

static void trees_are_those_of_the_naive_merge(void **state)
{
    static struct sample sample;
    (void)state;
    seed = 3;
    for (size_t round = 0; round < 300; round++) {
        struct vg_flame flame;
        make_random(&sample);
        assert_int_equal(vg_flame_build(&sample.merged, 0, NULL, &flame), VG_OK);
        functions_are_sorted_by_text(&sample.merged, &flame.functions);
        check_tree(&sample.merged, &flame);
        assert_int_equal(flame.n_nodes, naive_count(&sample.merged, &flame.functions));
        assert_int_equal(flame.pruned_nodes, 0);
        vg_flame_release(&flame);
    }
}

/* Exactly as many nodes as asked for, none dropped that is heavier than one kept, and nothing lost in the
 * sums. */
static void pruning_keeps_the_heaviest_and_counts_the_rest(void **state)
{
    static struct sample sample;
    (void)state;
    seed = 4;
    for (size_t round = 0; round < 300; round++) {
        struct vg_flame whole, pruned;
        make_random(&sample);
        assert_int_equal(vg_flame_build(&sample.merged, 0, NULL, &whole), VG_OK);
        size_t keep = 1 + pick((unsigned)whole.n_nodes);
        assert_int_equal(vg_flame_build(&sample.merged, keep, NULL, &pruned), VG_OK);
        check_tree(&sample.merged, &pruned);
        assert_int_equal(pruned.n_nodes, keep);
        assert_int_equal(pruned.pruned_nodes, whole.n_nodes - keep);
        int64_t least = INT64_MAX, selfs = 0;
        size_t heavier = 0, kept_heavier = 0;
        for (size_t i = 0; i < keep; i++) {
            least = pruned.nodes[i].value < least ? pruned.nodes[i].value : least;
            selfs += pruned.nodes[i].self;
        }
        for (size_t i = 0; i < whole.n_nodes; i++)
            heavier += whole.nodes[i].value > least;
        for (size_t i = 0; i < keep; i++)
            kept_heavier += pruned.nodes[i].value > least;
        assert_int_equal(heavier, kept_heavier);
        assert_int_equal(selfs + pruned.pruned_value, sample.merged.total);
        vg_flame_release(&pruned);
        vg_flame_release(&whole);
    }
}

/* Two functions, f in a.py and g without file; stacks f, f>g, and one without frames. */
static struct vg_merged small(int64_t *values)
{
    static struct vg_slice strings[] = {TEXT(""), TEXT("f"), TEXT("a.py"), TEXT("g")};
    static struct vg_frame frames[] = {{1, 2, 7, 8}, {3, 0, 0, 0}};
    static uint32_t start[] = {0, 1, 3, 3}, stack[] = {0, 1, 0};
    return (struct vg_merged){.unit = VG_SLICE_LIT("count"),
                              .strings = strings,
                              .n_strings = 4,
                              .frames = frames,
                              .n_frames = 2,
                              .stack_start = start,
                              .stack_frames = stack,
                              .n_stacks = 3,
                              .values = values};
}

static void sums_saturate_and_signs_do_not_confuse(void **state)
{
    (void)state;
    int64_t large[] = {INT64_MAX, INT64_MAX, 5};
    struct vg_merged merged = small(large);
    struct vg_flame flame;
    assert_int_equal(vg_flame_build(&merged, 0, NULL, &flame), VG_OK);
    assert_int_equal(flame.nodes[0].value, INT64_MAX);
    vg_flame_release(&flame);

    int64_t mixed[] = {-100, 100, INT64_MIN};
    merged = small(mixed);
    assert_int_equal(vg_flame_build(&merged, 2, NULL, &flame), VG_OK);
    assert_int_equal(flame.n_nodes, 2);
    assert_int_equal(flame.nodes[1].value, 0);
    assert_int_equal(flame.nodes[1].self, -100);
    assert_int_equal(flame.pruned_value, 100);
    vg_flame_release(&flame);
}

static char *collapse(const struct vg_merged *merged, struct vg_buf *out)
{
    struct vg_flame flame;
    vg_buf_init(out, 1 << 20, NULL);
    assert_int_equal(vg_flame_build(merged, 0, NULL, &flame), VG_OK);
    assert_int_equal(vg_collapsed_write(&flame, merged, out), VG_OK);
    assert_int_equal(vg_buf_byte(out, 0), VG_OK);
    vg_flame_release(&flame);
    return out->data;
}

static void collapsed_is_one_line_a_stack(void **state)
{
    (void)state;
    struct vg_buf out;
    int64_t values[] = {3, 4, 5};
    struct vg_merged merged = small(values);
    assert_string_equal(collapse(&merged, &out), "(no frames) 5\nf (a.py:7) 3\nf (a.py:7);g 4\n");
    vg_buf_release(&out);

    int64_t nothing[] = {0, 0, 0};
    merged = small(nothing);
    assert_string_equal(collapse(&merged, &out), "");
    vg_buf_release(&out);
}

static void hostile_names_cannot_break_lines_or_frames(void **state)
{
    (void)state;
    struct vg_slice strings[] = {VG_SLICE_LIT(""),
                                 VG_SLICE_LIT("a;b\nc\r\t\x7F\x01"
                                              "d\xC2\x85"
                                              "e\xE2\x80\xA8"
                                              "f\xE2\x80\xA9"
                                              "g\xE2\x80\xA6 <b> 7"),
                                 VG_SLICE_LIT("x\x0B;\xC3\xA9\xC2"), VG_SLICE_LIT("\0")};
    struct vg_frame frames[] = {{1, 2, 3, 4}, {3, 3, 0, 9}};
    uint32_t start[] = {0, 2}, stack[] = {0, 1};
    int64_t values[] = {-6};
    struct vg_merged merged = {.strings = strings,
                               .n_strings = 4,
                               .frames = frames,
                               .n_frames = 2,
                               .stack_start = start,
                               .stack_frames = stack,
                               .n_stacks = 1,
                               .values = values};
    struct vg_buf out;
    assert_string_equal(collapse(&merged, &out),
                        "  ( :0);a:b c    d e f g\xE2\x80\xA6 <b> 7 (x :\xC3\xA9\xC2:3) -6\n");
    vg_buf_release(&out);
}

/* The pprof in out, uncompressed into text. */
static void read_back(const struct vg_buf *out, char *text, size_t size, struct vg_pprof *pprof)
{
    struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
    size_t len, at;
    const char *why;
    assert_int_equal(libdeflate_gzip_decompress(decompressor, out->data, out->len, text, size, &len),
                     LIBDEFLATE_SUCCESS);
    libdeflate_free_decompressor(decompressor);
    assert_int_equal(vg_pprof_read(pprof, (struct vg_slice){text, len}, &vg_pprof_default_limits, &why, &at),
                     VG_OK);
}

static void assert_text(struct vg_slice text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
}

static const struct vg_pprof_read_function *function_at(const struct vg_pprof *pprof, uint32_t location,
                                                        int64_t *line)
{
    const struct vg_pprof_line *at = &pprof->lines[pprof->locations[location].first_line_index];
    assert_int_equal(pprof->locations[location].n_lines, 1);
    *line = at->line;
    return &pprof->functions[at->function];
}

static void merged_stacks_come_back_from_pprof(void **state)
{
    static struct sample sample;
    static char text[1 << 20];
    (void)state;
    seed = 5;
    for (size_t round = 0; round < 100; round++) {
        struct vg_pprof pprof;
        struct vg_buf out;
        size_t k = 0;
        make_random(&sample);
        const struct vg_merged *merged = &sample.merged;
        vg_buf_init(&out, 1 << 20, NULL);
        assert_int_equal(vg_pprof_out_merged(merged, VG_SLICE_LIT("cpu-time"), 77, NULL, &out), VG_OK);
        read_back(&out, text, sizeof text, &pprof);
        assert_int_equal(pprof.n_types, 1);
        assert_text(pprof.types[0].name, "cpu-time");
        assert_text(pprof.types[0].unit, "nanoseconds");
        assert_int_equal(pprof.time_ns, 77);
        assert_int_equal(pprof.duration_ns, 60);
        for (size_t i = 0; i < merged->n_stacks; i++) {
            if (!merged->values[i])
                continue;
            const struct vg_pprof_read_sample *read = &pprof.samples[k++];
            uint32_t from = merged->stack_start[i];
            assert_int_equal(pprof.values[read->first_value], merged->values[i]);
            assert_int_equal(read->n_locations, merged->stack_start[i + 1] - from);
            for (uint32_t f = 0; f < read->n_locations; f++) {
                const struct vg_frame *frame = &merged->frames[merged->stack_frames[from + f]];
                int64_t line;
                const struct vg_pprof_read_function *function =
                    function_at(&pprof, pprof.sample_locations[read->first_location + f], &line);
                assert_true(vg_slice_equal(function->name, merged->strings[frame->name]));
                assert_true(vg_slice_equal(function->file, merged->strings[frame->file]));
                assert_int_equal(function->first_line, frame->first_line);
                assert_int_equal(line, frame->line);
            }
        }
        assert_int_equal(k, pprof.n_samples);
        vg_pprof_release(&pprof);
        vg_buf_release(&out);
    }
}

/* One stack; a row of 10 CPU and 30 wall whose two events have 4 and 5 CPU, and a row without events. */
static struct vg_profile two_rows(void)
{
    static struct vg_slice strings[] = {TEXT(""),     TEXT("f"),      TEXT("a.py"), TEXT("thread name"),
                                        TEXT("Main"), TEXT("span id")};
    static struct vg_profile_type types[] = {{TEXT("cpu-time"), TEXT("nanoseconds"), 17},
                                             {TEXT("wall-time"), TEXT("nanoseconds"), 38}};
    static struct vg_frame frames[] = {{1, 2, 3, 4}};
    static uint32_t stack_start[] = {0, 1}, stack_frames[] = {0}, labels_start[] = {0, 0, 1, 2};
    static struct vg_profile_label labels[] = {{3, 4, 0}, {5, 0, 99}};
    static uint32_t row_stack[] = {0, 0}, row_labels[] = {1, 0}, event_row[] = {0, 0},
                    event_labels[] = {2, 0};
    static int64_t row_values[] = {10, 30, 7, 8}, event_values[] = {4, 10, 5, 20},
                   event_end_ns[] = {1000, 2000};
    return (struct vg_profile){.start_ns = 100,
                               .end_ns = 160,
                               .strings = strings,
                               .n_strings = 6,
                               .types = types,
                               .n_types = 2,
                               .frames = frames,
                               .n_frames = 1,
                               .stack_start = stack_start,
                               .stack_frames = stack_frames,
                               .n_stacks = 1,
                               .labels_start = labels_start,
                               .labels = labels,
                               .n_label_sets = 3,
                               .row_stack = row_stack,
                               .row_labels = row_labels,
                               .row_values = row_values,
                               .n_rows = 2,
                               .event_row = event_row,
                               .event_labels = event_labels,
                               .event_end_ns = event_end_ns,
                               .event_values = event_values,
                               .n_events = 2};
}

static void a_profile_comes_back_with_events_and_the_rest_of_its_rows(void **state)
{
    static char text[1 << 16];
    static const int64_t values[4][2] = {{4, 10}, {5, 20}, {1, 0}, {7, 8}};
    static const uint32_t n_labels[4] = {3, 2, 1, 0};
    (void)state;
    struct vg_profile profile = two_rows();
    struct vg_pprof pprof;
    struct vg_buf out;
    vg_buf_init(&out, 1 << 16, NULL);
    assert_int_equal(vg_pprof_out_profile(&profile, NULL, &out), VG_OK);
    read_back(&out, text, sizeof text, &pprof);
    assert_int_equal(pprof.n_types, 2);
    assert_text(pprof.types[1].name, "wall-time");
    assert_int_equal(pprof.time_ns, 100);
    assert_int_equal(pprof.duration_ns, 60);
    assert_int_equal(pprof.n_samples, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pprof.values[pprof.samples[i].first_value], values[i][0]);
        assert_int_equal(pprof.values[pprof.samples[i].first_value + 1], values[i][1]);
        assert_int_equal(pprof.samples[i].n_labels, n_labels[i]);
    }
    const struct vg_pprof_read_label *first = &pprof.labels[pprof.samples[0].first_label];
    assert_text(first[0].key, "thread name");
    assert_text(first[0].text, "Main");
    assert_text(first[1].key, "span id");
    assert_int_equal(first[1].number, 99);
    assert_text(first[2].key, "end_timestamp_ns");
    assert_int_equal(first[2].number, 1000);
    assert_text(first[2].unit, "nanoseconds");
    vg_pprof_release(&pprof);
    vg_buf_release(&out);
}

static void a_profile_of_nothing_is_still_a_profile(void **state)
{
    static char text[4096];
    uint32_t zero[] = {0, 0};
    (void)state;
    struct vg_merged merged = {.stack_start = zero};
    struct vg_profile profile = {.stack_start = zero, .labels_start = zero};
    struct vg_pprof pprof;
    struct vg_buf out;
    vg_buf_init(&out, 4096, NULL);
    assert_int_equal(vg_pprof_out_merged(&merged, VG_SLICE_LIT("x"), 0, NULL, &out), VG_OK);
    read_back(&out, text, sizeof text, &pprof);
    vg_pprof_release(&pprof);
    vg_buf_reset(&out);
    assert_int_equal(vg_pprof_out_profile(&profile, NULL, &out), VG_OK);
    read_back(&out, text, sizeof text, &pprof);
    vg_pprof_release(&pprof);
    vg_buf_release(&out);
    struct vg_flame flame;
    assert_int_equal(vg_flame_build(&merged, 1, NULL, &flame), VG_OK);
    assert_int_equal(flame.n_nodes, 1);
    vg_flame_release(&flame);
}

static void failing_memory_is_said_and_leaves_nothing(void **state)
{
    static struct sample sample;
    (void)state;
    seed = 6;
    make_random(&sample);
    struct vg_profile profile = two_rows();
    for (size_t turn = 0;; turn++) {
        struct test_alloc alloc = test_alloc_failing(turn);
        const struct vg_alloc *seam = test_alloc_seam(&alloc);
        struct vg_flame flame;
        struct vg_buf out;
        vg_buf_init(&out, 1 << 20, seam);
        enum vg_err err = vg_flame_build(&sample.merged, 20, seam, &flame);
        if (!err) {
            err = vg_collapsed_write(&flame, &sample.merged, &out);
            vg_flame_release(&flame);
        }
        if (!err)
            err = vg_pprof_out_merged(&sample.merged, VG_SLICE_LIT("t"), 0, seam, &out);
        if (!err)
            err = vg_pprof_out_profile(&profile, seam, &out);
        assert_int_equal(err, alloc.has_failed ? VG_ERR_NOMEM : VG_OK);
        vg_buf_release(&out);
        assert_int_equal(alloc.live, 0);
        if (!alloc.has_failed)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_are_those_of_the_naive_merge),
        cmocka_unit_test(pruning_keeps_the_heaviest_and_counts_the_rest),
        cmocka_unit_test(sums_saturate_and_signs_do_not_confuse),
        cmocka_unit_test(collapsed_is_one_line_a_stack),
        cmocka_unit_test(hostile_names_cannot_break_lines_or_frames),
        cmocka_unit_test(merged_stacks_come_back_from_pprof),
        cmocka_unit_test(a_profile_comes_back_with_events_and_the_rest_of_its_rows),
        cmocka_unit_test(a_profile_of_nothing_is_still_a_profile),
        cmocka_unit_test(failing_memory_is_said_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
