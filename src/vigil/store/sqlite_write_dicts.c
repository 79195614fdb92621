/* Dictionaries while they grow: from a profile's own ids to those of its service's dictionary, and the chunks
 * by which they reach the disk.
 *
 * A chunk is rewritten, longer, until it is worth a row of its own; so a day of small additions costs tens of
 * rows, not thousands. A dictionary that has become large is followed by a new one, which bounds what readers
 * must load.
 */
#include "vigil/store/sqlite_block_writer.h"

#include <assert.h>
#include <xxhash.h>

/* From here on the next addition begins a new chunk. */
#define CHUNK_FULL_BYTES  ((size_t)4096)
#define CHUNK_LIMIT_BYTES ((size_t)256 << 20)
/* From here on the service's next profile begins a new dictionary: about 15 MiB with its indexes. */
#define DICT_FULL_NODES      ((size_t)1 << 18)
#define DICT_FULL_TEXT_BYTES ((size_t)4 << 20)
#define DICT_FULL_LABEL_SETS ((size_t)1 << 17)
/* Kept between groups. */
#define DICTS_LIMIT_BYTES ((size_t)24 << 20)

void vg_write_hash(struct vg_slice bytes, unsigned char hash[VG_HASH_BYTES])
{
    XXH128_canonical_t canonical;
    static_assert(sizeof canonical == VG_HASH_BYTES, "128 bits");
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data, bytes.len));
    memcpy(hash, &canonical, sizeof canonical);
}

/* ---- finding and making ---- */

static void write_dict_free(struct vg_block_writer *writer, struct vg_write_dict *dict)
{
    const struct vg_alloc *alloc = writer->store->config.alloc;
    vg_dict_release(&dict->dict);
    vg_alloc_release(alloc, (char *)dict->service.data);
    vg_alloc_release(alloc, dict);
}

static enum vg_err write_dict_new(struct vg_block_writer *writer, struct vg_slice service,
                                  struct vg_write_dict **dict)
{
    const struct vg_alloc *alloc = writer->store->config.alloc;
    struct vg_write_dict *made = vg_alloc_zeroed(alloc, 1, sizeof *made);
    char *copy = vg_alloc_zeroed(alloc, service.len + 1, 1);
    enum vg_err err = made && copy ? vg_dict_init(&made->dict, alloc) : VG_ERR_NOMEM;
    if (err) {
        vg_alloc_release(alloc, copy);
        vg_alloc_release(alloc, made);
        return err;
    }
    if (service.len)
        memcpy(copy, service.data, service.len);
    made->service = (struct vg_slice){copy, service.len};
    made->saved = made->chunk_from = made->dict.size;
    *dict = made;
    return VG_OK;
}

/* From the file: the latest of that service. */
static enum vg_err find_stored(struct vg_block_writer *writer, struct vg_write_dict *dict, bool *has)
{
    sqlite3_stmt *statement = vg_block_writer_statement(writer, FIND_DICT);
    struct vg_dict_size size = {0};
    vg_sqlite_bind_blob(statement, 1, dict->service);
    enum vg_err err = vg_sqlite_step(statement, has);
    if (!err && *has) {
        dict->id = sqlite3_column_int64(statement, 0);
        if (!vg_dicts_row(statement, 1, &size, &dict->chunk) || dict->id > INT32_MAX)
            err = VG_ERR_MALFORMED;
    }
    sqlite3_reset(statement);
    if (err || !*has)
        return err;
    err = vg_dicts_load(writer->db, dict->id, 0, dict->chunk, &writer->store->coder, &dict->dict);
    if (!err && memcmp(&dict->dict.size, &size, sizeof size) != 0)
        err = VG_ERR_MALFORMED;
    dict->saved = dict->chunk_from = dict->dict.size;
    return err;
}

static enum vg_err add_stored(struct vg_block_writer *writer, struct vg_write_dict *dict)
{
    sqlite3_stmt *statement = vg_block_writer_statement(writer, ADD_DICT);
    vg_sqlite_bind_blob(statement, 1, dict->service);
    enum vg_err err = vg_block_writer_run(statement);
    if (!err)
        dict->id = sqlite3_last_insert_rowid(writer->db);
    return err;
}

static bool is_full(const struct vg_dict *dict)
{
    return dict->size.nodes >= DICT_FULL_NODES || dict->size.text_bytes >= DICT_FULL_TEXT_BYTES ||
           dict->size.label_sets >= DICT_FULL_LABEL_SETS;
}

