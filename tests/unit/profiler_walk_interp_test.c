/* profiler/cpython/walk_interp: chains of frames in chunks, on the heap and on the C stack, and every kind of
 * torn one. Real memory under a made-up layout. */
#include "profiler/cpython/ranges.h"
#include "profiler/cpython/walk.h"

#include "test_cmocka.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct frame {
    uintptr_t code, back, instr;
    uint8_t owner;
};
enum { OWNER_THREAD = 0, OWNER_C_STACK = 3 };

struct chunk {
    struct chunk *previous;
    size_t bytes;
    struct frame frames[100];
};

struct tstate {
    uintptr_t interp;
    uint64_t id, ident;
    uintptr_t frame, chunk;
};

struct cframe {
    uintptr_t something, current;
};

#ifdef WITH_CFRAME
#define CFRAME_FRAME offsetof(struct cframe, current)
#else
#define CFRAME_FRAME VG_ABSENT
#endif

const struct vg_layout vg_layout = {
    .walk = VG_WALK_INTERP,
    .tstate_bytes = sizeof(struct tstate),
    .tstate_frame = offsetof(struct tstate, frame),
    .tstate_chunk = offsetof(struct tstate, chunk),
    .cframe_frame = CFRAME_FRAME,
    .frame_bytes = sizeof(struct frame),
    .frame_code = offsetof(struct frame, code),
    .frame_back = offsetof(struct frame, back),
    .frame_instr = offsetof(struct frame, instr),
    .frame_owner = offsetof(struct frame, owner),
    .owner_c_stack = OWNER_C_STACK,
};

/* ---- what walk_interp.c asks of its neighbours ---- */

#define MAX_RANGES 100
static struct {
    uintptr_t base[MAX_RANGES];
    size_t bytes[MAX_RANGES];
    size_t n;
    int reading;
} ranges;

void vg_ranges_begin_read(void)
{
    assert_int_equal(ranges.reading++, 0);
}

void vg_ranges_end_read(void)
{
    assert_int_equal(--ranges.reading, 0);
}

size_t vg_ranges_find(uintptr_t base)
{
    assert_int_equal(ranges.reading, 1);
    for (size_t i = 0; i < ranges.n; i++)
        if (ranges.base[i] == base)
            return ranges.bytes[i];
    return 0;
}

bool vg_tstate_is(const struct vg_reader *reader, const char *tstate, const struct vg_thread_ref *thread)
{
    struct tstate copy;
    memcpy(&copy, tstate, sizeof copy);
    return copy.interp == reader->interp && copy.id == thread->id && copy.ident == thread->ident;
}

/* ---- the bed ---- */

static struct vg_reader reader;
static struct vg_raw_stack stack;
static struct tstate tstate;
static struct cframe cframes[10];
static uintptr_t *current; /* where the current frame is kept */
static struct vg_thread_ref thread;

static int set_up(void **state)
{
    (void)state;
    memset(&ranges, 0, sizeof ranges);
    memset(&stack, 0x5a, sizeof stack); /* of an earlier capture */
    memset(&reader, 0, sizeof reader);
    reader.interp = 0x1234;
    tstate = (struct tstate){.interp = 0x1234, .id = 7, .ident = 77};
    thread = (struct vg_thread_ref){(uintptr_t)&tstate, 7, 77, 777};
    memset(cframes, 0, sizeof cframes);
    if (CFRAME_FRAME != VG_ABSENT)
        tstate.frame = (uintptr_t)&cframes[0];
    current = CFRAME_FRAME != VG_ABSENT ? &cframes[0].current : &tstate.frame;
    return 0;
}

static struct chunk *new_chunk(struct chunk *previous)
{
    struct chunk *chunk = calloc(1, sizeof *chunk);
    chunk->previous = previous;
    chunk->bytes = sizeof *chunk;
    if (ranges.n < MAX_RANGES) {
        ranges.base[ranges.n] = (uintptr_t)chunk;
        ranges.bytes[ranges.n++] = sizeof *chunk;
    }
    tstate.chunk = (uintptr_t)chunk;
    return chunk;
}

/* The new leaf. */
static struct frame *push(struct frame *frame, uintptr_t code)
{
    *frame = (struct frame){code, *current, code + 64, OWNER_THREAD};
    *current = (uintptr_t)frame;
    return frame;
}

