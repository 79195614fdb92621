"""Vigil's profiler for Python, under the name that the documented interface uses. An independent project."""

from ddtrace._version import __version__

__all__ = ["__version__"]
