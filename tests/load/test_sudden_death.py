"""A run dies, or the disk is full, in each single step: readers see a whole state, and the next run ends right."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from etl.errors import OutputError
from etl.load.layout import Layout
from etl.load.manifest import RunState
from etl.load.prune import Retention
from etl.load.runs import read_runs
from etl.load.steps import Step
from tests.load.conftest import (
    HOUR,
    NOW,
    Job,
    Killed,
    Run,
    TracedStorage,
    assert_tidy,
    assert_whole,
    at,
    contents,
    expected,
    provenance_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

A = Job(id="a", created_at=at(3), fields={"host": "h"}, rules=1)
B = Job(id="b", created_at=at(2))
C = Job(id="c", created_at=at(5, month=10))
GONE = Job(id="gone", created_at=at(6, month=9))
ADOPTED = Job(id="adopted", created_at=at(4), fetched_at=NOW + HOUR)

LATER = NOW + timedelta(days=3)
A2 = replace(A, error="changed", rules=0, fetched_at=LATER)
B2 = replace(B, created_at=None, fetched_at=LATER)
NEW = Job(id="new", created_at=at(7), fetched_at=LATER, issues=1)

BEFORE = expected([A, B, C, GONE])
AFTER = expected([A2, B2, C, GONE, ADOPTED, NEW], {"gone": LATER})


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whether and when files are flushed is read from the trace; here only the order of steps counts.
    monkeypatch.setattr(os, "fsync", lambda _: None)


def prepare(root: Path) -> None:
    """Two snapshots, the older one due to go, and a dead run's batch."""
    Run(TracedStorage(root), run_id="20261120T000000Z-000001").publish([A, B, GONE])
    Run(TracedStorage(root), now=NOW + HOUR, run_id="20261120T010000Z-000002").publish([replace(C, fetched_at=NOW)])
    Run(TracedStorage(root), now=NOW + HOUR, run_id="20261120T020000Z-000003").die_after_staging([ADOPTED])


def run_on(storage: TracedStorage, run_id: str) -> None:
    """Stage, adopt, publish a new, a changed, a moved and a missing job, and prune."""
    run = Run(storage, now=LATER, run_id=run_id, retention=Retention(snapshots=2, runs=2))
    run.publish([A2, NEW], [B2], not_found={"gone": LATER})


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prepared") / "output"
    prepare(root)
    return root


@pytest.fixture(scope="module")
def steps(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Step, Path, Path | None]]:
    root = tmp_path_factory.mktemp("whole") / "output"
    storage = TracedStorage(fresh(prepared, root))
    run_on(storage, "20261123T000000Z-000004")
    assert contents(root) == AFTER
    return storage.trace


class CopyingStorage(TracedStorage):
    def __init__(self, root: Path, copies: Path) -> None:
        super().__init__(root)
        self._copies = copies

    def _step(self, kind: Step, path: Path, target: Path | None) -> None:
        shutil.copytree(self.layout.root, self._copies / str(len(self.trace)), symlinks=True)
        super()._step(kind, path, target)


def fresh(prepared: Path, root: Path) -> Path:
    if root.exists():
        shutil.rmtree(root)
    shutil.copytree(prepared, root, symlinks=True)
    return root


_KNOWN: dict[bytes, str] = {}


def state(root: Path) -> str:
    """Which of the two states readers see; there is no third."""
    # Where all files match their hashes, equal manifests mean equal rows: those are read once.
    manifest = (assert_whole(root).folder / "_manifest.json").read_bytes()
    if manifest not in _KNOWN:
        found = contents(root)
        assert found in (BEFORE, AFTER)
        _KNOWN[manifest] = "before" if found == BEFORE else "after"
    return _KNOWN[manifest]


def finish(root: Path) -> None:
    """The next run asks for the same and ends as if nothing had happened."""
    run_on(TracedStorage(root), "20261124T000000Z-000005")
    assert contents(root) == AFTER
    assert_whole(root)
    assert_tidy(root)
    states = {run.run_id: run.state for run in read_runs(Layout(root)).runs}
    assert RunState.PUBLISHING not in states.values()


@pytest.mark.slow
def test_a_run_killed_in_any_step_leaves_a_whole_state_and_the_next_one_ends_right(
    prepared: Path, steps: list[tuple[Step, Path, Path | None]], root: Path
) -> None:
    assert len(steps) > 150
    # Before each step the folder is copied: what stands there is what a kill in that moment leaves.
    copies = root.parent / "copies"
    run_on(CopyingStorage(fresh(prepared, root), copies), "20261123T000000Z-000004")
    seen = []
    for number in range(len(steps)):
        seen.append(state(copies / str(number)))
        finish(copies / str(number))
        shutil.rmtree(copies / str(number))
    swap = next(n for n, (kind, path, _) in enumerate(steps) if kind is Step.REPLACE and path.name == ".latest.tmp")
    assert seen == ["before"] * (swap + 1) + ["after"] * (len(steps) - swap - 1)


