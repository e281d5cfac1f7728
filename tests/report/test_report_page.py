"""The page: whole, escaped, without a network, and readable without its plots."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from documents import job, run_transform
from histories import publish_history, publish_tables
from reports import HOSTILE, Page, figures_of, page_of, run_over

from etl.extract.filters import STATUSES
from etl.report.page import embedded, render

if TYPE_CHECKING:
    from pathlib import Path

REFERENCES = ("src", "href", "action", "data", "poster", "srcset", "formaction", "xlink:href", "ping", "background")


@pytest.fixture(scope="module")
def page(published: Path) -> Page:
    """The page of 250 jobs."""
    return page_of(published)


def test_nothing_in_the_page_points_out_of_it(page: Page) -> None:
    references = [
        (name, value) for _, given in page.elements for name, value in given.items() if name in REFERENCES and value
    ]
    assert references
    assert all(value.startswith("#") or value == "data:," for _, value in references)
    assert {attributes.get("rel") for attributes in page.all("link")} == {"icon"}


def test_the_policy_lets_the_page_run_its_own_scripts_and_load_nothing(page: Page) -> None:
    (policy,) = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv")]
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert (rules["default-src"], rules["connect-src"], rules["base-uri"]) == ("'none'", "'none'", "'none'")
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in page.scripts[1:]]
    assert rules["script-src"].split() == hashes
    assert "http" not in policy


def test_texts_of_the_cluster_are_text(hostile: Path) -> None:
    found = page_of(hostile)
    assert len(found.all("script")) == 3
    assert not found.all("img")
    assert not [name for _, given in found.elements for name in given if name.startswith("on")]
    assert found.text.count("alert(1)") > 5
    assert "{{ 7*7 }}" in found.text
    connector = found.embedded["connectors"][0]
    assert connector["id"] == HOSTILE
    assert connector["service"].startswith(HOSTILE)


def test_no_value_ends_the_element_that_it_is_embedded_in() -> None:
    value = {"</script>": ["<!--", "<script", "]]>", "\u2028", "&lt;"]}
    text = embedded(value)
    assert not re.search("[<>&\u2028]", text)
    assert json.loads(text) == value


def test_headings_are_in_order_and_every_part_can_be_reached(page: Page) -> None:
    levels = [int(name[1]) for name, _ in page.elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [given["id"] for _, given in page.elements if "id" in given]
    assert len(ids) == len(set(ids))
    assert {str(link["href"])[1:] for link in page.all("a")} <= set(ids)
    assert [len(page.all(name)) for name in ("main", "header", "nav", "footer")] == [1, 1, 1, 1]
    assert page.all("html")[0]["lang"] == "en"


def test_every_control_has_a_name(page: Page) -> None:
    labelled = {label.get("for") for label in page.all("label")}
    inside = [name for name, _ in page.elements]
    for name in ("select", "input"):
        for place, control in ((at, given) for at, (tag, given) in enumerate(page.elements) if tag == name):
            assert control["id"] in labelled or "label" in inside[place - 2 : place]
    assert all(region.get("aria-label") for _, region in page.elements if region.get("role") in {"region", "img"})


def test_every_plot_has_a_table_and_every_table_can_be_scrolled_by_keyboard(page: Page) -> None:
    figures = page.all("figure")
    assert len(figures) == 8
    names = [name for name, _ in page.elements]
    for place in (at for at, name in enumerate(names) if name == "figure"):
        assert names[place : place + 9] == [
            "figure", "figcaption", "h3", "p", "div", "details", "summary", "div", names[place + 8],
        ]  # fmt: skip
    scrolls = [given for _, given in page.elements if "scroll" in str(given.get("class")).split()]
    assert scrolls
    assert all(given["tabindex"] == "0" and given["aria-label"] for given in scrolls)
    assert page.text.count("Values as a table") == 8
    columns = [given for name, given in page.elements if name == "th"]
    assert all(given["scope"] in {"col", "row"} for given in columns)


def brightness(colour: str) -> float:
    """Relative luminance, as WCAG defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((brightness(one), brightness(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_contrast(scheme: str) -> None:
    style = resources.files("etl.report").joinpath("assets/report.css").read_text("utf-8")
    rules = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", rules[["light", "dark"].index(scheme)]))
    for ground in ("paper", "card"):
        for text in ("ink", "muted", "accent", "bad"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert contrast(colours["card"], colours["error"]) >= 4.5  # figures inside of bars
    drawn = [name for name in colours if name in {*STATUSES, "other"} or name.startswith("line-")]
    assert len(drawn) == len(STATUSES) + 1 + 6
    for name in drawn:
        assert contrast(colours[name], colours["card"]) >= 3, name


def test_figures_stand_there_before_a_script_has_run(history: Path) -> None:
    text = page_of(history).text
    assert "Jobs 5,000 30 connectors" in text
    assert "The plots and filters need JavaScript" in text
    assert "500 jobs left out" in text


def test_a_page_without_jobs_says_so(history: Path) -> None:
    found = page_of(history, connector_ids=("nobody",))
    assert "There is no job to report: none of the dataset is wanted (connector nobody)." in found.text
    assert found.embedded["total"]["when"] == []
    assert len(found.all("figure")) == 8


def test_one_job_is_enough(tmp_path: Path) -> None:
    found = page_of(run_over(tmp_path, [job(id="only")]))
    assert "Success rate 100.0% 1 completed, 0 failed" in found.text
    assert found.embedded["total"]["statuses"] == [[1], [0]]


def test_an_undated_job_is_counted_and_said_to_be_undated(tmp_path: Path) -> None:
    undated = job(id="undated")
    del undated["created_at"]
    found = page_of(run_over(tmp_path, [undated]))
    assert found.embedded["total"]["when"] == [None]
    assert "1 without a time of creation" in found.text
    assert "no job has a time of creation" in found.text


def test_filters_of_the_command_are_named(history: Path) -> None:
    found = page_of(history, connector_ids=("connector-001",), statuses=("error",))
    assert "only connector connector-001; status error." in found.text


def test_a_secret_that_older_rules_let_through_is_masked(tmp_path: Path) -> None:
    tables = run_transform(job(id="leaky", status="error")).tables
    errors = pa.array(["login failed: password=hunter2"], pa.string())
    jobs = tables["sync_jobs"]
    leaky = jobs.set_column(jobs.column_names.index("error"), jobs.field("error"), errors)
    publish_tables(tmp_path / "old", [{**tables, "sync_jobs": leaky}])
    html = render(figures_of(tmp_path / "old"))
    assert "password=[redacted]" in html
    assert "hunter2" not in html


@pytest.mark.slow
def test_the_page_of_a_million_jobs_stays_below_6_mb(tmp_path: Path) -> None:
    publish_history(tmp_path / "many", jobs=1_000_000, connectors=100, days=1100)
    figures = figures_of(tmp_path / "many")
    assert sum(map(sum, figures.total["statuses"])) == sum(map(sum, figures.parts["statuses"])) == 1_000_000
    assert len(render(figures).encode()) < 6_000_000
