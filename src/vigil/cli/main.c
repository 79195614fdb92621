/* vigil: finds the subcommand and runs it. */
#include <stdio.h>

#include "vigil/cli/commands.h"
#include "vigil/cli/version.h"

static const struct vg_command *const commands[] = {&vg_command_serve};

static const struct vg_command *find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static void usage(FILE *out)
{
    fprintf(out, "usage: vigil COMMAND [OPTION]…\n\n"
                 "Continuous profiling for Python: takes profiles, keeps them, shows them in the browser.\n\n"
                 "commands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "  %-8s %s\n  %-8s %s\n\n'vigil COMMAND --help' tells more of each.\n", "help",
            "Show this, or the help of a command.", "version", "Show the version.");
}

static int unknown(const char *name)
{
    fprintf(stderr, "vigil: unknown command '%s'\n", name);
    usage(stderr);
    return VG_EXIT_USAGE;
}

static int help(int argc, char **argv)
{
    if (argc < 2) {
        usage(stdout);
        return VG_EXIT_OK;
    }
    const struct vg_command *command = find(argv[1]);
    if (!command)
        return unknown(argv[1]);
    vg_command_help(command);
    return VG_EXIT_OK;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;

    if (!name) {
        usage(stderr);
        return VG_EXIT_USAGE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return help(argc - 1, argv + 1);
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        printf("vigil %s (%s)\n", VG_VERSION, VG_GIT_COMMIT);
        return VG_EXIT_OK;
    }
    const struct vg_command *command = find(name);
    return command ? command->run(argc - 1, argv + 1) : unknown(name);
}
