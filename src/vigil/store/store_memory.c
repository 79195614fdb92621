/* The store in memory, for tests: the plainest thing that keeps the promises of store.h, and the oracle that
 * the real one is compared with. It shares no code with it but the queue. Everything is linear or worse;
 * nothing is ever deleted, so retention_ns and max_disk_bytes are not looked at.
 */
#include <math.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/lock.h"
#include "base/map.h"
#include "vigil/store/store_ops.h"
#include "vigil/store/writer.h"

#define LIMIT_BYTES ((size_t)1 << 30)

struct memory_store {
    struct vg_store base;
    const struct vg_alloc *alloc;
    struct vg_lock lock;
    struct vg_profile **profiles; /* by id − 1 */
    size_t n_profiles;
    struct vg_store_stats stats;
    struct vg_writer writer;
};

/* ---- writing ---- */

static bool is_known(const struct memory_store *store, const struct vg_profile *profile)
{
    for (size_t i = 0; i < store->n_profiles; i++)
        if (memcmp(store->profiles[i]->key, profile->key, sizeof profile->key) == 0)
            return true;
    return false;
}

static void keep(struct memory_store *store, struct vg_write *write)
{
    write->err = VG_OK;
    write->result = VG_PUT_DUPLICATE;
    if (is_known(store, write->profile)) {
        store->stats.duplicates++;
        return;
    }
    write->result = VG_PUT_STORED;
    struct vg_profile **wider =
        vg_alloc_resize(store->alloc, store->profiles, (store->n_profiles + 1) * sizeof *wider);
    if (!wider) {
        write->err = VG_ERR_NOMEM;
        store->stats.refused++;
        return;
    }
    store->profiles = wider;
    store->profiles[store->n_profiles++] = write->profile;
    store->stats.stored_bytes += write->profile->arena.used_bytes;
    write->profile = NULL; /* taken */
}

static void commit(void *ctx, struct vg_write *writes, size_t n)
{
    struct memory_store *store = ctx;
    vg_lock_take(&store->lock);
    for (size_t i = 0; i < n; i++)
        keep(store, &writes[i]);
    store->stats.commits++;
    vg_lock_give(&store->lock);
}

static void idle(void *ctx)
{
    (void)ctx;
}

static enum vg_err memory_put(struct vg_store *base, struct vg_profile *profile, vg_store_done *done,
                              void *ctx)
{
    return vg_writer_put(&((struct memory_store *)base)->writer, profile, done, ctx);
}

/* ---- selecting ---- */

static bool is_selected(const struct vg_selection *selection, const struct vg_profile *profile)
{
    return vg_selection_covers(selection, profile->start_ns, profile->end_ns) &&
           (!selection->match_tags || selection->match_tags(selection->ctx, profile->tags, profile->n_tags));
}

static int compare_newest_first(const void *a, const void *b)
{
    const struct vg_profile *x = *(struct vg_profile *const *)a, *y = *(struct vg_profile *const *)b;
    if (x->end_ns != y->end_ns)
        return x->end_ns > y->end_ns ? -1 : 1;
    if (x->start_ns != y->start_ns)
        return x->start_ns > y->start_ns ? -1 : 1;
    return 0;
}

static uint64_t id_of(const struct memory_store *store, const struct vg_profile *profile)
{
    for (size_t i = 0; i < store->n_profiles; i++)
        if (store->profiles[i] == profile)
            return i + 1;
    return 0;
}

static enum vg_err memory_list(struct vg_store *base, const struct vg_selection *selection,
                               vg_store_visit *visit, void *ctx)
{
    struct memory_store *store = (struct memory_store *)base;
    vg_lock_take(&store->lock);
    struct vg_profile **order = vg_alloc_zeroed(store->alloc, store->n_profiles + 1, sizeof *order);
    bool goes_on = order != NULL;
    for (size_t i = 0; i < store->n_profiles && order; i++)
        order[i] = store->profiles[store->n_profiles - 1 - i]; /* the latest first among equals */
    if (order)
        qsort(order, store->n_profiles, sizeof *order, compare_newest_first);
    for (size_t i = 0; i < store->n_profiles && goes_on; i++) {
        const struct vg_profile *profile = order[i];
        if (!is_selected(selection, profile))
            continue;
        struct vg_stored_profile stored = {
            id_of(store, profile), profile->start_ns, profile->end_ns,
            profile->received_ns,  profile->tags,     profile->n_tags,
            profile->types,        profile->n_types,  (int64_t)profile->arena.used_bytes,
            profile->internal};
        goes_on = visit(ctx, &stored);
    }
    vg_lock_give(&store->lock);
    vg_alloc_release(store->alloc, order);
    return order ? VG_OK : VG_ERR_NOMEM;
}

