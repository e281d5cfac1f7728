"""`etl inspect`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from etl.cli import options
from etl.cli.present import counted, table_lines
from etl.dataset.difference import Difference, difference, named_snapshot
from etl.dataset.overview import Overview, overview
from etl.load.place import located
from etl.observe.logs import printable

if TYPE_CHECKING:
    from datetime import datetime

_SHOWN_RUNS = 5
_SHOWN_FIELDS = 12
_SHOWN_JOBS = 10


@click.command("inspect")
@options.output_option
@options.option(
    "--diff",
    nargs=2,
    metavar="A B",
    help="Compare two snapshots: run ids, the beginnings of such, or latest and previous.",
)
@options.json_option
def command(output: str, diff: tuple[str, str] | None, *, as_json: bool) -> None:
    """Show what the dataset holds: tables, rows, time range, freshness, runs, outcomes, and what is redacted.

    \b
    Examples:
      etl inspect
      etl inspect --output /srv/sync-jobs --json
      etl inspect --diff previous latest
    """
    root = located(output).absolute()
    if diff is not None:
        found = difference(named_snapshot(root, diff[0]), named_snapshot(root, diff[1]))
        click.echo(json.dumps(found.as_json(), indent=2) if as_json else "\n".join(_difference_lines(found)))
        return
    seen = overview(root)
    click.echo(json.dumps(seen.as_json(), indent=2) if as_json else "\n".join(_lines(seen)))


def _lines(seen: Overview) -> list[str]:
    lines = [
        f"dataset of {seen.source} in {seen.folder}",
        f"  published state   {seen.snapshot}, of {len(seen.snapshots)} kept; formats: {', '.join(seen.formats)}",
        f"  last change       {_time(seen.changed_at)}",
        f"  last check        {_time(seen.checked_at)}",
        f"  jobs created      {_time(seen.oldest)} to {_time(seen.newest)}",
        f"  exposed fields    {', '.join(seen.exposed) or 'none'}",
        "",
    ]
    lines += table_lines(
        ("table", "rows", "files", "bytes"),
        [(name, f"{s.rows:,}", f"{s.files:,}", f"{s.bytes:,}") for name, s in seen.tables.items()],
    )
    lines += ["", *table_lines(("status", "jobs"), [(name, f"{count:,}") for name, count in seen.statuses.items()])]
    if seen.gone:
        lines.append(f"  {seen.gone:,} of them are no longer on the cluster (not_found_at)")
    if seen.redacted:
        shown = list(seen.redacted.items())[:_SHOWN_FIELDS]
        lines += ["", *table_lines(("redacted field", "jobs"), [(name, f"{count:,}") for name, count in shown])]
        if len(seen.redacted) > len(shown):
            lines.append(f"  and {len(seen.redacted) - len(shown)} more")
    if seen.runs:
        runs = [
            (
                run.run_id,
                run.state.value,
                str(run.exit_code),
                ", ".join(f"{count:,} {name}" for name, count in run.outcomes.items() if count) or "no ids",
            )
            for run in seen.runs[:_SHOWN_RUNS]
        ]
        lines += ["", *table_lines(("run", "state", "exit", "outcomes"), runs)]
        if len(seen.runs) > len(runs):
            lines.append(f"  and {len(seen.runs) - len(runs)} earlier ones")
    lines += ["", *(f"note: {note}" for note in seen.notes)] if seen.notes else []
    return [printable(line) for line in lines]


def _difference_lines(found: Difference) -> list[str]:
    lines = [f"from {found.before} to {found.after}", ""]
    for name, ids in (("added", found.added), ("removed", found.removed), ("changed", found.changed)):
        shown = ", ".join(ids[:_SHOWN_JOBS]) + (", ..." if len(ids) > _SHOWN_JOBS else "")
        number, word = counted(len(ids), "job").split(" ")
        lines.append(f"  {name:<8} {number:>9} {word}" + (f": {shown}" if ids else ""))
    before, after = map(", ".join, found.formats)
    if before != after:
        lines.append(f"  formats  {before} -> {after}")
    if found.statuses:
        moves = [(f"{before} -> {after}", f"{count:,}") for (before, after), count in found.statuses.items()]
        lines += ["", *table_lines(("status", "jobs"), moves)]
    rows = [(name, f"{before:,}", f"{after:,}") for name, (before, after) in found.rows.items()]
    lines += ["", *table_lines(("table", "rows before", "rows after"), rows)]
    return [printable(line) for line in lines]


def _time(moment: datetime | None) -> str:
    return "unknown" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
