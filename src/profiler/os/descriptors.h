/* Descriptors inside somebody else's process.
 *
 * A host may close every number from 3 up, as daemons do, and open files of its own under the same numbers:
 * what we then write would go into them. So our threads take a table of descriptors of their own where the
 * kernel can give one (then nobody's numbers meet), and everywhere each use asks first whether the number
 * still is what we opened. */
#ifndef VG_PROFILER_OS_DESCRIPTORS_H
#define VG_PROFILER_OS_DESCRIPTORS_H

#include <stdbool.h>
#include <sys/types.h>

/* An open descriptor and the identity of what it was when we opened it. */
struct vg_descriptor {
    int fd; /* -1: none */
    dev_t device;
    ino_t inode;
};

#define VG_DESCRIPTOR_NONE ((struct vg_descriptor){.fd = -1})

/* Gives the calling thread an empty table of its own, with /dev/null as 0, 1 and 2, so that stray output of
 * this thread never reaches a socket. False: the kernel has no such call, and the table stays shared. Own
 * threads only. */
bool vg_descriptors_own(void);

/* Takes fd (close-on-exec already set), and moves it above 2: the host may have closed its standard streams.
 * fd -1 or a failure gives VG_DESCRIPTOR_NONE. */
struct vg_descriptor vg_descriptor_take(int fd);
/* Whether it still is what was taken. */
bool vg_descriptor_valid(const struct vg_descriptor *held);
/* Closes it where it still is ours. */
void vg_descriptor_close(struct vg_descriptor *held);

#endif
