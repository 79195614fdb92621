/* 2.7 – 3.10: a chain of PyFrameObjects on the heap. They are copied: the addresses of the thread's last
 * stack predict most of this one, so that one system call copies the thread state and all of them (about 4 µs
 * for 30 frames); what was not predicted costs a call each. */
#include "profiler/cpython/walk.h"

#define REFCOUNT 0u             /* of PyObject */
#define TYPE     sizeof(void *) /* of PyObject, without Py_TRACE_REFS */

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

/* A frame object that is being executed, as far as one can see. */
static bool is_live(const struct vg_reader *reader, const char *frame)
{
    return vg_field_u64(frame, REFCOUNT) != 0 && vg_field_pointer(frame, TYPE) == reader->frame_type &&
           (vg_layout.frame_executing == VG_ABSENT || frame[vg_layout.frame_executing] == 1);
}

static void append(struct vg_raw_stack *stack, const char *frame, uintptr_t address)
{
    stack->frames[stack->n++] =
        (struct vg_raw_frame){vg_field_pointer(frame, vg_layout.frame_code),
                              (uintptr_t)(intptr_t)vg_field_int(frame, vg_layout.frame_instr), address, 0};
}

/* The chain broke: what is certain is the longest run of predicted frames, from the root, that still hang
 * together. */
static void keep_base(const struct heap_walk *walk, struct vg_raw_stack *stack)
{
    uint32_t from = walk->n_predicted;
    uintptr_t expected = 0;
    while (from > 0) {
        const char *frame = copy_of(walk, from - 1);
        if (!frame || !is_live(walk->reader, frame) ||
            vg_field_pointer(frame, vg_layout.frame_back) != expected)
            break;
        expected = walk->reader->predicted[--from];
    }
    stack->n = 0;
    stack->cut = true;
    for (uint32_t i = from; i < walk->n_predicted; i++)
        append(stack, copy_of(walk, i), walk->reader->predicted[i]);
    stack->end = stack->n > 0 ? VG_RAW_COMPLETE : VG_RAW_BROKEN;
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
            if (walk->reader->predicted[i] == address) {
                frame = copy_of(walk, i);
                hint = i + 1;
                break;
            }
        if (!frame && vg_os_read(address, single, vg_layout.frame_bytes) == VG_OK)
            frame = single;
        if (!frame || !is_live(walk->reader, frame)) {
            keep_base(walk, stack);
            return;
        }
        append(stack, frame, address);
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
    for (; walk.n_predicted < stack->n && n < VG_OS_MAX_SPANS; n++) {
        uintptr_t address = stack->frames[walk.n_predicted].address;
        reader->predicted[walk.n_predicted++] = address;
        reader->spans[n] = (struct vg_os_span){address, vg_layout.frame_bytes};
    }
    walk.copied = vg_os_read_spans(reader->spans, n, reader->copies);
    if (walk.copied < vg_layout.tstate_bytes || !vg_tstate_is(reader, reader->copies, thread))
        return VG_ERR_NOT_FOUND;
    stack->n = 0;
    stack->cut = false;
    stack->end = VG_RAW_BROKEN;
    follow(&walk, vg_field_pointer(reader->copies, vg_layout.tstate_frame), max_frames, stack);
    return VG_OK;
}
