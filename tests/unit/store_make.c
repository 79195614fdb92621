/* Profiles for tests of the store: see store_make.h. */
#include "store_make.h"

#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT(text) {(text), sizeof(text) - 1}
static const struct vg_profile_type all_types[] = {
    {TEXT("cpu-samples"), TEXT("count"), 0},
    {TEXT("cpu-time"), TEXT("nanoseconds"), 0},
    {TEXT("wall-time"), TEXT("nanoseconds"), 0},
    {TEXT("heap-space"), TEXT("bytes"), 0},
    {TEXT("heap-live-samples"), TEXT("count"), 0},
    {TEXT("lock-acquire"), TEXT("count"), 0},
    {TEXT("lock-acquire-wait"), TEXT("nanoseconds"), 0},
    {TEXT("alloc-samples"), TEXT("count"), 0},
    {TEXT("alloc-space"), TEXT("bytes"), 0},
    {TEXT("exception-samples"), TEXT("count"), 0},
};
#define N_ALL_TYPES (sizeof all_types / sizeof *all_types)

uint64_t store_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return vg_hash_u64(*state);
}

/* ---- the program ---- */

void store_program_init(struct store_program *program, const char *service, uint64_t seed, size_t n_nodes,
                        size_t depth)
{
    *program =
        (struct store_program){.service = service, .n_functions = n_nodes / 12 + 4, .n_nodes = n_nodes};
    program->n_threads = 6;
    program->min_depth = depth / 3;
    program->parent = calloc(n_nodes, sizeof(uint32_t));
    program->function = calloc(n_nodes, sizeof(uint32_t));
    program->line = calloc(n_nodes, sizeof(uint32_t));
    program->depth = calloc(n_nodes, sizeof(uint32_t));
    for (size_t i = 1; i < n_nodes; i++) {
        /* Mostly deeper, below what came last; now and then another branch. */
        uint64_t dice = store_random(&seed);
        size_t parent = dice % 4 ? i - 1 : (dice >> 8) % i;
        if (program->depth[parent] >= depth)
            parent = (dice >> 8) % (i / 2 + 1);
        program->parent[i] = (uint32_t)parent;
        program->depth[i] = program->depth[parent] + 1;
        program->function[i] = (uint32_t)(store_random(&seed) % program->n_functions);
        program->line[i] = (uint32_t)(store_random(&seed) % 4); /* calls are made on few lines */
    }
}

void store_program_release(struct store_program *program)
{
    free(program->parent);
    free(program->function);
    free(program->line);
    free(program->depth);
}

/* ---- a profile: arrays as large as they may have to be, in the profile's arena ---- */

struct maker {
    const struct store_program *program;
    const struct store_wish *wish;
    struct vg_profile *profile;
    struct vg_map strings, frames, stacks, rows; /* of the program's ids → ours + 1 */
    uint64_t random;
    bool is_out_of_memory;
};

static void *take(struct maker *maker, size_t n, size_t size)
{
    void *memory = vg_arena_new(&maker->profile->arena, n, size);
    maker->is_out_of_memory = maker->is_out_of_memory || !memory;
    return memory;
}

static struct vg_slice text(struct maker *maker, const char *format, unsigned long a, unsigned long b)
{
    char line[160];
    struct vg_slice copy = {"", 0};
    snprintf(line, sizeof line, format, a, b);
    if (vg_arena_copy(&maker->profile->arena, vg_slice_of(line), &copy))
        maker->is_out_of_memory = true;
    return copy;
}

static uint64_t *at(struct maker *maker, struct vg_map *map, uint64_t key)
{
    static uint64_t nowhere;
    uint64_t *value;
    bool is_new;
    if (vg_map_insert(map, key, &value, &is_new)) {
        maker->is_out_of_memory = true;
        nowhere = 1;
        return &nowhere;
    }
    return value;
}

enum { NAME = 1, FILE_NAME, THREAD };

static uint32_t string_of(struct maker *maker, int kind, unsigned long number)
{
    struct vg_profile *profile = maker->profile;
    uint64_t *id = at(maker, &maker->strings, (uint64_t)kind << 32 | number);
    if (!*id) {
        profile->strings[profile->n_strings] =
            kind == NAME ? text(maker, "Handler%lu.process_request_%lu", number % 37, number)
            : kind == FILE_NAME
                ? text(maker, "/usr/lib/python3/dist-packages/package_%lu/module_%lu.py", number % 11, number)
                : text(maker, "Worker-%lu\xc3\xa9", number, 0);
        *id = ++profile->n_strings;
    }
    return (uint32_t)*id - 1;
}

