/* profiler/probes/threads: the known threads kept in step with what the interpreter lists, whatever it lists.
 * Against a fake listing. */
#include "profiler/probes/threads.h"

#include "fake_reader.h"
#include "test_cmocka.h"

#include <stdlib.h>
#include <string.h>

struct bed {
    struct vg_threads threads;
    struct vg_threads_events events;
    uint64_t born[1000], died[1000]; /* ids */
    size_t n_born, n_died;
};

static void on_born(void *ctx, struct vg_thread *thread)
{
    struct bed *bed = ctx;
    assert_true(bed->n_born < 1000);
    assert_int_equal(thread->n_frames, 0);
    assert_false(thread->has_stack || thread->is_active);
    assert_int_equal(thread->window_thread, VG_NO_THREAD);
    bed->born[bed->n_born++] = thread->ref.id;
}

static void on_died(void *ctx, struct vg_thread *thread)
{
    struct bed *bed = ctx;
    assert_true(bed->n_died < 1000);
    bed->died[bed->n_died++] = thread->ref.id;
}

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    fake_reader_reset();
    vg_threads_init(&bed->threads);
    bed->events = (struct vg_threads_events){on_born, on_died, bed};
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    vg_threads_release(&bed->threads);
    free(bed);
    return 0;
}

/* Listed newest first, as the interpreter does. */
static void list_first(uintptr_t tstate, uint64_t id, int32_t thread_id)
{
    memmove(fake.threads + 1, fake.threads, fake.n_threads++ * sizeof fake.threads[0]);
    fake.threads[0] = (struct vg_thread_ref){tstate, id, 0x7f0000000000 + id, thread_id};
}

static void unlist(size_t at)
{
    memmove(fake.threads + at, fake.threads + at + 1, (--fake.n_threads - at) * sizeof fake.threads[0]);
}

static bool refresh(struct bed *bed)
{
    bed->n_born = bed->n_died = 0;
    bool is_whole = vg_threads_refresh(&bed->threads, NULL, &bed->events);
    /* Whatever happened: every slot that is in use is found under its own keys, and once. */
    uint32_t used = 0;
    for (uint32_t i = 0; i < bed->threads.n; i++) {
        const struct vg_thread *thread = &bed->threads.slots[i];
        if (!thread->is_used)
            continue;
        used++;
        assert_int_equal(*vg_map_find(&bed->threads.by_tstate, thread->ref.tstate), i);
        assert_int_equal(*vg_map_find(&bed->threads.by_id, (uint64_t)thread->ref.thread_id), i);
    }
    assert_int_equal(bed->threads.by_tstate.count, used);
    assert_int_equal(bed->threads.by_id.count, used);
    assert_int_equal(bed->threads.n, used + bed->threads.free);
    for (uint32_t i = 0; i < bed->threads.n_active; i++)
        assert_true(bed->threads.slots[bed->threads.active[i]].is_used);
    return is_whole;
}

static void births_and_deaths(void **state)
{
    struct bed *bed = *state;
    list_first(0x1000, 1, 101);
    list_first(0x2000, 2, 102);
    assert_true(refresh(bed));
    assert_int_equal(bed->n_born, 2);
    assert_int_equal(bed->born[0], 1); /* the oldest first */
    assert_true(refresh(bed));
    assert_int_equal(bed->n_born + bed->n_died, 0);
    list_first(0x3000, 3, 103);
    unlist(1);
    assert_true(refresh(bed));
    assert_int_equal(bed->n_born, 1);
    assert_int_equal(bed->born[0], 3);
    assert_int_equal(bed->n_died, 1);
    assert_int_equal(bed->died[0], 2);
    assert_int_equal(bed->threads.n, 2); /* its slot is used again */
}

static void the_same_memory_another_thread(void **state)
{
    struct bed *bed = *state;
    list_first(0x1000, 1, 101);
    list_first(0x2000, 2, 102);
    refresh(bed);
    fake.threads[0].id = 3;
    fake.threads[0].thread_id = 103;
    assert_true(refresh(bed));
    assert_true(bed->n_died == 1 && bed->died[0] == 2);
    assert_true(bed->n_born == 1 && bed->born[0] == 3);
}

