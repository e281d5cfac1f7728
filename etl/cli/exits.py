"""What a command ends with, by what it raised."""

from __future__ import annotations

import click

from etl.cli.signals import EndedAtOnceError
from etl.errors import EtlError, ExitCode


def exit_code_of(error: BaseException | None) -> int:
    """Return the exit code of a command that ends with an error; None is none."""
    match error:
        case None:
            return ExitCode.OK
        case click.exceptions.Exit() | EtlError() | EndedAtOnceError():
            return error.exit_code
        case click.ClickException():
            return ExitCode.USAGE
        case KeyboardInterrupt() | click.Abort():
            cause = error.__cause__  # click tells an interrupt in a word of its own
            return cause.exit_code if isinstance(cause, EndedAtOnceError) else ExitCode.INTERRUPTED
    return ExitCode.BUG
