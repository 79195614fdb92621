"""Profiler, ddtrace.profiling.auto and thread names, as the documentation prints them, on each Python."""

from __future__ import annotations

import pytest
from support import programs, pythons
from support.agent import HANG, Agent

BURN = """
import os, sys, threading, time
def burn(seconds=0.15):
    end = time.time() + seconds
    while time.time() < end:
        pass
"""


def test_as_documented(env: pythons.Environment) -> None:
    code = BURN + (
        "from ddtrace.profiling import Profiler\n"
        "import ddtrace.profiling.profiler\n"
        "assert ddtrace.profiling.profiler.Profiler is Profiler\n"
        "prof = Profiler(env='prod', service='my-web-app', version='1.0.3', tags={'team': 'core', b'layer': b'api'}, unknown=1)\n"
        "assert prof.status == 'stopped'\n"
        "prof.start(); prof.start()\n"
        "assert prof.status == 'running'\n"
        "burn(); prof.stop(); prof.stop()\n"
        "assert prof.status == 'stopped'\n"
        "prof.start(stop_on_exit=True, profile_children=True); burn(); prof.stop(flush=True)\n"
    )
    with Agent() as agent:
        settings = programs.profiled(agent.url, env="other", tags="layer:web,stage:x")
        programs.python(env, code, settings, launcher=False)
        uploads = agent.wait(2)
    assert len(uploads) == 2
    for upload in uploads:
        tags = upload.tags
        assert (tags["env"], tags["service"], tags["version"]) == ("prod", "my-web-app", "1.0.3")
        assert (tags["team"], tags["layer"], tags["stage"]) == ("core", "api", "x")
        assert upload.profile.by_function("wall-time")["burn"] > 0
    assert uploads[0].tags["runtime-id"] != uploads[1].tags["runtime-id"]  # each life its own, as sequences begin anew


def test_tags_name_the_process(env: pythons.Environment) -> None:
    with Agent() as agent:
        programs.python(env, "import os, sys; sys.stdout.write('')", programs.profiled(agent.url, service="s"))
        tags = agent.wait(1)[0].tags
    assert tags["language"] == "python"
    assert tags["runtime"] == "CPython"
    assert tags["runtime_version"].startswith(env.minor + ".")
    assert tags["runtime_platform"].endswith("-linux")
    assert tags["profiler_version"] == (pythons.ROOT / "VERSION").read_text().strip()
    assert tags["process_id"].isdigit()
    assert tags["profile_seq"] == "0"
    assert tags["host"]
    assert len(tags["runtime-id"]) == 36
    assert "process_type" not in tags


def test_auto_starts_it(env: pythons.Environment) -> None:
    code = BURN + "import ddtrace.profiling.auto; ddtrace.profiling.auto.start_profiler(); burn()"
    with Agent() as agent:
        programs.python(env, code, programs.profiled(agent.url), launcher=False)
        assert len(agent.wait(1)) == 1


def test_under_the_launcher_a_plain_import_is_enough(env: pythons.Environment) -> None:
    with Agent() as agent:
        programs.python(env, "import ddtrace; ddtrace.profiling.auto.start_profiler()", programs.profiled(agent.url))
        assert len(agent.wait(1)) == 1


def test_an_explicit_profiler_takes_over_from_the_launcher(env: pythons.Environment) -> None:
    """No sample doubles: CPU time in all is what the program used, under one name or the other."""
    code = BURN + (
        "burn(0.3)\n"
        "from ddtrace.profiling import Profiler\n"
        "other = Profiler(); other.start()\n"  # nothing of its own: joins
        "mine = Profiler(service='explicit'); mine.start(); burn(0.3); mine.stop(); burn(0.1)\n"
    )
    with Agent() as agent:
        programs.python(env, code, programs.profiled(agent.url, service="of-the-launcher", sample_hz="1000"))
        uploads = agent.wait(2)
    assert [upload.tags["service"] for upload in uploads] == ["of-the-launcher", "explicit"]
    seconds = [upload.profile.by_function("wall-time").get("burn", 0) / 1e9 for upload in uploads]
    assert 0.25 < seconds[0] < 0.35
    assert 0.35 < seconds[1] < 0.5


def test_stopped_is_stopped(env: pythons.Environment) -> None:
    """The patches of threading are gone, no thread of ours is left, and without flush nobody waits for the Agent."""
    code = BURN + (
        "before = (threading.Thread.__dict__['_set_ident'], threading.Thread.__dict__['name'])\n"
        "from ddtrace.profiling import Profiler\n"
        "prof = Profiler(); prof.start(); burn()\n"
        "assert threading.Thread.__dict__['name'] is not before[1]\n"
        "began = time.time(); prof.stop(flush=False); assert time.time() - began < 1.5\n"
        "assert (threading.Thread.__dict__['_set_ident'], threading.Thread.__dict__['name']) == before\n"
        "assert len(os.listdir('/proc/self/task')) == 1, os.listdir('/proc/self/task')\n"
    )
    with Agent([HANG]) as agent:
        programs.python(env, code, programs.profiled(agent.url), launcher=False)


