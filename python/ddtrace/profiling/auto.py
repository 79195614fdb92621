"""Importing this module starts the profiler, with the settings of the environment."""

from ddtrace.profiling.profiler import Profiler

__all__ = ["start_profiler"]

_profiler = Profiler()


def start_profiler():
    """Starts the profiler, or starts it again, as in a forked child of a Python before 3.7. Harmless where it runs."""
    _profiler.start()


start_profiler()
