"""Options that narrow which jobs are wanted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from etl.cli.options import chain, names, option
from etl.extract.filters import JobFilters, read_filters

if TYPE_CHECKING:
    from collections.abc import Callable

filter_options: Callable[[Any], Any] = chain(
    option("--connector-id", multiple=True, metavar="ID", help="Only jobs of this connector; may be repeated."),
    option("--job-type", type=names, default="", metavar="TYPES", help="full, incremental, access_control."),
    option("--status", type=names, default="", metavar="STATUSES", help="Such as completed,error."),
    option("--since", metavar="TIME", help="Created at or after this: a time, a date, or 7d for a week ago."),
    option("--until", metavar="TIME", help="Created before this."),
)


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
