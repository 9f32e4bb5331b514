"""The page in a real Chromium, opened from disk: no error, no request, everything within reach.

Needs Debian's `chromium` and the extra `browser`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from synthetic_run import NASTY, write_recovery, write_run, write_study

from temporal_adapters.stages import report

pytestmark = pytest.mark.heavy

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
OPTIONS = ("Happy", "Sad", "Stressed", NASTY)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not on this machine (Debian: apt-get install chromium)")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    study = write_study(folder, description=NASTY, report={"figures": [], "title": f"Moods {NASTY}"})
    run = write_run(study, folder / "runs", options=OPTIONS, with_validity=True)
    write_recovery(run, OPTIONS)
    report.build(study, run)
    return (run.report / "index.html").as_uri()


class Opened:
    """A page with everything it said and asked for."""

    def __init__(self, browser: Any, address: str, **context: Any) -> None:
        settings = {"viewport": {"width": 1200, "height": 900}, **context}
        self.page = browser.new_context(**settings).new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Opened]:
    found = Opened(browser, address)
    yield found
    found.page.context.close()


def test_the_page_opens_from_disk_without_an_error_or_a_request(opened: Opened, address: str) -> None:
    opened.page.mouse.wheel(0, 4000)
    opened.page.wait_for_timeout(200)
    assert opened.said == []
    assert opened.asked == [address]


@pytest.mark.parametrize("width", [320, 375, 768, 1200])
def test_no_width_scrolls_sideways(browser: Any, address: str, width: int) -> None:
    found = Opened(browser, address, viewport={"width": width, "height": 800})
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    found.page.context.close()


def test_a_script_in_a_name_stays_text(opened: Opened) -> None:
    assert opened.page.title().startswith("Moods <script>")
    assert opened.page.locator("h3", has_text=NASTY).count() == 1
    opened.page.locator('[data-part="option"]').select_option(index=3)
    assert NASTY in opened.page.locator('[data-part="said"]').inner_text()
    assert opened.page.evaluate("document.title") != "owned"


def test_a_script_that_slips_in_all_the_same_is_not_run(opened: Opened) -> None:
    opened.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.owned=1\">')")
    opened.page.wait_for_timeout(200)
    assert opened.page.evaluate("window.owned") is None
    assert any("Content Security Policy" in words for words in opened.said)


def test_a_click_sorts_numbers_as_numbers_and_a_second_click_turns_them_round(opened: Opened) -> None:
    opened.page.get_by_role("button", name="r", exact=True).click()
    assert column(opened, 3) == sorted(column(opened, 3))
    assert opened.page.locator("th[aria-sort=ascending]").inner_text().strip() == "r"
    opened.page.get_by_role("button", name="r", exact=True).press("Enter")
    assert column(opened, 3) == sorted(column(opened, 3), reverse=True)


def column(opened: Opened, number: int) -> list[float]:
    cells = opened.page.locator(f"table.sortable tbody tr > :nth-child({number + 1})")
    return [float(cell.get_attribute("data-sort")) for cell in cells.all()]


def test_hovering_and_arrow_keys_show_the_values_of_a_week(opened: Opened) -> None:
    chart, tip = opened.page.locator("svg[data-chart]").first, opened.page.locator("#tip")
    chart.scroll_into_view_if_needed()
    chart.hover()
    assert "adapters" in tip.inner_text()
    assert "YouGov" in tip.inner_text()
    opened.page.keyboard.press("Tab")
    chart.focus()
    opened.page.keyboard.press("Home")
    assert tip.inner_text().startswith("2023-W01")
    opened.page.keyboard.press("ArrowRight")
    assert tip.inner_text().startswith("2023-W02")
    opened.page.keyboard.press("Escape")
    assert tip.is_hidden()


def test_the_explorer_says_r_at_any_lag_and_whether_it_was_tested(opened: Opened) -> None:
    page = opened.page
    said = page.locator('[data-part="said"]')
    shown = page.locator("article").first.locator("p.said").inner_text()
    set_slider(page, "lag", 1)
    r = shown.split("=\u00a0")[1].split(" ")[0]
    assert f"r = {r} over" in said.inner_text()
    assert "Tested: tracks" in said.inner_text()
    set_slider(page, "lag", -3)
    assert "was not tested" in said.inner_text()
    page.locator('[data-part="smooth"]').check()
    assert "for looking only" in said.inner_text()
    page.locator('[data-part="view"]').select_option("raw")
    assert page.locator("#explorer svg text.survey").count() == 5


def test_the_explorer_shows_every_option_of_a_week(opened: Opened) -> None:
    set_slider(opened.page, "week", 0)
    table = opened.page.locator('[data-part="week-table"]')
    assert table.locator("tbody tr").count() == 4
    assert table.locator("caption").inner_text() == "2023-W01: 900 posts by 300 users"
    set_slider(opened.page, "week", 17)
    assert "no posts" in table.locator("caption").inner_text()


def set_slider(page: Any, name: str, value: int) -> None:
    page.locator(f'[data-part="{name}"]').evaluate(
        "(node, value) => { node.value = value; node.dispatchEvent(new Event('input')); }", value
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1200])
def test_axe_finds_nothing_serious(browser: Any, address: str, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the extra `browser` is not installed")
    context = {"bypass_csp": True, "color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    found = Opened(browser, address, **context)
    found.page.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
    violations = axe.Axe().run(found.page).response["violations"]
    serious = [
        (one["id"], [node["html"][:120] for node in one["nodes"][:3]])
        for one in violations
        if one["impact"] in ("serious", "critical", "moderate")
    ]
    assert serious == []
    found.page.context.close()


def test_without_a_script_everything_but_the_explorer_is_there(browser: Any, address: str) -> None:
    found = Opened(browser, address, java_script_enabled=False)
    assert found.page.locator("article.card").count() == 4
    assert found.page.locator("#explorer").is_hidden()
    found.page.context.close()


def test_print_is_black_on_white_also_in_the_dark(browser: Any, address: str) -> None:
    found = Opened(browser, address, color_scheme="dark")
    found.page.emulate_media(media="print")
    colours = found.page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert colours == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    found.page.context.close()


def test_no_table_is_cut_off_on_paper(browser: Any, address: str) -> None:
    paper_width = 718  # A4 at 96 dpi without the margins that Chromium prints
    found = Opened(browser, address, viewport={"width": paper_width, "height": 1000})
    found.page.emulate_media(media="print")
    widths = found.page.evaluate("[...document.querySelectorAll('table')].map((node) => node.scrollWidth)")
    assert max(widths) <= paper_width
    found.page.context.close()
