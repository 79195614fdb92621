#include "vigil/intake/event.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define ARENA_BYTES    ((size_t)8 << 20)
#define INTERNAL_BYTES ((size_t)16 << 10)
#define YEAR_2000_NS   (INT64_C(946684800) * VG_NS_PER_S)

VG_PRINTF(3, 4) static enum vg_err refuse(struct vg_event *event, enum vg_err err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(event->why, sizeof event->why, fmt, args);
    va_end(args);
    return err;
}

enum vg_err vg_event_init(struct vg_event *event, const struct vg_alloc *alloc)
{
    *event = (struct vg_event){.n_tags = 0};
    vg_arena_init(&event->arena, ARENA_BYTES, alloc);
    event->tags = vg_arena_new(&event->arena, VG_EVENT_TAGS, sizeof *event->tags);
    return event->tags ? VG_OK : VG_ERR_NOMEM;
}

void vg_event_release(struct vg_event *event)
{
    vg_arena_release(&event->arena);
}

static enum vg_err keep(struct vg_event *event, struct vg_slice text, struct vg_slice *copy)
{
    enum vg_err err = vg_arena_copy(&event->arena, text, copy);

    return err == VG_ERR_FULL ? refuse(event, VG_ERR_LIMIT, "the event is too large") : err;
}

static enum vg_err add_tag(struct vg_event *event, struct vg_slice name, struct vg_slice value)
{
    struct vg_tag tag;

    if (event->n_tags == VG_EVENT_TAGS)
        return refuse(event, VG_ERR_LIMIT, "more than %d tags", VG_EVENT_TAGS);
    enum vg_err err = keep(event, name, &tag.name);
    if (!err)
        err = keep(event, value, &tag.value);
    if (!err)
        event->tags[event->n_tags++] = tag;
    return err;
}

/* "name:value"; a value may hold colons. What has no colon says nothing and is skipped. */
static enum vg_err add_pair(struct vg_event *event, struct vg_slice pair)
{
    const char *colon = pair.len ? memchr(pair.data, ':', pair.len) : NULL;

    if (!colon || colon == pair.data)
        return VG_OK;
    size_t name_len = (size_t)(colon - pair.data);
    return add_tag(event, (struct vg_slice){pair.data, name_len},
                   (struct vg_slice){colon + 1, pair.len - name_len - 1});
}

static enum vg_err add_pairs(struct vg_event *event, struct vg_slice list)
{
    enum vg_err err = VG_OK;

    while (list.len && !err) {
        const char *comma = memchr(list.data, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.data) : list.len;
        err = add_pair(event, (struct vg_slice){list.data, len});
        len += comma != NULL;
        list = (struct vg_slice){list.data + len, list.len - len};
    }
    return err;
}

static enum vg_err set_time(struct vg_event *event, const char *name, struct vg_slice text, bool is_start)
{
    int64_t time_ns;

    if (vg_time_parse(text, &time_ns))
        return refuse(event, VG_ERR_MALFORMED, "%s is no RFC 3339 time between 1970 and 2261", name);
    if (is_start) {
        event->has_start = true;
        event->start_ns = time_ns;
    } else {
        event->has_end = true;
        event->end_ns = time_ns;
    }
    return VG_OK;
}

/* jansson descends 2,048 levels and makes a tree of many times the text's size: count before it does. */
static enum vg_err check_shape(struct vg_event *event, struct vg_slice json)
{
    size_t depth = 0, values = 0;
    bool is_text = false;

    if (json.len > VG_EVENT_JSON_BYTES)
        return refuse(event, VG_ERR_LIMIT, "event.json is larger than %zu bytes", VG_EVENT_JSON_BYTES);
    for (size_t i = 0; i < json.len; i++) {
        char c = json.data[i];
        if (is_text) {
            i += c == '\\';
            is_text = c != '"';
            continue;
        }
        is_text = c == '"';
        values += c == ',' || c == '[' || c == '{';
        if (c == '[' || c == '{')
            depth++;
        else if ((c == ']' || c == '}') && depth)
            depth--;
        if (depth > VG_EVENT_DEPTH)
            return refuse(event, VG_ERR_LIMIT, "event.json: nested deeper than %d at byte %zu",
                          VG_EVENT_DEPTH, i);
        if (values > VG_EVENT_VALUES)
            return refuse(event, VG_ERR_LIMIT, "event.json: more than %d values at byte %zu", VG_EVENT_VALUES,
                          i);
    }
    return VG_OK;
}

static struct vg_slice text_of(const json_t *value)
{
    return (struct vg_slice){json_string_value(value), json_string_length(value)};
}