static enum vg_err walk(uint32_t max_frames)
{
    return vg_walk_interp(&reader, &thread, max_frames, &stack);
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

/* ---- tests ---- */

static void a_chain_in_one_chunk(void **state)
{
    struct chunk *chunk = new_chunk(NULL);
    (void)state;
    for (int i = 0; i < 5; i++)
        push(&chunk->frames[i], (uintptr_t)(i + 1) * 16);
    assert_int_equal(walk(100), VG_OK);
    assert_codes(5, 80, 64, 48, 32, 16);
    assert_int_equal(stack.end, VG_RAW_COMPLETE);
    assert_false(stack.cut);
    assert_int_equal(stack.frames[0].address, (uintptr_t)&chunk->frames[4]);
    assert_int_equal(stack.frames[0].instr, 80 + 64);
    assert_int_equal(stack.frames[0].chunk, 1);
    assert_int_equal(ranges.reading, 0);
    free(chunk);
}

static void chunks_are_numbered_from_the_newest(void **state)
{
    struct chunk *older = new_chunk(NULL), *newer = new_chunk(older);
    (void)state;
    push(&older->frames[0], 16);
    push(&newer->frames[0], 32);
    assert_int_equal(walk(100), VG_OK);
    assert_codes(2, 32, 16);
    assert_int_equal(stack.frames[0].chunk, 1);
    assert_int_equal(stack.frames[1].chunk, 2);
    free(older);
    free(newer);
}

static void generators_are_copied_from_the_heap(void **state)
{
    struct chunk *chunk = new_chunk(NULL);
    struct frame *generator = calloc(1, sizeof *generator);
    (void)state;
    push(&chunk->frames[0], 16);
    push(generator, 32);
    push(&chunk->frames[1], 48);
    assert_int_equal(walk(100), VG_OK);
    assert_codes(3, 48, 32, 16);
    assert_int_equal(stack.frames[1].chunk, 0);
    assert_int_equal(stack.frames[1].address, (uintptr_t)generator);
    assert_int_equal(stack.end, VG_RAW_COMPLETE);
    free(generator);
    free(chunk);
}

static void entry_frames_are_passed_through(void **state)
{
    struct chunk *chunk = new_chunk(NULL);
    struct frame entries[3];
    (void)state;
    push(&entries[0], 1000)->owner = OWNER_C_STACK;
    push(&chunk->frames[0], 16);
    push(&entries[1], 1000)->owner = OWNER_C_STACK;
    push(&entries[2], 1000)->owner = OWNER_C_STACK;
    push(&chunk->frames[1], 32);
    assert_int_equal(walk(100), VG_OK);
    assert_codes(2, 32, 16);
    /* They are no frames that could be missing. */
    assert_int_equal(walk(2), VG_OK);
    assert_codes(2, 32, 16);
    assert_int_equal(stack.end, VG_RAW_COMPLETE);
    free(chunk);
}

static void no_deeper_than_asked_for(void **state)
{
    struct chunk *chunk = new_chunk(NULL);
    (void)state;
    for (int i = 0; i < 10; i++)
        push(&chunk->frames[i], (uintptr_t)(i + 1) * 16);
    assert_int_equal(walk(10), VG_OK);
    assert_int_equal(stack.end, VG_RAW_COMPLETE);
    assert_int_equal(walk(3), VG_OK);
    assert_codes(3, 160, 144, 128);
    assert_int_equal(stack.end, VG_RAW_TRUNCATED);
    free(chunk);
}

static void a_thread_without_frames(void **state)
{
    (void)state;
    assert_int_equal(walk(10), VG_OK);
    assert_int_equal(stack.n, 0);
    assert_int_equal(stack.end, VG_RAW_COMPLETE);
}

static void another_thread_in_the_same_memory_is_not_found(void **state)
{
    (void)state;
    tstate.id = 8;
    assert_int_equal(walk(10), VG_ERR_NOT_FOUND);
    tstate.id = 7;
    tstate.interp = 0;
    assert_int_equal(walk(10), VG_ERR_NOT_FOUND);
    assert_int_equal(ranges.reading, 0);
}

static void a_thread_state_that_is_not_mapped_is_not_found(void **state)
{
    void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)state;
    thread.tstate = (uintptr_t)page;
    assert_int_equal(walk(10), VG_ERR_NOT_FOUND);
    thread.tstate = 0;
    assert_int_equal(walk(10), VG_ERR_NOT_FOUND);
    assert_int_equal(ranges.reading, 0);
    munmap(page, 4096);
}