static uint32_t frame_of(struct maker *maker, uint32_t node)
{
    struct vg_profile *profile = maker->profile;
    uint32_t function = maker->program->function[node], line = maker->program->line[node];
    uint64_t *id = at(maker, &maker->frames, (uint64_t)function << 32 | line);
    if (!*id) {
        uint32_t first_line = function % 900 + 1;
        profile->frames[profile->n_frames] =
            (struct vg_frame){string_of(maker, NAME, function), string_of(maker, FILE_NAME, function / 9),
                              first_line, first_line + line};
        *id = ++profile->n_frames;
    }
    return (uint32_t)*id - 1;
}

static uint32_t stack_of(struct maker *maker, uint32_t node)
{
    struct vg_profile *profile = maker->profile;
    uint64_t key = UINT64_C(0xcbf29ce484222325);
    for (uint32_t i = node; i; i = maker->program->parent[i])
        key = vg_hash_u64(key ^ ((uint64_t)maker->program->function[i] << 32 | maker->program->line[i]));
    uint64_t *id = at(maker, &maker->stacks, key);
    if (!*id) {
        uint32_t end = profile->stack_start[profile->n_stacks];
        for (uint32_t i = node; i; i = maker->program->parent[i])
            profile->stack_frames[end++] = frame_of(maker, i);
        profile->stack_start[++profile->n_stacks] = end;
        *id = profile->n_stacks;
    }
    return (uint32_t)*id - 1;
}

static uint32_t pick_node(struct maker *maker)
{
    const struct store_program *program = maker->program;
    for (int tries = 0;; tries++) {
        /* The cube of a uniform number: some stacks are met in nearly every profile, most rarely. */
        double u = (double)(store_random(&maker->random) >> 11) * 0x1p-53;
        uint32_t node = (uint32_t)(u * u * u * (double)(program->n_nodes - 1)) + 1;
        node = (uint32_t)((uint64_t)node * 7919 % program->n_nodes); /* popular ones lie anywhere */
        if (program->depth[node] >= program->min_depth || tries > 20)
            return node;
    }
}

static void set_values(struct maker *maker, int64_t *values)
{
    uint64_t dice = store_random(&maker->random);
    size_t n = maker->profile->n_types;
    int64_t amount = (int64_t)(store_random(&maker->random) % 20000000) + 1;
    int64_t all[N_ALL_TYPES] = {0};
    if (dice % 10 < 6) {
        all[0] = 1 + (int64_t)(dice >> 8) % 3;
        all[1] = dice % 3 ? amount : 0;
        all[2] = amount + (int64_t)(dice >> 16) % 100000;
    } else if (dice % 10 < 9) {
        all[3] = (dice >> 8) % 2 ? amount / 16 * 16 : 0;
        all[4] = all[3] ? 1 + (int64_t)(dice >> 16) % 40 : 0;
        all[7] = 1 + (int64_t)(dice >> 24) % 9;
        all[8] = amount / 8 * 8;
    } else {
        all[5] = 1;
        all[6] = amount;
        all[9] = (dice >> 8) % 4 == 0;
    }
    for (size_t i = 0; i < n; i++)
        values[i] = all[i];
}

static void make_labels(struct maker *maker)
{
    struct vg_profile *profile = maker->profile;
    size_t n_threads = maker->program->n_threads, n_spans = maker->wish->n_events ? 5 : 0;
    uint32_t keys[4];
    const char *names[] = {"thread id", "thread name", "local root span id", "span id"};
    for (size_t i = 0; i < 4; i++) {
        keys[i] = (uint32_t)profile->n_strings;
        profile->strings[profile->n_strings++] = vg_slice_of(names[i]);
    }
    profile->labels_start = take(maker, n_threads + n_spans + 2, sizeof *profile->labels_start);
    profile->labels = take(maker, 2 * (n_threads + n_spans) + 1, sizeof *profile->labels);
    if (maker->is_out_of_memory)
        return;
    size_t n = 0;
    profile->n_label_sets = 1;
    for (size_t i = 0; i < n_threads + n_spans; i++) {
        bool is_thread = i < n_threads;
        int64_t number =
            is_thread ? (int64_t)(maker->wish->process * 100 + i) : (int64_t)store_random(&maker->random);
        profile->labels[n++] = (struct vg_profile_label){keys[is_thread ? 0 : 2], 0, number};
        if (is_thread)
            profile->labels[n++] = (struct vg_profile_label){keys[1], string_of(maker, THREAD, i), 0};
        else
            profile->labels[n++] = (struct vg_profile_label){keys[3], 0, number + 1};
        profile->labels_start[++profile->n_label_sets] = (uint32_t)n;
    }
}

