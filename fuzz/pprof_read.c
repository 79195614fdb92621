/* Fuzzes pprof/read: any bytes are refused with a place within them, or give a profile whose every index and
 * string is good; writing such a profile again and reading that gives as many of everything. */
#include "pprof/read.h"
#include "pprof/write.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned char sink; /* so that reading every byte of a string is not optimised away */

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void touch(struct vg_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        sink = (unsigned char)(sink ^ (unsigned char)text.data[i]);
}

static void check_sample(const struct vg_pprof *p, const struct vg_pprof_read_sample *s)
{
    for (size_t i = 0; i < s->n_locations; i++)
        must(p->sample_locations[s->first_location + i] < p->n_locations);
    for (size_t i = 0; i < p->n_types; i++)
        sink = (unsigned char)(sink ^ (unsigned char)p->values[s->first_value + i]);
    for (size_t i = 0; i < s->n_labels; i++) {
        touch(p->labels[s->first_label + i].key);
        touch(p->labels[s->first_label + i].text);
        touch(p->labels[s->first_label + i].unit);
    }
}

static void check_all(const struct vg_pprof *p)
{
    for (size_t i = 0; i < p->n_types; i++) {
        touch(p->types[i].name);
        touch(p->types[i].unit);
    }
    for (size_t i = 0; i < p->n_functions; i++) {
        touch(p->functions[i].name);
        touch(p->functions[i].file);
    }
    for (size_t i = 0; i < p->n_locations; i++) {
        for (uint32_t j = 0; j < p->locations[i].n_lines; j++)
            must(p->lines[p->locations[i].first_line_index + j].function < p->n_functions);
    }
    for (size_t i = 0; i < p->n_samples; i++)
        check_sample(p, &p->samples[i]);
}

/* Stacks and values only, with locations of one line each: the writer makes no others. */
static void write_again(const struct vg_pprof *p)
{
    struct vg_pprof_writer w;
    vg_pprof_writer_init(&w, 64 << 20, NULL);
    for (size_t i = 0; i < p->n_types; i++)
        vg_pprof_value_type(&w, "type", "unit");
    for (size_t i = 0; i < p->n_functions; i++)
        vg_pprof_function(&w, i + 1, vg_pprof_string(&w, p->functions[i].name),
                          vg_pprof_string(&w, p->functions[i].file), p->functions[i].first_line);
    for (size_t i = 0; i < p->n_locations; i++) {
        const struct vg_pprof_line *line = &p->lines[p->locations[i].first_line_index];
        bool has_line = p->locations[i].n_lines > 0;
        vg_pprof_location(&w, i + 1, has_line ? line->function + UINT64_C(1) : 0, has_line ? line->line : 0);
    }
    for (size_t i = 0; i < p->n_samples; i++) {
        const struct vg_pprof_read_sample *s = &p->samples[i];
        uint64_t *ids = calloc(s->n_locations + 1, sizeof *ids);
        for (size_t j = 0; ids && j < s->n_locations; j++)
            ids[j] = p->sample_locations[s->first_location + j] + UINT64_C(1);
        must(ids != NULL);
        vg_pprof_sample(&w, ids, s->n_locations, p->values + s->first_value, p->n_types, NULL, 0);
        free(ids);
    }
    must(vg_pprof_finish(&w) == VG_OK);

    struct vg_pprof again;
    const char *why;
    size_t at;
    must(vg_pprof_read(&again, vg_buf_as_slice(&w.out), &vg_pprof_default_limits, &why, &at) == VG_OK);
    must(again.n_types == p->n_types && again.n_functions == p->n_functions &&
         again.n_locations == p->n_locations && again.n_samples == p->n_samples);
    for (size_t i = 0; i < p->n_samples; i++)
        must(again.samples[i].n_locations == p->samples[i].n_locations);
    check_all(&again);
    vg_pprof_release(&again);
    vg_pprof_writer_release(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vg_pprof p;
    const char *why = NULL;
    size_t at = SIZE_MAX;
    enum vg_err err =
        vg_pprof_read(&p, (struct vg_slice){(const char *)data, size}, &vg_pprof_default_limits, &why, &at);
    if (err) {
        must((err == VG_ERR_MALFORMED || err == VG_ERR_LIMIT) && why && at <= size);
        return 0;
    }
    check_all(&p);
    write_again(&p);
    vg_pprof_release(&p);
    return 0;
}
