/* The function table: distinct by id first, which is cheap, then sorted and made unique by text. */
#include "vigil/query/functions.h"

#include <stdlib.h>

#include "base/map.h"

#define NONE UINT32_MAX

struct entry {
    uint64_t prefix; /* first eight bytes of the name, big end first: decides most comparisons */
    const struct vg_slice *name, *file;
    struct vg_function function;
    uint32_t index; /* before sorting */
};

static uint64_t prefix_of(struct vg_slice text)
{
    uint64_t prefix = 0;
    for (size_t i = 0; i < 8; i++)
        prefix = prefix << 8 | (i < text.len ? (unsigned char)text.data[i] : 0);
    return prefix;
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    int order = vg_slice_compare(*a->name, *b->name);
    if (order == 0)
        order = vg_slice_compare(*a->file, *b->file);
    if (order == 0)
        order = (a->function.first_line > b->function.first_line) -
                (a->function.first_line < b->function.first_line);
    return order;
}

static bool same_ids(const struct vg_function *a, const struct vg_frame *b)
{
    return a->name == b->name && a->file == b->file && a->first_line == b->first_line;
}

static struct entry entry_of(const struct vg_slice *strings, const struct vg_frame *frame, size_t index)
{
    return (struct entry){
        .prefix = prefix_of(strings[frame->name]),
        .name = &strings[frame->name],
        .file = &strings[frame->file],
        .function = {frame->name, frame->file, frame->first_line},
        .index = (uint32_t)index,
    };
}

/* Scratch of init. */
struct table {
    struct entry *entries; /* distinct by ids */
    size_t n;
    uint32_t *slots; /* hash → entry, n_slots (a power of two above twice the frames), NONE where empty */
    size_t n_slots;
    uint32_t *rank; /* entry before sorting → function */
};

/* Fills the table, and of_frame with indexes of entries. */
static void collect(struct table *table, const struct vg_slice *strings, const struct vg_frame *frames,
                    size_t n_frames, uint32_t *of_frame)
{
    for (size_t i = 0; i < n_frames; i++) {
        uint64_t hash = vg_hash_u64((uint64_t)frames[i].name << 32 | frames[i].file);
        size_t slot = vg_hash_u64(hash ^ frames[i].first_line) & (table->n_slots - 1);
        while (table->slots[slot] != NONE &&
               !same_ids(&table->entries[table->slots[slot]].function, &frames[i]))
            slot = (slot + 1) & (table->n_slots - 1);
        if (table->slots[slot] == NONE) {
            table->entries[table->n] = entry_of(strings, &frames[i], table->n);
            table->slots[slot] = (uint32_t)table->n++;
        }
        of_frame[i] = table->slots[slot];
    }
}

/* Entries → functions, and entry indexes in of_frame → function indexes. */
static void rank(struct table *table, struct vg_functions *functions, size_t n_frames)
{
    qsort(table->entries, table->n, sizeof *table->entries, compare_entries);
    for (size_t i = 0; i < table->n; i++) {
        if (i == 0 || compare_entries(&table->entries[i - 1], &table->entries[i]) != 0)
            functions->items[functions->n++] = table->entries[i].function;
        table->rank[table->entries[i].index] = (uint32_t)(functions->n - 1);
    }
    for (size_t i = 0; i < n_frames; i++)
        functions->of_frame[i] = table->rank[functions->of_frame[i]];
}

enum vg_err vg_functions_init(struct vg_functions *functions, const struct vg_slice *strings,
                              const struct vg_frame *frames, size_t n_frames, const struct vg_alloc *alloc)
{
    struct vg_functions made = {.alloc = alloc};
    struct table table = {.n_slots = 16};
    if (n_frames >= NONE)
        return VG_ERR_LIMIT;
    while (table.n_slots < 2 * n_frames)
        table.n_slots *= 2;
    table.slots = vg_alloc_zeroed(alloc, table.n_slots, sizeof *table.slots);
    table.entries = vg_alloc_zeroed(alloc, n_frames + 1, sizeof *table.entries);
    table.rank = vg_alloc_zeroed(alloc, n_frames + 1, sizeof *table.rank);
    made.items = vg_alloc_zeroed(alloc, n_frames + 1, sizeof *made.items);
    made.of_frame = vg_alloc_zeroed(alloc, n_frames + 1, sizeof *made.of_frame);
    bool has_memory = table.slots && table.entries && table.rank && made.items && made.of_frame;
    if (has_memory) {
        memset(table.slots, 0xFF, table.n_slots * sizeof *table.slots);
        collect(&table, strings, frames, n_frames, made.of_frame);
        rank(&table, &made, n_frames);
        *functions = made;
    } else {
        vg_functions_release(&made);
    }
    vg_alloc_release(alloc, table.rank);
    vg_alloc_release(alloc, table.entries);
    vg_alloc_release(alloc, table.slots);
    return has_memory ? VG_OK : VG_ERR_NOMEM;
}

void vg_functions_release(struct vg_functions *functions)
{
    vg_alloc_release(functions->alloc, functions->of_frame);
    vg_alloc_release(functions->alloc, functions->items);
    functions->of_frame = NULL;
    functions->items = NULL;
}
