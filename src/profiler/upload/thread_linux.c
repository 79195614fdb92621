#include "profiler/upload/thread.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOKS    2000
#define PAUSE_NS 50000

int32_t vg_thread_id(void)
{
    return (int32_t)syscall(SYS_gettid);
}

void vg_thread_wait_gone(int32_t thread_id)
{
    struct timespec pause = {.tv_nsec = PAUSE_NS};

    /* Signal 0 is not sent, only whether there is somebody to get it is found out. The kernel takes a thread
     * off the count and off its table under one lock. */
    for (int i = 0; i < LOOKS; i++) {
        if (syscall(SYS_tgkill, getpid(), thread_id, 0) != 0 && errno == ESRCH)
            return;
        nanosleep(&pause, NULL);
    }
}
