/* The embedded store: one SQLite file per day in one directory, which one process owns at a time.
 *
 * The directory holds `vigil-store` (what it is, its format; locked while in use) and the blocks. What is
 * where, and why: docs/internals/store.md. This file opens and closes; see sqlite.h for the rest.
 */
#include "vigil/store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARKER_NAME "vigil-store"
/* A day's file goes on in a new part beyond this, so that the bound on disk space is held by small steps. */
#define PART_BYTES_MAX (INT64_C(4) << 30)
#define PART_BYTES_MIN (INT64_C(1) << 20)

/* ---- the directory ---- */

/* Makes what is missing of a path; a directory made is synced into its parent. */
static enum vg_err make_directories(char *path)
{
    for (char *at = path + 1;; at++) {
        char old = *at;
        if (old != '/' && old != '\0')
            continue;
        *at = '\0';
        bool is_made = mkdir(path, 0700) == 0;
        if (!is_made && errno != EEXIST) {
            *at = old;
            return VG_ERR_IO;
        }
        if (is_made) {
            char parent[4096];
            snprintf(parent, sizeof parent, "%s/..", path);
            int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (fd >= 0) {
                fsync(fd); /* where it fails, so will the block's own sync */
                close(fd);
            }
        }
        *at = old;
        if (old == '\0')
            return VG_OK;
    }
}

/* The marker's number, 0 for an empty one (a crash while it was made), −1 for something else. */
static long read_marker(int fd)
{
    char text[64] = "";
    int format = 0;
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    if (n == 0)
        return 0;
    return n > 0 && sscanf(text, "vigil store, format %d", &format) == 1 && format > 0 ? format : -1;
}

static enum vg_err write_marker(struct vg_sqlite_store *store)
{
    char text[64];
    int n = snprintf(text, sizeof text, "vigil store, format %d\n", VG_STORE_FORMAT);
    if (pwrite(store->lock_fd, text, (size_t)n, 0) != n || fsync(store->lock_fd) != 0)
        return errno == ENOSPC ? VG_ERR_FULL : VG_ERR_IO;
    return vg_directory_sync(store);
}

static enum vg_err lock_directory(struct vg_sqlite_store *store, char why[256])
{
    const char *directory = store->config.directory;
    store->directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->directory_fd >= 0)
        store->lock_fd =
            openat(store->directory_fd, MARKER_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (store->lock_fd < 0) {
        snprintf(why, 256, "cannot open the data directory %s: %s", directory, strerror(errno));
        return VG_ERR_IO;
    }
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        snprintf(why, 256,
                 "another vigil is using the data directory %s: stop it, or name another with --data",
                 directory);
        return VG_ERR_EXISTS;
    }
    long format = read_marker(store->lock_fd);
    if (format < 0) {
        snprintf(why, 256, "%s/%s is not ours: this is not a data directory of vigil", directory,
                 MARKER_NAME);
        return VG_ERR_UNSUPPORTED;
    }
    if (format > VG_STORE_FORMAT) {
        snprintf(why, 256,
                 "%s was written by a newer vigil (format %ld, this one knows up to %d): start that one",
                 directory, format, VG_STORE_FORMAT);
        return VG_ERR_UNSUPPORTED;
    }
    enum vg_err err = format == 0 ? write_marker(store) : VG_OK;
    if (err)
        snprintf(why, 256, "cannot write into the data directory %s: %s", directory,
                 err == VG_ERR_FULL ? "the disk is full" : strerror(errno));
    return err;
}

/* ---- open and free ---- */

static void idle(void *ctx)
{
    vg_sweep(ctx);
}

static const struct vg_writer_ops writer_ops = {.commit = vg_sqlite_commit, .idle = idle};

static void release(struct vg_sqlite_store *store)
{
    const struct vg_alloc *alloc = store->config.alloc;
    vg_sqlite_close_writers(store);
    vg_blocks_release(store);
    vg_coder_release(&store->coder);
    vg_lock_release(&store->lock);
    if (store->directory_fd >= 0)
        close(store->directory_fd);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    vg_alloc_release(alloc, (char *)store->config.directory);
    vg_alloc_release(alloc, store);
}

