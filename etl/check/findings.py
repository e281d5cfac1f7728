"""What a check has to say: findings, each with its place, its value and its remedy, and notes, which are no damage."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Kind(StrEnum):
    """What a finding is about."""

    POINTER = "pointer"
    """`latest` leads nowhere, or stands beside another pointer."""

    MANIFEST = "manifest"
    """A manifest cannot be read, or says what cannot be."""

    MISSING = "missing"
    """A file that the manifest names is not there."""

    SIZE = "size"
    """A file has another size than the manifest says."""

    HASH = "hash"
    """A file has another content than the manifest says."""

    ORPHAN = "orphan"
    """Something stands in a snapshot that the manifest does not name."""

    UNREADABLE = "unreadable"
    """A file cannot be read."""

    SCHEMA = "schema"
    """A file has not the columns, types or pandas metadata of its table."""

    COUNT = "count"
    """Rows, or files, are more or fewer than they should be."""

    LIMIT = "limit"
    """A file has more rows than a file may have."""

    REQUIRED = "required"
    """A column that always holds a value is null."""

    DUPLICATE = "duplicate"
    """Two rows have one key."""

    ORDER = "order"
    """Rows are not in the order of the dataset."""

    MONTH = "month"
    """A row does not stand in the month of its job."""

    REFERENCE = "reference"
    """A row refers to one that is not there, or lacks the one that belongs to it."""

    REDACTION = "redaction"
    """A value is withheld, and the row does not say so."""

    JSON = "json"
    """A column of JSON texts holds something else."""

    CSV = "csv"
    """A CSV file does not hold what the Parquet files hold."""

    RUN = "run"
    """The record of a run cannot be read, or does not add up."""

    LOCK = "lock"
    """The lock file holds what no run writes."""

    LEFTOVER = "leftover"
    """A note: something of a run that died, or still works, that the next run finishes or removes."""

    FOREIGN = "foreign"
    """A note: something that is no part of the dataset."""

    PRIVATE = "private"
    """A note: something that only the account that runs etl may read, and no reader needs."""


NOTES = frozenset({Kind.LEFTOVER, Kind.FOREIGN, Kind.PRIVATE})
"""The kinds that are no damage."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that a person should know.

    Attributes:
        kind: what it is about.
        path: where it is, below the output folder, with forward slashes; "." for that folder itself.
        detail: what is there, and what to do, as one sentence.
    """

    kind: Kind
    path: str
    detail: str

    @property
    def is_note(self) -> bool:
        """Whether nothing is wrong."""
        return self.kind in NOTES


@dataclass(kw_only=True, slots=True)
class _Rows:
    """Rows of a file that have one thing wrong with them."""

    number: int
    first: str


class Findings:
    """Gathers findings; what is wrong with many rows of a file in one way is one finding.

    Args:
        root: the output folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        # By kind, path and sentence, in the order of their discovery; with rows the sentence has a hole for them.
        self._found: dict[tuple[Kind, str, str], _Rows | None] = {}

    def add(self, kind: Kind, path: Path, detail: str) -> None:
        """Note one finding; the same one again adds nothing."""
        self._found[kind, self._below(path), detail] = None

    def add_rows(self, kind: Kind, path: Path, detail: str, *, number: int, first: str) -> None:
        """Note rows of a file; the next ones with the same detail add to their number.

        Args:
            kind: what it is about.
            path: of the file.
            detail: the sentence, with `{rows}` where the rows are named.
            number: of rows.
            first: what tells the first of them.
        """
        known = self._found.setdefault((kind, self._below(path), detail), _Rows(number=0, first=first))
        if known is not None:
            known.number += number

    def extend(self, more: Findings) -> None:
        """Take over what others gathered."""
        self._found.update(more._found)

    def all(self) -> Iterable[Finding]:
        """Yield the findings in the order of their discovery."""
        for (kind, path, detail), rows in self._found.items():
            text = detail if rows is None else detail.replace("{rows}", _told(rows))
            yield Finding(kind=kind, path=path, detail=text)

    def _below(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def one_line(error: object) -> str:
    r"""Return the message of an error in one line.

    >>> one_line(ValueError("no end:\n  at byte 5"))
    'no end: at byte 5'
    """
    return " ".join(str(error).split())


def _told(rows: _Rows) -> str:
    return f"1 row ({rows.first})" if rows.number == 1 else f"{rows.number:,} rows (the first: {rows.first})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """A snapshot under check.

    Attributes:
        folder: of the snapshot.
        findings: where they go.
        remedy: what to do about damage in it, as the end of a sentence.
    """

    folder: Path
    findings: Findings
    remedy: str

    def tell(self, kind: Kind, path: Path, detail: str) -> None:
        """Note damage."""
        self.findings.add(kind, path, f"{detail}; {self.remedy}")

    def tell_rows(self, kind: Kind, path: Path, detail: str, *, number: int, first: str) -> None:
        """Note damaged rows; see `Findings.add_rows`."""
        self.findings.add_rows(kind, path, f"{detail}; {self.remedy}", number=number, first=first)
