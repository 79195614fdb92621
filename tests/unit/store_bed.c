/* A store under test: see store_bed.h. */
#include "store_bed.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test_cmocka.h"

#define PATIENCE_NS (30 * VG_NS_PER_S)

static int64_t bed_now(void *ctx)
{
    return ((struct store_bed *)ctx)->now_ns;
}

static int64_t bed_monotonic(void *ctx)
{
    (void)ctx;
    return vg_clock_monotonic_ns(NULL);
}

static void on_notice(void *ctx, const char *sentence)
{
    struct store_bed *bed = ctx;
    vg_lock_take(&bed->lock);
    snprintf(bed->notice, sizeof bed->notice, "%s", sentence);
    bed->n_notices++;
    vg_lock_give(&bed->lock);
}

void bed_init(struct store_bed *bed)
{
    const char *parent = getenv("TMPDIR");
    *bed = (struct store_bed){.now_ns = BED_NOON_NS};
    snprintf(bed->directory, sizeof bed->directory, "%s/vigil-store-XXXXXX",
             parent && *parent ? parent : "/tmp");
    assert_non_null(mkdtemp(bed->directory));
    bed->clock = (struct vg_clock){bed_now, bed_monotonic, bed};
    bed->config = (struct vg_store_config){
        .directory = bed->directory, .clock = &bed->clock, .notice = on_notice, .notice_ctx = bed};
    vg_lock_init(&bed->lock, VG_RANK_LOG);
    vg_cond_init(&bed->answered);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

void bed_release(struct store_bed *bed)
{
    bed_close(bed);
    nftw(bed->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    pthread_cond_destroy(&bed->answered);
    vg_lock_release(&bed->lock);
}

void bed_open(struct store_bed *bed)
{
    char why[256];
    enum vg_err err = vg_store_open_sqlite(&bed->config, &bed->store, why);
    if (err)
        fail_msg("%s: %s", vg_err_name(err), why);
}

void bed_open_memory(struct store_bed *bed)
{
    assert_int_equal(vg_store_open_memory(&bed->config, &bed->store), VG_OK);
}

void bed_close(struct store_bed *bed)
{
    vg_store_free(bed->store);
    bed->store = NULL;
}

static void on_done(void *ctx, enum vg_err err, enum vg_put_result result)
{
    struct store_bed *bed = ctx;
    vg_lock_take(&bed->lock);
    bed->n_answers++;
    bed->last_err = err;
    bed->n_errors += err != VG_OK;
    bed->n_stored += err == VG_OK && result == VG_PUT_STORED;
    bed->n_duplicates += err == VG_OK && result == VG_PUT_DUPLICATE;
    pthread_cond_signal(&bed->answered);
    vg_lock_give(&bed->lock);
}

enum vg_err bed_put(struct store_bed *bed, struct vg_profile *profile)
{
    assert_non_null(profile);
    return vg_store_put(bed->store, profile, on_done, bed);
}

bool bed_wait(struct store_bed *bed, size_t n)
{
    int64_t deadline_ns = vg_clock_monotonic_ns(NULL) + PATIENCE_NS;
    vg_lock_take(&bed->lock);
    while (bed->n_answers < n && vg_clock_monotonic_ns(NULL) < deadline_ns)
        vg_lock_wait(&bed->lock, &bed->answered, deadline_ns);
    bool is_there = bed->n_answers >= n;
    vg_lock_give(&bed->lock);
    return is_there;
}

enum vg_err bed_store(struct store_bed *bed, struct vg_profile *profile)
{
    vg_lock_take(&bed->lock);
    size_t n = bed->n_answers + 1;
    vg_lock_give(&bed->lock);
    enum vg_err err = bed_put(bed, profile);
    if (err)
        return err;
    assert_true(bed_wait(bed, n));
    return bed->last_err;
}

struct ids {
    uint64_t ids[4096];
    size_t n;
};

static bool gather(void *ctx, const struct vg_stored_profile *profile)
{
    struct ids *ids = ctx;
    assert_true(ids->n < 4096 && profile->id != 0 && profile->id >> 53 == 0);
    ids->ids[ids->n++] = profile->id;
    return true;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void bed_describe(struct store_bed *bed, struct vg_buf *out)
{
    struct ids *ids = calloc(1, sizeof *ids);
    assert_int_equal(vg_store_list(bed->store, &bed_everything, gather, ids), VG_OK);
    char **texts = calloc(ids->n + 1, sizeof *texts);
    for (size_t i = 0; i < ids->n; i++) {
        struct vg_profile *profile;
        struct vg_buf text;
        size_t len;
        assert_int_equal(vg_store_get(bed->store, ids->ids[i], &profile), VG_OK);
        vg_buf_init(&text, SIZE_MAX, NULL);
        store_describe_profile(profile, &text);
        vg_buf_byte(&text, '\0');
        texts[i] = vg_buf_detach(&text, &len);
        vg_profile_free(profile);
    }
    qsort(texts, ids->n, sizeof *texts, compare_texts);
    for (size_t i = 0; i < ids->n; i++) {
        vg_buf_text(out, texts[i]);
        free(texts[i]);
    }
    free(texts);
    free(ids);
}

static bool count(void *ctx, const struct vg_stored_profile *profile)
{
    (void)profile;
    ++*(size_t *)ctx;
    return true;
}

size_t bed_count(struct store_bed *bed)
{
    size_t n = 0;
    assert_int_equal(vg_store_list(bed->store, &bed_everything, count, &n), VG_OK);
    return n;
}

bool bed_find_file(const struct store_bed *bed, const char *suffix, size_t n, char path[256])
{
    struct dirent **entries;
    int count_entries = scandir(bed->directory, &entries, NULL, alphasort);
    bool has = false;
    for (int i = 0; i < count_entries; i++) {
        size_t len = strlen(entries[i]->d_name), tail = strlen(suffix);
        if (len >= tail && strcmp(entries[i]->d_name + len - tail, suffix) == 0 && !has && n-- == 0) {
            snprintf(path, 256, "%s/%.100s", bed->directory, entries[i]->d_name);
            has = true;
        }
        free(entries[i]);
    }
    free(entries);
    return has;
}
