/* A capture is one look at a thread that runs on. Its leaf end is the truth of that moment; but a function
 * that has returned meanwhile, or a generator that has yielded, is no longer linked to its caller, and the
 * chain ends too early: broken, or complete with a root that is not the thread's. Throwing such captures away
 * would hide exactly the short calls and the generators (a quarter of the time of a program made of them).
 *
 * So the leaf end is kept and only the root end is read again, a microsecond later, where it is nearly always
 * unchanged. Both parts are marked (vg_raw_stack.joint), and whoever names them joins them only where this
 * caller is known to have called this function. Where a second look fails as well, what was there before and
 * is still linked is the root end.
 */
#include "profiler/cpython/walk.h"

#define LOOKS 3u
/* Entry frames between two Python frames. */
#define MAX_ENTRIES 4u

#define REFCOUNT 0u             /* of PyObject */
#define TYPE     sizeof(void *) /* of PyObject, without Py_TRACE_REFS */

bool vg_frame_is_live(const struct vg_reader *reader, const char *copy)
{
    if (vg_layout.walk == VG_WALK_INTERP)
        return true;
    return vg_field_u64(copy, REFCOUNT) != 0 && vg_field_pointer(copy, TYPE) == reader->frame_type &&
           (vg_layout.frame_state == VG_ABSENT ||
            (uint8_t)copy[vg_layout.frame_state] == vg_layout.state_executing);
}

static uintptr_t root_of(const struct vg_raw_stack *stack)
{
    return stack->n > 0 ? stack->frames[stack->n - 1].address : 0;
}

/* CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR: the same bits in every version. */
#define RESUMED_FLAGS (0x20 | 0x80 | 0x200)

/* Whether the root frame is of a kind that somebody resumed: it looks like a root between two resumptions. */
static bool is_resumed(const struct vg_raw_stack *stack)
{
    int32_t flags;
    return vg_os_read(stack->frames[stack->n - 1].code + vg_layout.code_flags, &flags, sizeof flags) ==
               VG_OK &&
           (flags & RESUMED_FLAGS) != 0;
}

static bool is_code(const struct vg_reader *reader, uintptr_t code)
{
    uintptr_t type;
    return vg_os_read(code + TYPE, &type, sizeof type) == VG_OK && type == reader->code_type;
}

/* A chain that went on through freed memory: what lies behind the first frame without a code object are no
 * frames. */
static void trim(struct vg_reader *reader, struct vg_raw_stack *stack)
{
    uint32_t n = stack->n < VG_OS_MAX_SPANS ? stack->n : VG_OS_MAX_SPANS, sound = 0;
    for (uint32_t i = 0; i < n; i++)
        reader->spans[i] = (struct vg_os_span){stack->frames[i].code + TYPE, sizeof(uintptr_t)};
    size_t got = n ? vg_os_read_spans(reader->spans, n, reader->copies) / sizeof(uintptr_t) : 0;
    while (sound < got &&
           vg_field_pointer(reader->copies, sound * (uint32_t)sizeof(uintptr_t)) == reader->code_type)
        sound++;
    if (sound < n) {
        stack->n = sound;
        stack->end = VG_RAW_BROKEN;
    }
}

/* A thread keeps its root frame: another one is a generator that yielded, until a second look says the same.
 */
static bool is_sound(const struct vg_reader *reader, const struct vg_raw_stack *stack)
{
    const struct vg_raw_stack *before = &reader->before;
    if (stack->end == VG_RAW_TRUNCATED && stack->n > 0)
        return is_code(reader, stack->frames[stack->n - 1].code);
    if (stack->end == VG_RAW_COMPLETE && before->end == VG_RAW_COMPLETE && before->n > 0 && stack->n > 0)
        return root_of(stack) == root_of(before);
    return stack->end != VG_RAW_BROKEN;
}

/* Whether a frame whose link is `back` stands on `caller` (0: it is the root), entry frames aside. */
static bool stands_on(uintptr_t back, uintptr_t caller)
{
    char copy[VG_FRAME_MAX_BYTES];
    for (unsigned step = 0; back != caller && back != 0 && step < MAX_ENTRIES; step++) {
        if (vg_layout.frame_owner == VG_ABSENT || vg_os_read(back, copy, vg_layout.frame_bytes) != VG_OK ||
            (uint8_t)copy[vg_layout.frame_owner] != vg_layout.owner_c_stack)
            return false;
        back = vg_field_pointer(copy, vg_layout.frame_back);
    }
    return back == caller;
}

/* What was there before and, from the root, still hangs together. */
static void still_linked(const struct vg_reader *reader, struct vg_raw_stack *base)
{
    const struct vg_raw_stack *before = &reader->before;
    char copy[VG_FRAME_MAX_BYTES];
    uint32_t from = before->end == VG_RAW_COMPLETE ? before->n : 0, n = from;
    for (uintptr_t caller = 0; from > 0; from--) {
        const struct vg_raw_frame *known = &before->frames[from - 1];
        if (vg_os_read(known->address, copy, vg_layout.frame_bytes) != VG_OK ||
            !vg_frame_is_live(reader, copy) || vg_field_pointer(copy, vg_layout.frame_code) != known->code ||
            !stands_on(vg_field_pointer(copy, vg_layout.frame_back), caller))
            break;
        caller = known->address;
    }
    base->n = n - from;
    if (base->n)
        memcpy(base->frames, before->frames + from, base->n * sizeof *base->frames);
    base->end = VG_RAW_COMPLETE;
}

static void join(struct vg_raw_stack *stack, const struct vg_raw_stack *base, uint32_t max_frames)
{
    uint32_t keep = stack->n, from = 0;
    stack->cut = stack->n == 0;
    /* A frame of the leaf end that is linked again is in both: there they meet, and nothing is in doubt. */
    for (uint32_t i = 0; i < stack->n && keep == stack->n; i++)
        for (uint32_t j = 0; j < base->n; j++)
            if (base->frames[j].address == stack->frames[i].address &&
                base->frames[j].code == stack->frames[i].code) {
                keep = i;
                from = j;
                break;
            }
    stack->joint = keep == stack->n ? keep : 0;
    uint32_t more = base->n - from;
    if (more > max_frames - keep)
        more = max_frames - keep;
    memcpy(stack->frames + keep, base->frames + from, more * sizeof *base->frames);
    stack->n = keep + more;
    stack->end = from + more == base->n ? base->end : VG_RAW_TRUNCATED;
}

void vg_mend(struct vg_reader *reader, const struct vg_thread_ref *thread, uint32_t max_frames,
             struct vg_raw_stack *stack)
{
    struct vg_raw_stack *base = &reader->base;
    if (is_sound(reader, stack))
        return;
    trim(reader, stack);
    for (unsigned look = 0; look < LOOKS; look++) {
        if (vg_walk(reader, thread, max_frames, base) != VG_OK)
            return;
        if (stack->end == VG_RAW_COMPLETE && base->end == VG_RAW_COMPLETE &&
            root_of(base) == root_of(stack) && !is_resumed(stack))
            return; /* it is the root after all */
        if (is_sound(reader, base))
            break;
        base->n = 0;
    }
    if (base->n == 0)
        still_linked(reader, base);
    if (base->n > 0)
        join(stack, base, max_frames);
}
