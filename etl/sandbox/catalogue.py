"""What the index knows of sync jobs: entries to sort and filter by, and views of them that do not change."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeVar

from etl.sandbox.moments import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from etl.jsontext import JsonValue

_T = TypeVar("_T")

_MOST_VERSIONS = 4
_KEPT_FINDINGS = 8  # a walk asks the same thing page after page


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What the index knows of a job: what lists are sorted and filtered by.

    Attributes:
        ordinal: the job's place in the index; ties come out in this order.
        created_ms: milliseconds since 1970; None where the document has no time that can be read.
        connector_id: of the nested `connector`; None for the flat documents of 8.5, which no filter finds.
    """

    id: str
    ordinal: int
    created_ms: int | None
    connector_id: str | None
    job_type: str | None
    status: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A document as the index holds it.

    Attributes:
        version: how often it was written.
        source: JSON text of an object, without the id that the API puts in front.
    """

    id: str
    ordinal: int
    version: int
    source: bytes

    @property
    def seq_no(self) -> int:
        """The number of the write that made this version: another one after each change."""
        return self.ordinal * _MOST_VERSIONS + self.version - 1


class View(Protocol):
    """All jobs as they were at one moment, whatever happens to them later."""

    def stored(self, job_id: str) -> Stored | None:
        """Return a document; None where there was no such job."""

    def body(self, job_id: str) -> bytes | None:
        """Return a document as the API sends it; None where there was no such job."""

    @property
    def newest_first(self) -> Sequence[Entry]:
        """Every job by `created_at`, the latest first, those without one last."""

    def remember(self, key: Hashable, find: Callable[[], _T]) -> _T:
        """Return what `find` found for this key, asking again only if that was long ago."""


class Jobs(Protocol):
    """A set of jobs that changes."""

    def body(self, job_id: str) -> bytes | None:
        """Return a document as the API sends it now; None where there is no such job."""

    def view(self) -> View:
        """Return all jobs as they are now."""

    def advance(self, limit: int | None) -> list[str]:
        """Let running jobs move on by one step, the first `limit` of them; return the ids of those that did."""

    def add(self, count: int) -> list[str]:
        """Create jobs, later than all others; return their ids, the earliest first."""


class Findings:
    """What was found lately, by what was asked for; a part of every view."""

    def __init__(self) -> None:
        self._found: dict[Hashable, object] = {}

    def remember(self, key: Hashable, find: Callable[[], _T]) -> _T:
        """See `View`."""
        if key not in self._found:
            while len(self._found) >= _KEPT_FINDINGS:
                del self._found[next(iter(self._found))]
            self._found[key] = find()
        found: _T = self._found[key]  # type: ignore[assignment]  # a key is asked with one kind of `find` only
        return found


class Sorted(Findings):
    """A view's entries in the order of the list endpoint."""

    def entries(self) -> list[Entry]:
        """Return every job, in any order."""
        raise NotImplementedError

    @cached_property
    def newest_first(self) -> Sequence[Entry]:
        """See `View`."""
        return sorted(self.entries(), key=_newest_first)


def _newest_first(entry: Entry) -> tuple[float, int]:
    return (float("inf") if entry.created_ms is None else -entry.created_ms, entry.ordinal)


def entry_of(job_id: str, ordinal: int, source: Mapping[str, JsonValue]) -> Entry:
    """Read from a document what the index keeps of it; a value of no type that it could index is as if missing."""
    connector = source.get("connector")
    return Entry(
        id=job_id,
        ordinal=ordinal,
        created_ms=milliseconds(source.get("created_at")),
        connector_id=_text(connector.get("id")) if isinstance(connector, dict) else None,
        job_type=_text(source.get("job_type")),
        status=_text(source.get("status")),
    )


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None


def without_id(body: bytes, job_id: str) -> bytes | None:
    """Return the document that stands behind its id in an API answer; None where the id does not stand first.

    >>> without_id(b'{"id":"a","status":"pending"}', "a")
    b'{"status":"pending"}'
    """
    prefix = f'{{"id":"{job_id}"'.encode("utf-8", "surrogateescape")
    if not body.startswith(prefix) or body[len(prefix) : len(prefix) + 1] not in {b",", b"}"}:
        return None
    return b"{" + body[len(prefix) :].removeprefix(b",")
