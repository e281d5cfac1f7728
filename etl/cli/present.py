"""How a summary is printed: a small table for people, JSON for machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from etl.errors import ExitCode
from etl.observe.logs import printable

if TYPE_CHECKING:
    from etl.pipeline.summary import RunSummary


def show_run(summary: RunSummary, *, as_json: bool, quiet: bool) -> None:
    """Print the summary to stdout, and what is wrong to stderr."""
    if as_json:
        click.echo(json.dumps(summary.as_json(), indent=2))
    elif not quiet:
        click.echo("\n".join(_lines(summary)))
    if not quiet:
        for warning in summary.warnings:
            click.echo(f"warning: {printable(warning)}", err=True)
    if summary.problem is not None:
        click.echo(f"etl: {printable(summary.problem)}", err=True)


def _lines(summary: RunSummary) -> list[str]:
    lines = [f"run {summary.run_id} of {summary.source}, {summary.elapsed_s:.1f} s", ""]
    lines += _table([("outcome", "ids")], [(name, f"{count:,}") for name, count in summary.outcomes.items() if count])
    lines += [_row("requested", f"{summary.requested:,}"), ""]
    lines += _table([("table", "rows")], [(name, f"{count:,}") for name, count in summary.rows.items()])
    lines += ["", f"{summary.redacted:,} configuration values redacted, {summary.masked:,} texts masked"]
    if summary.adopted:
        lines.append(f"{summary.adopted:,} more jobs adopted from runs that died")
    if summary.snapshot is not None:
        lines.append(f"published in {summary.output}/latest")
    elif summary.exit_code in {ExitCode.OK, ExitCode.INCOMPLETE}:
        lines.append(f"nothing has changed in {summary.output}/latest")
    if summary.failed_file is not None:
        lines.append(f"to try again: etl run {summary.failed_file}")
    return lines


def _table(head: list[tuple[str, str]], rows: list[tuple[str, str]]) -> list[str]:
    return [_row(*cells) for cells in (*head, ("-" * 27, "-" * 11), *rows)]


def _row(name: str, figure: str) -> str:
    return f"  {name:<27}  {figure:>11}"
