/* The two ways a CPython chains its frames. Inside cpython/ only. */
#ifndef VG_PROFILER_CPYTHON_WALK_H
#define VG_PROFILER_CPYTHON_WALK_H

#include <string.h>

#include "profiler/cpython/layout.h"
#include "profiler/cpython/reader.h"
#include "profiler/os/os.h"

#define VG_TSTATE_MAX_BYTES 1024u
#define VG_FRAME_MAX_BYTES  192u
/* A thread moves between a handful of places on its C stack. */
#define VG_CFRAMES_PREDICTED 6u

struct vg_reader {
    uintptr_t interp;
    uintptr_t frame_type;  /* &PyFrame_Type */
    uintptr_t code_type;   /* &PyCode_Type */
    size_t ident_to_id;    /* where a pthread_t keeps the kernel's thread id, before 3.11 */
    uintptr_t seen_head;   /* of the list of thread states … */
    uint64_t seen_next_id; /* … when it was last read */

    struct vg_raw_stack before; /* the last capture of the thread being read */
    struct vg_raw_stack base;   /* mend.c: a second look */

    /* walk_interp.c: where _PyCFrames were lately, newest first (3.11, 3.12) */
    uintptr_t cframes[VG_CFRAMES_PREDICTED];

    /* walk_heap.c: copies of what `before` predicts */
    struct vg_os_span spans[VG_OS_MAX_SPANS];
    char copies[VG_TSTATE_MAX_BYTES + VG_OS_MAX_SPANS * VG_FRAME_MAX_BYTES];
};

static inline uintptr_t vg_field_pointer(const char *copy, uint32_t offset)
{
    uintptr_t value;
    memcpy(&value, copy + offset, sizeof value);
    return value;
}

static inline uint64_t vg_field_u64(const char *copy, uint32_t offset)
{
    uint64_t value;
    memcpy(&value, copy + offset, sizeof value);
    return value;
}

static inline int32_t vg_field_int(const char *copy, uint32_t offset)
{
    int32_t value;
    memcpy(&value, copy + offset, sizeof value);
    return value;
}

/* Whether this copy of a thread state is still the thread that we mean. */
bool vg_tstate_is(const struct vg_reader *reader, const char *tstate, const struct vg_thread_ref *thread);

/* A copy of a frame, as far as it can be seen, is in use: of a heap frame its type, its count of references
 * and whether it is being executed. */
bool vg_frame_is_live(const struct vg_reader *reader, const char *copy);

/* One capture: frames as they are found, end, and nothing repaired. reader->before predicts.
 * VG_ERR_NOT_FOUND: the thread state is gone. */
enum vg_err vg_walk_heap(struct vg_reader *reader, const struct vg_thread_ref *thread, uint32_t max_frames,
                         struct vg_raw_stack *stack) VG_MUST_USE;
enum vg_err vg_walk_interp(struct vg_reader *reader, const struct vg_thread_ref *thread, uint32_t max_frames,
                           struct vg_raw_stack *stack) VG_MUST_USE;
static inline enum vg_err vg_walk(struct vg_reader *reader, const struct vg_thread_ref *thread,
                                  uint32_t max_frames, struct vg_raw_stack *stack)
{
    return vg_layout.walk == VG_WALK_INTERP ? vg_walk_interp(reader, thread, max_frames, stack)
                                            : vg_walk_heap(reader, thread, max_frames, stack);
}

/* Gives a capture whose root end is missing or cannot be the thread's a root end; see mend.c. */
void vg_mend(struct vg_reader *reader, const struct vg_thread_ref *thread, uint32_t max_frames,
             struct vg_raw_stack *stack);

#endif
