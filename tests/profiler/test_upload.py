"""Uploads of real programs to a real Agent: over TCP, a Unix socket and https; slow, broken and absent ones."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest
from support import pprof, programs, pythons
from support.agent import HANG, Agent

BURN = "import time\nend = time.time() + %s\nwhile time.time() < end: pass\n"


def test_what_arrives_is_as_the_protocol_says(env: pythons.Environment) -> None:
    with Agent() as agent:
        programs.python(env, BURN % 0.2, programs.profiled(agent.url, service="s"))
        upload = agent.wait(1)[0]
    assert upload.path == "/profiling/v1/input"
    assert upload.headers["user-agent"].startswith("vigil-profiler/")
    assert upload.headers["connection"] == "close"
    assert "dd-api-key" not in upload.headers
    assert set(upload.attachments) == {"auto.pprof"}
    event = upload.event
    assert (event["attachments"], event["family"], event["version"]) == (["auto.pprof"], "python", "4")
    assert event["start"] < event["end"]
    assert event["end"].endswith("Z")
    assert all(isinstance(value, int) for value in event["internal"].values())
    assert upload.attachments["auto.pprof"][:2] == b"\x1f\x8b"
    assert len(upload.attachments["auto.pprof"]) < len(gzip.decompress(upload.attachments["auto.pprof"]))  # zlib was found
    assert upload.profile.total("cpu-time") > 0


def test_a_unix_socket(env: pythons.Environment, tmp_path: Path) -> None:
    with Agent(socket=tmp_path / "agent.sock") as agent:
        programs.python(env, BURN % 0.1, programs.profiled(agent.url))
        assert agent.wait(1)[0].profile.total("cpu-time") > 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """For localhost, signed by itself."""
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        *names,
        "-keyout",
        key,
        "-out",
        certificate,
    ]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def test_https_verifies_certificates(env: pythons.Environment, certificate: tuple[Path, Path]) -> None:
    with Agent(tls=certificate) as agent:
        trusted = {**programs.profiled(agent.url), "SSL_CERT_FILE": str(certificate[0])}
        programs.python(env, BURN % 0.1, trusted)
        upload = agent.wait(1)[0]
        assert upload.path == "/profiling/v1/input"
        assert upload.profile.total("cpu-time") > 0
        programs.python(env, BURN % 0.1, programs.profiled(agent.url))
        assert len(agent.received) == 1  # nobody vouches for this one


def test_what_was_answered_500_is_kept_and_sent_later(env: pythons.Environment) -> None:
    with Agent([500, 503, 200]) as agent:
        programs.python(env, BURN % 3.5, programs.profiled(agent.url, upload_interval="0.5"))
        received = agent.wait(3)
    assert received[0].tags["profile_seq"] == "0"
    sequences = [int(request.tags["profile_seq"]) for request in received if request.status == 200]
    assert sequences == list(range(len(sequences)))  # all of them, each once, in order
    assert len(sequences) >= 4


def test_without_an_agent_profiles_wait_for_it(env: pythons.Environment) -> None:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    environment = programs.clean_environment(env, programs.profiled(f"http://127.0.0.1:{port}", upload_interval="0.3"))
    program = subprocess.Popen(
        [env.ddtrace_run, env.python, "-c", "import sys; sys.stdin.read()"],
        env=environment,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert program.stdin is not None
    _wait_for_threads(program.pid)
    time.sleep(1.0)  # it is the passing of time itself that is tested: some uploads must have failed
    with Agent(port=port) as agent:
        agent.wait(3)
        program.stdin.close()
        assert program.wait(20) == 0
        sequences = [int(request.tags["profile_seq"]) for request in agent.accepted()]
    assert sequences[0] == 0
    assert sequences == sorted(set(sequences))
    assert program.stderr is not None
    assert program.stderr.read() == b""
    program.stderr.close()


def _wait_for_threads(pid: int) -> None:
    """Until the profiler's threads are there."""
    deadline = time.monotonic() + 20
    while len(os.listdir(f"/proc/{pid}/task")) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("when", ["at the end", "before the end"])
def test_a_hanging_agent_holds_nobody_up(env: pythons.Environment, when: str) -> None:
    with Agent([HANG]) as agent:
        settings = programs.profiled(agent.url, upload_interval="60" if when == "at the end" else "0.2")
        environment = programs.clean_environment(env, settings)
        program = subprocess.Popen([env.ddtrace_run, env.python, "-c", BURN % 0.6], env=environment)
        agent.wait(1)
        if when == "before the end":
            time.sleep(0.3)  # the exchange is on while the program ends
        began = time.monotonic()
        assert program.wait(20) == 0
        assert time.monotonic() - began < 3.0  # its own 0.6 s and at most 2 s for the last upload


def test_output_files(env: pythons.Environment, tmp_path: Path) -> None:
    """Also without any Agent, relative to where the program was started, and readable by go tool pprof where there is one."""
    settings = programs.profiled("http://127.0.0.1:1", output_pprof="profile", upload_interval="0.3")
    environment = programs.clean_environment(env, settings)
    code = "import os; os.chdir('/'); print(os.getpid())\n" + BURN % 0.8
    done = programs.run([env.ddtrace_run, env.python, "-c", code], environment, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    pid = int(done.stdout)
    files = sorted(tmp_path.iterdir())
    assert files == [tmp_path / f"profile.{pid}.{n}.pprof" for n in range(len(files))]
    assert len(files) >= 2
    for file in files:
        assert pprof.decode(file.read_bytes()).total("wall-time") > 0
        pprof.check_with_go(file)


def test_an_interpreter_without_zlib_uploads_stored_blocks(env: pythons.Environment) -> None:
    """The extension looks in the process and at the path it is given; both are taken away here."""
    code = (
        "import sys\nfrom ddtrace.profiling import _settings, Profiler\n"
        "_settings.zlib_path = lambda: None\n"
        "p = Profiler(); p.start()\n" + BURN % 0.1 + "p.stop()"
    )
    with Agent() as agent:
        programs.python(env, code, programs.profiled(agent.url), launcher=False)
        assert agent.wait(1)[0].profile.total("cpu-time") > 0


def test_agentless_goes_to_the_intake_with_the_key(env: pythons.Environment, certificate: tuple[Path, Path]) -> None:
    """The address is made from DD_SITE; here its host is led to this machine."""
    code = (
        "import socket, sys\nreal = socket.create_connection\n"
        "def here(address, *a, **k):\n"
        "    sys.stdout.write('%s:%d' % address); return real(('127.0.0.1', PORT), *a, **k)\n"
        "socket.create_connection = here\n"
        "from ddtrace.profiling import Profiler\np = Profiler(); p.start()\n" + BURN % 0.1 + "p.stop()"
    )
    with Agent(tls=certificate) as agent:
        settings = programs.profiled("", agentless="true", api_key="0123456789abcdef", site="example.com")
        port = agent.url.rpartition(":")[2]
        out = programs.python(env, code.replace("PORT", port), settings, launcher=False)
        assert out.startswith("intake.profile.example.com:443")
        assert agent.received == []  # the certificate is for localhost
