"""What is shown is what happened: a program with a known behaviour (targets/truth.py) under ddtrace-run, on every Python."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import pprof
from support.pprof import Frame, Profile, Sample
from support.pythons import Environment

TARGETS = Path(__file__).resolve().parents[1] / "targets"
MAX_ERROR = 0.03
# The time of one tick at each end of a part that lasts 1.5 s, as a share: what sampling at 100 Hz cannot know.
QUANTUM_S = 0.02

CALLS = {
    ("<module>", "run_all"),
    ("run_all", "mark"),
    *(
        ("mark", name)
        for name in ("plain", "rest", "recursion", "drain", "<lambda>", "method", "nested", "outer", "größe", "join", "other")
    ),
    *((name, "plain") for name in ("recursion", "<lambda>", "method", "nested", "closure", "größe", "other")),
    ("recursion", "recursion"),
    ("drain", "generator"),
    ("outer", "closure"),
    ("_bootstrap", "_bootstrap_inner"),
    ("__bootstrap", "__bootstrap_inner"),
    ("_bootstrap_inner", "run"),
    ("__bootstrap_inner", "run"),
    ("run", "<lambda>"),
    ("<lambda>", "mark"),
    # 2.7 has no such clocks; the target makes them.
    *(
        (name, clock)
        for name in ("<module>", "mark", "plain", "generator")
        for clock in ("monotonic", "process_time", "thread_time")
    ),
    *((clock, "read_clock") for clock in ("monotonic", "process_time", "thread_time")),
}
"""Who calls whom in the target (short names); the standard library's own calls are not looked at."""


@dataclass
class Run:
    path: Path  # of the program
    truth: dict[str, dict[str, float]]
    process_cpu: float
    samples: list[Sample]
    types: list[tuple[str, str]]

    def seconds(self, type_name: str, caller: str, callee: str) -> float:
        """Time of the samples in whose stacks the one calls the other."""
        column = [name for name, _ in self.types].index(type_name)
        return sum(s.values[column] for s in self.samples if (caller, callee) in calls(s)) / 1e9

    def line(self, marker: str) -> int:
        lines = self.path.read_text(encoding="utf-8").splitlines()
        found = [number for number, text in enumerate(lines, 1) if re.search(rf"LINE {re.escape(marker)}$", text)]
        assert len(found) == 1, marker
        return found[0]


def calls(sample: Sample) -> set[tuple[str, str]]:
    """(caller, callee) of all neighbours in the stack, by their short names."""
    names = [short(frame.name) for frame in reversed(sample.frames)]
    return set(zip(names, names[1:], strict=False))


def short(qualified: str) -> str:
    return qualified.rsplit(".", 1)[-1]


def profiles(prefix: Path) -> list[Profile]:
    files = sorted(prefix.parent.glob(prefix.name + ".*.pprof"))
    assert files, f"no {prefix}.PID.SEQ.pprof was written"
    return [pprof.decode(gzip.decompress(file.read_bytes())) for file in files]


