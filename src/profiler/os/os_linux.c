/* Linux: clocks by kernel thread id, process_vm_readv on ourselves. See os.h. */
#ifdef __linux__

#include "profiler/os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* 256 KiB: our threads keep little on their stacks; glibc's default of 8 MiB counts against ulimit -v. */
#define STACK_BYTES (256u * 1024u)

static _Atomic pid_t own_pid; /* 0: ask; cleared after fork */

static pid_t get_pid(void)
{
    pid_t pid = atomic_load_explicit(&own_pid, memory_order_relaxed);
    if (pid == 0) {
        pid = getpid();
        atomic_store_explicit(&own_pid, pid, memory_order_relaxed);
    }
    return pid;
}

void vg_os_after_fork(void)
{
    atomic_store_explicit(&own_pid, 0, memory_order_relaxed);
}

int32_t vg_os_thread_id(void)
{
    return (int32_t)syscall(SYS_gettid);
}

static int64_t to_ns(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t read_clock(clockid_t clock)
{
    struct timespec t;
    return clock_gettime(clock, &t) == 0 ? to_ns(t) : 0;
}

enum vg_err vg_os_thread_cpu_ns(int32_t thread_id, int64_t *cpu_ns)
{
    /* The kernel's own encoding of "scheduler clock of thread N" (include/linux/posix-timers.h): it checks
     * that the thread is of this process. pthread_getcpuclockid would follow a pthread_t that may be freed
     * memory. */
    clockid_t clock = (clockid_t)((~(unsigned)thread_id << 3) | 6u);
    struct timespec t;
    if (clock_gettime(clock, &t) != 0)
        return VG_ERR_NOT_FOUND;
    *cpu_ns = to_ns(t);
    return VG_OK;
}

int64_t vg_os_own_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

int64_t vg_os_process_cpu_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

void vg_os_thread_kernel_name(int32_t thread_id, char name[16])
{
    char path[48];
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", (int)thread_id);
    name[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read(fd, name, 15);
    close(fd);
    if (n < 0)
        n = 0;
    name[n] = '\0';
    name[strcspn(name, "\n")] = '\0';
}

enum vg_err vg_os_read(uintptr_t from, void *to, size_t len)
{
    struct iovec local = {to, len}, remote = {(void *)from, len};
    ssize_t n = process_vm_readv(get_pid(), &local, 1, &remote, 1, 0);
    return n == (ssize_t)len ? VG_OK : VG_ERR_IO;
}

size_t vg_os_read_spans(const struct vg_os_span *spans, size_t n, void *to)
{
    struct iovec remote[VG_OS_MAX_SPANS];
    size_t total = 0;
    if (n > VG_OS_MAX_SPANS)
        n = VG_OS_MAX_SPANS;
    for (size_t i = 0; i < n; i++) {
        remote[i] = (struct iovec){(void *)spans[i].from, spans[i].len};
        total += spans[i].len;
    }
    struct iovec local = {to, total};
    ssize_t got = process_vm_readv(get_pid(), &local, 1, remote, n, 0);
    return got < 0 ? 0 : (size_t)got;
}

/* ---- where struct pthread keeps the kernel's id ---- */

#define SCAN_BYTES 2048u

struct scan {
    unsigned char bits[SCAN_BYTES / 4]; /* 1: the id stood at this word */
};

static void scan_own(struct scan *scan)
{
    unsigned char copy[SCAN_BYTES];
    int32_t self = vg_os_thread_id();
    memset(scan, 0, sizeof *scan);
    size_t len = SCAN_BYTES;
    while (len >= 64 && vg_os_read((uintptr_t)pthread_self(), copy, len) != VG_OK)
        len /= 2;
    for (size_t at = 0; at + 4 <= len && len >= 64; at += 4) {
        int32_t word;
        memcpy(&word, copy + at, sizeof word);
        scan->bits[at / 4] = word == self;
    }
}

static void *scan_thread(void *ctx)
{
    scan_own(ctx);
    return NULL;
}

enum vg_err vg_os_thread_id_offset(size_t *offset)
{
    struct scan here, there;
    pthread_t thread;
    scan_own(&here);
    enum vg_err err = vg_os_thread_start(&thread, "vigil-check", scan_thread, &there);
    if (err != VG_OK)
        return err;
    pthread_join(thread, NULL);
    for (size_t i = 0; i < SCAN_BYTES / 4; i++)
        if (here.bits[i] && there.bits[i]) {
            *offset = i * 4;
            return VG_OK;
        }
    return VG_ERR_UNSUPPORTED;
}

/* ---- threads of ours ---- */

enum vg_err vg_os_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *ctx)
{
    pthread_attr_t attr;
    sigset_t all, before;
    if (pthread_attr_init(&attr) != 0)
        return VG_ERR_NOMEM;
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    /* The mask is inherited: blocked here for the moment of creation, so the new thread never runs a handler
     * of the program's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(thread, &attr, run, ctx);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (failed)
        return VG_ERR_NOMEM;
#ifdef __GLIBC__
    pthread_setname_np(*thread, name);
#else
    (void)name;
#endif
    return VG_OK;
}

#define GONE_LOOKS    2000
#define GONE_PAUSE_NS 50000

void vg_os_thread_join(pthread_t thread, int32_t thread_id)
{
    struct timespec pause = {.tv_nsec = GONE_PAUSE_NS};
    pthread_join(thread, NULL);
    /* Signal 0 is not sent. The kernel takes a thread from its table and from the count under one lock. */
    for (int i = 0; i < GONE_LOOKS; i++) {
        if (syscall(SYS_tgkill, get_pid(), thread_id, 0) != 0 && errno == ESRCH)
            return;
        nanosleep(&pause, NULL);
    }
}

#endif /* __linux__ */
