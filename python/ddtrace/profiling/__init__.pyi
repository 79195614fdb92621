from ddtrace.profiling.profiler import Profiler as Profiler

__all__ = ["Profiler"]
