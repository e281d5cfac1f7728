"""The tables and how they belong together, as an entity diagram in Mermaid, derived from the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from etl.schema.declare import Column, Table


def as_mermaid() -> str:
    """Return the diagram: each table with the columns of its key, under the table whose key its own begins with."""
    lines = ["erDiagram"]
    for table in TABLES:
        parent = parent_of(table)
        if parent is not None:
            ends = "||--||" if parent.key == table.key else "||--o{"
            lines.append(f'    {parent.name} {ends} {table.name} : "{", ".join(parent.key)}"')
    for table in TABLES:
        parent = parent_of(table)
        inherited = parent.key if parent is not None else ()
        keys = (_attribute(table.column(name), is_foreign=name in inherited) for name in table.key)
        lines += [f"    {table.name} {{", *keys, "    }"]
    return "\n".join(lines) + "\n"


def parent_of(table: Table) -> Table | None:
    """Return the table that a table's rows belong to; None for the first one.

    >>> [parent.name for table in TABLES if (parent := parent_of(table))]
    ['sync_jobs', 'sync_jobs', 'sync_jobs', 'filtering', 'filtering', 'sync_jobs']
    """
    before = TABLES[: TABLES.index(table)]
    owners = [other for other in before if other.key == table.key[: len(other.key)]]
    return max(owners, key=lambda other: len(other.key), default=None)


def _attribute(column: Column, *, is_foreign: bool) -> str:
    return f"        {column.kind.value} {column.name} PK{', FK' if is_foreign else ''}"
