/* Facets: profiles → distinct tag sets with counts → (name, value) pairs with counts → sorted. */
#include "vigil/query/tags.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/map.h"

enum {
    MAX_PAIRS = 1 << 20, /* distinct (name, value) */
    MAX_PAIR_BYTES = 64 << 20,
    MAX_SETS = 1 << 20, /* distinct tag sets */
    MAX_SET_PAIRS = 1 << 24,
    MAX_KEY_BYTES = 1 << 20,
};

/* A tag set: its pairs are a run of pair_ids. */
struct tag_set {
    uint64_t count; /* of profiles */
    uint32_t first, n;
};

struct collector {
    struct vg_intern pairs; /* name, NUL, value */
    struct vg_map set_of;   /* hash of a tag set → index of sets */
    struct vg_buf sets;     /* struct tag_set */
    struct vg_buf pair_ids; /* uint32_t */
    struct vg_buf key;      /* scratch */
    uint64_t profiles;
    bool is_truncated;
    enum vg_err err;
};

uint64_t vg_tags_hash(const struct vg_tag *tags, size_t n_tags, uint64_t seed)
{
    uint64_t hash = seed;
    for (size_t i = 0; i < n_tags; i++) {
        hash = vg_hash_bytes(tags[i].name.data, tags[i].name.len, hash);
        hash = vg_hash_bytes(tags[i].value.data, tags[i].value.len, hash);
    }
    return hash;
}

static enum vg_err intern_pair(struct collector *collector, const struct vg_tag *tag, uint32_t *id)
{
    struct vg_buf *key = &collector->key;
    vg_buf_reset(key);
    (void)vg_buf_slice(key, tag->name);
    (void)vg_buf_byte(key, 0);
    (void)vg_buf_slice(key, tag->value);
    return key->err ? key->err : vg_intern_put(&collector->pairs, vg_buf_as_slice(key), id);
}

/* Full tables are not an error: the rest stays uncounted, and is said to be. */
static enum vg_err tolerate_full(struct collector *collector, enum vg_err err)
{
    if (err != VG_ERR_FULL && err != VG_ERR_LIMIT)
        return err;
    collector->is_truncated = true;
    return VG_OK;
}

static enum vg_err add_set(struct collector *collector, const struct vg_tag *tags, size_t n_tags)
{
    struct tag_set set = {1, (uint32_t)(collector->pair_ids.len / sizeof(uint32_t)), 0};
    for (size_t i = 0; i < n_tags; i++) {
        uint32_t id;
        enum vg_err err = intern_pair(collector, &tags[i], &id);
        if (!err)
            err = vg_buf_append(&collector->pair_ids, &id, sizeof id);
        set.n += err == VG_OK;
        err = tolerate_full(collector, err);
        if (err)
            return err;
    }
    return vg_buf_append(&collector->sets, &set, sizeof set);
}

static enum vg_err add_profile(struct collector *collector, const struct vg_stored_profile *profile)
{
    uint64_t *place;
    bool is_new;
    uint64_t hash = vg_tags_hash(profile->tags, profile->n_tags, collector->pairs.seed);
    enum vg_err err = vg_map_insert(&collector->set_of, hash, &place, &is_new);
    if (err)
        return tolerate_full(collector, err);
    if (!is_new) {
        ((struct tag_set *)(void *)collector->sets.data)[*place].count++;
        return VG_OK;
    }
    *place = collector->sets.len / sizeof(struct tag_set);
    return add_set(collector, profile->tags, profile->n_tags);
}

static bool visit(void *ctx, const struct vg_stored_profile *profile)
{
    struct collector *collector = ctx;
    collector->profiles++;
    collector->err = add_profile(collector, profile);
    return collector->err == VG_OK;
}

/* A (name, value) with its count, for sorting. */
struct pair {
    unsigned rank; /* of the name: which come first */
    struct vg_slice name, value;
    uint64_t count;
};

static unsigned rank_of(struct vg_slice name)
{
    static const char *const first[] = {"service", "env", "version", "host"};
    unsigned rank = 0;
    while (rank < sizeof first / sizeof *first && !vg_slice_equal_text(name, first[rank]))
        rank++;
    return rank;
}

static int compare_names(const struct pair *a, const struct pair *b)
{
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return vg_slice_compare(a->name, b->name);
}

static int compare_pairs(const void *left, const void *right)
{
    const struct pair *a = left, *b = right;
    int order = compare_names(a, b);
    if (order)
        return order;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return vg_slice_compare(a->value, b->value);
}

