"""The hosted product's own client, unmodified, from PyPI, uploads to vigil: it stays quiet, and its figures come out right.

It runs in a virtual environment of its own (build/venvs/peer-…), made once, with the Python 3.12 that pyenv has.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import urllib.parse
from pathlib import Path

import pytest
from support.server import ROOT, Server

CLIENT = "ddtrace==4.16.0"

# A known amount of CPU in two threads and of sleep; says what really happened.
PROGRAM = """
import json, threading, time
done = {}
def spin_here(seconds):
    begin = time.thread_time()
    while time.thread_time() < begin + seconds:
        sum(range(1000))
    done["spin_here"] = time.thread_time() - begin
def spin_there(seconds):
    begin = time.thread_time()
    while time.thread_time() < begin + seconds:
        sum(range(1000))
    done["spin_there"] = time.thread_time() - begin
def nap(seconds):
    begin = time.monotonic()
    time.sleep(seconds)
    done["nap"] = time.monotonic() - begin
thread = threading.Thread(target=spin_there, args=(1.5,), name="there")
thread.start()
spin_here(3.0)
thread.join()
nap(2.0)
print(json.dumps(done))
"""


def python_3_12() -> Path | None:
    found = sorted((Path("~/.pyenv/versions").expanduser()).glob("3.12.*/bin/python"))
    return found[-1] if found else None


@pytest.fixture(scope="session")
def peer() -> Path:
    """The bin directory of an environment with the client in it."""
    python = python_3_12()
    if python is None:
        pytest.skip("no Python 3.12 under pyenv")
    place = ROOT / "build" / "venvs" / ("peer-" + CLIENT.replace("==", "-"))
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:  # several runs of the tests may want it at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            subprocess.run([python, "-m", "venv", place], check=True)
            subprocess.run([place / "bin" / "python", "-m", "pip", "-q", "install", CLIENT], check=True)
            (place / "complete").touch()
    return place / "bin"


def run(peer: Path, server_url: str, program: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("DD_")}
    env |= {
        "PATH": f"{peer}:{env['PATH']}",
        "DD_PROFILING_ENABLED": "true",
        "DD_SERVICE": "peer",
        "DD_ENV": "test",
        "DD_VERSION": "1.0",
        "DD_TAGS": "team:core,layer:api",
        "DD_TRACE_AGENT_URL": server_url,
    }
    command = [peer / "ddtrace-run", peer / "python", program]
    return subprocess.run(command, env=env | settings, capture_output=True, text=True, timeout=120)


def total(server: Server, value_type: str, function: str) -> float:
    """Seconds of one type in stacks that have the function."""
    reply = server.get("/api/v1/flamegraph", q="service:peer env:test", type=value_type, format="collapsed")
    assert reply.status == 200, reply.body
    lines = reply.body.decode().splitlines()
    return sum(int(line.rpartition(" ")[2]) for line in lines if f"{function} (" in line) / 1e9


def test_its_figures_come_out_right(server: Server, peer: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    ended = run(peer, server.url, program)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""  # no complaint about the Agent it met, with all that it has switched on by default
    truth = json.loads(ended.stdout)

    for function in ("spin_here", "spin_there"):
        assert total(server, "cpu-time", function) == pytest.approx(truth[function], rel=0.1)
    assert total(server, "wall-time", "nap") == pytest.approx(truth["nap"], rel=0.1)

    [profile] = server.json("/api/v1/profiles", q="service:peer")["profiles"]
    assert (profile["env"], profile["version"], profile["clock"]) == ("test", "1.0", "ok")
    assert profile["tags"]["team"] == ["core"]
    assert profile["tags"]["layer"] == ["api"]
    assert profile["tags"]["language"] == ["python"]
    narrowed = server.get("/api/v1/flamegraph", q='service:peer thread:"there"', type="cpu-time", format="collapsed").body
    assert b"spin_there" in narrowed
    assert b"spin_here" not in narrowed
    # Types that were zero throughout are not kept.
    assert not [kind["name"] for kind in profile["types"] if kind["name"].startswith("gpu-")]


def test_it_uploads_over_a_unix_socket(tmp_path: Path, peer: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    path = tmp_path / "agent.sock"
    with Server.start(tmp_path, "--listen", f"unix:{path}") as server:
        ended = run(peer, "unix://" + urllib.parse.quote(str(path)), program)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert total(server, "cpu-time", "spin_here") == pytest.approx(3.0, rel=0.1)
