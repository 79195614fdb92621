/* Hostile bytes → samples.
 *
 * The first walk checks the outer structure, counts everything and notes where each kind of message begins
 * and ends; then every array is allocated once at its size and filled kind by kind, in an order in which
 * references point to what is known already: strings, types and functions, locations, samples. Writers put
 * equal kinds together, so the later walks read each byte once. Nothing recurses: the format is three
 * messages deep, and each depth is a function.
 */
#include "pprof/read.h"

#include "pprof/ids.h"
#include "pprof/wire.h"

const struct vg_pprof_limits vg_pprof_default_limits = {
    .samples = 1 << 20,
    .locations = 1 << 20,
    .functions = 1 << 20,
    .strings = 1 << 20,
    .types = 64, /* the longest list seen has 19 */
    .frames_per_sample = 4096,
    .labels_per_sample = 64,
    .arena_bytes = (size_t)256 << 20,
};

/* Field numbers of profile.proto. */
enum profile_field {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_LOCATION = 4,
    PROFILE_FUNCTION = 5,
    PROFILE_STRING_TABLE = 6,
    PROFILE_KINDS = 7, /* fields below are counted; those above and 3 (mappings) are not */
    PROFILE_TIME_NANOS = 9,
    PROFILE_DURATION_NANOS = 10,
    PROFILE_PERIOD = 12,
};

struct reader {
    struct vg_pprof out;
    struct vg_arena scratch; /* freed at the end */
    const struct vg_pprof_limits *limits;
    const unsigned char *start;
    const char *why;
    size_t at;

    struct span {
        struct vg_wire_cursor bytes; /* from the first message of the kind to the end of the last */
        size_t count;
    } spans[PROFILE_KINDS];
    size_t n_lines, n_sample_locations, n_labels, n_values; /* counted first, then filled so far */

    struct vg_slice *strings;
    size_t n_strings;
    struct vg_pprof_ids functions, locations;
};

/* What handles one message of a kind. */
typedef enum vg_err handler(struct reader *r, struct vg_wire_cursor body);

static enum vg_err refuse(struct reader *r, enum vg_err err, const unsigned char *at, const char *why)
{
    r->why = why;
    r->at = (size_t)(at - r->start);
    return err;
}

static enum vg_err malformed(struct reader *r, const unsigned char *at, const char *why)
{
    return refuse(r, VG_ERR_MALFORMED, at, why);
}

static enum vg_err over_limit(struct reader *r, const unsigned char *at, const char *why)
{
    return refuse(r, VG_ERR_LIMIT, at, why);
}

static enum vg_err next_field(struct reader *r, struct vg_wire_cursor *cursor, struct vg_wire_field *field)
{
    return vg_wire_get_field(cursor, field) ? VG_OK
                                            : malformed(r, cursor->at, "field cut off or not well formed");
}

/* Reads a message of numbers: those of fields 1 … n − 1 go to numbers[field], the last of each counts; other
 * fields are skipped. */
static enum vg_err get_numbers(struct reader *r, struct vg_wire_cursor body, uint64_t *numbers, size_t n)
{
    while (body.at < body.end) {
        struct vg_wire_field field;
        if (!vg_wire_get_field(&body, &field))
            return malformed(r, body.at, "field cut off or not well formed");
        if (field.number >= n)
            continue;
        if (field.type != VG_WIRE_VARINT)
            return malformed(r, field.at, "field is not the number that it should be");
        numbers[field.number] = field.value;
    }
    return VG_OK;
}

/* ---- counting ---- */

static enum vg_err count_repeated(struct reader *r, const struct vg_wire_field *field, size_t *count)
{
    if (field->type == VG_WIRE_BYTES)
        *count += vg_wire_count(field->bytes);
    else if (field->type == VG_WIRE_VARINT)
        *count += 1;
    else
        return malformed(r, field->at, "repeated number has a wrong type");
    return VG_OK;
}