def run_of(env: Environment, directory: Path) -> Run:
    home = directory / "häuser mit raum"
    home.mkdir()
    program = Path(shutil.copy(TARGETS / "truth.py", home / "wahrheit-ü.py"))
    prefix = directory / "out"
    settings = {
        "DD_PROFILING_ENABLED": "true",
        "DD_PROFILING_OUTPUT_PPROF": str(prefix),
        "DD_TRACE_AGENT_URL": "http://127.0.0.1:9",
        "LC_ALL": "C.UTF-8",
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DD_")} | settings
    command = [env.ddtrace_run, env.python, program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    truth = json.loads(done.stdout.split("TRUTH ", 1)[1])
    written = profiles(prefix)
    samples = [sample for profile in written for sample in profile.samples]
    return Run(program, truth["parts"], truth["process_cpu"], samples, written[0].types)


@pytest.fixture(scope="session")
def run(env: Environment, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run for all tests of this file on one Python."""
    return run_of(env, tmp_path_factory.mktemp(f"truth-{env.minor}"))


def test_sample_types_bear_the_fixed_names(run: Run) -> None:
    assert run.types == [("cpu-samples", "count"), ("cpu-time", "nanoseconds"), ("wall-time", "nanoseconds")]


def within(shown: float, true: float) -> bool:
    return abs(shown - true) <= max(MAX_ERROR * true, QUANTUM_S)


def test_wall_and_cpu_time_are_those_of_the_program(run: Run) -> None:
    wrong = []
    for part, truth in run.truth.items():
        function = "<lambda>" if part == "lambda" else part
        wall, cpu = (run.seconds(name, "mark", function) for name in ("wall-time", "cpu-time"))
        if not within(wall, truth["wall"]) or not within(cpu, truth["cpu"]):
            wrong.append(f"{part}: wall {wall:.3f} of {truth['wall']:.3f} s, cpu {cpu:.3f} of {truth['cpu']:.3f} s")
    assert not wrong, "; ".join(wrong)


def test_all_threads_together_have_the_cpu_time_of_the_process(run: Run) -> None:
    column = [name for name, _ in run.types].index("cpu-time")
    shown = sum(sample.values[column] for sample in run.samples) / 1e9
    assert abs(shown - run.process_cpu) <= 0.02 * run.process_cpu


def is_target(run: Run, frame: Frame) -> bool:
    return frame.file in (str(run.path), "/tmp/häuser/größe.py")


def test_no_stack_is_impossible(run: Run) -> None:
    impossible = defaultdict(int)
    for sample in run.samples:
        root_first = list(reversed(sample.frames))
        for caller, callee in zip(root_first, root_first[1:], strict=False):
            pair = (short(caller.name), short(callee.name))
            if is_target(run, caller) and is_target(run, callee) and pair not in CALLS:
                impossible[pair] += 1
    assert not impossible, dict(impossible)


def test_stacks_begin_at_the_root(run: Run) -> None:
    roots = {short(sample.frames[-1].name) for sample in run.samples if any(is_target(run, f) for f in sample.frames)}
    assert roots <= {"<module>", "_bootstrap", "__bootstrap"}, roots


def test_recursion_is_shown_in_its_depth(run: Run) -> None:
    depths = {sum(short(f.name) == "recursion" for f in sample.frames) for sample in run.samples}
    assert 200 in depths
    assert all(depth in (0, 200) or depth < 200 for depth in depths)


def test_lines_are_those_that_were_running(run: Run) -> None:
    caller_lines = {
        "mark": "mark",
        "rest": "rest",
        "other": "other",
        "drain": "drain",
        "method": "method",
        "nested": "nested",
        "closure": "closure",
        "outer": "outer",
    }
    seen: dict[str, set[int]] = defaultdict(set)
    for sample in run.samples:
        if any(name == "stack" for name, _ in sample.labels):
            continue
        for callee, caller in zip(sample.frames, sample.frames[1:], strict=False):
            if is_target(run, caller) and is_target(run, callee):
                seen[short(caller.name)].add(caller.line)
    for function, marker in caller_lines.items():
        if function in seen:
            assert seen[function] == {run.line(marker)}, function
    assert seen["recursion"] == {run.line("recursion"), run.line("recursion-end")}
    leaves = {f.line for s in run.samples for f in s.frames[:1] if short(f.name) == "rest"}
    assert leaves == {run.line("rest")}


def test_leaf_lines_lie_in_the_loop_that_ran(run: Run) -> None:
    column = [name for name, _ in run.types].index("cpu-time")
    by_line: dict[int, int] = defaultdict(int)
    for sample in run.samples:
        if short(sample.frames[0].name) == "plain":
            by_line[sample.frames[0].line] += sample.values[column]
    body = run.line("plain")
    # The loop has 99.9 %. On a busy machine the sampler gets its turn when the program enters the kernel, which it does by
    # reading its clock one line above: up to 8 % was seen there.
    assert sum(by_line[n] for n in (body - 1, body)) >= 0.85 * sum(by_line.values()), dict(by_line)


def test_first_lines_and_files_are_right(run: Run) -> None:
    lines = run.path.read_text(encoding="utf-8").splitlines()
    for name in ("plain", "rest", "mark", "recursion", "generator"):
        found = {(f.file, f.first_line) for s in run.samples for f in s.frames if short(f.name) == name}
        first = next(n for n, text in enumerate(lines, 1) if text.startswith(f"def {name}("))
        assert found == {(str(run.path), first)}, name


def test_names_are_qualified_where_the_version_has_it(run: Run, env: Environment) -> None:
    names = {f.name for s in run.samples for f in s.frames if is_target(run, f)}
    if env.version >= (3, 11):
        assert {"Worker.method", "Worker.Inner.nested", "outer.<locals>.closure"} <= names
    else:
        assert {"method", "nested", "closure"} <= names
    if env.version >= (3,):
        assert "größe" in {short(name) for name in names}


def test_threads_bear_their_names(run: Run) -> None:
    names = {s.label("thread name") for s in run.samples if any(short(f.name) == "mark" for f in s.frames)}
    assert names == {"MainThread", "zweiter-ärmel"}
    for sample in run.samples:
        if any(short(f.name) == "other" for f in sample.frames):
            assert sample.label("thread name") == "zweiter-ärmel"


def test_samples_carry_the_time_they_ended(run: Run) -> None:
    times = [s.label("end_timestamp_ns") for s in run.samples]
    assert all(isinstance(t, int) and t > 1_700_000_000_000_000_000 for t in times)
    # Equal consecutive samples are one: a sleep of 1.5 s is a handful, not 150.
    assert sum(short(s.frames[0].name) == "rest" for s in run.samples) <= 8


def largest_file(run: Run) -> Path:
    return max(run.path.parent.parent.glob("out.*.pprof"), key=lambda path: path.stat().st_size)


def test_the_published_schema_knows_every_field(run: Run) -> None:
    text = pprof.check_with_schema(gzip.decompress(largest_file(run).read_bytes()))
    assert text.count("sample_type {") == 3 and "time_nanos:" in text and '"plain"' in text


def test_go_tool_pprof_reads_it(run: Run) -> None:
    file = largest_file(run)
    text = pprof.check_with_go(file, "-top", "-sample_index=cpu-time")
    assert "plain" in text
