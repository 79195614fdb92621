/* vigil serve: Agent, store, API and page in one process on one machine. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "vigil/cli/commands.h"
#include "vigil/cli/log.h"
#include "vigil/cli/routes.h"
#include "vigil/cli/version.h"

#define MAX_LISTEN  16
#define PATH_BYTES  4096
#define DESCRIPTORS 65536
#define GRACE_NS    (5 * VG_NS_PER_S)
#define FIELDS(...)                                                                                          \
    (struct vg_log_field[]){__VA_ARGS__},                                                                    \
        sizeof((struct vg_log_field[]){__VA_ARGS__}) / sizeof(struct vg_log_field)
#define TEXT(key_, text_)     {.key = (key_), .text = (text_)}
#define NUMBER(key_, number_) {.key = (key_), .number = (int64_t)(number_)}

struct serve {
    struct vg_log log;
    const char *listen[MAX_LISTEN];
    size_t n_listen;
    char data[PATH_BYTES];
    int64_t retention_ns, max_disk_bytes, upload_ns;
    struct vg_store *store;
    struct vg_intake *intake;
    struct vg_api api;
    struct vg_http_route routes[VG_MAX_ROUTES];
    struct vg_http_server *http;
};

static bool set_listen(void *ctx, const char *value, char why[VG_WHY_BYTES])
{
    struct serve *serve = ctx;

    if (serve->n_listen == MAX_LISTEN) {
        snprintf(why, VG_WHY_BYTES, "at most %d addresses", MAX_LISTEN);
        return false;
    }
    if (vg_http_check_listen(value, why))
        return false;
    serve->listen[serve->n_listen++] = value;
    return true;
}

static bool set_data(void *ctx, const char *value, char why[VG_WHY_BYTES])
{
    struct serve *serve = ctx;

    if (*value && (size_t)snprintf(serve->data, sizeof serve->data, "%s", value) < sizeof serve->data)
        return true;
    snprintf(why, VG_WHY_BYTES, "a directory is needed, its path at most %d bytes long", PATH_BYTES - 1);
    return false;
}

static bool set_retention(void *ctx, const char *value, char why[VG_WHY_BYTES])
{
    return vg_parse_duration(value, &((struct serve *)ctx)->retention_ns, why);
}

static bool set_max_disk(void *ctx, const char *value, char why[VG_WHY_BYTES])
{
    return vg_parse_size(value, &((struct serve *)ctx)->max_disk_bytes, why);
}

static bool set_upload_timeout(void *ctx, const char *value, char why[VG_WHY_BYTES])
{
    struct serve *serve = ctx;

    if (!vg_parse_duration(value, &serve->upload_ns, why))
        return false;
    if (serve->upload_ns > 0)
        return true;
    snprintf(why, VG_WHY_BYTES, "it must be at least 1s");
    return false;
}

static bool set_log_level(void *ctx, const char *value, char why[VG_WHY_BYTES])
{
    if (vg_log_set_level(&((struct serve *)ctx)->log, value))
        return true;
    snprintf(why, VG_WHY_BYTES, "'%.60s' is none of debug, info, warn, error", value);
    return false;
}

static bool set_log_format(void *ctx, const char *value, char why[VG_WHY_BYTES])
{
    if (vg_log_set_format(&((struct serve *)ctx)->log, value))
        return true;
    snprintf(why, VG_WHY_BYTES, "'%.60s' is none of text, json", value);
    return false;
}

/* Where a program of this user keeps its data by convention; of a service without a home, where services do.
 */
static void default_data(struct serve *serve)
{
    const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    const char *base = xdg && xdg[0] == '/' ? xdg : home && home[0] == '/' ? home : "/var/lib";
    const char *below = base == home ? "/.local/share/vigil" : "/vigil";

    snprintf(serve->data, sizeof serve->data, "%s%s", base, below);
}

