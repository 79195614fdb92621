"""Runs named steps one after the other, quietly: what a step says goes to build/log, and the end of it is shown if it fails.

A failed step does not stop the ones after it, so that one run shows everything that is wrong. `Tally` counts for the closing line.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
LOG = ROOT / "build" / "log"
SHOWN_LINES = 60
GRACE_S = 20


@dataclass(frozen=True)
class Step:
    """One command. `gate`: when it fails the steps that stand on it (`after`) are not run, and count as failed."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    after: str = ""
    live: bool = False  # what it says is shown as it comes: for what takes minutes


@dataclass
class Tally:
    """What the closing line says."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def line(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def tools_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment with the pinned tools of build/venv first on PATH."""
    path = f"{ROOT / 'build' / 'venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, "PATH": path, **extra}


def run(step: Step) -> bool:
    """Run one step; say how it went. Ctrl-C ends it and us."""
    LOG.mkdir(parents=True, exist_ok=True)
    log = LOG / f"{step.name.replace(' ', '-').replace('/', '-')}.log"
    began = time.monotonic()
    print(f"  {step.name} …", end="\n" if step.live else " ", flush=True)
    with log.open("wb") as out:
        code = call(step, None if step.live else out.fileno())
    took = time.monotonic() - began
    if code == 0:
        print(f"  {step.name}: ok ({took:.0f} s)" if step.live else f"ok ({took:.0f} s)", flush=True)
        return True
    print(f"  {step.name}: failed" if step.live else "failed", flush=True)
    if not step.live:
        show_end(log)
    return False


def call(step: Step, out: int | None) -> int:
    """The command's exit status. When we are told to end, it is told too, and gets time to tidy up after itself."""
    error = subprocess.STDOUT if out is not None else None
    env = tools_environment(step.env)
    try:
        process = subprocess.Popen(step.command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=error)
    except OSError as problem:
        os.write(2 if out is None else out, f"{problem}\n".encode())
        return 127

    def end(number: int, frame: FrameType | None) -> None:
        process.send_signal(signal.SIGINT)  # Ctrl-C reaches the command as well as us; SIGTERM only us
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        return process.wait()
    except KeyboardInterrupt:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        process.kill()
        print(f"\n  {step.name}: ended by you")
        sys.exit(130)
    finally:
        signal.signal(signal.SIGTERM, before)


def show_end(log: Path) -> None:
    lines = log.read_text(errors="replace").splitlines()
    if len(lines) > SHOWN_LINES:
        print(f"    … all of it: {log}")
    for line in lines[-SHOWN_LINES:]:
        print(f"    {line}")
    sys.stdout.flush()


def run_all(steps: Iterable[Step]) -> dict[str, bool]:
    """Run the steps in order; a step whose `after` failed is not run and counts as failed."""
    results: dict[str, bool] = {}
    for step in steps:
        if step.after and not results.get(step.after, False):
            print(f"  {step.name}: not run, as '{step.after}' failed")
            results[step.name] = False
        else:
            results[step.name] = run(step)
    return results


def meson_build(name: str, directory: str, options: Sequence[str], env: Mapping[str, str] | None = None) -> list[Step]:
    """Configure (once) and compile in a build directory of its own, both as one step a reader understands."""
    configured = (ROOT / directory / "build.ninja").exists()
    setup = ["meson", "setup", directory, *(["--reconfigure"] if configured else []), *options]
    return [
        Step(f"{name} configure", setup, env or {}),
        Step(name, ["ninja", "-C", directory], env or {}, after=f"{name} configure"),
    ]
