/* See window.h. */
#include "profiler/profile/window.h"

#include <string.h>

enum vg_err vg_window_new(struct vg_symbols *symbols, bool has_timeline, const struct vg_alloc *alloc,
                          struct vg_window **out)
{
    struct vg_window *window = vg_alloc_zeroed(alloc, 1, sizeof *window);
    if (!window)
        return VG_ERR_NOMEM;
    window->alloc = alloc;
    window->has_timeline = has_timeline;
    window->symbols = vg_symbols_ref(symbols);
    vg_map_init(&window->merged, VG_WINDOW_MAX_SAMPLES, alloc);
    enum vg_err err = vg_stacks_init(&window->stacks, alloc);
    if (err != VG_OK) {
        vg_window_free(window);
        return err;
    }
    *out = window;
    return VG_OK;
}

void vg_window_free(struct vg_window *window)
{
    if (!window)
        return;
    vg_symbols_unref(window->symbols);
    vg_stacks_release(&window->stacks);
    vg_map_release(&window->merged);
    vg_alloc_release(window->alloc, window->samples);
    vg_alloc_release(window->alloc, window->threads);
    vg_alloc_release(window->alloc, window);
}

/* Room for one more item; false without. */
static bool make_room(struct vg_window *window, void **items, uint32_t n, uint32_t *cap, size_t item_bytes,
                      uint32_t limit)
{
    if (n < *cap)
        return true;
    if (n >= limit)
        return false;
    uint32_t wanted = *cap ? *cap * 2 : 64;
    void *bigger = vg_alloc_resize(window->alloc, *items, wanted * item_bytes);
    if (!bigger)
        return false;
    *items = bigger;
    *cap = wanted;
    return true;
}

uint32_t vg_window_add_thread(struct vg_window *window, uint64_t ident, int32_t thread_id,
                              struct vg_slice name)
{
    if (!make_room(window, (void **)&window->threads, window->n_threads, &window->threads_cap,
                   sizeof *window->threads, VG_WINDOW_MAX_THREADS))
        return UINT32_MAX;
    struct vg_window_thread *thread = &window->threads[window->n_threads];
    memset(thread, 0, sizeof *thread);
    thread->ident = ident;
    thread->thread_id = thread_id;
    name = vg_slice_cut(name, sizeof thread->name - 1);
    if (name.len)
        memcpy(thread->name, name.data, name.len);
    return window->n_threads++;
}

void vg_window_seal(struct vg_window *window, int64_t end_ns)
{
    window->end_ns = end_ns;
    window->n_codes = window->symbols->n_codes;
    window->n_locations = window->symbols->n_locations;
}

static bool append(struct vg_window *window, const struct vg_sample *sample)
{
    /* Twice the bound: the second half is for merged samples, each of a different (stack, thread). */
    if (!make_room(window, (void **)&window->samples, window->n_samples, &window->samples_cap, sizeof *sample,
                   2 * VG_WINDOW_MAX_SAMPLES))
        return false;
    window->samples[window->n_samples++] = *sample;
    return true;
}

static bool merge(struct vg_window *window, const struct vg_sample *sample)
{
    uint64_t key = (uint64_t)sample->stack << 32 | (uint64_t)sample->thread << 1 | sample->is_cut, *at;
    bool is_new;
    if (vg_map_insert(&window->merged, key, &at, &is_new) != VG_OK)
        return false;
    if (is_new) {
        struct vg_sample first = *sample;
        first.end_ns = 0;
        *at = window->n_samples;
        if (append(window, &first))
            return true;
        vg_map_remove(&window->merged, key);
        return false;
    }
    struct vg_sample *known = &window->samples[*at];
    known->wall_ns += sample->wall_ns;
    known->cpu_ns += sample->cpu_ns;
    known->count += sample->count;
    return true;
}

void vg_window_add(struct vg_window *window, const struct vg_sample *sample)
{
    if (sample->thread == UINT32_MAX) {
        window->counts.samples_dropped++;
        return;
    }
    if (window->has_timeline && window->n_samples < VG_WINDOW_MAX_SAMPLES && append(window, sample))
        return;
    if (window->has_timeline)
        window->counts.samples_untimed++;
    if (!merge(window, sample))
        window->counts.samples_dropped++;
}
