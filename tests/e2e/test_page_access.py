"""Accessibility: axe finds nothing serious in any state, light or dark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from support.server import ROOT, Server

from e2e import browser as browsers
from e2e import views

AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"


def findings(page: Page) -> list[str]:
    """Serious and critical ones. The script goes in by the debugger: the page's policy would not load it."""
    page.evaluate(Path(AXE).read_text() + "; undefined")
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{each['impact']} {each['id']}: {[node['html'][:160] for node in each['nodes'][:3]]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


def _graph(page: Page) -> None:
    expect(page.locator("canvas")).to_be_visible()


def _zoomed(page: Page) -> None:
    _graph(page)
    page.mouse.click(*views.at_frame(page, 3, 0.9))
    expect(page.get_by_role("button", name="Reset zoom")).to_be_visible()


def _searched(page: Page) -> None:
    _graph(page)
    page.get_by_label("Search frames").fill("render")
    expect(page.get_by_role("status").filter(has_text="of total")).to_be_visible()
    page.mouse.move(*views.at_frame(page, 3, 0.9))


def _help(page: Page) -> None:
    _graph(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def _times(page: Page) -> None:
    page.get_by_role("button", name="Time range").click()
    expect(page.get_by_label("Range", exact=True)).to_be_visible()


def _services(page: Page) -> None:
    expect(page.locator("tbody tr")).to_have_count(2)


def _notice(page: Page) -> None:
    expect(page.locator("main section h2")).to_be_visible()


STATES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "services": ("/", _services),
    "explore": ("/explore", _graph),
    "zoomed": ("/explore?q=service:shop+-version:1.1", _zoomed),
    "searched": ("/explore?q=service:shop", _searched),
    "help": ("/explore", _help),
    "times": ("/explore", _times),
    "no match": ("/explore?q=env:nowhere", _notice),
    "refused": ("/explore?q=(", _notice),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_serious(browser: Browser, shop: Server, state: str, scheme: browsers.Scheme) -> None:
    path, reach = STATES[state]
    with browsers.tab(browser, shop.url, scheme) as tab:
        reach(tab.open(path))
        assert findings(tab.page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_while_empty(browser: Browser, empty: Server, scheme: browsers.Scheme) -> None:
    with browsers.tab(browser, empty.url, scheme) as tab:
        tab.open("/")
        expect(tab.page.get_by_role("heading", name="No profile yet")).to_be_visible()
        assert findings(tab.page) == []
