#include "vigil/intake/multipart.h"

#include <strings.h>

static enum vg_err refuse(struct vg_multipart *m, enum vg_err err, const char *why)
{
    m->why = why;
    return err;
}

/* The value of `; name=value` or `; name="value"` in a header's value, unescaped into out. False where there
 * is none, or it is longer than out. */
static bool parameter(const char *header, size_t len, const char *name, char *out, size_t out_size)
{
    size_t name_len = strlen(name), n = 0;
    const char *end = header + len, *p = memchr(header, ';', len);

    while (p && p < end) {
        p++;
        while (p < end && (*p == ' ' || *p == '\t'))
            p++;
        bool is_it =
            (size_t)(end - p) > name_len && strncasecmp(p, name, name_len) == 0 && p[name_len] == '=';
        while (p < end && *p != '=' && *p != ';')
            p++;
        if (p == end || *p == ';')
            continue;
        p++;
        bool is_quoted = p < end && *p == '"';
        for (p += is_quoted; p < end && *p != (is_quoted ? '"' : ';'); p++) {
            if (is_quoted && *p == '\\' && p + 1 < end && (p[1] == '"' || p[1] == '\\'))
                p++;
            if (is_it && n == out_size - 1)
                return false;
            if (is_it)
                out[n++] = *p;
        }
        if (is_it) {
            while (!is_quoted && n && (out[n - 1] == ' ' || out[n - 1] == '\t'))
                n--;
            out[n] = 0;
            return (!is_quoted || p < end) && !memchr(out, 0, n);
        }
        p = p < end ? memchr(p, ';', (size_t)(end - p)) : NULL;
    }
    return false;
}

enum vg_err vg_multipart_init(struct vg_multipart *m, const char *content_type,
                              const struct vg_multipart_events *events, void *ctx)
{
    static const char form[] = "multipart/form-data";
    char boundary[VG_MULTIPART_BOUNDARY_BYTES + 1];

    *m = (struct vg_multipart){.events = events, .ctx = ctx};
    if (!content_type || strncasecmp(content_type, form, sizeof form - 1) != 0)
        return refuse(m, VG_ERR_MALFORMED, "the Content-Type is not multipart/form-data");
    if (!parameter(content_type, strlen(content_type), "boundary", boundary, sizeof boundary) || !boundary[0])
        return refuse(m, VG_ERR_MALFORMED, "the Content-Type names no boundary of 1 to 70 characters");
    for (const char *p = boundary; *p; p++)
        if (*p < 0x20 || *p == 0x7f) /* also whatever is no ASCII, char being signed or not */
            return refuse(m, VG_ERR_MALFORMED, "the boundary holds characters that are not allowed");
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, boundary, strlen(boundary));
    m->delimiter_len = 4 + strlen(boundary);
    m->matched = 2; /* the first boundary may begin the body: no line ends before it */
    return VG_OK;
}

static enum vg_err give(struct vg_multipart *m, const char *bytes, size_t len)
{
    return len && m->is_in_part ? m->events->data(m->ctx, (struct vg_slice){bytes, len}) : VG_OK;
}

/* Data up to the next delimiter. A CR can only begin the delimiter, so after a mismatch matching starts
 * afresh at the same byte. `carried` bytes of a match came with an earlier chunk: if they were data after
 * all, they are given from the delimiter, which they equal. */
static enum vg_err feed_data(struct vg_multipart *m, struct vg_slice bytes, size_t *used)
{
    size_t carried = m->matched, i = 0;

    while (i < bytes.len && m->matched < m->delimiter_len) {
        if (m->matched == 0) {
            const char *cr = memchr(bytes.data + i, '\r', bytes.len - i);
            i = cr ? (size_t)(cr - bytes.data) + 1 : bytes.len;
            m->matched = cr ? 1 : 0;
        } else if (bytes.data[i] == m->delimiter[m->matched]) {
            m->matched++;
            i++;
        } else {
            enum vg_err err = give(m, m->delimiter, carried);
            if (err)
                return err;
            carried = m->matched = 0;
        }
    }
    *used = i;
    if (m->matched == m->delimiter_len)
        m->state = VG_MULTIPART_BOUNDARY_END;
    return give(m, bytes.data, i - (m->matched - carried));
}

static enum vg_err end_part(struct vg_multipart *m, enum vg_multipart_state next)
{
    bool was_in_part = m->is_in_part;

