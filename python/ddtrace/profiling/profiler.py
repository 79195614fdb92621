"""Profiler: a handle on the one profiler of this process."""

import os

from ddtrace.profiling import _session

__all__ = ["Profiler"]


class Profiler(object):
    """Starts and stops the profiler of this process.

    Arguments win over the environment; `tags` is a dict (bytes or text) that wins over DD_TAGS key by key. Several
    Profilers share one core: it runs while at least one of them does, and samples nothing twice. One with arguments of its
    own, started while another one runs (say, that of `ddtrace-run`), gives the uploads from then on its own tags; what was
    sampled before is uploaded under the old ones. Further keyword arguments are accepted and have no effect.

    Nothing here raises: what cannot be done is said through `logging`, once, and the program goes on.
    """

    def __init__(self, env=None, service=None, version=None, tags=None, url=None, **kwargs):
        self._given = {"env": env, "service": service, "version": version, "tags": tags, "url": url}

    def start(self, stop_on_exit=True, profile_children=True):
        """Starts profiling. stop_on_exit: upload what is left when the program ends (for at most 2 s)."""
        _session.current.start(self, self._given, os.environ, stop_on_exit, profile_children)

    def stop(self, flush=True):
        """Stops profiling, where no other Profiler still wants it. flush: upload what is left (for at most 2 s)."""
        _session.current.stop(self, flush)

    @property
    def status(self):
        """ "running" or "stopped"."""
        return "running" if _session.current.holds(self) else "stopped"
