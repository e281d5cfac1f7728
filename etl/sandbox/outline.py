"""What is decided about a job before its document is written: cheap enough to sort and filter all jobs by it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from etl.sandbox.dice import Dice
from etl.sandbox.population import DEMO_POPULATION
from etl.sandbox.stamps import DAY, SECOND, nanoseconds

if TYPE_CHECKING:
    from etl.sandbox.connectors import Connector
    from etl.sandbox.population import Population

ANCHOR = datetime(2025, 11, 1, tzinfo=UTC)
"""The sandbox's present: only jobs that are added later are created after it. Fixed, so that a job is the same whenever
it is asked for, and past, so that finished jobs are settled."""

_END = nanoseconds(ANCHOR)
_BEGIN = nanoseconds(ANCHOR.replace(year=ANCHOR.year - 2))
_LONGEST = 2 * DAY  # what has ended was created at least this long ago


class Part(IntEnum):
    """Each part of a job has its own stream of choices, so that a change to one leaves the others as they are."""

    OUTLINE = 0
    COURSE = 1
    DOCUMENT = 2
    FILTERING = 3
    CONFIGURATION = 4
    QUIRK = 5
    CONNECTOR = 6


class Writer(StrEnum):
    """Who put the document into the index."""

    FLAT = "flat 8.5"
    RUBY = "ruby"
    PYTHON_8_6 = "python 8.6"
    PYTHON_8_7 = "python 8.7"
    PYTHON_8_9 = "python 8.9-8.16"
    KIBANA = "kibana start_sync"
    JAVA = "java post"


_ERAS = (  # the share of the 24 months at which a writer's time is over, as if the cluster had been upgraded
    (0.06, (Writer.FLAT, Writer.RUBY)),
    (0.14, (Writer.RUBY, Writer.PYTHON_8_6)),
    (0.22, (Writer.PYTHON_8_7,)),
    (0.60, (Writer.PYTHON_8_9, Writer.PYTHON_8_9, Writer.KIBANA)),
    (1.01, (Writer.JAVA,)),
)
_OUT_OF_ERA = 0.12  # connectors that nobody upgraded, or upgraded first
_OPEN_OUT_OF_ERA = 0.5  # open jobs are recent: without this they would all be written by the newest
_WRITERS = tuple(Writer)
_BEFORE_JOB_TYPE = frozenset({Writer.FLAT, Writer.RUBY, Writer.PYTHON_8_6, Writer.PYTHON_8_7})
_TYPED = tuple(writer for writer in Writer if writer not in _BEFORE_JOB_TYPE)
_UNTYPED = tuple(writer for writer in Writer if writer in _BEFORE_JOB_TYPE)
_OPEN = (("in_progress", 0.34), ("pending", 0.28), ("suspended", 0.22), ("canceling", 0.16))
_OPEN_SHARE = 0.07
_CANCELED_SHARE = 0.05
_ADDED = (("pending", 0.4), ("in_progress", 0.3), ("completed", 0.25), ("error", 0.05))
_ADDED_EVERY = 60 * SECOND


FINAL = frozenset({"completed", "error", "canceled"})
"""The statuses that stay."""

_NEXT = {
    "pending": "in_progress",
    "suspended": "in_progress",
    "in_progress": "completed",
    "canceling": "canceled",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Outline:
    """A job in short.

    Attributes:
        number: of the job, from 0.
        step: how often the sandbox has been advanced.
        first_status: status at step 0.
        status: status at this step.
        created: nanoseconds since 1970.
        is_dated: False where the document has no `created_at`.
        kind: full, incremental or access_control, also where the document does not say it.
        job_type: as in the document; None for writers older than 8.9.
    """

    number: int
    step: int
    writer: Writer
    connector: Connector
    kind: str
    job_type: str | None
    trigger_method: str
    first_status: str
    status: str
    created: int
    is_dated: bool

    @property
    def version(self) -> int:
        """How often the document was written: once, and once for each status that followed."""
        return 1 + sum(
            status_at(self.first_status, step) != status_at(self.first_status, step - 1)
            for step in range(1, self.step + 1)
        )


def outline_of(
    seed: int, number: int, *, step: int = 0, population: Population = DEMO_POPULATION, added: int | None = None
) -> Outline:
    """Decide the outline of a job; the same arguments give the same outline.

    Args:
        seed: of the whole sandbox, from 0.
        number: of the job, from 0.
        step: how often running jobs have moved on.
        population: whose jobs there are.
        added: the job's place, from 0, among those that came after the anchor; None for the others.
    """
    dice = Dice(seed, number, Part.OUTLINE)
    connector = dice.weighted(population.by_weight)
    lot = None if population.quotas is None else population.quotas.lot(number)
    if lot is not None:
        connector = population.connectors[lot.connector]
    first_status = _first_status(dice, connector) if added is None else dice.weighted(_ADDED)
    created = _created(dice, first_status, added)
    if lot is not None and lot.is_tied and added is None:
        created = created // DAY * DAY
    writer = _writer(dice, created, _OPEN_OUT_OF_ERA if first_status in _NEXT else _OUT_OF_ERA)
    if lot is not None and lot.is_untyped != (writer in _BEFORE_JOB_TYPE):
        writer = dice.pick(_UNTYPED if lot.is_untyped else _TYPED)
    kind = _kind(dice, connector) if writer not in _BEFORE_JOB_TYPE else "full"
    trigger = "on_demand" if writer is Writer.KIBANA or dice.chance(0.15) else "scheduled"
    return Outline(
        number=number,
        step=step,
        writer=writer,
        connector=connector,
        kind=kind,
        job_type=None if writer in _BEFORE_JOB_TYPE else kind,
        trigger_method=trigger,
        first_status=first_status,
        status=status_at(first_status, step),
        created=created,
        is_dated=added is not None or not (dice.chance(0.003) if lot is None else lot.is_undated),
    )


def status_at(first_status: str, step: int) -> str:
    """Return the status of a job after so many steps; a final one stays.

    >>> [status_at("pending", step) for step in range(4)]
    ['pending', 'in_progress', 'completed', 'completed']
    """
    status = first_status
    for _ in range(min(step, len(_NEXT))):
        status = _NEXT.get(status, status)
    return status


def _created(dice: Dice, first_status: str, added: int | None) -> int:
    if added is not None:
        created = _END + (added + 1) * _ADDED_EVERY
    elif first_status in _NEXT:
        created = _END - dice.between(1, 36 * 3600) * SECOND
    else:
        created = _BEGIN + int(dice.share() * (_END - _LONGEST - _BEGIN))
    return created // SECOND * SECOND + dice.between(0, SECOND - 1)


def _first_status(dice: Dice, connector: Connector) -> str:
    point = dice.share()
    if point < _OPEN_SHARE:
        return dice.weighted(_OPEN)
    point -= _OPEN_SHARE
    if point < _CANCELED_SHARE:
        return "canceled"
    return "error" if point - _CANCELED_SHARE < connector.failures else "completed"


def _writer(dice: Dice, created: int, out_of_era: float) -> Writer:
    if dice.chance(out_of_era):
        return dice.pick(_WRITERS)
    age = min((created - _BEGIN) / (_END - _BEGIN), 1.0)
    return dice.pick(next(writers for until, writers in _ERAS if age < until))


def _kind(dice: Dice, connector: Connector) -> str:
    point = dice.share()
    if connector.has_cursor:
        return "incremental" if point < 0.6 else "access_control" if point < 0.7 else "full"  # noqa: PLR2004 - shares
    return "access_control" if point < 0.05 else "full"  # noqa: PLR2004 - a share
