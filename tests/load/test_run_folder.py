from __future__ import annotations

import json
import pickle
import shutil
from random import Random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.dataset import open_dataset
from etl.dataset.overview import overview
from etl.errors import ExitCode, OutputError
from etl.load.layout import Layout, is_run_id, new_run_id
from etl.load.manifest import RunState
from etl.load.prune import Retention
from etl.load.runs import RunRecord, read_run
from etl.load.staging import stage
from etl.load.storage import Storage
from etl.model import IdRecord, Outcome, Provenance, StagedBatch
from etl.schema.arrow import arrow_schema
from tests.load.conftest import (
    HOUR,
    NOW,
    Job,
    Run,
    TracedStorage,
    assert_tidy,
    at,
    provenance_of,
    published,
    tables_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_runs_folder_holds_what_became_of_each_id_and_what_to_try_again(storage: TracedStorage, root: Path) -> None:
    run = Run(storage)
    with run.open() as writer:
        raw = Layout(root).raw(run.run_id)
        raw.parent.mkdir(parents=True)
        raw.write_bytes(b"raw")
        record = RunRecord(
            source="cluster-1",
            started_at=NOW,
            ended_at=NOW + HOUR,
            exit_code=3,
            outcomes=iter(
                [
                    IdRecord(id="a", outcome=Outcome.FAILED, line=2, http_status=503, attempts=6, reason="busy"),
                    IdRecord(id="\udcff", outcome=Outcome.INVALID, line=3, reason="no UTF-8: \udcff"),
                    IdRecord(id="b", outcome=Outcome.UNCHANGED),
                    IdRecord(id="c", outcome=Outcome.UNCHANGED, attempts=1, elapsed_s=0.5, fetched_at=NOW),
                ]
            ),
            failed="a # busy\n",
            rejected=iter([b'{"a":1}', b"[]"]),
            attachments={"raw.ndjson.zst": raw},
            settings={"url": "https://cluster"},
            counts={"documents": 4},
        )
        writer.record(record, RunState.FAILED, now=NOW)
    assert_tidy(root)
    folder = Layout(root).run(run.run_id)
    assert (folder / "failed.txt").read_text() == "a # busy\n"
    assert (folder / "rejected.ndjson").read_bytes() == b'{"a":1}\n[]\n'
    assert (folder / "raw.ndjson.zst").read_bytes() == b"raw"
    rows = pq.read_table(folder / "outcomes.parquet", partitioning=None).to_pylist()
    assert [row["id"] for row in rows] == ["a", "\\udcff", "b", "c"]
    assert rows[0] | {"id": "a"} == {
        "id": "a",
        "line": 2,
        "outcome": "failed",
        "http_status": 503,
        "attempts": 6,
        "elapsed_s": 0.0,
        "reason": "busy",
        "fetched_at": None,
    }
    manifest = read_run(Layout(root), run.run_id)
    assert manifest.outcomes == {"failed": 1, "invalid": 1, "unchanged": 2}
    assert (manifest.rechecks, manifest.state, manifest.exit_code, manifest.snapshot) == (1, RunState.FAILED, 3, None)
    assert manifest.settings == {"url": "https://cluster"}


def test_a_manifest_of_a_later_version_with_more_keys_is_read(storage: TracedStorage, root: Path) -> None:
    Run(storage).publish([Job(id="a")])
    for path in (root / "latest" / "_manifest.json", next((root / "runs").glob("*/_manifest.json"))):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"invented": [1]}))
    Run(storage, now=NOW + HOUR).publish([])


