/* Reading the stacks of a running CPython from a thread that does not hold the GIL: the small interface
 * behind which all version differences live.
 *
 * What is read may change while it is read. Everything here fails safely: memory is followed in place only
 * where it is known to be mapped (data-stack chunks, ranges.h), and copied with vg_os_read elsewhere. A stack
 * is captured once, never retried and never dropped for being inconsistent, which would bias the profile:
 * whoever resolves it cuts it at the first bad edge (stacks/resolve.h).
 *
 * open and close: GIL held. All else: one thread at a time, without the GIL.
 */
#ifndef VG_PROFILER_CPYTHON_READER_H
#define VG_PROFILER_CPYTHON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "profiler/cpython/linetab.h"

#define VG_MAX_FRAMES 1024u

/* One thread state, as the interpreter lists it. */
struct vg_thread_ref {
    uintptr_t tstate;  /* address of the PyThreadState */
    uint64_t id;       /* unique in the interpreter's life; 0 where the version has none */
    uint64_t ident;    /* threading.get_ident() */
    int32_t thread_id; /* the kernel's */
};

struct vg_raw_frame {
    uintptr_t code;    /* address of the code object */
    uintptr_t instr;   /* address of the instruction, or its offset in bytes (see vg_layout.instr) */
    uintptr_t address; /* of the frame */
    uintptr_t chunk;   /* 1 + number of the chunk it lies in, newest first; 0: elsewhere */
};

enum vg_raw_end {
    VG_RAW_COMPLETE,  /* down to the root */
    VG_RAW_TRUNCATED, /* deeper than asked for: the root end is missing */
    VG_RAW_BROKEN,    /* a pointer led nowhere: the root end is missing */
};

struct vg_raw_stack {
    uint32_t n;
    enum vg_raw_end end;
    bool cut;       /* frames at the leaf end are missing: they were gone when they were read */
    uint32_t joint; /* frames before this one were read a moment earlier than the rest; 0: all at once */
    struct vg_raw_frame frames[VG_MAX_FRAMES]; /* leaf first */
};

/* Copies made at first sight of a code object; text and lines point into the caller's scratch. */
struct vg_code_text {
    struct vg_slice name;  /* UTF-8, qualified where the version has it */
    struct vg_slice file;  /* UTF-8 */
    struct vg_slice lines; /* line table */
    int32_t first_line;
    uint32_t frame_bytes;          /* size of its frames, 0: unknown */
    int32_t first_traceable_bytes; /* instructions before it belong to the set-up of a frame */
    uintptr_t body;                /* address of the first instruction, 0 where frames hold offsets */
};

struct vg_reader;

/* Prepares reading of the current interpreter: hooks the arena allocator and the death of code objects (never
 * unhooked; both pass through), then proves on the caller's own stack that what we read is what the official
 * API says. VG_ERR_UNSUPPORTED with *why, one sentence, static. */
enum vg_err vg_reader_open(struct vg_reader **reader, const char **why) VG_MUST_USE;
void vg_reader_close(struct vg_reader *reader);

/* True where thread states came or went since the last vg_reader_threads; may miss a departure. One small
 * copy. */
bool vg_reader_threads_changed(struct vg_reader *reader);

/* The thread states there are now, newest first, at most cap. Returns how many; *complete is false where the
 * list changed under us, so that absent ones may still be there. A thread that is being born may show the ids
 * of the thread that made it. Costs one copy a thread. */
size_t vg_reader_threads(struct vg_reader *reader, struct vg_thread_ref *threads, size_t cap, bool *complete);

/* The stack of a thread into *stack, which holds what was captured of this thread before, or is all zero: it
 * predicts addresses. max_frames ≤ VG_MAX_FRAMES. VG_ERR_NOT_FOUND: the thread state is gone. */
enum vg_err vg_reader_stack(struct vg_reader *reader, const struct vg_thread_ref *thread, uint32_t max_frames,
                            struct vg_raw_stack *stack) VG_MUST_USE;

/* Calls died for the address of each code object that died since the last call, or lost_count once when there
 * were too many to tell. Call it after capturing and before looking anything up by address. */
void vg_reader_dead_code(struct vg_reader *reader, void (*died)(void *ctx, uintptr_t code),
                         void (*lost_count)(void *ctx), void *ctx);

#define VG_CODE_SCRATCH_BYTES (96u << 10)
/* Copies what is to be known of a code object. VG_ERR_MALFORMED: there is no code object at that address. */
enum vg_err vg_reader_code(struct vg_reader *reader, uintptr_t code, char scratch[VG_CODE_SCRATCH_BYTES],
                           struct vg_code_text *text) VG_MUST_USE;

/* The instruction of a frame in bytes from the start of its code's body; negative or large where the frame is
 * torn. */
int64_t vg_reader_instr_offset(const struct vg_raw_frame *frame, uintptr_t body);
/* Which kind of line table this version has. */
enum vg_linetab_kind vg_reader_linetab(void);

#endif
