"""One page of the list of sync jobs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from etl.errors import UsageError
from etl.extract.walk.asking import AnswerError, Call
from etl.extract.walk.found import FIELDS, Found, found_in

if TYPE_CHECKING:
    from datetime import datetime

    from etl.extract.walk.asking import Asking
    from etl.extract.walk.parts import Part

LIST: Final = "/_connector/_sync_job"
PAGE_SIZE: Final = 1000
REACH: Final = 10_000
"""How far `from` and `size` reach, and where `count` stops without saying so."""

IDS_ONLY: Final = ",".join(["count", "results.id", *(f"results.{name}" for name in FIELDS)])

_BAD_REQUEST = 400
_GOOD_IN_A_ROW = 8
_WINDOW = re.compile(r"Result window is too large.*?less than or equal to: \[(\d+)\]")


class WindowError(Exception):
    """The page ends beyond what the index lets a list reach.

    Args:
        reach: how far it may.
    """

    def __init__(self, reach: int) -> None:
        super().__init__(reach)
        self.reach = reach


class PageSize:
    """How many jobs are asked for at a time: half as many when an answer is too large, and more again by and by.

    Args:
        most: how many are never exceeded.

    Attributes:
        now: how many to ask for.
    """

    def __init__(self, most: int) -> None:
        self.now = most
        self._most = most
        self._good = 0

    def halve(self, tried: int) -> None:
        """Ask for half as many as were tried, for their answer was too large."""
        self.now = max(1, tried // 2)
        self._good = 0

    def fits(self) -> None:
        """Note that an answer was read; after some, more are tried, for a few large documents may have been passed."""
        self._good += 1
        if self._good >= _GOOD_IN_A_ROW and self.now < self._most:
            self.now = min(self._most, 2 * self.now)
            self._good = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page of the list.

    Attributes:
        count: how many jobs there are in all; it stops at REACH.
        items: the jobs, in the order of the list.
        at: when they were received (UTC).
        elapsed_s: seconds that took, repeats and waits included.
    """

    count: int
    items: tuple[Found, ...]
    at: datetime
    elapsed_s: float = 0.0


class _List(msgspec.Struct):
    count: int
    results: list[msgspec.Raw] = []  # a `filter_path` leaves no empty array


_LIST: Final = msgspec.json.Decoder(_List)


def page_of(asking: Asking, part: Part, *, start: int, size: int, ids_only: bool = False) -> Page:
    """Ask for a page.

    Args:
        asking: asks.
        part: of all jobs.
        start: how many jobs of the part stand before it.
        size: the most jobs; 0 only counts.
        ids_only: leave out of the answer what a walk does not go by.

    Raises:
        WindowError: it ends beyond the window.
        TooLargeError: the answer is larger than what is read.
        UsageError: the cluster does not know a filter.
        EtlError: see `Asking.ask`.
        StoppedError: see there.
    """
    params = part.params() | {"from": start, "size": size}
    if ids_only:
        params["filter_path"] = IDS_ONLY
    try:
        told = asking.ask(Call(path=LIST, params=params), _LIST.decode)
    except AnswerError as error:
        if error.status == _BAD_REQUEST:
            window = _WINDOW.search(error.envelope.root or error.envelope.reason or "")
            if window is not None:
                raise WindowError(int(window[1])) from None
            if error.names("illegal_argument_exception"):
                msg = f"the cluster does not take the filter {part}: {error}"
                raise UsageError(msg) from error
        raise
    items = tuple(found_in(bytes(raw)) for raw in told.value.results)
    return Page(count=told.value.count, items=items, at=told.at, elapsed_s=told.elapsed_s)
