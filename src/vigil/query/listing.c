/* Pages of profiles: the best limit + 1 keys, kept sorted while visiting. */
#include "vigil/query/listing.h"

#include <inttypes.h>
#include <stdio.h>

/* <0 where a comes before b on the page. */
static int compare(const struct vg_listing *listing, struct vg_listing_key a, struct vg_listing_key b)
{
    int order = (a.start_ns > b.start_ns) - (a.start_ns < b.start_ns);
    if (order == 0)
        order = (a.id > b.id) - (a.id < b.id);
    return listing->is_ascending ? order : -order;
}

/* The first of the n keys that does not come before key. */
static size_t lower_bound(const struct vg_listing *listing, struct vg_listing_key key)
{
    size_t low = 0, high = listing->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(listing, listing->keys[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool visit(void *ctx, const struct vg_stored_profile *profile)
{
    struct vg_listing *listing = ctx;
    struct vg_listing_key key = {profile->start_ns, profile->id};
    if (listing->after && compare(listing, key, *listing->after) <= 0)
        return true;
    size_t room = listing->limit + 1;
    if (listing->n == room) {
        if (!listing->is_ascending && profile->end_ns < listing->keys[room - 1].start_ns)
            return false; /* newest end first: whatever follows starts before all we have */
        if (compare(listing, key, listing->keys[room - 1]) >= 0)
            return true;
        listing->n--;
    }
    size_t at = lower_bound(listing, key);
    memmove(&listing->keys[at + 1], &listing->keys[at], (listing->n - at) * sizeof *listing->keys);
    listing->keys[at] = key;
    listing->n++;
    return true;
}

enum vg_err vg_listing_find(struct vg_store *store, const struct vg_selection *selection,
                            struct vg_listing *listing)
{
    struct vg_selection narrowed = *selection;
    if (listing->after) { /* the store need not look beyond the cursor's side of the range */
        int64_t start_ns = listing->after->start_ns;
        if (!listing->is_ascending && start_ns < narrowed.to_ns)
            narrowed.to_ns = start_ns > narrowed.from_ns ? start_ns + 1 : narrowed.from_ns + 1;
        if (listing->is_ascending && start_ns > narrowed.from_ns)
            narrowed.from_ns = start_ns < narrowed.to_ns ? start_ns - 1 : narrowed.to_ns - 1;
    }
    listing->n = 0;
    listing->has_more = false;
    enum vg_err err = vg_store_list(store, &narrowed, visit, listing);
    if (err)
        return err;
    listing->has_more = listing->n > listing->limit;
    listing->n -= listing->has_more;
    return VG_OK;
}

size_t vg_listing_index(const struct vg_listing *listing, struct vg_listing_key key)
{
    size_t at = lower_bound(listing, key);
    return at < listing->n && compare(listing, listing->keys[at], key) == 0 ? at : listing->n;
}

void vg_cursor_format(struct vg_listing_key key, char out[VG_CURSOR_SIZE])
{
    snprintf(out, VG_CURSOR_SIZE, "%" PRId64 "_%" PRIu64, key.start_ns, key.id);
}

static bool read_digits(struct vg_slice text, size_t *at, uint64_t *number)
{
    size_t start = *at;
    uint64_t value = 0;
    for (; *at < text.len && text.data[*at] >= '0' && text.data[*at] <= '9'; ++*at) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.data[*at] - '0'), &value))
            return false;
    }
    *number = value;
    return *at > start;
}

enum vg_err vg_cursor_parse(struct vg_slice text, struct vg_listing_key *key)
{
    bool is_negative = text.len && text.data[0] == '-';
    size_t at = is_negative;
    uint64_t start, id;
    if (!read_digits(text, &at, &start) || start > INT64_MAX || at == text.len || text.data[at++] != '_' ||
        !read_digits(text, &at, &id) || at != text.len)
        return VG_ERR_MALFORMED;
    *key = (struct vg_listing_key){is_negative ? -(int64_t)start : (int64_t)start, id};
    return VG_OK;
}
