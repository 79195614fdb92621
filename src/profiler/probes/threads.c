/* See threads.h. A refresh costs one copy of a thread state per thread (about 0.4 µs); all else is O(1) or
 * O(slots). */
#include "profiler/probes/threads.h"

#include <string.h>

#include "base/alloc.h"

void vg_threads_init(struct vg_threads *threads)
{
    memset(threads, 0, sizeof *threads);
    vg_map_init(&threads->by_tstate, VG_MAX_THREADS, NULL);
    vg_map_init(&threads->by_id, VG_MAX_THREADS, NULL);
}

void vg_threads_release(struct vg_threads *threads)
{
    for (uint32_t i = 0; i < threads->n; i++)
        vg_alloc_release(NULL, threads->slots[i].frames);
    vg_alloc_release(NULL, threads->slots);
    vg_alloc_release(NULL, threads->active);
    vg_alloc_release(NULL, threads->listing);
    vg_map_release(&threads->by_tstate);
    vg_map_release(&threads->by_id);
    memset(threads, 0, sizeof *threads);
}

static bool grow(struct vg_threads *threads)
{
    uint32_t cap = threads->cap ? threads->cap * 2 : 64;
    if (cap > VG_MAX_THREADS)
        return false;
    struct vg_thread *slots = vg_alloc_resize(NULL, threads->slots, cap * sizeof *slots);
    if (slots)
        threads->slots = slots;
    uint32_t *active = vg_alloc_resize(NULL, threads->active, cap * sizeof *active);
    if (active)
        threads->active = active;
    if (!slots || !active)
        return false;
    threads->cap = cap;
    return true;
}

/* An empty slot, NULL without room. May move all slots. */
static struct vg_thread *take_slot(struct vg_threads *threads)
{
    uint32_t i = threads->n;
    if (threads->free > 0)
        for (i = 0; threads->slots[i].is_used; i++)
            continue;
    if (i == threads->n && threads->n == threads->cap && !grow(threads))
        return NULL;
    struct vg_thread *thread = &threads->slots[i];
    if (i == threads->n) {
        memset(thread, 0, sizeof *thread);
        threads->n++;
    } else {
        threads->free--;
    }
    thread->is_used = true;
    return thread;
}

static bool is_same(const struct vg_thread_ref *a, const struct vg_thread_ref *b)
{
    return a->tstate == b->tstate && a->id == b->id && a->ident == b->ident && a->thread_id == b->thread_id;
}

void vg_threads_remove(struct vg_threads *threads, struct vg_thread *thread,
                       const struct vg_threads_events *events)
{
    events->died(events->ctx, thread);
    uint64_t number = (uint64_t)(thread - threads->slots), *at;
    at = vg_map_find(&threads->by_tstate, thread->ref.tstate);
    if (at && *at == number)
        vg_map_remove(&threads->by_tstate, thread->ref.tstate);
    at = vg_map_find(&threads->by_id, (uint64_t)thread->ref.thread_id);
    if (at && *at == number)
        vg_map_remove(&threads->by_id, (uint64_t)thread->ref.thread_id);
    if (thread->is_active) {
        thread->is_active = false;
        vg_threads_prune_active(threads);
    }
    vg_alloc_release(NULL, thread->frames);
    memset(thread, 0, sizeof *thread);
    threads->free++;
}

static void add(struct vg_threads *threads, const struct vg_thread_ref *ref,
                const struct vg_threads_events *events)
{
    uint64_t *by_tstate, *by_id;
    bool is_new;
    /* Not started yet: no id, or still that of the thread that made it, which is older and known. */
    if (ref->thread_id == 0 || vg_map_find(&threads->by_id, (uint64_t)ref->thread_id))
        return;
    struct vg_thread *thread = take_slot(threads);
    if (!thread)
        return;
    thread->ref = *ref;
    thread->seen_in_list = threads->listings;
    thread->window_thread = UINT32_MAX;
    if (vg_map_insert(&threads->by_tstate, ref->tstate, &by_tstate, &is_new) != VG_OK ||
        vg_map_insert(&threads->by_id, (uint64_t)ref->thread_id, &by_id, &is_new) != VG_OK) {
        vg_map_remove(&threads->by_tstate, ref->tstate);
        memset(thread, 0, sizeof *thread);
        threads->free++;
        return;
    }
    *by_tstate = *by_id = (uint64_t)(thread - threads->slots);
    events->born(events->ctx, thread);
}

