"""The Pythons of this machine, and the profiler built for one of them.

`install` never touches the Python it is given: the package goes into a folder under build/venvs that the caller puts on
PYTHONPATH, so that a program is profiled with the libraries that it has, where they are.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from steps import LOG, ROOT, show_end

# Those the profiler supports today, the one to prefer first.
SUPPORTED = ((3, 13), (3, 12), (3, 11), (3, 8))
SOURCES = ("python", "src/base", "src/pprof", "src/profiler", "setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in", "VERSION")
PROBE = """
import json, os, sys, sysconfig
include = sysconfig.get_paths()["include"]
print(json.dumps([sys.executable, list(sys.version_info[:3]), os.path.exists(os.path.join(include, "Python.h"))]))
"""


class Unusable(Exception):
    """Why a Python cannot be used, in a sentence for the user."""


@dataclass(frozen=True)
class Python:
    """An interpreter as it says of itself."""

    path: str
    version: tuple[int, int, int]
    has_headers: bool

    @property
    def name(self) -> str:
        return ".".join(map(str, self.version[:2]))


@dataclass(frozen=True)
class Profiler:
    """The package, built for one Python, in a folder of its own."""

    python: Python
    folder: Path

    @property
    def launcher(self) -> str:
        return str(self.folder / "bin" / "ddtrace-run")

    def environment(self) -> dict[str, str]:
        """The environment under which that Python finds the package."""
        before = os.environ.get("PYTHONPATH")
        return {**os.environ, "PYTHONPATH": f"{self.folder}{os.pathsep}{before}" if before else str(self.folder)}


def probe(command: str) -> Python | None:
    """Ask an interpreter who it is; None where it does not answer."""
    try:
        said = subprocess.run([command, "-c", PROBE], capture_output=True, text=True, timeout=30, check=True).stdout
        path, version, has_headers = json.loads(said)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Python(path, (version[0], version[1], version[2]), has_headers)


def newest_supported() -> Python:
    """The newest Python here that the profiler can be built for."""
    for minor in SUPPORTED:
        for candidate in candidates("{}.{}".format(*minor)):
            python = probe(candidate)
            if python and python.version[:2] == minor and python.has_headers:
                return python
    names = ", ".join("{}.{}".format(*minor) for minor in SUPPORTED)
    raise Unusable(f"No Python with its headers was found among {names}. On Debian: apt-get install python3-dev")


def candidates(minor: str) -> Iterator[str]:
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    yield from sorted(glob.glob(f"{glob.escape(pyenv)}/versions/{minor}.*/bin/python"), reverse=True)
    yield from filter(os.path.exists, (shutil.which(f"python{minor}") or "", f"/usr/bin/python{minor}"))


def python_of(command: str) -> Python:
    """The Python that a command runs in: itself, or that of its first line (`#!`); else the `python3` of PATH."""
    path = shutil.which(command)
    if path is None:
        raise Unusable(f"There is no command '{command}'.")
    interpreters = [command] if os.path.basename(command).startswith("python") else shebang(path)
    for interpreter in [*interpreters, "python3", "python"]:
        python = probe(interpreter)
        if python:
            break
    else:
        raise Unusable("There is no Python on PATH.")
    if not python.has_headers:
        raise Unusable(f"Python {python.name} ({python.path}) has no headers (Python.h): install its -dev package first.")
    return python


def shebang(path: str) -> list[str]:
    with open(path, "rb") as file:
        words = file.readline(512).decode(errors="replace").removeprefix("#!").split()
    return [word for word in words if os.path.basename(word).startswith("python")]


def install(python: Python) -> Profiler:
    """Build the package for this Python, if that was not done since the sources changed."""
    identity = hashlib.sha256(python.path.encode()).hexdigest()[:8]
    home = ROOT / "build" / "venvs" / f"run-{python.name}-{identity}"
    profiler = Profiler(python, home / "package")
    stamp, want = home / "installed", digest(python)
    if stamp.exists() and stamp.read_text() == want:
        return profiler
    print(f"  profiler: build for Python {python.name} ({python.path})", flush=True)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    LOG.mkdir(parents=True, exist_ok=True)
    log = LOG / f"profiler-{python.name}.log"
    with log.open("wb") as out:
        builder = python.path
        if python.version >= (3, 3, 0):
            call(out.fileno(), log, [python.path, "-m", "venv", str(home / "builder")])
            builder = str(home / "builder" / "bin" / "python")
        pip = [builder, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps"]
        call(out.fileno(), log, [*pip, "--target", str(profiler.folder), str(ROOT)])
    stamp.write_text(want)
    return profiler


def call(out: int, log: Path, command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False)
    if done.returncode:
        show_end(log)
        raise Unusable(f"The profiler could not be built (all of it: {log}).")


def digest(python: Python) -> str:
    """Changes when the package has to be built anew."""
    state = hashlib.sha256(repr(python).encode())
    for name in SOURCES:
        top = ROOT / name
        for file in sorted([top] if top.is_file() else top.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                status = file.stat()
                state.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return state.hexdigest()
