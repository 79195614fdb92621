"""Keeps our threads away until os.fork has returned, where the hooks of os.register_at_fork are too early for that: from 3.13 on
fork counts the process's threads after them, and would warn a program with a single thread of ours.

The wrappers are C: no frame of theirs is in a stack, and a warning that is due names the program's line.
"""

import os
import sys

__all__ = ["install", "uninstall"]

PATCHES = ("fork", "forkpty") if sys.version_info >= (3, 13) else ()

_originals = {}  # name -> (what was there, ours)


def install(around_fork):
    """Idempotent. around_fork: _core.around_fork."""
    for name in PATCHES:
        original = getattr(os, name, None)
        if name not in _originals and original is not None:
            _originals[name] = (original, around_fork(name, original))
            setattr(os, name, _originals[name][1])


def uninstall():
    """Takes back the patches that nobody has patched over; the others do nothing more than what was there."""
    for name, (original, ours) in list(_originals.items()):
        if getattr(os, name, None) is ours:
            setattr(os, name, original)
            del _originals[name]
