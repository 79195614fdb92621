/* A window → profile.proto. Any thread that owns the window. */
#ifndef VG_PROFILER_PROFILE_ENCODE_H
#define VG_PROFILER_PROFILE_ENCODE_H

#include "base/buf.h"
#include "profiler/profile/window.h"

/* pprof: plain, appended. internal_json: the counts as members of a JSON object, without braces. */
enum vg_err vg_encode(const struct vg_window *window, struct vg_buf *pprof,
                      struct vg_buf *internal_json) VG_MUST_USE;

#endif
