"""Which connectors there are, as far as the cluster tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from etl.errors import EtlError, RefusedError
from etl.extract.walk.asking import AnswerError, Call
from etl.extract.walk.pages import PAGE_SIZE, REACH

if TYPE_CHECKING:
    from etl.extract.walk.asking import Asking

_PATH: Final = "/_connector"
_WITH_DELETED: Final = {"include_deleted": "true"}  # known since 8.18


class _Listed(msgspec.Struct):
    id: Any = None


class _List(msgspec.Struct):
    count: int
    results: list[_Listed] = []  # a `filter_path` leaves no empty array


_LIST: Final = msgspec.json.Decoder(_List)


def connector_ids(asking: Asking, reach: int = REACH) -> tuple[tuple[str, ...], str | None]:
    """Ask for the ids of all connectors, those marked as deleted included where the cluster knows such.

    Args:
        asking: asks.
        reach: how far a list reaches.

    Returns:
        The ids, and why they may not be all; None where they are all that the cluster has.

    Raises:
        StoppedError: see `Asking.ask`.
        UnreachableError: no answer came.
    """
    ids: list[str] = []
    extra = dict(_WITH_DELETED)
    while len(ids) < reach:
        size = min(PAGE_SIZE, reach - len(ids))
        params: dict[str, str | int] = {"from": len(ids), "size": size, "filter_path": "count,results.id"}
        try:
            page = asking.ask(Call(path=_PATH, params=params | extra), _LIST.decode).value
        except AnswerError as error:
            if not extra:
                return tuple(ids), _why(error)
            extra = {}
            continue
        except RefusedError as error:
            return tuple(ids), _why(error)
        ids += [one.id for one in page.results if isinstance(one.id, str)]
        if len(page.results) < size:
            return tuple(ids), None
    return tuple(ids), f"only the first {reach} connectors can be listed"


def _why(error: EtlError) -> str:
    return f"connectors cannot be listed, only those that jobs name are known: {error}"
