/* The subcommands of vigil, one file each. */
#ifndef VG_VIGIL_CLI_COMMANDS_H
#define VG_VIGIL_CLI_COMMANDS_H

#include "vigil/cli/options.h"

extern const struct vg_command vg_command_serve;

#endif