static enum vg_err count_sample(struct reader *r, struct vg_wire_cursor body)
{
    size_t labels = 0;
    while (body.at < body.end) {
        struct vg_wire_field field;
        enum vg_err err = next_field(r, &body, &field);
        if (!err && field.number == 1)
            err = count_repeated(r, &field, &r->n_sample_locations);
        else if (!err && field.number == 2)
            err = count_repeated(r, &field, &r->n_values);
        else if (!err && field.number == 3 && ++labels > r->limits->labels_per_sample)
            err = over_limit(r, field.at, "too many labels in one sample");
        if (err)
            return err;
    }
    r->n_labels += labels;
    return VG_OK;
}

static enum vg_err count_location(struct reader *r, struct vg_wire_cursor body)
{
    while (body.at < body.end) {
        struct vg_wire_field field;
        enum vg_err err = next_field(r, &body, &field);
        if (err)
            return err;
        r->n_lines += field.number == 4;
    }
    return VG_OK;
}

static enum vg_err top_number(struct reader *r, const struct vg_wire_field *field)
{
    int64_t *number = field->number == PROFILE_TIME_NANOS       ? &r->out.time_ns
                      : field->number == PROFILE_DURATION_NANOS ? &r->out.duration_ns
                      : field->number == PROFILE_PERIOD         ? &r->out.period
                                                                : NULL;
    if (!number)
        return VG_OK; /* a field that we have no use for */
    if (field->type != VG_WIRE_VARINT)
        return malformed(r, field->at, "field is not the number that it should be");
    *number = (int64_t)field->value;
    return VG_OK;
}

/* The repeated messages of a profile; where nothing is said, the field is none. */
static const struct {
    size_t limit;         /* offset of its limit within vg_pprof_limits */
    handler *look_inside; /* to count there, or NULL */
    const char *why;      /* what to say above the limit */
} kinds[PROFILE_KINDS] = {
    [PROFILE_SAMPLE] = {offsetof(struct vg_pprof_limits, samples), count_sample, "too many samples"},
    [PROFILE_LOCATION] = {offsetof(struct vg_pprof_limits, locations), count_location, "too many locations"},
    [PROFILE_FUNCTION] = {offsetof(struct vg_pprof_limits, functions), NULL, "too many functions"},
    [PROFILE_STRING_TABLE] = {offsetof(struct vg_pprof_limits, strings), NULL, "too many strings"},
    [PROFILE_SAMPLE_TYPE] = {offsetof(struct vg_pprof_limits, types), NULL, "too many value types"},
};

static enum vg_err count_message(struct reader *r, const struct vg_wire_field *field)
{
    if (field->number >= PROFILE_KINDS || !kinds[field->number].why)
        return top_number(r, field);
    if (field->type != VG_WIRE_BYTES)
        return malformed(r, field->at, "field is not the message or text that it should be");
    struct span *span = &r->spans[field->number];
    if (span->count == 0)
        span->bytes.at = field->at;
    span->bytes.end = field->bytes.end;
    size_t limit;
    memcpy(&limit, (const char *)r->limits + kinds[field->number].limit, sizeof limit);
    if (++span->count > limit)
        return over_limit(r, field->at, kinds[field->number].why);
    return kinds[field->number].look_inside ? kinds[field->number].look_inside(r, field->bytes) : VG_OK;
}

static enum vg_err count_all(struct reader *r, struct vg_wire_cursor body)
{
    while (body.at < body.end) {
        struct vg_wire_field field;
        enum vg_err err = next_field(r, &body, &field);
        if (!err)
            err = count_message(r, &field);
        if (err)
            return err;
    }
    return VG_OK;
}

/* Calls handle for each message of a kind, in order. The outer structure is known to be good. */
static enum vg_err each(struct reader *r, enum profile_field kind, handler *handle)
{
    struct vg_wire_cursor body = r->spans[kind].bytes;
    while (body.at < body.end) {
        struct vg_wire_field field;
        enum vg_err err = next_field(r, &body, &field);
        if (!err && field.number == kind)
            err = handle(r, field.bytes);
        if (err)
            return err;
    }
    return VG_OK;
}

/* ---- memory ---- */

