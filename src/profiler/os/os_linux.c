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

/* The first bytes of /proc/self/task/ID/what, NUL-terminated. */
static size_t read_task(int32_t thread_id, const char *what, char *out, size_t out_bytes)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/self/task/%d/%s", (int)thread_id, what);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = pread(fd, out, out_bytes - 1, 0);
    close(fd);
    n = n < 0 ? 0 : n;
    out[n] = '\0';
    return (size_t)n;
}

void vg_os_thread_kernel_name(int32_t thread_id, char name[16])
{
    name[0] = '\0';
    if (read_task(thread_id, "comm", name, 16) > 0)
        name[strcspn(name, "\n")] = '\0';
}

bool vg_os_thread_is_runnable(int32_t thread_id)
{
    char stat[128];
    /* "id (name) state …"; the name may hold anything, so the last parenthesis counts. */
    const char *end = read_task(thread_id, "stat", stat, sizeof stat) > 0 ? strrchr(stat, ')') : NULL;
    return end && end[1] == ' ' && end[2] == 'R';
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
    struct vg_os_thread thread;
    scan_own(&here);
    enum vg_err err = vg_os_thread_start(&thread, "vigil-check", scan_thread, &there);
    if (err != VG_OK)
        return err;
    vg_os_thread_join(&thread);
    for (size_t i = 0; i < SCAN_BYTES / 4; i++)
        if (here.bits[i] && there.bits[i]) {
            *offset = i * 4;
            return VG_OK;
        }
    return VG_ERR_UNSUPPORTED;
}

/* ---- threads of ours ---- */

#define GONE_LOOKS    2000
#define GONE_PAUSE_NS 50000

static void *begin(void *arg)
{
    struct vg_os_thread *thread = arg;
    __atomic_store_n(&thread->id, vg_os_thread_id(), __ATOMIC_RELEASE);
    return thread->run(thread->ctx);
}

static bool create(struct vg_os_thread *thread, size_t stack_bytes)
{
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0)
        return false;
    if (stack_bytes)
        pthread_attr_setstacksize(&attr, stack_bytes);
    bool made = pthread_create(&thread->handle, &attr, begin, thread) == 0;
    pthread_attr_destroy(&attr);
    return made;
}

enum vg_err vg_os_thread_start(struct vg_os_thread *thread, const char *name, void *(*run)(void *), void *ctx)
{
    sigset_t all, before;
    *thread = (struct vg_os_thread){.run = run, .ctx = ctx};
    /* The mask is inherited: blocked here for the moment of creation, so the new thread never runs a handler
     * of the program's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    /* The thread-local storage of the host's libraries is taken from the stack: a small one may not do. */
    bool made = create(thread, STACK_BYTES) || create(thread, 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!made)
        return VG_ERR_NOMEM;
#ifdef __GLIBC__
    pthread_setname_np(thread->handle, name);
#else
    (void)name;
#endif
    return VG_OK;
}

void vg_os_thread_join(struct vg_os_thread *thread)
{
    const struct timespec pause = {.tv_nsec = GONE_PAUSE_NS};
    pthread_join(thread->handle, NULL);
    int32_t id = __atomic_load_n(&thread->id, __ATOMIC_ACQUIRE);
    /* Signal 0 is not sent: it only asks whether there is somebody to get it. The kernel takes a thread off
     * the count and off its table under one lock. */
    for (int i = 0; i < GONE_LOOKS; i++) {
        if (syscall(SYS_tgkill, getpid(), id, 0) != 0 && errno == ESRCH)
            return;
        nanosleep(&pause, NULL);
    }
}

#endif /* __linux__ */
