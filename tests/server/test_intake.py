"""The intake, asked over the wire: what is taken, what is refused and how, and that the server lives on."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import socket
import struct
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support import pprof, upload
from support.server import Reply, Server, wait_for
from support.upload import BOUNDARY, Part, multipart

S = 10**9
FORM = f"multipart/form-data; boundary={BOUNDARY}"
INPUT = "/profiling/v1/input"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all that does not care what else it holds: each test uses a service name of its own."""
    with Server.start(tmp_path_factory.mktemp("intake")) as running:
        yield running


@pytest.fixture
def service() -> str:
    return "s" + uuid.uuid4().hex[:12]


def profile(value: int = 5 * S) -> pprof.Profile:
    frames = (pprof.Frame("leaf", line=3), pprof.Frame("größe;x", "/app/ü.py"))
    labels: tuple[tuple[str, str | int], ...] = (("thread name", "main"), ("thread id", 7), ("end_timestamp_ns", 10**18))
    return pprof.Profile([("cpu-time", "nanoseconds")], [pprof.Sample(frames, (value,), labels)])


def times() -> tuple[int, int]:
    now = time.time_ns()
    return now - 60 * S, now


def post(server: Server, body: bytes, content_type: str = FORM, **headers: str) -> Reply:
    return server.request("POST", INPUT, body, {"Content-Type": content_type, **headers})


def cpu_total(server: Server, service: str) -> int:
    reply = server.get("/api/v1/flamegraph", q=f"service:{service}", type="cpu-time", format="collapsed")
    assert reply.status == 200, reply.body
    return sum(int(line.rpartition(" ")[2]) for line in reply.body.decode().splitlines())


# --- encodings, by hand: the tests need no compression library ------------------------------------------------------------


def zstd_frame(blocks: list[bytes], size: int) -> bytes:
    return b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", size) + b"".join(blocks)


def zstd_block(kind: int, size: int, data: bytes, is_last: bool) -> bytes:
    return struct.pack("<I", is_last | kind << 1 | size << 3)[:3] + data


def zstd(data: bytes) -> bytes:
    pieces = [data[i : i + 100_000] for i in range(0, len(data), 100_000)]
    blocks = [zstd_block(0, len(p), p, i == len(pieces) - 1) for i, p in enumerate(pieces)]
    return zstd_frame(blocks, len(data))


def lz4(*blocks: bytes) -> bytes:
    """A frame; a block's own length word comes with it."""
    return b"\x04\x22\x4d\x18\x60\x70\x73" + b"".join(blocks) + b"\0\0\0\0"


def lz4_stored(data: bytes) -> bytes:
    return struct.pack("<I", len(data) | 1 << 31) + data


def lz4_zeros() -> bytes:
    """16 KB that stand for 4 MB: a zero, repeated, and the five literals a block must end in."""
    block = b"\x1f\0\x01\0" + b"\xff" * 16_000 + b"\0" + b"\x50" + b"\0" * 5
    return struct.pack("<I", len(block)) + block


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "zstd": zstd,
    "lz4": lambda data: lz4(lz4_stored(data)),
}


def form(service: str, attachment: bytes, name: str = "auto.pprof", **event: object) -> bytes:
    start, end = times()
    return multipart(
        [
            Part("event", upload.event({"service": service}, start, end, name, **event), "event.json", "application/json"),
            Part(name, attachment, name, "application/octet-stream"),
        ]
    )


# --- what is taken --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_each_encoding_is_taken(shared: Server, service: str, encoding: str) -> None:
    reply = post(shared, form(service, ENCODINGS[encoding](pprof.encode(profile(123)))))
    assert (reply.status, reply.json()) == (200, {"status": "stored"})
    assert cpu_total(shared, service) == 123


def test_the_hosted_clients_form_is_taken(shared: Server, service: str) -> None:
    start, end = times()
    event = upload.event(
        {"service": service}, start, end, "profile.pprof", endpoint_counts=None, info={"a": [1]}, internal={"n": 1}
    )
    body = multipart(
        [
            Part("event", event, "event.json", "application/json"),
            Part("code-provenance.json", zstd(b"{}"), "code-provenance.json"),
            Part("profile.pprof", zstd(pprof.encode(profile())), "profile.pprof"),
        ]
    )
    assert post(shared, body, **{"dd-evp-origin": "dd-trace-py", "Connection": "close"}).status == 200
    [stored] = shared.json("/api/v1/profiles", q=f"service:{service}")["profiles"]
    assert stored["internal"] == {"n": 1}
    assert stored["tags"]["language"] == ["python"]


