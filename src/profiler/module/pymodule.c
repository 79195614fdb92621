/* ddtrace.profiling._core: what the Python package calls. Checks arguments, releases the GIL, calls core.c.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "profiler/module/core.h"
#include "profiler/os/os.h"

#define MAX_BODY_BYTES (64u << 20)

/* ---- the configuration dict ---- */

/* Borrowed references to the values, and new ones that keep text alive until the core has copied it. */
struct texts {
    PyObject *kept[16];
    size_t n;
};

static void drop_texts(struct texts *texts)
{
    for (size_t i = 0; i < texts->n; i++)
        Py_DECREF(texts->kept[i]);
}

static PyObject *get_item(PyObject *config, const char *key)
{
    PyObject *value = PyDict_GetItemString(config, key);
    return value == Py_None ? NULL : value;
}

/* "" where the key is missing or None; NULL with an exception where it is no text. */
static const char *get_text(PyObject *config, const char *key, struct texts *texts)
{
    PyObject *value = get_item(config, key), *bytes;
    if (!value)
        return "";
    if (PyUnicode_Check(value)) {
        bytes = PyUnicode_AsUTF8String(value);
        if (!bytes)
            return NULL;
    } else if (PyBytes_Check(value)) {
        Py_INCREF(value);
        bytes = value;
    } else {
        PyErr_Format(PyExc_TypeError, "%s must be text", key);
        return NULL;
    }
    texts->kept[texts->n++] = bytes;
    return PyBytes_AsString(bytes);
}

static double get_number(PyObject *config, const char *key, double fallback)
{
    PyObject *value = get_item(config, key);
    return value ? PyFloat_AsDouble(value) : fallback;
}

static bool get_flag(PyObject *config, const char *key, bool fallback)
{
    PyObject *value = get_item(config, key);
    return value ? PyObject_IsTrue(value) == 1 : fallback;
}

/* The clamps are those of the documentation; the package has warned already. */
static double clamp(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

static bool parse_config(PyObject *dict, struct vg_core_config *config, struct texts *texts)
{
    struct vg_sampler_config *sampler = &config->sampler;
    struct vg_upload_config *upload = &config->upload;
    sampler->sample_hz = (int)clamp(get_number(dict, "sample_hz", 100), 1, 10000);
    sampler->cpu_budget = clamp(get_number(dict, "cpu_budget", 1), 0, 100) / 100;
    sampler->max_frames = (uint32_t)clamp(get_number(dict, "max_frames", 512), 1, VG_MAX_FRAMES);
    sampler->window_ns = (int64_t)(clamp(get_number(dict, "upload_interval", 60), 0.1, 86400) * 1e9);
    sampler->first_window_ns = sampler->window_ns < 10 * VG_NS_PER_S ? sampler->window_ns : 10 * VG_NS_PER_S;
    sampler->has_timeline = get_flag(dict, "timeline", true);
    sampler->leaves_out_itself = get_flag(dict, "ignore_profiler", false);
    upload->api_timeout_ns =
        (int64_t)clamp(get_number(dict, "api_timeout_ms", 10000), 1, 3600000) * VG_NS_PER_MS;
    upload->url = get_text(dict, "url", texts);
    upload->tags = upload->url ? get_text(dict, "tags", texts) : NULL;
    upload->output_prefix = upload->tags ? get_text(dict, "output_pprof", texts) : NULL;
    upload->zlib_path = upload->output_prefix ? get_text(dict, "zlib_path", texts) : NULL;
    return upload->zlib_path && !PyErr_Occurred();
}

/* ---- functions ---- */

static PyObject *py_start(PyObject *self, PyObject *args)
{
    struct vg_core_config config = {0};
    struct vg_reader *reader = NULL;
    struct texts texts = {.n = 0};
    const char *why = "";
    PyObject *dict;
    enum vg_err err = VG_ERR_MALFORMED;
    (void)self;
    if (!PyArg_ParseTuple(args, "O!:start", &PyDict_Type, &dict))
        return NULL;
    if (!parse_config(dict, &config, &texts))
        goto out;
    if (!get_flag(dict, "stack_enabled", true)) {
        PyErr_SetString(PyExc_RuntimeError,
                        "DD_PROFILING_STACK_ENABLED is false: there is nothing to profile");
        goto out;
    }
    err = VG_OK;
    if (!vg_core_is_running()) {
        err = vg_reader_open(&reader, &why);
        if (err != VG_OK)
            PyErr_SetString(PyExc_RuntimeError, why);
    }
    if (err == VG_OK && reader) {
        err = vg_core_start(&config, reader);
        if (err == VG_ERR_MALFORMED)
            PyErr_Format(PyExc_RuntimeError, "the Agent's address is not a URL we know: %.200s",
                         config.upload.url);
        else if (err != VG_OK)
            PyErr_Format(PyExc_RuntimeError, "the profiler could not start (%s)", vg_err_name(err));
    }
out:
    drop_texts(&texts);
    if (err != VG_OK)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *py_stop(PyObject *self, PyObject *args)
{
    double timeout_s = 2.0;
    (void)self;
    if (!PyArg_ParseTuple(args, "|d:stop", &timeout_s))
        return NULL;
    int64_t timeout_ns = (int64_t)(clamp(timeout_s, 0, 3600) * 1e9);
    Py_BEGIN_ALLOW_THREADS vg_core_stop(timeout_ns);
    Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

static PyObject *py_running(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    return PyBool_FromLong(vg_core_is_running());
}

static PyObject *py_thread_name(PyObject *self, PyObject *args)
{
    unsigned long ident;
    int thread_id;
    PyObject *name, *bytes = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "kiO:thread_name", &ident, &thread_id, &name))
        return NULL;
    if (PyUnicode_Check(name)) {
        bytes = PyUnicode_AsUTF8String(name);
    } else if (PyBytes_Check(name)) {
        Py_INCREF(name);
        bytes = name;
    } else {
        PyErr_SetString(PyExc_TypeError, "a thread's name must be text");
    }
    if (!bytes)
        return NULL;
    if (thread_id == 0 && ident == (unsigned long)pthread_self())
        thread_id = vg_os_thread_id();
    vg_core_name_thread(ident, thread_id,
                        (struct vg_slice){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)});
    Py_DECREF(bytes);
    Py_RETURN_NONE;
}

