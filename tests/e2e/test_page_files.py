"""How the page's files travel: small, compressed where wanted, kept where they may be, and closed to the outside."""

from __future__ import annotations

import gzip
import re

import pytest
from support.server import Reply, Server

FIRST_ROUTE_BYTES = 180 * 1024
WHOLE_BYTES = 240 * 1024


def get(server: Server, path: str, **headers: str) -> Reply:
    return server.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def assets(server: Server) -> list[str]:
    """All files that the document leads to."""
    seen: dict[str, None] = {}
    todo = ["/"]
    while todo:
        path = todo.pop()
        if path not in seen:
            seen[path] = None
            text = get(server, path).body.decode(errors="replace")
            todo += ["/assets/" + name for name in re.findall(r"assets/([\w.-]+\.(?:js|css|svg))", text)]
    return list(seen)


@pytest.mark.parametrize("path", ["/", "/explore", "/explore?q=service:x&from=now-1h"])
def test_each_address_of_the_page_is_its_document(shop: Server, path: str) -> None:
    reply = get(shop, path)
    assert reply.status == 200 and reply.headers["content-type"] == "text/html; charset=utf-8"
    assert b'<div id="page">' in reply.body
    assert reply.headers["cache-control"] == "no-cache"


def test_headers_close_the_page_to_the_outside(shop: Server) -> None:
    headers = get(shop, "/").headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_the_document_holds_no_inline_script_or_style_and_names_nothing_foreign(shop: Server) -> None:
    document = get(shop, "/").body.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", document)
    assert not re.search(r"https?://", document)


@pytest.mark.parametrize(
    ("accept", "is_gzip"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("GZIP", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("br", False),
        ("gzipped", False),
        ("", False),
    ],
)
def test_gzip_where_it_is_taken(shop: Server, accept: str, is_gzip: bool) -> None:
    path = next(path for path in assets(shop) if path.endswith(".js"))
    plain = get(shop, path)
    reply = get(shop, path, Accept_Encoding=accept)
    assert reply.headers["vary"] == "Accept-Encoding"
    assert reply.headers.get("content-encoding") == ("gzip" if is_gzip else None)
    assert (gzip.decompress(reply.body) if is_gzip else reply.body) == plain.body
    assert (reply.headers["etag"] == plain.headers["etag"]) is not is_gzip


def test_without_the_header_files_are_plain(shop: Server) -> None:
    assert "content-encoding" not in get(shop, "/").headers


def test_what_is_known_already_is_not_sent_again(shop: Server) -> None:
    for path in assets(shop):
        tag = get(shop, path).headers["etag"]
        for known in (tag, f'"other", W/{tag}', "*"):
            reply = get(shop, path, If_None_Match=known)
            assert (reply.status, reply.body) == (304, b"")
            assert reply.headers["etag"] == tag
        assert get(shop, path, If_None_Match='"other"').status == 200


def test_named_by_their_content_files_are_kept_for_ever(shop: Server) -> None:
    paths = [path for path in assets(shop) if path.startswith("/assets/")]
    assert any(path.endswith(".js") for path in paths) and any(path.endswith(".css") for path in paths)
    for path in paths:
        assert re.search(r"-[\w-]{8}\.\w+$", path), path
        assert "immutable" in get(shop, path).headers["cache-control"]


def test_head_sends_headers_only(shop: Server) -> None:
    reply = shop.request("HEAD", "/")
    assert (reply.status, reply.body) == (200, b"")
    assert int(reply.headers["content-length"]) == len(get(shop, "/").body)


@pytest.mark.parametrize("path", ["/assets/none.js", "/assets/", "/assets/../index.html", "/assets/%2e%2e/index.html"])
def test_there_are_no_other_files(shop: Server, path: str) -> None:
    assert get(shop, path).status in (400, 404)


def test_the_page_is_light(shop: Server) -> None:
    sizes = {path: len(get(shop, path, Accept_Encoding="gzip").body) for path in [*assets(shop), "/favicon.svg"]}
    first = sum(size for path, size in sizes.items() if path in get(shop, "/").body.decode() or path == "/")
    assert first <= FIRST_ROUTE_BYTES, sizes
    assert sum(sizes.values()) <= WHOLE_BYTES, sizes
