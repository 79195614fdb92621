/* The system's clocks, and RFC 3339 without the C library's time zones. */
#include "base/clock.h"

#include <time.h>

#define S_PER_DAY INT64_C(86400)

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t); /* cannot fail for these clocks and a valid pointer */
    return (int64_t)t.tv_sec * VG_NS_PER_S + t.tv_nsec;
}

int64_t vg_clock_now_ns(const struct vg_clock *clock)
{
    return clock ? clock->now_ns(clock->ctx) : read_clock(CLOCK_REALTIME);
}

int64_t vg_clock_monotonic_ns(const struct vg_clock *clock)
{
    return clock ? clock->monotonic_ns(clock->ctx) : read_clock(CLOCK_MONOTONIC);
}

/* Days from 1970-01-01 to a date of the Gregorian calendar, year ≥ 1970. Years begin in March, so that the
 * leap day is the last and month lengths repeat every five months (153 days). */
static int64_t days_of_date(int64_t year, int64_t month, int64_t day)
{
    if (month <= 2) {
        year--;
        month += 12;
    }
    int64_t day_of_year = (153 * (month - 3) + 2) / 5 + day - 1;
    return year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719468;
}

static void date_of_days(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    int64_t guess = 1970 + days / 365; /* at most one year too late in our range */
    while (days_of_date(guess, 1, 1) > days)
        guess--;
    int64_t m = 12;
    while (days_of_date(guess, m, 1) > days)
        m--;
    *year = guess;
    *month = m;
    *day = days - days_of_date(guess, m, 1) + 1;
}

static char *put_digits(char *out, int64_t value, int width)
{
    for (int i = width - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
    return out + width;
}

void vg_time_format(int64_t time_ns, char out[VG_TIME_TEXT_SIZE])
{
    if (time_ns < 0)
        time_ns = 0;
    int64_t seconds = time_ns / VG_NS_PER_S, year, month, day;
    date_of_days(seconds / S_PER_DAY, &year, &month, &day);
    seconds %= S_PER_DAY;
    out = put_digits(out, year, 4);
    *out++ = '-';
    out = put_digits(out, month, 2);
    *out++ = '-';
    out = put_digits(out, day, 2);
    *out++ = 'T';
    out = put_digits(out, seconds / 3600, 2);
    *out++ = ':';
    out = put_digits(out, seconds / 60 % 60, 2);
    *out++ = ':';
    out = put_digits(out, seconds % 60, 2);
    *out++ = '.';
    out = put_digits(out, time_ns % VG_NS_PER_S, 9);
    *out++ = 'Z';
    *out = 0;
}

/* Exactly width digits at the front, taken off. */
static bool take_digits(struct vg_slice *text, int width, int64_t *value)
{
    int64_t v = 0;
    if (text->len < (size_t)width)
        return false;
    for (int i = 0; i < width; i++) {
        if (text->data[i] < '0' || text->data[i] > '9')
            return false;
        v = v * 10 + (text->data[i] - '0');
    }
    text->data += width;
    text->len -= (size_t)width;
    *value = v;
    return true;
}

static bool take_one_of(struct vg_slice *text, const char *chars, char *found)
{
    if (text->len == 0 || text->data[0] == 0 || !strchr(chars, text->data[0]))
        return false;
    *found = text->data[0];
    text->data++;
    text->len--;
    return true;
}

static bool take_date(struct vg_slice *text, int64_t *days)
{
    static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day;
    char c;
    if (!take_digits(text, 4, &year) || !take_one_of(text, "-", &c) || !take_digits(text, 2, &month) ||
        !take_one_of(text, "-", &c) || !take_digits(text, 2, &day))
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 || day > month_days[month - 1] ||
        (month == 2 && day == 29 && !leap))
        return false;
    *days = days_of_date(year, month, day);
    return true;
}

static bool take_time_of_day(struct vg_slice *text, int64_t *seconds, int64_t *fraction_ns)
{
    int64_t hour, minute, second, fraction = 0;
    char c;
    if (!take_digits(text, 2, &hour) || !take_one_of(text, ":", &c) || !take_digits(text, 2, &minute) ||
        !take_one_of(text, ":", &c) || !take_digits(text, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60) /* 60: a leap second counts as the next minute's first */
        return false;
    if (take_one_of(text, ".", &c)) {
        int64_t digit, scale = VG_NS_PER_S / 10;
        if (!take_digits(text, 1, &digit))
            return false;
        do { /* digits below a nanosecond are read and dropped */
            fraction += digit * scale;
            scale /= 10;
        } while (take_digits(text, 1, &digit));
    }
    *seconds = hour * 3600 + minute * 60 + second;
    *fraction_ns = fraction;
    return true;
}

static bool take_offset(struct vg_slice *text, int64_t *offset_s)
{
    int64_t hours, minutes;
    char sign, c;
    *offset_s = 0;
    if (take_one_of(text, "Zz", &sign))
        return true;
    if (!take_one_of(text, "+-", &sign) || !take_digits(text, 2, &hours) || !take_one_of(text, ":", &c) ||
        !take_digits(text, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *offset_s = (hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
    return true;
}

enum vg_err vg_time_parse(struct vg_slice text, int64_t *time_ns)
{
    int64_t days, seconds, fraction_ns, offset_s;
    char c;
    if (!take_date(&text, &days) || !take_one_of(&text, "Tt ", &c) ||
        !take_time_of_day(&text, &seconds, &fraction_ns) || !take_offset(&text, &offset_s) || text.len != 0)
        return VG_ERR_MALFORMED;
    int64_t total_s = days * S_PER_DAY + seconds - offset_s;
    if (total_s < 0)
        return VG_ERR_MALFORMED;
    *time_ns = total_s * VG_NS_PER_S + fraction_ns; /* year 2261 and a day still fit */
    return VG_OK;
}
