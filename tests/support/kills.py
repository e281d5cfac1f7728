"""A run that is killed by SIGKILL at a chosen change on disk, and what readers and the next run then find."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from documents import job

import etl
from etl.errors import OutputError
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from etl.sandbox.server import Sandbox

_CHILD = Path(__file__).with_name("killed_run.py")
_ARGUMENTS = ["run", "jobs.txt", "-q", "--batch-size", "2", "--keep-snapshots", "1", "--keep-hours", "0",
              "--keep-runs", "2"]  # fmt: skip
State = dict[str, list[dict[str, Any]]]


def documents_before() -> dict[str, Any]:
    """Jobs in three months, some running, one undated."""
    documents = {
        f"job-{n:02}": job(
            id=f"job-{n:02}",
            created_at=f"2026-{7 + n % 3:02}-01T10:00:00Z",
            status="completed" if n % 4 else "in_progress",
            completed_at="2026-10-01T10:05:01Z" if n % 4 else None,
        )
        for n in range(12)
    }
    del documents["job-08"]["created_at"]
    return documents


def changed(documents: dict[str, Any]) -> None:
    """Let running jobs end, one lose its rules, one get its date, one vanish, and new ones come."""
    for name in ("job-00", "job-04"):
        documents[name] |= {"status": "error", "completed_at": "2026-10-01T11:00:00Z", "error": "Boom: no"}
    documents["job-04"]["connector"]["filtering"]["rules"] = []
    documents["job-08"]["created_at"] = "2026-07-02T00:00:00Z"
    for n in range(12, 18):
        documents[f"job-{n:02}"] = job(id=f"job-{n:02}", created_at=f"2026-{8 + n % 3:02}-03T00:00:00Z")


def state_of(output: Path | str) -> State | None:
    """All rows of all tables, but for the times of receipt; None where nothing is published."""
    try:
        dataset = etl.open_dataset(output)
    except OutputError:
        return None
    return {
        table.name: [
            {name: value for name, value in row.items() if name not in {"fetched_at", "not_found_at"}}
            for row in dataset.read(table.name, as_="arrow").to_pylist()
        ]
        for table in TABLES
    }


@dataclass(frozen=True, kw_only=True)
class Killing:
    """A dataset, a run that changes it, and the number of changes on disk that this run makes.

    Attributes:
        prepared: folder with jobs file and dataset, before the run.
        sandbox: that the run fetches from.
        steps: changes on disk of a run that lives.
        before: what is published before the run.
        after: what is published after it.
    """

    prepared: Path
    sandbox: Sandbox
    steps: int
    before: State | None
    after: State | None

    @classmethod
    def prepare(cls, folder: Path, sandbox: Sandbox, documents: dict[str, Any]) -> Killing:
        """Publish twice, stage what a dead run left, change the cluster, and see what a run that lives does."""
        prepared = folder / "prepared"
        prepared.mkdir(parents=True)
        (prepared / "jobs.txt").write_text("\n".join(documents))
        first = killed_run(prepared, sandbox, 0)
        assert first.returncode == 0, first.stderr
        before = state_of(prepared / "output")
        changed(documents)
        (prepared / "jobs.txt").write_text("\n".join([*documents, "job-gone"]))
        lives = folder / "lives"
        shutil.copytree(prepared, lives, symlinks=True)
        count = folder / "count"
        second = killed_run(lives, sandbox, 0, KILLED_RUN_COUNT=str(count))
        assert second.returncode == 0, second.stderr
        return cls(
            prepared=prepared, sandbox=sandbox, steps=int(count.read_text()), before=before,
            after=state_of(lives / "output"),
        )  # fmt: skip

    def points(self, number: int, seed: int) -> list[int]:
        """Choose changes on disk, spread over the whole run, the same for a seed."""
        chosen = random.Random(seed)  # noqa: S311 - chosen to be repeatable
        ends = [n * self.steps // number for n in range(number + 1)]
        return [chosen.randint(first + 1, last) for first, last in itertools.pairwise(ends) if last > first]

    def survive(self, point: int, folder: Path) -> str:
        """Kill a run at a point; return what readers saw: "before" or "after"."""
        shutil.copytree(self.prepared, folder, symlinks=True)
        died = killed_run(folder, self.sandbox, point)
        assert died.returncode < 0, f"step {point}: the run lived: {died.stderr}"
        seen = state_of(folder / "output")
        assert seen in (self.before, self.after), f"step {point}: readers saw neither state"
        again = killed_run(folder, self.sandbox, 0)
        assert again.returncode == 0, f"step {point}: {again.stderr}"
        assert state_of(folder / "output") == self.after, f"step {point}: the next run ended with another dataset"
        leftovers = [path for path in (folder / "output").rglob("*") if ".tmp" in path.name]
        assert leftovers == [], f"step {point}: left behind {leftovers}"
        return "after" if seen == self.after else "before"


def killed_run(
    folder: Path,
    sandbox: Sandbox,
    at: int,
    *,
    arguments: Sequence[str] = _ARGUMENTS,
    within_s: float | None = None,
    **env: str,
) -> subprocess.CompletedProcess[str]:
    """Run in a folder, and kill the run at its n-th change on disk; 0 lets it live.

    Args:
        folder: with the jobs file; the dataset is in `output`.
        sandbox: that the run fetches from.
        at: which change on disk.
        arguments: of `etl`.
        within_s: kill it after so many seconds, wherever it is then; None for never.
        env: more of the environment.
    """
    command = [sys.executable, str(_CHILD), str(at), *arguments]
    with subprocess.Popen(
        command,
        cwd=folder,
        env={
            **os.environ,
            "ELASTICSEARCH_URL": sandbox.url,
            "ELASTICSEARCH_API_KEY": sandbox.api_key,
            "KILLED_RUN_COUNT": os.devnull,
            **env,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        try:
            out, err = run.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            run.kill()
            out, err = run.communicate()
    return subprocess.CompletedProcess(command, run.returncode, out, err)


def survive_all(killing: Killing, points: Iterable[int], folder: Path) -> Iterator[tuple[int, str]]:
    """Kill a run at each point; yield the point and what readers saw."""
    for point in points:
        place = folder / f"killed-{point}"
        yield point, killing.survive(point, place)
        shutil.rmtree(place)


def tally(seen: Iterable[tuple[int, str]]) -> Counter[str]:
    """Count what readers saw."""
    return Counter(state for _, state in seen)
