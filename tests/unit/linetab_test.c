/* profiler/cpython/linetab: what real interpreters say about their own tables (linetab_fixtures.h), and
 * tables of nonsense in memory of exactly their size. */
#include "profiler/cpython/linetab.h"

#include "base/map.h"
#include "test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>

struct fixture {
    const char *title;
    enum vg_linetab_kind kind;
    int32_t first_line;
    int32_t code_bytes;
    const char *table; /* hexadecimal */
    const char *lines; /* "offset:line" where the line changes; line 0: none */
};

#include "linetab_fixtures.h"

static uint8_t *table_of(const struct fixture *fixture, size_t *len)
{
    *len = strlen(fixture->table) / 2;
    uint8_t *table = malloc(*len ? *len : 1);
    for (size_t i = 0; i < *len; i++) {
        unsigned byte;
        assert_int_equal(sscanf(fixture->table + 2 * i, "%2x", &byte), 1);
        table[i] = (uint8_t)byte;
    }
    return table;
}

static void every_byte_as_the_interpreter_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fixtures / sizeof fixtures[0]; i++) {
        const struct fixture *f = &fixtures[i];
        size_t len;
        uint8_t *table = table_of(f, &len);
        const char *rest = f->lines;
        int32_t expected = -1;
        for (int32_t offset = 0; offset < f->code_bytes; offset++) {
            int next, line, used;
            if (sscanf(rest, "%d:%d %n", &next, &line, &used) == 2 && next == offset) {
                expected = line;
                rest += used;
            }
            int32_t got = vg_linetab_line(f->kind, table, len, f->first_line, offset);
            if (got != expected)
                fail_msg("%s: line %d at %d, not %d", f->title, got, offset, expected);
        }
        assert_string_equal(rest, "");
        free(table);
    }
}

static void edges(void **state)
{
    (void)state;
    static const uint8_t pairs[] = {4, 1, 4, 0xFF, 4, 0x80, 4, 2, 9}; /* a lonely byte at the end */
    assert_int_equal(vg_linetab_line(VG_LINETAB_NONE, pairs, 9, 10, 0), 0);
    assert_int_equal(vg_linetab_line(VG_LINETAB_LNOTAB_UNSIGNED, pairs, 9, 10, 3), 10);
    assert_int_equal(vg_linetab_line(VG_LINETAB_LNOTAB_UNSIGNED, pairs, 9, 10, 8), 266);
    assert_int_equal(vg_linetab_line(VG_LINETAB_LNOTAB_SIGNED, pairs, 9, 10, 8), 10);
    assert_int_equal(vg_linetab_line(VG_LINETAB_LNOTAB_SIGNED, pairs, 9, 10, 1000), 0); /* line −116 */
    assert_int_equal(vg_linetab_line(VG_LINETAB_RANGES, pairs, 9, 10, 3), 11);
    assert_int_equal(vg_linetab_line(VG_LINETAB_RANGES, pairs, 9, 10, 8), 0);
    assert_int_equal(vg_linetab_line(VG_LINETAB_RANGES, pairs, 9, 10, 15), 12);
    assert_int_equal(vg_linetab_line(VG_LINETAB_RANGES, pairs, 9, 10, 16), 0); /* behind the end */
    for (int kind = VG_LINETAB_NONE; kind <= VG_LINETAB_LOCATIONS; kind++) {
        assert_int_equal(vg_linetab_line((enum vg_linetab_kind)kind, pairs, 9, 10, -1), 0);
        assert_int_equal(vg_linetab_line((enum vg_linetab_kind)kind, pairs, 9, INT32_MAX, 11) > 0,
                         kind == VG_LINETAB_LNOTAB_SIGNED);
        (void)vg_linetab_line((enum vg_linetab_kind)kind, NULL, 0, 1, 0);
    }
    assert_int_equal(vg_linetab_line(VG_LINETAB_LNOTAB_SIGNED, NULL, 0, 7, 0), 7);
    assert_int_equal(vg_linetab_line((enum vg_linetab_kind)99, pairs, 9, 10, 0), 0);
}

static void nonsense_does_no_harm(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 40000; round++) {
        size_t len = vg_hash_u64(round) % 40;
        uint8_t *table = malloc(len ? len : 1);
        for (size_t i = 0; i < len; i++)
            table[i] = (uint8_t)vg_hash_u64(round * 50 + i);
        int32_t offset = (int32_t)(vg_hash_u64(round * 7) >> (round % 2 ? 33 : 56));
        for (int kind = VG_LINETAB_NONE; kind <= VG_LINETAB_LOCATIONS; kind++) {
            int32_t line = vg_linetab_line((enum vg_linetab_kind)kind, table, len, INT32_MAX - 50, offset);
            assert_true(line >= 0);
        }
        free(table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_as_the_interpreter_says),
        cmocka_unit_test(edges),
        cmocka_unit_test(nonsense_does_no_harm),
    };
    return cmocka_run_group_tests_name("linetab", tests, NULL, NULL);
}
