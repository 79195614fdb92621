/* Hashes, and two hash tables with linear probing that stay at most three quarters full. Removal shifts
 * entries back instead of leaving tombstones, so that a table that lives long does not slow down. */
#include "base/map.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FIRST_SLOTS ((size_t)16)

/* Odd constants with about half of their bits set: digits of the square roots of 2 and 3, made odd. */
#define K1 UINT64_C(0x6a09e667f3bcc909)
#define K2 UINT64_C(0xbb67ae8584caa73b)

/* The 128-bit product of a and b, its halves xored. */
static uint64_t fold_multiply(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t a_low = (uint32_t)a, a_high = a >> 32, b_low = (uint32_t)b, b_high = b >> 32;
    uint64_t low = a_low * b_low, cross = a_high * b_low + (low >> 32);
    uint64_t middle = a_low * b_high + (uint32_t)cross;
    return (middle << 32 | (uint32_t)low) ^ (a_high * b_high + (cross >> 32) + (middle >> 32));
#endif
}

uint64_t vg_hash_u64(uint64_t x)
{
    x = (x ^ x >> 32) * K1;
    x = (x ^ x >> 29) * K2;
    return x ^ x >> 32;
}

static uint64_t load64(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t load32(const unsigned char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Two words a step go into one folded product. The secret enters both of its factors, so that nobody who does
 * not know the seed can choose words that make a factor zero, or differences that cancel. */
uint64_t vg_hash_bytes(const void *bytes, size_t len, uint64_t seed)
{
    const unsigned char *p = bytes;
    uint64_t secret = vg_hash_u64(seed ^ K2), state = seed ^ fold_multiply(seed ^ K1, len ^ K2);
    size_t left = len;
    for (; left > 16; p += 16, left -= 16)
        state = fold_multiply(load64(p) ^ secret, load64(p + 8) ^ state) ^ secret;
    uint64_t a = 0, b = 0; /* the last 0 – 16 bytes, overlapping reads instead of a loop; len is hashed, so no
                              two lengths can be confused */
    if (left >= 8) {
        a = load64(p);
        b = load64(p + left - 8);
    } else if (left >= 4) {
        a = load32(p);
        b = load32(p + left - 4);
    } else if (left > 0) {
        a = (uint64_t)p[0] << 16 | (uint64_t)p[left / 2] << 8 | p[left - 1];
    }
    return fold_multiply(fold_multiply(a ^ secret, b ^ state) ^ K1, secret ^ len);
}

static bool read_urandom(uint64_t *seed)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool whole = read(fd, seed, sizeof *seed) == (ssize_t)sizeof *seed;
    close(fd);
    return whole;
}

/* The raw call, for C libraries older than the function; 1 is GRND_NONBLOCK: a program that starts at boot
 * must not wait for entropy. */
static bool read_getrandom(uint64_t *seed)
{
#ifdef SYS_getrandom
    return syscall(SYS_getrandom, seed, sizeof *seed, 1) == (long)sizeof *seed;
#else
    (void)seed;
    return false;
#endif
}

/* One secret a process, drawn at first use. Global because every table may share it; two threads that race
 * here agree on the first one stored, and nothing else depends on the order. */
static uint64_t process_seed(void)
{
    static _Atomic uint64_t stored;
    uint64_t seed = atomic_load_explicit(&stored, memory_order_relaxed);
    if (seed)
        return seed;
    if (!read_getrandom(&seed) && !read_urandom(&seed)) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME,
                      &t); /* weak, but no worse than no seed: time and where we were loaded */
        seed = vg_hash_u64((uint64_t)t.tv_nsec ^ (uint64_t)t.tv_sec << 30) ^ (uint64_t)(uintptr_t)&stored;
    }
    uint64_t none = 0;
    seed |= 1; /* 0 means not drawn yet */
    return atomic_compare_exchange_strong(&stored, &none, seed) ? seed : none;
}

/* ---- vg_map ---- */

struct vg_map_entry {
    uint64_t key, value;
    bool is_used;
};

