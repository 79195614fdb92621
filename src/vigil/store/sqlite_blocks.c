/* The directory of blocks: which there are, who uses them, what becomes of them. The directory itself is the
 * catalogue; nothing repeats on disk what the blocks say.
 *
 * A block that is retired stays until its last user has gone: no reader loses a file under its feet.
 */
#include "vigil/store/sqlite.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define IDLE_READERS_MAX ((size_t)24)

void vg_store_notice(struct vg_sqlite_store *store, const char *format, ...)
{
    char sentence[512];
    va_list args;
    if (!store->config.notice)
        return;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    store->config.notice(store->config.notice_ctx, sentence);
}

void vg_store_count_unreadable(struct vg_sqlite_store *store)
{
    vg_lock_take(&store->lock);
    uint64_t count = ++store->stats.unreadable;
    vg_lock_give(&store->lock);
    if (count == 1)
        vg_store_notice(store,
                        "a stored profile is damaged and was left out of an answer; more are only counted");
}

/* Beyond the years that a block's number can say, and before 1970, the nearest block. */
uint32_t vg_block_day(int64_t end_ns)
{
    int64_t day = end_ns < 0 ? 0 : end_ns / VG_BLOCK_NS;
    return day > UINT16_MAX ? UINT16_MAX : (uint32_t)day;
}

/* ---- the list ---- */

static void block_free(struct vg_sqlite_store *store, struct vg_block *block)
{
    vg_map_release(&block->dicts);
    vg_alloc_release(store->config.alloc, block);
}

