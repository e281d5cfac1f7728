"""What is in force now: rules, snippets and complaints of the newest job of each connector."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from etl.report.texts import cut
from etl.scrub import text as masked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from etl.dataset.chosen import ChosenJobs

LISTED = 100
"""Rules, and complaints, that are listed; all are counted."""

_RULE = ("job_id", "filtering_index", "rule_order", "policy", "field", "rule", "value")
_FILTERING = ("job_id", "filtering_index", "advanced_snippet_value_json", "validation_state")
_EVERYTHING = ("include", "regex", ".*")  # the rule that everything else falls to, in each filtering


@dataclass(frozen=True, kw_only=True, slots=True)
class InForce:
    """What holds for the newest job of each connector.

    Attributes:
        about: connector id → its service type and index.
        rules: rows of rules, without those that let everything through.
        rule_count: of them all.
        snippets: rows of connectors with an advanced snippet.
        states: connector id → state of the validation, where it is another than valid.
        complaints: rows of validation errors.
        complaint_count: of them all.
    """

    about: dict[str | None, dict[str, Any]] = field(default_factory=dict)
    rules: list[dict[str, Any]] = field(default_factory=list)
    rule_count: int = 0
    snippets: list[dict[str, Any]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    complaints: list[dict[str, Any]] = field(default_factory=list)
    complaint_count: int = 0


def in_force(chosen: ChosenJobs, newest_jobs: Mapping[str | None, pa.Array]) -> InForce:
    """Look at the newest job of each connector.

    Args:
        chosen: the dataset.
        newest_jobs: their ids, by the month that they stand in.

    Raises:
        OutputError: a file cannot be read.
    """
    connectors = {
        row["job_id"]: row["connector_id"]
        for row in _rows(chosen, "sync_jobs", newest_jobs, ("job_id", "connector_id"))
    }
    about = {
        connectors[row["job_id"]]: {"service": row["service_type"], "index": row["index_name"]}
        for row in _rows(chosen, "connectors", newest_jobs, ("job_id", "service_type", "index_name"))
    }
    rules = [
        {**row, "connector_id": connectors[row["job_id"]]}
        for row in _rows(chosen, "filtering_rules", newest_jobs, _RULE)
        if (row["policy"], row["rule"], row["value"]) != _EVERYTHING
    ]
    snippets, states = [], []
    for row in _rows(chosen, "filtering", newest_jobs, _FILTERING):
        connector = connectors[row["job_id"]]
        snippet, state = row["advanced_snippet_value_json"], row["validation_state"]
        if snippet not in {None, "{}", "[]", "null"}:
            snippets.append({"connector_id": connector, "job_id": row["job_id"], "text": cut(masked(snippet))})
        if state not in {None, "valid"}:
            states.append({"connector_id": connector, "job_id": row["job_id"], "state": state})
    complaints = [
        {
            "connector_id": connectors[row["job_id"]],
            "job_id": row["job_id"],
            "ids": ", ".join(text for text in row["ids"] or () if text is not None),
            "text": cut(masked("; ".join(text for text in row["messages"] or () if text is not None))),
        }
        for row in _rows(chosen, "filtering_validation_errors", newest_jobs, ("job_id", "ids", "messages"))
    ]
    return InForce(
        about=about,
        rules=_sorted(rules)[:LISTED],
        rule_count=len(rules),
        snippets=_sorted(snippets)[:LISTED],
        states=_sorted(states)[:LISTED],
        complaints=_sorted(complaints)[:LISTED],
        complaint_count=len(complaints),
    )


def _rows(
    chosen: ChosenJobs, name: str, jobs: Mapping[str | None, pa.Array], columns: Sequence[str]
) -> Iterator[dict[str, Any]]:
    for month, ids in jobs.items():
        for chunk, _ in chosen.chunks(name, month, columns):
            yield from chunk.filter(pc.is_in(chunk["job_id"], value_set=ids)).to_pylist()


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: row["connector_id"] or "")
