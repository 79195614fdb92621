/* Glob patterns: `*` any run of characters, `?` one character (of UTF-8, not one byte), `\` takes the next
 * byte as it is.
 *
 * Only the last star is ever retried, so a match costs at most O(text × pattern): linear in the text, since
 * whoever compiles patterns bounds them. A pure function; any thread.
 */
#ifndef VG_VIGIL_QUERY_GLOB_H
#define VG_VIGIL_QUERY_GLOB_H

#include "base/slice.h"

bool vg_glob_match(struct vg_slice pattern, struct vg_slice text);

#endif
