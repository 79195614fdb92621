"""All tests: `make test`. C under the sanitizers, the page's, and pytest for the profiler, the server and the browser.

Each suite writes a JUnit file; the closing line adds them up. A suite that ran no test has failed.
"""

from __future__ import annotations

import os
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from steps import ROOT, Step, Tally, meson_build, run_all

PYTHON = sys.executable
RESULTS = ROOT / "build" / "test"
# A sanitizer's finding ends the test that met it. Leaks count.
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}


def unit_steps() -> list[Step]:
    options = ["-Db_sanitize=address,undefined", "-Dpage=false", "-Dbuildtype=debugoptimized"]
    test = ["meson", "test", "-C", "build/meson-asan", "--no-rebuild", "--print-errorlogs"]
    return [
        *meson_build("unit tests build", "build/meson-asan", options),
        Step("unit tests", test, SANITIZERS, after="unit tests build"),
    ]


def page_step() -> Step:
    report = ["--reporter=default", "--reporter=junit", f"--outputFile.junit={RESULTS / 'page.xml'}"]
    return Step("page tests", ["npm", "--prefix", "web", "run", "test", "--", *report])


def pytest_step() -> Step:
    command = [
        PYTHON,
        "-m",
        "pytest",
        "-rfEs",
        "--timeout=300",
        "--durations=5",
        f"--junitxml={RESULTS / 'pytest.xml'}",
    ]
    return Step("profiler, server and browser tests", [*command, "tests"], live=True)


def count(report: Path, tally: Tally) -> None:
    """Add one suite's JUnit file."""
    total = failed = skipped = 0
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    tally.passed += total - failed - skipped
    tally.failed += failed
    tally.skipped += skipped


def main() -> int:
    os.chdir(ROOT)
    RESULTS.mkdir(parents=True, exist_ok=True)
    reports = {
        "unit tests": ROOT / "build/meson-asan/meson-logs/testlog.junit.xml",
        "page tests": RESULTS / "page.xml",
        "profiler, server and browser tests": RESULTS / "pytest.xml",
    }
    for report in reports.values():
        report.unlink(missing_ok=True)

    print("Tests")
    results = run_all([*unit_steps(), page_step(), pytest_step()])
    tally = Tally()
    for name, report in reports.items():
        before = tally.failed
        if report.exists():
            count(report, tally)
        if not results[name] and tally.failed == before:  # it broke before, or beside, its tests
            tally.failed += 1
    print(tally.line())
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
