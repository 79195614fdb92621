"""What all tests share: the Pythons. A test that takes `env` runs once on each of them."""

from __future__ import annotations

import pytest
from support import pythons


def pytest_report_header() -> list[str]:
    """Which Pythons are tested, and which were not found."""
    lines = [f"pythons: {', '.join(pythons.found()) or 'none'}"]
    if pythons.missing():
        lines.append(f"pythons not found here, so not tested: {', '.join(pythons.missing())}")
    return lines


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`env`: a virtual environment of each Python found, with the package installed in it."""
    if "env" in metafunc.fixturenames:
        metafunc.parametrize("env", pythons.found(), indirect=True, scope="session")


@pytest.fixture(scope="session")
def env(request: pytest.FixtureRequest) -> pythons.Environment:
    return pythons.environment(request.param)
