/* pprof/write: what it writes is what pprof/read reads, within its limit, whichever allocation fails. */
#include "pprof/write.h"

#include "pprof/read.h"
#include "test_alloc.h"
#include "test_cmocka.h"

#include <stdio.h>

#define TYPES 13

static void write_example(struct vg_pprof_writer *w)
{
    vg_pprof_value_type(w, "cpu-time", "nanoseconds");
    vg_pprof_value_type(w, "wall-time", "nanoseconds");
    vg_pprof_period(w, "wall-time", "nanoseconds", 10000000);
    vg_pprof_time(w, INT64_C(1764040079123456789), INT64_C(60000000000));
    uint32_t file = vg_pprof_string(w, VG_SLICE_LIT("app.py"));
    vg_pprof_function(w, 1, vg_pprof_string(w, VG_SLICE_LIT("main")), file, 10);
    vg_pprof_function(w, UINT64_MAX, vg_pprof_string(w, VG_SLICE_LIT("work")), file, 0);
    vg_pprof_location(w, 7, 1, 12);
    vg_pprof_location(w, 300, UINT64_MAX, -1);
    const struct vg_pprof_label labels[] = {
        {.key = vg_pprof_string(w, VG_SLICE_LIT("thread name")),
         .text = vg_pprof_string(w, VG_SLICE_LIT("MainThread"))},
        {.key = vg_pprof_string(w, VG_SLICE_LIT("end_timestamp_ns")),
         .number = INT64_MIN,
         .unit = vg_pprof_string(w, VG_SLICE_LIT("nanoseconds"))},
        {.key = vg_pprof_string(w, VG_SLICE_LIT("thread id"))},
    };
    vg_pprof_sample(w, (const uint64_t[]){300, 7}, 2, (const int64_t[]){0, INT64_MAX}, 2, labels, 3);
    vg_pprof_sample(w, NULL, 0, (const int64_t[]){-1, 1}, 2, NULL, 0);
}

static struct vg_pprof read_back(struct vg_pprof_writer *w)
{
    struct vg_pprof pprof;
    const char *why = NULL;
    size_t at = 0;
    enum vg_err err = vg_pprof_read(&pprof, vg_buf_as_slice(&w->out), &vg_pprof_default_limits, &why, &at);
    if (err)
        fail_msg("%s at %zu", why, at);
    return pprof;
}

static void assert_text(struct vg_slice text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
}

static void an_example_comes_back(void **state)
{
    (void)state;
    struct vg_pprof_writer w;
    vg_pprof_writer_init(&w, 1 << 20, NULL);
    write_example(&w);
    assert_int_equal(vg_pprof_finish(&w), VG_OK);
    struct vg_pprof p = read_back(&w);
    assert_int_equal(p.n_types, 2);
    assert_text(p.types[0].name, "cpu-time");
    assert_text(p.types[1].unit, "nanoseconds");
    assert_int_equal(p.period, 10000000);
    assert_int_equal(p.time_ns, INT64_C(1764040079123456789));
    assert_int_equal(p.duration_ns, INT64_C(60000000000));
    assert_int_equal(p.n_functions, 2);
    assert_text(p.functions[1].name, "work");
    assert_text(p.functions[1].file, "app.py");
    assert_int_equal(p.functions[0].first_line, 10);
    assert_int_equal(p.n_locations, 2);
    assert_int_equal(p.n_lines, 2);
    assert_int_equal(p.lines[p.locations[1].first_line_index].line, -1);
    assert_int_equal(p.lines[p.locations[1].first_line_index].function, 1);
    assert_int_equal(p.n_samples, 2);
    const struct vg_pprof_read_sample *s = &p.samples[0];
    assert_int_equal(s->n_locations, 2);
    assert_int_equal(p.sample_locations[s->first_location], 1); /* leaf first */
    assert_int_equal(p.sample_locations[s->first_location + 1], 0);
    assert_int_equal(p.values[s->first_value + 1], INT64_MAX);
    assert_int_equal(s->n_labels, 3);
    const struct vg_pprof_read_label *l = &p.labels[s->first_label];
    assert_text(l[0].key, "thread name");
    assert_text(l[0].text, "MainThread");
    assert_null(l[1].text.data);
    assert_int_equal(l[1].number, INT64_MIN);
    assert_text(l[1].unit, "nanoseconds");
    assert_text(l[2].key, "thread id");
    assert_null(l[2].text.data);
    assert_int_equal(l[2].number, 0);
    assert_int_equal(p.samples[1].n_locations, 0);
    assert_int_equal(p.values[p.samples[1].first_value], -1);
    vg_pprof_release(&p);
    vg_pprof_writer_release(&w);
}

static uint64_t next_random(uint64_t *state)
{
    *state += 1;
    return vg_hash_u64(*state);
}

/* Random samples over 500 functions with random ids; the same generator runs again to check. */
struct generator {
    uint64_t random;
    uint64_t ids[500];
};

static size_t make_sample(struct generator *g, uint64_t *stack, uint32_t *indexes, int64_t *values)
{
    size_t depth = next_random(&g->random) % 60;
    for (size_t i = 0; i < depth; i++) {
        indexes[i] = (uint32_t)(next_random(&g->random) % 500);
        stack[i] = g->ids[indexes[i]];
    }
    for (size_t i = 0; i < TYPES; i++)
        values[i] = next_random(&g->random) % 4 ? 0 : (int64_t)next_random(&g->random);
    return depth;
}

