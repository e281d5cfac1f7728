"""Texts by what they say, whichever job, document or machine they say it of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from etl.scrub import text as masked

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST = 240

# A code of HTTP is what an error is about; every other number is only where it happened.
_RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r'"(?:[^"\\]|\\.){0,2000}"'), '"…"'),
    (re.compile(r"(?<!\w)'(?:[^'\\]|\\.){0,2000}'(?!\w)"), "'…'"),
    (re.compile(r"`[^`]{1,500}`"), "`…`"),
    (re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://\S+"), "<address>"),
    (re.compile(r"\S{1,200}@[\w-]{1,100}\.[\w.-]{1,100}"), "<address>"),
    (re.compile(r"\b(?:[\w-]{1,63}\.){1,8}[a-zA-Z][\w-]{1,30}:\d{1,5}\b"), "<address>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b"), "<address>"),
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"), "<time>"),
    (re.compile(r"\b(?=[\w-]{0,200}\d)(?=[\w-]{0,200}[A-Za-z])[\w-]{16,200}\b"), "<id>"),
    (re.compile(r"\b(?=[0-9a-fA-F]{0,200}\d)[0-9a-fA-F]{8,200}\b"), "<id>"),
    (
        re.compile(
            r"(?P<kept>\b(?:status(?:[ _]code)?|http(?:/[\d.]{1,3})?|code)[\s:='\"(]{1,4}[1-5]\d\d\b"
            r"|(?<![\w.])[45]\d\d(?=,? (?:message|client error|server error)))"
            r"|(?<![A-Za-z_])\d+(?:[.,]\d+)*",
            re.IGNORECASE,
        ),
        lambda match: match["kept"] or "<n>",
    ),
)
_SPACE = re.compile(r"\s+")


def normalized(text: str) -> str:
    """Return a text with ids, numbers, quoted names, times and addresses replaced, masked and cut.

    >>> normalized("ConnectionError: cannot reach https://db-7.example.com:9200 after 90 seconds")
    'ConnectionError: cannot reach <address> after <n> seconds'
    >>> normalized("403, message='Forbidden', for document AbCdEf0123456789_xyz")
    "403, message='…', for document <id>"
    """
    found = masked(text[:4000])
    for pattern, replacement in _RULES:
        found = pattern.sub(replacement, found)
    found = _SPACE.sub(" ", found).strip()
    return cut(found) or "(empty text)"


def cut(text: str, longest: int = _LONGEST) -> str:
    """Return a text that is short enough for a cell."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
