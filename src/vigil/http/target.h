/* The request target ("/api/v1/tags?q=env%3Aprod") → path and parameters, decoded. Pure; any thread.
 *
 * Refused: broken percent escapes, an encoded slash or NUL, control characters in the path, more than
 * VG_TARGET_MAX_PARAMS parameters. O(length).
 */
#ifndef VG_VIGIL_HTTP_TARGET_H
#define VG_VIGIL_HTTP_TARGET_H

#include "base/err.h"
#include "base/slice.h"

#define VG_TARGET_MAX_PARAMS 64

struct vg_target_param {
    const char *name, *value; /* into the storage; value is "" where there was no "=" */
};

struct vg_target {
    char *storage; /* owned */
    const char *path;
    struct vg_target_param params[VG_TARGET_MAX_PARAMS];
    size_t n_params;
};

/* On VG_ERR_MALFORMED or VG_ERR_LIMIT *why says what (static), the path is "" and there are no parameters.
 * Release it in every case. */
enum vg_err vg_target_init(struct vg_target *target, const char *raw, const char **why) VG_MUST_USE;
void vg_target_release(struct vg_target *target);
const char *vg_target_param(const struct vg_target *target, const char *name);

/* Whether path fits the pattern of a route; *param is what {name} or the trailing * stood for. */
bool vg_target_match(const char *pattern, const char *path, struct vg_slice *param);

#endif