void vg_map_init(struct vg_map *map, size_t limit, const struct vg_alloc *alloc)
{
    *map = (struct vg_map){.limit = limit, .seed = process_seed(), .alloc = alloc};
}

void vg_map_release(struct vg_map *map)
{
    vg_alloc_release(map->alloc, map->entries);
    vg_map_init(map, map->limit, map->alloc);
}

void vg_map_reset(struct vg_map *map)
{
    if (map->count)
        memset(map->entries, 0, map->cap * sizeof *map->entries);
    map->count = 0;
}

static size_t home_of(const struct vg_map *map, uint64_t key)
{
    return (size_t)fold_multiply(key ^ map->seed, map->seed ^ K1) & (map->cap - 1);
}

/* The entry of key, or the empty one where it belongs. cap > 0; an empty one exists. */
static struct vg_map_entry *probe(const struct vg_map *map, uint64_t key)
{
    size_t i = home_of(map, key);
    while (map->entries[i].is_used && map->entries[i].key != key)
        i = (i + 1) & (map->cap - 1);
    return &map->entries[i];
}

uint64_t *vg_map_find(const struct vg_map *map, uint64_t key)
{
    if (map->count == 0)
        return NULL;
    struct vg_map_entry *entry = probe(map, key);
    return entry->is_used ? &entry->value : NULL;
}

static enum vg_err grow_map(struct vg_map *map)
{
    struct vg_map larger = *map;
    larger.cap = map->cap ? map->cap * 2 : FIRST_SLOTS;
    larger.entries = vg_alloc_zeroed(map->alloc, larger.cap, sizeof *larger.entries);
    if (!larger.entries)
        return VG_ERR_NOMEM;
    for (size_t i = 0; i < map->cap; i++) {
        if (map->entries[i].is_used)
            *probe(&larger, map->entries[i].key) = map->entries[i];
    }
    vg_alloc_release(map->alloc, map->entries);
    *map = larger;
    return VG_OK;
}

enum vg_err vg_map_insert(struct vg_map *map, uint64_t key, uint64_t **value, bool *is_new)
{
    uint64_t *found = vg_map_find(map, key);
    if (!found && map->count >= map->limit)
        return VG_ERR_FULL;
    if (!found && map->count >= map->cap / 4 * 3) {
        enum vg_err err = grow_map(map);
        if (err)
            return err;
    }
    *is_new = !found;
    if (!found) {
        struct vg_map_entry *entry = probe(map, key);
        *entry = (struct vg_map_entry){.key = key, .is_used = true};
        map->count++;
        found = &entry->value;
    }
    *value = found;
    return VG_OK;
}

bool vg_map_remove(struct vg_map *map, uint64_t key)
{
    if (map->count == 0)
        return false;
    size_t mask = map->cap - 1, hole = (size_t)(probe(map, key) - map->entries);
    if (!map->entries[hole].is_used)
        return false;
    for (size_t i = (hole + 1) & mask; map->entries[i].is_used; i = (i + 1) & mask) {
        size_t home = home_of(map, map->entries[i].key);
        if (((i - home) & mask) >= ((i - hole) & mask)) { /* its probe passes the hole: it may move there */
            map->entries[hole] = map->entries[i];
            hole = i;
        }
    }
    map->entries[hole] = (struct vg_map_entry){0};
    map->count--;
    return true;
}

/* ---- vg_intern ---- */

struct vg_intern_slot {
    uint32_t id_plus_1; /* 0: empty */
    uint32_t hash;      /* its low bits: most unequal bytes are told apart without looking at them */
};

void vg_intern_init(struct vg_intern *intern, size_t limit_count, size_t limit_bytes,
                    const struct vg_alloc *alloc)
{
    size_t most = UINT32_MAX / 2; /* ids, and twice as many slots, are 32 bits wide */
    *intern = (struct vg_intern){
        .limit = limit_count < most ? limit_count : most, .seed = process_seed(), .alloc = alloc};
    vg_arena_init(&intern->bytes, limit_bytes, alloc);
}

