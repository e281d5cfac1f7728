"""Options that narrow which jobs are wanted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from etl.cli.options import chain, option
from etl.errors import UsageError
from etl.extract.filters import JOB_TYPES, JobFilters, read_filters, read_time

if TYPE_CHECKING:
    from collections.abc import Callable


def _names(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Take names one by one or separated by commas; an empty one is told by what reads the filters."""
    return tuple(name for text in given for name in text.split(","))


def _time(_context: click.Context, _option: click.Parameter, given: str | None) -> str | None:
    """Refuse what is no time where the option's name is told with it; `filters_of` reads both by one clock."""
    if given is not None:
        try:
            read_time(given, datetime.now(UTC))
        except UsageError as error:
            raise click.BadParameter(str(error)) from error
    return given


filter_options: Callable[[Any], Any] = chain(
    option("--connector-id", multiple=True, metavar="ID", help="Only jobs of this connector; can be repeated."),
    option(
        "--job-type",
        multiple=True,
        callback=_names,
        metavar="TYPES",
        help=f"Only jobs of these types, separated by commas: {', '.join(JOB_TYPES)}; can be repeated.",
    ),
    option(
        "--status",
        multiple=True,
        callback=_names,
        metavar="STATUSES",
        help="Only jobs of these statuses, separated by commas, such as completed,error; can be repeated.",
    ),
    option(
        "--since",
        metavar="TIME",
        callback=_time,
        help="Only jobs created then or later: a time, a date, or how long ago, such as 7d.",
    ),
    option(
        "--until",
        metavar="TIME",
        callback=_time,
        help="Only jobs created before then, written likewise. Those without a time of creation drop out with either.",
    ),
)


NO_FILTERS: Final[dict[str, Any]] = {"connector_id": (), "job_type": (), "status": (), "since": None, "until": None}
"""The values of the options that narrow nothing."""


def filters_of(given: dict[str, Any]) -> JobFilters:
    """Return the filters that the command line names.

    Raises:
        UsageError: a name is unknown or a time cannot be read.
    """
    return read_filters(
        connector_ids=given["connector_id"],
        job_types=given["job_type"],
        statuses=given["status"],
        since=given["since"],
        until=given["until"],
        now=datetime.now(UTC),
    )