static PyObject *py_fork_before(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    Py_BEGIN_ALLOW_THREADS vg_core_before_fork();
    Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

static PyObject *py_fork_parent(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    vg_core_after_fork_parent();
    Py_RETURN_NONE;
}

static PyObject *py_fork_child(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    vg_core_after_fork_child();
    Py_RETURN_NONE;
}

/* What around_fork returns; self is the function that it stands for. */
static PyObject *call_around_fork(PyObject *self, PyObject *args, PyObject *kwargs)
{
    pid_t parent = getpid();
    PyThreadState *state = PyEval_SaveThread();
    vg_core_before_fork();
    PyEval_RestoreThread(state);
    PyObject *result = PyObject_Call(self, args, kwargs);
    if (getpid() == parent) /* the child has forgotten all about it */
        vg_core_after_fork_parent();
    return result;
}

#define AROUND_FORK(name)                                                                                    \
    {name, (PyCFunction)(void (*)(void))call_around_fork, METH_VARARGS | METH_KEYWORDS,                      \
     "The function of that name, without the profiler's threads until it returns."}

static PyObject *py_around_fork(PyObject *self, PyObject *args)
{
    static PyMethodDef wrappers[] = {AROUND_FORK("fork"), AROUND_FORK("forkpty")};
    const char *name;
    PyObject *original;
    (void)self;
    if (!PyArg_ParseTuple(args, "sO:around_fork", &name, &original))
        return NULL;
    for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0]; i++)
        if (strcmp(name, wrappers[i].ml_name) == 0)
            return PyCFunction_New(&wrappers[i], original);
    PyErr_Format(PyExc_ValueError, "%.50s does not fork", name);
    return NULL;
}

static PyObject *py_info(PyObject *self, PyObject *unused)
{
    struct vg_core_info info = vg_core_get_info();
    const struct vg_upload_counters *u = &info.upload;
    (void)self, (void)unused;
    return Py_BuildValue(
        "{s:O,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:I,s:i}", "running", info.is_running ? Py_True : Py_False,
        "windows", (unsigned long long)info.windows, "uploads_sent", (unsigned long long)u->sent,
        "uploads_retried", (unsigned long long)u->retried, "uploads_refused", (unsigned long long)u->refused,
        "uploads_dropped", (unsigned long long)u->dropped_oldest, "encode_failed",
        (unsigned long long)u->failed_encode, "output_failed", (unsigned long long)u->failed_output,
        "bytes_sent", (unsigned long long)u->bytes, "upload_cpu_ns", (unsigned long long)u->cpu_ns,
        "uploads_queued", (unsigned)u->queued, "last_status", u->last_status);
}

