"""The static checks: `make check`. Form, warnings as errors under two compilers, who may include whom, types.

Nothing here runs the product; `make test` does. All checks are run, whatever fails; the last line counts them.
"""

from __future__ import annotations

import os
import subprocess
import sys

from steps import ROOT, Step, Tally, meson_build, run_all

PYTHON = sys.executable
MODERN = [
    "tools",
    "tests",
    "examples",
]  # Python that runs on the build's own; the package runs on every Python there is
PACKAGE = ["python", "setup.py"]


def tracked(*patterns: str) -> list[str]:
    """Our files of these kinds, those not yet committed too."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return sorted(name for name in set(listed.split("\0")) if name and (ROOT / name).exists())


def extension_steps(compiler: str) -> list[Step]:
    """The extension, for the Python that runs us: its warnings are errors too."""
    out = f"build/check/extension-{compiler}"
    build = [PYTHON, "setup.py", "-q", "build", "--build-base", out, "--force"]
    return [Step(f"extension with {compiler}", build, {"CC": compiler, "CFLAGS": "-Wall -Wextra -Werror"})]


def steps() -> list[Step]:
    c_files = tracked("src/*.c", "src/*.h", "tests/*.c", "tests/*.h", "fuzz/*.c", "fuzz/*.h")
    werror = ["-Dwerror=true", "-Dpage=false"]
    return [
        Step("clang-format", ["clang-format", "--dry-run", "-Werror", *c_files]),
        Step("layers", [PYTHON, "tools/check_layers.py"]),
        *meson_build("gcc", "build/check/gcc", werror, {"CC": "gcc"}),
        *meson_build("clang", "build/check/clang", werror, {"CC": "clang"}),
        *extension_steps("gcc"),
        *extension_steps("clang"),
        Step("ruff", ["ruff", "check", "--quiet", "--output-format=concise", *MODERN]),
        Step("ruff format", ["ruff", "format", "--check", "--quiet", *MODERN]),
        Step("ruff package", ["ruff", "check", "--quiet", "--isolated", "--select", "E9,F", *PACKAGE]),
        Step("mypy", ["mypy"]),
        Step("page", ["npm", "--prefix", "web", "run", "check"]),
    ]


def main() -> int:
    print("Checks")
    os.chdir(ROOT)
    results = run_all(steps())
    tally = Tally(passed=sum(results.values()), failed=len(results) - sum(results.values()))
    print(tally.line())
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
