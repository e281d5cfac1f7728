"""Points in time: views of the index that a client holds open."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from etl.sandbox.catalogue import View


@dataclass(kw_only=True, slots=True)
class _Point:
    view: View
    until: float


class Points:
    """The points in time that are open; none in the beginning.

    Args:
        clock: seconds from any begin.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._points: dict[str, _Point] = {}
        self._opened = 0

    def open(self, view: View, keep_alive_s: float) -> str:
        """Hold a view open and return its id: the nth is the same in every sandbox, so that faults are too."""
        self._opened += 1
        point_id = base64.b64encode(b"point in time of the sandbox, %020d" % self._opened).decode()
        self._points[point_id] = _Point(view=view, until=self._clock() + keep_alive_s)
        return point_id

    def view(self, point_id: str, keep_alive_s: float | None) -> View | None:
        """Return the view of a point in time, and hold it longer; None where it is not open."""
        self._drop_expired()
        point = self._points.get(point_id)
        if point is None:
            return None
        if keep_alive_s is not None:
            point.until = max(point.until, self._clock() + keep_alive_s)
        return point.view

    def close(self, point_ids: Iterable[str]) -> int:
        """Close points in time; return how many of them were open."""
        self._drop_expired()
        return sum(self._points.pop(point_id, None) is not None for point_id in point_ids)

    def close_all(self) -> None:
        """Lose every point in time, as a restarting node does."""
        self._points.clear()

    def __len__(self) -> int:
        self._drop_expired()
        return len(self._points)

    def _drop_expired(self) -> None:
        now = self._clock()
        for point_id in [point_id for point_id, point in list(self._points.items()) if point.until < now]:
            self._points.pop(point_id, None)
