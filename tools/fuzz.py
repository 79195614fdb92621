"""Short fuzzing: `make fuzz`. Each program of fuzz/ for some seconds, under libFuzzer with ASan and UBSan.

What is found new goes to build/fuzz/NAME; the seeds in fuzz/corpus/NAME stay as they are. An input that makes a parser fail is
kept as build/fuzz/NAME-crash-…; running the program on that file alone shows the failure again.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from steps import ROOT, Step, Tally, meson_build, run_all

BUILD = ROOT / "build" / "meson-fuzz"
FOUND = ROOT / "build" / "fuzz"
OPTIONS = [
    "-Dfuzz=true",
    "-Dtests=false",
    "-Dpage=false",
    "-Db_sanitize=address,undefined",
    "-Db_lundef=false",
    "-Dc_args=-fsanitize=fuzzer-no-link",
]
INPUT_LIMIT = 1 << 16


def programs() -> list[Path]:
    return sorted(path for path in (BUILD / "fuzz").iterdir() if path.is_file() and os.access(path, os.X_OK))


def fuzz_step(program: Path, seconds: int) -> Step:
    found, seeds = FOUND / program.name, ROOT / "fuzz" / "corpus" / program.name
    found.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", f"-max_len={INPUT_LIMIT}"]
    corpus = [str(found), *([str(seeds)] if seeds.is_dir() else [])]
    command = [str(program), *limits, f"-artifact_prefix={FOUND}/{program.name}-", *corpus]
    return Step(f"fuzz {program.name}", command, {"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"})


def main() -> int:
    parser = argparse.ArgumentParser(description="Short fuzzing of every parser.")
    parser.add_argument("--seconds", type=int, default=20, help="for each program (default: 20)")
    options = parser.parse_args()

    os.chdir(ROOT)
    print("Fuzzing")
    built = run_all(meson_build("fuzzers", "build/meson-fuzz", OPTIONS, {"CC": "clang"}))
    results = run_all(fuzz_step(program, options.seconds) for program in programs()) if all(built.values()) else built
    tally = Tally(passed=sum(results.values()), failed=len(results) - sum(results.values()))
    print(tally.line())
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
