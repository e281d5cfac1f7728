"""How a run ends: out of the outcomes of its ids, the exit code, whether it publishes, and what to tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl.errors import ExitCode
from etl.model import Outcome
from etl.pipeline.stop import StopCause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl.errors import EtlError


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The end of a run.

    Attributes:
        exit_code: of the command.
        publishes: whether what was fetched is published; if not, it stays staged.
        discards: whether what was staged is dropped: answers of what may be another cluster must not be adopted.
        problem: why the exit code is not 0, with the remedy.
    """

    exit_code: ExitCode
    publishes: bool
    discards: bool = False
    problem: str | None = None


_SIGNALS = {StopCause.INTERRUPTED: ExitCode.INTERRUPTED, StopCause.TERMINATED: ExitCode.TERMINATED}
_STAYS = "nothing was published; what was fetched stays staged for the next run"


def verdict(
    outcomes: Mapping[Outcome, int],
    *,
    answered: int,
    attempted: int,
    fatal: EtlError | None,
    stopped: StopCause | None,
    strict: bool,
    incomplete: int = 0,
) -> Verdict:
    """Decide how a run ends.

    Args:
        outcomes: number of ids by outcome; LOADED counts those that a plan may still find unchanged.
        answered: ids to which the cluster gave an answer of any status.
        attempted: ids for which a request was made.
        fatal: what ended the fetching.
        stopped: why it was ended before the last id.
        strict: whether an id that the cluster does not have counts as a failure.
        incomplete: parts of the cluster that could not be read.
    """
    total = sum(outcomes.values())
    failed, rejected, invalid, missing = (
        outcomes.get(outcome, 0) for outcome in (Outcome.FAILED, Outcome.REJECTED, Outcome.INVALID, Outcome.NOT_FOUND)
    )
    if fatal is not None:
        return Verdict(exit_code=fatal.exit_code, publishes=False, problem=f"{fatal}; {_STAYS}")
    if stopped in _SIGNALS:
        return Verdict(exit_code=_SIGNALS[stopped], publishes=False, problem=f"stopped by a signal; {_STAYS}")
    if stopped is StopCause.FAILURES:
        problem = f"{stopped}; {_STAYS}"
        return Verdict(exit_code=ExitCode.NOTHING_PUBLISHED, publishes=False, problem=problem)
    if total and failed + rejected + invalid == total:
        if attempted and not answered:
            problem = "the cluster answered to no id: is it up, and is the address right? Nothing was published"
            return Verdict(exit_code=ExitCode.UNREACHABLE, publishes=False, problem=problem)
        problem = "every id failed, nothing was published: see the reasons in failed.txt and outcomes.parquet"
        return Verdict(exit_code=ExitCode.NOTHING_PUBLISHED, publishes=False, problem=problem)
    if total and missing == total:
        problem = "the cluster has none of these ids, nothing was published: is this the right cluster?"
        return Verdict(exit_code=ExitCode.NOTHING_PUBLISHED, publishes=False, discards=True, problem=problem)
    shares = [
        f"{count} {name}"
        for count, name in (
            (failed, "failed"),
            (rejected, "rejected"),
            (invalid, "invalid"),
            (missing if strict else 0, "not found (--strict)"),
        )
        if count
    ]
    if incomplete:
        shares.append(f"{incomplete} parts of the cluster not read to the end, see the warnings")
    if shares:
        why = f" ({stopped})" if stopped is not None else ""
        problem = "; ".join([f"incomplete: {', '.join(shares)}{why}", *_remedies(failed + rejected, invalid)])
        return Verdict(exit_code=ExitCode.INCOMPLETE, publishes=True, problem=problem)
    return Verdict(exit_code=ExitCode.OK, publishes=True)


def _remedies(to_retry: int, invalid: int) -> list[str]:
    remedies = {
        "run again with the failed.txt of this run": to_retry,
        "correct the invalid lines of the jobs file, which outcomes.parquet names": invalid,
    }
    return [remedy for remedy, count in remedies.items() if count]
