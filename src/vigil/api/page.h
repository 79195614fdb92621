/* The page: the files built into the binary, over HTTP. Client-side addresses answer the document. */
#ifndef VG_VIGIL_API_PAGE_H
#define VG_VIGIL_API_PAGE_H

#include "vigil/http/http.h"

enum { VG_PAGE_ROUTES = 4 };

/* Any thread. Writes at most cap routes (VG_PAGE_ROUTES are needed) and gives how many. */
size_t vg_page_routes(struct vg_http_route *out, size_t cap);

#endif
