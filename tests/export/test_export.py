"""`etl export`: the rows of the dataset in every form, of the jobs that are wanted and no others."""

from __future__ import annotations

import csv
import json
import os
import pty
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import Ended, etl
from guarded_cells import original_text

from etl.cli import main
from etl.dataset import open_dataset
from etl.dataset.export import Export
from etl.dataset.export_files import Folder, write_table
from etl.errors import OutputError, UsageError
from etl.extract.filters import JobFilters
from etl.load.storage import Storage
from etl.schema.arrow import arrow_schema
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = [table.name for table in TABLES]


def export(output: Path, dest: Path | str, *arguments: str) -> Ended:
    return etl("export", str(dest), "--output", str(output), *arguments)


def rows_of(output: Path, name: str) -> list[dict[str, Any]]:
    """A table's rows in the order of the dataset, months first and undated jobs last."""
    found: list[dict[str, Any]] = open_dataset(output).read(name, as_="arrow").to_pylist()
    return sorted(found, key=lambda row: (row["created_month"] is None, row["created_month"] or ""))


def as_text(value: Any) -> Any:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, datetime) else value


def test_parquet_files_hold_the_tables_in_their_exact_schemas(varied: Path, tmp_path: Path) -> None:
    ended = export(varied, tmp_path / "new" / "folder", "--format", "parquet", "--json")

    assert (ended.code, ended.err) == (0, "")
    for name in NAMES:
        path = tmp_path / "new" / "folder" / f"{name}.parquet"
        assert pq.read_table(path).to_pylist() == rows_of(varied, name)
        declared, found = arrow_schema(name), pq.read_schema(path)
        assert found.equals(declared)
        assert found.metadata == declared.metadata
        assert pd.read_parquet(path).dtypes.equals(open_dataset(varied)[name].dtypes)
        assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"
        told = ended.summary["tables"][name]
        assert told == {"file": str(path), "rows": len(rows_of(varied, name)), "bytes": path.stat().st_size}
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == sorted(
        f"{n}.parquet" for n in NAMES
    )


def test_json_lines_hold_every_column_of_every_row(varied: Path, tmp_path: Path) -> None:
    assert export(varied, tmp_path, "--format", "jsonl").code == 0

    for name in NAMES:
        lines = (tmp_path / f"{name}.jsonl").read_bytes().splitlines()
        expected = [{key: as_text(value) for key, value in row.items()} for row in rows_of(varied, name)]
        assert [json.loads(line) for line in lines] == expected
        assert all(list(json.loads(line)) == arrow_schema(name).names for line in lines[:5])


@pytest.mark.parametrize("raw", [False, True])
def test_csv_files_hold_every_cell_by_the_rules_of_the_dataset(varied: Path, tmp_path: Path, *, raw: bool) -> None:
    assert export(varied, tmp_path, "--format", "csv", *(["--csv-raw"] if raw else [])).code == 0

    for name in NAMES:
        with (tmp_path / f"{name}.csv").open(newline="", encoding="utf-8") as stream:
            found = list(csv.DictReader(stream))
        expected = rows_of(varied, name)
        assert len(found) == len(expected)
        for cells, row in zip(found, expected, strict=True):
            for column, value in row.items():
                shown = "" if value is None else as_text(value)
                if isinstance(shown, list):
                    shown = json.dumps(shown, separators=(",", ":"), ensure_ascii=False)
                elif isinstance(shown, bool):
                    shown = str(shown).lower()
                cell = cells[column]
                assert str(shown) == cell or str(shown) == original_text(cell)
    errors = (tmp_path / "sync_jobs.csv").read_text()
    assert ("'=1+1" in errors) is not raw


Frame = pd.DataFrame
JULY = pd.Timestamp("2026-07-01", tz="UTC")
FILTERS: dict[str, tuple[list[str], Callable[[Frame], Any]]] = {
    "none": ([], lambda jobs: jobs["job_id"].notna()),
    "a status": (["--status", "error"], lambda jobs: jobs["status"] == "error"),
    "two statuses": (
        ["--status", "error", "--status", "canceled"], lambda jobs: jobs["status"].isin(["error", "canceled"])
    ),
    "a job type": (["--job-type", "incremental"], lambda jobs: jobs["job_type"] == "incremental"),
    "connectors": (
        ["--connector-id", "conn-1", "--connector-id", "conn-0", "--connector-id", "no such"],
        lambda jobs: jobs["connector_id"].isin(["conn-1", "conn-0"]),
    ),
    "since": (["--since", "2026-07-01"], lambda jobs: jobs["created_at"] >= JULY),
    "until": (["--until", "2026-07-01T00:00:00Z"], lambda jobs: jobs["created_at"] < JULY),
    "between": (
        ["--since", "2026-01-01", "--until", "2026-07-01T02:00:00+02:00"],
        lambda jobs: (jobs["created_at"] >= pd.Timestamp("2026-01-01", tz="UTC")) & (jobs["created_at"] < JULY),
    ),
    "all of them": (
        ["--status", "completed", "--job-type", "full", "--since", "2020-01-01"],
        lambda jobs: (jobs["status"] == "completed") & (jobs["job_type"] == "full")
        & (jobs["created_at"] >= pd.Timestamp("2020-01-01", tz="UTC")),
    ),
    "nothing": (["--connector-id", "no such"], lambda jobs: jobs["job_id"].isna()),
}  # fmt: skip


