/* What an answer means, and when to try again. Pure: the caller brings the time. One owner at a time. */
#ifndef VG_PROFILER_UPLOAD_POLICY_H
#define VG_PROFILER_UPLOAD_POLICY_H

#include "profiler/upload/upload.h"

/* Given up is only what the server says is wrong with this profile. What an operator can mend without
 * touching the program (no right, no such resource, wrong name, overload, a broken server, a redirect) is
 * worth keeping. */
enum vg_upload_verdict vg_policy_verdict(int http_status);

#define VG_POLICY_FIRST_NS INT64_C(1000000000)
#define VG_POLICY_LAST_NS  INT64_C(60000000000)
#define VG_POLICY_LEAST_NS INT64_C(50000000)

struct vg_backoff {
    unsigned failures; /* in a row */
    uint64_t random;   /* state; seed it with anything */
};

/* One more failure: how long to wait. Full jitter, that is anything up to the doubled limit, so that many
 * senders which failed together do not return together; never less than the server asked for (0: nothing). */
int64_t vg_backoff_failed(struct vg_backoff *backoff, int64_t retry_after_ns);
void vg_backoff_succeeded(struct vg_backoff *backoff);

#endif
