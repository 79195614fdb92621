"""Profiles whose every number is known, and what the page must make of them."""

from __future__ import annotations

import time
from dataclasses import dataclass

from support import pprof, upload

MS = 10**6
TYPES = [("cpu-time", "nanoseconds"), ("wall-time", "nanoseconds"), ("exception-samples", "count")]
FILE = "/srv/shop/views.py"
LIBRARY = "/srv/shop/.venv/lib/python3.12/site-packages/jinja2/environment.py"

FRAMES = {
    "main": pprof.Frame("main", "/srv/shop/app.py", 3, 9),
    "handle": pprof.Frame("handle", FILE, 20, 31),
    "parse": pprof.Frame("parse", FILE, 40, 44),
    "render": pprof.Frame("render", LIBRARY, 1269, 1275),
    "escape": pprof.Frame("escape", LIBRARY, 300, 301),
    "query": pprof.Frame("query", FILE, 60, 66),
    "poll": pprof.Frame("poll", "/srv/shop/worker.py", 11, 15),
}


@dataclass(frozen=True)
class Source:
    """One process that sent one profile."""

    tags: dict[str, str]
    cpu_ms: dict[str, int]  # stack, root first, joined by ";" → self time
    exceptions: int = 0


SOURCES = [
    Source(
        {"service": "shop", "env": "prod", "version": "1.0", "host": "web-1", "team": "core"},
        {"main;handle;parse": 300, "main;handle;render": 500, "main;handle;render;escape": 200},
        exceptions=7,
    ),
    Source(
        {"service": "shop", "env": "prod", "version": "1.1", "host": "web-2", "team": "core"},
        {"main;handle;query": 1000},
    ),
    Source(
        {"service": "mailer", "env": "staging", "version": "2.0", "host": "web-2", "team": "the other"},
        {"main;poll": 50},
    ),
]


def profile(source: Source) -> pprof.Profile:
    """Wall time is three times the CPU time."""
    samples = [
        pprof.Sample(tuple(FRAMES[name] for name in reversed(stack.split(";"))), (ms * MS, 3 * ms * MS, 0))
        for stack, ms in source.cpu_ms.items()
    ]
    if source.exceptions:
        samples.append(pprof.Sample((FRAMES["parse"], FRAMES["handle"], FRAMES["main"]), (0, 0, source.exceptions)))
    return pprof.Profile(TYPES, samples)


def send(url: str, sources: list[Source] = SOURCES, ago_s: int = 60, length_s: int = 10) -> None:
    end_ns = time.time_ns() - ago_s * 10**9
    for source in sources:
        tags = {**source.tags, "language": "python"}
        upload.upload(url, profile(source), tags, end_ns - length_s * 10**9, end_ns)
