/* Foreign text → text we keep: valid UTF-8 without control characters, of bounded length. Pure; any thread.
 * O(length). */
#ifndef VG_VIGIL_MODEL_TEXT_H
#define VG_VIGIL_MODEL_TEXT_H

#include "base/buf.h"
#include "base/slice.h"

/* Control characters become spaces, each bad byte U+FFFD; what is longer than limit_bytes is cut at a
 * character and ends in "…" (limit_bytes ≥ 8). *clean is `text` itself where nothing had to be done, else it
 * lies in scratch. */
enum vg_err vg_text_clean(struct vg_slice text, size_t limit_bytes, struct vg_buf *scratch,
                          struct vg_slice *clean) VG_MUST_USE;

#endif
