"""CSV as a format of the dataset: every value and every key comes back, and no text runs as a formula."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from documents import job
from guarded_cells import original_text
from hypothesis import given
from hypothesis import strategies as st

from etl.load.csv_form import write_csv
from etl.load.storage import Storage
from etl.schema.arrow import arrow_schema
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from benches import Bench, MakeBench

ODD = [
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''=1", "'tis", '=HYPERLINK("x","y")', "-5",
   "+5.5", "", " ", "a,b", 'say "hi"', "two\nlines", "two\r\nlines", "é ü 漢字 😀", "null", "NA",
    "NULL", "None", "nan",
    "007", "1e5", "true", "\uff1d1", "=1", ";", "\\", "\\N", '"', '""', "\ufeffx", "trailing ",
]  # fmt: skip
FORMULA = re.compile("[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


def odd_documents() -> dict[str, Any]:
    documents = {
        f"job-{number}": job(
            id=f"job-{number}",
            error=text,
            worker_hostname=None if number % 3 else text,
            connector={"index_name": text, "configuration": {text or "empty": {"label": text, "order": number}}},
        )
        for number, text in enumerate(ODD)
    }
    for name in ("=cmd", "-x", "'a", "@b", "a,b", 'a"b'):
        documents[name] = job(id=name, status="error", error=f"={name}", completed_at=None)
    documents["lists"] = job(
        id="lists",
        connector={
            "filtering": {
                "rules": [],
                "validation": {"state": "invalid", "errors": [{"ids": ["a,b", None], "messages": ["=x", 'q"']}]},
            }
        },
    )
    return documents


def expected_cells(bench: Bench, name: str) -> list[list[str | None]]:
    """What the CSV of a table must say, out of its Parquet files; guarded texts by their original."""
    table = pq.read_table(bench.output / "latest" / name)
    rows = []
    for row in table.to_pylist():
        cells: list[str | None] = []
        for value in row.values():
            if value is None or isinstance(value, str):
                cells.append(value)
            elif isinstance(value, bool):
                cells.append("true" if value else "false")
            elif isinstance(value, list):
                cells.append(json.dumps(value, separators=(",", ":")))
            elif hasattr(value, "strftime"):
                cells.append(value.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
            else:
                cells.append(str(value))
        rows.append(cells)
    return rows


def is_altered(name: str, column: str) -> bool:
    """Whether the guard may touch a column."""
    table = next(table for table in TABLES if table.name == name)
    return column not in {*table.key, "connector_id"} and not column.endswith("_json")


def restored(name: str, columns: list[str], rows: list[list[str | None]]) -> list[list[str | None]]:
    return [
        [
            original_text(cell) if cell is not None and is_altered(name, column) else cell
            for column, cell in zip(columns, row, strict=True)
        ]
        for row in rows
    ]


@pytest.mark.parametrize("raw", [False, True], ids=["guarded", "raw"])
def test_every_value_and_every_key_comes_back(make: MakeBench, *, raw: bool) -> None:
    bench = make(odd_documents())
    assert bench.run("--format", "parquet,csv", *(["--csv-raw"] if raw else [])).code == 0

    for table in TABLES:
        path = bench.output / "latest" / f"{table.name}.csv"
        columns = [column.name for column in table.columns]
        expected = expected_cells(bench, table.name)
        text = path.read_bytes()
        assert b"\r\n" not in re.sub(rb'"(?:[^"]|"")*"', b"", text)  # LF between lines; texts keep theirs
        database = duckdb.connect()
        found = database.execute(
            "SELECT * FROM read_csv(?, header = true, all_varchar = true, nullstr = '', allow_quoted_nulls = false, "
            "quote = '\"', escape = '\"', delim = ',', strict_mode = true, max_line_size = 10000000)",
            [str(path)],
        ).fetchall()
        by_duckdb = [list(row) for row in found]
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, lineterminator="\n")
        by_pandas: list[list[str | None]] = frame.to_numpy().tolist()
        with path.open(newline="", encoding="utf-8") as stream:
            header, *plain = csv.reader(stream)
        strings = pacsv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()), null_values=[""],
            strings_can_be_null=True, quoted_strings_can_be_null=False,
        )  # fmt: skip
        by_arrow = pacsv.read_csv(
            path, convert_options=strings, parse_options=pacsv.ParseOptions(newlines_in_values=True)
        )
        if not raw:
            by_duckdb, by_pandas = restored(table.name, columns, by_duckdb), restored(table.name, columns, by_pandas)
            plain = restored(table.name, columns, plain)  # type: ignore[arg-type,assignment]  # texts
        without_nulls = [[cell or "" for cell in row] for row in expected]
        assert header == list(frame.columns) == columns
        assert by_duckdb == expected, table.name
        assert by_pandas == without_nulls
        assert plain == without_nulls
        assert by_arrow.num_rows == len(expected)
        nulls = {name: by_arrow[name].null_count for name in columns}
        assert nulls == {name: sum(row[at] is None for row in expected) for at, name in enumerate(columns)}


def test_no_text_begins_as_a_formula_and_no_key_is_altered(make: MakeBench) -> None:
    bench = make(odd_documents())
    bench.run("--format", "parquet,csv")

    for table in TABLES:
        with (bench.output / "latest" / f"{table.name}.csv").open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                for column, cell in row.items():
                    if is_altered(table.name, column):
                        assert not FORMULA.match(cell) or NUMBER.fullmatch(cell), (column, cell)
    frame = pd.read_csv(bench.output / "latest" / "sync_jobs.csv", dtype=str, keep_default_na=False)
    assert {"=cmd", "-x", "'a", "@b"} <= set(frame["job_id"])


def test_csv_is_sticky_and_an_unchanged_table_is_linked(make: MakeBench) -> None:
    bench = make({"a": job(id="a", status="in_progress"), "b": job(id="b")})
    bench.run()
    assert not (bench.output / "latest" / "sync_jobs.csv").exists()
    added = bench.run("--format", "parquet,csv")
    assert added.summary["snapshot"] is not None
    inode = (bench.output / "latest" / "filtering_validation_errors.csv").stat().st_ino
    bench.documents["a"] = job(id="a")

    changed = bench.run()

    assert changed.summary["snapshot"] is not None
    assert (bench.output / "latest" / "filtering_validation_errors.csv").stat().st_ino == inode
    frame = pd.read_csv(bench.output / "latest" / "sync_jobs.csv")
    assert frame["status"].tolist() == ["completed", "completed"]
    manifest = json.loads((bench.output / "latest" / "_manifest.json").read_text())
    assert (manifest["formats"], manifest["csv_raw"]) == (["parquet", "csv"], False)


def test_another_style_of_texts_publishes_and_the_manifest_says_which(make: MakeBench) -> None:
    bench = make({"a": job(id="a", error="=1+1", status="error")})
    bench.run("--format", "csv")
    assert "'=1+1" in (bench.output / "latest" / "sync_jobs.csv").read_text()

    raw = bench.run("--csv-raw")

    assert raw.summary["snapshot"] is not None
    assert '"=1+1"' in (bench.output / "latest" / "sync_jobs.csv").read_text()
    assert json.loads((bench.output / "latest" / "_manifest.json").read_text())["csv_raw"] is True
    assert bench.run("--csv-raw").summary["snapshot"] is None


def test_parquet_is_written_beside_csv_also_when_nobody_names_it(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})

    bench.run("--format", "csv")

    assert pd.read_parquet(bench.output / "latest" / "sync_jobs")["job_id"].tolist() == ["a"]


@given(st.lists(st.text() | st.from_regex("'*[=+@\t\r-]?[0-9a-z']*", fullmatch=True) | st.none(), max_size=20))
def test_the_guard_is_undone_by_one_rule_for_any_text(
    tmp_path_factory: pytest.TempPathFactory, texts: list[Any]
) -> None:
    texts = [text if text is None else text.encode("utf-8", "ignore").decode() for text in texts]
    schema = arrow_schema("connectors")
    columns = {name: [None] * len(texts) for name in schema.names}
    columns["job_id"] = [f"j{number}" for number in range(len(texts))]  # type: ignore[misc]  # texts
    columns["index_name"] = texts
    path = tmp_path_factory.mktemp("csv") / "connectors.csv"

    write_csv(Storage(path.parent), path, "connectors", [pa.table(columns, schema=schema)], raw=False)

    with path.open(newline="", encoding="utf-8") as stream:
        cells = [row["index_name"] for row in csv.DictReader(stream)]
    assert [original_text(cell) for cell in cells] == [text or "" for text in texts]
    assert all(not FORMULA.match(cell) or NUMBER.fullmatch(cell) for cell in cells)
