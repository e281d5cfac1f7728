"""`_search` and `_count` on the index of sync jobs, with and without a point in time."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl import jsontext
from etl.sandbox import replies
from etl.sandbox.indices import JOBS_INDEX
from etl.sandbox.query import test_of
from etl.sandbox.reading import known_keys
from etl.sandbox.replies import RefusedError, Reply
from etl.sandbox.shaping import SourceFilter, source_filter
from etl.sandbox.sorting import order_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl.jsontext import JsonValue
    from etl.sandbox.catalogue import Entry, View
    from etl.sandbox.sorting import SortField

OF_INDICES = frozenset({"ignore_unavailable", "allow_no_indices", "expand_wildcards"})
PARAMETERS = OF_INDICES | frozenset({
    "_source", "_source_excludes", "_source_includes", "from", "preference", "request_cache", "size",
    "track_total_hits",
})  # fmt: skip
_BODY_KEYS = frozenset({
    "_source", "from", "pit", "query", "search_after", "seq_no_primary_term", "size", "sort", "timeout",
    "track_total_hits", "version",
})  # fmt: skip

_DEFAULT_SIZE = 10
_ACCURATE_UP_TO = 10_000
_SHARDS = b'"_shards":{"total":1,"successful":1,"skipped":0,"failed":0}'


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """What a search asks for.

    Attributes:
        order: empty for the order of the index.
        after: keys that hits come after; None from the beginning.
        exact_up_to: where the total stops being exact; None where no total is wanted, -1 for always exact.
    """

    start: int
    size: int
    query: JsonValue
    order: tuple[SortField, ...]
    after: tuple[int, ...] | None
    exact_up_to: int | None
    source: SourceFilter
    with_version: bool
    with_seq_no: bool


def search_of(body: Mapping[str, JsonValue], parameters: Mapping[str, str], window: int) -> Search:
    """Read a search from body and query, which overrides it.

    Raises:
        RefusedError: something cannot be, or the page ends beyond the window.
    """
    known_keys(body, _BODY_KEYS)
    start = _number(parameters.get("from", body.get("from", 0)), "from")
    size = _number(parameters.get("size", body.get("size", _DEFAULT_SIZE)), "size")
    if start + size > window:
        raise RefusedError(replies.result_window(start + size, window))
    order = order_of(body.get("sort"), in_point="pit" in body)
    return Search(
        start=start,
        size=size,
        query=body.get("query"),
        order=order,
        after=_after(body.get("search_after"), order, start),
        exact_up_to=_accuracy(parameters.get("track_total_hits", body.get("track_total_hits"))),
        source=source_filter(body.get("_source"), parameters),
        with_version=body.get("version") is True,
        with_seq_no=body.get("seq_no_primary_term") is True,
    )


def search_reply(view: View | None, search: Search, point_id: str | None) -> Reply:
    """Answer with a page of hits.

    Args:
        view: the jobs; None where no index is meant that exists.
        search: what is asked for.
        point_id: of the point in time that is searched.

    Raises:
        RefusedError: the query is none.
    """
    found, keys = ([], []) if view is None else _found(view, search)
    begin = search.start if search.after is None else bisect_right(keys, search.after)
    page = found[begin : begin + search.size]
    hits = b",".join([] if view is None else [_hit(view, entry, search) for entry in page])
    best = b"null" if search.order or not page else b"1.0"
    pit = b'"pit_id":%s,' % jsontext.dump(point_id).encode() if point_id is not None else b""
    head = b'{%s"took":1,"timed_out":false,%s,"hits":{%s"max_score":%s,"hits":[' % (
        pit,
        _SHARDS if view is not None else _SHARDS.replace(b"1", b"0"),
        _total(len(found), search.exact_up_to),
        best,
    )
    return Reply(body=head + hits + b"]}}")


def count_reply(view: View | None, body: Mapping[str, JsonValue]) -> Reply:
    """Answer with the number of jobs that a query finds, which is always exact.

    Raises:
        RefusedError: the query is none.
    """
    known_keys(body, frozenset({"query"}))
    if view is None:
        return Reply(body=b'{"count":0,%s}' % _SHARDS.replace(b"1", b"0"))
    test = test_of(body.get("query"), view)
    return Reply(body=b'{"count":%d,%s}' % (sum(map(test, view.newest_first)), _SHARDS))


def keep_alive_of(body: Mapping[str, JsonValue]) -> tuple[str, JsonValue] | None:
    """Return id and `keep_alive` of the point in time that a search names; None without.

    Raises:
        RefusedError: it has no id.
    """
    pit = body.get("pit")
    if pit is None:
        return None
    if not isinstance(pit, dict) or not isinstance(pit.get("id"), str):
        raise RefusedError(replies.malformed("[pit] needs an [id]"))
    known_keys(pit, frozenset({"id", "keep_alive"}))
    return pit["id"], pit.get("keep_alive")


def _found(view: View, search: Search) -> tuple[list[Entry], list[tuple[int, ...]]]:
    """Return what matches, in order, and the keys of the order; both are kept for the next pages."""

    def find() -> tuple[list[Entry], list[tuple[int, ...]]]:
        test = test_of(search.query, view)
        keyed = sorted(
            (tuple(field.key(entry) for field in search.order), entry.ordinal, entry)
            for entry in view.newest_first
            if test(entry)
        )
        return [entry for _, _, entry in keyed], [key for key, _, _ in keyed]

    return view.remember(("search", jsontext.dump(search.query), search.order), find)


def _hit(view: View, entry: Entry, search: Search) -> bytes:
    stored = view.stored(entry.id)
    assert stored is not None  # noqa: S101 - the view lists what it holds
    parts = [b'{"_index":"%s","_id":%s' % (JOBS_INDEX.encode(), jsontext.dump(entry.id).encode())]
    if search.with_version:
        parts.append(b'"_version":%d' % stored.version)
    if search.with_seq_no:
        parts.append(b'"_seq_no":%d,"_primary_term":1' % stored.seq_no)
    parts.append(b'"_score":null' if search.order else b'"_score":1.0')
    if search.source.is_wanted:
        parts.append(b'"_source":' + search.source.apply(stored.source))
    if search.order:
        parts.append(b'"sort":' + jsontext.dump([field.shown(entry) for field in search.order]).encode())
    return b",".join(parts) + b"}"


def _total(count: int, exact_up_to: int | None) -> bytes:
    if exact_up_to is None:
        return b""
    if 0 <= exact_up_to < count:
        return b'"total":{"value":%d,"relation":"gte"},' % exact_up_to
    return b'"total":{"value":%d,"relation":"eq"},' % count


def _accuracy(value: JsonValue) -> int | None:
    if value is None or value == "":
        return _ACCURATE_UP_TO
    if value == "true" or value is True:
        return -1
    if value == "false" or value is False:
        return None
    return _number(value, "track_total_hits")


def _after(value: JsonValue, order: tuple[SortField, ...], start: int) -> tuple[int, ...] | None:
    if value is None:
        return None
    if start:
        raise RefusedError(replies.invalid("`from` parameter must be set to 0 when `search_after` is used"))
    if not isinstance(value, list) or not value:
        raise RefusedError(replies.malformed("[search_after] must be an array of values"))
    if not order:
        raise RefusedError(replies.illegal_argument("Sort must contain at least one field."))
    if len(value) != len(order):
        reason = f"search_after has {len(value)} value(s) but sort has {len(order)}."
        raise RefusedError(replies.illegal_argument(reason))
    return tuple(field.key_after(one) for field, one in zip(order, value, strict=True))


def _number(value: JsonValue, name: str) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise RefusedError(
            replies.illegal_argument(f"[{name}] parameter cannot be negative or no number, was [{value}]")
        )
    return value
