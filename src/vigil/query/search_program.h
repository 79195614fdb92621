/* A parsed search, for search_parse.c and search.c only: terms, and a postfix program over them. */
#ifndef VG_VIGIL_QUERY_SEARCH_PROGRAM_H
#define VG_VIGIL_QUERY_SEARCH_PROGRAM_H

#include "base/arena.h"
#include "vigil/query/search.h"

#define VG_SEARCH_MAX_OPS (4 * VG_SEARCH_MAX_TERMS) /* terms, operators between them, and NOTs */

/* Binary operators bind tighter the higher their value. */
enum vg_search_op_kind {
    VG_SEARCH_OP_GROUP,
    VG_SEARCH_OP_OR,
    VG_SEARCH_OP_AND,
    VG_SEARCH_OP_NOT,
    VG_SEARCH_OP_TERM
};

enum vg_search_side {
    VG_SEARCH_SIDE_NONE = 0,
    VG_SEARCH_SIDE_TAGS = 1,
    VG_SEARCH_SIDE_LABELS = 2,
    VG_SEARCH_SIDE_BOTH = 3
};

/* What a term looks at. */
struct vg_search_field {
    struct vg_slice name; /* of a tag, in lower case, or the key of a label; empty: any tag */
    bool is_label;
};

struct vg_search_term {
    struct vg_search_field field;
    struct vg_slice value; /* unescaped text, or a pattern */
    bool is_glob;
};

struct vg_search_op {
    enum vg_search_op_kind kind;
    uint32_t term; /* of VG_SEARCH_OP_TERM */
};

struct vg_search {
    struct vg_arena arena;
    struct vg_search_term *terms;
    size_t n_terms;
    struct vg_search_op *ops;
    size_t n_ops;
    enum vg_search_side sides; /* of all terms; 0 when there are none */
    const struct vg_alloc *alloc;
};

/* Fills the empty search, whose arena is ready and whose terms and ops have room for the most allowed. */
enum vg_err vg_search_parse(struct vg_search *search, struct vg_slice text,
                            struct vg_search_error *error) VG_MUST_USE;

#endif
