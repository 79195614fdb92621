/* Clocks: int64_t nanoseconds everywhere. A seam: whoever needs time takes a `const struct vg_clock *` (NULL:
 * the system's), so that tests own the time. Any thread. */
#ifndef VG_BASE_CLOCK_H
#define VG_BASE_CLOCK_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

struct vg_clock {
    int64_t (*now_ns)(void *ctx);       /* since 1970, UTC */
    int64_t (*monotonic_ns)(void *ctx); /* since an unknown moment, never backwards */
    void *ctx;
};

#define VG_NS_PER_S  INT64_C(1000000000)
#define VG_NS_PER_MS INT64_C(1000000)
#define VG_NS_PER_US INT64_C(1000)

int64_t vg_clock_now_ns(const struct vg_clock *clock);
int64_t vg_clock_monotonic_ns(const struct vg_clock *clock);

/* RFC 3339, UTC, nanoseconds: "2026-11-25T03:07:59.123456789Z", 30 characters and a NUL. Years 1970 – 2261.
 */
#define VG_TIME_TEXT_SIZE 31
void vg_time_format(int64_t time_ns, char out[VG_TIME_TEXT_SIZE]);

/* RFC 3339 with any fraction and offset, → nanoseconds since 1970. VG_ERR_MALFORMED otherwise. */
enum vg_err vg_time_parse(struct vg_slice text, int64_t *time_ns) VG_MUST_USE;

#endif
