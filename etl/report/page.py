"""Figures as one HTML page that needs nothing else: no network, no file beside it."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec

from etl.report import written
from etl.report.suspicious import LISTED
from etl.schema.tables import LARGEST_DOCUMENT_MIB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl.report.figures import Figures

_SCRIPTS = ("words.js", "cells.js", "plots.js", "page.js")
_PARTS = (
    ("figures-title", "Key figures"),
    ("history", "History"),
    ("connectors", "Connectors"),
    ("errors-title", "Errors"),
    ("suspicious", "Stuck and suspicious"),
    ("rules", "Rules"),
    ("drift", "Changes"),
    ("quality", "Data quality"),
)
_PRESETS = (("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("365", "A year"), ("", "All"))
_COLUMNS_OF_FIGURES = frozenset(
    {"order", "changes", "values", "rows", "exit", "loaded", "unchanged", "not found", "failed", "rejected", "invalid"}
)


def render(report: Figures) -> str:
    """Return the page.

    Every text of the cluster is escaped by the template, or stands in JSON that the page puts in as text.
    """
    import jinja2  # noqa: PLC0415 - an extra
    from markupsafe import Markup  # noqa: PLC0415 - comes with jinja2
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - an extra

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters.update(written.FILTERS)
    places = {connector: place for place, connector in enumerate(report.census.connectors)}
    apart = report.parts["connectors"]
    library = get_plotlyjs().replace("</script", r"<\/script")
    script = "(() => {\n'use strict';\n" + "\n".join(map(_asset, _SCRIPTS)) + "})();"
    return environment.from_string(_asset("report.html.j2")).render(
        report=report,
        census=report.census,
        in_force=report.in_force,
        quality=report.quality,
        key=_key_figures(report),
        wanted=written.wanted(report.filters),
        parts=_PARTS,
        presets=_PRESETS,
        figures=_COLUMNS_OF_FIGURES,
        listed=LISTED,
        largest=LARGEST_DOCUMENT_MIB,
        precision=written.precision(min(report.total["steps"], report.parts["steps"])),
        place=lambda connector: min(places.get(connector, apart), apart),
        policy=_policy(library, script),
        style=Markup(_asset("report.css")),  # noqa: S704 - the program's own
        library=Markup(library),  # noqa: S704 - likewise
        script=Markup(script),  # noqa: S704 - likewise
        data=Markup(embedded(_data(report))),  # noqa: S704 - no < is left in it
    )


def embedded(value: Any) -> str:  # noqa: ANN401 - any JSON
    r"""Return JSON that can stand in a script element: nothing in it ends the element or begins a comment.

    >>> embedded({"error": "</script><!--"})
    '{"error":"\\u003c/script\\u003e\\u003c!--"}'
    """
    text = msgspec.json.encode(value).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _asset(name: str) -> str:
    return (resources.files("etl.report") / "assets" / name).read_text("utf-8")


def _policy(*scripts: str) -> str:
    """Return a policy by which the page runs these scripts and loads nothing, whatever stands in it."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; font-src data:; "
        "connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


def _data(report: Figures) -> dict[str, Any]:
    census = report.census
    about = report.in_force.about
    return {
        "connectors": [{"id": connector, **about.get(connector, {})} for connector in census.connectors],
        "types": census.types,
        "statuses": census.statuses,
        "newest": _day(census.newest),
        "oldest": _day(census.oldest),
        "total": report.total,
        "parts": report.parts,
        "failures": report.failures,
    }


def _day(moment: datetime | None) -> int:
    return int((moment or datetime.now(UTC)).timestamp() // 86_400)


def _key_figures(report: Figures) -> Mapping[str, Any]:
    """Return what the page shows before its script has run, of all jobs."""
    statuses = {
        name: sum(column)
        for name, column in zip((*report.census.statuses, "other"), report.total["statuses"], strict=True)
    }
    jobs = sum(statuses.values())
    completed, failed = statuses.get("completed", 0), statuses.get("error", 0)
    return {
        "jobs": jobs,
        "completed": completed,
        "failed": failed,
        "rate": completed / (completed + failed) if completed + failed else None,
        "unfinished": jobs - completed - failed - statuses.get("canceled", 0),
        **{name: sum(report.total[name]) for name in ("documents", "deleted", "volume", "odd")},
    }
