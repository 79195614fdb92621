#include "profiler/upload/policy.h"

#include "base/map.h"

#include <assert.h>

#define DOUBLINGS_MAX 6

static_assert(VG_POLICY_FIRST_NS << DOUBLINGS_MAX >= VG_POLICY_LAST_NS, "doubling reaches the last step");

enum vg_upload_verdict vg_policy_verdict(int http_status)
{
    static const int mendable[] = {401, 403, 404, 405, 407, 408, 421, 425, 429};

    if (http_status >= 200 && http_status < 300)
        return VG_UPLOAD_ACCEPTED;
    if (http_status < 400 || http_status >= 500)
        return VG_UPLOAD_RETRY;
    for (size_t i = 0; i < sizeof(mendable) / sizeof(mendable[0]); i++)
        if (http_status == mendable[i])
            return VG_UPLOAD_RETRY;
    return VG_UPLOAD_REFUSED;
}

int64_t vg_backoff_failed(struct vg_backoff *backoff, int64_t retry_after_ns)
{
    unsigned doublings = backoff->failures < DOUBLINGS_MAX ? backoff->failures : DOUBLINGS_MAX;
    int64_t limit_ns = VG_POLICY_FIRST_NS << doublings;
    int64_t wait_ns;

    if (limit_ns > VG_POLICY_LAST_NS)
        limit_ns = VG_POLICY_LAST_NS;
    backoff->failures++;
    backoff->random = vg_hash_u64(backoff->random + UINT64_C(0x9E3779B97F4A7C15));
    wait_ns = VG_POLICY_LEAST_NS + (int64_t)(backoff->random % (uint64_t)limit_ns);
    return wait_ns < retry_after_ns ? retry_after_ns : wait_ns;
}

void vg_backoff_succeeded(struct vg_backoff *backoff)
{
    backoff->failures = 0;
}