static void random_profiles_come_back(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct generator g = {.random = seed << 32};
        struct vg_pprof_writer w;
        uint64_t stack[60];
        uint32_t indexes[60];
        int64_t values[TYPES];
        char name[32];
        vg_pprof_writer_init(&w, 1 << 24, NULL);
        for (int i = 0; i < TYPES; i++) {
            snprintf(name, sizeof name, "type %d", i);
            vg_pprof_value_type(&w, name, "count");
        }
        for (uint64_t i = 0; i < 500; i++) {
            g.ids[i] = seed % 2 ? vg_hash_u64(i + 1) : i + 1; /* sparse, dense */
            snprintf(name, sizeof name, "function %d", (int)i);
            vg_pprof_function(&w, g.ids[i], vg_pprof_string(&w, vg_slice_of(name)), 0, (int64_t)i);
            vg_pprof_location(&w, g.ids[i], g.ids[i], (int64_t)i * 1000);
        }
        uint64_t start = g.random;
        for (int i = 0; i < 700; i++) {
            size_t depth = make_sample(&g, stack, indexes, values);
            vg_pprof_sample(&w, stack, depth, values, TYPES, NULL, 0);
        }
        assert_int_equal(vg_pprof_finish(&w), VG_OK);

        struct vg_pprof p = read_back(&w);
        g.random = start;
        assert_int_equal(p.n_samples, 700);
        for (int i = 0; i < 700; i++) {
            size_t depth = make_sample(&g, stack, indexes, values);
            const struct vg_pprof_read_sample *s = &p.samples[i];
            assert_int_equal(s->n_locations, depth);
            assert_memory_equal(p.sample_locations + s->first_location, indexes, depth * sizeof *indexes);
            assert_memory_equal(p.values + s->first_value, values, sizeof values);
        }
        for (size_t i = 0; i < 500; i++)
            assert_int_equal(p.lines[p.locations[i].first_line_index].function, i);
        vg_pprof_release(&p);
        vg_pprof_writer_release(&w);
    }
}

static void a_message_is_as_long_as_it_says(void **state)
{
    (void)state;
    static int64_t values[20000]; /* more than two bytes of length */
    struct vg_pprof_writer w;
    vg_pprof_writer_init(&w, 1 << 20, NULL);
    for (size_t i = 0; i < 20000; i++)
        values[i] = (int64_t)(i % 2 ? i : 0);
    for (size_t n = 0; n < 300; n++)
        vg_pprof_sample(&w, NULL, 0, values, n, NULL, 0);
    vg_pprof_sample(&w, NULL, 0, values, 20000, NULL, 0);
    assert_int_equal(vg_pprof_finish(&w), VG_OK);
    struct vg_pprof p;
    const char *why;
    size_t at;
    assert_int_equal(vg_pprof_read(&p, vg_buf_as_slice(&w.out), &vg_pprof_default_limits, &why, &at),
                     VG_ERR_MALFORMED); /* only because there are no value types */
    assert_string_equal(why, "samples, but no value types");
    vg_pprof_writer_release(&w);
}

static void the_limit_bounds_the_output(void **state)
{
    (void)state;
    struct vg_pprof_writer w;
    vg_pprof_writer_init(&w, 1 << 20, NULL);
    write_example(&w);
    assert_int_equal(vg_pprof_finish(&w), VG_OK);
    size_t whole = w.out.len;
    vg_pprof_writer_release(&w);
    for (size_t limit = 0; limit <= whole; limit++) {
        vg_pprof_writer_init(&w, limit, NULL);
        write_example(&w);
        assert_int_equal(vg_pprof_finish(&w), limit < whole ? VG_ERR_LIMIT : VG_OK);
        assert_true(w.out.len <= limit && w.out.cap <= limit);
        vg_pprof_writer_release(&w);
    }
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t turn = 0;; turn++) {
        struct test_alloc alloc = test_alloc_failing(turn);
        struct vg_pprof_writer w;
        vg_pprof_writer_init(&w, 1 << 20, test_alloc_seam(&alloc));
        write_example(&w);
        enum vg_err err = vg_pprof_finish(&w);
        assert_int_equal(err, alloc.has_failed ? VG_ERR_NOMEM : VG_OK);
        vg_pprof_writer_release(&w);
        assert_int_equal(alloc.live, 0);
        if (!alloc.has_failed)
            break;
    }
}

static void samples_allocate_nothing_of_their_own(void **state)
{
    (void)state;
    struct test_alloc alloc = test_alloc_failing(SIZE_MAX);
    struct vg_pprof_writer w;
    vg_pprof_writer_init(&w, 1 << 20, test_alloc_seam(&alloc));
    assert_int_equal(vg_buf_reserve(&w.out, 1 << 19), VG_OK);
    size_t before = alloc.calls;
    for (int i = 0; i < 1000; i++)
        vg_pprof_sample(&w, (const uint64_t[]){1, 2, 3}, 3, (const int64_t[]){1, 2}, 2, NULL, 0);
    assert_int_equal(alloc.calls, before);
    vg_pprof_writer_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_example_comes_back),
        cmocka_unit_test(random_profiles_come_back),
        cmocka_unit_test(a_message_is_as_long_as_it_says),
        cmocka_unit_test(the_limit_bounds_the_output),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(samples_allocate_nothing_of_their_own),
    };
    return cmocka_run_group_tests_name("pprof_write", tests, NULL, NULL);
}
