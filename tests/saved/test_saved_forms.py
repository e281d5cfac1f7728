"""Every form of saved documents is told by its content, packed or not."""

from __future__ import annotations

import gzip
import io
import json
import os
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from documents import compact, job

from etl.errors import UsageError
from etl.extract.saved import SavedDocument, read_saved
from tests.saved.conftest import NOW, PACKED, WRITTEN_AT, Files, told, zstd

if TYPE_CHECKING:
    from pathlib import Path

A, B = job(id="a"), job(id="b", error='a "quote", {a bracket} and a [\\')
RAWS = [compact(A), compact(B)]
HITS = [
    {"_index": ".i", "_id": d["id"], "_score": 1, "_source": {k: v for k, v in d.items() if k != "id"}} for d in (A, B)
]
SOURCES = [compact(hit["_source"]) for hit in HITS]
SEARCH = {
    "took": 3, "timed_out": False, "_shards": {"total": 1, "failed": 0}, "pit_id": "x",
    "hits": {"total": {"value": 2, "relation": "eq"}, "max_score": 1.0, "hits": HITS},
    "aggregations": {"x": [{"y": "}]"}]},
}  # fmt: skip
MGET = {"docs": [{"_id": hit["_id"], "found": True, "_source": hit["_source"]} for hit in HITS]}
ENVELOPES = [{"id": d["id"], "fetched_at": "2026-01-02T03:04:05.000006Z", "document": d} for d in (A, B)]

FORMS: dict[str, tuple[bytes, list[str], list[bytes]]] = {
    "NDJSON": (b"\n".join(RAWS) + b"\n", [":1", ":2"], RAWS),
    "NDJSON without a last line end": (b"\n".join(RAWS), [":1", ":2"], RAWS),
    "a mark, CRLF and blank lines": (b"\xef\xbb\xbf\r\n" + b"\r\n\r\n".join(RAWS) + b"\r\n", [":2", ":4"], RAWS),
    "files with marks, joined": (b"".join(b"\xef\xbb\xbf" + raw + b"\n" for raw in RAWS), [":1", ":2"], RAWS),
    "answers written one behind the other": (b"".join(RAWS), [":1", ":1"], RAWS),
    "a JSON text sequence": (b"".join(b"\x1e" + raw + b"\n" for raw in RAWS), [":1", ":2"], RAWS),
    "one document": (RAWS[0], [":1"], RAWS[:1]),
    "an array": (compact([A, B]), ["[0]", "[1]"], RAWS),
    "an array, an element a line": (b"[" + b",\n".join(RAWS) + b"]", ["[0]", "[1]"], RAWS),
    "two arrays": (compact([A]) + b"\n" + compact([B]), ["[0]", ":2[0]"], RAWS),
    "a list answer": (compact({"count": 2, "results": [A, B]}), ["[0]", "[1]"], RAWS),
    "a list answer, count last": (compact({"results": [A, B], "count": 2}), ["[0]", "[1]"], RAWS),
    "list answers, one a line": (
        b"\n".join(compact({"count": 1, "results": [d]}) for d in (A, B)), ["[0]", ":2[0]"], RAWS
    ),
    "a search answer": (compact(SEARCH), ["[0]", "[1]"], SOURCES),
    "a search answer under filter_path": (compact({"hits": {"hits": HITS}}), ["[0]", "[1]"], SOURCES),
    "an _mget answer": (compact(MGET), ["[0]", "[1]"], SOURCES),
    "hits, one a line": (b"\n".join(map(compact, HITS)), [":1", ":2"], SOURCES),
    "a raw archive": (b"\n".join(map(compact, ENVELOPES)), [":1", ":2"], RAWS),
    "empty answers": (b'{"count":0,"results":[]}\n[]\n{"hits":{"hits":[]}}\n{"docs":[]}', [], []),
    "nothing": (b"", [], []),
    "blank lines": (b"\n \r\n\t\n", [], []),
}  # fmt: skip


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_its_documents_and_their_places(files: Files, form: str, packing: str) -> None:
    content, places, raws = FORMS[form]

    assert files.read(PACKED[packing](content)) == list(zip(places, raws, strict=True))


LAID_OUT: dict[str, tuple[Any, list[Any]]] = {
    "a document": (A, [A]),
    "an array": ([A, B], [A, B]),
    "a list answer": ({"count": 2, "results": [A, B]}, [A, B]),
    "a search answer": (SEARCH, [hit["_source"] for hit in HITS]),
    "an _mget answer": (MGET, [hit["_source"] for hit in HITS]),
    "a line of a raw archive": (ENVELOPES[0], [A]),
}


@pytest.mark.parametrize("indent", [0, 1, 4])
@pytest.mark.parametrize("form", LAID_OUT)
def test_forms_laid_out_over_many_lines_are_read_too(files: Files, form: str, indent: int) -> None:
    value, documents = LAID_OUT[form]
    text = json.dumps(value, indent=indent)

    for content in (text, text.replace("\n", "\r\n")):
        found = files.read(content.encode())
        assert [json.loads(raw) for _, raw in found] == documents

    twice = files.read(f"{text}\n{text}\n".encode())
    assert [json.loads(raw) for _, raw in twice] == documents * 2


