"""A profiled program lives as it would without us: it forks, makes threads, handles signals, closes everything, ends. On every Python."""

from __future__ import annotations

import subprocess
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from support import programs
from support.agent import Agent, Received
from support.pprof import Frame, Sample
from support.pythons import Environment

PRELUDE = """
import os, sys, threading, time

def burn(seconds):
    end = time.time() + seconds
    while time.time() < end:
        for i in range(2000):
            pass

def timed(function, *args):
    start = time.time()
    function(*args)
    return time.time() - start

def in_threads(n, function, *args):
    threads = [threading.Thread(target=function, args=args) for _ in range(n)]
    for thread in threads:
        thread.daemon = True
        thread.start()
    return threads

class Busy(object):
    def __init__(self, n):
        self.n, self.is_over = n, False
    def __enter__(self):
        self.threads = in_threads(self.n, self.run)
    def run(self):
        while not self.is_over:
            burn(0.01)
    def __exit__(self, *unused):
        self.is_over = True
        for thread in self.threads:
            thread.join()
"""


@dataclass
class Life:
    """What a program printed, and what arrived of it."""

    out: str
    received: list[Received]

    def samples(self, pid: int | None = None) -> list[Sample]:
        return [s for upload in self.uploads(pid) for s in upload.profile.samples]

    def uploads(self, pid: int | None = None) -> list[Received]:
        return [u for u in self.received if pid is None or u.tags["process_id"] == str(pid)]

    def functions(self, pid: int | None = None) -> set[str]:
        return {short(frame.name) for sample in self.samples(pid) for frame in sample.frames}

    def seconds(self, function: str, column: int, pid: int | None = None) -> float:
        found = (s for s in self.samples(pid) if any(short(f.name) == function for f in s.frames))
        return sum(s.values[column] for s in found) / 1e9


CPU, WALL = 1, 2


def short(qualified: str) -> str:
    return qualified.rsplit(".", 1)[-1]


@pytest.fixture
def agent() -> Iterator[Agent]:
    with Agent() as running:
        yield running


def live(env: Environment, agent: Agent, code: str, options: tuple[str, ...] = (), seconds: float = 90, **settings: str) -> Life:
    """Runs the program to its end, which must come in time, with status 0 and nothing on stderr."""
    text = PRELUDE + textwrap.dedent(code)
    out = programs.python(env, text, programs.profiled(agent.url, **settings), options=options, seconds=seconds)
    return Life(out, agent.accepted())


# --- fork ---------------------------------------------------------------------------------------------------------------

# From 3.12 on Python warns of forks in a program with threads, with us or without.
MAY_FORK = ("-W", "ignore::DeprecationWarning")

RESTART_BEFORE_3_7 = """
def restart():
    if sys.version_info < (3, 7):
        import ddtrace.profiling.auto
        ddtrace.profiling.auto.start_profiler()
"""


def test_a_forked_child_is_profiled_by_itself(env: Environment, agent: Agent) -> None:
    code = """
    def parent_only(): burn(0.6)
    def child_only(): burn(0.6)
    def parent_after(): burn(0.6)
    parent_only()
    pid = os.fork()
    if pid == 0:
        restart()
        child_only()
        sys.exit(0)
    parent_after()
    assert os.waitpid(pid, 0)[1] == 0
    print("%d %d" % (os.getpid(), pid))
    """
    life = live(env, agent, RESTART_BEFORE_3_7 + textwrap.dedent(code))
    parent, child = map(int, life.out.split())
    assert {"parent_only", "parent_after"} <= life.functions(parent)
    assert "child_only" not in life.functions(parent)
    assert "child_only" in life.functions(child)
    assert not {"parent_only", "parent_after"} & life.functions(child)
    assert life.seconds("child_only", WALL, child) == pytest.approx(0.6, abs=0.25)
    assert life.seconds("parent_only", WALL, parent) == pytest.approx(0.6, abs=0.25)
    assert life.seconds("parent_after", WALL, parent) == pytest.approx(0.6, abs=0.25)
    ids = {pid: {u.tags["runtime-id"] for u in life.uploads(pid)} for pid in (parent, child)}
    assert len(ids[parent]) == 1 and len(ids[child]) == 1 and ids[parent] != ids[child]
    if env.version >= (3, 7):
        assert {u.tags.get("process_type") for u in life.uploads(child)} == {"fork"}