@pytest.mark.parametrize("name", FILTERS)
def test_filters_choose_the_jobs_that_pandas_chooses_and_child_rows_follow(
    varied: Path, tmp_path: Path, name: str
) -> None:
    arguments, wanted = FILTERS[name]

    ended = export(varied, tmp_path, "--format", "parquet", "--json", *arguments)

    assert ended.code == 0
    jobs = open_dataset(varied)["sync_jobs"]
    ids = set(jobs[wanted(jobs).fillna(value=False)]["job_id"])
    assert name == "nothing" or 0 < len(ids) <= len(jobs)
    for table in NAMES:
        found = pq.read_table(tmp_path / f"{table}.parquet")
        assert found.to_pylist() == [row for row in rows_of(varied, table) if row["job_id"] in ids]
        assert found.schema.equals(arrow_schema(table))
    assert ("no job matches" in ended.err) is (name == "nothing")


def test_undated_jobs_are_chosen_only_where_no_time_is_asked_for(varied: Path, tmp_path: Path) -> None:
    export(varied, tmp_path / "all", "--format", "jsonl", "--table", "sync_jobs")
    export(varied, tmp_path / "some", "--format", "jsonl", "--table", "sync_jobs", "--until", "9000-01-01")

    assert "undated-1" in (tmp_path / "all" / "sync_jobs.jsonl").read_text()
    assert "undated-1" not in (tmp_path / "some" / "sync_jobs.jsonl").read_text()


def test_how_long_ago_counts_back_from_now(varied: Path, tmp_path: Path) -> None:
    jobs = open_dataset(varied)["sync_jobs"]
    newest = jobs["created_at"].max().to_pydatetime()
    days = (datetime.now(UTC) - newest) // timedelta(days=1)

    ended = export(varied, tmp_path, "--format", "csv", "--json", "--since", f"{max(days, 0) + 2}d")

    assert ended.code == 0
    assert 0 < ended.summary["tables"]["sync_jobs"]["rows"] < len(jobs)


def test_only_the_tables_that_are_named_are_written(varied: Path, tmp_path: Path) -> None:
    ended = export(
        varied, tmp_path, "--format", "csv", "--table", "filtering", "--table", "connectors", "--table", "filtering"
    )

    assert ended.code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["connectors.csv", "filtering.csv"]
    assert "written to " + str(tmp_path) in ended.out
    assert str(len(rows_of(varied, "filtering"))) in ended.out


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_one_table_goes_to_standard_output_and_the_summary_to_stderr(varied: Path, tmp_path: Path, form: str) -> None:
    arguments = ["--format", form, "--table", "connectors", "--status", "completed"]
    export(varied, tmp_path, *arguments)

    ended = export(varied, "-", *arguments)

    assert ended.code == 0
    assert ended.raw == (tmp_path / f"connectors.{form}").read_bytes()
    assert "written to standard output" in ended.err
    assert export(varied, "-", *arguments, "-q").err == ""
    assert json.loads(export(varied, "-", *arguments, "--json").err)["tables"]["connectors"]["file"] == "-"


def test_standard_output_takes_one_table(varied: Path) -> None:
    several = export(varied, "-", "--format", "csv")

    assert (several.code, several.raw) == (2, b"")
    assert "choose it with --table" in several.err


