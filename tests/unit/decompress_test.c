/* intake/decompress: each encoding, and bombs. */
#include "vigil/intake/decompress.h"

#include <lz4frame.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "test_alloc.h"
#include "test_cmocka.h"

enum encoding { PLAIN, GZIP, ZSTD, LZ4, ENCODINGS };

static struct vg_budget budget = {.limit = (size_t)600 << 20};

/* Owned by the caller. */
static struct vg_slice encode(enum encoding encoding, struct vg_slice bytes)
{
    size_t cap = bytes.len + bytes.len / 2 + 65536;
    char *out = malloc(cap);
    switch (encoding) {
    case GZIP: {
        z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes.data,
                      .avail_in = (uInt)bytes.len,
                      .next_out = (Bytef *)out,
                      .avail_out = (uInt)cap};
        deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        cap = z.total_out;
        deflateEnd(&z);
        break;
    }
    case ZSTD:
        cap = ZSTD_compress(out, cap, bytes.data, bytes.len, 3);
        assert_false(ZSTD_isError(cap));
        break;
    case LZ4:
        cap = LZ4F_compressFrame(out, cap, bytes.data, bytes.len, NULL);
        assert_false(LZ4F_isError(cap));
        break;
    default:
        memcpy(out, bytes.data, bytes.len);
        cap = bytes.len;
    }
    return (struct vg_slice){out, cap};
}

static char *text(size_t len)
{
    char *out = malloc(len);
    uint32_t random = 1;
    for (size_t i = 0; i < len; i++) {
        random = random * 1664525 + 1013904223;
        out[i] = (char)('a' + (random >> 28)); /* shrinks to about a half */
    }
    return out;
}

static void each_encoding_comes_back(void **state)
{
    static const size_t sizes[] = {1, 100, 65536, 300000, 5000000};
    (void)state;
    for (enum encoding encoding = PLAIN; encoding < ENCODINGS; encoding++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            char *bytes = text(sizes[i]);
            struct vg_slice packed = encode(encoding, (struct vg_slice){bytes, sizes[i]});
            struct vg_expanded expanded;
            const char *why;
            assert_int_equal(vg_expand(&expanded, packed, &budget, NULL, &why), VG_OK);
            assert_int_equal(expanded.bytes.len, sizes[i]);
            assert_memory_equal(expanded.bytes.data, bytes, sizes[i]);
            vg_expanded_release(&expanded);
            assert_int_equal(budget.used, 0);
            free((char *)(uintptr_t)packed.data);
            free(bytes);
        }
}

/* Shrinks far more than our first guess, but less than what we allow. */
static void good_compression_is_no_bomb(void **state)
{
    (void)state;
    size_t len = 400000;
    char *bytes = calloc(1, len), *noise = text(6000);
    memcpy(bytes, noise, 6000);
    for (enum encoding encoding = GZIP; encoding < ENCODINGS; encoding++) {
        struct vg_slice packed = encode(encoding, (struct vg_slice){bytes, len});
        struct vg_expanded expanded;
        const char *why;
        assert_true(packed.len * 20 < len);
        assert_int_equal(vg_expand(&expanded, packed, &budget, NULL, &why), VG_OK);
        assert_int_equal(expanded.bytes.len, len);
        vg_expanded_release(&expanded);
        free((char *)(uintptr_t)packed.data);
    }
    free(noise);
    free(bytes);
}

static void several_members_are_one(void **state)
{
    (void)state;
    for (enum encoding encoding = GZIP; encoding < ENCODINGS; encoding++) {
        struct vg_slice one = encode(encoding, VG_SLICE_LIT("first ")),
                        two = encode(encoding, VG_SLICE_LIT("second"));
        struct vg_expanded expanded;
        const char *why;
        char *both = malloc(one.len + two.len);
        memcpy(both, one.data, one.len);
        memcpy(both + one.len, two.data, two.len);
        assert_int_equal(
            vg_expand(&expanded, (struct vg_slice){both, one.len + two.len}, &budget, NULL, &why), VG_OK);
        assert_true(vg_slice_equal_text(expanded.bytes, "first second"));
        vg_expanded_release(&expanded);
        free(both);
        free((char *)(uintptr_t)one.data);
        free((char *)(uintptr_t)two.data);
    }
}

