/* A search made, and its matchers.
 *
 * The program is evaluated in three values: while only tags are at hand a term about labels is "unknown", and
 * the other way round; what is not false matches. Since no OR and no NOT holds both kinds, this decides each
 * side exactly.
 */
#include "vigil/query/search.h"

#include <inttypes.h>
#include <stdio.h>

#include "vigil/query/glob.h"
#include "vigil/query/search_program.h"

enum { ARENA_BYTES = 64 * 1024 }; /* the program, the terms and a copy of the text fit easily */

enum vg_err vg_search_new(struct vg_slice text, const struct vg_alloc *alloc, struct vg_search **search,
                          struct vg_search_error *error)
{
    struct vg_search *made = vg_alloc_zeroed(alloc, 1, sizeof *made);
    if (!made)
        return VG_ERR_NOMEM;
    made->alloc = alloc;
    vg_arena_init(&made->arena, ARENA_BYTES, alloc);
    made->terms = vg_arena_new(&made->arena, VG_SEARCH_MAX_TERMS, sizeof *made->terms);
    made->ops = vg_arena_new(&made->arena, VG_SEARCH_MAX_OPS, sizeof *made->ops);
    enum vg_err err = made->terms && made->ops ? vg_search_parse(made, text, error) : VG_ERR_NOMEM;
    if (err) {
        vg_search_free(made);
        return err;
    }
    *search = made;
    return VG_OK;
}

void vg_search_free(struct vg_search *search)
{
    if (!search)
        return;
    const struct vg_alloc *alloc = search->alloc;
    vg_arena_release(&search->arena);
    vg_alloc_release(alloc, search);
}

enum truth { FALSE_, UNKNOWN, TRUE_ };

static bool match_value(const struct vg_search_term *term, struct vg_slice text)
{
    return term->is_glob ? vg_glob_match(term->value, text) : vg_slice_equal(term->value, text);
}

static bool match_tag_term(const struct vg_search_term *term, const struct vg_tag *tags, size_t n_tags)
{
    size_t low = 0, high = n_tags;
    if (term->field.name.len == 0) {
        for (size_t i = 0; i < n_tags; i++)
            if (match_value(term, tags[i].value))
                return true;
        return false;
    }
    while (low < high) { /* tags are sorted by name */
        size_t middle = low + (high - low) / 2;
        if (vg_slice_compare(tags[middle].name, term->field.name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < n_tags && vg_slice_equal(tags[low].name, term->field.name); low++)
        if (match_value(term, tags[low].value))
            return true;
    return false;
}

static bool match_label_term(const struct vg_search_term *term, const struct vg_slice *strings,
                             const struct vg_profile_label *labels, size_t n_labels)
{
    for (size_t i = 0; i < n_labels; i++) {
        if (!vg_slice_equal(strings[labels[i].key], term->field.name))
            continue;
        char digits[24];
        struct vg_slice text = strings[labels[i].text];
        if (labels[i].text == 0) {
            int len = snprintf(digits, sizeof digits, "%" PRId64, labels[i].number);
            text = (struct vg_slice){digits, (size_t)len};
        }
        if (match_value(term, text))
            return true;
    }
    return false;
}

/* The truth of the program, where `known` says what each term is. */
static bool evaluate(const struct vg_search *search, const enum truth *known)
{
    enum truth stack[VG_SEARCH_MAX_TERMS + 1];
    size_t n = 0;
    for (size_t i = 0; i < search->n_ops; i++) {
        struct vg_search_op op = search->ops[i];
        if (op.kind == VG_SEARCH_OP_TERM) {
            stack[n++] = known[op.term];
        } else if (op.kind == VG_SEARCH_OP_NOT) {
            stack[n - 1] = TRUE_ - stack[n - 1];
        } else {
            enum truth b = stack[--n], *a = &stack[n - 1];
            if (op.kind == VG_SEARCH_OP_AND ? b < *a : b > *a)
                *a = b;
        }
    }
    return n == 0 || stack[0] != FALSE_;
}

static bool match_tags(void *ctx, const struct vg_tag *tags, size_t n_tags)
{
    const struct vg_search *search = ctx;
    enum truth known[VG_SEARCH_MAX_TERMS];
    for (size_t i = 0; i < search->n_terms; i++) {
        const struct vg_search_term *term = &search->terms[i];
        known[i] = UNKNOWN;
        if (!term->field.is_label)
            known[i] = match_tag_term(term, tags, n_tags) ? TRUE_ : FALSE_;
    }
    return evaluate(search, known);
}

static bool match_labels(void *ctx, const struct vg_slice *strings, const struct vg_profile_label *labels,
                         size_t n_labels)
{
    const struct vg_search *search = ctx;
    enum truth known[VG_SEARCH_MAX_TERMS];
    for (size_t i = 0; i < search->n_terms; i++) {
        const struct vg_search_term *term = &search->terms[i];
        known[i] = UNKNOWN;
        if (term->field.is_label)
            known[i] = match_label_term(term, strings, labels, n_labels) ? TRUE_ : FALSE_;
    }
    return evaluate(search, known);
}

void vg_search_select(struct vg_search *search, struct vg_selection *selection)
{
    selection->match_tags = search->sides & VG_SEARCH_SIDE_TAGS ? match_tags : NULL;
    selection->match_labels = search->sides & VG_SEARCH_SIDE_LABELS ? match_labels : NULL;
    selection->narrows_labels = (search->sides & VG_SEARCH_SIDE_LABELS) != 0;
    selection->ctx = search;
}