def test_grandchildren_are_profiled_too(env: Environment, agent: Agent) -> None:
    code = """
    def generation(n):
        burn(0.3)
    def descend(n):
        restart()
        generation(n)
        if n < 3:
            pid = os.fork()
            if pid == 0:
                descend(n + 1)
                sys.exit(0)
            assert os.waitpid(pid, 0)[1] == 0
    descend(0)
    """
    life = live(env, agent, RESTART_BEFORE_3_7 + textwrap.dedent(code))
    assert len({u.tags["runtime-id"] for u in life.received}) == 4
    for pid in {int(u.tags["process_id"]) for u in life.received}:
        assert life.seconds("generation", WALL, pid) == pytest.approx(0.3, abs=0.25)


def test_many_forks_with_threads_about(env: Environment, agent: Agent) -> None:
    """At 1 kHz, so that a fork meets the sampler at every point of its tick."""
    code = """
    with Busy(3):
        for i in range(300):
            pid = os.fork()
            if pid == 0:
                os._exit(i % 7)
            assert os.waitpid(pid, 0)[1] == i % 7 << 8
    def afterwards(): burn(0.5)
    afterwards()
    """
    life = live(env, agent, code, options=MAY_FORK, sample_hz="1000", cpu_budget="0", seconds=150)
    assert "afterwards" in life.functions()


def test_forks_from_other_threads(env: Environment, agent: Agent) -> None:
    code = """
    failed = []
    def forks(n):
        for i in range(n):
            pid = os.fork()
            if pid == 0:
                os._exit(5)
            if os.waitpid(pid, 0)[1] != 5 << 8:
                failed.append(pid)
    for thread in in_threads(4, forks, 30):
        thread.join()
    assert not failed
    def afterwards(): burn(0.3)
    afterwards()
    """
    life = live(env, agent, code, options=MAY_FORK, sample_hz="1000", cpu_budget="0", seconds=150)
    assert "afterwards" in life.functions()


def test_subprocess(env: Environment, agent: Agent) -> None:
    code = """
    import subprocess
    with Busy(2):
        for i in range(25):
            assert subprocess.call(["true"]) == 0
            assert subprocess.call(["true"], preexec_fn=lambda: None) == 0
            assert subprocess.call(["true"], close_fds=i % 2 == 0, shell=True) == 0
            assert os.system("true") == 0
    try:
        subprocess.call(["/nonexistent"])
    except OSError:
        print("none")
    def afterwards(): burn(0.3)
    afterwards()
    """
    life = live(env, agent, code, sample_hz="1000", cpu_budget="0", seconds=120)
    assert life.out == "none\n"
    assert "afterwards" in life.functions()
    assert len({u.tags["runtime-id"] for u in life.received}) == 1


def test_a_single_threaded_program_forks_without_a_warning(env: Environment, agent: Agent) -> None:
    """From 3.12 on fork warns where the process has threads: ours must be gone by then."""
    code = """
    for i in range(300):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        if i % 10 == 0:
            burn(0.01)
    pid, fd = os.forkpty()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    import multiprocessing
    if hasattr(multiprocessing, "get_context"):
        multiprocessing = multiprocessing.get_context("fork")
    for i in range(5):
        process = multiprocessing.Process(target=int)
        process.start()
        process.join()
        assert process.exitcode == 0
    import subprocess
    for i in range(20):
        assert subprocess.call(["true"], preexec_fn=lambda: None) == 0
    """
    live(env, agent, code, options=("-W", "always") if env.version >= (3, 12) else (), sample_hz="1000", cpu_budget="0")


# --- threads and code that come and go -------------------------------------------------------------------------------------


def test_thousands_of_short_threads(env: Environment, agent: Agent) -> None:
    code = """
    def brief():
        for i in range(3000):
            pass
    for i in range(300):
        for thread in in_threads(10, brief):
            thread.join()
    print(sum(os.times()[:2]))
    """
    life = live(env, agent, code, sample_hz="1000", cpu_budget="0")
    assert "brief" in life.functions()
    shown = sum(s.values[CPU] for s in life.samples()) / 1e9
    # What came before the start (the interpreter's own) is not shown, what follows the print is.
    assert shown == pytest.approx(float(life.out), rel=0.1, abs=0.2)
    roots = {short(s.frames[-1].name) for s in life.samples() if any(short(f.name) == "brief" for f in s.frames)}
    assert roots in ({"_bootstrap"}, {"__bootstrap"})


