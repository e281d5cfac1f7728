"""What all ids of one fetcher share: how answers are judged, what the cluster bears, and what ends it all."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from etl.errors import EtlError, UnreachableError
from etl.extract.answers import Verdict, judge, judge_error
from etl.extract.pressure import Pressure, Sign
from etl.extract.reasons import MAX_REASON, one_line
from etl.extract.refusals import asker
from etl.extract.retry import Surroundings, policy_of, retry_after_seconds
from etl.model import Answer, AnswerKind

if TYPE_CHECKING:
    from threading import Event

    from etl.extract.client import Client
    from etl.extract.retry import RetryPolicy, Tried
    from etl.extract.wire import Response

NOT_ATTEMPTED: Final = "not_attempted: "
"""How the reason of an id that was not asked for begins; the cause follows."""

INTERRUPTED: Final = "interrupted"
"""The cause where the fetcher was told to stop; by whom it does not know."""

SLICE_S: Final = 0.2
"""The longest wait until it is seen that the fetching is halted: it is by several causes, and an event tells of one."""

_WINDOW: Final = 2  # ids under way or answered and not yet taken, for each request: none waits, and memory is bounded
_OUTAGE_ROUNDS: Final = 3
_OUTAGE_LEAST: Final = 20
_PUSHING_BACK: Final = frozenset({429, 503})
_TAKEN: Final = frozenset({AnswerKind.DOCUMENT, AnswerKind.NOT_FOUND})


class Effort:
    """The common part of fetching many ids.

    Args:
        client: of the cluster.
        version: of the cluster, where it is known: it names the missing privilege.
        policy: how to repeat; None for that of the connection.
        world: clock, time and chance; None for the real ones.

    Attributes:
        client: the same.
        policy: how to repeat.
        world: clock, time and chance.
        concurrency: requests under way at most.
        window: ids taken on and not yet given back at most.
        pressure: the gate that every request passes.
        fatal: the error that ends the run, once there is one.
    """

    def __init__(
        self, client: Client, *, version: str | None, policy: RetryPolicy | None, world: Surroundings | None
    ) -> None:
        self.client = client
        self.policy = policy or policy_of(client.connection)
        self.world = world or Surroundings()
        self.concurrency = client.connection.concurrency
        self.window = _WINDOW * self.concurrency
        self.pressure = Pressure(self.concurrency, self.world.clock)
        self.fatal: EtlError | None = None
        self._who = asker(client, version)
        self._outage_after = max(_OUTAGE_LEAST, _OUTAGE_ROUNDS * self.concurrency)
        self._unanswered = 0
        self._closed = threading.Event()
        self._lock = threading.Lock()

    def halt(self) -> None:
        """Let no further request be made."""
        self._closed.set()

    def halted(self, stop: Event) -> str | None:
        """Say why no further request is made; None where they go on."""
        if self.fatal is not None:
            return str(self.fatal)
        return INTERRUPTED if stop.is_set() or self._closed.is_set() else None

    def verdict(self, job_id: str, end: Response | EtlError) -> Verdict:
        """Judge what a request for a job ended with."""
        return judge_error(end, self._who) if isinstance(end, EtlError) else judge(job_id, end, self._who)

    def sign(self, verdict: Verdict) -> Sign:
        """Return what a verdict says about the strength of the cluster."""
        if verdict.status in _PUSHING_BACK:
            return Sign.PUSHED_BACK
        return Sign.TAKEN if verdict.kind in _TAKEN else Sign.NONE

    def pause_s(self, verdict: Verdict) -> float:
        """Return for how long the cluster asks to be left alone; 0 where it does not, or for longer than we wait."""
        if verdict.retry_after is None:
            return 0.0
        seconds = retry_after_seconds(verdict.retry_after, self.world.now()) or 0.0
        return seconds if seconds <= self.policy.retry_after_cap_s else 0.0

    def answer(self, job_id: str, tried: Tried[Verdict], status: int | None) -> Answer:
        """Return the answer to an id; an error that ends the run is kept.

        Args:
            job_id: the id.
            tried: what came of all attempts.
            status: of the last of them that was answered; None where none was.
        """
        last = tried.last
        if last.fatal is not None:
            self._end_with(last.fatal)
        reason = last.reason
        if reason is not None and tried.gave_up is not None:
            suffix = f"; {tried.gave_up}"
            reason = one_line(reason, self.client.mask, MAX_REASON - len(suffix)) + suffix
        return Answer(
            id=job_id,
            kind=last.kind,
            body=last.body,
            http_status=status,
            attempts=tried.attempts,
            elapsed_s=tried.elapsed_s,
            reason=reason,
            fetched_at=self.world.now(),
        )

    def not_attempted(self, job_id: str, cause: str) -> Answer:
        """Return the answer to an id that is not asked for."""
        reason = one_line(f"{NOT_ATTEMPTED}{cause}", self.client.mask)
        return Answer(id=job_id, kind=AnswerKind.FAILED, reason=reason, fetched_at=self.world.now())

    def taken(self, answer: Answer) -> Answer:
        """Note that an answer is given back; a row of ids without any answer is a cluster that is gone.

        Each costs minutes, and a run has many.
        """
        if answer.http_status is not None:
            self._unanswered = 0
        elif answer.attempts:
            self._unanswered += 1
            if self._unanswered >= self._outage_after:
                msg = f"{self._who.url} gave no answer for {self._unanswered} ids in a row; the last: {answer.reason}"
                self._end_with(UnreachableError(msg))
        return answer

    def _end_with(self, error: EtlError) -> None:
        with self._lock:
            if self.fatal is None:
                self.fatal = error
