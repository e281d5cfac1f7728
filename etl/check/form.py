"""The form of a Parquet file: columns, types, pandas metadata, number of rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from etl.check.findings import Kind, Scope, one_line
from etl.load.place import for_arrow
from etl.schema.arrow import arrow_schema

if TYPE_CHECKING:
    from pathlib import Path

    from etl.load.manifest import FileEntry


def has_readable_form(scope: Scope, name: str, entry: FileEntry, *, current: bool, most_rows: int) -> bool:
    """Check the form of one file.

    Args:
        scope: the snapshot.
        name: of the table.
        entry: of the file.
        current: whether it was written under the schema of this version; else it may lack columns.
        most_rows: that a file may have.

    Returns:
        Whether its rows can be read as rows of the table.
    """
    path = scope.folder / entry.path
    try:
        with pq.ParquetFile(for_arrow(path), pre_buffer=False) as file:
            rows, found = file.metadata.num_rows, file.schema_arrow
    except (OSError, pa.ArrowException) as error:
        scope.tell(Kind.UNREADABLE, path, f"cannot be read as Parquet: {one_line(error)}")
        return False
    if rows != entry.rows:
        scope.tell(Kind.COUNT, path, f"has {rows:,} rows, not the {entry.rows:,} of the manifest")
    if rows > most_rows:
        scope.tell(Kind.LIMIT, path, f"has {rows:,} rows, where a file has at most {most_rows:,}")
    readable = _check_columns(scope, path, found, arrow_schema(name), current=current)
    _check_pandas(scope, path, found, arrow_schema(name))
    return readable


def _check_columns(scope: Scope, path: Path, found: pa.Schema, declared: pa.Schema, *, current: bool) -> bool:
    readable = True
    for field in found:
        if field.name not in declared.names:
            scope.tell(Kind.SCHEMA, path, f"has a column {field.name} that this version does not know")
            readable = False
        elif found.names.count(field.name) > 1:
            scope.tell(Kind.SCHEMA, path, f"has the column {field.name} more than once")
            readable = False
        elif field.type != declared.field(field.name).type:
            expected = declared.field(field.name).type
            scope.tell(Kind.SCHEMA, path, f"the column {field.name} is of type {field.type}, not {expected}")
            readable = False
        elif field.nullable != declared.field(field.name).nullable:
            expected = "may be null" if declared.field(field.name).nullable else "is required"
            scope.tell(Kind.SCHEMA, path, f"does not say that the column {field.name} {expected}")
    for field in declared:
        if field.name not in found.names and (current or not field.nullable):
            scope.tell(Kind.SCHEMA, path, f"lacks the column {field.name}")
            readable &= field.nullable
    if readable and found.names != [column for column in declared.names if column in found.names]:
        scope.tell(Kind.SCHEMA, path, "has the columns in another order than the other files")
    return readable


def _check_pandas(scope: Scope, path: Path, found: pa.Schema, declared: pa.Schema) -> None:
    """Check what lets a plain `pandas.read_parquet` give exact types."""
    stored = (found.metadata or {}).get(b"pandas")
    try:
        types = None if stored is None else _pandas_types(stored)
    except (ValueError, KeyError, TypeError):  # no JSON, or JSON of another shape
        types = None
    if types is None:
        scope.tell(Kind.SCHEMA, path, "has no pandas metadata, so pandas does not restore its types")
        return
    expected = _pandas_types(declared.metadata[b"pandas"])
    for column in found.names:
        if column in expected and types.get(column) != expected[column]:
            detail = f"the pandas metadata make the column {column} {types.get(column)}, not {expected[column]}"
            scope.tell(Kind.SCHEMA, path, detail)


def _pandas_types(stored: bytes) -> dict[str, Any]:
    return {column["field_name"]: column["numpy_type"] for column in json.loads(stored)["columns"]}
