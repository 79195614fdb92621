/* An allocator for tests: counts what lives, and fails the allocation whose turn has come.
 *
 *     for (size_t turn = 0;; turn++) {
 *         struct test_alloc alloc = test_alloc_failing(turn);
 *         ... use test_alloc_seam(&alloc); everything must be released, with or without the failure ...
 *         assert_int_equal(alloc.live, 0);
 *         if (!alloc.has_failed)
 *             break;
 *     }
 */
#ifndef VG_TESTS_UNIT_TEST_ALLOC_H
#define VG_TESTS_UNIT_TEST_ALLOC_H

#include "base/alloc.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct test_alloc {
    struct vg_alloc seam;
    size_t calls, fail_at;
    size_t live; /* blocks not released */
    bool has_failed;
};

static inline void *test_alloc_resize(void *ctx, void *old, size_t size)
{
    struct test_alloc *alloc = ctx;
    if (alloc->calls++ == alloc->fail_at) {
        alloc->has_failed = true;
        return NULL;
    }
    void *memory = realloc(old, size);
    if (memory && !old)
        alloc->live++;
    return memory;
}

static inline void test_alloc_release(void *ctx, void *old)
{
    struct test_alloc *alloc = ctx;
    if (old)
        alloc->live--;
    free(old);
}

/* SIZE_MAX: never fails. */
static inline struct test_alloc test_alloc_failing(size_t turn)
{
    return (struct test_alloc){.seam = {test_alloc_resize, test_alloc_release, NULL}, .fail_at = turn};
}

/* The seam, tied to where the struct lies now. */
static inline const struct vg_alloc *test_alloc_seam(struct test_alloc *alloc)
{
    alloc->seam.ctx = alloc;
    return &alloc->seam;
}

#endif
