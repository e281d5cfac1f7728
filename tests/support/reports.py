"""Reports on datasets, and their page as a parser sees it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from benches import Bench

from etl.extract.filters import JobFilters
from etl.report.figures import Figures, gather
from etl.report.page import render
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = '</script><script>alert(1)</script><img src="https://evil.example/x" onerror=alert(2)>{{ 7*7 }}&amp;<!--'
_VOID = {"meta", "link", "input", "br", "img"}


@dataclass
class Page(HTMLParser):
    """A page taken apart: elements as (name, attributes), texts of scripts, and all other text."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.inside.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag, f"</{tag}> ends something else"

    def handle_data(self, data: str) -> None:
        if self.inside and self.inside[-1] == "script":
            self.scripts[-1] += data
        elif self.inside and self.inside[-1] != "style":
            self.texts.append(data)

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    @property
    def embedded(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.scripts[0])
        return found


def parsed(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    assert page.inside == []
    return page


def figures_of(root: Path, **filters: Any) -> Figures:
    return gather(root, JobFilters(**filters), advance=lambda _: None)


def page_of(root: Path, **filters: Any) -> Page:
    return parsed(render(figures_of(root, **filters)))


def run_over(folder: Path, documents: list[dict[str, Any]]) -> Path:
    """Publish documents by a run against a sandbox; return the output folder."""
    known = {document["id"]: document for document in documents}
    with Sandbox(SandboxSettings(documents=known)) as sandbox:
        bench = Bench(folder=folder, documents=known, sandbox=sandbox)
        assert bench.run().code == 0
    return bench.output
