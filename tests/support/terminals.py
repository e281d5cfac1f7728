"""Runs a program on a terminal of its own, and reads what a person would see there."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LINES, _COLUMNS = 24, 80


def run_on_terminal(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, stdout: int | None = None
) -> tuple[int, bytes]:
    """Run a command whose standard error is a terminal.

    Args:
        command: program and arguments.
        env: its environment; None for this program's.
        stdout: as `subprocess` takes it; None for the terminal too.

    Returns:
        The exit code, and what the terminal got.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))
    told = b""
    with subprocess.Popen(command, stdout=theirs if stdout is None else stdout, stderr=theirs, env=env) as running:
        os.close(theirs)
        try:
            while piece := os.read(ours, 65536):
                told += piece
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    return running.returncode, told