/* PyGILState_Ensure on a thread of C: a new thread state each time, the same kernel thread. */
static void the_same_thread_another_state(void **state)
{
    struct bed *bed = *state;
    list_first(0x1000, 1, 101);
    list_first(0x2000, 2, 102);
    refresh(bed);
    unlist(0);
    list_first(0x3000, 3, 102);
    assert_true(refresh(bed));
    assert_true(bed->n_died == 1 && bed->died[0] == 2);
    assert_true(bed->n_born == 1 && bed->born[0] == 3);
}

static void a_thread_that_has_not_started_waits(void **state)
{
    struct bed *bed = *state;
    list_first(0x1000, 1, 101);
    list_first(0x2000, 2, 101); /* shows the id of its maker */
    list_first(0x3000, 3, 0);
    assert_false(refresh(bed));
    assert_true(bed->n_born == 1 && bed->born[0] == 1);
    assert_false(refresh(bed));
    assert_int_equal(bed->n_born, 0);
    fake.threads[0].thread_id = 103;
    fake.threads[1].thread_id = 102;
    assert_true(refresh(bed));
    assert_true(bed->n_born == 2 && bed->born[0] == 2 && bed->born[1] == 3);
    assert_int_equal(bed->n_died, 0);
}

static void an_incomplete_listing_buries_nobody(void **state)
{
    struct bed *bed = *state;
    for (uint64_t i = 1; i <= 5; i++)
        list_first(0x1000 * i, i, (int32_t)(100 + i));
    refresh(bed);
    fake.is_complete = false;
    fake.n_threads = 2;
    list_first(0x9000, 9, 109);
    assert_false(refresh(bed));
    assert_int_equal(bed->n_died, 0);
    assert_true(bed->n_born == 1 && bed->born[0] == 9);
    fake.n_threads = 0;
    assert_false(refresh(bed));
    assert_int_equal(bed->n_died, 0);
    fake.is_complete = true;
    assert_true(refresh(bed));
    assert_int_equal(bed->n_died, 6);
    assert_int_equal(bed->threads.by_tstate.count, 0);
}

static void duplicates_are_one(void **state)
{
    struct bed *bed = *state;
    list_first(0x1000, 1, 101);
    list_first(0x2000, 2, 102);
    list_first(0x1000, 1, 101);
    list_first(0x2000, 2, 102);
    refresh(bed);
    assert_int_equal(bed->n_born, 2);
    refresh(bed);
    assert_int_equal(bed->n_born + bed->n_died, 0);
    /* The same memory twice, as two different threads: the list changed while it was read. */
    fake.threads[0].id = 7;
    fake.threads[0].thread_id = 107;
    fake.is_complete = false;
    refresh(bed);
    assert_int_equal(bed->threads.by_tstate.count, 2);
}

static void more_threads_than_fit_the_first_listing(void **state)
{
    struct bed *bed = *state;
    for (uint64_t i = 1; i <= 500; i++)
        list_first(0x1000 * i, i, (int32_t)(100 + i));
    assert_true(refresh(bed));
    assert_int_equal(bed->n_born, 500);
    assert_true(fake.listings >= 4);
}

static void the_active_list_forgets_the_dead(void **state)
{
    struct bed *bed = *state;
    for (uint64_t i = 1; i <= 4; i++)
        list_first(0x1000 * i, i, (int32_t)(100 + i));
    refresh(bed);
    for (uint32_t i = 0; i < 4; i++) {
        vg_threads_activate(&bed->threads, &bed->threads.slots[i]);
        vg_threads_activate(&bed->threads, &bed->threads.slots[i]);
    }
    assert_int_equal(bed->threads.n_active, 4);
    unlist(1);
    unlist(1);
    refresh(bed);
    assert_int_equal(bed->threads.n_active, 2);
    bed->threads.slots[bed->threads.active[0]].is_active = false;
    vg_threads_prune_active(&bed->threads);
    assert_int_equal(bed->threads.n_active, 1);
}

