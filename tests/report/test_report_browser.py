"""The page in a real browser: every plot drawn, filters at work, no complaint, no request that leaves it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from browser import CHROMIUM, Browser
from histories import publish_history
from reports import HOSTILE, figures_of

from etl.report.page import render

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")]

DRAWN = """[...document.querySelectorAll("figure")].map(figure => [figure.id,
  figure.querySelectorAll(".canvas .main-svg").length > 0,
  figure.querySelectorAll(".trace, .heatmaplayer image").length])"""
PLOTS = 8


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("browser")
    with Browser(folder) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of 50,000 jobs."""
    folder = tmp_path_factory.mktemp("large")
    publish_history(folder / "output", jobs=50_000)
    page = folder / "report.html"
    page.write_text(render(figures_of(folder / "output")))
    return page


def choose(browser: Browser, control: str, value: str) -> None:
    browser.evaluate(
        f"(() => {{ const it = document.getElementById('{control}'); it.value = '{value}';"
        "it.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )


def text(browser: Browser, control: str) -> Any:
    return browser.evaluate(f"document.getElementById('{control}').textContent")


def assert_at_peace(browser: Browser, page: Path) -> None:
    assert browser.complaints == []
    assert [url for url in browser.requests if not url.startswith("data:")] == [page.as_uri()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_plot_is_drawn_at_every_width_and_nothing_runs_over(
    browser: Browser, large: Path, width: int, scheme: str
) -> None:
    browser.open(large, width=width, scheme=scheme)
    drawn = browser.evaluate(DRAWN)
    assert len(drawn) == PLOTS
    assert all(has_plot and traces for _, has_plot, traces in drawn)
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert_at_peace(browser, large)


def test_filters_narrow_what_is_shown(browser: Browser, large: Path) -> None:
    browser.open(large)
    assert text(browser, "key-jobs") == "50,000"
    choose(browser, "connector", "0")
    one = int(text(browser, "key-jobs").replace(",", ""))
    assert 0 < one < 50_000
    choose(browser, "type", "0")
    assert 0 < int(text(browser, "key-jobs").replace(",", "")) < one
    browser.evaluate("document.querySelector('[data-days=\"30\"]').click()")
    assert "from 2026-10-26" in text(browser, "selection")
    choose(browser, "connector", "")
    choose(browser, "type", "")
    assert int(text(browser, "key-jobs").replace(",", "")) == pytest.approx(50_000 * 30 / 730, rel=0.05)
    choose(browser, "split", "connector")
    browser.evaluate("document.querySelector('button[type=reset]').click()")
    browser.evaluate("new Promise(done => setTimeout(done))")
    assert text(browser, "key-jobs") == "50,000"
    assert_at_peace(browser, large)


def test_the_table_of_a_plot_has_what_the_plot_shows(browser: Browser, large: Path) -> None:
    browser.open(large)
    rows = browser.evaluate(
        """(async () => {
          const details = document.querySelector("#plot-jobs details"), filled = new Promise(done =>
            new MutationObserver(done).observe(details, {childList: true, subtree: true}));
          details.open = true;
          await filled;
          return [...details.querySelectorAll("tbody tr")].map(row => row.lastElementChild.textContent);
        })()"""
    )
    assert sum(int(row.replace(",", "")) for row in rows) == 50_000


def test_the_page_makes_the_sums_that_python_makes(browser: Browser, large: Path) -> None:
    figures = figures_of(large.parent / "output")
    browser.open(large)
    completed = sum(figures.total["statuses"][0])
    assert text(browser, "key-rate-note").startswith(f"{completed:,} completed")
    assert f"{sum(figures.total['odd']):,} jobs whose volume" in text(browser, "key-volume-note")


def test_hostile_texts_are_shown_and_not_run(browser: Browser, hostile: Path, tmp_path: Path) -> None:
    page = tmp_path / "hostile.html"
    page.write_text(render(figures_of(hostile)))
    browser.open(page)
    assert browser.evaluate("document.querySelectorAll('main img').length") == 0
    assert HOSTILE in browser.evaluate("document.getElementById('errors').textContent")
    assert HOSTILE in browser.evaluate("document.getElementById('connector').textContent")
    labels = browser.evaluate("[...document.querySelectorAll('svg text')].map(text => text.textContent).join(' ')")
    assert "</script><script>" in labels
    assert_at_peace(browser, page)


def test_a_page_without_jobs_is_whole(browser: Browser, history: Path, tmp_path: Path) -> None:
    page = tmp_path / "none.html"
    page.write_text(render(figures_of(history, connector_ids=("nobody",))))
    browser.open(page)
    assert browser.evaluate("document.querySelectorAll('.canvas.empty').length") == PLOTS
    assert_at_peace(browser, page)
