/* close_range(2) with CLOSE_RANGE_UNSHARE (Linux 5.9) copies nothing and closes nothing of the host's: the
 * thread leaves the common table for a new one. By number, as the C library may be older than the kernel. */
#include "profiler/os/descriptors.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef SYS_close_range
#define CLOSE_RANGE_CALL SYS_close_range
#else
#define CLOSE_RANGE_CALL                                                                                     \
    436 /* the same on every architecture since 5.9 but alpha, where the call then fails */
#endif
#define UNSHARE_TABLE 2u

bool vg_descriptors_own(void)
{
    int fd;

    if (syscall(CLOSE_RANGE_CALL, 0u, ~0u, UNSHARE_TABLE) != 0)
        return false;
    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd < STDERR_FILENO);
    return true;
}