static void captures_are_kept_and_compared(void **state)
{
    static struct vg_raw_stack raw, other;
    struct bed *bed = *state;
    list_first(0x1000, 1, 101);
    refresh(bed);
    struct vg_thread *thread = &bed->threads.slots[0];
    raw.n = 2;
    raw.frames[0] = fake_frame(0x100, 4, 0x9000, 1);
    raw.frames[1] = fake_frame(0x200, 4, 0x8000, 1);
    vg_thread_keep_frames(thread, &raw);
    assert_true(vg_thread_has_frames(thread, &raw));
    other = raw;
    other.frames[1].instr++;
    assert_false(vg_thread_has_frames(thread, &other));
    other = raw;
    other.n = 1;
    assert_false(vg_thread_has_frames(thread, &other));
    other = raw;
    other.end = VG_RAW_TRUNCATED;
    assert_false(vg_thread_has_frames(thread, &other));
    other = raw;
    other.cut = true; /* the same base, with something on it that could not be read */
    assert_false(vg_thread_has_frames(thread, &other));
    raw.n = VG_MAX_FRAMES;
    vg_thread_keep_frames(thread, &raw);
    assert_true(vg_thread_has_frames(thread, &raw));
    raw.n = 0; /* nothing is never taken for the same nothing: why it is nothing may differ */
    vg_thread_keep_frames(thread, &raw);
    assert_false(vg_thread_has_frames(thread, &raw));
}

static uint32_t random_below(uint64_t *seed, uint32_t limit)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)((*seed >> 33) % limit);
}

/* Threads come and go in reused memory with reused kernel ids, listings are now and then incomplete or torn:
 * a complete one afterwards is taken over exactly. */
static void random_lives(void **state)
{
    struct bed *bed = *state;
    uint64_t seed = 7, next_id = 1;
    for (unsigned round = 0; round < 2000; round++) {
        for (uint32_t changes = random_below(&seed, 4); changes > 0; changes--) {
            uintptr_t tstate = 0x1000 * (1 + random_below(&seed, 30));
            int32_t thread_id = (int32_t)(100 + random_below(&seed, 40));
            bool is_taken = false;
            for (size_t i = 0; i < fake.n_threads; i++)
                is_taken |= fake.threads[i].tstate == tstate || fake.threads[i].thread_id == thread_id;
            if (fake.n_threads && random_below(&seed, 2))
                unlist(random_below(&seed, (uint32_t)fake.n_threads));
            else if (!is_taken)
                list_first(tstate, next_id++, thread_id);
        }
        struct fake_reader whole = fake;
        if (random_below(&seed, 3) == 0) {
            fake.is_complete = false;
            fake.n_threads = random_below(&seed, (uint32_t)fake.n_threads + 1);
            refresh(bed);
        }
        fake = whole;
        refresh(bed);
        /* A thread that took over the kernel id of one that was not yet buried comes with the second look. */
        assert_true(refresh(bed));
        assert_int_equal(bed->threads.by_tstate.count, fake.n_threads);
        for (size_t i = 0; i < fake.n_threads; i++) {
            uint64_t *at = vg_map_find(&bed->threads.by_tstate, fake.threads[i].tstate);
            assert_non_null(at);
            assert_memory_equal(&bed->threads.slots[*at].ref, &fake.threads[i], sizeof fake.threads[i]);
        }
    }
    assert_true(bed->threads.n <= 60); /* slots are used again */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(births_and_deaths),
        TEST(the_same_memory_another_thread),
        TEST(the_same_thread_another_state),
        TEST(a_thread_that_has_not_started_waits),
        TEST(an_incomplete_listing_buries_nobody),
        TEST(duplicates_are_one),
        TEST(more_threads_than_fit_the_first_listing),
        TEST(the_active_list_forgets_the_dead),
        TEST(captures_are_kept_and_compared),
        TEST(random_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