#if PY_MAJOR_VERSION >= 3
#define BYTES_AND_TEXT "(y#s#K)"
#else
#define BYTES_AND_TEXT "(s#s#K)"
#endif

static PyObject *py_next_upload(PyObject *self, PyObject *args)
{
    double timeout_s = 0;
    uint64_t seq = 0;
    struct vg_buf body, type;
    PyObject *result = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "|d:next_upload", &timeout_s))
        return NULL;
    vg_buf_init(&body, MAX_BODY_BYTES, NULL);
    vg_buf_init(&type, 1024, NULL);
    int64_t timeout_ns = (int64_t)(clamp(timeout_s, 0, 3600) * 1e9);
    enum vg_err err;
    Py_BEGIN_ALLOW_THREADS err = vg_core_next_upload(timeout_ns, &body, &type, &seq);
    Py_END_ALLOW_THREADS if (err == VG_OK) result =
        Py_BuildValue(BYTES_AND_TEXT, body.data, (Py_ssize_t)body.len, type.data, (Py_ssize_t)type.len,
                      (unsigned long long)seq);
    else result = (Py_INCREF(Py_None), Py_None);
    vg_buf_release(&body);
    vg_buf_release(&type);
    return result;
}

static PyObject *py_upload_done(PyObject *self, PyObject *args)
{
    unsigned long long seq;
    int verdict;
    (void)self;
    if (!PyArg_ParseTuple(args, "Ki:upload_done", &seq, &verdict))
        return NULL;
    if (verdict < VG_UPLOAD_ACCEPTED || verdict > VG_UPLOAD_REFUSED) {
        PyErr_SetString(PyExc_ValueError, "verdict is 0 (accepted), 1 (retry) or 2 (refused)");
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS vg_core_upload_done(seq, (enum vg_upload_verdict)verdict);
    Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"start", py_start, METH_VARARGS,
     "start(config): profile this process. RuntimeError(reason) where that cannot be."},
    {"stop", py_stop, METH_VARARGS,
     "stop(timeout_s=2.0): stop, and send what is left for at most that long."},
    {"running", py_running, METH_NOARGS, "running() -> bool"},
    {"thread_name", py_thread_name, METH_VARARGS,
     "thread_name(ident, native_id, name): native_id 0 is the caller's own, or not known."},
    {"fork_before", py_fork_before, METH_NOARGS, "Stops the profiler's threads; for os.register_at_fork."},
    {"fork_parent", py_fork_parent, METH_NOARGS, "Starts them again in the parent."},
    {"fork_child", py_fork_child, METH_NOARGS, "Forgets the parent's profile in the child."},
    {"around_fork", py_around_fork, METH_VARARGS,
     "around_fork(name, f): f, with the profiler's threads stopped until it returns."},
    {"info", py_info, METH_NOARGS, "info() -> dict of counters"},
    {"next_upload", py_next_upload, METH_VARARGS,
     "next_upload(timeout_s) -> (body, content_type, seq) or None"},
    {"upload_done", py_upload_done, METH_VARARGS,
     "upload_done(seq, verdict): 0 accepted, 1 retry, 2 refused"},
    {NULL, NULL, 0, NULL},
};

/* Before 3.9 PyMODINIT_FUNC does not undo -fvisibility=hidden. */
#define EXPORTED __attribute__((visibility("default")))

#if PY_MAJOR_VERSION >= 3

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT,
                                    "ddtrace.profiling._core",
                                    "The native profiler.",
                                    -1,
                                    methods,
                                    NULL,
                                    NULL,
                                    NULL,
                                    NULL};

EXPORTED PyMODINIT_FUNC PyInit__core(void);
EXPORTED PyMODINIT_FUNC PyInit__core(void)
{
    if (vg_core_init() != VG_OK)
        return PyErr_NoMemory();
    return PyModule_Create(&module);
}

#else

EXPORTED PyMODINIT_FUNC init_core(void);
EXPORTED PyMODINIT_FUNC init_core(void)
{
    if (vg_core_init() != VG_OK)
        PyErr_NoMemory();
    else
        Py_InitModule3("ddtrace.profiling._core", methods, "The native profiler.");
}

#endif
