/* Errors: one enum for both programs.
 *
 * A fallible function returns enum vg_err, which the caller must look at; results go through the last pointer
 * arguments and are untouched on error. Any thread.
 */
#ifndef VG_BASE_ERR_H
#define VG_BASE_ERR_H

#define VG_MUST_USE          __attribute__((warn_unused_result))
#define VG_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum vg_err {
    VG_OK = 0,
    VG_ERR_NOMEM,       /* an allocation failed */
    VG_ERR_MALFORMED,   /* input is not what its format says */
    VG_ERR_LIMIT,       /* input is larger, deeper or longer than we accept */
    VG_ERR_FULL,        /* a bounded structure of ours, or the disk, has no room */
    VG_ERR_IO,          /* the operating system refused: see errno where documented */
    VG_ERR_TIMEOUT,     /* a deadline passed */
    VG_ERR_NOT_FOUND,   /* no such thing */
    VG_ERR_EXISTS,      /* it is there already */
    VG_ERR_UNSUPPORTED, /* known, but not on this machine, version or build */
    VG_ERR_CANCELLED,   /* we were asked to stop */
};

/* A short lower-case name ("malformed"), never NULL, static storage. */
const char *vg_err_name(enum vg_err err);

#endif
