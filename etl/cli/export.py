"""`etl export`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etl.cli import options
from etl.cli.filters import filter_options, filters_of
from etl.cli.present import table_lines
from etl.cli.streams import standard_output, until_nobody_reads
from etl.cli.values import Place
from etl.dataset.export import Export, Exported
from etl.dataset.export_files import FORMATS, Folder, Stream
from etl.errors import UsageError
from etl.load.place import located
from etl.observe.logs import configure, printable
from etl.observe.progress import progress
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from etl.dataset.export_files import Destination

_STDOUT = "-"


@click.command("export")
@click.argument("dest", type=Place(readable=False), envvar="ETL_DEST")
@options.output_option
@options.option(
    "--format",
    "form",
    only="export",
    type=click.Choice(FORMATS),
    required=True,
    help="parquet: exact types; csv: for spreadsheets; jsonl: one JSON object a row, where columns that end in _json "
    "stay JSON text, as in the other formats.",
)
@options.option(
    "--table",
    "tables",
    multiple=True,
    type=click.Choice([table.name for table in TABLES]),
    help="A table to export; can be repeated.  [default: all]",
)
@filter_options
@options.option(
    "--csv-raw",
    is_flag=True,
    help="Write texts in CSV as they are, also those that a spreadsheet would run as a formula.",
)
@options.option("--overwrite", is_flag=True, help="Put files in the place of those of an earlier export.")
@options.report_options
def command(dest: str, **given: Any) -> None:  # noqa: ANN401 - as click hands them over
    """Write hand-over files to the folder DEST: one file a table, from the published dataset.

    Filters choose jobs; the rows of the other tables follow their jobs. DEST - writes one table to standard output.

    \b
    Examples:
      etl export handover --format csv --status error --since 30d
      etl export handover --format parquet --connector-id my-connector --overwrite
      etl export - --format jsonl --table sync_jobs | jq .error
    """
    configure(-1 if given["quiet"] else given["verbose"])
    root = located(given["output"]).absolute()
    tables = tuple(dict.fromkeys(given["tables"])) or tuple(table.name for table in TABLES)
    destination = _destination(dest, root, given)
    export = Export(root, filters_of(given))
    with progress(export.rows(tables), "rows", quiet=given["quiet"]) as shown, until_nobody_reads():
        exported = export.write(destination, tables, given["form"], csv_raw=given["csv_raw"], advance=shown.advance)
    _show(exported, as_json=given["as_json"], quiet=given["quiet"])


def _destination(dest: str, root: Path, given: dict[str, Any]) -> Destination:
    if dest != _STDOUT:
        return Folder(Path(dest), dataset=root, overwrite=given["overwrite"])
    if given["form"] == "parquet" and sys.stdout.isatty():
        msg = "Parquet is no text for a terminal: redirect standard output to a file, or name a folder"
        raise UsageError(msg)
    return Stream(standard_output())


def _show(exported: Exported, *, as_json: bool, quiet: bool) -> None:
    """Print the summary; to stderr where stdout carries the table."""
    err = exported.destination == _STDOUT
    if as_json:
        click.echo(json.dumps(exported.as_json(), indent=2), err=err)
    elif not quiet:
        rows = [(name, f"{table.rows:,}", f"{table.bytes:,}") for name, table in exported.tables.items()]
        lines = [f"export of {exported.snapshot}, of {exported.source}, as {exported.format}", ""]
        lines += [*table_lines(("table", "rows", "bytes"), rows), ""]
        lines.append("written to standard output" if err else f"written to {exported.destination}")
        click.echo("\n".join(map(printable, lines)), err=err)
    if not quiet and not any(table.rows for table in exported.tables.values()):
        click.echo("warning: no job matches: the files have no rows", err=True)
