"""`etl verify`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from etl.check.verify import Report, verify
from etl.cli import options
from etl.cli.present import counted
from etl.errors import ExitCode
from etl.observe.logs import printable

if TYPE_CHECKING:
    from etl.check.findings import Finding


@click.command("verify")
@options.output_option
@options.option(
    "--all", "everything", only="verify", is_flag=True, help="Check older snapshots in full too, not just their sizes."
)
@options.json_option
@options.option("--quiet", "-q", is_flag=True, help="Say nothing unless something is wrong.")
def command(output: str, *, everything: bool, as_json: bool, quiet: bool) -> None:
    """Check the dataset: files against manifests, keys, references between tables, counts, records of runs.

    It changes nothing and waits for nobody. Exit code 5 says that something is wrong; notes are no damage.

    \b
    Examples:
      etl verify
      etl verify --output /srv/sync-jobs --all
      etl verify --quiet || echo "see above"
    """
    report = verify(output, everything=everything)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    elif not (quiet and report.is_sound):
        click.echo("\n".join(_lines(report, with_notes=not quiet)))
    if not report.is_sound:
        raise click.exceptions.Exit(ExitCode.CHECK_FAILED)


def _lines(report: Report, *, with_notes: bool) -> list[str]:
    lines = [_line(finding) for finding in report.problems]
    if with_notes:
        lines += [f"note: {_line(finding)}" for finding in report.notes]
    number = len(report.problems)
    problems = counted(number, "problem") if number else "no problem"
    checked = (counted(report.tables, "table"), counted(report.files, "file"), counted(report.rows, "row"))
    lines.append(f"{', '.join(checked)} checked: {problems}")
    if report.by_size:
        lines.append(f"of {counted(report.by_size, 'older snapshot')} only the sizes; --all checks them in full")
    return [printable(line) for line in lines]


def _line(finding: Finding) -> str:
    return f"{finding.path}: {finding.detail}"
