"""The one profiler of this process: who wants it, its life across fork and exit. The core itself is C (_core).

Rules: nothing raises into the program; it is said once why profiling does not work here. The core runs while at least one
holder (a Profiler) wants it. Each life of the core has a runtime-id of its own, as the server tells profiles apart by
runtime-id and sequence.
"""

import atexit
import os
import sys

from ddtrace._version import __version__
from ddtrace.profiling import _say, _settings

try:
    from _thread import allocate_lock
except ImportError:  # 2.7
    from thread import allocate_lock

__all__ = ["current"]

EXIT_SECONDS = 2.0
TAKE_OVER_SECONDS = 0.5


class Session(object):
    def __init__(self):
        self.lock = allocate_lock()
        self.pid = os.getpid()
        self.core = None  # the module _core while it runs, and after
        self.holders = []
        self.settings = None
        self.stop_on_exit = False
        self.profile_children = False
        self.hooked = False  # into fork and exit
        self.finalizer_hooked = False  # into multiprocessing
        self.said = set()

    # --- what Profiler calls ---

    def start(self, holder, given, environ, stop_on_exit, profile_children):
        try:
            forgotten = self.notice_fork()
            with self.lock:
                if holder in self.holders and not forgotten:
                    return
                settings = _settings.read(environ, given, self.warn)
                explicit = any(value is not None for value in given.values())
                if not self.holders:
                    self.stop_on_exit = self.profile_children = False
                    started = self.start_core(settings, forgotten)
                elif explicit and settings != self.settings:
                    self.stop_core(TAKE_OVER_SECONDS)
                    started = self.start_core(settings, False)
                else:
                    started = True
                if not started:
                    del self.holders[:]
                    return
                self.holders.append(holder)
                self.stop_on_exit = self.stop_on_exit or stop_on_exit
                self.profile_children = self.profile_children or profile_children
        except Exception as error:
            self.warn("profiling could not be started: %s: %s" % (type(error).__name__, error))

    def stop(self, holder, flush):
        try:
            self.notice_fork()
            with self.lock:
                if holder not in self.holders:
                    return
                self.holders.remove(holder)
                if not self.holders:
                    self.stop_core(EXIT_SECONDS if flush else 0.0)
        except Exception as error:
            self.warn("profiling could not be stopped: %s: %s" % (type(error).__name__, error))

    def holds(self, holder):
        return holder in self.holders and self.pid == os.getpid()

    # --- the core ---

    def start_core(self, settings, forked):
        """Whether it runs now."""
        refusal = mixed()
        if refusal:
            self.warn(refusal)
            return False
        if not self.hooked:
            self.hook()
        tags = _settings.process_tags(settings.tags, new_runtime_id(), __version__, forked)
        config = dict(settings.core, tags=_settings.tags_text(tags))
        try:
            from ddtrace.profiling import _core

            _core.start(config)
        except Exception as error:
            self.warn("profiling is off: %s" % error)
            return False
        self.core = _core
        self.settings = settings
        from ddtrace.profiling import _forks, _threads

        _threads.install(_core.thread_name, forked)
        _forks.install(_core.around_fork)
        if settings.core["https"]:
            from ddtrace.profiling import _https

            _https.start(_core, settings.https_url(), settings.headers, settings.core["api_timeout_ms"] / 1000.0)
        if settings.debug:
            _say.debug("profiling starts in process %d: %r" % (self.pid, config))
        return True

    def stop_core(self, seconds):
        if self.core is None:
            return
        from ddtrace.profiling import _forks, _threads

        self.core.stop(seconds)
        _threads.uninstall()
        _forks.uninstall()
        if self.settings.debug:
            _say.debug("profiling ends in process %d: %r" % (self.pid, self.core.info()))

    def warn(self, text):
        """Each sentence once."""
        if text not in self.said:
            self.said.add(text)
            _say.warn(text)

    # --- exit and fork ---

    def hook(self):
        self.hooked = True
        atexit.register(self.at_exit)  # before the program registers anything: so it runs last
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self.before_fork, after_in_parent=self.after_fork_parent, after_in_child=self.after_fork_child)

    def at_exit(self):
        try:
            if self.holders and self.pid == os.getpid():
                self.stop_core(EXIT_SECONDS if self.stop_on_exit else 0.0)
                del self.holders[:]
        except Exception:
            pass

    def before_fork(self):
        if self.core is not None:
            self.core.fork_before()

    def after_fork_parent(self):
        if self.core is not None:
            self.core.fork_parent()

    def after_fork_child(self):
        try:
            if self.core is not None:
                self.core.fork_child()
            self.renew()
            if self.holders and self.profile_children:
                if self.start_core(self.settings, True):
                    self.finalize_with_multiprocessing(False)
                    return
            del self.holders[:]
        except Exception:
            pass

    def notice_fork(self):
        """True where this is a forked child that no hook has told us of: a Python before 3.7."""
        if self.pid == os.getpid():
            return False
        self.renew()
        del self.holders[:]
        if self.core is not None:
            self.finalize_with_multiprocessing(True)
        return True

    def renew(self):
        """In a child: another thread of the parent may have held the lock."""
        self.lock = allocate_lock()
        self.pid = os.getpid()

    def finalize_with_multiprocessing(self, in_target):
        """Children of multiprocessing leave with os._exit and run its finalizers in place of atexit. Right after fork
        these are still the parent's and about to be cleared (in_target false)."""
        util = sys.modules.get("multiprocessing.util")
        if util is None:
            return
        if in_target:
            util.Finalize(None, self.at_exit, exitpriority=-1000)
        elif not self.finalizer_hooked:
            self.finalizer_hooked = True
            util.register_after_fork(self, add_finalizer)


def add_finalizer(session):
    sys.modules["multiprocessing.util"].Finalize(None, session.at_exit, exitpriority=-1000)


def new_runtime_id():
    """A random UUID; the module uuid would cost more to import than all else."""
    digits = bytearray(random_bytes(16))
    digits[6] = digits[6] & 0x0F | 0x40
    digits[8] = digits[8] & 0x3F | 0x80
    text = "".join("%02x" % digit for digit in digits)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def random_bytes(n):
    if sys.version_info[0] > 2:
        return os.urandom(n)
    with open("/dev/urandom", "rb", 0) as f:  # os.urandom of 2.7 leaves its descriptor open in the program
        return f.read(n)


def mixed():
    """Why not, where the hosted product's distribution lies over this one: it has this directory, ours never has."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if os.path.isdir(os.path.join(package, "internal")):
        return "profiling is off: another distribution named ddtrace is installed over vigil-profiler in %s; keep one of the two" % package
    return None


current = Session()
