"""`etl sandbox`."""

from __future__ import annotations

import click

from etl.cli import options
from etl.sandbox.faults import DEMO_FAULTS, NO_FAULTS
from etl.sandbox.server import LOOPBACK, serve
from etl.sandbox.settings import FULL_KEY, JOBS, MOST_JOBS, SandboxSettings


@click.command("sandbox")
@options.option("--host", default=LOOPBACK, show_default=True, help="Loopback address to listen on.")
@options.option("--port", type=click.IntRange(0, 65535), default=9200, show_default=True, help="0 for a free one.")
@options.option(
    "--jobs", type=click.IntRange(0, MOST_JOBS), default=JOBS, show_default=True, help="Sync jobs there are."
)
@options.option("--faults", is_flag=True, help="Fail on purpose, now and then.")
@options.option("--version", default="9.1.0", show_default=True, help="Elasticsearch version that it claims to be.")
def command(host: str, port: int, jobs: int, *, faults: bool, version: str) -> None:
    """Serve a stand-in Elasticsearch with made-up sync jobs until Ctrl-C.

    Its credentials are public, so it listens on loopback addresses only.

    \b
    Example, in two terminals:
      etl sandbox --port 9200
      ELASTICSEARCH_URL=http://127.0.0.1:9200 ELASTICSEARCH_API_KEY=... etl run jobs.txt
    """
    settings = SandboxSettings(jobs=jobs, faults=DEMO_FAULTS if faults else NO_FAULTS, version=version)

    def ready(url: str) -> None:
        click.echo(f"export ELASTICSEARCH_URL={url}")
        click.echo(f"export ELASTICSEARCH_API_KEY={FULL_KEY.encoded}")

    serve(settings, host=host, port=port, on_ready=ready)
