#include "vigil/model/profile.h"

struct vg_slice vg_profile_tag(const struct vg_profile *profile, const char *name)
{
    for (size_t i = 0; i < profile->n_tags; i++)
        if (vg_slice_equal_text(profile->tags[i].name, name))
            return profile->tags[i].value;
    return (struct vg_slice){NULL, 0};
}

void vg_profile_free(struct vg_profile *profile)
{
    if (!profile)
        return;
    const struct vg_alloc *alloc = profile->arena.alloc;
    vg_arena_release(&profile->arena);
    vg_alloc_release(alloc, profile);
}
