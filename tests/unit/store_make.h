/* Profiles for tests and benchmarks of the store: made from a seed, so that a failure can be repeated.
 *
 * A program is a random trie of calls; a profile samples its stacks, the popular ones more often, under the
 * labels of some threads. The same (program, seed) gives the same profile.
 */
#ifndef VG_TESTS_UNIT_STORE_MAKE_H
#define VG_TESTS_UNIT_STORE_MAKE_H

#include "base/buf.h"
#include "vigil/store/store.h"

struct store_program {
    const char *service;
    size_t n_functions, n_nodes, n_threads;
    size_t min_depth;                           /* of a sampled stack, as far as the trie has such */
    uint32_t *parent, *function, *line, *depth; /* by node; node 0 is no frame */
};

void store_program_init(struct store_program *program, const char *service, uint64_t seed, size_t n_nodes,
                        size_t depth);
void store_program_release(struct store_program *program);

struct store_wish {
    uint64_t seed; /* of the samples; the key too */
    int64_t start_ns, end_ns, received_ns;
    size_t n_rows, n_events, n_types; /* at most; types ≤ 10 */
    unsigned process;                 /* runtime-id, host */
    const char *env;
    const struct vg_alloc *alloc;
};

/* NULL where an allocation fails. */
struct vg_profile *store_make(const struct store_program *program, const struct store_wish *wish);

uint64_t store_random(uint64_t *state);

/* Texts that are equal exactly when what they describe is: a line an item, sorted. */
void store_describe_profile(const struct vg_profile *profile, struct vg_buf *out);
void store_describe_merged(const struct vg_merged *merged, struct vg_buf *out);
/* Stack by stack as above, values within 1 of each other. */
bool store_is_close(const struct vg_merged *a, const struct vg_merged *b);

#endif
