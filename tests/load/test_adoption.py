from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.errors import OutputError, UsageError
from etl.load.layout import Layout
from etl.load.manifest import RunState
from etl.load.runs import RunRecord, read_runs
from etl.load.staged import Fate
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
    from pathlib import Path

A = Job(id="a", completed_at=NOW - 3 * HOUR)
B = Job(id="b", created_at=at(4, month=10), completed_at=NOW)
RUNNING = Job(id="running", status="in_progress")


def test_a_batch_of_a_dead_run_is_adopted_and_told_of(storage: TracedStorage, root: Path) -> None:
    Run(storage).die_after_staging([A, B, RUNNING])
    run = Run(storage, now=NOW + HOUR)
    with run.open() as writer:
        assert writer.adopted.settled_of(["a", "b", "running", "?"]).tolist() == [True, False, False, False]
        assert len(writer.published) == 0
        run.stage(writer, [replace(B, fetched_at=NOW + HOUR, error="newer")])
        plan = writer.plan()
        assert dict(plan.adopted_jobs()) == {"a": Fate.NEW, "running": Fate.NEW}
        record = RunRecord(source="cluster-1", started_at=NOW, ended_at=NOW, exit_code=0)
        closing = writer.publish(plan, record, now=NOW + HOUR)
    assert closing.snapshot is not None
    assert len(closing.snapshot.batches) == 2
    assert contents(root) == expected([A, replace(B, fetched_at=NOW + HOUR, error="newer"), RUNNING])
    assert_tidy(root)


def test_an_adopted_row_fetched_later_than_the_published_one_replaces_it(storage: TracedStorage, root: Path) -> None:
    Run(storage).publish([A])
    newer = replace(A, error="newer", fetched_at=NOW + HOUR)
    Run(storage, now=NOW + HOUR).die_after_staging([newer])
    Run(storage, now=NOW + 2 * HOUR).publish([])
    assert contents(root) == expected([newer])


def test_adopted_rows_that_equal_the_published_ones_publish_nothing_and_go(storage: TracedStorage, root: Path) -> None:
    Run(storage).publish([A])
    Run(storage, now=NOW + HOUR).die_after_staging([replace(A, fetched_at=NOW + HOUR)])
    assert Run(storage, now=NOW + 2 * HOUR).publish([]).snapshot is None
    assert_tidy(root)


@pytest.mark.parametrize(
    "change",
    [
        {"source": "cluster-2"},
        {"schema_fingerprint": "another"},
        {"redactor_version": 2},
        {"exposed": ("host",)},
    ],
    ids=str,
)
def test_a_batch_made_under_other_terms_is_removed_and_its_jobs_are_fetched_again(
    storage: TracedStorage, root: Path, change: dict[str, Any]
) -> None:
    Run(storage, provenance=provenance_of(**change)).die_after_staging([A, B], [RUNNING])
    with Run(storage, now=NOW + HOUR).open() as writer:
        assert writer.recovered.adopted == ()
        assert (writer.recovered.refused_batches, writer.recovered.refused_jobs) == (2, 3)
        assert len(writer.adopted) == 0
    assert_tidy(root)


def test_a_batch_that_was_never_renamed_does_not_exist(storage: TracedStorage, root: Path) -> None:
    Run(storage, run_id="20261124T035000Z-000001").die_after_staging([A])
    batch = Layout(root).batch("20261124T035000Z-000001", 0)
    batch.rename(batch.with_name("0.tmp"))
    with Run(storage, now=NOW + HOUR).open() as writer:
        assert len(writer.adopted) == 0
        assert writer.recovered.broken_batches == 0
    assert_tidy(root)


@pytest.mark.parametrize("damage", ["_batch.json", "connectors.arrows.lz4"])
def test_a_broken_batch_is_removed_and_counted(storage: TracedStorage, root: Path, damage: str) -> None:
    Run(storage, run_id="20261124T035000Z-000001").die_after_staging([A])
    path = Layout(root).batch("20261124T035000Z-000001", 0) / damage
    path.write_bytes(path.read_bytes()[:-40])
    with Run(storage, now=NOW + HOUR).open() as writer:
        assert (writer.recovered.broken_batches, writer.recovered.adopted) == (1, ())
    assert_tidy(root)


