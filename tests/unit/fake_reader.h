/* A fake of profiler/cpython/reader.h: code objects, a list of threads and the stacks that captures will
 * find, all of them tables that a test fills. One of it, reset by fake_reader_reset. */
#ifndef VG_TESTS_UNIT_FAKE_READER_H
#define VG_TESTS_UNIT_FAKE_READER_H

#include "profiler/cpython/reader.h"

#define FAKE_MAX_CODES   64
#define FAKE_MAX_THREADS 512
#define FAKE_FRAMES      16

/* Its body begins at address + 64; each line is 10 bytes of instructions. */
struct fake_code {
    uintptr_t address;
    const char *name, *file;
    int32_t first_line;
    uint32_t frame_bytes;
    int32_t first_traceable_bytes;
};

/* What vg_reader_stack finds of the thread at that place of the list. */
struct fake_stack {
    bool is_gone;
    uint32_t n;
    enum vg_raw_end end;
    bool cut;
    struct vg_raw_frame frames[FAKE_FRAMES];
};

struct fake_reader {
    struct fake_code codes[FAKE_MAX_CODES];
    size_t n_codes;
    /* Any address that is a multiple of 16 and below is a code object too, named after it. */
    uintptr_t made_up_below;
    unsigned code_reads;

    struct vg_thread_ref threads[FAKE_MAX_THREADS];
    struct fake_stack stacks[FAKE_MAX_THREADS];
    size_t n_threads;
    bool is_complete; /* of the listing */
    unsigned listings, captures;

    uintptr_t dead[FAKE_MAX_CODES]; /* to be reported once */
    size_t n_dead;
    bool has_lost_count;
};

extern struct fake_reader fake;

void fake_reader_reset(void);
void fake_add_code(uintptr_t address, const char *name, uint32_t frame_bytes, int32_t first_traceable_bytes);
/* A frame of that code at the instruction `offset` bytes into its body. */
struct vg_raw_frame fake_frame(uintptr_t code, int64_t offset, uintptr_t address, uintptr_t chunk);

#endif
