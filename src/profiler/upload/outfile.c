#include "profiler/upload/outfile.h"

#include "profiler/os/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static enum vg_err write_all(const struct vg_descriptor *file, struct vg_slice data)
{
    while (data.len) {
        ssize_t n;
        if (!vg_descriptor_valid(file))
            return VG_ERR_IO;
        n = write(file->fd, data.data, data.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return VG_ERR_IO;
        data = (struct vg_slice){data.data + n, data.len - (size_t)n};
    }
    return VG_OK;
}

enum vg_err vg_outfile_write(const char *prefix, uint64_t seq, struct vg_slice pprof_gz)
{
    char name[PATH_MAX];
    char temporary[PATH_MAX];
    int len = snprintf(name, sizeof(name), "%s.%ld.%" PRIu64 ".pprof", prefix, (long)getpid(), seq);
    int temporary_len =
        snprintf(temporary, sizeof(temporary), "%s.%ld.%" PRIu64 ".part", prefix, (long)getpid(), seq);
    struct vg_descriptor file;
    enum vg_err err;

    if (len < 0 || (size_t)len >= sizeof(name) || temporary_len < 0 ||
        (size_t)temporary_len >= sizeof(temporary))
        return VG_ERR_LIMIT;
    file = vg_descriptor_take(open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (file.fd < 0)
        return VG_ERR_IO;
    err = write_all(&file, pprof_gz);
    vg_descriptor_close(&file);
    if (!err && rename(temporary, name) != 0)
        err = VG_ERR_IO;
    if (err)
        unlink(temporary);
    return err;
}
