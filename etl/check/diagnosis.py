"""What `etl doctor` found: checks that each say what to do, and how they follow on each other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator
    from pathlib import Path

    from etl.extract.filters import TimeOf


class State(StrEnum):
    """What came of a check."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What one check tells.

    Attributes:
        state: what came of it.
        detail: what was found and, unless all is well, what to do: one line, masked.
    """

    state: State
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A check that was made, or skipped.

    Attributes:
        name: what was looked at.
        told: what came of it.
    """

    name: str
    told: Told


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What a run would be told, as far as it matters here.

    Attributes:
        output: folder of the dataset, absolute.
        settle_s: see `RunSettings`.
        overlap_s: see `RunSettings`.
        time_of: reads times, by the rules of the tables.
    """

    output: Path
    settle_s: float
    overlap_s: float
    time_of: TimeOf


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """All checks, in the order in which they were made."""

    checks: tuple[Check, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.count(State.WRONG)

    def count(self, state: State) -> int:
        """Return how many checks came out so."""
        return sum(check.told.state is state for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """Return the diagnosis as JSON values."""
        return {
            "sound": self.is_sound,
            "checks": [
                {"check": check.name, "state": check.told.state.value, "detail": check.told.detail}
                for check in self.checks
            ],
            "counts": {state.value: self.count(state) for state in State},
        }


def ok(detail: str) -> Told:
    """All is well."""
    return Told(state=State.OK, detail=detail)


def warning(detail: str) -> Told:
    """A run works, but somebody should know this."""
    return Told(state=State.WARNING, detail=detail)


def wrong(detail: str) -> Told:
    """A run would not work."""
    return Told(state=State.WRONG, detail=detail)


def skipped(detail: str) -> Told:
    """There was nothing to look at."""
    return Told(state=State.SKIPPED, detail=detail)


def chain(
    steps: Iterable[tuple[str, Callable[[], Told]]], *, needed: Container[str], mask: Callable[[str], str]
) -> Iterator[Check]:
    """Make checks one after the other; after a needed one that is wrong, the others are skipped.

    Args:
        steps: names, and how to check.
        needed: names of checks without which those that follow could tell nothing.
        mask: masks secrets in a text, and makes it one line.
    """
    broken: str | None = None
    for name, step in steps:
        if broken is not None:
            yield Check(name=name, told=skipped(f"{broken} is wrong: mend that first"))
            continue
        told = step()
        yield Check(name=name, told=Told(state=told.state, detail=mask(told.detail)))
        if told.state is State.WRONG and name in needed:
            broken = name
