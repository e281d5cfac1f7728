"""The jobs file: reading, writing, and that both speak the same grammar."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etl.errors import UsageError
from etl.extract.jobs_file import JobsFile, format_jobs, id_problem, read_jobs


def read(content: bytes) -> JobsFile:
    return read_jobs(io.BytesIO(content))


def ids(content: bytes) -> list[str]:
    return [requested.id for requested in read(content).requested]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_end_in_any_of_three_ways(end: bytes) -> None:
    jobs = read(end.join([b"a", b"", b"b", b"c"]))
    assert [(requested.id, requested.line) for requested in jobs.requested] == [("a", 1), ("b", 3), ("c", 4)]


def test_a_byte_order_mark_is_no_part_of_an_id_also_where_files_were_joined() -> None:
    assert ids("\ufeffa\nb\n\ufeffc\n".encode()) == ["a", "b", "c"]


def test_white_space_around_an_id_is_trimmed_and_within_it_is_kept() -> None:
    assert ids("  a b \t\n\u00a0c\u00a0\n".encode()) == ["a b", "c"]


def test_a_comment_starts_at_the_line_or_after_white_space() -> None:
    assert ids(b"# a\n  # b\nc # d\ne\t#f\na#1\n#\n##x\ng #\nh# i\n") == ["c", "e", "a#1", "g", "h# i"]


def test_ids_are_opaque_strings() -> None:
    assert ids(b"007\n7\nA\na\n") == ["007", "7", "A", "a"]


def test_a_repeated_line_counts_once_at_its_first_place() -> None:
    jobs = read(b"b\na # x\nb\n a\nb # y\n..\n..\n")
    assert [(requested.id, requested.line) for requested in jobs.requested] == [("b", 1), ("a", 2)]
    assert [invalid.line for invalid in jobs.invalid] == [6]
    assert jobs.repeats == 4


def test_nothing_but_comments_asks_for_nothing() -> None:
    assert read(b"\n# a\n \n") == JobsFile(requested=(), invalid=(), repeats=0)
    assert read(b"") == JobsFile(requested=(), invalid=(), repeats=0)


@pytest.mark.parametrize(
    ("line", "text", "problem"),
    [
        (b".", ".", "folder"),
        (b"..", "..", "folder"),
        (b"a\tb", "a\\tb", "control character"),
        (b"a\x00b", "a\\x00b", "control character"),
        (b"a\x7fb", "a\\x7fb", "control character"),
        ("a\x85b".encode(), "a\\x85b", "control character"),
        (b"a\xff\xfeb", "a\\xff\\xfeb", "UTF-8"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80", "UTF-8"),
        (b"x" * 513, "x" * 513, "513 bytes"),
        ("é".encode() * 257, "é" * 257, "514 bytes"),
    ],
)
def test_what_cannot_be_one_segment_of_a_path_is_invalid_and_the_other_lines_hold(
    line: bytes, text: str, problem: str
) -> None:
    jobs = read(b"a\n" + line + b" # why\nb\n")
    assert [requested.id for requested in jobs.requested] == ["a", "b"]
    (invalid,) = jobs.invalid
    assert (invalid.text, invalid.line) == (text, 2)
    assert problem in invalid.problem


@pytest.mark.parametrize("text", ["x" * 512, "é" * 256, "...", ".a", "a.", "%2e", "../x", "\u2028"])
def test_an_id_of_the_longest_size_or_of_odd_characters_is_one(text: str) -> None:
    assert id_problem(text) is None


def test_an_invalid_line_without_end_is_shown_shortened() -> None:
    (invalid,) = read(b"\x01" + b"x" * 10_000).invalid
    assert len(invalid.text) < 1200
    assert "10001 characters" in invalid.text


def test_the_stream_stays_open() -> None:
    stream = io.BytesIO(b"a\n")
    read_jobs(stream)
    assert not stream.closed


def test_a_reason_becomes_one_line() -> None:
    assert format_jobs([("a", "503: no\r\n shard\x00 # x\u2028y\udcff")]) == "a # 503: no shard\\x00 # x y\\xff\n"


@pytest.mark.parametrize("job_id", ["#a", "a #b", "a\t#b", " a", "a ", "\ufeffa", "..", "a\nb", ""])
def test_an_id_that_no_jobs_file_can_hold_is_written_as_a_comment(job_id: str) -> None:
    text = format_jobs([("before", None), (job_id, "x\ny"), ("after", "z")])
    assert [requested.id for requested in read(text.encode()).requested] == ["before", "after"]
    assert text.count("\n") == 3
    assert "# not an id that a jobs file can hold" in text
    assert "# x y" in text


def _possible(text: str) -> bool:
    """Tell whether a jobs file can hold an id; said here in other words than in the module."""
    before = {" "} | {text[place - 1] for place in range(len(text)) if text[place] == "#"}
    return (
        id_problem(text) is None
        and text == text.strip()
        and text[0] not in "#\ufeff"
        and not any(c.isspace() and c != " " for c in before)
        and " #" not in text
    )


characters = st.characters(codec="utf-8") | st.sampled_from("# .\t\n\r\ufeff\u00a0\u2028")


@given(
    st.lists(
        st.tuples(
            st.text(characters, min_size=1, max_size=20),
            st.none() | st.text(st.characters() | st.sampled_from("#\n\r\u2028\x85"), max_size=30),
        ),
        max_size=8,
        unique_by=lambda entry: entry[0],
    )
)
@example([("a b", "# x\n# y"), ("a#b", ""), ("#a", None)])
def test_what_is_written_is_read_back(entries: list[tuple[str, str | None]]) -> None:
    text = format_jobs(entries)
    jobs = read(text.encode())
    assert [requested.id for requested in jobs.requested] == [entry for entry, _ in entries if _possible(entry)]
    assert jobs.invalid == ()
    assert jobs.repeats == 0
    assert text.count("\n") == len(entries)


@given(st.binary(max_size=200))
def test_every_content_line_is_requested_invalid_or_a_repeat(content: bytes) -> None:
    content = b"first\n" + content
    jobs = read(content)
    numbers = [requested.line for requested in jobs.requested] + [invalid.line for invalid in jobs.invalid]
    assert len(numbers) == len(set(numbers))
    assert all(id_problem(requested.id) is None for requested in jobs.requested)
    assert read(content * 2).requested == jobs.requested or not content.endswith((b"\n", b"\r"))
    for item in jobs.invalid:
        item.text.encode()  # what is shown can be written


@pytest.mark.parametrize(
    "content",
    ["a\nb\n".encode("utf-16"), "a\nb\n".encode("utf-16-be"), b"\xfe\xff\0a", b"\0\n", b"\x7fELF\2\1\1\0\n"],
    ids=["UTF-16 with a mark", "UTF-16 without", "big endian with a mark", "zeros", "a program"],
)
def test_what_is_no_utf_8_text_is_refused_as_a_whole(content: bytes) -> None:
    with pytest.raises(UsageError, match="the jobs file: is UTF-16, or no text; save it as UTF-8"):
        read(content)


class Endless(io.RawIOBase):
    """A file of so many bytes, all alike, that no memory holds at once."""

    def __init__(self, byte: bytes, size: int) -> None:
        super().__init__()
        self.left = size
        self.byte = byte

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        size = min(len(buffer), self.left)
        buffer[:size] = self.byte * size
        self.left -= size
        return size


def test_a_line_without_end_takes_no_memory_and_keeps_its_place() -> None:
    tail = io.BytesIO(b"\nb\n" + b"#" * 50_000 + b"\n" + b"c # " + b"x" * 50_000 + b"\n" + b" " * 50_000 + b"d\n")

    class Joined(io.RawIOBase):
        head = Endless(b"a", 200_000_000)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any, /) -> int:
            return self.head.readinto(buffer) or tail.readinto(buffer)

    tracemalloc.start()
    try:
        jobs = read_jobs(io.BufferedReader(Joined()))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 1_000_000
    assert [(requested.id, requested.line) for requested in jobs.requested] == [("b", 2), ("c", 4)]
    assert [(line.line, line.problem) for line in jobs.invalid] == [
        (1, "has 200000001 characters, more than an id may have"),
        (5, "has 50002 characters, more than an id may have"),
    ]


def test_zeros_without_end_are_refused_at_once() -> None:
    with pytest.raises(UsageError, match="no text"):
        read_jobs(io.BufferedReader(Endless(b"\0", 10**15)))
