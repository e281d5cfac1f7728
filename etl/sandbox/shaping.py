"""Parts of an answer that were asked for: `filter_path` of any answer, `_source` of a document."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from etl import jsontext
from etl.sandbox import replies
from etl.sandbox.replies import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from etl.jsontext import JsonValue

Path: TypeAlias = "tuple[str, ...]"

_ANY_DEPTH = "**"
_UNESCAPED_DOT = re.compile(r"(?<!\\)\.")


def filtered(body: bytes, filter_path: str) -> bytes:
    """Return what `filter_path` leaves of an answer; an answer that is no JSON is left as it is.

    Args:
        body: JSON text.
        filter_path: paths, separated by commas: `-` in front leaves out, `*` is any part of a name, `**` any depth;
            elements of arrays stand for themselves. What is left out goes first.

    >>> filtered(b'{"count":1,"results":[{"id":"a","connector":{"configuration":{}}}]}', "-results.connector")
    b'{"count":1,"results":[{"id":"a"}]}'
    """
    patterns = [text.strip() for text in filter_path.split(",") if text.strip()]
    out = [_path(text[1:]) for text in patterns if text.startswith("-")]
    only = [_path(text) for text in patterns if not text.startswith("-")]
    try:
        value = jsontext.decode(body)
    except jsontext.NotJsonError:
        return body
    if out:
        value = _without(value, out)
    if only:
        value = _only(value, only)
    return jsontext.dump({} if value is None else value).encode()


def pretty(body: bytes) -> bytes:
    """Return an answer in lines, as `pretty` asks; one that is no JSON is left as it is."""
    try:
        return msgspec.json.format(body, indent=2) + b"\n"
    except msgspec.DecodeError:
        return body


def _path(text: str) -> Path:
    return tuple(part.replace(r"\.", ".") for part in _UNESCAPED_DOT.split(text))


def _fits(pattern: str, name: str) -> bool:
    if "*" not in pattern:
        return pattern == name
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None


def _below(paths: list[Path], name: str) -> list[Path]:
    """Return what is left of the paths after one name; an empty path has arrived."""
    left: list[Path] = []
    for path in paths:
        if path[0] == _ANY_DEPTH:
            left.append(path)
            left += _below([path[1:]], name) if len(path) > 1 else [()]
        elif _fits(path[0], name):
            left.append(path[1:])
    return left


def _without(value: JsonValue, paths: list[Path]) -> JsonValue:
    if isinstance(value, list):
        return [_without(item, paths) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, item in value.items():
        below = _below(paths, name)
        if () not in below:
            kept[name] = _without(item, below) if below else item
    return kept


def _only(value: JsonValue, paths: list[Path]) -> JsonValue:
    """Return None where nothing is left: no empty object or array stays."""
    if isinstance(value, list):
        items = [kept for item in value if (kept := _only(item, paths)) is not None]
        return items or None
    if not isinstance(value, dict):
        return None
    kept_items = {}
    for name, item in value.items():
        below = _below(paths, name)
        kept = item if () in below else _only(item, below) if below else None
        if kept is not None or () in below:
            kept_items[name] = kept
    return kept_items or None


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFilter:
    """Which fields of a document are wanted.

    Attributes:
        is_wanted: False where no `_source` is wanted at all.
        includes: patterns of paths with dots, `*` for any text also across dots; empty for all.
        excludes: patterns of what is left out.
    """

    is_wanted: bool = True
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    def apply(self, source: bytes) -> bytes:
        """Return what is wanted of a document's JSON text."""
        if not self.includes and not self.excludes:
            return source
        value = jsontext.decode(source)
        kept = _kept(value, "", _matcher(self.includes), _matcher(self.excludes))
        return jsontext.dump(kept).encode()


WHOLE_SOURCE = SourceFilter()


def source_filter(
    value: JsonValue, parameters: Mapping[str, str], default: SourceFilter = WHOLE_SOURCE
) -> SourceFilter:
    """Read `_source` of a body and of the query, which overrides it.

    Args:
        value: false, true, a pattern, a list of patterns, or an object of `includes` and `excludes`; None without.
        parameters: of the query: `_source`, `_source_includes` and `_source_excludes`.
        default: what holds where nothing is said.

    Raises:
        RefusedError: the body's is of another form.
    """
    chosen = default if value is None else _of_body(value)
    whole = parameters.get("_source")
    if whole is not None:
        chosen = SourceFilter(is_wanted=whole != "false", includes=() if whole in {"true", "false"} else _split(whole))
    if "_source_includes" in parameters or "_source_excludes" in parameters:
        chosen = SourceFilter(
            includes=_split(parameters.get("_source_includes", "")),
            excludes=_split(parameters.get("_source_excludes", "")),
        )
    return chosen


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _of_body(value: JsonValue) -> SourceFilter:
    if isinstance(value, bool):
        return SourceFilter(is_wanted=value)
    if isinstance(value, dict) and value.keys() <= {"include", "includes", "exclude", "excludes"}:
        return SourceFilter(
            includes=_patterns(value.get("includes", value.get("include", []))),
            excludes=_patterns(value.get("excludes", value.get("exclude", []))),
        )
    return SourceFilter(includes=_patterns(value))


def _patterns(value: JsonValue) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        msg = "Expected one of [VALUE_BOOLEAN, VALUE_STRING, START_ARRAY, START_OBJECT] in [_source]"
        raise RefusedError(replies.malformed(msg))
    return tuple(listed)


def _matcher(patterns: Iterable[str]) -> Callable[[str], bool] | None:
    texts = [".*".join(map(re.escape, pattern.split("*"))) for pattern in patterns]
    if not texts:
        return None
    expression = re.compile("|".join(f"(?:{text})" for text in texts), re.DOTALL)
    return lambda path: expression.fullmatch(path) is not None


def _kept(
    value: dict[str, JsonValue],
    prefix: str,
    includes: Callable[[str], bool] | None,
    excludes: Callable[[str], bool] | None,
) -> dict[str, JsonValue]:
    kept: dict[str, JsonValue] = {}
    for name, item in value.items():
        path = prefix + name
        if excludes is not None and excludes(path):
            continue
        is_included = includes is None or includes(path)
        below = _kept_below(item, f"{path}.", None if is_included else includes, excludes)
        if is_included or below:
            kept[name] = below
    return kept


def _kept_below(
    item: JsonValue,
    prefix: str,
    includes: Callable[[str], bool] | None,
    excludes: Callable[[str], bool] | None,
) -> JsonValue:
    """Return what is left of a value; None or empty where it is wanted only for what it does not hold."""
    if isinstance(item, dict):
        return _kept(item, prefix, includes, excludes)
    if isinstance(item, list):
        left = [_kept_below(one, prefix, includes, excludes) for one in item]
        return left if includes is None else [one for one in left if one]
    return item if includes is None else None
