/* See ranges.h. A table of atomics with open addressing: a slot goes empty → claimed → base → gone. */
#include <Python.h>

#include <stdatomic.h>
#include <stdbool.h>

#include "base/map.h"
#include "profiler/cpython/ranges.h"

#if PY_VERSION_HEX >= 0x03040000

#define SLOTS     4096u
#define MAX_PROBE 64u
/* Larger ranges are pymalloc's own arenas (256 KiB, later 1 MiB), of no interest here and many. */
#define MAX_BYTES (256u << 10)

enum { EMPTY = 0, CLAIMED = 1, GONE = 2 }; /* no range starts in the first page */

static struct {
    _Atomic uintptr_t base[SLOTS];
    _Atomic size_t bytes[SLOTS];
    _Atomic int reading;
    /* Ranges given back during a read. The list lies in the ranges themselves, in their last bytes, so that
     * it needs no memory and has no bound. */
    _Atomic(struct held *) held;
    PyObjectArenaAllocator next;
    bool hooked;
} ranges;

struct held {
    struct held *next;
    void *base;
    size_t bytes;
};

static unsigned slot_of(uintptr_t base, unsigned probe)
{
    return (unsigned)(vg_hash_u64(base >> 12) + probe) % SLOTS;
}

void vg_ranges_add(uintptr_t base, size_t bytes)
{
    /* Known already: entered twice it would be forgotten once, and then read when it is no longer there. */
    if (bytes > MAX_BYTES || bytes < sizeof(struct held) || vg_ranges_find(base))
        return;
    for (unsigned probe = 0; probe < MAX_PROBE; probe++) {
        unsigned slot = slot_of(base, probe);
        uintptr_t seen = atomic_load(&ranges.base[slot]);
        if ((seen != EMPTY && seen != GONE) ||
            !atomic_compare_exchange_strong(&ranges.base[slot], &seen, CLAIMED))
            continue;
        atomic_store(&ranges.bytes[slot], bytes);
        atomic_store(&ranges.base[slot], base);
        return;
    }
    /* No room: the range stays unknown, and frames in it are copied instead of read in place. */
}

static bool forget(uintptr_t base)
{
    for (unsigned probe = 0; probe < MAX_PROBE; probe++) {
        unsigned slot = slot_of(base, probe);
        uintptr_t seen = atomic_load(&ranges.base[slot]);
        if (seen == base) {
            atomic_store(&ranges.base[slot], GONE);
            return true;
        }
        if (seen == EMPTY)
            return false;
    }
    return false;
}

size_t vg_ranges_find(uintptr_t base)
{
    for (unsigned probe = 0; probe < MAX_PROBE && base > GONE; probe++) {
        unsigned slot = slot_of(base, probe);
        uintptr_t seen = atomic_load_explicit(&ranges.base[slot], memory_order_acquire);
        if (seen == base)
            return atomic_load_explicit(&ranges.bytes[slot], memory_order_relaxed);
        if (seen == EMPTY)
            return 0;
    }
    return 0;
}

/* Pairs with forget() then the load of `reading` in give_back(): either the reader sees the range gone, or
 * the hook sees the reader. Both sides are sequentially consistent. */
void vg_ranges_begin_read(void)
{
    atomic_store(&ranges.reading, 1);
}

void vg_ranges_end_read(void)
{
    atomic_store(&ranges.reading, 0);
}

static void hold(void *base, size_t bytes)
{
    struct held *item = (struct held *)((char *)base + bytes - sizeof *item);
    item->base = base;
    item->bytes = bytes;
    item->next = atomic_load(&ranges.held);
    while (!atomic_compare_exchange_weak(&ranges.held, &item->next, item))
        continue;
}

static void release_held(void)
{
    if (atomic_load_explicit(&ranges.held, memory_order_relaxed) == NULL || atomic_load(&ranges.reading))
        return;
    /* A read that begins now cannot reach what is on the list: it was forgotten before. */
    struct held *item = atomic_exchange(&ranges.held, NULL);
    while (item) {
        struct held copy = *item;
        ranges.next.free(ranges.next.ctx, copy.base, copy.bytes);
        item = copy.next;
    }
}

static void *hook_alloc(void *ctx, size_t bytes)
{
    void *base = ranges.next.alloc(ranges.next.ctx, bytes);
    (void)ctx;
    if (base)
        vg_ranges_add((uintptr_t)base, bytes);
    release_held();
    return base;
}

static void hook_free(void *ctx, void *base, size_t bytes)
{
    (void)ctx;
    release_held();
    if (forget((uintptr_t)base) && atomic_load(&ranges.reading))
        hold(base, bytes);
    else
        ranges.next.free(ranges.next.ctx, base, bytes);
}

void vg_ranges_hook(void)
{
    if (ranges.hooked)
        return;
    PyObjectArenaAllocator ours = {NULL, hook_alloc, hook_free};
    PyObject_GetArenaAllocator(&ranges.next);
    PyObject_SetArenaAllocator(&ours);
    ranges.hooked = true;
}

#else /* before 3.4 arenas cannot be hooked, and nothing is read in place */

void vg_ranges_hook(void)
{
}

void vg_ranges_add(uintptr_t base, size_t bytes)
{
    (void)base, (void)bytes;
}

size_t vg_ranges_find(uintptr_t base)
{
    (void)base;
    return 0;
}

void vg_ranges_begin_read(void)
{
}

void vg_ranges_end_read(void)
{
}

#endif
