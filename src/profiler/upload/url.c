#include "profiler/upload/url.h"

#include "base/slice.h"

#include <sys/un.h>

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_clean(const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c <= ' ' || c == 0x7f || c == '@' || c == '?' || c == '#')
            return false;
    }
    return true;
}

static enum vg_err copy(char *to, size_t size, struct vg_slice from)
{
    if (from.len >= size)
        return VG_ERR_LIMIT;
    memcpy(to, from.data, from.len);
    to[from.len] = '\0';
    return VG_OK;
}

/* ":8126" or "" → port. */
static enum vg_err parse_port(struct vg_slice text, uint16_t *port)
{
    uint32_t value = 0;

    if (text.len == 0)
        return VG_OK;
    if (text.data[0] != ':' || text.len < 2 || text.len > 6)
        return VG_ERR_MALFORMED;
    for (size_t i = 1; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return VG_ERR_MALFORMED;
        value = value * 10 + (uint32_t)(text.data[i] - '0');
    }
    if (value == 0 || value > UINT16_MAX)
        return VG_ERR_MALFORMED;
    *port = (uint16_t)value;
    return VG_OK;
}

static enum vg_err parse_tcp(const char *rest, struct vg_url *url)
{
    struct vg_slice authority = {rest, strcspn(rest, "/")};
    struct vg_slice path = vg_slice_of(rest + authority.len);
    struct vg_slice host = authority;
    struct vg_slice port;
    enum vg_err err;

    if (authority.len > 0 && authority.data[0] == '[') {
        const char *end = memchr(authority.data, ']', authority.len);
        if (!end)
            return VG_ERR_MALFORMED;
        host = (struct vg_slice){authority.data + 1, (size_t)(end - authority.data) - 1};
        port = (struct vg_slice){end + 1, authority.len - host.len - 2};
    } else {
        const char *colon = memchr(authority.data, ':', authority.len);
        host.len = colon ? (size_t)(colon - authority.data) : authority.len;
        port = (struct vg_slice){host.data + host.len, authority.len - host.len};
    }
    if (host.len == 0)
        return VG_ERR_MALFORMED;
    while (path.len > 0 && path.data[path.len - 1] == '/')
        path.len--;
    url->kind = VG_URL_TCP;
    url->port = 80;
    err = parse_port(port, &url->port);
    if (!err)
        err = copy(url->host, sizeof(url->host), host);
    return err ? err : copy(url->path, sizeof(url->path), path);
}

static enum vg_err parse_unix(const char *path, struct vg_url *url)
{
    if (path[0] != '/')
        return VG_ERR_MALFORMED;
    if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return VG_ERR_LIMIT;
    url->kind = VG_URL_UNIX;
    return copy(url->path, sizeof(url->path), vg_slice_of(path));
}

enum vg_err vg_url_parse(const char *text, struct vg_url *url)
{
    struct vg_url parsed = {.kind = VG_URL_NONE};
    enum vg_err err = VG_OK;

    if (text && text[0]) {
        if (has_prefix(text, "unix://"))
            err = parse_unix(text + strlen("unix://"), &parsed);
        else if (!is_clean(text))
            err = VG_ERR_MALFORMED;
        else if (has_prefix(text, "http://"))
            err = parse_tcp(text + strlen("http://"), &parsed);
        else if (has_prefix(text, "https://"))
            parsed.kind = VG_URL_HTTPS;
        else
            err = VG_ERR_MALFORMED;
    }
    if (!err)
        *url = parsed;
    return err;
}