def test_threads_of_c_that_come_into_python(env: Environment, agent: Agent) -> None:
    """Each gets a thread state for the time of its call only."""
    code = """
    import ctypes
    libc = ctypes.CDLL(None)
    runs = []
    def from_c(unused):
        burn(0.01)
        runs.append(1)
        return 0
    callback = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p)(from_c)
    for i in range(60):
        threads = [ctypes.c_ulong() for _ in range(4)]
        for thread in threads:
            assert libc.pthread_create(ctypes.byref(thread), None, callback, None) == 0
        for thread in threads:
            assert libc.pthread_join(thread, None) == 0
    assert len(runs) == 240
    """
    life = live(env, agent, code, sample_hz="1000", cpu_budget="0")
    stacks = [[short(f.name) for f in s.frames] for s in life.samples()]
    found = [stack for stack in stacks if "from_c" in stack]
    assert found and all(stack[-1] == "from_c" for stack in found)


def test_threads_that_python_has_no_name_for_have_that_of_the_kernel(env: Environment, agent: Agent) -> None:
    code = """
    import ctypes
    try:
        from _thread import allocate_lock, start_new_thread
    except ImportError:
        from thread import allocate_lock, start_new_thread
    def nameless():
        ctypes.CDLL(None).prctl(15, b"raw-thread", 0, 0, 0)
        burn(0.5)
        over.release()
    over = allocate_lock()
    over.acquire()
    start_new_thread(nameless, ())
    over.acquire()
    """
    life = live(env, agent, code)
    names = {s.label("thread name") for s in life.samples() if any(short(f.name) == "nameless" for f in s.frames)}
    # A sample from before prctl shows the name of the program.
    assert names and all(isinstance(name, str) and (name == "raw-thread" or name.startswith("python")) for name in names), names


def test_code_that_is_made_and_freed(env: Environment, agent: Agent) -> None:
    """Code objects at the same addresses again and again: no name may survive its code."""
    code = """
    template = '''
    def inner_%(n)d(end):
        while time.time() < end:
            for i in range(300):
                pass
    def outer_%(n)d(end):
        inner_%(n)d(end)
    '''
    n = 0
    stop = time.time() + 4
    while time.time() < stop:
        n += 1
        space = {"time": time}
        exec(compile("\\n" * (n % 97) + template % {"n": n}, "<made-%d>" % n, "exec"), space)
        space["outer_%d" % n](time.time() + 0.0025)
        del space
    print(n)
    """
    life = live(env, agent, code, sample_hz="1000", cpu_budget="0")
    made = [f for s in life.samples() for f in s.frames if f.file.startswith("<made-")]
    assert len({f.name for f in made}) > 0.2 * int(life.out)
    for frame in made:
        number = int(frame.file[len("<made-") : -1])
        if frame.name == "<module>":
            continue
        assert frame.name in (f"inner_{number}", f"outer_{number}"), frame
        first = number % 97 + (2 if frame.name.startswith("inner") else 6)
        assert frame.first_line == first, frame
        assert first <= frame.line <= first + 3, frame
    for sample in life.samples():
        assert_calls_fit(sample.frames)


def assert_calls_fit(frames: tuple[Frame, ...]) -> None:
    """inner_N is called by outer_N, outer_N by the program."""
    for callee, caller in zip(frames, frames[1:], strict=False):
        kind, _, number = callee.name.partition("_")
        if kind == "inner" and number.isdigit():
            assert caller.name == f"outer_{number}", frames
        if kind == "outer" and number.isdigit():
            assert caller.name == "<module>", frames


def test_deep_recursion_on_a_large_stack(env: Environment, agent: Agent) -> None:
    code = """
    def deep(n):
        if n == 0:
            burn(1.5)
        else:
            deep(n - 1)
    sys.setrecursionlimit(6000)
    threading.stack_size(256 << 20)
    in_threads(1, deep, 5000)[0].join()
    """
    life = live(env, agent, code, sample_hz="200")
    found = [s for s in life.samples() if short(s.frames[0].name) == "burn"]
    assert found
    assert all(s.frames[-1].name == "[truncated stack]" for s in found)
    assert {len(s.frames) for s in found} == {513}
    assert sum(s.values[WALL] for s in found) / 1e9 == pytest.approx(1.5, abs=0.2)


# --- others who look at the program ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["settrace", "setprofile", "cprofile"])
def test_tracers_see_what_they_see_without_us(env: Environment, agent: Agent, tool: str) -> None:
    code = """
    tool = "%s"
    events = {}
    def seen(frame, event, arg):
        key = frame.f_code.co_name, event
        events[key] = events.get(key, 0) + 1
        return seen
    def called(n):
        total = 0
        for i in range(n):
            total += i
        return total
    def work():
        for i in range(20000):
            called(3)
    if tool == "cprofile":
        import cProfile, pstats
        profile = cProfile.Profile()
        profile.runcall(work)
        counts = dict((key[2], value[1]) for key, value in pstats.Stats(profile).stats.items())
        assert counts["called"] == 20000 and counts["work"] == 1, counts
    else:
        getattr(sys, tool)(seen)
        work()
        getattr(sys, tool)(None)
        assert events["called", "call"] == events["called", "return"] == 20000, events
        assert events["work", "call"] == 1
        assert ("called", "line") not in events or events["called", "line"] %% 20000 == 0, events
    """
    life = live(env, agent, code % tool, sample_hz="1000", cpu_budget="0")
    assert "called" in life.functions()


