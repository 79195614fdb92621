/* GET /api/v1/profiles, /api/v1/profiles/{id} and /api/v1/profiles/{id}/pprof */
#include <inttypes.h>
#include <stdio.h>

#include "vigil/api/answer.h"
#include "vigil/api/handlers.h"
#include "vigil/api/write.h"
#include "vigil/query/listing.h"
#include "vigil/query/pprof_out.h"

enum { DEFAULT_LIMIT = 100 };

/* A sender's clock may be this far ahead of ours before we say so. */
#define CLOCK_TOLERANCE_NS (60 * VG_NS_PER_S)

static struct vg_slice tag_value(const struct vg_stored_profile *profile, const char *name)
{
    for (size_t i = 0; i < profile->n_tags; i++)
        if (vg_slice_equal_text(profile->tags[i].name, name))
            return profile->tags[i].value;
    return VG_SLICE_LIT("");
}

/* All tags, those shown by themselves too: names may have several values. */
static void write_tags(struct vg_json *json, const struct vg_tag *tags, size_t n)
{
    vg_json_key(json, "tags");
    vg_json_object(json);
    for (size_t i = 0; i < n;) {
        struct vg_slice name = tags[i].name;
        vg_json_key_slice(json, name);
        vg_json_array(json);
        for (; i < n && vg_slice_equal(tags[i].name, name); i++)
            vg_json_string(json, tags[i].value);
        vg_json_array_end(json);
    }
    vg_json_object_end(json);
}

static bool is_ahead(const struct vg_stored_profile *profile)
{
    int64_t ahead_ns;
    return !__builtin_sub_overflow(profile->end_ns, profile->received_ns, &ahead_ns) &&
           ahead_ns > CLOCK_TOLERANCE_NS;
}

static void write_profile(struct vg_json *json, const struct vg_stored_profile *profile)
{
    char id[24];
    snprintf(id, sizeof id, "%" PRIu64, profile->id);
    vg_json_object(json);
    vg_api_write_field(json, "id", vg_slice_of(id));
    vg_json_key(json, "start");
    vg_json_time(json, profile->start_ns);
    vg_json_key(json, "end");
    vg_json_time(json, profile->end_ns);
    vg_json_key(json, "received_at");
    vg_json_time(json, profile->received_ns);
    vg_api_write_field(json, "clock", vg_slice_of(is_ahead(profile) ? "ahead" : "ok"));
    vg_api_write_field(json, "service", tag_value(profile, "service"));
    vg_api_write_field(json, "env", tag_value(profile, "env"));
    vg_api_write_field(json, "version", tag_value(profile, "version"));
    vg_api_write_field(json, "host", tag_value(profile, "host"));
    write_tags(json, profile->tags, profile->n_tags);
    vg_json_key(json, "types");
    vg_json_array(json);
    for (size_t i = 0; i < profile->n_types; i++)
        vg_api_write_type(json, profile->types[i].name, profile->types[i].unit, profile->types[i].total);
    vg_json_array_end(json);
    vg_json_key(json, "size_bytes");
    vg_json_int(json, profile->size_bytes);
    vg_json_key(json, "internal");
    vg_json_raw(json, profile->internal.len ? profile->internal : VG_SLICE_LIT("{}"));
    vg_json_object_end(json);
}

/* The list */

struct page {
    struct vg_listing listing;
    struct vg_listing_key after;
    struct vg_buf objects; /* the profiles' JSON, in order of visit */
    struct {
        size_t start, len;
    } places[VG_LISTING_MAX]; /* by index of the listing; len 0: deleted meanwhile */
    size_t n_rendered;
};

static bool render(void *ctx, const struct vg_stored_profile *profile)
{
    struct page *page = ctx;
    size_t at = vg_listing_index(&page->listing, (struct vg_listing_key){profile->start_ns, profile->id});
    if (at == page->listing.n || page->places[at].len)
        return true;
    struct vg_json json = vg_json_on(&page->objects);
    page->places[at].start = page->objects.len;
    write_profile(&json, profile);
    page->places[at].len = page->objects.len - page->places[at].start;
    return !page->objects.err && ++page->n_rendered < page->listing.n;
}

/* The selection, narrowed to where the page's profiles are. Each has its start in the range, save those that
 * began before it: these overlap its beginning. */
static struct vg_selection narrow(const struct vg_selection *selection, const struct vg_listing *listing)
{
    struct vg_selection narrowed = *selection;
    int64_t first = listing->keys[0].start_ns, last = listing->keys[listing->n - 1].start_ns;
    int64_t low = first < last ? first : last, high = first < last ? last : first;
    if (low > narrowed.from_ns)
        narrowed.from_ns = low - 1; /* a profile without length ends where it starts */
    if (high < narrowed.to_ns && high >= narrowed.from_ns)
        narrowed.to_ns = high + 1;
    return narrowed;
}

static enum vg_err collect(struct vg_store *store, const struct vg_selection *selection, struct page *page)
{
    enum vg_err err = vg_listing_find(store, selection, &page->listing);
    if (err || page->listing.n == 0)
        return err;
    struct vg_selection narrowed = narrow(selection, &page->listing);
    err = vg_store_list(store, &narrowed, render, page);
    return err ? err : page->objects.err;
}

