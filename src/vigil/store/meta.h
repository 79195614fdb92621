/* A profile's metadata as bytes, and back: sets of tags and of types (stored once per block), totals, what
 * the profiler says of itself. All are sealed; see columns.h. Any thread. */
#ifndef VG_VIGIL_STORE_META_H
#define VG_VIGIL_STORE_META_H

#include "vigil/model/profile.h"
#include "vigil/store/columns.h"

#define VG_TAGS_MAX ((size_t)4096) /* intake takes fewer */

void vg_tags_encode(const struct vg_tag *tags, size_t n, struct vg_buf *out);
/* Into arena. */
enum vg_err vg_tags_decode(struct vg_slice bytes, struct vg_arena *arena, struct vg_tag **tags,
                           size_t *n) VG_MUST_USE;

/* Names and units; totals are kept apart, since they differ from profile to profile. */
void vg_types_encode(const struct vg_profile_type *types, size_t n, struct vg_buf *out);
enum vg_err vg_types_decode(struct vg_slice bytes, struct vg_arena *arena, struct vg_profile_type **types,
                            size_t *n) VG_MUST_USE;

void vg_totals_encode(const struct vg_profile_type *types, size_t n, struct vg_coder *coder,
                      struct vg_buf *out);
enum vg_err vg_totals_decode(struct vg_slice bytes, struct vg_coder *coder, struct vg_profile_type *types,
                             size_t n) VG_MUST_USE;

#define VG_INTERNAL_MAX_BYTES ((size_t)64 << 10) /* intake takes fewer */
void vg_internal_encode(struct vg_slice internal, struct vg_coder *coder, struct vg_buf *out);
/* Alive until the coder's next use, or as long as bytes. */
enum vg_err vg_internal_decode(struct vg_slice bytes, struct vg_coder *coder,
                               struct vg_slice *internal) VG_MUST_USE;

#endif
