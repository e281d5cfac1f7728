"""`etl doctor`."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from etl.check.diagnosis import Diagnosis, State, Terms
from etl.check.doctor import examine
from etl.cli import options
from etl.cli.present import counted
from etl.cli.run import flags, limits
from etl.cli.values import place_of
from etl.errors import ExitCode
from etl.observe.logs import configure, printable
from etl.pipeline.times import time_of
from etl.settings import connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl.check.diagnosis import Check


@click.command("doctor")
@options.connection_options
@options.output_option
@options.age_options
@options.json_option
@options.option("--quiet", "-q", is_flag=True, help="Say nothing unless something is wrong.")
def command(**given: Any) -> None:  # noqa: ANN401 - as click hands them over
    """Check whether a run would work here, and say what to do where it would not.

    Each line is one check: ok, warning (a run works, but somebody should know), wrong, or skipped. It changes nothing;
    a file that it writes to try the output folder is removed at once. Exit code 5 says that something is wrong.

    \b
    Examples:
      etl doctor
      etl doctor --output /srv/sync-jobs --json
      etl doctor --quiet && etl run jobs.txt
    """
    configure(-1)
    terms = Terms(
        output=place_of(given["output"]),
        settle_s=given["settle"],
        overlap_s=given["overlap"],
        time_of=time_of,
    )
    diagnosis = examine(partial(connection, flags(given), limits=limits(given)), terms)
    if given["as_json"]:
        click.echo(json.dumps(diagnosis.as_json(), indent=2))
    elif not given["quiet"]:
        click.echo("\n".join([*_lines(diagnosis), "", _sum(diagnosis)]))
    elif not diagnosis.is_sound:
        click.echo("\n".join(_lines(diagnosis, only=State.WRONG)))
    if not diagnosis.is_sound:
        raise click.exceptions.Exit(ExitCode.CHECK_FAILED)


def _lines(diagnosis: Diagnosis, only: State | None = None) -> Iterator[str]:
    widths = [max(map(len, State)), max(len(check.name) for check in diagnosis.checks)]
    for check in diagnosis.checks:
        if only in {None, check.told.state}:
            yield _line(check, *widths)


def _line(check: Check, state_width: int, name_width: int) -> str:
    return printable(f"{check.told.state:<{state_width}}  {check.name:<{name_width}}  {check.told.detail}")


def _sum(diagnosis: Diagnosis) -> str:
    counts = [f"{diagnosis.count(state)} {state}" for state in State if diagnosis.count(state)]
    return f"{counted(len(diagnosis.checks), 'check')}: {', '.join(counts)}"
