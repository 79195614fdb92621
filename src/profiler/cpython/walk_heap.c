/* 2.7 – 3.10: a chain of PyFrameObjects on the heap. They are copied: the addresses of the thread's last
 * stack predict most of this one, so that one system call copies the thread state and all of them (about 4 µs
 * for 30 frames); what was not predicted costs a call each. */
#include "profiler/cpython/walk.h"

struct heap_walk {
    struct vg_reader *reader;
    uint32_t n_predicted;
    size_t copied; /* bytes in reader->copies */
};

/* The copy of predicted frame i, NULL where it was not mapped. */
static const char *copy_of(const struct heap_walk *walk, uint32_t i)
{
    size_t at = vg_layout.tstate_bytes + (size_t)i * vg_layout.frame_bytes;
    return at + vg_layout.frame_bytes <= walk->copied ? walk->reader->copies + at : NULL;
}

static void append(struct vg_raw_stack *stack, const char *frame, uintptr_t address)
{
    stack->frames[stack->n++] =
        (struct vg_raw_frame){vg_field_pointer(frame, vg_layout.frame_code),
                              (uintptr_t)(intptr_t)vg_field_int(frame, vg_layout.frame_instr), address, 0};
}

static void follow(const struct heap_walk *walk, uintptr_t address, uint32_t max_frames,
                   struct vg_raw_stack *stack)
{
    char single[VG_FRAME_MAX_BYTES];
    uint32_t hint = 0;
    while (address != 0) {
        if (stack->n == max_frames) {
            stack->end = VG_RAW_TRUNCATED;
            return;
        }
        const char *frame = NULL;
        for (uint32_t i = hint; i < walk->n_predicted; i++)
            if (walk->reader->before.frames[i].address == address) {
                frame = copy_of(walk, i);
                hint = i + 1;
                break;
            }
        if (!frame && vg_os_read(address, single, vg_layout.frame_bytes) == VG_OK)
            frame = single;
        if (!frame)
            return;
        append(stack, frame, address);
        if (!vg_frame_is_live(walk->reader, frame))
            return; /* it was a moment ago: its function counts, its link to its caller is gone */
        address = vg_field_pointer(frame, vg_layout.frame_back);
    }
    stack->end = VG_RAW_COMPLETE;
}

enum vg_err vg_walk_heap(struct vg_reader *reader, const struct vg_thread_ref *thread, uint32_t max_frames,
                         struct vg_raw_stack *stack)
{
    struct heap_walk walk = {reader, 0, 0};
    uint32_t n = 0;
    reader->spans[n++] = (struct vg_os_span){thread->tstate, vg_layout.tstate_bytes};
    while (walk.n_predicted < reader->before.n && n < VG_OS_MAX_SPANS)
        reader->spans[n++] =
            (struct vg_os_span){reader->before.frames[walk.n_predicted++].address, vg_layout.frame_bytes};
    walk.copied = vg_os_read_spans(reader->spans, n, reader->copies);
    if (walk.copied < vg_layout.tstate_bytes || !vg_tstate_is(reader, reader->copies, thread))
        return VG_ERR_NOT_FOUND;
    stack->n = 0;
    stack->cut = false;
    stack->joint = 0;
    stack->end = VG_RAW_BROKEN;
    follow(&walk, vg_field_pointer(reader->copies, vg_layout.tstate_frame), max_frames, stack);
    return VG_OK;
}
