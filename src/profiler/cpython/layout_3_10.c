/* CPython 3.10. */
#define Py_BUILD_CORE 1
#include <Python.h>

#include <frameobject.h>
#include <internal/pycore_interp.h>
#include <stddef.h>

#include "profiler/cpython/layout.h"

const struct vg_layout vg_layout = {
    .walk = VG_WALK_HEAP,
    .interp_threads = offsetof(PyInterpreterState, tstate_head),
    .interp_next_id = offsetof(PyInterpreterState, tstate_next_unique_id),
    .tstate_bytes = offsetof(PyThreadState, id) + sizeof(uint64_t),
    .tstate_next = offsetof(PyThreadState, next),
    .tstate_interp = offsetof(PyThreadState, interp),
    .tstate_id = offsetof(PyThreadState, id),
    .tstate_ident = offsetof(PyThreadState, thread_id),
    .tstate_native_id = VG_ABSENT,
    .tstate_frame = offsetof(PyThreadState, frame),
    .cframe_frame = VG_ABSENT,
    .tstate_chunk = VG_ABSENT,
    .frame_bytes = offsetof(PyFrameObject, f_state) + 1,
    .frame_code = offsetof(PyFrameObject, f_code),
    .frame_back = offsetof(PyFrameObject, f_back),
    .frame_instr = offsetof(PyFrameObject, f_lasti),
    .instr = VG_INSTR_UNITS,
    .frame_state = offsetof(PyFrameObject, f_state),
    .state_executing = FRAME_EXECUTING,
    .frame_owner = VG_ABSENT,
    .code_bytes = offsetof(PyCodeObject, co_linetable) + sizeof(void *),
    .code_name = offsetof(PyCodeObject, co_name),
    .code_file = offsetof(PyCodeObject, co_filename),
    .code_flags = offsetof(PyCodeObject, co_flags),
    .code_qualname = VG_ABSENT,
    .code_first_line = offsetof(PyCodeObject, co_firstlineno),
    .code_lines = offsetof(PyCodeObject, co_linetable),
    .code_body = VG_ABSENT,
    .code_frame_words = VG_ABSENT,
    .code_locals = VG_ABSENT,
    .code_stack = VG_ABSENT,
    .code_first_traceable = VG_ABSENT,
    .linetab = VG_LINETAB_RANGES,
};
