/* One block file: its schema, making and opening it, and SQLite's errors as ours.
 *
 * A block appears under its name only whole and synced: it is made as NAME.new, then renamed. Schema version
 * 1; what the columns hold is in docs/internals/store.md.
 */
#include "vigil/store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE 4096
/* How long a connection waits for another's short exclusive moments (recovery of the WAL at opening). */
#define BUSY_MS 10000
/* One process owns the directory, so the index of a WAL may lie in its memory: no -shm file, which a full
 * disk would not let readers make, and no memory map of a file. */
#define VFS "unix-excl"
/* No row of ours is larger. */
#define ROW_LIMIT_BYTES (512 << 20)

static const char schema[] =
    "CREATE TABLE summary(one INTEGER PRIMARY KEY CHECK(one = 1), profiles INTEGER NOT NULL,"
    " min_start_ns INTEGER NOT NULL, max_end_ns INTEGER NOT NULL, newest_received_ns INTEGER NOT NULL);"
    "INSERT INTO summary VALUES(1, 0, 9223372036854775807, -9223372036854775808, -9223372036854775808);"
    "CREATE TABLE dictionary(id INTEGER PRIMARY KEY, service BLOB NOT NULL, strings INTEGER NOT NULL,"
    " text_bytes INTEGER NOT NULL, frames INTEGER NOT NULL, nodes INTEGER NOT NULL, label_sets INTEGER NOT "
    "NULL,"
    " labels INTEGER NOT NULL, chunks INTEGER NOT NULL);"
    "CREATE INDEX dictionary_service ON dictionary(service);"
    "CREATE TABLE chunk(id INTEGER PRIMARY KEY, body BLOB NOT NULL);"
    "CREATE TABLE tag_set(id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, body BLOB NOT NULL);"
    "CREATE TABLE type_set(id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, body BLOB NOT NULL);"
    "CREATE TABLE profile(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, start_ns INTEGER NOT NULL,"
    " end_ns INTEGER NOT NULL, received_ns INTEGER NOT NULL, dictionary INTEGER NOT NULL, tags INTEGER NOT "
    "NULL,"
    " types INTEGER NOT NULL, bytes INTEGER NOT NULL, totals BLOB NOT NULL, internal BLOB NOT NULL);"
    "CREATE INDEX profile_time ON profile(end_ns, start_ns);"
    "CREATE TABLE aggregate(id INTEGER PRIMARY KEY, body BLOB NOT NULL);"
    "CREATE TABLE timeline(id INTEGER PRIMARY KEY, body BLOB NOT NULL);";

/* ---- errors ---- */

enum vg_err vg_sqlite_err(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return VG_OK;
    case SQLITE_FULL:
        return VG_ERR_FULL;
    case SQLITE_NOMEM:
        return VG_ERR_NOMEM;
    case SQLITE_TOOBIG:
        return VG_ERR_LIMIT;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT: /* ours hold in a whole block: its summary does not go with its rows */
        return VG_ERR_MALFORMED;
    case SQLITE_IOERR:
        if (code == SQLITE_IOERR_NOMEM)
            return VG_ERR_NOMEM;
        if (code == SQLITE_IOERR_SHORT_READ)
            return VG_ERR_MALFORMED;
        return VG_ERR_IO; /* perhaps of a quota: see vg_disk_is_full */
    default:
        return VG_ERR_IO;
    }
}

enum vg_err vg_sqlite_exec(sqlite3 *db, const char *sql)
{
    return vg_sqlite_err(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

enum vg_err vg_sqlite_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement)
{
    int code = sqlite3_prepare_v2(db, sql, -1, statement, NULL);
    /* The statement is right, so a table is missing. */
    return (code & 0xff) == SQLITE_ERROR ? VG_ERR_MALFORMED : vg_sqlite_err(code);
}

enum vg_err vg_sqlite_step(sqlite3_stmt *statement, bool *has_row)
{
    int code = sqlite3_step(statement);
    *has_row = code == SQLITE_ROW;
    return vg_sqlite_err(code);
}

struct vg_slice vg_sqlite_blob(sqlite3_stmt *statement, int column)
{
    const char *data = sqlite3_column_blob(statement, column); /* before its length: it may convert */
    return (struct vg_slice){data, data ? (size_t)sqlite3_column_bytes(statement, column) : 0};
}

/* An error shows at the next step. The bytes must live until then. */
void vg_sqlite_bind_blob(sqlite3_stmt *statement, int index, struct vg_slice bytes)
{
    sqlite3_bind_blob64(statement, index, bytes.len ? bytes.data : "", bytes.len, SQLITE_STATIC);
}

/* ---- names ---- */

void vg_block_name(uint32_t day, uint32_t part, char name[VG_BLOCK_NAME_SIZE])
{
    time_t seconds = (time_t)day * 86400;
    struct tm date;
    gmtime_r(&seconds, &date);
    snprintf(name, VG_BLOCK_NAME_SIZE, "%04u-%02u-%02u.%03u.sqlite", (unsigned)(date.tm_year + 1900) % 10000,
             (unsigned)(date.tm_mon + 1) % 100, (unsigned)date.tm_mday % 100, part % 1000);
}

bool vg_block_name_parse(const char *name, uint32_t *day, uint32_t *part)
{
    unsigned year, month, date, number;
    if (sscanf(name, "%4u-%2u-%2u.%3u.sqlite", &year, &month, &date, &number) != 4)
        return false;
    struct tm tm = {.tm_year = (int)year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)date};
    time_t seconds = timegm(&tm);
    if (seconds < 0 || seconds / 86400 > UINT16_MAX || number >= VG_BLOCK_PARTS_MAX)
        return false;
    char canonical[VG_BLOCK_NAME_SIZE];
    vg_block_name((uint32_t)(seconds / 86400), number, canonical);
    if (strcmp(name, canonical) != 0)
        return false;
    *day = (uint32_t)(seconds / 86400);
    *part = number;
    return true;
}