/* The directory and those above it, for us alone: profiles tell what a program does. */
static bool make_directories(struct serve *serve)
{
    for (char *p = serve->data + 1;; p++) {
        if (*p && *p != '/')
            continue;
        char was = *p;
        *p = 0;
        bool failed = mkdir(serve->data, 0700) && errno != EEXIST;
        if (failed)
            vg_log_write(&serve->log, VG_LOG_ERROR, "cannot make the data directory",
                         FIELDS(TEXT("path", serve->data), TEXT("error", strerror(errno))));
        *p = was;
        if (failed)
            return false;
        if (!was)
            return true;
    }
}

/* Each connection is a descriptor, and the store needs some too. */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= DESCRIPTORS)
        return;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void log_request(void *ctx, const struct vg_http_done *done)
{
    struct serve *serve = ctx;
    enum vg_log_level level = done->status >= 500   ? VG_LOG_WARN
                              : done->status >= 400 ? VG_LOG_INFO
                                                    : VG_LOG_DEBUG;
    struct vg_log_field fields[9];
    char id[17];
    size_t n = 0;

    if (!vg_log_takes(&serve->log, level))
        return;
    snprintf(id, sizeof id, "%016llx", (unsigned long long)done->id);
    fields[n++] = (struct vg_log_field)TEXT("request", id);
    fields[n++] = (struct vg_log_field)TEXT("method", done->method);
    fields[n++] = (struct vg_log_field)TEXT("path", done->path);
    fields[n++] = (struct vg_log_field)NUMBER("status", done->status);
    fields[n++] = (struct vg_log_field)NUMBER("bytes_in", done->request_bytes);
    fields[n++] = (struct vg_log_field)NUMBER("bytes_out", done->response_bytes);
    fields[n++] = (struct vg_log_field)NUMBER("us", done->duration_ns / VG_NS_PER_US);
    if (done->code) {
        fields[n++] = (struct vg_log_field)TEXT("code", done->code);
        fields[n++] = (struct vg_log_field)TEXT("error", done->message);
    }
    vg_log_write(&serve->log, level, done->status ? "request" : "client went away", fields, n);
}

static void log_notice(void *ctx, const char *sentence)
{
    vg_log_write(&((struct serve *)ctx)->log, VG_LOG_WARN, "store", FIELDS(TEXT("notice", sentence)));
}

static int fail(struct serve *serve, const char *what, const char *why)
{
    vg_log_write(&serve->log, VG_LOG_ERROR, what, FIELDS(TEXT("error", why)));
    return VG_EXIT_FAILED;
}

static void say_ready(struct serve *serve)
{
    char address[PATH_BYTES];

    for (size_t i = 0; i < serve->n_listen; i++) {
        unsigned port = vg_http_port(serve->http, i);
        int host_len = (int)(strrchr(serve->listen[i], ':') - serve->listen[i]);
        if (port)
            snprintf(address, sizeof address, "http://%.*s:%u/", host_len, serve->listen[i], port);
        else
            snprintf(address, sizeof address, "%s", serve->listen[i]);
        vg_log_write(&serve->log, VG_LOG_ALWAYS, "ready",
                     FIELDS(TEXT("page", address), TEXT("data", serve->data), TEXT("version", VG_VERSION)));
    }
}

static int start(struct serve *serve)
{
    char why[256] = "";
    struct vg_store_config store = {.directory = serve->data,
                                    .retention_ns = serve->retention_ns,
                                    .max_disk_bytes = serve->max_disk_bytes,
                                    .notice = log_notice,
                                    .notice_ctx = serve};

    if (!make_directories(serve))
        return VG_EXIT_FAILED;
    if (vg_store_open_sqlite(&store, &serve->store, why))
        return fail(serve, "cannot open the store", why);
    struct vg_intake_config intake = {
        .store = serve->store, .version = VG_VERSION, .git_commit = VG_GIT_COMMIT};
    if (vg_intake_new(&intake, &serve->intake))
        return fail(serve, "cannot start", "no memory");
    serve->api = (struct vg_api){.store = serve->store, .version = VG_VERSION};
    struct vg_http_config http = {.listen = serve->listen,
                                  .n_listen = serve->n_listen,
                                  .routes = serve->routes,
                                  .n_routes = vg_routes(serve->intake, &serve->api, serve->routes),
                                  .server_name = "vigil/" VG_VERSION,
                                  .on_done = log_request,
                                  .ctx = serve,
                                  .header_ns = serve->upload_ns,
                                  .stall_ns = serve->upload_ns,
                                  .upload_ns = serve->upload_ns};
    /* One option sets all three, but only makes the shorter two shorter. */
    if (http.header_ns > 30 * VG_NS_PER_S)
        http.header_ns = 0;
    if (http.stall_ns > 20 * VG_NS_PER_S)
        http.stall_ns = 0;
    if (vg_http_start(&http, &serve->http, why))
        return fail(serve, "cannot listen", why);
    return VG_EXIT_OK;
}