void vg_intern_release(struct vg_intern *intern)
{
    size_t limit_bytes = intern->bytes.limit_bytes;
    vg_arena_release(&intern->bytes);
    vg_alloc_release(intern->alloc, intern->items);
    vg_alloc_release(intern->alloc, intern->slots);
    vg_intern_init(intern, intern->limit, limit_bytes, intern->alloc);
}

static uint32_t hash_of(const struct vg_intern *intern, struct vg_slice bytes)
{
    return (uint32_t)vg_hash_bytes(bytes.data, bytes.len, intern->seed);
}

/* The slot of these bytes, or the empty one where they belong. cap > 0; an empty one exists. */
static struct vg_intern_slot *probe_slot(const struct vg_intern *intern, struct vg_slice bytes, uint32_t hash)
{
    for (size_t i = hash & (intern->cap - 1);; i = (i + 1) & (intern->cap - 1)) {
        struct vg_intern_slot *slot = &intern->slots[i];
        if (!slot->id_plus_1 ||
            (slot->hash == hash && vg_slice_equal(intern->items[slot->id_plus_1 - 1], bytes)))
            return slot;
    }
}

bool vg_intern_find(const struct vg_intern *intern, struct vg_slice bytes, uint32_t *id)
{
    if (intern->count == 0)
        return false;
    const struct vg_intern_slot *slot = probe_slot(intern, bytes, hash_of(intern, bytes));
    if (!slot->id_plus_1)
        return false;
    *id = slot->id_plus_1 - 1;
    return true;
}

static enum vg_err grow_slots(struct vg_intern *intern)
{
    size_t cap = intern->cap ? intern->cap * 2 : FIRST_SLOTS;
    struct vg_intern_slot *slots = vg_alloc_zeroed(intern->alloc, cap, sizeof *slots);
    if (!slots)
        return VG_ERR_NOMEM;
    for (size_t i = 0; i < intern->cap; i++) {
        size_t to = intern->slots[i].hash & (cap - 1);
        if (!intern->slots[i].id_plus_1)
            continue;
        while (slots[to].id_plus_1)
            to = (to + 1) & (cap - 1);
        slots[to] = intern->slots[i];
    }
    vg_alloc_release(intern->alloc, intern->slots);
    intern->slots = slots;
    intern->cap = cap;
    return VG_OK;
}

static enum vg_err grow_items(struct vg_intern *intern)
{
    size_t cap = intern->items_cap ? intern->items_cap * 2 : FIRST_SLOTS;
    struct vg_slice *items = cap <= SIZE_MAX / sizeof *items
                                 ? vg_alloc_resize(intern->alloc, intern->items, cap * sizeof *items)
                                 : NULL;
    if (!items)
        return VG_ERR_NOMEM;
    intern->items = items;
    intern->items_cap = cap;
    return VG_OK;
}

enum vg_err vg_intern_put(struct vg_intern *intern, struct vg_slice bytes, uint32_t *id)
{
    uint32_t hash = hash_of(intern, bytes);
    struct vg_intern_slot *slot = intern->cap ? probe_slot(intern, bytes, hash) : NULL;
    if (slot && slot->id_plus_1) {
        *id = slot->id_plus_1 - 1;
        return VG_OK;
    }
    if (intern->count >= intern->limit)
        return VG_ERR_FULL;
    if (intern->count >= intern->cap / 4 * 3) {
        enum vg_err err = grow_slots(intern);
        if (err)
            return err;
        slot = probe_slot(intern, bytes, hash);
    }
    enum vg_err err = intern->count < intern->items_cap ? VG_OK : grow_items(intern);
    if (!err)
        err = vg_arena_copy(&intern->bytes, bytes, &intern->items[intern->count]);
    if (err)
        return err;
    *slot = (struct vg_intern_slot){.id_plus_1 = (uint32_t)intern->count + 1, .hash = hash};
    *id = (uint32_t)intern->count++;
    return VG_OK;
}

struct vg_slice vg_intern_get(const struct vg_intern *intern, uint32_t id)
{
    return intern->items[id];
}
