"""An Agent for tests of the profiler: a real HTTP server on TCP or a Unix socket that keeps what it is sent.

What it answers is a script: a status for each request in turn, the last one for all that follow; HANG answers nothing until the
Agent closes.
"""

from __future__ import annotations

import email
import email.policy
import http.server
import json
import socketserver
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from . import pprof

HANG = 0


@dataclass(frozen=True)
class Received:
    """One request, taken apart."""

    path: str
    headers: dict[str, str]  # names in lower case
    event: dict[str, Any]
    attachments: dict[str, bytes]
    status: int  # that it was answered; 0: none

    @property
    def tags(self) -> dict[str, str]:
        pairs = (pair.partition(":") for pair in self.event["tags_profiler"].split(","))
        return {name: value for name, _, value in pairs}

    @property
    def profile(self) -> pprof.Profile:
        return pprof.decode(self.attachments["auto.pprof"])


def _parts(content_type: str, body: bytes) -> dict[str, bytes]:
    message = email.message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body, policy=email.policy.HTTP)
    parts = {}
    for part in message.iter_parts():  # type: ignore[attr-defined]
        payload = part.get_payload(decode=True)
        parts[str(part.get_filename())] = payload
    return parts


class Agent:
    """A context manager; `url` is what goes into DD_TRACE_AGENT_URL."""

    def __init__(
        self, script: Sequence[int] = (200,), socket: Path | None = None, tls: tuple[Path, Path] | None = None, port: int = 0
    ) -> None:
        self.script = list(script)
        self.received: list[Received] = []
        self._changed = threading.Condition()
        self._closing = threading.Event()
        handler = self._handler()
        self._server: socketserver.BaseServer
        if socket is not None:
            self._server = _UnixServer(str(socket), handler)
            self.url = f"unix://{socket}"
        else:
            server = _TcpServer(("127.0.0.1", port), handler)
            if tls is not None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*tls)
                server.socket = context.wrap_socket(server.socket, server_side=True)
            self._server = server
            self.url = f"{'https' if tls else 'http'}://{'localhost' if tls else '127.0.0.1'}:{server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Agent:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def wait(self, n: int, seconds: float = 20.0) -> list[Received]:
        """All requests so far, once there are at least n."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while len(self.received) < n:
                left = deadline - time.monotonic()
                assert left > 0, f"{len(self.received)} of {n} uploads came in {seconds} s"
                self._changed.wait(left)
            return list(self.received)

    def accepted(self) -> list[Received]:
        with self._changed:
            return [request for request in self.received if request.status == 200]

    def _keep(self, path: str, headers: dict[str, str], body: bytes) -> int:
        parts = _parts(headers.get("content-type", ""), body)
        with self._changed:
            status = self.script[min(len(self.received), len(self.script) - 1)]
            event = json.loads(parts.pop("event.json"))
            self.received.append(Received(path, headers, event, parts, status))
            self._changed.notify_all()
        return status

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        agent = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = agent._keep(self.path, headers, body)
                if status == HANG:
                    agent._closing.wait()
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: object) -> None:
                pass

            def address_string(self) -> str:
                return "client"

        return Handler


class _TcpServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that left


class _UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        pass
