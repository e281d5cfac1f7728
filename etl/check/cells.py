"""What must hold of each row by itself: required values, its month, JSON texts, what is withheld."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.check.findings import Kind, Scope
from etl.check.stream import Part, Stream, told
from etl.schema.arrow import table_named
from etl.schema.declare import Kind as ColumnKind
from etl.schema.tables import CONNECTOR_CONFIGURATION, SYNC_JOBS

if TYPE_CHECKING:
    from etl.load.keys import Int64s
    from etl.schema.declare import Column, Table


def check_cells(scope: Scope, name: str, part: Part, month: str | None) -> None:
    """Check rows of a table.

    Args:
        scope: the snapshot.
        name: of the table.
        part: the rows.
        month: of their file; None for that of undated jobs.
    """
    table = table_named(name)
    for column in table.columns:
        values = part.rows[column.name]
        if not column.nullable and values.null_count:
            detail = f"{column.name} is null in {{rows}}, though it is required"
            tell_rows(scope, Kind.REQUIRED, table, part, values.is_null(), detail)
        if column.kind is ColumnKind.JSON and values.null_count < len(values):
            _check_json(scope, table, column, part)
    _check_month(scope, table, part, month)
    if table is CONNECTOR_CONFIGURATION:
        _check_redaction(scope, table, part)


def tell_rows(
    scope: Scope, kind: Kind, table: Table, part: Part, wrong: pa.ChunkedArray | pa.Array, detail: str
) -> None:
    """Note the rows of a part for which `wrong` is true; none where it is nowhere."""
    rows = part.rows.select(table.key).filter(wrong)
    if rows.num_rows:
        (first,) = rows.slice(0, 1).to_pylist()
        scope.tell_rows(kind, part.path, detail, number=rows.num_rows, first=told(first))


def tell_positions(scope: Scope, kind: Kind, table: Table, stream: Stream, positions: Int64s, detail: str) -> None:
    """Note rows by their rising positions in a stream, which is read again for it; where there are none it is not."""
    first = 0
    for part in stream.parts(table.key) if positions.size else ():
        size = part.rows.num_rows
        wrong = np.zeros(size, dtype=np.bool_)
        wrong[positions[(positions >= first) & (positions < first + size)] - first] = True
        tell_rows(scope, kind, table, part, pa.array(wrong), detail)
        first += size


def _check_month(scope: Scope, table: Table, part: Part, month: str | None) -> None:
    filed = pa.scalar(month, pa.string())
    detail = f"created_month is not {month or 'null'}, the month of the file, in {{rows}}"
    tell_rows(scope, Kind.MONTH, table, part, _differ(part.rows["created_month"], filed), detail)
    if table is SYNC_JOBS:
        created = pc.strftime(part.rows["created_at"], format="%Y-%m")
        wrong = _differ(created, part.rows["created_month"])
        detail = "created_month is not the month of created_at in {rows}"
        tell_rows(scope, Kind.MONTH, table, part, wrong, detail)


def _differ(left: pa.ChunkedArray, right: pa.ChunkedArray | pa.Scalar) -> pa.ChunkedArray:
    """Tell where two texts differ; null differs from every text and not from null."""
    return pc.not_equal(pc.fill_null(left, ""), pc.coalesce(right, ""))


def _check_json(scope: Scope, table: Table, column: Column, part: Part) -> None:
    values = part.rows[column.name]
    # Most texts repeat, as `{}` does: each is read once.
    wrong = [text for text in pc.unique(values).to_pylist() if text is not None and not is_json(text)]
    if wrong:
        mask = pc.is_in(values, value_set=pa.array(wrong, pa.string()))
        # The text itself is not shown: what is no JSON has perhaps not passed the redactor.
        tell_rows(scope, Kind.JSON, table, part, mask, f"{column.name} holds no JSON text in {{rows}}")


def is_json(text: str) -> bool:
    r"""Tell whether a text is one JSON value.

    >>> is_json('{"a":1e999}'), is_json('"\\ud800"'), is_json("NaN"), is_json("{'a':1}")
    (True, True, False, False)
    """
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        # It refuses escapes of unpaired surrogates, which are JSON; the slower reader decides.
        try:
            json.loads(text, parse_constant=_refuse, parse_int=str, parse_float=str)
        except (ValueError, RecursionError):
            return False
    return True


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _check_redaction(scope: Scope, table: Table, part: Part) -> None:
    rows = part.rows
    has_value = pc.fill_null(pc.not_equal(rows["value_type"], "null"), fill_value=False)
    withheld = pc.and_(has_value, rows["value_json"].is_null())
    silent = pc.and_(withheld, pc.invert(pc.fill_null(rows["is_redacted"], fill_value=False)))
    tell_rows(
        scope, Kind.REDACTION, table, part, silent, "is_redacted is false, though the value is withheld, in {rows}"
    )
    torn = pc.and_(withheld, rows["value"].is_valid())
    tell_rows(scope, Kind.REDACTION, table, part, torn, "value is shown, though value_json is withheld, in {rows}")
