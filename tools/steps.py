"""Runs named steps one after the other, quietly: what a step says goes to build/log, and the end of it is shown if it fails.

A failed step does not stop the ones after it, so that one run shows everything that is wrong. `Tally` counts for the closing line.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOG = ROOT / "build" / "log"
SHOWN_LINES = 60


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
        target = None if step.live else out
        try:
            done = subprocess.run(
                step.command,
                cwd=ROOT,
                env=tools_environment(step.env),
                stdin=subprocess.DEVNULL,
                stdout=target,
                stderr=subprocess.STDOUT if target else None,
                check=False,
            )
            code = done.returncode
        except OSError as error:
            out.write(f"{error}\n".encode())
            code = 127
        except KeyboardInterrupt:
            print(f"\n  {step.name}: ended by you")
            sys.exit(130)
    took = time.monotonic() - began
    if code == 0:
        print(f"  {step.name}: ok ({took:.0f} s)" if step.live else f"ok ({took:.0f} s)", flush=True)
        return True
    print(f"  {step.name}: failed" if step.live else "failed", flush=True)
    if not step.live:
        show_end(log)
    return False


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
