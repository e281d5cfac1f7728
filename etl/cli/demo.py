"""`etl demo`."""

from __future__ import annotations

import io
import json
import shlex
import sys
from functools import partial
from typing import Any

import click

from etl.cli import options
from etl.cli.run import configure_logs, execute, limits, run_settings
from etl.extract.jobs_file import read_jobs
from etl.load.recover import SANDBOX
from etl.pipeline.run import run
from etl.sandbox.demo import demo_ids_text, demo_jobs_text
from etl.sandbox.faults import DEMO_FAULTS, NO_FAULTS
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import JOBS, MOST_JOBS, SandboxSettings
from etl.settings import ConnectionFlags, connection


@click.command("demo")
@options.option(
    "--jobs", type=click.IntRange(1, MOST_JOBS), metavar="N", help="Fetch N generated jobs, not the small sample."
)
@options.option("--faults", is_flag=True, help="Let the sandbox fail on purpose, now and then, to see retries.")
@options.connection_limits
@options.run_options
@options.report_options
def command(jobs: int | None, *, faults: bool, **given: Any) -> None:  # noqa: ANN401 - as click hands them over
    """Start a stand-in Elasticsearch on a free loopback port, run the main job against it, and show the result.

    The data are made up. A later run against a real cluster replaces them.

    \b
    Examples:
      etl demo
      etl demo --jobs 5000 --faults --output /tmp/demo
    """
    settings = SandboxSettings(jobs=max(jobs or 0, JOBS), faults=DEMO_FAULTS if faults else NO_FAULTS)
    ids = demo_ids_text() if jobs is None else demo_jobs_text(jobs)
    with Sandbox(settings) as sandbox:
        # No setting of the environment is heard: the demo works on every machine.
        environment = {"ELASTICSEARCH_API_KEY": sandbox.api_key}
        reached = connection(ConnectionFlags(url=sandbox.url), environment, limits=limits(given))
        configure_logs(given, reached)
        jobs_file = read_jobs(io.BytesIO(ids.encode()))
        inputs = {"demo": "sample" if jobs is None else jobs}
        summary = execute(partial(run, jobs_file, reached, run_settings(given, source=SANDBOX), inputs=inputs), given)
    if not given["quiet"] and not given["as_json"]:
        # Quotes that a shell need not escape, with a path as Python writes it.
        folder = json.dumps(str(summary.output), ensure_ascii=False)
        code = f'import etl; print(etl.open_dataset({folder})["sync_jobs"])'
        click.echo(f"\nlook at it: {shlex.join([sys.executable, '-c', code])}")
