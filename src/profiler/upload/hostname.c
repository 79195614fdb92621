#include "profiler/upload/hostname.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAIT_SLICE_NS (5 * VG_NS_PER_MS)
#define STACK_BYTES   (256u << 10)

/* Shared by the asking thread and the helper; the last of them frees it. */
struct lookup {
    atomic_int owners;
    atomic_bool done; /* released by the helper after the results, acquired by the asker before them */
    struct vg_address addresses[VG_HOSTNAME_MAX];
    size_t n;
    char host[256];
    uint16_t port;
};

static void lookup_leave(struct lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->owners, 1) == 1)
        free(lookup);
}

static void *lookup_thread(void *arg)
{
    struct lookup *lookup = arg;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char port[8];

    snprintf(port, sizeof(port), "%u", lookup->port);
    if (getaddrinfo(lookup->host, port, &hints, &list) == 0) {
        for (struct addrinfo *info = list; info && lookup->n < VG_HOSTNAME_MAX; info = info->ai_next) {
            struct vg_address *address = &lookup->addresses[lookup->n];
            if (info->ai_addrlen > sizeof(address->storage))
                continue;
            memcpy(&address->storage, info->ai_addr, info->ai_addrlen);
            address->len = info->ai_addrlen;
            lookup->n++;
        }
        freeaddrinfo(list);
    }
    atomic_store(&lookup->done, true);
    lookup_leave(lookup);
    return NULL;
}

static enum vg_err start(struct lookup *lookup)
{
    pthread_attr_t attr;
    pthread_t thread;
    int failed;

    if (pthread_attr_init(&attr) != 0)
        return VG_ERR_NOMEM;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    failed = pthread_create(&thread, &attr, lookup_thread, lookup);
    if (failed) { /* the host's thread-local storage may need more than our small stack has */
        pthread_attr_destroy(&attr);
        if (pthread_attr_init(&attr) != 0)
            return VG_ERR_NOMEM;
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        failed = pthread_create(&thread, &attr, lookup_thread, lookup);
    }
    pthread_attr_destroy(&attr);
    return failed ? VG_ERR_IO : VG_OK;
}

static enum vg_err wait_done(struct lookup *lookup, const atomic_bool *cancel, int64_t deadline_ns)
{
    struct timespec slice = {.tv_nsec = WAIT_SLICE_NS};

    while (!atomic_load(&lookup->done)) {
        if (atomic_load(cancel))
            return VG_ERR_CANCELLED;
        if (vg_clock_monotonic_ns(NULL) >= deadline_ns)
            return VG_ERR_TIMEOUT;
        nanosleep(&slice, NULL);
    }
    return VG_OK;
}

static enum vg_err ask(const char *host, uint16_t port, const atomic_bool *cancel, int64_t deadline_ns,
                       struct vg_address *addresses, size_t *n)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    enum vg_err err;

    if (!lookup)
        return VG_ERR_NOMEM;
    atomic_init(&lookup->owners, 2);
    atomic_init(&lookup->done, false);
    snprintf(lookup->host, sizeof(lookup->host), "%s", host);
    lookup->port = port;
    err = start(lookup);
    if (err) {
        free(lookup);
        return err;
    }
    err = wait_done(lookup, cancel, deadline_ns);
    if (!err && lookup->n == 0)
        err = VG_ERR_NOT_FOUND;
    if (!err) {
        memcpy(addresses, lookup->addresses, lookup->n * sizeof(*addresses));
        *n = lookup->n;
    }
    lookup_leave(lookup);
    return err;
}

static bool as_ipv4(const char *text, uint16_t port, struct vg_address *address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

    if (inet_pton(AF_INET, text, &in.sin_addr) != 1)
        return false;
    memcpy(&address->storage, &in, sizeof(in));
    address->len = sizeof(in);
    return true;
}

static bool as_ipv6(const char *text, uint16_t port, struct vg_address *address)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    if (inet_pton(AF_INET6, text, &in6.sin6_addr) != 1)
        return false;
    memcpy(&address->storage, &in6, sizeof(in6));
    address->len = sizeof(in6);
    return true;
}

enum vg_err vg_hostname_resolve(const char *host, uint16_t port, const atomic_bool *cancel,
                                int64_t deadline_ns, struct vg_address addresses[VG_HOSTNAME_MAX], size_t *n)
{
    if (as_ipv4(host, port, &addresses[0]) || as_ipv6(host, port, &addresses[0])) {
        *n = 1;
        return VG_OK;
    }
    if (strcmp(host, "localhost") == 0) {
        as_ipv4("127.0.0.1", port, &addresses[0]);
        as_ipv6("::1", port, &addresses[1]);
        *n = 2;
        return VG_OK;
    }
    return ask(host, port, cancel, deadline_ns, addresses, n);
}