def test_without_stop_on_exit_the_end_waits_for_nobody(env: pythons.Environment) -> None:
    code = BURN + (
        "import atexit\n"
        "atexit.register(lambda: sys.stdout.write('%.3f' % (time.time() - began)))\n"  # first registered, last run
        "from ddtrace.profiling import Profiler; Profiler().start(stop_on_exit=False); burn(); began = time.time()"
    )
    with Agent([HANG]) as agent:
        assert float(programs.python(env, code, programs.profiled(agent.url), launcher=False)) < 1.5


def test_nothing_raises_into_the_program(env: pythons.Environment) -> None:
    code = (
        "from ddtrace.profiling import Profiler\n"
        "class Odd(object):\n"
        "    def __str__(self): raise ValueError('odd')\n"
        "for arguments in ({'tags': 3}, {'tags': {'a': Odd()}}, {'service': Odd()}, {'url': 'nonsense'}, {'env': 5}):\n"
        "    p = Profiler(**arguments); p.start(); p.stop(flush=False); p.status\n"
    )
    with Agent() as agent:
        environment = programs.clean_environment(env, programs.profiled(agent.url))
        done = programs.run([env.python, "-c", code], environment)
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"Traceback" not in done.stderr


def test_threads_have_their_names(env: pythons.Environment) -> None:
    """Those from before the start, new ones, renamed ones, and of all alphabets."""
    code = (
        "# -*- coding: utf-8 -*-\n"
        + BURN
        + (
            "def rename():\n    threading.current_thread().name = 'renamed'; burn(0.3)\n"
            "wide = u'gr\\xf6\\xdfe' if str is not bytes else u'gr\\xf6\\xdfe'.encode('utf-8')\n"
            "early = threading.Thread(target=burn, args=(0.6,), name='early'); early.start()\n"
            "from ddtrace.profiling import Profiler\n"
            "prof = Profiler(); prof.start()\n"
            "threads = [early, threading.Thread(target=burn, args=(0.3,), name=wide), threading.Thread(target=rename)]\n"
            "for t in threads[1:]: t.start()\n"
            "for t in threads: t.join()\n"
            "burn(); prof.stop()\n"
        )
    )
    with Agent() as agent:
        programs.python(env, code, programs.profiled(agent.url), launcher=False)
        profile = agent.wait(1)[0].profile
    names = {sample.label("thread name") for sample in profile.samples if any(f.name.endswith("burn") for f in sample.frames)}
    assert names == {"early", "größe", "renamed", "MainThread"}


@pytest.mark.parametrize("children", [True, False])
def test_a_forked_child_is_profiled_by_itself(env: pythons.Environment, children: bool) -> None:
    code = BURN + (
        "from ddtrace.profiling import Profiler\n"
        f"prof = Profiler(service='s'); prof.start(profile_children={children})\n"
        "burn(0.3); pid = os.fork()\n"
        "def in_child():\n    burn(0.3)\n"
        "if pid == 0:\n"
        "    if sys.version_info < (3, 7):\n"
        "        assert prof.status == 'stopped'\n"
        f"        {'import ddtrace.profiling.auto' if children else 'pass'}\n"
        "    in_child(); sys.exit(0)\n"
        "sys.exit(os.waitpid(pid, 0)[1])\n"
    )
    with Agent() as agent:
        settings = programs.profiled(agent.url, service="s")
        done = programs.run([env.python, "-W", "ignore", "-c", code], programs.clean_environment(env, settings))
        assert (done.returncode, done.stderr) == (0, b"")
        uploads = agent.wait(2 if children else 1)
    parent = [upload for upload in uploads if "process_type" not in upload.tags]
    child = [upload for upload in uploads if upload.tags.get("process_type") == "fork"]
    assert (len(parent), len(child)) == (1, int(children))
    assert "in_child" not in parent[0].profile.by_function("wall-time")
    for upload in child:
        assert upload.tags["service"] == "s"
        assert upload.tags["process_id"] != parent[0].tags["process_id"]
        assert upload.tags["runtime-id"] != parent[0].tags["runtime-id"]
        wall = upload.profile.by_function("wall-time")
        assert abs(wall["in_child"] / 1e9 - 0.3) < 0.1
        assert wall["burn"] == wall["in_child"]  # nothing of the parent's


def test_children_of_multiprocessing_upload_at_their_end(env: pythons.Environment) -> None:
    """They leave with os._exit, which no atexit sees."""
    code = (
        "import ddtrace, sys, multiprocessing, time\n"
        "def work():\n"
        "    if sys.version_info < (3, 7): ddtrace.profiling.auto.start_profiler()\n"
        "    end = time.time() + 0.3\n"
        "    while time.time() < end: pass\n"
        "context = multiprocessing.get_context('fork') if hasattr(multiprocessing, 'get_context') else multiprocessing\n"
        "processes = [context.Process(target=work) for _ in range(2)]\n"
        "for p in processes: p.start()\n"
        "for p in processes: p.join(); assert p.exitcode == 0\n"
    )
    with Agent() as agent:
        programs.python(env, code, programs.profiled(agent.url), options=["-W", "ignore"])
        uploads = agent.wait(3)
    assert len(uploads) == 3
    assert sum("work" in {name.rsplit(".")[-1] for name in u.profile.by_function("wall-time")} for u in uploads) == 2
