/* Dictionaries on disk: a chunk holds what was added between two sizes.
 *
 * Head: the six counts it starts from and the six it adds, as varints. Then columns: lengths of strings,
 * text; name, file, first line, line − first line of frames; distance to the parent and frame of nodes; sizes
 * of label sets; key, text and number of labels. docs/internals/store.md says the same in more words.
 */
#include "vigil/store/dict.h"

#define N_COUNTS 6

static void counts_of(const struct vg_dict_size *size, size_t counts[N_COUNTS])
{
    size_t all[N_COUNTS] = {size->strings, size->text_bytes, size->frames,
                            size->nodes,   size->label_sets, size->labels};
    memcpy(counts, all, sizeof all);
}

static struct vg_dict_size size_of(const size_t counts[N_COUNTS])
{
    return (struct vg_dict_size){counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]};
}

/* ---- writing ---- */

static void encode_strings(const struct vg_dict *dict, const struct vg_dict_size *from,
                           struct vg_coder *coder, struct vg_buf *out, uint32_t *scratch)
{
    size_t n = dict->size.strings - from->strings;
    for (size_t i = 0; i < n; i++) {
        size_t id = from->strings + i;
        scratch[i] = dict->string_end[id] - (id ? dict->string_end[id - 1] : 0);
    }
    vg_column_write_u32(coder, out, VG_COLUMN_PLAIN, scratch, n);
    vg_column_write_bytes(
        coder, out,
        (struct vg_slice){dict->text + from->text_bytes, dict->size.text_bytes - from->text_bytes});
}

static void encode_frames(const struct vg_dict *dict, const struct vg_dict_size *from, struct vg_coder *coder,
                          struct vg_buf *out, uint32_t *scratch)
{
    size_t n = dict->size.frames - from->frames;
    const struct vg_frame *frames = dict->frames + from->frames;
    for (size_t i = 0; i < n; i++)
        scratch[i] = frames[i].name;
    vg_column_write_u32(coder, out, VG_COLUMN_DELTA, scratch, n);
    for (size_t i = 0; i < n; i++)
        scratch[i] = frames[i].file;
    vg_column_write_u32(coder, out, VG_COLUMN_DELTA, scratch, n);
    for (size_t i = 0; i < n; i++)
        scratch[i] = frames[i].first_line;
    vg_column_write_u32(coder, out, VG_COLUMN_PLAIN, scratch, n);
    for (size_t i = 0; i < n; i++)
        scratch[i] = frames[i].line - frames[i].first_line; /* modulo 2^32: undone the same way */
    vg_column_write_u32(coder, out, VG_COLUMN_PLAIN, scratch, n);
}

static void encode_nodes(const struct vg_dict *dict, const struct vg_dict_size *from, struct vg_coder *coder,
                         struct vg_buf *out, uint32_t *scratch)
{
    size_t n = dict->size.nodes - from->nodes;
    for (size_t i = 0; i < n; i++)
        scratch[i] = (uint32_t)(from->nodes + i) - dict->node_parent[from->nodes + i] - 1;
    vg_column_write_u32(coder, out, VG_COLUMN_PLAIN, scratch, n);
    vg_column_write_u32(coder, out, VG_COLUMN_DELTA, dict->node_frame + from->nodes, n);
}