def test_a_batch_that_a_published_manifest_names_is_removed_never_adopted(storage: TracedStorage, root: Path) -> None:
    run = Run(storage, run_id="20261124T035000Z-000001")
    run.die_after_staging([A])
    staged = Layout(root).staging
    staged.rename(root / "kept")
    Run(storage, now=NOW + HOUR, run_id="20261124T045000Z-000002").publish([B])
    manifest = root / "latest" / "_manifest.json"
    manifest.write_text(manifest.read_text().replace("20261124T045000Z-000002/0", "20261124T035000Z-000001/0"))
    staged.mkdir(exist_ok=True)
    (root / "kept" / run.run_id).rename(staged / run.run_id)
    with Run(storage, now=NOW + 2 * HOUR).open() as writer:
        assert (writer.recovered.published_batches, writer.recovered.adopted) == (1, ())


def test_a_dataset_of_another_cluster_is_refused_untouched(storage: TracedStorage, root: Path) -> None:
    Run(storage).publish([A])
    before = sorted(root.rglob("*"))
    with pytest.raises(UsageError, match="holds sync jobs of cluster-1, not of cluster-2; choose another --output"):
        Run(storage, provenance=provenance_of(source="cluster-2")).open()
    assert sorted(root.rglob("*")) == before


def test_a_real_run_replaces_demo_data_and_says_so(storage: TracedStorage, root: Path) -> None:
    demo = Run(storage, provenance=provenance_of(source="sandbox"), publishing={"watermark": {"at": 1}})
    demo.publish([A, B])
    run = Run(storage, now=NOW + HOUR)
    with run.open() as writer:
        assert writer.recovered.replaces_sandbox
        assert len(writer.published) == 0
        assert writer.watermark is None
    Run(storage, now=NOW + HOUR).publish([RUNNING])
    assert contents(root) == expected([RUNNING])
    assert published(root).manifest.watermark is None
    assert published(root).manifest.parent == demo.run_id
    assert_whole(root)


def test_a_real_run_that_loads_nothing_leaves_demo_data(storage: TracedStorage, root: Path) -> None:
    Run(storage, provenance=provenance_of(source="sandbox")).publish([A])
    assert Run(storage, now=NOW + HOUR).publish([], not_found={"a": NOW + HOUR}).snapshot is None
    assert contents(root) == expected([A])


def test_a_demo_over_real_data_is_refused(storage: TracedStorage, root: Path) -> None:
    Run(storage).publish([A])
    with pytest.raises(UsageError, match="not of sandbox"):
        Run(storage, provenance=provenance_of(source="sandbox")).open()
    assert contents(root) == expected([A])


def test_a_run_over_its_limit_of_failures_leaves_its_batches_for_the_next(storage: TracedStorage, root: Path) -> None:
    run = Run(storage)
    with run.open() as writer:
        run.stage(writer, [A])
        record = RunRecord(source="cluster-1", started_at=NOW, ended_at=NOW, exit_code=4)
        closing = writer.record(record, RunState.FAILED, now=NOW)
    assert (closing.snapshot, closing.run.exit_code) == (None, 4)
    assert not (root / "latest").exists()
    Run(storage, now=NOW + HOUR).publish([B])
    assert contents(root) == expected([A, B])


def test_answers_that_no_later_run_may_adopt_can_be_discarded(storage: TracedStorage, root: Path) -> None:
    Run(storage).publish([A])
    run = Run(storage, now=NOW + HOUR)
    with run.open() as writer:
        run.stage(writer, [], not_found={"a": NOW + HOUR})
        writer.discard()
        record = RunRecord(source="cluster-1", started_at=NOW, ended_at=NOW, exit_code=4)
        writer.record(record, RunState.FAILED, now=NOW + HOUR)
    assert_tidy(root)
    Run(storage, now=NOW + 2 * HOUR).publish([])
    assert contents(root) == expected([A])


