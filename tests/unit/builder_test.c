/* model/builder: what was sent → the one internal profile. */
#include "vigil/model/builder.h"

#include <stdio.h>
#include <stdlib.h>

#include "pprof/write.h"
#include "test_alloc.h"
#include "test_cmocka.h"
#include "vigil/model/text.h"

/* A pprof under construction; ids of functions and locations are the same small numbers. */
struct sent {
    struct vg_pprof_writer w;
    struct vg_pprof pprof;
    struct vg_profile *profile;
};

static uint32_t str(struct sent *sent, const char *text)
{
    return vg_pprof_string(&sent->w, vg_slice_of(text));
}

static void start(struct sent *sent)
{
    vg_pprof_writer_init(&sent->w, 1 << 24, NULL);
    vg_pprof_value_type(&sent->w, "cpu-time", "nanoseconds");
    vg_pprof_value_type(&sent->w, "gpu-time", "nanoseconds");
    vg_pprof_value_type(&sent->w, "odd", "bananas");
}

static void function(struct sent *sent, uint64_t id, const char *name, int64_t line)
{
    vg_pprof_function(&sent->w, id, str(sent, name), str(sent, "/a.py"), line);
    vg_pprof_location(&sent->w, id, id, line + 1);
}

static struct vg_pprof_label text_label(struct sent *sent, const char *key, const char *text)
{
    return (struct vg_pprof_label){.key = str(sent, key), .text = str(sent, text)};
}

static struct vg_pprof_label number_label(struct sent *sent, const char *key, int64_t number)
{
    return (struct vg_pprof_label){.key = str(sent, key), .number = number};
}

static enum vg_err build_with(struct sent *sent, const struct vg_tag *tags, size_t n_tags,
                              const struct vg_alloc *alloc)
{
    struct vg_profile_source source = {.pprof = &sent->pprof,
                                       .tags = tags,
                                       .n_tags = n_tags,
                                       .start_ns = 1000,
                                       .end_ns = 2000,
                                       .received_ns = 3000,
                                       .internal = VG_SLICE_LIT("{\"samples\":1}"),
                                       .content = VG_SLICE_LIT("content"),
                                       .alloc = alloc};
    const char *why = NULL;
    return vg_profile_build(&source, &sent->profile, &why);
}

static void finish(struct sent *sent)
{
    const char *why = NULL;
    size_t at;
    assert_int_equal(vg_pprof_finish(&sent->w), VG_OK);
    assert_int_equal(
        vg_pprof_read(&sent->pprof, vg_buf_as_slice(&sent->w.out), &vg_pprof_default_limits, &why, &at),
        VG_OK);
}

static void build(struct sent *sent)
{
    static const struct vg_tag no_tags[1];
    finish(sent);
    assert_int_equal(build_with(sent, no_tags, 0, NULL), VG_OK);
}

static void release(struct sent *sent)
{
    vg_profile_free(sent->profile);
    vg_pprof_release(&sent->pprof);
    vg_pprof_writer_release(&sent->w);
}

static struct vg_slice name_of(const struct vg_profile *p, size_t stack, size_t depth)
{
    return p->strings[p->frames[p->stack_frames[p->stack_start[stack] + depth]].name];
}

