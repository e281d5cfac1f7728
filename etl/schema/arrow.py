"""Arrow schemas out of the declaration, with what pandas needs to read the files in exact types."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any

import pyarrow as pa

from etl.schema.declare import Column, Kind, Table
from etl.schema.tables import TABLES

SCHEMA_VERSION = 1
"""Counts the shapes that published datasets have had; raised when a column or a table is added."""

ARROW_TYPES: dict[Kind, pa.DataType] = {
    Kind.STRING: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.TIME: pa.timestamp("us", tz="UTC"),
    Kind.JSON: pa.string(),
    Kind.STRINGS: pa.list_(pa.string()),
}

# Per kind: the logical type and the dtype that pandas finds in the file and restores without being asked.
_PANDAS_TYPES: dict[Kind, tuple[str, str]] = {
    Kind.STRING: ("unicode", "string"),
    Kind.INTEGER: ("int64", "Int64"),
    Kind.BOOLEAN: ("bool", "boolean"),
    Kind.TIME: ("datetimetz", "datetime64[us]"),
    Kind.JSON: ("unicode", "string"),
    Kind.STRINGS: ("list[unicode]", "object"),
}


def _pandas_column(column: Column) -> dict[str, Any]:
    logical, dtype = _PANDAS_TYPES[column.kind]
    return {
        "name": column.name,
        "field_name": column.name,
        "pandas_type": logical,
        "numpy_type": dtype,
        "metadata": {"timezone": "UTC"} if column.kind is Kind.TIME else None,
    }


def _field(column: Column) -> pa.Field:
    metadata = {"description": column.description}
    if column.source:
        metadata["source"] = ".".join(column.source)
    else:
        metadata["origin"] = column.origin
    if column.unit:
        metadata["unit"] = column.unit
    return pa.field(column.name, ARROW_TYPES[column.kind], nullable=column.nullable, metadata=metadata)


@cache
def arrow_schema(name: str) -> pa.Schema:
    """Return the exact schema of every file of the table `name`.

    The field metadata carry description, source and unit; the schema metadata let plain `pandas.read_parquet` give
    string, Int64, boolean and datetime64[us, UTC].

    Raises:
        KeyError: there is no such table.
    """
    table = table_named(name)
    pandas_metadata = {
        "index_columns": [],
        "column_indexes": [],
        "columns": [_pandas_column(column) for column in table.columns],
        # A constant, not the installed version: files of all years must carry one identical schema.
        "creator": {"library": "pyarrow", "version": "26.0.0"},
        "pandas_version": "3",
    }
    return pa.schema(
        [_field(column) for column in table.columns],
        metadata={"description": table.description, "pandas": json.dumps(pandas_metadata)},
    )


def table_named(name: str) -> Table:
    """Return the declaration of the table `name`.

    Raises:
        KeyError: there is no such table.
    """
    for table in TABLES:
        if table.name == name:
            return table
    raise KeyError(name)


@cache
def schema_fingerprint() -> str:
    """Return 16 hex digits that change when a table, column, type or nullability does, and not when a text does."""
    shape = [
        [table.name, list(table.key), [[c.name, c.kind.value, c.nullable] for c in table.columns]] for table in TABLES
    ]
    return hashlib.sha256(json.dumps(shape, separators=(",", ":")).encode()).hexdigest()[:16]
