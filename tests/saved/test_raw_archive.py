"""A raw archive: what is replayed gives the rows that the documents themselves gave, and no secret."""

from __future__ import annotations

import io
import itertools
import json
import os
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from documents import compact, job
from hypothesis import example, given
from hypothesis import strategies as st
from odd_objects import filterings, members_of

from etl.extract.saved import SavedDocument, SavedProblem, read_saved
from etl.jsontext import NotJsonError, decode
from etl.model import Document
from etl.sandbox.generate import generate_job
from etl.schema.tables import TABLES
from etl.transform.raw import raw_frame, raw_line
from etl.transform.tables import Transformed, transform
from tests.saved.conftest import NOW

if TYPE_CHECKING:
    from pathlib import Path

FETCHED_AT = datetime(2026, 11, 24, 3, 50, 0, 123456, tzinfo=UTC)


def archived(documents: list[Document], exposed: frozenset[str] = frozenset()) -> bytes:
    return b"".join(raw_line(document, exposed) + b"\n" for document in documents)


def replayed(archive: bytes) -> list[Document]:
    found = list(read_saved(["-"], stdin=io.BytesIO(archive), now=NOW))
    assert [item.place for item in found] == [f"stdin:{number}" for number in range(1, len(found) + 1)]
    return [item.document for item in found if isinstance(item, SavedDocument)]


def assert_same(one: Transformed, other: Transformed) -> None:
    for table in TABLES:
        assert other.tables[table.name].to_pylist() == one.tables[table.name].to_pylist()
    assert other.refused == one.refused


def assert_replays(raws: list[bytes], exposed: frozenset[str] = frozenset(), job_id: str | None = None) -> bytes:
    """Hold an archive of documents to what the documents give; and an archive of the archive to the archive."""
    documents = [Document(raw=raw, fetched_at=FETCHED_AT, id=job_id) for raw in raws]
    archive = archived(documents, exposed)
    again = replayed(archive)
    assert {document.fetched_at for document in again} == {FETCHED_AT}
    assert job_id is None or {document.id for document in again} == {job_id}
    assert_same(transform(documents, exposed), transform(again, exposed))
    assert archived(again, exposed) == archive
    return archive


@pytest.mark.slow
def test_a_thousand_generated_jobs_replay_to_the_same_tables() -> None:
    raws = [compact(generate_job(seed, number)) for seed in (1, 2) for number in range(500)]

    assert_replays(raws)
    assert_replays(raws[:200], frozenset({"host", "port", "password", "database"}))


COUNTER = itertools.count(10**6)
TEXT = (
    st.builds(lambda: f"leaf {next(COUNTER)} w")
    | st.text(max_size=8)
    | st.sampled_from(["hunter2-hunter2", "https://ana:s3cret-s3cret@host/?token=abcdefgh1", "Bearer abcdefgh12345678"])
)
SCALAR = (
    TEXT | st.builds(COUNTER.__next__) | st.none() | st.booleans() | st.builds(lambda: next(COUNTER) + 0.5)
    | st.just("2024-01-01T00:00:00.123456Z")
)  # fmt: skip
KEYS = st.sampled_from(["p", "q", "a/b", "~", "client_secret", "__etl_redacted__", "https://u:pass@h"])
ANY = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner), max_leaves=5)


members = members_of(ANY)
FILTERINGS = filterings(members)
ENTRY = members("label", "type", "required", "order", "sensitive", "value", "default_value", "options", "depends_on")
CONNECTOR = members(
    "id", "index_name", "sync_cursor", "pipeline",
    filtering=FILTERINGS,
    configuration=st.dictionaries(st.sampled_from(["host", "port", "password", "a b", "ü"]), ENTRY | ANY),
)  # fmt: skip
DOCUMENT = members(
    "id", "status", "job_type", "created_at", "last_seen", "indexed_document_count", "error", "metadata",
    "connector_id", "connector.sync_cursor", "fetched_at", "document", "_id", "_source", "results",
    connector=CONNECTOR,
    configuration=st.dictionaries(st.sampled_from(["host", "token"]), ENTRY),
)  # fmt: skip


@given(DOCUMENT, st.sampled_from([None, "asked"]), st.sampled_from([frozenset[str](), frozenset({"host", "a b"})]))
def test_any_document_replays_to_the_same_rows(
    document: dict[str, Any], job_id: str | None, exposed: frozenset[str]
) -> None:
    raw = compact({"id": "job", **document})
    if not transform([Document(raw=raw, fetched_at=FETCHED_AT, id=job_id)]).refused:
        assert_replays([raw], exposed, job_id)


