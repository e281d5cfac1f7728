"""Texts of errors that say the same are one, and texts that say something else are not."""

from __future__ import annotations

import pytest

from etl.report.texts import cut, normalized


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("timed out after 90 seconds", "timed out after 1,200.5 seconds"),
        ("no document 3f2b8c1e-0a7d-4e55-9c1b-2f3a4b5c6d7e", "no document 00000000-0a7d-4e55-9c1b-2f3a4b5c6d7f"),
        ("no document PmT2vZIBkq3mX7a0-_QZ", "no document xJd1vZIBkq3mX7a0hPLc"),
        ('cannot read "HR/plan.docx"', 'cannot read "a \\" b"'),
        ("cannot read 'HR'", "cannot read 'my folder'"),
        ("cannot reach https://a.example.com:9200/x", "cannot reach http://10.1.2.3/y?z"),
        ("cannot reach db-1.example.com:5432", "cannot reach db-77.example.org:1"),
        ("cannot reach 10.0.0.1:9200", "cannot reach 192.168.100.200"),
        ("mail to ana@example.com bounced", "mail to b.c@d.example.org bounced"),
        ("seen at 2026-10-01T10:00:00.123Z", "seen at 2025-01-31 23:59:59+01:00"),
        ("two\n\tlines", "two lines"),
    ],
)
def test_texts_that_differ_in_details_are_one(one: str, other: str) -> None:
    assert normalized(one) == normalized(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("403, message='Forbidden'", "404, message='Not Found'"),
        ("HTTP 500 from the source", "HTTP 503 from the source"),
        ("answered with status code 401", "answered with status code 429"),
        ("ConnectionError: refused", "TimeoutError: refused"),
        ("the user's folder and the group's folder", "the user's file and the group's folder"),
    ],
)
def test_texts_that_say_something_else_stay_apart(one: str, other: str) -> None:
    assert normalized(one) != normalized(other)


def test_a_text_without_words_has_a_name() -> None:
    assert normalized(" \n ") == "(empty text)"


def test_what_looks_like_a_secret_is_masked() -> None:
    assert "hunter2" not in normalized("login failed: password=hunter2")


def test_a_long_text_is_cut() -> None:
    assert len(normalized("word " * 500)) == len(cut("x" * 500)) == 240


def test_a_text_made_to_be_slow_is_read_in_no_time() -> None:
    for text in ("a." * 2000, "'" * 4000, "-" * 4000, "a1" * 2000, '"\\' * 2000, "1." * 2000):
        assert normalized(text)
