/* See selfcheck.h. The official side goes through attributes (f_back, f_code, f_lineno, co_name …), which
 * every version has, so that nothing here knows one version from another. */
#include <Python.h>

#include <stdlib.h>
#include <string.h>

#include "profiler/cpython/selfcheck.h"
#include "profiler/cpython/walk.h"

#define FRAMES_COMPARED 32u

struct check {
    struct vg_reader *reader;
    struct vg_raw_stack stack;
    char scratch[VG_CODE_SCRATCH_BYTES];
};

static enum vg_err find_self(struct vg_reader *reader, struct vg_thread_ref *self)
{
    struct vg_thread_ref *all;
    enum vg_err err = VG_ERR_UNSUPPORTED;
    const size_t cap = 4096;
    bool complete;
    all = calloc(cap, sizeof *all);
    if (!all)
        return VG_ERR_NOMEM;
    size_t n = vg_reader_threads(reader, all, cap, &complete);
    for (size_t i = 0; i < n; i++)
        if (all[i].tstate == (uintptr_t)PyThreadState_Get() && all[i].ident == (uint64_t)pthread_self() &&
            all[i].thread_id == vg_os_thread_id()) {
            *self = all[i];
            err = VG_OK;
        }
    free(all);
    return err;
}

static long attribute_long(PyObject *object, const char *name)
{
    PyObject *value = PyObject_GetAttrString(object, name);
    long result = value ? PyLong_AsLong(value) : -1;
    Py_XDECREF(value);
    return result;
}

static int text_equals(PyObject *object, const char *name, struct vg_slice text)
{
    PyObject *value = PyObject_GetAttrString(object, name);
    PyObject *bytes = value && PyUnicode_Check(value) ? PyUnicode_AsUTF8String(value) : NULL;
    if (value && !bytes) {
        /* 2.7's native str, or a name that has no UTF-8: compare lengths only where it can be had. */
        PyErr_Clear();
        bytes = PyBytes_Check(value) ? (Py_INCREF(value), value) : NULL;
    }
    int equal = !bytes || ((size_t)PyBytes_GET_SIZE(bytes) == text.len &&
                           memcmp(PyBytes_AS_STRING(bytes), text.data, text.len) == 0);
    Py_XDECREF(bytes);
    Py_XDECREF(value);
    return equal;
}

/* One raw frame against one official frame. */
static int frame_equals(struct check *check, const struct vg_raw_frame *raw, PyObject *frame)
{
    struct vg_code_text text;
    PyObject *code = PyObject_GetAttrString(frame, "f_code");
    int equal = 0;
    if (code && raw->code == (uintptr_t)code &&
        vg_reader_code(check->reader, raw->code, check->scratch, &text) == VG_OK) {
        int32_t line = vg_linetab_line(vg_reader_linetab(), (const uint8_t *)text.lines.data, text.lines.len,
                                       text.first_line, (int32_t)vg_reader_instr_offset(raw, text.body));
        equal =
            line == attribute_long(frame, "f_lineno") &&
            text.first_line == attribute_long(code, "co_firstlineno") &&
            text_equals(code, vg_layout.code_qualname == VG_ABSENT ? "co_name" : "co_qualname", text.name) &&
            text_equals(code, "co_filename", text.file);
    }
    Py_XDECREF(code);
    return equal;
}

/* Frames that are being set up are not shown by the official API (see vg_layout.code_first_traceable). */
static int is_hidden(struct check *check, const struct vg_raw_frame *raw)
{
    struct vg_code_text text;
    if (vg_reader_code(check->reader, raw->code, check->scratch, &text) != VG_OK)
        return 0;
    return text.first_traceable_bytes > 0 &&
           vg_reader_instr_offset(raw, text.body) < text.first_traceable_bytes;
}

static int stack_equals(struct check *check)
{
    PyObject *frame = (PyObject *)PyEval_GetFrame();
    Py_XINCREF(frame);
    uint32_t compared = 0;
    int equal = check->stack.end != VG_RAW_BROKEN && frame != NULL;
    for (uint32_t i = 0; equal && i < check->stack.n && compared < FRAMES_COMPARED; i++) {
        if (is_hidden(check, &check->stack.frames[i]))
            continue;
        equal = frame != NULL && frame != Py_None && frame_equals(check, &check->stack.frames[i], frame);
        PyObject *back = equal ? PyObject_GetAttrString(frame, "f_back") : NULL;
        Py_XDECREF(frame);
        frame = back;
        compared++;
    }
    equal = equal && compared > 0 && (compared == FRAMES_COMPARED || frame == Py_None);
    Py_XDECREF(frame);
    PyErr_Clear();
    return equal;
}

enum vg_err vg_selfcheck(struct vg_reader *reader, const char **why)
{
    uint64_t probe = UINT64_C(0x5649474947), copy = 0;
    if (vg_os_read((uintptr_t)&probe, &copy, sizeof copy) != VG_OK || copy != probe) {
        *why = "process_vm_readv on this process is forbidden here (a seccomp filter?)";
        return VG_ERR_UNSUPPORTED;
    }
    struct check *check = calloc(1, sizeof *check);
    struct vg_thread_ref self;
    *why = "out of memory";
    if (!check)
        return VG_ERR_NOMEM;
    check->reader = reader;
    enum vg_err err = find_self(reader, &self);
    *why = "this interpreter's threads do not lie where its headers say";
    if (err == VG_OK) {
        err = vg_reader_stack(reader, &self, VG_MAX_FRAMES, &check->stack);
        if (err == VG_OK && !stack_equals(check))
            err = VG_ERR_UNSUPPORTED;
        *why = "this interpreter's frames do not lie where its headers say";
    }
    free(check);
    return err == VG_OK || err == VG_ERR_NOMEM ? err : VG_ERR_UNSUPPORTED;
}
