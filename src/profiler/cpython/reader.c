/* See reader.h. Opening, the list of threads, code objects; the walks are in walk_*.c, the proof in
 * selfcheck.c. */
#include <Python.h>

#include <stdlib.h>

#include "profiler/cpython/deaths.h"
#include "profiler/cpython/ranges.h"
#include "profiler/cpython/selfcheck.h"
#include "profiler/cpython/text.h"
#include "profiler/cpython/walk.h"

/* frameobject.h is not on every version's public path. */
extern PyTypeObject PyFrame_Type;

#define MAX_NAME_BYTES  1024u
#define MAX_FILE_BYTES  4096u
#define MAX_LINES_BYTES (VG_CODE_SCRATCH_BYTES - MAX_NAME_BYTES - MAX_FILE_BYTES)
#define CODE_MAX_BYTES  512u

/* Data-stack chunks that threads got before the arena allocator was hooked. */
static void add_known_chunks(uintptr_t interp)
{
    uintptr_t tstate = 0;
    if (vg_layout.tstate_chunk == VG_ABSENT ||
        vg_os_read(interp + vg_layout.interp_threads, &tstate, sizeof tstate) != VG_OK)
        return;
    while (tstate) {
        /* previous, size: the first two words of a chunk in every version that has them. */
        uintptr_t chunk[2], at = *(const uintptr_t *)(tstate + vg_layout.tstate_chunk);
        while (at && vg_os_read(at, chunk, sizeof chunk) == VG_OK) {
            vg_ranges_add(at, chunk[1]);
            at = chunk[0];
        }
        tstate = *(const uintptr_t *)(tstate + vg_layout.tstate_next);
    }
}

enum vg_err vg_reader_open(struct vg_reader **out, const char **why)
{
    if (vg_layout.walk == VG_WALK_NONE) {
        *why = "this version of Python is not supported";
        return VG_ERR_UNSUPPORTED;
    }
    if (vg_layout.tstate_bytes > VG_TSTATE_MAX_BYTES || vg_layout.frame_bytes > VG_FRAME_MAX_BYTES ||
        vg_layout.code_bytes > CODE_MAX_BYTES) {
        *why = "this build of Python has structures larger than expected";
        return VG_ERR_UNSUPPORTED;
    }
    struct vg_reader *reader = calloc(1, sizeof *reader);
    if (!reader) {
        *why = "out of memory";
        return VG_ERR_NOMEM;
    }
    reader->interp = (uintptr_t)PyThreadState_Get()->interp;
    reader->frame_type = (uintptr_t)&PyFrame_Type;
    reader->code_type = (uintptr_t)&PyCode_Type;
    enum vg_err err = VG_OK;
    if (vg_layout.tstate_native_id == VG_ABSENT) {
        err = vg_os_thread_id_offset(&reader->ident_to_id);
        *why = "the kernel's thread ids could not be found";
    }
    if (err == VG_OK) {
        if (vg_layout.walk == VG_WALK_INTERP)
            vg_ranges_hook();
        add_known_chunks(reader->interp);
        vg_deaths_hook();
        err = vg_selfcheck(reader, why);
    }
    if (err != VG_OK) {
        free(reader);
        return err;
    }
    *out = reader;
    return VG_OK;
}

void vg_reader_close(struct vg_reader *reader)
{
    free(reader);
}

/* ---- threads ---- */

static bool read_head(const struct vg_reader *reader, uintptr_t *head, uint64_t *next_id)
{
    *next_id = 0;
    if (vg_os_read(reader->interp + vg_layout.interp_threads, head, sizeof *head) != VG_OK)
        return false;
    return vg_layout.interp_next_id == VG_ABSENT ||
           vg_os_read(reader->interp + vg_layout.interp_next_id, next_id, sizeof *next_id) == VG_OK;
}

bool vg_reader_threads_changed(struct vg_reader *reader)
{
    uintptr_t head;
    uint64_t next_id;
    return read_head(reader, &head, &next_id) &&
           (head != reader->seen_head || next_id != reader->seen_next_id);
}

static int32_t kernel_id(const struct vg_reader *reader, const char *tstate)
{
    int32_t id = 0;
    if (vg_layout.tstate_native_id != VG_ABSENT)
        return vg_field_int(tstate, vg_layout.tstate_native_id);
    uintptr_t ident = vg_field_pointer(tstate, vg_layout.tstate_ident);
    return ident && vg_os_read(ident + reader->ident_to_id, &id, sizeof id) == VG_OK ? id : 0;
}

static uint64_t tstate_id(const char *tstate)
{
    return vg_layout.tstate_id == VG_ABSENT ? 0 : vg_field_u64(tstate, vg_layout.tstate_id);
}

