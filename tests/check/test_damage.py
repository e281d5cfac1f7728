"""Each kind of damage, inflicted on a copy of a real dataset, is found, and where it is."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from etl.check.findings import Kind
from etl.load.layout import MANIFEST
from tests.check.conftest import Copy, run_verify

if TYPE_CHECKING:
    from collections.abc import Callable

    Damage = Callable[[Copy], tuple[Kind, str]]

DAMAGES: dict[str, Damage] = {}


def damage(inflict: Damage) -> Damage:
    """Take a function that damages a copy, and returns the kind and the place that must be found."""
    DAMAGES[inflict.__name__.strip("_")] = inflict
    return inflict


# Files


@damage
def _file_removed(copy: Copy) -> tuple[Kind, str]:
    copy.file("filtering").unlink()
    return Kind.MISSING, copy.name(copy.snapshot / "filtering") + "/"


@damage
def _file_truncated(copy: Copy) -> tuple[Kind, str]:
    path = copy.file("sync_jobs")
    path.write_bytes(path.read_bytes()[:-100])
    return Kind.SIZE, copy.name(path)


@damage
def _file_emptied(copy: Copy) -> tuple[Kind, str]:
    path = copy.file("connectors", None)
    path.write_bytes(b"")
    return Kind.SIZE, copy.name(path)


@damage
def _one_bit_flipped(copy: Copy) -> tuple[Kind, str]:
    path = copy.file("connector_configuration")
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    return Kind.HASH, copy.name(path)


@damage
def _csv_changed_behind_the_manifest(copy: Copy) -> tuple[Kind, str]:
    path = copy.csv("filtering")
    path.write_bytes(path.read_bytes().replace(b"invalid", b"isvalid"))
    return Kind.HASH, copy.name(path)


@damage
def _file_of_another_table(copy: Copy) -> tuple[Kind, str]:
    path = copy.file("filtering")
    shutil.copy(copy.file("filtering_rules"), path)
    return Kind.SCHEMA, copy.adopt(path)


@damage
def _file_that_is_no_parquet(copy: Copy) -> tuple[Kind, str]:
    path = copy.file("field_issues")
    path.write_bytes(b"job_id,path\n")
    return Kind.UNREADABLE, copy.adopt(path)


@damage
def _pages_of_jobs_that_cannot_be_decompressed(copy: Copy) -> tuple[Kind, str]:
    return Kind.UNREADABLE, _overwrite_a_page(copy, "sync_jobs")


@damage
def _pages_of_filterings_that_cannot_be_decompressed(copy: Copy) -> tuple[Kind, str]:
    return Kind.UNREADABLE, _overwrite_a_page(copy, "filtering")


def _overwrite_a_page(copy: Copy, table: str) -> str:
    path = copy.file(table)
    with pq.ParquetFile(path) as file:
        column = file.metadata.row_group(0).column(0)
        first, size = column.dictionary_page_offset or column.data_page_offset, column.total_compressed_size
    content = bytearray(path.read_bytes())
    content[first : first + size] = b"\xff" * size
    path.write_bytes(content)
    return copy.adopt(path)


@damage
def _extra_file(copy: Copy) -> tuple[Kind, str]:
    path = copy.snapshot / "sync_jobs" / "part-0.parquet"
    shutil.copy(copy.file("sync_jobs"), path)
    return Kind.ORPHAN, copy.name(path)


@damage
def _extra_folder(copy: Copy) -> tuple[Kind, str]:
    path = copy.snapshot / "old"
    path.mkdir()
    return Kind.ORPHAN, copy.name(path)


# Manifest and pointer


@damage
def _manifest_garbage(copy: Copy) -> tuple[Kind, str]:
    path = copy.snapshot / MANIFEST
    path.write_bytes(path.read_bytes()[:-10])
    return Kind.MANIFEST, copy.name(path)


@damage
def _manifest_gone(copy: Copy) -> tuple[Kind, str]:
    path = copy.snapshot / MANIFEST
    path.unlink()
    return Kind.MANIFEST, copy.name(path)


@damage
def _manifest_of_another_run(copy: Copy) -> tuple[Kind, str]:
    def change(manifest: dict[str, Any]) -> None:
        manifest["run_id"] = copy.parent

    return Kind.MANIFEST, copy.change_manifest(change)


@damage
def _manifest_of_a_later_version(copy: Copy) -> tuple[Kind, str]:
    return Kind.MANIFEST, copy.change_manifest(lambda manifest: manifest.update(format_version=99))


@damage
def _manifest_without_a_table(copy: Copy) -> tuple[Kind, str]:
    return Kind.MANIFEST, copy.change_manifest(lambda manifest: manifest["tables"].pop("filtering"))


@damage
def _manifest_with_an_unknown_table(copy: Copy) -> tuple[Kind, str]:
    return Kind.MANIFEST, copy.change_manifest(
        lambda manifest: manifest["tables"].update(more={"rows": 0, "files": []})
    )


@damage
def _manifest_with_a_path_out_of_the_snapshot(copy: Copy) -> tuple[Kind, str]:
    def change(manifest: dict[str, Any]) -> None:
        manifest["tables"]["filtering"]["files"][0]["path"] = f"../{copy.parent}/{MANIFEST}"

    return Kind.MANIFEST, copy.change_manifest(change)


@damage
def _manifest_with_a_file_twice(copy: Copy) -> tuple[Kind, str]:
    def change(manifest: dict[str, Any]) -> None:
        files = manifest["tables"]["filtering"]["files"]
        files.append(files[0])

    return Kind.MANIFEST, copy.change_manifest(change)


@damage
def _manifest_with_an_unknown_format(copy: Copy) -> tuple[Kind, str]:
    return Kind.MANIFEST, copy.change_manifest(lambda manifest: manifest["formats"].append("avro"))


@damage
def _manifest_without_parquet(copy: Copy) -> tuple[Kind, str]:
    return Kind.MANIFEST, copy.change_manifest(lambda manifest: manifest["formats"].remove("parquet"))


@damage
def _manifest_without_a_format_that_is_there(copy: Copy) -> tuple[Kind, str]:
    return Kind.MANIFEST, copy.change_manifest(lambda manifest: manifest["formats"].remove("csv"))


@damage
def _format_without_its_file(copy: Copy) -> tuple[Kind, str]:
    def change(manifest: dict[str, Any]) -> None:
        files = manifest["tables"]["filtering"]["files"]
        files[:] = [file for file in files if file["format"] != "csv"]

    copy.csv("filtering").unlink()
    return Kind.COUNT, copy.change_manifest(change)


@damage
def _wrong_rows_of_a_file_in_the_manifest(copy: Copy) -> tuple[Kind, str]:
    path = copy.file("filtering_rules")
    copy.adopt(path, len(copy.rows("filtering_rules")) + 1)
    return Kind.COUNT, copy.name(path)


@damage
def _wrong_rows_of_a_table_in_the_manifest(copy: Copy) -> tuple[Kind, str]:
    def change(manifest: dict[str, Any]) -> None:
        manifest["tables"]["filtering_rules"]["rows"] += 1

    return Kind.COUNT, copy.change_manifest(change)


@damage
def _wrong_hash_in_the_manifest(copy: Copy) -> tuple[Kind, str]:
    def change(manifest: dict[str, Any]) -> None:
        manifest["tables"]["sync_jobs"]["files"][0]["sha256"] = "0" * 64

    copy.change_manifest(change)
    return Kind.HASH, copy.name(copy.file("sync_jobs", "2026-08"))


@damage
def _table_without_rows_and_without_a_file(copy: Copy) -> tuple[Kind, str]:
    def change(manifest: dict[str, Any]) -> None:
        manifest["tables"]["field_issues"] = {"rows": 0, "files": []}

    return Kind.COUNT, copy.change_manifest(change)


@damage
def _file_without_rows_beside_others(copy: Copy) -> tuple[Kind, str]:
    copy.rewrite("field_issues", lambda rows: rows.slice(0, 0))
    return Kind.COUNT, copy.name(copy.snapshot / MANIFEST)


@damage
def _pointer_dangling(copy: Copy) -> tuple[Kind, str]:
    shutil.rmtree(copy.snapshot)
    return Kind.POINTER, "latest"


@damage
def _pointer_elsewhere(copy: Copy) -> tuple[Kind, str]:
    copy.layout.link.unlink()
    copy.layout.link.symlink_to("runs")
    return Kind.POINTER, "latest"


@damage
def _both_pointers(copy: Copy) -> tuple[Kind, str]:
    copy.layout.pointer.write_text(json.dumps({"snapshot": f"snapshots/{copy.latest}"}))
    return Kind.POINTER, "latest"


@damage
def _pointer_file_garbage(copy: Copy) -> tuple[Kind, str]:
    copy.layout.link.unlink()
    copy.layout.pointer.write_text("{")
    return Kind.POINTER, "_latest.json"


@damage
def _latest_a_folder(copy: Copy) -> tuple[Kind, str]:
    copy.layout.link.unlink()
    shutil.copytree(copy.snapshot, copy.layout.link)
    return Kind.POINTER, "latest"


@damage
def _latest_gone(copy: Copy) -> tuple[Kind, str]:
    copy.layout.link.unlink()
    return Kind.POINTER, "latest"


@damage
def _latest_gone_and_a_record_unreadable(copy: Copy) -> tuple[Kind, str]:
    copy.layout.link.unlink()
    (copy.layout.run(copy.parent) / MANIFEST).unlink()
    return Kind.POINTER, "latest"


@damage
def _file_of_an_older_snapshot_truncated(copy: Copy) -> tuple[Kind, str]:
    path = next((copy.layout.snapshot(copy.parent) / "sync_jobs").iterdir())
    path.write_bytes(path.read_bytes()[:-1])
    return Kind.SIZE, copy.name(path)


@damage
def _manifest_of_an_older_snapshot_garbage(copy: Copy) -> tuple[Kind, str]:
    path = copy.layout.snapshot(copy.parent) / MANIFEST
    path.write_bytes(b"\xff")
    return Kind.MANIFEST, copy.name(path)


# Columns


@damage
def _column_of_another_type(copy: Copy) -> tuple[Kind, str]:
    def change(rows: pa.Table) -> pa.Table:
        at = rows.schema.get_field_index("indexed_document_count")
        field = rows.schema.field(at).with_type(pa.float64())
        return rows.set_column(at, field, rows["indexed_document_count"].cast(pa.float64()))

    return Kind.SCHEMA, copy.rewrite("sync_jobs", change)


@damage
def _column_missing(copy: Copy) -> tuple[Kind, str]:
    return Kind.SCHEMA, copy.rewrite("sync_jobs", lambda rows: rows.drop_columns(["worker_hostname"]))


@damage
def _key_column_missing(copy: Copy) -> tuple[Kind, str]:
    return Kind.SCHEMA, copy.rewrite("filtering_rules", lambda rows: rows.drop_columns(["rule_index"]))


@damage
def _column_added(copy: Copy) -> tuple[Kind, str]:
    def change(rows: pa.Table) -> pa.Table:
        return rows.append_column("more", pa.nulls(rows.num_rows, pa.string()))

    return Kind.SCHEMA, copy.rewrite("connectors", change)


@damage
def _column_twice(copy: Copy) -> tuple[Kind, str]:
    def change(rows: pa.Table) -> pa.Table:
        return rows.append_column(rows.schema.field("language"), rows["language"])

    return Kind.SCHEMA, copy.rewrite("connectors", change)


@damage
def _columns_in_another_order(copy: Copy) -> tuple[Kind, str]:
    return Kind.SCHEMA, copy.rewrite("filtering", lambda rows: rows.select(rows.column_names[::-1]))


@damage
def _pandas_metadata_stripped(copy: Copy) -> tuple[Kind, str]:
    return Kind.SCHEMA, copy.rewrite("sync_jobs", lambda rows: rows.replace_schema_metadata({"description": "jobs"}))


@damage
def _pandas_metadata_garbage(copy: Copy) -> tuple[Kind, str]:
    return Kind.SCHEMA, copy.rewrite("sync_jobs", lambda rows: rows.replace_schema_metadata({"pandas": "{"}))


@damage
def _pandas_metadata_of_other_types(copy: Copy) -> tuple[Kind, str]:
    def change(rows: pa.Table) -> pa.Table:
        pandas = rows.schema.metadata[b"pandas"].replace(b'"Int64"', b'"int64"')
        return rows.replace_schema_metadata({b"pandas": pandas})

    return Kind.SCHEMA, copy.rewrite("sync_jobs", change)


# Rows


@damage
def _row_repeated_in_a_further_row_group(copy: Copy) -> tuple[Kind, str]:
    return Kind.DUPLICATE, copy.rewrite("sync_jobs", lambda rows: pa.concat_tables([rows, rows.slice(0, 1)]))


@damage
def _job_in_two_months(copy: Copy) -> tuple[Kind, str]:
    (row, *_) = copy.rows("sync_jobs", "2026-08")
    moved = {**row, "created_at": row["created_at"].replace(month=10, day=31), "created_month": "2026-10"}
    return Kind.DUPLICATE, copy.change_rows("sync_jobs", lambda rows: rows.append(moved))


@damage
def _row_repeated_at_once(copy: Copy) -> tuple[Kind, str]:
    return Kind.DUPLICATE, copy.change_rows("filtering_rules", lambda rows: rows.insert(1, rows[0]))


@damage
def _row_repeated_far_away(copy: Copy) -> tuple[Kind, str]:
    return Kind.DUPLICATE, copy.change_rows("connector_configuration", lambda rows: rows.append(rows[0]))


@damage
def _job_id_of_a_row_changed(copy: Copy) -> tuple[Kind, str]:
    return Kind.REFERENCE, copy.change_rows("connector_configuration", lambda rows: rows[3].update(job_id="nobody"))


@damage
def _rows_without_a_job(copy: Copy) -> tuple[Kind, str]:
    return Kind.REFERENCE, copy.change_rows("field_issues", lambda rows: rows.append({**rows[0], "job_id": "zz"}))


@damage
def _row_of_a_job_of_another_month(copy: Copy) -> tuple[Kind, str]:
    moved = copy.rows("connectors", "2026-08")[0] | {"created_month": "2026-10"}
    return Kind.REFERENCE, copy.change_rows("connectors", lambda rows: rows.append(moved))


@damage
def _connectors_row_missing(copy: Copy) -> tuple[Kind, str]:
    copy.change_rows("connectors", lambda rows: rows.pop(2))
    return Kind.REFERENCE, copy.name(copy.file("sync_jobs"))


@damage
def _rule_without_its_filtering(copy: Copy) -> tuple[Kind, str]:
    return Kind.REFERENCE, copy.change_rows("filtering_rules", lambda rows: rows[-1].update(filtering_index=7))


@damage
def _error_without_its_filtering(copy: Copy) -> tuple[Kind, str]:
    copy.change_rows("filtering", lambda rows: rows.pop(0), None)
    return Kind.REFERENCE, copy.name(copy.file("filtering_validation_errors", None))


@damage
def _null_in_a_required_column(copy: Copy) -> tuple[Kind, str]:
    return Kind.REQUIRED, copy.rewrite("sync_jobs", lambda rows: _with_nulls(rows, "fetched_at"))


@damage
def _null_in_a_key(copy: Copy) -> tuple[Kind, str]:
    return Kind.REQUIRED, copy.rewrite("filtering", lambda rows: _with_nulls(rows, "job_id"))


@damage
def _null_in_a_later_part_of_a_key(copy: Copy) -> tuple[Kind, str]:
    return Kind.REQUIRED, copy.rewrite("filtering_rules", lambda rows: _with_nulls(rows, "filtering_index"))


def _with_nulls(rows: pa.Table, name: str) -> pa.Table:
    at = rows.schema.get_field_index(name)
    first = pa.array([number == 0 for number in range(rows.num_rows)])
    values = pc.if_else(first, None, rows[name])
    return rows.set_column(at, rows.schema.field(at).with_nullable(nullable=True), values)


@damage
def _month_of_a_row_wrong(copy: Copy) -> tuple[Kind, str]:
    return Kind.MONTH, copy.change_rows("filtering", lambda rows: rows[0].update(created_month="2026-09"))


@damage
def _month_of_an_undated_row(copy: Copy) -> tuple[Kind, str]:
    return Kind.MONTH, copy.change_rows("filtering", lambda rows: rows[0].update(created_month="2026-09"), None)


@damage
def _creation_in_another_month(copy: Copy) -> tuple[Kind, str]:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[0]["created_at"] = rows[0]["created_at"].replace(month=9)

    return Kind.MONTH, copy.change_rows("sync_jobs", change)


@damage
def _creation_taken_away(copy: Copy) -> tuple[Kind, str]:
    return Kind.MONTH, copy.change_rows("sync_jobs", lambda rows: rows[-1].update(created_at=None))


@damage
def _jobs_out_of_order(copy: Copy) -> tuple[Kind, str]:
    return Kind.ORDER, copy.change_rows("sync_jobs", lambda rows: rows.reverse())


@damage
def _rows_of_a_job_out_of_order(copy: Copy) -> tuple[Kind, str]:
    return Kind.ORDER, copy.change_rows("filtering_rules", lambda rows: rows.insert(0, rows.pop(1)))


@damage
def _rows_of_jobs_out_of_order(copy: Copy) -> tuple[Kind, str]:
    return Kind.ORDER, copy.change_rows("connectors", lambda rows: rows.reverse())


@damage
def _json_column_without_json(copy: Copy) -> tuple[Kind, str]:
    return Kind.JSON, copy.change_rows("sync_jobs", lambda rows: rows[1].update(metadata_json="{'a': 1}"))


@damage
def _value_withheld_in_silence(copy: Copy) -> tuple[Kind, str]:
    def change(rows: list[dict[str, Any]]) -> None:
        withheld = next(row for row in rows if row["field"] == "password")
        assert withheld["is_redacted"]
        withheld["is_redacted"] = False

    return Kind.REDACTION, copy.change_rows("connector_configuration", change)


@damage
def _value_shown_though_withheld(copy: Copy) -> tuple[Kind, str]:
    def change(rows: list[dict[str, Any]]) -> None:
        next(row for row in rows if row["field"] == "password")["value"] = "hunter2-hunter2"

    return Kind.REDACTION, copy.change_rows("connector_configuration", change)


# CSV


def _csv_line(copy: Copy, change: Callable[[list[bytes]], object]) -> tuple[Kind, str]:
    path = copy.csv("field_issues")
    lines = path.read_bytes().splitlines(keepends=True)
    change(lines)
    path.write_bytes(b"".join(lines))
    return Kind.CSV, copy.adopt(path)


@damage
def _csv_row_missing(copy: Copy) -> tuple[Kind, str]:
    return _csv_line(copy, lambda lines: lines.pop())


@damage
def _csv_row_added(copy: Copy) -> tuple[Kind, str]:
    return _csv_line(copy, lambda lines: lines.append(lines[-1]))


@damage
def _csv_rows_in_another_order(copy: Copy) -> tuple[Kind, str]:
    return _csv_line(copy, lambda lines: lines.insert(1, lines.pop()))


@damage
def _csv_key_altered(copy: Copy) -> tuple[Kind, str]:
    path = copy.csv("filtering_rules")
    path.write_bytes(path.read_bytes().replace(b"job 01", b"job l1", 1))
    return Kind.CSV, copy.adopt(path)


@damage
def _csv_number_in_a_key_altered(copy: Copy) -> tuple[Kind, str]:
    path = copy.csv("filtering_rules")
    path.write_bytes(path.read_bytes().replace(b'"job 01",0,2,', b'"job 01",0,"two",', 1))
    return Kind.CSV, copy.adopt(path)


@damage
def _csv_header_altered(copy: Copy) -> tuple[Kind, str]:
    return _csv_line(copy, lambda lines: lines.__setitem__(0, lines[0].replace(b"problem", b"trouble")))


@damage
def _csv_empty(copy: Copy) -> tuple[Kind, str]:
    return _csv_line(copy, lambda lines: lines.clear())


@damage
def _csv_torn_row(copy: Copy) -> tuple[Kind, str]:
    return _csv_line(copy, lambda lines: lines.append(b"only one cell\n"))


# Records of runs, and the lock


@damage
def _record_unreadable(copy: Copy) -> tuple[Kind, str]:
    path = copy.layout.run(copy.parent) / MANIFEST
    path.write_bytes(b"{}")
    return Kind.RUN, copy.name(path)


@damage
def _record_of_another_run(copy: Copy) -> tuple[Kind, str]:
    return Kind.RUN, copy.change_run(lambda record: record.update(run_id=copy.latest), copy.parent)


@damage
def _outcome_count_wrong(copy: Copy) -> tuple[Kind, str]:
    copy.change_run(lambda record: record["outcomes"].update(loaded=3, unchanged=1))
    return Kind.RUN, copy.name(copy.layout.run(copy.latest) / "outcomes.parquet")


@damage
def _ids_without_an_outcome(copy: Copy) -> tuple[Kind, str]:
    return Kind.RUN, copy.change_run(lambda record: record["inputs"].update(requested=1000))


@damage
def _outcomes_garbage(copy: Copy) -> tuple[Kind, str]:
    path = copy.layout.run(copy.latest) / "outcomes.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    return Kind.RUN, copy.name(path)


@damage
def _outcomes_of_other_columns(copy: Copy) -> tuple[Kind, str]:
    path = copy.layout.run(copy.latest) / "outcomes.parquet"
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["reason"]), path)
    return Kind.RUN, copy.name(path)


@damage
def _list_of_failed_ids_gone(copy: Copy) -> tuple[Kind, str]:
    path = copy.layout.run(copy.latest) / "failed.txt"
    path.unlink()
    return Kind.RUN, copy.name(path)


@damage
def _state_of_the_run_that_published_wrong(copy: Copy) -> tuple[Kind, str]:
    return Kind.RUN, copy.change_run(lambda record: record.update(state="abandoned"))


@damage
def _lock_with_something_strange(copy: Copy) -> tuple[Kind, str]:
    copy.layout.lock.write_text("me")
    return Kind.LOCK, "_lock"


@damage
def _lock_a_folder(copy: Copy) -> tuple[Kind, str]:
    copy.layout.lock.unlink()
    copy.layout.lock.mkdir()
    return Kind.LOCK, "_lock"


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_where_it_is(name: str, copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    kind, path = DAMAGES[name](copy)

    assert run_verify("--output", str(copy.root), "--json") == 5
    found = json.loads(capsys.readouterr().out)["findings"]
    there = [one for one in found if one["kind"] == kind and one["path"].startswith(path)]
    assert there, found
    assert all("; " in one["detail"] for one in found), "a finding says what to do"


def test_a_file_over_the_limit_is_found(copy: Copy) -> None:
    rows = {
        month: len(copy.rows("connector_configuration", month)) for month in ("2026-08", "2026-09", "2026-10", None)
    }
    most = max(rows.values()) - 1

    report = copy.verify(most_rows=most)

    expected = [copy.name(copy.file("connector_configuration", month)) for month in rows if rows[month] > most]
    assert [finding.path for finding in report.problems] == expected
    assert {finding.kind for finding in report.problems} == {Kind.LIMIT}


def test_without_damage_nothing_is_found(copy: Copy) -> None:
    report = copy.verify(everything=True)

    assert (report.problems, report.notes) == ((), ())
    assert (report.snapshots, report.by_size, report.tables, report.runs) == (2, 0, 7, 2)