static void make_rows(struct maker *maker)
{
    struct vg_profile *profile = maker->profile;
    for (size_t i = 0; i < maker->wish->n_rows && !maker->is_out_of_memory; i++) {
        uint32_t stack = stack_of(maker, i ? pick_node(maker) : 0); /* the first: without frames */
        uint32_t labels = (uint32_t)(store_random(&maker->random) % (maker->program->n_threads + 1));
        uint64_t *id = at(maker, &maker->rows, (uint64_t)stack << 32 | labels);
        if (*id || maker->is_out_of_memory)
            continue;
        profile->row_stack[profile->n_rows] = stack;
        profile->row_labels[profile->n_rows] = labels;
        int64_t *values = profile->row_values + profile->n_rows * profile->n_types;
        set_values(maker, values);
        for (size_t type = 0; type < profile->n_types; type++)
            profile->types[type].total += values[type];
        *id = ++profile->n_rows;
    }
}

static void make_events(struct maker *maker)
{
    struct vg_profile *profile = maker->profile;
    size_t n = profile->n_rows ? maker->wish->n_events : 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t dice = store_random(&maker->random);
        profile->event_row[i] = (uint32_t)(dice % profile->n_rows);
        profile->event_labels[i] =
            (uint32_t)((dice >> 32) % 3 ? 0 : maker->program->n_threads + 1 + (dice >> 40) % 5);
        profile->event_end_ns[i] = maker->wish->start_ns + (int64_t)(dice >> 20) % 60000 * VG_NS_PER_MS;
        set_values(maker, profile->event_values + i * profile->n_types);
    }
    profile->n_events = n;
}

static void make_tags(struct maker *maker)
{
    struct vg_profile *profile = maker->profile;
    const struct store_wish *wish = maker->wish;
    profile->tags = take(maker, 5, sizeof *profile->tags);
    if (maker->is_out_of_memory)
        return;
    struct vg_tag tags[] = {
        {VG_SLICE_LIT("env"), vg_slice_of(wish->env ? wish->env : "prod")},
        {VG_SLICE_LIT("host"), text(maker, "web-%lu", wish->process % 5, 0)},
        {VG_SLICE_LIT("runtime-id"), text(maker, "0000-%lu", wish->process, 0)},
        {VG_SLICE_LIT("service"), vg_slice_of(maker->program->service)},
        {VG_SLICE_LIT("version"), text(maker, "1.%lu", wish->process % 2, 0)},
    };
    memcpy(profile->tags, tags, sizeof tags);
    profile->n_tags = 5;
}

static void make_arrays(struct maker *maker)
{
    struct vg_profile *profile = maker->profile;
    const struct store_wish *wish = maker->wish;
    size_t deepest = 1, n = wish->n_rows;
    for (size_t i = 0; i < maker->program->n_nodes; i++)
        deepest = maker->program->depth[i] > deepest ? maker->program->depth[i] : deepest;
    size_t most_frames =
        n * deepest < maker->program->n_functions * 4 ? n * deepest : maker->program->n_functions * 4;
    profile->n_types = wish->n_types;
    profile->types = take(maker, wish->n_types, sizeof *profile->types);
    profile->strings = take(maker, maker->program->n_functions * 2 + 64, sizeof *profile->strings);
    profile->frames = take(maker, most_frames + 1, sizeof *profile->frames);
    profile->stack_start = take(maker, n + 2, sizeof *profile->stack_start);
    profile->stack_frames = take(maker, n * deepest + 1, sizeof *profile->stack_frames);
    profile->row_stack = take(maker, n, sizeof *profile->row_stack);
    profile->row_labels = take(maker, n, sizeof *profile->row_labels);
    profile->row_values = take(maker, n * wish->n_types, sizeof *profile->row_values);
    profile->event_row = take(maker, wish->n_events, sizeof *profile->event_row);
    profile->event_labels = take(maker, wish->n_events, sizeof *profile->event_labels);
    profile->event_end_ns = take(maker, wish->n_events, sizeof *profile->event_end_ns);
    profile->event_values = take(maker, wish->n_events * wish->n_types, sizeof *profile->event_values);
    if (maker->is_out_of_memory)
        return;
    memcpy(profile->types, all_types, wish->n_types * sizeof *profile->types);
    profile->strings[profile->n_strings++] = (struct vg_slice){"", 0};
}

