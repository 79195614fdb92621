"""`make run`: vigil, a profiled program beside it, and the address where to look. Ends all of it on Ctrl-C.

Settings come from the environment, where the Makefile puts them: PORT, and APP, the command line of the user's own program
(empty: the example service with a load on it).

No process outlives this one. The server and the example run in sessions of their own, so that Ctrl-C reaches only us and we end
them in order: load, program (whose last profile is then still taken), server. The user's program stays in the terminal's
foreground, reads from it, and gets Ctrl-C itself. What any of them leaves behind becomes our child (Linux: subreaper) and is
ended too; and should we be killed outright, the kernel ends the children.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from urllib.parse import urlencode

import pythons
from steps import LOG, ROOT, show_end

HOST = "127.0.0.1"
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
START_S = 15  # for a server or the example to answer
FIRST_PROFILE_S = 15  # the first one is sent after 10 s
GRACE_S = 8  # between asking a process to end and ending it
POLL_S = 0.2


class Trouble(Exception):
    """What went wrong, in a sentence for the user; `log` is shown with it."""

    def __init__(self, sentence: str, log: Path | None = None) -> None:
        super().__init__(sentence)
        self.log = log


class Ended(BaseException):
    """Somebody asked us to end, with this signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def end_with_parent() -> None:
    """In a child, before it becomes its program."""
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Children:
    """The processes that we started, in the order of their start; they are ended in the opposite one."""

    started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    foreground: subprocess.Popen[bytes] | None = None

    def start(
        self, name: str, command: Sequence[str], env: Mapping[str, str], *, foreground: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start one; unless it is to have the terminal, what it says goes to build/log/NAME.log."""
        LOG.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            out = None if foreground else stack.enter_context(log_of(name).open("wb"))
            process = subprocess.Popen(
                command,
                env=dict(env),
                cwd=None if foreground else ROOT,
                stdin=None if foreground else subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=not foreground,
                preexec_fn=end_with_parent,
            )
        self.started.append(process)
        if foreground:
            self.foreground = process
        return process

    def end(self, by: int) -> None:
        """End them all, the last started first, then whatever they left behind."""
        for process in reversed(self.started):
            if not (process is self.foreground and by == signal.SIGINT and ends(process)):  # Ctrl-C reached it, too
                process.terminate()
                if not ends(process):
                    process.kill()
                    process.wait()
        self.end_orphans()

    def end_orphans(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + 2
            for pid in children_of_ours():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            while children_of_ours() and time.monotonic() < deadline:
                self.reap_orphans()
                time.sleep(0.05)

    def reap_orphans(self) -> None:
        """Collect what ended after its own parent did."""
        known = {process.pid for process in self.started}
        for pid in children_of_ours() - known:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def ends(process: subprocess.Popen[bytes]) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)
    return process.returncode is not None


def children_of_ours() -> set[int]:
    with contextlib.suppress(OSError):
        return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}
    return set()


def log_of(name: str) -> Path:
    return LOG / f"{name}.log"


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(POLL_S)
    return False


def check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            who = "another Vigil" if answers(port) else "another program (a Datadog Agent listens on 8126 too)"
            raise Trouble(f"Port {port} is taken by {who}: {error.strerror}. End it, or choose: make run PORT={port + 1}") from None


def answers(port: int) -> bool:
    with contextlib.suppress(OSError, ValueError):
        with urllib.request.urlopen(f"http://{HOST}:{port}/healthz", timeout=2) as answer:
            return bool(json.load(answer).get("status") == "ok")
    return False


@dataclass
class Session:
    """One `make run`."""

    port: int
    app: list[str]
    children: Children = field(default_factory=Children)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def run(self) -> int:
        check_port(self.port)
        python = pythons.python_of(self.app[0]) if self.app else pythons.newest_supported()
        profiler = pythons.install(python)
        server = self.start_server()
        began_ns = time.time_ns()
        began = time.monotonic()
        service, program = self.start_app(profiler) if self.app else self.start_example(profiler)
        seen = self.wait_for_profile(service, program, began_ns)
        self.tell(service, python, time.monotonic() - began if seen else None)
        return self.watch(server, program)

    def start_server(self) -> subprocess.Popen[bytes]:
        print(f"  vigil: serve on {self.url}, data in var/vigil", flush=True)
        command = [str(ROOT / "build" / "vigil"), "serve", "--listen", f"{HOST}:{self.port}", "--data", str(ROOT / "var" / "vigil")]
        server = self.children.start("vigil", command, os.environ)
        if not wait_for(lambda: server.poll() is not None or answers(self.port), START_S) or server.poll() is not None:
            raise Trouble("vigil did not start.", log_of("vigil"))
        return server

    def start_example(self, profiler: pythons.Profiler) -> tuple[str, subprocess.Popen[bytes]]:
        """The movie service under the profiler, with a load on it."""
        print("  example: the movie service under ddtrace-run, and visitors for it", flush=True)
        plain = {name: value for name, value in profiler.environment().items() if not name.startswith("DD_")}
        settings = {"DD_SERVICE": "movies", "DD_ENV": "demo", "DD_VERSION": "1.0", "DD_TAGS": "team:example"}
        data = str(ROOT / "var" / "example")
        command = [profiler.launcher, profiler.python.path, "examples/movies", "--port", "0", "--data", data]
        program = self.children.start("example", command, {**plain, **self.profiling(), **settings})
        address: list[str] = []

        def listening() -> bool:
            address[:] = re.findall(r"^movies: (http://\S+)", log_of("example").read_text(errors="replace"), re.MULTILINE)
            return bool(address) or program.poll() is not None

        wait_for(listening, START_S)
        if not address or program.poll() is not None:
            raise Trouble("The example did not start.", log_of("example"))
        load = [profiler.python.path, "examples/load.py", "--url", address[0], "--seconds", "0"]
        self.children.start("load", load, {name: value for name, value in os.environ.items() if not name.startswith("DD_")})
        return "movies", program

    def start_app(self, profiler: pythons.Profiler) -> tuple[str, subprocess.Popen[bytes]]:
        """The user's own program, in the terminal's foreground."""
        service = os.environ.get("DD_SERVICE") or service_of(self.app)
        print(f"  your program under ddtrace-run, as service '{service}': {shlex.join(self.app)}", flush=True)
        env = {**profiler.environment(), **self.profiling(), "DD_SERVICE": service}
        return service, self.children.start("app", [profiler.launcher, *self.app], env, foreground=True)

    def profiling(self) -> dict[str, str]:
        return {"DD_PROFILING_ENABLED": "true", "DD_TRACE_AGENT_URL": self.url}

    def wait_for_profile(self, service: str, program: subprocess.Popen[bytes], began_ns: int) -> bool:
        """Until a profile of this run can be seen. A program that ended sends its last profile before it does."""
        print("  waiting for the first profile; it is sent after 10 s", flush=True)
        query = urlencode({"q": f'service:"{service}"', "from": str(began_ns - 10**9), "to": str(began_ns + 3600 * 10**9)})

        def seen() -> bool:
            with contextlib.suppress(OSError, ValueError):
                with urllib.request.urlopen(f"{self.url}/api/v1/profiles?{query}", timeout=5) as answer:
                    return bool(json.load(answer)["profiles"])
            return False

        return wait_for(lambda: seen() or program.poll() is not None, FIRST_PROFILE_S) and (seen() or wait_for(seen, 2))

    def tell(self, service: str, python: pythons.Python, seconds: float | None) -> None:
        link = f"{self.url}/explore?{urlencode({'service': service, 'type': 'cpu-time'})}"
        if seconds is None:
            print(f"\nNo profile of '{service}' arrived yet. What it said: build/log/, and the settings: docs/getting-started.md")
        else:
            print(f"\nThe first profile of '{service}' (Python {python.name}) can be seen, {seconds:.0f} s after its start:")
        print(f"\n    {link}\n")
        if not self.app:
            print("One kind of request is slow: which line is to blame? examples/README.md has the answer.")
            print('Next, your own program:  make run APP="python my/app.py"')
        print("docs/getting-started.md goes on from here. Ctrl-C ends all of it; the data stays in var/.", flush=True)

    def watch(self, server: subprocess.Popen[bytes], program: subprocess.Popen[bytes]) -> int:
        """Stay until asked to end, or until the server ends."""
        told = False
        while server.poll() is None:
            if program.poll() is not None and not told:
                told = True
                print(f"\nThe program ended ({how(program.returncode)}). Its profiles stay visible; Ctrl-C ends vigil.", flush=True)
            self.children.reap_orphans()
            time.sleep(POLL_S)
        raise Trouble(f"vigil ended by itself ({how(server.returncode)}).", log_of("vigil"))


def service_of(app: Sequence[str]) -> str:
    """A name for the user's program as the profiler would choose it: its script's or module's, else the command's."""
    for word, following in zip(app, [*app[1:], ""], strict=True):
        if word == "-m" and following:
            return following
        if word.endswith(".py"):
            return Path(word).name
    return Path(app[0]).name


def how(code: int) -> str:
    return f"exit status {code}" if code >= 0 else signal.Signals(-code).name


@contextlib.contextmanager
def signals_end_us() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal raise Ended, once; while we tidy up they are not heard."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Ended(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)


def main() -> int:
    try:
        port = int(os.environ.get("PORT") or 8126)
        app = shlex.split(os.environ.get("APP", ""))
    except ValueError as error:
        print(f"make run: PORT is a number and APP a command line: {error}", file=sys.stderr)
        return 2
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    session, by = Session(port, app), int(signal.SIGTERM)
    try:
        with signals_end_us():
            return session.run()
    except Ended as ended:
        by = ended.number
        print("\nEnding: the program, its last profile, then vigil.", flush=True)
        return 0
    except (Trouble, pythons.Unusable) as trouble:
        log = getattr(trouble, "log", None)
        if log:
            show_end(log)
        print(f"make run: {trouble}", file=sys.stderr)
        return 1
    finally:
        session.children.end(by)


if __name__ == "__main__":
    sys.exit(main())