DAMAGES = [
    (lambda text: text[:50], "cannot be read as a manifest"),
    (lambda text: text.replace('"format_version": 1', '"format_version": 2'), "written by a later version"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_a_manifest_that_cannot_be_read_is_named_with_a_remedy(
    storage: TracedStorage, root: Path, damage: Callable[[str], str], message: str
) -> None:
    Run(storage).publish([Job(id="a")])
    path = root / "latest" / "_manifest.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(OutputError, match=message) as refused:
        Run(storage, now=NOW + HOUR).open()
    assert path.name in str(refused.value)
    assert any(remedy in str(refused.value) for remedy in ("restore it", "upgrade etl"))


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_the_record_of_a_run_that_cannot_be_read_is_passed_over_with_a_warning_and_kept(
    storage: TracedStorage, root: Path, damage: Callable[[str], str], message: str
) -> None:
    first = Run(storage).publish([Job(id="a")]).run.run_id
    path = Layout(root).run(first) / "_manifest.json"
    path.write_text(damage(path.read_text()))

    later = Run(storage, now=NOW + HOUR, retention=Retention(runs=1))
    with later.open() as writer:
        (told,) = writer.recovered.damaged_records
    later.publish([Job(id="b")])

    assert message in told
    assert any(remedy in told for remedy in ("move the folder of that run away", "upgrade etl"))
    assert path.is_file()
    with pytest.warns(UserWarning, match=message):
        assert list(open_dataset(root).runs()["run_id"]) == [later.run_id]
    assert [run.run_id for run in overview(root).runs] == [later.run_id]
    assert overview(root).notes == (told,)


def test_outcomes_that_cannot_be_read_cost_a_fetch_and_not_the_run(
    storage: TracedStorage, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(storage)
    with run.open() as writer:
        record = RunRecord(
            source="cluster-1",
            started_at=NOW,
            ended_at=NOW,
            exit_code=0,
            outcomes=[IdRecord(id="a", outcome=Outcome.UNCHANGED, attempts=1, fetched_at=NOW)],
        )
        writer.record(record, RunState.UNCHANGED, now=NOW)
    (Layout(root).run(run.run_id) / "outcomes.parquet").write_bytes(b"PAR1")

    Run(storage, now=NOW + HOUR).publish([Job(id="b")])
    Run(storage, now=NOW + 2 * HOUR).publish([Job(id="c")])

    assert published(root).rows("sync_jobs") == 2
    assert "outcomes.parquet: cannot be read" in caplog.text


def test_the_watermark_is_carried_over_until_a_new_one_comes(storage: TracedStorage, root: Path) -> None:
    mark = {"created_at": "2026-11-24", "filters": [None, 1.5]}
    Run(storage, publishing={"watermark": mark}).publish([Job(id="a")])
    Run(storage, now=NOW + HOUR).publish([Job(id="b")])
    assert published(root).manifest.watermark == mark
    Run(storage, now=NOW + 2 * HOUR, publishing={"watermark": "next"}).publish([Job(id="c")])
    with Run(storage, now=NOW + 3 * HOUR).open() as writer:
        assert writer.watermark == "next"


def test_a_manifest_tells_source_files_and_batches(storage: TracedStorage, root: Path) -> None:
    run = Run(storage)
    run.publish([Job(id="a", created_at=at(1))], [Job(id="b", created_at=at(2))])
    found: Any = json.loads((root / "latest" / "_manifest.json").read_text())
    assert found["origin"]["source"] == "cluster-1"
    assert found["batches"] == [f"{run.run_id}/0", f"{run.run_id}/1"]
    (entry,) = found["tables"]["sync_jobs"]["files"]
    assert (entry["month"], entry["rows"], found["tables"]["sync_jobs"]["rows"]) == ("2026-11", 2, 2)
    assert found["created_at"] == "2026-11-24T03:50:00Z"


def test_run_ids_sort_by_time_and_name_no_colon() -> None:
    ids = [new_run_id(NOW + n * HOUR, Random(n)) for n in range(3)]  # noqa: S311 - names, no secrets
    assert ids == sorted(ids)
    assert all(is_run_id(name) and ":" not in name for name in ids)
    assert not is_run_id("20261124T035000Z-3f9a1c.bak")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda tables: tables | {"connectors": tables["connectors"].drop_columns(["language"])},
            "not in the table's schema",
        ),
        (lambda tables: tables | {"sync_jobs": pa.concat_tables([tables["sync_jobs"]] * 2)}, "a job stands twice"),
        (
            lambda tables: tables | {"sync_jobs": arrow_schema("sync_jobs").empty_table()},
            "a job that is not in the batch",
        ),
        (
            lambda tables: tables | {"connectors": tables_of([Job(id="a", created_at=None)])["connectors"]},
            "not stand in the month of its job",
        ),
        (
            lambda tables: (
                tables
                | {
                    "sync_jobs": pa.Table.from_pylist(
                        [{"job_id": "a", "created_month": "2026-11"}], schema=arrow_schema("sync_jobs")
                    )
                }
            ),
            "always holds a value is null",
        ),
    ],
)
def test_a_batch_that_breaks_the_contract_is_not_staged(
    storage: TracedStorage, spoil: Callable[[dict[str, pa.Table]], dict[str, pa.Table]], message: str
) -> None:
    batch = StagedBatch(number=0, tables=spoil(tables_of([Job(id="a")])))
    with pytest.raises(ValueError, match=message):
        stage(storage, "20261124T035000Z-000001", provenance_of(), batch)


