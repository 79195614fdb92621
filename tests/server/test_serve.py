"""The command line: what it teaches, what it refuses, how it starts and stops."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from support import pprof, upload
from support.server import Server, binary, wait_for


def vigil(*args: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(binary()), *args], capture_output=True, text=True, timeout=30, env=env)


def test_help_is_on_stdout_and_teaches() -> None:
    for args in (["--help"], ["help"], ["-h"]):
        said = vigil(*args)
        assert (said.returncode, said.stderr) == (0, "")
        assert "serve" in said.stdout
    for args in (["serve", "--help"], ["help", "serve"]):
        said = vigil(*args)
        assert (said.returncode, said.stderr) == (0, "")
        for option in ("--listen", "--data", "--retention", "--max-disk"):
            assert option in said.stdout


def test_version_is_that_of_the_project() -> None:
    version = (Path(__file__).resolve().parents[2] / "VERSION").read_text().strip()
    assert vigil("--version").stdout.startswith(f"vigil {version} (")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "usage"),
        (["fly"], "unknown command 'fly'"),
        (["help", "fly"], "unknown command 'fly'"),
        (["serve", "--fly"], "unknown option '--fly'"),
        (["serve", "fly"], "unknown argument 'fly'"),
        (["serve", "--data"], "--data needs a value"),
        (["serve", "--retention", "30"], "'30' is no duration"),
        (["serve", "--retention", "-1d"], "no duration"),
        (["serve", "--max-disk=50X"], "'50X' is no size"),
        (["serve", "--max-disk", "99999999999T"], "no size"),
        (["serve", "--log-level", "loud"], "'loud' is none of"),
        (["serve", "--listen", "8126"], "'8126' is no address"),
        (["serve", "--listen", "0.0.0.0:0"], "authentication"),
        (["serve", "--listen", "[::]:0"], "authentication"),
        (["serve", "--listen", "192.168.1.1:0"], "authentication"),
    ],
)
def test_mistakes_are_told_with_status_2(args: Sequence[str], words: str) -> None:
    said = vigil(*args)
    assert (said.returncode, said.stdout) == (2, "")
    assert words in said.stderr


def test_a_port_in_use_is_told_with_a_hint(server: Server, tmp_path: Path) -> None:
    said = vigil("serve", "--listen", f"127.0.0.1:{server.port}", "--data", str(tmp_path / "other"))
    assert said.returncode == 1
    assert "in use" in said.stderr
    assert "--listen" in said.stderr


def test_a_data_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = vigil("serve", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "file" / "data"))
    assert said.returncode == 1
    assert "data directory" in said.stderr


def test_the_data_directory_is_by_default_that_of_the_user(tmp_path: Path) -> None:
    env = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "xdg")}
    command = [str(binary()), "serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stderr is not None
        assert "msg=ready" in process.stderr.readline()
        process.terminate()
        assert process.wait(20) == 0
    data = tmp_path / "xdg" / "vigil"
    assert data.is_dir()
    assert data.stat().st_mode & 0o077 == 0  # for its owner alone


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_with_what_it_accepted(tmp_path: Path, number: signal.Signals) -> None:
    now = time.time_ns()
    profile = pprof.Profile([("cpu-time", "nanoseconds")], [pprof.Sample((pprof.Frame("f"),), (1,))])
    with Server.start(tmp_path) as server:
        upload.upload(server.url, profile, {"service": "kept"}, now - 10**9, now)
        # Neither a connection that says nothing nor half a request holds it up for long.
        with (
            socket.create_connection(("127.0.0.1", server.port)),
            socket.create_connection(("127.0.0.1", server.port)) as half,
        ):
            half.sendall(b"GET /info HTTP/1.1\r\n")
            assert server.process is not None
            server.process.send_signal(number)
            assert server.process.wait(3) == 0
        assert "msg=stopped" in server.log()
        server.restart()
        assert [s["name"] for s in server.json("/api/v1/services")["services"]] == ["kept"]


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with Server.start(tmp_path) as server, socket.create_connection(("127.0.0.1", server.port)) as half:
        half.sendall(b"PUT /v0.4/traces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf")
        wait_for("it is read", lambda: server.get("/healthz").status == 200)
        assert server.process is not None
        server.process.terminate()
        wait_for("it is stopping", lambda: "msg=stopping" in server.log())
        server.process.terminate()
        assert server.process.wait(2) in (-signal.SIGTERM, 0)


def test_it_listens_on_several_addresses_and_unix_sockets(tmp_path: Path) -> None:
    path = tmp_path / "vigil.sock"
    with Server.start(tmp_path, "--listen", "[::1]:0", "--listen", f"unix:{path}") as server:
        wait_for("all addresses are said", lambda: server.log().count("msg=ready") == 3)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(path))
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: anything\r\nConnection: close\r\n\r\n")
            assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
        server.kill()  # leaves the socket's file behind
        assert path.exists()
        server.restart()
        assert server.stop() == 0
        assert not path.exists()


def test_the_log_is_json_where_asked(tmp_path: Path) -> None:
    with Server.start(tmp_path, "--log-format", "json", "--log-level", "debug") as server:
        reply = server.get("/nothing-at-all/%C3%A9%22", a="b")
        server.stop()
        lines = [json.loads(line) for line in server.log().splitlines()]
        assert {"time", "level", "msg"} <= set(lines[0])
        [request] = [line for line in lines if line.get("request") == reply.headers["x-request-id"]]
        assert request["method"] == "GET"
        assert request["status"] == reply.status


def test_it_says_that_it_is_ready_whatever_the_level(tmp_path: Path) -> None:
    with Server.start(tmp_path, "--log-level", "error") as server:
        assert server.get("/nothing").status == 404
        assert server.stop() == 0
        assert server.log().count("\n") == 1
