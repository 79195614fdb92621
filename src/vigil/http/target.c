#include "vigil/http/target.h"

#include <stdlib.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes in place (the text only shrinks). In a query "+" is a space. */
static const char *decode(char *text, bool is_query)
{
    char *out = text;

    for (const char *in = text; *in; in++) {
        char c = *in;
        if (c == '%') {
            int high = hex_digit(in[1]);
            int low = high < 0 ? -1 : hex_digit(in[2]);
            if (low < 0)
                return "a % in the address is not followed by two hexadecimal digits";
            c = (char)(high * 16 + low);
            if (c == 0 || (c == '/' && !is_query))
                return "the address holds an encoded NUL or slash";
            in += 2;
        } else if (c == '+' && is_query) {
            c = ' ';
        }
        if (!is_query && ((unsigned char)c < 0x20 || c == 0x7f))
            return "the path holds control characters";
        *out++ = c;
    }
    *out = 0;
    return NULL;
}

static enum vg_err parse_query(struct vg_target *target, char *query, const char **why)
{
    char *rest = query;

    while (rest && *rest) {
        char *name = rest, *end = strchr(rest, '&');
        rest = end ? end + 1 : NULL;
        if (end)
            *end = 0;
        if (!*name)
            continue;
        char *value = strchr(name, '=');
        if (value)
            *value++ = 0;
        if (target->n_params == VG_TARGET_MAX_PARAMS) {
            *why = "the address has too many parameters";
            return VG_ERR_LIMIT;
        }
        *why = decode(name, true);
        if (!*why && value)
            *why = decode(value, true);
        if (*why)
            return VG_ERR_MALFORMED;
        target->params[target->n_params++] = (struct vg_target_param){name, value ? value : ""};
    }
    return VG_OK;
}

enum vg_err vg_target_init(struct vg_target *target, const char *raw, const char **why)
{
    *target = (struct vg_target){.path = ""};
    /* A client that thinks it talks to a proxy sends the whole URL; its host is in the Host header too. */
    if (strncmp(raw, "http://", 7) == 0) {
        raw = strchr(raw + 7, '/');
        raw = raw ? raw : "/";
    }
    target->storage = strdup(raw);
    if (!target->storage)
        return VG_ERR_NOMEM;
    char *query = strchr(target->storage, '?');
    if (query)
        *query++ = 0;
    *why = decode(target->storage, false);
    enum vg_err err = *why ? VG_ERR_MALFORMED : parse_query(target, query, why);
    if (err)
        target->n_params = 0;
    else
        target->path = target->storage;
    return err;
}

void vg_target_release(struct vg_target *target)
{
    free(target->storage);
    *target = (struct vg_target){.path = ""};
}

const char *vg_target_param(const struct vg_target *target, const char *name)
{
    for (size_t i = 0; i < target->n_params; i++)
        if (strcmp(target->params[i].name, name) == 0)
            return target->params[i].value;
    return NULL;
}

bool vg_target_match(const char *pattern, const char *path, struct vg_slice *param)
{
    struct vg_slice found = {NULL, 0};

    while (*pattern) {
        if (pattern[0] == '*' && !pattern[1]) {
            *param = vg_slice_of(path);
            return true;
        }
        if (*pattern == '{') {
            found = (struct vg_slice){path, strcspn(path, "/")};
            pattern += strcspn(pattern, "}");
            if (found.len == 0 || !*pattern)
                return false;
            pattern++;
            path += found.len;
        } else if (*pattern++ != *path++) {
            return false; /* also at the end of path: its NUL differs from any character of the pattern */
        }
    }
    if (*path)
        return false;
    *param = found;
    return true;
}
