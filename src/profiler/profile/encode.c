/* See encode.h. Only functions and locations that a sample uses are written. About 0.3 µs a sample of 30
 * frames. */
#include "profiler/profile/encode.h"

#include <inttypes.h>
#include <string.h>

#include "pprof/write.h"

#define MAX_PPROF_BYTES (64u << 20)
#define MAX_LABELS      5u

struct encoder {
    const struct vg_window *window;
    struct vg_pprof_writer writer;
    unsigned char *used_codes, *used_locations; /* one byte each */
    uint64_t *ids;                              /* of one stack */
    uint32_t ids_cap;
    uint32_t key_thread_id, key_native_id, key_thread_name, key_end, key_stack, text_cut; /* string ids */
};

static void write_location(struct encoder *e, uint32_t id)
{
    struct vg_location location = vg_symbols_location(e->window->symbols, id);
    e->used_locations[id] = 1;
    if (!e->used_codes[location.code]) {
        const struct vg_code *code = vg_symbols_code(e->window->symbols, location.code);
        e->used_codes[location.code] = 1;
        vg_pprof_function(&e->writer, (uint64_t)location.code + 1, vg_pprof_string(&e->writer, code->name),
                          vg_pprof_string(&e->writer, code->file), code->first_line);
    }
    vg_pprof_location(&e->writer, (uint64_t)id + 1, (uint64_t)location.code + 1, location.line);
}

/* The ids of a stack's locations as the wire has them; those not yet written are. */
static enum vg_err prepare_stack(struct encoder *e, uint32_t stack, uint32_t *n)
{
    const uint32_t *locations = vg_stacks_get(&e->window->stacks, stack, n);
    if (*n > e->ids_cap) {
        uint64_t *bigger = vg_alloc_resize(e->window->alloc, e->ids, *n * sizeof *bigger);
        if (!bigger)
            return VG_ERR_NOMEM;
        e->ids = bigger;
        e->ids_cap = *n;
    }
    for (uint32_t i = 0; i < *n; i++) {
        if (!e->used_locations[locations[i]])
            write_location(e, locations[i]);
        e->ids[i] = (uint64_t)locations[i] + 1;
    }
    return VG_OK;
}

static size_t make_labels(struct encoder *e, const struct vg_sample *sample, struct vg_pprof_label *labels)
{
    const struct vg_window_thread *thread = &e->window->threads[sample->thread];
    size_t n = 0;
    if (thread->ident) {
        labels[n++] = (struct vg_pprof_label){.key = e->key_thread_id, .number = (int64_t)thread->ident};
        labels[n++] = (struct vg_pprof_label){.key = e->key_native_id, .number = thread->thread_id};
    }
    if (thread->name[0])
        labels[n++] = (struct vg_pprof_label){.key = e->key_thread_name,
                                              .text = vg_pprof_string(&e->writer, vg_slice_of(thread->name))};
    if (sample->is_cut)
        labels[n++] = (struct vg_pprof_label){.key = e->key_stack, .text = e->text_cut};
    if (sample->end_ns)
        labels[n++] = (struct vg_pprof_label){.key = e->key_end, .number = sample->end_ns};
    return n;
}

static enum vg_err write_samples(struct encoder *e)
{
    struct vg_pprof_label labels[MAX_LABELS];
    for (uint32_t i = 0; i < e->window->n_samples; i++) {
        const struct vg_sample *sample = &e->window->samples[i];
        uint32_t n;
        if (sample->wall_ns == 0 && sample->cpu_ns == 0)
            continue;
        enum vg_err err = prepare_stack(e, sample->stack, &n);
        if (err != VG_OK)
            return err;
        int64_t values[] = {sample->count, sample->cpu_ns, sample->wall_ns};
        vg_pprof_sample(&e->writer, e->ids, n, values, 3, labels, make_labels(e, sample, labels));
    }
    return VG_OK;
}

static enum vg_err write_all(struct encoder *e)
{
    struct vg_pprof_writer *w = &e->writer;
    vg_pprof_value_type(w, "cpu-samples", "count");
    vg_pprof_value_type(w, "cpu-time", "nanoseconds");
    vg_pprof_value_type(w, "wall-time", "nanoseconds");
    e->key_thread_id = vg_pprof_string(w, VG_SLICE_LIT("thread id"));
    e->key_native_id = vg_pprof_string(w, VG_SLICE_LIT("thread native id"));
    e->key_thread_name = vg_pprof_string(w, VG_SLICE_LIT("thread name"));
    e->key_end = vg_pprof_string(w, VG_SLICE_LIT("end_timestamp_ns"));
    e->key_stack = vg_pprof_string(w, VG_SLICE_LIT("stack"));
    e->text_cut = vg_pprof_string(w, VG_SLICE_LIT("cut"));
    vg_pprof_period(w, "wall-time", "nanoseconds", e->window->period_ns);
    vg_pprof_time(w, e->window->start_ns, e->window->end_ns - e->window->start_ns);
    enum vg_err err = write_samples(e);
    return err == VG_OK ? vg_pprof_finish(w) : err;
}

static enum vg_err write_counts(const struct vg_window_counts *c, struct vg_buf *json)
{
    return vg_buf_printf(
        json,
        "\"samples\":%" PRIu64 ",\"samples_reused\":%" PRIu64 ",\"samples_joined\":%" PRIu64
        ",\"samples_cut\":%" PRIu64 ",\"samples_truncated\":%" PRIu64 ",\"samples_unreadable\":%" PRIu64
        ",\"samples_lost\":%" PRIu64 ",\"samples_untimed\":%" PRIu64 ",\"samples_dropped\":%" PRIu64
        ",\"ticks\":%" PRIu64 ",\"sweeps\":%" PRIu64 ",\"over_budget\":%" PRIu64
        ",\"profiler_cpu_ns\":%" PRId64 ",\"process_cpu_ns\":%" PRId64,
        c->stacks_captured, c->stacks_reused, c->stacks_joined, c->stacks_cut, c->stacks_truncated,
        c->stacks_unreadable, c->threads_lost, c->samples_untimed, c->samples_dropped, c->ticks, c->sweeps,
        c->over_budget, c->sampler_cpu_ns, c->process_cpu_ns);
}

enum vg_err vg_encode(const struct vg_window *window, struct vg_buf *pprof, struct vg_buf *internal_json)
{
    struct encoder e = {.window = window};
    enum vg_err err = VG_ERR_NOMEM;
    vg_pprof_writer_init(&e.writer, MAX_PPROF_BYTES, window->alloc);
    e.used_codes = vg_alloc_zeroed(window->alloc, window->n_codes, 1);
    e.used_locations = vg_alloc_zeroed(window->alloc, window->n_locations, 1);
    if (e.used_codes && e.used_locations)
        err = write_all(&e);
    if (err == VG_OK)
        err = vg_buf_slice(pprof, vg_buf_as_slice(&e.writer.out));
    if (err == VG_OK)
        err = write_counts(&window->counts, internal_json);
    vg_alloc_release(window->alloc, e.used_codes);
    vg_alloc_release(window->alloc, e.used_locations);
    vg_alloc_release(window->alloc, e.ids);
    vg_pprof_writer_release(&e.writer);
    return err;
}
