/* Samples → profile.proto. Every message is measured first and then written straight into the output, so that
 * no message is built twice and a sample costs no allocation. */
#include "pprof/write.h"

#include "pprof/wire.h"

/* Field numbers of profile.proto. */
enum profile_field {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_LOCATION = 4,
    PROFILE_FUNCTION = 5,
    PROFILE_STRING_TABLE = 6,
    PROFILE_TIME_NANOS = 9,
    PROFILE_DURATION_NANOS = 10,
    PROFILE_PERIOD_TYPE = 11,
    PROFILE_PERIOD = 12,
};
enum { VALUE_TYPE_TYPE = 1, VALUE_TYPE_UNIT = 2 };
enum { SAMPLE_LOCATION_ID = 1, SAMPLE_VALUE = 2, SAMPLE_LABEL = 3 };
enum { LABEL_KEY = 1, LABEL_STR = 2, LABEL_NUM = 3, LABEL_NUM_UNIT = 4 };
enum { LOCATION_ID = 1, LOCATION_LINE = 4 };
enum { LINE_FUNCTION_ID = 1, LINE_LINE = 2 };
enum {
    FUNCTION_ID = 1,
    FUNCTION_NAME = 2,
    FUNCTION_SYSTEM_NAME = 3,
    FUNCTION_FILENAME = 4,
    FUNCTION_START_LINE = 5
};

static void note(struct vg_pprof_writer *w, enum vg_err err)
{
    if (!w->err)
        w->err = err == VG_ERR_FULL ? VG_ERR_LIMIT : err;
}

void vg_pprof_writer_init(struct vg_pprof_writer *w, size_t limit_bytes, const struct vg_alloc *alloc)
{
    w->err = VG_OK;
    vg_buf_init(&w->out, limit_bytes, alloc);
    vg_intern_init(&w->strings, UINT32_MAX, limit_bytes, alloc);
    vg_pprof_string(w, VG_SLICE_LIT("")); /* the format wants it to be string 0 */
}

void vg_pprof_writer_release(struct vg_pprof_writer *w)
{
    vg_buf_release(&w->out);
    vg_intern_release(&w->strings);
}

uint32_t vg_pprof_string(struct vg_pprof_writer *w, struct vg_slice text)
{
    uint32_t id = 0;
    enum vg_err err = vg_intern_put(&w->strings, text, &id);
    if (err)
        note(w, err);
    return id;
}

/* Room for a message of body_len bytes as field of the profile: its header is written, and the place of its
 * body returned; NULL (and a sticky error) where there is no room. The caller writes exactly body_len bytes.
 */
static unsigned char *begin(struct vg_pprof_writer *w, enum profile_field field, size_t body_len)
{
    size_t whole = 1 + vg_wire_size(body_len) + body_len;
    enum vg_err err = w->err ? w->err : vg_buf_reserve(&w->out, whole);
    if (err) {
        note(w, err);
        return NULL;
    }
    unsigned char *p = (unsigned char *)w->out.data + w->out.len;
    w->out.len += whole;
    return vg_wire_put(vg_wire_put_key(p, field, VG_WIRE_BYTES), body_len);
}

/* Sizes and encodings of a varint field; 0 is the default and left out. */
static size_t number_size(uint64_t value)
{
    return value ? 1 + vg_wire_size(value) : 0;
}

static unsigned char *put_number(unsigned char *p, uint32_t field, uint64_t value)
{
    return value ? vg_wire_put(vg_wire_put_key(p, field, VG_WIRE_VARINT), value) : p;
}

static void top_number(struct vg_pprof_writer *w, enum profile_field field, uint64_t value)
{
    unsigned char bytes[12];
    size_t len = (size_t)(put_number(bytes, field, value) - bytes);
    enum vg_err err = w->err ? w->err : vg_buf_append(&w->out, bytes, len);
    if (err)
        note(w, err);
}

static void value_type(struct vg_pprof_writer *w, enum profile_field field, const char *name,
                       const char *unit)
{
    uint32_t name_id = vg_pprof_string(w, vg_slice_of(name));
    uint32_t unit_id = vg_pprof_string(w, vg_slice_of(unit));
    unsigned char *p = begin(w, field, number_size(name_id) + number_size(unit_id));
    if (!p)
        return;
    p = put_number(p, VALUE_TYPE_TYPE, name_id);
    put_number(p, VALUE_TYPE_UNIT, unit_id);
}

void vg_pprof_value_type(struct vg_pprof_writer *w, const char *name, const char *unit)
{
    value_type(w, PROFILE_SAMPLE_TYPE, name, unit);
}

