"""The words in which tables are declared: kinds of values, columns, tables."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kind of a column's values; everything about types follows from it."""

    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TIME = "time"
    JSON = "json"
    STRINGS = "list of string"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: as users read it; API names are kept.
        kind: of its values.
        description: one or two sentences worth reading.
        source: path of the value below the table's node in the document, for values taken over; () for derived ones.
        origin: for derived values, where they come from, in words.
        unit: of a quantity, or None.
        nullable: False for columns that always hold a value.
        free_text: True for prose that may repeat a secret, and is therefore masked.
    """

    name: str
    kind: Kind
    description: str
    source: tuple[str, ...] = ()
    origin: str = ""
    unit: str | None = None
    nullable: bool = True
    free_text: bool = False

    def __post_init__(self) -> None:
        if bool(self.source) == bool(self.origin):
            msg = f"column {self.name}: exactly one of source and origin must be given"
            raise ValueError(msg)


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """One table.

    Attributes:
        name: of the table and of its folder.
        description: what a row is.
        key: names of the columns that identify a row; never null, unique together.
        node: path of a row's object in the canonical document; `*` stands for each field of an object, `[]` for
            each element of an array; None where rows do not stand in the document.
        columns: in the order in which they are written.
    """

    name: str
    description: str
    key: tuple[str, ...]
    node: tuple[str, ...] | None
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """Return the column of that name.

        Raises:
            KeyError: there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