static void count_pairs(const struct collector *collector, struct pair *pairs)
{
    const struct tag_set *sets = (const struct tag_set *)(const void *)collector->sets.data;
    const uint32_t *ids = (const uint32_t *)(const void *)collector->pair_ids.data;
    for (size_t i = 0; i < collector->pairs.count; i++) {
        struct vg_slice key = vg_intern_get(&collector->pairs, (uint32_t)i);
        size_t name_len = strlen(key.data);
        struct vg_slice name = {key.data, name_len};
        pairs[i] = (struct pair){rank_of(name), name, {key.data + name_len + 1, key.len - name_len - 1}, 0};
    }
    for (size_t i = 0; i < collector->sets.len / sizeof *sets; i++)
        for (uint32_t k = 0; k < sets[i].n; k++)
            pairs[ids[sets[i].first + k]].count += sets[i].count;
}

/* One name: the n pairs from `pairs` on. */
static enum vg_err add_facet(struct vg_facets *facets, const struct pair *pairs, size_t n)
{
    struct vg_facet *facet = &facets->items[facets->n];
    facet->n_values = n < VG_FACET_MAX_VALUES ? n : VG_FACET_MAX_VALUES;
    facet->is_truncated = n > facet->n_values;
    facet->values = vg_arena_new(&facets->arena, facet->n_values, sizeof *facet->values);
    if (!facet->values)
        return VG_ERR_NOMEM;
    enum vg_err err = vg_arena_copy(&facets->arena, pairs[0].name, &facet->name);
    for (size_t i = 0; i < facet->n_values && !err; i++) {
        facet->values[i].count = pairs[i].count;
        err = vg_arena_copy(&facets->arena, pairs[i].value, &facet->values[i].value);
    }
    facets->n += err == VG_OK;
    return err;
}

static enum vg_err build(const struct collector *collector, struct vg_facets *facets)
{
    const struct vg_alloc *alloc = facets->arena.alloc;
    size_t n = collector->pairs.count;
    struct pair *pairs = vg_alloc_zeroed(alloc, n + 1, sizeof *pairs);
    facets->items = vg_arena_new(&facets->arena, VG_FACET_MAX_NAMES, sizeof *facets->items);
    enum vg_err err = pairs && facets->items ? VG_OK : VG_ERR_NOMEM;
    if (!err) {
        count_pairs(collector, pairs);
        qsort(pairs, n, sizeof *pairs, compare_pairs);
    }
    for (size_t i = 0, end; i < n && !err; i = end) {
        for (end = i + 1; end < n && compare_names(&pairs[i], &pairs[end]) == 0; end++)
            ;
        if (facets->n == VG_FACET_MAX_NAMES) {
            facets->is_truncated = true;
            break;
        }
        err = add_facet(facets, pairs + i, end - i);
    }
    vg_alloc_release(alloc, pairs);
    return err;
}

enum vg_err vg_facets_collect(struct vg_store *store, const struct vg_selection *selection,
                              const struct vg_alloc *alloc, struct vg_facets *facets)
{
    struct collector collector = {0};
    struct vg_facets made = {0};
    vg_intern_init(&collector.pairs, MAX_PAIRS, MAX_PAIR_BYTES, alloc);
    vg_map_init(&collector.set_of, MAX_SETS, alloc);
    vg_buf_init(&collector.sets, MAX_SETS * sizeof(struct tag_set), alloc);
    vg_buf_init(&collector.pair_ids, MAX_SET_PAIRS * sizeof(uint32_t), alloc);
    vg_buf_init(&collector.key, MAX_KEY_BYTES, alloc);
    vg_arena_init(&made.arena, MAX_PAIR_BYTES, alloc);
    enum vg_err err = vg_store_list(store, selection, visit, &collector);
    if (!err)
        err = collector.err;
    made.profiles = collector.profiles;
    made.is_truncated = collector.is_truncated;
    if (!err)
        err = build(&collector, &made);
    vg_buf_release(&collector.key);
    vg_buf_release(&collector.pair_ids);
    vg_buf_release(&collector.sets);
    vg_map_release(&collector.set_of);
    vg_intern_release(&collector.pairs);
    if (err)
        vg_facets_release(&made);
    else
        *facets = made;
    return err;
}

void vg_facets_release(struct vg_facets *facets)
{
    vg_arena_release(&facets->arena);
}