/* First the uploads that are under way, then what they left to commit. */
static void stop(struct serve *serve)
{
    vg_http_stop(serve->http, GRACE_NS);
    vg_store_free(serve->store);
    vg_intake_free(serve->intake);
}

static int run(int argc, char **argv)
{
    static const char *const default_listen = "127.0.0.1:8126";
    struct serve *serve = calloc(1, sizeof *serve);
    sigset_t signals;
    int status, signal_number;

    if (!serve)
        return VG_EXIT_FAILED;
    vg_log_init(&serve->log, STDERR_FILENO);
    default_data(serve);
    if (!vg_options_parse(&vg_command_serve, argc, argv, serve, &status))
        goto out;
    if (serve->n_listen == 0)
        serve->listen[serve->n_listen++] = default_listen;
    /* Every thread made later inherits the mask: signals come to this one, when it waits for them. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is then an error like a full disk */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    raise_descriptors();
    status = start(serve);
    if (status == VG_EXIT_OK) {
        say_ready(serve);
        sigwait(&signals, &signal_number);
        vg_log_write(&serve->log, VG_LOG_INFO, "stopping", FIELDS(TEXT("signal", strsignal(signal_number))));
        /* A second one ends the process at once, as signals do by default. */
        pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    }
    stop(serve);
    if (status == VG_EXIT_OK)
        vg_log_write(&serve->log, VG_LOG_INFO, "stopped", NULL, 0);
out:
    vg_log_release(&serve->log);
    free(serve);
    return status;
}

static const struct vg_option options[] = {
    {"--listen", "ADDR:PORT|unix:PATH",
     "Where to listen; may be given again. Default: 127.0.0.1:8126. Port 0: any free one.\n"
     "Only loopback addresses and Unix sockets: authentication is not built yet.",
     set_listen},
    {"--data", "DIR",
     "Where profiles are kept; made if it is not there. Default: $XDG_DATA_HOME/vigil,\n"
     "that is ~/.local/share/vigil; without a home /var/lib/vigil.",
     set_data},
    {"--retention", "TIME", "Delete what is older: 30d, 12h, 2w. Default: 0, keep for ever.", set_retention},
    {"--max-disk", "SIZE", "Delete the oldest when more is kept: 50G, 500M. Default: 0, no bound.",
     set_max_disk},
    {"--upload-timeout", "TIME", "How long a request may take to arrive. Default: 2m.", set_upload_timeout},
    {"--log-level", "LEVEL", "debug (each request), info, warn or error. Default: info.", set_log_level},
    {"--log-format", "FORMAT", "text (logfmt) or json. Default: text.", set_log_format},
};

const struct vg_command vg_command_serve = {
    .name = "serve",
    .summary = "Take profiles, keep them, show them.",
    .usage = "serve [OPTION]…",
    .intro = "Takes the profiles that profilers send, keeps them on this machine, and shows them in the\n"
             "browser. Stop it with Ctrl-C or SIGTERM: what was accepted is on disk already.\n"
             "\n"
             "examples:\n"
             "  vigil serve\n"
             "      then open http://127.0.0.1:8126/ and run: ddtrace-run python app.py\n"
             "  vigil serve --data /srv/vigil --retention 30d --max-disk 50G\n"
             "  vigil serve --listen 127.0.0.1:8126 --listen unix:/run/vigil/vigil.sock\n"
             "      profilers reach the socket with DD_TRACE_AGENT_URL=unix:///run/vigil/vigil.sock\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .run = run,
};