def test_older_clients_send_the_event_as_fields(shared: Server, service: str) -> None:
    start, end = times()
    fields = [("recording-start", upload.rfc3339(start)), ("recording-end", upload.rfc3339(end)), ("family", "python")]
    tags = [("tags[]", f"service:{service}"), ("tags[]", "team:a,b"), ("tags[]", "bad"), ("tags[]", "url:http://x:1")]
    parts = [Part(name, value.encode()) for name, value in fields + tags]
    body = multipart([*parts, Part("chunk-data", gzip.compress(pprof.encode(profile(9))), "pprof.gz")])
    assert post(shared, body).status == 200
    [stored] = shared.json("/api/v1/profiles", q=f"service:{service}")["profiles"]
    assert stored["tags"]["team"] == ["a,b"]
    assert stored["tags"]["url"] == ["http://x:1"]
    assert cpu_total(shared, service) == 9


def test_text_is_kept_clean(shared: Server, service: str) -> None:
    frames = (pprof.Frame("a\nb", "/x\x07.py"),)
    dirty = pprof.Profile([("cpu-time", "nanoseconds")], [pprof.Sample(frames, (1,))])
    start, end = times()
    body = upload.body(dirty, [("service", service), ("TEAM", "x\x1by")], start, end)
    assert post(shared, body).status == 200
    text = shared.get("/api/v1/flamegraph", q=f"service:{service}", format="collapsed").body
    assert text == b"a b (/x .py:1) 1\n"
    assert shared.json("/api/v1/profiles", q=f"service:{service}")["profiles"][0]["tags"]["team"] == ["x y"]


def test_the_same_profile_twice_counts_once(shared: Server, service: str) -> None:
    start, end = times()
    body = upload.body(profile(100), {"service": service, "runtime-id": "r1", "profile_seq": "0"}, start, end)
    assert [post(shared, body).json()["status"] for _ in range(3)] == ["stored", "duplicate", "duplicate"]
    again = upload.body(profile(10), {"service": service, "runtime-id": "r1", "profile_seq": "1"}, end, end + 60 * S)
    assert post(shared, again).json() == {"status": "stored"}
    assert cpu_total(shared, service) == 110


def test_a_clock_ahead_is_flagged_not_refused(shared: Server, service: str) -> None:
    ahead = time.time_ns() + 3600 * S
    assert post(shared, upload.body(profile(), {"service": service}, ahead - 60 * S, ahead)).status == 200
    found = shared.json("/api/v1/profiles", q=f"service:{service}", to=upload.rfc3339(ahead + S))
    assert [p["clock"] for p in found["profiles"]] == ["ahead"]


