"""`etl discover`."""

from __future__ import annotations

from typing import Any

import click

from etl.cli import options
from etl.cli.filters import filter_options, filters_of
from etl.cli.run import configure_logs, flags, limits
from etl.cli.signals import stopping
from etl.cli.streams import until_nobody_reads
from etl.errors import ExitCode
from etl.extract.jobs_file import format_jobs
from etl.observe.logs import tell_warning
from etl.pipeline.discover import discover
from etl.pipeline.stop import SIGNALS, Stop
from etl.settings import connection


@click.command("discover")
@filter_options
@options.connection_options
@options.quiet_options
def command(**given: Any) -> None:  # noqa: ANN401 - as click hands them over
    """Print the ids of all sync jobs on the cluster, ready to be a jobs file.

    \b
    Examples:
      etl discover > jobs.txt
      etl discover --since 7d --status error | etl run -
    """
    reached = connection(flags(given), limits=limits(given))
    configure_logs(given, reached)
    stop = Stop()
    with stopping(stop), discover(filters_of(given), reached, stop=stop) as walk:
        with until_nobody_reads():
            for group in walk.ids():
                click.echo(format_jobs((job_id, None) for job_id in group), nl=False)
        report = walk.report()
    for note in (*report.notes, *map(str, report.incomplete)):
        tell_warning(note)
    if report.fatal is not None:
        raise report.fatal
    if stop.cause is not None:
        raise click.exceptions.Exit(SIGNALS[stop.cause])
    if not report.is_complete:
        raise click.exceptions.Exit(ExitCode.INCOMPLETE)
