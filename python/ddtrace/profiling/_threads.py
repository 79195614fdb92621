"""Tells the core the names of threads, by two reversible patches of threading.Thread, listed in PATCHES.

Each new thread calls `_set_ident` on itself (2.7 to 3.13); a later name is set through the property `name`. The wrappers are
no one's callers: no frame of theirs is in a stack or a traceback of the program.
"""

import threading

try:
    from _thread import get_ident
except ImportError:  # 2.7
    from thread import get_ident

__all__ = ["install", "uninstall"]

_report = None  # _core.thread_name while installed
_originals = {}  # name of the attribute -> (what was there, ours)


def _tell(thread):
    report = _report
    ident = thread.ident
    if report is None or ident is None:
        return
    try:
        report(ident, 0 if ident == get_ident() else getattr(thread, "native_id", None) or 0, thread.name)
    except Exception:
        pass


def _set_ident_of(original):
    def _set_ident(self):
        original(self)
        _tell(self)

    return _set_ident


def _name_of(original):
    def name(self, value):
        original.fset(self, value)
        _tell(self)

    return property(original.fget, name, original.fdel, original.__doc__)


PATCHES = (("_set_ident", _set_ident_of), ("name", _name_of))


def install(report, only_this_thread):
    """Idempotent. only_this_thread: in a forked child no other thread is left, whatever threading still believes."""
    global _report
    _report = report
    for attribute, wrapper_of in PATCHES:
        original = threading.Thread.__dict__.get(attribute)
        if attribute in _originals or original is None:
            continue
        _originals[attribute] = (original, wrapper_of(original))
        setattr(threading.Thread, attribute, _originals[attribute][1])
    if only_this_thread:
        thread = threading._active.get(get_ident())
        threads = [thread] if thread is not None else []
    else:
        threads = threading.enumerate()
    for thread in threads:
        _tell(thread)


def uninstall():
    """Takes back the patches that nobody has patched over; those report nothing any more."""
    global _report
    _report = None
    for attribute, (original, ours) in list(_originals.items()):
        if threading.Thread.__dict__.get(attribute) is ours:
            setattr(threading.Thread, attribute, original)
            del _originals[attribute]
