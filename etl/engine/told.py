"""What a run and the workers of a Dask cluster say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl.errors import EtlError


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """Ids of one task, counted from its beginning.

    Attributes:
        answers: that have got their answers.
        failures: of these.
    """

    answers: int = 0
    failures: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """How far a worker is with a run.

    Attributes:
        tallies: of the tasks that it does now, by number.
        logged: levels and masked texts of log lines since it was asked last.
    """

    tallies: Mapping[int, Tally]
    logged: tuple[tuple[int, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """A task that was done.

    Attributes:
        result: of it.
        tally: of its ids.
    """

    result: Any
    tally: Tally


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """A task that ended with an error, which ends the run.

    Attributes:
        error: masked.
    """

    error: EtlError


@dataclass(frozen=True, kw_only=True, slots=True)
class Forsaken:
    """A task that was ended because the worker heard of the run no more: its result counts for nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Versions:
    """What has to be the same wherever batches run.

    Attributes:
        python: without the patch level.
        etl: of the project.
        pyarrow: whose files workers write and the run reads.
        distributed: what both speak.
    """

    python: str
    etl: str
    pyarrow: str
    distributed: str
