"""Environment and arguments → settings, as INTERFACES has them, in each Python's own words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support import programs, pythons
from support.agent import Agent

READ = """
import json, sys
from ddtrace.profiling import _settings
asked = json.loads(sys.argv[1])
given = dict.fromkeys(("env", "service", "version", "tags", "url"))
given.update(asked["given"])
warnings = []
if sys.version_info[0] == 2:
    asked["environ"] = dict((str(k), v.encode("utf-8")) for k, v in asked["environ"].items())
s = _settings.read(asked["environ"], given, warnings.append)
assert all(type(v) is str for v in [s.core["url"], s.core["service"]] + [t for pair in s.tags for t in pair]), s.tags
print(json.dumps({"core": s.core, "tags": s.tags, "text": _settings.tags_text(s.tags), "headers": s.headers, "warnings": warnings}))
"""


def read(env: pythons.Environment, environ: dict[str, str] | None = None, **given: object) -> dict[str, Any]:
    asked = json.dumps({"environ": {"DD_SERVICE": "s", **(environ or {})}, "given": given})
    done = programs.run([env.python, "-c", READ, asked], programs.clean_environment(env))
    assert done.returncode == 0, done.stderr.decode()
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_defaults(env: pythons.Environment) -> None:
    got = read(env)
    core = got["core"]
    assert got["warnings"] == []
    core.pop("zlib_path")  # of this interpreter; see test_upload
    assert core == {
        "sample_hz": 100,
        "cpu_budget": 1.0,
        "max_frames": 512,
        "upload_interval": 60.0,
        "api_timeout_ms": 10000,
        "timeline": True,
        "stack_enabled": True,
        "ignore_profiler": False,
        "output_pprof": None,
        "url": "http://localhost:8126",
        "https": False,
        "service": "s",
    }


CASES: list[tuple[str, str, str, object]] = [
    ("DD_PROFILING_SAMPLE_HZ", "1000", "sample_hz", 1000),
    ("DD_PROFILING_CPU_BUDGET", "0", "cpu_budget", 0.0),
    ("DD_PROFILING_CPU_BUDGET", " 2.5 ", "cpu_budget", 2.5),
    ("DD_PROFILING_MAX_FRAMES", "64", "max_frames", 64),
    ("DD_PROFILING_UPLOAD_INTERVAL", "0.5", "upload_interval", 0.5),
    ("DD_PROFILING_API_TIMEOUT_MS", "1", "api_timeout_ms", 1),
    ("DD_PROFILING_TIMELINE_ENABLED", "False", "timeline", False),
    ("DD_PROFILING_STACK_ENABLED", "0", "stack_enabled", False),
    ("DD_PROFILING_IGNORE_PROFILER", "YES", "ignore_profiler", True),
    ("DD_TRACE_AGENT_URL", "unix:///run/a b.sock", "url", "unix:///run/a b.sock"),
    ("DD_TRACE_AGENT_URL", "https://agent.example:443/x", "https", True),
    ("DD_AGENT_HOST", "agent", "url", "http://agent:8126"),
    ("DD_AGENT_HOST", "fe80::1", "url", "http://[fe80::1]:8126"),
    ("DD_TRACE_AGENT_PORT", "9", "url", "http://localhost:9"),
    ("DD_PROFILING_OUTPUT_PPROF", "/tmp/p", "output_pprof", "/tmp/p"),
]


@pytest.mark.parametrize(("variable", "value", "name", "expected"), CASES)
def test_a_value_is_taken(env: pythons.Environment, variable: str, value: str, name: str, expected: object) -> None:
    got = read(env, {variable: value})
    assert got["core"][name] == expected
    assert got["warnings"] == []


MALFORMED: list[tuple[str, str, str, object]] = [
    ("DD_PROFILING_SAMPLE_HZ", "often", "sample_hz", 100),
    ("DD_PROFILING_SAMPLE_HZ", "0", "sample_hz", 100),
    ("DD_PROFILING_SAMPLE_HZ", "10001", "sample_hz", 100),
    ("DD_PROFILING_SAMPLE_HZ", "99.5", "sample_hz", 100),
    ("DD_PROFILING_CPU_BUDGET", "nan", "cpu_budget", 1.0),
    ("DD_PROFILING_CPU_BUDGET", "-1", "cpu_budget", 1.0),
    ("DD_PROFILING_UPLOAD_INTERVAL", "inf", "upload_interval", 60.0),
    ("DD_PROFILING_STACK_ENABLED", "perhaps", "stack_enabled", True),
    ("DD_TRACE_AGENT_URL", "agent:8126", "url", "http://localhost:8126"),
    ("DD_TRACE_AGENT_URL", "http://", "url", "http://localhost:8126"),
    ("DD_TRACE_AGENT_URL", "http://a:x", "url", "http://localhost:8126"),
    ("DD_TRACE_AGENT_URL", "http://u:p@a", "url", "http://localhost:8126"),
    ("DD_TRACE_AGENT_URL", "unix://relative", "url", "http://localhost:8126"),
    ("DD_TRACE_AGENT_PORT", "70000", "url", "http://localhost:8126"),
    ("DD_AGENT_HOST", "a host", "url", "http://localhost:8126"),
    ("DD_PROFILING_OUTPUT_PPROF", "/no/such/directory/p", "output_pprof", None),
]


@pytest.mark.parametrize(("variable", "value", "name", "default"), MALFORMED)
def test_a_malformed_value_is_one_warning_and_the_default(
    env: pythons.Environment, variable: str, value: str, name: str, default: object
) -> None:
    got = read(env, {variable: value})
    assert got["core"][name] == default
    assert len(got["warnings"]) == 1
    assert variable in got["warnings"][0]
    assert value in got["warnings"][0]


def test_tags_of_every_source(env: pythons.Environment) -> None:
    """Arguments win over DD_PROFILING_TAGS, which win over DD_TAGS, key by key; service, env and version have their own."""
    environ = {"DD_TAGS": "a:1, b:2,c:3:4,env:of-tags,version:0", "DD_PROFILING_TAGS": "b:5", "DD_ENV": "prod"}
    got = read(env, environ, version="9", tags={"c": "x", "d": "größe"})
    assert got["text"] == "service:s,env:prod,version:9,a:1,b:5,c:x,d:größe"
    assert got["warnings"] == []
    assert read(env, {"DD_TAGS": "a:1 b:2"})["text"] == "service:s,a:1,b:2"


def test_a_bad_pair_is_skipped_alone(env: pythons.Environment) -> None:
    got = read(env, {"DD_TAGS": "a:1,nonsense,:x,y:,b:2,"})
    assert got["text"] == "service:s,a:1,b:2"
    assert len(got["warnings"]) == 3


def test_no_value_breaks_out_of_its_tag(env: pythons.Environment) -> None:
    got = read(env, service="a,b:c\n", tags={"k:e,y": "v\x00\x7f,w:x"})
    assert got["text"] == "service:a_b:c_,k_e_y:v___w:x"


def test_an_api_key_alone_sends_nothing_anywhere(env: pythons.Environment) -> None:
    key = {"DD_API_KEY": "0123456789abcdef", "DD_SITE": "example.com"}
    got = read(env, key)
    assert (got["core"]["url"], got["headers"]) == ("http://localhost:8126", {})
    got = read(env, {**key, "DD_PROFILING_AGENTLESS": "true"})
    assert got["core"]["url"] == "https://intake.profile.example.com/api/v2/profile"
    assert got["headers"] == {"DD-API-KEY": "0123456789abcdef"}
    got = read(env, {"DD_PROFILING_AGENTLESS": "true"})
    assert got["core"]["url"] == ""
    assert "DD_API_KEY" in got["warnings"][0]
    got = read(env, {**key, "DD_PROFILING_AGENTLESS": "true", "DD_SITE": "evil/x?"})
    assert got["core"]["url"] == ""
    assert "DD_SITE" in got["warnings"][0]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["shop.py", "x"], "shop.py"),
        (["-W", "ignore", "-u", "shop.py"], "shop.py"),
        (["-Bm", "json.tool", "/dev/null"], "json.tool"),
        (["-c", "pass"], "unnamed-python-service"),
        (["-"], "unnamed-python-service"),
        ([], "unnamed-python-service"),
        (["package/__main__.py"], "package"),
    ],
)
def test_without_dd_service_it_is_the_scripts_name(env: pythons.Environment, tmp_path: Any, words: list[str], name: str) -> None:
    (tmp_path / "shop.py").write_text("")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__main__.py").write_text("")
    with Agent() as agent:
        environment = programs.clean_environment(env, programs.profiled(agent.url))
        programs.run([env.ddtrace_run, env.python, *words], environment, cwd=tmp_path)
        assert agent.wait(1)[0].tags["service"] == name


def test_a_warning_comes_through_logging_once(env: pythons.Environment) -> None:
    """On stderr where the program has set nothing up; in the program's own log where it has."""
    with Agent() as agent:
        settings = programs.profiled(agent.url, sample_hz="often")
        environment = programs.clean_environment(env, settings)
        done = programs.run(
            [env.ddtrace_run, env.python, "-c", "import ddtrace.profiling.auto as a; a.start_profiler()"], environment
        )
        assert done.returncode == 0
        assert done.stderr.decode() == "DD_PROFILING_SAMPLE_HZ is 'often', which is no number from 1 to 10000; it stays 100\n"
        code = (
            "import logging, sys; logging.basicConfig(stream=sys.stdout, format='%(name)s %(levelname)s %(message)s');"
            "from ddtrace.profiling import Profiler; Profiler().start(); Profiler().start()"
        )
        done = programs.run([env.python, "-c", code], environment)
    assert done.stderr == b""
    assert done.stdout.startswith(b"ddtrace.profiling WARNING DD_PROFILING_SAMPLE_HZ is 'often'")
    assert done.stdout.count(b"\n") == 1
