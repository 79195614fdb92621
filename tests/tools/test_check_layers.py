"""tools/check_layers.py, on small trees of its own and on this one."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "check_layers.py"


@pytest.fixture(scope="module")
def layers() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_layers", TOOL)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(root: Path, files: dict[str, str]) -> tuple[int, list[str]]:
    for name, code in files.items():
        path = root / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, TOOL, root], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_this_repository_keeps_its_own_rules() -> None:
    done = subprocess.run([sys.executable, TOOL], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_allowed_passes_silently(tmp_path: Path) -> None:
    files = {
        "base/buf.h": '#include <stddef.h>\n#include "base/err.h"\n#ifdef __GLIBC__\n#endif\n',
        "pprof/write.c": '#include "pprof/write.h"\n# include "base/buf.h"\n',
        "profiler/cpython/walk.c": "#include <Python.h>\n#if PY_VERSION_HEX >= 0x030b0000\n#endif\n",
        "profiler/stacks/stacks.c": '#include "profiler/cpython/reader.h"\n',
        "profiler/module/module.c": '#include <Python.h>\n#include <frameobject.h>\n#include "profiler/probes/locks.h"\n',
        "vigil/cli/main.c": '#include "vigil/api/api.h"\n',
    }
    assert run(tmp_path, files) == (0, [])


@pytest.mark.parametrize(
    ("name", "code", "line", "said"),
    [
        ("base/a.c", '\n#include "pprof/wire.h"\n', 2, '"pprof/wire.h" is not for base'),
        ("base/a.c", "#include <pprof/wire.h>\n", 1, '"pprof/wire.h" is not for base'),
        ("vigil/http/a.c", '#include "vigil/model/profile.h"\n', 1, "not for vigil/http"),
        ("profiler/stacks/a.c", '#include "profiler/cpython/layout.h"\n', 1, "not for profiler/stacks"),
        ("pprof/a.c", '#include "../base/buf.h"\n', 1, "relative"),
        ("pprof/a.c", '#include "./wire.h"\n', 1, "relative"),
        ("pprof/a.c", '#include "wire.h"\n', 1, "in no folder of ours"),
        ("pprof/a.c", '#include "sqlite3.h"\n', 1, "in no folder of ours"),
        ("base/a.c", "#include <Python.h>\n", 1, "<Python.h> is only for profiler/cpython, profiler/module, profiler/probes"),
        ("profiler/stacks/a.c", '#include "Python.h"\n', 1, "only for"),
        ("profiler/os/a.c", "#include <internal/pycore_frame.h>\n", 1, "only for"),
        (
            "profiler/probes/a.c",
            "#include <Python.h>\n\n#if PY_VERSION_HEX > 1\n#endif\n",
            3,
            "PY_VERSION_HEX is only for profiler/cpython",
        ),
        ("profiler/module/a.c", "int v = PY_MINOR_VERSION;\n", 1, "PY_MINOR_VERSION is only for"),
        ("vigil/http/a.c", "/* two\nlines */\n#ifdef __linux__\n#endif\n", 3, "__linux__ is only for base, profiler/os"),
        ("profiler/upload/a.c", "#if defined(__GLIBC__)\n#endif\n", 1, "__GLIBC__ is only for"),
        ("profiler/cpython/a.c", "#ifdef __x86_64__\n#endif\n", 1, "__x86_64__ is only for"),
    ],
)
def test_what_is_out_of_place_is_named(tmp_path: Path, name: str, code: str, line: int, said: str) -> None:
    status, lines = run(tmp_path, {name: code})
    assert status == 1
    assert len(lines) == 1
    assert lines[0].startswith(f"src/{name}:{line}: ")
    assert said in lines[0]


def test_comments_and_texts_may_say_anything(tmp_path: Path) -> None:
    code = (
        '/* #include "vigil/api/api.h" */\n'
        '// #include "../x.h" and __linux__\n'
        "/*\n#include <Python.h>\n*/\n"
        'const char *a = "PY_VERSION_HEX \\" __APPLE__ /*";\n'
        "char b = '\"';\n"
        "/* PY_VERSION_HEX */ int after;\n"
    )
    assert run(tmp_path, {"pprof/a.c": code}) == (0, [])
    status, lines = run(tmp_path, {"pprof/b.c": 'const char *a = "/*";\n#include <Python.h>\nconst char *b = "*/";\n'})
    assert (status, len(lines)) == (1, 1)


def test_a_folder_needs_a_row(tmp_path: Path) -> None:
    assert run(tmp_path, {"profiler/new/a.c": "", "main.c": ""}) == (
        1,
        [
            "src/main.c: . has no row in tools/check_layers.py",
            "src/profiler/new/a.c: profiler/new has no row in tools/check_layers.py",
        ],
    )


def test_the_table_has_no_circle(layers: ModuleType) -> None:
    assert layers.cycle(layers.MAY_INCLUDE) == []
    assert layers.cycle({"a": ("b",), "b": ("c",), "c": ("b/x.h",)}) == ["b", "c", "b"]
    assert layers.cycle({"a": ("b", "c"), "b": ("c",), "c": ()}) == []


def test_each_row_names_folders_that_have_rows(layers: ModuleType) -> None:
    for entries in layers.MAY_INCLUDE.values():
        for entry in entries:
            assert (entry.rpartition("/")[0] if entry.endswith(".h") else entry) in layers.MAY_INCLUDE
