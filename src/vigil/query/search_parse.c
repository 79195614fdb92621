/* Search text → postfix program: an operator-precedence parser with a stack of its own, no recursion over
 * input. */
#include <assert.h>

#include "vigil/query/search_program.h"

enum { MAX_PENDING = 4 * VG_SEARCH_MAX_DEPTH };

static const struct {
    const char *name, *key;
} label_names[] = {
    {"thread", "thread name"},       {"task", "task name"}, {"state", "state"},
    {"exception", "exception type"}, {"lock", "lock name"},
};

struct pending {
    enum vg_search_op_kind kind;
    size_t at;                    /* byte of the text */
    struct vg_search_field field; /* VG_SEARCH_OP_GROUP: of name:( … ), which all values in it share */
};

struct parser {
    struct vg_search *search;
    struct vg_slice text;
    size_t at;
    struct pending pending[MAX_PENDING];
    size_t n_pending, depth;
    enum vg_search_side sides[VG_SEARCH_MAX_TERMS + 1]; /* of the values on the evaluation stack */
    size_t n_values;
    struct vg_search_error *error;
};

static enum vg_err fail(struct parser *parser, enum vg_err err, const char *message, size_t at)
{
    size_t character = 1;
    for (size_t i = 0; i < at && i < parser->text.len; i++)
        character += ((unsigned char)parser->text.data[i] & 0xC0) != 0x80;
    *parser->error = (struct vg_search_error){message, character};
    return err;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool ends_word(char c)
{
    return is_space(c) || c == '(' || c == ')' || c == '"';
}

static enum vg_err emit(struct parser *parser, struct vg_search_op op, size_t at)
{
    if (parser->search->n_ops == VG_SEARCH_MAX_OPS)
        return fail(parser, VG_ERR_LIMIT, "too many terms and operators", at);
    parser->search->ops[parser->search->n_ops++] = op;
    return VG_OK;
}

/* Moves the topmost operator into the program. */
static enum vg_err apply(struct parser *parser)
{
    struct pending op = parser->pending[--parser->n_pending];
    enum vg_search_side *top = &parser->sides[parser->n_values - 1];
    if (op.kind == VG_SEARCH_OP_NOT) {
        if (*top == VG_SEARCH_SIDE_BOTH)
            return fail(parser, VG_ERR_MALFORMED, "one NOT cannot hold both tags and labels of samples",
                        op.at);
    } else {
        assert(parser->n_values >= 2);
        enum vg_search_side both = top[0] | top[-1];
        if (op.kind == VG_SEARCH_OP_OR && both == VG_SEARCH_SIDE_BOTH)
            return fail(parser, VG_ERR_MALFORMED, "one OR cannot hold both tags and labels of samples",
                        op.at);
        top[-1] = both;
        parser->n_values--;
    }
    return emit(parser, (struct vg_search_op){op.kind, 0}, op.at);
}

static enum vg_err apply_down_to(struct parser *parser, enum vg_search_op_kind kind)
{
    enum vg_err err = VG_OK;
    while (!err && parser->n_pending && parser->pending[parser->n_pending - 1].kind >= kind)
        err = apply(parser);
    return err;
}

static enum vg_err push(struct parser *parser, struct pending pending)
{
    if (parser->n_pending == MAX_PENDING)
        return fail(parser, VG_ERR_LIMIT, "nested too deeply", pending.at);
    parser->pending[parser->n_pending++] = pending;
    return VG_OK;
}

/* Left-associative: what binds as tightly and stands before goes first. */
static enum vg_err push_binary(struct parser *parser, enum vg_search_op_kind kind, size_t at)
{
    enum vg_err err = apply_down_to(parser, kind);
    return err ? err : push(parser, (struct pending){.kind = kind, .at = at});
}

/* The word at the parser's place, raw: quotes stripped, escapes kept. */
static enum vg_err scan_word(struct parser *parser, bool stop_at_colon, struct vg_slice *word, bool *quoted)
{
    struct vg_slice text = parser->text;
    size_t start = parser->at, i = start;
    *quoted = text.data[i] == '"';
    if (*quoted)
        i = ++start;
    for (; i < text.len; i++) {
        char c = text.data[i];
        if (c == '\\' && ++i == text.len)
            return fail(parser, VG_ERR_MALFORMED, "nothing follows the backslash", i - 1);
        if (c == '\\')
            continue;
        if (*quoted ? c == '"' : ends_word(c) || (stop_at_colon && c == ':'))
            break;
    }
    if (*quoted && i == text.len)
        return fail(parser, VG_ERR_MALFORMED, "a quote is not closed", start - 1);
    *word = (struct vg_slice){text.data + start, i - start};
    parser->at = i + *quoted;
    if (parser->at == text.len)
        return VG_OK;
    char next = text.data[parser->at];
    if (next == '"')
        return fail(parser, VG_ERR_MALFORMED,
                    "a quote in the middle of a word: put a space before it, or a backslash", parser->at);
    if (next == '(')
        return fail(parser, VG_ERR_MALFORMED, "a parenthesis in the middle of a word: put the word in quotes",
                    parser->at);
    if (*quoted && !ends_word(next) && !(stop_at_colon && next == ':'))
        return fail(parser, VG_ERR_MALFORMED, "a space is missing after the closing quote", parser->at);
    return VG_OK;
}

static struct vg_slice unescape(char *out, struct vg_slice raw)
{
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.data[i] == '\\' && i + 1 < raw.len)
            i++;
        out[len++] = raw.data[i];
    }
    return (struct vg_slice){out, len};
}

