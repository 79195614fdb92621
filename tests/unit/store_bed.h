/* A store under test in a directory of its own, with a clock that the test owns; and puts that wait for their
 * answer. */
#ifndef VG_TESTS_UNIT_STORE_BED_H
#define VG_TESTS_UNIT_STORE_BED_H

#include "base/lock.h"
#include "store_make.h"

struct store_bed {
    char directory[128];
    struct vg_store_config config;
    struct vg_clock clock;
    _Atomic int64_t now_ns; /* read by the writer too */
    struct vg_store *store;
    struct vg_lock lock; /* of what follows: answers and notices come from the writer's thread */
    pthread_cond_t answered;
    size_t n_answers;
    enum vg_err last_err;
    size_t n_stored, n_duplicates, n_errors;
    char notice[512]; /* the latest */
    size_t n_notices;
};

/* A moment in the middle of a day: 2026-11-25 12:00 UTC. */
#define BED_NOON_NS (INT64_C(1795608000) * VG_NS_PER_S)
#define BED_DAY_NS  (INT64_C(86400) * VG_NS_PER_S)

void bed_init(struct store_bed *bed);
void bed_release(struct store_bed *bed); /* the directory too */
/* Opens the SQLite store; a failure is the test's. */
void bed_open(struct store_bed *bed);
void bed_open_memory(struct store_bed *bed);
void bed_close(struct store_bed *bed);
/* Takes profile. Does not wait. */
enum vg_err bed_put(struct store_bed *bed, struct vg_profile *profile);
/* Until n answers have come in all; false after ten seconds. */
bool bed_wait(struct store_bed *bed, size_t n);
/* Puts and waits. */
enum vg_err bed_store(struct store_bed *bed, struct vg_profile *profile);
/* All that is in the store, described, from a whole read of each profile. */
void bed_describe(struct store_bed *bed, struct vg_buf *out);
size_t bed_count(struct store_bed *bed);
/* The name of the n-th file of the directory whose name ends so; false where there is none. */
bool bed_find_file(const struct store_bed *bed, const char *suffix, size_t n, char path[256]);

static const struct vg_selection bed_everything = {.from_ns = INT64_MIN, .to_ns = INT64_MAX};

#endif