@pytest.mark.since("3.3")
def test_faulthandler(env: Environment, agent: Agent) -> None:
    code = """
    import faulthandler, signal, tempfile
    faulthandler.enable()
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.register(signal.SIGUSR2, file=file, all_threads=True)
        faulthandler.dump_traceback_later(0.05, repeat=True, file=file)
        with Busy(2):
            for i in range(20):
                os.kill(os.getpid(), signal.SIGUSR2)
                burn(0.03)
        faulthandler.cancel_dump_traceback_later()
        file.seek(0)
        assert file.read().count("in burn") > 20
    """
    life = live(env, agent, code, sample_hz="1000", cpu_budget="0")
    assert "burn" in life.functions()


def test_the_programs_signals_are_its_own(env: Environment, agent: Agent) -> None:
    code = """
    import signal
    def state():
        with open("/proc/self/status") as file:
            return [line for line in file if line.startswith("Sig") and not line.startswith(("SigQ", "SigPnd"))]
    from ddtrace.profiling import Profiler
    counts = {}
    def handler(number, frame):
        assert threading.current_thread().name == "MainThread"
        counts[number] = counts.get(number, 0) + 1
    for number in (signal.SIGALRM, signal.SIGUSR1, signal.SIGPROF, signal.SIGSEGV, signal.SIGBUS, signal.SIGPIPE):
        signal.signal(number, handler)
    in_threads(1, int)[0].join()  # with the first thread of any program glibc takes a real-time signal for itself
    before = state()
    profiler = Profiler()
    profiler.start()
    signal.setitimer(signal.ITIMER_REAL, 0.004, 0.004)
    signal.setitimer(signal.ITIMER_PROF, 0.004, 0.004)
    for i in range(100):
        os.kill(os.getpid(), signal.SIGUSR1)
        burn(0.01)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.setitimer(signal.ITIMER_PROF, 0)
    assert counts.pop(signal.SIGUSR1) == 100
    assert counts.pop(signal.SIGALRM) > 20
    assert counts.pop(signal.SIGPROF) > 20
    assert not counts, counts
    assert state() == before
    profiler.stop()
    assert state() == before
    """
    settings = programs.profiled(agent.url, sample_hz="1000", cpu_budget="0") | {"DD_PROFILING_ENABLED": "false"}
    programs.python(env, PRELUDE + textwrap.dedent(code), settings, launcher=False)
    assert "burn" in Life("", agent.accepted()).functions()


def test_a_program_that_closes_every_descriptor(env: Environment, agent: Agent) -> None:
    code = """
    def closing():
        burn(0.3)
        os.closerange(3, 1024)
        burn(0.3)
        # Descriptors of the program's own, under the numbers that ours might have had.
        held = [os.open("/dev/null", os.O_RDWR) for _ in range(64)]
        burn(1.0)
        for fd in held:
            os.fstat(fd)
            os.close(fd)
    print(timed(closing))
    """
    life = live(env, agent, code, upload_interval="0.5")
    assert len(life.received) >= 3
    assert life.seconds("closing", WALL) == pytest.approx(float(life.out), rel=0.25)


# --- start, stop, exit ------------------------------------------------------------------------------------------------------


def test_start_and_stop_fifty_times(env: Environment, agent: Agent) -> None:
    code = """
    from ddtrace.profiling import Profiler
    def work(): burn(0.02)
    spent, tasks = 0, None
    profiler = Profiler()
    for i in range(50):
        assert profiler.status == "stopped"
        profiler.start()
        profiler.start()
        assert profiler.status == "running"
        spent += timed(work)
        profiler.stop()
        tasks = tasks or len(os.listdir("/proc/self/task"))
        assert len(os.listdir("/proc/self/task")) <= tasks
    print(spent)
    """
    settings = programs.profiled(agent.url, sample_hz="1000", cpu_budget="0") | {"DD_PROFILING_ENABLED": "false"}
    out = programs.python(env, PRELUDE + textwrap.dedent(code), settings, launcher=False)
    life = Life(out, agent.accepted())
    assert len({u.tags["runtime-id"] for u in life.received}) == 50
    assert life.seconds("work", WALL) == pytest.approx(float(life.out), rel=0.25)