static void write_page(struct vg_buf *body, const struct page *page)
{
    struct vg_json json = vg_json_on(body);
    vg_json_object(&json);
    vg_json_key(&json, "profiles");
    vg_json_array(&json);
    for (size_t i = 0; i < page->listing.n; i++)
        if (page->places[i].len)
            vg_json_raw(&json,
                        (struct vg_slice){page->objects.data + page->places[i].start, page->places[i].len});
    vg_json_array_end(&json);
    vg_json_key(&json, "next_cursor");
    if (page->listing.has_more) {
        char cursor[VG_CURSOR_SIZE];
        vg_cursor_format(page->listing.keys[page->listing.n - 1], cursor);
        vg_json_text(&json, cursor);
    } else {
        vg_json_null(&json);
    }
    vg_json_object_end(&json);
}

/* False: answered. */
static bool read_page_parameters(struct vg_http_exchange *x, struct page *page)
{
    const char *limit = vg_http_query(x, "limit"), *sort = vg_http_query(x, "sort");
    const char *cursor = vg_http_query(x, "cursor");
    page->listing.limit = DEFAULT_LIMIT;
    if (limit && *limit && !vg_api_read_count(limit, VG_LISTING_MAX, &page->listing.limit)) {
        vg_api_bad_parameter(x, "limit", "leave it out for 100", "not a whole number from 1 to 1000");
        return false;
    }
    page->listing.is_ascending = sort && strcmp(sort, "start") == 0;
    if (sort && *sort && !page->listing.is_ascending && strcmp(sort, "-start") != 0) {
        vg_api_bad_parameter(x, "sort", "-start: newest first, start: oldest first", "unknown order");
        return false;
    }
    if (cursor && *cursor) {
        if (vg_cursor_parse(vg_slice_of(cursor), &page->after)) {
            vg_api_bad_parameter(x, "cursor", "pass next_cursor of the page before as it is",
                                 "not a cursor of ours");
            return false;
        }
        page->listing.after = &page->after;
    }
    return true;
}

void vg_api_profiles(void *ctx, struct vg_http_exchange *x)
{
    const struct vg_api *api = ctx;
    struct vg_api_question question;
    vg_api_begin(x);
    struct page *page = vg_alloc_zeroed(NULL, 1, sizeof *page);
    if (!page) {
        vg_api_fail(x, VG_ERR_NOMEM);
        return;
    }
    vg_buf_init(&page->objects, VG_API_MAX_ANSWER_BYTES, NULL);
    if (read_page_parameters(x, page) && vg_api_question_init(&question, api, x)) {
        struct vg_buf body;
        vg_buf_init(&body, VG_API_MAX_ANSWER_BYTES, NULL);
        enum vg_err err = collect(api->store, &question.selection, page);
        if (err) {
            vg_api_fail(x, err);
        } else {
            write_page(&body, page);
            vg_api_reply(x, "application/json", &body);
        }
        vg_api_question_release(&question);
    }
    vg_buf_release(&page->objects);
    vg_alloc_release(NULL, page);
}

/* One profile */

struct one {
    uint64_t id;
    struct vg_buf body;
};

static bool render_one(void *ctx, const struct vg_stored_profile *profile)
{
    struct one *one = ctx;
    if (profile->id != one->id)
        return true;
    struct vg_json json = vg_json_on(&one->body);
    write_profile(&json, profile);
    return false;
}

static enum vg_err read_id(struct vg_http_exchange *x, uint64_t *id)
{
    struct vg_slice text = vg_http_path_param(x);
    uint64_t value = 0;
    if (text.len == 0)
        return VG_ERR_NOT_FOUND;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value))
            return VG_ERR_NOT_FOUND;
    }
    *id = value;
    return VG_OK;
}

void vg_api_profile(void *ctx, struct vg_http_exchange *x)
{
    const struct vg_api *api = ctx;
    struct vg_profile *profile;
    struct one one;
    vg_api_begin(x);
    vg_buf_init(&one.body, VG_API_MAX_ANSWER_BYTES, NULL);
    enum vg_err err = read_id(x, &one.id);
    if (!err)
        err = vg_store_get(api->store, one.id, &profile);
    if (!err) { /* its metadata is where its time is */
        struct vg_selection selection = {.from_ns = profile->start_ns - 1, .to_ns = profile->start_ns + 1};
        vg_profile_free(profile);
        err = vg_store_list(api->store, &selection, render_one, &one);
    }
    if (!err && one.body.len == 0 && !one.body.err)
        err = VG_ERR_NOT_FOUND; /* deleted meanwhile */
    if (err) {
        vg_buf_release(&one.body);
        vg_api_fail(x, err);
        return;
    }
    vg_api_reply(x, "application/json", &one.body);
}

void vg_api_profile_pprof(void *ctx, struct vg_http_exchange *x)
{
    const struct vg_api *api = ctx;
    struct vg_profile *profile;
    struct vg_buf body;
    uint64_t id;
    vg_api_begin(x);
    enum vg_err err = read_id(x, &id);
    if (!err)
        err = vg_store_get(api->store, id, &profile);
    if (err) {
        vg_api_fail(x, err);
        return;
    }
    vg_buf_init(&body, VG_API_MAX_ANSWER_BYTES, NULL);
    err = vg_pprof_out_profile(profile, NULL, &body);
    vg_profile_free(profile);
    if (err) {
        vg_buf_release(&body);
        vg_api_fail(x, err);
        return;
    }
    char name[40];
    snprintf(name, sizeof name, "profile-%" PRIu64, id);
    vg_api_reply_file(x, vg_slice_of(name), ".pb.gz", &body);
}