void vg_pprof_function(struct vg_pprof_writer *w, uint64_t id, uint32_t name, uint32_t file,
                       int64_t first_line)
{
    /* the system name is the same: readers that know only one of the two find it */
    size_t size =
        number_size(id) + 2 * number_size(name) + number_size(file) + number_size((uint64_t)first_line);
    unsigned char *p = begin(w, PROFILE_FUNCTION, size);
    if (!p)
        return;
    p = put_number(p, FUNCTION_ID, id);
    p = put_number(p, FUNCTION_NAME, name);
    p = put_number(p, FUNCTION_SYSTEM_NAME, name);
    p = put_number(p, FUNCTION_FILENAME, file);
    put_number(p, FUNCTION_START_LINE, (uint64_t)first_line);
}

void vg_pprof_location(struct vg_pprof_writer *w, uint64_t id, uint64_t function_id, int64_t line)
{
    size_t line_size = number_size(function_id) + number_size((uint64_t)line);
    unsigned char *p = begin(w, PROFILE_LOCATION, number_size(id) + 1 + vg_wire_size(line_size) + line_size);
    if (!p)
        return;
    p = put_number(p, LOCATION_ID, id);
    p = vg_wire_put(vg_wire_put_key(p, LOCATION_LINE, VG_WIRE_BYTES), line_size);
    p = put_number(p, LINE_FUNCTION_ID, function_id);
    put_number(p, LINE_LINE, (uint64_t)line);
}

static size_t label_size(const struct vg_pprof_label *label)
{
    size_t what = label->text ? number_size(label->text)
                              : number_size((uint64_t)label->number) + number_size(label->unit);
    return number_size(label->key) + what;
}

static unsigned char *put_label(unsigned char *p, const struct vg_pprof_label *label)
{
    p = vg_wire_put(vg_wire_put_key(p, SAMPLE_LABEL, VG_WIRE_BYTES), label_size(label));
    p = put_number(p, LABEL_KEY, label->key);
    if (label->text)
        return put_number(p, LABEL_STR, label->text);
    p = put_number(p, LABEL_NUM, (uint64_t)label->number);
    return put_number(p, LABEL_NUM_UNIT, label->unit);
}

void vg_pprof_sample(struct vg_pprof_writer *w, const uint64_t *location_ids, size_t n_locations,
                     const int64_t *values, size_t n_values, const struct vg_pprof_label *labels,
                     size_t n_labels)
{
    size_t ids_size = 0, values_size = 0;
    for (size_t i = 0; i < n_locations; i++)
        ids_size += vg_wire_size(location_ids[i]);
    for (size_t i = 0; i < n_values; i++)
        values_size += vg_wire_size((uint64_t)values[i]);
    size_t size = 1 + vg_wire_size(ids_size) + ids_size + 1 + vg_wire_size(values_size) + values_size;
    for (size_t i = 0; i < n_labels; i++) {
        size_t one = label_size(&labels[i]);
        size += 1 + vg_wire_size(one) + one;
    }

    unsigned char *p = begin(w, PROFILE_SAMPLE, size);
    if (!p)
        return;
    p = vg_wire_put(vg_wire_put_key(p, SAMPLE_LOCATION_ID, VG_WIRE_BYTES), ids_size);
    for (size_t i = 0; i < n_locations; i++)
        p = vg_wire_put(p, location_ids[i]);
    p = vg_wire_put(vg_wire_put_key(p, SAMPLE_VALUE, VG_WIRE_BYTES), values_size);
    for (size_t i = 0; i < n_values; i++)
        p = vg_wire_put(p, (uint64_t)values[i]);
    for (size_t i = 0; i < n_labels; i++)
        p = put_label(p, &labels[i]);
}

void vg_pprof_period(struct vg_pprof_writer *w, const char *name, const char *unit, int64_t period)
{
    value_type(w, PROFILE_PERIOD_TYPE, name, unit);
    top_number(w, PROFILE_PERIOD, (uint64_t)period);
}

void vg_pprof_time(struct vg_pprof_writer *w, int64_t start_ns, int64_t duration_ns)
{
    top_number(w, PROFILE_TIME_NANOS, (uint64_t)start_ns);
    top_number(w, PROFILE_DURATION_NANOS, (uint64_t)duration_ns);
}

enum vg_err vg_pprof_finish(struct vg_pprof_writer *w)
{
    for (uint32_t id = 0; id < w->strings.count && !w->err; id++) {
        struct vg_slice text = vg_intern_get(&w->strings, id);
        unsigned char *p = begin(w, PROFILE_STRING_TABLE, text.len);
        if (p)
            memcpy(p, text.data, text.len); /* interned text is never NULL */
    }
    return w->err;
}
