/* Services: counts and sets while visiting, sorted lists at the end. */
#include "vigil/query/services.h"

#include <stdlib.h>

#include "vigil/query/tags.h"

#define NONE UINT32_MAX

enum {
    MAX_NAME_BYTES = 16 << 20,
    MAX_VALUES = 1 << 20,
    MAX_VALUE_BYTES = 64 << 20,
    MAX_SEEN = 1 << 22,
    MAX_ARENA_BYTES = 128 << 20,
    KIND_PROCESS = VG_SERVICE_LISTS, /* counted, not listed */
};

/* What has been seen of a service so far; its number is that of its name. */
struct state {
    uint64_t profiles, processes;
    int64_t first_seen_ns, last_seen_ns, duration_ns;
};

/* A value of a service, each once. */
struct entry {
    uint32_t service;
    uint32_t list; /* enum vg_service_list */
    struct vg_slice value;
};

struct collector {
    struct vg_intern names, values;
    struct vg_map service_of; /* hash of a tag set → service */
    struct vg_map seen;       /* service, list, value → nothing */
    struct vg_buf states;     /* struct state */
    struct vg_buf entries;    /* struct entry */
    struct vg_totals *totals;
    bool is_truncated;
    enum vg_err err;
};

static struct vg_slice tag_value(const struct vg_stored_profile *profile, const char *name)
{
    for (size_t i = 0; i < profile->n_tags; i++)
        if (vg_slice_equal_text(profile->tags[i].name, name))
            return profile->tags[i].value;
    return (struct vg_slice){0};
}

static enum vg_err note_value(struct collector *collector, uint32_t service, uint32_t list,
                              struct vg_slice value)
{
    uint32_t id;
    uint64_t *place;
    bool is_new;
    enum vg_err err = vg_intern_put(&collector->values, value, &id);
    if (!err) /* 2^14 services, 3 bits of list, 2^20 values */
        err = vg_map_insert(&collector->seen, (uint64_t)service << 40 | (uint64_t)list << 32 | id, &place,
                            &is_new);
    if (err || !is_new)
        return err;
    if (list == KIND_PROCESS) {
        ((struct state *)(void *)collector->states.data)[service].processes++;
        return VG_OK;
    }
    struct entry entry = {service, list, vg_intern_get(&collector->values, id)};
    return vg_buf_append(&collector->entries, &entry, sizeof entry);
}

/* Everything its tags say, of a tag set seen for the first time. */
static enum vg_err note_tags(struct collector *collector, uint32_t service,
                             const struct vg_stored_profile *profile)
{
    static const struct {
        const char *name;
        uint32_t list;
    } lists[] = {
        {"env", VG_SERVICE_ENVS},           {"version", VG_SERVICE_VERSIONS}, {"host", VG_SERVICE_HOSTS},
        {"language", VG_SERVICE_LANGUAGES}, {"runtime-id", KIND_PROCESS},
    };
    for (size_t i = 0; i < profile->n_tags; i++) {
        for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
            if (!vg_slice_equal_text(profile->tags[i].name, lists[k].name))
                continue;
            enum vg_err err = note_value(collector, service, lists[k].list, profile->tags[i].value);
            if (err)
                return err;
        }
    }
    return VG_OK;
}

/* The service of a profile, made where it is new; NONE where there is no room for one more. */
static enum vg_err find_service(struct collector *collector, const struct vg_stored_profile *profile,
                                uint32_t *service)
{
    uint64_t *place;
    bool is_new;
    uint64_t hash = vg_tags_hash(profile->tags, profile->n_tags, collector->names.seed);
    enum vg_err err = vg_map_insert(&collector->service_of, hash, &place, &is_new);
    if (err)
        return err;
    if (!is_new) {
        *service = (uint32_t)*place;
        return VG_OK;
    }
    *place = NONE;
    err = vg_intern_put(&collector->names, tag_value(profile, "service"), service);
    if (err)
        return err;
    if (*service == collector->states.len / sizeof(struct state)) {
        struct state state = {.first_seen_ns = INT64_MAX, .last_seen_ns = INT64_MIN};
        err = vg_buf_append(&collector->states, &state, sizeof state);
        if (err)
            return err;
    }
    *place = *service;
    return note_tags(collector, *service, profile);
}

static enum vg_err add_profile(struct collector *collector, const struct vg_stored_profile *profile)
{
    uint32_t service = NONE;
    enum vg_err err = find_service(collector, profile, &service);
    if (err == VG_ERR_FULL ||
        err == VG_ERR_LIMIT) { /* more than we list: go on with what we have, and say so */
        collector->is_truncated = true;
        err = VG_OK;
    }
    if (err || service == NONE)
        return err;
    struct state *state = (struct state *)(void *)collector->states.data + service;
    int64_t length_ns = vg_level_weight_ns(profile->start_ns, profile->end_ns);
    state->profiles++;
    state->first_seen_ns =
        profile->start_ns < state->first_seen_ns ? profile->start_ns : state->first_seen_ns;
    state->last_seen_ns = profile->end_ns > state->last_seen_ns ? profile->end_ns : state->last_seen_ns;
    if (__builtin_add_overflow(state->duration_ns, length_ns, &state->duration_ns))
        state->duration_ns = INT64_MAX;
    return vg_totals_add(collector->totals, service, profile);
}

