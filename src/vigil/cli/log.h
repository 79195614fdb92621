/* The server's log: one line an event on stderr, logfmt or JSON, with time, level, msg and key=value. Any
 * thread. */
#ifndef VG_VIGIL_CLI_LOG_H
#define VG_VIGIL_CLI_LOG_H

#include "base/lock.h"
#include "base/slice.h"

enum vg_log_level {
    VG_LOG_DEBUG,
    VG_LOG_INFO,
    VG_LOG_WARN,
    VG_LOG_ERROR,
    VG_LOG_ALWAYS, /* what whoever started us waits for: no level leaves it out; says "info" */
};

struct vg_log {
    struct vg_lock lock;
    int fd;
    enum vg_log_level level; /* what is below is left out */
    bool is_json;
};

/* One key=value: text where it is not NULL, else the number. */
struct vg_log_field {
    const char *key, *text;
    int64_t number;
};

void vg_log_init(struct vg_log *log, int fd);
void vg_log_release(struct vg_log *log);
/* False where the name is unknown. */
bool vg_log_set_level(struct vg_log *log, const char *name);
bool vg_log_set_format(struct vg_log *log, const char *name);
bool vg_log_takes(const struct vg_log *log, enum vg_log_level level);
void vg_log_write(struct vg_log *log, enum vg_log_level level, const char *msg,
                  const struct vg_log_field *fields, size_t n_fields);

#endif
