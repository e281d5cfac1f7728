"""The fast path: documents that fit (`etl.transform.form`), with parts that are remembered, and column by column."""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import UNSET

from etl.schema.tables import CONNECTORS, SYNC_JOBS, TABLES
from etl.transform.configurations import NO_CONFIGURATION, UNFIT_CONFIGURATION, Configuration, Configurations
from etl.transform.form import CONNECTOR_MEMBERS, CONNECTOR_PARTS, JOB_MEMBERS, JOB_PARTS, Fitted, fitted
from etl.transform.part import UNFIT, Part
from etl.transform.parts import Parts
from etl.transform.scalars import Scalars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etl.model import Document
    from etl.transform.rows import Row

_CONFIGURATION = CONNECTOR_MEMBERS.index("configuration")
_NULL = b"null"
_NO_PART: Final = Part(
    rows={table.name: ([None] * len(table.columns),) if table in (SYNC_JOBS, CONNECTORS) else () for table in TABLES},
    issues=(),
    masked=0,
    clean=_NULL,
)


def _places(members: tuple[str, ...], parts: tuple[str, ...], *above: str) -> list[tuple[int, tuple[str, ...]]]:
    return [(members.index(name), (*above, name)) for name in parts]


# Where each part but the configuration stands among the members, and its path in the document.
_OF_JOB = _places(JOB_MEMBERS, JOB_PARTS)
_OF_CONNECTOR = [
    place for place in _places(CONNECTOR_MEMBERS, CONNECTOR_PARTS, "connector") if place[0] != _CONFIGURATION
]
PART_PATHS: Final = tuple(path for _, path in (*_OF_JOB, *_OF_CONNECTOR))
"""The paths of parts in a document, but for the configuration."""
CONFIGURATION_PATH: Final = ("connector", CONNECTOR_MEMBERS[_CONFIGURATION])
BELOW: Final = tuple(
    (table.name, number)
    for table in TABLES
    for number, path in enumerate(PART_PATHS)
    if table.node is not None and table.node[: len(path)] == path
)
"""Names of tables whose rows stand inside a part, with the part's number."""
# The tolerant path reads what has rows of its own last.
_LAST = frozenset(PART_PATHS[number] for _, number in BELOW)


class Became(NamedTuple):
    """What the parts of a document became.

    Attributes:
        configuration: its configuration.
        parts: the others, in the order of PART_PATHS.
        issues: rows of field_issues, in the order of the tolerant path.
        masked: texts in which something was masked.
    """

    configuration: Configuration
    parts: list[Part]
    issues: tuple[Row, ...]
    masked: int


class Fit(NamedTuple):
    """A document that took the fast path.

    Attributes:
        number: among those that fit, from 0; that of its row in their `Scalars`.
        pieces: as it was cut.
        became: what its parts became.
    """

    number: int
    pieces: Fitted
    became: Became


class FastPath:
    """Reads documents that fit, and remembers what their parts became.

    Args:
        exposed: configuration fields whose values may be shown.
    """

    def __init__(self, exposed: frozenset[str]) -> None:
        self._configurations = Configurations(exposed)
        self._parts = Parts(exposed)

    def read_all(self, documents: Sequence[Document]) -> tuple[Scalars, list[Fit | None]]:
        """Read documents.

        Returns:
            The cells of those that fit; and for each document what became of it, None where it has to take the
            tolerant path.
        """
        pieces = [fitted(document.raw, document.id) for document in documents]
        scalars = Scalars([piece for piece in pieces if piece is not None])
        numbers = itertools.count()
        fits: list[Fit | None] = []
        for piece in pieces:
            became = None
            if piece is not None and (number := next(numbers)) not in scalars.unfit:
                became = self.read(piece)
            fits.append(None if piece is None or became is None else Fit(number, piece, became))
        return scalars, fits

    def read(self, piece: Fitted) -> Became | None:
        """Return what the parts of a document became; None where it has to take the tolerant path."""
        configuration = NO_CONFIGURATION
        member = piece.connector[_CONFIGURATION]
        if member is not UNSET and (raw := bytes(member)) != _NULL:
            configuration = self._configurations.of(raw)
            if configuration is UNFIT_CONFIGURATION:
                return None
        parts: list[Part] = []
        first: tuple[Row, ...] = ()
        last: tuple[Row, ...] = ()
        masked = configuration.masked
        for members, places in ((piece.job, _OF_JOB), (piece.connector, _OF_CONNECTOR)):
            for place, path in places:
                member = members[place]
                if member is UNSET or (raw := bytes(member)) == _NULL:
                    parts.append(_NO_PART)
                    continue
                part = self._parts.of(path, raw, configuration)
                if part is UNFIT:
                    return None
                parts.append(part)
                masked += part.masked
                if part.issues:
                    first, last = (first, (*last, *part.issues)) if path in _LAST else ((*first, *part.issues), last)
        issues = (*first, *configuration.issues, *last)
        if issues and piece.aliased:
            return None  # their JSON Pointers tell where the document has them
        return Became(configuration, parts, issues, masked)


@lru_cache(maxsize=4)
def fast_path(exposed: frozenset[str]) -> FastPath:
    """Return the fast path with these fields exposed; what it remembers serves all batches of a worker."""
    return FastPath(exposed)


def forget_parts() -> None:
    """Forget what parts of documents became, where no document comes any more: some 30 MB at most."""
    fast_path.cache_clear()
