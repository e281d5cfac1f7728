"""What a part of a document becomes, by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from etl.jsontext import MAX_DEPTH, JsonValue, NotJsonError, decode_noting
from etl.transform.rows import Row, job_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl.transform.redact import RedactedPart


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What a part of a document became.

    Attributes:
        rows: of the tables that it has rows in, with the cells that follow from it alone.
        issues: rows of field_issues.
        masked: texts in which something was masked.
        clean: the part as it may be kept, as JSON.
        depends: whether that depends on the secrets of the configuration.
    """

    rows: Mapping[str, tuple[Row, ...]]
    issues: tuple[Row, ...]
    masked: int
    clean: bytes
    depends: bool = False


UNFIT: Final = Part(rows={}, issues=(), masked=0, clean=b"")
"""Stands for a part with which the document takes the tolerant path as a whole."""


def decoded(raw: bytes) -> JsonValue:
    """Decode a part.

    Raises:
        NotJsonError: it is none, or has a repeated key, or is nested so deep that the document may be refused.
    """
    if raw.count(b"{") + raw.count(b"[") > _SURELY_SHALLOW:
        msg = "nested too deep, perhaps"
        raise NotJsonError(msg)
    value, repeated = decode_noting(raw)
    if repeated:
        msg = "a key is given twice"
        raise NotJsonError(msg)
    return value


_SURELY_SHALLOW = MAX_DEPTH - 10


def rows_of(clean: RedactedPart) -> dict[str, tuple[Row, ...]]:
    """Return the rows of a document that holds one part."""
    return {name: tuple(rows) for name, rows in job_rows("", clean.document).rows.items()}
