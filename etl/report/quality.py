"""How well the documents fit the tables: values of other types, fields without a column, answers that were rejected."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from etl import jsontext
from etl.report.texts import cut
from etl.schema.tables import TABLES
from etl.scrub import text as masked

if TYPE_CHECKING:
    from etl.dataset.chosen import ChosenJobs

LISTED = 100
"""Kinds of issues, and names of unknown fields, that are listed; all are counted."""

_MOST_NAMES = 10_000
_WITH_EXTRA = tuple(table.name for table in TABLES if any(column.name == "extra_json" for column in table.columns))


@dataclass(frozen=True, kw_only=True, slots=True)
class Quality:
    """What did not fit.

    Attributes:
        issues: rows of table, column, problem, count, and an example; the most frequent first.
        issue_count: values that could not become their column's type.
        fields: rows of table, name of an unknown field, count; the most frequent first.
        field_count: occurrences of unknown fields.
    """

    issues: list[dict[str, Any]] = field(default_factory=list)
    issue_count: int = 0
    fields: list[dict[str, Any]] = field(default_factory=list)
    field_count: int = 0


def quality(chosen: ChosenJobs) -> Quality:
    """Look at the issues and the fields without a column.

    Raises:
        OutputError: a file cannot be read.
    """
    issues: Counter[tuple[str | None, str | None, str]] = Counter()
    examples: dict[tuple[str | None, str | None, str], tuple[str, str]] = {}
    names: Counter[tuple[str, str]] = Counter()
    for month in chosen.months():
        columns = ("table_name", "column_name", "problem", "path", "job_id")
        for chunk, _ in chosen.chunks("field_issues", month, columns):
            for row in chunk.to_pylist():
                key = row["table_name"], row["column_name"], cut(masked(row["problem"]))
                if key in issues or len(issues) < _MOST_NAMES:
                    issues[key] += 1
                    examples[key] = row["path"], row["job_id"]
        for table in _WITH_EXTRA:
            for chunk, _ in chosen.chunks(table, month, ("extra_json",)):
                _count_fields(names, table, chunk["extra_json"])
    return Quality(
        issues=[
            {
                "table": table,
                "column": column,
                "problem": problem,
                "count": count,
                "path": examples[table, column, problem][0],
                "job_id": examples[table, column, problem][1],
            }
            for (table, column, problem), count in issues.most_common(LISTED)
        ],
        issue_count=issues.total(),
        fields=[
            {"table": table, "name": cut(masked(name)), "count": count}
            for (table, name), count in names.most_common(LISTED)
        ],
        field_count=names.total(),
    )


def _count_fields(names: Counter[tuple[str, str]], table: str, texts: pa.ChunkedArray) -> None:
    for pair in pc.value_counts(pc.drop_null(texts)).to_pylist():
        for name in jsontext.decode(pair["values"].encode()):
            key = (table, name) if (table, name) in names or len(names) < _MOST_NAMES else (table, "(other fields)")
            names[key] += pair["counts"]
