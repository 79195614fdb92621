/* Sums over the profilers' own numbers, read by jansson. */
#include "vigil/query/internal.h"

#include <jansson.h>

enum { MAX_NAME_BYTES = 64 << 10 };

void vg_internal_init(struct vg_internal *internal, const struct vg_alloc *alloc)
{
    memset(internal->sums, 0, sizeof internal->sums);
    vg_intern_init(&internal->names, VG_INTERNAL_MAX, MAX_NAME_BYTES, alloc);
}

void vg_internal_release(struct vg_internal *internal)
{
    vg_intern_release(&internal->names);
}

static enum vg_err add_number(struct vg_internal *internal, const char *name, const json_t *value)
{
    uint32_t id;
    enum vg_err err = vg_intern_put(&internal->names, vg_slice_of(name), &id);
    if (err)
        return err == VG_ERR_FULL ? VG_OK : err;
    struct vg_internal_sum *sum = &internal->sums[id];
    if (json_is_real(value)) {
        sum->real += json_real_value(value);
        sum->has_real = true;
    } else if (__builtin_add_overflow(sum->whole, (int64_t)json_integer_value(value), &sum->whole)) {
        sum->whole = json_integer_value(value) < 0 ? INT64_MIN : INT64_MAX;
    }
    return VG_OK;
}

enum vg_err vg_internal_add(struct vg_internal *internal, struct vg_slice json)
{
    if (json.len == 0)
        return VG_OK;
    json_t *object = json_loadb(json.data, json.len, 0, NULL);
    enum vg_err err = VG_OK;
    for (void *at = json_object_iter(object); at && !err; at = json_object_iter_next(object, at))
        if (json_is_number(json_object_iter_value(at)))
            err = add_number(internal, json_object_iter_key(at), json_object_iter_value(at));
    json_decref(object);
    return err;
}