static size_t list(struct vg_threads *threads, struct vg_reader *reader, bool *complete)
{
    for (;;) {
        if (threads->listing_cap) {
            size_t n = vg_reader_threads(reader, threads->listing, threads->listing_cap, complete);
            if (n < threads->listing_cap || threads->listing_cap >= VG_MAX_THREADS)
                return n;
        }
        size_t cap = threads->listing_cap ? threads->listing_cap * 2 : 64;
        struct vg_thread_ref *listing = vg_alloc_resize(NULL, threads->listing, cap * sizeof *listing);
        *complete = false;
        if (!listing)
            return 0;
        threads->listing = listing;
        threads->listing_cap = cap;
    }
}

bool vg_threads_refresh(struct vg_threads *threads, struct vg_reader *reader,
                        const struct vg_threads_events *events)
{
    bool complete, all_started = true;
    size_t n = list(threads, reader, &complete);
    uint32_t listing = ++threads->listings;
    for (size_t i = 0; i < n; i++) {
        uint64_t *at = vg_map_find(&threads->by_tstate, threads->listing[i].tstate);
        struct vg_thread *known = at ? &threads->slots[*at] : NULL;
        if (known && is_same(&known->ref, &threads->listing[i]))
            known->seen_in_list = listing;
        else if (known)
            vg_threads_remove(threads, known, events); /* the same memory, another thread */
    }
    if (complete)
        for (uint32_t i = 0; i < threads->n; i++)
            if (threads->slots[i].is_used && threads->slots[i].seen_in_list != listing)
                vg_threads_remove(threads, &threads->slots[i], events);
    /* Oldest first, so that a thread comes before those that it is making. */
    for (size_t i = n; i > 0; i--)
        if (!vg_map_find(&threads->by_tstate, threads->listing[i - 1].tstate)) {
            add(threads, &threads->listing[i - 1], events);
            all_started &= vg_map_find(&threads->by_tstate, threads->listing[i - 1].tstate) != NULL;
        }
    return complete && all_started;
}

void vg_threads_activate(struct vg_threads *threads, struct vg_thread *thread)
{
    if (thread->is_active)
        return;
    thread->is_active = true;
    threads->active[threads->n_active++] = (uint32_t)(thread - threads->slots);
}

void vg_threads_prune_active(struct vg_threads *threads)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < threads->n_active; i++)
        if (threads->slots[threads->active[i]].is_active)
            threads->active[kept++] = threads->active[i];
    threads->n_active = kept;
}

void vg_thread_keep_frames(struct vg_thread *thread, const struct vg_raw_stack *raw)
{
    thread->has_whole_frames = raw->end != VG_RAW_BROKEN && !raw->cut && raw->joint == 0;
    if (raw->end == VG_RAW_BROKEN)
        return; /* the last good capture still says where the root is */
    if (raw->n > thread->frames_cap) {
        struct vg_raw_frame *bigger = vg_alloc_resize(NULL, thread->frames, raw->n * sizeof *bigger);
        if (!bigger) {
            thread->n_frames = 0;
            return;
        }
        thread->frames = bigger;
        thread->frames_cap = raw->n;
    }
    if (raw->n)
        memcpy(thread->frames, raw->frames, raw->n * sizeof *raw->frames);
    thread->n_frames = raw->n;
    thread->end = raw->end;
}

bool vg_thread_has_frames(const struct vg_thread *thread, const struct vg_raw_stack *raw)
{
    return thread->n_frames == raw->n && thread->end == raw->end && thread->has_whole_frames && !raw->cut &&
           raw->joint == 0 && raw->n > 0 &&
           memcmp(thread->frames, raw->frames, raw->n * sizeof *raw->frames) == 0;
}
