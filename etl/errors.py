"""Errors by what the caller does next, each with the exit code of a run that ends with it.

Arguments are positional, so that an error can be pickled and reach another program. A message carries the place,
the value and the remedy; it is shown to a person as it stands, after masking.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """How a command ends (the contract with cron and with scripts).

    Attributes:
        meaning: what the code says, in Markdown.
        remedy: what to do then, in Markdown.
    """

    meaning: str
    remedy: str

    def __new__(cls, code: int, meaning: str, remedy: str) -> Self:
        """Make the member of this number, which the numbers of `EtlError` and of the shell are."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        member.remedy = remedy
        return member

    OK = 0, "every id is accounted for", "nothing"
    BUG = 1, "a bug", "run again with `-vv` and report it; the published state is whole"
    USAGE = 2, "usage or settings", "read the message; nothing was fetched"
    INCOMPLETE = (
        3,
        (
            "published, but ids failed, were rejected or invalid, a deadline came first, or a part of the "
            "cluster could not be read"
        ),
        (
            "run again with the `failed.txt` that the summary names; a second `run --all` does so by "
            "itself. Correct invalid lines, which it names, in the jobs file. If it names a part of the cluster, grant "
            "the privilege that it names"
        ),
    )
    NOTHING_PUBLISHED = (
        4,
        (
            "nothing published: every id failed, was invalid or is not on the cluster, or there were more failures "
            "than `--max-failures`"
        ),
        "is it the right cluster? See `outcomes.parquet` of the run",
    )
    CHECK_FAILED = 5, "`etl verify` or `etl doctor` found something wrong", "do what the line says"
    UNREACHABLE = (
        69,
        "cluster unreachable, or no Elasticsearch 8.12 or later there",
        "`etl doctor` tells how far the way leads; wait, or correct the address. What was fetched stays staged",
    )
    OUTPUT = (
        74,
        "the output cannot be read or written, or holds no dataset",
        "make room, mend the permissions or name another folder, as the message says. What was fetched stays staged",
    )
    LOCKED = (
        75,
        "another run holds the lock, or published meanwhile",
        "nothing, unless it stays so: the message names host and pid",
    )
    REFUSED = (
        77,
        "credentials refused, or a privilege is missing",
        "renew the key; the message names the privilege. What was fetched stays staged",
    )
    INTERRUPTED = 130, "interrupted", "run again: what was fetched is adopted"
    TERMINATED = 143, "terminated", "run again: what was fetched is adopted"


class EtlError(Exception):
    """The base of all errors that a command reports in one line, without a traceback."""

    exit_code: ExitCode = ExitCode.BUG


class UsageError(EtlError):
    """A flag, a setting or a jobs file is wrong: the caller corrects it and runs again."""

    exit_code = ExitCode.USAGE


class UnreachableError(EtlError):
    """The cluster does not answer, or what answers is no Elasticsearch 8.12 or later."""

    exit_code = ExitCode.UNREACHABLE


class OutputError(EtlError):
    """The output folder cannot be read or written."""

    exit_code = ExitCode.OUTPUT


class LockedError(EtlError):
    """Another run holds the lock, or has published since this one began."""

    exit_code = ExitCode.LOCKED


class RefusedError(EtlError):
    """The credentials are refused, or lack a privilege."""

    exit_code = ExitCode.REFUSED


class InterruptedRunError(EtlError):
    """SIGINT reached the run: it stopped in order."""

    exit_code = ExitCode.INTERRUPTED


class TerminatedRunError(EtlError):
    """SIGTERM reached the run: it stopped in order."""

    exit_code = ExitCode.TERMINATED