static void sqlite_free(struct vg_store *base)
{
    struct vg_sqlite_store *store = (struct vg_sqlite_store *)base;
    vg_writer_release(&store->writer);
    release(store);
}

static enum vg_err sqlite_put(struct vg_store *base, struct vg_profile *profile, vg_store_done *done,
                              void *ctx)
{
    return vg_writer_put(&((struct vg_sqlite_store *)base)->writer, profile, done, ctx);
}

static void sqlite_get_stats(struct vg_store *base, struct vg_store_stats *stats)
{
    struct vg_sqlite_store *store = (struct vg_sqlite_store *)base;
    uint64_t queued, refused;
    vg_writer_get_stats(&store->writer, &queued, &refused);
    vg_lock_take(&store->lock);
    *stats = store->stats;
    for (size_t i = 0; i < store->n_blocks; i++) {
        if (store->blocks[i]->is_retired)
            continue;
        stats->blocks++;
        stats->profiles += store->blocks[i]->summary.profiles;
        stats->stored_bytes += (uint64_t)store->blocks[i]->file_bytes;
    }
    vg_lock_give(&store->lock);
    stats->queued = queued;
    stats->refused += refused;
}

static const struct vg_store_ops ops = {
    .free = sqlite_free,
    .put = sqlite_put,
    .list = vg_sqlite_list,
    .merge = vg_sqlite_merge,
    .get = vg_sqlite_get,
    .get_stats = sqlite_get_stats,
};

static int64_t part_bytes_for(int64_t max_disk_bytes)
{
    int64_t bytes = max_disk_bytes ? max_disk_bytes / 8 : PART_BYTES_MAX;
    return bytes > PART_BYTES_MAX ? PART_BYTES_MAX : bytes < PART_BYTES_MIN ? PART_BYTES_MIN : bytes;
}

static enum vg_err sqlite_new(const struct vg_store_config *config, struct vg_sqlite_store **store)
{
    size_t len = strlen(config->directory);
    struct vg_sqlite_store *made = vg_alloc_zeroed(config->alloc, 1, sizeof *made);
    char *directory = vg_alloc_zeroed(config->alloc, len + 1, 1);
    if (!made || !directory) {
        vg_alloc_release(config->alloc, made);
        vg_alloc_release(config->alloc, directory);
        return VG_ERR_NOMEM;
    }
    memcpy(directory, config->directory, len);
    made->base.ops = &ops;
    made->config = *config;
    made->config.directory = directory;
    made->directory_fd = made->lock_fd = -1;
    made->part_bytes = part_bytes_for(config->max_disk_bytes);
    vg_lock_init(&made->lock, VG_RANK_BLOCK);
    TAILQ_INIT(&made->dicts);
    vg_coder_init(&made->coder, config->alloc);
    *store = made;
    return VG_OK;
}

enum vg_err vg_store_open_sqlite(const struct vg_store_config *config, struct vg_store **store, char why[256])
{
    struct vg_sqlite_store *made;
    snprintf(why, 256, "no memory");
    if (!config->directory || !config->directory[0]) {
        snprintf(why, 256, "no data directory is named");
        return VG_ERR_UNSUPPORTED;
    }
    enum vg_err err = sqlite_new(config, &made);
    if (err)
        return err;
    err = make_directories((char *)made->config.directory);
    if (err)
        snprintf(why, 256, "cannot make the data directory %s: %s", config->directory, strerror(errno));
    if (!err)
        err = lock_directory(made, why);
    if (!err)
        err = vg_blocks_scan(made, why);
    if (!err) {
        vg_sweep(made);
        err = vg_writer_init(&made->writer, config, &writer_ops, made);
    }
    if (err) {
        release(made);
        return err;
    }
    why[0] = '\0';
    *store = &made->base;
    return VG_OK;
}
