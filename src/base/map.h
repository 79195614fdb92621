/* Two hash tables, open addressing, bounded.
 *
 * vg_map: 64-bit key → 64-bit value. vg_intern: bytes → dense ids 0, 1, 2 … in order of first sight, with its
 * own copy of the bytes. Look-ups and inserts are O(1) expected. One owner at a time. Hostile keys: both mix
 * a secret, drawn at random once a process, into their hashes.
 */
#ifndef VG_BASE_MAP_H
#define VG_BASE_MAP_H

#include "base/alloc.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

/* A good mixer of 64 bits. */
uint64_t vg_hash_u64(uint64_t x);
/* Hash of bytes; not for the wire or the disk: it may change between releases. */
uint64_t vg_hash_bytes(const void *bytes, size_t len, uint64_t seed);

struct vg_map_entry;

struct vg_map {
    struct vg_map_entry *entries;
    size_t count;
    size_t cap;   /* slots, a power of two, or 0 */
    size_t limit; /* of count */
    uint64_t seed;
    const struct vg_alloc *alloc; /* borrowed; NULL: the C library */
};

void vg_map_init(struct vg_map *map, size_t limit, const struct vg_alloc *alloc);
void vg_map_release(struct vg_map *map);
void vg_map_reset(struct vg_map *map);
/* Where the value of key lies, or NULL. Valid until the next insert or remove. */
uint64_t *vg_map_find(const struct vg_map *map, uint64_t key);
/* The place of key's value: found, or made with value 0 (*is_new). VG_ERR_FULL at the limit. */
enum vg_err vg_map_insert(struct vg_map *map, uint64_t key, uint64_t **value, bool *is_new) VG_MUST_USE;
/* True where it was there. */
bool vg_map_remove(struct vg_map *map, uint64_t key);

struct vg_intern_slot;

struct vg_intern {
    struct vg_arena bytes;
    struct vg_slice *items; /* by id */
    struct vg_intern_slot *slots;
    size_t count;
    size_t cap; /* slots */
    size_t items_cap;
    size_t limit; /* of count */
    uint64_t seed;
    const struct vg_alloc *alloc; /* borrowed; NULL: the C library */
};

void vg_intern_init(struct vg_intern *intern, size_t limit_count, size_t limit_bytes,
                    const struct vg_alloc *alloc);
void vg_intern_release(struct vg_intern *intern);
/* The id of these bytes, new ones copied. VG_ERR_FULL at either limit. */
enum vg_err vg_intern_put(struct vg_intern *intern, struct vg_slice bytes, uint32_t *id) VG_MUST_USE;
/* Whether these bytes have an id already. */
bool vg_intern_find(const struct vg_intern *intern, struct vg_slice bytes, uint32_t *id);
/* The bytes of an id < count; alive until release. */
struct vg_slice vg_intern_get(const struct vg_intern *intern, uint32_t id);

#endif