/* ---- merging: a stack is the text of its frames ---- */

struct naive {
    struct vg_intern strings, frames, stacks; /* by their bytes; a stack's are the ids of its frames */
    long double *values;                      /* by stack */
    size_t room;
    const struct vg_alloc *alloc;
};

static enum vg_err naive_frame(struct naive *naive, const struct vg_profile *profile, uint32_t frame,
                               uint32_t *id)
{
    struct vg_frame key = profile->frames[frame];
    enum vg_err err = vg_intern_put(&naive->strings, profile->strings[key.name], &key.name);
    if (!err)
        err = vg_intern_put(&naive->strings, profile->strings[key.file], &key.file);
    return err ? err : vg_intern_put(&naive->frames, (struct vg_slice){(char *)&key, sizeof key}, id);
}

static enum vg_err naive_stack(struct naive *naive, const struct vg_profile *profile, uint32_t stack,
                               uint32_t *id)
{
    struct vg_buf key;
    vg_buf_init(&key, LIMIT_BYTES, naive->alloc);
    enum vg_err err = VG_OK;
    for (uint32_t i = profile->stack_start[stack]; i < profile->stack_start[stack + 1] && !err; i++) {
        uint32_t frame;
        err = naive_frame(naive, profile, profile->stack_frames[i], &frame);
        if (!err)
            err = vg_buf_append(&key, &frame, sizeof frame);
    }
    if (!err)
        err = vg_intern_put(&naive->stacks, vg_buf_as_slice(&key), id);
    vg_buf_release(&key);
    if (!err && *id >= naive->room) {
        long double *wider = vg_alloc_resize(naive->alloc, naive->values, (*id + 1) * 2 * sizeof *wider);
        if (!wider)
            return VG_ERR_NOMEM;
        for (size_t i = naive->room; i < ((size_t)*id + 1) * 2; i++)
            wider[i] = 0;
        naive->values = wider;
        naive->room = ((size_t)*id + 1) * 2;
    }
    return err;
}

static bool is_level(struct vg_slice type)
{
    return vg_slice_equal_text(type, "heap-space") || vg_slice_equal_text(type, "heap-live-samples");
}

static int64_t length_of(const struct vg_profile *profile)
{
    return profile->end_ns > profile->start_ns ? profile->end_ns - profile->start_ns : 1;
}

static bool is_same_process(const struct vg_profile *a, const struct vg_profile *b)
{
    struct vg_slice x = vg_profile_tag(a, "runtime-id"), y = vg_profile_tag(b, "runtime-id");
    if (x.len || y.len || a->n_tags != b->n_tags)
        return x.len && vg_slice_equal(x, y);
    for (size_t i = 0; i < a->n_tags; i++)
        if (!vg_slice_equal(a->tags[i].name, b->tags[i].name) ||
            !vg_slice_equal(a->tags[i].value, b->tags[i].value))
            return false;
    return true;
}

static size_t type_of(const struct vg_profile *profile, struct vg_slice type)
{
    size_t i = 0;
    while (i < profile->n_types && !vg_slice_equal(profile->types[i].name, type))
        i++;
    return i;
}

static long double share_of(const struct memory_store *store, const struct vg_selection *selection,
                            const struct vg_profile *profile, struct vg_slice type)
{
    long double length = 0;
    for (size_t i = 0; i < store->n_profiles; i++) {
        const struct vg_profile *other = store->profiles[i];
        if (is_selected(selection, other) && type_of(other, type) < other->n_types &&
            is_same_process(profile, other))
            length += length_of(other);
    }
    return length_of(profile) / length;
}

static enum vg_err naive_add(struct naive *naive, const struct vg_profile *profile,
                             const struct vg_selection *selection, size_t type, long double share)
{
    for (size_t i = 0; i < profile->n_rows; i++) {
        uint32_t set = profile->row_labels[i], id;
        size_t start = profile->labels_start[set];
        if (selection->narrows_labels &&
            !selection->match_labels(selection->ctx, profile->strings, profile->labels + start,
                                     profile->labels_start[set + 1] - start))
            continue;
        enum vg_err err = naive_stack(naive, profile, profile->row_stack[i], &id);
        if (err)
            return err;
        naive->values[id] += share * profile->row_values[i * profile->n_types + type];
    }
    return VG_OK;
}

static enum vg_err copy_intern(struct vg_arena *arena, const struct vg_intern *intern,
                               struct vg_slice **items, size_t *n)
{
    struct vg_slice *list = vg_arena_new(arena, intern->count + 1, sizeof *list);
    if (!list)
        return VG_ERR_NOMEM;
    for (uint32_t i = 0; i < intern->count; i++) {
        enum vg_err err = vg_arena_copy(arena, vg_intern_get(intern, i), &list[i]);
        if (err)
            return err;
    }
    *items = list;
    *n = intern->count;
    return VG_OK;
}