static void equal_samples_become_one_row(void **state)
{
    struct sent sent;
    (void)state;
    start(&sent);
    function(&sent, 1, "leaf", 10);
    function(&sent, 2, "root", 20);
    struct vg_pprof_label labels[] = {
        text_label(&sent, "thread name", "main"), number_label(&sent, "thread id", 7),
        number_label(&sent, "end_timestamp_ns", 1500), number_label(&sent, "span id", 99)};
    struct vg_pprof_label turned[] = {labels[1], labels[0]};
    uint64_t stack[] = {1, 2};
    vg_pprof_sample(&sent.w, stack, 2, (int64_t[]){5, 0, 1}, 3, labels, 4);
    labels[2].number = 1600;
    labels[3].number = 100;
    vg_pprof_sample(&sent.w, stack, 2, (int64_t[]){7, 0, 2}, 3, labels, 4);
    vg_pprof_sample(&sent.w, stack, 2, (int64_t[]){1, 0, 0}, 3, turned, 2); /* no time, other order */
    vg_pprof_sample(&sent.w, stack, 1, (int64_t[]){2, 0, 0}, 3, labels, 1); /* another stack */
    vg_pprof_sample(&sent.w, stack, 2, (int64_t[]){0, 0, 0}, 3, labels, 1); /* says nothing */
    build(&sent);

    const struct vg_profile *p = sent.profile;
    assert_int_equal(p->n_types, 2); /* gpu-time was zero throughout */
    assert_true(vg_slice_equal_text(p->types[1].name, "odd"));
    assert_true(vg_slice_equal_text(p->types[1].unit, "bananas"));
    assert_int_equal(p->types[0].total, 15);
    assert_int_equal(p->n_rows, 2);
    assert_int_equal(p->row_values[0], 13);
    assert_int_equal(p->row_values[1], 3);
    assert_int_equal(p->row_values[2], 2);
    assert_int_equal(p->n_stacks, 2);
    assert_int_equal(p->stack_start[1] - p->stack_start[0], 2);
    assert_true(vg_slice_equal_text(name_of(p, 0, 0), "leaf"));
    assert_true(vg_slice_equal_text(name_of(p, 0, 1), "root"));
    assert_int_equal(p->frames[p->stack_frames[0]].first_line, 10);
    assert_int_equal(p->frames[p->stack_frames[0]].line, 11);

    assert_int_equal(p->n_events, 2);
    assert_int_equal(p->event_end_ns[0], 1500);
    assert_int_equal(p->event_end_ns[1], 1600);
    assert_int_equal(p->event_row[1], 0);
    assert_int_equal(p->event_values[2], 7);
    assert_int_not_equal(p->event_labels[0], p->event_labels[1]);
    const struct vg_profile_label *span = &p->labels[p->labels_start[p->event_labels[1]]];
    assert_true(vg_slice_equal_text(p->strings[span->key], "span id"));
    assert_int_equal(span->number, 100);

    assert_int_equal(p->labels_start[1], 0); /* set 0 is empty */
    const struct vg_profile_label *set = &p->labels[p->labels_start[p->row_labels[0]]];
    assert_int_equal(p->labels_start[p->row_labels[0] + 1] - p->labels_start[p->row_labels[0]], 2);
    assert_true(vg_slice_equal_text(p->strings[set[0].key], "thread id"));
    assert_int_equal(set[0].text, 0);
    assert_int_equal(set[0].number, 7);
    assert_true(vg_slice_equal_text(p->strings[set[1].text], "main"));
    assert_true(vg_slice_equal_text(p->internal, "{\"samples\":1}"));
    assert_true(vg_slice_equal_text(vg_profile_tag(p, "service"), "unnamed-service"));
    release(&sent);
}

/* Other locations, same functions and lines: one stack. */
static void stacks_are_unique_by_their_frames(void **state)
{
    struct sent sent;
    (void)state;
    start(&sent);
    function(&sent, 1, "f", 10);
    vg_pprof_location(&sent.w, 2, 1, 11);
    vg_pprof_location(&sent.w, 3, 1, 12);
    for (uint64_t id = 1; id <= 3; id++)
        vg_pprof_sample(&sent.w, &id, 1, (int64_t[]){1, 0, 0}, 3, NULL, 0);
    vg_pprof_sample(&sent.w, NULL, 0, (int64_t[]){1, 0, 0}, 3, NULL, 0);
    build(&sent);
    assert_int_equal(sent.profile->n_stacks, 3);
    assert_int_equal(sent.profile->n_frames, 3);
    assert_int_equal(sent.profile->row_values[0], 2);
    assert_true(vg_slice_equal_text(name_of(sent.profile, 2, 0), "(no stack)"));
    release(&sent);
}

/* Two lines in one location, the innermost first; a location without a line; written by hand, as the writer
 * has neither. */
