"""The HTTP API over a real server and real uploads: every resource, every way to slice, compared with a merge of our own."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import fleet as fleets
from support import pprof
from support.fleet import MINUTE_NS, Fleet, Sent
from support.server import Reply, Server
from support.upload import rfc3339, upload

Stack = tuple[tuple[str, str, int], ...]
Chosen = Callable[[Sent], bool]
Sampled = Callable[[pprof.Sample], bool]


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, fleet: Fleet) -> Iterator[Server]:
    """A server that holds the fleet; its tests only read."""
    with Server.start(tmp_path_factory.mktemp("api")) as server:
        fleet.upload(server.url)
        yield server


def parse_collapsed(text: str) -> dict[str, int]:
    out: Counter[str] = Counter()
    for line in text.splitlines():
        stack, _, value = line.rpartition(" ")
        assert stack not in out, "one line a stack"
        out[stack] += int(value)
    return dict(out)


def stacks_of(flame: dict[str, Any]) -> dict[Stack, int]:
    """What each node spends itself, by its path; checks the tree on the way."""
    columns = [flame[key] for key in ("level", "name", "file", "line", "value", "self")]
    assert len({len(column) for column in columns}) == 1
    out: dict[Stack, int] = {}
    path: list[tuple[str, str, int]] = []
    totals: list[list[int]] = []  # value and self of the open nodes, and the sum of their children
    for level, name, file, line, value, own in zip(*columns, strict=True):
        while len(totals) > level:
            node = totals.pop()
            assert node[0] == node[1] + node[2] or flame["pruned"]["nodes"]
        assert level == len(totals), "depth first"
        if totals:
            totals[-1][2] += value
        totals.append([value, own, 0])
        if level:
            before = path[level - 1] if len(path) >= level else None
            path[level - 1 :] = [(flame["names"][name], flame["files"][file], line)]
            if before is not None and len(path) == level:
                assert path[-1] != before
        assert tuple(path) not in out or level == 0
        if own:
            out[tuple(path[:level])] = own
    assert flame["names"][0] == "all" and flame["files"][0] == "" and flame["level"][0] == 0
    assert flame["value"][0] == flame["total"]
    return out


SLICES: list[tuple[str, Chosen, Sampled]] = [
    ("", lambda sent: True, lambda sample: True),
    ("service:web", lambda sent: sent.has("service", "web"), lambda sample: True),
    ("env:prod", lambda sent: sent.has("env", "prod"), lambda sample: True),
    ("version:1.1", lambda sent: sent.has("version", "1.1"), lambda sample: True),
    ("host:web-*", lambda sent: sent.tag("host").startswith("web-"), lambda sample: True),
    ("team:(intake OR nobody)", lambda sent: sent.has("team", "intake"), lambda sample: True),
    ("-version:1.0 env:prod", lambda sent: not sent.has("version", "1.0") and sent.has("env", "prod"), lambda sample: True),
    ("laptop", lambda sent: sent.has("host", "laptop"), lambda sample: True),
    ("thread:MainThread", lambda sent: True, lambda sample: sample.label("thread name") == "MainThread"),
    (
        'service:web thread:"worker *" -task:*',
        lambda sent: sent.has("service", "web"),
        lambda sample: str(sample.label("thread name")).startswith("worker ") and sample.label("task name") is None,
    ),
]


@pytest.mark.parametrize("query, chosen, sampled", SLICES, ids=[query or "all" for query, _, _ in SLICES])
@pytest.mark.parametrize("type_name", ["cpu-time", "wall-time"])
def test_every_slice_is_that_of_an_independent_merge(
    full: Server, fleet: Fleet, tmp_path: Path, query: str, chosen: Chosen, sampled: Sampled, type_name: str
) -> None:
    asked = {"q": query, "type": type_name, **fleet.span}
    expected = fleet.merge(type_name, chosen, sampled)
    assert expected

    flame = full.json("/api/v1/flamegraph", **asked)
    assert stacks_of(flame) == expected
    assert flame["total"] == sum(expected.values())
    assert (flame["type"], flame["unit"]) == (type_name, "nanoseconds")
    assert flame["pruned"] == {"nodes": 0, "value": 0}
    profiles = [sent for sent in fleet.sent if chosen(sent)]
    if "thread" not in query:
        assert flame["profiles"] == len(profiles)
        assert flame["duration_ns"] == len(profiles) * MINUTE_NS
    totals = {entry["name"]: entry["total"] for entry in flame["types"]}
    assert totals["cpu-time"] == sum(sent.profile.total("cpu-time") for sent in profiles)
    assert flame["internal"]["samples"] == sum(int(str(sent.internal["samples"])) for sent in profiles)

    text = full.get("/api/v1/flamegraph", format="collapsed", **asked)
    assert text.status == 200 and text.headers["content-type"].startswith("text/plain")
    assert parse_collapsed(text.body.decode()) == fleets.collapsed(expected)

    reply = full.get("/api/v1/flamegraph", format="pprof", **asked)
    merged = pprof.decode(reply.body)
    assert merged.types == [(type_name, "nanoseconds")]
    by_function: Counter[Stack] = Counter()
    for stack, value in merged.by_stack(type_name).items():
        by_function[tuple(fleets.function(frame) for frame in stack)] += value
    assert by_function == expected


def test_pprof_keeps_current_lines(full: Server, fleet: Fleet) -> None:
    merged = pprof.decode(full.get("/api/v1/flamegraph", format="pprof", q="service:api", **fleet.span).body)
    expected: Counter[tuple[pprof.Frame, ...]] = Counter()
    for sent in fleet.sent:
        if sent.has("service", "api"):
            expected.update(sent.profile.by_stack("cpu-time"))
    assert merged.by_stack("cpu-time") == expected


def test_children_are_sorted_by_name(full: Server, fleet: Fleet) -> None:
    flame = full.json("/api/v1/flamegraph", **fleet.span)
    last: dict[int, bytes] = {}
    for level, name in zip(flame["level"], flame["name"], strict=True):
        text = flame["names"][name].encode()
        if level in last:
            assert last[level] <= text
        last = {key: value for key, value in last.items() if key < level} | {level: text}


def test_pruning_keeps_the_largest_and_says_what_is_gone(full: Server, fleet: Fleet) -> None:
    whole = full.json("/api/v1/flamegraph", **fleet.span)
    pruned = full.json("/api/v1/flamegraph", max_nodes="50", **fleet.span)
    stacks_of(pruned)
    assert len(pruned["level"]) == 50
    assert pruned["pruned"]["nodes"] == len(whole["level"]) - 50
    assert pruned["total"] == whole["total"] == sum(pruned["self"]) + pruned["pruned"]["value"]
    assert sorted(pruned["value"]) == sorted(whole["value"])[-50:]


def test_levels_are_means_over_time_and_sums_over_processes(full: Server, fleet: Fleet) -> None:
    by_process: dict[str, list[int]] = {}
    for sent in fleet.sent:
        by_process.setdefault(sent.tag("runtime-id"), []).append(sent.profile.total("heap-space"))
    expected = sum(sum(values) / len(values) for values in by_process.values())  # all profiles are equally long
    flame = full.json("/api/v1/flamegraph", type="heap-space", **fleet.span)
    assert flame["unit"] == "bytes"
    assert flame["total"] == pytest.approx(expected, rel=1e-3)
    assert {entry["name"]: entry["total"] for entry in flame["types"]}["heap-space"] == pytest.approx(expected, rel=1e-3)


def test_time_ranges_take_what_they_overlap(full: Server, fleet: Fleet) -> None:
    for first, last in [(0, 1), (1, 2), (2, 9), (0, 9)]:
        from_ns, to_ns = fleet.base_ns + first * MINUTE_NS + 1, fleet.base_ns + last * MINUTE_NS
        chosen = [sent for sent in fleet.sent if sent.start_ns < to_ns and sent.end_ns > from_ns]
        expected = sum(sent.profile.total("cpu-time") for sent in chosen)
        for start, end in [(str(from_ns), str(to_ns)), (rfc3339(from_ns), rfc3339(to_ns))]:
            assert full.json("/api/v1/flamegraph", from_=start, to=end)["total"] == expected
    everything = sum(sent.profile.total("cpu-time") for sent in fleet.sent)
    assert full.json("/api/v1/flamegraph")["total"] == everything, "the last hour"
    assert full.json("/api/v1/flamegraph", from_="-1h", to="now+5m")["total"] == everything
    assert full.json("/api/v1/flamegraph", from_="now-2w", to="now-1w")["total"] == 0


def test_an_unknown_type_is_an_empty_graph_that_says_what_there_is(full: Server, fleet: Fleet) -> None:
    flame = full.json("/api/v1/flamegraph", type="no-such-type", **fleet.span)
    assert (flame["total"], flame["profiles"], flame["level"]) == (0, 0, [0])
    assert [entry["name"] for entry in flame["types"]] == ["cpu-time", "heap-space", "wall-time"]
    assert full.get("/api/v1/flamegraph", type="no-such-type", format="collapsed", **fleet.span).body == b""
    empty = pprof.decode(full.get("/api/v1/flamegraph", type="no-such-type", format="pprof", **fleet.span).body)
    assert empty.samples == []


def test_services(full: Server, fleet: Fleet) -> None:
    services = full.json("/api/v1/services", **fleet.span)["services"]
    assert [service["name"] for service in services] == ["api", "web"]
    web = services[1]
    sent = [each for each in fleet.sent if each.has("service", "web")]
    assert web["profiles"] == len(sent)
    assert web["processes"] == 3
    assert web["language"] == "python"
    assert (web["envs"], web["versions"], web["hosts"]) == (["dev", "prod"], ["1.0", "1.1"], ["laptop", "web-1", "web-2"])
    assert web["first_seen"] == rfc3339(min(each.start_ns for each in sent))
    assert web["last_seen"] == rfc3339(max(each.end_ns for each in sent))
    assert web["duration_ns"] == len(sent) * MINUTE_NS
    totals = {entry["name"]: (entry["unit"], entry["total"]) for entry in web["types"]}
    assert totals["wall-time"] == ("nanoseconds", sum(each.profile.total("wall-time") for each in sent))
    assert [service["name"] for service in full.json("/api/v1/services", q="team:core", **fleet.span)["services"]] == ["web"]


def test_tags(full: Server, fleet: Fleet) -> None:
    answer = full.json("/api/v1/tags", q="env:prod", **fleet.span)
    sent = [each for each in fleet.sent if each.has("env", "prod")]
    assert answer["profiles"] == len(sent)
    names = [tag["name"] for tag in answer["tags"]]
    assert names[:4] == ["service", "env", "version", "host"]
    assert names[4:] == sorted(names[4:])
    for tag in answer["tags"]:
        if tag["name"] in ("service", "env", "version", "host", "team", "runtime-id"):
            counts = Counter(each.tag(tag["name"]) for each in sent)
            ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            assert [(entry["value"], entry["count"]) for entry in tag["values"]] == ordered
            assert tag["truncated"] is False


@pytest.mark.parametrize("sort", ["-start", "start"])
@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_pages_hold_each_profile_once_in_order(full: Server, fleet: Fleet, sort: str, limit: int) -> None:
    seen: list[dict[str, Any]] = []
    asked = {"limit": str(limit), "sort": sort, **fleet.span}
    cursor: str | None = ""
    while cursor is not None:
        page = full.json("/api/v1/profiles", cursor=cursor, **asked)
        assert len(page["profiles"]) <= limit
        seen += page["profiles"]
        cursor = page["next_cursor"]
    assert len({profile["id"] for profile in seen}) == len(seen) == len(fleet.sent)
    starts = [profile["start"] for profile in seen]
    assert starts == sorted(starts, reverse=sort == "-start")


def test_a_profile_by_itself(full: Server, fleet: Fleet) -> None:
    listed = full.json("/api/v1/profiles", q="host:laptop", **fleet.span)["profiles"]
    sent = sorted((each for each in fleet.sent if each.has("host", "laptop")), key=lambda each: -each.start_ns)
    assert len(listed) == len(sent)
    for profile, original in zip(listed, sent, strict=True):
        assert (profile["start"], profile["end"]) == (rfc3339(original.start_ns), rfc3339(original.end_ns))
        assert profile["clock"] == "ok"
        assert [profile[name] for name in ("service", "env", "version", "host")] == ["web", "dev", "1.1", "laptop"]
        assert profile["tags"]["team"] == ["intake"]
        assert profile["internal"]["samples"] == original.internal["samples"]
        assert profile["size_bytes"] > 0
        totals = {entry["name"]: entry["total"] for entry in profile["types"]}
        assert totals == {name: original.profile.total(name) for name, _ in original.profile.types}
        assert full.json(f"/api/v1/profiles/{profile['id']}") == profile


def test_a_profile_comes_back_as_it_was_sent(full: Server, fleet: Fleet) -> None:
    listed = full.json("/api/v1/profiles", q="service:api", sort="start", **fleet.span)["profiles"]
    sent = [each for each in fleet.sent if each.has("service", "api")]
    for profile, original in zip(listed, sent, strict=True):
        reply = full.get(f"/api/v1/profiles/{profile['id']}/pprof")
        assert reply.headers["content-disposition"] == f'attachment; filename="profile-{profile["id"]}.pb.gz"'
        back = pprof.decode(reply.body)
        assert sorted(back.types) == sorted(original.profile.types)
        assert (back.time_ns, back.duration_ns) == (original.start_ns, MINUTE_NS)

        def samples(of: pprof.Profile) -> Counter[object]:
            columns = [of.column(name) for name, _ in fleets.TYPES]
            out: Counter[object] = Counter()
            for sample in of.samples:
                values = tuple(sample.values[column] for column in columns)
                if any(values):
                    out[sample.frames, values, tuple(sorted(sample.labels))] += 1
            return out

        assert samples(back) == samples(original.profile)


@pytest.mark.skipif(pprof.go() is None, reason="there is no go command to read pprof with")
def test_go_reads_what_we_write(full: Server, fleet: Fleet, tmp_path: Path) -> None:
    merged = tmp_path / "merged.pb.gz"
    merged.write_bytes(full.get("/api/v1/flamegraph", format="pprof", type="wall-time", **fleet.span).body)
    raw = pprof.check_with_go(merged)
    assert "wall-time/nanoseconds" in raw and "Größe.berechnen /app/lib/views.py" in raw
    assert "Showing nodes accounting for" in pprof.check_with_go(merged, "-top")

    one = tmp_path / "one.pb.gz"
    listed = full.json("/api/v1/profiles", limit="1", **fleet.span)["profiles"]
    one.write_bytes(full.get(f"/api/v1/profiles/{listed[0]['id']}/pprof").body)
    raw = pprof.check_with_go(one)
    assert "cpu-time/nanoseconds" in raw and "thread name:[MainThread]" in raw and "end_timestamp_ns" in raw


RESOURCES = ["/api/v1/services", "/api/v1/tags", "/api/v1/profiles", "/api/v1/flamegraph"]


@pytest.mark.parametrize("path", RESOURCES)
def test_no_data_is_an_empty_answer(full: Server, server: Server, path: str) -> None:
    long_ago = {"from_": "1000", "to": "2000"}
    for where, asked in [
        (server, {}),
        (full, long_ago),
        (full, {"q": "service:nobody"}),
        (full, {"q": "thread:nobody", **long_ago}),
    ]:
        answer = where.json(path, **asked)
        for key in ("services", "tags", "profiles"):
            assert answer.get(key) in (None, [], 0)
        if path.endswith("flamegraph"):
            assert (answer["names"], answer["level"], answer["value"], answer["types"]) == (["all"], [0], [0], [])


@pytest.mark.parametrize("path", RESOURCES)
@pytest.mark.parametrize(
    "asked, parameter, why",
    [
        ({"q": "env:(prod"}, "q", "not closed, at character 5"),
        ({"q": "service:"}, "q", "value is missing after the colon, at character 9"),
        ({"q": "a " * 101}, "q", "100 terms"),
        ({"q": "(" * 17 + "a" + ")" * 17}, "q", "nested too deeply"),
        ({"q": "env:prod OR thread:x"}, "q", "tags and labels"),
        ({"from_": "yesterday"}, "from", "not a time"),
        ({"to": "2026-13-01T00:00:00Z"}, "to", "not a time"),
        ({"from_": "2000", "to": "1000"}, "from", "not before to"),
        ({"from_": "9" * 30}, "from", "not a time"),
    ],
)
def test_bad_parameters_are_named(full: Server, path: str, asked: dict[str, str], parameter: str, why: str) -> None:
    check_refused(full.get(path, **asked), parameter, why)


@pytest.mark.parametrize(
    "path, name, value, why",
    [
        ("/api/v1/flamegraph", "format", "svg", "unknown format"),
        ("/api/v1/flamegraph", "max_nodes", "0", "whole number"),
        ("/api/v1/flamegraph", "max_nodes", "many", "whole number"),
        ("/api/v1/profiles", "limit", "0", "whole number"),
        ("/api/v1/profiles", "limit", "1001", "whole number"),
        ("/api/v1/profiles", "limit", "-1", "whole number"),
        ("/api/v1/profiles", "sort", "size", "unknown order"),
        ("/api/v1/profiles", "cursor", "../etc", "not a cursor"),
    ],
)
def test_bad_parameters_of_one_resource_are_named(full: Server, path: str, name: str, value: str, why: str) -> None:
    check_refused(full.get(path, **{name: value}), name, why)


def check_refused(reply: Reply, parameter: str, why: str) -> None:
    assert reply.status == 400
    assert reply.error["code"] == "bad_parameter"
    assert reply.error["message"].startswith(f"{parameter}: ") and why in reply.error["message"]
    assert reply.error["hint"]
    assert reply.headers["content-type"].startswith("application/json")


def test_a_search_longer_than_allowed_is_refused(full: Server) -> None:
    check_refused(full.get("/api/v1/tags", q="a" * 4097), "q", "4096 bytes")


def test_unknown_formats_hear_which_there_are(full: Server) -> None:
    hint = full.get("/api/v1/flamegraph", format="speed").error["hint"]
    assert all(name in hint for name in ("json", "collapsed", "pprof"))


@pytest.mark.parametrize("id_", ["0", "99999999", "18446744073709551616", "x", "-1", "1.0", "%20"])
@pytest.mark.parametrize("suffix", ["", "/pprof"])
def test_unknown_profiles_are_not_found(full: Server, id_: str, suffix: str) -> None:
    reply = full.get(f"/api/v1/profiles/{id_}{suffix}")
    assert reply.status == 404
    assert reply.error["code"] == "not_found"


def test_unknown_resources_are_not_found_and_never_the_page(full: Server) -> None:
    for path in ("/api/v1/nothing", "/api/", "/api/v2/tags", "/api/v1/profiles/1/2/3"):
        reply = full.get(path)
        assert (reply.status, reply.error["code"]) == (404, "not_found")
        assert reply.headers["content-type"].startswith("application/json")


def test_other_methods_are_refused(full: Server) -> None:
    for method in ("POST", "DELETE", "PUT"):
        reply = full.request(method, "/api/v1/services")
        assert reply.status == 405
        assert "GET" in reply.headers["allow"]
    head = full.request("HEAD", "/api/v1/services")
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize("path", [*RESOURCES, "/healthz", "/api/v1/profiles/0", "/api/v1/nothing"])
def test_answers_are_not_cached(full: Server, path: str) -> None:
    reply = full.get(path)
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_healthz(full: Server) -> None:
    answer = full.json("/healthz")
    assert answer["status"] == "ok"
    assert answer["version"]


@pytest.mark.parametrize(
    "accepted, zipped",
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("GZIP", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0", False),
        ("br", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("format_", ["json", "collapsed"])
def test_large_answers_are_gzipped_for_those_who_take_it(
    full: Server, fleet: Fleet, accepted: str, zipped: bool, format_: str
) -> None:
    path = f"/api/v1/flamegraph?format={format_}&from={fleet.base_ns}&to={fleet.span['to']}"
    plain = full.request("GET", path, headers={"Accept-Encoding": "identity"})
    reply = full.request("GET", path, headers={"Accept-Encoding": accepted})
    assert reply.headers["vary"] == "Accept-Encoding"
    assert reply.headers.get("content-encoding") == ("gzip" if zipped else None)
    assert (gzip.decompress(reply.body) if zipped else reply.body) == plain.body
    if zipped:
        assert len(reply.body) < len(plain.body) / 3


def test_pprof_is_not_compressed_twice(full: Server, fleet: Fleet) -> None:
    path = f"/api/v1/flamegraph?format=pprof&from={fleet.base_ns}&to={fleet.span['to']}"
    reply = full.request("GET", path, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in reply.headers
    assert reply.headers["content-disposition"] == 'attachment; filename="cpu-time.pb.gz"'
    pprof.decode(reply.body)


HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a;b;c 17",
    "line\nbreak\r\ttab\x00nul\x1besc\x7fdel\x85nel\u2028ls\u2029ps",
    "\u202eevil\u2066",
    "𝕬🐍é" + "\udcff\udcfe",  # ends in bytes that are not UTF-8
    "x" * 10_000,
    "$(id) `id` %n%s {{7*7}} ' -- \\",
]


def test_hostile_names_are_only_text(server: Server, fleet: Fleet, tmp_path: Path) -> None:
    start_ns = fleet.base_ns
    samples = [
        pprof.Sample((pprof.Frame(name, name, 3, 4), pprof.Frame("main")), (7, 9), (("thread name", name),)) for name in HOSTILE
    ]
    profile = pprof.Profile([("cpu-time", "nanoseconds"), ("wall-time", "nanoseconds")], samples)
    tags = [("service", '<b>"evil"</b>'), ("env", "prod"), ("x", "y" * 900), ("weird", 'a"b\\c (d) *')]
    upload(server.url, profile, tags, start_ns, start_ns + MINUTE_NS)
    span = {"from_": str(start_ns), "to": str(start_ns + MINUTE_NS)}

    flame = server.json("/api/v1/flamegraph", **span)
    assert flame["total"] == 7 * len(HOSTILE)
    names = set(flame["names"])
    assert {HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[7], "main"} <= names
    assert all(ord(c) >= 32 for name in names for c in name)
    assert max(map(len, names)) <= 4096

    text = server.get("/api/v1/flamegraph", format="collapsed", **span)
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    lines = text.body.decode().splitlines()
    assert len(lines) == len(HOSTILE)
    for line in lines:
        stack, _, value = line.rpartition(" ")
        assert value == "7" and stack.startswith("main (/app/main.py:1);") and stack.count(";") == 1

    reply = server.get("/api/v1/flamegraph", format="pprof", **span)
    assert pprof.decode(reply.body).total("cpu-time") == 7 * len(HOSTILE)
    (listed,) = server.json("/api/v1/profiles", **span)["profiles"]
    one = server.get(f"/api/v1/profiles/{listed['id']}/pprof").body
    assert pprof.decode(one).total("wall-time") == 9 * len(HOSTILE)
    if pprof.go():
        (tmp_path / "hostile.pb.gz").write_bytes(one)
        pprof.check_with_go(tmp_path / "hostile.pb.gz")

    assert listed["service"] == '<b>"evil"</b>'
    assert server.json("/api/v1/services", **span)["services"][0]["name"] == '<b>"evil"</b>'
    for query in ['service:"<b>\\"evil\\"</b>"', 'weird:"a\\"b\\\\c (d) \\*"', "x:yyy*", "thread:*alert*", 'thread:"a;b;c 17"']:
        assert server.json("/api/v1/flamegraph", q=query, **span)["total"] in (7, 14, 7 * len(HOSTILE)), query
    assert server.json("/api/v1/flamegraph", q='weird:"a\\"b\\\\c (d) x"', **span)["total"] == 0


def test_values_of_any_size_come_through_exactly(server: Server, fleet: Fleet) -> None:
    largest = 2**62
    profile = pprof.Profile([("cpu-time", "nanoseconds")], [pprof.Sample((pprof.Frame("f"),), (largest,))])
    for i in range(2):
        upload(server.url, profile, {"service": "big", "host": str(i)}, fleet.base_ns, fleet.base_ns + MINUTE_NS)
    assert server.json("/api/v1/flamegraph", q="host:0")["total"] == largest
    assert server.json("/api/v1/flamegraph")["total"] == 2**63 - 1, "saturated, not wrapped"
    assert server.json("/api/v1/services")["services"][0]["types"][0]["total"] == 2**63 - 1


def test_many_values_of_a_tag_are_cut_and_said(server: Server, fleet: Fleet) -> None:
    profile = pprof.Profile([("cpu-time", "nanoseconds")], [pprof.Sample((pprof.Frame("f"),), (1,))])
    for i in range(103):
        upload(server.url, profile, {"service": "many", "pod": f"pod-{i:03}"}, fleet.base_ns, fleet.base_ns + MINUTE_NS)
    tags = {tag["name"]: tag for tag in server.json("/api/v1/tags")["tags"]}
    assert [value["value"] for value in tags["pod"]["values"]] == [f"pod-{i:03}" for i in range(100)]
    assert tags["pod"]["truncated"] is True
    assert tags["service"]["truncated"] is False
    page = server.json("/api/v1/profiles")
    assert len(page["profiles"]) == 100 and page["next_cursor"]
    assert len(server.json("/api/v1/profiles", cursor=page["next_cursor"])["profiles"]) == 3


def test_a_clock_ahead_is_said(server: Server, fleet: Fleet) -> None:
    profile = pprof.Profile([("cpu-time", "nanoseconds")], [pprof.Sample((pprof.Frame("f"),), (1,))])
    ahead_ns = fleet.base_ns + 24 * 60 * MINUTE_NS
    upload(server.url, profile, {"service": "ahead"}, ahead_ns, ahead_ns + MINUTE_NS)
    upload(server.url, profile, {"service": "right"}, fleet.base_ns, fleet.base_ns + MINUTE_NS)
    listed = server.json("/api/v1/profiles", from_="-1h", to="now+2d")["profiles"]
    assert {profile["service"]: profile["clock"] for profile in listed} == {"ahead": "ahead", "right": "ok"}


def test_answers_are_json_that_any_reader_takes(full: Server, fleet: Fleet) -> None:
    def no_constants(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    for path in [*RESOURCES, "/healthz"]:
        reply = full.get(path, **(fleet.span if path != "/healthz" else {}))
        assert reply.headers["content-type"] == "application/json"
        json.loads(reply.body.decode("utf-8"), parse_constant=no_constants)
