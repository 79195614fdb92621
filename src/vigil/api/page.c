/* Serves the page's files: compressed where the client takes gzip, 304 where it has them already, and with
 * headers that let the page load nothing from anywhere else.
 *
 * Files under /assets/ carry a hash of their content in their names and may be kept for ever; the document
 * that names them is asked for anew each time.
 */
#include "vigil/api/page.h"

#include <strings.h>

#include "vigil/api/page_files.h"

#define DOCUMENT "/index.html"
#define POLICY                                                                                               \
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

static const struct vg_page_file *find(const char *path)
{
    for (size_t i = 0; i < vg_page_file_count; i++)
        if (strcmp(vg_page_files[i].path, path) == 0)
            return &vg_page_files[i];
    return NULL;
}

/* The next element of a comma-separated header without the spaces around it; *rest moves behind it. */
static bool next_element(const char **rest, struct vg_slice *element)
{
    const char *p = *rest + strspn(*rest, " \t,");
    size_t len = strcspn(p, ",");

    *rest = p + len;
    while (len && (p[len - 1] == ' ' || p[len - 1] == '\t'))
        len--;
    *element = (struct vg_slice){p, len};
    return len > 0;
}

static bool is_named(struct vg_slice element, const char *name)
{
    size_t len = strlen(name);
    return element.len >= len && strncasecmp(element.data, name, len) == 0 &&
           (element.len == len || strchr(" \t;", element.data[len]));
}

/* "gzip;q=0", "gzip; q=0.000": not wanted. */
static bool has_zero_weight(struct vg_slice element)
{
    const char *semicolon = memchr(element.data, ';', element.len);
    if (!semicolon)
        return false;
    const char *p = semicolon + 1, *end = element.data + element.len;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    if (end - p < 3 || (*p != 'q' && *p != 'Q') || p[1] != '=' || p[2] != '0')
        return false;
    for (p += 3; p < end; p++)
        if (*p >= '1' && *p <= '9')
            return false;
    return true;
}

/* What names gzip decides; `*` stands for it where nothing does. No header: identity. */
static bool accepts_gzip(const char *header)
{
    bool is_accepted = false;
    struct vg_slice element;

    for (const char *rest = header; rest && next_element(&rest, &element);) {
        if (is_named(element, "gzip"))
            return !has_zero_weight(element);
        if (is_named(element, "*"))
            is_accepted = !has_zero_weight(element);
    }
    return is_accepted;
}

static bool has_already(const char *if_none_match, const char *etag)
{
    struct vg_slice element;

    for (const char *rest = if_none_match; rest && next_element(&rest, &element);) {
        if (element.len > 2 && strncmp(element.data, "W/", 2) == 0)
            element = (struct vg_slice){element.data + 2, element.len - 2};
        if (vg_slice_equal_text(element, "*") || vg_slice_equal_text(element, etag))
            return true;
    }
    return false;
}

static void send_file(struct vg_http_exchange *x, const struct vg_page_file *file, const char *keep)
{
    bool is_gzip = file->etag_gzip && accepts_gzip(vg_http_request_header(x, "Accept-Encoding"));
    const char *etag = is_gzip ? file->etag_gzip : file->etag;

    vg_http_header(x, "Cache-Control", keep);
    vg_http_header(x, "ETag", etag);
    vg_http_header(x, "Vary", "Accept-Encoding");
    vg_http_header(x, "Content-Security-Policy", POLICY);
    vg_http_header(x, "Referrer-Policy", "no-referrer");
    vg_http_header(x, "Cross-Origin-Opener-Policy", "same-origin");
    if (has_already(vg_http_request_header(x, "If-None-Match"), etag)) {
        vg_http_reply_static(x, 304, file->content_type, (struct vg_slice){NULL, 0});
        return;
    }
    if (is_gzip)
        vg_http_header(x, "Content-Encoding", "gzip");
    vg_http_reply_static(x, 200, file->content_type, is_gzip ? file->gzip : file->identity);
}

static void serve_document(void *ctx, struct vg_http_exchange *x)
{
    (void)ctx;
    send_file(x, find(DOCUMENT), "no-cache");
}

static void serve_file(void *ctx, struct vg_http_exchange *x)
{
    const char *keep = ctx;
    const struct vg_page_file *file = find(vg_http_path(x));

    if (file)
        send_file(x, file, keep);
    else
        vg_http_fail(x, 404, "not_found", "reload the page: it may be of another version",
                     "no file of the page");
}

size_t vg_page_routes(struct vg_http_route *out, size_t cap)
{
    static char for_ever[] = "public, max-age=31536000, immutable", for_a_day[] = "public, max-age=86400";
    const struct vg_http_route routes[VG_PAGE_ROUTES] = {
        {.method = "GET", .path = "/", .handle = serve_document},
        {.method = "GET", .path = "/explore", .handle = serve_document},
        {.method = "GET", .path = "/assets/*", .handle = serve_file, .ctx = for_ever},
        {.method = "GET", .path = "/favicon.svg", .handle = serve_file, .ctx = for_a_day},
    };
    size_t n = cap < VG_PAGE_ROUTES ? cap : VG_PAGE_ROUTES;

    memcpy(out, routes, n * sizeof *out);
    return n;
}