def test_a_batch_is_staged_by_month_and_only_rows_make_files(root: Path) -> None:
    storage = Storage(root)
    jobs = [
        Job(id="b", created_at=None),
        Job(id="a", created_at=at(1, month=10)),
        Job(id="c", created_at=at(1), issues=1),
    ]
    batch = StagedBatch(number=3, tables=tables_of(jobs), not_found={"gone": NOW})
    summary = stage(storage, "20261124T035000Z-000001", provenance_of(), batch)
    assert (summary.jobs, summary.not_found, summary.rows) == (
        3,
        1,
        {"sync_jobs": 3, "connectors": 3, "field_issues": 1},
    )
    folder = root / "_staging" / "20261124T035000Z-000001" / "3.tmp"
    assert sorted(path.name for path in folder.iterdir()) == [
        "_batch.json",
        "connectors.arrows.lz4",
        "field_issues.arrows.lz4",
        "sync_jobs.arrows.lz4",
    ]
    with pa.ipc.open_stream(pa.input_stream(folder / "sync_jobs.arrows.lz4", compression="lz4")) as stream:
        assert stream.read_all()["created_month"].to_pylist() == ["2026-10", "2026-11", None]


def test_an_output_folder_that_cannot_be_made_is_exit_74(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("a file")
    with pytest.raises(OutputError, match="output: cannot make the folder") as refused:
        Run(Storage(tmp_path / "output")).open()
    assert refused.value.exit_code is ExitCode.OUTPUT


def test_what_a_worker_needs_and_gives_back_crosses_a_process_border(root: Path) -> None:
    batch = StagedBatch(number=0, tables=tables_of([Job(id="a")]))
    task: tuple[Storage, Provenance, StagedBatch] = pickle.loads(pickle.dumps((Storage(root), provenance_of(), batch)))  # noqa: S301
    storage, provenance, rows = task
    summary = stage(storage, "20261124T035000Z-000001", provenance, rows)
    assert pickle.loads(pickle.dumps(summary)) == summary  # noqa: S301


def test_a_batch_that_a_worker_left_half_done_is_done_again(storage: TracedStorage, root: Path) -> None:
    batch = StagedBatch(number=0, tables=tables_of([Job(id="a")]))
    for _ in range(2):
        stage(storage, "20261124T035000Z-000001", provenance_of(), batch)
    assert len(list((root / "_staging" / "20261124T035000Z-000001").iterdir())) == 1


def test_a_damaged_older_snapshot_can_be_moved_away(storage: TracedStorage, root: Path) -> None:
    first = Run(storage).publish([Job(id="a")]).run.run_id
    Run(storage, now=NOW + HOUR).publish([Job(id="b")])
    older = Layout(root).snapshot(first)
    (older / "_manifest.json").write_bytes(b"")
    with pytest.raises(OutputError, match="move that snapshot away: `latest` does not need it"):
        Run(storage, now=NOW + 2 * HOUR).open()
    older.rename(root / "aside")
    Run(storage, now=NOW + 2 * HOUR).publish([Job(id="c")])
    assert published(root).rows("sync_jobs") == 3


def test_a_lost_link_is_told_even_where_no_record_of_a_run_is_left(tmp_path: Path) -> None:
    root = tmp_path / "output"
    Run(TracedStorage(root), run_id="20261120T000000Z-000001").publish([Job(id="a", created_at=at(3))])
    (root / "latest").unlink()
    shutil.rmtree(root / "runs")

    with pytest.raises(OutputError, match="missing, though snapshots were published"):
        Run(TracedStorage(root), run_id="20261120T010000Z-000002").publish([Job(id="b", created_at=at(3))])

    assert (root / "snapshots" / "20261120T000000Z-000001").is_dir()
