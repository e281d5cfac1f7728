"""Properties over generated documents: no crash, nothing lost, each document on its own."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from documents import FETCHED_AT, compact, everything, rows, run_transform
from hypothesis import given
from hypothesis import strategies as st
from odd_objects import filterings, members_of

from etl.model import Document
from etl.schema.arrow import arrow_schema
from etl.schema.tables import TABLES
from etl.transform.tables import transform

# Each leaf is unmistakable, so that finding its text in any cell means that it was not lost.
COUNTER = itertools.count(10**6)
TEXT = st.builds(lambda: f"leaf {next(COUNTER)} w")
NUMBER = st.builds(COUNTER.__next__)
TIME = st.builds(lambda: f"2024-01-01T{next(COUNTER) % 24:02}:00:00.{next(COUNTER)}"[:26])
SCALAR = TEXT | NUMBER | TIME | st.none() | st.builds(lambda: next(COUNTER) + 0.5)
ANY = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["p", "q", "a/b", "~"]), inner),
    max_leaves=5,
)


members = members_of(ANY)
FILTERINGS = filterings(members)
ENTRY = members(
    "label", "type", "display", "category", "required", "order", "tooltip", "placeholder", "value", "default_value",
    "options", "depends_on", "validations", "ui_restrictions",
)  # fmt: skip
CONNECTOR = members(
    "id", "index_name", "language", "service_type", "sync_cursor",
    pipeline=members("name", "extract_binary_content"),
    filtering=FILTERINGS,
    configuration=st.dictionaries(st.sampled_from(["host", "port", "a b", "ü"]), ENTRY | ANY),
)  # fmt: skip
DOCUMENT = members(
    "status", "job_type", "trigger_method", "created_at", "started_at", "last_seen", "indexed_document_count", "error",
    "metadata", "worker_hostname", "connector_id", "index_name", "connector.sync_cursor", "not_found_at", "fetched_at",
    "created_month", "job_id",
    connector=CONNECTOR,
    filtering=FILTERINGS,
)  # fmt: skip


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))]
    if isinstance(value, list):
        return [leaf for position, inner in enumerate(value) for leaf in leaves(inner, (*path, position))]
    return [] if value is None else [(path, value)]


def is_found(value: Any, text: str) -> bool:
    if isinstance(value, str) and value[:2] == "20":  # a time: as received, or as a cell
        return value in text or value.replace("T", " ") in text
    if isinstance(value, int) and not isinstance(value, bool):  # epoch milliseconds may have become a time
        return str(value) in text or str(datetime.fromtimestamp(value / 1000, UTC)) in text
    return str(value) in text


@given(DOCUMENT)
def test_every_leaf_is_found_again_or_redacted_on_purpose(document: dict[str, Any]) -> None:
    document = {"id": "job", **document}

    result = run_transform(document)

    text = everything(result)
    withheld = "__etl_redacted__" in text or any(row["is_redacted"] for row in rows(result, "connector_configuration"))
    lost = [
        (path, value)
        for path, value in leaves(document)
        if not is_found(value, text) and not ("configuration" in path and withheld)
    ]
    assert lost == []
    assert result.tables["sync_jobs"].num_rows == 1


@given(st.lists(DOCUMENT, max_size=5), st.integers(min_value=0, max_value=5))
def test_transforming_a_list_is_concatenating_its_parts(documents: list[dict[str, Any]], cut: int) -> None:
    raws = [compact({"id": f"job-{number}", **document}) for number, document in enumerate(documents)]
    together = [Document(raw=raw, fetched_at=FETCHED_AT) for raw in raws]

    whole, first, second = transform(together), transform(together[:cut]), transform(together[cut:])

    for table in TABLES:
        parts = pa.concat_tables([first.tables[table.name], second.tables[table.name]])
        assert whole.tables[table.name].equals(parts)
        assert whole.tables[table.name].schema.equals(arrow_schema(table.name), check_metadata=True)


@given(st.lists(DOCUMENT, max_size=4))
def test_keys_are_unique_and_never_null(documents: list[dict[str, Any]]) -> None:
    result = run_transform(*({"id": f"job-{number}", **document} for number, document in enumerate(documents)))

    for table in TABLES:
        keys = [tuple(row[name] for name in table.key) for row in rows(result, table.name)]
        assert len(set(keys)) == len(keys)
        required = [column.name for column in table.columns if not column.nullable]
        assert all(row[name] is not None for row in rows(result, table.name) for name in required)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_make_it_crash(raw: bytes) -> None:
    result = run_transform(raw, b'{"id":"a","metadata":' + raw + b"}")

    assert result.tables["sync_jobs"].num_rows + len(result.refused) == 2
