/* The glob matcher: greedy, with one place to come back to. */
#include "vigil/query/glob.h"

/* Where the character that begins at `at` ends. Stray continuation bytes count as characters of their own. */
static size_t next_character(struct vg_slice text, size_t at)
{
    at++;
    while (at < text.len && ((unsigned char)text.data[at] & 0xC0) == 0x80)
        at++;
    return at;
}

/* Matches one item of the pattern, not a star, at both places and moves them; false leaves them. */
static bool step(struct vg_slice pattern, size_t *p, struct vg_slice text, size_t *t)
{
    if (pattern.data[*p] == '?') {
        *p += 1;
        *t = next_character(text, *t);
        return true;
    }
    size_t literal = *p;
    if (pattern.data[literal] == '\\' && literal + 1 < pattern.len)
        literal++;
    if (pattern.data[literal] != text.data[*t])
        return false;
    *p = literal + 1;
    *t += 1;
    return true;
}

bool vg_glob_match(struct vg_slice pattern, struct vg_slice text)
{
    size_t p = 0, t = 0;
    size_t after_star = 0, retry = 0; /* behind the last star, and where its rest is tried next */
    bool has_star = false;
    while (t < text.len) {
        if (p < pattern.len && pattern.data[p] == '*') {
            has_star = true;
            after_star = ++p;
            retry = t;
        } else if (p >= pattern.len || !step(pattern, &p, text, &t)) {
            if (!has_star)
                return false;
            p = after_star;
            t = retry = next_character(text, retry);
        }
    }
    while (p < pattern.len && pattern.data[p] == '*')
        p++;
    return p == pattern.len;
}
