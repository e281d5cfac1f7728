"""JSON text to values and back, with nothing lost.

Elasticsearch answers in compact JSON, which a fast decoder reads; what it writes back is equal to the bytes unless the
text holds something that a Python value cannot hold. Only then the exact decoder is used: duplicate keys, numbers
beyond a float, bytes that are no UTF-8 and unpaired surrogates all stay visible.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

JsonValue: TypeAlias = Any
"""None, bool, int, float, str, list, dict (or `Members`) and `msgspec.Raw` (a number as text)."""

MAX_DEPTH = 300
"""Levels of nesting that are read. Elasticsearch itself refuses documents beyond 1,000; none seen had over 20."""

_MAX_INT_DIGITS = 4000  # Python refuses to convert longer ones
_SURROGATE = re.compile("[\ud800-\udfff]")


class NotJsonError(ValueError):
    """The bytes are no JSON text, or one nested deeper than MAX_DEPTH."""


class Members(dict[str, Any]):
    """An object in which a key was given more than once: the last value counts, the others are kept aside.

    Attributes:
        earlier: (key, value) of each member that a later one replaced, in order.
    """

    earlier: list[tuple[str, Any]]

    @classmethod
    def of(cls, pairs: list[tuple[str, Any]]) -> Members:
        """Make the object out of its members as they stand in the text."""
        members = cls(pairs)
        last = {key: position for position, (key, _) in enumerate(pairs)}
        members.earlier = [pair for position, pair in enumerate(pairs) if last[pair[0]] != position]
        return members


def decode(raw: bytes) -> JsonValue:
    """Decode one JSON text; see `decode_noting`.

    Raises:
        NotJsonError: see there.

    >>> decode(b'{"a": 1}')
    {'a': 1}
    """
    return decode_noting(raw)[0]


def decode_noting(raw: bytes) -> tuple[JsonValue, bool]:
    """Decode one JSON text and tell whether a key was given twice somewhere in it.

    Bytes that are no UTF-8 become unpaired surrogates (U+DC80 to U+DCFF). Numbers that a float would change become
    `msgspec.Raw`. NaN and Infinity, which are no JSON but are written by some, become strings.

    Returns:
        The value, and whether it holds `Members`.

    Raises:
        NotJsonError: see there.
    """
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        try:
            value = msgspec.json.decode(raw)
            if msgspec.json.encode(value) == raw:
                return value, False
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            pass  # the exact decoder decides
    return _decode_exactly(raw)


def _decode_exactly(raw: bytes) -> tuple[JsonValue, bool]:
    repeated: list[Members] = []

    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        plain = dict(pairs)
        if len(plain) == len(pairs):
            return plain
        repeated.append(Members.of(pairs))
        return repeated[-1]

    text = raw.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    try:
        value = json.loads(
            text,
            parse_float=_exact_float,
            parse_int=_exact_int,
            parse_constant=str,
            object_pairs_hook=object_of,
        )
    except RecursionError as error:
        raise NotJsonError(_TOO_DEEP) from error
    except ValueError as error:
        # The decoder's message quotes no content, only a place in it.
        msg = f"no JSON: {error}"
        raise NotJsonError(msg) from error
    if _deeper_than(value, MAX_DEPTH):
        raise NotJsonError(_TOO_DEEP)
    return value, bool(repeated)


_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"


def _exact_float(text: str) -> float | msgspec.Raw:
    value = float(text)
    if math.isinf(value) or Decimal(text) != Decimal(repr(value)):
        return msgspec.Raw(text.encode())
    return value


def _exact_int(text: str) -> int | msgspec.Raw:
    return int(text) if len(text) <= _MAX_INT_DIGITS else msgspec.Raw(text.encode())


def _deeper_than(value: JsonValue, limit: int) -> bool:
    """Walk level by level, without recursion."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(limit):
        below: list[Any] = []
        for item in level:
            below.extend(item.values() if isinstance(item, dict) else item)
            if isinstance(item, Members):
                below.extend(earlier for _, earlier in item.earlier)
        level = [item for item in below if isinstance(item, dict | list)]
        if not level:
            return False
    return True


def dump(value: JsonValue) -> str:
    r"""Write a value as compact JSON text, keys in their order; unpaired surrogates are written as escapes.

    >>> dump({"b": 1, "a": ["ü", None]})
    '{"b":1,"a":["ü",null]}'
    """
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeError:
        return _dump_exactly(value)


def _dump_exactly(value: JsonValue) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{_dump_exactly(key)}:{_dump_exactly(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_dump_exactly, value)) + "]"
    if isinstance(value, str) and is_unpaired(value):
        return json.dumps(value)
    return msgspec.json.encode(value).decode()


# Surrogates that UTF-8 cannot carry. A low one behind a high one was a byte that is no UTF-8, not an escape, or both
# would have been read as one character; as a byte it stays apart from the other.
_APART = re.compile("(?<![\ud800-\udbff])[\udc00-\udfff]|[\ud800-\udbff]")


def encode_exactly(value: JsonValue) -> bytes:
    """Write a value so that it is decoded as it was: repeated keys, surrogates and long numbers too."""
    if isinstance(value, dict):
        pairs = _pairs(value) if isinstance(value, Members) else value.items()
        return b"{" + b",".join(_text(key) + b":" + encode_exactly(item) for key, item in pairs) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(encode_exactly, value)) + b"]"
    return _text(value) if isinstance(value, str) else msgspec.json.encode(value)


def _pairs(members: Members) -> list[tuple[str, JsonValue]]:
    """Return all members: each key where it first stood, its earlier values before the one that counts."""
    earlier: dict[str, list[JsonValue]] = {}
    for key, item in members.earlier:
        earlier.setdefault(key, []).append(item)
    return [(key, item) for key, last in members.items() for item in (*earlier.get(key, ()), last)]


def _text(text: str) -> bytes:
    if not is_unpaired(text):
        return msgspec.json.encode(text)
    escaped = _APART.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))
    return escaped.encode("utf-8", "surrogateescape")


def is_unpaired(text: str) -> bool:
    """Tell whether the text holds a surrogate, so that no UTF-8 can carry it."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def number_text(value: float | msgspec.Raw) -> str:
    """Return a number as its JSON text."""
    return bytes(value).decode() if isinstance(value, msgspec.Raw) else msgspec.json.encode(value).decode()
