/* DD_PROFILING_OUTPUT_PPROF: each profile as a file PREFIX.PID.SEQ.pprof, whole or not there at all. Any
 * thread. */
#ifndef VG_PROFILER_UPLOAD_OUTFILE_H
#define VG_PROFILER_UPLOAD_OUTFILE_H

#include "base/err.h"
#include "base/slice.h"

/* Not synced to disk: it is for people, not for the record. VG_ERR_IO, VG_ERR_LIMIT (the name). */
enum vg_err vg_outfile_write(const char *prefix, uint64_t seq, struct vg_slice pprof_gz) VG_MUST_USE;

#endif
