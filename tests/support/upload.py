"""Uploads as a profiler sends them: `event.json` and attachments in one multipart/form-data POST."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from . import pprof

BOUNDARY = "vigil-test-boundary-5f0c"


def rfc3339(time_ns: int) -> str:
    seconds, fraction = divmod(time_ns, 10**9)
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + f".{fraction:09d}Z"


@dataclass(frozen=True)
class Part:
    """One part of the form."""

    name: str
    data: bytes
    filename: str | None = None
    content_type: str | None = None


def multipart(parts: Sequence[Part], boundary: str = BOUNDARY) -> bytes:
    out = bytearray()
    for part in parts:
        disposition = f'form-data; name="{part.name}"' + (f'; filename="{part.filename}"' if part.filename else "")
        out += f"--{boundary}\r\nContent-Disposition: {disposition}\r\n".encode()
        if part.content_type:
            out += f"Content-Type: {part.content_type}\r\n".encode()
        out += b"\r\n" + part.data + b"\r\n"
    return bytes(out + f"--{boundary}--\r\n".encode())


def event(
    tags: Mapping[str, str] | Sequence[tuple[str, str]],
    start_ns: int,
    end_ns: int,
    attachment: str = "auto.pprof",
    **extra: object,
) -> bytes:
    """event.json; `tags` as pairs where a name occurs twice."""
    pairs = list(tags.items()) if isinstance(tags, Mapping) else list(tags)
    if not any(name == "runtime-id" for name, _ in pairs):
        pairs.append(("runtime-id", uuid.uuid4().hex))
    text = ",".join(f"{name}:{value}" for name, value in pairs)
    return json.dumps(
        {
            "attachments": [attachment],
            "tags_profiler": text,
            "start": rfc3339(start_ns),
            "end": rfc3339(end_ns),
            "family": "python",
            "version": "4",
            **extra,
        }
    ).encode()


def body(
    profile: pprof.Profile | bytes,
    tags: Mapping[str, str] | Sequence[tuple[str, str]],
    start_ns: int,
    end_ns: int,
    **extra: object,
) -> bytes:
    """The whole body of an upload, pprof gzipped. `profile` may be bytes, sent as they are."""
    data = profile if isinstance(profile, bytes) else gzip.compress(pprof.encode(profile), 1)
    return multipart(
        [
            Part("event", event(tags, start_ns, end_ns, "auto.pprof", **extra), "event.json", "application/json"),
            Part("auto.pprof", data, "auto.pprof", "application/octet-stream"),
        ]
    )


def post(url: str, data: bytes, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """Status and body of the answer, errors included."""
    request = urllib.request.Request(
        url + "/profiling/v1/input",
        data=data,
        headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **(headers or {})},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def upload(
    url: str,
    profile: pprof.Profile | bytes,
    tags: Mapping[str, str] | Sequence[tuple[str, str]],
    start_ns: int,
    end_ns: int,
    **extra: object,
) -> None:
    """Sends one profile, which must be accepted."""
    status, answer = post(url, body(profile, tags, start_ns, end_ns, **extra))
    assert status == 200, (status, answer)
