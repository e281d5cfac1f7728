"""`etl compact`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from etl.cli import options
from etl.cli.present import counted, show_run
from etl.cli.signals import stopping
from etl.errors import ExitCode
from etl.load.place import located, shown_pointer
from etl.observe.logs import configure
from etl.pipeline.compact import compact
from etl.pipeline.stop import Stop
from etl.settings import RunSettings

if TYPE_CHECKING:
    from etl.pipeline.summary import RunSummary


@click.command("compact")
@options.output_option
@options.output_mode_option
@options.retention_options
@options.report_options
def command(output: str, **given: Any) -> None:  # noqa: ANN401 - as click hands them over
    """Join the files of a month where fewer would hold its rows, and publish the result.

    The rows stay the same, and readers see the old files until the new ones are whole. A dataset whose months have no
    more files than they need stays as it is: every publish leaves the months that it writes so.

    \b
    Examples:
      etl compact
      etl compact --output /srv/sync-jobs --json
    """
    configure(-1 if given["quiet"] else given["verbose"])
    settings = RunSettings(
        output=located(output),
        output_mode=given["output_mode"],
        keep_snapshots=given["keep_snapshots"],
        keep_hours=given["keep_hours"],
        keep_runs=given["keep_runs"],
    )
    stop = Stop()
    with stopping(stop):
        summary = compact(settings, stop=stop)
    show_run(summary, as_json=given["as_json"], quiet=given["quiet"], lines_of=_lines)
    if summary.exit_code is not ExitCode.OK:
        raise click.exceptions.Exit(summary.exit_code)


def _lines(summary: RunSummary) -> list[str]:
    before, after = summary.figures["files_before"], summary.figures["files_after"]
    lines = []
    if summary.adopted:
        lines.append(f"{counted(summary.adopted, 'more job')} adopted from runs that died")
    if summary.snapshot is None:
        return [
            *lines,
            f"{counted(before, 'file')}, none to join: nothing has changed in {shown_pointer(summary.output)}",
        ]
    return [*lines, f"{counted(before, 'file')} became {after:,}; published in {shown_pointer(summary.output)}"]
