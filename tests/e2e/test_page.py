"""The page in a real browser, against the real server, with profiles whose every number is known (truth.py)."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from support import pprof, upload
from support.server import Server

from e2e import browser as browsers
from e2e import truth, views

SHOP = "/explore?q=service:shop"


def explore(tab: browsers.Tab, path: str = SHOP) -> Page:
    """Opens Explore and waits for the graph."""
    page = tab.open(path)
    expect(page.get_by_role("treegrid", name="Flame graph")).to_have_attribute("aria-busy", "false")
    return page


# --- services ---------------------------------------------------------------------------------------------------------


def test_services_are_listed_with_their_numbers(tab: browsers.Tab) -> None:
    page = tab.open("/")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    shop, mailer = ([views.plain(text) for text in row.locator("td").all_inner_texts()] for row in rows.all())
    # 2 s of CPU in 20 s watched: a tenth of a core
    assert shop[0].startswith("shop") and shop[1:5] == ["0.100", "6.00 s", "2", "2"]
    assert shop[5] == "prod" and shop[6].split() == ["1.0", "1.1"] and re.fullmatch(r"\d+ s ago", shop[7])
    assert mailer[0].startswith("mailer") and mailer[1:5] == ["0.005", "150 ms", "1", "1"]


def test_services_are_sorted_by_a_click_and_by_the_address(tab: browsers.Tab) -> None:
    page = tab.open("/")
    names = page.locator("tbody tr td:first-child a")
    expect(names).to_have_text(["shop", "mailer"])
    page.get_by_role("button", name="Service").click()
    expect(names).to_have_text(["mailer", "shop"])
    views.expect_place(page, sort="name")
    expect(page.get_by_role("columnheader", name="Service")).to_have_attribute("aria-sort", "ascending")
    page.reload()
    expect(names).to_have_text(["mailer", "shop"])


def test_a_service_leads_to_its_graph_and_back(tab: browsers.Tab) -> None:
    page = tab.open("/?from=now-4h")
    page.get_by_role("link", name="shop").click()
    views.expect_place(page, q="service:shop", **{"from": "now-4h"})
    views.expect_functions(page, ["query", "render", "parse", "escape", "handle", "main"])
    page.go_back()
    expect(page.get_by_role("heading", name="Services")).to_be_visible()


# --- the graph and the table ------------------------------------------------------------------------------------------


def test_the_table_says_the_truth(tab: browsers.Tab) -> None:
    page = explore(tab)
    views.expect_functions(page, ["query", "render", "parse", "escape", "handle", "main"])
    rows = {row.name: row for row in views.functions(page)}
    assert (rows["query"].self_time, rows["query"].self_share) == ("1.00 s", "50.0 %")
    assert (rows["render"].self_time, rows["render"].total, rows["render"].total_share) == ("500 ms", "700 ms", "35.0 %")
    assert (rows["main"].self_time, rows["main"].total, rows["main"].total_share) == ("0 s", "2.00 s", "100 %")
    assert rows["render"].place == f"{truth.LIBRARY}:1269"


def test_the_table_is_sorted_by_its_heads(tab: browsers.Tab) -> None:
    page = explore(tab)
    page.get_by_role("button", name="Function", exact=True).click()
    views.expect_functions(page, ["escape", "handle", "main", "parse", "query", "render"])
    page.get_by_role("button", name="Total", exact=True).click()
    views.expect_place(page, sort="-total")
    assert [row.name for row in views.functions(page)][-1] == "escape"


def test_the_tooltip_describes_the_frame_under_the_pointer(tab: browsers.Tab) -> None:
    page = explore(tab)
    # children lie by name: parse 15 %, query 50 %, render 35 %
    page.mouse.move(*views.at_frame(page, 3, 0.9))
    tip = page.get_by_role("tooltip")
    expect(tip.get_by_role("heading")).to_have_text("render")
    words = views.plain(tip.inner_text()).split("\n")
    assert f"{truth.LIBRARY}:1269" in words
    assert words[words.index("Self") + 1 :][:2] == ["500 ms", "25.0 %"]
    assert words[words.index("Total") + 1 :][:2] == ["700 ms", "35.0 %"]
    assert words[words.index("of its caller") + 1 :][-1] == "35.0 %"
    page.mouse.move(*views.at_frame(page, 12, 0.5))
    expect(tip).to_be_hidden()


def test_whose_code_it_is_can_be_seen(tab: browsers.Tab) -> None:
    page = explore(tab)
    own, package = views.colour_at(page, 3, 0.4), views.colour_at(page, 3, 0.9)
    assert own[0] > own[2] + 40, f"own code is warm, not {own}"
    assert package[2] > package[0] + 20, f"packages are cool, not {package}"


def test_zoom_by_click_narrows_graph_and_table_and_back_undoes_it(tab: browsers.Tab) -> None:
    page = explore(tab)
    page.mouse.click(*views.at_frame(page, 3, 0.9))
    views.expect_functions(page, ["render", "escape"])
    assert views.functions(page)[0].self_share == "71.4 %"
    zoomed = views.place(page)
    assert zoomed["root"] == zoomed["sel"]
    assert views.selected(page).startswith("render")
    page.mouse.move(*views.at_frame(page, 3, 0.05))  # render now fills the width
    expect(page.get_by_role("tooltip").get_by_role("heading")).to_have_text("render")
    page.mouse.move(0, 0)

    link = page.url
    page.go_back()
    views.expect_functions(page, ["query", "render", "parse", "escape", "handle", "main"])
    views.expect_place(page, root=None)
    page.goto(link)  # somebody else opens the link
    views.expect_functions(page, ["render", "escape"])
    page.get_by_role("button", name="Reset zoom").click()
    views.expect_place(page, root=None)


def test_search_shows_the_share_and_filters_the_table(tab: browsers.Tab) -> None:
    page = explore(tab)
    page.keyboard.press("/")
    page.keyboard.type("^(render|query)$")
    expect(page.get_by_role("status").filter(has_text="of total")).to_contain_text(re.compile(r"85\.0.%.*1\.70.s.*2 functions"))
    views.expect_functions(page, ["query", "render"])
    views.expect_place(page, search="^(render|query)$")
    hit, miss = views.colour_at(page, 3, 0.4), views.colour_at(page, 3, 0.05)
    assert hit != miss and hit == views.colour_at(page, 3, 0.9)

    page.get_by_label("Search frames").fill("jinja2")  # files are searched too; escape lies in render and counts once
    expect(page.get_by_role("status").filter(has_text="of total")).to_contain_text(re.compile(r"35\.0.%"))
    views.expect_functions(page, ["render", "escape"])
    page.get_by_label("Search frames").fill("nothing like it")
    expect(page.get_by_text("No function matches the search.")).to_be_visible()
    page.keyboard.press("Escape")
    views.expect_place(page, search=None)
    expect(page.get_by_label("Search frames")).to_have_value("")


def test_a_search_that_is_no_expression_is_taken_literally(tab: browsers.Tab) -> None:
    page = explore(tab, SHOP + "&search=render(")
    expect(page.get_by_role("status").filter(has_text="taken literally")).to_be_visible()
    expect(page.get_by_label("Search frames")).to_have_value("render(")


def test_a_row_is_highlighted_in_the_graph(tab: browsers.Tab) -> None:
    page = explore(tab)
    before = views.colour_at(page, 3, 0.4), views.colour_at(page, 3, 0.9)
    page.get_by_role("button", name=re.compile("^query")).click()
    expect(page.get_by_role("button", name=re.compile("^query"))).to_have_attribute("aria-pressed", "true")
    assert views.place(page)["fn"]
    assert views.colour_at(page, 3, 0.4) == before[0]
    assert views.colour_at(page, 3, 0.9) != before[1]
    page.keyboard.press("Escape")
    views.expect_place(page, fn=None)


def test_the_keyboard_walks_zooms_and_takes_back(tab: browsers.Tab) -> None:
    page = explore(tab)
    page.get_by_role("treegrid", name="Flame graph").focus()
    page.keyboard.press("ArrowDown")  # nothing is selected yet: the root
    expect(page.locator('[role=row][aria-selected="true"]')).to_contain_text("all")
    walked = []
    for key in ["ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight", "ArrowDown", "ArrowUp", "ArrowLeft", "ArrowLeft"]:
        before = views.selected(page)
        page.keyboard.press(key)
        page.wait_for_function(
            "before => document.querySelector('[role=row][aria-selected=true]').innerText !== before", arg=before
        )
        walked.append(views.selected(page).split(",")[0])
    assert walked == ["main", "handle", "query", "render", "escape", "render", "query", "parse"]
    expect(page.get_by_text("300 ms 15.0 %").first).to_be_visible()

    page.keyboard.press("Enter")
    views.expect_functions(page, ["parse"])
    page.keyboard.press("Backspace")
    views.expect_functions(page, ["query", "render", "parse", "escape", "handle"])
    page.keyboard.press("Escape")
    views.expect_place(page, sel=None)
    page.keyboard.press("Escape")
    views.expect_place(page, root=None)

    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_the_graph_follows_the_window(tab: browsers.Tab) -> None:
    page = explore(tab)
    graph = page.get_by_role("treegrid", name="Flame graph")
    assert graph.evaluate("graph => graph.scrollHeight === graph.clientHeight")  # all of it fits: nothing scrolls
    for width in (1000, 1600):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function("() => { const c = document.querySelector('canvas'); return c.width === c.clientWidth }")
        page.mouse.move(*views.at_frame(page, 3, 0.9))
        expect(page.get_by_role("tooltip").get_by_role("heading")).to_have_text("render")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_sharp_on_dense_screens(browser: Browser, shop: Server) -> None:
    context = browser.new_context(viewport={"width": 1200, "height": 800}, device_scale_factor=2)
    page = context.new_page()
    page.goto(shop.url + SHOP)
    page.wait_for_function("() => { const c = document.querySelector('canvas'); return c && c.width === 2 * c.clientWidth }")
    context.close()


# --- the slice --------------------------------------------------------------------------------------------------------


def test_facets_edit_the_search(tab: browsers.Tab) -> None:
    page = explore(tab, "/explore")
    tags = page.get_by_role("region", name="Tags")
    search = page.get_by_label("Search profiles")
    expect(page.get_by_role("tab", name="CPU time")).to_contain_text(re.compile(r"2\.05.s"))

    tags.get_by_role("button", name=re.compile("^shop")).click()
    expect(search).to_have_value("service:shop")
    views.expect_place(page, q="service:shop")
    expect(page.get_by_role("tab", name="CPU time")).to_contain_text(re.compile(r"2\.00.s"))

    tags.get_by_role("button", name=re.compile("^1.1")).click()  # versions narrow to those of the service
    expect(search).to_have_value("service:shop version:1.1")
    views.expect_functions(page, ["query", "handle", "main"])
    expect(tags.get_by_role("button", name=re.compile("^1.0"))).to_be_visible()  # what was not chosen stays in reach

    tags.get_by_role("button", name=re.compile("^1.0")).click()
    expect(search).to_have_value("service:shop version:(1.1 OR 1.0)")
    tags.get_by_role("button", name="Exclude version 1.1").click(force=True)
    expect(search).to_have_value("service:shop version:1.0 -version:1.1")
    views.expect_functions(page, ["render", "parse", "escape", "handle", "main"])
    page.go_back()
    expect(search).to_have_value("service:shop version:(1.1 OR 1.0)")


def test_values_with_spaces_can_be_clicked(tab: browsers.Tab) -> None:
    page = explore(tab, "/explore")
    tags = page.get_by_role("region", name="Tags")
    tags.get_by_text("team", exact=True).click()
    tags.get_by_role("button", name=re.compile("^the other")).click()
    expect(page.get_by_label("Search profiles")).to_have_value('team:"the other"')
    views.expect_functions(page, ["poll", "main"])


def test_the_search_can_be_typed(tab: browsers.Tab) -> None:
    page = explore(tab, "/explore")
    search = page.get_by_label("Search profiles")
    search.fill("host:web-* -service:shop")
    search.press("Enter")
    views.expect_place(page, q="host:web-* -service:shop")
    views.expect_functions(page, ["poll", "main"])
    search.fill("version:1.1")
    page.get_by_role("button", name="Search", exact=True).click()
    views.expect_functions(page, ["query", "handle", "main"])


def test_a_search_that_makes_no_sense_is_explained(browser: Browser, shop: Server) -> None:
    with browsers.tab(browser, shop.url) as tab:  # its console tells of the refusal
        page = tab.open("/explore?q=service:(a+OR")
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("HTTP 400")
        expect(alert).to_contain_text(re.compile("request [0-9a-f]+"))
        page.get_by_role("button", name="Clear filters").first.click()
        expect(page.get_by_role("treegrid", name="Flame graph")).to_be_visible()


def test_types_are_tabs(tab: browsers.Tab) -> None:
    page = explore(tab)
    expect(page.get_by_role("tab")).to_have_text([re.compile("^CPU time"), re.compile("^Wall time"), re.compile("^Exceptions")])
    page.get_by_role("tab", name="Exceptions").click()
    views.expect_place(page, type="exception-samples")
    views.expect_functions(page, ["parse", "handle", "main"])
    assert (views.functions(page)[0].self_time, views.functions(page)[0].self_share) == ("7", "100 %")
    page.get_by_role("tab", name="Wall time").click()
    expect(page.get_by_role("tab", name="Wall time")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tab", name="Wall time")).to_contain_text(re.compile(r"6\.00.s"))
    page.go_back()
    views.expect_place(page, type="exception-samples")


def test_a_type_that_the_slice_has_not_offers_those_it_has(tab: browsers.Tab) -> None:
    page = tab.open(SHOP + "&type=heap-space")
    expect(page.get_by_role("heading", name="No Live heap in these profiles")).to_be_visible()
    page.get_by_role("button", name="CPU time").click()
    views.expect_functions(page, ["query", "render", "parse", "escape", "handle", "main"])


def test_time_is_chosen_by_words_presets_and_dates(tab: browsers.Tab) -> None:
    page = explore(tab)
    opener = page.get_by_role("button", name=re.compile("^Time range"))
    opener.click()
    field = page.get_by_label("Range", exact=True)
    field.fill("no such time")
    field.press("Enter")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("last 15 minutes")
    field.press("Enter")
    views.expect_place(page, **{"from": "now-15m", "to": "now"})
    expect(opener).to_have_text(re.compile("Last 15 minutes"))

    opener.click()
    page.get_by_role("button", name="7d").click()
    views.expect_place(page, **{"from": "now-7d"})

    opener.click()
    page.get_by_label("From").fill("2026-01-01T10:00:00")
    page.get_by_label("To", exact=True).fill("2026-01-01T11:30:00")
    page.get_by_role("button", name="Apply").click()
    views.expect_place(page, **{"from": "2026-01-01T10:00:00Z", "to": "2026-01-01T11:30:00Z"})
    expect(page.get_by_role("heading", name="Nothing matches these filters")).to_be_visible()
    page.get_by_role("button", name="Show the hour around it").click()
    views.expect_functions(page, ["query", "render", "parse", "escape", "handle", "main"])


def test_time_can_be_held_still(tab: browsers.Tab) -> None:
    page = explore(tab)
    page.get_by_role("button", name="Live").click()
    expect(page.get_by_role("button", name="Held")).to_be_visible()
    held = views.place(page)
    assert re.fullmatch(r"[\d-]+T[\d:]+Z", held["from"]) and re.fullmatch(r"[\d-]+T[\d:]+Z", held["to"])


def test_links_in_other_words_are_understood(tab: browsers.Tab) -> None:
    page = explore(tab, "/explore?service=shop&env=prod&type=cpu-time&from=now-1h&to=now")
    expect(page.get_by_label("Search profiles")).to_have_value("service:shop env:prod")


def test_the_merged_profile_can_be_taken_away(tab: browsers.Tab, shop: Server) -> None:
    page = explore(tab)
    with page.expect_download() as download:
        page.get_by_role("link", name="collapsed").click()
    text = download.value.path().read_text()
    assert "main (/srv/shop/app.py:3);handle (/srv/shop/views.py:20);query (/srv/shop/views.py:60) 1000000000" in text
    with page.expect_download() as download:
        page.get_by_role("link", name="pprof").click()
    assert download.value.path().read_bytes()[:2] == b"\x1f\x8b"


# --- states -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/explore"])
def test_no_profile_yet_gives_the_command_and_shows_the_first_one(browser: Browser, empty: Server, path: str) -> None:
    with browsers.tab(browser, empty.url) as tab:
        page = tab.open(path)
        expect(page.get_by_role("heading", name="No profile yet")).to_be_visible()
        command = page.locator("pre").inner_text()
        assert command == (
            f"DD_TRACE_AGENT_URL={empty.url} DD_PROFILING_ENABLED=true DD_SERVICE=my-service ddtrace-run python app.py"
        )
        expect(page.get_by_role("button", name="Copy")).to_be_visible()
        truth.send(empty.url)
        expect(page.get_by_text("No profile yet")).to_be_hidden(timeout=8_000)
        expect(page.get_by_role("link", name="shop") if path == "/" else page.locator("canvas")).to_be_visible()
        if path == "/explore":
            tags = page.get_by_role("region", name="Tags")
            expect(tags.get_by_role("button", name=re.compile("^shop"))).to_be_visible(timeout=8_000)
        assert tab.problems == [] and tab.foreign == []


def test_filters_that_match_nothing_can_be_cleared(tab: browsers.Tab) -> None:
    page = tab.open("/explore?q=service:shop+env:nowhere")
    expect(page.get_by_role("heading", name="Nothing matches these filters")).to_be_visible()
    expect(page.get_by_role("region", name="Tags").get_by_role("button", name=re.compile("^prod"))).to_be_visible()
    page.locator("main section").get_by_role("button", name="Clear filters").click()
    views.expect_place(page, q=None)
    expect(page.locator("canvas")).to_be_visible()


def test_a_stopped_server_is_told_and_retried(browser: Browser, empty: Server) -> None:
    truth.send(empty.url)
    with browsers.tab(browser, empty.url) as tab:  # its console tells of the refused connections
        page = tab.open(SHOP)
        views.expect_functions(page, ["query", "render", "parse", "escape", "handle", "main"])
        empty.stop()
        page.get_by_role("tab", name="Wall time").click()
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("The server does not answer.")
        expect(alert).to_contain_text("unreachable")
        empty.restart()
        alert.get_by_role("button", name="Retry").click()
        views.expect_functions(page, ["query", "render", "parse", "escape", "handle", "main"])
        expect(alert).to_be_hidden()


def test_while_loading_the_graph_of_before_stays(tab: browsers.Tab) -> None:
    page = explore(tab)
    held: list[Route] = []
    page.route(re.compile("/api/v1/flamegraph"), lambda route: held.append(route))
    page.get_by_role("tab", name="Wall time").click()
    graph = page.get_by_role("treegrid", name="Flame graph")
    expect(graph).to_have_attribute("aria-busy", "true")
    expect(page.locator("canvas")).to_be_visible()
    for route in held:
        route.continue_()
    expect(graph).to_have_attribute("aria-busy", "false")


def test_an_unknown_address_is_no_blank_page(shop: Server) -> None:
    assert shop.get("/no/such/page").status == 404


def test_a_deep_and_wide_graph_stays_quick(browser: Browser, empty: Server) -> None:
    """Fifty thousand frames: drawn, zoomed and searched without a long pause. The bound is loose, for busy machines. What
    the server left out beyond them is told."""
    samples = []
    for i in range(2000):
        names = [f"f{depth}_{i % (depth + 3)}_{i // 40}" for depth in range(30)]
        frames = tuple(pprof.Frame(name, f"/srv/m{depth}.py", depth + 1) for depth, name in enumerate(names))
        samples.append(pprof.Sample(frames[::-1], ((i % 7 + 1) * truth.MS, 0, 0)))
    end_ns = time.time_ns() - 10**9
    profile = pprof.Profile(truth.TYPES, samples)
    upload.upload(empty.url, profile, {"service": "wide"}, end_ns - 10**10, end_ns)
    with browsers.tab(browser, empty.url) as tab:
        page = explore(tab, "/explore?q=service:wide")
        expect(page.get_by_text("small frames are left out")).to_contain_text(re.compile(r"of the total"))
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")

        def script_s() -> float:
            metrics = session.send("Performance.getMetrics")["metrics"]
            return float(next(metric["value"] for metric in metrics if metric["name"] == "ScriptDuration"))

        before = script_s()
        for level in (1, 2, 3):
            address = page.url
            page.mouse.click(*views.at_frame(page, level, 0.5))
            page.wait_for_function("before => location.href !== before", arg=address)
        page.keyboard.press("/")
        page.keyboard.type("f1")
        expect(page.get_by_role("status").filter(has_text="of")).to_be_visible()
        assert script_s() - before < 1.5
        assert tab.problems == []
