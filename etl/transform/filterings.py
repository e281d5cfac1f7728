"""Filterings in the form that nearly all have, read cell by cell; any other takes the tolerant path as a part."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType
from msgspec.structs import astuple

from etl.jsontext import dump
from etl.schema.declare import Kind
from etl.schema.tables import FILTERING, FILTERING_RULES, FILTERING_VALIDATION_ERRORS
from etl.transform.form import PART, member_type, struct_of
from etl.transform.part import UNFIT, Part
from etl.transform.redact import may_hold_configuration
from etl.transform.timestamps import microseconds
from etl.transform.unfit import UnfitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from etl.schema.declare import Table
    from etl.transform.rows import Row

FILTERING_PATH: Final = ("connector", "filtering")
"""Where a document has its filterings."""
VALUE_PATH: Final = (*FILTERING_PATH, "advanced_snippet", "value")
"""Where a filtering has the one member that is free text in any structure."""
_EMPTY = (b"[]", b"null")  # complaints


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cells:
    """How the values of an object become cells of a row.

    Attributes:
        width: of the row.
        places: for each value its place in the row, and the column's kind.
    """

    width: int
    places: tuple[tuple[int, Kind], ...]

    def fill(self, row: Row, values: Iterable[Any]) -> None:
        """Fill cells; free text is left to the caller.

        Raises:
            UnfitError: a time is none.
        """
        for (place, kind), value in zip(self.places, values, strict=True):
            if value is not UNSET and value is not None and kind is not Kind.JSON:
                if kind is Kind.TIME:
                    row[place] = _time(value)
                else:
                    row[place] = dump(value) if isinstance(value, list) else value


def _cells(table: Table, *above: str) -> tuple[_Cells, dict[str, Any]]:
    """Return how an object's values become cells of a table, and the object's members with their types."""
    found = {
        column.source[-1]: (place, column)
        for place, column in enumerate(table.columns)
        if column.source and column.source[:-1] == above
    }
    places = tuple((place, column.kind) for place, column in found.values())
    return _Cells(width=len(table.columns), places=places), {
        name: member_type(column) for name, (_, column) in found.items()
    }


_time = lru_cache(maxsize=4096)(microseconds)  # those of one edit are the same in all rules
_RULE_CELLS, _rule_members = _cells(FILTERING_RULES)
_OWN_CELLS, _own_members = _cells(FILTERING)
_SNIPPET_CELLS, _snippet_members = _cells(FILTERING, "advanced_snippet")
_VALIDATION_CELLS, _validation_members = _cells(FILTERING, "validation")
_rule_members["field"] |= list[str]  # an array of paths stands as its JSON text
_Rule: Any = struct_of("_Rule", _rule_members)
_Snippet: Any = struct_of("_Snippet", _snippet_members)
_Validation: Any = struct_of("_Validation", {**_validation_members, "errors": PART})
_Filtering: Any = struct_of(
    "_Filtering",
    {
        **_own_members,
        "advanced_snippet": _Snippet | UnsetType | None,
        "validation": _Validation | UnsetType | None,
        "rules": list[_Rule | None] | UnsetType | None,
    },
)
_NONE = (None, _Rule(), _Filtering())  # elements that the tolerant path skips too
_DECODE = msgspec.json.Decoder(_Filtering | list[_Filtering | None]).decode
_ENCODE = msgspec.json.Encoder().encode
_VALUE = list(_snippet_members).index(VALUE_PATH[-1])
_VALUE_AT = _SNIPPET_CELLS.places[_VALUE][0]


def _place(table: Table, name: str) -> int:
    return [column.name for column in table.columns].index(name)


_FILTERING_INDEX = _place(FILTERING, "filtering_index")
_OF_RULE = (_place(FILTERING_RULES, "filtering_index"), _place(FILTERING_RULES, "rule_index"))


def read_filtering(raw: bytes, value_part: Callable[[bytes], Part]) -> Part | None:
    """Read what stands under `filtering`.

    Args:
        raw: its bytes.
        value_part: gives what the value of an advanced snippet becomes.

    Returns:
        What it becomes; None where it is of another form, has field issues or complaints, or something in it is masked.
    """
    try:
        found = _DECODE(raw)
        searched = raw.decode()
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if len(_ENCODE(found)) != len(raw) or may_hold_configuration(searched):  # see etl.transform.form.fitted
        return None
    reader = _Reader(value_part)
    try:
        for index, filtering in enumerate(found if isinstance(found, list) else [found]):
            if filtering not in _NONE and not reader.read(index, filtering):
                return None
    except UnfitError:
        return None
    return Part(
        rows={
            FILTERING.name: tuple(reader.filterings),
            FILTERING_RULES.name: tuple(reader.rules),
            FILTERING_VALIDATION_ERRORS.name: (),
        },
        issues=(),
        masked=0,
        clean=raw,
        depends=reader.depends,
    )


class _Reader:
    """Gathers rows."""

    def __init__(self, value_part: Callable[[bytes], Part]) -> None:
        self.filterings: list[Row] = []
        self.rules: list[Row] = []
        self.depends = False
        self._value_part = value_part

    def read(self, index: int, filtering: Any) -> bool:  # noqa: ANN401 - of a class that is made above
        """Read one filtering; false where it is none of the usual form."""
        *own, snippet, validation, rules = astuple(filtering)
        row: Row = [None] * _OWN_CELLS.width
        row[_FILTERING_INDEX] = index
        _OWN_CELLS.fill(row, own)
        if snippet:
            values = astuple(snippet)
            _SNIPPET_CELLS.fill(row, values)
            if not self._read_value(row, values[_VALUE]):
                return False
        if validation:
            *cells, errors = astuple(validation)
            if errors is not UNSET and bytes(errors) not in _EMPTY:
                return False
            _VALIDATION_CELLS.fill(row, cells)
        self.filterings.append(row)
        for number, rule in enumerate(rules or ()):
            if rule not in _NONE:
                below: Row = [None] * _RULE_CELLS.width
                below[_OF_RULE[0]], below[_OF_RULE[1]] = index, number
                _RULE_CELLS.fill(below, astuple(rule))
                self.rules.append(below)
        return True

    def _read_value(self, row: Row, value: Raw | UnsetType) -> bool:
        if value is UNSET or (raw := bytes(value)) == b"null":
            return True
        part = self._value_part(raw)
        if part is UNFIT or part.masked:
            return False
        row[_VALUE_AT] = part.rows[FILTERING.name][0][_VALUE_AT]
        self.depends = self.depends or part.depends
        return True
