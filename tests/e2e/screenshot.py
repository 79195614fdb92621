#!/usr/bin/env python3
"""Takes a picture of the page of a running vigil, for the documentation.

    tests/e2e/screenshot.py http://127.0.0.1:8126 docs/images/explore.png --path '/explore?q=service:movies' --hover 13,0.3

Needs what `make test` needs: the playwright package and the system's Chromium.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from e2e import browser as browsers  # noqa: E402
from e2e import views  # noqa: E402


def frame(text: str) -> tuple[int, float]:
    level, _, share = text.partition(",")
    return int(level), float(share)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="its address")
    parser.add_argument("output", type=Path, help="the PNG to write")
    parser.add_argument("--path", default="/explore", help="what to look at (default: /explore)")
    parser.add_argument("--hover", type=frame, help="LEVEL,SHARE: the frame to point at; the root is level 0")
    parser.add_argument("--dark", action="store_true", help="the dark theme")
    parser.add_argument("--size", default="1440x900", help="of the window, in pixels (default: 1440x900)")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    scheme: browsers.Scheme = "dark" if arguments.dark else "light"
    with browsers.chromium() as browser, browsers.tab(browser, arguments.server, scheme, width, height) as tab:
        page = tab.open(arguments.path)
        page.wait_for_load_state("networkidle")
        if arguments.hover:
            page.locator("canvas").wait_for()
            page.mouse.move(*views.at_frame(page, *arguments.hover))
            page.get_by_role("tooltip").wait_for()
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=arguments.output)
        if tab.problems:
            raise SystemExit("\n".join(tab.problems))


if __name__ == "__main__":
    main()