static enum vg_err make(struct reader *r, struct vg_arena *arena, size_t count, size_t size, void *pointer)
{
    void *memory = vg_arena_new(arena, count, size);
    if (!memory &&
        (count > arena->limit_bytes / size || count * size > arena->limit_bytes - arena->used_bytes))
        return over_limit(r, r->start, "needs more memory than one profile may take");
    if (!memory)
        return VG_ERR_NOMEM;
    memcpy(pointer, &memory, sizeof memory); /* the pointer's own type is not ours to know */
    return VG_OK;
}

static enum vg_err make_arrays(struct reader *r)
{
    struct vg_pprof *out = &r->out;
    if (r->n_sample_locations > UINT32_MAX || r->n_values > UINT32_MAX || r->n_labels > UINT32_MAX ||
        r->n_lines > UINT32_MAX)
        return over_limit(r, r->start, "more than 32 bits can number");
    const struct {
        struct vg_arena *arena;
        size_t count, size;
        void *pointer;
    } arrays[] = {
        {&r->scratch, r->spans[PROFILE_STRING_TABLE].count, sizeof *r->strings, &r->strings},
        {&out->arena, r->spans[PROFILE_SAMPLE_TYPE].count, sizeof *out->types, &out->types},
        {&out->arena, r->spans[PROFILE_FUNCTION].count, sizeof *out->functions, &out->functions},
        {&out->arena, r->spans[PROFILE_LOCATION].count, sizeof *out->locations, &out->locations},
        {&out->arena, r->n_lines, sizeof *out->lines, &out->lines},
        {&out->arena, r->spans[PROFILE_SAMPLE].count, sizeof *out->samples, &out->samples},
        {&out->arena, r->n_sample_locations, sizeof *out->sample_locations, &out->sample_locations},
        {&out->arena, r->n_labels, sizeof *out->labels, &out->labels},
        {&out->arena, r->n_values, sizeof *out->values, &out->values},
    };
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        enum vg_err err = make(r, arrays[i].arena, arrays[i].count, arrays[i].size, arrays[i].pointer);
        if (err)
            return err;
    }
    r->n_sample_locations = r->n_values = r->n_labels = r->n_lines = 0;
    enum vg_err err = vg_pprof_ids_init(&r->functions, r->spans[PROFILE_FUNCTION].count, r->limits->alloc);
    return err ? err : vg_pprof_ids_init(&r->locations, r->spans[PROFILE_LOCATION].count, r->limits->alloc);
}

/* ---- ids ---- */

static enum vg_err add_id(struct reader *r, struct vg_pprof_ids *ids, uint64_t id, const unsigned char *at)
{
    if (id == 0)
        return malformed(r, at, "function or location without an id");
    vg_pprof_ids_add(ids, id);
    return VG_OK;
}

static enum vg_err build_ids(struct reader *r, struct vg_pprof_ids *ids)
{
    enum vg_err err = vg_pprof_ids_build(ids);
    if (err == VG_ERR_EXISTS)
        return malformed(r, r->start, "two functions or two locations have the same id");
    return err;
}

/* ---- strings, types, functions ---- */

static enum vg_err read_string(struct reader *r, struct vg_wire_cursor body)
{
    size_t len = (size_t)(body.end - body.at);
    if (r->n_strings == 0 && len != 0)
        return malformed(r, body.at, "the first string is not empty");
    r->strings[r->n_strings++] = (struct vg_slice){(const char *)body.at, len};
    return VG_OK;
}

static enum vg_err get_string(struct reader *r, struct vg_wire_cursor body, uint64_t index,
                              struct vg_slice *text)
{
    if (index >= r->n_strings)
        return malformed(r, body.at, "no such string");
    *text = r->strings[index];
    return VG_OK;
}

static enum vg_err read_type(struct reader *r, struct vg_wire_cursor body)
{
    struct vg_pprof_type *type = &r->out.types[r->out.n_types++];
    uint64_t numbers[3] = {0}; /* –, name, unit */
    enum vg_err err = get_numbers(r, body, numbers, 3);
    if (!err)
        err = get_string(r, body, numbers[1], &type->name);
    return err ? err : get_string(r, body, numbers[2], &type->unit);
}