static void inlined_lines_are_frames(void **state)
{
    static const unsigned char bytes[] = {
        0x0a, 4,  8,    1, 16,   1,                                   /* type 1 1 */
        0x12, 6,  0x0a, 2, 1,    2,    0x12, 0,                       /* sample 1 2, no values */
        0x12, 7,  0x0a, 2, 1,    2,    0x12, 1,    9,                 /* sample 1 2, value 9 */
        0x22, 10, 8,    1, 0x22, 2,    8,    1,    0x22, 2,   8,   2, /* location 1: lines of 1, 2 */
        0x22, 5,  8,    2, 24,   0xab, 1,                             /* location 2: address 0xab */
        0x2a, 4,  8,    1, 16,   2,                                   /* function 1 */
        0x2a, 4,  8,    2, 16,   3,                                   /* function 2 */
        0x32, 0,  0x32, 3, 'c',  'p',  'u',  0x32, 2,    'i', 'n', 0x32, 3, 'o', 'u', 't'};
    struct sent sent = {0};
    static const struct vg_tag no_tags[1];
    const char *why = NULL;
    size_t at;
    (void)state;
    struct vg_slice whole = {(const char *)bytes, sizeof bytes};
    char *valid = malloc(sizeof bytes);
    /* Without the first sample, which has too few values. */
    memcpy(valid, whole.data, 6);
    memcpy(valid + 6, whole.data + 14, sizeof bytes - 14);
    assert_int_equal(vg_pprof_read(&sent.pprof, (struct vg_slice){valid, sizeof bytes - 8},
                                   &vg_pprof_default_limits, &why, &at),
                     VG_OK);
    assert_int_equal(build_with(&sent, no_tags, 0, NULL), VG_OK);
    assert_int_equal(sent.profile->stack_start[1], 3);
    assert_true(vg_slice_equal_text(name_of(sent.profile, 0, 0), "in"));
    assert_true(vg_slice_equal_text(name_of(sent.profile, 0, 1), "out"));
    assert_true(vg_slice_equal_text(name_of(sent.profile, 0, 2), "0xab"));
    vg_profile_free(sent.profile);
    vg_pprof_release(&sent.pprof);
    free(valid);
}

static void tags_are_clean_sorted_and_unique(void **state)
{
    static const struct vg_tag tags[] = {{{"Team", 4}, {"b\x01", 2}},    {{"service", 7}, {"web", 3}},
                                         {{"team", 4}, {"a", 1}},        {{"TEAM", 4}, {"a", 1}},
                                         {{" x ", 3}, {" y\xff ", 4}},   {{"empty", 5}, {"", 0}},
                                         {{"profile_seq", 11}, {"3", 1}}};
    static const char *const expected[] = {"service", "web", "team", "a", "team", "b ", "x", "y\xef\xbf\xbd"};
    struct sent sent;
    (void)state;
    start(&sent);
    finish(&sent);
    assert_int_equal(build_with(&sent, tags, sizeof tags / sizeof tags[0], NULL), VG_OK);
    assert_int_equal(sent.profile->n_tags, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(vg_slice_equal_text(sent.profile->tags[i].name, expected[2 * i]));
        assert_true(vg_slice_equal_text(sent.profile->tags[i].value, expected[2 * i + 1]));
    }
    release(&sent);
}

static void key_of(const char *service, const char *runtime, const char *sequence, int64_t start_ns,
                   int64_t end_ns, const char *content, uint8_t key[16])
{
    struct vg_pprof pprof = {.n_types = 0};
    struct vg_tag tags[] = {{VG_SLICE_LIT("service"), vg_slice_of(service)},
                            {VG_SLICE_LIT("runtime-id"), vg_slice_of(runtime)},
                            {VG_SLICE_LIT("profile_seq"), vg_slice_of(sequence)}};
    struct vg_profile_source source = {.pprof = &pprof,
                                       .tags = tags,
                                       .n_tags = 3,
                                       .start_ns = start_ns,
                                       .end_ns = end_ns,
                                       .content = vg_slice_of(content)};
    struct vg_profile *profile;
    const char *why;
    assert_int_equal(vg_profile_build(&source, &profile, &why), VG_OK);
    memcpy(key, profile->key, 16);
    vg_profile_free(profile);
}

static void the_key_is_what_a_profile_is(void **state)
{
    uint8_t a[16], b[16];
    (void)state;
    key_of("web", "r", "1", 10, 20, "x", a);
    key_of("web", "r", "1", 10, 21, "y", b); /* sent again: its number says so */
    assert_memory_equal(a, b, 16);
    key_of("web", "r", "2", 10, 20, "x", b);
    assert_memory_not_equal(a, b, 16);
    key_of("web", "r", "1", 11, 20, "x", b); /* the profiler was started again */
    assert_memory_not_equal(a, b, 16);
    key_of("web", "r", "", 10, 20, "x", a);
    key_of("web", "r", "", 10, 20, "y", b);
    assert_memory_equal(a, b, 16);
    key_of("web", "r", "", 10, 21, "x", b);
    assert_memory_not_equal(a, b, 16);
    key_of("web", "", "", 10, 20, "x", a);
    key_of("web", "", "", 10, 20, "y", b); /* two processes, the same second */
    assert_memory_not_equal(a, b, 16);
    key_of("we", "br", "", 10, 20, "x", a);
    key_of("web", "r", "", 10, 20, "x", b);
    assert_memory_not_equal(a, b, 16);
}

