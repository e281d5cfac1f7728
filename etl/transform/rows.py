"""One redacted document to the rows of all tables.

What cannot become a cell becomes a field issue, what has no column goes to `extra_json`; the columns and their places
come from the declaration in `etl.schema`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etl.jsontext import JsonValue, Members, dump, is_unpaired
from etl.schema.tables import (
    CONNECTOR_CONFIGURATION,
    CONNECTORS,
    FIELD_ISSUES,
    FILTERING,
    FILTERING_RULES,
    FILTERING_VALIDATION_ERRORS,
    SYNC_JOBS,
    TABLES,
)
from etl.transform.convert import CONVERTERS, to_string
from etl.transform.marker import KEY, is_marker, type_name
from etl.transform.shapes import pointer, shape
from etl.transform.unfit import UnfitError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from etl.schema.declare import Column, Table

Row = list[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRows:
    """The rows of one job, by table; complete, or not there at all.

    Attributes:
        job_id: of the job.
        rows: per table its rows, cells in the order of its columns, times as microseconds since the epoch. The cells of
            job_id, created_month, fetched_at and not_found_at are None: they are filled in for all jobs at once.
    """

    job_id: str
    rows: dict[str, list[Row]]


def _positions(table: Table) -> dict[str, int]:
    return {column.name: position for position, column in enumerate(table.columns)}


_AT = {table.name: _positions(table) for table in TABLES}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reader:
    """How the object at a table's node is read: derived from the columns' source paths.

    Attributes:
        table: its declaration.
        cells: key → (position in the row, column, converter) for values that stand directly in the object.
        nested: key → the same for an object inside it.
        skipped: keys that somebody else reads.
    """

    table: Table
    cells: Mapping[str, tuple[int, Column, Callable[[Any], Any]]]
    nested: Mapping[str, Mapping[str, tuple[int, Column, Callable[[Any], Any]]]]
    skipped: frozenset[str]


def _reader(table: Table, *skipped: str) -> _Reader:
    cells: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for position, column in enumerate(table.columns):
        if not column.source or column.source[0] in skipped:
            continue
        cell = (position, column, CONVERTERS[column.kind])
        *above, key = column.source
        if above:
            nested.setdefault(above[0], {})[key] = cell
        else:
            cells[key] = cell
    return _Reader(table=table, cells=cells, nested=nested, skipped=frozenset(skipped))


_JOB = _reader(SYNC_JOBS, "id", "connector")
_CONNECTOR = _reader(CONNECTORS, "id", "configuration", "filtering")
_FIELD = _reader(CONNECTOR_CONFIGURATION, "value")
_FILTERING = _reader(FILTERING, "rules")
_RULE = _reader(FILTERING_RULES)
_COMPLAINT = _reader(FILTERING_VALIDATION_ERRORS)


@dataclass(kw_only=True, slots=True)
class _Job:
    """The rows of one job while they are gathered."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {table.name: [] for table in TABLES})
    issues: dict[str, Row] = field(default_factory=dict)

    def add(self, table: Table, **cells: Any) -> Row:  # noqa: ANN401 - a cell is a value of any column's type
        """Append an empty row to a table, with the given cells filled."""
        row: Row = [None] * len(table.columns)
        for name, value in cells.items():
            row[_AT[table.name][name]] = value
        self.rows[table.name].append(row)
        return row

    def issue(self, table: Table, column: str | None, path: str, problem: str, original: JsonValue) -> None:
        """Note a value that could not become a cell; several at one path become one row."""
        at = _AT[FIELD_ISSUES.name]
        text = dump(original)
        row = self.issues.get(path)
        if row is None:
            row = self.issues[path] = self.add(
                FIELD_ISSUES,
                table_name=table.name,
                column_name=column,
                path=path,
                problem=problem,
                original_json=text,
            )
        else:
            row[at["problem"]] += f"; {problem}"
            row[at["original_json"]] = f"[{row[at['original_json']]},{text}]"

    def read(
        self, reader: _Reader, members: Mapping[str, Any], row: Row, where: Callable[[str], str]
    ) -> dict[str, Any]:
        """Fill a row's cells from an object.

        Args:
            reader: of the table.
            members: the object.
            row: to be filled.
            where: key → JSON Pointer of that member.

        Returns:
            The members that no column takes.
        """
        extra: dict[str, Any] = {}
        for key, value in members.items():
            if cell := reader.cells.get(key):
                if value is not None:
                    self._fill(reader.table, cell, row, value, where, key)
            elif inner := reader.nested.get(key):
                if rest := self._read_nested(reader.table, inner, value, row, where(key)):
                    extra[key] = rest
            elif key not in reader.skipped:
                extra[key] = value
        return extra

    def _fill(
        self, table: Table, cell: tuple[int, Column, Callable[[Any], Any]], row: Row, value: JsonValue,
        where: Callable[[str], str], key: str,
    ) -> None:  # fmt: skip
        position, column, convert = cell
        try:
            row[position] = convert(value)
        except UnfitError as unfit:
            self.issue(table, column.name, where(key), str(unfit), value)

    def _read_nested(
        self, table: Table, cells: Mapping[str, Any], members: JsonValue, row: Row, base: str
    ) -> dict[str, Any]:
        if members is None:
            return {}
        if not isinstance(members, dict):
            self.issue(table, None, base, "not an object", members)
            return {}
        extra: dict[str, Any] = {}
        for key, value in members.items():
            if cell := cells.get(key):
                if value is not None:
                    self._fill(table, cell, row, value, lambda name: pointer(base, name), key)
            else:
                extra[key] = value
        return extra


