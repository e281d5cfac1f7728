"""`etl replay`."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import click

from etl.cli import options
from etl.cli.metrics import metrics_option
from etl.cli.run import execute, run_settings
from etl.cli.streams import standard_input
from etl.cli.values import Place
from etl.observe.logs import configure
from etl.pipeline.replay import replay


@click.command("replay")
@click.argument("files", type=Place(readable=False), nargs=-1, required=True, metavar="FILE...")
@options.option(
    "--source",
    metavar="NAME",
    help="Cluster that the documents come from (its UUID), where a dataset is begun; else that of the dataset.",
)
@options.run_options
@metrics_option
@options.report_options
def command(files: tuple[str, ...], source: str | None, **given: Any) -> None:  # noqa: ANN401 - as click hands them over
    """Transform saved documents and publish them, without a network.

    FILE is NDJSON, JSON, a list or search answer, index hits (as elasticdump writes them) or the raw archive of a run;
    plain, gzip or zstd; - is standard input.

    \b
    Examples:
      etl replay output/runs/*/raw.ndjson.zst --output rebuilt
      elasticdump --input=... --output=$ | etl replay - --output history
    """
    configure(-1 if given["quiet"] else given["verbose"])
    settings = run_settings(given, source=source)
    stdin = standard_input() if "-" in files else sys.stdin.buffer
    execute(partial(replay, files, settings, stdin=stdin, inputs={"files": list(files)}), given)
