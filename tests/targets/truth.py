# -*- coding: utf-8 -*-
"""Does known things for a known time, on any Python, and prints what really happened as one line: TRUTH {json}.

Each part is a function that uses `seconds` of CPU (or sleeps); "wall" and "cpu" are measured around it in its own thread. The
tests find lines by their "LINE name" comments.
"""

from __future__ import print_function

import json
import sys
import threading
import time

try:
    from time import monotonic, process_time, thread_time
except ImportError:  # 2.7
    import ctypes

    class Timespec(ctypes.Structure):
        _fields_ = [("s", ctypes.c_long), ("ns", ctypes.c_long)]

    libc = ctypes.CDLL(None)

    def read_clock(number):
        t = Timespec()
        libc.clock_gettime(number, ctypes.byref(t))
        return t.s + t.ns * 1e-9

    def monotonic():
        return read_clock(1)

    def process_time():
        return read_clock(2)

    def thread_time():
        return read_clock(3)


SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 1.5
parts = {}


def mark(name, function, *args):
    wall, cpu = monotonic(), thread_time()
    function(*args)  # LINE mark
    parts[name] = {"wall": monotonic() - wall, "cpu": thread_time() - cpu}


def plain(seconds):
    end = thread_time() + seconds
    while thread_time() < end:
        total = 0
        for i in range(20000):
            total += i  # LINE plain


def rest(seconds):
    time.sleep(seconds)  # LINE rest


def other(seconds):
    plain(seconds)  # LINE other


def recursion(depth, seconds):
    if depth > 1:
        recursion(depth - 1, seconds)  # LINE recursion
    else:
        plain(seconds)  # LINE recursion-end


def generator(seconds):
    end = thread_time() + seconds
    while thread_time() < end:
        total = 0
        for i in range(20000):
            total += i  # LINE generator
        yield total


def drain(seconds):
    for _ in generator(seconds):  # LINE drain
        pass


anonymous = lambda seconds: plain(seconds)  # noqa: E731  # LINE lambda


class Worker(object):
    def method(self, seconds):
        plain(seconds)  # LINE method

    class Inner(object):
        def nested(self, seconds):
            plain(seconds)  # LINE nested


def outer(seconds):
    def closure():
        plain(seconds)  # LINE closure

    closure()  # LINE outer


def run_all():
    thread = threading.Thread(target=lambda: mark("other", other, SECONDS), name="zweiter-ärmel")
    mark("plain", plain, SECONDS)  # LINE run_all-plain
    mark("rest", rest, SECONDS)
    mark("recursion", recursion, 200, SECONDS)
    mark("drain", drain, SECONDS)
    mark("lambda", anonymous, SECONDS)
    mark("method", Worker().method, SECONDS)
    mark("nested", Worker.Inner().nested, SECONDS)
    mark("outer", outer, SECONDS)
    for name, function in sorted(extra.items()):
        mark(name, function, SECONDS)
    thread.start()
    mark("join", thread.join)


extra = {}
if sys.version_info >= (3,):
    # A name that 2.7 cannot have, with lines of its own.
    exec(compile(u"def gr\u00f6\u00dfe(seconds):\n    plain(seconds)\n", u"/tmp/h\u00e4user/gr\u00f6\u00dfe.py", "exec"), globals())
    extra[u"gr\u00f6\u00dfe"] = globals()[u"gr\u00f6\u00dfe"]

cpu = process_time()
run_all()
print("TRUTH " + json.dumps({"parts": parts, "process_cpu": process_time() - cpu}))
