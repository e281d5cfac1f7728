"""Months merged in groups, each by itself and out of order: the same dataset as merged at once."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import OutputError
from etl.load.build import Limits
from etl.load.grouping import EVER, grouped
from etl.load.steps import Step
from etl.load.storage import Storage
from etl.schema.tables import TABLES
from tests.load.conftest import (
    HOUR,
    NOW,
    Job,
    Run,
    TracedStorage,
    assert_tidy,
    assert_whole,
    at,
    contents,
    expected,
    provenance_of,
    published,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from etl.load.merging import MergedGroup, Merger, MonthGroup

JOBS = [
    *(Job(id=f"{n:03}", created_at=at(1 + n % 28, month=1 + n % 11), rules=n % 3, issues=n % 2) for n in range(90)),
    *(Job(id=f"edge {month}", created_at=at(1, month=month)) for month in range(1, 12)),
    Job(id="undated", created_at=None, rules=1),
]
BATCHES = [JOBS[start::4] for start in range(4)]


@dataclass
class Elsewhere:
    """Merges what has been pickled, the last group first; the first time in vain, for so many groups."""

    most: int
    lost: int = 0
    made: list[MonthGroup] = field(default_factory=list)

    def groups(self, jobs: int) -> int:
        assert jobs >= len(JOBS) - 1
        return self.most

    def merge(self, merger: Merger, groups: Iterable[MonthGroup], count: int) -> Iterator[MergedGroup]:
        self.made = list(groups)
        assert len(self.made) == count
        for number, group in enumerate(reversed(self.made)):
            there, arrived = pickle.loads(pickle.dumps((merger, group)))  # noqa: S301 - pickled here
            if number < self.lost:
                there.merge(arrived)  # a worker that was taken for dead
            yield pickle.loads(pickle.dumps(there.merge(arrived)))  # noqa: S301 - pickled here


def stored(root: Path) -> dict[str, list[tuple[str | None, int, int]]]:
    """Months, rows and sizes of the files of each table, in their order."""
    snapshot = published(root)
    return {table.name: [(e.month, e.rows, e.bytes) for e in snapshot.entries(table.name)] for table in TABLES}


@pytest.mark.parametrize(("most", "lost"), [(2, 0), (5, 2), (40, 0)])
def test_groups_give_the_dataset_that_merging_at_once_gives(tmp_path: Path, most: int, lost: int) -> None:
    elsewhere = Elsewhere(most=most, lost=lost)
    limits = {"limits": Limits(file_rows=4, sources=3)}
    apart, at_once = tmp_path / "apart", tmp_path / "at-once"

    for root, publishing in ((apart, {"spread": elsewhere}), (at_once, {})):
        Run(Storage(root), opening=limits, publishing=publishing).publish(*BATCHES)

    assert len(elsewhere.made) == min(most, 11)  # undated jobs go with the last month
    assert contents(apart) == contents(at_once) == expected(JOBS)
    assert stored(apart) == stored(at_once)
    assert_whole(apart)
    assert_tidy(apart)


def test_changed_patched_and_redacted_rows_are_merged_in_groups_too(tmp_path: Path) -> None:
    root = tmp_path / "output"
    changed = [replace(job, error="x", fetched_at=NOW + HOUR) for job in JOBS[::3] if job.created_at is not None]
    of_id = {job.id: job for job in changed}
    after = [of_id.get(job.id, job) for job in JOBS]
    Run(Storage(root), provenance=provenance_of(exposed=("host",))).publish(*BATCHES)
    elsewhere = Elsewhere(most=3)

    publishing = {"spread": elsewhere, "rewrite_rows": partial(marked, mark="seen")}
    Run(Storage(root), now=NOW + HOUR, publishing=publishing).publish(changed, not_found={"undated": NOW + HOUR})

    assert len(elsewhere.made) == 3
    found = contents(root)
    assert {row["index_name"] for row in found["connectors"]} == {
        *(f"index of {job.id}" for job in changed),
        "seen",
    }
    assert found["sync_jobs"] == expected(after, {"undated": NOW + HOUR})["sync_jobs"]
    assert_whole(root)


def marked(tables: Mapping[str, pa.Table], mark: str) -> Mapping[str, pa.Table]:
    """Stand for the redactor: give every row of connectors one name."""
    rows = tables["connectors"]
    place = rows.column_names.index("index_name")
    return dict(tables) | {"connectors": rows.set_column(place, rows.schema.field(place), [[mark] * len(rows)])}


def test_a_run_that_dies_while_groups_are_brought_together_leaves_what_was_published(tmp_path: Path) -> None:
    root = tmp_path / "output"
    Run(Storage(root)).publish(JOBS[:1])
    trying = TracedStorage(tmp_path / "trial")
    Run(trying, publishing={"spread": Elsewhere(most=3)}).publish(*BATCHES)
    moves = [n for n, (kind, path, _) in enumerate(trying.trace) if kind is Step.RENAME and "group-" in str(path)]
    assert len(moves) > 40

    full = TracedStorage(root, stop_at=moves[20], full=True)
    with pytest.raises(OutputError):
        Run(full, now=NOW + HOUR, publishing={"spread": Elsewhere(most=3)}).publish(*BATCHES)
    assert contents(root) == expected(JOBS[:1])

    Run(Storage(root), now=NOW + 2 * HOUR).publish()
    assert contents(root) == expected(JOBS)
    assert_whole(root)
    assert_tidy(root)


@given(
    jobs=st.dictionaries(
        st.one_of(st.none(), st.dates().map(lambda day: f"{day:%Y-%m}".rjust(7, "0"))), st.integers(0, 1000)
    ),
    most=st.integers(1, 12),
)
def test_groups_follow_each_other_and_hold_each_month_once(jobs: dict[str | None, int], most: int) -> None:
    groups = grouped(jobs, most)

    months = [month for group, _ in groups for month in group]
    assert months == sorted(jobs, key=lambda month: (month is None, month))
    assert len(groups) <= most
    assert [span.first for _, span in groups[1:]] == [span.end for _, span in groups[:-1]]
    for group, span in groups:
        starts = np.array([np.datetime64(month, "us") for month in group if month], "datetime64[us]").astype(np.int64)
        assert span.within(starts) == (0, len(starts))


def test_months_that_do_not_sort_as_text_are_not_cut() -> None:
    assert grouped({"2026-11": 1, "12026-11": 1}, 2) == [(("12026-11", "2026-11"), EVER)]
