"""A headless Chromium under our control, and a tab that remembers whatever went wrong in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ["chromium", "chromium-browser", "google-chrome"]

PATIENCE_MS = 15_000  # for whatever must come to be seen, on a busy machine

Scheme = Literal["light", "dark"]


def executable() -> str:
    """The system's Chromium: none is downloaded."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if not found:
        raise RuntimeError("no Chromium found: apt-get install chromium")
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Tab:
    """One page in a context of its own."""

    page: Page
    origin: str
    problems: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text}")

    def on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.foreign.append(request.url)

    def open(self, path: str) -> Page:
        self.page.goto(self.origin + path)
        return self.page


@contextmanager
def tab(browser: Browser, origin: str, scheme: Scheme = "light", width: int = 1440, height: int = 900) -> Iterator[Tab]:
    context: BrowserContext = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, timezone_id="UTC", reduced_motion="reduce"
    )
    opened = Tab(context.new_page(), origin)
    opened.page.set_default_timeout(PATIENCE_MS)
    opened.page.on("console", opened.on_console)
    opened.page.on("pageerror", lambda error: opened.problems.append(f"thrown: {error}"))
    opened.page.on("request", opened.on_request)
    yield opened
    context.close()