static enum vg_err read_function(struct reader *r, struct vg_wire_cursor body)
{
    struct vg_pprof_read_function *function = &r->out.functions[r->out.n_functions++];
    struct vg_slice system_name;
    uint64_t numbers[6] = {0}; /* –, id, name, system name, file, first line */
    enum vg_err err = get_numbers(r, body, numbers, 6);
    if (!err)
        err = get_string(r, body, numbers[2], &function->name);
    if (!err)
        err = get_string(r, body, numbers[3], &system_name);
    if (!err)
        err = get_string(r, body, numbers[4], &function->file);
    if (err)
        return err;
    if (function->name.len == 0)
        function->name = system_name;
    function->first_line = (int64_t)numbers[5];
    return add_id(r, &r->functions, numbers[1], body.at);
}

/* ---- locations ---- */

static enum vg_err read_line(struct reader *r, struct vg_wire_cursor body)
{
    struct vg_pprof_line *line = &r->out.lines[r->out.n_lines];
    uint64_t numbers[3] = {0}; /* –, function, line */
    enum vg_err err = get_numbers(r, body, numbers, 3);
    if (err || numbers[1] ==
                   0) /* no function is allowed: nothing is known but the address, which the location has */
        return err;
    if (!vg_pprof_ids_find(&r->functions, numbers[1], &line->function))
        return malformed(r, body.at, "no such function");
    line->line = (int64_t)numbers[2];
    r->out.n_lines++;
    return VG_OK;
}

static enum vg_err read_location(struct reader *r, struct vg_wire_cursor body)
{
    struct vg_pprof_read_location *location = &r->out.locations[r->out.n_locations++];
    const unsigned char *start = body.at;
    uint64_t numbers[4] = {0}; /* –, id, mapping, address */
    location->first_line_index = (uint32_t)r->out.n_lines;
    while (body.at < body.end) {
        struct vg_wire_field field;
        enum vg_err err = next_field(r, &body, &field);
        if (!err && field.number < 4 && field.type == VG_WIRE_VARINT)
            numbers[field.number] = field.value;
        else if (!err && field.number == 4 && field.type == VG_WIRE_BYTES)
            err = read_line(r, field.bytes);
        else if (!err && field.number <= 4)
            err = malformed(r, field.at, "field of a location has a wrong type");
        if (err)
            return err;
    }
    location->address = numbers[3];
    location->n_lines = (uint32_t)r->out.n_lines - location->first_line_index;
    return add_id(r, &r->locations, numbers[1], start);
}

/* ---- samples ---- */

/* The numbers of a repeated field, packed or not, as a cursor over varints. */
static struct vg_wire_cursor run_of(const struct vg_wire_field *field, unsigned char single[10])
{
    if (field->type == VG_WIRE_BYTES)
        return field->bytes;
    return (struct vg_wire_cursor){single, vg_wire_put(single, field->value)};
}

static enum vg_err read_stack(struct reader *r, const struct vg_wire_field *field, size_t *frames)
{
    unsigned char single[10];
    struct vg_wire_cursor run = run_of(field, single);
    uint32_t *start = &r->out.sample_locations[r->n_sample_locations], *location = start;
    size_t n_frames = *frames;
    for (uint64_t id; run.at < run.end; location++) {
        if (!vg_wire_get(&run, &id) || !vg_pprof_ids_find(&r->locations, id, location))
            return malformed(r, field->at, "no such location");
        uint32_t n_lines = r->out.locations[*location].n_lines;
        n_frames += n_lines ? n_lines : 1;
    }
    r->n_sample_locations += (size_t)(location - start);
    *frames = n_frames;
    return n_frames > r->limits->frames_per_sample ? over_limit(r, field->at, "a stack is too deep") : VG_OK;
}

static enum vg_err read_values(struct reader *r, const struct vg_wire_field *field)
{
    unsigned char single[10];
    struct vg_wire_cursor run = run_of(field, single);
    int64_t *start = &r->out.values[r->n_values], *place = start;
    for (uint64_t value; run.at < run.end; place++) {
        if (!vg_wire_get(&run, &value))
            return malformed(r, field->at, "value cut off or too wide");
        *place = (int64_t)value;
    }
    r->n_values += (size_t)(place - start);
    return VG_OK;
}

