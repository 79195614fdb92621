"""The continuous profiler: see ddtrace.profiling.profiler."""

from ddtrace.profiling.profiler import Profiler

__all__ = ["Profiler"]
