/* Names of errors. */
#include "base/err.h"

const char *vg_err_name(enum vg_err err)
{
    switch (err) {
    case VG_OK:
        return "ok";
    case VG_ERR_NOMEM:
        return "out of memory";
    case VG_ERR_MALFORMED:
        return "malformed";
    case VG_ERR_LIMIT:
        return "over a limit";
    case VG_ERR_FULL:
        return "full";
    case VG_ERR_IO:
        return "input/output error";
    case VG_ERR_TIMEOUT:
        return "timed out";
    case VG_ERR_NOT_FOUND:
        return "not found";
    case VG_ERR_EXISTS:
        return "exists already";
    case VG_ERR_UNSUPPORTED:
        return "unsupported";
    case VG_ERR_CANCELLED:
        return "cancelled";
    }
    return "unknown error"; /* no default above, so that the compiler names a forgotten one */
}