size_t vg_reader_threads(struct vg_reader *reader, struct vg_thread_ref *threads, size_t cap, bool *complete)
{
    char tstate[VG_TSTATE_MAX_BYTES];
    uintptr_t head, head_after, at;
    uint64_t next_id, next_id_after;
    size_t n = 0;
    *complete = false;
    if (!read_head(reader, &head, &next_id))
        return 0;
    for (at = head; at && n < cap; at = vg_field_pointer(tstate, vg_layout.tstate_next)) {
        if (vg_os_read(at, tstate, vg_layout.tstate_bytes) != VG_OK ||
            vg_field_pointer(tstate, vg_layout.tstate_interp) != reader->interp)
            break; /* freed under us */
        threads[n++] =
            (struct vg_thread_ref){at, tstate_id(tstate), vg_field_pointer(tstate, vg_layout.tstate_ident),
                                   kernel_id(reader, tstate)};
    }
    *complete = (at == 0 || n == cap) && read_head(reader, &head_after, &next_id_after) &&
                head_after == head && next_id_after == next_id;
    if (*complete) {
        reader->seen_head = head;
        reader->seen_next_id = next_id;
    }
    return n;
}

bool vg_tstate_is(const struct vg_reader *reader, const char *tstate, const struct vg_thread_ref *thread)
{
    return vg_field_pointer(tstate, vg_layout.tstate_interp) == reader->interp &&
           tstate_id(tstate) == thread->id &&
           vg_field_pointer(tstate, vg_layout.tstate_ident) == thread->ident;
}

enum vg_err vg_reader_stack(struct vg_reader *reader, const struct vg_thread_ref *thread, uint32_t max_frames,
                            struct vg_raw_stack *stack)
{
    struct vg_raw_stack *before = &reader->before;
    if (max_frames > VG_MAX_FRAMES)
        max_frames = VG_MAX_FRAMES;
    before->n = stack->n;
    before->end = stack->end;
    if (stack->n)
        memcpy(before->frames, stack->frames, stack->n * sizeof *stack->frames);
    enum vg_err err = vg_walk(reader, thread, max_frames, stack);
    if (err == VG_OK)
        vg_mend(reader, thread, max_frames, stack);
    return err;
}

/* ---- code ---- */

void vg_reader_dead_code(struct vg_reader *reader, void (*died)(void *ctx, uintptr_t code),
                         void (*lost_count)(void *ctx), void *ctx)
{
    (void)reader;
    vg_deaths_drain(died, lost_count, ctx);
}

static uint32_t frame_bytes_of(const char *code)
{
    int64_t words = 0;
    if (vg_layout.code_frame_words != VG_ABSENT)
        words = vg_field_int(code, vg_layout.code_frame_words);
    else if (vg_layout.code_locals != VG_ABSENT)
        words = (int64_t)vg_field_int(code, vg_layout.code_locals) +
                vg_field_int(code, vg_layout.code_stack) + vg_layout.frame_fixed_words;
    return words > 0 && words < (1 << 24) ? (uint32_t)words * sizeof(void *) : 0;
}

enum vg_err vg_reader_code(struct vg_reader *reader, uintptr_t address, char scratch[VG_CODE_SCRATCH_BYTES],
                           struct vg_code_text *text)
{
    char code[CODE_MAX_BYTES];
    struct vg_code_text found = {0};
    if (address == 0 || address % sizeof(void *) ||
        vg_os_read(address, code, vg_layout.code_bytes) != VG_OK ||
        vg_field_pointer(code, sizeof(void *)) != reader->code_type)
        return VG_ERR_MALFORMED;
    uint32_t name = vg_layout.code_qualname != VG_ABSENT ? vg_layout.code_qualname : vg_layout.code_name;
    char *file_out = scratch + MAX_NAME_BYTES, *lines_out = file_out + MAX_FILE_BYTES;
    if (vg_text_copy(vg_field_pointer(code, name), scratch, MAX_NAME_BYTES, &found.name) != VG_OK ||
        vg_text_copy(vg_field_pointer(code, vg_layout.code_file), file_out, MAX_FILE_BYTES, &found.file) !=
            VG_OK)
        return VG_ERR_MALFORMED;
    enum vg_err err =
        vg_bytes_copy(vg_field_pointer(code, vg_layout.code_lines), lines_out, MAX_LINES_BYTES, &found.lines);
    if (err == VG_ERR_MALFORMED)
        return err; /* a table beyond the limit only costs the line numbers of a function with some 30,000
                       lines */
    found.first_line = vg_field_int(code, vg_layout.code_first_line);
    found.frame_bytes = frame_bytes_of(code);
    if (vg_layout.code_first_traceable != VG_ABSENT)
        found.first_traceable_bytes = 2 * vg_field_int(code, vg_layout.code_first_traceable);
    if (vg_layout.code_body != VG_ABSENT)
        found.body = address + vg_layout.code_body;
    *text = found;
    return VG_OK;
}

int64_t vg_reader_instr_offset(const struct vg_raw_frame *frame, uintptr_t body)
{
    switch (vg_layout.instr) {
    case VG_INSTR_POINTER:
        return (int64_t)(frame->instr - body);
    case VG_INSTR_UNITS:
        return 2 * (int64_t)(intptr_t)frame->instr;
    default:
        return (int64_t)(intptr_t)frame->instr;
    }
}

enum vg_linetab_kind vg_reader_linetab(void)
{
    return vg_layout.linetab;
}
