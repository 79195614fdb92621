/* CPython 3.13. */
#define Py_BUILD_CORE 1
#include <Python.h>

#include <internal/pycore_frame.h>
#include <internal/pycore_interp.h>
#include <stddef.h>

#include "profiler/cpython/layout.h"

const struct vg_layout vg_layout = {
    .walk = VG_WALK_INTERP,
    .interp_threads = offsetof(PyInterpreterState, threads.head),
    .interp_next_id = offsetof(PyInterpreterState, threads.next_unique_id),
    .tstate_bytes = offsetof(PyThreadState, datastack_chunk) + sizeof(void *),
    .tstate_next = offsetof(PyThreadState, next),
    .tstate_interp = offsetof(PyThreadState, interp),
    .tstate_id = offsetof(PyThreadState, id),
    .tstate_ident = offsetof(PyThreadState, thread_id),
    .tstate_native_id = offsetof(PyThreadState, native_thread_id),
    .tstate_frame = offsetof(PyThreadState, current_frame),
    .cframe_frame = VG_ABSENT,
    .tstate_chunk = offsetof(PyThreadState, datastack_chunk),
    .frame_bytes = offsetof(_PyInterpreterFrame, localsplus),
    .frame_code = offsetof(_PyInterpreterFrame, f_executable),
    .frame_back = offsetof(_PyInterpreterFrame, previous),
    .frame_instr = offsetof(_PyInterpreterFrame, instr_ptr),
    .instr = VG_INSTR_POINTER,
    .frame_state = VG_ABSENT,
    .frame_owner = offsetof(_PyInterpreterFrame, owner),
    .owner_c_stack = FRAME_OWNED_BY_CSTACK,
    .code_bytes = offsetof(PyCodeObject, co_code_adaptive),
    .code_name = offsetof(PyCodeObject, co_name),
    .code_file = offsetof(PyCodeObject, co_filename),
    .code_flags = offsetof(PyCodeObject, co_flags),
    .code_qualname = offsetof(PyCodeObject, co_qualname),
    .code_first_line = offsetof(PyCodeObject, co_firstlineno),
    .code_lines = offsetof(PyCodeObject, co_linetable),
    .code_body = offsetof(PyCodeObject, co_code_adaptive),
    .code_frame_words = offsetof(PyCodeObject, co_framesize),
    .code_locals = VG_ABSENT,
    .code_stack = VG_ABSENT,
    .code_first_traceable = offsetof(PyCodeObject, _co_firsttraceable),
    .linetab = VG_LINETAB_LOCATIONS,
};
