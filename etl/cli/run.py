"""`etl run`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from etl.cli import options
from etl.cli.engine import check_engine, engine_options
from etl.cli.filters import NO_FILTERS, filter_options, filters_of
from etl.cli.metrics import metrics_option
from etl.cli.present import show_rehearsal, show_run, show_whole_rehearsal
from etl.cli.signals import stopping
from etl.cli.streams import standard_input
from etl.cli.values import Anywhere
from etl.errors import ExitCode, UsageError
from etl.extract.filters import JobFilters
from etl.extract.jobs_file import JobsFile, read_jobs
from etl.load.place import located
from etl.observe.logs import configure, tell_warning
from etl.pipeline.rehearsal import rehearse, rehearse_all
from etl.pipeline.run import run
from etl.pipeline.stop import Stop
from etl.pipeline.whole import run_all
from etl.settings import Connection, ConnectionFlags, Engine, RunSettings, Strategy, Transport, connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.pipeline.summary import RunSummary


@click.command("run")
@click.argument("jobs_file", type=Anywhere(readable=False), required=False, envvar="ETL_JOBS_FILE")
@options.option("--all", "whole", is_flag=True, help="Fetch every sync job on the cluster, instead of a jobs file.")
@filter_options
@options.connection_options
@options.run_options
@options.option(
    "--strategy",
    type=click.Choice([strategy.value for strategy in Strategy]),
    default=Strategy.AUTO.value,
    show_default=True,
    help="How a jobs file is fetched: get asks for each id; page walks the list of all jobs; mget asks the index for "
    "500 ids at a time and needs the privilege read on it; auto takes get or page, whichever costs less.",
)
@engine_options
@options.option("--dry-run", is_flag=True, help="Say what would be fetched, skipped and written, and do none of it.")
@metrics_option
@options.report_options
def command(jobs_file: str | None, *, whole: bool, dry_run: bool, **given: Any) -> None:  # noqa: ANN401 - as click hands them over
    """Fetch every id of JOBS_FILE, transform the documents, and publish them as tables.

    JOBS_FILE has one sync job id a line (default: jobs.txt; - is standard input). A run that is repeated fetches only
    what is new or may still change. What a run that died had fetched is adopted by the next one.

    \b
    Examples:
      etl run jobs.txt --output /srv/sync-jobs
      some-command | etl run - --json
      etl run output/runs/<run_id>/failed.txt        what failed, once more
      etl run jobs.txt --dry-run
      etl run --all                                  every sync job on the cluster; the next time what is new
      etl run --all --since 30d --status error
      etl run --all --dry-run
      etl run jobs.txt --strategy mget               500 ids a request, where the index may be read
      etl run --all --engine dask --dask-scheduler tcp://dask.example.org:8786
    """
    jobs_file, whole = _heard(jobs_file, given, whole=whole)
    filters = filters_of(given)
    if whole and jobs_file:
        msg = "--all and a jobs file exclude each other: choose one"
        raise UsageError(msg)
    if whole and given["strategy"] not in {Strategy.AUTO, Strategy.PAGE}:
        msg = f"--strategy {given['strategy']} is for a jobs file: --all walks the list of all jobs, so leave it out"
        raise UsageError(msg)
    if not whole and filters != JobFilters():
        msg = "filters narrow --all, not a jobs file: use `etl discover` with them to make one"
        raise UsageError(msg)
    check_engine(given)
    reached = connection(flags(given), limits=limits(given))
    configure_logs(given, reached)
    if whole and dry_run:
        show_whole_rehearsal(rehearse_all(filters, reached, run_settings(given)), as_json=given["as_json"])
        return
    if whole:
        execute(partial(run_all, filters, reached, run_settings(given), inputs={"all": True}), given)
        return
    jobs_file = jobs_file or "jobs.txt"
    if dry_run:
        found = rehearse(read_jobs_file(jobs_file), reached, run_settings(given))
        show_rehearsal(found, as_json=given["as_json"])
        return
    jobs = read_jobs_file(jobs_file)
    execute(partial(run, jobs, reached, run_settings(given), inputs={"jobs_file": jobs_file}), given)


def _heard(jobs_file: str | None, given: dict[str, Any], *, whole: bool) -> tuple[str | None, bool]:
    """Let the command line win over the environment, where one names a jobs file and the other what is for --all."""
    context = click.get_current_context()
    if context.get_parameter_source("jobs_file") is ParameterSource.COMMANDLINE:
        names = {"whole": False, **NO_FILTERS}
        unheard = [name for name in names if context.get_parameter_source(name) is ParameterSource.ENVIRONMENT]
        if unheard and not given["quiet"]:
            variables = [str(option.envvar) for option in context.command.params if option.name in unheard]
            tell_warning(f"{' and '.join(variables)} of the environment left out: a jobs file is named")
        given.update({name: NO_FILTERS[name] for name in unheard if name in NO_FILTERS})
        return jobs_file, whole and "whole" not in unheard
    if whole and context.get_parameter_source("whole") is ParameterSource.COMMANDLINE:
        return None, whole
    return jobs_file, whole


def flags(given: dict[str, Any]) -> ConnectionFlags:
    """Pick what the command line says of the connection."""
    return ConnectionFlags(**{name: given[name] for name in ConnectionFlags.__dataclass_fields__})


def limits(given: dict[str, Any]) -> dict[str, float | int | Transport]:
    """Pick time-outs and the like."""
    return {field: given[name] for name, field in options.LIMITS.items()}


def run_settings(given: dict[str, Any], *, source: str | None = None) -> RunSettings:
    """Pick what concerns the run."""
    return RunSettings(
        output=located(given["output"]),
        formats=given["formats"],
        csv_raw=given["csv_raw"],
        output_mode=given["output_mode"],
        exposed=frozenset(given["expose"]),
        settle_s=given["settle"],
        overlap_s=given["overlap"],
        refresh=given["refresh"],
        strict=given["strict"],
        batch_size=given["batch_size"],
        keep_raw=given["keep_raw"],
        strategy=Strategy(given.get("strategy", Strategy.AUTO)),
        workers=given["workers"],
        engine=Engine(given.get("engine", Engine.LOCAL)),
        dask_scheduler=given.get("dask_scheduler"),
        max_failures=given["max_failures"],
        deadline_s=given["deadline"],
        keep_snapshots=given["keep_snapshots"],
        keep_hours=given["keep_hours"],
        keep_runs=given["keep_runs"],
        source=source,
    )


def configure_logs(given: dict[str, Any], reached: Connection) -> None:
    """Set up logs that mask the run's own credentials."""
    secrets = [secret.reveal() for secret in (reached.api_key, reached.password) if secret is not None]
    configure(-1 if given["quiet"] else given["verbose"], secrets)


def read_jobs_file(path: str) -> JobsFile:
    """Read the ids.

    Raises:
        UsageError: there is no such file, it cannot be read, or standard input is closed.
    """
    if path == "-":
        return read_jobs(standard_input())
    try:
        with located(path).open("rb") as stream:
            return read_jobs(stream)
    except OSError as error:
        msg = (
            f"{path}: cannot read the jobs file: {error.strerror}; name one with one sync job id a line, or - for stdin"
        )
        raise UsageError(msg) from error


def execute(job: Callable[..., RunSummary], given: dict[str, Any]) -> RunSummary:
    """Run, print the summary, and exit unless all is well.

    Args:
        job: takes `stop` and `quiet`.
        given: the options.
    """
    stop = Stop()
    with stopping(stop, left="what was staged is adopted by the next run"):
        summary = job(stop=stop, quiet=given["quiet"])
    if "meter" in given:
        given["meter"].note(summary)
    show_run(summary, as_json=given["as_json"], quiet=given["quiet"])
    if summary.exit_code is not ExitCode.OK:
        raise click.exceptions.Exit(summary.exit_code)
    return summary
