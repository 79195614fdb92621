/* ddtrace-run: puts the bootstrap directory at the head of PYTHONPATH and becomes the command.
 *
 * Native and not a Python script, because a Python in between costs its start-up and leaves traces in the
 * command: it ignores SIGPIPE and may set LC_CTYPE, which are inherited, and a #! line cannot hold a path
 * with a space. This program changes PYTHONPATH and what its options say, nothing else; exit status and
 * signals are the command's own. It starts no Python but for --info. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACKAGE   "ddtrace"
#define BOOTSTRAP "/bootstrap"

/* As env(1). */
enum { EXIT_USAGE = 2, EXIT_REFUSED = 1, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

static const char usage[] =
    "usage: ddtrace-run [OPTION]... COMMAND [ARGUMENT]...\n"
    "\n"
    "Runs a Python program under the profiler, for example:\n"
    "  DD_PROFILING_ENABLED=true ddtrace-run python app.py\n"
    "\n"
    "  -p, --profiling  as DD_PROFILING_ENABLED=true\n"
    "  -d, --debug      say on standard error what the profiler does\n"
    "  -i, --info       print the settings and whether profiling works here, and exit\n"
    "  -v, --version    print the version and exit\n"
    "  -h, --help       print this and exit\n";

static bool is_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The directory of this very file, links resolved. */
static bool own_directory(char *dir)
{
    ssize_t len = readlink("/proc/self/exe", dir, PATH_MAX - 1);
    char *slash;

    if (len <= 0)
        return false;
    dir[len] = '\0';
    slash = strrchr(dir, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return true;
}

/* Where pip puts packages as seen from where it puts programs: virtual environments, --user, --prefix,
 * distributions' Pythons, and --target. */
static bool find_package(const char *dir, char *package)
{
    static const char *const places[] = {
        "../lib/" VG_PYTHON "/site-packages",   "../lib/" VG_PYTHON "/dist-packages",
        "../lib64/" VG_PYTHON "/site-packages", "..",
        "../lib/python3/dist-packages",
    };
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        int len = snprintf(path, sizeof(path), "%s/%s/" PACKAGE "/_version.py", dir, places[i]);
        if (len > 0 && (size_t)len < sizeof(path) && access(path, R_OK) == 0) {
            *strrchr(path, '/') = '\0';
            return realpath(path, package) != NULL;
        }
    }
    return false;
}

/* The hosted product's own distribution has this directory in the same place; ours never has. */
static bool is_mixed(const char *package)
{
    char path[PATH_MAX + 16];

    snprintf(path, sizeof(path), "%s/internal", package);
    return is_directory(path);
}

/* Only replaces this process; returns where it could not. */
static void run_info(const char *dir)
{
    static const char *const names[] = {VG_PYTHON, "python3", "python"};
    char path[PATH_MAX + 16];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        execl(path, path, "-m", PACKAGE ".commands.info", (char *)NULL);
    }
    execlp(VG_PYTHON, VG_PYTHON, "-m", PACKAGE ".commands.info", (char *)NULL);
}

static bool prepend_to_pythonpath(const char *package)
{
    const char *before = getenv("PYTHONPATH");
    size_t size = strlen(package) + sizeof(BOOTSTRAP) + 1 + (before ? strlen(before) : 0);
    char *value = malloc(size);
    bool done;

    if (!value)
        return false;
    snprintf(value, size, "%s" BOOTSTRAP "%s%s", package, before && before[0] ? ":" : "",
             before ? before : "");
    done = setenv("PYTHONPATH", value, 1) == 0;
    free(value);
    return done;
}

static int become(char **command)
{
    execvp(command[0], command);
    fprintf(stderr, "ddtrace-run: cannot run '%s': %s\n", command[0], strerror(errno));
    return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

static int refuse(const char *why, const char *where)
{
    fprintf(stderr, "ddtrace-run: %s%s\n", why, where);
    return EXIT_REFUSED;
}

struct options {
    bool info;
    int status; /* to exit with at once, or -1 */
    int n;      /* words used */
};

static bool is_option(const char *word, const char *brief, const char *full)
{
    return strcmp(word, brief) == 0 || strcmp(word, full) == 0;
}

static struct options parse(int argc, char **argv)
{
    struct options options = {.status = -1, .n = 1};

    for (; options.n < argc && argv[options.n][0] == '-'; options.n++) {
        const char *word = argv[options.n];
        if (strcmp(word, "--") == 0) {
            options.n++;
            break;
        }
        if (is_option(word, "-p", "--profiling")) {
            setenv("DD_PROFILING_ENABLED", "true", 1);
        } else if (is_option(word, "-d", "--debug")) {
            setenv("DD_TRACE_DEBUG", "true", 1);
        } else if (is_option(word, "-i", "--info")) {
            options.info = true;
        } else if (is_option(word, "-v", "--version")) {
            options.status = puts("ddtrace-run " VG_VERSION " (vigil-profiler)") < 0;
            return options;
        } else if (is_option(word, "-h", "--help")) {
            options.status = fputs(usage, stdout) < 0;
            return options;
        } else {
            fprintf(stderr, "ddtrace-run: there is no option '%s'\n\n%s", word, usage);
            options.status = EXIT_USAGE;
            return options;
        }
    }
    return options;
}

int main(int argc, char **argv)
{
    char dir[PATH_MAX], package[PATH_MAX];
    struct options options = parse(argc, argv);

    if (options.status >= 0)
        return options.status;
    if (!options.info && options.n == argc) {
        fprintf(stderr, "ddtrace-run: which command?\n\n%s", usage);
        return EXIT_USAGE;
    }
    if (!own_directory(dir) || !find_package(dir, package))
        return refuse("the Python package that belongs to it is not installed beside ", dir);
    if (is_mixed(package))
        return refuse(
            "another distribution is installed over this one; keep one of the two (pip uninstall ddtrace "
            "vigil-profiler, then install that one): ",
            package);
    if (strchr(package, ':'))
        return refuse("PYTHONPATH cannot name a directory with a colon: ", package);
    if (options.info) {
        run_info(dir);
        return refuse("no Python found beside it: ", dir);
    }
    if (!prepend_to_pythonpath(package))
        return refuse("out of memory", "");
    return become(argv + options.n);
}