static enum vg_err path_of(struct vg_sqlite_store *store, const char *name, char path[PATH_SIZE])
{
    int n = snprintf(path, PATH_SIZE, "%s/%s", store->config.directory, name);
    return n < 0 || n >= PATH_SIZE ? VG_ERR_LIMIT : VG_OK;
}

/* ---- making and opening ---- */

enum vg_err vg_directory_sync(struct vg_sqlite_store *store)
{
    if (fsync(store->directory_fd) == 0)
        return VG_OK;
    return errno == ENOSPC || errno == EDQUOT ? VG_ERR_FULL : VG_ERR_IO;
}

/* SQLite knows ENOSPC, and calls a quota or a limit on the size of files an I/O error whose errno it may have
 * lost. */
#define PROBE_BYTES ((off_t)1 << 20)

bool vg_disk_is_full(struct vg_sqlite_store *store)
{
    static const char name[] = "probe.new";
    int fd = openat(store->directory_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int failed = fd < 0 ? errno : posix_fallocate(fd, 0, PROBE_BYTES);
    if (fd >= 0)
        close(fd);
    unlinkat(store->directory_fd, name, 0);
    return failed == ENOSPC || failed == EDQUOT || failed == EFBIG;
}

static enum vg_err open_database(const char *path, int flags, sqlite3 **db)
{
    sqlite3 *opened = NULL;
    enum vg_err err = vg_sqlite_err(sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX, VFS));
    if (!opened)
        return VG_ERR_NOMEM;
    sqlite3_extended_result_codes(opened, 1);
    sqlite3_busy_timeout(opened, BUSY_MS);
    sqlite3_db_config(opened, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_limit(opened, SQLITE_LIMIT_LENGTH, ROW_LIMIT_BYTES);
    if (!err) /* a file is input: nothing in its schema may run */
        err = vg_sqlite_exec(opened, "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;");
    if (err)
        sqlite3_close(opened);
    else
        *db = opened;
    return err;
}

static enum vg_err fill_new_file(const char *path)
{
    sqlite3 *db;
    char pragmas[160];
    enum vg_err err = open_database(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db);
    if (err)
        return err;
    snprintf(pragmas, sizeof pragmas,
             "PRAGMA page_size=4096; PRAGMA synchronous=FULL; PRAGMA application_id=%d; "
             "PRAGMA user_version=%d; BEGIN;",
             VG_STORE_APPLICATION_ID, VG_STORE_FORMAT);
    err = vg_sqlite_exec(db, pragmas);
    if (!err)
        err = vg_sqlite_exec(db, schema);
    if (!err)
        err = vg_sqlite_exec(db, "COMMIT; PRAGMA journal_mode=WAL;");
    int code = sqlite3_close(db); /* moves everything into the file and removes the WAL */
    return err ? err : vg_sqlite_err(code);
}

static enum vg_err sync_file(struct vg_sqlite_store *store, const char *name)
{
    int fd = openat(store->directory_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return VG_ERR_IO;
    enum vg_err err = fsync(fd) == 0 ? VG_OK : errno == ENOSPC ? VG_ERR_FULL : VG_ERR_IO;
    close(fd);
    return err;
}

static void delete_suffixed(struct vg_sqlite_store *store, const char *name, const char *suffix)
{
    char full[VG_BLOCK_NAME_SIZE + 32];
    snprintf(full, sizeof full, "%s%s", name, suffix);
    unlinkat(store->directory_fd, full, 0);
}

enum vg_err vg_block_file_make(struct vg_sqlite_store *store, const char *name)
{
    char new_name[VG_BLOCK_NAME_SIZE + 8], path[PATH_SIZE];
    snprintf(new_name, sizeof new_name, "%s.new", name);
    enum vg_err err = path_of(store, new_name, path);
    if (err)
        return err;
    vg_block_file_delete(store, new_name);
    err = fill_new_file(path);
    if (!err)
        err = sync_file(store, new_name);
    /* A WAL left by a block of this name that is gone would be taken for ours. */
    delete_suffixed(store, name, "-wal");
    delete_suffixed(store, name, "-shm");
    if (!err && renameat(store->directory_fd, new_name, store->directory_fd, name) != 0)
        err = VG_ERR_IO;
    if (!err)
        err = vg_directory_sync(store);
    if (err)
        vg_block_file_delete(store, new_name);
    return err;
}

enum vg_err vg_block_file_open(struct vg_sqlite_store *store, const char *name, bool for_writing,
                               sqlite3 **db)
{
    char path[PATH_SIZE], pragmas[160];
    sqlite3 *opened;
    enum vg_err err = path_of(store, name, path);
    if (!err)
        err = open_database(path, SQLITE_OPEN_READWRITE,
                            &opened); /* readers too: they may have to read a WAL */
    if (err)
        return err;
    int64_t wal_pages = store->part_bytes / 8 / 4096;
    wal_pages = wal_pages > 1000 ? 1000 : wal_pages < 16 ? 16 : wal_pages;
    if (for_writing) {
        snprintf(pragmas, sizeof pragmas,
                 "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=%lld; PRAGMA cache_size=-4096;",
                 (long long)wal_pages);
    } else {
        snprintf(pragmas, sizeof pragmas, "PRAGMA query_only=ON; PRAGMA cache_size=-512;");
        sqlite3_db_config(opened, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    }
    err = vg_sqlite_exec(opened, pragmas);
    if (err)
        sqlite3_close(opened);
    else
        *db = opened;
    return err;
}

enum vg_err vg_block_file_check(struct vg_sqlite_store *store, const char *name, uint32_t *format)
{
    unsigned char head[100];
    int fd = openat(store->directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return VG_ERR_IO;
    ssize_t n = pread(fd, head, sizeof head, 0);
    close(fd);
    if (n < 0)
        return VG_ERR_IO;
    const unsigned char *id = head + 68, *version = head + 60; /* of SQLite's own file format */
    if (n < (ssize_t)sizeof head || memcmp(head, "SQLite format 3", 16) != 0 ||
        ((uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3]) !=
            VG_STORE_APPLICATION_ID)
        return VG_ERR_MALFORMED;
    *format =
        (uint32_t)version[0] << 24 | (uint32_t)version[1] << 16 | (uint32_t)version[2] << 8 | version[3];
    return VG_OK;
}

enum vg_err vg_block_file_summary(sqlite3 *db, struct vg_block_summary *summary)
{
    sqlite3_stmt *statement;
    bool has_row = false;
    enum vg_err err = vg_sqlite_prepare(
        db, "SELECT profiles, min_start_ns, max_end_ns, newest_received_ns FROM summary WHERE one = 1",
        &statement);
    if (err)
        return err;
    err = vg_sqlite_step(statement, &has_row);
    if (!err && (!has_row || sqlite3_column_int64(statement, 0) < 0))
        err = VG_ERR_MALFORMED;
    if (!err)
        *summary = (struct vg_block_summary){
            .profiles = (uint64_t)sqlite3_column_int64(statement, 0),
            .min_start_ns = sqlite3_column_int64(statement, 1),
            .max_end_ns = sqlite3_column_int64(statement, 2),
            .newest_received_ns = sqlite3_column_int64(statement, 3),
        };
    sqlite3_finalize(statement);
    return err;
}

int64_t vg_block_file_bytes(struct vg_sqlite_store *store, const char *name)
{
    char wal[VG_BLOCK_NAME_SIZE + 8];
    struct stat status;
    int64_t bytes = 0;
    snprintf(wal, sizeof wal, "%s-wal", name);
    if (fstatat(store->directory_fd, name, &status, 0) == 0)
        bytes += status.st_size;
    if (fstatat(store->directory_fd, wal, &status, 0) == 0)
        bytes += status.st_size;
    return bytes;
}

/* The file before its WAL: a crash in between leaves a WAL without a file, which the next start removes,
 * never a file that lacks its WAL. */
void vg_block_file_delete(struct vg_sqlite_store *store, const char *name)
{
    delete_suffixed(store, name, "");
    delete_suffixed(store, name, "-wal");
    delete_suffixed(store, name, "-shm");
    delete_suffixed(store, name, "-journal");
}

/* To NAME.corrupt, with its WAL beside it under the name by which SQLite's own tools find it. */
void vg_block_file_set_aside(struct vg_sqlite_store *store, const char *name)
{
    char from[VG_BLOCK_NAME_SIZE + 32], to[VG_BLOCK_NAME_SIZE + 32];
    snprintf(from, sizeof from, "%s-wal", name);
    snprintf(to, sizeof to, "%s.corrupt-wal", name);
    renameat(store->directory_fd, from, store->directory_fd, to);
    snprintf(to, sizeof to, "%s.corrupt", name);
    renameat(store->directory_fd, name, store->directory_fd, to);
    delete_suffixed(store, name, "-shm");
}