def job_rows(job_id: str, document: dict[str, Any], *, repeated: bool = False) -> JobRows:
    """Turn one redacted document into rows.

    Args:
        job_id: of the job; it may differ from the document's own `id`, which is then a field issue.
        document: decoded and redacted.
        repeated: whether an object in it has a key twice; the earlier values become field issues.

    Returns:
        The rows of all tables.
    """
    job = _Job()
    shaped = shape(document)
    row = job.add(SYNC_JOBS)
    extra = job.read(_JOB, shaped.job, row, lambda key: pointer("", key))
    if document.get("id", job_id) != job_id:
        job.issue(SYNC_JOBS, "job_id", "/id", "not the id of the document", document["id"])
    _connector_id(job, shaped.connector.get("id"), row, shaped.pointer_to("id"))
    _put_extra(SYNC_JOBS, row, extra)

    if shaped.unread_connector is not None:
        job.issue(CONNECTORS, None, "/connector", "not an object", shaped.unread_connector)
    row = job.add(CONNECTORS)
    _put_extra(CONNECTORS, row, job.read(_CONNECTOR, shaped.connector, row, shaped.pointer_to))
    _configuration(job, shaped.connector.get("configuration"), shaped.pointer_to("configuration"))
    _filterings(job, shaped.connector.get("filtering"), shaped.pointer_to("filtering"))
    if repeated:
        _repeated_keys(job, document, "")
    return JobRows(job_id=job_id, rows=job.rows)


def configuration_rows(configuration: dict[str, Any]) -> tuple[list[Row], dict[str, str]]:
    """Turn a redacted configuration alone into rows.

    Returns:
        One row a field, in order, the cells of its job being None; and the originals of its field issues as JSON, by
        JSON Pointer from the configuration.
    """
    job = _Job()
    _configuration(job, configuration, "")
    original = _AT[FIELD_ISSUES.name]["original_json"]
    return job.rows[CONNECTOR_CONFIGURATION.name], {path: row[original] for path, row in job.issues.items()}


def _put_extra(table: Table, row: Row, extra: dict[str, Any]) -> None:
    if extra:
        row[_AT[table.name]["extra_json"]] = dump(extra)


def _connector_id(job: _Job, value: JsonValue, row: Row, path: str) -> None:
    if value is not None:
        try:
            row[_AT[SYNC_JOBS.name]["connector_id"]] = to_string(value)
        except UnfitError as unfit:
            job.issue(SYNC_JOBS, "connector_id", path, str(unfit), value)


def _configuration(job: _Job, value: JsonValue, base: str) -> None:
    """One row a field; a field that is no object is the value itself (the Python service accepts that)."""
    if value is None:
        return
    if not isinstance(value, dict) or is_marker(value):
        job.issue(CONNECTOR_CONFIGURATION, None, base, "not an object", value)
        return
    for name, entry in value.items():
        path = pointer(base, name)
        if is_unpaired(name):
            job.issue(CONNECTOR_CONFIGURATION, "field", path, "a name that is no Unicode", entry)
            continue
        row = job.add(CONNECTOR_CONFIGURATION, field=name)
        members = entry if isinstance(entry, dict) and not is_marker(entry) else {"value": entry}
        extra = job.read(_FIELD, members, row, lambda key, path=path: pointer(path, key))  # type: ignore[misc]
        _put_extra(CONNECTOR_CONFIGURATION, row, extra)
        _value(row, members, has_value="value" in members and (entry is not None))


