"""ddtrace-run itself: its options, what it refuses, where it finds its package."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support import programs, pythons
from support.agent import Agent

VERSION = (pythons.ROOT / "VERSION").read_text().strip()


def launch(env: pythons.Environment, *words: str, **settings: str) -> tuple[int, str, str]:
    done = programs.run([env.ddtrace_run, *words], {**programs.clean_environment(env), **settings})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("option", ["-v", "--version"])
def test_version(env: pythons.Environment, option: str) -> None:
    status, out, err = launch(env, option)
    assert (status, err) == (0, "")
    assert VERSION in out


def test_without_a_command_it_says_how_to_use_it(env: pythons.Environment) -> None:
    status, out, err = launch(env)
    assert (status, out) == (2, "")
    assert "usage: ddtrace-run" in err
    assert launch(env, "-p") == (status, out, err)
    status, out, err = launch(env, "--help")
    assert (status, err) == (0, "")
    assert "DD_PROFILING_ENABLED=true ddtrace-run python" in out


def test_an_unknown_option_is_named(env: pythons.Environment) -> None:
    status, out, err = launch(env, "--nonsense", "python")
    assert (status, out) == (2, "")
    assert "'--nonsense'" in err


@pytest.mark.parametrize(
    ("command", "status", "says"), [("no-such-command", 127, "No such file"), ("/etc/passwd", 126, "Permission denied")]
)
def test_a_command_that_cannot_run(env: pythons.Environment, command: str, status: int, says: str) -> None:
    got, out, err = launch(env, command, "argument")
    assert (got, out) == (status, "")
    assert err == f"ddtrace-run: cannot run '{command}': {says} or directory\n" or says in err


def test_what_follows_the_command_is_the_commands(env: pythons.Environment) -> None:
    assert launch(env, "--", "echo", "-v", "--info") == (0, "-v --info\n", "")
    assert launch(env, "printf", "%s", "-p") == (0, "-p", "")


def test_profiling_only_where_wanted(env: pythons.Environment) -> None:
    """Off is the default; -p turns it on; a value that is neither is one warning, and off."""
    code = "import sys; sys.stdout.write(str('ddtrace.profiling.auto' in sys.modules))"
    words = [str(env.python), "-c", code]
    with Agent() as agent:
        for value in ("", "false", "0", "No"):
            assert launch(env, *words, DD_PROFILING_ENABLED=value, DD_TRACE_AGENT_URL=agent.url) == (0, "False", "")
        for value in ("true", "1", "YES"):
            assert launch(env, *words, DD_PROFILING_ENABLED=value, DD_TRACE_AGENT_URL=agent.url) == (0, "True", "")
        assert launch(env, "-p", *words, DD_TRACE_AGENT_URL=agent.url) == (0, "True", "")
        status, out, err = launch(env, *words, DD_PROFILING_ENABLED="maybe")
        assert (status, out) == (0, "False")
        assert err.count("\n") == 1
        assert "DD_PROFILING_ENABLED is 'maybe'" in err


def test_info_tells_the_settings_and_whether_it_works(env: pythons.Environment) -> None:
    status, out, err = launch(env, "--info", DD_SERVICE="shop", DD_TAGS="team:core,bad", DD_PROFILING_SAMPLE_HZ="250")
    assert (status, err) == (0, "")
    told = dict(line.split(None, 1) for line in out.splitlines() if len(line.split(None, 1)) == 2)
    assert told["works"] == "here       yes"
    assert told["version"] == VERSION
    assert told["sample_hz"] == "250"
    assert told["tags"] == "service:shop,team:core"
    assert told["warning"].startswith("DD_TAGS has 'bad'")


def test_debug_tells_what_happens(env: pythons.Environment) -> None:
    with Agent() as agent:
        settings = programs.profiled(agent.url)
        status, out, err = launch(env, "--debug", str(env.python), "-c", "pass", **settings)
    assert (status, out) == (0, "")
    assert "ddtrace: profiling starts in process" in err
    assert "ddtrace: profiling ends in process" in err


def test_it_refuses_beside_the_hosted_product(env: pythons.Environment, tmp_path: Path) -> None:
    """Its files lie in the same directory then. One sentence, from the launcher and from Profiler."""
    package = tmp_path / "ddtrace"
    source = next(env.path.glob("lib/python*/site-packages/ddtrace"))
    shutil.copytree(source, package)
    (package / "internal").mkdir()
    (tmp_path / "bin").mkdir()
    shutil.copy2(env.ddtrace_run, tmp_path / "bin")
    environment = programs.clean_environment(env)
    done = programs.run([tmp_path / "bin" / "ddtrace-run", "echo"], environment)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.count(b"\n") == 1
    assert b"another distribution" in done.stderr
    code = "from ddtrace.profiling import Profiler; p = Profiler(); p.start(); p.start(); import sys; sys.stdout.write(p.status)"
    done = programs.run([env.python, "-c", code], {**environment, "PYTHONPATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (0, b"stopped")
    assert done.stderr.count(b"\n") == 1
    assert b"another distribution named ddtrace" in done.stderr


def test_it_finds_its_package_through_a_link_and_in_a_path_with_spaces(env: pythons.Environment, tmp_path: Path) -> None:
    target = tmp_path / "a b"
    (target / "bin").mkdir(parents=True)
    shutil.copytree(next(env.path.glob("lib/python*/site-packages/ddtrace")), target / "ddtrace")  # as `pip install --target` does
    shutil.copy2(env.ddtrace_run, target / "bin")
    (tmp_path / "link").symlink_to(target / "bin" / "ddtrace-run")
    bare = str(pythons.everywhere()[env.minor])
    code = "import sys; sys.stdout.write(repr('ddtrace' in sys.modules))"
    with Agent() as agent:
        environment = {**programs.clean_environment(env, programs.profiled(agent.url)), "PYTHONPATH": str(target)}
        done = programs.run([tmp_path / "link", bare, "-c", code], environment)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"True", b"")
        agent.wait(1)
    shutil.rmtree(target / "ddtrace")
    done = programs.run([tmp_path / "link", bare, "-c", code], programs.clean_environment(env))
    assert done.returncode == 1
    assert b"is not installed beside" in done.stderr
