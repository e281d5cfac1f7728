"""Options that several commands share; each can be given as ETL_<OPTION> in the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from etl.cli.misspelt import tell_misspelt
from etl.cli.values import Anywhere, Hours, Place, above_zero, duration, formats, mode, names, share, size
from etl.observe.logs import LogFormat, choose_format
from etl.settings import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


def option(flag: str, *more: str, only: str = "", **settings: Any) -> Callable[[F], F]:  # noqa: ANN401 - click's own settings
    """Declare an option that is also read from the environment.

    Args:
        flag: the option; its variable is ETL_<OPTION>.
        more: see `click.option`.
        only: the command, where the option means something else than in others; its variable is then
            ETL_<COMMAND>_<OPTION>, so that one environment serves all commands.
        settings: see `click.option`.
    """
    name = "_".join(["ETL", *([only] if only else []), flag.removeprefix("--")])
    return click.option(flag, *more, envvar=name.upper().replace("-", "_"), show_envvar=True, **settings)


def chain(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Join options into one decorator; they stand in the help in this order."""

    def decorate(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


output_option = option(
    "--output",
    type=Anywhere(file_okay=False),
    default="output",
    show_default=True,
    help="Folder of the dataset, or s3://bucket/prefix, which needs the extra [s3].",
)

json_option = option("--json", "as_json", is_flag=True, help="Print the result as JSON.")

quiet_options = chain(
    option("--quiet", "-q", is_flag=True, callback=tell_misspelt, help="Say nothing unless something is wrong."),
    option("--verbose", "-v", count=True, help="Log details; given twice, of the libraries too."),
    option(
        "--log-format",
        type=click.Choice([form.value for form in LogFormat]),
        default=LogFormat.TEXT.value,
        show_default=True,
        is_eager=True,  # so that an error in another option is a line of that format too
        expose_value=False,
        callback=lambda _context, _option, form: choose_format(LogFormat(form)),
        help="What comes to stderr: text for people, or one JSON object a line in the fields of ECS, without a bar.",
    ),
)

report_options = chain(
    json_option,
    quiet_options,
)

connection_limits = chain(
    option(
        "--concurrency",
        type=click.IntRange(1, 512),
        default=8,
        show_default=True,
        help="Most requests under way at once.",
    ),
    option(
        "--connect-timeout",
        type=duration,
        callback=above_zero,
        default="10s",
        show_default=True,
        help="Longest wait until a connection stands.",
    ),
    option(
        "--read-timeout",
        type=duration,
        callback=above_zero,
        default="30s",
        show_default=True,
        help="Longest wait for the next byte of an answer.",
    ),
    option(
        "--max-attempts",
        type=click.IntRange(1),
        default=6,
        show_default=True,
        help="Most requests for one id, or for one page of a list.",
    ),
    option(
        "--id-deadline",
        type=duration,
        callback=above_zero,
        default="5m",
        show_default=True,
        help="Most time for one id, or one page, with all attempts and waits.",
    ),
    option(
        "--retry-after-cap",
        type=duration,
        default="60s",
        show_default=True,
        help="Longest Retry-After that is waited for; beyond it the id fails.",
    ),
    option(
        "--max-response-size",
        type=size,
        default="64M",
        show_default=True,
        help="Largest answer that is read; an id whose document is larger fails.",
    ),
    option(
        "--transport",
        type=click.Choice([transport.value for transport in Transport]),
        callback=lambda _context, _option, name: Transport(name),
        default=Transport.AUTO.value,
        show_default=True,
        help="What carries requests: auto takes curl, the fastest, where the extra [fast] is installed and it can take "
        "the way to the cluster, else requests.",
    ),
)

# Their environment names are read in etl.settings, with the aliases that Elastic's own tools use.
connection_options = chain(
    click.option("--url", metavar="URL", help="Address of the cluster.  [env var: ELASTICSEARCH_URL]"),
    click.option("--cloud-id", metavar="ID", help="Cloud ID instead of an address.  [env var: ELASTICSEARCH_CLOUD_ID]"),
    click.option(
        "--api-key-file",
        type=Place(readable=False),
        metavar="FILE",
        help="File with the API key: encoded, id:key, or Elasticsearch's JSON answer.  "
        "[env var: ELASTICSEARCH_API_KEY_FILE; the key itself: ELASTICSEARCH_API_KEY]",
    ),
    click.option(
        "--username", metavar="NAME", help="User, for basic authentication.  [env var: ELASTICSEARCH_USERNAME]"
    ),
    click.option(
        "--password-file",
        type=Place(readable=False),
        metavar="FILE",
        help="File with the password.  [env var: ELASTICSEARCH_PASSWORD_FILE; the password itself: "
        "ELASTICSEARCH_PASSWORD]",
    ),
    click.option(
        "--ca-certs",
        type=Place(readable=False),
        metavar="PATH",
        help="Certificates to trust, a file or a folder.  [env var: ELASTICSEARCH_CA_CERTS]",
    ),
    option("--insecure-http", is_flag=True, help="Send credentials over plain http to another machine."),
    connection_limits,
)

LIMITS = {
    "concurrency": "concurrency",
    "connect_timeout": "connect_timeout_s",
    "read_timeout": "read_timeout_s",
    "max_attempts": "max_attempts",
    "id_deadline": "id_deadline_s",
    "retry_after_cap": "retry_after_cap_s",
    "max_response_size": "max_response_bytes",
    "transport": "transport",
}
"""Option → field of `etl.settings.Connection`."""

age_options = chain(
    option(
        "--settle",
        type=duration,
        default="1h",
        show_default=True,
        help="A finished job is not fetched again when it was fetched this long after its latest time.",
    ),
    option(
        "--overlap",
        type=duration,
        default="1h",
        show_default=True,
        help="With --all: how much later than it was created a job may have become visible.",
    ),
)

output_mode_option = option(
    "--output-mode",
    type=mode,
    metavar="MODE",
    help="Permissions of new files for readers, such as 0640; without it the umask decides. Records of runs and "
    "staged batches are always private.",
)

retention_options = chain(
    option(
        "--keep-snapshots",
        type=click.IntRange(1),
        default=3,
        show_default=True,
        help="How many of the newest states are kept.",
    ),
    option(
        "--keep-hours",
        type=Hours(),
        default=24.0,
        show_default=True,
        help="Hours for which a superseded state is kept.",
    ),
    option(
        "--keep-runs", type=click.IntRange(1), default=400, show_default=True, help="How many records of runs are kept."
    ),
)

run_options = chain(
    output_option,
    option(
        "--format",
        "formats",
        type=formats,
        default="parquet",
        show_default=True,
        help="Formats of the tables, parquet or parquet,csv; those that the dataset has stay.",
    ),
    output_mode_option,
    option(
        "--csv-raw",
        is_flag=True,
        help="Write texts in CSV as they are, also those that a spreadsheet would run as a formula.",
    ),
    option(
        "--expose",
        type=names,
        default="",
        metavar="FIELDS",
        help="Configuration fields whose values are shown, separated by commas. Secrets never are.",
    ),
    age_options,
    option("--refresh", is_flag=True, help="Fetch settled jobs too."),
    option("--strict", is_flag=True, help="Exit 3 when the cluster does not have an id."),
    option("--keep-raw", is_flag=True, help="Keep the documents as received, redacted, for `etl replay`."),
    option(
        "--max-failures",
        type=share,
        metavar="N|N%",
        help="Stop, and publish nothing, when more ids fail than this; without it the run goes on to the end.",
    ),
    option("--deadline", type=duration, help="Ask for no further id after this time, and publish what is there."),
    option(
        "--workers",
        type=click.IntRange(1, 64),
        metavar="N",
        help="Programs that share the work; without it as many as the processors and the number of ids are worth.",
    ),
    option(
        "--batch-size",
        type=click.IntRange(1),
        default=1000,
        show_default=True,
        help="How many ids are staged together, and held in memory.",
    ),
    retention_options,
)