static enum vg_err read_label(struct reader *r, struct vg_wire_cursor body)
{
    struct vg_pprof_read_label *label = &r->out.labels[r->n_labels++];
    uint64_t numbers[5] = {0}; /* –, key, text, number, unit */
    enum vg_err err = get_numbers(r, body, numbers, 5);
    if (!err)
        err = get_string(r, body, numbers[1], &label->key);
    if (!err && numbers[2] != 0) /* string 0 is how the format says that there is none */
        err = get_string(r, body, numbers[2], &label->text);
    label->number = (int64_t)numbers[3];
    return err ? err : get_string(r, body, numbers[4], &label->unit);
}

static enum vg_err read_sample(struct reader *r, struct vg_wire_cursor body)
{
    const unsigned char *start = body.at;
    size_t frames = 0;
    struct vg_pprof_read_sample sample = {.first_location = (uint32_t)r->n_sample_locations,
                                          .first_label = (uint32_t)r->n_labels,
                                          .first_value = (uint32_t)r->n_values};
    while (body.at < body.end) {
        struct vg_wire_field field;
        enum vg_err err = next_field(r, &body, &field);
        if (!err && field.number == 1)
            err = read_stack(r, &field, &frames);
        else if (!err && field.number == 2)
            err = read_values(r, &field);
        else if (!err && field.number == 3)
            err = field.type == VG_WIRE_BYTES ? read_label(r, field.bytes)
                                              : malformed(r, field.at, "label is no message");
        if (err)
            return err;
    }
    if (r->n_values - sample.first_value != r->out.n_types)
        return malformed(r, start, "a sample has another number of values than there are value types");
    sample.n_locations = (uint32_t)r->n_sample_locations - sample.first_location;
    sample.n_labels = (uint32_t)r->n_labels - sample.first_label;
    r->out.samples[r->out.n_samples++] = sample;
    return VG_OK;
}

/* ---- all together ---- */

static enum vg_err read_all(struct reader *r, struct vg_wire_cursor body)
{
    enum vg_err err = count_all(r, body);
    if (!err && r->spans[PROFILE_STRING_TABLE].count == 0)
        err = malformed(r, r->start, "no string table: not a profile");
    if (!err && r->spans[PROFILE_SAMPLE].count > 0 && r->spans[PROFILE_SAMPLE_TYPE].count == 0)
        err = malformed(r, r->start, "samples, but no value types");
    if (!err)
        err = make_arrays(r);
    if (!err)
        err = each(r, PROFILE_STRING_TABLE, read_string);
    if (!err)
        err = each(r, PROFILE_SAMPLE_TYPE, read_type);
    if (!err)
        err = each(r, PROFILE_FUNCTION, read_function);
    if (!err)
        err = build_ids(r, &r->functions);
    if (!err)
        err = each(r, PROFILE_LOCATION, read_location);
    if (!err)
        err = build_ids(r, &r->locations);
    return err ? err : each(r, PROFILE_SAMPLE, read_sample);
}

enum vg_err vg_pprof_read(struct vg_pprof *pprof, struct vg_slice bytes, const struct vg_pprof_limits *limits,
                          const char **why, size_t *at)
{
    static const unsigned char nothing[1];
    struct reader r = {.limits = limits, .start = bytes.len ? (const unsigned char *)bytes.data : nothing};
    vg_arena_init(&r.out.arena, limits->arena_bytes, limits->alloc);
    vg_arena_init(&r.scratch, limits->arena_bytes, limits->alloc);

    enum vg_err err = read_all(&r, (struct vg_wire_cursor){r.start, r.start + bytes.len});
    vg_pprof_ids_release(&r.functions);
    vg_pprof_ids_release(&r.locations);
    vg_arena_release(&r.scratch);
    if (err) {
        vg_arena_release(&r.out.arena);
        *why = err == VG_ERR_NOMEM ? NULL : r.why;
        *at = r.at;
    } else {
        *pprof = r.out;
    }
    return err;
}

void vg_pprof_release(struct vg_pprof *pprof)
{
    vg_arena_release(&pprof->arena);
    *pprof = (struct vg_pprof){.arena = pprof->arena};
}
