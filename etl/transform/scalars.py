"""The cells of documents that fit which are no parts: as they stand in the document, column by column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from etl.schema.declare import Column, Kind
from etl.schema.tables import CONNECTORS, SYNC_JOBS
from etl.transform.columns import TIME, column_of
from etl.transform.form import CONNECTOR_MEMBERS, CONNECTOR_PARTS, JOB_MEMBERS, JOB_PARTS, Fitted
from etl.transform.redact import may_hold_configuration
from etl.transform.timestamps import times

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

_JOB_TABLES = (SYNC_JOBS, CONNECTORS)
_PARTS = {(name,) for name in JOB_PARTS} | {("connector", name) for name in CONNECTOR_PARTS}


def _columns(*above: str) -> dict[str, tuple[str, Column]]:
    """Return the columns of texts, numbers and times by the member that they take, with the name of their table."""
    return {
        path[-1]: (table.name, column)
        for table in _JOB_TABLES
        if table.node is not None
        for column in table.columns
        if column.source and (path := (*table.node, *column.source))[:-1] == above and path not in _PARTS
    }


_OF_JOB = _columns()
_OF_CONNECTOR = _columns("connector")


class Scalars:
    """Columns of documents that fit, one row a document.

    Attributes:
        count: of documents.
        columns: by table and name.
        unfit: numbers of documents that have to take the tolerant path: a time is none, or a text holds a
            configuration. Their cells are null or of no use.
    """

    def __init__(self, documents: Sequence[Fitted]) -> None:
        self.count = len(documents)
        self.columns: dict[str, dict[str, pa.Array]] = {table.name: {} for table in _JOB_TABLES}
        self.unfit: set[int] = set()
        self._look_for_configurations([document.id for document in documents])
        for names, columns, cells in (
            (JOB_MEMBERS, _OF_JOB, zip(*(document.job for document in documents), strict=True)),
            (CONNECTOR_MEMBERS, _OF_CONNECTOR, zip(*(document.connector for document in documents), strict=True)),
        ):
            for name, values in zip(names, cells, strict=bool(documents)):
                if name in columns:
                    table, column = columns[name]
                    self.columns[table][column.name] = self._column(column.kind, values)

    def _column(self, kind: Kind, values: Sequence[Any]) -> pa.Array:
        present = [None if value is UNSET else value for value in values]
        if kind is Kind.TIME:
            column, unfit = times(present)
            self.unfit.update(unfit)
            return column.cast(TIME)
        if kind is Kind.STRING:
            self._look_for_configurations(present)
        return column_of(kind, present)

    def _look_for_configurations(self, texts: Sequence[str | None]) -> None:
        """A document that stands as JSON in a text may hold a configuration, wherever the text is."""
        if may_hold_configuration("\n".join(filter(None, texts))):
            for number, text in enumerate(texts):
                if text and may_hold_configuration(text) and text.lstrip()[:1] in {"{", "["}:
                    self.unfit.add(number)
