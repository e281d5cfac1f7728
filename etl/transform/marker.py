"""What stands in place of a redacted value: `{"__etl_redacted__": "<type of the value>"}`.

A redacted document is a document: it can be kept, and be transformed again with the same result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from etl.jsontext import JsonValue

KEY = "__etl_redacted__"


def type_name(value: JsonValue) -> str:
    """Return the JSON type of a value: string, integer, number, boolean, null, object or array."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    for kind, name in _NAMES:
        if isinstance(value, kind):
            return name
    msg = f"no JSON value: {type(value).__name__}"
    raise TypeError(msg)


_NAMES = ((str, "string"), (int, "integer"), (float, "number"), (msgspec.Raw, "number"), (dict, "object"),
          (list, "array"))  # fmt: skip
_TYPES = frozenset({"string", "integer", "number", "boolean", "object", "array"})


def marker_for(value: JsonValue) -> dict[str, str]:
    """Return the marker that replaces a value; a marker stays as it is."""
    return value if is_marker(value) else {KEY: type_name(value)}


def is_marker(value: JsonValue) -> bool:
    """Tell whether a value is a marker. One with anything but a type name inside is not: it could carry a secret."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(kind := value.get(KEY), str) and kind in _TYPES
