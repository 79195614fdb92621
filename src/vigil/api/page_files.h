/* The page's files as the build put them into the binary (tools/embed_page.py writes page_files.c). */
#ifndef VG_VIGIL_API_PAGE_FILES_H
#define VG_VIGIL_API_PAGE_FILES_H

#include "base/slice.h"

struct vg_page_file {
    const char *path; /* as asked for: "/index.html", "/assets/…" */
    const char *content_type;
    const char *etag;      /* of the identity form, quotes included */
    const char *etag_gzip; /* NULL where gzip would not be smaller */
    struct vg_slice identity, gzip;
};

/* Sorted by path. Live as long as the program. */
extern const struct vg_page_file vg_page_files[];
extern const size_t vg_page_file_count;

#endif
