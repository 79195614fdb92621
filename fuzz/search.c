/* Fuzzes query/search: any text is refused with a message and a place within it, or gives matchers that say
 * the same each time, and the opposite for the search negated. */
#include "vigil/query/search.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT(s) {(s), sizeof(s) - 1}

static const struct vg_tag tags[] = {
    {TEXT("env"), TEXT("prod")},
    {TEXT("host"), TEXT("web-1")},
    {TEXT("service"), TEXT("web")},
    {TEXT("team"), TEXT("core")},
    {TEXT("team"), TEXT("intake")},
    {TEXT("version"), TEXT("1.0")},
    {TEXT("\xC3\xA9"), TEXT("\xF0\x9F\x90\x8D\xC3\xA9")},
};
static const struct vg_slice strings[] = {
    TEXT(""), TEXT("thread name"), TEXT("MainThread"), TEXT("state"), TEXT("sleep"), TEXT("lock name"),
};
static const struct vg_profile_label labels[] = {{5, 0, INT64_MIN}, {3, 4, 0}, {1, 2, 0}};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool match_tags(const struct vg_selection *selection)
{
    return selection->match_tags(selection->ctx, tags, sizeof tags / sizeof *tags);
}

static bool match_labels(const struct vg_selection *selection)
{
    return selection->match_labels(selection->ctx, strings, labels, sizeof labels / sizeof *labels);
}

/* -(text) holds where text does not; what looks at both sides cannot be negated as one. */
static void check_negated(struct vg_slice text, const struct vg_selection *plain)
{
    char *negated = malloc(text.len + 3);
    struct vg_search *search;
    struct vg_search_error error;
    struct vg_selection selection = {0};
    must(negated != NULL);
    negated[0] = '-';
    negated[1] = '(';
    memcpy(negated + 2, text.data, text.len);
    negated[text.len + 2] = ')';
    if (vg_search_new((struct vg_slice){negated, text.len + 3}, NULL, &search, &error) == VG_OK) {
        vg_search_select(search, &selection);
        must(!selection.match_tags == !plain->match_tags && !selection.match_labels == !plain->match_labels);
        must(!selection.match_tags || match_tags(&selection) != match_tags(plain));
        must(!selection.match_labels || match_labels(&selection) != match_labels(plain));
        vg_search_free(search);
    }
    free(negated);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vg_slice text = {(const char *)data, size};
    struct vg_search *search;
    struct vg_search_error error = {NULL, 0};
    struct vg_selection selection;
    enum vg_err err = vg_search_new(text, NULL, &search, &error);
    if (err) {
        must(err == VG_ERR_MALFORMED || err == VG_ERR_LIMIT);
        must(error.message && error.at >= 1 && error.at <= size + 1);
        return 0;
    }
    vg_search_select(search, &selection);
    if (selection.match_tags)
        must(match_tags(&selection) == match_tags(&selection));
    if (selection.match_labels)
        must(match_labels(&selection) == match_labels(&selection));
    if (selection.match_tags || selection.match_labels)
        check_negated(text, &selection);
    vg_search_free(search);
    return 0;
}
