"""A program behaves byte for byte as without us: output, exit status, signals, arguments, paths, descriptors, children."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support import programs, pythons
from support.agent import Agent
from support.server import wait_for

PROGRAMS = {
    "output": "print('out'); import sys; sys.stderr.write('err\\n')",
    "exit_number": "import sys; sys.exit(3)",
    "exit_text": "import sys; sys.exit('a reason')",
    "exit_by_os": "import os, sys; sys.stdout.write('lost'); os._exit(7)",
    "uncaught": "def f(x):\n    return 1 / x\nf(0)",
    "uncaught_in_thread": """
        import threading
        def f():
            raise ValueError('in a thread')
        t = threading.Thread(target=f, name='worker'); t.start(); t.join(); print('after')
    """,
    "exit_in_thread": """
        import sys, threading
        t = threading.Thread(target=sys.exit, args=(5,)); t.start(); t.join(); print('alive')
    """,
    "killed": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "interrupted": "import os, signal, time\ntry:\n    os.kill(os.getpid(), signal.SIGINT); time.sleep(5)\nfinally:\n    print('finally')",
    "aborted": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "handlers": """
        import signal
        for name in sorted(n for n in dir(signal) if n.startswith('SIG') and '_' not in n):
            try:
                print(name, signal.getsignal(getattr(signal, name)))
            except ValueError:
                pass
    """,
    "own_handler": """
        import os, signal, time
        def handler(number, frame):
            print('handled', number); raise SystemExit(4)
        signal.signal(signal.SIGTERM, handler)
        signal.signal(signal.SIGPROF, lambda *a: None)
        os.kill(os.getpid(), signal.SIGTERM); time.sleep(5)
    """,
    "atexit_order": """
        import atexit, threading
        atexit.register(print if str is not bytes else (lambda *a: None), 'first registered')
        atexit.register(lambda: print('threads %d' % threading.active_count()))
        def late():
            import time
            time.sleep(0.05); print('thread ends')
        threading.Thread(target=late).start()
    """,
    "daemon_thread": """
        import threading, time
        t = threading.Thread(target=time.sleep, args=(60,)); t.daemon = True; t.start(); print('main ends')
    """,
    "unicode": "# -*- coding: utf-8 -*-\nimport sys\nout = getattr(sys.stdout, 'buffer', sys.stdout); out.write(u'h\\xe4l\\u20ac\\n'.encode('utf-8'))",
    "what_is_seen": """
        import sys, os, threading
        print(sys.argv, sys.path, sys.flags, __name__, sys.executable, getattr(sys, 'orig_argv', ''))
        print(sorted(t.name for t in threading.enumerate()), threading.current_thread(), threading.active_count())
        print('sitecustomize' in sys.modules, [p for p in sys.path_importer_cache if 'bootstrap' in p])
        print([item for item in sorted(os.environ.items()) if item[0] != 'PYTHONPATH'])
    """,
    "descriptors": """
        import os, time
        def numbers():
            listing = os.listdir('/proc/self/fd')
            return sorted(int(n) for n in listing)
        print(numbers()); a = os.open('/dev/null', os.O_RDONLY); print(a); time.sleep(0.3); print(numbers())
    """,
    "closes_all": """
        import os, time
        os.closerange(3, 1024)
        f = os.open('/dev/null', os.O_RDWR); print(f); time.sleep(0.3); print(os.write(f, b'x'))
    """,
    "broken_pipe": "import os, sys\nr, w = os.pipe(); os.close(r)\ntry:\n    os.write(w, b'x')\nexcept OSError as e:\n    print(e.errno)",
    "subprocesses": """
        import subprocess, sys
        print(subprocess.check_output([sys.executable, '-c', 'import sys; print(sys.argv, sys.path[0])', 'a b']).decode())
        print(subprocess.call(['sh', '-c', 'exit 9']), subprocess.call(['sh', '-c', 'kill -PIPE $$; echo alive']))
        print(subprocess.call([sys.executable, '-c', 'import os; os.abort()'], preexec_fn=lambda: None))
    """,
    "fork": """
        import os, sys
        sys.stdout.write('once\\n'); sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            print('child'); sys.exit(6)
        print(os.WEXITSTATUS(os.waitpid(pid, 0)[1]))
    """,
    "multiprocessing": """
        import multiprocessing, sys
        def f(q): q.put('from the child')
        if __name__ == '__main__':
            q = multiprocessing.Queue(); p = multiprocessing.Process(target=f, args=(q,)); p.start(); print(q.get()); p.join(); print(p.exitcode)
    """,
    "exec": "import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'import sys; print(sys.argv)', 'x'])",
    "recursion": "import sys\nsys.setrecursionlimit(200)\ndef f(n):\n    return f(n + 1)\ntry:\n    f(0)\nexcept RuntimeError as e:\n    print(type(e).__name__, e)",
    "thread_names": """
        import threading
        class Own(threading.Thread):
            def run(self):
                print(self.name, self, threading.current_thread() is self)
        for t in (threading.Thread(name='plain'), Own(name=u'own'), threading.Timer(0, lambda: None)):
            before = repr(t); t.name = 'renamed'; t.setName('again') if hasattr(t, 'setName') and str is bytes else None
            print(before, repr(t)); t.start(); t.join(); print(t.is_alive(), t.name)
        try:
            threading.Thread(name='x').__class__.name.fset(3, 'y')
        except Exception as e:
            print(type(e).__name__)
    """,
    "reads_stdin": "import sys; print(sys.stdin.read())",
    "warnings": "import warnings, os; warnings.simplefilter('error'); pid = os.fork() or os._exit(0); os.waitpid(pid, 0); print('no warning')",
    "syntax_error": "def f(:\n    pass",
    "imports": "import sys, json, logging; logging.warning('hello %s', 'x'); print(logging.getLogger().handlers != [])",
}


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with Agent() as agent:
        yield agent


def _without_addresses(text: bytes) -> bytes:
    return re.sub(rb"(started|daemon|initial|stopped) \d+|0x[0-9a-f]+", rb"\1 N", text)


class Outcome(NamedTuple):
    """What can be seen of a program from outside, addresses left out."""

    status: int
    out: list[bytes]
    err: list[bytes]


def outcome(done: subprocess.CompletedProcess[bytes]) -> Outcome:
    out, err = (_without_addresses(text).splitlines(keepends=True) for text in (done.stdout, done.stderr))
    return Outcome(done.returncode, out, err)


def both(
    env: pythons.Environment, agent: Agent, words: list[str | Path], cwd: Path, stdin: bytes = b"", **extra: str
) -> tuple[Outcome, Outcome]:
    """(without, with) the launcher and the profiler."""
    settings = programs.profiled(agent.url, upload_interval="0.1", sample_hz="1000")
    environment = {**programs.clean_environment(env), **settings, **extra}
    plain = programs.run(words, environment, stdin, cwd)
    ours = programs.run([env.ddtrace_run, *words], environment, stdin, cwd)
    return outcome(plain), outcome(ours)


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(env: pythons.Environment, agent: Agent, tmp_path: Path, name: str) -> None:
    script = tmp_path / "program.py"
    code = textwrap.dedent(PROGRAMS[name])
    script.write_text(code if code.startswith("#") else "from __future__ import print_function\n" + code)
    plain, ours = both(env, agent, [env.python, script.name, "a", "--b c"], tmp_path, b"given on stdin\n")
    assert ours == plain


@pytest.mark.parametrize("way", ["-c", "-m", "-", "stdin", "package", "zip"])
def test_way_of_starting(env: pythons.Environment, agent: Agent, tmp_path: Path, way: str) -> None:
    code = (
        "from __future__ import print_function\nimport sys\nprint(sys.argv, sys.path, __name__, globals().get('__file__'))\n1/0\n"
    )
    (tmp_path / "module.py").write_text(code)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "__main__.py").write_text(code)
    words: dict[str, list[str]] = {
        "-c": ["-c", code, "x"],
        "-m": ["-m", "module", "x"],
        "-": ["-", "x"],
        "stdin": [],
        "package": ["-m", "package"],
        "zip": ["package"],
    }
    stdin = code.encode() if way in ("-", "stdin") else b""
    plain, ours = both(env, agent, [env.python, *words[way]], tmp_path, stdin)
    assert plain.status == 1
    assert ours == plain


@pytest.mark.parametrize("option", ["-S", "-E", "-s", "-B", "-O", "-W error", "-X dev", "-I", "-u"])
def test_option_of_python(env: pythons.Environment, agent: Agent, tmp_path: Path, option: str) -> None:
    if option in ("-I", "-X dev") and env.version < (3, 7):
        option = "-s"  # these came with Python 3
    code = (
        "import sys, threading; t = threading.Thread(target=lambda: None); t.start(); t.join(); sys.stdout.write(repr(sys.flags))"
    )
    plain, ours = both(env, agent, [env.python, *option.split(), "-c", code], tmp_path)
    assert ours == plain


@pytest.mark.parametrize(
    "content",
    [
        "import sys; sys.stdout.write('of the user\\n'); seen = 1",
        "raise ValueError('broken')",
        "import no_such_module_at_all",
        "1 +",
    ],
)
def test_sitecustomize_of_the_user(env: pythons.Environment, agent: Agent, tmp_path: Path, content: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(content)
    code = "import sys; m = sys.modules.get('sitecustomize'); sys.stdout.write('%s %s' % (getattr(m, 'seen', None), getattr(m, '__file__', None)))"
    plain, ours = both(env, agent, [env.python, "-c", code], tmp_path, PYTHONPATH=str(tmp_path))
    assert ours == plain


def test_other_programs_get_the_same_environment(env: pythons.Environment, agent: Agent, tmp_path: Path) -> None:
    """Names that a shell would drop, no LC_CTYPE, no SHLVL; only PYTHONPATH differs. And SIGPIPE is not ignored."""
    strange = {"a.b-c": "1", "LC_ALL": "", "LANG": "C", "EMPTY": ""}
    plain, ours = both(env, agent, ["env", "-0"], tmp_path, **strange)
    before, after = (dict(line.split(b"=", 1) for line in b"".join(o.out).split(b"\0") if line) for o in (plain, ours))
    assert after.pop(b"PYTHONPATH").endswith(b"/ddtrace/bootstrap")
    assert after == before
    plain, ours = both(env, agent, ["sh", "-c", "kill -PIPE $$; echo alive"], tmp_path)
    assert ours == plain
    assert ours.status == -signal.SIGPIPE


def test_an_interpreter_without_the_package_is_silent(env: pythons.Environment, agent: Agent, tmp_path: Path) -> None:
    bare = pythons.everywhere()[env.minor]
    plain, ours = both(
        env, agent, [bare, "-c", "import sys; print(sys.path, sorted(m for m in sys.modules if 'ddtrace' in m))"], tmp_path
    )
    assert ours == plain


def test_children_of_the_shell_are_profiled(env: pythons.Environment, tmp_path: Path) -> None:
    with Agent() as agent:
        environment = programs.clean_environment(env, programs.profiled(agent.url, service="grandchild"))
        done = programs.run([env.ddtrace_run, "sh", "-c", "python -c 'import sys; sys.exit(11)'"], environment)
        assert done.returncode == 11
        assert [received.tags["service"] for received in agent.wait(1)] == ["grandchild"]


def test_a_terminal_interrupt_ends_the_program_as_ever(env: pythons.Environment, agent: Agent, tmp_path: Path) -> None:
    """SIGINT from outside, to the process group, as a terminal sends it."""
    code = "import sys, time; sys.stdout.write('r'); sys.stdout.flush(); time.sleep(30)"
    environment = programs.clean_environment(env, programs.profiled(agent.url))
    outcomes = []
    for head in ([], [str(env.ddtrace_run)]):
        process = subprocess.Popen(
            [*head, str(env.python), "-c", code],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        stat = Path(f"/proc/{process.pid}/stat")
        assert process.stdout.read(1) == b"r"
        # Still in flush it would name another place.
        wait_for("the program sleeps", lambda stat=stat: stat.read_text().rpartition(") ")[2].startswith("S"))
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=20)
        outcomes.append((process.returncode, err))
    assert outcomes[0] == outcomes[1]