static enum vg_err open_dict(struct vg_block_writer *writer, struct vg_slice service, bool must_be_new,
                             struct vg_write_dict **dict)
{
    struct vg_write_dict *made;
    bool has = false;
    enum vg_err err = write_dict_new(writer, service, &made);
    if (err)
        return err;
    if (!must_be_new)
        err = find_stored(writer, made, &has);
    if (!err && !has)
        err = add_stored(writer, made);
    if (!err)
        err = vg_dict_index(&made->dict);
    if (err) {
        write_dict_free(writer, made);
        return err;
    }
    TAILQ_INSERT_HEAD(&writer->dicts, made, next);
    *dict = made;
    return VG_OK;
}

static enum vg_err dict_for(struct vg_block_writer *writer, struct vg_slice service, bool must_be_new,
                            struct vg_write_dict **dict)
{
    struct vg_write_dict *known;
    TAILQ_FOREACH(known, &writer->dicts, next)
    {
        if (vg_slice_equal(known->service, service))
            break; /* the latest stands first */
    }
    if (!known) {
        enum vg_err err = open_dict(writer, service, must_be_new, &known);
        if (err)
            return err;
    }
    if (must_be_new || is_full(&known->dict)) {
        bool is_empty = known->dict.size.nodes == 1 && known->dict.size.strings == 1;
        if (!is_empty)
            return open_dict(writer, service, true, dict);
    }
    TAILQ_REMOVE(&writer->dicts, known, next);
    TAILQ_INSERT_HEAD(&writer->dicts, known, next);
    *dict = known;
    return VG_OK;
}

/* ---- mapping ---- */

#define UNKNOWN UINT32_MAX

struct mapping {
    uint32_t *strings, *frames, *nodes, *label_sets, *stack;
};

static enum vg_err mapping_room(struct vg_block_writer *writer, const struct vg_profile *profile,
                                struct mapping *mapping)
{
    size_t longest = 1;
    for (size_t i = 0; i < profile->n_stacks; i++) {
        size_t n = profile->stack_start[i + 1] - profile->stack_start[i];
        longest = n > longest ? n : longest;
    }
    size_t fixed = profile->n_strings + profile->n_frames + profile->n_stacks + profile->n_label_sets;
    size_t need = fixed + longest;
    if (need > writer->map_room) {
        uint32_t *wider = vg_alloc_resize(writer->store->config.alloc, writer->map, need * sizeof *wider);
        if (!wider)
            return VG_ERR_NOMEM;
        writer->map = wider;
        writer->map_room = need;
    }
    memset(writer->map, 0xff, fixed * sizeof *writer->map);
    mapping->strings = writer->map;
    mapping->frames = mapping->strings + profile->n_strings;
    mapping->nodes = mapping->frames + profile->n_frames;
    mapping->label_sets = mapping->nodes + profile->n_stacks;
    mapping->stack = mapping->label_sets + profile->n_label_sets;
    return VG_OK;
}

static enum vg_err map_string(struct vg_dict *dict, const struct vg_profile *profile, struct mapping *mapping,
                              uint32_t id)
{
    if (mapping->strings[id] != UNKNOWN)
        return VG_OK;
    return vg_dict_put_string(dict, profile->strings[id], &mapping->strings[id]);
}

static enum vg_err map_frame(struct vg_dict *dict, const struct vg_profile *profile, struct mapping *mapping,
                             uint32_t id)
{
    if (mapping->frames[id] != UNKNOWN)
        return VG_OK;
    struct vg_frame frame = profile->frames[id];
    enum vg_err err = map_string(dict, profile, mapping, frame.name);
    if (!err)
        err = map_string(dict, profile, mapping, frame.file);
    if (err)
        return err;
    frame.name = mapping->strings[frame.name];
    frame.file = mapping->strings[frame.file];
    return vg_dict_put_frame(dict, &frame, &mapping->frames[id]);
}

static enum vg_err map_stack(struct vg_dict *dict, const struct vg_profile *profile, struct mapping *mapping,
                             uint32_t id)
{
    if (mapping->nodes[id] != UNKNOWN)
        return VG_OK;
    const uint32_t *frames = profile->stack_frames + profile->stack_start[id];
    size_t n = profile->stack_start[id + 1] - profile->stack_start[id];
    for (size_t i = 0; i < n; i++) {
        enum vg_err err = map_frame(dict, profile, mapping, frames[i]);
        if (err)
            return err;
        mapping->stack[i] = mapping->frames[frames[i]];
    }
    return vg_dict_put_stack(dict, mapping->stack, n, &mapping->nodes[id]);
}