def test_the_id_of_a_hit_and_of_an_archived_line_stands_beside_the_document(files: Files) -> None:
    path = files.write("f", b"\n".join(map(compact, [HITS[0], ENVELOPES[1], A])))

    found = list(read_saved([path], stdin=io.BytesIO(), now=NOW))

    assert [item.document.id for item in found if isinstance(item, SavedDocument)] == ["a", "b", None]


def test_the_time_of_fetching_is_that_of_the_line_else_of_the_file_else_now(files: Files) -> None:
    archived = b'{"id":null,"fetched_at":"2026-01-02T05:04:05.000006+02:00","document":{"id":"a"}}\n'
    unknown = b'{"id":null,"fetched_at":null,"document":{"id":"b"}}\n'
    path = files.write("f", archived + unknown + b'{"id":"c"}\n')

    found = list(read_saved([path, "-"], stdin=io.BytesIO(archived + b'{"id":"d"}'), now=NOW))

    times = [item.document.fetched_at for item in found if isinstance(item, SavedDocument)]
    given = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert times == [given, WRITTEN_AT, WRITTEN_AT, given, NOW]


def test_several_files_and_standard_input_follow_each_other_under_their_names(files: Files) -> None:
    one, two = files.write("one", RAWS[0]), files.write("two", gzip.compress(compact([B])))

    found = [told(item) for item in read_saved([str(two), "-", one], stdin=io.BytesIO(zstd(RAWS[0])), now=NOW)]

    assert found == [(f"{two}[0]", RAWS[1]), ("stdin:1", RAWS[0]), (f"{one}:1", RAWS[0])]


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_files_packed_one_by_one_and_joined_are_one_file(files: Files, packing: str) -> None:
    pack = PACKED[packing]

    assert files.read(pack(RAWS[0] + b"\n") + pack(b"") + pack(RAWS[1])) == [(":1", RAWS[0]), (":2", RAWS[1])]


def test_a_zstd_file_may_begin_with_a_frame_to_be_skipped(files: Files) -> None:
    skipped = b"\x5a\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"here"

    assert files.read(skipped + zstd(RAWS[0])) == [(":1", RAWS[0])]


def test_what_is_no_document_in_an_answer_is_named_with_its_id(files: Files) -> None:
    docs = [
        {"_id": "gone", "found": False},
        {"_id": "bad", "error": {"type": "x"}},
        {"_id": "bare", "found": True},
        {"_id": "", "_source": {}},
        {"_id": 7, "_source": {}},
        {"_source": {"id": "own"}},
    ]

    assert files.read(compact({"docs": docs})) == [
        ("[0]", "gone: not found in the answer"),
        ("[1]", "bad: the answer holds an error in its place"),
        ("[2]", "bare: a hit without _source"),
        ("[3]", "no usable _id"),
        ("[4]", "no usable _id"),
        ("[5]", b'{"id":"own"}'),
    ]


def test_an_archived_line_with_a_bad_id_or_time_is_a_problem(files: Files) -> None:
    content = b'{"id":5,"document":{}}\n{"id":"a","fetched_at":"soon","document":{}}\n{"fetched_at":5,"document":{}}'

    assert files.read(content) == [
        (":1", "no usable id beside the document"),
        (":2", "fetched_at is no time in ISO 8601"),
        (":3", "fetched_at is no time in ISO 8601"),
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"id": "a", "results": [{"id": "b"}]},
        {"id": "a", "docs": [{"id": "b"}], "hits": {"hits": [{"id": "c"}]}},
        {"count": 1, "id": "a", "results": []},
        {"id": "a", "document": {"id": "b"}, "fetched_at": "2026-01-01", "status": "error"},
        {"count": 5},
        {"hits": {"total": 1}},
    ],
)
def test_a_document_with_fields_like_those_of_an_answer_stays_a_document(files: Files, document: Any) -> None:
    assert files.read(compact(document)) == [(":1", compact(document))]


def test_what_the_fast_decoder_refuses_is_read_by_the_exact_one(files: Files) -> None:
    odd = b'{"id":"a","error":"\\ud800 \xff","n":NaN,"n":1e999}'
    lines = [odd, b'{"_id":"\\u0061","_source":' + odd + b"}", b'{"id":"x","document":' + odd + b"}"]

    assert files.read(b"\n".join(lines)) == [(":1", odd), (":2", odd), (":3", odd)]


def test_a_named_pipe_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(RAWS[0]))
    writer.start()

    found = [told(item) for item in read_saved([path], stdin=io.BytesIO(), now=NOW)]

    writer.join()
    assert found == [(f"{path}:1", RAWS[0])]


def test_what_cannot_be_opened_is_said_before_anything_is_read(files: Files) -> None:
    good = files.write("good", RAWS[0])

    for sources, reason in (
        ([good, files.folder / "none"], "there is no such file"),
        ([good, files.folder], "it is a folder; name the files in it"),
        (["-", good, "-"], "named twice"),
    ):
        with pytest.raises(UsageError, match=reason):
            read_saved(sources, stdin=io.BytesIO(), now=NOW)  # type: ignore[arg-type]  # lists of both kinds