static bool visit(void *ctx, const struct vg_stored_profile *profile)
{
    struct collector *collector = ctx;
    collector->err = add_profile(collector, profile);
    return collector->err == VG_OK;
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->service != b->service)
        return a->service < b->service ? -1 : 1;
    if (a->list != b->list)
        return a->list < b->list ? -1 : 1;
    return vg_slice_compare(a->value, b->value);
}

/* The entries of one service and list, sorted; the first of the others afterwards. */
static enum vg_err take_list(struct vg_services *services, struct vg_service *service, uint32_t list,
                             const struct entry *entries, size_t n)
{
    service->n_values[list] = n < VG_SERVICE_MAX_VALUES ? n : VG_SERVICE_MAX_VALUES;
    service->values[list] = vg_arena_new(&services->arena, service->n_values[list], sizeof(struct vg_slice));
    if (!service->values[list])
        return VG_ERR_NOMEM;
    enum vg_err err = VG_OK;
    for (size_t i = 0; i < service->n_values[list] && !err; i++)
        err = vg_arena_copy(&services->arena, entries[i].value, &service->values[list][i]);
    return err;
}

static enum vg_err take_lists(struct vg_services *services, struct collector *collector)
{
    struct entry *entries = (struct entry *)(void *)collector->entries.data;
    size_t n = collector->entries.len / sizeof *entries;
    enum vg_err err = VG_OK;
    if (n)
        qsort(entries, n, sizeof *entries, compare_entries);
    for (size_t i = 0, end; i < n && !err; i = end) {
        for (end = i + 1;
             end < n && entries[end].service == entries[i].service && entries[end].list == entries[i].list;
             end++)
            ;
        err =
            take_list(services, &services->items[entries[i].service], entries[i].list, entries + i, end - i);
    }
    return err;
}

static int compare_services(const void *left, const void *right)
{
    const struct vg_service *a = left, *b = right;
    return vg_slice_compare(a->name, b->name);
}

/* items is in order of first sight until the last step sorts it. */
static enum vg_err build(struct vg_services *services, struct collector *collector)
{
    const struct state *states = (const struct state *)(const void *)collector->states.data;
    size_t n = collector->states.len / sizeof *states;
    services->items = vg_arena_new(&services->arena, n, sizeof *services->items);
    enum vg_err err = services->items ? VG_OK : VG_ERR_NOMEM;
    for (size_t i = 0; i < n && !err; i++) {
        struct vg_service *service = &services->items[i];
        service->profiles = states[i].profiles;
        service->processes = states[i].processes;
        service->first_seen_ns = states[i].first_seen_ns;
        service->last_seen_ns = states[i].last_seen_ns;
        service->duration_ns = states[i].duration_ns;
        err = vg_arena_copy(&services->arena, vg_intern_get(&collector->names, (uint32_t)i), &service->name);
    }
    if (!err)
        err = take_lists(services, collector);
    if (err)
        return err;
    vg_totals_finish(&services->totals);
    for (size_t i = 0; i < services->totals.n; i++) {
        struct vg_service *service = &services->items[services->totals.items[i].group];
        if (service->n_types++ == 0)
            service->types = &services->totals.items[i];
    }
    services->n = n;
    services->is_truncated = collector->is_truncated;
    if (n)
        qsort(services->items, n, sizeof *services->items, compare_services);
    return VG_OK;
}

static void collector_release(struct collector *collector)
{
    vg_buf_release(&collector->entries);
    vg_buf_release(&collector->states);
    vg_map_release(&collector->seen);
    vg_map_release(&collector->service_of);
    vg_intern_release(&collector->values);
    vg_intern_release(&collector->names);
}

enum vg_err vg_services_collect(struct vg_store *store, const struct vg_selection *selection,
                                const struct vg_alloc *alloc, struct vg_services *services)
{
    struct vg_services made = {0};
    struct collector collector = {.totals = &made.totals};
    vg_intern_init(&collector.names, VG_SERVICES_MAX, MAX_NAME_BYTES, alloc);
    vg_intern_init(&collector.values, MAX_VALUES, MAX_VALUE_BYTES, alloc);
    vg_map_init(&collector.service_of, MAX_SEEN, alloc);
    vg_map_init(&collector.seen, MAX_SEEN, alloc);
    vg_buf_init(&collector.states, VG_SERVICES_MAX * sizeof(struct state), alloc);
    vg_buf_init(&collector.entries, MAX_SEEN * sizeof(struct entry), alloc);
    vg_arena_init(&made.arena, MAX_ARENA_BYTES, alloc);
    vg_totals_init(&made.totals, alloc);
    enum vg_err err = vg_store_list(store, selection, visit, &collector);
    if (!err)
        err = collector.err;
    if (!err)
        err = build(&made, &collector);
    collector_release(&collector);
    if (err)
        vg_services_release(&made);
    else
        *services = made;
    return err;
}

void vg_services_release(struct vg_services *services)
{
    vg_totals_release(&services->totals);
    vg_arena_release(&services->arena);
}