/* Where a block belongs: the first one that is not before it. */
static size_t place_of(const struct vg_sqlite_store *store, uint32_t day, uint32_t part)
{
    size_t low = 0, high = store->n_blocks;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct vg_block *block = store->blocks[middle];
        if (block->day < day || (block->day == day && block->part < part))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A new item of the list, with one pin. With the lock held. */
static enum vg_err insert_block(struct vg_sqlite_store *store, uint32_t day, uint32_t part,
                                struct vg_block **block)
{
    const struct vg_alloc *alloc = store->config.alloc;
    if (store->n_blocks == store->room_blocks) {
        size_t room = store->room_blocks ? store->room_blocks * 2 : 64;
        struct vg_block **wider = vg_alloc_resize(alloc, store->blocks, room * sizeof *wider);
        if (!wider)
            return VG_ERR_NOMEM;
        store->blocks = wider;
        store->room_blocks = room;
    }
    struct vg_block *made = vg_alloc_zeroed(alloc, 1, sizeof *made);
    if (!made)
        return VG_ERR_NOMEM;
    made->day = day;
    made->part = part;
    made->pins = 1;
    made->summary = (struct vg_block_summary){0, INT64_MAX, INT64_MIN, INT64_MIN};
    vg_block_name(day, part, made->name);
    SLIST_INIT(&made->idle_readers);
    vg_map_init(&made->dicts, SIZE_MAX / 64, alloc);
    size_t at = place_of(store, day, part);
    memmove(store->blocks + at + 1, store->blocks + at, (store->n_blocks - at) * sizeof *store->blocks);
    store->blocks[at] = made;
    store->n_blocks++;
    *block = made;
    return VG_OK;
}

/* The last pin of a retired block is gone: so are its connections, its dictionaries, its files. Lock held on
 * entry, given up on the way, and not held on return. */
static void dispose(struct vg_sqlite_store *store, struct vg_block *block)
{
    struct vg_reader *reader;
    SLIST_HEAD(, vg_reader) readers;
    SLIST_INIT(&readers);
    while ((reader = SLIST_FIRST(&block->idle_readers))) {
        SLIST_REMOVE_HEAD(&block->idle_readers, next);
        SLIST_INSERT_HEAD(&readers, reader, next);
        store->n_idle_readers--;
    }
    vg_dicts_forget_block(store, block);
    block->pins = 1; /* ours, until the files are gone: its name is not free before */
    vg_lock_give(&store->lock);
    while ((reader = SLIST_FIRST(&readers))) {
        SLIST_REMOVE_HEAD(&readers, next);
        sqlite3_close(reader->db);
        vg_alloc_release(store->config.alloc, reader);
    }
    if (block->is_corrupt)
        vg_block_file_set_aside(store, block->name);
    else
        vg_block_file_delete(store, block->name);
    vg_lock_take(&store->lock);
    size_t at = place_of(store, block->day, block->part);
    assert(store->blocks[at] == block);
    memmove(store->blocks + at, store->blocks + at + 1, (store->n_blocks - at - 1) * sizeof *store->blocks);
    store->n_blocks--;
    vg_lock_give(&store->lock);
    block_free(store, block);
}

void vg_block_unpin(struct vg_sqlite_store *store, struct vg_block *block)
{
    vg_lock_take(&store->lock);
    assert(block->pins > 0);
    if (--block->pins == 0 && block->is_retired)
        dispose(store, block);
    else
        vg_lock_give(&store->lock);
}

void vg_block_retire(struct vg_sqlite_store *store, struct vg_block *block, bool is_corrupt)
{
    vg_lock_take(&store->lock);
    bool is_first = !block->is_retired;
    block->is_retired = true;
    block->is_corrupt = block->is_corrupt || is_corrupt;
    if (is_first && is_corrupt)
        store->stats.corrupt_blocks++;
    else if (is_first)
        store->stats.deleted_blocks++;
    vg_lock_give(&store->lock);
    if (is_first && is_corrupt)
        vg_store_notice(store, "block %s is damaged: set aside as %s.corrupt, the rest is served",
                        block->name, block->name);
}

/* ---- pins ---- */

static bool is_in_range(const struct vg_block *block, int64_t from_ns, int64_t to_ns)
{
    return !block->is_retired && block->summary.profiles > 0 && block->summary.max_end_ns >= from_ns &&
           block->summary.min_start_ns < to_ns;
}

static enum vg_err pin_some(struct vg_sqlite_store *store, struct vg_pins *pins,
                            bool (*wants)(const struct vg_block *block, const int64_t *args),
                            const int64_t *args)
{
    *pins = (struct vg_pins){0};
    vg_lock_take(&store->lock);
    pins->blocks = vg_alloc_zeroed(store->config.alloc, store->n_blocks + 1, sizeof *pins->blocks);
    for (size_t i = store->n_blocks; i-- > 0 && pins->blocks;) {
        struct vg_block *block = store->blocks[i];
        if (wants(block, args)) {
            block->pins++;
            pins->blocks[pins->n++] = block;
        }
    }
    vg_lock_give(&store->lock);
    return pins->blocks ? VG_OK : VG_ERR_NOMEM;
}

static bool wants_range(const struct vg_block *block, const int64_t *args)
{
    return is_in_range(block, args[0], args[1]);
}

static bool wants_day(const struct vg_block *block, const int64_t *args)
{
    return !block->is_retired && block->day == args[0];
}

enum vg_err vg_blocks_pin(struct vg_sqlite_store *store, int64_t from_ns, int64_t to_ns, struct vg_pins *pins)
{
    return pin_some(store, pins, wants_range, (int64_t[]){from_ns, to_ns});
}

enum vg_err vg_blocks_pin_day(struct vg_sqlite_store *store, uint32_t day, struct vg_pins *pins)
{
    return pin_some(store, pins, wants_day, (int64_t[]){day});
}

void vg_blocks_unpin(struct vg_sqlite_store *store, struct vg_pins *pins)
{
    for (size_t i = 0; i < pins->n; i++)
        vg_block_unpin(store, pins->blocks[i]);
    vg_alloc_release(store->config.alloc, pins->blocks);
    *pins = (struct vg_pins){0};
}

/* ---- where new profiles go ---- */

static bool is_set_aside(const struct vg_sqlite_store *store, uint32_t day, uint32_t part)
{
    char name[VG_BLOCK_NAME_SIZE], full[VG_BLOCK_NAME_SIZE + 16];
    vg_block_name(day, part, name);
    snprintf(full, sizeof full, "%s.corrupt", name);
    return faccessat(store->directory_fd, full, F_OK, 0) == 0;
}

enum vg_err vg_blocks_for_day(struct vg_sqlite_store *store, uint32_t day, struct vg_block **block)
{
    uint32_t part = 0;
    struct vg_block *latest = NULL;
    vg_lock_take(&store->lock);
    for (size_t i = place_of(store, day, 0); i < store->n_blocks && store->blocks[i]->day == day; i++) {
        part = store->blocks[i]->part + 1; /* the retired count: their names are still taken */
        latest = store->blocks[i]->is_retired ? NULL : store->blocks[i];
    }
    bool fits = latest && ((latest->file_bytes < store->part_bytes &&
                            latest->summary.profiles < (uint64_t)VG_PROFILE_NUMBER_MAX - 4096) ||
                           part == VG_BLOCK_PARTS_MAX);
    if (fits) {
        latest->pins++;
        *block = latest;
    }
    vg_lock_give(&store->lock);
    if (fits)
        return VG_OK;
    while (part < VG_BLOCK_PARTS_MAX && is_set_aside(store, day, part))
        part++;
    if (part >= VG_BLOCK_PARTS_MAX)
        return VG_ERR_FULL;
    char name[VG_BLOCK_NAME_SIZE];
    vg_block_name(day, part, name);
    enum vg_err err = vg_block_file_make(store, name);
    if (err)
        return err;
    vg_lock_take(&store->lock);
    err = insert_block(store, day, part, block);
    if (!err)
        (*block)->file_bytes = vg_block_file_bytes(store, name);
    vg_lock_give(&store->lock);
    return err; /* without memory an empty block stays on disk, which is harmless: the next start finds it */
}

/* ---- connections of readers ---- */

enum vg_err vg_reader_take(struct vg_sqlite_store *store, struct vg_block *block, struct vg_reader **reader)
{
    vg_lock_take(&store->lock);
    struct vg_reader *idle = SLIST_FIRST(&block->idle_readers);
    if (idle) {
        SLIST_REMOVE_HEAD(&block->idle_readers, next);
        store->n_idle_readers--;
    }
    vg_lock_give(&store->lock);
    if (idle) {
        *reader = idle;
        return VG_OK;
    }
    struct vg_reader *made = vg_alloc_zeroed(store->config.alloc, 1, sizeof *made);
    if (!made)
        return VG_ERR_NOMEM;
    enum vg_err err = vg_block_file_open(store, block->name, false, &made->db);
    if (err) {
        vg_alloc_release(store->config.alloc, made);
        return err;
    }
    made->block = block;
    *reader = made;
    return VG_OK;
}

void vg_reader_give(struct vg_sqlite_store *store, struct vg_reader *reader)
{
    vg_lock_take(&store->lock);
    bool is_kept = !reader->block->is_retired && store->n_idle_readers < IDLE_READERS_MAX;
    if (is_kept) {
        SLIST_INSERT_HEAD(&reader->block->idle_readers, reader, next);
        store->n_idle_readers++;
    }
    vg_lock_give(&store->lock);
    if (!is_kept) {
        sqlite3_close(reader->db);
        vg_alloc_release(store->config.alloc, reader);
    }
}

/* ---- start and end ---- */

/* Opens a block that was found, to learn what is in it. VG_ERR_MALFORMED: damaged. */
static enum vg_err examine(struct vg_sqlite_store *store, struct vg_block *block)
{
    struct vg_reader *reader;
    enum vg_err err = vg_reader_take(store, block, &reader);
    if (err)
        return err;
    err = vg_block_file_summary(reader->db, &block->summary);
    block->file_bytes = vg_block_file_bytes(store, block->name);
    vg_reader_give(store, reader);
    return err;
}

static enum vg_err found_block(struct vg_sqlite_store *store, uint32_t day, uint32_t part, char why[256])
{
    struct vg_block *block;
    uint32_t format = 0;
    vg_lock_take(&store->lock);
    enum vg_err err = insert_block(store, day, part, &block);
    vg_lock_give(&store->lock);
    if (err)
        return err;
    err = vg_block_file_check(store, block->name, &format);
    if (!err && format > VG_STORE_FORMAT) {
        snprintf(why, 256,
                 "%s/%s was written by a newer vigil (format %u, this one knows up to %d): start that one",
                 store->config.directory, block->name, format, VG_STORE_FORMAT);
        err = VG_ERR_UNSUPPORTED;
    } else if (!err && format < 1) {
        err = VG_ERR_MALFORMED;
    }
    if (!err)
        err = examine(store, block);
    if (err == VG_ERR_MALFORMED) {
        vg_block_retire(store, block, true);
        err = VG_OK;
    } else if (err && err != VG_ERR_UNSUPPORTED) {
        snprintf(why, 256, "cannot read %s/%s: %s", store->config.directory, block->name, vg_err_name(err));
    }
    vg_block_unpin(store, block);
    return err;
}

/* What a crash left: a block half made, a WAL whose block was deleted. */
static void remove_leftover(struct vg_sqlite_store *store, const char *name)
{
    const char *end = strstr(name, ".sqlite");
    uint32_t day, part;
    char block[VG_BLOCK_NAME_SIZE];
    if (!end || (size_t)(end - name) + sizeof ".sqlite" > sizeof block)
        return;
    size_t len = (size_t)(end - name) + strlen(".sqlite");
    memcpy(block, name, len);
    block[len] = '\0';
    const char *suffix = name + len;
    if (!vg_block_name_parse(block, &day, &part))
        return;
    bool is_half_made = strncmp(suffix, ".new", 4) == 0;
    bool is_orphan = (strcmp(suffix, "-wal") == 0 || strcmp(suffix, "-shm") == 0) &&
                     faccessat(store->directory_fd, block, F_OK, 0) != 0 && errno == ENOENT;
    if (is_half_made || is_orphan)
        unlinkat(store->directory_fd, name, 0);
}

enum vg_err vg_blocks_scan(struct vg_sqlite_store *store, char why[256])
{
    DIR *directory = opendir(store->config.directory);
    if (!directory) {
        snprintf(why, 256, "cannot list %s: %s", store->config.directory, strerror(errno));
        return VG_ERR_IO;
    }
    enum vg_err err = VG_OK;
    for (struct dirent *entry; !err && (entry = readdir(directory));) {
        uint32_t day, part;
        if (vg_block_name_parse(entry->d_name, &day, &part))
            err = found_block(store, day, part, why);
        else
            remove_leftover(store, entry->d_name);
    }
    closedir(directory);
    return err;
}

void vg_blocks_release(struct vg_sqlite_store *store)
{
    for (size_t i = 0; i < store->n_blocks; i++) {
        struct vg_block *block = store->blocks[i];
        struct vg_reader *reader;
        assert(block->pins == 0);
        while ((reader = SLIST_FIRST(&block->idle_readers))) {
            SLIST_REMOVE_HEAD(&block->idle_readers, next);
            sqlite3_close(reader->db);
            vg_alloc_release(store->config.alloc, reader);
        }
        vg_lock_take(&store->lock);
        vg_dicts_forget_block(store, block);
        vg_lock_give(&store->lock);
        block_free(store, block);
    }
    vg_alloc_release(store->config.alloc, store->blocks);
    store->blocks = NULL;
    store->n_blocks = 0;
}