static bool has_wildcard(struct vg_slice raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.data[i] == '\\')
            i++;
        else if (raw.data[i] == '*' || raw.data[i] == '?')
            return true;
    }
    return false;
}

/* The five names of labels, unless in quotes: a quoted name is always a tag's. Names of tags are in lower
 * case. */
static enum vg_err make_field(struct parser *parser, struct vg_slice raw, bool quoted,
                              struct vg_search_field *field)
{
    char *out = vg_arena_new(&parser->search->arena, raw.len + 1, 1);
    if (!out)
        return VG_ERR_NOMEM;
    struct vg_slice name = unescape(out, raw);
    for (size_t i = 0; i < name.len; i++)
        if (out[i] >= 'A' && out[i] <= 'Z')
            out[i] = (char)(out[i] - 'A' + 'a');
    *field = (struct vg_search_field){name, false};
    for (size_t i = 0; i < sizeof label_names / sizeof *label_names && !quoted; i++)
        if (vg_slice_equal_text(name, label_names[i].name))
            *field = (struct vg_search_field){vg_slice_of(label_names[i].key), true};
    return VG_OK;
}

static enum vg_err add_term(struct parser *parser, struct vg_search_field field, struct vg_slice raw,
                            size_t at)
{
    struct vg_search *search = parser->search;
    struct vg_search_term term = {.field = field, .is_glob = has_wildcard(raw)};
    if (search->n_terms == VG_SEARCH_MAX_TERMS)
        return fail(parser, VG_ERR_LIMIT, "more than 100 terms", at);
    if (term.is_glob && raw.len > VG_SEARCH_MAX_GLOB_BYTES)
        return fail(parser, VG_ERR_LIMIT, "a pattern longer than 256 bytes", at);
    char *value = vg_arena_new(&search->arena, raw.len + 1, 1);
    if (!value)
        return VG_ERR_NOMEM;
    if (term.is_glob) {
        memcpy(value, raw.data, raw.len);
        term.value = (struct vg_slice){value, raw.len};
    } else {
        term.value = unescape(value, raw);
    }
    enum vg_search_side side = field.is_label ? VG_SEARCH_SIDE_LABELS : VG_SEARCH_SIDE_TAGS;
    search->sides |= side;
    parser->sides[parser->n_values++] = side;
    search->terms[search->n_terms] = term;
    return emit(parser, (struct vg_search_op){VG_SEARCH_OP_TERM, (uint32_t)search->n_terms++}, at);
}

static enum vg_err open_group(struct parser *parser, struct pending group)
{
    if (parser->depth == VG_SEARCH_MAX_DEPTH)
        return fail(parser, VG_ERR_LIMIT, "parentheses nested too deeply", group.at);
    parser->depth++;
    parser->at++;
    return push(parser, group);
}

/* What a value without a name looks at here: any tag, or what the group says. */
static struct vg_search_field current_field(const struct parser *parser)
{
    for (size_t i = parser->n_pending; i-- > 0;)
        if (parser->pending[i].kind == VG_SEARCH_OP_GROUP)
            return parser->pending[i].field;
    return (struct vg_search_field){{NULL, 0}, false};
}

/* After "name:": a value or a group of values. */
static enum vg_err parse_named(struct parser *parser, struct vg_search_field field, size_t at, bool *is_group)
{
    struct vg_slice text = parser->text, value;
    bool quoted;
    size_t value_at = parser->at;
    if (value_at == text.len || is_space(text.data[value_at]) || text.data[value_at] == ')')
        return fail(parser, VG_ERR_MALFORMED, "a value is missing after the colon", value_at);
    *is_group = text.data[value_at] == '(';
    if (*is_group)
        return open_group(parser, (struct pending){VG_SEARCH_OP_GROUP, value_at, field});
    enum vg_err err = scan_word(parser, false, &value, &quoted);
    return err ? err : add_term(parser, field, value, at);
}