_CONFIGURATION_AT = _AT[CONNECTOR_CONFIGURATION.name]


def _value(row: Row, members: Mapping[str, Any], *, has_value: bool) -> None:
    """Fill the columns that tell of a configuration field's value and of what was withheld."""
    at = _CONFIGURATION_AT
    redacted = any(isinstance(member, dict | list) and KEY in dump(member) for member in members.values())
    if is_marker(members.get("default_value")):
        row[at["default_value_json"]] = None
    if has_value:
        value = members["value"]
        if is_marker(value):
            row[at["value_type"]] = value[KEY]
        else:
            row[at["value_type"]] = type_name(value)
            if value is not None:
                row[at["value_json"]] = dump(value)
                if not isinstance(value, dict | list) and not (isinstance(value, str) and is_unpaired(value)):
                    row[at["value"]] = to_string(value)
    row[at["is_redacted"]] = redacted


def _elements(value: JsonValue, base: str) -> list[tuple[int, JsonValue, str]]:
    """Read "an object or an array of them": position, element and JSON Pointer of each that is not empty."""
    if isinstance(value, list):
        numbered = [(position, item, pointer(base, position)) for position, item in enumerate(value)]
    else:
        numbered = [(0, value, base)]
    return [(position, item, path) for position, item, path in numbered if item is not None and item != {}]


def _filterings(job: _Job, value: JsonValue, base: str) -> None:
    for index, filtering, path in _elements(value, base):
        if not isinstance(filtering, dict) or is_marker(filtering):
            job.issue(FILTERING, None, path, "not an object", filtering)
            continue
        row = job.add(FILTERING, filtering_index=index)
        members = dict(filtering)
        snippet = members.get("advanced_snippet")
        bare = snippet is not None and not (
            isinstance(snippet, dict) and (not snippet or snippet.keys() & _FILTERING.nested["advanced_snippet"].keys())
        )
        if bare:  # the Ruby service stored the snippet's value without a wrapper
            row[_AT[FILTERING.name]["advanced_snippet_value_json"]] = dump(snippet)
            del members["advanced_snippet"]
        validation = members.get("validation")
        complaints = None
        if isinstance(validation, dict):
            complaints = validation.get("errors")
            members["validation"] = {key: inner for key, inner in validation.items() if key != "errors"}
        extra = job.read(_FILTERING, members, row, lambda key, path=path: pointer(path, key))  # type: ignore[misc]
        _put_extra(FILTERING, row, extra)
        _children(job, _RULE, "rule_index", index, filtering.get("rules"), pointer(path, "rules"))
        errors_path = pointer(pointer(path, "validation"), "errors")
        _children(job, _COMPLAINT, "error_index", index, complaints, errors_path)


def _children(job: _Job, reader: _Reader, index_column: str, filtering_index: int, value: JsonValue, base: str) -> None:
    table = reader.table
    for index, item, path in _elements(value, base):
        if not isinstance(item, dict) or is_marker(item):
            job.issue(table, None, path, "not an object", item)
            continue
        row = job.add(table, filtering_index=filtering_index, **{index_column: index})
        members = item
        if isinstance(fields := item.get("field"), list) and reader is _RULE:
            members = {**item, "field": dump(fields)}  # an array of paths stands as its JSON text
        extra = job.read(reader, members, row, lambda key, path=path: pointer(path, key))  # type: ignore[misc]
        _put_extra(table, row, extra)


def _repeated_keys(job: _Job, value: JsonValue, base: str) -> None:
    """Keep the values that a later member of the same name replaced."""
    if isinstance(value, dict):
        if isinstance(value, Members):
            earlier: dict[str, list[JsonValue]] = {}
            for key, replaced in value.earlier:
                earlier.setdefault(key, []).append(replaced)
            for key, replaced_values in earlier.items():
                problem = f"key given {len(replaced_values) + 1} times; the last counts, the others are here"
                job.issue(SYNC_JOBS, None, pointer(base, key), problem, replaced_values)
        for key, inner in value.items():
            _repeated_keys(job, inner, pointer(base, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            _repeated_keys(job, inner, pointer(base, position))
