"""What goes wrong on purpose: by shares, seeded, the same for the nth request of an id in every sandbox."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b

from etl.errors import UsageError


class Fault(StrEnum):
    """A way in which one request goes wrong; the values are the names of the shares in `Faults`."""

    TOO_MANY = "too_many"
    TOO_MANY_WITH_RETRY_AFTER = "too_many_with_retry_after"
    BAD_GATEWAY = "bad_gateway"
    UNAVAILABLE = "unavailable"
    EDGE_PROXY = "edge_proxy"
    RESET = "reset"
    CUT = "cut"
    GARBAGE = "garbage"
    LIST_ANSWER = "list_answer"
    OTHER_JOB = "other_job"
    SLOW = "slow"


_OF_JOBS_ONLY = frozenset({Fault.LIST_ANSWER, Fault.OTHER_JOB})


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """Shares of requests, from 0 to 1, that go wrong in a way.

    Attributes:
        seed: another one picks other requests.
        too_many: 429 without Retry-After, as Elasticsearch answers.
        too_many_with_retry_after: 429 with Retry-After, as a proxy answers.
        bad_gateway: 502 with a page of HTML.
        unavailable: 503, no shard.
        edge_proxy: 404 by a proxy in front that knows no such cluster; says nothing about the job.
        reset: the connection is reset before an answer.
        cut: the answer ends before its content length.
        garbage: 200 with a page of HTML.
        list_answer: 200 with the list's envelope instead of a job.
        other_job: 200 with the document of another job.
        slow: the right answer, `delay_s` later.
        delay_s: seconds.
        retry_after_s: whole seconds, the value of Retry-After.
        max_in_row: requests of one id that go wrong one after the other at most, so that retries end.
        always_fail: ids that are answered with 503 every time, whatever `max_in_row` says.
    """

    seed: int = 1
    too_many: float = 0.0
    too_many_with_retry_after: float = 0.0
    bad_gateway: float = 0.0
    unavailable: float = 0.0
    edge_proxy: float = 0.0
    reset: float = 0.0
    cut: float = 0.0
    garbage: float = 0.0
    list_answer: float = 0.0
    other_job: float = 0.0
    slow: float = 0.0
    delay_s: float = 0.05
    retry_after_s: int = 1
    max_in_row: int = 3
    always_fail: frozenset[str] = frozenset()

    _shares: tuple[tuple[Fault, float], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shares = {fault: float(getattr(self, fault)) for fault in Fault}
        if min(shares.values()) < 0 or sum(shares.values()) > 1:
            msg = f"faults: shares are from 0 to 1 and add up to 1 at most, not {sum(shares.values()):g}"
            raise UsageError(msg)
        # Set once here, since most sandboxes have no faults and every request asks.
        object.__setattr__(self, "_shares", tuple((fault, share) for fault, share in shares.items() if share))

    def strike(self, key: str, nth: int, *, is_job: bool = True) -> Fault | None:
        """Return what goes wrong with the nth request of a key; None where nothing does.

        Args:
            key: the id of a job, or the path of another route.
            nth: from 1.
            is_job: whether one job is asked for; answers with the wrong job exist only there.
        """
        if key in self.always_fail:
            return Fault.UNAVAILABLE
        if not self._shares:
            return None
        if nth % (self.max_in_row + 1) == 0:  # a clean answer at fixed places bounds every row of faults
            return None
        digest = blake2b(f"{self.seed}\0{nth}\0{key}".encode("utf-8", "surrogateescape"), digest_size=7).digest()
        point = int.from_bytes(digest, "big") / 256**7
        for fault, share in self._shares:
            point -= share
            if point < 0:
                return fault if is_job or fault not in _OF_JOBS_ONLY else None
        return None


NO_FAULTS = Faults()

DEMO_FAULTS = Faults(
    too_many=0.05,
    too_many_with_retry_after=0.02,
    bad_gateway=0.03,
    unavailable=0.05,
    reset=0.03,
    cut=0.03,
    garbage=0.02,
    list_answer=0.01,
    other_job=0.02,
    slow=0.05,
)
"""What `etl demo --faults` shows: about a third of the requests go wrong, and all jobs arrive nevertheless."""
