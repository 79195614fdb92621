"""Running small programs in an environment of `pythons`, with and without the profiler."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import pythons

SECONDS = 60.0


def clean_environment(env: pythons.Environment, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A small environment, with env's programs first on PATH."""
    result = {name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR", "USER") if name in os.environ}
    result["PATH"] = f"{env.path / 'bin'}{os.pathsep}{result.get('PATH', os.defpath)}"
    result["LC_ALL"] = "C.UTF-8"
    result["PYTHONDONTWRITEBYTECODE"] = "1"
    result.update(extra or {})
    return result


def profiled(url: str, **settings: str) -> dict[str, str]:
    """Settings of a profiled program; names without their DD_ and DD_PROFILING_ as keyword arguments in lower case."""
    own = {"service", "env", "version", "tags", "site", "api_key", "trace_agent_url", "agent_host", "trace_agent_port"}
    result = {"DD_PROFILING_ENABLED": "true", "DD_TRACE_AGENT_URL": url}
    for name, value in settings.items():
        result[("DD_" if name in own else "DD_PROFILING_") + name.upper()] = value
    return result


def run(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    stdin: bytes | None = None,
    cwd: Path | None = None,
    seconds: float = SECONDS,
) -> subprocess.CompletedProcess[bytes]:
    """Run to its end, whatever that is."""
    return subprocess.run(
        list(map(str, command)),
        env=dict(environment),
        input=stdin if stdin is not None else b"",
        capture_output=True,
        cwd=cwd,
        timeout=seconds,
        check=False,
    )


def python(
    env: pythons.Environment,
    code: str,
    settings: Mapping[str, str] | None = None,
    launcher: bool = True,
    options: Sequence[str] = (),
    seconds: float = SECONDS,
) -> str:
    """What `python -c code` prints; it must succeed and say nothing on stderr."""
    head = [env.ddtrace_run] if launcher else []
    done = run([*head, env.python, *options, "-c", code], clean_environment(env, settings), seconds=seconds)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert done.stderr == b"", done.stderr.decode(errors="replace")
    return done.stdout.decode()
