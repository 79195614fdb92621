/* A CPython that we have no facts about: it builds and installs, and says at run time that it cannot be
 * profiled. */
#include "profiler/cpython/layout.h"

const struct vg_layout vg_layout = {.walk = VG_WALK_NONE};