def test_a_dead_publish_is_told_as_abandoned_and_its_snapshot_goes(storage: TracedStorage, root: Path) -> None:
    Run(storage).publish([A])
    layout = Layout(root)
    first = published(root).run_id
    second = Run(storage, now=NOW + HOUR).publish([B]).run.run_id
    (root / "latest").unlink()
    (root / "latest").symlink_to(f"snapshots/{first}")
    manifest = layout.run(second) / "_manifest.json"
    manifest.write_text(manifest.read_text().replace('"published"', '"publishing"'))
    with Run(storage, now=NOW + 2 * HOUR).open() as writer:
        assert writer.recovered.discarded_snapshots == (second,)
        assert writer.recovered.abandoned_runs == (second,)
    assert {run.run_id: run.state for run in read_runs(layout).runs}[second] is RunState.ABANDONED
    assert not layout.snapshot(second).exists()


def test_a_lost_link_is_told_and_nothing_is_taken_for_a_leftover(storage: TracedStorage, root: Path) -> None:
    run_id = Run(storage).publish([A]).run.run_id
    (root / "latest").unlink()
    with pytest.raises(OutputError, match=f"latest: missing, .* link it to snapshots/{run_id}"):
        Run(storage, now=NOW + HOUR).open()
    assert Layout(root).snapshot(run_id).is_dir()


def test_files_of_others_in_the_folders_are_left_alone(storage: TracedStorage, root: Path) -> None:
    Run(storage).publish([A])
    for folder in ("snapshots", "runs", "_staging"):
        (root / folder).mkdir(exist_ok=True)
        (root / folder / "notes.txt").write_text("mine")
        (root / folder / "backup").mkdir()
    Run(storage, now=NOW + HOUR).publish([B])
    for folder in ("snapshots", "runs", "_staging"):
        assert (root / folder / "notes.txt").read_text() == "mine"
        assert (root / folder / "backup").is_dir()


CHANGES = st.fixed_dictionaries(
    {
        "id": st.sampled_from("abc"),
        "created_at": st.sampled_from([None, at(1), at(2), at(1, month=10)]),
        "error": st.sampled_from([None, "x"]),
        "rules": st.integers(0, 2),
    }
)
RUNS = st.lists(
    st.tuples(
        st.lists(st.lists(CHANGES, max_size=3, unique_by=lambda change: change["id"]), max_size=2),
        st.sets(st.sampled_from("abc"), max_size=2),
        st.booleans(),
    ),
    max_size=4,
)


@settings(max_examples=25, deadline=None)
@given(RUNS)
def test_any_history_of_runs_ends_with_the_last_word_on_each_job(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[list[list[dict[str, Any]]], set[str], bool]]
) -> None:
    root = tmp_path_factory.mktemp("history") / "output"
    jobs: dict[str, Job] = {}
    gone: dict[str, Any] = {}
    for number, (batches, missing, dies) in enumerate([*runs, ([], set(), False)]):
        now = NOW + number * HOUR
        run = Run(TracedStorage(root), now=now)
        staged = [[Job(**change, fetched_at=now) for change in changes] for changes in batches]
        asked = {job.id for batch in staged for job in batch}
        not_found = dict.fromkeys(missing - asked, now) if staged else {}
        (run.die_after_staging if dies else run.publish)(*staged, not_found=not_found)
        for job in (job for batch in staged for job in batch):
            jobs[job.id] = job
            gone.pop(job.id, None)
        for job_id, time in not_found.items():
            if job_id in jobs:
                gone.setdefault(job_id, time)
    if not jobs:
        assert not (root / "latest").exists()
        return
    found = contents(root)
    kept = {row["job_id"]: row["fetched_at"] for row in found["sync_jobs"]}
    assert all(kept[job_id] <= job.fetched_at for job_id, job in jobs.items())
    assert found == expected([replace(job, fetched_at=kept[job_id]) for job_id, job in jobs.items()], gone)
    assert_whole(root)
    assert_tidy(root)
