"""Who may include whom: the borders between the folders of src/, and who may name Python, its version or the platform.

    check_layers.py [ROOT]

One line for each thing that is out of place, and exit status 1. The table below is the rule; a folder sees itself and what its row
names. Comments and texts are not looked at, so that they may speak of anything.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

PROFILER = ["os", "cpython", "stacks", "profile", "upload", "probes"]
VIGIL = ["model", "http", "store", "query", "intake", "api"]

# A name that ends in .h admits that one header of a folder.
MAY_INCLUDE: dict[str, tuple[str, ...]] = {
    "base": (),
    "pprof": ("base",),
    "profiler/os": ("base",),
    "profiler/cpython": ("base", "profiler/os"),
    "profiler/stacks": ("base", "profiler/cpython/reader.h"),
    "profiler/profile": ("base", "pprof", "profiler/stacks"),
    "profiler/upload": ("base", "profiler/os"),
    "profiler/probes": ("base", "profiler/os", "profiler/cpython", "profiler/stacks", "profiler/profile"),
    "profiler/module": ("base", "pprof", *(f"profiler/{folder}" for folder in PROFILER)),
    "profiler/launcher": (),
    "vigil/model": ("base", "pprof"),
    "vigil/http": ("base",),
    "vigil/store": ("base", "vigil/model"),
    "vigil/query": ("base", "pprof", "vigil/model", "vigil/store"),
    "vigil/intake": ("base", "pprof", "vigil/model", "vigil/store", "vigil/http"),
    "vigil/api": ("base", "vigil/model", "vigil/store", "vigil/query", "vigil/http"),
    "vigil/cli": ("base", "pprof", *(f"vigil/{folder}" for folder in VIGIL)),
}

PYTHON_HEADER = re.compile(r"(Python|structmember|frameobject|pythread|patchlevel)\.h$|(^|/)(pycore_\w+\.h|cpython/\w+\.h)$")
PYTHON_FOLDERS = {"profiler/cpython", "profiler/probes", "profiler/module"}

# PY_MAJOR_VERSION is no secret: 2 and 3 initialise a module differently.
PYTHON_VERSION = re.compile(r"\bPY_(VERSION_HEX|MINOR_VERSION|MICRO_VERSION)\b")
PYTHON_VERSION_FOLDERS = {"profiler/cpython"}

PLATFORM = re.compile(
    r"\b(__linux__|__linux|__gnu_linux__|__APPLE__|__MACH__|__GLIBC(_\w+)?__|__GLIBC__|__GLIBC_PREREQ|__UCLIBC__|__MUSL__|__ANDROID__"
    r"|__unix__|__FreeBSD__|__OpenBSD__|__NetBSD__|__sun|_WIN32|__CYGWIN__|__x86_64__|__i386__|__aarch64__|__arm__)\b"
)
PLATFORM_FOLDERS = {"base", "profiler/os"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]+)[">]', re.MULTILINE)
COMMENT_OR_TEXT = re.compile(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)


def blank(match: re.Match[str]) -> str:
    """As many lines as there were."""
    return re.sub(r"[^\n]", " ", match.group())


def without_comments(code: str) -> str:
    return COMMENT_OR_TEXT.sub(lambda match: blank(match) if match.group().startswith("/") else match.group(), code)


def without_texts(code: str) -> str:
    return COMMENT_OR_TEXT.sub(blank, code)


def cycle(table: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The folders of one circle in the table, from one of them back to itself; none: an empty list."""
    done: set[str] = set()

    def visit(folder: str, path: list[str]) -> list[str]:
        if folder in path:
            return [*path[path.index(folder) :], folder]
        if folder in done:
            return []
        for entry in table.get(folder, ()):
            below = entry.rpartition("/")[0] if entry.endswith(".h") else entry
            if found := visit(below, [*path, folder]):
                return found
        done.add(folder)
        return []

    return next((found for folder in table if (found := visit(folder, []))), [])


def wrong_include(folder: str, quote: str, header: str) -> str | None:
    """What is wrong with an include in a file of this folder."""
    target = str(PurePosixPath(header).parent)
    if ".." in PurePosixPath(header).parts or header.startswith("./"):
        return f'"{header}" is relative: say it from src/'
    if target in MAY_INCLUDE:
        if target == folder or target in MAY_INCLUDE[folder] or header in MAY_INCLUDE[folder]:
            return None
        return f'"{header}" is not for {folder}: see its row in tools/check_layers.py'
    if PYTHON_HEADER.search(header):
        return None if folder in PYTHON_FOLDERS else f"<{header}> is only for {', '.join(sorted(PYTHON_FOLDERS))}"
    if quote == '"':
        return f'"{header}" is in no folder of ours: a system header wants <>, one of ours its path from src/'
    return None


def check_file(folder: str, code: str) -> Iterator[tuple[int, str]]:
    """(line, what is wrong) for each thing out of place."""

    def line_of(offset: int) -> int:
        return code.count("\n", 0, offset) + 1

    for match in INCLUDE.finditer(without_comments(code)):
        if wrong := wrong_include(folder, match[1], match[2]):
            yield line_of(match.start(2)), wrong
    bare = without_texts(code)
    for pattern, folders in ((PYTHON_VERSION, PYTHON_VERSION_FOLDERS), (PLATFORM, PLATFORM_FOLDERS)):
        if folder not in folders:
            for match in pattern.finditer(bare):
                yield line_of(match.start()), f"{match[0]} is only for {', '.join(sorted(folders))}"


def check_tree(root: Path) -> Iterator[str]:
    if circle := cycle(MAY_INCLUDE):
        yield f"tools/check_layers.py: the table goes in a circle: {' → '.join(circle)}"
    for path in sorted((root / "src").rglob("*.[ch]")):
        name, folder = path.relative_to(root).as_posix(), path.parent.relative_to(root / "src").as_posix()
        if folder not in MAY_INCLUDE:
            yield f"{name}: {folder} has no row in tools/check_layers.py"
            continue
        for line, wrong in sorted(check_file(folder, path.read_text(encoding="utf-8"))):
            yield f"{name}:{line}: {wrong}"


def main() -> int:
    root = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).resolve().parent.parent
    found = list(check_tree(root))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