/* Whatever a torn `back` holds: what was read stays, the end is known to be missing, nothing faults. */
static void torn_pointers_break_the_chain(void **state)
{
    struct chunk *chunk = new_chunk(NULL);
    char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const uintptr_t torn[] = {
        1,
        8,
        4095,
        (uintptr_t)page,
        (uintptr_t)page + 4096 - 8,
        UINTPTR_MAX,
        UINTPTR_MAX - 7,
        UINTPTR_MAX - 15,
        UINTPTR_MAX - sizeof(struct frame) + 1,
        (uintptr_t)1 << 63,
        UINT64_C(0xffff800000000000),
        UINT64_C(0x0000800000000000),
    };
    (void)state;
    push(&chunk->frames[0], 16);
    push(&chunk->frames[1], 32);
    for (size_t i = 0; i < sizeof torn / sizeof torn[0]; i++) {
        chunk->frames[0].back = torn[i];
        assert_int_equal(walk(100), VG_OK);
        assert_codes(2, 32, 16);
        assert_int_equal(stack.end, VG_RAW_BROKEN);
        *current = torn[i];
        assert_int_equal(walk(100), VG_OK);
        assert_int_equal(stack.n, 0);
        assert_int_equal(stack.end, VG_RAW_BROKEN);
        *current = (uintptr_t)&chunk->frames[1];
    }
    munmap(page, 4096);
    free(chunk);
}

static void a_frame_that_would_reach_over_its_chunks_end_is_copied(void **state)
{
    /* The last bytes of a chunk, with nothing mapped behind. */
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)state;
    munmap(pages + 4096, 4096);
    ranges.base[0] = (uintptr_t)pages;
    ranges.bytes[0] = 4096;
    ranges.n = 1;
    tstate.chunk = (uintptr_t)pages;
    for (size_t short_by = 8; short_by < sizeof(struct frame); short_by += 8) {
        *current = (uintptr_t)pages + 4096 - sizeof(struct frame) + short_by;
        assert_int_equal(walk(100), VG_OK);
        assert_int_equal(stack.n, 0);
        assert_int_equal(stack.end, VG_RAW_BROKEN);
    }
    *current = (uintptr_t)pages + 4096 - sizeof(struct frame);
    assert_int_equal(walk(100), VG_OK);
    assert_int_equal(stack.n, 1);
    assert_int_equal(stack.end, VG_RAW_COMPLETE);
    munmap(pages, 4096);
}

static void a_frame_at_an_odd_address_is_copied(void **state)
{
    struct chunk *chunk = new_chunk(NULL);
    (void)state;
    push(&chunk->frames[0], 16);
    struct frame copy = chunk->frames[0];
    memcpy((char *)&chunk->frames[4] + 3, &copy, sizeof copy);
    *current = (uintptr_t)&chunk->frames[4] + 3;
    assert_int_equal(walk(100), VG_OK);
    assert_codes(1, 16);
    assert_int_equal(stack.frames[0].chunk, 0);
    free(chunk);
}

static void circles_end(void **state)
{
    struct chunk *chunk = new_chunk(NULL);
    (void)state;
    push(&chunk->frames[0], 16);
    push(&chunk->frames[1], 32);
    chunk->frames[0].back = (uintptr_t)&chunk->frames[1];
    assert_int_equal(walk(VG_MAX_FRAMES), VG_OK);
    assert_int_equal(stack.n, VG_MAX_FRAMES);
    assert_int_equal(stack.end, VG_RAW_TRUNCATED);
    /* Of entry frames alone: nothing is ever appended. */
    chunk->frames[0].owner = chunk->frames[1].owner = OWNER_C_STACK;
    assert_int_equal(walk(VG_MAX_FRAMES), VG_OK);
    assert_int_equal(stack.n, 0);
    assert_int_equal(stack.end, VG_RAW_BROKEN);
    /* Of chunks. */
    chunk->frames[0] = (struct frame){16, 0, 80, OWNER_THREAD};
    chunk->frames[1].owner = OWNER_THREAD;
    chunk->previous = chunk;
    assert_int_equal(walk(VG_MAX_FRAMES), VG_OK);
    assert_codes(2, 32, 16);
    free(chunk);
}

