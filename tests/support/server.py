"""A real `vigil serve` for tests: ephemeral port, its own data directory, and a few ways to talk to it.

    with Server.start(tmp_path) as server:
        server.json("/api/v1/services")

The binary is $VIGIL_BINARY, else build/vigil. `kill` is kill -9; `restart` serves the same data again on the same port.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[2]
READY_S = 15.0
STOP_S = 20.0

T = TypeVar("T")


def binary() -> Path:
    """The vigil under test."""
    path = Path(os.environ.get("VIGIL_BINARY") or ROOT / "build" / "vigil")
    if not path.exists():
        raise RuntimeError(f"{path} is not there: run `make build`, or name another in VIGIL_BINARY")
    return path


def wait_for(what: str, condition: Callable[[], T | None], timeout_s: float = READY_S) -> T:
    """The first true value of condition, asked for again and again until the deadline."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s} s: {what}")
        time.sleep(0.02)


@dataclass
class Reply:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """What an error answer says: code, message, hint."""
        error: dict[str, Any] = self.json()["error"]
        return error


class Server:
    """One running vigil. Make it with `start`; it is a context manager that ends the process."""

    def __init__(self, data: Path, args: Sequence[str]) -> None:
        self.data = data
        self.args = list(args)
        self.port = 0
        self.log_path = data.with_name(data.name + ".log")
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, directory: Path, *args: str) -> Server:
        """Serves directory/data; args are more options of `vigil serve`."""
        server = cls(directory / "data", args)
        server._launch()
        return server

    def _launch(self) -> None:
        command = [str(binary()), "serve", "--listen", f"127.0.0.1:{self.port}", "--data", str(self.data), *self.args]
        begin = self.log_path.stat().st_size if self.log_path.exists() else 0
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def announced() -> int | None:
            text = self.log_path.read_bytes()[begin:].decode(errors="replace")
            found = re.search(r"http://127\.0\.0\.1:(\d+)", text)
            if not found and self.process and self.process.poll() is not None:
                raise RuntimeError(f"vigil serve ended with {self.process.returncode}: {text}")
            return int(found[1]) if found else None

        self.port = wait_for("vigil serve says its address", announced)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout_s: float = 60.0,
    ) -> Reply:
        """One exchange on a connection of its own; any status is a reply."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, names, response.read())
        finally:
            connection.close()

    def get(self, path: str, **query: str) -> Reply:
        """A GET. A query name that is a Python keyword is written with a trailing underscore: from_."""
        pairs = {name.rstrip("_"): value for name, value in query.items()}
        return self.request("GET", path + ("?" + urllib.parse.urlencode(pairs) if pairs else ""))

    def json(self, path: str, **query: str) -> Any:
        """The JSON of a GET that must succeed."""
        reply = self.get(path, **query)
        assert reply.status == 200, f"{path}: {reply.status} {reply.body[:300]!r}"
        return reply.json()

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Serves the same data on the same port again; stops it first where it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        self._launch()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
