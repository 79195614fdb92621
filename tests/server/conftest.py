"""A running vigil for the tests of the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.server import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A fresh, empty vigil of the test's own."""
    with Server.start(tmp_path) as running:
        yield running