static void frames_of_chunks_that_are_not_known_are_copied(void **state)
{
    struct chunk *chunk = new_chunk(NULL);
    (void)state;
    push(&chunk->frames[0], 16);
    ranges.n = 0;
    assert_int_equal(walk(100), VG_OK);
    assert_codes(1, 16);
    assert_int_equal(stack.frames[0].chunk, 0);
    assert_int_equal(stack.end, VG_RAW_COMPLETE);
    free(chunk);
}

static void more_chunks_than_are_followed(void **state)
{
    struct chunk *chunks[70], *previous = NULL;
    (void)state;
    for (int i = 0; i < 70; i++) {
        previous = chunks[i] = new_chunk(previous);
        push(&chunks[i]->frames[0], (uintptr_t)(i + 1) * 16);
    }
    assert_int_equal(walk(100), VG_OK);
    assert_int_equal(stack.n, 70);
    assert_int_equal(stack.end, VG_RAW_COMPLETE);
    assert_int_equal(stack.frames[63].chunk, 64);
    assert_int_equal(stack.frames[64].chunk, 0);
    for (int i = 0; i < 70; i++)
        free(chunks[i]);
}

#ifdef WITH_CFRAME

/* Places on the C stack: more than are predicted, some gone, used by turns. */
static void cframes_come_and_go(void **state)
{
    struct chunk *chunk = new_chunk(NULL);
    (void)state;
    push(&chunk->frames[0], 16);
    for (unsigned round = 0; round < 50; round++) {
        unsigned at = round * 7 % 10;
        for (unsigned i = 0; i < 10; i++)
            cframes[i].current = i == at ? (uintptr_t)&chunk->frames[0] : 8;
        tstate.frame = (uintptr_t)&cframes[at];
        assert_int_equal(walk(10), VG_OK);
        assert_codes(1, 16);
        assert_int_equal(stack.end, VG_RAW_COMPLETE);
    }
    tstate.frame = 0;
    assert_int_equal(walk(10), VG_OK);
    assert_int_equal(stack.n, 0);
    free(chunk);
}

static void a_cframe_that_is_not_mapped_breaks_the_chain(void **state)
{
    struct cframe *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct chunk *chunk = new_chunk(NULL);
    (void)state;
    push(&chunk->frames[0], 16);
    uintptr_t frame = *current;
    page->current = frame;
    tstate.frame = (uintptr_t)page;
    assert_int_equal(walk(10), VG_OK);
    assert_codes(1, 16);
    munmap(page, 4096);
    assert_int_equal(walk(10), VG_OK); /* predicted, and gone */
    assert_int_equal(stack.n, 0);
    assert_int_equal(stack.end, VG_RAW_BROKEN);
    tstate.frame = (uintptr_t)&cframes[0];
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(walk(10), VG_OK);
        assert_codes(1, 16);
    }
    free(chunk);
}

#endif

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(a_chain_in_one_chunk),
        TEST(chunks_are_numbered_from_the_newest),
        TEST(generators_are_copied_from_the_heap),
        TEST(entry_frames_are_passed_through),
        TEST(no_deeper_than_asked_for),
        TEST(a_thread_without_frames),
        TEST(another_thread_in_the_same_memory_is_not_found),
        TEST(a_thread_state_that_is_not_mapped_is_not_found),
        TEST(torn_pointers_break_the_chain),
        TEST(a_frame_that_would_reach_over_its_chunks_end_is_copied),
        TEST(a_frame_at_an_odd_address_is_copied),
        TEST(circles_end),
        TEST(frames_of_chunks_that_are_not_known_are_copied),
        TEST(more_chunks_than_are_followed),
#ifdef WITH_CFRAME
        TEST(cframes_come_and_go),
        TEST(a_cframe_that_is_not_mapped_breaks_the_chain),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
