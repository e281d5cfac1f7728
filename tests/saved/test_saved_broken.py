"""What is broken costs itself alone, with its place; what stands around it is read."""

from __future__ import annotations

import gzip
import io
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from documents import compact, job

from etl.extract.saved import read_saved
from tests.saved.conftest import NOW, PACKED, Files, told

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCUMENTS = [job(id=f"job-{number}") for number in range(5)]
RAWS = [compact(document) for document in DOCUMENTS]


def places_of_problems(found: Sequence[tuple[str, str | bytes]]) -> list[str]:
    return [place for place, what in found if isinstance(what, str)]


def ids(found: Sequence[tuple[str, str | bytes]]) -> list[Any]:
    return [json.loads(what)["id"] for _, what in found if isinstance(what, bytes)]


BROKEN = {
    "cut in a string": RAWS[2][:100],
    "cut behind a colon": b'{"id":"job-2","connector":',
    "cut behind a comma": b'{"id":"job-2",',
    "cut behind a value": b'{"id":"job-2","connector":{"id":"x"',
    "cut in an array": b'{"id":"job-2","x":[{"id":"y"},',
    "its opening only": b"{",
    "a literal misspelt": b'{"id":"job-2","x":tru}',
    "a bracket too many": b'{"id":"job-2","x":1}}',
    "a member behind its end": b'{"id":"job-2"},"status":"error"}',
    "a quote too many": b'{"id":"job-2","x":"y"z"}',
    "a wrong bracket": b'{"id":"job-2","x":[1}',
    "a zero byte": b'{"id":"job-2\x00"}',
    "no JSON": b"# a comment",
    "a number": b"17",
    "a text": b'"{}"',
    "an HTML page": b"<html>{}</html>",
    "a closing bracket": b"}",
    "nested beyond measure": b'{"id":"job-2","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("position", [0, 2, 4])
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_line_costs_that_line_alone(files: Files, broken: str, position: int, end: bytes) -> None:
    lines = [*RAWS[:position], BROKEN[broken], *RAWS[position:]]

    found = files.read(end.join(lines) + end)

    assert places_of_problems(found) == [f":{position + 1}"]
    assert ids(found) == [document["id"] for document in DOCUMENTS]
    assert [place for place, _ in found] == [f":{number}" for number in range(1, 7)]


def test_many_broken_lines_in_a_row_are_each_told(files: Files) -> None:
    lines = [RAWS[0], *BROKEN.values(), RAWS[1]]

    found = files.read(b"\n".join(lines))

    assert places_of_problems(found) == [f":{number}" for number in range(2, len(lines))]
    assert ids(found) == ["job-0", "job-1"]


def test_a_reason_says_where_in_the_line_and_quotes_nothing_of_it(files: Files) -> None:
    ((_, reason),) = files.read(b'{"password":"s3cret')

    assert reason == "no JSON: Unterminated string starting at: column 13"


@pytest.mark.parametrize("broken", [b'"x\n', b'"x', b"tru", b'"x"}}', b"[1"])
def test_a_broken_element_of_an_array_laid_out_costs_itself_alone(files: Files, broken: bytes) -> None:
    for value in (DOCUMENTS, {"count": 5, "results": DOCUMENTS}):
        text = json.dumps(value, indent=2).encode()
        at = text.index(b'"worker-1"', text.index(b'"job-1"'))
        text = text[:at] + broken + text[at + len('"worker-1"') :]

        found = files.read(text)

        assert places_of_problems(found) == ["[1]"]
        assert ids(found) == ["job-0", "job-2", "job-3", "job-4"]


@pytest.mark.parametrize("broken", [b'"x\n', b'"x', b"tru", b"[1"])
def test_a_broken_document_laid_out_costs_itself_alone_and_no_part_of_it_is_taken_for_a_job(
    files: Files, broken: bytes
) -> None:
    texts = [json.dumps(document, indent=2).encode() for document in DOCUMENTS[:3]]
    lines = texts[0].count(b"\n") + 1
    at = texts[1].index(b'"id": "DEFAULT"')  # a rule, which has an id as a job has
    texts[1] = texts[1][:at] + b'"id": ' + broken + texts[1][at:]

    found = files.read(b"\n".join(texts))

    assert places_of_problems(found) == [f":{lines + 1}"]
    assert ids(found) == ["job-0", "job-2"]


def test_no_part_of_a_broken_document_wrapped_by_hand_is_taken_for_a_job(files: Files) -> None:
    content = b'{ "id": "a", "x": "y\n  "rules": [\n    {"id": "DEFAULT"}\n  ]\n}\n' + RAWS[0]

    found = files.read(content)

    assert ids(found) == ["job-0"]
    assert places_of_problems(found)[0] == ":1"


def test_in_an_array_on_one_line_a_break_is_told_with_what_it_costs(files: Files) -> None:
    found = files.read(b"[" + RAWS[0] + b',{"id":"b","x":"\n"},' + RAWS[1] + b"]\n" + RAWS[2])

    assert ids(found) == ["job-0", "job-2"]
    assert "the array cannot be read from here on" in str(found[1][1])


def test_elements_that_are_no_objects_are_told_one_by_one(files: Files) -> None:
    assert files.read(b'[1,"{",null,[[]],{"id":"a"},{"id":tru}]') == [
        *((f"[{number}]", "no JSON object") for number in range(4)),
        ("[4]", b'{"id":"a"}'),
        ("[5]", "no JSON: Expecting value: column 7"),
    ]


@pytest.mark.parametrize("value", [DOCUMENTS, {"results": DOCUMENTS}, {"hits": {"hits": DOCUMENTS}}])
@pytest.mark.parametrize("kept", [0, 1, 4])
def test_an_array_that_is_cut_short_is_told(files: Files, value: Any, kept: int) -> None:
    content = compact(value)
    at = content.index(RAWS[kept])

    for cut in (at, at + 1, at + 100, at + len(RAWS[kept])):
        found = files.read(content[:cut])
        assert ids(found) == [d["id"] for d in DOCUMENTS[: kept + (cut == at + len(RAWS[kept]))]]
        assert len(places_of_problems(found)) == 1


def test_an_answer_without_its_end_is_told(files: Files) -> None:
    found = files.read(compact({"results": [DOCUMENTS[0]], "count": 1})[:-1])

    assert found == [("[0]", RAWS[0]), (":1", "the file ends in the middle of a value")]


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
@pytest.mark.parametrize("form", ["lines", "array"])
def test_a_packed_file_that_is_cut_short_keeps_what_came_before(files: Files, packing: str, form: str) -> None:
    documents = [job(id=f"job-{number}", error=os.urandom(40).hex()) for number in range(3000)]
    raws = [compact(document) for document in documents]
    content = b"\n".join(raws) if form == "lines" else b"[" + b",".join(raws) + b"]"
    packed = PACKED[packing](content)

    for cut in (5, len(packed) // 3, len(packed) - 1):
        found = files.read(packed[:cut])

        *before, (place, reason) = found
        assert ids(before) == [document["id"] for document in documents[: len(before)]]
        assert len(before) >= (len(raws) * cut // len(packed)) * 0.8  # a block may be lost with its end
        if len(before) < len(raws):
            assert place == (f":{len(before) + 1}" if form == "lines" or not before else f"[{len(before)}]")
        assert str(reason).startswith(f"the rest of the file cannot be read: {packing}: Truncated")


def test_a_packed_file_that_is_damaged_keeps_what_came_before_and_the_next_file_is_read(files: Files) -> None:
    documents = [job(id=f"job-{number}", error=os.urandom(40).hex()) for number in range(3000)]
    damaged = bytearray(gzip.compress(b"\n".join(map(compact, documents))))
    damaged[len(damaged) // 2] ^= 0xFF
    one, two = files.write("one", bytes(damaged)), files.write("two", RAWS[0])

    found = [told(item) for item in read_saved([one, two], stdin=io.BytesIO(), now=NOW)]

    assert found[-1] == (f"{two}:1", RAWS[0])
    assert ids(found[:1000]) == [document["id"] for document in documents[:1000]]
    assert "the rest of the file cannot be read: gzip" in [str(reason)[:41] for _, reason in found[-2:]]


def test_bytes_behind_a_packed_file_are_told(files: Files) -> None:
    found = files.read(gzip.compress(RAWS[0]) + b"garbage")

    assert ids(found) == ["job-0"]
    assert "gzip" in str(found[1][1])


@pytest.mark.parametrize("content", [b"PAR1\x00\x01\x02\n\n\n", '{"id":"a"}\n'.encode("utf-16"), b"\x00" * 50])
def test_a_file_that_is_no_text_is_told_once(files: Files, content: bytes) -> None:
    assert files.read(content) == [(":1", "no JSON text: binary, or not in UTF-8")]


class TestTooLarge:
    LARGE = b'{"id":"large","x":"' + b"y" * 5000 + b'"}'

    def test_a_line_is_told_and_reading_goes_on_at_the_next(self, files: Files) -> None:
        found = files.read(b"\n".join([RAWS[0], self.LARGE, RAWS[1]]), limit=4000)

        assert ids(found) == ["job-0", "job-1"]
        assert found[1] == (":2", "larger than 4,000 bytes; the line cannot be read from here on")

    def test_an_element_is_told_and_reading_goes_on_behind_it(self, files: Files) -> None:
        for between in (b",", b",\n"):
            for large in (self.LARGE, b'"' + b"y" * 5000 + b'"', b"[" * 2500 + b"]" * 2500, b"1" * 5000):
                found = files.read(b"[" + between.join([RAWS[0], large, RAWS[1]]) + b"]", limit=4000)

                assert ids(found) == ["job-0", "job-1"]
                assert found[1] == ("[1]", "larger than 4,000 bytes")

    def test_a_document_laid_out_is_told_and_reading_goes_on_behind_it(self, files: Files) -> None:
        large = {**DOCUMENTS[2], "x": list(range(1000))}
        for value in ([DOCUMENTS[0], large, DOCUMENTS[1]], {"results": [DOCUMENTS[0], large, DOCUMENTS[1]]}):
            assert ids(files.read(json.dumps(value, indent=2).encode(), limit=4000)) == ["job-0", "job-1"]
        texts = [json.dumps(document, indent=2).encode() for document in (DOCUMENTS[0], large, DOCUMENTS[1])]

        found = files.read(b"\n".join(texts), limit=4000)

        assert ids(found) == ["job-0", "job-1"]
        assert len(places_of_problems(found)) == 1

    def test_a_last_element_without_an_end_is_told(self, files: Files) -> None:
        found = files.read(b"[" + RAWS[0] + b"," + self.LARGE[:-2], limit=4000)

        assert ids(found) == ["job-0"]
        assert [what for _, what in found[1:]] == ["larger than 4,000 bytes", "the file ends in the middle of a value"]
