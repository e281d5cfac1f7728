"""The CSV form of a table: the whole table in one file, written as a stream.

UTF-8, LF, a header; times in ISO 8601 with `Z`; null is empty and an empty text is `""`; lists are JSON text. CSV has
no types: Parquet is the exact form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from etl.load.parquet import WrittenTable
from etl.schema.arrow import table_named
from etl.schema.declare import Column, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from etl.load.storage import Storage

FORMAT = "csv"

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
"""Of times in text; Arrow's %S has the microseconds."""

# What a spreadsheet takes for a formula at the start of a cell (OWASP, "CSV Injection"), full-width forms included,
# behind any number of apostrophes, so that taking one away again restores every value.
_FORMULA = "^'*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]"
_NUMBER = r"^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_IDS = frozenset({"connector_id"})
"""Columns that join with other data although they are no key: never altered."""


def write_csv(storage: Storage, path: Path, name: str, chunks: Iterable[pa.Table], *, raw: bool) -> WrittenTable:
    """Write a table as one CSV file, and flush it to disk.

    Args:
        storage: of the dataset.
        path: of the file.
        name: of the table.
        chunks: its rows in order, in the table's schema.
        raw: True writes texts as they are; False puts an apostrophe before what a spreadsheet would run as a formula.

    Raises:
        OutputError: the disk is full, or refuses.
    """
    columns = table_named(name).columns
    unaltered = _IDS.union(column.name for column in columns) if raw else _IDS.union(table_named(name).key)
    schema = pa.schema([(column.name, _type(column)) for column in columns])
    options = pacsv.WriteOptions(quoting_style="needed")
    rows = 0
    with storage.create(path) as file:
        with pacsv.CSVWriter(pa.PythonFile(file, mode="w"), schema, write_options=options) as writer:
            for chunk in chunks:
                cells = [
                    _cells(chunk[column.name].combine_chunks(), column, guarded=column.name not in unaltered)
                    for column in columns
                ]
                writer.write_table(pa.Table.from_arrays(cells, schema=schema))
                rows += chunk.num_rows
        file.close()
        written = file.written
    return WrittenTable(rows=rows, bytes=written.bytes, sha256=written.sha256)


def _type(column: Column) -> pa.DataType:
    return {Kind.INTEGER: pa.int64(), Kind.BOOLEAN: pa.bool_()}.get(column.kind, pa.string())


def _cells(values: pa.Array, column: Column, *, guarded: bool) -> pa.Array:
    if column.kind is Kind.TIME:
        return pc.strftime(values, format=TIME_FORMAT)
    if column.kind is Kind.STRINGS:
        texts = [None if item is None else msgspec.json.encode(item).decode() for item in values.to_pylist()]
        return pa.array(texts, pa.string())
    if column.kind is Kind.STRING and guarded:
        return _without_formulas(values)
    return values


def _without_formulas(texts: pa.Array) -> pa.Array:
    risky = pc.and_(pc.match_substring_regex(texts, _FORMULA), pc.invert(pc.match_substring_regex(texts, _NUMBER)))
    return pc.if_else(risky, pc.binary_join_element_wise("'", texts, ""), texts)
