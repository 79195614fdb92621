/* The end of a thread as the kernel sees it, which comes a little after pthread_join.
 *
 * Python 3.12 and later counts the process's threads at fork and warns about more than one in the program's
 * name: a thread that we have joined must not be counted. */
#ifndef VG_PROFILER_UPLOAD_THREAD_H
#define VG_PROFILER_UPLOAD_THREAD_H

#include <stdint.h>

/* The kernel's id of the calling thread. */
int32_t vg_thread_id(void);
/* Waits, for 100 ms at most, until the process has no such thread any more. Some microseconds after a join.
 */
void vg_thread_wait_gone(int32_t thread_id);

#endif
