/* Pieces of JSON that more than one resource shows. */
#ifndef VG_VIGIL_API_WRITE_H
#define VG_VIGIL_API_WRITE_H

#include "vigil/query/json.h"
#include "vigil/query/totals.h"

/* {"name","unit","total"} */
void vg_api_write_type(struct vg_json *json, struct vg_slice name, struct vg_slice unit, int64_t total);
/* "types":[…] */
void vg_api_write_totals(struct vg_json *json, const struct vg_total *types, size_t n);
/* "key":"text" */
void vg_api_write_field(struct vg_json *json, const char *key, struct vg_slice text);

#endif
