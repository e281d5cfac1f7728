"""`etl schema`."""

from __future__ import annotations

import click

from etl.cli import options
from etl.errors import UsageError
from etl.schema import dictionary
from etl.schema.tables import TABLES


@click.command("schema")
@options.option(
    "--format",
    "form",
    only="schema",
    type=click.Choice(["markdown", "json", "arrow"]),
    default="markdown",
    show_default=True,
    help="markdown: to read; json: for programs; arrow: the IPC schema message of one table.",
)
@options.option(
    "--table",
    only="schema",
    type=click.Choice([table.name for table in TABLES]),
    help="The table, for --format arrow.",
)
def command(form: str, table: str | None) -> None:
    """Print the data dictionary: every table and column, with type, unit, source and meaning.

    \b
    Examples:
      etl schema
      etl schema --format json
      etl schema --format arrow --table sync_jobs > sync_jobs.arrow
    """
    if (form == "arrow") != (table is not None):
        msg = "--format arrow and --table go together: an Arrow schema is that of one table"
        raise UsageError(msg)
    if table is not None:
        click.echo(dictionary.as_arrow(table), nl=False)
    elif form == "markdown":
        click.echo(dictionary.as_markdown(), nl=False)
    else:
        click.echo(dictionary.as_json())