static bool takes_keyword(struct parser *parser, const char *keyword)
{
    size_t len = strlen(keyword), end = parser->at + len;
    if (end > parser->text.len || memcmp(parser->text.data + parser->at, keyword, len) != 0)
        return false;
    if (end < parser->text.len && !ends_word(parser->text.data[end]))
        return false;
    parser->at = end;
    return true;
}

static enum vg_err parse_term(struct parser *parser, bool *done)
{
    struct vg_search_field field = current_field(parser);
    size_t at = parser->at;
    struct vg_slice word;
    bool quoted, is_group = false, may_have_name = field.name.len == 0;
    enum vg_err err = scan_word(parser, may_have_name, &word, &quoted);
    if (err)
        return err;
    if (may_have_name && parser->at < parser->text.len && parser->text.data[parser->at] == ':') {
        parser->at++;
        if (word.len == 0)
            return fail(parser, VG_ERR_MALFORMED, "a name is missing before the colon", at);
        err = make_field(parser, word, quoted, &field);
        if (!err)
            err = parse_named(parser, field, at, &is_group);
    } else {
        err = add_term(parser, field, word, at);
    }
    *done = !is_group;
    return err;
}

/* Where an operand must come. *done: it is whole, an operator follows. */
static enum vg_err parse_operand(struct parser *parser, bool *done)
{
    size_t at = parser->at;
    *done = false;
    switch (parser->text.data[at]) {
    case '(':
        return open_group(parser, (struct pending){VG_SEARCH_OP_GROUP, at, current_field(parser)});
    case ')':
        return fail(parser, VG_ERR_MALFORMED, "a term is missing before the parenthesis", at);
    case '-':
        parser->at++;
        if (parser->at == parser->text.len || is_space(parser->text.data[parser->at]))
            return fail(parser, VG_ERR_MALFORMED, "a term must follow the minus sign at once", at);
        return push(parser, (struct pending){.kind = VG_SEARCH_OP_NOT, .at = at});
    default:
        break;
    }
    if (takes_keyword(parser, "NOT"))
        return push(parser, (struct pending){.kind = VG_SEARCH_OP_NOT, .at = at});
    if (takes_keyword(parser, "OR") || takes_keyword(parser, "AND"))
        return fail(parser, VG_ERR_MALFORMED, "a term is missing before OR or AND (in quotes it is a word)",
                    at);
    return parse_term(parser, done);
}

static enum vg_err close_group(struct parser *parser)
{
    enum vg_err err = apply_down_to(parser, VG_SEARCH_OP_OR);
    if (err)
        return err;
    if (!parser->n_pending)
        return fail(parser, VG_ERR_MALFORMED, "a parenthesis is closed that was never opened", parser->at);
    parser->n_pending--;
    parser->depth--;
    parser->at++;
    return VG_OK;
}

/* Where an operator may come: OR, AND, a closing parenthesis, or nothing, which means AND. */
static enum vg_err parse_operator(struct parser *parser, bool *wants_operand)
{
    size_t at = parser->at;
    if (parser->text.data[at] == ')')
        return close_group(parser);
    *wants_operand = true;
    if (takes_keyword(parser, "OR"))
        return push_binary(parser, VG_SEARCH_OP_OR, at);
    (void)takes_keyword(parser, "AND");
    return push_binary(parser, VG_SEARCH_OP_AND, at);
}

static enum vg_err parse(struct parser *parser)
{
    bool wants_operand = true;
    enum vg_err err = VG_OK;
    if (parser->text.len > VG_SEARCH_MAX_BYTES)
        return fail(parser, VG_ERR_LIMIT, "longer than 4096 bytes", VG_SEARCH_MAX_BYTES);
    for (;;) {
        while (parser->at < parser->text.len && is_space(parser->text.data[parser->at]))
            parser->at++;
        if (parser->at == parser->text.len)
            break;
        if (wants_operand) {
            bool done;
            err = parse_operand(parser, &done);
            wants_operand = !done;
        } else {
            err = parse_operator(parser, &wants_operand);
        }
        if (err)
            return err;
    }
    bool is_empty = !parser->search->n_terms && !parser->n_pending;
    if (wants_operand && !is_empty)
        return fail(parser, VG_ERR_MALFORMED, "a term is missing at the end", parser->text.len);
    err = apply_down_to(parser, VG_SEARCH_OP_OR);
    if (!err && parser->n_pending)
        return fail(parser, VG_ERR_MALFORMED, "a parenthesis is not closed",
                    parser->pending[parser->n_pending - 1].at);
    return err;
}

enum vg_err vg_search_parse(struct vg_search *search, struct vg_slice text, struct vg_search_error *error)
{
    struct parser parser = {.search = search, .text = text, .error = error};
    return parse(&parser);
}
