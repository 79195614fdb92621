#include "vigil/cli/log.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

#define LINE_BYTES 4096

static const char *const level_names[] = {"debug", "info", "warn", "error", "info"};

void vg_log_init(struct vg_log *log, int fd)
{
    vg_lock_init(&log->lock, VG_RANK_LOG);
    log->fd = fd;
    log->level = VG_LOG_INFO;
    log->is_json = false;
}

void vg_log_release(struct vg_log *log)
{
    vg_lock_release(&log->lock);
}

bool vg_log_set_level(struct vg_log *log, const char *name)
{
    for (size_t i = 0; i < VG_LOG_ALWAYS; i++)
        if (strcmp(name, level_names[i]) == 0) {
            log->level = (enum vg_log_level)i;
            return true;
        }
    return false;
}

bool vg_log_set_format(struct vg_log *log, const char *name)
{
    log->is_json = strcmp(name, "json") == 0;
    return log->is_json || strcmp(name, "text") == 0;
}

bool vg_log_takes(const struct vg_log *log, enum vg_log_level level)
{
    return level >= log->level;
}

/* logfmt needs quotes where a reader would stop or be misled. */
static bool is_bare(const char *text)
{
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == '"' || *p == '=' || *p == '\\' || (unsigned char)*p >= 0x7f)
            return false;
    return *text != 0;
}

static void write_field(struct vg_buf *line, bool is_json, const struct vg_log_field *field)
{
    if (line->len > 1 || !is_json) /* not after the opening brace */
        vg_buf_text(line, line->len == 0 ? "" : is_json ? "," : " ");
    if (is_json)
        vg_buf_json_string(line, vg_slice_of(field->key));
    else
        vg_buf_text(line, field->key);
    vg_buf_text(line, is_json ? ":" : "=");
    if (!field->text)
        vg_buf_printf(line, "%lld", (long long)field->number);
    else if (!is_json && is_bare(field->text))
        vg_buf_text(line, field->text);
    else
        vg_buf_json_string(line, vg_slice_of(field->text));
}

void vg_log_write(struct vg_log *log, enum vg_log_level level, const char *msg,
                  const struct vg_log_field *fields, size_t n_fields)
{
    char time[VG_TIME_TEXT_SIZE];
    struct vg_buf line;

    if (!vg_log_takes(log, level))
        return;
    vg_time_format(vg_clock_now_ns(NULL), time);
    vg_buf_init(&line, LINE_BYTES, NULL);
    if (log->is_json)
        vg_buf_text(&line, "{");
    write_field(&line, log->is_json, &(struct vg_log_field){.key = "time", .text = time});
    write_field(&line, log->is_json, &(struct vg_log_field){.key = "level", .text = level_names[level]});
    write_field(&line, log->is_json, &(struct vg_log_field){.key = "msg", .text = msg});
    for (size_t i = 0; i < n_fields; i++)
        write_field(&line, log->is_json, &fields[i]);
    vg_buf_text(&line, log->is_json ? "}\n" : "\n");
    if (!line.err) {
        vg_lock_take(&log->lock);
        /* A log that cannot be written has nowhere to say so. */
        ssize_t written = write(log->fd, line.data, line.len);
        (void)written;
        vg_lock_give(&log->lock);
    }
    vg_buf_release(&line);
}
