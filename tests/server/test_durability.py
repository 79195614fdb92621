"""What was answered 200 is on disk: kill -9 loses nothing and doubles nothing, the sync comes before the answer, a directory has
one owner, SIGTERM commits what waits, a full disk is refused and survived."""

from __future__ import annotations

import random
import re
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support import pprof, upload
from support.server import Server, binary, wait_for

S = 10**9
ROUNDS = 10
SENDERS = 6
VALUE = 1000


@dataclass
class Sender:
    """Uploads whose fate is known: each has one stack of its own, so that the flame graph says how often it was stored."""

    server: Server
    n_made: int = 0
    acknowledged: set[str] = field(default_factory=set)
    open: dict[str, bytes] = field(default_factory=dict)  # sent perhaps, not acknowledged: to be sent again
    lock: threading.Lock = field(default_factory=threading.Lock)

    def make(self) -> tuple[str, bytes]:
        with self.lock:
            if self.open and random.random() < 0.5:  # as a client does that got no answer
                name = random.choice(list(self.open))
                return name, self.open[name]
            self.n_made += 1
            name = f"profile_{self.n_made}"
            frames = (pprof.Frame(name, "/app/main.py", line=3), pprof.Frame("main", "/app/main.py", line=9))
            sample = pprof.Sample(frames, (VALUE,), (("thread name", "main"),))
            profile = pprof.Profile([("cpu-time", "nanoseconds")], [sample])
            now = time.time_ns()
            data = upload.body(profile, {"service": "durable", "env": "test"}, now - S, now)
            self.open[name] = data
            return name, data

    def send(self) -> bool:
        name, data = self.make()
        try:
            status, answer = upload.post(self.server.url, data)
        except OSError:
            return False  # the server is gone: nobody knows
        if status == 503:
            return False  # it is stopping
        assert status == 200, (status, answer)
        with self.lock:
            self.acknowledged.add(name)
            self.open.pop(name, None)
        return True

    def run(self) -> None:
        while self.send():
            pass

    def wait_for_acknowledged(self, n: int) -> None:
        wait_for(f"{n} are acknowledged", lambda: len(self.acknowledged) >= n, 30)


def stored(server: Server) -> dict[str, int]:
    """Value by profile, as the flame graph of everything tells."""
    reply = server.get("/api/v1/flamegraph", q="service:durable", type="cpu-time", format="collapsed")
    assert reply.status == 200, reply.body
    lines = reply.body.decode().splitlines()
    return {found[1]: int(found[2]) for line in lines if (found := re.search(r"(profile_\d+) .* (\d+)$", line))}


def check(server: Server, sender: Sender) -> None:
    values = stored(server)
    lost = sorted(sender.acknowledged - values.keys())
    assert not lost, f"{len(lost)} of {len(sender.acknowledged)} acknowledged are lost, such as {lost[:5]}"
    doubled = {name: value for name, value in values.items() if value != VALUE}
    assert not doubled, f"counted more than once: {doubled}"
    assert values.keys() <= sender.acknowledged | sender.open.keys()


def test_kill_9_loses_nothing_and_doubles_nothing(server: Server) -> None:
    sender = Sender(server)
    for _ in range(ROUNDS):
        threads = [threading.Thread(target=sender.run) for _ in range(SENDERS)]
        before = len(sender.acknowledged)
        for thread in threads:
            thread.start()
        # Any moment: in the first commit, or far into the stream.
        sender.wait_for_acknowledged(before + random.randrange(1, 60))
        server.kill()
        for thread in threads:
            thread.join()
        server.restart()
        check(server, sender)
    while sender.open:  # what never got an answer is sent again, as its sender would
        assert sender.send()
    check(server, sender)
    assert stored(server).keys() == sender.acknowledged


def test_sigterm_commits_what_waits(server: Server) -> None:
    sender = Sender(server)
    threads = [threading.Thread(target=sender.run) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    sender.wait_for_acknowledged(20)
    assert server.stop() == 0
    for thread in threads:
        thread.join()
    assert not list(server.data.glob("*-wal")), "a clean end leaves whole blocks"
    server.restart()
    check(server, sender)


def test_a_data_directory_has_one_owner(server: Server) -> None:
    command = [str(binary()), "serve", "--listen", "127.0.0.1:0", "--data", str(server.data)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert second.returncode not in (0, -6, -11)
    assert "another vigil is using the data directory" in second.stdout + second.stderr
    assert server.get("/healthz").status == 200


@pytest.fixture
def wrapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Server]]:
    """Starts vigil behind a line of shell; {} in it is the program with its arguments."""
    started: list[Server] = []

    def start(line: str) -> Server:
        script = tmp_path / "wrapper"
        script.write_text("#!/bin/bash\n" + line.replace("{}", f'{shlex.quote(str(binary()))} "$@"') + "\n")
        script.chmod(0o755)
        monkeypatch.setenv("VIGIL_BINARY", str(script))
        started.append(Server.start(tmp_path))
        return started[-1]

    yield start
    for server in started:
        with server:
            pass


