/* See deaths.h. A ring of addresses: the dying side (GIL held, in several interpreters at once) claims a
 * place with one atomic add; the sampler empties it once a tick. */
#include <Python.h>

#include <stdatomic.h>
#include <stdbool.h>

#include "profiler/cpython/deaths.h"

#define PLACES 4096u

static struct {
    _Atomic uint64_t claimed; /* places handed out since the start */
    uint64_t drained;         /* of these, looked at; the drainer's own */
    _Atomic uintptr_t code[PLACES];
    bool hooked;
} ring;

static void record(uintptr_t code)
{
    uint64_t at = atomic_fetch_add(&ring.claimed, 1);
    atomic_store(&ring.code[at % PLACES], code);
}

void vg_deaths_drain(void (*died)(void *ctx, uintptr_t code), void (*lost_count)(void *ctx), void *ctx)
{
    uint64_t end = atomic_load(&ring.claimed);
    if (!ring.hooked) {
        lost_count(ctx);
        return;
    }
    if (end - ring.drained > PLACES) {
        for (unsigned i = 0; i < PLACES; i++)
            atomic_store(&ring.code[i], 0);
        ring.drained = end;
        lost_count(ctx);
        return;
    }
    while (ring.drained < end) {
        uintptr_t code = atomic_exchange(&ring.code[ring.drained % PLACES], 0);
        if (code == 0)
            return; /* claimed, not yet written: next time */
        ring.drained++;
        died(ctx, code);
    }
}

#if PY_VERSION_HEX >= 0x030c0000

static int on_event(PyCodeEvent event, PyCodeObject *code)
{
    if (event == PY_CODE_EVENT_DESTROY)
        record((uintptr_t)code);
    return 0;
}

void vg_deaths_hook(void)
{
    if (ring.hooked)
        return;
    /* All eight places taken by others: then nothing is remembered from one tick to the next. */
    if (PyCode_AddWatcher(on_event) < 0)
        PyErr_Clear();
    else
        ring.hooked = true;
}

#else

static destructor code_dealloc;

static void on_dealloc(PyObject *code)
{
    record((uintptr_t)code);
    code_dealloc(code);
}

void vg_deaths_hook(void)
{
    if (ring.hooked)
        return;
    code_dealloc = PyCode_Type.tp_dealloc;
    PyCode_Type.tp_dealloc = on_dealloc;
    ring.hooked = true;
}

#endif
