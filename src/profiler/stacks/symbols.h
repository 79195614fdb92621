/* Code objects and locations seen so far: what outlives the objects in the interpreter.
 *
 * Filled by the sampler alone. Entries never change and never move once made, so whoever was handed an id
 * (with a window, through its lock) may read that entry from another thread without a lock.
 * Reference-counted: the sampler holds one table, each unsent window another; a table that is full is
 * succeeded by an empty one at the next window.
 *
 * Bounds: VG_SYMBOLS_MAX_CODES, VG_SYMBOLS_MAX_LOCATIONS, VG_SYMBOLS_MAX_BYTES; beyond them the visible
 * location VG_LOCATION_OVERFLOW stands in.
 */
#ifndef VG_PROFILER_STACKS_SYMBOLS_H
#define VG_PROFILER_STACKS_SYMBOLS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/map.h"
#include "profiler/cpython/reader.h"

#define VG_SYMBOLS_MAX_CODES     65536u
#define VG_SYMBOLS_MAX_LOCATIONS 262144u
#define VG_SYMBOLS_MAX_BYTES     (24u << 20)

/* A function, or one of our own makers of visible frames ("[unattributed]"), which have no file. */
struct vg_code {
    struct vg_slice name, file, lines; /* owned by the table */
    int32_t first_line;
    uint32_t frame_bytes;
    int32_t first_traceable_bytes;
    uintptr_t body;
};

struct vg_location {
    uint32_t code; /* id */
    int32_t line;
};

/* Locations that are there from the start. */
enum vg_location_id {
    VG_LOCATION_OVERFLOW = 0, /* tables are full */
    VG_LOCATION_UNREADABLE,   /* no frame of the stack could be trusted */
    VG_LOCATION_TRUNCATED,    /* the root end is deeper than DD_PROFILING_MAX_FRAMES */
    VG_LOCATION_UNATTRIBUTED, /* CPU time of threads that run no Python */
    VG_LOCATION_PROFILER,     /* our own CPU time */
    VG_LOCATION_NO_PYTHON,    /* a thread with no Python frame */
    VG_LOCATION_FIRST_REAL,
};

#define VG_SYMBOLS_CHUNK 512u

struct vg_symbols {
    int refs; /* atomic */
    struct vg_code *code_chunks[VG_SYMBOLS_MAX_CODES / VG_SYMBOLS_CHUNK];
    struct vg_location *location_chunks[VG_SYMBOLS_MAX_LOCATIONS / VG_SYMBOLS_CHUNK];
    uint32_t n_codes, n_locations;
    bool is_full;

    /* the sampler's own */
    struct vg_intern text;    /* names, files and line tables */
    struct vg_map by_address; /* code object → id */
    struct vg_map by_instr;   /* code id << 32 | instruction → location id */
    struct vg_map calls;      /* caller's code id << 32 | callee's: was seen in one piece */
    struct vg_map by_line;    /* code id << 32 | line → location id */
    const struct vg_alloc *alloc;
};

enum vg_err vg_symbols_new(const struct vg_alloc *alloc, struct vg_symbols **symbols) VG_MUST_USE;
struct vg_symbols *vg_symbols_ref(struct vg_symbols *symbols);
void vg_symbols_unref(struct vg_symbols *symbols); /* any thread; NULL is allowed */

const struct vg_code *vg_symbols_code(const struct vg_symbols *symbols, uint32_t id);
struct vg_location vg_symbols_location(const struct vg_symbols *symbols, uint32_t id);

/* Forget which code lies at an address, or at all of them; entries stay. Sampler only. */
void vg_symbols_forget(struct vg_symbols *symbols, uintptr_t address);
void vg_symbols_forget_all(struct vg_symbols *symbols);

/* The id of the code object at that address, read with `reader` at first sight into scratch.
 * VG_ERR_MALFORMED: there is none; VG_ERR_FULL: no room. Sampler only. */
enum vg_err vg_symbols_learn(struct vg_symbols *symbols, struct vg_reader *reader, uintptr_t address,
                             char scratch[VG_CODE_SCRATCH_BYTES], uint32_t *code) VG_MUST_USE;

/* The location of an instruction (bytes from the body's start) of a code; VG_LOCATION_OVERFLOW where there is
 * no room. Sampler only. */
uint32_t vg_symbols_locate(struct vg_symbols *symbols, uint32_t code, int64_t instr_offset);

/* Who is known to have called whom. Without room a call is forgotten. Sampler only. */
void vg_symbols_learn_call(struct vg_symbols *symbols, uint32_t caller, uint32_t callee);
bool vg_symbols_knows_call(const struct vg_symbols *symbols, uint32_t caller, uint32_t callee);

#endif
