"""Loaded by every Python under ddtrace-run: starts the profiler where it is wanted, and gives way.

It takes its directory out of sys.path, starts, and then imports the sitecustomize that would have been found without us. Where there
is none, that import's error is exactly what site.py expects and hides. Any Python comes here, also one that has another
ddtrace or none: then nothing happens. Children inherit PYTHONPATH, and so come here too.
"""

import os
import sys


def _start(environ, path):
    wanted = environ.get("DD_PROFILING_ENABLED", "").strip().lower()
    if wanted in ("", "false", "0", "no", "off") or not _is_ours(path):
        return
    if wanted not in ("true", "1", "yes", "on"):
        from ddtrace.profiling import _say, _settings

        _settings.profiling_enabled(environ, _say.warn)
        return
    import ddtrace.profiling.auto  # noqa: F401


def _is_ours(path):
    """Whether the ddtrace that this Python would import is this project's."""
    for directory in path:
        package = os.path.join(directory, "ddtrace")
        if os.path.isdir(package):
            return os.path.exists(os.path.join(package, "profiling", "_session.py"))
    return False


def _give_way():
    own = sys.modules.pop("sitecustomize", None)  # kept until the end: 2.7 clears the globals of a module that is freed
    # By its end, as virtualenv for 2.7 makes a second, wrong one of it while it moves paths about.
    end = os.sep + os.path.join("ddtrace", "bootstrap")
    sys.path[:] = [directory for directory in sys.path if not directory.endswith(end)]
    for directory in [d for d in sys.path_importer_cache if d.endswith(end)]:
        del sys.path_importer_cache[directory]
    try:
        _start(os.environ, sys.path)
    except Exception:
        pass
    import sitecustomize  # noqa: F401

    return own


_give_way()
