/* query/search and query/glob: a table of good and bad, random searches against a naive evaluator, failing
 * memory. */
#include "vigil/query/search.h"

#include <stdio.h>

#include "test_alloc.h"
#include "test_cmocka.h"
#include "vigil/query/glob.h"

/* The profile that the table is matched with; sorted as a store has them. */
#define TEXT(s) {(s), sizeof(s) - 1}

static const struct vg_tag tags[] = {
    {TEXT("a b:c"), TEXT("odd")},
    {TEXT("empty"), TEXT("")},
    {TEXT("env"), TEXT("prod")},
    {TEXT("host"), TEXT("web-12")},
    {TEXT("note"), TEXT("a \"quoted\" (thing) c:\\d*")},
    {TEXT("service"), TEXT("web")},
    {TEXT("state"), TEXT("bavaria")},
    {TEXT("team"), TEXT("core")},
    {TEXT("team"), TEXT("intake")},
    {TEXT("url"), TEXT("http://x:80/")},
    {TEXT("version"), TEXT("1.2")},
    {TEXT("\xC3\xBC"), TEXT("\xC3\xA4\xE2\x82\xAC")},
};
enum { N_TAGS = sizeof tags / sizeof *tags };

static const struct vg_slice strings[] = {
    TEXT(""),       TEXT("thread name"), TEXT("MainThread"), TEXT("task name"),
    TEXT("Task-1"), TEXT("state"),       TEXT("sleep"),      TEXT("lock name"),
};
static const struct vg_profile_label labels[] = {
    {7, 0, 42},
    {5, 6, 0},
    {3, 4, 0},
    {1, 2, 0}, /* lock name, state, task name, thread name */
};
enum { N_LABELS = sizeof labels / sizeof *labels };

static bool matches_tags(const struct vg_selection *selection)
{
    return !selection->match_tags || selection->match_tags(selection->ctx, tags, N_TAGS);
}

static bool matches_labels(const struct vg_selection *selection)
{
    return !selection->match_labels || selection->match_labels(selection->ctx, strings, labels, N_LABELS);
}

