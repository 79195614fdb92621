/* Fuzzes intake/event: any bytes as event.json, and as each form field, are refused with a reason or give
 * times and tags within their limits. */
#include <stdlib.h>

#include "vigil/intake/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned char sink; /* so that reading every byte of a string is not optimised away */

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void touch(struct vg_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        sink = (unsigned char)(sink ^ (unsigned char)text.data[i]);
}

static void check(struct vg_event *event, enum vg_err err)
{
    must(!err || err == VG_ERR_NOMEM || event->why[0]);
    must(event->n_tags <= VG_EVENT_TAGS);
    for (size_t i = 0; i < event->n_tags; i++) {
        must(event->tags[i].name.len > 0);
        touch(event->tags[i].name);
        touch(event->tags[i].value);
    }
    touch(event->family);
    touch(event->internal);
    must(event->internal.len == 0 || event->internal.data[0] == '{');
    if (!vg_event_check(event))
        must(event->has_start && event->has_end && event->start_ns <= event->end_ns && event->start_ns > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const fields[] = {"start",  "recording-end", "tags[]", "tags_profiler",
                                         "family", "runtime",       "other"};
    struct vg_slice bytes = {(const char *)data, size};
    struct vg_event event;
    if (vg_event_init(&event, NULL))
        return 0;
    check(&event, vg_event_json(&event, bytes));
    vg_event_release(&event);
    if (vg_event_init(&event, NULL))
        return 0;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        check(&event, vg_event_field(&event, fields[i], bytes));
    vg_event_release(&event);
    return 0;
}
