"""profile.proto in plain Python, for tests: an encoder and a decoder that share no code with src/pprof.

`encode` writes what a profiler would send, `decode` reads what ours sent or what the server answers (gzip or plain); both
speak `Profile`. `check_with_go` asks `go tool pprof`, the reader that users have. Strict on purpose: a dangling reference or a
wrong wire type is an error, never a guess.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

K = TypeVar("K")


@dataclass(frozen=True, order=True)
class Frame:
    """One level of a stack: the function, and the line that was running."""

    name: str
    file: str = "/app/main.py"
    first_line: int = 1
    line: int = 1

    @property
    def collapsed(self) -> str:
        """As the `collapsed` format writes it, for names without control characters."""
        return f"{self.name} ({self.file}:{self.first_line})".replace(";", ":")


@dataclass(frozen=True)
class Sample:
    frames: tuple[Frame, ...]  # leaf first, as on the wire
    values: tuple[int, ...]  # one for each of Profile.types
    labels: tuple[tuple[str, str | int], ...] = ()

    def label(self, key: str) -> str | int | None:
        return next((value for name, value in self.labels if name == key), None)


@dataclass
class Profile:
    types: list[tuple[str, str]]  # ("cpu-time", "nanoseconds")
    samples: list[Sample]
    time_ns: int = 0
    duration_ns: int = 0
    period: int = 0
    period_type: tuple[str, str] | None = None
    comments: list[str] = field(default_factory=list)

    def column(self, type_name: str) -> int:
        return [name for name, _ in self.types].index(type_name)

    def total(self, type_name: str) -> int:
        column = self.column(type_name)
        return sum(sample.values[column] for sample in self.samples)

    def by_stack(self, type_name: str) -> dict[tuple[Frame, ...], int]:
        """Value of each distinct stack, root first."""
        column = self.column(type_name)
        out: dict[tuple[Frame, ...], int] = defaultdict(int)
        for sample in self.samples:
            out[tuple(reversed(sample.frames))] += sample.values[column]
        return {stack: value for stack, value in out.items() if value}

    def by_function(self, type_name: str) -> dict[str, int]:
        """Value of the samples that have a function anywhere in their stack, once each, by its name."""
        column = self.column(type_name)
        out: dict[str, int] = defaultdict(int)
        for sample in self.samples:
            for name in {frame.name for frame in sample.frames}:
                out[name] += sample.values[column]
        return dict(out)


# --- writing ------------------------------------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number_field(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value) if value else b""


def bytes_field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def packed_field(number: int, values: Iterator[int] | list[int] | tuple[int, ...]) -> bytes:
    data = b"".join(map(varint, values))
    return bytes_field(number, data) if data else b""


class _Table(Generic[K]):
    """Dense ids in order of first sight."""

    def __init__(self) -> None:
        self.ids: dict[K, int] = {}

    def __call__(self, key: K) -> int:
        return self.ids.setdefault(key, len(self.ids))


def encode(profile: Profile) -> bytes:
    """The uncompressed message."""
    strings = _Table[str]()
    functions = _Table[tuple[str, str, int]]()
    locations = _Table[Frame]()
    strings("")

    def value_type(pair: tuple[str, str]) -> bytes:
        return number_field(1, strings(pair[0])) + number_field(2, strings(pair[1]))

    def label(key: str, value: str | int) -> bytes:
        kind = number_field(2, strings(value)) if isinstance(value, str) else number_field(3, value)
        return number_field(1, strings(key)) + kind

    out = [bytes_field(1, value_type(pair)) for pair in profile.types]
    for sample in profile.samples:
        out.append(
            bytes_field(
                2,
                packed_field(1, [locations(frame) + 1 for frame in sample.frames])
                + packed_field(2, sample.values)
                + b"".join(bytes_field(3, label(key, value)) for key, value in sample.labels),
            )
        )
    for frame in locations.ids:
        function = functions((frame.name, frame.file, frame.first_line)) + 1
        line = number_field(1, function) + number_field(2, frame.line)
        out.append(bytes_field(4, number_field(1, locations(frame) + 1) + bytes_field(4, line)))
    for key in functions.ids:
        name, file, first_line = key
        text = number_field(2, strings(name)) + number_field(4, strings(file)) + number_field(5, first_line)
        out.append(bytes_field(5, number_field(1, functions(key) + 1) + text))
    out.append(number_field(9, profile.time_ns) + number_field(10, profile.duration_ns))
    if profile.period_type:
        out.append(bytes_field(11, value_type(profile.period_type)))
    out.append(number_field(12, profile.period))
    comments = packed_field(13, [strings(comment) for comment in profile.comments])
    # surrogates stand for bytes that are not UTF-8: hostile senders exist
    table = b"".join(bytes_field(6, s.encode("utf-8", "surrogateescape")) for s in strings.ids)
    return b"".join(out) + comments + table


# --- reading ------------------------------------------------------------------------------------------------------------


def _varint_at(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
        shift += 7
        if shift > 63:
            raise ValueError(f"varint longer than ten bytes at {at}")


def signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, varint or bytes) of a message."""
    at = 0
    while at < len(data):
        tag, at = _varint_at(data, at)
        if tag & 7 == 0:
            value, at = _varint_at(data, at)
            yield tag >> 3, value
        elif tag & 7 == 2:
            length, at = _varint_at(data, at)
            if at + length > len(data):
                raise ValueError(f"field {tag >> 3} runs {at + length - len(data)} bytes past the end")
            yield tag >> 3, data[at : at + length]
            at += length
        else:
            raise ValueError(f"wire type {tag & 7} does not occur in profile.proto")