static enum vg_err read_tags(struct vg_event *event, const json_t *tags)
{
    if (!tags || json_is_null(tags))
        return VG_OK;
    if (json_is_string(tags))
        return add_pairs(event, text_of(tags));
    if (!json_is_array(tags))
        return refuse(event, VG_ERR_MALFORMED, "event.json: tags_profiler must be text or a list");
    for (size_t i = 0; i < json_array_size(tags); i++) {
        const json_t *tag = json_array_get(tags, i);
        if (!json_is_string(tag))
            return refuse(event, VG_ERR_MALFORMED, "event.json: tags_profiler[%zu] must be text", i);
        enum vg_err err = add_pair(event, text_of(tag));
        if (err)
            return err;
    }
    return VG_OK;
}

static enum vg_err read_time(struct vg_event *event, const json_t *root, const char *name, bool is_start)
{
    const json_t *value = json_object_get(root, name);
    char where[32];

    if (!value)
        return VG_OK; /* may come as a form field; vg_event_check looks */
    snprintf(where, sizeof where, "event.json: %s", name);
    if (!json_is_string(value))
        return refuse(event, VG_ERR_MALFORMED, "%s must be text", where);
    return set_time(event, where, text_of(value), is_start);
}

/* Left out where it is larger than we keep: it is for the curious, not part of the profile. */
static enum vg_err read_internal(struct vg_event *event, const json_t *internal)
{
    if (!json_is_object(internal))
        return VG_OK;
    char *text = json_dumps(internal, JSON_COMPACT | JSON_SORT_KEYS);
    if (!text)
        return VG_ERR_NOMEM;
    enum vg_err err = VG_OK;
    if (strlen(text) <= INTERNAL_BYTES)
        err = keep(event, vg_slice_of(text), &event->internal);
    free(text);
    return err;
}

static enum vg_err read_root(struct vg_event *event, const json_t *root)
{
    const json_t *family = json_object_get(root, "family");
    enum vg_err err;

    if (!json_is_object(root))
        return refuse(event, VG_ERR_MALFORMED, "event.json must be an object");
    if (family && !json_is_string(family) && !json_is_null(family))
        return refuse(event, VG_ERR_MALFORMED, "event.json: family must be text");
    err = read_time(event, root, "start", true);
    if (!err)
        err = read_time(event, root, "end", false);
    if (!err)
        err = read_tags(event, json_object_get(root, "tags_profiler"));
    if (!err && json_is_string(family))
        err = keep(event, text_of(family), &event->family);
    return err ? err : read_internal(event, json_object_get(root, "internal"));
}

enum vg_err vg_event_json(struct vg_event *event, struct vg_slice json)
{
    json_error_t error;
    enum vg_err err = check_shape(event, json);

    if (err)
        return err;
    if (json.len == 0)
        return refuse(event, VG_ERR_MALFORMED, "event.json is empty");
    json_t *root = json_loadb(json.data, json.len, 0, &error);
    if (!root && json_error_code(&error) == json_error_out_of_memory)
        return VG_ERR_NOMEM;
    if (!root)
        return refuse(event, VG_ERR_MALFORMED, "event.json is no JSON: %.80s at byte %d", error.text,
                      error.position);
    err = read_root(event, root);
    json_decref(root);
    return err;
}

enum vg_err vg_event_field(struct vg_event *event, const char *name, struct vg_slice value)
{
    if (strcmp(name, "start") == 0 || strcmp(name, "recording-start") == 0)
        return set_time(event, name, value, true);
    if (strcmp(name, "end") == 0 || strcmp(name, "recording-end") == 0)
        return set_time(event, name, value, false);
    if (strcmp(name, "tags[]") == 0 || strcmp(name, "tags_profiler") == 0)
        return strcmp(name, "tags[]") == 0 ? add_pair(event, value) : add_pairs(event, value);
    if (strcmp(name, "family") == 0 || (strcmp(name, "runtime") == 0 && event->family.len == 0))
        return keep(event, value, &event->family);
    return VG_OK;
}

static bool has_tag(const struct vg_event *event, const char *name)
{
    for (size_t i = 0; i < event->n_tags; i++)
        if (vg_slice_equal_text(event->tags[i].name, name))
            return true;
    return false;
}

enum vg_err vg_event_check(struct vg_event *event)
{
    if (!event->has_start || !event->has_end)
        return refuse(event, VG_ERR_MALFORMED, "the event has no %s", event->has_start ? "end" : "start");
    if (event->start_ns < YEAR_2000_NS)
        return refuse(event, VG_ERR_MALFORMED, "start lies before the year 2000");
    if (event->end_ns < event->start_ns)
        return refuse(event, VG_ERR_MALFORMED, "end lies before start");
    if (event->family.len && event->n_tags < VG_EVENT_TAGS && !has_tag(event, "language"))
        return add_tag(event, VG_SLICE_LIT("language"), event->family);
    return VG_OK;
}
