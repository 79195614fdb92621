from ddtrace import profiling as profiling

__version__: str
__all__ = ["__version__"]
