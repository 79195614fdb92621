/* Collapsed stacks: each function is written once into a table of texts, each node then appends to the path
 * of its parent, which depth-first order keeps at hand. */
#include "vigil/query/collapsed.h"

#include <inttypes.h>

enum { TABLE_LIMIT_BYTES = 256 << 20, PATH_LIMIT_BYTES = 64 << 20 };

/* How many bytes at `at` are a control character or a line break of Unicode; 0: none. */
static size_t control_length(struct vg_slice text, size_t at)
{
    const unsigned char *p = (const unsigned char *)text.data + at;
    size_t left = text.len - at;
    if (p[0] < 0x20 || p[0] == 0x7F)
        return 1;
    if (left >= 2 && p[0] == 0xC2 && p[1] >= 0x80 && p[1] <= 0x9F)
        return 2;
    if (left >= 3 && p[0] == 0xE2 && p[1] == 0x80 && (p[2] == 0xA8 || p[2] == 0xA9))
        return 3;
    return 0;
}

static void append_clean(struct vg_buf *out, struct vg_slice text)
{
    size_t plain = 0; /* where what has not been written begins */
    for (size_t i = 0; i < text.len;) {
        size_t control = control_length(text, i);
        if (!control && text.data[i] != ';') {
            i++;
            continue;
        }
        (void)vg_buf_append(out, text.data + plain, i - plain);
        (void)vg_buf_byte(out, control ? ' ' : ':');
        i += control ? control : 1;
        plain = i;
    }
    (void)vg_buf_append(out, text.data + plain, text.len - plain);
}

static void append_function(struct vg_buf *out, const struct vg_merged *merged,
                            const struct vg_function *function)
{
    struct vg_slice file = merged->strings[function->file];
    append_clean(out, merged->strings[function->name]);
    if (file.len == 0 && function->first_line == 0)
        return;
    (void)vg_buf_text(out, " (");
    append_clean(out, file);
    (void)vg_buf_printf(out, ":%" PRIu32 ")", function->first_line);
}

struct writer {
    struct vg_buf texts; /* of all functions, one after the other */
    size_t *text_start;  /* n_functions + 1 */
    struct vg_buf path;  /* of the node at hand */
    size_t *path_end;    /* length of path down to each level */
};

static enum vg_err prepare(struct writer *writer, const struct vg_flame *flame,
                           const struct vg_merged *merged)
{
    vg_buf_init(&writer->texts, TABLE_LIMIT_BYTES, flame->alloc);
    vg_buf_init(&writer->path, PATH_LIMIT_BYTES, flame->alloc);
    writer->text_start = vg_alloc_zeroed(flame->alloc, flame->functions.n + 1, sizeof *writer->text_start);
    writer->path_end = vg_alloc_zeroed(flame->alloc, flame->depth + 1, sizeof *writer->path_end);
    if (!writer->text_start || !writer->path_end)
        return VG_ERR_NOMEM;
    for (size_t i = 0; i < flame->functions.n; i++) {
        append_function(&writer->texts, merged, &flame->functions.items[i]);
        writer->text_start[i + 1] = writer->texts.len;
    }
    return writer->texts.err;
}

/* The path of a node below the root. */
static void descend(struct writer *writer, const struct vg_flame_node *node)
{
    size_t start = writer->text_start[node->function];
    writer->path.len = writer->path_end[node->level - 1];
    if (node->level > 1)
        (void)vg_buf_byte(&writer->path, ';');
    (void)vg_buf_append(&writer->path, writer->texts.data + start,
                        writer->text_start[node->function + 1] - start);
    writer->path_end[node->level] = writer->path.len;
}

enum vg_err vg_collapsed_write(const struct vg_flame *flame, const struct vg_merged *merged,
                               struct vg_buf *out)
{
    struct writer writer = {0};
    enum vg_err err = prepare(&writer, flame, merged);
    if (!err && flame->nodes[0].self)
        (void)vg_buf_printf(out, "(no frames) %" PRId64 "\n", flame->nodes[0].self);
    for (size_t i = 1; i < flame->n_nodes && !err; i++) {
        descend(&writer, &flame->nodes[i]);
        if (flame->nodes[i].self) {
            (void)vg_buf_slice(out, vg_buf_as_slice(&writer.path));
            (void)vg_buf_printf(out, " %" PRId64 "\n", flame->nodes[i].self);
        }
        err = writer.path.err ? writer.path.err : out->err;
    }
    vg_alloc_release(flame->alloc, writer.path_end);
    vg_alloc_release(flame->alloc, writer.text_start);
    vg_buf_release(&writer.path);
    vg_buf_release(&writer.texts);
    return err ? err : out->err;
}
