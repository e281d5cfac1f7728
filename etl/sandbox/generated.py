"""Jobs that are made from their numbers when they are asked for, in numbers that no memory need hold."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from etl import jsontext
from etl.errors import UsageError
from etl.sandbox.catalogue import Entry, Sorted, Stored, entry_of, without_id
from etl.sandbox.dice import Dice
from etl.sandbox.generate import generate_job
from etl.sandbox.identity import id_of, number_of
from etl.sandbox.outline import FINAL, Part, Writer, outline_of
from etl.sandbox.quirks import touches_index

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl.sandbox.population import Population

_KEPT_BYTES = 64 * 1024 * 1024
_SETTLED = 3  # after so many steps every job is final


@dataclass(frozen=True, kw_only=True, slots=True)
class _Addition:
    """Jobs that came later, `first` up to `end`, at a step."""

    first: int
    end: int
    step: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _State:
    """Which jobs there are, and how far each has moved on.

    Attributes:
        begun: how many jobs there were at first.
        step: how often all jobs have moved on.
        ahead: by number, how much further a single job has moved on.
    """

    begun: int
    additions: tuple[_Addition, ...] = ()
    step: int = 0
    ahead: Mapping[int, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return self.additions[-1].end if self.additions else self.begun

    def step_of(self, number: int) -> int:
        step = self.step + self.ahead.get(number, 0)
        if number >= self.begun:
            step -= self.additions[bisect_right(self.additions, number, key=lambda one: one.end)].step
        return min(step, _SETTLED)

    def place(self, number: int) -> int | None:
        """Return a job's place among those that were added; None for one of the first."""
        return number - self.begun if number >= self.begun else None


class _Factory:
    """Makes documents and entries, and keeps what may be asked for again."""

    def __init__(self, seed: int, population: Population) -> None:
        self._seed = seed
        self._population = population
        self._bodies: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._bytes = 0
        self._entries: dict[int, tuple[int, Entry]] = {}
        # The owner advances in one thread, the server answers in another.
        self._bodies_lock = threading.Lock()
        self._entries_lock = threading.Lock()

    def body(self, state: _State, number: int) -> bytes:
        """Return a document; the last ones are kept, up to 64 MiB."""
        key = (number, state.step_of(number))
        with self._bodies_lock:
            kept = self._bodies.get(key)
            if kept is not None:
                self._bodies.move_to_end(key)
                return kept
        made = self._text(number, key[1], state.place(number))
        with self._bodies_lock:
            if key not in self._bodies:
                self._bodies[key] = made
                self._bytes += len(made)
            while self._bytes > _KEPT_BYTES:
                self._bytes -= len(self._bodies.popitem(last=False)[1])
        return made

    def _text(self, number: int, step: int, added: int | None) -> bytes:
        job = generate_job(self._seed, number, step=step, population=self._population, added=added)
        return jsontext.dump(job).encode()

    def stored(self, state: _State, number: int) -> Stored | None:
        """Return a document as the index holds it."""
        job_id = id_of(number)
        source = without_id(self.body(state, number), job_id)
        if source is None:
            return None
        return Stored(id=job_id, ordinal=number, version=self._version(state, number), source=source)

    def _version(self, state: _State, number: int) -> int:
        step = state.step_of(number)
        if step == 0:
            return 1
        place = state.place(number)
        return outline_of(self._seed, number, step=step, population=self._population, added=place).version

    def entries(self, state: _State) -> list[Entry]:
        """Return all entries; those of final jobs are never made twice."""
        with self._entries_lock:
            return [self._entry(state, number) for number in range(state.count)]

    def _entry(self, state: _State, number: int) -> Entry:
        step = state.step_of(number)
        known = self._entries.get(number)
        if known is not None and (known[0] == step or (known[0] < step and known[1].status in FINAL)):
            return known[1]
        entry = self._made(number, step, state.place(number))
        self._entries[number] = (step, entry)
        return entry

    def _made(self, number: int, step: int, added: int | None) -> Entry:
        outline = outline_of(self._seed, number, step=step, population=self._population, added=added)
        # Whether a job has an oddity at all is decided last in its document, so the few that matter are made.
        if added is None and touches_index(Dice(self._seed, number, Part.QUIRK), created=outline.created):
            return entry_of(id_of(number), number, jsontext.decode(self._text(number, step, added)))
        return Entry(
            id=id_of(number),
            ordinal=number,
            created_ms=outline.created // 1_000_000 if outline.is_dated else None,
            connector_id=None if outline.writer is Writer.FLAT else outline.connector.id,
            job_type=outline.job_type,
            status=outline.status,
        )


class _GeneratedView(Sorted):
    """See `View`."""

    def __init__(self, factory: _Factory, state: _State) -> None:
        super().__init__()
        self._factory = factory
        self.state = state

    def entries(self) -> list[Entry]:
        return self._factory.entries(self.state)

    def body(self, job_id: str) -> bytes | None:
        number = self._number(job_id)
        return None if number is None else self._factory.body(self.state, number)

    def stored(self, job_id: str) -> Stored | None:
        number = self._number(job_id)
        return None if number is None else self._factory.stored(self.state, number)

    def _number(self, job_id: str) -> int | None:
        number = number_of(job_id)
        return None if number is None or number >= self.state.count else number


class GeneratedJobs:
    """The jobs 0 to `count` - 1 of a seed, and those that are added; see `Jobs`."""

    def __init__(self, seed: int, count: int, population: Population) -> None:
        self._factory = _Factory(seed, population)
        self._view = _GeneratedView(self._factory, _State(begun=count))

    def body(self, job_id: str) -> bytes | None:
        """See `Jobs`."""
        return self._view.body(job_id)

    def view(self) -> _GeneratedView:
        """See `Jobs`."""
        return self._view

    def advance(self, limit: int | None) -> list[str]:
        """See `Jobs`: pending and suspended ones start, running ones finish; the oldest numbers come first."""
        state = self._view.state
        moving = sorted(
            (entry for entry in self._view.newest_first if entry.status not in FINAL), key=lambda entry: entry.ordinal
        )[:limit]
        if limit is None:
            state = replace(state, step=state.step + 1)
        else:
            further = {entry.ordinal: state.ahead.get(entry.ordinal, 0) + 1 for entry in moving}
            state = replace(state, ahead={**state.ahead, **further})
        self._view = _GeneratedView(self._factory, state)
        return [entry.id for entry in moving]

    def add(self, count: int) -> list[str]:
        """See `Jobs`: each is created a minute after the one before, the first after the anchor.

        Raises:
            UsageError: the count is negative.
        """
        if count < 0:
            msg = f"jobs: {count} is negative"
            raise UsageError(msg)
        state = self._view.state
        addition = _Addition(first=state.count, end=state.count + count, step=state.step)
        if count:
            state = replace(state, additions=(*state.additions, addition))
            self._view = _GeneratedView(self._factory, state)
        return [id_of(number) for number in range(addition.first, addition.end)]
