"""How to fetch a list of ids: one by one, or by walking the whole list of jobs; a cost decides that can be shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from etl.extract.walk.pages import PAGE_SIZE, REACH
from etl.settings import Strategy

DOCUMENT_COST: Final = 0.05
"""What a document costs beside a request, which costs 1: about 4 kB to send and read, against a round trip."""

_SPLIT_COST: Final = 1.5  # requests of a walk by parts, against pages of one list
_UNCOUNTED: Final = 3  # a count that stands where counting ends is taken for so many times as much


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What is cheaper, and why.

    Attributes:
        strategy: GET or PAGE: the index is never read unasked.
        ids: that are to be fetched.
        jobs: that the cluster has, or is taken to have.
        is_exact: whether they were counted.
        get_cost: of one request for each id, in requests.
        page_cost: of walking all jobs, in requests.
    """

    strategy: Strategy
    ids: int
    jobs: int
    is_exact: bool
    get_cost: float
    page_cost: float

    def __str__(self) -> str:
        about = "" if self.is_exact else "perhaps "
        return (
            f"{self.strategy}: {self.ids:,} ids of {about}{self.jobs:,} jobs cost {self.get_cost:,.0f} one by one, "
            f"{self.page_cost:,.0f} by walking the list"
        )


def choose(*, ids: int, count: int, reach: int = REACH, page_size: int = PAGE_SIZE) -> Choice:
    """Choose how to fetch ids. A request costs 1, a document in an answer DOCUMENT_COST.

    Args:
        ids: that are to be fetched.
        count: of all jobs, as the list gives it.
        reach: where it stops counting; what stands there is taken for three times as many, or as many as three times
            the ids, and a walk for half as long again.
        page_size: jobs on a page.

    >>> choose(ids=9_000, count=9_500).strategy, choose(ids=50, count=9_500).strategy
    (<Strategy.PAGE: 'page'>, <Strategy.GET: 'get'>)
    """
    is_exact = count < reach
    jobs = count if is_exact else _UNCOUNTED * max(reach, ids)
    pages = max(1, -(-jobs // page_size)) * (1.0 if is_exact else _SPLIT_COST)
    get_cost = ids * (1 + DOCUMENT_COST)
    page_cost = pages + jobs * DOCUMENT_COST
    return Choice(
        strategy=Strategy.PAGE if page_cost < get_cost else Strategy.GET,
        ids=ids,
        jobs=jobs,
        is_exact=is_exact,
        get_cost=get_cost,
        page_cost=page_cost,
    )
