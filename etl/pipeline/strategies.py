"""Which way a list of ids is fetched: as it was asked for, or what costs less by the number of jobs there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from etl.errors import EtlError
from etl.extract.mget import IDS_A_REQUEST
from etl.extract.retry import RetryPolicy
from etl.extract.walk.asking import Asking, StoppedError
from etl.extract.walk.pages import PAGE_SIZE, page_of
from etl.extract.walk.parts import Part
from etl.extract.walk.strategy import choose
from etl.settings import Strategy

if TYPE_CHECKING:
    from threading import Event

    from etl.extract.client import Client

_WORTH_COUNTING: Final = 20
"""Ids from which on a request that counts the jobs of the cluster may save some."""

_ONCE: Final = RetryPolicy(max_attempts=1, deadline_s=30.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """The way that is taken.

    Attributes:
        strategy: GET, PAGE or MGET.
        why: in words, with the cost where one was compared.
        requests: made to find out.
        least: requests that it takes at least, beside those.
    """

    strategy: Strategy
    why: str
    requests: int
    least: int


def count_jobs(client: Client, stop: Event) -> int | None:
    """Return how many jobs the cluster lists, at most what its list reaches; None where it does not say at once."""
    try:
        return page_of(Asking(client, stop=stop, policy=_ONCE), Part(), start=0, size=0).count
    except (EtlError, StoppedError):
        return None


def chosen(asked: Strategy, ids: int, client: Client, stop: Event) -> Chosen:
    """Choose how to fetch so many ids; AUTO costs a request where it may save some."""
    if asked is not Strategy.AUTO:
        return Chosen(strategy=asked, why=f"{asked}: as asked for", requests=0, least=_least(asked, ids, None))
    if ids < _WORTH_COUNTING:
        return Chosen(strategy=Strategy.GET, why=f"get: {ids} ids", requests=0, least=ids)
    count = count_jobs(client, stop)
    if count is None:
        why = f"get: {ids:,} ids; the list of all jobs did not answer when it was asked for their number"
        return Chosen(strategy=Strategy.GET, why=why, requests=1, least=ids)
    choice = choose(ids=ids, count=count)
    least = _least(choice.strategy, ids, choice.jobs)
    return Chosen(strategy=choice.strategy, why=str(choice), requests=1, least=least)


def _least(strategy: Strategy, ids: int, jobs: int | None) -> int:
    """Return the fewest requests; of a list that was not counted, those for the ids alone."""
    if strategy is Strategy.GET or not ids:
        return ids
    if strategy is Strategy.MGET:
        return -(-ids // IDS_A_REQUEST)
    return max(1, -(-(ids if jobs is None else jobs) // PAGE_SIZE))