    m->state = next;
    m->is_in_part = false;
    m->matched = m->line_len = 0;
    return was_in_part ? m->events->end(m->ctx) : VG_OK;
}

static enum vg_err start_headers(struct vg_multipart *m)
{
    enum vg_err err = end_part(m, VG_MULTIPART_HEADER);

    if (err)
        return err;
    if (++m->n_parts > VG_MULTIPART_PARTS)
        return refuse(m, VG_ERR_LIMIT, "the form has too many parts");
    m->n_lines = 0;
    m->has_name = false;
    memset(&m->part, 0, sizeof m->part);
    return VG_OK;
}

/* After the delimiter: "--" ends the form, blanks and CRLF end the boundary. Anything else shows that it was
 * data that only began like a boundary. */
static enum vg_err feed_boundary_end(struct vg_multipart *m, char c, size_t *used)
{
    char last = m->line_len ? m->line[m->line_len - 1] : 0;
    bool is_blank = last == 0 || last == ' ' || last == '\t';

    *used = 1;
    if (last == '-' && c == '-')
        return end_part(m, VG_MULTIPART_EPILOGUE);
    if (last == '\r' && c == '\n')
        return start_headers(m);
    if (m->line_len < sizeof m->line &&
        ((last == 0 && c == '-') || (is_blank && (c == ' ' || c == '\t' || c == '\r')))) {
        m->line[m->line_len++] = c;
        return VG_OK;
    }
    *used = 0;
    enum vg_err err = give(m, m->delimiter, m->delimiter_len);
    if (!err)
        err = give(m, m->line, m->line_len);
    m->state = m->is_in_part ? VG_MULTIPART_DATA : VG_MULTIPART_PREAMBLE;
    m->matched = m->line_len = 0;
    return err;
}

static enum vg_err end_of_header_line(struct vg_multipart *m)
{
    static const char disposition[] = "content-disposition:";

    if (m->line_len == 0) {
        if (!m->has_name)
            return refuse(m, VG_ERR_MALFORMED, "a part has no Content-Disposition with a name");
        m->state = VG_MULTIPART_DATA;
        m->is_in_part = true;
        return m->events->begin(m->ctx, &m->part);
    }
    if (++m->n_lines > VG_MULTIPART_HEADER_LINES)
        return refuse(m, VG_ERR_MALFORMED, "a part has too many header lines");
    if (m->line_len > sizeof disposition - 1 &&
        strncasecmp(m->line, disposition, sizeof disposition - 1) == 0) {
        m->has_name =
            parameter(m->line, m->line_len, "name", m->part.name, sizeof m->part.name) && m->part.name[0];
        if (!parameter(m->line, m->line_len, "filename", m->part.filename, sizeof m->part.filename))
            m->part.filename[0] = 0;
    }
    return VG_OK;
}

/* One header line into m->line, without its CRLF, and what it means. */
static enum vg_err feed_header(struct vg_multipart *m, struct vg_slice bytes, size_t *used)
{
    while (*used < bytes.len) {
        char c = bytes.data[(*used)++];
        if (c == '\n' && m->line_len && m->line[m->line_len - 1] == '\r') {
            m->line_len--;
            enum vg_err err = end_of_header_line(m);
            m->line_len = 0;
            return err;
        }
        if (m->line_len == sizeof m->line)
            return refuse(m, VG_ERR_MALFORMED, "a header line of a part is too long");
        m->line[m->line_len++] = c;
    }
    return VG_OK;
}

enum vg_err vg_multipart_feed(struct vg_multipart *m, struct vg_slice bytes)
{
    enum vg_err err = VG_OK;

    while (bytes.len && !err && m->state != VG_MULTIPART_EPILOGUE) {
        size_t used = 0;
        if (m->state == VG_MULTIPART_HEADER)
            err = feed_header(m, bytes, &used);
        else if (m->state == VG_MULTIPART_BOUNDARY_END)
            err = feed_boundary_end(m, bytes.data[0], &used);
        else
            err = feed_data(m, bytes, &used);
        m->offset += used;
        bytes = (struct vg_slice){bytes.data + used, bytes.len - used};
    }
    return err;
}

enum vg_err vg_multipart_finish(struct vg_multipart *m)
{
    if (m->state == VG_MULTIPART_EPILOGUE)
        return VG_OK;
    return refuse(m, VG_ERR_MALFORMED,
                  m->state == VG_MULTIPART_PREAMBLE ? "the body does not contain the boundary"
                                                    : "the form is cut off: its last boundary is missing");
}
