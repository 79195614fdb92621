#include "vigil/cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"

struct unit {
    const char *name;
    int64_t factor;
};

void vg_command_help(const struct vg_command *command)
{
    printf("usage: vigil %s\n\n%s", command->usage, command->intro);
    if (command->n_options)
        printf("\noptions:\n");
    for (size_t i = 0; i < command->n_options; i++) {
        const struct vg_option *option = &command->options[i];
        printf("  %s %s\n", option->name, option->value_name);
        for (const char *line = option->help; *line;) {
            int len = (int)strcspn(line, "\n");
            printf("      %.*s\n", len, line);
            line += len + (line[len] == '\n');
        }
    }
    if (command->n_options)
        printf("  --help\n      Show this.\n");
}

static const struct vg_option *find(const struct vg_command *command, const char *arg, size_t name_len)
{
    for (size_t i = 0; i < command->n_options; i++) {
        const char *name = command->options[i].name;
        if (strlen(name) == name_len && strncmp(name, arg, name_len) == 0)
            return &command->options[i];
    }
    return NULL;
}

bool vg_options_parse(const struct vg_command *command, int argc, char **argv, void *ctx, int *status)
{
    char why[VG_WHY_BYTES] = "";

    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        size_t name_len = strcspn(arg, "=");
        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            vg_command_help(command);
            *status = VG_EXIT_OK;
            return false;
        }
        const struct vg_option *option = find(command, arg, name_len);
        const char *value = arg[name_len] ? arg + name_len + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (!option)
            fprintf(stderr, "vigil %s: unknown %s '%s'\n", command->name,
                    arg[0] == '-' ? "option" : "argument", arg);
        else if (!value)
            fprintf(stderr, "vigil %s: %s needs a value: %s\n", command->name, arg, option->value_name);
        else if (!option->set(ctx, value, why))
            fprintf(stderr, "vigil %s: %s: %s\n", command->name, option->name, why);
        else
            continue;
        fprintf(stderr, "try 'vigil %s --help'\n", command->name);
        *status = VG_EXIT_USAGE;
        return false;
    }
    return true;
}

/* A whole number and one of the units. */
static bool parse_with_unit(const char *text, const struct unit *units, int64_t *value)
{
    char *end;

    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || errno || number < 0 || *text == '-' || *text == '+' || *text == ' ')
        return false;
    if (number == 0 && *end == 0) {
        *value = 0;
        return true;
    }
    for (; units->name; units++)
        if (strcasecmp(end, units->name) == 0)
            return !__builtin_mul_overflow(number, units->factor, value);
    return false;
}

bool vg_parse_duration(const char *text, int64_t *ns, char why[VG_WHY_BYTES])
{
    static const struct unit units[] = {
        {"s", VG_NS_PER_S},         {"m", 60 * VG_NS_PER_S},        {"h", 3600 * VG_NS_PER_S},
        {"d", 86400 * VG_NS_PER_S}, {"w", 7 * 86400 * VG_NS_PER_S}, {NULL, 0}};

    if (parse_with_unit(text, units, ns))
        return true;
    snprintf(why, VG_WHY_BYTES, "'%.60s' is no duration: write a whole number and s, m, h, d or w, like 30d",
             text);
    return false;
}

bool vg_parse_size(const char *text, int64_t *bytes, char why[VG_WHY_BYTES])
{
    static const int64_t k = 1024;
    const struct unit units[] = {{"B", 1},
                                 {"K", k},
                                 {"KB", k},
                                 {"KiB", k},
                                 {"M", k * k},
                                 {"MB", k * k},
                                 {"MiB", k * k},
                                 {"G", k * k * k},
                                 {"GB", k * k * k},
                                 {"GiB", k * k * k},
                                 {"T", k * k * k * k},
                                 {"TB", k * k * k * k},
                                 {"TiB", k * k * k * k},
                                 {NULL, 0}};

    if (parse_with_unit(text, units, bytes))
        return true;
    snprintf(why, VG_WHY_BYTES, "'%.60s' is no size: write a whole number and K, M, G or T, like 50G", text);
    return false;
}