def _object(pairs: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in pairs) + "}"


def _array(values: list[str]) -> str:
    return "[" + ",".join(values) + "]"


TEXTS = st.text(st.sampled_from('x"\\é\0\ud83d\ude00\udc80\udcc3\udca9'), max_size=6).map(json.dumps)
NUMBERS = ["1e999", "0.1000000000000000000001", "-0.0", "1E5", "12345678901234567890123", "NaN", "1" * 4500]
VALUES = st.recursive(
    TEXTS | st.sampled_from(NUMBERS),
    lambda inner: (
        st.lists(inner, max_size=3).map(_array)
        | st.lists(st.tuples(st.sampled_from(["a", "b", "c", "token"]), inner), max_size=6).map(_object)
    ),
    max_leaves=12,
)
"""JSON texts, not values: what they say twice, or too long, a Python value might lose."""


@given(st.lists(st.tuples(st.sampled_from(["error", "metadata", "x", "status", "id"]), VALUES), max_size=6))
def test_repeated_keys_surrogates_and_exact_numbers_survive(pairs: list[tuple[str, str]]) -> None:
    assert_replays([_object([("id", '"job"'), *pairs]).encode()], job_id="job")


@given(st.binary(max_size=60))
@example(b"\\ud83d\x80")
@example(b"\\udcc3\\udca9 \xc3 \xc3\xa9 \xf0\x9f")
def test_bytes_that_are_no_utf_8_survive(text: bytes) -> None:
    raw = b'{"id":"job","error":"' + text + b'","metadata":"' + text + b'"}'
    try:
        decode(raw)
    except NotJsonError:
        return
    assert_replays([raw], job_id="job")


def test_what_is_no_json_cannot_be_archived() -> None:
    with pytest.raises(NotJsonError):
        raw_line(Document(raw=b'{"password":"s3cret', fetched_at=FETCHED_AT), frozenset())


def test_an_archive_holds_no_secret_and_shows_what_is_exposed() -> None:
    configuration = {
        "password": {"value": "tr0ub4dor&3", "sensitive": True}, "host": {"value": "db.example.org"},
        "user": {"value": "ana.example"},
    }  # fmt: skip
    document = job(error="login with tr0ub4dor&3 failed", connector={"configuration": configuration})

    archive = assert_replays([compact(document)], frozenset({"host", "password"}))

    assert b"tr0ub4dor" not in archive
    assert b"ana.example" not in archive
    assert b"db.example.org" in archive
    assert b'{"__etl_redacted__":"string"}' in archive


def test_an_id_that_looks_like_a_secret_stays_the_id_of_the_job() -> None:
    odd = "https://ana:s3cret-s3cret@host/?token=abcdefgh1"

    assert_replays([compact(job(id=odd)), compact(job(id="password=x"))])


def test_a_line_is_its_documented_envelope() -> None:
    raw = b'{ "id": "a",\n"error": null }'
    at = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))

    line = raw_line(Document(raw=raw, fetched_at=at, id="b"), frozenset())

    assert line == b'{"id":"b","fetched_at":"2026-01-01T00:00:00Z","document":{"id":"a","error":null}}'


def frames(documents: list[Document], size: int) -> bytes:
    """An archive as runs write it: a frame for every batch."""
    return b"".join(raw_frame(documents[start : start + size], frozenset()) for start in range(0, len(documents), size))


def test_an_archive_is_frames_of_zstd_that_follow_each_other(tmp_path: Path) -> None:
    path = tmp_path / "raw.ndjson.zst"
    documents = [Document(raw=compact(job(id=f"job-{n}")), fetched_at=FETCHED_AT, id=f"job-{n}") for n in range(500)]
    path.write_bytes(frames(documents, 200) + frames([], 200))

    found = list(read_saved([path], stdin=io.BytesIO(), now=NOW))

    assert [item.document for item in found if isinstance(item, SavedDocument)] == documents
    assert path.stat().st_size < 100_000


def test_an_archive_that_was_cut_off_keeps_what_stands_before(tmp_path: Path) -> None:
    path = tmp_path / "raw.ndjson.zst"
    documents = [Document(raw=compact(job(error=os.urandom(400).hex())), fetched_at=FETCHED_AT) for _ in range(400)]
    path.write_bytes(frames(documents, 100)[:-10_000])

    *kept, last = read_saved([path], stdin=io.BytesIO(), now=NOW)

    assert 300 <= len(kept) < 400
    assert_same(transform(documents[: len(kept)]), transform([item.document for item in kept]))  # type: ignore[union-attr]  # no problems
    assert isinstance(last, SavedProblem)
    assert "Truncated" in last.reason
