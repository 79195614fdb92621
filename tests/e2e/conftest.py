"""The real server with known profiles, and a real browser. A tab fails its test where the page complained or asked
anybody but its own server for anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from support.server import Server

from e2e import browser as browsers
from e2e import truth


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with browsers.chromium() as running:
        yield running


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that holds the profiles of truth.py."""
    with Server.start(tmp_path_factory.mktemp("shop")) as server:
        truth.send(server.url)
        yield server


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Server]:
    """A server that nobody has sent anything to."""
    with Server.start(tmp_path) as server:
        yield server


def _clean(tab: browsers.Tab) -> None:
    assert tab.problems == [], tab.problems
    assert tab.foreign == [], tab.foreign


@pytest.fixture
def tab(browser: Browser, shop: Server) -> Iterator[browsers.Tab]:
    with browsers.tab(browser, shop.url) as opened:
        yield opened
        _clean(opened)


@pytest.fixture
def page(tab: browsers.Tab) -> Page:
    return tab.page
