"""A run on an object store dies before each single change: readers see a whole state, and the next run ends right."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
from stores import keys_below, objects_below, put_below

from etl.load.layout import Layout
from etl.load.manifest import RunState
from etl.load.objects.memory import MemoryStore
from etl.load.objects.path import ObjectPath
from etl.load.objects.storage import ObjectStorage
from etl.load.place import located
from etl.load.prune import Retention
from etl.load.runs import read_runs
from etl.schema.tables import TABLES
from tests.load.conftest import HOUR, NOW, Job, Killed, Run, at, contents, expected, published

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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

Objects = dict[str, bytes]


class WatchedStore(MemoryStore):
    """Tells of each change before it is made, also of those that one request makes; the lease is no part of them."""

    def __init__(self, watch: Callable[[], None]) -> None:
        super().__init__()
        self._watch = watch

    def put(self, key: str, content: bytes) -> None:
        if not key.endswith("/_lock"):
            self._watch()
        super().put(key, content)

    def delete(self, keys: Iterable[str]) -> None:
        for key in sorted(keys):
            self._watch()
            super().delete([key])


def storage_at(root: Path, watch: Callable[[], None] = lambda: None) -> ObjectStorage:
    return ObjectStorage(ObjectPath(WatchedStore(watch), PurePosixPath(str(root).removeprefix("memory://"))))


@pytest.fixture
def root() -> Path:
    return located("memory://deaths")


def prepare(root: Path) -> None:
    """Two snapshots, the older one due to go, and a dead run's batch."""
    put_below(root, {})
    Run(storage_at(root), run_id="20261120T000000Z-000001").publish([A, B, GONE])
    Run(storage_at(root), now=NOW + HOUR, run_id="20261120T010000Z-000002").publish([replace(C, fetched_at=NOW)])
    Run(storage_at(root), now=NOW + HOUR, run_id="20261120T020000Z-000003").die_after_staging([ADOPTED])


def run_on(storage: ObjectStorage, run_id: str) -> None:
    """Stage, adopt, publish a new, a changed, a moved and a missing job, and prune."""
    run = Run(storage, now=LATER, run_id=run_id, retention=Retention(snapshots=2, runs=2))
    run.publish([A2, NEW], [B2], not_found={"gone": LATER})


def states(root: Path) -> list[Objects]:
    """What stands in the store before each change of a run, and after the last one."""
    seen: list[Objects] = []
    prepare(root)
    run_on(storage_at(root, partial(note, seen, root)), "20261123T000000Z-000004")
    return [*seen, objects_below(root)]


def state(root: Path) -> str:
    """Which of the two states readers see; there is no third. All files of it are there, and are alone."""
    snapshot = published(root)
    listed = {}
    for table in TABLES:
        for entry in snapshot.manifest.tables[table.name].files:
            listed[entry.path] = entry.sha256
    there = {name: content for name, content in objects_below(snapshot.folder).items() if name != "_manifest.json"}
    assert {name: hashlib.sha256(content).hexdigest() for name, content in there.items()} == listed
    found = contents(root)
    assert found in (BEFORE, AFTER)
    return "before" if found == BEFORE else "after"


def finish(root: Path) -> None:
    """The next run asks for the same and ends as if nothing had happened."""
    run_on(storage_at(root), "20261124T000000Z-000005")
    assert state(root) == "after"
    layout = Layout(root)
    assert not layout.staging.exists()
    kept = {name.split("/")[1] for name in keys_below(root) if name.startswith(("snapshots/", "runs/"))}
    whole = {name.split("/")[1] for name in keys_below(root) if name.endswith("/_manifest.json")}
    assert kept == whole
    assert RunState.PUBLISHING not in {run.state for run in read_runs(layout).runs}


def note(seen: list[Objects], root: Path) -> None:
    seen.append(objects_below(root))


def after_death(objects: Objects) -> Objects:
    """What a dead run leaves: its lease is that of no program that lives, as this one does."""
    return {name: content for name, content in objects.items() if name != "_lock"}


def survive(root: Path, left: list[Objects]) -> list[str]:
    seen = []
    for objects in left:
        put_below(root, after_death(objects))
        seen.append(state(root))
        finish(root)
    return seen


def test_a_run_killed_before_some_changes_leaves_a_whole_state_and_the_next_one_ends_right(root: Path) -> None:
    left = states(root)
    seen = survive(root, left[::13])
    assert seen == sorted(seen, reverse=True)
    assert {"before", "after"} == {*seen}


@pytest.mark.slow
def test_a_run_killed_before_any_change_leaves_a_whole_state_and_the_next_one_ends_right(root: Path) -> None:
    left = states(root)
    assert len(left) > 70
    seen = survive(root, left)
    assert seen == sorted(seen, reverse=True)
    assert {"before", "after"} == {*seen}


def test_a_run_killed_while_it_finishes_what_a_killed_run_left_changes_nothing(root: Path) -> None:
    left = states(root)
    for objects in left[5::41]:
        put_below(root, after_death(objects))
        again: list[Objects] = []
        run_on(storage_at(root, partial(note, again, root)), "20261123T120000Z-00000a")
        survive(root, again[3::29])


def test_what_is_left_of_a_run_does_not_depend_on_copies_that_are_on_their_way(root: Path) -> None:
    prepare(root)
    changes = 0

    def die() -> None:
        nonlocal changes
        changes += 1
        if changes == 30:
            raise Killed

    with pytest.raises(Killed):
        run_on(storage_at(root, die), "20261123T000000Z-000004")
    assert state(root) == "before"
    finish(root)
