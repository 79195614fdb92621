"""What all tests share: the Pythons. A test that takes `env` runs once on each of them."""

from __future__ import annotations

import pytest
from support import pythons


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "since(minor): the first Python that has what the test is about")


def pytest_report_header() -> list[str]:
    """Which Pythons are tested, and which were not found."""
    lines = [f"pythons: {', '.join(pythons.found()) or 'none'}"]
    if pythons.missing():
        lines.append(f"pythons not found here, so not tested: {', '.join(pythons.missing())}")
    return lines


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`env`: a virtual environment of each Python found, with the package installed in it; of those only that have what a test
    is about where it is marked `@pytest.mark.since("3.8")`."""
    if "env" in metafunc.fixturenames:
        since = metafunc.definition.get_closest_marker("since")
        first = pythons.key(since.args[0]) if since else ()
        metafunc.parametrize("env", [m for m in pythons.found() if pythons.key(m) >= first], indirect=True, scope="session")


@pytest.fixture(scope="session")
def env(request: pytest.FixtureRequest) -> pythons.Environment:
    return pythons.environment(request.param)
