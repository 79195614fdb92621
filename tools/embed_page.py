#!/usr/bin/env python3
"""Writes the built page (web/dist) as a C file for src/vigil/api: each file plain and gzip, with a tag from its content.

Where the page was not built, or is not wanted, the C file holds one small document that says so.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
from pathlib import Path

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}

NOT_BUILT = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<title>Vigil</title>
<h1>The page was not built into this vigil</h1>
<p>The server works, and its HTTP API answers under <a href="/api/v1/services">/api/v1/</a>.
<p>To have the page, build with <code>make build</code>, which makes <code>web/dist</code> first.
</html>
"""


def read_files(dist: Path | None) -> dict[str, bytes]:
    """Path as asked for → content."""
    if dist is None or not (dist / "index.html").is_file():
        return {"/index.html": NOT_BUILT}
    files = sorted(path for path in dist.rglob("*") if path.is_file())
    unknown = [path.name for path in files if path.suffix not in CONTENT_TYPES]
    if unknown:
        raise SystemExit(f"embed_page: no content type is known for {', '.join(unknown)}")
    return {f"/{path.relative_to(dist).as_posix()}": path.read_bytes() for path in files}


def c_array(name: str, content: bytes) -> str:
    lines = [",".join(map(str, content[i : i + 40])) for i in range(0, len(content), 40)]
    return f"static const unsigned char {name}[] = {{\n" + ",\n".join(lines) + "};\n"


def c_slice(name: str) -> str:
    return f"{{(const char *){name}, sizeof {name}}}"


def render(files: dict[str, bytes]) -> str:
    arrays: list[str] = []
    rows: list[str] = []
    for i, (path, content) in enumerate(sorted(files.items())):
        tag = hashlib.sha256(content).hexdigest()[:20]
        packed = gzip.compress(content, 9, mtime=0)
        plain_name, gzip_name = f"plain_{i}", f"gzip_{i}"
        arrays.append(c_array(plain_name, content))
        packed_tag, packed_slice = "NULL", "{NULL, 0}"
        if len(packed) < len(content):
            arrays.append(c_array(gzip_name, packed))
            packed_tag, packed_slice = f'"\\"{tag}-gzip\\""', c_slice(gzip_name)
        kind = CONTENT_TYPES[Path(path).suffix]
        rows.append(f'    {{"{path}", "{kind}", "\\"{tag}\\"", {packed_tag},\n     {c_slice(plain_name)}, {packed_slice}}},\n')
    table = "const struct vg_page_file vg_page_files[] = {\n" + "".join(rows) + "};\n"
    count = f"const size_t vg_page_file_count = {len(rows)};\n"
    head = '/* Written by tools/embed_page.py. */\n#include "vigil/api/page_files.h"\n\n'
    return head + "\n".join(arrays) + "\n" + table + "\n" + count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="the C file to write")
    parser.add_argument("--dist", type=Path, help="the built page; left out: no page")
    parser.add_argument("--depfile", type=Path, help="where to say what the C file was made from")
    arguments = parser.parse_args()
    dist: Path | None = arguments.dist
    arguments.output.write_text(render(read_files(dist)))
    if arguments.depfile:
        # The document names all other files by their content's hash, so it changes whenever one of them does.
        inputs = [dist / "index.html"] if dist else []
        arguments.depfile.write_text(f"{arguments.output}: {' '.join(map(str, inputs))}\n")


if __name__ == "__main__":
    main()
