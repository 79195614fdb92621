#include "vigil/http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024
#define WHY     256

static enum vg_err parse_unix(const char *path, struct vg_address *address, char why[WHY])
{
    struct sockaddr_un *un = (struct sockaddr_un *)&address->addr;
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof un->sun_path) {
        snprintf(why, WHY, "the path of a Unix socket must have 1 to %zu bytes", sizeof un->sun_path - 1);
        return VG_ERR_MALFORMED;
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, len + 1);
    address->is_unix = true;
    address->addr_len = sizeof *un;
    return VG_OK;
}

static enum vg_err refuse_beyond_loopback(const char *text, char why[WHY])
{
    snprintf(why, WHY,
             "refusing to listen on %.60s: authentication is not built yet, so vigil listens on a loopback "
             "address "
             "(127.0.0.1:PORT, [::1]:PORT) or a Unix socket (unix:/PATH) only",
             text);
    return VG_ERR_UNSUPPORTED;
}

static bool parse_port(const char *text, unsigned *port)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || value > 65535)
        return false;
    *port = (unsigned)value;
    return true;
}

/* Splits "HOST:PORT" or "[HOST]:PORT"; host has its brackets taken off. */
static bool split_host(const char *text, char *host, size_t host_size, bool *is_v6, unsigned *port)
{
    *is_v6 = text[0] == '[';
    const char *start = *is_v6 ? text + 1 : text;
    const char *end = strchr(start, *is_v6 ? ']' : ':');
    const char *colon = end && *is_v6 ? end + 1 : end;

    if (!end || end == start || (size_t)(end - start) >= host_size || *colon != ':' ||
        !parse_port(colon + 1, port))
        return false;
    memcpy(host, start, (size_t)(end - start));
    host[end - start] = 0;
    return true;
}

enum vg_err vg_address_parse(const char *text, struct vg_address *address, char why[WHY])
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address->addr;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address->addr;
    char host[INET6_ADDRSTRLEN];
    unsigned port;
    bool is_v6;

    *address = (struct vg_address){.text = text};
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(strncmp(text, "unix://", 7) == 0 ? text + 7 : text + 5, address, why);
    if (!split_host(text, host, sizeof host, &is_v6, &port))
        goto malformed;
    if (is_v6) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        address->addr_len = sizeof *v6;
        if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
            goto malformed;
        return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ? VG_OK : refuse_beyond_loopback(text, why);
    }
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)port);
    address->addr_len = sizeof *v4;
    if (inet_pton(AF_INET, strcasecmp(host, "localhost") ? host : "127.0.0.1", &v4->sin_addr) != 1)
        goto malformed;
    return ntohl(v4->sin_addr.s_addr) >> 24 == 127 ? VG_OK : refuse_beyond_loopback(text, why);

malformed:
    snprintf(why, WHY, "'%.100s' is no address to listen on: write 127.0.0.1:PORT, [::1]:PORT or unix:/PATH",
             text);
    return VG_ERR_MALFORMED;
}

/* A socket file that nobody answers on was left behind by a server that died: it is removed. */
static bool remove_stale(const struct vg_address *address)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address->addr;
    struct stat st;

    if (lstat(un->sun_path, &st) || !S_ISSOCK(st.st_mode))
        return false;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return false;
    bool is_dead = connect(probe, (const struct sockaddr *)un, address->addr_len) && errno == ECONNREFUSED;
    close(probe);
    return is_dead && unlink(un->sun_path) == 0;
}

static enum vg_err say_why(const struct vg_address *address, int error, char why[WHY])
{
    if (error == EADDRINUSE && address->is_unix)
        snprintf(why, WHY, "%.100s is in use: another vigil listens there, or the file is no socket",
                 address->text);
    else if (error == EADDRINUSE)
        snprintf(
            why, WHY,
            "%.60s is in use: another vigil or another Agent listens there. Stop it, or choose another port "
            "with --listen 127.0.0.1:PORT",
            address->text);
    else
        snprintf(why, WHY, "cannot listen on %.100s: %s", address->text, strerror(error));
    return error == EADDRINUSE ? VG_ERR_EXISTS : VG_ERR_IO;
}

enum vg_err vg_address_listen(const struct vg_address *address, int *fd, char why[WHY])
{
    const struct sockaddr *addr = (const struct sockaddr *)&address->addr;
    int one = 1;
    int sock = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (sock < 0)
        return say_why(address, errno, why);
    if (!address->is_unix)
        setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (addr->sa_family == AF_INET6)
        setsockopt(sock, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    int refused = bind(sock, addr, address->addr_len);
    if (refused && errno == EADDRINUSE && address->is_unix) {
        if (remove_stale(address))
            refused = bind(sock, addr, address->addr_len);
        else
            errno = EADDRINUSE;
    }
    if (refused || listen(sock, BACKLOG)) {
        enum vg_err err = say_why(address, errno, why);
        close(sock);
        return err;
    }
    *fd = sock;
    return VG_OK;
}

unsigned vg_address_port(int fd)
{
    struct sockaddr_storage addr = {0};
    socklen_t len = sizeof addr;

    if (getsockname(fd, (struct sockaddr *)&addr, &len))
        return 0;
    if (addr.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&addr)->sin_port);
    if (addr.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&addr)->sin6_port);
    return 0;
}

void vg_address_unlink(const struct vg_address *address)
{
    if (address->is_unix)
        unlink(((const struct sockaddr_un *)&address->addr)->sun_path);
}

bool vg_host_is_loopback(const char *text)
{
    char host[64];
    struct in6_addr v6;
    struct in_addr v4;
    unsigned port;
    size_t len = text[0] == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":");

    if (len > strlen(text) || len >= sizeof host)
        return false;
    if (text[len] && (text[len] != ':' || !parse_port(text + len + 1, &port)))
        return false;
    memcpy(host, text, len);
    host[len] = 0;
    if (host[0] == '[') {
        host[len - 1] = 0;
        return inet_pton(AF_INET6, host + 1, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
    }
    if (strcasecmp(host, "localhost") == 0 || strcasecmp(host, "localhost.") == 0)
        return true;
    return inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

bool vg_origin_is_loopback(const char *origin)
{
    const char *host = strstr(origin, "://");

    return host && vg_host_is_loopback(host + 3);
}
