/* Where one CPython version keeps what we read: facts only, in bytes. Each layout_X_Y.c fills one of these
 * from that version's own headers, and the build compiles exactly one of them; nothing else may depend on the
 * version.
 *
 * Positions are offsets from the start of the structure named first. VG_ABSENT: this version has no such
 * field.
 */
#ifndef VG_PROFILER_CPYTHON_LAYOUT_H
#define VG_PROFILER_CPYTHON_LAYOUT_H

#include <stdint.h>

#include "profiler/cpython/linetab.h"

#define VG_ABSENT UINT32_MAX

enum vg_walk {
    VG_WALK_NONE,   /* this version cannot be read */
    VG_WALK_HEAP,   /* 2.7 – 3.10: a chain of PyFrameObject on the heap */
    VG_WALK_INTERP, /* 3.11 –: _PyInterpreterFrame in data-stack chunks */
};

enum vg_instr {
    VG_INSTR_OFFSET,  /* the frame holds an int: bytes from the start of the bytecode */
    VG_INSTR_UNITS,   /* the same in code units of two bytes (3.10) */
    VG_INSTR_POINTER, /* the frame holds the address of the instruction */
};

struct vg_layout {
    enum vg_walk walk;

    uint32_t interp_threads; /* PyInterpreterState: head of the list of thread states */
    uint32_t interp_next_id; /* 64-bit: id that the next thread state will get */

    uint32_t tstate_bytes; /* PyThreadState: how much to copy to have all fields below */
    uint32_t tstate_next, tstate_interp;
    uint32_t tstate_id;        /* 64-bit, unique in the interpreter's life */
    uint32_t tstate_ident;     /* long: pthread_t */
    uint32_t tstate_native_id; /* long: kernel thread id */
    uint32_t tstate_frame;     /* pointer to the current frame … */
    uint32_t cframe_frame;     /* … or to a _PyCFrame on the C stack, which has it here (3.11, 3.12) */
    uint32_t tstate_chunk;     /* newest data-stack chunk */

    uint32_t frame_bytes; /* how much of a frame to copy to have all fields below */
    uint32_t frame_code, frame_back, frame_instr;
    enum vg_instr instr;
    uint32_t frame_state;    /* char … */
    uint8_t state_executing; /* … with this value while the frame runs (3.2 – 3.10) */
    uint32_t frame_owner;    /* char … */
    uint8_t owner_c_stack;   /* … with this value: an entry frame on the C stack, no code of its own */

    uint32_t code_bytes; /* PyCodeObject: how much to copy to have all fields below */
    uint32_t code_name, code_file;
    uint32_t code_flags;              /* int, CO_… */
    uint32_t code_qualname;           /* 3.11 – */
    uint32_t code_first_line;         /* int */
    uint32_t code_lines;              /* pointer to the bytes of the line table */
    uint32_t code_body;               /* the instructions themselves (3.11 –) */
    uint32_t code_frame_words;        /* int: size of its frames in pointers (3.12 –) … */
    uint32_t code_locals, code_stack; /* … or two ints that add up to it with … */
    uint32_t frame_fixed_words;       /* … so many (3.11) */
    uint32_t code_first_traceable;    /* int, in code units of 2 bytes: before it the frame is not complete */
    enum vg_linetab_kind linetab;
};

extern const struct vg_layout vg_layout;

#endif
