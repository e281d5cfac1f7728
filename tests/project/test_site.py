"""The documentation as a site: it is built without a warning, and no page asks the network for anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import CHROMIUM, Browser

from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DIAGRAM = "data-dictionary.html"


def build(folder: Path, to: Path) -> subprocess.CompletedProcess[str]:
    # Not --quiet, which would hide warnings from --strict too.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(folder / ".mkdocs.yml")]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run([*command, "--site-dir", str(to)], env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("docs") / "site"
    ended = build(ROOT, folder)
    assert ended.returncode == 0, ended.stderr
    yield folder
    shutil.rmtree(folder)


class Loaded(HTMLParser):
    """Gathers what a page loads as soon as it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [given[name] or "" for name in ("src", "srcset", "data", "poster") if name in given]
        self.addresses += [given["href"] or ""] if tag == "link" and "href" in given else []


def test_every_page_is_built_without_a_warning_and_loads_only_files_of_the_site(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert {page.name for page in pages} >= {"index.html", "commands.html", "notebook.html", "CHANGELOG.html", DIAGRAM}

    for page in pages:
        loaded = Loaded()
        loaded.feed(page.read_text("utf-8"))
        assert loaded.addresses
        for address in loaded.addresses:
            # The page for addresses that do not exist can stand anywhere, so it names files from the root.
            path = site / address[1:] if page.name == "404.html" else page.parent / address
            assert path.is_file(), (page.name, address)
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", style.read_text("utf-8")), style.name


def test_mermaid_stands_in_the_site_and_only_pages_with_a_diagram_load_it(site: Path) -> None:
    script = "assets/javascripts/mermaid.min.js"

    assert (site / script).is_file()
    for page in site.glob("*.html"):
        text = page.read_text("utf-8")
        assert (f'src="{script}"' in text) is ('class="mermaid"' in text) is (page.name == DIAGRAM)


def test_links_that_lead_nowhere_fail_the_build(tmp_path: Path) -> None:
    for name in ("docs", ".mkdocs", "benchmarks/rivals"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".mkdocs.yml", "CHANGELOG.md", "LICENSE", "SECURITY.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    nowhere = ["nowhere.md", "dataset.md#no-such-heading", "../etl/nowhere.py"]
    with (tmp_path / "docs" / "glossary.md").open("a") as page:
        page.writelines(f"\n[x]({address})\n" for address in nowhere)

    ended = build(tmp_path, tmp_path / "site")

    assert ended.returncode == 1
    assert "Aborted with 3 warnings" in ended.stdout
    assert all(address.removeprefix("../") in ended.stderr for address in nowhere)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_in_a_browser_the_diagram_is_drawn_the_search_finds_and_no_request_leaves_the_site(
    site: Path, tmp_path: Path
) -> None:
    with Browser(tmp_path) as browser:
        for page in sorted(site.rglob("*.html")):
            if page.name == "404.html":
                continue
            browser.open(page)
            assert browser.evaluate("document.querySelector('h1').textContent")
            assert_at_peace(browser, site)
        browser.open(site / DIAGRAM)
        assert until(browser, "document.querySelector('div.mermaid')?.offsetHeight ?? 0")
        drawn = "".join(texts(shadow(browser.ask("DOM.getDocument", depth=-1, pierce=True)["root"])))
        assert all(table.name in drawn for table in TABLES)
        assert_at_peace(browser, site)
        browser.evaluate(
            "(() => { const it = document.querySelector('.md-search__input'); it.focus(); it.value = 'watermark';"
            "it.dispatchEvent(new KeyboardEvent('keyup')); it.dispatchEvent(new Event('input')); })()"
        )
        found = until(browser, "document.querySelectorAll('.md-search-result__item').length")
        assert found > 0
        assert_at_peace(browser, site)
    shutil.rmtree(tmp_path, ignore_errors=True)


def until(browser: Browser, expression: str) -> int:
    """Return an expression's number as soon as it is one, at the next of many looks at the page."""
    look = f"() => Promise.resolve({expression})"
    number = browser.evaluate(
        f"""(async () => {{
            const look = {look};
            for (let looks = 0; looks < 600; looks++) {{
                const found = await look();
                if (found) return found;
                await new Promise(done => setTimeout(done, 50));
            }}
            return 0;
        }})()"""
    )
    assert isinstance(number, int)
    return number


def shadow(node: dict[str, Any]) -> dict[str, Any]:
    """Return the first closed shadow root below a node, where the theme draws diagrams; nothing where there is none."""
    for inner in node.get("children", ()):
        roots = [root for root in inner.get("shadowRoots", ()) if root["shadowRootType"] == "closed"]
        found: dict[str, Any] = roots[0] if roots else shadow(inner)
        if found:
            return found
    return {}


def texts(node: dict[str, Any]) -> Iterator[str]:
    yield node.get("nodeValue", "")
    for inner in node.get("children", ()):
        yield from texts(inner)


def assert_at_peace(browser: Browser, site: Path) -> None:
    assert browser.complaints == []
    outside = [url for url in browser.requests if not url.startswith((site.as_uri(), "data:", "blob:", "about:"))]
    assert outside == []
