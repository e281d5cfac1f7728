"""How a summary is printed: a small table for people, JSON for machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from etl.errors import ExitCode
from etl.load.place import shown_pointer
from etl.observe.logs import log_end, printable, tell_problem, tell_warning

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from etl.pipeline.rehearsal import Rehearsal, WholeRehearsal
    from etl.pipeline.summary import RunSummary


def counted(count: int, what: str, plural: str = "") -> str:
    """Write a number of things, one or several.

    >>> counted(1, "batch", "batches"), counted(1200, "job")
    ('1 batch', '1,200 jobs')
    """
    return f"{count:,} {what if count == 1 else plural or what + 's'}"


def show_run(
    summary: RunSummary, *, as_json: bool, quiet: bool, lines_of: Callable[[RunSummary], list[str]] | None = None
) -> None:
    """Print the summary to stdout, and what is wrong to stderr.

    Args:
        summary: of the run.
        as_json: for machines.
        quiet: nothing unless something is wrong.
        lines_of: what people are told; None for what a run that fetches tells.
    """
    if as_json:
        click.echo(json.dumps(summary.as_json(), indent=2))
    elif not quiet:
        click.echo("\n".join(map(printable, (lines_of or _lines)(summary))))
    if not quiet:
        for warning in summary.warnings:
            tell_warning(warning)
    if summary.problem is not None:
        tell_problem(summary.problem)
    _log(summary)


def _log(summary: RunSummary) -> None:
    """Leave the figures of the summary in a log for machines, as its last line."""
    counts = ", ".join(f"{count:,} {name}" for name, count in summary.outcomes.items() if count)
    is_well = summary.exit_code is ExitCode.OK
    message = (
        f"run ended with exit code {int(summary.exit_code)}: {counts or 'no id'} of {summary.requested:,} requested"
    )
    figures = {name: value for name, value in summary.as_json().items() if name not in {"problem", "warnings"}}
    fields = {
        "event": {
            "kind": "event",
            "dataset": "etl.run",
            "action": "run-ended",
            "outcome": "success" if is_well else "failure",
            "duration": round(summary.elapsed_s * 1e9),  # nanoseconds, as the schema has it
        },
        "etl": figures,
    }
    if summary.problem is not None:
        fields["error"] = {"message": summary.problem}
    log_end(message, fields, is_well=is_well)


def show_rehearsal(found: Rehearsal, *, as_json: bool) -> None:
    """Print what a run would do."""
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2))
        return
    rows = [
        ("fetched", found.fetched),
        ("skipped, published and settled", found.settled),
        ("invalid", found.invalid),
        ("requested", found.requested),
    ]
    lines = [f"dry run: of {found.source}, into {found.output}", ""]
    lines += table_lines(("ids", "number"), [(name, f"{count:,}") for name, count in rows])
    lines += ["", found.why, f"{counted(found.requests, 'request')} at least, {_batches(found.batches)} to stage"]
    lines.append(
        f"published now: {counted(found.published, 'job')}; months with new or changed ones would be written anew"
    )
    if found.staged:
        lines.append(f"{_batches(found.staged)} of runs that died would be adopted, or dropped where settings differ")
    if found.replaces_sandbox:
        lines.append("the demo's data would be replaced")
    click.echo("\n".join(lines))


def show_whole_rehearsal(found: WholeRehearsal, *, as_json: bool) -> None:
    """Print what a run over the whole cluster would do."""
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2))
        return
    lines = [f"dry run: all jobs of {found.source}, into {found.output}", ""]
    listed = (
        "does not tell how many jobs there are" if found.listed is None else f"counts {counted(found.listed, 'job')}"
    )
    if found.listed is not None and not found.is_exact:
        listed += ", where its counting ends: there may be more"
    lines.append(f"the list {listed}; published now: {found.published:,}, {found.unsettled:,} of them unsettled")
    if found.since is None:
        lines.append("all jobs would be walked: there was no complete walk with these filters, or --refresh is given")
    else:
        lines.append(f"jobs created after {found.since:%Y-%m-%d %H:%M:%SZ} and unsettled ones would be fetched")
    lines.append(f"{counted(found.requests, 'request')} at least")
    if found.replaces_sandbox:
        lines.append("the demo's data would be replaced")
    click.echo("\n".join(lines))


def _lines(summary: RunSummary) -> list[str]:
    lines = [f"run {summary.run_id} of {summary.source}, {summary.elapsed_s:.1f} s", ""]
    outcomes = [(name, f"{count:,}") for name, count in summary.outcomes.items() if count]
    lines += table_lines(("outcome", "ids"), [*outcomes, ("requested", f"{summary.requested:,}")])
    lines += ["", *table_lines(("table", "rows"), [(name, f"{count:,}") for name, count in summary.rows.items()])]
    redacted = counted(summary.redacted, "configuration value")
    # A run that asked for nothing read files, and those of a run stand redacted.
    beside = "" if "least_requests" in summary.figures else " beside those that the files hold redacted"
    lines += ["", f"{redacted} redacted{beside}, {counted(summary.masked, 'text')} masked"]
    if summary.adopted:
        lines.append(f"{counted(summary.adopted, 'more job')} adopted from runs that died")
    if "least_requests" in summary.figures:  # saved documents cost no request
        lines.append(
            f"{counted(summary.figures['requests'], 'request')} (at least {summary.figures['least_requests']:,}); "
            f"{counted(summary.figures['left_alone'], 'settled job')} met and left alone"
        )
    if summary.snapshot is not None:
        lines.append(f"published in {shown_pointer(summary.output)}")
    elif summary.exit_code in {ExitCode.OK, ExitCode.INCOMPLETE}:
        lines.append(
            f"nothing has changed in {shown_pointer(summary.output)}"
            if any(summary.rows.values())
            else "nothing to publish"
        )
    if summary.failed_file is not None:
        lines.append(f"to try again: etl run {summary.failed_file}")
    return lines


def _batches(count: int) -> str:
    return counted(count, "batch", "batches")


def table_lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out a small table: the first column to the left, figures to the right, other texts to the left."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    figures = [
        column > 0 and all(row[column].replace(",", "").isdigit() for row in rows) for column in range(len(head))
    ]

    def line(cells: Sequence[str]) -> str:
        laid = [
            cell.rjust(width) if figure else cell.ljust(width)
            for cell, width, figure in zip(cells, widths, figures, strict=True)
        ]
        return ("  " + "  ".join(laid)).rstrip()

    return [line(head), line(["-" * width for width in widths]), *(line(row) for row in rows)]