def _message(data: bytes) -> dict[int, list[int | bytes]]:
    out: dict[int, list[int | bytes]] = defaultdict(list)
    for number, value in fields(data):
        out[number].append(value)
    return out


def _number(message: dict[int, list[int | bytes]], number: int) -> int:
    values = message.get(number, [0])
    assert isinstance(values[-1], int), f"field {number} must be a number"
    return signed(values[-1])


def _numbers(message: dict[int, list[int | bytes]], number: int) -> list[int]:
    out: list[int] = []
    for value in message.get(number, []):
        if isinstance(value, int):
            out.append(signed(value))
            continue
        at = 0
        while at < len(value):
            item, at = _varint_at(value, at)
            out.append(signed(item))
    return out


def _messages(message: dict[int, list[int | bytes]], number: int) -> Iterator[dict[int, list[int | bytes]]]:
    for value in message.get(number, []):
        assert isinstance(value, bytes), f"field {number} must be a message"
        yield _message(value)


def decode(data: bytes) -> Profile:
    """gzip or plain; inlined lines become frames of their own, innermost first."""
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    top = _message(data)
    strings = []
    for value in top.get(6, []):
        assert isinstance(value, bytes)
        strings.append(value.decode("utf-8", "surrogateescape"))
    if not strings or strings[0]:
        raise ValueError("the string table must begin with the empty string")

    def value_type(message: dict[int, list[int | bytes]]) -> tuple[str, str]:
        return strings[_number(message, 1)], strings[_number(message, 2)]

    functions = {_number(m, 1): (strings[_number(m, 2)], strings[_number(m, 4)], _number(m, 5)) for m in _messages(top, 5)}
    locations: dict[int, list[Frame]] = {}
    for location in _messages(top, 4):
        frames = []
        for line in _messages(location, 4):
            name, file, first_line = functions[_number(line, 1)]
            frames.append(Frame(name, file, first_line, _number(line, 2)))
        locations[_number(location, 1)] = frames
    if 0 in functions or 0 in locations:
        raise ValueError("id 0 is reserved")

    types = [value_type(m) for m in _messages(top, 1)]
    samples = []
    for message in _messages(top, 2):
        values = tuple(_numbers(message, 2))
        if len(values) != len(types):
            raise ValueError(f"{len(values)} values in a sample, {len(types)} types")
        stack = tuple(frame for location in _numbers(message, 1) for frame in locations[location])
        labels = tuple(
            (strings[_number(m, 1)], strings[_number(m, 2)] if _number(m, 2) else _number(m, 3)) for m in _messages(message, 3)
        )
        samples.append(Sample(stack, values, labels))
    return Profile(
        types=types,
        samples=samples,
        time_ns=_number(top, 9),
        duration_ns=_number(top, 10),
        period=_number(top, 12),
        period_type=next((value_type(m) for m in _messages(top, 11)), None),
        comments=[strings[i] for i in _numbers(top, 13)],
    )


# --- the reader that users have -----------------------------------------------------------------------------------------


def go() -> str | None:
    """The go command, or None where this machine has none."""
    return shutil.which("go") or next((str(p) for p in [Path("/usr/local/go/bin/go")] if p.exists()), None)


def check_with_go(path: Path, *args: str) -> str:
    """What `go tool pprof` prints of the file; fails where it does not accept it."""
    command = go()
    assert command, "no go command: ask go() first"
    done = subprocess.run([command, "tool", "pprof", *(args or ("-raw",)), str(path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


SCHEMA_MODULE = "github.com/google/pprof@v0.0.0-20261105003125-4bf881d7fb0b"
"""The Go module that publishes the schema; it is downloaded, not kept here."""


def check_with_schema(data: bytes) -> str:
    """What `protoc --decode` prints of an uncompressed profile by the published schema; fails where it does not accept it, or where
    there is a field that the schema does not know."""
    command = go()
    assert command, "no go command to download the schema with: ask go() first"
    got = subprocess.run([command, "mod", "download", "-json", SCHEMA_MODULE], capture_output=True, text=True, timeout=120)
    assert got.returncode == 0, got.stdout + got.stderr
    schema = Path(json.loads(got.stdout)["Dir"]) / "proto" / "profile.proto"
    decode = ["protoc", f"--proto_path={schema.parent}", "--decode=perftools.profiles.Profile", schema.name]
    done = subprocess.run(decode, input=data, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    text = done.stdout.decode()
    unknown = [line for line in text.splitlines() if line.lstrip()[:1].isdigit()]
    assert not unknown, unknown[:3]
    return text
