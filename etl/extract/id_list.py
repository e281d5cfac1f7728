"""Many ids with their lines, in some 40 bytes each: as objects of their own they take four times as much."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import overload

from etl.model import RequestedId


class IdList(Sequence[RequestedId]):
    """Ids in order; each is made into an object when it is looked at.

    >>> ids = IdList([RequestedId(id="007", line=3), RequestedId(id="ä")])
    >>> len(ids), ids[0], ids[-1]
    (2, RequestedId(id='007', line=3), RequestedId(id='ä', line=None))
    """

    def __init__(self, requested: Iterable[RequestedId] = ()) -> None:
        self._bytes = bytearray()
        self._ends = array("Q")
        self._lines = array("Q")  # 0 for none
        for one in requested:
            self.append(one)

    def append(self, requested: RequestedId) -> None:
        """Add an id."""
        self._bytes += requested.id.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._bytes))
        self._lines.append(requested.line or 0)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, at: int) -> RequestedId: ...

    @overload
    def __getitem__(self, at: slice) -> list[RequestedId]: ...

    def __getitem__(self, at: int | slice) -> RequestedId | list[RequestedId]:
        if isinstance(at, slice):
            return [self[place] for place in range(*at.indices(len(self)))]
        place = range(len(self))[at]
        begin = self._ends[place - 1] if place else 0
        job_id = self._bytes[begin : self._ends[place]].decode("utf-8", "surrogatepass")
        return RequestedId(id=job_id, line=self._lines[place] or None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it can be added to

    def __repr__(self) -> str:
        return f"IdList({list(self)!r})"
