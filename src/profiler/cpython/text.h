/* Reading text and bytes objects that may die while we read: copies, bounded, never faulting. */
#ifndef VG_PROFILER_CPYTHON_TEXT_H
#define VG_PROFILER_CPYTHON_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

/* The text of a str (2.7: bytes) object as valid UTF-8 into out; longer text is cut at a character.
 * VG_ERR_MALFORMED: there is no such object at that address. */
enum vg_err vg_text_copy(uintptr_t object, char *out, size_t out_bytes, struct vg_slice *text) VG_MUST_USE;

/* The contents of a bytes (2.7: str) object; what is longer than out is refused as VG_ERR_LIMIT. */
enum vg_err vg_bytes_copy(uintptr_t object, char *out, size_t out_bytes, struct vg_slice *bytes) VG_MUST_USE;

#endif