def test_three_hundred_connections_at_once(server: Server) -> None:
    start, end = times()
    gate = threading.Barrier(300)

    def send(i: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        try:
            connection.connect()
            gate.wait(60)  # all are connected before the first sends
            body = upload.body(profile(1), {"service": "many", "runtime-id": f"r{i}"}, start, end)
            connection.request("POST", INPUT, body, {"Content-Type": FORM})
            return connection.getresponse().status
        finally:
            connection.close()

    with ThreadPoolExecutor(300) as pool:
        assert set(pool.map(send, range(300))) == {200}
    assert cpu_total(server, "many") == 300


# --- what is refused ------------------------------------------------------------------------------------------------------


def zstd_bomb() -> bytes:
    """256 MB from some kilobytes, and honest about it."""
    blocks = [zstd_block(1, 128 << 10, b"\0", i == 2047) for i in range(2048)]
    return zstd_frame(blocks, 2048 * (128 << 10))


def with_event(event: object) -> bytes:
    data = event if isinstance(event, bytes) else json.dumps(event).encode()
    return multipart([Part("event", data, "event.json"), Part("auto.pprof", pprof.encode(profile()), "auto.pprof")])


def changed(**changes: object) -> bytes:
    start, end = times()
    event = json.loads(upload.event({"service": "hostile"}, start, end))
    return with_event({**event, **changes})


GOOD = form("hostile", pprof.encode(profile()))
PLAIN = pprof.encode(profile())

HOSTILE: dict[str, tuple[bytes, int, str]] = {
    "empty body": (b"", 400, "does not contain the boundary"),
    "binary junk": (bytes(range(256)) * 50, 400, "does not contain the boundary"),
    "truncated in a part": (GOOD[: len(GOOD) - 40], 400, "cut off"),
    "truncated before the last dashes": (GOOD[:-4], 400, "cut off"),
    "no event": (multipart([Part("auto.pprof", PLAIN, "auto.pprof")]), 400, "the event has no start"),
    "no attachment": (multipart([Part("event", b"{}", "event.json")]), 400, "has no start|no pprof attachment"),
    "empty attachment": (form("hostile", b""), 400, "auto.pprof|empty"),
    "two attachments": (GOOD[: -len(BOUNDARY) - 6] + multipart([Part("b.pprof", PLAIN, "b.pprof")]), 400, "two pprof"),
    "two events": (multipart([Part("event", b"{}")] * 2), 400, "two events"),
    "part without a name": (f"--{BOUNDARY}\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(), 400, "no Content-Disposition"),
    "endless header line": (f"--{BOUNDARY}\r\n".encode() + b"a" * 100_000, 400, "header line"),
    "bad JSON": (with_event(b'{"start": '), 400, "event.json is no JSON"),
    "JSON of another kind": (with_event([]), 400, "must be an object"),
    "deep JSON": (with_event(b"[" * 100_000), 413, "nested deeper"),
    "wide JSON": (with_event(b"[" + b"0," * 100_000 + b"0]"), 413, "more than 20000 values"),
    "huge JSON": (with_event(b" " * (2 << 20)), 413, "event.json is too large"),
    "NUL in JSON": (with_event(b'{"start":"\\u0000"}'), 400, "no JSON"),
    "invalid UTF-8 in JSON": (with_event(b'{"start":"\xff"}'), 400, "no JSON"),
    "start is a number": (changed(start=7), 400, "start must be text"),
    "start is no time": (changed(start="yesterday"), 400, "start is no RFC 3339 time"),
    "end is missing": (changed(end="").replace(b'"end": ""', b'"x": ""'), 400, "no end"),
    "end before start": (changed(end="2020-01-01T00:00:00Z"), 400, "end lies before start"),
    "before the year 2000": (changed(start="1990-01-01T00:00:00Z"), 400, "year 2000"),
    "tags are a number": (changed(tags_profiler=7), 400, "tags_profiler must be text"),
    "tags hold an object": (changed(tags_profiler=["a:b", {}]), 400, r"tags_profiler\[1\]"),
    "100,000 tags": (changed(tags_profiler=",".join(f"t{i}:v" for i in range(100_000))), 413, "1000 tags"),
    "100,000 parts": (multipart([Part("tags[]", b"a:b")] * 100_000), 413, "tags|parts"),
    "pprof is junk": (form("hostile", b"\xff" * 1000), 400, "at byte"),
    "pprof is cut off": (form("hostile", PLAIN[:-3]), 400, "at byte"),
    "pprof is text": (form("hostile", b"<html>hello</html>"), 400, "at byte"),
    "gzip is cut off": (form("hostile", gzip.compress(PLAIN)[:-9]), 400, "damaged or cut off"),
    "zstd is damaged": (form("hostile", b"\x28\xb5\x2f\xfd" + b"\x99" * 50), 400, "damaged or cut off"),
    "lz4 is cut off": (form("hostile", lz4(lz4_stored(PLAIN))[:-8]), 400, "damaged or cut off"),
    "gzip bomb": (form("hostile", gzip.compress(bytes(64 << 20), 9)), 413, "200 times"),
    "zstd bomb": (form("hostile", zstd_bomb()), 413, "200 times"),
    "lz4 bomb": (form("hostile", lz4(*[lz4_zeros()] * 20)), 413, "200 times"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bodies_are_refused_clearly(shared: Server, name: str) -> None:
    body, status, message = HOSTILE[name]
    reply = post(shared, body)
    assert reply.status == status, reply.body
    assert re.search(message, reply.error["message"]), reply.error
    assert reply.headers["content-type"] == "application/json"
    assert shared.json("/healthz")["status"] == "ok"


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "multipart/form-data", "multipart/form-data; boundary=", f"multipart/form-data; boundary={'x' * 80}"],
)
def test_other_content_types_are_refused(shared: Server, content_type: str) -> None:
    reply = post(shared, GOOD, content_type)
    assert reply.status == 400
    assert "Content-Type" in reply.error["message"]


def test_too_large_a_body_is_refused_at_once_and_the_answer_arrives(shared: Server) -> None:
    # One that announces it and waits for an answer before it sends.
    with socket.create_connection(("127.0.0.1", shared.port), timeout=20) as s:
        s.sendall(
            f"POST {INPUT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nContent-Length: {60 << 20}\r\n\r\n".encode()
        )
        assert s.recv(65536).startswith(b"HTTP/1.1 413 ")
    # One that sends it all first, and one that does not say how much it will be.
    data = b"a" * (60 << 20)
    assert post(shared, data).status == 413
    connection = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=60)
    connection.request("POST", INPUT, (data[i : i + (1 << 20)] for i in range(0, len(data), 1 << 20)), {"Content-Type": FORM})
    reply = connection.getresponse()
    assert (reply.status, reply.getheader("Connection")) == (413, "close")
    connection.close()


def raw(server: Server, request: bytes, half_close: bool = False) -> bytes:
    """Sends bytes, reads to the end."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as s:
        s.sendall(request)
        if half_close:
            s.shutdown(socket.SHUT_WR)
        out = b""
        while piece := s.recv(65536):
            out += piece
        return out


def head(length: int, more: str = "") -> bytes:
    return f"POST {INPUT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nContent-Length: {length}\r\n{more}\r\n".encode()


def test_half_open_clients_do_no_harm(shared: Server, service: str) -> None:
    good = form(service, PLAIN)
    # One that closes its side after a whole request still gets its answer.
    assert raw(shared, head(len(good), "Connection: close\r\n") + good, half_close=True).startswith(b"HTTP/1.1 200 ")
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", shared.port)) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leave with a reset
            s.sendall(head(len(good)) + good)
    assert shared.json("/healthz")["status"] == "ok"


def test_pipelined_uploads_are_answered_in_order(shared: Server, service: str) -> None:
    good = form(service, PLAIN)
    bad = form(service, b"junk")
    out = raw(shared, (head(len(good)) + good) * 3 + head(len(bad), "Connection: close\r\n") + bad)
    assert re.findall(rb"HTTP/1\.1 (\d+)", out) == [b"200", b"200", b"200", b"400"]
    assert out.count(b'"duplicate"') == 2


def test_slow_clients_are_told_and_cut_off(tmp_path: Path) -> None:
    with Server.start(tmp_path, "--upload-timeout", "2s") as server:
        begin = time.monotonic()
        assert raw(server, head(1000) + b"--").startswith(b"HTTP/1.1 408 ")
        assert raw(server, head(1000) + b"--", half_close=True).startswith(b"HTTP/1.1 408 ")
        assert raw(server, b"POST /profiling/v1/input HTTP/1.1\r\nHost: loc").startswith(b"HTTP/1.1 408 ")
        for nothing in (b"", b"\0\0\0\0\r\n\r\n"):  # no request was made: nothing is said
            assert raw(server, nothing) == b""
        with socket.create_connection(("127.0.0.1", server.port), timeout=0.1) as s:
            s.sendall(head(1000))

            def trickle() -> bytes | None:
                s.sendall(b"-")
                try:
                    return s.recv(65536)
                except TimeoutError:
                    return None

            assert wait_for("the trickle is answered", trickle, 10).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - begin < 25
        assert server.json("/healthz")["status"] == "ok"


def test_malformed_http_is_refused(shared: Server) -> None:
    long = b"a" * 200_000
    for request in (
        b"GET\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
        b"GET /" + long + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + long + b"\r\n\r\n",
    ):
        answer = raw(shared, request)
        assert not answer or answer.startswith(b"HTTP/1.1 4"), answer[:100]
    assert shared.json("/healthz")["status"] == "ok"


# --- the rest of an Agent -------------------------------------------------------------------------------------------------


def test_info_says_what_is_taken(shared: Server) -> None:
    reply = shared.get("/info")
    assert reply.status == 200
    info = reply.json()
    assert {"version", "git_commit", "endpoints", "feature_flags", "config"} <= set(info)
    assert INPUT in info["endpoints"]
    assert reply.headers["datadog-agent-version"] == info["version"]
    assert reply.headers["server"] == "vigil/" + info["version"]


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_other_calls_of_the_client_are_counted_and_thrown_away(shared: Server, method: str) -> None:
    def discarded() -> int:
        return int(shared.json("/info")["vigil"]["calls_discarded"])

    before = discarded()
    for version in ("0.3", "0.4", "0.5", "0.7"):
        reply = shared.request(method, f"/v{version}/traces", b"\x90" * 200_000)
        assert (reply.status, reply.json()) == (200, {"rate_by_service": {}})
    for path in ("/telemetry/proxy/api/v2/apmtelemetry", "/v0.7/config", "/v0.6/stats", "/evp_proxy/v4/api/v2/x"):
        assert shared.request(method, path, b"{}").status == 200
    assert discarded() == before + 8


def test_unknown_addresses_and_methods_are_told_in_json(shared: Server) -> None:
    reply = shared.request("GET", "/api/v1/nothing")
    assert (reply.status, reply.error["code"]) == (404, "not_found")
    reply = shared.request("PUT", INPUT, b"x")
    assert (reply.status, reply.error["code"], reply.headers["allow"]) == (405, "method_not_allowed", "POST")


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("127.0.0.1:9", 200), ("[::1]:8126", 200), ("evil.example", 421), ("localhost.evil.example", 421)],
)
def test_only_our_own_names_are_answered(shared: Server, host: str, status: int) -> None:
    reply = shared.request("GET", "/info", headers={"Host": host})
    assert reply.status == status
    if status != 200:
        assert reply.error["code"] == "foreign_host"


def test_pages_of_other_sites_cannot_upload(shared: Server, service: str) -> None:
    assert post(shared, form(service, PLAIN), Origin="https://evil.example").status == 403
    assert post(shared, form(service, PLAIN), Origin="http://localhost:5173").status == 200
