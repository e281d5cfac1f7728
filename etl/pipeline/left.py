"""Which of many ids have no answer yet, while answers to them come in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from etl.extract.id_list import IdList
from etl.load.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etl.load.keys import Int64s
    from etl.model import Answer, RequestedId

_BLOCK: Final = 10_000  # ids that are objects at once


class Left:
    """Ids without an answer, in some 20 bytes each beside the list of them.

    Args:
        wanted: all ids, each once.
    """

    def __init__(self, wanted: Sequence[RequestedId]) -> None:
        self._wanted = wanted
        high, low = np.empty(len(wanted), np.uint64), np.empty(len(wanted), np.uint64)
        for begin in range(0, len(wanted), _BLOCK):
            keys = Keys.of([requested.id for requested in wanted[begin : begin + _BLOCK]])
            high[begin : begin + _BLOCK], low[begin : begin + _BLOCK] = keys.high, keys.low
        order = np.lexsort((low, high))
        self._keys = Keys(high=high[order], low=low[order])
        self._place = order.astype(np.int32)
        self._is_left = np.ones(len(wanted), dtype=np.bool_)
        self._count = len(wanted)

    def __len__(self) -> int:
        return self._count

    def lacks(self, ids: Sequence[str]) -> list[bool]:
        """Tell of each id whether it was not wanted, or has its answer."""
        places = self._places_of(ids)
        return [place < 0 or not self._is_left[place] for place in places.tolist()]

    def take(self, answers: Sequence[Answer]) -> list[tuple[RequestedId, Answer]]:
        """Return those answers to ids that had none, with these ids, which are not left any more."""
        taken: list[tuple[RequestedId, Answer]] = []
        for place, answer in zip(self._places_of([answer.id for answer in answers]).tolist(), answers, strict=True):
            if place >= 0 and self._is_left[place]:
                self._is_left[place] = False
                taken.append((self._wanted[place], answer))
        self._count -= len(taken)
        return taken

    def rest(self) -> IdList:
        """Return the ids that are left, in order."""
        return IdList(self._wanted[place] for place in np.flatnonzero(self._is_left).tolist())

    def _places_of(self, ids: Sequence[str]) -> Int64s:
        found = self._keys.find(Keys.of(ids))
        known = found >= 0
        found[known] = self._place[found[known]]
        return found