static void good_searches_match_what_they_say(void **state)
{
    static const struct {
        const char *text;
        bool holds;
    } table[] = {
        {"", true},
        {" \t\n", true},
        {"service:web", true},
        {"SERVICE:web", true},
        {"service:WEB", false},
        {"service:web env:prod", true},
        {"service:web env:dev", false},
        {"service:web AND env:prod", true},
        {"service:api OR env:prod", true},
        {"service:api env:prod OR team:core", true}, /* AND binds tighter */
        {"service:api (env:prod OR team:core)", false},
        {"-version:1.2", false},
        {"-version:1.3", true},
        {"NOT version:1.3", true},
        {"NOT(version:1.2)", false},
        {"--version:1.2", true},
        {"-(env:prod version:1.2)", false},
        {"-(env:dev version:1.2)", true},
        {"host:web-*", true},
        {"host:web-??", true},
        {"host:web-?", false},
        {"host:*", true},
        {"rack:*", false},
        {"-rack:*", true},
        {"empty:\"\"", true},
        {"empty:*", true},
        {"env:\"\"", false},
        {"team:core", true},
        {"team:intake", true},
        {"-team:core", false},
        {"team:(intake OR core)", true},
        {"team:(intake core)", true},
        {"team:(intake AND core)", true},
        {"team:(intake -core)", false},
        {"team:(x OR y)", false},
        {"team:((x OR core) intake)", true},
        {"-team:(x OR y)", true},
        {"team:(x OR c*)", true},
        {"web", true},
        {"we", false},
        {"w*", true},
        {"-prod", false},
        {"(web)", true},
        {"((web)(prod))", true},
        {"(web)prod", true},
        {"note:\"a \\\"quoted\\\" (thing) c:\\\\d\\*\"", true},
        {"note:a\\ \\\"quoted\\\"\\ \\(thing\\)\\ c:\\\\d\\*", true},
        {"note:\"a \\\"quoted\\\" (thing) c:\\\\d\\?\"", false},
        {"note:\"*(thing)*\"", true},
        {"url:http://x:80/", true},
        {"url:http*", true},
        {"url:(http://x:80/ OR y)", true},
        {"\"a b:c\":odd", true},
        {"a\\ b\\:c:odd", true},
        {"\"OR\"", false},
        {"-\"OR\"", true},
        {"team:\"OR\"", false},
        {"or OR web", true},
        {"ORwell OR web", true},
        {"\xC3\xBC:\xC3\xA4\xE2\x82\xAC", true},
        {"\xC3\xBC:?\xE2\x82\xAC", true},
        {"\xC3\xBC:??", true},
        {"\xC3\xBC:???", false},
        {"thread:MainThread", true},
        {"thread:\"Main*\"", true},
        {"Thread:other", false},
        {"-thread:other", true},
        {"thread:(a OR Main*)", true},
        {"thread:MainThread OR task:x", true},
        {"thread:x OR task:Task-?", true},
        {"lock:42", true},
        {"lock:4*", true},
        {"state:sleep", true},
        {"state:bavaria", false},
        {"\"state\":bavaria", true}, /* in quotes: the tag */
        {"exception:*", false},
        {"-exception:*", true},
        {"env:prod thread:MainThread", true},
        {"env:dev thread:MainThread", false},
        {"env:prod thread:x", false},
        {"(env:prod thread:MainThread) service:web", true},
        {"(env:prod thread:x) service:web", false},
        {"-(thread:a OR task:b) (env:prod OR env:dev)", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct vg_search *search;
        struct vg_search_error error = {"", 0};
        struct vg_selection selection = {0};
        if (vg_search_new(vg_slice_of(table[i].text), NULL, &search, &error))
            fail_msg("'%s': %s at %zu", table[i].text, error.message, error.at);
        vg_search_select(search, &selection);
        if ((matches_tags(&selection) && matches_labels(&selection)) != table[i].holds)
            fail_msg("'%s' should be %s", table[i].text, table[i].holds ? "true" : "false");
        assert_int_equal(selection.narrows_labels, selection.match_labels != NULL);
        vg_search_free(search);
    }
}

static void bad_searches_say_what_and_where(void **state)
{
    static const struct {
        const char *text, *says;
        size_t at;
    } table[] = {
        {"service:", "value is missing", 9},
        {"service: web", "value is missing", 9},
        {"(service:)", "value is missing", 10},
        {":web", "name is missing", 1},
        {"\"\":web", "name is missing", 1},
        {"a \"b c", "not closed", 3},
        {"\xC3\xA4 \"b", "not closed", 3}, /* characters, not bytes */
        {"x\\", "backslash", 2},
        {"\"x\\", "backslash", 3},
        {"a\"b\"", "quote in the middle", 2},
        {"\"a\"\"b\"", "quote in the middle", 4},
        {"\"a\"b", "space is missing", 4},
        {"env:\"a\":b", "space is missing", 8},
        {"a(b)", "parenthesis in the middle", 2},
        {"(a", "not closed", 1},
        {"a (b (c)", "not closed", 3},
        {"env:(prod OR dev", "not closed", 5},
        {"a)", "never opened", 2},
        {"()", "term is missing", 2},
        {"(", "term is missing", 2},
        {"team:(", "term is missing", 7},
        {"team:()", "term is missing", 7},
        {"a OR", "term is missing", 5},
        {"OR a", "before OR or AND", 1},
        {"a AND AND b", "before OR or AND", 7},
        {"-", "minus", 1},
        {"a - b", "minus", 3},
        {"NOT", "term is missing", 4},
        {"-)", "term is missing", 2},
        {"env:prod OR thread:x", "OR cannot", 10},
        {"thread:x OR (env:prod thread:y)", "OR cannot", 10},
        {"-(env:prod thread:x)", "NOT cannot", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct vg_search *search = NULL;
        struct vg_search_error error = {"", 0};
        enum vg_err err = vg_search_new(vg_slice_of(table[i].text), NULL, &search, &error);
        if (err != VG_ERR_MALFORMED || !strstr(error.message, table[i].says) || error.at != table[i].at)
            fail_msg("'%s': %s, \"%s\" at %zu", table[i].text, vg_err_name(err), error.message, error.at);
        assert_null(search);
    }
}

static enum vg_err parse_repeated(const char *part, size_t n, const char *end)
{
    char text[2 * VG_SEARCH_MAX_BYTES];
    size_t len = 0;
    struct vg_search *search = NULL;
    struct vg_search_error error;
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s", part);
    len += (size_t)snprintf(text + len, sizeof text - len, "%s", end);
    enum vg_err err = vg_search_new((struct vg_slice){text, len}, NULL, &search, &error);
    vg_search_free(search);
    return err;
}

static void searches_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(parse_repeated("a", VG_SEARCH_MAX_BYTES, ""), VG_OK);
    assert_int_equal(parse_repeated("a", VG_SEARCH_MAX_BYTES + 1, ""), VG_ERR_LIMIT);
    assert_int_equal(parse_repeated("a ", VG_SEARCH_MAX_TERMS, ""), VG_OK);
    assert_int_equal(parse_repeated("-a OR ", VG_SEARCH_MAX_TERMS - 1, "-a"), VG_OK);
    assert_int_equal(parse_repeated("a ", VG_SEARCH_MAX_TERMS, "a"), VG_ERR_LIMIT);
    assert_int_equal(parse_repeated("(", VG_SEARCH_MAX_DEPTH, "a))))))))))))))))"), VG_OK);
    assert_int_equal(parse_repeated("(", VG_SEARCH_MAX_DEPTH + 1, "a)))))))))))))))))"), VG_ERR_LIMIT);
    assert_int_equal(parse_repeated("-", VG_SEARCH_MAX_BYTES - 1, "a"), VG_ERR_LIMIT);
    assert_int_equal(parse_repeated("NOT ", 1000, "a"), VG_ERR_LIMIT);
    assert_int_equal(parse_repeated("?", VG_SEARCH_MAX_GLOB_BYTES, ""), VG_OK);
    assert_int_equal(parse_repeated("?", VG_SEARCH_MAX_GLOB_BYTES + 1, ""), VG_ERR_LIMIT);
    assert_int_equal(parse_repeated("\\*", 2000, ""), VG_OK); /* no pattern: nothing but escapes */
}

/* Against a naive evaluator */

static uint64_t seed;

static unsigned pick(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

static bool naive_glob(const char *pattern, const char *text)
{
    if (*pattern == 0)
        return *text == 0;
    if (*pattern == '*')
        return naive_glob(pattern + 1, text) || (*text && naive_glob(pattern, text + 1));
    return *text && (*pattern == '?' || *pattern == *text) && naive_glob(pattern + 1, text + 1);
}

static void globs_match_as_the_naive_matcher_does(void **state)
{
    (void)state;
    seed = 1;
    for (size_t round = 0; round < 200000; round++) {
        char pattern[10], text[12];
        size_t n = pick(sizeof pattern), m = pick(sizeof text);
        for (size_t i = 0; i < n; i++)
            pattern[i] = "ab*?*"[pick(5)];
        for (size_t i = 0; i < m; i++)
            text[i] = "ab"[pick(2)];
        pattern[n] = text[m] = 0;
        if (vg_glob_match((struct vg_slice){pattern, n}, (struct vg_slice){text, m}) !=
            naive_glob(pattern, text))
            fail_msg("'%s' on '%s'", pattern, text);
    }
}

static void a_hostile_pattern_costs_no_more_than_its_length_times_the_texts(void **state)
{
    static char pattern[VG_SEARCH_MAX_GLOB_BYTES], text[100000];
    (void)state;
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = i % 2 ? '*' : 'a';
    pattern[sizeof pattern - 1] = 'b';
    memset(text, 'a', sizeof text); /* exponential where every star is retried: this would not end */
    assert_false(
        vg_glob_match((struct vg_slice){pattern, sizeof pattern}, (struct vg_slice){text, sizeof text}));
}

enum kind { TERM, AND, OR, NOT };

struct node {
    enum kind kind;
    unsigned name, value; /* of a term */
    bool is_label;
    struct node *left, *right;
};

/* A random tree of one side only, deep enough to need every precedence. */
static struct node *grow(struct node *pool, size_t *n, unsigned depth, bool is_label)
{
    struct node *node = &pool[(*n)++];
    *node = (struct node){
        .kind = depth ? pick(4) : TERM, .name = pick(3), .value = pick(3), .is_label = is_label};
    if (node->kind != TERM)
        node->left = grow(pool, n, depth - 1, is_label);
    if (node->kind == AND || node->kind == OR)
        node->right = grow(pool, n, depth - 1, is_label);
    return node;
}

static const char *const tag_names[] = {"x", "y", "z"}, *const label_names[] = {"thread", "task", "lock"};
static const char *const label_keys[] = {"thread name", "task name", "lock name"}, *const values[] = {
                                                                                       "u", "v", "w"};

static int write_node(const struct node *node, char *out, size_t size)
{
    int n;
    switch (node->kind) {
    case TERM:
        return snprintf(out, size, "%s:%s", node->is_label ? label_names[node->name] : tag_names[node->name],
                        values[node->value]);
    case NOT:
        n = snprintf(out, size, pick(2) ? "-(" : "NOT (");
        n += write_node(node->left, out + n, size - (size_t)n);
        return n + snprintf(out + n, size - (size_t)n, ")");
    default:
        break;
    }
    bool is_bare =
        node->kind == AND && node->left->kind != OR && node->right->kind != OR; /* precedence alone */
    n = snprintf(out, size, is_bare ? "" : "(");
    n += write_node(node->left, out + n, size - (size_t)n);
    n += snprintf(out + n, size - (size_t)n, "%s", node->kind == OR ? " OR " : pick(2) ? " " : " AND ");
    n += write_node(node->right, out + n, size - (size_t)n);
    return n + snprintf(out + n, size - (size_t)n, is_bare ? "" : ")");
}

/* have[name]: a bit for each value that is there. */
static bool evaluate(const struct node *node, const unsigned *have)
{
    switch (node->kind) {
    case TERM:
        return have[node->name] >> node->value & 1;
    case NOT:
        return !evaluate(node->left, have);
    case AND:
        return evaluate(node->left, have) && evaluate(node->right, have);
    default:
        return evaluate(node->left, have) || evaluate(node->right, have);
    }
}

static size_t make_tags(const unsigned *have, struct vg_tag *out)
{
    size_t n = 0;
    for (unsigned name = 0; name < 3; name++)
        for (unsigned value = 0; value < 3; value++)
            if (have[name] >> value & 1)
                out[n++] = (struct vg_tag){vg_slice_of(tag_names[name]), vg_slice_of(values[value])};
    return n;
}

static size_t make_labels(const unsigned *have, struct vg_slice *texts, struct vg_profile_label *out)
{
    size_t n = 0;
    texts[0] = VG_SLICE_LIT("");
    for (uint32_t i = 0; i < 3; i++) {
        texts[1 + i] = vg_slice_of(label_keys[i]);
        texts[4 + i] = vg_slice_of(values[i]);
    }
    for (uint32_t name = 0; name < 3; name++)
        for (uint32_t value = 0; value < 3; value++)
            if (have[name] >> value & 1)
                out[n++] = (struct vg_profile_label){1 + name, 4 + value, 0};
    return n;
}

static void random_searches_match_as_the_naive_evaluator_does(void **state)
{
    (void)state;
    seed = 2;
    for (size_t round = 0; round < 20000; round++) {
        struct node pool[2][64];
        size_t n[2] = {0, 0};
        struct node *side[2] = {grow(pool[0], &n[0], pick(4), false), grow(pool[1], &n[1], pick(4), true)};
        char text[VG_SEARCH_MAX_BYTES];
        int len = snprintf(text, sizeof text, "(");
        len += write_node(side[0], text + len, sizeof text - (size_t)len);
        len += snprintf(text + len, sizeof text - (size_t)len, ") (");
        len += write_node(side[1], text + len, sizeof text - (size_t)len);
        snprintf(text + len, sizeof text - (size_t)len, ")");

        struct vg_search *search;
        struct vg_search_error error;
        struct vg_selection selection;
        if (vg_search_new(vg_slice_of(text), NULL, &search, &error))
            fail_msg("'%s': %s at %zu", text, error.message, error.at);
        vg_search_select(search, &selection);
        for (size_t i = 0; i < 8; i++) {
            unsigned have[3] = {pick(8), pick(8), pick(8)};
            struct vg_tag made_tags[9];
            struct vg_slice texts[7];
            struct vg_profile_label made_labels[9];
            size_t n_tags = make_tags(have, made_tags), n_labels = make_labels(have, texts, made_labels);
            if (selection.match_tags(selection.ctx, made_tags, n_tags) != evaluate(side[0], have) ||
                selection.match_labels(selection.ctx, texts, made_labels, n_labels) !=
                    evaluate(side[1], have))
                fail_msg("'%s' with %u %u %u", text, have[0], have[1], have[2]);
        }
        vg_search_free(search);
    }
}

static void failing_memory_is_said_and_leaves_nothing(void **state)
{
    (void)state;
    for (size_t turn = 0;; turn++) {
        struct test_alloc alloc = test_alloc_failing(turn);
        struct vg_search *search = NULL;
        struct vg_search_error error;
        enum vg_err err = vg_search_new(vg_slice_of("service:(web OR api*) -thread:\"a b\" x"),
                                        test_alloc_seam(&alloc), &search, &error);
        assert_int_equal(err, alloc.has_failed ? VG_ERR_NOMEM : VG_OK);
        vg_search_free(search);
        assert_int_equal(alloc.live, 0);
        if (!alloc.has_failed)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_searches_match_what_they_say),
        cmocka_unit_test(bad_searches_say_what_and_where),
        cmocka_unit_test(searches_are_bounded),
        cmocka_unit_test(globs_match_as_the_naive_matcher_does),
        cmocka_unit_test(a_hostile_pattern_costs_no_more_than_its_length_times_the_texts),
        cmocka_unit_test(random_searches_match_as_the_naive_evaluator_does),
        cmocka_unit_test(failing_memory_is_said_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
