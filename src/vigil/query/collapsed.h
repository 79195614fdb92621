/* Flame tree → collapsed stacks, the text that other flame graph tools read.
 *
 * A line a node that spends something itself: frames from the root on as `function (path:line)` joined by
 * `;`, a space, the value. Line is the function's first. A `;` in a name becomes `:`, control characters (C0,
 * DEL, C1, the Unicode line and paragraph separators) become spaces, so that every line is one stack. A
 * function without file and line is its name alone; what has no frames at all is `(no frames)`. O(output).
 * The flame must not be pruned.
 */
#ifndef VG_VIGIL_QUERY_COLLAPSED_H
#define VG_VIGIL_QUERY_COLLAPSED_H

#include "base/buf.h"
#include "vigil/query/flame.h"

enum vg_err vg_collapsed_write(const struct vg_flame *flame, const struct vg_merged *merged,
                               struct vg_buf *out) VG_MUST_USE;

#endif
