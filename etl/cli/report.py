"""`etl report`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from etl.cli import options
from etl.cli.filters import filter_options, filters_of
from etl.cli.present import counted
from etl.cli.streams import standard_output, until_nobody_reads
from etl.cli.values import Place, whole
from etl.dataset.export_files import Folder, Stream
from etl.errors import UsageError
from etl.load.place import located
from etl.observe.logs import configure, printable
from etl.observe.progress import progress
from etl.report.figures import gather
from etl.report.page import render
from etl.settings.extras import check_libraries

if TYPE_CHECKING:
    from pathlib import Path

    from etl.dataset.export_files import Destination
    from etl.report.figures import Figures

_STDOUT = "-"


@click.command("report")
@options.output_option
@options.option(
    "--to",
    type=Place(readable=False),
    default="report.html",
    show_default=True,
    metavar="FILE",
    help="The page to write, in the place of an earlier one; - for standard output.",
)
@filter_options
@options.report_options
def command(to: str, **given: Any) -> None:  # noqa: ANN401 - as click hands them over
    """Write one HTML page about the sync history, which opens anywhere and asks no network for anything.

    It needs the extra [report].

    \b
    Examples:
      etl report
      etl report --output /srv/sync-jobs --to /srv/www/sync-jobs.html -q
      etl report --to last-month.html --since 30d
      etl report --to - --connector-id my-connector > my-connector.html
    """
    configure(-1 if given["quiet"] else given["verbose"])
    check_libraries("etl report", extra="report", names=("plotly", "jinja2"))
    root = located(given["output"]).absolute()
    destination, file = _destination(to, root)
    destination.open([file])
    with progress(None, "jobs", quiet=given["quiet"]) as shown:
        figures = gather(root, filters_of(given), advance=shown.advance)
    page = render(figures).encode()
    with until_nobody_reads(), destination.create(file) as (storage, path):
        storage.write_file(path, page)
    _show(figures, destination.name_of(file), len(page), as_json=given["as_json"], quiet=given["quiet"])


def _destination(to: str, root: Path) -> tuple[Destination, str]:
    if to == _STDOUT:
        return Stream(standard_output()), to
    path = whole(to)
    if path.is_dir():
        msg = f"--to {path}: is a folder; name a file in it, such as {path / 'report.html'}"
        raise UsageError(msg)
    if not path.parent.is_dir():
        msg = f"--to {path}: {path.parent} is no folder: make it, or name a file elsewhere"
        raise UsageError(msg)
    return Folder(path.parent, dataset=root, overwrite=True), path.name


def _show(figures: Figures, to: str, size: int, *, as_json: bool, quiet: bool) -> None:
    """Print the summary; to stderr where stdout carries the page."""
    err = to == _STDOUT
    jobs = figures.census.jobs
    if as_json:
        said = {"snapshot": figures.snapshot, "source": figures.source, "file": to, "bytes": size, "jobs": jobs}
        click.echo(json.dumps(said, indent=2), err=err)
    elif not quiet:
        where = "standard output" if err else to
        text = f"report on {counted(jobs, 'job')} of {figures.source}\nwritten to {where} ({size:,} bytes)"
        click.echo("\n".join(map(printable, text.splitlines())), err=err)
    if not quiet and not jobs:
        click.echo("warning: no job matches: the page shows none", err=True)
