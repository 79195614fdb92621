"""`ddtrace-run --info`: the settings as this environment gives them, and whether profiling works in this Python."""

from __future__ import print_function

import os
import sys

from ddtrace._version import __version__
from ddtrace.profiling import _session, _settings

__all__ = ["main"]


def works():
    """Starts the core, without a destination, for a moment: it examines itself when it starts."""
    refusal = _session.mixed()
    if refusal:
        return refusal
    config = dict(_settings.read({}, {}, lambda text: None).core, url="", https=False, tags="", output_pprof=None)
    try:
        from ddtrace.profiling import _core

        _core.start(config)
        _core.stop(0.0)
    except Exception as error:
        return "no: %s" % error
    return "yes"


def lines():
    complaints = []
    enabled = _settings.profiling_enabled(os.environ, complaints.append)
    settings = _settings.read(os.environ, {"service": None}, complaints.append)
    yield "version", __version__
    yield "python", "%s (%s)" % (sys.version.split()[0], sys.executable)
    yield "works here", works()
    yield "enabled", enabled
    yield "uploads to", settings.core["url"] or "nowhere"
    yield "tags", _settings.tags_text(settings.tags)
    for name in sorted(settings.core):
        if name not in ("url", "https", "service", "zlib_path"):
            yield name, settings.core[name]
    for complaint in complaints:
        yield "warning", complaint


def main():
    for name, value in lines():
        print("%-16s %s" % (name, value))


if __name__ == "__main__":
    main()
