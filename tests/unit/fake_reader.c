/* See fake_reader.h. */
#include "fake_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY 64u

struct fake_reader fake;

void fake_reader_reset(void)
{
    memset(&fake, 0, sizeof fake);
    fake.is_complete = true;
}

void fake_add_code(uintptr_t address, const char *name, uint32_t frame_bytes, int32_t first_traceable_bytes)
{
    fake.codes[fake.n_codes] = (struct fake_code){address,        name,
                                                  "/app/main.py", (int32_t)(100 * (fake.n_codes + 1)),
                                                  frame_bytes,    first_traceable_bytes};
    fake.n_codes++;
}

struct vg_raw_frame fake_frame(uintptr_t code, int64_t offset, uintptr_t address, uintptr_t chunk)
{
    return (struct vg_raw_frame){code, code + BODY + (uintptr_t)offset, address, chunk};
}

/* ---- reader.h ---- */

static struct fake_code *find_code(uintptr_t address, struct fake_code *made_up, char name[32])
{
    for (size_t i = 0; i < fake.n_codes; i++)
        if (fake.codes[i].address == address)
            return &fake.codes[i];
    if (address == 0 || address >= fake.made_up_below || address % 16)
        return NULL;
    snprintf(name, 32, "f%zx", (size_t)address);
    *made_up = (struct fake_code){.address = address, .name = name, .file = "/made/up.py", .first_line = 7};
    return made_up;
}

enum vg_err vg_reader_code(struct vg_reader *reader, uintptr_t address, char scratch[VG_CODE_SCRATCH_BYTES],
                           struct vg_code_text *text)
{
    /* Signed lnotab: 10 bytes further is one line further. */
    static const char lines[] = "\x0a\x01\x0a\x01\x0a\x01\x0a\x01\x0a\x01\x0a\x01\x0a\x01\x0a\x01";
    struct fake_code made_up, *code = find_code(address, &made_up, scratch);
    (void)reader;
    fake.code_reads++;
    if (!code)
        return VG_ERR_MALFORMED;
    *text = (struct vg_code_text){
        .name = vg_slice_of(code->name),
        .file = vg_slice_of(code->file),
        .lines = {lines, sizeof lines - 1},
        .first_line = code->first_line,
        .frame_bytes = code->frame_bytes,
        .first_traceable_bytes = code->first_traceable_bytes,
        .body = address + BODY,
    };
    return VG_OK;
}

int64_t vg_reader_instr_offset(const struct vg_raw_frame *frame, uintptr_t body)
{
    return (int64_t)(frame->instr - body);
}

enum vg_linetab_kind vg_reader_linetab(void)
{
    return VG_LINETAB_LNOTAB_SIGNED;
}

void vg_reader_dead_code(struct vg_reader *reader, void (*died)(void *ctx, uintptr_t code),
                         void (*lost_count)(void *ctx), void *ctx)
{
    (void)reader;
    if (fake.has_lost_count)
        lost_count(ctx);
    for (size_t i = 0; i < fake.n_dead; i++)
        died(ctx, fake.dead[i]);
    fake.n_dead = 0;
    fake.has_lost_count = false;
}

size_t vg_reader_threads(struct vg_reader *reader, struct vg_thread_ref *threads, size_t cap, bool *complete)
{
    size_t n = fake.n_threads < cap ? fake.n_threads : cap;
    (void)reader;
    fake.listings++;
    if (n)
        memcpy(threads, fake.threads, n * sizeof *threads);
    *complete = fake.is_complete;
    return n;
}

enum vg_err vg_reader_stack(struct vg_reader *reader, const struct vg_thread_ref *thread, uint32_t max_frames,
                            struct vg_raw_stack *stack)
{
    (void)reader;
    fake.captures++;
    for (size_t i = 0; i < fake.n_threads; i++) {
        const struct fake_stack *found = &fake.stacks[i];
        if (fake.threads[i].tstate != thread->tstate || fake.threads[i].id != thread->id)
            continue;
        if (found->is_gone)
            break;
        stack->n = found->n < max_frames ? found->n : max_frames;
        stack->end = found->n > max_frames ? VG_RAW_TRUNCATED : found->end;
        stack->cut = found->cut;
        memcpy(stack->frames, found->frames, stack->n * sizeof *stack->frames);
        return VG_OK;
    }
    return VG_ERR_NOT_FOUND;
}
