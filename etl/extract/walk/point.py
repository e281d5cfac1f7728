"""Reads jobs out of the index itself, at one point in time: no limit, no shifts, every job once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from etl.errors import EtlError, UnreachableError
from etl.extract.walk.asking import AnswerError, Call, StoppedError
from etl.extract.walk.found import FIELDS, Found, found_in, with_id
from etl.extract.walk.lister import milliseconds
from etl.extract.walk.pages import PageSize
from etl.extract.wire import TooLargeError

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import datetime

    from etl.extract.filters import JobFilters
    from etl.extract.walk.asking import Asking
    from etl.extract.walk.parts import Part

INDEX: Final = ".elastic-connectors-sync-jobs"
KEEP_ALIVE: Final = "5m"

_NOT_FOUND = 404
_LOST = "search_context_missing_exception"
_FRUITLESS = 3  # points in time that are lost at the same place
_SORT: Final = [
    {"created_at": {"order": "desc", "missing": "_last", "unmapped_type": "date"}},
    {"_shard_doc": "asc"},
]


@dataclass(frozen=True, kw_only=True, slots=True)
class HitsRead:
    """A page of hits, newest first, those without a time last.

    Attributes:
        total: how many jobs there are in all, exactly.
        items: the jobs.
        at: when the point in time was opened (UTC): the documents may have changed since.
        elapsed_s: seconds that took, repeats and waits included.
        is_last: whether no other follows.
    """

    total: int
    items: tuple[Found, ...]
    at: datetime
    elapsed_s: float
    is_last: bool


class _Opened(msgspec.Struct):
    id: str


class _Hit(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    sort: list[Any]
    source: msgspec.Raw = msgspec.field(name="_source", default=msgspec.Raw(b""))


class _Total(msgspec.Struct):
    value: int


class _Hits(msgspec.Struct):
    hits: list[_Hit]
    total: _Total | None = None


class _Shards(msgspec.Struct):
    failed: int


class _Search(msgspec.Struct):
    hits: _Hits
    timed_out: bool
    shards: _Shards = msgspec.field(name="_shards")
    pit_id: str | None = None


_OPENED: Final = msgspec.json.Decoder(_Opened)
_SEARCH: Final = msgspec.json.Decoder(_Search)


def _whole(body: bytes) -> _Search:
    search = _SEARCH.decode(body)
    if search.timed_out or search.shards.failed:
        msg = "a part of the index did not answer"
        raise ValueError(msg)
    return search


@dataclass(kw_only=True, slots=True)
class _Place:
    """Where a reading stands."""

    point: str
    opened_at: datetime
    total: int | None = None
    after: list[Any] | None = None


class PointReader:
    """Reads parts of all jobs through points in time.

    Args:
        asking: asks.
        page_size: hits on a page.
        ids_only: read no documents.

    Attributes:
        size: hits on a page.
    """

    def __init__(self, asking: Asking, *, page_size: int, ids_only: bool = False) -> None:
        self.size = PageSize(page_size)
        self._asking = asking
        self._ids_only = ids_only

    def read(self, part: Part, filters: JobFilters) -> Generator[HitsRead, None, None]:
        """Yield pages until the part ends.

        A point in time that is lost is opened anew, and the jobs with the time of the last hit are read again.

        Args:
            part: of all jobs.
            filters: whose times narrow it further.

        Raises:
            RefusedError: the index may not be read.
            AnswerError: there is no such index.
            EtlError: see `Asking.ask`.
            StoppedError: see there.
        """
        query = query_of(part, filters)
        place = self._open()
        losses: Counter[Any] = Counter()
        try:
            while True:
                try:
                    read = self._page(place, query)
                except AnswerError as error:
                    time = None if place.after is None else place.after[0]
                    losses[time] += 1
                    if error.status != _NOT_FOUND or not error.names(_LOST) or losses[time] >= _FRUITLESS:
                        raise
                    # Places in the index are others in another point; what shares the time is read again.
                    after = None if place.after is None else [time, -1]
                    place = replace(self._open(), total=place.total, after=after)
                    continue
                yield read
                if read.is_last:
                    return
        finally:
            self._close(place)

    def _open(self) -> _Place:
        at = self._asking.now()
        path = f"/{INDEX}/_pit"
        told = self._asking.ask(Call(method="POST", path=path, params={"keep_alive": KEEP_ALIVE}), _OPENED.decode)
        return _Place(point=told.value.id, opened_at=at)

    def _close(self, place: _Place) -> None:
        """Give the point in time back; where that fails, it ends by itself."""
        try:
            self._asking.ask(
                Call(method="DELETE", path="/_pit", body=msgspec.json.encode({"id": place.point})), lambda body: body
            )
        except (EtlError, StoppedError):
            return

    def _page(self, place: _Place, query: dict[str, Any]) -> HitsRead:
        while True:
            body = {
                "size": self.size.now,
                "query": query,
                "pit": {"id": place.point, "keep_alive": KEEP_ALIVE},
                "sort": _SORT,
                "track_total_hits": place.total is None,
            }
            if place.after is not None:
                body["search_after"] = place.after
            if self._ids_only:
                body["_source"] = list(FIELDS)
            try:
                read = self._searched(place, body, None)
            except TooLargeError as error:
                if self.size.now <= 1:
                    return self._searched(place, body | {"_source": list(FIELDS)}, self._asking.line(str(error)))
                self.size.halve(self.size.now)
            else:
                self.size.fits()
                return read

    def _searched(self, place: _Place, body: dict[str, Any], problem: str | None) -> HitsRead:
        told = self._asking.ask(Call(method="POST", path="/_search", body=msgspec.json.encode(body)), _whole)
        search = told.value
        if search.hits.total is not None:
            place.total = search.hits.total.value
        if search.pit_id is not None:
            place.point = search.pit_id
        hits = search.hits.hits
        if hits:
            place.after = hits[-1].sort
        items = tuple(_found(hit) for hit in hits)
        if problem is not None:
            items = tuple(replace(item, raw=b"", problem=problem) for item in items)
        if place.total is None:
            msg = f"{self._asking.who.url}: a search was asked for its total and gave none"
            raise UnreachableError(msg)
        return HitsRead(
            total=place.total,
            items=items,
            at=place.opened_at,
            elapsed_s=told.elapsed_s,
            is_last=len(hits) < body["size"],
        )


def _found(hit: _Hit) -> Found:
    source = bytes(hit.source)
    raw = with_id(hit.id, source)
    if raw is None:
        return Found(id=hit.id, raw=source, problem="the index holds no document under this id")
    return found_in(raw)


def query_of(part: Part, filters: JobFilters) -> dict[str, Any]:
    """Return the query for a part and the times of filters; it may find a little more than these admit.

    Documents that keep their connector elsewhere are found too: the index does not know the flat ones of 8.5.
    """
    needed: list[dict[str, Any]] = []
    if part.status is not None:
        needed.append({"term": {"status": part.status}})
    types = part.job_types if part.job_type is None else (part.job_type,)
    if types:
        needed.append({"terms": {"job_type": list(types)}})
    if part.connector_id is not None:
        elsewhere = {"bool": {"must_not": [{"exists": {"field": "connector.id"}}]}}
        here = {"term": {"connector.id": part.connector_id}}
        needed.append({"bool": {"should": [here, elsewhere], "minimum_should_match": 1}})
    if filters.is_timed:
        bounds: dict[str, Any] = {"format": "epoch_millis"}
        if filters.since is not None:
            bounds["gte"] = milliseconds(filters.since)
        if filters.until is not None:
            bounds["lte"] = milliseconds(filters.until)  # the index cuts times to milliseconds
        needed.append({"range": {"created_at": bounds}})
    return {"bool": {"filter": needed}} if needed else {"match_all": {}}
