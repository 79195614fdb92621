/* Fuzzes model/builder: whatever pprof the reader takes becomes a profile whose ids and runs are all good and
 * whose rows add up to its totals, or is refused. */
#include <stdlib.h>

#include "vigil/model/builder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned char sink; /* so that reading every byte of a string is not optimised away */

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_tables(const struct vg_profile *p)
{
    must(p->n_strings > 0 && p->strings[0].len == 0);
    for (size_t i = 0; i < p->n_strings; i++) {
        must(p->strings[i].len <= VG_PROFILE_NAME_BYTES);
        for (size_t at = 0; at < p->strings[i].len; at++) {
            must((unsigned char)p->strings[i].data[at] >= 0x20);
            sink = (unsigned char)(sink ^ (unsigned char)p->strings[i].data[at]);
        }
    }
    for (size_t i = 0; i < p->n_frames; i++)
        must(p->frames[i].name < p->n_strings && p->frames[i].file < p->n_strings);
    must(p->stack_start[0] == 0 && p->labels_start[0] == 0 && p->n_label_sets > 0 && p->labels_start[1] == 0);
    for (size_t i = 0; i < p->n_stacks; i++)
        must(p->stack_start[i] < p->stack_start[i + 1]);
    for (size_t i = 0; i < p->stack_start[p->n_stacks]; i++)
        must(p->stack_frames[i] < p->n_frames);
    for (size_t i = 0; i < p->n_label_sets; i++)
        must(p->labels_start[i] <= p->labels_start[i + 1]);
    for (size_t i = 0; i < p->labels_start[p->n_label_sets]; i++)
        must(p->labels[i].key < p->n_strings && p->labels[i].text < p->n_strings && p->labels[i].key != 0);
}

static void check_values(const struct vg_profile *p)
{
    for (size_t t = 0; t < p->n_types; t++) {
        uint64_t sum = 0;
        bool is_saturated = p->types[t].total == INT64_MAX || p->types[t].total == INT64_MIN;
        for (size_t i = 0; i < p->n_rows; i++) {
            int64_t value = p->row_values[i * p->n_types + t];
            is_saturated |= value == INT64_MAX || value == INT64_MIN;
            sum += (uint64_t)value;
        }
        must(is_saturated || sum == (uint64_t)p->types[t].total);
    }
    for (size_t i = 0; i < p->n_rows; i++)
        must(p->row_stack[i] < p->n_stacks && p->row_labels[i] < p->n_label_sets);
    for (size_t i = 0; i < p->n_events; i++)
        must(p->event_row[i] < p->n_rows && p->event_labels[i] < p->n_label_sets && p->event_end_ns[i] > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct vg_tag tags[] = {{{"service", 7}, {"fuzz", 4}}};
    struct vg_slice bytes = {(const char *)data, size};
    struct vg_profile *profile;
    struct vg_pprof pprof;
    const char *why = NULL;
    size_t at;
    if (vg_pprof_read(&pprof, bytes, &vg_pprof_default_limits, &why, &at))
        return 0;
    struct vg_profile_source source = {
        .pprof = &pprof, .tags = tags, .n_tags = 1, .start_ns = 1, .end_ns = 2, .content = bytes};
    if (!vg_profile_build(&source, &profile, &why)) {
        check_tables(profile);
        check_values(profile);
        vg_profile_free(profile);
    }
    vg_pprof_release(&pprof);
    return 0;
}