static enum vg_err naive_finish(const struct naive *naive, struct vg_merged *merged)
{
    struct vg_arena *arena = &merged->arena;
    enum vg_err err = copy_intern(arena, &naive->strings, &merged->strings, &merged->n_strings);
    size_t n_frames = 0;
    for (uint32_t i = 0; i < naive->stacks.count; i++)
        n_frames += vg_intern_get(&naive->stacks, i).len / sizeof(uint32_t);
    merged->frames = vg_arena_new(arena, naive->frames.count, sizeof *merged->frames);
    merged->stack_start = vg_arena_new(arena, naive->stacks.count + 1, sizeof *merged->stack_start);
    merged->stack_frames = vg_arena_new(arena, n_frames, sizeof *merged->stack_frames);
    merged->values = vg_arena_new(arena, naive->stacks.count, sizeof *merged->values);
    if (err || !merged->frames || !merged->stack_start || !merged->stack_frames || !merged->values)
        return err ? err : VG_ERR_NOMEM;
    merged->n_frames = naive->frames.count;
    for (uint32_t i = 0; i < naive->frames.count; i++)
        memcpy(&merged->frames[i], vg_intern_get(&naive->frames, i).data, sizeof *merged->frames);
    for (uint32_t i = 0; i < naive->stacks.count; i++) {
        struct vg_slice frames = vg_intern_get(&naive->stacks, i);
        int64_t value = llroundl(naive->values[i]);
        if (value == 0)
            continue;
        uint32_t start = merged->stack_start[merged->n_stacks];
        if (frames.len)
            memcpy(merged->stack_frames + start, frames.data, frames.len);
        merged->values[merged->n_stacks++] = value;
        merged->stack_start[merged->n_stacks] = start + (uint32_t)(frames.len / sizeof(uint32_t));
        merged->total += value;
    }
    return VG_OK;
}

static enum vg_err merge_all(struct memory_store *store, const struct vg_selection *selection,
                             struct vg_slice type, struct naive *naive, struct vg_merged *merged)
{
    enum vg_err err = VG_OK;
    for (size_t i = 0; i < store->n_profiles && !err; i++) {
        const struct vg_profile *profile = store->profiles[i];
        size_t its_type = type_of(profile, type);
        if (!is_selected(selection, profile) || its_type == profile->n_types)
            continue;
        long double share = is_level(type) ? share_of(store, selection, profile, type) : 1;
        err = naive_add(naive, profile, selection, its_type, share);
        if (!err && merged->n_profiles++ == 0)
            err = vg_arena_copy(&merged->arena, profile->types[its_type].unit, &merged->unit);
        if (profile->end_ns > profile->start_ns)
            merged->duration_ns += profile->end_ns - profile->start_ns;
    }
    return err ? err : naive_finish(naive, merged);
}

static enum vg_err memory_merge(struct vg_store *base, const struct vg_selection *selection,
                                struct vg_slice type, struct vg_merged *merged)
{
    struct memory_store *store = (struct memory_store *)base;
    struct naive naive = {.alloc = store->alloc};
    struct vg_merged answer = {0};
    uint32_t id;
    vg_arena_init(&answer.arena, LIMIT_BYTES, store->alloc);
    vg_intern_init(&naive.strings, UINT32_MAX, LIMIT_BYTES, store->alloc);
    vg_intern_init(&naive.frames, UINT32_MAX, LIMIT_BYTES, store->alloc);
    vg_intern_init(&naive.stacks, UINT32_MAX, LIMIT_BYTES, store->alloc);
    enum vg_err err = vg_intern_put(&naive.strings, (struct vg_slice){"", 0}, &id);
    vg_lock_take(&store->lock);
    if (!err)
        err = merge_all(store, selection, type, &naive, &answer);
    vg_lock_give(&store->lock);
    vg_intern_release(&naive.strings);
    vg_intern_release(&naive.frames);
    vg_intern_release(&naive.stacks);
    vg_alloc_release(store->alloc, naive.values);
    if (err)
        vg_merged_release(&answer);
    else
        *merged = answer;
    return err;
}

/* ---- one whole profile: a copy ---- */

static enum vg_err copy_array(struct vg_arena *arena, void *array, size_t n, size_t size)
{
    void *from, *to = vg_arena_new(arena, n, size);
    memcpy(&from, array, sizeof from);
    if (!to)
        return VG_ERR_NOMEM;
    if (n)
        memcpy(to, from, n * size);
    memcpy(array, &to, sizeof to);
    return VG_OK;
}

