/* base/lock: the order of ranks is enforced, waiting works with and without a deadline. */
#include "base/lock.h"

#include "base/clock.h"
#include "test_cmocka.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct vg_lock outer = VG_LOCK_INIT(VG_RANK_SERVER);
static struct vg_lock inner = VG_LOCK_INIT(VG_RANK_LOG);

static void in_order(void)
{
    vg_lock_take(&outer);
    vg_lock_take(&inner);
    vg_lock_give(&outer); /* giving back may be in any order */
    vg_lock_give(&inner);
    vg_lock_take(&outer);
    vg_lock_give(&outer);
}

static void out_of_order(void)
{
    vg_lock_take(&inner);
    vg_lock_take(&outer);
}

static void twice(void)
{
    vg_lock_take(&inner);
    vg_lock_take(&inner);
}

static void not_taken(void)
{
    vg_lock_give(&inner);
}

static void wait_holding_an_inner_one(void)
{
    pthread_cond_t cond;
    vg_cond_init(&cond);
    vg_lock_take(&outer);
    vg_lock_take(&inner);
    vg_lock_wait(&outer, &cond, 1);
}

/* Runs what in a child; the signal that ended it, 0 where it came back. */
static int signal_of(void (*what)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGABRT, SIG_DFL); /* cmocka catches it */
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        what();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void ranks_are_enforced(void **state)
{
    (void)state;
    assert_int_equal(signal_of(in_order), 0);
#ifndef NDEBUG
    assert_int_equal(signal_of(out_of_order), SIGABRT);
    assert_int_equal(signal_of(twice), SIGABRT);
    assert_int_equal(signal_of(not_taken), SIGABRT);
    assert_int_equal(signal_of(wait_holding_an_inner_one), SIGABRT);
#endif
}

struct baton {
    struct vg_lock lock;
    pthread_cond_t cond;
    bool is_passed;
};

static void *pass(void *arg)
{
    struct baton *baton = arg;
    vg_lock_take(&baton->lock);
    baton->is_passed = true;
    pthread_cond_signal(&baton->cond);
    vg_lock_give(&baton->lock);
    return NULL;
}

static void waiting_ends_when_woken_or_late(void **state)
{
    (void)state;
    struct baton baton = {.is_passed = false};
    vg_lock_init(&baton.lock, VG_RANK_STORE);
    vg_cond_init(&baton.cond);
    vg_lock_take(&baton.lock);
    int64_t start = vg_clock_monotonic_ns(NULL), deadline = start + 20 * VG_NS_PER_MS;
    while (vg_clock_monotonic_ns(NULL) < deadline)
        vg_lock_wait(&baton.lock, &baton.cond, deadline);
    assert_false(baton.is_passed);

    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, pass, &baton), 0);
    while (!baton.is_passed)
        vg_lock_wait(&baton.lock, &baton.cond, 0);
    vg_lock_give(&baton.lock);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&baton.cond);
    vg_lock_release(&baton.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_are_enforced),
        cmocka_unit_test(waiting_ends_when_woken_or_late),
    };
    return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
