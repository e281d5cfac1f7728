"""A run against a sandbox in which many requests go wrong, and the account of every id afterwards."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from unittest import mock

import pandas as pd
from benches import Bench

from etl.extract import retry
from etl.sandbox.faults import Faults
from etl.sandbox.identity import id_of
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from pathlib import Path

    from commands import Ended

FAULTS = Faults(
    too_many=0.20,
    unavailable=0.10,
    reset=0.05,
    cut=0.05,
    garbage=0.02,
    list_answer=0.02,
    other_job=0.02,
    max_in_row=3,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultyRun:
    """What a run through faults left behind.

    Attributes:
        asked: the ids, in order.
        hopeless: those that no request is answered for.
        ended: the command.
        outcomes: outcomes.parquet.
        published: the ids of the published jobs, repeats included.
        failed: reasons by id, out of failed.txt.
        requests: how often the sandbox was asked for each id.
    """

    asked: tuple[str, ...]
    hopeless: frozenset[str]
    ended: Ended
    outcomes: pd.DataFrame
    published: tuple[str, ...]
    failed: dict[str, str]
    requests: dict[str, int]

    def problems(self) -> list[str]:
        """Say what does not add up; nothing where all does."""
        asked, told = Counter(self.asked), self.ended.summary
        lasting = asked.keys() - self.hopeless
        rows = self.outcomes.set_index("id")
        checks = {
            f"exit code {self.ended.code}: {self.ended.err}": self.ended.code == (3 if self.hopeless else 0),
            "requested is not the number of ids": told["requested"] == len(asked),
            "the outcomes do not add up": sum(told["outcomes"].values()) == told["requested"],
            "not every good id is loaded": told["outcomes"]["loaded"] == len(lasting),
            "not every hopeless id failed": told["outcomes"]["failed"] == len(self.hopeless),
            "outcomes.parquet has other ids, or repeats": Counter(self.outcomes["id"]) == asked,
            "outcomes.parquet counts otherwise": Counter(self.outcomes["outcome"])
            == {name: count for name, count in told["outcomes"].items() if count},
            "attempts are not the requests that the cluster saw": rows["attempts"].to_dict() == self.requests,
            "published jobs are lost or doubled": Counter(self.published) == Counter(lasting),
            "failed.txt has other ids": self.failed.keys() == self.hopeless,
            "a reason in failed.txt is not that of outcomes.parquet": all(
                rows["reason"][job_id] == reason for job_id, reason in self.failed.items()
            ),
            "a failure has another reason": all(
                reason.startswith("503: ") and "given up after" in reason for reason in self.failed.values()
            ),
            "a loaded id has a reason": rows.loc[sorted(lasting), "reason"].isna().all(),
        }
        return [problem for problem, holds in checks.items() if not holds]


def run_through_faults(
    folder: Path, jobs: int, *, hopeless: float = 0.0, seed: int = 1, concurrency: int = 8, base_s: float | None = None
) -> FaultyRun:
    """Run the main job while 46 of 100 requests go wrong, at most three in a row for one id.

    Args:
        folder: empty.
        jobs: how many.
        hopeless: the share of ids whose every request goes wrong, from 0 to 1.
        seed: of the faults.
        concurrency: of the run.
        base_s: the longest first wait between attempts; None for that of every run.
    """
    asked = tuple(id_of(number) for number in range(jobs))
    never = frozenset(asked[:: round(1 / hopeless)]) if hopeless else frozenset[str]()
    faults = replace(FAULTS, seed=seed, always_fail=never)
    waits = retry.BASE_S if base_s is None else base_s
    with Sandbox(SandboxSettings(jobs=jobs, faults=faults)) as sandbox:
        bench = Bench(folder=folder, documents=dict.fromkeys(asked), sandbox=sandbox)
        with mock.patch.object(retry, "BASE_S", waits):
            ended = bench.run("--concurrency", str(concurrency), "--strategy", "get")
        requests = bench.asked()
    run = bench.output / "runs" / ended.summary["run_id"]
    failed_file = run / "failed.txt"
    lines = failed_file.read_text().splitlines() if failed_file.exists() else []
    return FaultyRun(
        asked=asked,
        hopeless=never,
        ended=ended,
        outcomes=pd.read_parquet(run / "outcomes.parquet"),
        published=tuple(pd.read_parquet(bench.output / "latest" / "sync_jobs", columns=["job_id"])["job_id"]),
        failed={job_id: reason for job_id, _, reason in (line.partition(" # ") for line in lines)},
        requests=requests,
    )