struct vg_profile *store_make(const struct store_program *program, const struct store_wish *wish)
{
    struct vg_profile *profile = vg_alloc_zeroed(wish->alloc, 1, sizeof *profile);
    if (!profile)
        return NULL;
    struct maker maker = {.program = program, .wish = wish, .profile = profile, .random = wish->seed};
    vg_arena_init(&profile->arena, SIZE_MAX, wish->alloc);
    vg_map_init(&maker.strings, SIZE_MAX / 64, wish->alloc);
    vg_map_init(&maker.frames, SIZE_MAX / 64, wish->alloc);
    vg_map_init(&maker.stacks, SIZE_MAX / 64, wish->alloc);
    vg_map_init(&maker.rows, SIZE_MAX / 64, wish->alloc);
    profile->start_ns = wish->start_ns;
    profile->end_ns = wish->end_ns;
    profile->received_ns = wish->received_ns;
    uint64_t key[2] = {vg_hash_u64(wish->seed), wish->seed};
    memcpy(profile->key, key, sizeof key);
    void (*const steps[])(struct maker *) = {make_arrays, make_tags, make_labels, make_rows, make_events};
    for (size_t i = 0; i < sizeof steps / sizeof *steps && !maker.is_out_of_memory; i++)
        steps[i](&maker);
    profile->internal =
        text(&maker, "{\"samples\":%lu,\"profiler_cpu_ns\":%lu}", wish->n_rows, wish->seed % 100000);
    vg_map_release(&maker.strings);
    vg_map_release(&maker.frames);
    vg_map_release(&maker.stacks);
    vg_map_release(&maker.rows);
    if (maker.is_out_of_memory) {
        vg_profile_free(profile);
        return NULL;
    }
    return profile;
}

/* ---- describing ---- */

/* Lines gathered, then sorted. */
struct lines {
    char **items;
    size_t n, room;
};

static void add_line(struct lines *lines, struct vg_buf *line)
{
    if (lines->n == lines->room) {
        lines->room = lines->room * 2 + 64;
        lines->items = realloc(lines->items, lines->room * sizeof *lines->items);
    }
    vg_buf_byte(line, '\0');
    size_t len;
    lines->items[lines->n++] = vg_buf_detach(line, &len);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void finish_lines(struct lines *lines, struct vg_buf *out)
{
    if (lines->n)
        qsort(lines->items, lines->n, sizeof *lines->items, compare_lines);
    for (size_t i = 0; i < lines->n; i++) {
        vg_buf_text(out, lines->items[i]);
        vg_buf_byte(out, '\n');
        free(lines->items[i]);
    }
    free(lines->items);
}

static void describe_stack(struct vg_buf *out, const struct vg_slice *strings, const struct vg_frame *frames,
                           const uint32_t *stack, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct vg_frame *frame = &frames[stack[i]];
        vg_buf_slice(out, strings[frame->name]);
        vg_buf_byte(out, '|');
        vg_buf_slice(out, strings[frame->file]);
        vg_buf_printf(out, "|%u|%u;", frame->first_line, frame->line);
    }
}

static void describe_labels(struct vg_buf *out, const struct vg_profile *profile, uint32_t set)
{
    for (uint32_t i = profile->labels_start[set]; i < profile->labels_start[set + 1]; i++) {
        const struct vg_profile_label *label = &profile->labels[i];
        vg_buf_byte(out, ' ');
        vg_buf_slice(out, profile->strings[label->key]);
        vg_buf_byte(out, '=');
        vg_buf_slice(out, profile->strings[label->text]);
        vg_buf_printf(out, "/%lld", (long long)label->number);
    }
}

static void describe_row(struct vg_buf *out, const struct vg_profile *profile, uint32_t row)
{
    uint32_t stack = profile->row_stack[row];
    describe_stack(out, profile->strings, profile->frames,
                   profile->stack_frames + profile->stack_start[stack],
                   profile->stack_start[stack + 1] - profile->stack_start[stack]);
    describe_labels(out, profile, profile->row_labels[row]);
}

static void describe_values(struct vg_buf *out, const int64_t *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        vg_buf_printf(out, " %lld", (long long)values[i]);
}

