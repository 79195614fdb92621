/* Options of subcommands: one table says how they are parsed and what --help shows. Single-threaded. */
#ifndef VG_VIGIL_CLI_OPTIONS_H
#define VG_VIGIL_CLI_OPTIONS_H

#include "base/err.h"
#include "base/slice.h"

/* Exit statuses of every subcommand. */
enum vg_exit {
    VG_EXIT_OK = 0,
    VG_EXIT_FAILED = 1, /* it was understood, and did not work */
    VG_EXIT_USAGE = 2,  /* it was not understood, or is refused */
};

#define VG_WHY_BYTES 256

struct vg_option {
    const char *name;       /* "--data" */
    const char *value_name; /* "DIR"; every option takes a value */
    const char *help;       /* lines, separated by \n */
    /* False and a reason where the value is no good. */
    bool (*set)(void *ctx, const char *value, char why[VG_WHY_BYTES]);
};

struct vg_command {
    const char *name;    /* "serve" */
    const char *summary; /* one line */
    const char *usage;   /* after "usage: vigil " */
    const char *intro;   /* what it does, and examples */
    const struct vg_option *options;
    size_t n_options;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

/* Help on stdout. */
void vg_command_help(const struct vg_command *command);
/* True: go on. False: *status is what to exit with (help was shown, or the mistake was told on stderr). */
bool vg_options_parse(const struct vg_command *command, int argc, char **argv, void *ctx, int *status);

/* "30d", "12h", "90m", "45s", "2w", "0". */
bool vg_parse_duration(const char *text, int64_t *ns, char why[VG_WHY_BYTES]);
/* "50G", "500M", "64KiB": powers of 1,024; "0". */
bool vg_parse_size(const char *text, int64_t *bytes, char why[VG_WHY_BYTES]);

#endif
