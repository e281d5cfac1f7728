"""Errors by what the caller does next, each with the exit code of a run that ends with it.

Arguments are positional, so that an error crosses a process border by pickling. A message carries the place,
the value and the remedy; it is shown to a person as it stands, after masking.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ends (the contract with cron and with scripts)."""

    OK = 0
    BUG = 1
    USAGE = 2
    INCOMPLETE = 3
    NOTHING_PUBLISHED = 4
    CHECK_FAILED = 5
    UNREACHABLE = 69
    OUTPUT = 74
    LOCKED = 75
    REFUSED = 77
    INTERRUPTED = 130
    TERMINATED = 143


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
