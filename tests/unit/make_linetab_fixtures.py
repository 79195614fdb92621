"""Line tables of real interpreters, with what each says about every byte of bytecode, for linetab_test.c.

    make_linetab_fixtures.py PYTHON... > linetab_fixtures.h

runs itself under each of the interpreters (2.7 and later), which compiles the samples below and asks PyCode_Addr2Line, the C
API's own answer, for each offset. Runs under every Python: common subset of 2.7 and 3.
"""

from __future__ import print_function

import binascii
import ctypes
import subprocess
import sys

SAMPLES = [
    ("one line", "x = 1\n"),
    ("empty function", "def f(): pass\n"),
    ("lines in order", "def f(a):\n    b = a + 1\n\n    c = b * 2\n\n\n    return b, c\n"),
    ("call over several lines", "def f(g, a):\n    return g(\n        a,\n        g(\n            a + 1,\n        ),\n    )\n"),
    ("decorators", "d = lambda f: f\n\n\n@d\n@(d if d else\n  None)\ndef f(\n    a=d,\n):\n    return a\n" if sys.version_info >= (3, 9)
     else "d = lambda f: f\n\n\n@d\n@d\ndef f(\n    a=d,\n):\n    return a\n"),
    ("loops", "def f(n):\n    t = 0\n    for i in range(n):\n        if i % 2:\n            continue\n        t += i\n    else:\n"
              "        t = -t\n    while t < 0:\n        t += 1\n        if t == 5:\n            break\n    return t\n"),
    ("try and finally", "def f(g):\n    try:\n        g()\n    except (ValueError,\n            KeyError):\n        return 1\n"
                        "    except Exception as e:\n        raise e\n    else:\n        g()\n    finally:\n        g(\n            1\n        )\n"),
    ("with", "def f(g):\n    with g() as a, \\\n            g() as b:\n        a(b)\n    return 2\n"),
    ("lambdas", "f = (lambda a:\n     a +\n     1)\ng = [lambda: 1, lambda: 2,\n     lambda: 3]\n"),
    ("lines far apart", "def f(a):\n    a += 1\n" + "\n" * 100 + "    a += 2\n" + "\n" * 126 + "    a += 3\n" + "\n" * 127 + "    a += 4\n"
                        + "\n" * 254 + "    a += 5\n" + "\n" * 255 + "    a += 6\n" + "\n" * 5000 + "    return a\n"),
    ("far back", "def f(a):\n    return a(\n" + "\n" * 130 + "        a,\n" + "\n" * 300 + "        a,\n    )\n"),
    ("a long line", "def f(a):\n    b = " + " + ".join(["a"] * 140) + "\n    return b\n"),
    ("a long line, then a far one", "def f(a):\n    b = " + " + ".join(["a"] * 130) + "\n" + "\n" * 700 + "    return b\n"),
    ("comprehensions", "def f(a):\n    return [\n        (i,\n         j)\n        for i in a\n        if i\n        for j in i\n    ], {\n"
                       "        k: 1\n        for k in a\n    }\n"),
    ("class", "class C(object):\n    '''Says\n    something.'''\n\n    x = 1\n\n    def f(self):\n        return self\n\n    y = [\n        x,\n    ]\n"),
    ("generator", "def f(a):\n    for b in a:\n        yield b\n    c = yield (\n        a\n    )\n    yield c\n"),
    ("text over several lines", "x = '''a\nb\nc''' + str(\n    1)\nassert x, (\n    x)\n"),
    ("conditions", "def f(a, b):\n    return (a\n            and b\n            or not a\n            and (b if\n                 a else\n                 1))\n"),
    ("first line far down", "\n" * 3000 + "def f(a):\n    return a\n"),
    ("async", "async def f(a):\n    async with a as b:\n        await b(\n            1)\n    async for c in a:\n        yield c\n    return\n"),
    ("format text", "def f(a):\n    return f'{a}' \\\n        f'{a + 1}' \\\n        f'{a!r:>{a}}'\n"),
    ("match", "def f(a):\n    match a:\n        case [1,\n              b]:\n            return b\n        case {'x': c, **d} if c:\n            return d\n"
              "        case _:\n            return 1\n"),
    ("exception groups", "def f(a):\n    try:\n        a()\n    except* ValueError:\n        a(1)\n    except* (KeyError,\n             TypeError) as e:\n        a(e)\n"),
]


def kind():
    if sys.version_info < (3, 6):
        return "VG_LINETAB_LNOTAB_UNSIGNED"
    if sys.version_info < (3, 10):
        return "VG_LINETAB_LNOTAB_SIGNED"
    return "VG_LINETAB_RANGES" if sys.version_info < (3, 11) else "VG_LINETAB_LOCATIONS"


def code_objects(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            for inner in code_objects(constant):
                yield inner


def lines_by_offset(code):
    """What the interpreter says of each byte, 0 for no line."""
    line_of = ctypes.pythonapi.PyCode_Addr2Line
    line_of.argtypes, line_of.restype = [ctypes.py_object, ctypes.c_int], ctypes.c_int
    lines = [max(line_of(code, offset), 0) for offset in range(len(code.co_code))]
    if hasattr(code, "co_lines"):
        for start, end, line in code.co_lines():
            assert lines[start:end] == [line or 0] * (end - start), "the interpreter contradicts itself"
    return lines


def runs(lines):
    """Offsets where the line changes: 'offset:line', ...."""
    changes = [(offset, line) for offset, line in enumerate(lines) if offset == 0 or lines[offset - 1] != line]
    return " ".join("%d:%d" % change for change in changes)


def quoted(text):
    """C strings of at most about a line's length each."""
    parts = [text[at:at + 96] for at in range(0, len(text), 96)] or [""]
    return "\n     ".join('"%s"' % part for part in parts)


def emit():
    for name, source in SAMPLES:
        try:
            module = compile(source, "sample.py", "exec")
        except SyntaxError:
            continue  # newer than this Python
        for code in code_objects(module):
            table = code.co_linetable if sys.version_info >= (3, 10) else code.co_lnotab
            title = "%d.%d %s: %s" % (sys.version_info[0], sys.version_info[1], name, code.co_name)
            print('    {"%s", %s, %d, %d,' % (title, kind(), code.co_firstlineno, len(code.co_code)))
            print("     %s," % quoted(binascii.hexlify(table).decode("ascii")))
            print("     %s}," % quoted(runs(lines_by_offset(code))))


def main():
    if not sys.argv[1:]:
        emit()
        return
    print("/* Line tables of real interpreters, made by make_linetab_fixtures.py; not for editing. */")
    print("/* clang-format off */")
    print("static const struct fixture fixtures[] = {")
    seen = set()  # most versions of a kind agree on most samples
    for python in sys.argv[1:]:
        rows = subprocess.check_output([python, __file__]).decode("ascii")
        for row in rows.split("    {")[1:]:
            facts = row.partition(", ")[2]
            if facts not in seen:
                seen.add(facts)
                print("    {" + row, end="")
    print("};")


if __name__ == "__main__":
    main()
