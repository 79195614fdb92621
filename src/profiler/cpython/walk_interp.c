/* 3.11 –: _PyInterpreterFrames, nearly all of them in the thread's data-stack chunks, read in place there.
 * Frames of generators (heap) and entry frames (C stack) are copied. Costs about 60 ns for 30 frames in place
 * plus 360 ns a copy. */
#include "profiler/cpython/ranges.h"
#include "profiler/cpython/walk.h"

#define MAX_CHUNKS 64u
/* Entry frames have no code: they count against this bound only. */
#define MAX_STEPS (4u * VG_MAX_FRAMES)

struct chunks {
    uint32_t n;
    uintptr_t from[MAX_CHUNKS], to[MAX_CHUNKS]; /* newest first */
};

static uintptr_t load(uintptr_t address)
{
    return __atomic_load_n((const uintptr_t *)address, __ATOMIC_RELAXED);
}

/* The chunks of the thread that are known to be mapped; `previous` is the first word of a chunk. */
static void collect(uintptr_t chunk, struct chunks *chunks)
{
    chunks->n = 0;
    while (chunk && chunks->n < MAX_CHUNKS) {
        size_t bytes = vg_ranges_find(chunk);
        if (bytes == 0)
            return;
        chunks->from[chunks->n] = chunk;
        chunks->to[chunks->n++] = chunk + bytes;
        chunk = load(chunk);
    }
}

/* 1 + the number of the chunk that holds a whole frame at this address, 0: none. */
static uint32_t find_chunk(const struct chunks *chunks, uintptr_t frame)
{
    for (uint32_t i = 0; i < chunks->n; i++)
        /* Differences, because a torn pointer may be so high that a sum would wrap. */
        if (frame >= chunks->from[i] && frame < chunks->to[i] &&
            chunks->to[i] - frame >= vg_layout.frame_bytes)
            return i + 1;
    return 0;
}

/* One frame, read in place where it lies in a chunk, else copied. False: it is not mapped. */
static bool read_frame(const struct chunks *chunks, uintptr_t address, struct vg_raw_frame *frame,
                       uintptr_t *back, bool *is_entry)
{
    _Alignas(uintptr_t) char copy[VG_FRAME_MAX_BYTES];
    uint32_t chunk = address % sizeof(uintptr_t) ? 0 : find_chunk(chunks, address);
    uintptr_t at = address;
    if (chunk == 0) {
        if (vg_os_read(address, copy, vg_layout.frame_bytes) != VG_OK)
            return false;
        at = (uintptr_t)copy;
    }
    *back = load(at + vg_layout.frame_back);
    *is_entry = *(const volatile uint8_t *)(at + vg_layout.frame_owner) == vg_layout.owner_c_stack;
    *frame = (struct vg_raw_frame){load(at + vg_layout.frame_code), load(at + vg_layout.frame_instr), address,
                                   chunk};
    return true;
}

static void walk(const struct chunks *chunks, uintptr_t address, uint32_t max_frames,
                 struct vg_raw_stack *stack)
{
    struct vg_raw_frame frame;
    bool is_entry;
    for (uint32_t step = 0; address != 0 && step < MAX_STEPS; step++) {
        uintptr_t back;
        if (!read_frame(chunks, address, &frame, &back, &is_entry))
            break;
        if (!is_entry) {
            if (stack->n == max_frames) {
                stack->end = VG_RAW_TRUNCATED;
                return;
            }
            stack->frames[stack->n++] = frame;
        }
        address = back;
    }
    stack->end = address == 0 ? VG_RAW_COMPLETE : VG_RAW_BROKEN;
}

static void remember(struct vg_reader *reader, uintptr_t cframe)
{
    unsigned i = 0;
    while (i + 1 < VG_CFRAMES_PREDICTED && reader->cframes[i] != cframe)
        i++;
    memmove(reader->cframes + 1, reader->cframes, i * sizeof *reader->cframes);
    reader->cframes[0] = cframe;
}

/* The thread state and, in the same system call, what the likely _PyCFrames point to: one that is read later
 * may have been popped and overwritten. Then the current frame, 0: none. */
static enum vg_err read_state(struct vg_reader *reader, const struct vg_thread_ref *thread, char *tstate,
                              uintptr_t *frame)
{
    struct vg_os_span spans[1 + VG_CFRAMES_PREDICTED] = {{thread->tstate, vg_layout.tstate_bytes}};
    char copies[VG_TSTATE_MAX_BYTES + VG_CFRAMES_PREDICTED * sizeof *frame];
    size_t n = 1, got;
    if (vg_layout.cframe_frame != VG_ABSENT)
        for (; n <= VG_CFRAMES_PREDICTED && reader->cframes[n - 1]; n++)
            spans[n] = (struct vg_os_span){reader->cframes[n - 1] + vg_layout.cframe_frame, sizeof *frame};
    got = vg_os_read_spans(spans, n, copies);
    if (got < vg_layout.tstate_bytes || !vg_tstate_is(reader, copies, thread))
        return VG_ERR_NOT_FOUND;
    memcpy(tstate, copies, vg_layout.tstate_bytes);
    *frame = vg_field_pointer(tstate, vg_layout.tstate_frame);
    if (vg_layout.cframe_frame == VG_ABSENT || *frame == 0)
        return VG_OK;
    uintptr_t cframe = *frame;
    for (size_t i = 1; i < n; i++)
        if (reader->cframes[i - 1] == cframe && vg_layout.tstate_bytes + i * sizeof *frame <= got) {
            *frame = vg_field_pointer(copies, (uint32_t)(vg_layout.tstate_bytes + (i - 1) * sizeof *frame));
            remember(reader, cframe);
            return VG_OK;
        }
    remember(reader, cframe);
    return vg_os_read(cframe + vg_layout.cframe_frame, frame, sizeof *frame);
}

enum vg_err vg_walk_interp(struct vg_reader *reader, const struct vg_thread_ref *thread, uint32_t max_frames,
                           struct vg_raw_stack *stack)
{
    char tstate[VG_TSTATE_MAX_BYTES];
    struct chunks chunks;
    uintptr_t frame;
    stack->n = 0;
    stack->cut = false;
    stack->joint = 0;
    stack->end = VG_RAW_BROKEN;
    vg_ranges_begin_read();
    enum vg_err err = read_state(reader, thread, tstate, &frame);
    if (err == VG_OK) {
        collect(vg_field_pointer(tstate, vg_layout.tstate_chunk), &chunks);
        walk(&chunks, frame, max_frames, stack);
    }
    vg_ranges_end_read();
    return err == VG_ERR_NOT_FOUND ? err : VG_OK;
}
