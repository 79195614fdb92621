"""The few words that the profiler says, through logging; nothing here raises."""

import sys


def warn(text):
    """One warning. Logging is imported only now: an import that costs more than all of ours."""
    try:
        import logging

        logger = logging.getLogger("ddtrace.profiling")
        if sys.version_info[0] == 2 and not logger.handlers and not logging.getLogger().handlers:
            sys.stderr.write(text + "\n")  # as logging does in 3.x; in 2.7 it would only say that it has no handler
        else:
            logger.warning("%s", text)
    except Exception:
        pass


def debug(text):
    """For `ddtrace-run --debug`: seen whatever the program does with its logging."""
    try:
        sys.stderr.write("ddtrace: %s\n" % text)
    except Exception:
        pass
