"""Whose jobs a sandbox has, and in which numbers: drawn by weight for the demo, exact where a test counts."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from itertools import accumulate
from math import gcd

from etl.errors import UsageError
from etl.sandbox.connectors import CONNECTORS, Connector

_SHARES = (0.618034, 0.414214, 0.732051, 0.236068)  # irrational: neighbours of one spread are far apart in another


@dataclass(frozen=True, kw_only=True, slots=True)
class Lot:
    """What the quotas decide about one job.

    Attributes:
        connector: its position in `Population.connectors`.
    """

    connector: int
    is_untyped: bool
    is_undated: bool
    is_tied: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Quotas:
    """Exact numbers of jobs in every round, spread evenly over it.

    A round is as many jobs in a row as `by_connector` adds up to, whichever is the first.

    Attributes:
        by_connector: jobs of each connector, in the order of `Population.connectors`.
        untyped: jobs by writers that knew no `job_type`; an oddity may put an unknown one into a few.
        undated: jobs without `created_at`.
        tied: jobs created in the first moment of a day, so that several share it (less those that are undated).

    Raises:
        UsageError: a number is negative, there is no job, or a quota is larger than a round.
    """

    by_connector: tuple[int, ...]
    untyped: int = 0
    undated: int = 0
    tied: int = 0

    _ends: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _strides: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        size = sum(self.by_connector)
        numbers = (*self.by_connector, self.untyped, self.undated, self.tied)
        if size < 1 or min(numbers) < 0 or max(numbers) > size:
            msg = (
                f"quotas: numbers of a round of {size} jobs are from 0 to {size}, not {min(numbers)} or {max(numbers)}"
            )
            raise UsageError(msg)
        object.__setattr__(self, "_ends", tuple(accumulate(self.by_connector)))
        object.__setattr__(self, "_strides", tuple(_stride(size, share) for share in _SHARES))

    def lot(self, number: int) -> Lot:
        """Return what falls to a job."""
        size = self._ends[-1]
        connector, untyped, undated, tied = (number * stride % size for stride in self._strides)
        return Lot(
            connector=bisect_right(self._ends, connector),
            is_untyped=untyped < self.untyped,
            is_undated=undated < self.undated,
            is_tied=tied < self.tied,
        )


def _stride(size: int, share: float) -> int:
    """Return a step that visits each place of a round once before it comes back."""
    stride = max(1, int(size * share))
    while gcd(stride, size) != 1:
        stride += 1
    return stride


@dataclass(frozen=True, kw_only=True, slots=True)
class Population:
    """The connectors of a sandbox.

    Attributes:
        connectors: whose jobs there are; without quotas their weights, which add up to 1, are their shares.
        deleted: ids of connectors that are gone, while their jobs remain.
        quotas: exact numbers of jobs; None where all is drawn.

    Raises:
        UsageError: the quotas are of another number of connectors, or a deleted connector is none of them.
    """

    connectors: tuple[Connector, ...] = CONNECTORS
    deleted: frozenset[str] = frozenset()
    quotas: Quotas | None = None

    by_weight: tuple[tuple[Connector, float], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        unknown = sorted(self.deleted - {connector.id for connector in self.connectors})
        if unknown:
            msg = f"population: {unknown[0]} is deleted, but none of the connectors"
            raise UsageError(msg)
        if self.quotas is not None and len(self.quotas.by_connector) != len(self.connectors):
            msg = f"population: {len(self.quotas.by_connector)} quotas for {len(self.connectors)} connectors"
            raise UsageError(msg)
        object.__setattr__(self, "by_weight", tuple((one, one.weight) for one in self.connectors))


DEMO_POPULATION = Population()


def large_population(
    *,
    jobs: int = 60_000,
    connectors: int = 40,
    largest: int = 25_000,
    deleted: int = 3,
    untyped: int = 500,
    undated: int = 60,
    tied: int = 3_000,
) -> Population:
    """Return a population beyond what one list can page through; for a sandbox of as many jobs.

    Args:
        jobs: of a round, and what the sandbox should be given.
        connectors: how many there are, variants of the demo's.
        largest: jobs of the first connector; the others share the rest evenly.
        deleted: how many connectors are gone: the last ones.
        untyped: see `Quotas`.
        undated: see `Quotas`.
        tied: see `Quotas`.

    Raises:
        UsageError: there are no two connectors, or see `Quotas`.
    """
    if connectors < 2 or not 0 <= deleted <= connectors:  # noqa: PLR2004 - a largest one and the others
        msg = f"population: {deleted} of {connectors} connectors cannot be deleted; at least two connectors are needed"
        raise UsageError(msg)
    crowd = tuple(_variant(place) for place in range(connectors))
    share, rest = divmod(jobs - largest, connectors - 1)
    others = tuple(share + (place < rest) for place in range(connectors - 1))
    return Population(
        connectors=crowd,
        deleted=frozenset(connector.id for connector in crowd[connectors - deleted :]),
        quotas=Quotas(by_connector=(largest, *others), untyped=untyped, undated=undated, tied=tied),
    )


def _variant(place: int) -> Connector:
    """Return the demo's connectors first, then copies of them under other names."""
    copy, position = divmod(place, len(CONNECTORS))
    base = CONNECTORS[position]
    if copy == 0:
        return base
    return replace(base, id=f"{base.id}-{copy + 1}", index_name=f"{base.index_name}-{copy + 1}")