@pytest.mark.slow
def test_a_full_disk_in_any_step_is_said_and_leaves_a_whole_state(
    prepared: Path, steps: list[tuple[Step, Path, Path | None]], root: Path
) -> None:
    swap = next(n for n, (kind, path, _) in enumerate(steps) if kind is Step.REPLACE and path.name == ".latest.tmp")
    for number, (kind, _, _) in enumerate(steps):
        if kind in {Step.REMOVE_FILE, Step.REMOVE_FOLDER}:
            continue  # removing needs no space
        storage = TracedStorage(fresh(prepared, root), stop_at=number, full=True)
        with pytest.raises(OutputError, match="No space left on device; free space there and run again"):
            run_on(storage, "20261123T000000Z-000004")
        assert state(root) == ("before" if number <= swap else "after")
        if number % 7 == 0:
            finish(root)


def deaths(steps: int) -> Iterator[tuple[int, int]]:
    yield from ((first, second) for first in range(3, steps, 19) for second in range(1, 60, 29))


def test_a_run_killed_while_it_finishes_what_a_killed_run_left_changes_nothing(
    prepared: Path, steps: list[tuple[Step, Path, Path | None]], root: Path
) -> None:
    for first, second in deaths(len(steps)):
        with pytest.raises(Killed):
            run_on(TracedStorage(fresh(prepared, root), stop_at=first), "20261123T000000Z-000004")
        before = state(root)
        with pytest.raises(Killed):
            run_on(TracedStorage(root, stop_at=second), "20261123T120000Z-00000a")
        assert before == "before" or state(root) == "after"
        finish(root)


def withhold(tables: Mapping[str, pa.Table]) -> Mapping[str, pa.Table]:
    rows = tables["connector_configuration"]
    values = pa.nulls(rows.num_rows, pa.string())
    position = rows.column_names.index("value")
    return dict(tables) | {"connector_configuration": rows.set_column(position, rows.schema.field(position), values)}


def hide(storage: TracedStorage, run_id: str) -> None:
    Run(storage, now=LATER, run_id=run_id, publishing={"rewrite_rows": withhold}).publish([])


def test_a_run_killed_while_it_withholds_more_leaves_nothing_that_the_next_one_does_not_remove(
    tmp_path: Path, root: Path
) -> None:
    first = tmp_path / "first"
    Run(TracedStorage(first), provenance=provenance_of(exposed=("host",))).publish([A])
    storage = TracedStorage(fresh(first, root))
    hide(storage, "20261123T000000Z-000004")
    steps = storage.trace
    swap = next(n for n, (kind, path, _) in enumerate(steps) if kind is Step.REPLACE and path.name == ".latest.tmp")
    for number in [*range(0, swap, 7), *range(swap, len(steps))]:
        with pytest.raises(Killed):
            hide(TracedStorage(fresh(first, root), stop_at=number), "20261123T000000Z-000004")
        assert_whole(root)
        hide(TracedStorage(root), "20261124T000000Z-000005")
        assert {row["value"] for row in contents(root)["connector_configuration"]} == {None}
        assert len(list(Layout(root).snapshots.iterdir())) == 1
        assert_tidy(root)


class Unflushed:
    """Files and folders whose last change may still be lost with the power."""

    def __init__(self) -> None:
        self.paths: set[Path] = set()
        self.shown: list[Path] = []

    def take(self, kind: Step, path: Path, target: Path | None) -> None:
        match kind:
            case Step.CREATE:
                self.paths |= {path, path.parent}
            case Step.MAKE_FOLDER:
                self.paths.add(path.parent)
            case Step.WRITE:
                self.paths.add(path)
            case Step.SYNC_FILE | Step.SYNC_FOLDER:
                self.paths.discard(path)
            case Step.REMOVE_FILE | Step.REMOVE_FOLDER:
                self._forget(path)
        if target is not None:
            self._show(kind, path, target)

    def _show(self, kind: Step, path: Path, target: Path) -> None:
        what = target if kind is Step.SYMLINK else path
        if not target.name.endswith(".tmp"):  # a folder that is taken apart needs no flush
            assert not {dirty for dirty in self.paths if what in (dirty, *dirty.parents)}, (kind, path)
            assert not self.paths.intersection(target.parents[1:]), (kind, path)
            self.shown.append(target)
        if kind is Step.SYMLINK:
            assert target.parent not in self.paths, "the snapshot has its name only in memory"
            self.paths.add(path.parent)
            return
        if kind in {Step.RENAME, Step.REPLACE}:
            self._forget(path)
            self.paths.add(path.parent)
        self.paths.add(target.parent)

    def _forget(self, path: Path) -> None:
        self.paths = {dirty for dirty in self.paths if path not in (dirty, *dirty.parents)}


def test_everything_is_flushed_to_disk_before_the_rename_or_link_that_shows_it(
    steps: list[tuple[Step, Path, Path | None]],
) -> None:
    unflushed = Unflushed()
    for step in steps:
        unflushed.take(*step)
    names = [path.name for path in unflushed.shown if not path.name.endswith(".parquet")]
    run_id = "20261123T000000Z-000004"
    # Two batches; the snapshot and the run's folder; the target of the link, the link; the run's state.
    assert names == ["0", "1", run_id, run_id, run_id, "latest", "_manifest.json"]


def test_a_removed_folder_is_out_of_sight_before_anything_in_it_goes(
    steps: list[tuple[Step, Path, Path | None]],
) -> None:
    for kind, path, _ in steps:
        if kind in {Step.REMOVE_FILE, Step.REMOVE_FOLDER} and path.parent.name != "_staging":
            assert any(part.endswith(".tmp") for part in path.parts), path