static void describe_meta(const struct vg_profile *profile, struct vg_buf *out)
{
    for (size_t i = 0; i < sizeof profile->key; i++)
        vg_buf_printf(out, "%02x", profile->key[i]);
    vg_buf_printf(out, " %lld %lld %lld rows %zu events %zu\n", (long long)profile->start_ns,
                  (long long)profile->end_ns, (long long)profile->received_ns, profile->n_rows,
                  profile->n_events);
    for (size_t i = 0; i < profile->n_tags; i++) {
        vg_buf_slice(out, profile->tags[i].name);
        vg_buf_byte(out, ':');
        vg_buf_slice(out, profile->tags[i].value);
        vg_buf_byte(out, ' ');
    }
    for (size_t i = 0; i < profile->n_types; i++) {
        vg_buf_slice(out, profile->types[i].name);
        vg_buf_byte(out, '/');
        vg_buf_slice(out, profile->types[i].unit);
        vg_buf_printf(out, "=%lld ", (long long)profile->types[i].total);
    }
    vg_buf_slice(out, profile->internal);
    vg_buf_byte(out, '\n');
}

void store_describe_profile(const struct vg_profile *profile, struct vg_buf *out)
{
    struct lines lines = {0};
    struct vg_buf line;
    vg_buf_init(&line, SIZE_MAX, NULL);
    describe_meta(profile, out);
    for (uint32_t i = 0; i < profile->n_rows; i++) {
        describe_row(&line, profile, i);
        describe_values(&line, profile->row_values + i * profile->n_types, profile->n_types);
        add_line(&lines, &line);
    }
    for (uint32_t i = 0; i < profile->n_events; i++) {
        vg_buf_printf(&line, "@%lld ", (long long)profile->event_end_ns[i]);
        describe_row(&line, profile, profile->event_row[i]);
        describe_labels(&line, profile, profile->event_labels[i]);
        describe_values(&line, profile->event_values + i * profile->n_types, profile->n_types);
        add_line(&lines, &line);
    }
    finish_lines(&lines, out);
    vg_buf_release(&line);
}

void store_describe_merged(const struct vg_merged *merged, struct vg_buf *out)
{
    struct lines lines = {0};
    struct vg_buf line;
    vg_buf_init(&line, SIZE_MAX, NULL);
    vg_buf_slice(out, merged->unit);
    vg_buf_printf(out, " %zu profiles %lld ns total %lld\n", merged->n_profiles,
                  (long long)merged->duration_ns, (long long)merged->total);
    for (size_t i = 0; i < merged->n_stacks; i++) {
        describe_stack(&line, merged->strings, merged->frames, merged->stack_frames + merged->stack_start[i],
                       merged->stack_start[i + 1] - merged->stack_start[i]);
        vg_buf_printf(&line, " %lld", (long long)merged->values[i]);
        add_line(&lines, &line);
    }
    finish_lines(&lines, out);
    vg_buf_release(&line);
}

/* Where the value of a stack's line begins. */
static size_t value_at(const char *line, size_t len)
{
    while (len > 0 && line[len - 1] != ' ')
        len--;
    return len;
}

bool store_is_close(const struct vg_merged *a, const struct vg_merged *b)
{
    struct vg_buf x, y;
    vg_buf_init(&x, SIZE_MAX, NULL);
    vg_buf_init(&y, SIZE_MAX, NULL);
    store_describe_merged(a, &x);
    store_describe_merged(b, &y);
    vg_buf_byte(&x, '\0');
    vg_buf_byte(&y, '\0');
    bool is_close =
        a->n_stacks == b->n_stacks && a->n_profiles == b->n_profiles && a->duration_ns == b->duration_ns;
    const char *p = strchr(x.data, '\n') + 1, *q = strchr(y.data, '\n') + 1;
    while (is_close && *p && *q) {
        size_t m = strcspn(p, "\n"), n = strcspn(q, "\n"), i = value_at(p, m), j = value_at(q, n);
        long long difference = strtoll(p + i, NULL, 10) - strtoll(q + j, NULL, 10);
        is_close = i == j && memcmp(p, q, i) == 0 && difference >= -1 && difference <= 1;
        p += m + (p[m] == '\n');
        q += n + (q[n] == '\n');
    }
    is_close = is_close && !*p && !*q;
    vg_buf_release(&x);
    vg_buf_release(&y);
    return is_close;
}