/* Only what rows name goes in: labels of single events would fill the dictionary with what nobody shares. */
static enum vg_err map_profile(struct vg_block_writer *writer, struct vg_dict *dict,
                               const struct vg_profile *profile, struct vg_rows_map *map)
{
    struct mapping mapping;
    enum vg_err err = mapping_room(writer, profile, &mapping);
    for (size_t i = 0; i < profile->n_rows && !err; i++) {
        err = map_stack(dict, profile, &mapping, profile->row_stack[i]);
        uint32_t set = profile->row_labels[i];
        if (!err && mapping.label_sets[set] == UNKNOWN)
            err = vg_dict_copy_labels(dict, profile, set, &mapping.label_sets[set]);
    }
    if (!err)
        *map = (struct vg_rows_map){mapping.nodes, mapping.label_sets};
    return err;
}

enum vg_err vg_write_dict_map(struct vg_block_writer *writer, const struct vg_profile *profile,
                              int64_t *dict_id, struct vg_rows_map *map)
{
    struct vg_slice service = vg_profile_tag(profile, "service");
    struct vg_write_dict *dict;
    enum vg_err err = dict_for(writer, service, false, &dict);
    if (!err)
        err = map_profile(writer, &dict->dict, profile, map);
    if (err == VG_ERR_FULL && !(err = dict_for(writer, service, true, &dict))) {
        err = map_profile(writer, &dict->dict, profile, map);
        err = err == VG_ERR_FULL ? VG_ERR_LIMIT : err;
    }
    if (!err)
        *dict_id = dict->id;
    return err;
}

/* ---- to the file ---- */

static enum vg_err save_row(struct vg_block_writer *writer, const struct vg_write_dict *dict)
{
    const struct vg_dict_size *size = &dict->dict.size;
    sqlite3_stmt *statement = vg_block_writer_statement(writer, SET_DICT);
    sqlite3_bind_int64(statement, 1, dict->id);
    sqlite3_bind_int64(statement, 2, (int64_t)size->strings);
    sqlite3_bind_int64(statement, 3, (int64_t)size->text_bytes);
    sqlite3_bind_int64(statement, 4, (int64_t)size->frames);
    sqlite3_bind_int64(statement, 5, (int64_t)size->nodes);
    sqlite3_bind_int64(statement, 6, (int64_t)size->label_sets);
    sqlite3_bind_int64(statement, 7, (int64_t)size->labels);
    sqlite3_bind_int64(statement, 8, dict->chunk + 1);
    return vg_block_writer_run(statement);
}

static enum vg_err save(struct vg_block_writer *writer, struct vg_write_dict *dict)
{
    struct vg_buf body;
    vg_buf_init(&body, CHUNK_LIMIT_BYTES, writer->store->config.alloc);
    vg_dict_encode(&dict->dict, &dict->chunk_from, &writer->store->coder, &body);
    enum vg_err err = body.err;
    if (!err) {
        sqlite3_stmt *statement = vg_block_writer_statement(writer, SET_CHUNK);
        sqlite3_bind_int64(statement, 1, dict->id << 32 | dict->chunk);
        vg_sqlite_bind_blob(statement, 2, vg_buf_as_slice(&body));
        err = vg_block_writer_run(statement);
    }
    if (!err)
        err = save_row(writer, dict);
    if (!err) {
        dict->saved = dict->dict.size;
        if (body.len >= CHUNK_FULL_BYTES) {
            dict->chunk_from = dict->saved;
            dict->chunk++;
        }
    }
    vg_buf_release(&body);
    return err;
}

enum vg_err vg_write_dicts_save(struct vg_block_writer *writer)
{
    struct vg_write_dict *dict;
    TAILQ_FOREACH(dict, &writer->dicts, next)
    {
        if (memcmp(&dict->dict.size, &dict->saved, sizeof dict->saved) == 0)
            continue;
        enum vg_err err = save(writer, dict);
        if (err)
            return err;
    }
    return VG_OK;
}

void vg_write_dicts_trim(struct vg_block_writer *writer)
{
    struct vg_write_dict *dict, *next;
    size_t bytes = 0;
    for (dict = TAILQ_FIRST(&writer->dicts); dict; dict = next) {
        next = TAILQ_NEXT(dict, next);
        bytes += vg_dict_bytes(&dict->dict);
        bool is_first = dict == TAILQ_FIRST(&writer->dicts);
        if (bytes <= DICTS_LIMIT_BYTES || is_first)
            continue;
        bytes -= vg_dict_bytes(&dict->dict);
        TAILQ_REMOVE(&writer->dicts, dict, next);
        write_dict_free(writer, dict);
    }
}

void vg_write_dicts_release(struct vg_block_writer *writer)
{
    struct vg_write_dict *dict;
    while ((dict = TAILQ_FIRST(&writer->dicts))) {
        TAILQ_REMOVE(&writer->dicts, dict, next);
        write_dict_free(writer, dict);
    }
    vg_alloc_release(writer->store->config.alloc, writer->map);
    writer->map = NULL;
}
