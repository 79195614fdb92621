/* pprof/wire: varints and field headers. */
#include "pprof/wire.h"

#include "test_cmocka.h"

static struct vg_wire_cursor over(const void *bytes, size_t len)
{
    return (struct vg_wire_cursor){bytes, (const unsigned char *)bytes + len};
}

static void varints_come_back(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        for (uint64_t offset = 0; offset < 3; offset++) {
            uint64_t value = (UINT64_C(1) << bit) + offset - 1, back = 0;
            unsigned char bytes[10];
            size_t len = (size_t)(vg_wire_put(bytes, value) - bytes);
            assert_int_equal(len, vg_wire_size(value));
            struct vg_wire_cursor cursor = over(bytes, len);
            assert_int_equal(vg_wire_count(cursor), 1);
            assert_true(vg_wire_get(&cursor, &back));
            assert_int_equal(back, value);
            assert_ptr_equal(cursor.at, cursor.end);
            for (size_t cut = 0; cut < len; cut++) {
                cursor = over(bytes, cut);
                assert_false(vg_wire_get(&cursor, &back));
                assert_ptr_equal(cursor.at, bytes);
            }
        }
    }
    assert_int_equal(vg_wire_size(UINT64_MAX), 10);
}

static void bad_varints_are_refused(void **state)
{
    (void)state;
    static const unsigned char too_wide[] = "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02";
    static const unsigned char too_long[] = "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01";
    static const unsigned char padded[] =
        "\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00"; /* odd, but within the format */
    uint64_t value = 0;
    struct vg_wire_cursor cursor = over(too_wide, 10);
    assert_false(vg_wire_get(&cursor, &value));
    cursor = over(too_long, 11);
    assert_false(vg_wire_get(&cursor, &value));
    cursor = over(padded, 10);
    assert_true(vg_wire_get(&cursor, &value));
    assert_int_equal(value, 1);
}

static void fields_of_each_type(void **state)
{
    (void)state;
    static const unsigned char bytes[] = "\x08\x96\x01"                         /* 1: varint 150 */
                                         "\x11\x01\x02\x03\x04\x05\x06\x07\x08" /* 2: fixed64 */
                                         "\x1A\x03"
                                         "abc"                       /* 3: bytes */
                                         "\x25\x0A\x00\x00\x80"      /* 4: fixed32 */
                                         "\xF8\xFF\xFF\xFF\x0F\x00"; /* the largest number */
    struct vg_wire_cursor cursor = over(bytes, sizeof bytes - 1);
    struct vg_wire_field field;
    assert_true(vg_wire_get_field(&cursor, &field));
    assert_int_equal(field.number, 1);
    assert_int_equal(field.value, 150);
    assert_ptr_equal(field.at, bytes);
    assert_true(vg_wire_get_field(&cursor, &field));
    assert_int_equal(field.type, VG_WIRE_FIXED64);
    assert_int_equal(field.value, UINT64_C(0x0807060504030201));
    assert_true(vg_wire_get_field(&cursor, &field));
    assert_int_equal(field.bytes.end - field.bytes.at, 3);
    assert_memory_equal(field.bytes.at, "abc", 3);
    assert_true(vg_wire_get_field(&cursor, &field));
    assert_int_equal(field.type, VG_WIRE_FIXED32);
    assert_int_equal(field.value, UINT64_C(0x8000000A));
    assert_true(vg_wire_get_field(&cursor, &field));
    assert_int_equal(field.number, (1 << 29) - 1);
    assert_ptr_equal(cursor.at, cursor.end);
}

static void bad_fields_leave_the_cursor(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"\x00\x01", 2},                 /* number 0 */
        {"\x0B\x0C", 2},                 /* a group */
        {"\x0C", 1},                     /* end of a group */
        {"\x0E\x00", 2},                 /* no such type */
        {"\x80\x80\x80\x80\x10\x00", 6}, /* number beyond 29 bits */
        {"\x08", 1},                     /* cut off, each type */
        {"\x09\x01\x02\x03\x04\x05\x06\x07", 8},
        {"\x0D\x01\x02\x03", 4},
        {"\x0A\x02x", 3},
        {"\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11}, /* length beyond memory */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct vg_wire_cursor cursor = over(bad[i].bytes, bad[i].len);
        struct vg_wire_field field;
        assert_false(vg_wire_get_field(&cursor, &field));
        assert_ptr_equal(cursor.at, bad[i].bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints_come_back),
        cmocka_unit_test(bad_varints_are_refused),
        cmocka_unit_test(fields_of_each_type),
        cmocka_unit_test(bad_fields_leave_the_cursor),
    };
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
