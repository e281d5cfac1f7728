"""Published rows, redacted again: where the rules have become stricter or fewer fields are exposed.

The rows of a job are put back into the form of a document as far as they hold text, that document is redacted like any
other, and the texts return to their cells.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from etl.jsontext import JsonValue, decode, dump
from etl.schema.arrow import arrow_schema
from etl.schema.declare import Column, Kind
from etl.schema.tables import CONNECTOR_CONFIGURATION, FIELD_ISSUES, TABLES
from etl.transform.marker import KEY
from etl.transform.redact import redact
from etl.transform.rows import configuration_rows
from etl.transform.shapes import pointer

if TYPE_CHECKING:
    from collections.abc import Mapping

_Columns = dict[str, dict[str, list[Any]]]  # by table and column, the cells

_TAKEN_OVER = [
    column for column in CONNECTOR_CONFIGURATION.columns if len(column.source) == 1 and column.source[0] != "value"
]
_FREE_TEXT = [
    (table.name, column)
    for table in TABLES
    if table is not CONNECTOR_CONFIGURATION
    for column in table.columns
    if column.free_text
]
_IN_FIELD = re.compile(r".*configuration(?P<below>/(?P<field>[^/]*)/(?P<key>[^/]*))")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Text:
    """A cell whose text goes through the redactor."""

    table: str
    column: Column
    row: int

    def take(self, columns: _Columns) -> JsonValue:
        value = columns[self.table][self.column.name][self.row]
        return decode(value.encode()) if self.column.kind is Kind.JSON else value

    def put(self, columns: _Columns, value: JsonValue) -> None:
        columns[self.table][self.column.name][self.row] = dump(value) if self.column.kind is Kind.JSON else value


@dataclass(kw_only=True, slots=True)
class _Job:
    """What of a job's rows can hold a secret.

    Attributes:
        configuration: its fields, as they stood in the document.
        fields: name → number of its row.
        issues: JSON Pointer from the configuration → number of the row in field_issues, for values put back into it.
        texts: cells of free text.
        texts_in_configuration: originals out of a configuration that have no place in a field.
    """

    configuration: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, int] = field(default_factory=dict)
    issues: dict[str, int] = field(default_factory=dict)
    texts: list[_Text] = field(default_factory=list)
    texts_in_configuration: list[_Text] = field(default_factory=list)


def redact_rows(tables: Mapping[str, pa.Table], exposed: frozenset[str]) -> dict[str, pa.Table]:
    """Redact the rows of some jobs again.

    Args:
        tables: all tables' rows of these jobs, in their exact schemas.
        exposed: configuration fields whose values may be shown; values withheld before stay withheld.

    Returns:
        The same rows in the same order, with what is no longer shown withheld and masked.
    """
    columns: _Columns = {name: table.to_pydict() for name, table in tables.items()}
    jobs = _gather(columns, tables[CONNECTOR_CONFIGURATION.name].to_pylist())
    for job in jobs.values():
        document = {
            "connector": {"configuration": job.configuration},
            "texts": [text.take(columns) for text in job.texts],
            "texts in configuration": [text.take(columns) for text in job.texts_in_configuration],
        }
        clean = redact(document, exposed).document
        for texts, key in ((job.texts, "texts"), (job.texts_in_configuration, "texts in configuration")):
            for text, value in zip(texts, clean[key], strict=True):
                text.put(columns, value)
        _put_configuration(columns, job, clean["connector"]["configuration"])
    return {name: pa.Table.from_pydict(columns[name], schema=arrow_schema(name)) for name in columns}


def _gather(columns: _Columns, configuration: list[dict[str, Any]]) -> dict[str, _Job]:
    jobs: dict[str, _Job] = defaultdict(_Job)
    for number, row in enumerate(configuration):
        job = jobs[row["job_id"]]
        job.configuration[row["field"]] = _entry(row)
        job.fields[row["field"]] = number
    for name, column in _FREE_TEXT:
        for number, value in enumerate(columns[name][column.name]):
            if value is None:
                continue
            job = jobs[columns[name]["job_id"][number]]
            text = _Text(table=name, column=column, row=number)
            path = columns[name]["path"][number] if name == FIELD_ISSUES.name else ""
            if "configuration" not in path:
                job.texts.append(text)
            elif not _returns_to_its_field(job, path, text, columns):
                job.texts_in_configuration.append(text)
    return jobs


def _returns_to_its_field(job: _Job, path: str, text: _Text, columns: _Columns) -> bool:
    """Put the original of a field issue back where it stood; false where it stood elsewhere than in a field."""
    place = _IN_FIELD.fullmatch(path)
    problem = columns[FIELD_ISSUES.name]["problem"][text.row]
    if place is None or problem.startswith("key given") or "; " in problem:
        return False
    for name, entry in job.configuration.items():
        if pointer("", name) == f"/{place['field']}" and place["key"] not in entry:
            entry[place["key"]] = text.take(columns)
            job.issues[place["below"]] = text.row
            return True
    return False


def _entry(row: Mapping[str, Any]) -> dict[str, Any]:
    """Put a row of connector_configuration back into the form of a configuration field."""
    entry = {
        column.source[0]: decode(row[column.name].encode()) if column.kind is Kind.JSON else row[column.name]
        for column in _TAKEN_OVER
        if row[column.name] is not None
    }
    if row["value_json"] is not None:
        entry["value"] = decode(row["value_json"].encode())
    elif row["value_type"] is not None:
        entry["value"] = None if row["value_type"] == "null" else {KEY: row["value_type"]}
    if row["extra_json"] is not None:
        entry.update(decode(row["extra_json"].encode()))
    return entry


def _put_configuration(columns: _Columns, job: _Job, configuration: dict[str, Any]) -> None:
    names = [column.name for column in CONNECTOR_CONFIGURATION.columns]
    cells = columns[CONNECTOR_CONFIGURATION.name]
    rows, originals = configuration_rows(configuration)
    for row, number in zip(rows, job.fields.values(), strict=True):
        for name, cell in zip(names, row, strict=True):
            if name == "is_redacted":
                # What was withheld before left no trace in some columns, so the mark is never taken away.
                cells[name][number] = cells[name][number] or cell
            elif name not in {"job_id", "created_month"}:
                cells[name][number] = cell
    for path, number in job.issues.items():
        columns[FIELD_ISSUES.name]["original_json"][number] = originals[path]