static void bombs_are_refused(void **state)
{
    (void)state;
    size_t len = (size_t)64 << 20;
    char *zeros = calloc(1, len);
    for (enum encoding encoding = GZIP; encoding < ENCODINGS; encoding++) {
        struct vg_slice packed = encode(encoding, (struct vg_slice){zeros, len});
        struct vg_expanded expanded;
        const char *why = NULL;
        assert_int_equal(vg_expand(&expanded, packed, &budget, NULL, &why), VG_ERR_LIMIT);
        assert_non_null(strstr(why, "200 times"));
        vg_expanded_release(&expanded);
        assert_int_equal(budget.used, 0);
        free((char *)(uintptr_t)packed.data);
    }
    free(zeros);
}

static void cut_off_and_damaged_data_is_refused(void **state)
{
    (void)state;
    char *bytes = text(100000);
    for (enum encoding encoding = GZIP; encoding < ENCODINGS; encoding++) {
        struct vg_slice packed = encode(encoding, (struct vg_slice){bytes, 100000});
        for (size_t len = 4; len < packed.len; len += len < 100 ? 1 : 3001) {
            struct vg_expanded expanded;
            const char *why = NULL;
            char *copy = malloc(len); /* of its own size: a sanitizer sees each byte read too far */
            memcpy(copy, packed.data, len);
            assert_int_equal(vg_expand(&expanded, (struct vg_slice){copy, len}, &budget, NULL, &why),
                             VG_ERR_MALFORMED);
            assert_non_null(why);
            vg_expanded_release(&expanded);
            free(copy);
        }
        char *junk = malloc(packed.len);
        memcpy(junk, packed.data, packed.len);
        memset(junk + 20, 0xee, packed.len - 20);
        struct vg_expanded expanded;
        const char *why = NULL;
        assert_int_not_equal(vg_expand(&expanded, (struct vg_slice){junk, packed.len}, &budget, NULL, &why),
                             VG_OK);
        vg_expanded_release(&expanded);
        free(junk);
        free((char *)(uintptr_t)packed.data);
    }
    free(bytes);
}

/* A gzip that says it holds 4 GiB is believed no more than any other. */
static void sizes_told_by_the_data_are_not_believed(void **state)
{
    (void)state;
    struct vg_slice packed = encode(GZIP, VG_SLICE_LIT("small"));
    struct vg_expanded expanded;
    const char *why = NULL;
    memset((char *)(uintptr_t)packed.data + packed.len - 4, 0xff, 4);
    assert_int_equal(vg_expand(&expanded, packed, &budget, NULL, &why), VG_ERR_MALFORMED);
    assert_true(expanded.memory.cap <= 65536);
    vg_expanded_release(&expanded);
    free((char *)(uintptr_t)packed.data);
}

static void the_budget_is_kept(void **state)
{
    (void)state;
    struct vg_budget small = {.limit = 100000};
    char *bytes = text(100000);
    struct vg_slice packed = encode(ZSTD, (struct vg_slice){bytes, 100000});
    struct vg_expanded expanded;
    const char *why = NULL;
    assert_int_equal(vg_expand(&expanded, packed, &small, NULL, &why), VG_ERR_FULL);
    vg_expanded_release(&expanded);
    assert_int_equal(small.used, 0);
    free((char *)(uintptr_t)packed.data);
    free(bytes);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    size_t len = 300000;
    char *bytes = calloc(1, len), *noise = text(4000);
    memcpy(bytes, noise, 4000);
    struct vg_slice packed = encode(GZIP, (struct vg_slice){bytes, len});
    for (size_t turn = 0;; turn++) {
        struct test_alloc alloc = test_alloc_failing(turn);
        struct vg_expanded expanded;
        const char *why;
        enum vg_err err = vg_expand(&expanded, packed, &budget, test_alloc_seam(&alloc), &why);
        assert_int_equal(err, alloc.has_failed ? VG_ERR_NOMEM : VG_OK);
        vg_expanded_release(&expanded);
        assert_int_equal(alloc.live, 0);
        assert_int_equal(budget.used, 0);
        if (!alloc.has_failed)
            break;
    }
    free((char *)(uintptr_t)packed.data);
    free(noise);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_encoding_comes_back),
        cmocka_unit_test(good_compression_is_no_bomb),
        cmocka_unit_test(several_members_are_one),
        cmocka_unit_test(bombs_are_refused),
        cmocka_unit_test(cut_off_and_damaged_data_is_refused),
        cmocka_unit_test(sizes_told_by_the_data_are_not_believed),
        cmocka_unit_test(the_budget_is_kept),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