static void sums_do_not_wrap(void **state)
{
    struct sent sent;
    uint64_t one = 1;
    (void)state;
    start(&sent);
    function(&sent, 1, "f", 1);
    vg_pprof_sample(&sent.w, &one, 1, (int64_t[]){INT64_MAX, 0, INT64_MIN}, 3, NULL, 0);
    vg_pprof_sample(&sent.w, &one, 1, (int64_t[]){INT64_MAX, 0, INT64_MIN}, 3, NULL, 0);
    build(&sent);
    assert_true(sent.profile->row_values[0] == INT64_MAX);
    assert_true(sent.profile->types[1].total == INT64_MIN);
    release(&sent);
}

static void types_of_one_name_are_refused(void **state)
{
    struct sent sent;
    uint64_t one = 1;
    static const struct vg_tag no_tags[1];
    (void)state;
    start(&sent);
    vg_pprof_value_type(&sent.w, "odd", "other");
    function(&sent, 1, "f", 1);
    vg_pprof_sample(&sent.w, &one, 1, (int64_t[]){0, 0, 1, 1}, 4, NULL, 0);
    finish(&sent);
    sent.profile = NULL;
    assert_int_equal(build_with(&sent, no_tags, 0, NULL), VG_ERR_MALFORMED);
    assert_null(sent.profile);
    release(&sent);
}

static void assert_clean(const char *in, size_t limit, const char *expected)
{
    struct vg_buf scratch;
    struct vg_slice clean;
    vg_buf_init(&scratch, 4096, NULL);
    assert_int_equal(vg_text_clean(vg_slice_of(in), limit, &scratch, &clean), VG_OK);
    assert_int_equal(clean.len, strlen(expected));
    assert_memory_equal(clean.data, expected, clean.len);
    assert_true(clean.len <= limit);
    vg_buf_release(&scratch);
}

static void text_is_made_clean(void **state)
{
    (void)state;
    assert_clean("plain", 100, "plain");
    assert_clean("\xc3\xa9\xe2\x82\xac\xf0\x9f\x8e\x89", 100, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x8e\x89");
    assert_clean("a\nb\x7f"
                 "c\xc2\x85"
                 "d",
                 100, "a b c d");
    assert_clean("\xff\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82", 200,
                 "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef"
                 "\xbf\xbd\xef\xbf\xbd"
                 "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_clean("1234567890", 10, "1234567890");
    assert_clean("12345678901", 10, "1234567\xe2\x80\xa6");
    assert_clean("123456\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 10, "123456\xe2\x80\xa6");
    assert_clean("\n234567890", 10, " 234567890");
    assert_clean("1234567\xff", 10, "1234567\xef\xbf\xbd");
    assert_clean("1234567\xff\xff\xff", 10, "1234567\xe2\x80\xa6");
}

static void each_allocation_may_fail(void **state)
{
    static const struct vg_tag tags[] = {{{"service", 7}, {"w\x01", 2}}};
    struct sent sent;
    (void)state;
    start(&sent);
    for (uint64_t id = 1; id <= 300; id++) {
        char name[16];
        snprintf(name, sizeof name, "f\n%d", (int)id);
        function(&sent, id, name, (int64_t)id);
        struct vg_pprof_label labels[] = {number_label(&sent, "end_timestamp_ns", 1000 + (int64_t)id),
                                          number_label(&sent, "thread id", (int64_t)id)};
        vg_pprof_sample(&sent.w, &id, 1, (int64_t[]){1, 0, 1}, 3, labels, 2);
    }
    finish(&sent);
    for (size_t turn = 0;; turn++) {
        struct test_alloc alloc = test_alloc_failing(turn);
        sent.profile = NULL;
        enum vg_err err = build_with(&sent, tags, 1, test_alloc_seam(&alloc));
        assert_int_equal(err, alloc.has_failed ? VG_ERR_NOMEM : VG_OK);
        vg_profile_free(sent.profile);
        sent.profile = NULL;
        assert_int_equal(alloc.live, 0);
        if (!alloc.has_failed)
            break;
    }
    release(&sent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_samples_become_one_row),  cmocka_unit_test(stacks_are_unique_by_their_frames),
        cmocka_unit_test(inlined_lines_are_frames),      cmocka_unit_test(tags_are_clean_sorted_and_unique),
        cmocka_unit_test(the_key_is_what_a_profile_is),  cmocka_unit_test(sums_do_not_wrap),
        cmocka_unit_test(types_of_one_name_are_refused), cmocka_unit_test(text_is_made_clean),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
