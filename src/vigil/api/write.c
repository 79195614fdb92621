/* Shared pieces of answers. */
#include "vigil/api/write.h"

void vg_api_write_field(struct vg_json *json, const char *key, struct vg_slice text)
{
    vg_json_key(json, key);
    vg_json_string(json, text);
}

void vg_api_write_type(struct vg_json *json, struct vg_slice name, struct vg_slice unit, int64_t total)
{
    vg_json_object(json);
    vg_api_write_field(json, "name", name);
    vg_api_write_field(json, "unit", unit);
    vg_json_key(json, "total");
    vg_json_int(json, total);
    vg_json_object_end(json);
}

void vg_api_write_totals(struct vg_json *json, const struct vg_total *types, size_t n)
{
    vg_json_key(json, "types");
    vg_json_array(json);
    for (size_t i = 0; i < n; i++)
        vg_api_write_type(json, types[i].name, types[i].unit, types[i].total);
    vg_json_array_end(json);
}
