/* Times as people and programs write them. */
#include "vigil/query/select.h"

#include "base/clock.h"

#define DEFAULT_RANGE_NS (3600 * VG_NS_PER_S)

static const struct {
    const char *name;
    int64_t ns;
} units[] = {
    {"ns", 1},
    {"us", VG_NS_PER_US},
    {"ms", VG_NS_PER_MS},
    {"s", VG_NS_PER_S},
    {"m", 60 * VG_NS_PER_S},
    {"h", 3600 * VG_NS_PER_S},
    {"d", 86400 * VG_NS_PER_S},
    {"w", 7 * 86400 * VG_NS_PER_S},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The number at *at, moved behind it. False without digits or beyond int64. */
static bool read_number(struct vg_slice text, size_t *at, int64_t *number)
{
    size_t start = *at;
    int64_t value = 0;
    for (; *at < text.len && is_digit(text.data[*at]); ++*at) {
        int64_t digit = text.data[*at] - '0';
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *number = value;
    return *at > start;
}

static bool read_unit(struct vg_slice text, size_t *at, int64_t *unit_ns)
{
    size_t start = *at;
    while (*at < text.len && text.data[*at] >= 'a' && text.data[*at] <= 'z')
        ++*at;
    struct vg_slice name = {text.data + start, *at - start};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (vg_slice_equal_text(name, units[i].name)) {
            *unit_ns = units[i].ns;
            return true;
        }
    }
    return false;
}

/* "1h30m" from at to the end. */
static bool read_duration(struct vg_slice text, size_t at, int64_t *duration_ns)
{
    int64_t sum = 0;
    do {
        int64_t count, unit_ns;
        if (!read_number(text, &at, &count) || !read_unit(text, &at, &unit_ns) ||
            __builtin_mul_overflow(count, unit_ns, &count) || __builtin_add_overflow(sum, count, &sum))
            return false;
    } while (at < text.len);
    *duration_ns = sum;
    return true;
}

enum vg_err vg_time_expression(struct vg_slice text, int64_t now_ns, int64_t *time_ns)
{
    size_t at = 0;
    int64_t value;
    if (read_number(text, &at, &value) && at == text.len) {
        *time_ns = value;
        return VG_OK;
    }
    at = text.len >= 3 && memcmp(text.data, "now", 3) == 0 ? 3 : 0;
    if (at == 3 && text.len == 3) {
        *time_ns = now_ns;
        return VG_OK;
    }
    bool is_relative = at < text.len && (text.data[at] == '-' || (at == 3 && text.data[at] == '+'));
    if (!is_relative)
        return vg_time_parse(text, time_ns);
    if (!read_duration(text, at + 1, &value))
        return VG_ERR_MALFORMED;
    bool overflows = text.data[at] == '-' ? __builtin_sub_overflow(now_ns, value, &value)
                                          : __builtin_add_overflow(now_ns, value, &value);
    if (overflows)
        return VG_ERR_MALFORMED;
    *time_ns = value;
    return VG_OK;
}

enum vg_err vg_time_range_parse(const char *from, const char *to, int64_t now_ns, struct vg_time_range *range,
                                const char **parameter, const char **why)
{
    struct vg_time_range made = {.to_ns = now_ns};
    if (to && *to && vg_time_expression(vg_slice_of(to), now_ns, &made.to_ns)) {
        *parameter = "to";
        *why = "not a time";
        return VG_ERR_MALFORMED;
    }
    if (__builtin_sub_overflow(made.to_ns, DEFAULT_RANGE_NS, &made.from_ns))
        made.from_ns = INT64_MIN;
    if (from && *from && vg_time_expression(vg_slice_of(from), now_ns, &made.from_ns)) {
        *parameter = "from";
        *why = "not a time";
        return VG_ERR_MALFORMED;
    }
    if (made.from_ns >= made.to_ns) {
        *parameter = "from";
        *why = "not before to";
        return VG_ERR_MALFORMED;
    }
    *range = made;
    return VG_OK;
}
