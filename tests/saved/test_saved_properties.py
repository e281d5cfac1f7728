"""Any values, in blocks of any size, come out as they went in; and a long stream stays flat in memory."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import tracemalloc
from typing import IO, TYPE_CHECKING, Any, cast

import pytest
from documents import compact, job
from hypothesis import given
from hypothesis import strategies as st

from etl.extract.saved import SavedDocument, SavedProblem, read_saved
from etl.extract.saved_borders import Border, find_end, members, pass_over
from etl.extract.saved_values import FileReader
from etl.extract.saved_window import Window
from tests.saved.conftest import NOW, PACKED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from('"\\{}[],: \n')) | st.just("{[")
KEY = TEXT.map("k{}".format)  # never one that makes a hit or an answer of an object
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEY, inner, max_size=4),
    max_leaves=15,
)
OBJECT = st.dictionaries(KEY, JSON, max_size=5)
INDENT = st.sampled_from([None, 0, 2])
ENDS = st.sampled_from(["\n", "\r\n", "\n\n", " ", ""])


def window_on(text: bytes, size: int) -> Window:
    return Window(iter([text[at : at + size] for at in range(0, len(text), size)]), block=size)


def read_in_blocks(text: bytes, size: int) -> list[Any]:
    """The values of a text that is read in blocks of this size; what is no object as its place."""
    found = FileReader(window_on(text, size), "", 1 << 20).read()
    return [place if content.problem else json.loads(content.raw) for place, content in found]


def laid_out(value: Any, indent: int | None, *, ascii_only: bool = False) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=ascii_only)


@given(values=st.lists(JSON, max_size=6), indent=INDENT, ascii_only=st.booleans(), size=st.integers(1, 200))
def test_any_array_in_blocks_of_any_size_gives_its_elements(
    *, values: list[Any], indent: int | None, ascii_only: bool, size: int
) -> None:
    text = laid_out(values, indent, ascii_only=ascii_only).encode()

    found = read_in_blocks(text, size)

    assert found == [value if isinstance(value, dict) else f"[{at}]" for at, value in enumerate(values)]


@given(st.lists(OBJECT, max_size=6), INDENT, ENDS, st.integers(1, 200))
def test_any_objects_one_behind_the_other_are_told_apart(
    values: list[Any], indent: int | None, end: str, size: int
) -> None:
    text = "".join(laid_out(value, indent) + end for value in values).encode()

    assert read_in_blocks(text, size) == values


@given(st.lists(OBJECT, max_size=5), JSON, INDENT, st.integers(1, 200), st.sampled_from(["results", "docs", "hits"]))
def test_an_answer_with_anything_around_its_array_gives_the_elements(
    values: list[Any], around: Any, indent: int | None, size: int, key: str
) -> None:
    inside: dict[str, Any] = {"count": around, "_shards": around, key: values, "profile": around}
    answer = {"took": around, "hits": {"total": around, **inside}, "x": around} if key == "hits" else inside
    if key == "hits":
        for name in ("count", "_shards"):
            del inside[name]
            del answer["hits"][name]
    text = laid_out(answer, indent).encode()

    assert read_in_blocks(text + b"\n" + text, size) == values * 2


@given(JSON, st.binary(max_size=5), st.integers(1, 50))
def test_the_end_of_a_value_is_found_by_looking_and_by_passing_over(value: Any, rest: bytes, size: int) -> None:
    text = laid_out(value, None).encode()
    behind = b"," + rest

    window = window_on(text + behind, size)
    window.peek()
    assert find_end(window, 1 << 20) == (Border.END, len(text))

    window = window_on(text + behind, size)
    assert pass_over(window)
    window.fill(len(behind))
    assert bytes(window.bytes[window.at :]) == behind


@given(OBJECT)
def test_the_members_of_an_object_stand_as_in_the_text(value: dict[str, Any]) -> None:
    found = members(json.dumps(value).encode())

    assert {json.loads(key): json.loads(member) for key, member in found.items()} == value


@given(st.binary(max_size=300) | st.text('{}[]",:\\\n a1', max_size=100).map(str.encode), st.integers(1, 50))
def test_no_bytes_make_reading_fail_or_go_on_for_ever(content: bytes, size: int) -> None:
    found = list(FileReader(window_on(content, size), "", 64).read())

    assert len(found) <= len(content)


@given(st.lists(st.sampled_from(["{}", '{"a":1}', "[]", '{"a', "}", "tru", '"']), max_size=8))
def test_every_line_that_is_not_blank_is_accounted_for(lines: list[str]) -> None:
    found = list(FileReader(window_on("\n".join(lines).encode(), 10), "", 64).read())

    places = {place for place, _ in found}
    empty_arrays = {f":{number}" for number, line in enumerate(lines, start=1) if line == "[]"}
    assert places | empty_arrays == {f":{number}" for number in range(1, len(lines) + 1)}
    assert sum(content.problem is None for _, content in found) == sum(
        line.startswith("{") and line.endswith("}") for line in lines
    )


class _Long(io.RawIOBase):
    """A stream of many documents that is never in memory as a whole."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size and (part := next(self._parts, None)):
            self._rest += part
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


DOCUMENT = compact(job(id="a", error='quoted "text" {with brackets'))
LARGE = DOCUMENT.replace(b'"', b"")
SHAPES: dict[str, tuple[Sequence[bytes], int, int]] = {
    "lines": ((b"\n", DOCUMENT + b"\n", b""), 50_000, 50_000),
    "array": ((b"[" + DOCUMENT, b"," + DOCUMENT, b"]"), 15_000, 15_001),
    "answer": ((b'{"count":1,"results":[' + DOCUMENT, b"," + DOCUMENT, b"]}"), 15_000, 15_001),
    "one behind the other": ((b"\n", DOCUMENT, b""), 15_000, 15_000),
    "one large field that is passed over": ((b'{"results":[' + DOCUMENT + b'],"x":"', LARGE, b'"}'), 50_000, 1),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_long_stream_passes_in_flat_memory(shape: str) -> None:
    (head, part, tail), repeats, expected = SHAPES[shape]
    stream = cast("IO[bytes]", _Long(itertools.chain([head], itertools.repeat(part * 100, repeats // 100), [tail])))

    tracemalloc.start()
    try:
        found = sum(isinstance(item, SavedDocument) for item in read_saved(["-"], stdin=stream, now=NOW))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert found == expected
    assert peak < 5_000_000 < len(part) * repeats // 2


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_a_packed_stream_passes_in_flat_memory_and_a_broken_line_costs_itself(packing: str) -> None:
    lines = (DOCUMENT + b"\n") * 1500 + DOCUMENT[:50] + b"\n"
    packed = PACKED[packing](lines)
    whole = io.BytesIO(packed * 10)

    tracemalloc.start()
    try:
        problems, documents = [], 0
        for found in read_saved(["-"], stdin=whole, now=NOW):
            if isinstance(found, SavedProblem):
                problems.append(found.place)
            documents += isinstance(found, SavedDocument)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert documents == 15_000
    assert problems == [f"stdin:{1501 * number}" for number in range(1, 11)]
    assert peak < 5_000_000


def test_packing_is_told_by_content_not_by_name(tmp_path: Any) -> None:
    path = tmp_path / "dump.zst"
    path.write_bytes(gzip.compress(DOCUMENT))

    (found,) = read_saved([path], stdin=io.BytesIO(), now=NOW)

    assert isinstance(found, SavedDocument)