def test_parquet_is_not_written_to_a_terminal(varied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, other = pty.openpty()
    with os.fdopen(other, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        with pytest.raises(UsageError, match="redirect standard output"):
            main.cli.main(
                ["export", "-", "--format", "parquet", "--table", "connectors", "--output", str(varied)],
                standalone_mode=False,
            )
    os.close(terminal)


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_a_reader_that_goes_away_ends_it_in_silence(varied: Path, form: str) -> None:
    arguments = ["export", "-", "--format", form, "--table", "sync_jobs", "--output", str(varied), "-q"]
    command = [sys.executable, "-m", "etl", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.close()
        assert running.stderr is not None
        assert running.stderr.read() == b""
    assert running.returncode == 0


def test_files_of_an_earlier_export_stay_unless_they_may_be_overwritten(varied: Path, tmp_path: Path) -> None:
    (tmp_path / "filtering.csv").write_text("mine")

    refused = export(varied, tmp_path, "--format", "csv")

    assert refused.code == 2
    assert "holds filtering.csv already" in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["filtering.csv"]
    assert (tmp_path / "filtering.csv").read_text() == "mine"

    assert export(varied, tmp_path, "--format", "csv", "--overwrite").code == 0
    assert (tmp_path / "filtering.csv").read_text().startswith('"job_id",')


def test_it_never_writes_among_the_files_of_the_dataset(varied: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(varied / "latest")
    before = sorted(varied.rglob("*"))

    for dest in (varied, varied / "new", varied / "latest" / "x", tmp_path / "link", tmp_path / "link" / "new"):
        ended = export(varied, dest, "--format", "csv")
        assert (ended.code, "lies in the dataset" in ended.err) == (2, True)

    assert sorted(varied.rglob("*")) == before


def test_a_destination_that_is_a_file_or_cannot_be_made_is_refused(varied: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    there = export(varied, tmp_path / "file", "--format", "csv")
    below = export(varied, tmp_path / "file" / "below", "--format", "csv")

    assert (there.code, "is a file" in there.err) == (2, True)
    assert (below.code, "cannot make the folder" in below.err) == (74, True)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--format", "xlsx"], "xlsx"),
        ([], "--format"),
        (["--format", "csv", "--table", "jobs"], "jobs"),
        (["--format", "csv", "--status", "done"], "'done' is no status"),
        (["--format", "csv", "--since", "soon"], "'soon' is no time"),
        (["--format", "csv", "--since", "2026-02-01", "--until", "2026-01-01"], "no job can match"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_made(
    varied: Path, tmp_path: Path, arguments: list[str], reason: str
) -> None:
    ended = export(varied, tmp_path / "new", *arguments)

    assert (ended.code, reason in ended.err) == (2, True)
    assert not (tmp_path / "new").exists()


def test_without_a_dataset_it_says_how_to_make_one(tmp_path: Path) -> None:
    ended = export(tmp_path / "none", tmp_path / "new", "--format", "csv")

    assert (ended.code, "etl demo" in ended.err) == (74, True)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_an_export_that_fails_leaves_the_old_file_and_nothing_half_written(
    varied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    (tmp_path / f"sync_jobs.{form}").write_text("old")
    step = Storage._step

    def full(self: Storage, kind: Any, path: Path, target: Path | None) -> None:
        if kind in {"write to the file", "flush the file to disk"}:
            raise OSError(28, "No space left on device")
        step(self, kind, path, target)

    monkeypatch.setattr(Storage, "_step", full)
    ended = export(varied, tmp_path, "--format", form, "--overwrite")

    assert (ended.code, "No space left on device; free space there" in ended.err) == (74, True)
    assert [path.name for path in tmp_path.iterdir()] == [f"sync_jobs.{form}"]
    assert (tmp_path / f"sync_jobs.{form}").read_text() == "old"


def test_an_export_sees_one_state_whatever_is_published_meanwhile(varied: Path, tmp_path: Path) -> None:
    opened = Export(varied, JobFilters())
    link = varied / "latest"
    target = link.readlink()
    link.unlink()
    try:
        with pytest.raises(OutputError):
            Export(varied, JobFilters())
        folder = Folder(tmp_path / "new", dataset=varied, overwrite=False)
        exported = opened.write(folder, ["connectors"], "csv", csv_raw=False, advance=lambda _: None)
    finally:
        link.symlink_to(target)

    assert exported.tables["connectors"].rows == opened.rows(["connectors"])


def test_progress_counts_every_row_that_was_read(varied: Path, tmp_path: Path) -> None:
    opened = Export(varied, JobFilters(statuses=("error",)))
    counted: list[int] = []

    folder = Folder(tmp_path / "new", dataset=varied, overwrite=False)
    opened.write(folder, NAMES, "jsonl", csv_raw=False, advance=counted.append)

    assert sum(counted) == opened.rows(NAMES)


def test_json_lines_of_many_rows_take_flat_memory(tmp_path: Path) -> None:
    rows = pa.table(
        {n: [f"job-{i}" if n == "job_id" else None for i in range(20_000)] for n in arrow_schema("connectors").names},
        schema=arrow_schema("connectors"),
    )

    tracemalloc.start()
    try:
        chunks = (rows for _ in range(4))
        write_table("jsonl", Storage(tmp_path), tmp_path / "x", "connectors", chunks, csv_raw=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 8_000_000 < (tmp_path / "x").stat().st_size
