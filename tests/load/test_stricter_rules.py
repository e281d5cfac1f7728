"""Publishes that write every file anew: another schema, a newer redactor, fewer exposed fields."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.errors import OutputError, UsageError
from etl.load import sources
from etl.load.layout import Layout
from etl.load.manifest import SnapshotManifest, encode
from etl.load.plan import Reason
from etl.schema.arrow import arrow_schema
from etl.schema.tables import TABLES
from tests.load.conftest import (
    HOUR,
    NOW,
    Job,
    Run,
    assert_declared,
    assert_tidy,
    assert_whole,
    at,
    contents,
    expected,
    provenance_of,
    published,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.load.conftest import TracedStorage

JOBS = [Job(id=f"{n}", created_at=at(1 + n, month=10 + n % 2), fields={"host": f"h{n}"}, rules=n % 2) for n in range(7)]
UNDATED = Job(id="undated", created_at=None, fields={"host": "h"})


def redact(tables: Mapping[str, pa.Table]) -> Mapping[str, pa.Table]:
    """Withhold all values, and give the rows back in another order."""
    name = "connector_configuration"
    rows = tables[name].to_pylist()
    for row in rows:
        row |= {"value": None, "is_redacted": True}
    return dict(tables) | {name: pa.Table.from_pylist(rows[::-1], schema=arrow_schema(name))}


def redacted(job: Job) -> Job:
    return replace(job, fields=dict.fromkeys(job.fields))


STRICTER = {
    Reason.EXPOSED: (provenance_of(exposed=("host", "port")), provenance_of(exposed=("port",))),
    Reason.REDACTOR: (provenance_of(), provenance_of(redactor_version=2)),
}


@pytest.mark.parametrize("reason", STRICTER)
def test_stricter_rules_redact_all_rows_again_and_remove_older_snapshots(
    storage: TracedStorage, root: Path, reason: Reason, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "SNAPSHOT_JOBS", 2)
    before, after = STRICTER[reason]
    first = Run(storage, provenance=before).publish([*JOBS, UNDATED])
    new = Job(id="new", fetched_at=NOW + HOUR)
    changed = replace(JOBS[0], error="x", fields={"host": None}, fetched_at=NOW + HOUR)
    groups: list[int] = []

    def rewrite(tables: Mapping[str, pa.Table]) -> Mapping[str, pa.Table]:
        assert set(tables) == {table.name for table in TABLES}
        groups.append(tables["sync_jobs"].num_rows)
        return redact(tables)

    run = Run(
        storage,
        now=NOW + HOUR,
        provenance=after,
        publishing={"rewrite_rows": rewrite},
    )
    closing = run.publish([new, changed])
    assert run.plan is not None
    assert run.plan.reasons == (reason,)
    assert contents(root) == expected([redacted(job) for job in [*JOBS[1:], UNDATED]] + [changed, new])
    assert closing.pruned.snapshots == (first.run.run_id,)
    assert max(groups) == 2
    assert not Layout(root).snapshot(first.run.run_id).exists()
    assert all(after_entry.path.find(first.run.run_id) < 0 for after_entry in _entries(root))
    assert_whole(root)
    assert_tidy(root)


def _entries(root: Path) -> list[Any]:
    return [entry for table in published(root).manifest.tables.values() for entry in table.files]


def test_stricter_rules_publish_also_where_no_row_came(storage: TracedStorage, root: Path) -> None:
    Run(storage, provenance=provenance_of(exposed=("host",))).publish(JOBS)
    Run(storage, now=NOW + HOUR, publishing={"rewrite_rows": redact}).publish([])
    assert contents(root) == expected([redacted(job) for job in JOBS])


def test_a_missing_job_is_marked_while_all_rows_are_redacted_again(storage: TracedStorage, root: Path) -> None:
    Run(storage, provenance=provenance_of(exposed=("host",))).publish(JOBS)
    gone = {"3": NOW + HOUR}
    Run(storage, now=NOW + HOUR, publishing={"rewrite_rows": redact}).publish([], not_found=gone)
    assert contents(root) == expected([redacted(job) for job in JOBS], gone)


def test_stricter_rules_without_a_way_to_redact_again_are_a_mistake(storage: TracedStorage, root: Path) -> None:
    Run(storage, provenance=provenance_of(exposed=("host",))).publish(JOBS)
    with pytest.raises(ValueError, match="rewrite_rows must be given"):
        Run(storage, now=NOW + HOUR).publish([])
    assert contents(root) == expected(JOBS)


def test_rewriting_that_loses_a_job_is_a_mistake(storage: TracedStorage, root: Path) -> None:
    Run(storage, provenance=provenance_of(exposed=("host",))).publish(JOBS)

    def lose(tables: Mapping[str, pa.Table]) -> Mapping[str, pa.Table]:
        return {name: rows.slice(1) for name, rows in tables.items()}

    with pytest.raises(ValueError, match="rewriting returned other jobs"):
        Run(storage, now=NOW + HOUR, publishing={"rewrite_rows": lose}).publish([])
    assert contents(root) == expected(JOBS)


def test_more_exposed_fields_hold_for_new_rows_and_the_older_ones_are_counted(
    storage: TracedStorage, root: Path
) -> None:
    Run(storage).publish(JOBS)
    wider = provenance_of(exposed=("host",))
    run = Run(storage, now=NOW + HOUR, provenance=wider)
    run.publish([replace(JOBS[0], fields={"host": "shown"}, fetched_at=NOW + HOUR)])
    assert run.plan is not None
    assert (run.plan.reasons, run.plan.loaded_before_widening) == ((), 6)
    assert published(root).manifest.origin.exposed == ("host",)


def test_a_later_redactor_or_schema_is_not_written_over(storage: TracedStorage, root: Path) -> None:
    Run(storage, provenance=provenance_of(redactor_version=2)).publish(JOBS)
    with pytest.raises(UsageError, match=r"later version of etl \(schema 1, redactor 2; this one has 1 and 1\)"):
        Run(storage, now=NOW + HOUR).open()
    assert contents(root) == expected(JOBS)


def make_older(root: Path, column: str) -> None:
    """Turn the published files into those of a version that did not have the column."""
    snapshot = published(root)
    files = {}
    for name, table in snapshot.manifest.tables.items():
        entries = []
        for entry in table.files:
            path = snapshot.folder / entry.path
            if name == "sync_jobs":
                pq.write_table(pq.read_table(path, partitioning=None).drop_columns([column]), path)
            entries.append(msgspec.structs.replace(entry, bytes=path.stat().st_size, sha256="0" * 64))
        files[name] = msgspec.structs.replace(table, files=tuple(entries))
    origin = msgspec.structs.replace(snapshot.manifest.origin, schema_fingerprint="older")
    older: SnapshotManifest = msgspec.structs.replace(snapshot.manifest, tables=files, origin=origin)
    (snapshot.folder / "_manifest.json").write_bytes(encode(older))


def test_another_schema_writes_every_file_anew_in_the_current_one(storage: TracedStorage, root: Path) -> None:
    first = Run(storage).publish([*JOBS, UNDATED])
    make_older(root, "metadata_json")
    assert published(root).read("sync_jobs").num_rows == 8
    run = Run(storage, now=NOW + HOUR)
    closing = run.publish([])
    assert run.plan is not None
    assert run.plan.reasons == (Reason.SCHEMA,)
    assert contents(root) == expected([*JOBS, UNDATED])
    for table in TABLES:
        for path in published(root).table_files(table.name):
            assert_declared(pq.read_schema(path), table.name)
    assert closing.pruned.snapshots == ()
    assert Layout(root).snapshot(first.run.run_id).exists()
    assert_whole(root)


def test_a_column_that_this_version_does_not_know_is_not_dropped_in_silence(storage: TracedStorage, root: Path) -> None:
    Run(storage).publish(JOBS)
    path = published(root).table_files("sync_jobs")[0]
    rows = pq.read_table(path, partitioning=None)
    pq.write_table(rows.append_column("invented", pa.nulls(rows.num_rows, pa.int64())), path)
    with pytest.raises(OutputError, match=r"holds a column invented .* upgrade etl"):
        Run(storage, now=NOW + HOUR).publish([])


def test_a_new_format_publishes_and_the_old_ones_stay(storage: TracedStorage, root: Path) -> None:
    Run(storage).publish(JOBS)
    snapshot = published(root)
    older = msgspec.structs.replace(snapshot.manifest, formats=())
    (snapshot.folder / "_manifest.json").write_bytes(encode(older))
    run = Run(storage, now=NOW + HOUR)
    run.publish([])
    assert run.plan is not None
    assert run.plan.reasons == (Reason.FORMATS,)
    assert published(root).manifest.formats == ("parquet",)
    assert contents(root) == expected(JOBS)


def test_an_unknown_format_is_refused(storage: TracedStorage, root: Path) -> None:
    with pytest.raises(UsageError, match="format orc: unknown; choose one of parquet"):
        Run(storage, opening={"formats": ("orc",)}).open()
    assert not root.exists()
