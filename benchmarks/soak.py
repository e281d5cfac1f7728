"""Many short runs against a sandbox with faults on, where jobs come and move on, and random kills; verifies after each.

    python benchmarks/soak.py --runs 1000

Between the runs, and during every third of them, jobs are scheduled and others progress. Runs ask for a list of all ids
in every way there is, or for the whole cluster, while half of the requests go wrong; one run in six is killed with
SIGKILL, at a change on disk or at any moment. After each the dataset must verify. After one that ended it must hold
exactly the jobs that the sandbox has, in their present states; where jobs moved meanwhile, no fewer than before it.
Ends with 1 at the first that does not, and leaves its folder.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from benches import Bench
from commands import etl as command
from kills import killed_run

import etl
from etl.extract import retry
from etl.sandbox.faults import Faults
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

_KILLED = 1 / 6
_MOVING = 1 / 3
_STEPS = 160  # about as many changes on disk as a run makes that publishes
_LASTS_S = 2.0  # about as long as it takes
_JOBS = 60
_BASE_S = 0.02  # waits between attempts cost time and try nothing
_FAULTS = Faults(
    too_many=0.1,
    too_many_with_retry_after=0.01,
    bad_gateway=0.05,
    unavailable=0.1,
    reset=0.06,
    cut=0.06,
    garbage=0.05,
    list_answer=0.02,
    other_job=0.03,
    slow=0.03,
)
_WAYS = (("jobs.txt",), ("jobs.txt", "--strategy", "get"), ("jobs.txt", "--strategy", "page"),
         ("jobs.txt", "--strategy", "mget"), ("--all",), ("--all",))  # fmt: skip
_SPREAD = (("--batch-size", "20"), ("--batch-size", "2"), ("--batch-size", "3", "--workers", "2"))
_PRUNING = ("--keep-snapshots", "2", "--keep-hours", "0", "--keep-runs", "5")


class Soak:
    """A dataset, the sandbox that it is of, and what came of the runs so far.

    Args:
        folder: empty.
        sandbox: grows.
        seed: of what is chosen.

    Attributes:
        ended: how many runs ended how.
        ways: how many runs ended that asked in a way.
    """

    def __init__(self, folder: Path, sandbox: Sandbox, seed: int) -> None:
        self.ended: Counter[str] = Counter()
        self.ways: Counter[str] = Counter()
        self.bench = Bench(folder=folder, documents={}, sandbox=sandbox)
        self.sandbox = sandbox
        self._chosen = random.Random(seed)  # noqa: S311 - chosen to be repeatable

    def run(self) -> None:
        """Let jobs come and move on, run once, and look at what is published."""
        chosen, sandbox = self._chosen, self.sandbox
        sandbox.add_jobs(chosen.randint(0, 3))
        sandbox.advance(limit=chosen.randint(0, 4))
        before = sandbox.statuses()
        (self.bench.folder / "jobs.txt").write_text("\n".join(before))
        way = chosen.choice(_WAYS)
        arguments = ["run", *way, "--json", "-q", *chosen.choice(_SPREAD), *_PRUNING]
        is_killed, is_moving = chosen.random() < _KILLED, chosen.random() < _MOVING
        with _moving(sandbox) if is_moving else _still():
            if is_killed:
                self._kill(arguments)
            else:
                self._live(arguments)
                self.ways["all" if way == ("--all",) else (*way, "", "auto")[2]] += 1
        if (self.bench.output / "latest").exists():
            checked = command("verify", "--output", str(self.bench.output))
            assert checked.code == 0, checked.out
            self.ended["verified"] += 1
            self._compare(before, is_exact=not (is_killed or is_moving), is_ended=not is_killed)

    def _live(self, arguments: list[str]) -> None:
        env = {
            "ELASTICSEARCH_URL": self.sandbox.url,
            "ELASTICSEARCH_API_KEY": self.sandbox.api_key,
            "ETL_OUTPUT": str(self.bench.output),
            "ETL_JOBS_FILE": "",
        }
        arguments = [str(self.bench.folder / "jobs.txt") if word == "jobs.txt" else word for word in arguments]
        with mock.patch.object(retry, "BASE_S", _BASE_S):
            run = command(*arguments, env=env)
        assert run.code == 0, f"exit {run.code}: {' '.join(arguments)}\n{run.out}\n{run.err}"
        summary = json.loads(run.out)
        assert sum(summary["outcomes"].values()) == summary["requested"], run.out
        self.ended["published" if summary["snapshot"] else "unchanged"] += 1

    def _kill(self, arguments: list[str]) -> None:
        at, within_s = 0, None
        if self._chosen.random() < 0.5:
            at = self._chosen.randrange(1, _STEPS)
        else:
            within_s = self._chosen.uniform(0.2, _LASTS_S)
        died = killed_run(
            self.bench.folder, self.sandbox, at, arguments=arguments, within_s=within_s, KILLED_RUN_BASE_S=str(_BASE_S)
        )
        assert died.returncode in {-9, 0}, died.stderr
        how = "at a change on disk" if at else "at any moment"
        self.ended[f"killed {how}" if died.returncode else "outlived its kill"] += 1

    def _compare(self, before: dict[str, str | None], *, is_exact: bool, is_ended: bool) -> None:
        """Compare what is published with what the sandbox had before the run, and has now."""
        jobs = etl.open_dataset(self.bench.output)["sync_jobs"]
        published = dict(zip(jobs["job_id"], jobs["status"].where(jobs["status"].notna(), None), strict=True))
        assert len(published) == len(jobs), "jobs are doubled"
        assert jobs["not_found_at"].isna().all(), "jobs are marked as not found"
        now = self.sandbox.statuses()
        assert published.keys() <= now.keys(), f"not of this cluster: {sorted(published.keys() - now.keys())[:5]}"
        if is_ended:
            assert before.keys() <= published.keys(), f"lost: {sorted(before.keys() - published.keys())[:5]}"
        if is_exact:
            other = [(job_id, published[job_id], now[job_id]) for job_id in now if published[job_id] != now[job_id]]
            assert not other, f"published in another state than the cluster's: {other[:5]}"


@contextmanager
def _moving(sandbox: Sandbox) -> Iterator[None]:
    """Let a job come, and one move on, again and again meanwhile."""
    over = threading.Event()

    def move() -> None:
        while not over.wait(0.3):
            sandbox.add_jobs(1)
            sandbox.advance(limit=1)

    thread = threading.Thread(target=move)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def _still() -> Iterator[None]:
    yield


def main() -> None:
    """Run, kill, verify, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=3)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="etl-soak-"))
    started = time.monotonic()
    with Sandbox(SandboxSettings(jobs=_JOBS, faults=_FAULTS)) as sandbox:
        soak = Soak(folder, sandbox, given.seed)
        for number in range(given.runs):
            try:
                soak.run()
            except AssertionError as error:
                sys.exit(f"run {number} of seed {given.seed}: {error}\nits folder: {folder}")
            if number % 50 == 49:
                print(f"{number + 1:,} runs, {dict(soak.ended)}", file=sys.stderr, flush=True)
        jobs, faults, requests = len(sandbox.statuses()), sandbox.faults, sandbox.requests_by_route.total()
    shutil.rmtree(folder)
    print(f"{given.runs:,} runs over {jobs:,} jobs: {_told(soak.ended)}; {time.monotonic() - started:.0f} s")
    print(f"  those that ended asked by: {_told(soak.ways)}")
    print(f"  {faults.total():,} of {requests:,} requests went wrong: {_told(faults)}")


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.most_common())


if __name__ == "__main__":
    main()