def test_exit_while_daemon_threads_run(env: Environment, agent: Agent) -> None:
    code = """
    def forever(burn=burn, sleep=time.sleep, error=Exception):
        try:
            while True:
                burn(0.01)
                sleep(0.0001)
        except error:
            pass  # 2.7 takes all globals away from under it
    in_threads(8, forever)
    burn(0.3)
    """
    for _ in range(5):
        life = live(env, agent, code, sample_hz="1000", cpu_budget="0")
    assert "forever" in life.functions()
    assert len({u.tags["runtime-id"] for u in life.received}) == 5


def test_exit_waits_for_threads_and_runs_handlers(env: Environment, agent: Agent) -> None:
    code = """
    import atexit
    def first(): burn(0.3); print("first")
    def last(): burn(0.3); print("last")
    def later(): burn(0.5); print("thread")
    atexit.register(last)
    atexit.register(first)
    threading.Thread(target=later).start()
    """
    life = live(env, agent, code)
    assert life.out.split() == ["thread", "first", "last"]
    assert {"later", "first", "last"} <= life.functions()


def test_an_unfinished_fork_at_exit(env: Environment, agent: Agent) -> None:
    """The parent ends first, then the child: each sends what it has."""
    code = """
    r, w = os.pipe()
    def child_work(): burn(0.3)
    def parent_work(): burn(0.3)
    if os.fork() == 0:
        restart()
        os.close(w)
        os.read(r, 1)  # until the parent is gone
        child_work()
        sys.exit(0)
    os.close(r)
    parent_work()
    """
    live(env, agent, RESTART_BEFORE_3_7 + textwrap.dedent(code))
    life = Life("", agent.wait(2))
    assert {"child_work", "parent_work"} <= life.functions()


# --- what is shown of asyncio -----------------------------------------------------------------------------------------------


@pytest.mark.since("3.8")
def test_coroutines_are_shown_in_the_order_they_await(env: Environment, agent: Agent) -> None:
    code = """
    import asyncio
    spent = 0
    async def innermost():
        global spent
        for i in range(20):
            spent += timed(burn, 0.02)
            await asyncio.sleep(0.001)
    async def middle(): await innermost()
    async def outermost(): await middle()
    async def generated():
        for i in range(5):
            burn(0.02)
            yield i
    async def consumer():
        async for _ in generated():
            await asyncio.sleep(0)
    async def main(): await asyncio.gather(outermost(), outermost(), consumer())
    asyncio.run(main())
    print(spent)
    """
    life = live(env, agent, code, sample_hz="500", cpu_budget="0")
    stacks = [[short(f.name) for f in s.frames] for s in life.samples() if short(s.frames[0].name) == "burn"]
    chains = {tuple(stack[2:5]) for stack in stacks if "innermost" in stack}
    assert chains == {("innermost", "middle", "outermost")}
    assert {tuple(stack[1:3]) for stack in stacks if "generated" in stack} == {("generated", "consumer")}
    assert all(stack[-1] == "<module>" for stack in stacks)
    assert life.seconds("innermost", WALL) == pytest.approx(float(life.out), rel=0.25)


# --- memory -----------------------------------------------------------------------------------------------------------------

MEMORY = """
functions = []
for n in range(300):
    exec("def f_%d(depth):\\n  if depth == 0: burn(0.002)\\n  else: functions[(depth * 31 + %d) %% 300](depth - 1)" % (n, n))
    functions.append(globals()["f_%d" % n])
def work():
    end = time.time() + 20
    n = 0
    while time.time() < end:
        n += 1
        functions[n % 300](n % 25)
for thread in in_threads(6, work):
    thread.join()
with open("/proc/self/status") as file:
    print([line.split()[1] for line in file if line.startswith("VmRSS")][0])
"""


def test_memory_added_to_a_busy_program(env: Environment, agent: Agent) -> None:
    """Two runs side by side, with and without."""
    command = [env.python, "-c", PRELUDE + MEMORY]
    plain = subprocess.Popen(command, env=programs.clean_environment(env), stdout=subprocess.PIPE, text=True)
    with plain:
        profiled_kb = int(live(env, agent, MEMORY).out)
        plain_kb = int(plain.communicate(timeout=60)[0])
    assert profiled_kb - plain_kb < 12 * 1024, f"{profiled_kb} KiB with, {plain_kb} KiB without"
