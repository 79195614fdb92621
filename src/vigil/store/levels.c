/* Levels: see levels.h. */
#include "vigil/store/levels.h"

#include "base/buf.h"

#define MAX_PROCESSES      ((size_t)1 << 22)
#define MAX_PROCESS_BYTES  ((size_t)128 << 20)
#define MAX_IDENTITY_BYTES ((size_t)1 << 20)

bool vg_level_is(struct vg_slice type)
{
    return vg_slice_equal_text(type, "heap-space") || vg_slice_equal_text(type, "heap-live-samples");
}

int64_t vg_level_weight_ns(int64_t start_ns, int64_t end_ns)
{
    int64_t length_ns;
    return __builtin_sub_overflow(end_ns, start_ns, &length_ns) || length_ns < 1 ? 1 : length_ns;
}

void vg_levels_init(struct vg_levels *levels, const struct vg_alloc *alloc)
{
    *levels = (struct vg_levels){.alloc = alloc};
    vg_intern_init(&levels->processes, MAX_PROCESSES, MAX_PROCESS_BYTES, alloc);
}

void vg_levels_release(struct vg_levels *levels)
{
    vg_intern_release(&levels->processes);
    vg_alloc_release(levels->alloc, levels->length_ns);
    levels->length_ns = NULL;
    levels->room = 0;
}

/* The bytes that tell a process from others. */
static void identify(struct vg_buf *identity, const struct vg_tag *tags, size_t n_tags)
{
    for (size_t i = 0; i < n_tags; i++) {
        if (vg_slice_equal_text(tags[i].name, "runtime-id")) {
            vg_buf_slice(identity, tags[i].value);
            return;
        }
    }
    for (size_t i = 0; i < n_tags; i++) {
        vg_buf_slice(identity, tags[i].name); /* control characters occur in neither */
        vg_buf_byte(identity, '\0');
        vg_buf_slice(identity, tags[i].value);
        vg_buf_byte(identity, '\0');
    }
}

enum vg_err vg_levels_process(struct vg_levels *levels, const struct vg_tag *tags, size_t n_tags,
                              uint32_t *process)
{
    struct vg_buf identity;
    vg_buf_init(&identity, MAX_IDENTITY_BYTES, levels->alloc);
    identify(&identity, tags, n_tags);
    uint32_t id = 0;
    enum vg_err err = identity.err;
    if (!err)
        err = vg_intern_put(&levels->processes, vg_buf_as_slice(&identity), &id);
    vg_buf_release(&identity);
    if (!err && id >= levels->room) {
        size_t room = levels->room ? levels->room * 2 : 64;
        int64_t *wider = vg_alloc_resize(levels->alloc, levels->length_ns, room * sizeof *wider);
        if (!wider)
            return VG_ERR_NOMEM;
        memset(wider + levels->room, 0, (room - levels->room) * sizeof *wider);
        levels->length_ns = wider;
        levels->room = room;
    }
    if (!err)
        *process = id;
    return err;
}

void vg_levels_add(struct vg_levels *levels, uint32_t process, int64_t weight_ns)
{
    int64_t *length_ns = &levels->length_ns[process];
    if (__builtin_add_overflow(*length_ns, weight_ns, length_ns))
        *length_ns = INT64_MAX;
}

double vg_levels_share(const struct vg_levels *levels, uint32_t process, int64_t weight_ns)
{
    return (double)weight_ns / (double)levels->length_ns[process];
}
