/* See symbols.h. Look-ups are one or two hash probes; a code object costs about 4 µs at first sight. */
#include "profiler/stacks/symbols.h"

static const char *const own_names[VG_LOCATION_FIRST_REAL] = {
    "[too many functions]", "[unreadable stack]", "[truncated stack]",
    "[unattributed]",       "[profiler]",         "[no Python frame]",
};

static enum vg_err add_code(struct vg_symbols *symbols, const struct vg_code *code, uint32_t *id)
{
    uint32_t chunk = symbols->n_codes / VG_SYMBOLS_CHUNK;
    if (symbols->n_codes == VG_SYMBOLS_MAX_CODES)
        return VG_ERR_FULL;
    if (!symbols->code_chunks[chunk]) {
        symbols->code_chunks[chunk] = vg_alloc_zeroed(symbols->alloc, VG_SYMBOLS_CHUNK, sizeof *code);
        if (!symbols->code_chunks[chunk])
            return VG_ERR_NOMEM;
    }
    symbols->code_chunks[chunk][symbols->n_codes % VG_SYMBOLS_CHUNK] = *code;
    *id = symbols->n_codes++;
    return VG_OK;
}

static enum vg_err add_location(struct vg_symbols *symbols, struct vg_location location, uint32_t *id)
{
    uint32_t chunk = symbols->n_locations / VG_SYMBOLS_CHUNK;
    if (symbols->n_locations == VG_SYMBOLS_MAX_LOCATIONS)
        return VG_ERR_FULL;
    if (!symbols->location_chunks[chunk]) {
        symbols->location_chunks[chunk] = vg_alloc_zeroed(symbols->alloc, VG_SYMBOLS_CHUNK, sizeof location);
        if (!symbols->location_chunks[chunk])
            return VG_ERR_NOMEM;
    }
    symbols->location_chunks[chunk][symbols->n_locations % VG_SYMBOLS_CHUNK] = location;
    *id = symbols->n_locations++;
    return VG_OK;
}

enum vg_err vg_symbols_new(const struct vg_alloc *alloc, struct vg_symbols **out)
{
    struct vg_symbols *symbols = vg_alloc_zeroed(alloc, 1, sizeof *symbols);
    enum vg_err err = VG_OK;
    if (!symbols)
        return VG_ERR_NOMEM;
    symbols->refs = 1;
    symbols->alloc = alloc;
    vg_intern_init(&symbols->text, 4u * VG_SYMBOLS_MAX_CODES, VG_SYMBOLS_MAX_BYTES, alloc);
    vg_map_init(&symbols->by_address, VG_SYMBOLS_MAX_CODES, alloc);
    vg_map_init(&symbols->by_instr, 2u * VG_SYMBOLS_MAX_LOCATIONS, alloc);
    vg_map_init(&symbols->calls, VG_SYMBOLS_MAX_CODES, alloc);
    vg_map_init(&symbols->by_line, VG_SYMBOLS_MAX_LOCATIONS, alloc);
    for (uint32_t i = 0; i < VG_LOCATION_FIRST_REAL && err == VG_OK; i++) {
        struct vg_code code = {.name = vg_slice_of(own_names[i])};
        uint32_t id;
        err = add_code(symbols, &code, &id);
        if (err == VG_OK)
            err = add_location(symbols, (struct vg_location){id, 0}, &id);
    }
    if (err != VG_OK) {
        vg_symbols_unref(symbols);
        return err;
    }
    *out = symbols;
    return VG_OK;
}

struct vg_symbols *vg_symbols_ref(struct vg_symbols *symbols)
{
    __atomic_add_fetch(&symbols->refs, 1, __ATOMIC_RELAXED);
    return symbols;
}