@dataclass
class Call:
    """One system call: where it began and ended in the trace."""

    name: str
    text: str
    begin: int
    end: int


def calls(trace: Path) -> list[Call]:
    """The trace, with calls that other threads interrupted put together again."""
    found: list[Call] = []
    unfinished: dict[str, Call] = {}
    for number, line in enumerate(trace.read_text(errors="replace").splitlines()):
        thread, _, rest = line.partition(" ")
        rest = rest.strip()
        if resumed := re.match(r"<\.\.\. \w+ resumed>(.*)", rest):
            call = unfinished.pop(thread, None)
            if call:
                call.text += resumed[1]
                call.end = number
        elif started := re.match(r"(\w+)\(", rest):
            call = Call(started[1], rest, number, number)
            if rest.endswith("<unfinished ...>"):
                unfinished[thread] = call
            found.append(call)
    return found


def test_the_sync_comes_before_the_answer(wrapped: Callable[[str], Server], tmp_path: Path) -> None:
    assert shutil.which("strace"), "this test needs strace"
    trace = tmp_path / "trace"
    names = "fsync,fdatasync,rename,renameat,renameat2,pwrite64,write,writev,sendto,sendmsg"
    server = wrapped(f"exec strace -D -f -y -s 80 -o {shlex.quote(str(trace))} -e trace={names} {{}}")
    sender = Sender(server)
    assert sender.send() and sender.send()
    server.kill()
    wait_for("the trace is whole", lambda: re.search(rf"^{server.pid} +\+\+\+ killed", trace.read_text(errors="replace"), re.M))
    every = calls(trace)
    directory = re.escape(str(server.data))

    def done(pattern: str, after: int, before: int) -> Call:
        """The last call that matches, begun and ended well within the span."""
        within = [c for c in every if re.search(pattern, c.text) and after <= c.begin and c.end < before and "= -1" not in c.text]
        assert within, f"no {pattern} in lines {after} – {before} of the trace"
        return within[-1]

    answers = [c.begin for c in every if c.name in ("sendto", "sendmsg", "write", "writev") and "HTTP/1.1 200" in c.text]
    first, second = answers[-2:]
    assert len(answers) == 2

    block = rf"{directory}/[0-9-]+\.000\.sqlite"
    wal_write = done(rf"^pwrite64\(\d+<{block}-wal>", 0, first)
    wal_sync = done(rf"^f(data)?sync\(\d+<{block}-wal>", wal_write.end, first)
    done(rf"^fsync\(\d+<{directory}>", wal_sync.begin, first)  # the WAL is a new file
    renamed = done(r"^rename\w*\(.*\.sqlite\.new", 0, wal_write.begin)
    done(rf"^fsync\(\d+<{block}\.new>", 0, renamed.begin)
    done(rf"^fsync\(\d+<{directory}>", renamed.end, wal_write.begin)

    wal_write = done(rf"^pwrite64\(\d+<{block}-wal>", first, second)
    done(rf"^f(data)?sync\(\d+<{block}-wal>", wal_write.end, second)


def test_a_full_disk_is_refused_and_survived(wrapped: Callable[[str], Server]) -> None:
    """A limit on the size of files stands for the disk: to SQLite both are a write that fails."""
    server = wrapped("trap '' XFSZ\nulimit -f 400\nexec {}")
    sender = Sender(server)

    def send(number: int) -> int:
        name, data = sender.make()
        status, _ = upload.post(server.url, data)
        with sender.lock:
            sender.open.pop(name, None)
            if status == 200:
                sender.acknowledged.add(name)
        return status

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(send, range(600)))
    assert set(statuses) == {200, 507}, set(statuses)
    assert server.get("/healthz").status == 200
    check(server, sender)
    server.kill()
    server.restart()
    check(server, sender)
