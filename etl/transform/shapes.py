"""The shapes in which writers store a sync job, brought to one: job fields, and one connector object.

Flat documents (8.5) have the connector's fields at top level; the Python service of 8.9 to 8.16 stored the literal key
`connector.sync_cursor`. A value that stands twice and differs is not merged: it stays among the job's extra fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl.jsontext import dump
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECTOR_FIELDS = sorted(
    {
        path[1]
        for table in TABLES
        if table.node is not None
        for column in table.columns
        if len(path := (*table.node, *column.source)) > 1 and path[0] == "connector"
    }
)
CONNECTOR_ALIASES: Mapping[str, str] = {
    "connector_id": "id",
    **{field: field for field in CONNECTOR_FIELDS if field != "id"},
    **{f"connector.{field}": field for field in CONNECTOR_FIELDS},
}
"""Top-level key → the connector field that it means."""


def pointer(base: str, key: str | int) -> str:
    """Return the JSON Pointer (RFC 6901) of a member below `base`.

    >>> pointer("/connector", "a/b")
    '/connector/a~1b'
    """
    token = str(key).replace("~", "~0").replace("/", "~1")
    return f"{base}/{token.encode('utf-8', 'backslashreplace').decode()}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shaped:
    """A document in its one shape.

    Attributes:
        job: top-level members that are the job's own, without `connector`.
        connector: the connector's members; empty where the document has none.
        unread_connector: what stands in the connector's place and is no object; None mostly.
        pointers: connector fields that do not stand below `/connector` in the document → where they stand.
    """

    job: dict[str, Any]
    connector: dict[str, Any]
    unread_connector: Any
    pointers: Mapping[str, str]

    def pointer_to(self, field: str) -> str:
        """Return where a connector field stands in the document."""
        return self.pointers.get(field) or pointer("/connector", field)


def shape(document: dict[str, Any]) -> Shaped:
    """Bring a document to the one shape; its values are taken as they are."""
    job = dict(document)
    nested = job.pop("connector", None)
    connector = nested if isinstance(nested, dict) else {}
    pointers: dict[str, str] = {}
    aliases = CONNECTOR_ALIASES.keys() & job.keys()
    if aliases:
        connector = dict(connector)
        for alias in [key for key in job if key in aliases]:
            field = CONNECTOR_ALIASES[alias]
            value = job[alias]
            if connector.get(field) is None:
                if value is not None or field not in connector:
                    connector[field] = value
                    pointers[field] = pointer("", alias)
                del job[alias]
            elif value is None or dump(value) == dump(connector[field]):
                del job[alias]
    return Shaped(
        job=job,
        connector=connector,
        unread_connector=None if isinstance(nested, dict) else nested,
        pointers=pointers,
    )
