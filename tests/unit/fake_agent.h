/* A real server on a real socket for tests of the upload: one thread, one connection at a time, each treated
 * as the script says (the last line of the script counts for all that follow). */
#ifndef VG_TESTS_FAKE_AGENT_H
#define VG_TESTS_FAKE_AGENT_H

#include "base/buf.h"

#include <pthread.h>
#include <stdatomic.h>

enum agent_manner {
    AGENT_ANSWER, /* read all, answer text, close */
    AGENT_EARLY,  /* answer text at the head, read nothing more, close */
    AGENT_DRIP,   /* as ANSWER, a byte at a time */
    AGENT_CLOSE,  /* read all, close */
    AGENT_HANG,   /* read all, say nothing until stopped or the peer leaves */
};

struct agent_step {
    enum agent_manner manner;
    const char *text;
};

struct agent {
    const struct agent_step *script;
    size_t n_steps;
    int listener;
    char url[160];
    pthread_t thread;
    atomic_bool stop;
    atomic_int accepted;   /* connections */
    atomic_int completed;  /* requests read to their end */
    pthread_mutex_t lock;  /* guards request */
    struct vg_buf request; /* the last complete one: head and body */
};

#define AGENT_OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

/* unix_path NULL: TCP on a free port of loopback. */
void agent_start(struct agent *agent, const struct agent_step *script, size_t n_steps, const char *unix_path);
void agent_stop(struct agent *agent);

/* The number of this process's socket that is connected to the agent, or -1: not there, or not in this
 * thread's table. */
int agent_connected_number(const struct agent *agent);

/* Waits up to 5 s until *counter is at least n; whether it is. */
bool reaches(const atomic_int *counter, int n);

#endif
