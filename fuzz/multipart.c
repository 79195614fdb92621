/* Fuzzes intake/multipart: a body gives the same parts in one piece and in pieces, or is refused at the same
 * byte. The first byte says how long the pieces are; the boundary is always X. */
#include <stdlib.h>

#include "base/buf.h"
#include "vigil/intake/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

struct outcome {
    struct vg_buf text; /* what was said of the parts, one after the other */
    bool is_open;
    enum vg_err err;
    uint64_t offset;
};

static enum vg_err on_begin(void *ctx, const struct vg_multipart_part *part)
{
    struct outcome *outcome = ctx;
    must(!outcome->is_open && part->name[0]);
    must(strlen(part->name) < sizeof part->name && strlen(part->filename) < sizeof part->filename);
    outcome->is_open = true;
    return vg_buf_printf(&outcome->text, "[%s|%s]", part->name, part->filename);
}

static enum vg_err on_data(void *ctx, struct vg_slice bytes)
{
    struct outcome *outcome = ctx;
    must(outcome->is_open && bytes.len > 0);
    return vg_buf_slice(&outcome->text, bytes);
}

static enum vg_err on_end(void *ctx)
{
    struct outcome *outcome = ctx;
    must(outcome->is_open);
    outcome->is_open = false;
    return vg_buf_text(&outcome->text, ".");
}

static const struct vg_multipart_events events = {on_begin, on_data, on_end};

/* Each piece in memory of its own size, so that reading too far is seen. */
static void parse(struct vg_slice body, size_t step, struct outcome *outcome)
{
    struct vg_multipart m;
    *outcome = (struct outcome){.is_open = false};
    vg_buf_init(&outcome->text, (size_t)16 << 20, NULL);
    enum vg_err err = vg_multipart_init(&m, "multipart/form-data; boundary=X", &events, outcome);
    must(!err);
    for (size_t at = 0; at < body.len && !err; at += step) {
        size_t n = step < body.len - at ? step : body.len - at;
        char *piece = malloc(n);
        must(piece != NULL);
        memcpy(piece, body.data + at, n);
        err = vg_multipart_feed(&m, (struct vg_slice){piece, n});
        free(piece);
    }
    if (!err)
        err = vg_multipart_finish(&m);
    must((err != VG_OK) == (m.why != NULL));
    must(m.offset <= body.len);
    outcome->err = err;
    outcome->offset = m.offset;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, pieces;
    if (size < 1)
        return 0;
    struct vg_slice body = {(const char *)data + 1, size - 1};
    parse(body, body.len ? body.len : 1, &whole);
    parse(body, (size_t)data[0] % 67 + 1, &pieces);
    must(whole.err == pieces.err && whole.offset == pieces.offset && whole.is_open == pieces.is_open);
    must(vg_slice_equal(vg_buf_as_slice(&whole.text), vg_buf_as_slice(&pieces.text)));
    must(whole.err || !whole.is_open);
    vg_buf_release(&whole.text);
    vg_buf_release(&pieces.text);
    return 0;
}