void vg_symbols_unref(struct vg_symbols *symbols)
{
    if (!symbols || __atomic_sub_fetch(&symbols->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (uint32_t i = 0; i < VG_SYMBOLS_MAX_CODES / VG_SYMBOLS_CHUNK; i++)
        vg_alloc_release(symbols->alloc, symbols->code_chunks[i]);
    for (uint32_t i = 0; i < VG_SYMBOLS_MAX_LOCATIONS / VG_SYMBOLS_CHUNK; i++)
        vg_alloc_release(symbols->alloc, symbols->location_chunks[i]);
    vg_intern_release(&symbols->text);
    vg_map_release(&symbols->by_address);
    vg_map_release(&symbols->by_instr);
    vg_map_release(&symbols->calls);
    vg_map_release(&symbols->by_line);
    vg_alloc_release(symbols->alloc, symbols);
}

const struct vg_code *vg_symbols_code(const struct vg_symbols *symbols, uint32_t id)
{
    return &symbols->code_chunks[id / VG_SYMBOLS_CHUNK][id % VG_SYMBOLS_CHUNK];
}

struct vg_location vg_symbols_location(const struct vg_symbols *symbols, uint32_t id)
{
    return symbols->location_chunks[id / VG_SYMBOLS_CHUNK][id % VG_SYMBOLS_CHUNK];
}

void vg_symbols_forget(struct vg_symbols *symbols, uintptr_t address)
{
    vg_map_remove(&symbols->by_address, address);
}

void vg_symbols_forget_all(struct vg_symbols *symbols)
{
    vg_map_reset(&symbols->by_address);
}

/* The table's own copy of a text. */
static enum vg_err keep(struct vg_symbols *symbols, struct vg_slice text, struct vg_slice *kept)
{
    uint32_t id;
    enum vg_err err = vg_intern_put(&symbols->text, text, &id);
    if (err == VG_OK)
        *kept = vg_intern_get(&symbols->text, id);
    return err;
}

enum vg_err vg_symbols_learn(struct vg_symbols *symbols, struct vg_reader *reader, uintptr_t address,
                             char scratch[VG_CODE_SCRATCH_BYTES], uint32_t *code)
{
    struct vg_code_text text;
    struct vg_code entry = {0};
    uint64_t *known = vg_map_find(&symbols->by_address, address);
    bool is_new;
    if (known) {
        *code = (uint32_t)*known;
        return VG_OK;
    }
    enum vg_err err = vg_reader_code(reader, address, scratch, &text);
    if (err != VG_OK)
        return err;
    if (keep(symbols, text.name, &entry.name) != VG_OK || keep(symbols, text.file, &entry.file) != VG_OK ||
        keep(symbols, text.lines, &entry.lines) != VG_OK) {
        symbols->is_full = true;
        return VG_ERR_FULL;
    }
    entry.first_line = text.first_line;
    entry.frame_bytes = text.frame_bytes;
    entry.first_traceable_bytes = text.first_traceable_bytes;
    entry.body = text.body;
    if (add_code(symbols, &entry, code) != VG_OK ||
        vg_map_insert(&symbols->by_address, address, &known, &is_new) != VG_OK) {
        symbols->is_full = true;
        return VG_ERR_FULL;
    }
    *known = *code;
    return VG_OK;
}

static int32_t line_of(const struct vg_code *code, int64_t instr_offset)
{
    int32_t line = 0;
    if (instr_offset >= 0 && instr_offset <= INT32_MAX)
        line = vg_linetab_line(vg_reader_linetab(), (const uint8_t *)code->lines.data, code->lines.len,
                               code->first_line, (int32_t)instr_offset);
    return line > 0 ? line : code->first_line;
}

uint32_t vg_symbols_locate(struct vg_symbols *symbols, uint32_t code, int64_t instr_offset)
{
    uint64_t *by_instr, *by_line;
    uint32_t id;
    bool is_new;
    uint64_t high = (uint64_t)code << 32;
    uint64_t key =
        high | (instr_offset >= 0 && instr_offset < UINT32_MAX ? (uint32_t)instr_offset : UINT32_MAX);
    by_instr = vg_map_find(&symbols->by_instr, key);
    if (by_instr)
        return (uint32_t)*by_instr;
    struct vg_location location = {code, line_of(vg_symbols_code(symbols, code), instr_offset)};
    if (vg_map_insert(&symbols->by_line, high | (uint32_t)location.line, &by_line, &is_new) != VG_OK ||
        (is_new && add_location(symbols, location, &id) != VG_OK)) {
        symbols->is_full = true;
        return VG_LOCATION_OVERFLOW;
    }
    if (is_new)
        *by_line = id;
    id = (uint32_t)*by_line;
    if (vg_map_insert(&symbols->by_instr, key, &by_instr, &is_new) == VG_OK)
        *by_instr = id;
    else
        symbols->is_full = true;
    return id;
}

void vg_symbols_learn_call(struct vg_symbols *symbols, uint32_t caller, uint32_t callee)
{
    uint64_t *value;
    bool is_new;
    if (vg_map_insert(&symbols->calls, (uint64_t)caller << 32 | callee, &value, &is_new) == VG_OK)
        *value = 1;
}

bool vg_symbols_knows_call(const struct vg_symbols *symbols, uint32_t caller, uint32_t callee)
{
    return vg_map_find(&symbols->calls, (uint64_t)caller << 32 | callee) != NULL;
}
