"""The standard streams: closed ones, full disks behind them, readers that go away."""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

import click

from etl.errors import ExitCode, OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from _typeshed import ReadableBuffer

_MODES: Final = {"stdin": "r", "stdout": "w", "stderr": "w"}
"""In the order of their descriptors."""


class _Raw(io.FileIO):
    """What stands below standard output or error, and tells once where something cannot be written.

    After that what is written is dropped: an end of the program that flushes has nothing to complain about.

    Attributes:
        is_needed: whether a command has nothing left to do where nobody reads; else it goes on, and what it prints is
            dropped, for its own exit code counts.
    """

    def __init__(self, descriptor: int, *, is_told: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.is_needed = False
        self._is_told = is_told
        self._is_over = False

    def write(self, content: ReadableBuffer) -> int:
        """Write bytes, or drop them.

        Raises:
            BrokenPipeError: nobody reads any more, and that is the end of the command.
            OutputError: the disk is full, or refuses.
        """
        size = memoryview(content).nbytes
        if self._is_over:
            return size
        try:
            return super().write(content)
        except OSError as error:
            self._is_over = True
            is_unread = isinstance(error, BrokenPipeError)
            if is_unread and self.is_needed:
                raise
            if is_unread or not self._is_told:
                return size
            msg = (
                f"standard output: cannot be written: {error.strerror}; make room or send it elsewhere; what a run "
                "published stays"
            )
            raise OutputError(msg) from error


def secure() -> None:
    """Make the standard streams ones that a command can rely on; it is called once, before files are opened.

    The null device takes the place of a closed one: the next file would get its number, and what a library writes to
    standard error would land in that file.
    """
    for name, mode in _MODES.items():
        if getattr(sys, name) is None:
            opened = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115 - gets the lowest free number, which is the closed one's
            os.set_inheritable(opened.fileno(), True)  # noqa: FBT003 - positional only
            setattr(sys, name, opened)
    sys.stdout = _guarded(sys.stdout, is_told=True)
    sys.stderr = _guarded(sys.stderr, is_told=False)


def standard_input() -> IO[bytes]:
    """Return what `-` stands for as a file to read.

    Raises:
        UsageError: it is closed.
    """
    return _open(sys.stdin, "input is closed; give it a file, as in < jobs.txt, or name the file instead of -").buffer


def standard_output() -> IO[bytes]:
    """Return what `-` stands for as a file to write.

    Raises:
        UsageError: it is closed.
    """
    return _open(sys.stdout, "output is closed; send it to a file or a program, or name a place instead of -").buffer


@contextmanager
def until_nobody_reads() -> Iterator[None]:
    """End the command with exit code 0 where the reader of standard output goes away, as `head` does."""
    raw = getattr(sys.stdout.buffer, "raw", None)
    if isinstance(raw, _Raw):
        raw.is_needed = True
    try:
        yield
    except BrokenPipeError as error:
        raise click.exceptions.Exit(ExitCode.OK) from error
    finally:
        if isinstance(raw, _Raw):
            raw.is_needed = False


def _open(stream: TextIO, otherwise: str) -> TextIO:
    """Return a standard stream; say what is wrong with it otherwise."""
    if _is_closed(stream):
        msg = f"-: standard {otherwise}"
        raise UsageError(msg)
    return stream


def _is_closed(stream: TextIO) -> bool:
    return getattr(stream, "name", None) == os.devnull


def _guarded(stream: TextIO, *, is_told: bool) -> TextIO:
    if _is_closed(stream) or not isinstance(stream, io.TextIOWrapper):
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(_Raw(stream.fileno(), is_told=is_told)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering or stream.write_through,
    )
