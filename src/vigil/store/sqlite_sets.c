/* Sets of tags and types as a query meets them: see sqlite_sets.h. */
#include "vigil/store/sqlite_sets.h"

#include "vigil/store/meta.h"

/* Beyond this a query forgets the sets it has seen and reads them again when it meets them. */
#define KEPT_BYTES ((size_t)16 << 20)

enum vg_err vg_sets_init(struct vg_sets *sets, struct vg_reader *reader, const struct vg_selection *selection,
                         struct vg_levels *levels, const struct vg_alloc *alloc)
{
    *sets = (struct vg_sets){.reader = reader, .selection = selection, .levels = levels};
    vg_arena_init(&sets->arena, SIZE_MAX, alloc);
    vg_map_init(&sets->tags, SIZE_MAX / 64, alloc);
    vg_map_init(&sets->types, SIZE_MAX / 64, alloc);
    enum vg_err err =
        vg_sqlite_prepare(reader->db, "SELECT body FROM tag_set WHERE id = ?1", &sets->find_tags);
    if (!err)
        err = vg_sqlite_prepare(reader->db, "SELECT body FROM type_set WHERE id = ?1", &sets->find_types);
    if (err)
        vg_sets_release(sets);
    return err;
}

void vg_sets_release(struct vg_sets *sets)
{
    sqlite3_finalize(sets->find_tags);
    sqlite3_finalize(sets->find_types);
    sets->find_tags = sets->find_types = NULL;
    vg_map_release(&sets->tags);
    vg_map_release(&sets->types);
    vg_arena_release(&sets->arena);
}

static void forget(struct vg_sets *sets)
{
    const struct vg_alloc *alloc = sets->arena.alloc;
    vg_arena_release(&sets->arena);
    vg_arena_init(&sets->arena, SIZE_MAX, alloc);
    vg_map_reset(&sets->tags);
    vg_map_reset(&sets->types);
}

static enum vg_err remember(struct vg_map *map, int64_t id, void *item)
{
    uint64_t *at;
    bool is_new;
    enum vg_err err = vg_map_insert(map, (uint64_t)id, &at, &is_new);
    if (!err)
        *at = (uint64_t)(uintptr_t)item;
    return err;
}

/* The row's bytes live until the statement is reset. */
static enum vg_err find_body(sqlite3_stmt *statement, int64_t id, struct vg_slice *body)
{
    bool has_row;
    sqlite3_bind_int64(statement, 1, id);
    enum vg_err err = vg_sqlite_step(statement, &has_row);
    if (!err && !has_row)
        return VG_ERR_NOT_FOUND;
    if (!err)
        *body = vg_sqlite_blob(statement, 0);
    return err;
}

static enum vg_err damaged_as_missing(enum vg_err err)
{
    return err == VG_ERR_MALFORMED ? VG_ERR_NOT_FOUND : err;
}

static enum vg_err judge(struct vg_sets *sets, struct vg_tag_set *set)
{
    const struct vg_selection *selection = sets->selection;
    set->matches =
        !selection || !selection->match_tags || selection->match_tags(selection->ctx, set->tags, set->n_tags);
    if (!sets->levels || !set->matches)
        return VG_OK;
    return vg_levels_process(sets->levels, set->tags, set->n_tags, &set->process);
}

enum vg_err vg_sets_tags(struct vg_sets *sets, int64_t id, const struct vg_tag_set **set)
{
    if (sets->arena.used_bytes > KEPT_BYTES)
        forget(sets);
    const uint64_t *known = vg_map_find(&sets->tags, (uint64_t)id);
    if (known) {
        *set = (const struct vg_tag_set *)(uintptr_t)*known;
        return VG_OK;
    }
    struct vg_slice body = {0};
    struct vg_tag_set *made = vg_arena_new(&sets->arena, 1, sizeof *made);
    enum vg_err err = made ? find_body(sets->find_tags, id, &body) : VG_ERR_NOMEM;
    if (!err)
        err = damaged_as_missing(vg_tags_decode(body, &sets->arena, &made->tags, &made->n_tags));
    sqlite3_reset(sets->find_tags);
    if (!err)
        err = judge(sets, made);
    if (!err)
        err = remember(&sets->tags, id, made);
    if (!err)
        *set = made;
    return err;
}

enum vg_err vg_sets_types(struct vg_sets *sets, int64_t id, struct vg_type_set **set)
{
    const uint64_t *known = vg_map_find(&sets->types, (uint64_t)id);
    if (known) {
        *set = (struct vg_type_set *)(uintptr_t)*known;
        return VG_OK;
    }
    struct vg_slice body = {0};
    struct vg_type_set *made = vg_arena_new(&sets->arena, 1, sizeof *made);
    enum vg_err err = made ? find_body(sets->find_types, id, &body) : VG_ERR_NOMEM;
    if (!err)
        err = damaged_as_missing(vg_types_decode(body, &sets->arena, &made->types, &made->n_types));
    sqlite3_reset(sets->find_types);
    if (!err)
        err = remember(&sets->types, id, made);
    if (!err)
        *set = made;
    return err;
}