static void encode_labels(const struct vg_dict *dict, const struct vg_dict_size *from, struct vg_coder *coder,
                          struct vg_buf *out, uint32_t *scratch)
{
    size_t n_sets = dict->size.label_sets - from->label_sets, n = dict->size.labels - from->labels;
    for (size_t i = 0; i < n_sets; i++) {
        size_t id = from->label_sets + i;
        scratch[i] = dict->label_set_end[id] - (id ? dict->label_set_end[id - 1] : 0);
    }
    vg_column_write_u32(coder, out, VG_COLUMN_PLAIN, scratch, n_sets);
    const struct vg_profile_label *labels = dict->labels + from->labels;
    for (size_t i = 0; i < n; i++)
        scratch[i] = labels[i].key;
    vg_column_write_u32(coder, out, VG_COLUMN_PLAIN, scratch, n);
    for (size_t i = 0; i < n; i++)
        scratch[i] = labels[i].text;
    vg_column_write_u32(coder, out, VG_COLUMN_PLAIN, scratch, n);
    int64_t *numbers = (int64_t *)(void *)scratch;
    for (size_t i = 0; i < n; i++)
        numbers[i] = labels[i].number;
    vg_column_write_i64(coder, out, VG_COLUMN_DELTA, numbers, n);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

void vg_dict_encode(const struct vg_dict *dict, const struct vg_dict_size *from, struct vg_coder *coder,
                    struct vg_buf *out)
{
    size_t base[N_COUNTS], now[N_COUNTS], most = 1;
    counts_of(from, base);
    counts_of(&dict->size, now);
    for (size_t i = 0; i < N_COUNTS; i++)
        vg_varint_write(out, base[i]);
    for (size_t i = 0; i < N_COUNTS; i++) {
        vg_varint_write(out, now[i] - base[i]);
        most = i == 1 ? most : larger(most, now[i] - base[i]);
    }
    uint32_t *scratch = vg_alloc_zeroed(dict->alloc, most, sizeof(int64_t));
    if (!scratch) {
        out->err = out->err ? out->err : VG_ERR_NOMEM;
        return;
    }
    encode_strings(dict, from, coder, out, scratch);
    encode_frames(dict, from, coder, out, scratch);
    encode_nodes(dict, from, coder, out, scratch);
    encode_labels(dict, from, coder, out, scratch);
    vg_alloc_release(dict->alloc, scratch);
    vg_blob_seal(out);
}

/* ---- reading ---- */

/* Turns n lengths into ends, which must come to `end` exactly. */
static enum vg_err lengths_to_ends(uint32_t *lengths, size_t n, size_t start, size_t end)
{
    uint64_t at = start;
    for (size_t i = 0; i < n; i++) {
        at += lengths[i];
        if (at > end)
            return VG_ERR_MALFORMED;
        lengths[i] = (uint32_t)at;
    }
    return at == end ? VG_OK : VG_ERR_MALFORMED;
}

static enum vg_err decode_strings(struct vg_dict *dict, const struct vg_dict_size *to, struct vg_coder *coder,
                                  struct vg_blob *blob)
{
    size_t n = to->strings - dict->size.strings, len = to->text_bytes - dict->size.text_bytes;
    uint32_t *ends = dict->string_end + dict->size.strings;
    struct vg_slice text = {0};
    enum vg_err err = vg_column_read_u32(coder, blob, ends, n);
    if (!err)
        err = lengths_to_ends(ends, n, dict->size.text_bytes, to->text_bytes);
    if (!err)
        err = vg_column_read_bytes(coder, blob, len, &text);
    if (!err && text.len != len)
        err = VG_ERR_MALFORMED;
    if (!err && len)
        memcpy(dict->text + dict->size.text_bytes, text.data, len);
    return err;
}

static enum vg_err decode_frames(struct vg_dict *dict, const struct vg_dict_size *to, struct vg_coder *coder,
                                 struct vg_blob *blob, uint32_t *scratch)
{
    size_t n = to->frames - dict->size.frames;
    struct vg_frame *frames = dict->frames + dict->size.frames;
    for (int part = 0; part < 4; part++) {
        enum vg_err err = vg_column_read_u32(coder, blob, scratch, n);
        if (err)
            return err;
        for (size_t i = 0; i < n; i++) {
            if (part < 2 && scratch[i] >= to->strings)
                return VG_ERR_MALFORMED;
            *(part == 0   ? &frames[i].name
              : part == 1 ? &frames[i].file
              : part == 2 ? &frames[i].first_line
                          : &frames[i].line) = scratch[i];
        }
    }
    for (size_t i = 0; i < n; i++)
        frames[i].line += frames[i].first_line;
    return VG_OK;
}

static enum vg_err decode_nodes(struct vg_dict *dict, const struct vg_dict_size *to, struct vg_coder *coder,
                                struct vg_blob *blob)
{
    size_t start = dict->size.nodes, n = to->nodes - start;
    uint32_t *parents = dict->node_parent + start, *frames = dict->node_frame + start;
    enum vg_err err = vg_column_read_u32(coder, blob, parents, n);
    if (!err)
        err = vg_column_read_u32(coder, blob, frames, n);
    for (size_t i = 0; i < n && !err; i++) {
        if (parents[i] >= start + i || frames[i] >= to->frames)
            err = VG_ERR_MALFORMED;
        parents[i] = (uint32_t)(start + i) - parents[i] - 1;
    }
    return err;
}

static enum vg_err decode_labels(struct vg_dict *dict, const struct vg_dict_size *to, struct vg_coder *coder,
                                 struct vg_blob *blob, uint32_t *scratch)
{
    size_t n_sets = to->label_sets - dict->size.label_sets, n = to->labels - dict->size.labels;
    uint32_t *ends = dict->label_set_end + dict->size.label_sets;
    struct vg_profile_label *labels = dict->labels + dict->size.labels;
    enum vg_err err = vg_column_read_u32(coder, blob, ends, n_sets);
    if (!err)
        err = lengths_to_ends(ends, n_sets, dict->size.labels, to->labels);
    for (int part = 0; part < 2 && !err; part++) {
        err = vg_column_read_u32(coder, blob, scratch, n);
        for (size_t i = 0; i < n && !err; i++) {
            *(part == 0 ? &labels[i].key : &labels[i].text) = scratch[i];
            err = scratch[i] < to->strings ? VG_OK : VG_ERR_MALFORMED;
        }
    }
    int64_t *numbers = (int64_t *)(void *)scratch;
    if (!err)
        err = vg_column_read_i64(coder, blob, numbers, n);
    for (size_t i = 0; i < n && !err; i++)
        labels[i].number = numbers[i];
    return err;
}

static enum vg_err read_counts(struct vg_dict *dict, struct vg_blob *blob, struct vg_dict_size *from,
                               struct vg_dict_size *to)
{
    size_t base[N_COUNTS], now[N_COUNTS], have[N_COUNTS];
    counts_of(&dict->size, have);
    bool is_bad = false;
    for (size_t i = 0; i < N_COUNTS; i++) {
        uint64_t count = vg_varint_read(blob);
        is_bad = is_bad || count > have[i];
        base[i] = (size_t)count;
    }
    for (size_t i = 0; i < N_COUNTS; i++) {
        uint64_t more = vg_varint_read(blob);
        is_bad = is_bad || more > VG_DICT_MAX_TEXT_BYTES;
        now[i] = base[i] + (size_t)more;
    }
    *from = size_of(base);
    *to = size_of(now);
    is_bad = is_bad || blob->is_bad || from->strings < 1 || from->nodes < 1 || from->label_sets < 1;
    return is_bad ? VG_ERR_MALFORMED : VG_OK;
}

enum vg_err vg_dict_decode(struct vg_dict *dict, struct vg_coder *coder, struct vg_slice chunk)
{
    struct vg_blob blob;
    struct vg_dict_size from, to;
    enum vg_err err = vg_blob_open(chunk, &blob);
    if (!err)
        err = read_counts(dict, &blob, &from, &to);
    /* The cut must fall between things, not inside one. */
    if (!err && (dict->string_end[from.strings - 1] != from.text_bytes ||
                 dict->label_set_end[from.label_sets - 1] != from.labels))
        err = VG_ERR_MALFORMED;
    if (!err)
        err = vg_dict_reserve(dict, &to);
    if (err)
        return err == VG_ERR_FULL ? VG_ERR_MALFORMED : err;
    dict->size = from;
    size_t most = larger(to.frames - from.frames, to.labels - from.labels);
    uint32_t *scratch = vg_alloc_zeroed(dict->alloc, larger(most, 1), sizeof(int64_t));
    if (!scratch)
        return VG_ERR_NOMEM;
    err = decode_strings(dict, &to, coder, &blob);
    if (!err)
        err = decode_frames(dict, &to, coder, &blob, scratch);
    if (!err)
        err = decode_nodes(dict, &to, coder, &blob);
    if (!err)
        err = decode_labels(dict, &to, coder, &blob, scratch);
    vg_alloc_release(dict->alloc, scratch);
    if (!err)
        dict->size = to;
    return err;
}
