/* Questions in, answers out. */
#include "vigil/api/answer.h"

#include <stdio.h>
#include <strings.h>

#include "vigil/query/gzip.h"

enum {
    WORTH_GZIP_BYTES = 1400, /* less fits one packet anyway */
    GZIP_LEVEL = 1, /* a flame graph of 50,000 nodes: 3.5 ms and 187 KB; level 6 takes 16 ms for 160 KB */
    MAX_NAME_BYTES = 64,
};

void vg_api_begin(struct vg_http_exchange *x)
{
    vg_http_header(x, "Cache-Control", "no-store");
}

static bool fail_search(struct vg_http_exchange *x, enum vg_err err, const struct vg_search_error *error)
{
    char why[160];
    if (err != VG_ERR_MALFORMED && err != VG_ERR_LIMIT) {
        vg_api_fail(x, err);
        return false;
    }
    snprintf(why, sizeof why, "%s, at character %zu", error->message, error->at);
    vg_api_bad_parameter(x, "q", "for example: service:web env:prod -version:1.2 (docs/search.md)", why);
    return false;
}

bool vg_api_question_init(struct vg_api_question *question, const struct vg_api *api,
                          struct vg_http_exchange *x)
{
    struct vg_api_question made = {0};
    const char *parameter = NULL, *why = NULL;
    struct vg_search_error error;
    enum vg_err err = vg_time_range_parse(vg_http_query(x, "from"), vg_http_query(x, "to"),
                                          vg_clock_now_ns(api->clock), &made.range, &parameter, &why);
    if (err) {
        vg_api_bad_parameter(x, parameter, "use RFC 3339, Unix nanoseconds, now, now-15m or -1h", why);
        return false;
    }
    err = vg_search_new(vg_slice_of(vg_http_query(x, "q")), NULL, &made.search, &error);
    if (err)
        return fail_search(x, err, &error);
    made.selection.from_ns = made.range.from_ns;
    made.selection.to_ns = made.range.to_ns;
    vg_search_select(made.search, &made.selection);
    *question = made;
    return true;
}

void vg_api_question_release(struct vg_api_question *question)
{
    vg_search_free(question->search);
    question->search = NULL;
}

bool vg_api_read_count(const char *text, size_t most, size_t *count)
{
    size_t value = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (size_t)(*text - '0');
        if (value > most)
            return false;
    }
    *count = value;
    return value > 0;
}

/* "q=0", "q=0.000": not wanted. */
static bool is_refused(const char *parameters, size_t len)
{
    size_t i = 0;
    while (i < len && (parameters[i] == ';' || parameters[i] == ' ' || parameters[i] == '\t'))
        i++;
    if (len - i < 3 || strncasecmp(parameters + i, "q=0", 3) != 0)
        return false;
    for (i += 3; i < len; i++)
        if (parameters[i] >= '1' && parameters[i] <= '9')
            return false;
    return true;
}

static bool takes_gzip(const char *header)
{
    while (header && *header) {
        header += strspn(header, " \t,");
        size_t len = strcspn(header, ","), name_len = strcspn(header, " \t;,");
        if (name_len == 4 && strncasecmp(header, "gzip", 4) == 0)
            return !is_refused(header + name_len, len - name_len);
        header += len;
    }
    return false;
}

/* The body to send: gzipped, or as it was where that did not work. */
static void compress(struct vg_http_exchange *x, struct vg_buf *body)
{
    struct vg_buf packed;
    vg_buf_init(&packed, VG_API_MAX_ANSWER_BYTES, NULL);
    if (vg_gzip(vg_buf_as_slice(body), GZIP_LEVEL, &packed) == VG_OK) {
        vg_buf_release(body);
        *body = packed;
        vg_http_header(x, "Content-Encoding", "gzip");
    } else {
        vg_buf_release(&packed);
    }
}

void vg_api_reply(struct vg_http_exchange *x, const char *content_type, struct vg_buf *body)
{
    vg_http_header(x, "Vary", "Accept-Encoding");
    if (body->err) {
        enum vg_err err = body->err;
        vg_buf_release(body);
        vg_api_fail(x, err);
        return;
    }
    if (body->len >= WORTH_GZIP_BYTES && takes_gzip(vg_http_request_header(x, "Accept-Encoding")))
        compress(x, body);
    vg_http_reply(x, 200, content_type, body);
}

void vg_api_reply_file(struct vg_http_exchange *x, struct vg_slice name, const char *suffix,
                       struct vg_buf *body)
{
    char header[MAX_NAME_BYTES + 64];
    char plain[MAX_NAME_BYTES];
    size_t len = 0;
    if (body->err) {
        enum vg_err err = body->err;
        vg_buf_release(body);
        vg_api_fail(x, err);
        return;
    }
    for (size_t i = 0; i < name.len && len < sizeof plain; i++) {
        char c = name.data[i];
        bool is_plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
        plain[len++] = is_plain ? c : '_';
    }
    snprintf(header, sizeof header, "attachment; filename=\"%.*s%s\"", (int)len, plain, suffix);
    vg_http_header(x, "Content-Disposition", header);
    vg_http_reply(x, 200, "application/octet-stream", body);
}

void vg_api_fail(struct vg_http_exchange *x, enum vg_err err)
{
    switch (err) {
    case VG_ERR_NOT_FOUND:
        vg_http_fail(x, 404, "not_found", "it may have been deleted by retention", "no such profile");
        return;
    case VG_ERR_NOMEM:
        vg_http_fail(x, 503, "no_memory", "try again, or ask for less", "out of memory");
        return;
    case VG_ERR_LIMIT:
    case VG_ERR_FULL:
        vg_http_fail(x, 413, "too_large", "narrow the time range or the search",
                     "the answer is too large to be built");
        return;
    default:
        vg_http_fail(x, 500, vg_err_name(err), "the server's log says more", "the store could not be read");
        return;
    }
}

void vg_api_bad_parameter(struct vg_http_exchange *x, const char *parameter, const char *hint,
                          const char *why)
{
    vg_http_fail(x, 400, "bad_parameter", hint, "%s: %s", parameter, why);
}
