#include "profiler/upload/http.h"

#include "base/buf.h"
#include "base/clock.h"
#include "profiler/os/descriptors.h"
#include "profiler/upload/hostname.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define POLL_SLICE_MS     10
#define HEAD_LIMIT        8192
#define REPLY_LIMIT       (16u << 10)
#define RETRY_AFTER_MAX_S 3600

struct exchange {
    const struct vg_http_post *post;
    struct vg_descriptor socket;
    struct vg_buf head;
    size_t sent; /* of head and body together */
    size_t total;
    bool may_send; /* false once the peer takes no more */
    char reply[REPLY_LIMIT];
    size_t reply_len;
};

/* Waits until one of events; VG_OK says only that it is worth trying. */
static enum vg_err wait_for(const struct exchange *ex, short events)
{
    for (;;) {
        struct pollfd pfd = {.fd = ex->socket.fd, .events = events};
        if (atomic_load(ex->post->cancel))
            return VG_ERR_CANCELLED;
        if (vg_clock_monotonic_ns(NULL) >= ex->post->deadline_ns)
            return VG_ERR_TIMEOUT;
        if (!vg_descriptor_valid(&ex->socket))
            return VG_ERR_IO; /* the host has closed it: the number is not ours any more */
        int n = poll(&pfd, 1, POLL_SLICE_MS);
        if (n > 0)
            return VG_OK;
        if (n < 0 && errno != EINTR)
            return VG_ERR_IO;
    }
}

static enum vg_err connect_to(struct exchange *ex, const struct sockaddr *address, socklen_t len)
{
    int family = address->sa_family;
    int error = 0;
    socklen_t error_len = sizeof(error);
    enum vg_err err = VG_OK;

    ex->socket = vg_descriptor_take(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (ex->socket.fd < 0)
        return VG_ERR_IO;
    if (connect(ex->socket.fd, address, len) == 0)
        return VG_OK;
    if (errno != EINPROGRESS && errno != EINTR)
        err = VG_ERR_IO; /* a Unix socket whose backlog is full says EAGAIN: later, then */
    if (!err)
        err = wait_for(ex, POLLOUT);
    if (!err && (getsockopt(ex->socket.fd, SOL_SOCKET, SO_ERROR, &error, &error_len) != 0 || error))
        err = VG_ERR_IO;
    if (err)
        vg_descriptor_close(&ex->socket);
    return err;
}

static enum vg_err connect_unix(struct exchange *ex, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    memcpy(un.sun_path, path, strlen(path) + 1); /* its length was checked with the URL */
    return connect_to(ex, (const struct sockaddr *)&un, sizeof(un));
}

static enum vg_err connect_tcp(struct exchange *ex, const struct vg_url *url)
{
    struct vg_address addresses[VG_HOSTNAME_MAX];
    size_t n = 0;
    enum vg_err err =
        vg_hostname_resolve(url->host, url->port, ex->post->cancel, ex->post->deadline_ns, addresses, &n);

    if (err)
        return err;
    err = VG_ERR_IO;
    for (size_t i = 0; i < n && err == VG_ERR_IO; i++)
        err = connect_to(ex, (const struct sockaddr *)&addresses[i].storage, addresses[i].len);
    return err;
}

static enum vg_err build_head(struct exchange *ex)
{
    const struct vg_http_post *post = ex->post;
    const struct vg_url *url = post->url;
    bool tcp = url->kind == VG_URL_TCP;
    bool ipv6 = tcp && strchr(url->host, ':');

    vg_buf_printf(&ex->head, "POST %s%s HTTP/1.1\r\nHost: ", tcp ? url->path : "", post->resource);
    if (tcp)
        vg_buf_printf(&ex->head, "%s%s%s:%u", ipv6 ? "[" : "", url->host, ipv6 ? "]" : "", url->port);
    else
        vg_buf_text(&ex->head, "localhost");
    vg_buf_printf(&ex->head,
                  "\r\nUser-Agent: vigil-profiler/" VG_VERSION "\r\nDD-EVP-ORIGIN: vigil-profiler\r\n"
                  "DD-EVP-ORIGIN-VERSION: " VG_VERSION "\r\nConnection: close\r\nContent-Type: %s\r\n"
                  "Content-Length: %zu\r\n\r\n",
                  post->content_type, post->body.len);
    ex->total = ex->head.len + post->body.len;
    return ex->head.err;
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static void send_some(struct exchange *ex)
{
    struct vg_slice body = ex->post->body;
    struct iovec pieces[2];
    struct msghdr message = {.msg_iov = pieces};
    size_t head_left = ex->sent < ex->head.len ? ex->head.len - ex->sent : 0;
    size_t body_sent = ex->sent - (ex->head.len - head_left);
    ssize_t n;

    if (head_left)
        pieces[message.msg_iovlen++] = (struct iovec){ex->head.data + ex->sent, head_left};
    if (body_sent < body.len)
        pieces[message.msg_iovlen++] = (struct iovec){(char *)body.data + body_sent, body.len - body_sent};
    n = sendmsg(ex->socket.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0)
        ex->sent += (size_t)n;
    else if (!would_block())
        ex->may_send = false; /* what it had to say may still lie in our receive buffer */
}

/* The head's end, or NULL. */
static const char *head_end(const struct exchange *ex)
{
    return memmem(ex->reply, ex->reply_len, "\r\n\r\n", 4);
}

static enum vg_err receive_some(struct exchange *ex)
{
    ssize_t n;

