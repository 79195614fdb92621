"""The Pythons of this machine, and for each a virtual environment with the package installed by `pip install .`.

Found are pyenv's (~/.pyenv/versions/X.Y.*) and `pythonX.Y` on PATH; of several patch releases the newest. The environment variable
VIGIL_TEST_PYTHONS="2.7,3.12" narrows the choice. An environment lives in build/venvs under a name with the hash of the
sources that it was built from, so it is made once for each state of the tree; several test runs may ask at the same time.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENVS = ROOT / "build" / "venvs"

EXPECTED = ("2.7", "3.8", "3.11", "3.12", "3.13")
"""What the tests are to run on; further ones are tested where VIGIL_TEST_PYTHONS names them."""

SOURCES = ("VERSION", "MANIFEST.in", "pyproject.toml", "setup.cfg", "setup.py", "python", "src/base", "src/pprof", "src/profiler")
"""What the package is built from. (README.md and LICENSE go into the package too, but change nothing that is tested.)"""

KEPT_PER_MINOR = 3
UNUSED_SECONDS = 3600
INSTALL_SECONDS = 600


@dataclass(frozen=True)
class Environment:
    """A virtual environment of one Python with the package in it."""

    minor: str  # "3.12"
    path: Path

    @property
    def python(self) -> Path:
        return self.path / "bin" / "python"

    @property
    def ddtrace_run(self) -> Path:
        return self.path / "bin" / "ddtrace-run"

    @property
    def version(self) -> tuple[int, int]:
        major, minor = self.minor.split(".")
        return int(major), int(minor)


def key(minor: str) -> tuple[int, ...]:
    """By which versions are ordered."""
    return tuple(int(part) for part in minor.split("."))


@functools.cache
def everywhere() -> dict[str, Path]:
    """Every usable interpreter of this machine by its minor version."""
    found: dict[str, tuple[tuple[int, ...], Path]] = {}
    for python in Path("~/.pyenv/versions").expanduser().glob("*/bin/python"):
        match = re.fullmatch(r"(\d+\.\d+)\.(\d+)", python.parent.parent.name)
        if match and (match[1] not in found or found[match[1]][0] < (int(match[2]),)):
            found[match[1]] = ((int(match[2]),), python)
    result = {minor: path for minor, (_, path) in found.items()}
    for minor in EXPECTED:
        on_path = shutil.which(f"python{minor}")
        if minor not in result and on_path and _runs(Path(on_path), minor):
            result[minor] = Path(on_path)
    return dict(sorted(result.items(), key=lambda item: key(item[0])))


def _runs(python: Path, minor: str) -> bool:
    """Whether this is that Python, with the headers that an extension needs (a shim of pyenv may be neither)."""
    code = "import os, sys, sysconfig; h = os.path.join(sysconfig.get_paths()['include'], 'Python.h'); sys.stdout.write('%d.%d' % sys.version_info[:2] if os.path.exists(h) else '')"
    try:
        return subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=30, check=False).stdout == minor
    except (OSError, subprocess.TimeoutExpired):
        return False


def wanted() -> tuple[str, ...]:
    """The versions that this run is to test: VIGIL_TEST_PYTHONS, else all expected ones."""
    chosen = os.environ.get("VIGIL_TEST_PYTHONS", "").replace(",", " ").split()
    return tuple(sorted(set(chosen), key=key)) if chosen else EXPECTED


def found() -> tuple[str, ...]:
    return tuple(minor for minor in wanted() if minor in everywhere())


def missing() -> tuple[str, ...]:
    return tuple(minor for minor in wanted() if minor not in everywhere())


def sources_hash() -> str:
    """Of everything that the package is built from."""
    digest = hashlib.sha256()
    for path in _source_files():
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _source_files() -> list[Path]:
    files: list[Path] = []
    for name in SOURCES:
        path = ROOT / name
        if path.is_dir():
            files += [p for p in path.rglob("*") if p.is_file() and _is_source(p)]
        elif path.exists():
            files.append(path)
    return sorted(files)


def _is_source(path: Path) -> bool:
    return path.suffix not in (".pyc", ".so", ".o") and not any(
        part == "__pycache__" or part.endswith(".egg-info") for part in path.parts
    )


def copy_sources(to: Path) -> None:
    """A tree of its own to build from: builds of several test runs must not meet in the checkout's build directory."""
    for path in [*_source_files(), *(ROOT / name for name in ("README.md", "LICENSE") if (ROOT / name).exists())]:
        target = to / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)


_failures: dict[str, RuntimeError] = {}


def environment(minor: str) -> Environment:
    """The environment of that Python for the sources as they are now; made where it is not there yet. Tried once a run."""
    if minor in _failures:
        raise RuntimeError(f"the package could not be installed for {minor}: see the first failure")
    try:
        return _environment(minor)
    except RuntimeError as error:
        _failures[minor] = error
        raise


@functools.cache
def _environment(minor: str) -> Environment:
    name = f"{minor}-{sources_hash()}"
    path = VENVS / name
    ready = path / ".ready"
    VENVS.mkdir(parents=True, exist_ok=True)
    with _locked(VENVS / f"{minor}.lock"):
        if not ready.exists():
            _remove_old(minor)
            shutil.rmtree(path, ignore_errors=True)
            bare(minor, path)
            install_package(path)
        ready.touch()
    return Environment(minor, path)


def bare(minor: str, path: Path) -> None:
    """A new virtual environment with pip and nothing else."""
    if key(minor) < (3, 3):
        run([virtualenv_for_2_7() / "bin" / "python", "-m", "virtualenv", "-q", "-p", everywhere()[minor], path])
    else:
        run([everywhere()[minor], "-m", "venv", path])


def install_package(venv: Path, *options: str) -> None:
    """`pip install .` out of a copy of the sources."""
    tree = venv.with_name(venv.name + ".src")
    shutil.rmtree(tree, ignore_errors=True)
    copy_sources(tree)
    run([venv / "bin" / "python", "-m", "pip", "-q", "install", *options, tree])
    shutil.rmtree(tree, ignore_errors=True)


def virtualenv_for_2_7() -> Path:
    """virtualenv's last releases that can make environments of Python 2.7, in an environment of their own."""
    host = next((minor for minor in ("3.8", "3.9", "3.10", "3.11", "3.12") if minor in everywhere()), None)
    if host is None:
        raise RuntimeError("an environment of Python 2.7 is made with virtualenv < 20.22, which needs a Python 3.8 - 3.12")
    path = VENVS / f"virtualenv-{host}"
    with _locked(VENVS / "virtualenv.lock"):
        if not (path / ".ready").exists():
            shutil.rmtree(path, ignore_errors=True)
            run([everywhere()[host], "-m", "venv", path])
            run([path / "bin" / "python", "-m", "pip", "-q", "install", "virtualenv<20.22"])
            (path / ".ready").touch()
    return path


def run(command: list[str | Path]) -> None:
    """Run to success, quietly; what it said is in the error."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if done.returncode:
        raise RuntimeError(f"exit {done.returncode}: {' '.join(map(str, command))}\n{done.stdout[-4000:]}")


def _remove_old(minor: str) -> None:
    """Only what no run has asked for lately."""
    old = sorted(VENVS.glob(f"{minor}-*/.ready"), key=lambda path: path.stat().st_mtime, reverse=True)
    for ready in old[KEPT_PER_MINOR:]:
        if time.time() - ready.stat().st_mtime > UNUSED_SECONDS:
            shutil.rmtree(ready.parent, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
