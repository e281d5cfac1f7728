"""One value of a document to one cell, by the kind of its column: converted where nothing is lost, else unfit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from etl.jsontext import JsonValue, dump, is_unpaired, number_text
from etl.schema.declare import Kind
from etl.transform.timestamps import microseconds
from etl.transform.unfit import UnfitError

if TYPE_CHECKING:
    from collections.abc import Callable

_INT64 = 2**63
_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,18})(?:\.0{1,18})?", re.ASCII)


def to_string(value: JsonValue) -> str:
    """Take text as it is, and numbers and booleans as their JSON text."""
    if isinstance(value, str):
        if is_unpaired(value):
            msg = "text that is no Unicode (unpaired surrogate, or bytes that are no UTF-8)"
            raise UnfitError(msg)
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | msgspec.Raw):
        return number_text(value)
    msg = "not a text"
    raise UnfitError(msg)


def to_integer(value: JsonValue) -> int:
    """Take whole numbers of 64 bits, also those written as text or with a fraction of zeros."""
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        whole = int(value.partition(".")[0])
    elif isinstance(value, float) and value.is_integer():
        whole = int(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        whole = value
    else:
        msg = "not a whole number"
        raise UnfitError(msg)
    if not -_INT64 <= whole < _INT64:
        msg = "a whole number beyond 64 bits"
        raise UnfitError(msg)
    return whole


def to_boolean(value: JsonValue) -> bool:
    """Take booleans, also those written as text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in {"true", "false"}:
        return value == "true"
    msg = "not true or false"
    raise UnfitError(msg)


def to_strings(value: JsonValue) -> list[str | None]:
    """Take a list of scalars, or one scalar for a list of it."""
    items = value if isinstance(value, list) else [value]
    return [None if item is None else to_string(item) for item in items]


CONVERTERS: dict[Kind, Callable[[Any], Any]] = {
    Kind.STRING: to_string,
    Kind.INTEGER: to_integer,
    Kind.BOOLEAN: to_boolean,
    Kind.TIME: microseconds,
    Kind.JSON: dump,
    Kind.STRINGS: to_strings,
}
"""By kind: a value that is not null to a cell (times as microseconds since the epoch); raises UnfitError."""
