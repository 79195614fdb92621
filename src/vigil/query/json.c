/* The JSON writer. Numbers have their own conversion because a flame graph is hundreds of thousands of them.
 */
#include "vigil/query/json.h"

#include <math.h>

#include "base/clock.h"

/* Failures stay in the buffer, where the caller looks once. */
static void put(struct vg_json *json, const char *bytes, size_t len)
{
    (void)vg_buf_append(json->out, bytes, len);
}

static void begin_item(struct vg_json *json)
{
    if (json->comma)
        put(json, ",", 1);
    json->comma = true;
}

static void open_list(struct vg_json *json, const char *bracket)
{
    begin_item(json);
    put(json, bracket, 1);
    json->comma = false;
}

static void close_list(struct vg_json *json, const char *bracket)
{
    put(json, bracket, 1);
    json->comma = true;
}

void vg_json_object(struct vg_json *json)
{
    open_list(json, "{");
}

void vg_json_object_end(struct vg_json *json)
{
    close_list(json, "}");
}

void vg_json_array(struct vg_json *json)
{
    open_list(json, "[");
}

void vg_json_array_end(struct vg_json *json)
{
    close_list(json, "]");
}

void vg_json_key(struct vg_json *json, const char *key)
{
    begin_item(json);
    put(json, "\"", 1);
    put(json, key, strlen(key));
    put(json, "\":", 2);
    json->comma = false;
}

void vg_json_key_slice(struct vg_json *json, struct vg_slice key)
{
    vg_json_string(json, key);
    put(json, ":", 1);
    json->comma = false;
}

void vg_json_string(struct vg_json *json, struct vg_slice text)
{
    begin_item(json);
    (void)vg_buf_json_string(json->out, text);
}

void vg_json_text(struct vg_json *json, const char *text)
{
    vg_json_string(json, vg_slice_of(text));
}

void vg_json_int(struct vg_json *json, int64_t number)
{
    char digits[24]; /* a comma, a sign and at most 19 digits */
    char *end = digits + sizeof digits, *at = end;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0)
        *--at = '-';
    if (json->comma)
        *--at = ',';
    json->comma = true;
    put(json, at, (size_t)(end - at));
}

void vg_json_real(struct vg_json *json, double number)
{
    if (!isfinite(number)) {
        vg_json_null(json);
        return;
    }
    begin_item(json);
    (void)vg_buf_printf(json->out, "%.17g", number);
}

void vg_json_bool(struct vg_json *json, bool yes)
{
    vg_json_raw(json, yes ? VG_SLICE_LIT("true") : VG_SLICE_LIT("false"));
}

void vg_json_null(struct vg_json *json)
{
    vg_json_raw(json, VG_SLICE_LIT("null"));
}

void vg_json_time(struct vg_json *json, int64_t time_ns)
{
    char text[VG_TIME_TEXT_SIZE];
    vg_time_format(time_ns, text);
    vg_json_text(json, text);
}

void vg_json_raw(struct vg_json *json, struct vg_slice value)
{
    begin_item(json);
    put(json, value.data, value.len);
}
