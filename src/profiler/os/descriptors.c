#include "profiler/os/descriptors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct vg_descriptor vg_descriptor_take(int fd)
{
    struct stat st;

    if (fd >= 0 && fd <= STDERR_FILENO) {
        int low = fd;
        fd = fcntl(low, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        close(low);
    }
    if (fd < 0)
        return VG_DESCRIPTOR_NONE;
    if (fstat(fd, &st) != 0) {
        close(fd);
        return VG_DESCRIPTOR_NONE;
    }
    return (struct vg_descriptor){fd, st.st_dev, st.st_ino};
}

bool vg_descriptor_valid(const struct vg_descriptor *held)
{
    struct stat st;

    return held->fd >= 0 && fstat(held->fd, &st) == 0 && st.st_dev == held->device &&
           st.st_ino == held->inode;
}

void vg_descriptor_close(struct vg_descriptor *held)
{
    if (vg_descriptor_valid(held))
        close(held->fd);
    *held = VG_DESCRIPTOR_NONE;
}
