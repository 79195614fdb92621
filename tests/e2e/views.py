"""What a person sees of the page and does in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

ROW_PX = 20  # the height of a frame


def place(page: Page) -> dict[str, str]:
    """What the address holds."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def expect_place(page: Page, **wanted: str | None) -> None:
    """Waits until the address says so; None: says nothing of it."""
    for name, value in wanted.items():
        if value is None:
            expect(page).not_to_have_url(re.compile(rf"[?&]{name}="))
        else:
            page.wait_for_function("([name, value]) => new URLSearchParams(location.search).get(name) === value", arg=[name, value])


def plain(text: str) -> str:
    """With ordinary spaces."""
    return text.replace("\u202f", " ").replace("\u00a0", " ")


@dataclass(frozen=True)
class Row:
    name: str
    place: str
    self_time: str
    self_share: str
    total: str
    total_share: str


def functions(page: Page) -> list[Row]:
    """The table beside the graph."""
    rows = []
    for row in page.get_by_role("table", name="Functions").locator("tbody tr").all():
        cells = [plain(text) for text in row.locator("td").all_inner_texts()]
        if len(cells) == 3:
            name, where = (cells[0].split("\n") + [""])[:2]
            rows.append(Row(name, where, *cells[1].split("\n"), *cells[2].split("\n")))
    return rows


def expect_functions(page: Page, names: list[str]) -> None:
    """Waits until the table shows exactly these, in this order."""
    cells = page.get_by_role("table", name="Functions").locator("tbody td:first-child")
    expect(cells).to_have_text([re.compile(rf"^{re.escape(name)}(?:/|\W|$)") for name in names])


def at_frame(page: Page, level: int, share: float) -> tuple[float, float]:
    """The window's coordinates of a point on a level, at a share of the graph's width."""
    box = page.locator("canvas").bounding_box()
    assert box is not None
    return box["x"] + share * box["width"], box["y"] + (level + 0.5) * ROW_PX


def colour_at(page: Page, level: int, share: float) -> tuple[int, ...]:
    """The pixel near the lower edge of a frame, where no text is."""
    pixel: list[int] = page.evaluate(
        """([level, share, row]) => {
            const canvas = document.querySelector('canvas');
            const ratio = canvas.width / canvas.clientWidth;
            const [x, y] = [share * canvas.clientWidth * ratio, ((level + 1) * row - 3) * ratio];
            const copy = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
            copy.drawImage(canvas, -Math.floor(x), -Math.floor(y));
            return [...copy.getImageData(0, 0, 1, 1).data];
        }""",
        [level, share, ROW_PX],
    )
    return tuple(pixel)


def selected(page: Page) -> str:
    """The frame that a screen reader stands on, in words."""
    return plain(page.locator('[role=row][aria-selected="true"]').inner_text())
