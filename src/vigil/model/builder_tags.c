/* Tags made clean, sorted and unique; and the profile's identity, which comes from them. */
#include <stdlib.h>
#include <xxhash.h>

#include "vigil/model/builder_parts.h"
#include "vigil/model/text.h"

/* Unique to each profile of a process: identity only, as a tag it would be noise. */
static const char sequence_name[] = "profile_seq";
static const char default_service[] = "unnamed-service";

static enum vg_err copy_clean(struct vg_builder *b, struct vg_slice text, struct vg_slice *copy)
{
    struct vg_slice clean;
    enum vg_err err = vg_text_clean(text, VG_PROFILE_TAG_BYTES, &b->text, &clean);

    return err ? err : vg_arena_copy(&b->profile->arena, clean, copy);
}

static struct vg_slice trim(struct vg_slice text)
{
    while (text.len && text.data[0] == ' ')
        text = (struct vg_slice){text.data + 1, text.len - 1};
    while (text.len && text.data[text.len - 1] == ' ')
        text.len--;
    return text;
}

static enum vg_err put_tag(struct vg_builder *b, struct vg_tag tag, struct vg_slice *sequence)
{
    struct vg_profile *profile = b->profile;
    struct vg_slice name = trim(tag.name), value = trim(tag.value);

    if (name.len == 0 || value.len == 0)
        return VG_OK; /* says nothing */
    if (vg_slice_equal_text(name, sequence_name)) {
        *sequence = value;
        return VG_OK;
    }
    struct vg_tag *place = &profile->tags[profile->n_tags];
    enum vg_err err = copy_clean(b, name, &place->name);
    if (!err)
        err = copy_clean(b, value, &place->value);
    if (err)
        return err;
    char *letters = (char *)(uintptr_t)place->name.data; /* our own copy */
    for (size_t i = 0; i < place->name.len; i++)
        if (letters[i] >= 'A' && letters[i] <= 'Z')
            letters[i] = (char)(letters[i] - 'A' + 'a');
    profile->n_tags++;
    return VG_OK;
}

static int compare_tags(const void *left, const void *right)
{
    const struct vg_tag *a = left, *b = right;
    int order = vg_slice_compare(a->name, b->name);

    return order ? order : vg_slice_compare(a->value, b->value);
}

static void sort_tags(struct vg_profile *profile)
{
    size_t kept = 0;

    qsort(profile->tags, profile->n_tags, sizeof *profile->tags, compare_tags);
    for (size_t i = 0; i < profile->n_tags; i++)
        if (kept == 0 || compare_tags(&profile->tags[kept - 1], &profile->tags[i]) != 0)
            profile->tags[kept++] = profile->tags[i];
    profile->n_tags = kept;
}

static void add_field(XXH3_state_t *state, struct vg_slice field)
{
    XXH3_128bits_update(state, &field.len,
                        sizeof field.len); /* so that no two lists of fields run together */
    if (field.len)
        XXH3_128bits_update(state, field.data, field.len);
}

static void add_number(XXH3_state_t *state, int64_t number)
{
    XXH3_128bits_update(state, &number, sizeof number);
}

/* A process numbers its profiles, but begins anew when its profiler is started again: so the start is part of
 * the identity too, else the second run's profiles would be taken for those of the first. Without a
 * runtime-id two processes may have the same times to the second: then the content tells them apart. */
static enum vg_err identify(struct vg_builder *b, struct vg_slice sequence)
{
    struct vg_profile *profile = b->profile;
    struct vg_slice runtime = vg_profile_tag(profile, "runtime-id");
    XXH3_state_t *state = XXH3_createState();

    if (!state)
        return VG_ERR_NOMEM;
    XXH3_128bits_reset(state);
    add_field(state, vg_profile_tag(profile, "service"));
    add_field(state, runtime);
    add_number(state, profile->start_ns);
    if (runtime.len && sequence.len) {
        add_field(state, sequence);
    } else {
        add_field(state, vg_profile_tag(profile, "host"));
        add_number(state, profile->end_ns);
        if (runtime.len == 0)
            add_field(state, b->source->content);
    }
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
    memcpy(profile->key, canonical.digest, sizeof profile->key);
    XXH3_freeState(state);
    return VG_OK;
}

enum vg_err vg_builder_tags(struct vg_builder *b)
{
    const struct vg_profile_source *source = b->source;
    struct vg_profile *profile = b->profile;
    struct vg_slice sequence = {NULL, 0};
    enum vg_err err = VG_OK;

    profile->tags = vg_arena_new(&profile->arena, source->n_tags + 1, sizeof *profile->tags);
    if (!profile->tags)
        return vg_arena_refusal(&profile->arena, (source->n_tags + 1) * sizeof *profile->tags);
    for (size_t i = 0; i < source->n_tags && !err; i++)
        err = put_tag(b, source->tags[i], &sequence);
    if (!err && vg_profile_tag(profile, "service").len == 0)
        err = put_tag(b, (struct vg_tag){VG_SLICE_LIT("service"), VG_SLICE_LIT(default_service)}, &sequence);
    if (err)
        return err == VG_ERR_FULL ? VG_ERR_LIMIT : err;
    sort_tags(profile);
    return identify(b, sequence);
}
