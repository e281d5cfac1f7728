"""How a run ends: out of the outcomes of its ids, the exit code, whether it publishes, and what to tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etl.errors import ExitCode
from etl.model import Outcome
from etl.pipeline.stop import SIGNALS, StopCause

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


_NOTHING = "nothing was published"
_NO_SUCH = f"the cluster has none of these ids, {_NOTHING}: is this the right cluster?"


def verdict(
    outcomes: Mapping[Outcome, int],
    *,
    answered: int,
    attempted: int,
    fatal: EtlError | None,
    stopped: StopCause | None,
    strict: bool,
    incomplete: int = 0,
    examples: Mapping[Outcome, Sequence[str]] | None = None,
) -> Verdict:
    """Decide how a run ends.

    Args:
        outcomes: number of ids by outcome; LOADED counts those that a plan may still find unchanged.
        answered: ids to which the cluster gave an answer of any status.
        attempted: ids for which a request was made; none where documents come from files.
        fatal: what ended the fetching.
        stopped: why it was ended before the last id.
        strict: whether an id that the cluster does not have counts as a failure.
        incomplete: parts of the cluster that could not be read.
        examples: by outcome, what a person has to correct, as far as there is room: invalid lines, and documents of
            files that are none.
    """
    count = _Count.of(outcomes, attempted=attempted, examples=examples or {})
    stays = _NOTHING
    if outcomes.get(Outcome.LOADED, 0) or count.missing:
        stays += "; what was fetched stays staged for the next run"
    if fatal is not None:
        return Verdict(exit_code=fatal.exit_code, publishes=False, problem=f"{fatal}; {stays}")
    if stopped in SIGNALS:
        return Verdict(exit_code=SIGNALS[stopped], publishes=False, problem=f"stopped by a signal; {stays}")
    if stopped is StopCause.FAILURES:
        problem = f"{stopped}; {stays}"
        return Verdict(exit_code=ExitCode.NOTHING_PUBLISHED, publishes=False, problem=problem)
    total = sum(outcomes.values())
    if total and count.wrong + count.missing == total:
        if attempted and not answered:
            problem = f"the cluster answered to no id: is it up, and is the address right? {_NOTHING.capitalize()}"
            return Verdict(exit_code=ExitCode.UNREACHABLE, publishes=False, problem=problem)
        problem = "; ".join([count.without_a_job(), *count.remedies()])
        return Verdict(
            exit_code=ExitCode.NOTHING_PUBLISHED, publishes=False, discards=count.missing > 0, problem=problem
        )
    shares = count.shares(strict=strict)
    if incomplete:
        shares.append(f"{incomplete} parts of the cluster not read to the end, see the warnings")
    if shares:
        why = f" ({stopped})" if stopped is not None else ""
        problem = "; ".join([f"incomplete: {', '.join(shares)}{why}", *count.remedies()])
        return Verdict(exit_code=ExitCode.INCOMPLETE, publishes=True, problem=problem)
    return Verdict(exit_code=ExitCode.OK, publishes=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Count:
    """Ids without a job. `broken` are documents of files that are none; no request brings better ones."""

    failed: int
    rejected: int
    broken: int
    invalid: int
    missing: int
    examples: Mapping[Outcome, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, outcomes: Mapping[Outcome, int], *, attempted: int, examples: Mapping[Outcome, Sequence[str]]
    ) -> _Count:
        rejected = outcomes.get(Outcome.REJECTED, 0)
        return cls(
            failed=outcomes.get(Outcome.FAILED, 0),
            rejected=rejected if attempted else 0,
            broken=0 if attempted else rejected,
            invalid=outcomes.get(Outcome.INVALID, 0),
            missing=outcomes.get(Outcome.NOT_FOUND, 0),
            examples=examples,
        )

    @property
    def wrong(self) -> int:
        return self.failed + self.rejected + self.broken + self.invalid

    def shares(self, *, strict: bool) -> list[str]:
        counts = {
            "failed": self.failed,
            "rejected": self.rejected + self.broken,
            "invalid": self.invalid,
            "not found (--strict)": self.missing if strict else 0,
        }
        return [f"{count} {name}" for name, count in counts.items() if count]

    def without_a_job(self) -> str:
        """Say that no id gave one."""
        if self.failed or self.rejected:
            what = "every id failed or was not found" if self.missing else "every id failed"
            return f"{what}, {_NOTHING}: see the reasons in failed.txt and outcomes.parquet"
        if self.missing:
            return _NO_SUCH
        return f"{'no document could be read' if self.broken else 'no line of the jobs file is an id'}, {_NOTHING}"

    def remedies(self) -> list[str]:
        remedies = []
        if self.failed or self.rejected:
            remedies.append("run again with the failed.txt of this run")
        if self.invalid:
            remedies.append(f"correct the invalid lines of the jobs file{self._named(Outcome.INVALID, self.invalid)}")
        if self.broken:
            named = self._named(Outcome.REJECTED, self.broken)
            remedies.append(f"correct these documents and replay the file again{named}")
        return remedies

    def _named(self, outcome: Outcome, number: int) -> str:
        examples = self.examples.get(outcome, ())
        more = f", and {number - len(examples):,} more in failed.txt" if number > len(examples) else ""
        return f" ({', '.join(examples)}{more})" if examples else ""
