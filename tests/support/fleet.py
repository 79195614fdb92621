"""A made-up fleet: profiles with known samples, uploaded to a real server, and an independent merge to compare its answers with."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from . import pprof, upload

MINUTE_NS = 60 * 10**9
TYPES = [("cpu-time", "nanoseconds"), ("wall-time", "nanoseconds"), ("heap-space", "bytes")]


@dataclass
class Sent:
    """One profile as it was uploaded."""

    tags: list[tuple[str, str]]
    start_ns: int
    end_ns: int
    profile: pprof.Profile
    internal: dict[str, object] = field(default_factory=dict)

    def has(self, name: str, value: str) -> bool:
        return (name, value) in self.tags

    def tag(self, name: str) -> str:
        return next((value for key, value in self.tags if key == name), "")

    def upload(self, url: str) -> None:
        upload.upload(url, self.profile, self.tags, self.start_ns, self.end_ns, internal=self.internal)


def function(frame: pprof.Frame) -> tuple[str, str, int]:
    """What a node of a flame graph stands for: without the current line."""
    return frame.name, frame.file, frame.first_line


class Fleet:
    """Some services in two environments, each process with a few profiles; the same for the same seed."""

    def __init__(self, seed: int = 1, now_ns: int | None = None) -> None:
        self.random = random.Random(seed)
        self.base_ns = (now_ns if now_ns is not None else time.time_ns()) // MINUTE_NS * MINUTE_NS - 40 * MINUTE_NS
        self.functions = [
            (name, file, line)
            for name in ("main", "serve", "handle", "render", "Größe.berechnen", "λ", "<lambda>", "a;b")
            for file, line in (("/app/main.py", 1), ("/app/lib/views.py", 40))
        ]
        self.sent: list[Sent] = []
        processes = [
            ("web", "prod", "1.0", "web-1", "core", "a"),
            ("web", "prod", "1.1", "web-2", "core", "b"),
            ("web", "dev", "1.1", "laptop", "intake", "c"),
            ("api", "prod", "7", "api-1", "intake", "d"),
        ]
        for service, env, version, host, team, runtime in processes:
            tags = [
                *(("service", service), ("env", env), ("version", version), ("host", host), ("team", team)),
                *(("language", "python"), ("runtime-id", runtime * 32)),
            ]
            for minute in range(self.random.randint(2, 4)):
                start_ns = self.base_ns + minute * MINUTE_NS
                self.sent.append(Sent(tags, start_ns, start_ns + MINUTE_NS, self.profile(start_ns), {"samples": 100 + minute}))

    def stack(self) -> tuple[pprof.Frame, ...]:
        depth = self.random.randint(1, 12)
        return tuple(pprof.Frame(*self.random.choice(self.functions), line=self.random.randint(1, 90)) for _ in range(depth))

    def profile(self, start_ns: int) -> pprof.Profile:
        stacks = [self.stack() for _ in range(30)]
        samples = []
        for i in range(120):
            labels: list[tuple[str, str | int]] = [("thread name", self.random.choice(["MainThread", "worker 1", "worker 2"]))]
            if self.random.random() < 0.3:
                labels.append(("task name", f"Task-{self.random.randint(1, 3)}"))
            labels.append(("end_timestamp_ns", start_ns + i * 10**8))
            cpu = self.random.randint(0, 10**7)
            samples.append(pprof.Sample(self.random.choice(stacks), (cpu, cpu + self.random.randint(0, 10**8), 0), tuple(labels)))
        heap = [pprof.Sample(stack, (0, 0, self.random.randint(1, 10**6))) for stack in stacks[:10]]
        return pprof.Profile(TYPES, samples + heap, time_ns=start_ns, duration_ns=MINUTE_NS)

    @property
    def span(self) -> dict[str, str]:
        """A range that holds everything, as parameters of a request."""
        ends = [sent.end_ns for sent in self.sent]
        return {"from_": str(self.base_ns), "to": str(max(ends) + 1)}

    def upload(self, url: str) -> None:
        for sent in self.sent:
            sent.upload(url)

    def merge(
        self,
        type_name: str,
        chosen: Callable[[Sent], bool] = lambda sent: True,
        sampled: Callable[[pprof.Sample], bool] = lambda sample: True,
    ) -> Counter[tuple[tuple[str, str, int], ...]]:
        """The sum of a type by stack of functions, root first."""
        out: Counter[tuple[tuple[str, str, int], ...]] = Counter()
        for sent in filter(chosen, self.sent):
            column = sent.profile.column(type_name)
            for sample in filter(sampled, sent.profile.samples):
                out[tuple(function(frame) for frame in reversed(sample.frames))] += sample.values[column]
        return +out


def collapsed(stacks: Mapping[tuple[tuple[str, str, int], ...], int]) -> dict[str, int]:
    """As the collapsed format has them: by the text of the stack."""
    out: Counter[str] = Counter()
    for stack, value in stacks.items():
        out[";".join(f"{name} ({file}:{line})".replace(";", ":") for name, file, line in stack)] += value
    return dict(out)
