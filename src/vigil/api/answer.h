/* What all resources share: reading the question, and answering. Any thread. */
#ifndef VG_VIGIL_API_ANSWER_H
#define VG_VIGIL_API_ANSWER_H

#include "vigil/api/api.h"
#include "vigil/query/search.h"
#include "vigil/query/select.h"

#define VG_API_MAX_ANSWER_BYTES ((size_t)256 << 20)

/* What every answer of the API carries; call it first. */
void vg_api_begin(struct vg_http_exchange *x);

/* q, from and to. */
struct vg_api_question {
    struct vg_time_range range;
    struct vg_search *search;
    struct vg_selection selection; /* borrows search */
};

/* False: the parameters were bad, and the exchange is answered. Release what was made only on true. */
bool vg_api_question_init(struct vg_api_question *question, const struct vg_api *api,
                          struct vg_http_exchange *x);
void vg_api_question_release(struct vg_api_question *question);

/* A whole number from 1 to most. */
bool vg_api_read_count(const char *text, size_t most, size_t *count);

/* 200 with body, which it takes; gzipped where the client takes it and it is worth it. A body that failed
 * becomes the error it met. */
void vg_api_reply(struct vg_http_exchange *x, const char *content_type, struct vg_buf *body);
/* As that, for bytes that are compressed already. name is offered as the file's name, followed by suffix. */
void vg_api_reply_file(struct vg_http_exchange *x, struct vg_slice name, const char *suffix,
                       struct vg_buf *body);

/* Answers for an error of the store or the query engine. */
void vg_api_fail(struct vg_http_exchange *x, enum vg_err err);
/* 400 for a parameter. */
void vg_api_bad_parameter(struct vg_http_exchange *x, const char *parameter, const char *hint,
                          const char *why);

#endif
