/* The proof that we read what is there. Inside cpython/ only. */
#ifndef VG_PROFILER_CPYTHON_SELFCHECK_H
#define VG_PROFILER_CPYTHON_SELFCHECK_H

#include "base/err.h"

struct vg_reader;

/* GIL held, called by Python code. Reads the caller's own stack, thread and code raw and compares all of it
 * with what the official API says. VG_ERR_UNSUPPORTED with *why, a static sentence, where they differ. */
enum vg_err vg_selfcheck(struct vg_reader *reader, const char **why) VG_MUST_USE;

#endif
