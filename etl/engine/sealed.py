"""What a run gives to a worker of a Dask cluster, in a form that Dask neither looks into nor shows."""

from __future__ import annotations

import pickle
from typing import Any


class Sealed:
    """Pickled things. Dask would walk through what it is given piece by piece, and could show it where it tells of it.

    Args:
        things: picklable.
    """

    __slots__ = ("_content",)

    def __init__(self, things: object) -> None:
        self._content = pickle.dumps(things, protocol=pickle.HIGHEST_PROTOCOL)

    def opened(self) -> Any:  # noqa: ANN401 - whatever was put in
        """Return what was put in."""
        return pickle.loads(self._content)  # noqa: S301 - made by the run

    def __repr__(self) -> str:
        return f"Sealed({len(self._content)} bytes)"

    def __sizeof__(self) -> int:
        return len(self._content)
