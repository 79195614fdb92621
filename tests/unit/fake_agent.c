#include "fake_agent.h"

#include "base/clock.h"
#include "test_cmocka.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static bool readable(const struct agent *agent, int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};

    while (!atomic_load(&agent->stop))
        if (poll(&pfd, 1, 10) > 0)
            return true;
    return false;
}

/* Bytes still to come after what is there; -1: the head is not complete. */
static long missing(const struct vg_buf *request)
{
    const char *end = request->len ? memmem(request->data, request->len, "\r\n\r\n", 4) : NULL;
    const char *length = end ? memmem(request->data, request->len, "Content-Length: ", 16) : NULL;

    if (!end)
        return -1;
    long want = (end + 4 - request->data) + (length ? strtol(length + 16, NULL, 10) : 0);
    return want - (long)request->len;
}

static bool read_request(struct agent *agent, int fd, bool head_only, struct vg_buf *request)
{
    char piece[4096];

    while (missing(request) != 0 && !(head_only && missing(request) > 0)) {
        if (!readable(agent, fd))
            return false;
        ssize_t n = recv(fd, piece, sizeof(piece), 0);
        if (n <= 0)
            return false;
        vg_buf_append(request, piece, (size_t)n);
    }
    return true;
}

static void say(int fd, const struct agent_step *step)
{
    size_t len = strlen(step->text);

    if (step->manner != AGENT_DRIP) {
        send(fd, step->text, len, MSG_NOSIGNAL);
        return;
    }
    for (size_t i = 0; i < len; i++)
        if (send(fd, step->text + i, 1, MSG_NOSIGNAL) != 1)
            return;
}

static void serve(struct agent *agent, int fd, const struct agent_step *step)
{
    struct vg_buf request;
    char byte;

    vg_buf_init(&request, 64u << 20, NULL);
    if (read_request(agent, fd, step->manner == AGENT_EARLY, &request)) {
        pthread_mutex_lock(&agent->lock);
        vg_buf_reset(&agent->request);
        vg_buf_append(&agent->request, request.data, request.len);
        pthread_mutex_unlock(&agent->lock);
        atomic_fetch_add(&agent->completed, 1);
        if (step->manner == AGENT_HANG)
            while (readable(agent, fd) && recv(fd, &byte, 1, 0) > 0)
                ;
        else if (step->manner != AGENT_CLOSE)
            say(fd, step);
    }
    vg_buf_release(&request);
    close(fd);
}

static void *agent_thread(void *arg)
{
    struct agent *agent = arg;

    while (readable(agent, agent->listener)) {
        int fd = accept(agent->listener, NULL, NULL);
        if (fd < 0)
            continue;
        size_t n = (size_t)atomic_fetch_add(&agent->accepted, 1);
        serve(agent, fd, &agent->script[n < agent->n_steps ? n : agent->n_steps - 1]);
    }
    return NULL;
}

static void listen_tcp(struct agent *agent)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);

    agent->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(agent->listener, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(getsockname(agent->listener, (struct sockaddr *)&in, &len), 0);
    snprintf(agent->url, sizeof(agent->url), "http://127.0.0.1:%d", ntohs(in.sin_port));
}

static void listen_unix(struct agent *agent, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    agent->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(agent->listener, (struct sockaddr *)&un, sizeof(un)), 0);
    snprintf(agent->url, sizeof(agent->url), "unix://%s", path);
}

void agent_start(struct agent *agent, const struct agent_step *script, size_t n_steps, const char *unix_path)
{
    *agent = (struct agent){.script = script, .n_steps = n_steps};
    pthread_mutex_init(&agent->lock, NULL);
    vg_buf_init(&agent->request, 64u << 20, NULL);
    if (unix_path)
        listen_unix(agent, unix_path);
    else
        listen_tcp(agent);
    assert_int_equal(listen(agent->listener, 16), 0);
    assert_int_equal(pthread_create(&agent->thread, NULL, agent_thread, agent), 0);
}

void agent_stop(struct agent *agent)
{
    atomic_store(&agent->stop, true);
    pthread_join(agent->thread, NULL);
    close(agent->listener);
    vg_buf_release(&agent->request);
    pthread_mutex_destroy(&agent->lock);
}

int agent_connected_number(const struct agent *agent)
{
    struct sockaddr_storage peer, listener;
    socklen_t listener_len = sizeof(listener);

    assert_int_equal(getsockname(agent->listener, (struct sockaddr *)&listener, &listener_len), 0);
    for (int fd = 3; fd < 64; fd++) {
        socklen_t len = sizeof(peer);
        if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && len == listener_len &&
            memcmp(&peer, &listener, len) == 0)
            return fd;
    }
    return -1;
}

bool reaches(const atomic_int *counter, int n)
{
    int64_t deadline_ns = vg_clock_monotonic_ns(NULL) + 5 * VG_NS_PER_S;

    while (atomic_load(counter) < n && vg_clock_monotonic_ns(NULL) < deadline_ns)
        poll(NULL, 0, 2);
    return atomic_load(counter) >= n;
}
