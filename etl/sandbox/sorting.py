"""The order of search hits: by `created_at`, by the place in the index, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl.sandbox import replies
from etl.sandbox.moments import iso, milliseconds
from etl.sandbox.replies import RefusedError

if TYPE_CHECKING:
    from etl.jsontext import JsonValue
    from etl.sandbox.catalogue import Entry

_LEAST = -(1 << 63)
_MOST = (1 << 63) - 1
# What a formatter makes of the two sentinels; as a `search_after` it cannot be read again.
_LEAST_TEXT = "-292275055-05-16T16:47:04.192Z"
_MOST_TEXT = "+292278994-08-17T07:12:55.807Z"
_TEXT_FORMATS = frozenset({"strict_date_optional_time", "strict_date_optional_time_nanos"})
_FORMATS = _TEXT_FORMATS | {None, "epoch_millis", "strict_date_optional_time||epoch_millis"}
_PLACES = frozenset({"_doc", "_shard_doc"})


@dataclass(frozen=True, kw_only=True, slots=True)
class SortField:
    """One criterion of an order.

    Attributes:
        is_text: whether sort values are shown as ISO 8601 instead of milliseconds.
    """

    name: str
    is_descending: bool = False
    is_missing_first: bool = False
    is_text: bool = False

    def key(self, entry: Entry) -> int:
        """Return what sorts ascending in this order."""
        value = self._value(entry)
        return -value if self.is_descending else value

    def shown(self, entry: Entry) -> JsonValue:
        """Return the sort value as the hit shows it."""
        value = self._value(entry)
        if not self.is_text:
            return value
        return {_LEAST: _LEAST_TEXT, _MOST: _MOST_TEXT}.get(value) or iso(value)

    def key_after(self, value: JsonValue) -> int:
        """Read one value of `search_after` as a key.

        Raises:
            RefusedError: it cannot be a value of this field.
        """
        number = value if isinstance(value, int) and not isinstance(value, bool) else None
        if isinstance(value, str):
            number = milliseconds(value) if self.name == "created_at" else None
            if number is None:
                reason = f"failed to parse date field [{value}] with format [strict_date_optional_time||epoch_millis]"
                raise RefusedError(replies.error(400, {"type": "parse_exception", "reason": reason}))
        if number is None:
            reason = f"Failed to parse search_after value for field [{self.name}]."
            raise RefusedError(replies.illegal_argument(reason))
        return -number if self.is_descending else number

    def _value(self, entry: Entry) -> int:
        if self.name in _PLACES:
            return entry.ordinal
        if entry.created_ms is not None:
            return entry.created_ms
        return _LEAST if self.is_descending != self.is_missing_first else _MOST


def order_of(sort: JsonValue, *, in_point: bool) -> tuple[SortField, ...]:
    """Read the `sort` of a search; within a point in time `_shard_doc` is always the last criterion.

    Args:
        sort: a criterion or a list of them; None for no order.
        in_point: whether a point in time is searched.

    Raises:
        RefusedError: a criterion is none, or one that the sandbox does not know.
    """
    criteria = sort if isinstance(sort, list) else [] if sort is None else [sort]
    fields = tuple(_field(one) for one in criteria)
    names = [field.name for field in fields]
    if "_shard_doc" in names and not in_point:
        reason = "[_shard_doc] sort field cannot be used without [point in time]"
        raise RefusedError(replies.illegal_argument(reason))
    return (*fields, SortField(name="_shard_doc")) if in_point and fields and "_shard_doc" not in names else fields


def _field(criterion: JsonValue) -> SortField:
    if isinstance(criterion, str):
        name, _, order = criterion.partition(":")
        options: JsonValue = {"order": order or "asc"}
    elif isinstance(criterion, dict) and len(criterion) == 1:
        name, options = next(iter(criterion.items()))
        options = {"order": options} if isinstance(options, str) else options
    else:
        raise RefusedError(replies.malformed("[sort] malformed, expected a field"))
    if name != "created_at" and name not in _PLACES:
        reason = f"No mapping found for [{name}] in order to sort on: the sandbox sorts by created_at and _shard_doc"
        raise RefusedError(replies.error(400, {"type": "query_shard_exception", "reason": reason}))
    return _with_options(name, options)


def _with_options(name: str, options: JsonValue) -> SortField:
    if not isinstance(options, dict) or not options.keys() <= {"order", "missing", "format", "unmapped_type"}:
        reason = f"[field_sort] of the sandbox takes order, missing, format and unmapped_type, not {options}"
        raise RefusedError(replies.unparsed("x_content_parse_exception", reason))
    order, missing, format_ = options.get("order", "asc"), options.get("missing", "_last"), options.get("format")
    if order not in {"asc", "desc"} or missing not in {"_last", "_first"} or format_ not in _FORMATS:
        reason = f"[field_sort] cannot be ordered by [{order}], missing [{missing}], format [{format_}]"
        raise RefusedError(replies.illegal_argument(reason))
    return SortField(
        name=name, is_descending=order == "desc", is_missing_first=missing == "_first", is_text=format_ in _TEXT_FORMATS
    )
