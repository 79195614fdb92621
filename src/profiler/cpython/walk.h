/* The two ways a CPython chains its frames. Inside cpython/ only. */
#ifndef VG_PROFILER_CPYTHON_WALK_H
#define VG_PROFILER_CPYTHON_WALK_H

#include <string.h>

#include "profiler/cpython/layout.h"
#include "profiler/cpython/reader.h"
#include "profiler/os/os.h"

#define VG_TSTATE_MAX_BYTES 1024u
#define VG_FRAME_MAX_BYTES  192u

struct vg_reader {
    uintptr_t interp;
    uintptr_t frame_type;  /* &PyFrame_Type */
    uintptr_t code_type;   /* &PyCode_Type */
    size_t ident_to_id;    /* where a pthread_t keeps the kernel's thread id, before 3.11 */
    uintptr_t seen_head;   /* of the list of thread states … */
    uint64_t seen_next_id; /* … when it was last read */

    /* walk_interp.c: the thread's last capture */
    struct vg_raw_stack before;

    /* walk_heap.c: what was predicted, and the copies of it */
    uintptr_t predicted[VG_OS_MAX_SPANS];
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

enum vg_err vg_walk_heap(struct vg_reader *reader, const struct vg_thread_ref *thread, uint32_t max_frames,
                         struct vg_raw_stack *stack) VG_MUST_USE;
enum vg_err vg_walk_interp(struct vg_reader *reader, const struct vg_thread_ref *thread, uint32_t max_frames,
                           struct vg_raw_stack *stack) VG_MUST_USE;

#endif
