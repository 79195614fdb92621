/* See resolve.h.
 *
 * A thread that runs while it is read may return from the leaf and call something else into the same memory,
 * so that the capture joins frames that never called one another. What can be seen of that, from the root to
 * the leaf:
 *   - a frame whose code object is none (freed, or never set up);
 *   - on the data stack frames lie one behind the other: a caller must end where its callee begins.
 * The stack is cut at the first of them, and the rest towards the leaf is left out. Dropping or repeating the
 * sample instead would favour functions that run long without a call. An instruction that is not of its code
 * is no contradiction: the function was called from there, and only its line is not known (symbols.c).
 */
#include "profiler/stacks/resolve.h"

/* Whether `callee`, nearer the leaf, can stand on `caller`, both in the same chunk of the data stack. */
static bool can_stand_on(const struct vg_raw_frame *callee, const struct vg_raw_frame *caller,
                         uint32_t caller_bytes)
{
    return caller_bytes == 0 || caller->address + caller_bytes == callee->address;
}

/* How far from the joint the caller is looked for: it may have called something else before the second look.
 */
#define MAX_SKIPPED 4u

/* Whether `callee`, the last frame before the joint, is known to be called by a frame just behind it. */
static bool find_caller(struct vg_resolver *resolver, const struct vg_symbols *symbols,
                        const struct vg_raw_stack *raw, uint32_t callee)
{
    for (uint32_t i = raw->joint; i < raw->n && i <= raw->joint + MAX_SKIPPED; i++)
        if (vg_symbols_knows_call(symbols, resolver->codes[i], callee)) {
            resolver->skip_from = raw->joint;
            resolver->skip_to = i;
            return true;
        }
    return false;
}

/* Calls that were read in one piece prove the joints of later stacks. On the data stack nothing comes apart.
 */
static void learn_calls(const struct vg_resolver *resolver, struct vg_symbols *symbols,
                        const struct vg_raw_stack *raw)
{
    for (uint32_t i = 0; i + 1 < raw->n; i++)
        if (raw->frames[i].chunk == 0)
            vg_symbols_learn_call(symbols, resolver->codes[i + 1], resolver->codes[i]);
}

/* The frame nearest to the root that is sound together with all below it: frames[result …] are. */
static uint32_t first_sound(struct vg_resolver *resolver, struct vg_symbols *symbols,
                            const struct vg_raw_stack *raw)
{
    const struct vg_raw_frame *below = NULL; /* the last one in a chunk */
    uint32_t below_bytes = 0;
    for (uint32_t i = raw->n; i > 0; i--) {
        const struct vg_raw_frame *frame = &raw->frames[i - 1];
        uint32_t code;
        enum vg_err err = vg_symbols_learn(symbols, resolver->reader, frame->code, resolver->scratch, &code);
        if (err == VG_ERR_FULL || err == VG_ERR_NOMEM) {
            resolver->codes[i - 1] = VG_LOCATION_OVERFLOW;
            below = NULL;
            continue;
        }
        if (err != VG_OK)
            return i;
        if (i == raw->joint) {
            if (!find_caller(resolver, symbols, raw, code))
                return i;
            below = NULL;
        }
        if (frame->chunk && below && below->chunk == frame->chunk && !can_stand_on(frame, below, below_bytes))
            return i;
        resolver->codes[i - 1] = code;
        if (frame->chunk) {
            below = frame;
            below_bytes = vg_symbols_code(symbols, code)->frame_bytes;
        }
    }
    return 0;
}

void vg_resolve(struct vg_resolver *resolver, struct vg_symbols *symbols, const struct vg_raw_stack *raw,
                struct vg_resolved *resolved)
{
    resolver->skip_from = resolver->skip_to = 0;
    uint32_t from = raw->end == VG_RAW_BROKEN ? raw->n : first_sound(resolver, symbols, raw);
    if (from == 0 && raw->joint == 0 && !raw->cut)
        learn_calls(resolver, symbols, raw);
    resolved->n = 0;
    resolved->is_joined = raw->joint > from;
    resolved->is_cut = raw->cut || from > 0 || raw->end == VG_RAW_BROKEN;
    resolved->is_truncated = raw->end == VG_RAW_TRUNCATED;
    for (uint32_t i = from; i < raw->n; i++) {
        uint32_t code = resolver->codes[i];
        if (i >= resolver->skip_from && i < resolver->skip_to)
            continue;
        if (code == VG_LOCATION_OVERFLOW) {
            resolved->locations[resolved->n++] = VG_LOCATION_OVERFLOW;
            continue;
        }
        const struct vg_code *entry = vg_symbols_code(symbols, code);
        int64_t offset = vg_reader_instr_offset(&raw->frames[i], entry->body);
        if (entry->first_traceable_bytes > 0 && offset < entry->first_traceable_bytes)
            continue; /* still being set up, or a shim of the interpreter's: nobody's code */
        resolved->locations[resolved->n++] = vg_symbols_locate(symbols, code, offset);
    }
    if (resolved->is_truncated && resolved->n > 0)
        resolved->locations[resolved->n++] = VG_LOCATION_TRUNCATED;
    if (resolved->n == 0)
        resolved->locations[resolved->n++] =
            resolved->is_cut ? VG_LOCATION_UNREADABLE : VG_LOCATION_NO_PYTHON;
}
