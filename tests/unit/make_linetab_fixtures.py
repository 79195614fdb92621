# ruff: noqa: UP028
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

WRITTEN = r"""
@@ one line
x = 1
@@ empty function
def f(): pass
@@ lines in order
def f(a):
    b = a + 1

    c = b * 2


    return b, c
@@ call over several lines
def f(g, a):
    return g(
        a,
        g(
            a + 1,
        ),
    )
@@ decorators
d = lambda f: f


@d
@d
def f(
    a=d,
):
    return a
@@ loops
def f(n):
    t = 0
    for i in range(n):
        if i % 2:
            continue
        t += i
    else:
        t = -t
    while t < 0:
        t += 1
        if t == 5:
            break
    return t
@@ try and finally
def f(g):
    try:
        g()
    except (ValueError,
            KeyError):
        return 1
    except Exception as e:
        raise e
    else:
        g()
    finally:
        g(
            1
        )
@@ with
def f(g):
    with g() as a, \
            g() as b:
        a(b)
    return 2
@@ lambdas
f = (lambda a:
     a +
     1)
g = [lambda: 1, lambda: 2,
     lambda: 3]
@@ comprehensions
def f(a):
    return [
        (i,
         j)
        for i in a
        if i
        for j in i
    ], {
        k: 1
        for k in a
    }
@@ class
class C(object):
    '''Says
    something.'''

    x = 1

    def f(self):
        return self

    y = [
        x,
    ]
@@ generator
def f(a):
    for b in a:
        yield b
    c = yield (
        a
    )
    yield c
@@ text over several lines
x = '''a
b
c''' + str(
    1)
assert x, (
    x)
@@ conditions
def f(a, b):
    return (a
            and b
            or not a
            and (b if
                 a else
                 1))
@@ async
async def f(a):
    async with a as b:
        await b(
            1)
    async for c in a:
        yield c
    return
@@ format text
def f(a):
    return f'{a}' \
        f'{a + 1}' \
        f'{a!r:>{a}}'
@@ match
def f(a):
    match a:
        case [1,
              b]:
            return b
        case {'x': c, **d} if c:
            return d
        case _:
            return 1
@@ exception groups
def f(a):
    try:
        a()
    except* ValueError:
        a(1)
    except* (KeyError,
             TypeError) as e:
        a(e)
@@ decorator of any kind
d = lambda f: f


@d
@(d if d else
  None)
def f(a):
    return a
"""

ADD = "    a += 1\n"
MADE = [
    ("lines far apart", "def f(a):\n" + ADD.join("\n" * blank for blank in (0, 100, 126, 127, 254, 255, 5000)) + "    return a\n"),
    ("far back", "def f(a):\n    return a(\n" + "\n" * 130 + "        a,\n" + "\n" * 300 + "        a,\n    )\n"),
    ("a long line", "def f(a):\n    b = " + " + ".join(["a"] * 140) + "\n    return b\n"),
    ("a long line, then a far one", "def f(a):\n    b = " + " + ".join(["a"] * 130) + "\n" + "\n" * 700 + "    return b\n"),
    ("first line far down", "\n" * 3000 + "def f(a):\n    return a\n"),
]


def samples():
    """(name, source) of each; some are newer than this Python."""
    for sample in WRITTEN.split("@@ ")[1:]:
        name, _, source = sample.partition("\n")
        yield name, source
    for sample in MADE:
        yield sample


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
    """'offset:line' where the line changes, from first to last."""
    changes = [(offset, line) for offset, line in enumerate(lines) if offset == 0 or lines[offset - 1] != line]
    return " ".join("%d:%d" % change for change in changes)


def quoted(text):
    """C strings of at most about a line's length each."""
    parts = [text[at : at + 96] for at in range(0, len(text), 96)] or [""]
    return "\n     ".join('"%s"' % part for part in parts)


def emit():
    for name, source in samples():
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