#define COPY(field, n)                                                                                       \
    if (!err)                                                                                                \
    err = copy_array(&copy->arena, &copy->field, (n), sizeof *copy->field)

static enum vg_err copy_arrays(struct vg_profile *copy)
{
    enum vg_err err = VG_OK;
    COPY(tags, copy->n_tags);
    COPY(strings, copy->n_strings);
    COPY(types, copy->n_types);
    COPY(frames, copy->n_frames);
    COPY(stack_start, copy->n_stacks + 1);
    COPY(stack_frames, copy->stack_start[copy->n_stacks]);
    COPY(labels_start, copy->n_label_sets + 1);
    COPY(labels, copy->labels_start[copy->n_label_sets]);
    COPY(row_stack, copy->n_rows);
    COPY(row_labels, copy->n_rows);
    COPY(row_values, copy->n_rows * copy->n_types);
    COPY(event_row, copy->n_events);
    COPY(event_labels, copy->n_events);
    COPY(event_end_ns, copy->n_events);
    COPY(event_values, copy->n_events * copy->n_types);
    return err;
}

static enum vg_err copy_text(struct vg_arena *arena, struct vg_slice *text)
{
    return vg_arena_copy(arena, *text, text);
}

static enum vg_err copy_texts(struct vg_profile *copy)
{
    enum vg_err err = copy_text(&copy->arena, &copy->internal);
    for (size_t i = 0; i < copy->n_strings && !err; i++)
        err = copy_text(&copy->arena, &copy->strings[i]);
    for (size_t i = 0; i < copy->n_tags && !err; i++) {
        err = copy_text(&copy->arena, &copy->tags[i].name);
        if (!err)
            err = copy_text(&copy->arena, &copy->tags[i].value);
    }
    for (size_t i = 0; i < copy->n_types && !err; i++) {
        err = copy_text(&copy->arena, &copy->types[i].name);
        if (!err)
            err = copy_text(&copy->arena, &copy->types[i].unit);
    }
    return err;
}

static enum vg_err memory_get(struct vg_store *base, uint64_t id, struct vg_profile **profile)
{
    struct memory_store *store = (struct memory_store *)base;
    struct vg_profile *copy = vg_alloc_zeroed(store->alloc, 1, sizeof *copy);
    if (!copy)
        return VG_ERR_NOMEM;
    enum vg_err err = VG_ERR_NOT_FOUND;
    vg_lock_take(&store->lock);
    bool has = id >= 1 && id <= store->n_profiles;
    if (has)
        *copy = *store->profiles[id - 1];
    vg_arena_init(&copy->arena, LIMIT_BYTES, store->alloc);
    if (has)
        err = copy_arrays(copy);
    if (has && !err)
        err = copy_texts(copy);
    vg_lock_give(&store->lock);
    if (err)
        vg_profile_free(copy);
    else
        *profile = copy;
    return err;
}

/* ---- the rest ---- */

static void memory_get_stats(struct vg_store *base, struct vg_store_stats *stats)
{
    struct memory_store *store = (struct memory_store *)base;
    uint64_t queued, refused;
    vg_writer_get_stats(&store->writer, &queued, &refused);
    vg_lock_take(&store->lock);
    *stats = store->stats;
    stats->profiles = store->n_profiles;
    vg_lock_give(&store->lock);
    stats->queued = queued;
    stats->refused += refused;
}

static void memory_free(struct vg_store *base)
{
    struct memory_store *store = (struct memory_store *)base;
    vg_writer_release(&store->writer);
    for (size_t i = 0; i < store->n_profiles; i++)
        vg_profile_free(store->profiles[i]);
    vg_lock_release(&store->lock);
    vg_alloc_release(store->alloc, store->profiles);
    vg_alloc_release(store->alloc, store);
}

static const struct vg_writer_ops writer_ops = {.commit = commit, .idle = idle};

static const struct vg_store_ops ops = {
    .free = memory_free,
    .put = memory_put,
    .list = memory_list,
    .merge = memory_merge,
    .get = memory_get,
    .get_stats = memory_get_stats,
};

enum vg_err vg_store_open_memory(const struct vg_store_config *config, struct vg_store **store)
{
    struct memory_store *made = vg_alloc_zeroed(config->alloc, 1, sizeof *made);
    if (!made)
        return VG_ERR_NOMEM;
    made->base.ops = &ops;
    made->alloc = config->alloc;
    vg_lock_init(&made->lock, VG_RANK_BLOCK);
    enum vg_err err = vg_writer_init(&made->writer, config, &writer_ops, made);
    if (err) {
        vg_lock_release(&made->lock);
        vg_alloc_release(config->alloc, made);
        return err;
    }
    *store = &made->base;
    return VG_OK;
}