    if (ex->reply_len == sizeof(ex->reply))
        return VG_ERR_MALFORMED;
    n = recv(ex->socket.fd, ex->reply + ex->reply_len, sizeof(ex->reply) - ex->reply_len, MSG_DONTWAIT);
    if (n > 0)
        ex->reply_len += (size_t)n;
    else if (n == 0 || !would_block())
        return VG_ERR_IO;
    return VG_OK;
}

/* "HTTP/1.x NNN", or 0. */
static int status_of(const char *reply, size_t len)
{
    if (len < 13 || memcmp(reply, "HTTP/1.", 7) != 0 || reply[8] != ' ')
        return 0;
    for (int i = 9; i < 12; i++)
        if (reply[i] < '0' || reply[i] > '9')
            return 0;
    return (reply[9] - '0') * 100 + (reply[10] - '0') * 10 + (reply[11] - '0');
}

/* The value of "Retry-After: SECONDS" among the header lines, else 0; a date is not understood. */
static int64_t retry_after_of(const char *at, const char *end)
{
    static const char name[] = "\r\nretry-after:";
    const size_t name_len = sizeof(name) - 1;

    for (; (size_t)(end - at) > name_len; at++) {
        int64_t value = 0;
        if (*at != '\r' || strncasecmp(at, name, name_len) != 0)
            continue;
        for (at += name_len; at < end && *at == ' '; at++)
            ;
        for (; at < end && *at >= '0' && *at <= '9' && value <= RETRY_AFTER_MAX_S; at++)
            value = value * 10 + (*at - '0');
        return value < RETRY_AFTER_MAX_S ? value : RETRY_AFTER_MAX_S;
    }
    return 0;
}

/* Looks at a complete head. VG_ERR_NOT_FOUND: it was an interim answer, now forgotten; more is to come. */
static enum vg_err parse_reply(struct exchange *ex, const char *end, struct vg_http_reply *reply)
{
    int status = status_of(ex->reply, ex->reply_len);

    if (status < 100 || status > 599)
        return VG_ERR_MALFORMED;
    if (status < 200) {
        size_t used = (size_t)(end - ex->reply) + 4;
        ex->reply_len -= used;
        memmove(ex->reply, ex->reply + used, ex->reply_len);
        return VG_ERR_NOT_FOUND;
    }
    *reply = (struct vg_http_reply){status, retry_after_of(ex->reply, end)};
    return VG_OK;
}

static enum vg_err converse(struct exchange *ex, struct vg_http_reply *reply)
{
    ex->may_send = true;
    for (;;) {
        const char *end;
        bool sending = ex->may_send && ex->sent < ex->total;
        enum vg_err err = wait_for(ex, sending ? POLLIN | POLLOUT : POLLIN);
        if (err)
            return err;
        if (sending)
            send_some(ex);
        err = receive_some(ex);
        while ((end = head_end(ex)) != NULL) {
            enum vg_err parsed = parse_reply(ex, end, reply);
            if (parsed != VG_ERR_NOT_FOUND)
                return parsed;
        }
        if (err)
            return err;
    }
}

enum vg_err vg_http_post(const struct vg_http_post *post, struct vg_http_reply *reply)
{
    struct exchange ex = {.post = post, .socket = VG_DESCRIPTOR_NONE};
    enum vg_err err;

    vg_buf_init(&ex.head, HEAD_LIMIT, NULL);
    err = build_head(&ex);
    if (!err)
        err =
            post->url->kind == VG_URL_UNIX ? connect_unix(&ex, post->url->path) : connect_tcp(&ex, post->url);
    if (!err)
        err = converse(&ex, reply);
    vg_descriptor_close(&ex.socket);
    vg_buf_release(&ex.head);
    return err;
}
