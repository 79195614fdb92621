"""Installing: from a clone, twice, for several Pythons from one tree, under a path with spaces; small, alone, and gone afterwards."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from support import programs, pythons

PROOF = "import ddtrace.profiling._core as c, ddtrace, sys; sys.stdout.write('%s %d.%d' % ((ddtrace.__version__,) + sys.version_info[:2]))"
VERSION = (pythons.ROOT / "VERSION").read_text().strip()


def proof(python: Path) -> str:
    done = subprocess.run([python, "-c", PROOF], capture_output=True, text=True, timeout=60, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_size_and_dependencies(env: pythons.Environment) -> None:
    """At most 2 MB as installed, compiled Python included, and nothing else comes with it."""
    package = next(env.path.glob("lib/python*/site-packages/ddtrace"))
    files = [path for path in package.rglob("*") if path.is_file()] + [env.ddtrace_run]
    assert sum(path.stat().st_size for path in files) < 2_000_000
    shown = programs.run([env.python, "-m", "pip", "show", "vigil-profiler"], programs.clean_environment(env)).stdout.decode()
    assert "Requires: \n" in shown + "\n"
    assert f"Version: {VERSION}" in shown
    assert (package / "py.typed").exists()
    libraries = subprocess.run(
        ["ldd", next(package.glob("profiling/_core*.so"))], capture_output=True, text=True, check=True
    ).stdout
    assert "libz." not in libraries


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the committed state, so that a file which was forgotten is missed; the state itself where this is no checkout."""
    tree = tmp_path_factory.mktemp("clone") / "a tree"
    if shutil.which("git") and (pythons.ROOT / ".git").exists():
        subprocess.run(["git", "clone", "-q", pythons.ROOT, tree], check=True, capture_output=True)
    else:
        pythons.copy_sources(tree)
    return tree


def test_one_tree_serves_one_python_after_another(clone: Path, tmp_path: Path) -> None:
    """And the first of them again: no object of one version is used for another. (All versions are installed by `env`.)"""
    for n, minor in enumerate([pythons.found()[0], pythons.found()[-1], pythons.found()[0]]):
        venv = tmp_path / f"v {n}"
        pythons.bare(minor, venv)
        pythons.run([venv / "bin" / "python", "-m", "pip", "-q", "install", clone])
        assert proof(venv / "bin" / "python") == f"{VERSION} {minor}"
        launched = programs.run([venv / "bin" / "ddtrace-run", venv / "bin" / "python", "-c", PROOF], {})
        assert launched.stdout.decode() == f"{VERSION} {minor}"
    pythons.run([venv / "bin" / "python", "-m", "pip", "-q", "uninstall", "-y", "vigil-profiler"])
    assert not (venv / "bin" / "ddtrace-run").exists()
    assert not list(venv.glob("lib/python*/site-packages/ddtrace"))


def test_a_python_without_a_layout_installs_and_says_so_at_run_time(tmp_path: Path) -> None:
    def layout(minor: str) -> str:
        return f"src/profiler/cpython/layout_{minor.replace('.', '_')}.c"

    tree = tmp_path / "tree"
    pythons.copy_sources(tree)
    others = [minor for minor in pythons.everywhere() if not (tree / layout(minor)).exists()] or [pythons.found()[-1]]
    (tree / layout(others[0])).unlink(missing_ok=True)
    venv = tmp_path / "venv"
    pythons.bare(others[0], venv)
    pythons.run([venv / "bin" / "python", "-m", "pip", "-q", "install", tree])
    code = "from ddtrace.profiling import Profiler; p = Profiler(); p.start(); p.start(); print(p.status)"
    done = subprocess.run([venv / "bin" / "python", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "stopped\n"
    assert done.stderr.startswith("profiling is off: ")
    assert done.stderr.count("\n") == 1
